"""What would end each correction that is in force, by the rules and routes of one configuration."""

from __future__ import annotations

from collections.abc import Iterator

from statusproxy.config.settings import Event, Settings
from statusproxy.config.units import format_duration
from statusproxy.rehearsal.messages import OverrideResult, ReleasedBy, Waiting
from statusproxy.rehearsal.moments import moment, shown
from statusproxy.status.model import Evidence, Override, Record, Release
from statusproxy.status.sessions import SessionMap


def overrides(settings: Settings, sessions: SessionMap) -> list[OverrideResult]:
    """Each correction that is in force, and what would end it."""
    return [
        OverrideResult(
            session=record.session,
            since=moment(record.override.since),
            reason=_reason(record.override.event, record.override.word),
            caught_up=record.override.caught_up,
            released_by=[
                ReleasedBy(rule.value, what)
                for rule, what in _released_by(settings, record, record.override)
                if settings.sessions.releases[rule.value]
            ],
        )
        for record in sessions.records()
        if record.override is not None
    ]


def waiting(sessions: SessionMap) -> list[Waiting]:
    """Each transient state that does not count yet."""
    return [
        Waiting(
            session=record.session,
            reason=_reason(record.transient.event, record.transient.word),
            due=moment(record.transient.due),
        )
        for record in sessions.records()
        if record.transient is not None and record.override is None
    ]


def _reason(event: str, word: str | None) -> str:
    return event if word is None else f"{event} {word}"


def _released_by(settings: Settings, record: Record, override: Override) -> Iterator[tuple[Release, str]]:
    connected = [text for event in settings.events for text in _connected(event)]
    if connected:
        yield Release.CONNECTED_EVENT, f"a newer event: {', '.join(connected)}"
    yield from _reconnected(settings, record, override)
    deleted = settings.reconnect.delete
    if deleted:
        yield Release.DELETED, " or ".join(deleted)
    alive = [name for event in settings.events if event.means == "alive" for name in event.event]
    if alive:
        since = shown(moment(override.at + override.lag + settings.sessions.alive_grace))
        yield Release.ALIVE, f"a message from others after {since}: {', '.join(alive)}"
    yield Release.OPERATOR, f"statusproxy release {record.session}"
    if settings.sessions.max_age is not None:
        at = shown(moment(override.began + settings.sessions.max_age))
        yield Release.EXPIRED, f"nothing new until {at} (max_age {format_duration(settings.sessions.max_age)})"


def _connected(event: Event) -> Iterator[str]:
    name = event.event[0]
    if event.means == "connected":
        yield from event.event
    elif event.means is None and event.connected:
        yield f"{name} ({' or '.join(event.connected)})"


def _reconnected(settings: Settings, record: Record, override: Override) -> Iterator[tuple[Release, str]]:
    routes = [one.path for one in settings.channels]
    if override.caught_up is not None:
        where = [path for path, _ in override.seen_on] if override.caught_up is Evidence.LIST else routes
        if where:
            yield Release.RECONNECTED, f"`connected` in the next answer of {' or '.join(where)}"
            return
    ways = []
    if any(one.keep for one in settings.channels):
        ways.append("a word of `keep` in its answer")
    ways += [*settings.reconnect.qr, *settings.reconnect.create]
    if ways and routes:
        yield Release.RECONNECTED, f"`connected` in an answer, once the gateway has caught up: {', '.join(ways)}"
