"""The command line's tables: what is known of each session, and its history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from statusproxy.admin.messages import History, Learned, Moment, Session, Sessions, State
from statusproxy.observe.counted import counted
from statusproxy.observe.visible import delimited, visible
from statusproxy.observe.webhook_stats import WebhookTotals
from statusproxy.status.fields import fold_word
from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, REPEATED, STARTED, Release
from statusproxy.status.session_state import SessionState

#: How a session stands, in words.
_STATES: Final[dict[str, str]] = {
    SessionState.LOST: "lost",
    SessionState.REPORTED_DOWN: "reported down",
    SessionState.NEEDS_QR: "needs QR",
    SessionState.CONNECTED: "connected",
    SessionState.UNKNOWN: "unknown",
}


def sessions_table(answer: Sessions) -> str:
    """`/sessions` as a table: one line a session, those shown as disconnected first; then how many are how."""
    rows = [
        (
            _named(one),
            _STATES.get(one.state, one.state or "–"),
            shown(one, answer),
            local(one.since),
            one.reason or "–",
            one.last_event or "–",
            local(one.last_event_at),
            one.gateway_said or "–",
        )
        for one in answer.sessions
    ]
    untrusted = _untrusted(answer.webhooks)
    if not rows:
        if answer.webhook_last_heard:
            return "No session is known yet; events have been seen, but none about a session."
        return f"No session is known yet: {untrusted or 'no webhook has come through since the start.'}"
    head = ("SESSION", "STATE", "LIST SHOWS", "SINCE", "WHY", "LAST EVENT", "RECEIVED", "GATEWAY SAID")
    return "\n\n".join([table(head, rows), *_totals(answer), *([f"Warning: {untrusted}"] if untrusted else [])])


def _named(one: Session) -> str:
    """Its id, and the channel's where the list spells it in another way."""
    named = delimited(one.session)
    return named if one.channel in (None, one.session) else f"{named} ({delimited(one.channel)})"


def _totals(answer: Sessions) -> list[str]:
    """How many sessions are how, and when the list was seen; nothing of a proxy that does not count."""
    if not answer.counts:
        return []
    parts = [f"{count} {_STATES.get(state, state)}" for state, count in answer.counts.items() if count]
    total = f"{counted(sum(answer.counts.values()), 'session')}: {', '.join(parts)}."
    if answer.list_seen_at:
        return [f"{total} The gateway's list was last seen at {local(answer.list_seen_at)}."]
    return [f"{total} No list has passed since the start, so only sessions with events are shown."]


def _untrusted(webhooks: WebhookTotals | None) -> str | None:
    """A warning for when webhooks came since the start, but none from a trusted sender."""
    if webhooks is None or webhooks.trusted or not webhooks.came:
        return None
    reasons = ", ".join(f"{why}: {number}" for why, number in webhooks.untrusted.items())
    return (
        f"{counted(webhooks.came, 'webhook')} came since the start, none trusted "
        f"({reasons}). `statusproxy doctor` says which senders, and what to change."
    )


def shown(one: Session, answer: Sessions | None = None) -> str:
    """What the channel list reads; what no answer has shown yet only will be shown."""
    if answer is not None and answer.list_seen_at and not one.listed and one.list_shows is None:
        return "not listed"
    if one.shows != "disconnected":
        return one.list_shows or "as gateway says"
    if one.reads is None or fold_word(one.reads) == one.shows:
        return "disconnected" if one.shown_at else "will be disconnected"
    return one.reads if one.shown_at else f"will read {one.reads}"


def history_table(answer: History, session: str | None = None) -> str:
    """`/history` as a table, of one `session` or of all: one line a change, newest first."""
    rows = [
        (
            local(one.at),
            delimited(one.session),
            _change(one.change, one.reason),
            f"{one.reason} ({one.by})" if one.by else one.reason,
            one.gateway_said or "–",
        )
        for one in answer.history
    ]
    if not rows:
        if session is not None:
            return f"{visible(delimited(session))} was not lost in the period that the history covers."
        return "No session was lost in the period that the history covers."
    return table(("WHEN", "SESSION", "CHANGE", "WHY", "GATEWAY SAID"), rows)


#: The reasons for which a correction ends although the session is not back, in words.
ENDS: Final[dict[str, str]] = {
    Release.DELETED: "deleted",
    Release.OPERATOR: "released by hand",
    Release.EXPIRED: "expired",
    EVICTED: "forgotten",
    FORGOTTEN: "forgotten",
}


def _change(what: str, reason: str) -> str:
    """A change in words: `back` only where something showed that the session is connected again."""
    if what == RELEASED:
        return ENDS.get(reason, "back")
    return {STARTED: "lost", REPEATED: "still lost"}.get(what, what)


def state_text(answer: State) -> str:
    """`/state` as sentences: whether the state can be written, and each damage that is not acknowledged."""
    lines = ["The state can be written." if answer.store == "ok" else f"The state cannot be written: {answer.store}"]
    lines += [f"Damage: {one.text}" for one in answer.damage]
    if answer.damage:
        lines.append("To confirm that you know about it: statusproxy state acknowledge")
    return _visible_lines(lines)


def learned_text(answer: Learned, *, begun: bool = False) -> str:
    """`/learn` as sentences: until when the proxy learns, what it has seen, what to do next."""
    if begun:
        return (
            f"The proxy learns from the traffic until {local(answer.until)}, or until it is restarted.\n"
            "Unlink and link a phone meanwhile, send a message, and ask for the list of sessions through the proxy.\n"
            "Then: statusproxy learn --show > mine.yaml"
        )
    seen = f"{counted(answer.events, 'event')} and {counted(answer.answers, 'answer')} with a list or a session"
    lines = [
        f"Learning until {local(answer.until)}; so far {seen}." if answer.learning else f"Learning is off; {seen}."
    ]
    if answer.skipped:
        lines.append(f"Not read: {answer.skipped} (too many in a second, too large, or not readable).")
    if answer.failure is not None:
        lines.append(f"An internal error of the proxy ended it ({answer.failure}); please report it.")
    return _visible_lines(lines)


def _visible_lines(lines: Sequence[str]) -> str:
    """Lines for a terminal."""
    return "\n".join(map(visible, lines))


def local(moment: Moment) -> str:
    """An ISO 8601 moment in this host's time, to the second."""
    if not moment:
        return "–"
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below their heads, in columns, for a terminal."""
    head, *rows = [[visible(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)
