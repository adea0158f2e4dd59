"""What single steps cost, without sockets: correcting lists, reading webhooks, and both as the map grows."""

import gc
import json
import time
from collections.abc import Callable, Mapping
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

#: Seconds for each figure, all its turns together.
_TIME = 0.6
_TURNS = 5


def _cost(step: Callable[[], object], seconds: float = _TIME) -> Median:
    """Microseconds of one call, in several turns; ratios compare the medians."""
    step()
    begun = time.perf_counter()
    step()
    calls = max(1, int(seconds / _TURNS / max(time.perf_counter() - begun, 1e-7)))
    turns = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(_TURNS):
            begun = time.perf_counter()
            for _ in range(calls):
                step()
            turns.append((time.perf_counter() - begun) / calls * 1e6)
    finally:
        gc.enable()
    return Median.of(turns)


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


def _sessions(known: int) -> SessionMap:
    """A map of so many sessions of which one is disconnected."""
    settings = _settings()
    sessions = SessionMap(settings.session_rules())
    now = time.time()
    sessions.load(
        [Record(f"session-{n:05d}", SignalKind.CONNECTED, now - 60, event="status-find") for n in range(known)]
    )
    event = json.dumps({"event": "status-find", "session": SESSION, "status": "desconnectedMobile"}).encode()
    sessions.hear(signals.read(event, settings.signal_rules(), now), now)
    return sessions


def _settings() -> Any:
    environment: Mapping[str, str] = {}
    return load(None, {}, environment, gateway="http://gateway.example")


def measure() -> list[tuple[Section, list[Finding]]]:
    """All of them."""
    return [_lists(), _webhooks(), _growth()]


def _lists() -> tuple[Section, list[Finding]]:
    rule = _settings().channels[0].rule()
    sessions = _sessions(10)
    section = Section(
        "Correcting a list, in the process",
        "One channel of so many is corrected; nothing is remembered from one call to the next. *Bare* is msgspec"
        " decoding and encoding the same levels (the document, the list, each channel's members), *whole* all levels.",
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
        mine, bare, whole = _cost(ours), _cost(_bare(body)), _cost(_whole(body))
        plain = _cost(lambda body=body: json.dumps(json.loads(body)))  # type: ignore[misc]
        ratio = mine.value / bare.value
        section.rows.append([
            f"{size:,}", f"{len(body):,}", mine.text("µs", 1), bare.text("µs", 1), whole.text("µs", 1),
            plain.text("µs", 1), f"{ratio:.2f} ×",
        ])  # fmt: skip
        if size in _BARE:
            what, goal = f"correcting {grouped(size)} channels, without HTTP", _BARE[size]
            against = f"{ratio:.2f} × bare msgspec"
            findings.append(Finding(what, mine.text("µs", 1), against, goal.text, goal.verdict(ratio)))
    return section, findings


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
        "A list of 10 channels corrected, and a webhook read and taken into the map, as the map grows.",
        ["sessions", "correct", "webhook"],
    )
    costs: dict[int, tuple[Median, Median]] = {}
    for known in (10, 100, 1_000, 10_000):
        sessions = _sessions(known)
        now = time.time()

        def hear(sessions: SessionMap = sessions, now: float = now) -> object:
            return sessions.hear(signals.read(presence, rules, now), now)

        def fix(sessions: SessionMap = sessions, now: float = now) -> object:
            return correct(body, rule, sessions, now, now)

        costs[known] = _cost(fix), _cost(hear)
        section.rows.append([f"{known:,}", costs[known][0].text("µs", 1), costs[known][1].text("µs", 1)])
    worst = max(costs[10_000][index].value / costs[10][index].value for index in (0, 1))
    finding = Finding(
        "growth from 10 to 10 000 sessions", f"{worst:.2f} × at most", "", _FLAT.text, _FLAT.verdict(worst)
    )
    return section, [finding]
