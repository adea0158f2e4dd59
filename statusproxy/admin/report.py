"""What is known of the sessions, as the JSON that the admin listener and the command line show."""

import json
from datetime import UTC, datetime
from typing import Any

from statusproxy.registry.gateway_view import Word
from statusproxy.status.model import Change, Record
from statusproxy.store.damage import Damage


def moment(seconds: float | None) -> str | None:
    """Epoch seconds as ISO 8601 in UTC with milliseconds; None for a time that never was."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def session_report(record: Record, word: Word | None = None) -> dict[str, Any]:
    """One session: what is shown, since when and why, what was last heard, what the gateway last said.

    `shows` is `disconnected` while a correction is in force, else `gateway`: what the gateway says, unchanged.
    `shown_at` is when an answer was first changed because of it; until then the session only will be shown so.
    `caught_up_on` names the corrected routes on which the gateway was seen to know of the disconnect, where `caught_up`
    is `list`; other evidence counts for all. `word` is what the gateway said of it in an answer that passed without a
    correction, where that is newer.
    """
    override = record.override
    said, said_at = record.gateway_said, record.gateway_said_at
    if word is not None and word.at > (said_at or 0):
        said, said_at = word
    return {
        "session": record.session,
        "channel": record.channel,
        "shows": "disconnected" if override is not None else "gateway",
        "shown_at": moment(record.shown_at),
        "since": moment(override.since if override is not None else record.released_at),
        "reason": _reason(record),
        "caught_up": override.caught_up if override is not None else None,
        "caught_up_on": [route for route, _ in override.seen_on] if override is not None else [],
        "last_event": record.event,
        "last_event_at": moment(record.heard_at),
        "last_message_at": moment(record.alive.here),
        "known": record.verdict.value if record.verdict is not None else None,
        "known_at": moment(record.known.here),
        "gateway_said": said,
        "gateway_said_at": moment(said_at),
        "released": record.released.value if record.released is not None else None,
        "released_at": moment(record.released_at),
    }


def session_text(record: Record, word: Word | None = None) -> str:
    """The report of one session as JSON text, in ASCII (JSON's escapes take what UTF-8 cannot, a lone surrogate)."""
    return json.dumps(session_report(record, word), separators=(",", ":"))


def change_report(change: Change) -> dict[str, Any]:
    """One line of a session's history."""
    return {
        "session": change.session,
        "change": change.what,
        "reason": change.reason,
        "at": moment(change.at),
        "recorded_at": moment(change.recorded_at),
        "gateway_said": change.gateway_said,
    }


def damage_report(damage: Damage) -> dict[str, Any]:
    """What happened to the stored state, and what was saved of it."""
    return {
        "at": moment(damage.at),
        "cause": damage.cause,
        "sessions": damage.sessions,
        "changes": damage.changes,
        "pending": damage.pending,
        "set_aside": damage.set_aside,
        "text": str(damage),
    }


def _reason(record: Record) -> str | None:
    if record.override is not None:
        word = record.override.word
        return record.override.event if word is None else f"{record.override.event} {word}"
    return record.released.value if record.released is not None else None
