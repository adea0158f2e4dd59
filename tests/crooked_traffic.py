"""A day of made-up traffic from senders whose clocks are wrong, the same for the same seed, with the truth behind it.

Five sessions, each with a gateway of its own that writes times by its own clock: right, 90 s behind, 3 h behind (local
time with a `Z` stuck on), 4 minutes ahead, and local time without a zone. All day long contacts come and go and
messages come in. Every two hours or so each session is lost for some minutes, and comes back in one of five ways: by
an event, by the QR code, by an operator, by deletion, by a message. Old events are delivered again when they can do
most harm, and sessions are lost again just after they came back.

    for step in crooked_day(seed=1).steps:      # in order of time
        ...step.act, step.session, step.body...
    crooked_day(seed=1).disconnected("behind", at)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, Literal

from statusproxy.demo.events import iso_time, message, normalise, presence, status_find
from tests.traffic import DAY, HOUR, MIDNIGHT

CLOCKS: Final[Mapping[str, float | None]] = {
    "right": 0.0, "behind": -90.0, "hours": -3 * HOUR, "ahead": 240.0, "naive": None,
}  # fmt: skip
"""Each session, and by how many seconds its gateway's clock is off; `None`: local time without a zone."""

ENDS: Final = ("event", "qr", "operator", "deleted", "message")

_SCAN: Final = 2.0
"""Seconds from the code on the hub's screen to its first list that shows the session as connected."""

Act = Literal["webhook", "list", "qr", "release", "delete"]


@dataclass(frozen=True)
class Step:
    """Something that happens: a webhook comes in, the hub asks for something, an operator does something."""

    at: float
    act: Act
    session: str = ""
    document: Mapping[str, Any] | None = None
    engine: bool = False
    """The webhook is the engine's own, without a time."""

    @property
    def body(self) -> bytes:
        """The webhook's bytes."""
        return json.dumps(self.document, separators=(",", ":")).encode()


@dataclass(frozen=True)
class CrookedDay:
    """The day in order, and when each session was really disconnected: from `start` until just before `end`."""

    steps: Sequence[Step]
    outages: Mapping[str, Sequence[tuple[float, float]]]
    ends: Mapping[str, int]
    """How many outages ended in each of the ways."""

    def disconnected(self, session: str, at: float) -> bool:
        """Whether this session was really disconnected at that moment."""
        return any(start <= at < end for start, end in self.outages[session])


def crooked_day(seed: int = 0, *, repeats_untimed: bool = True) -> CrookedDay:
    """The day for this seed.

    What is delivered again without a usable time can only be known by its id, which a restart forgets:
    `repeats_untimed` is for days without one.
    """
    chance = Random(seed)
    steps: list[Step] = []
    outages: dict[str, list[tuple[float, float]]] = {}
    ends = dict.fromkeys(ENDS, 0)
    for number, session in enumerate(CLOCKS):
        life = _Life(session, chance, MIDNIGHT + 60 + number, repeats_untimed)
        life.live(MIDNIGHT + DAY - HOUR, ends)
        steps += life.steps
        outages[session] = life.outages
        steps += _background(session, chance, life.outages)
    # The hub looks every ten minutes, but never between a code on its screen and the scan.
    codes = [step.at for step in steps if step.act == "qr"]
    looks = (MIDNIGHT + 300 + 600.0 * number for number in range(int(DAY / 600)))
    steps += [Step(at, "list") for at in looks]
    steps = [step for step in steps if step.act != "list" or not any(code < step.at < code + _SCAN for code in codes)]
    steps.sort(key=lambda step: step.at)
    return CrookedDay(tuple(steps), outages, ends)


class _Life:
    """One session's day: its states, what its engine and gateway say of them, and what is delivered again."""

    def __init__(self, session: str, chance: Random, begin: float, repeats_untimed: bool) -> None:
        self.session = session
        self._repeats = repeats_untimed or CLOCKS[session] is not None
        self.steps: list[Step] = []
        self.outages: list[tuple[float, float]] = []
        self._chance = chance
        self._at = begin
        self._serial = 0
        self._old: list[Mapping[str, Any]] = []
        self._say("open", begin)

    def live(self, until: float, ends: dict[str, int]) -> None:
        """Lose and regain the session until then."""
        turn = self._chance.randrange(len(ENDS))
        while self._at < until:
            self._at += self._chance.uniform(1 * HOUR, 2.5 * HOUR)
            how = ENDS[turn % len(ENDS)]
            turn += 1
            for _ in range(2 if how in ("qr", "operator", "deleted") else 1):
                self._lose_and_regain(how)
                ends[how] += 1
                how = "event"  # lost again at once; then an event ends it
                self._at += self._chance.uniform(3, 60)

    def _lose_and_regain(self, how: str) -> None:
        chance, start = self._chance, self._at
        engine = chance.random() < 0.3  # the engine's own word comes first, without a time
        if engine:
            self._webhook(start, status_find(self.session, "browserClose"), engine=True)
        self._say("close", start + (1.0 if engine else 0.0))
        length = chance.uniform(200, 2400)
        # What could end it too early: what was said before, messages of before, messages of one's own.
        for document in self._old[-4:]:
            self._again(start + chance.uniform(5, length - 10), document)
        under_way = self._message(start - 20)
        self._webhook(start + chance.uniform(65, length - 10), under_way)
        for moment in (0.3, 0.7):
            self._webhook(start + length * moment, self._message(start + length * moment, own=True))
        self._at = end = start + length
        match how:
            case "event":
                self._say("open", end)
            case "message":
                self._webhook(end, self._message(end - 0.5))
            case "qr":
                self.steps += [Step(end - _SCAN, "qr", self.session), Step(end, "list")]
            case "operator":
                self.steps.append(Step(end, "release", self.session))
            case _:
                self.steps.append(Step(end, "delete", self.session))
        self.outages.append((start, end))
        # What could bring it back: the disconnect itself, delivered again.
        closes = [one for one in self._old if one["connection"]["status"] == "close"]
        if how != "message":
            self._again(end + chance.uniform(0.5, 2.5), closes[-1])
        self.steps.append(Step(start + 2, "list"))
        self.steps.append(Step(end + 2.7, "list"))

    def _say(self, word: str, at: float) -> None:
        """The gateway's own event about the session, by its own clock."""
        document = {
            "spec_version": "1.0",
            "event": "connection.update",
            "session": {"id": self.session, "name": self.session},
            "connection": {"status": word},
            "raw": {"provider": "wppconnect", "payload": {"event": "onstatechanged"}},
            **self._stamped(at),
        }
        self._webhook(at, document)
        self._old.append(document)

    def _message(self, at: float, *, own: bool = False) -> Mapping[str, Any]:
        raw = message(self.session, "5500000001000@c.us", "x", at, self._serial, own=own)
        onward = normalise(raw, at, "")
        assert onward is not None
        if own:  # in another gateway's shape
            del onward["message"]["fromMe"]
            onward["raw"] = {"provider": "baileys", "payload": {"t": at}}
            onward["data"] = {"key": {"fromMe": True}}
            onward["message"]["id"] = f"3EB0{self._serial:X}"
        return {**onward, **self._stamped(at)}

    def _stamped(self, at: float) -> dict[str, Any]:
        self._serial += 1
        return {"event_id": f"{self.session}-{self._serial}", "timestamp": stamp(self.session, at)}

    def _again(self, at: float, document: Mapping[str, Any]) -> None:
        """Delivered once more. Where its time can tell how old it is, without the id that would."""
        if not self._repeats:
            return
        if CLOCKS[self.session] is not None:
            document = {name: value for name, value in document.items() if name != "event_id"}
        self._webhook(at, document)

    def _webhook(self, at: float, document: Mapping[str, Any], *, engine: bool = False) -> None:
        self.steps.append(Step(at, "webhook", self.session, document, engine))


def stamp(session: str, at: float) -> str:
    """How this session's gateway writes a moment."""
    error = CLOCKS[session]
    if error is None:
        return datetime.fromtimestamp(at - 3 * HOUR, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return iso_time(at + error)


def _background(session: str, chance: Random, outages: Sequence[tuple[float, float]]) -> Iterator[Step]:
    """Contacts come and go, also while the session is lost (the engine repeats what it knew); messages do not."""
    at = MIDNIGHT
    serial = 0
    while (at := at + chance.expovariate(1 / 90)) < MIDNIGHT + DAY:
        serial += 1
        lost = any(start - 30 <= at < end + 5 for start, end in outages)
        if chance.random() < 0.15 and not lost:
            raw = message(session, "5500000001001@c.us", "x", at - 0.3, 10**6 + serial)
        else:
            raw = presence(session, "5500000001002@c.us", chance.choice(("available", "unavailable")), at - 0.05)
        onward = normalise(raw, at, f"{session}-b{serial}")
        assert onward is not None
        yield Step(at + chance.uniform(0.02, 0.4), "webhook", session, {**onward, "timestamp": stamp(session, at)})
