"""What would end each correction that is in force, by the rules and routes of one configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final

from statusproxy.config.settings import Event, Reconnect, Settings
from statusproxy.config.units import format_duration
from statusproxy.rehearsal.messages import OverrideResult, ReleasedBy, Waiting
from statusproxy.rehearsal.moments import moment, shown
from statusproxy.rehearsal.readings import connected_words, reading
from statusproxy.status.model import Evidence, Override, Record, Release
from statusproxy.status.sessions import SessionMap

SHOWN_BY: Final[Mapping[Evidence, Callable[[Reconnect], tuple[str, ...]]]] = {
    Evidence.QR: attrgetter("qr"),
    Evidence.CREATED: attrgetter("create"),
}
"""The watched routes that give each evidence that counts for all routes, in the order in which they are told."""


def overrides(settings: Settings, sessions: SessionMap) -> list[OverrideResult]:
    """Each correction that is in force, and what would end it."""
    return [
        OverrideResult(
            session=record.session,
            since=moment(record.override.since),
            reason=_reason(record.override.event, record.override.word),
            transient=record.override.transient,
            reads=reading(settings.channels, record.override.word),
            caught_up=record.override.caught_up,
            released_by=[
                way for way in _released_by(settings, record, record.override) if settings.sessions.releases[way.rule]
            ],
        )
        for record in sessions.records()
        if record.override is not None
    ]


def waiting(settings: Settings, sessions: SessionMap) -> list[Waiting]:
    """Each transient state that does not count yet."""
    return [
        Waiting(
            session=record.session,
            reason=_reason(record.transient.event, record.transient.word),
            reads=reading(settings.channels, record.transient.word),
            due=moment(record.transient.due),
        )
        for record in sessions.records()
        if record.transient is not None and record.override is None
    ]


def _reason(event: str, word: str | None) -> str:
    return event if word is None else f"{event} {word}"


def _released_by(settings: Settings, record: Record, override: Override) -> Iterator[ReleasedBy]:
    connected = [text for event in settings.events for text in _connected(event)]
    if connected:
        yield ReleasedBy(Release.CONNECTED_EVENT, "a newer event", connected)
    yield from _reconnected(settings, override)
    if settings.reconnect.delete:
        yield ReleasedBy(Release.DELETED, "a request that succeeds", list(settings.reconnect.delete))
    alive = [name for event in settings.events if event.means == "alive" for name in event.event]
    if alive:
        since = shown(moment(override.stamp.here + settings.sessions.alive_grace))
        yield ReleasedBy(Release.ALIVE, f"a message from someone else after {since}", alive)
    yield ReleasedBy(Release.OPERATOR, "by hand", [f"statusproxy release {record.session}"])
    if settings.sessions.max_age is not None:
        at = shown(moment(override.began + settings.sessions.max_age))
        yield ReleasedBy(
            Release.EXPIRED, f"nothing new until {at} (sessions.max_age {format_duration(settings.sessions.max_age)})"
        )


def _connected(event: Event) -> Iterator[str]:
    if event.means == "connected":
        yield from event.event
    elif event.means is None and event.connected:
        yield f"{' or '.join(event.event)} ({' or '.join(event.connected)})"


def _reconnected(settings: Settings, override: Override) -> Iterator[ReleasedBy]:
    routes = [one.path for one in settings.channels]
    if not routes:
        return
    connected = _some(dict.fromkeys(word for one in settings.channels for word in connected_words(one)), "or")
    if override.caught_up is not None:
        where = [path for path, _ in override.seen_on] if override.caught_up is Evidence.LIST else routes
        yield ReleasedBy(Release.RECONNECTED, f"{connected} in the next answer", where)
        return
    words = dict.fromkeys(word for one in settings.channels for word in one.keep)
    ways = [f"its own answer with {_some(words, 'or')}"] if words else []
    for evidence, routes_of in SHOWN_BY.items():
        if not (override.transient and evidence is Evidence.QR):  # a gateway that still connects shows an old code
            ways += routes_of(settings.reconnect)
    if ways:
        what = f"{connected} in an answer, after the gateway has shown that it knows of the loss"
        yield ReleasedBy(Release.RECONNECTED, what, ways)


def _some(words: Iterable[str], joint: str) -> str:
    """Words in quotes; the first of many."""
    quoted = [word if word in _BOOLEANS else f'"{word}"' for word in words]
    if len(quoted) > _MOST_WORDS:
        quoted = [*quoted[:_MOST_WORDS], "another such word"]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {joint} {quoted[-1]}"


_MOST_WORDS: Final = 2
_BOOLEANS: Final = ("true", "false")
