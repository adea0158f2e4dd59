"""A day of made-up but lifelike webhook traffic, the same for the same seed, with the truth at every moment.

Two sessions, forty contacts. Most of it is presence: contacts going on- and offline, thousands of times, raw on the
inbound leg and a moment later, renamed to `connection.update`, on the outbound one. Between them a few words of the
engine about the sessions themselves, messages, acknowledgements; retries under the same `event_id`, late deliveries,
events without a session.

    for event in day(seed=1):                    # in order of arrival
        ...event.leg, event.body, event.at...
    day(seed=1, unlinked=True).disconnected("sales", at)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import Any, Final, Literal

import msgspec

from statusproxy.demo.events import RawEvent, ack, message, normalise, presence, qr_code, status_find

Leg = Literal["inbound", "outbound"]
"""Engine → gateway, or gateway → hub."""

MIDNIGHT: Final = 1768435200.0
"""When the day begins: 2026-01-15T00:00:00Z, in epoch seconds. Nothing here reads a clock."""

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

SESSIONS: Final = ("sales", "support")
CONTACTS: Final = 40
PRESENCE_EVENTS: Final = 17_000
STATUS_EVENTS: Final = 60
MESSAGES: Final = 50

UNLINKED_SESSION: Final = "sales"
UNLINKED_AT: Final = MIDNIGHT + 10 * HOUR + 757
RELINKED_AT: Final = MIDNIGHT + 11 * HOUR + 2465
"""In the variant with an outage: when the engine reports the phone unlinked, and when it reports it back."""

# People are awake at these hours: how much of the day's traffic falls into each.
_HOURS: Final = (2, 1, 1, 1, 1, 2, 5, 9, 14, 16, 16, 15, 12, 13, 15, 16, 15, 14, 12, 10, 9, 8, 6, 3)

# What a healthy session makes the engine say now and then: a page reloads, the phone takes a moment to answer.
_LIFE: Final = (
    ("isLogged", "inChat"),
    ("connecting", "isLogged", "inChat"),
    ("opening", "pairing", "syncing", "inChat"),
    ("qrReadSuccess", "isLogged", "inChat"),
    ("inChat",),
)

# Said without a session: about whom, no one knows; so about no one.
_NAMELESS: Final = ("browserClose", "disconnectedMobile", "inChat", "notLogged")


@dataclass(frozen=True)
class TimedEvent:
    """One webhook: when it arrives (epoch seconds), on which leg, and what it says."""

    at: float
    leg: Leg
    document: Mapping[str, Any]

    @property
    def body(self) -> bytes:
        """The bytes on the wire."""
        return msgspec.json.encode(self.document)

    @property
    def session(self) -> str | None:
        """The session it names, on either leg."""
        named = self.document.get("session")
        return named["id"] if isinstance(named, dict) else named

    @property
    def raw(self) -> Mapping[str, Any]:
        """The engine's own event: the document itself, or what the envelope carries."""
        inside: Mapping[str, Any] = self.document["raw"]["payload"] if self.leg == "outbound" else self.document
        return inside


@dataclass(frozen=True)
class Outage:
    """A session was really disconnected from `start` until just before `end` (epoch seconds)."""

    session: str
    start: float
    end: float


@dataclass(frozen=True)
class Day:
    """The day's events in order of arrival, and the truth behind them."""

    events: Sequence[TimedEvent]
    outages: Sequence[Outage]

    def __iter__(self) -> Iterator[TimedEvent]:
        return iter(self.events)

    def disconnected(self, session: str, at: float) -> bool:
        """Whether this session was really disconnected at that moment."""
        return any(outage.session == session and outage.start <= at < outage.end for outage in self.outages)

    @cached_property
    def presence(self) -> int:
        """How many presence events the engine made."""
        return sum(event.leg == "inbound" and event.raw["event"] == "onpresencechanged" for event in self.events)


@cache
def day(seed: int = 0, *, unlinked: bool = False, presences: int = PRESENCE_EVENTS) -> Day:
    """A day for this seed; `unlinked` puts one real unlink and reconnect of `UNLINKED_SESSION` into it.

    `presences` is how often a contact goes on- or offline, or types.
    """
    chance = Random(seed)
    outages = (Outage(UNLINKED_SESSION, UNLINKED_AT, RELINKED_AT),) if unlinked else ()
    raws = [
        *_presences(chance, presences),
        *_statuses(chance),
        *_messages(chance),
    ]
    if unlinked:
        raws = [(at, raw) for at, raw in raws if not _silenced(at, raw)]
        raws += _outage()
    raws.sort(key=lambda timed: timed[0])
    events = [TimedEvent(at, "inbound", raw) for at, raw in raws]
    events += _outbox(chance, raws)
    events.sort(key=lambda event: event.at)
    return Day(tuple(events), outages)


_Raw = tuple[float, RawEvent]


def _presences(chance: Random, count: int) -> Iterator[_Raw]:
    """Each contact goes on- and offline in turn, some far more often than others; now and then one types."""
    weights = [chance.paretovariate(1.2) for _ in range(CONTACTS)]
    turns = chance.choices(range(CONTACTS), weights, k=count)
    online = [False] * CONTACTS
    moments = sorted(_moment(chance) for _ in range(count))
    for at, contact in zip(moments, turns, strict=True):
        if online[contact] and chance.random() < 0.08:
            state = chance.choice(("composing", "paused", "recording"))
        else:
            online[contact] = not online[contact]
            state = "available" if online[contact] else "unavailable"
        yield at, presence(SESSIONS[contact % len(SESSIONS)], _jid(contact), state, at - chance.uniform(0.005, 0.1))


def _statuses(chance: Random) -> Iterator[_Raw]:
    """The engine's words about healthy sessions, and a few about no one in particular."""
    left = STATUS_EVENTS
    for word in _NAMELESS:
        nameless = status_find("", word)
        del nameless["session"]
        yield _moment(chance), nameless
        left -= 1
    while left > 0:
        at, session = _moment(chance), chance.choice(SESSIONS)
        for word in chance.choice(_LIFE)[-left:]:
            yield at, status_find(session, word)
            at += chance.uniform(0.2, 4)
            left -= 1


def _messages(chance: Random) -> Iterator[_Raw]:
    """Received ones, some in a group, and own ones with their acknowledgements."""
    for serial in range(MESSAGES):
        at, contact = _moment(chance), chance.randrange(CONTACTS)
        session = SESSIONS[contact % len(SESSIONS)]
        own = chance.random() < 0.3
        jid = "5500000000000-1600000000@g.us" if chance.random() < 0.15 else _jid(contact)
        yield at, message(session, jid, f"message {serial}", at - chance.uniform(0.1, 1), serial, own=own)
        if own:
            for level in (1, 2, 3):
                at += chance.expovariate(1 / 40)
                yield min(at, MIDNIGHT + DAY - 1), ack(session, jid, level, at, serial)


def _outage() -> Iterator[_Raw]:
    """The unlinked phone: the engine's word, what it repeats, attempts to send, the QR codes, the way back."""
    session = UNLINKED_SESSION
    # Received just before; its outbound twin comes minutes after the unlinking (see _outbox).
    yield UNLINKED_AT - 40, message(session, _jid(0), "last words", UNLINKED_AT - 41, 9001)
    yield UNLINKED_AT, status_find(session, "disconnectedMobile")
    yield UNLINKED_AT + 1.5, status_find(session, "browserClose")
    yield UNLINKED_AT + 12, presence(session, _jid(2), "available", UNLINKED_AT + 11.9)
    yield UNLINKED_AT + 13, presence(session, _jid(2), "unavailable", UNLINKED_AT + 12.9)
    yield UNLINKED_AT + 20 * 60, message(session, _jid(2), "into the void", UNLINKED_AT + 20 * 60, 9002, own=True)
    yield UNLINKED_AT + 20 * 60 + 1, ack(session, _jid(2), 1, UNLINKED_AT + 20 * 60 + 1, 9002)
    yield UNLINKED_AT + 30 * 60, status_find(session, "notLogged")
    for number in range(3):
        yield RELINKED_AT - 60 + 20 * number, qr_code(session, f"data:image/png;base64,code{number}")
    yield RELINKED_AT - 3, status_find(session, "qrReadSuccess")
    yield RELINKED_AT - 2, status_find(session, "isLogged")
    yield RELINKED_AT, status_find(session, "inChat")


def _silenced(at: float, raw: RawEvent) -> bool:
    """Without a connection nothing comes in; nor does the engine speak of life (just before and after, for clarity)."""
    return raw.get("session") == UNLINKED_SESSION and UNLINKED_AT - 5 <= at < RELINKED_AT + 5


def _outbox(chance: Random, raws: Sequence[_Raw]) -> Iterator[TimedEvent]:
    """What the gateway passes on: a moment later, at times much later, at times twice under the same id."""
    for serial, (at, raw) in enumerate(raws):
        onward = normalise(raw, at + 0.006, f"{serial:032x}")
        if onward is None:
            continue
        delay = chance.uniform(0.02, 0.4)
        if raw.get("body") == "last words":
            delay = 340.0
        elif chance.random() < 0.003:
            delay = chance.uniform(2, 120)
        yield TimedEvent(at + delay, "outbound", onward)
        if chance.random() < 0.01:
            yield TimedEvent(at + delay + chance.uniform(5, 60), "outbound", onward)


def _moment(chance: Random) -> float:
    hour = chance.choices(range(24), _HOURS)[0]
    return MIDNIGHT + (hour + chance.random()) * HOUR


def _jid(contact: int) -> str:
    return f"55000000{1000 + contact}@c.us"
