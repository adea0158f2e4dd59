"""A message as JSON, as webhooks get it: the same bytes at each attempt."""

from __future__ import annotations

from datetime import UTC

import msgspec

from statusproxy.alerts.codec import with_items
from statusproxy.alerts.text import Reader, instant, text
from statusproxy.alerts.values import Line, Message, Target
from statusproxy.alerts.wanted import lines_for

__all__ = ["AlertDocument", "AlertSession", "document", "document_bytes"]


class AlertSession(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A session of a message."""

    session: str
    since: str
    """When it was lost."""
    event: str | None
    word: str | None
    gateway_said: str | None
    duration_seconds: float
    """How long it has been lost, or was."""
    until: str | None = None
    """When it was over; only where it is."""
    released: str | None = None
    """How the correction ended; only where it has, and that is known."""


class AlertDocument(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A message. Moments are ISO 8601 in UTC."""

    id: str
    type: str
    at: str
    sessions: tuple[AlertSession, ...]
    """Empty where the message is about a condition."""
    text: str
    reminder: int = 0
    """Which reminder it is; only where it is one."""
    since: str | None = None
    until: str | None = None
    duration_seconds: float | None = None
    reason: str | None = None
    """These four are of a condition."""


def document(message: Message, target: Target, reader: Reader) -> AlertDocument:
    """The message as this target gets it: only what it asks for."""
    lines = lines_for(message, target)
    condition = next((line for line in lines if line.outage.session is None), None)
    said = text(message, lines, reader)
    return AlertDocument(
        id=message.id,
        type=message.type,
        at=moment(message.at),
        sessions=tuple(_session(line, message) for line in lines if line.outage.session is not None),
        text=said.body,
        reminder=message.reminder,
        since=None if condition is None else moment(condition.outage.since),
        until=None if condition is None else _until(condition),
        duration_seconds=None if condition is None else _duration(condition, message),
        reason=None if condition is None else condition.outage.reason,
    )


def document_bytes(message: Message, target: Target, reader: Reader) -> bytes:
    """The message as UTF-8 JSON."""
    whole = document(message, target, reader)
    return with_items(whole, "sessions", whole.sessions)


def _session(line: Line, message: Message) -> AlertSession:
    outage = line.outage
    return AlertSession(
        session=outage.session or "",
        since=moment(outage.since),
        event=outage.event,
        word=outage.word,
        gateway_said=outage.gateway_said,
        duration_seconds=_duration(line, message),
        until=_until(line),
        released=line.released,
    )


def _duration(line: Line, message: Message) -> float:
    until = message.at if line.ended_at is None else line.ended_at
    return round(max(0.0, until - line.outage.since), 3)


def _until(line: Line) -> str | None:
    return None if line.ended_at is None else moment(line.ended_at)


def moment(at: float) -> str:
    """Epoch seconds as `2026-01-15T19:07:06.490Z`."""
    return instant(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
