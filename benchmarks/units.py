"""What single steps cost, without sockets: correcting lists, reading webhooks, and both as the map grows."""

import gc
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from benchmarks.fleet import SESSION, channels
from benchmarks.rates import media_event, presence_event
from benchmarks.results import Finding, Goal, Median, Section, grouped
from statusproxy.config.load import load
from statusproxy.status import signals
from statusproxy.status.channels import correct
from statusproxy.status.model import Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind

#: By the number of channels.
_BARE = {
    10: Goal("≤ 2.5 × bare msgspec", 2.5, at_least=False),
    10_000: Goal("≤ 1.5 × bare msgspec", 1.5, at_least=False),
}
_FLAT = Goal("≤ 1.25 × from 10 to 10 000 sessions", 1.25, at_least=False)

#: Lost sessions that a list contains.
_LOST = (1, 8, 9, 300)

#: Seconds for each figure, all its turns together.
_TIME = 0.6
_TURNS = 5


def _cost(step: Callable[[], object]) -> Median:
    """Microseconds of one call, in several turns."""
    return Median.of(_in_turn(step)[0])


def _in_turn(*steps: Callable[[], object]) -> list[list[float]]:
    """Microseconds of one call of each step, in several turns; in each turn every step has its time.

    A machine that is slow for a while is so for all of them: ratios are those within a turn.
    """
    calls = [_calls(step) for step in steps]
    took: list[list[float]] = [[] for _ in steps]
    gc.collect()
    gc.disable()
    try:
        for _ in range(_TURNS):
            for step, count, turns in zip(steps, calls, took, strict=True):
                begun = time.process_time()
                for _ in range(count):
                    step()
                turns.append((time.process_time() - begun) / count * 1e6)
    finally:
        gc.enable()
    return took


def _calls(step: Callable[[], object]) -> int:
    """How many calls of a step take its time in one turn."""
    step()
    begun = time.process_time()
    step()
    return max(1, int(_TIME / _TURNS / max(time.process_time() - begun, 1e-7)))


class _Members(msgspec.Struct):
    success: Any
    channels: list[dict[str, msgspec.Raw]]
    total: Any


def _bare(body: bytes) -> Callable[[], object]:
    """Decoding and encoding what a correction looks at: the document, the list, and each channel's members."""
    decode, encode = msgspec.json.Decoder(_Members).decode, msgspec.json.Encoder().encode
    return lambda: encode(decode(body))


def _whole(body: bytes) -> Callable[[], object]:
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    return lambda: encode(decode(body))


def _sessions(known: int, *others: str) -> SessionMap:
    """A map of so many sessions of which one is disconnected, and these others."""
    settings = _settings()
    sessions = SessionMap(settings.session_rules())
    now = time.time()
    sessions.load(
        [Record(f"session-{n:05d}", SignalKind.CONNECTED, now - 60, event="status-find") for n in range(known)]
    )
    for lost in (SESSION, *others):
        event = json.dumps({"event": "status-find", "session": lost, "status": "desconnectedMobile"}).encode()
        sessions.hear(signals.read(event, settings.signal_rules(), now), now)
    return sessions


def _settings() -> Any:
    environment: Mapping[str, str] = {}
    return load(None, {}, environment, gateway="http://gateway.example")


def measure() -> list[tuple[Section, list[Finding]]]:
    """All of them."""
    return [_lists(), _overrides(), _webhooks(), _growth()]


def _lists() -> tuple[Section, list[Finding]]:
    rule = _settings().channels[0].rule()
    sessions = _sessions(10)
    section = Section(
        "Correcting a list, in the process",
        "One channel of so many is corrected; nothing is remembered from one call to the next. *Bare* is msgspec"
        " decoding and encoding the same levels (the document, the list, each channel's members), *whole* all levels."
        " Processor time; each turn has all of them, and the ratio is the median of the turns' ratios.",
        ["channels", "bytes", "correct", "bare msgspec", "whole msgspec", "json", "against bare"],
    )
    findings: list[Finding] = []
    for size in (10, 1_000, 10_000):
        body = json.dumps(channels(size), separators=(",", ":")).encode()
        now = time.time()

        def ours(body: bytes = body, now: float = now) -> object:
            return correct(body, rule, sessions, now, now)

        corrected = correct(body, rule, sessions, now, now)
        assert corrected.corrected == (SESSION,)

        def plain(body: bytes = body) -> object:
            return json.dumps(json.loads(body))

        took = _in_turn(ours, _bare(body), _whole(body), plain)
        ratio = Median.of_ratios(took[0], took[1]).value
        mine, *others = map(Median.of, took)
        section.rows.append([
            grouped(size), grouped(len(body)), mine.text("µs", 1), *(each.text("µs", 1) for each in others),
            f"{ratio:.2f} ×",
        ])  # fmt: skip
        if size in _BARE:
            what, goal = f"correcting {grouped(size)} channels, without HTTP", _BARE[size]
            against = f"{ratio:.2f} × bare msgspec"
            findings.append(Finding(what, mine.text("µs", 1), against, goal.text, goal.verdict(ratio)))
    return section, findings


def _overrides() -> tuple[Section, list[Finding]]:
    rule = _settings().channels[0].rule()
    section = Section(
        "Correcting a list with several lost sessions, in the process",
        "Nothing is remembered from one call to the next. From the ninth on, all ids of the list are read.",
        ["channels", *(f"{grouped(lost)} lost" for lost in _LOST)],
    )
    now = time.time()
    for size in (10, 1_000, 10_000):
        listed = channels(size)
        body = json.dumps(listed, separators=(",", ":")).encode()
        ids = [channel["id"] for channel in listed["channels"] if channel["id"] != SESSION]
        row = [grouped(size)]
        for lost in _LOST:
            sessions = _sessions(0, *ids[: lost - 1])
            row.append(_cost(partial(correct, body, rule, sessions, now, now)).text("µs") if lost <= size else "")
        section.rows.append(row)
    return section, []


def _webhooks() -> tuple[Section, list[Finding]]:
    rules = _settings().signal_rules()
    lost = json.dumps({"event": "status-find", "session": "sales", "status": "desconnectedMobile"}).encode()
    bodies = {
        "a contact's presence, 1 kB (nothing)": presence_event(1_000).encode(),
        "a message with a picture, 1 MB (alive)": media_event(1_000_000).encode(),
        "a phone was unlinked (disconnected)": lost,
    }
    section = Section("Reading a webhook, in the process", "Bytes to signal.", ["webhook", "cost"])
    now = time.time()
    for name, body in bodies.items():
        section.rows.append([name, _cost(lambda body=body: signals.read(body, rules, now)).text("µs", 1)])  # type: ignore[misc]
    return section, []


def _growth() -> tuple[Section, list[Finding]]:
    settings = _settings()
    rule, rules = settings.channels[0].rule(), settings.signal_rules()
    body = json.dumps(channels(10), separators=(",", ":")).encode()
    presence = presence_event(1_000).encode()
    section = Section(
        "Growth with the sessions in the map",
        "A list of 10 channels corrected, and a webhook read and taken into the map, as the map grows. A ratio is the"
        " median of the turns' ratios to 10 sessions.",
        ["sessions", "correct", "× 10 sessions", "webhook", "× 10 sessions"],
    )
    maps = {known: _sessions(known) for known in (10, 100, 1_000, 10_000)}
    now = time.time()

    def fixes(sessions: SessionMap) -> Callable[[], object]:
        return lambda: correct(body, rule, sessions, now, now)

    def hears(sessions: SessionMap) -> Callable[[], object]:
        return lambda: sessions.hear(signals.read(presence, rules, now), now)

    fixed, heard = (_in_turn(*map(step, maps.values())) for step in (fixes, hears))
    for known, *took in zip(maps, fixed, heard, strict=True):
        row = [grouped(known)]
        for turns, fewest in zip(took, (fixed[0], heard[0]), strict=True):
            row += [Median.of(turns).text("µs", 1), Median.of_ratios(turns, fewest).text("", 2)]
        section.rows.append(row)
    worst = max(Median.of_ratios(took[-1], took[0]).value for took in (fixed, heard))
    finding = Finding(
        "growth from 10 to 10 000 sessions", f"{worst:.2f} × at most", "", _FLAT.text, _FLAT.verdict(worst)
    )
    return section, [finding]
