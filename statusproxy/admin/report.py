"""Sessions, changes and damage converted to the admin listener's messages."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from statusproxy.admin.messages import ChangeLine, DamageLine, Moment, MonthLine, OutageLine, Session
from statusproxy.registry.gateway_view import Word
from statusproxy.registry.session_rows import Row
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.lost_word import lost_word
from statusproxy.status.model import Change, Override, Record, Transient
from statusproxy.status.outages import Outage
from statusproxy.status.session_state import SessionState
from statusproxy.status.uptime import Figures, Share
from statusproxy.store.damage import Damage

_NO_FIGURES: Final = Figures()


def moment(seconds: float | None) -> Moment:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; None for a time that never was."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def session_report(
    record: Record, word: Word | None = None, rule: ChannelRule | None = None, figures: Figures | None = None
) -> Session:
    """One session; `word` is what the gateway said of it in an answer that passed without a correction.

    Where that is newer than what the record has, it is told. `rule` is that of the channel list, `figures` are those of
    the session's uptime.
    """
    figures = figures or _NO_FIGURES
    override = record.override
    waiting = record.transient if override is None else None
    said, said_at = record.gateway_said, record.gateway_said_at
    if word is not None and word.at > (said_at or 0):
        said, said_at = word
    return Session(
        session=record.session,
        channel=record.channel,
        shows="disconnected" if override is not None else "gateway",
        reads=lost_word(rule, override.word, said) if override is not None and rule is not None else None,
        shown_at=moment(record.shown_at),
        since=moment(override.since if override is not None else record.released_at),
        reason=_reason(record),
        word=override.word if override is not None else None,
        caught_up=override.caught_up if override is not None else None,
        caught_up_on=[route for route, _ in override.seen_on] if override is not None else [],
        last_event=record.event,
        last_event_at=moment(record.heard_at),
        last_message_at=moment(record.alive.here),
        known=record.verdict.value if record.verdict is not None else None,
        known_at=moment(record.known.here),
        gateway_said=said,
        gateway_said_at=moment(said_at),
        transient=_cause(waiting) if waiting is not None else None,
        transient_word=(waiting.word or waiting.event) if waiting is not None else None,
        transient_due=moment(waiting.due) if waiting is not None else None,
        released=record.released.value if record.released is not None else None,
        released_at=moment(record.released_at),
        released_by=record.released_by,
        first_heard=moment(figures.first_heard),
        lost_seconds=round(figures.lost_seconds, 3),
        losses=figures.losses,
        uptime=figures.uptime,
        days=figures.days,
    )


def row_report(
    row: Row,
    rule: ChannelRule | None = None,
    shown: Callable[[Record], Record] | None = None,
    shift: float = 0.0,
    figures: Callable[[Record, Sequence[str]], Figures] | None = None,
    alerted_at: float | None = None,
) -> Session:
    """One session as it stands, listed or not.

    `shown` gives a record in the system's time, which is `shift` seconds ahead of the row's. `figures` gives those of
    a session's uptime (`OutageLedger.figures`). `alerted_at` is when the newest message about its present outage was
    made.
    """
    record = row.record or Record(row.session)
    record = record if shown is None else shown(record)
    word = None if row.claim is None else Word(row.claim.word, row.claim.at + shift)
    return replace(
        session_report(record, word, rule, None if figures is None else figures(record, row.spellings)),
        session=row.session,
        channel=row.channel,
        state=row.state.value,
        listed=row.listed,
        list_shows=row.shows,
        alerted_at=moment(alerted_at) if row.state is SessionState.LOST else None,
    )


def counts(found: Mapping[SessionState, int]) -> dict[str, int]:
    """How many there are of each state; all states are named."""
    return {state.value: found.get(state, 0) for state in SessionState}


def change_report(change: Change) -> ChangeLine:
    """One line of the history."""
    return ChangeLine(
        session=change.session,
        change=change.what,
        reason=change.reason,
        at=moment(change.at),
        recorded_at=moment(change.recorded_at),
        gateway_said=change.gateway_said,
        by=change.by,
    )


def outage_report(outage: Outage, now: float) -> OutageLine:
    """One outage; `now` is up to when it lasted if it is not over."""
    return OutageLine(
        session=outage.session,
        since=moment(outage.since),
        until=moment(outage.until),
        seconds=round(outage.seconds(now), 3),
        reason=outage.reason,
        word=outage.word,
        gateway_said=outage.gateway_said,
        released=outage.released,
        released_by=outage.released_by,
        began_before=outage.began_before,
    )


def month_report(month: str, session: str | None, share: Share) -> MonthLine:
    """One month of a session, or of all (None)."""
    lost = round(share.lost_seconds, 3)
    return MonthLine(month=month, session=session, uptime=share.uptime, lost_seconds=lost, losses=share.losses)


def damage_report(damage: Damage) -> DamageLine:
    """What happened to the stored state, and what was saved of it."""
    return DamageLine(
        at=moment(damage.at),
        cause=damage.cause,
        sessions=damage.sessions,
        changes=damage.changes,
        pending=damage.pending,
        set_aside=damage.set_aside,
        text=str(damage),
    )


def _cause(state: Override | Transient) -> str:
    return state.event if state.word is None else f"{state.event} {state.word}"


def _reason(record: Record) -> str | None:
    if record.override is not None:
        return _cause(record.override)
    return record.released.value if record.released is not None else None
