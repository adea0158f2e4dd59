"""What changes of state, scrapes, look-ups and long lists cost beside large lists, without sockets."""

import asyncio
import gc
import json
import logging
import re
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.fleet import channels
from benchmarks.results import Finding, Goal, Median, Section, grouped
from statusproxy.config.load import load
from statusproxy.garbage_collection import settle
from statusproxy.observe.logs import JsonFormatter
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.channels import ChannelRule
from statusproxy.status.long_values import between_brackets, whole_members
from statusproxy.store.memory import memory_store
from tests.faults.scenes import crowded_list

_FALLS = 300
_TURNS = 5

#: Lists in which one channel, or one id, has very many of something: what, and how many.
_CROWDED = {"words": 90_000, "nested": 90_000, "members": 300_000, "repeated": 50_000}
_FELL = Goal("≤ 60 ms with a list of 1 000 kept", 60.0, at_least=False)
_WAITS = Goal("≤ 20 ms in one turn", 20.0, at_least=False)


def measure() -> list[tuple[Section, list[Finding]]]:
    """All of them; logging as a service does, into nothing, with Python's collector set as in a service."""
    handler = logging.NullHandler()
    handler.handle = lambda record: bool(JsonFormatter().format(record))  # type: ignore[method-assign]
    log = logging.getLogger("statusproxy")
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    thresholds = gc.get_threshold()
    settle()
    try:
        return [asyncio.run(_falls()), asyncio.run(_long_lists())]
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        log.removeHandler(handler)
        log.level, log.propagate = before


def _registry() -> tuple[SessionRegistry, ChannelRule]:
    settings = load(None, {}, {}, gateway="http://gateway.example")
    registry = SessionRegistry(settings.signal_rules(), settings.session_rules(), memory_store(), Metrics())
    return registry, settings.channels[0].rule()


def _list(count: int) -> bytes:
    return json.dumps(channels(count), separators=(",", ":")).encode()


def _lose(registry: SessionRegistry, session: str) -> None:
    event = {"event": "status-find", "session": session, "status": "desconnectedMobile"}
    registry.hear(json.dumps(event).encode(), "127.0.0.1")


async def _falls() -> tuple[Section, list[Finding]]:
    section = Section(
        f"{_FALLS} sessions falling at once",
        "Processor time for all of them, logged as JSON, beside a kept list; then for one scrape's look at all"
        " sessions, and for one look-up of what the gateway said.",
        ["list kept", "all falls", "scrape", "look-up"],
    )
    findings = []
    for count in (0, 1_000, 4_000, 10_000):
        falls, scrapes, lookups = [], [], []
        for _ in range(_TURNS):
            registry, rule = _registry()
            await registry.store.open()
            if count:
                registry.correct(_list(count), rule, registry.now(), None)
            begun = time.process_time()
            for number in range(_FALLS):
                _lose(registry, f"session-{number:05d}")
            falls.append((time.process_time() - begun) * 1e3)
            await asyncio.sleep(0)
            begun = time.process_time()
            for _ in range(100):
                await registry.losses()
            scrapes.append((time.process_time() - begun) * 1e4)
            begun = time.process_time()
            for number in range(_FALLS):
                registry.gateway_word(f"session-{number:05d}")
            lookups.append((time.process_time() - begun) * 1e6 / _FALLS)
            await registry.store.close()
        fell = Median.of(falls)
        section.rows.append(
            [grouped(count), fell.text("ms", 1), Median.of(scrapes).text("µs"), Median.of(lookups).text("µs", 1)]
        )
        if count == 1_000:
            finding = f"{_FALLS} sessions falling, 1 000 channels"
            findings.append(Finding(finding, fell.text("ms"), "", _FELL.text, _FELL.verdict(fell.value)))
    return section, findings


async def _longest_turn(work: Awaitable[Any]) -> float:
    """The most processor time, in ms, that someone else waited: from the begin of the work to its end, first and last
    turn included."""
    longest, before = 0.0, time.thread_time()

    def turn() -> None:
        nonlocal longest, before
        now = time.thread_time()
        longest, before = max(longest, now - before), now

    async def somebody_else() -> None:
        while True:
            turn()
            await asyncio.sleep(0)

    task = asyncio.create_task(somebody_else())
    await work
    turn()
    task.cancel()
    return longest * 1e3


async def _long_lists() -> tuple[Section, list[Finding]]:
    section = Section(
        "Long lists with many corrections",
        "Processor time for one correction that nothing is remembered of, and the longest that others wait for a turn."
        " The first poll of a process also observes and logs every session, and prepares what reads lists. The goal is"
        " judged by the longest turn of any poll. In a crowded list one channel has so many words, nested arrays or"
        " members, or one id stands so often.",
        ["channels", "corrected", "all of it", "longest turn", "in the first poll"],
    )
    findings = []
    for count, lost in ((1_000, 300), (10_000, 1), (10_000, 5_000), (10_000, 10_000)):
        corrected = await _corrected(_list(count), [f"session-{number:05d}" for number in range(lost)])
        section.rows.append([grouped(count), grouped(lost), *corrected.cells()])
        if lost == 5_000:
            findings.append(corrected.finding("10 000 channels, 5 000 corrected: others wait"))
    crowded = {what: await _corrected(crowded_list(what, count), [what]) for what, count in _CROWDED.items()}
    section.rows += [
        [f"crowded: {grouped(_CROWDED[what])} {what}", "1", *each.cells()] for what, each in crowded.items()
    ]
    worst = max(crowded, key=lambda what: crowded[what].longest)
    findings.append(crowded[worst].finding(f"a list of one crowded channel ({worst}): others wait"))
    return section, findings


@dataclass(frozen=True)
class _Corrected:
    """What corrections of one list took, and how long others waited in them, in ms."""

    took: list[float]
    waited: list[float]
    first: list[float]
    """How long others waited in the first poll of a process."""

    @property
    def longest(self) -> float:
        """The longest that anyone waits, in any poll."""
        return max(self.waited + self.first)

    def cells(self) -> list[str]:
        """The figures of a row."""
        return [Median.of(figures).text("ms", 1) for figures in (self.took, self.waited, self.first)]

    def finding(self, what: str) -> Finding:
        """The longest wait against its goal."""
        return Finding(what, f"{self.longest:.1f} ms at most", "", _WAITS.text, _WAITS.verdict(self.longest))


async def _corrected(body: bytes, lost: Sequence[str]) -> _Corrected:
    """Correct a list in several processes, as far as they differ here: twice in each, with a space more the second
    time, so that nothing is remembered of it."""
    corrected = _Corrected([], [], [])
    for _ in range(_TURNS):
        for pattern in (between_brackets, whole_members):
            pattern.cache_clear()
        re.purge()
        registry, rule = _registry()
        await registry.store.open()
        for number, session in enumerate(lost):
            _lose(registry, session)
            if number % 100 == 0:
                await asyncio.sleep(0)
        corrected.first.append(await _longest_turn(registry.correct_in_steps(body, rule, registry.now(), None)))
        begun = time.process_time()
        work = registry.correct_in_steps(body + b" ", rule, registry.now(), None)
        corrected.waited.append(await _longest_turn(work))
        corrected.took.append((time.process_time() - begun) * 1e3)
        await registry.store.close()
    return corrected
