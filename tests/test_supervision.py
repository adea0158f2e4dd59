"""What systemd is told: one line of what is served and what is wrong, and signs of life while the store answers."""

import asyncio

import pytest

from statusproxy.spool.order import Totals
from statusproxy.supervision import Watchdog, kept_events, status_line


def test_the_status_names_what_is_served_and_each_error() -> None:
    assert status_line("http://gw", [":80", "unix:/x"], {}) == "STATUS=Serving http://gw on :80, unix:/x"
    errors = {"the store accepts no writes": "disk full", "the gateway cannot be reached": None, "waits": ""}
    assert status_line("http://gw", [":80"], errors) == (
        "STATUS=Serving http://gw on :80; the store accepts no writes: disk full"
    )


def test_the_status_counts_the_events_that_are_kept() -> None:
    assert kept_events(Totals(entries=6, size=900, waiting=3, unknown=2, dead=1)) == "3 wait, 2 unknown, 1 dead"
    assert kept_events(Totals(0, 0, 0, 0, 0)) is None
    assert kept_events(None) is None


class Store:
    def __init__(self) -> None:
        self.error: str | None = None


class Registry:
    """A registry whose store gives the answers listed, then none any more."""

    def __init__(self, *answers: str | bool | None) -> None:
        self.store = Store()
        self._answers = list(answers)
        self.hangs = asyncio.Event()

    async def works(self) -> bool:
        if not self._answers:
            self.hangs.set()
            await asyncio.Event().wait()
        answer = self._answers.pop(0)
        self.store.error = answer if isinstance(answer, str) else None
        return answer is True


async def fed(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[str, ...]], Watchdog]:
    """What systemd is told until the store gives no answer."""
    told: list[tuple[str, ...]] = []

    def notify(*states: str) -> bool:
        told.append(states)
        return True

    monkeypatch.setattr("statusproxy.systemd.notify", notify)
    watchdog = Watchdog(registry, lambda: f"STATUS={watchdog.error}")
    feeding = asyncio.create_task(watchdog.feed(0))
    await registry.hangs.wait()
    feeding.cancel()
    return told, watchdog


async def test_a_store_that_refuses_writes_is_alive_and_the_status_tells_why_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told, watchdog = await fed(Registry(True, "disk full", "disk full", True), monkeypatch)
    assert told == [
        ("WATCHDOG=1",),
        ("WATCHDOG=1", "STATUS=disk full"),
        ("WATCHDOG=1",),
        ("WATCHDOG=1", "STATUS=None"),
    ]
    assert watchdog.error is None


async def test_a_status_that_changed_for_another_reason_is_told_with_each_sign_of_life_until_systemd_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, ...]] = []
    taken = iter([False, True, True])

    def notify(*states: str) -> bool:
        told.append(states)
        return next(taken)

    monkeypatch.setattr("statusproxy.systemd.notify", notify)
    registry, lines = Registry(True, True, True), iter(["one", "two", "two", "two"])
    feeding = asyncio.create_task(Watchdog(registry, lambda: next(lines)).feed(0))
    await registry.hangs.wait()
    feeding.cancel()
    assert told == [("WATCHDOG=1", "two"), ("WATCHDOG=1", "two"), ("WATCHDOG=1",)]


async def test_a_store_that_gives_no_reason_is_not_taken_for_one_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    _, watchdog = await fed(Registry(False), monkeypatch)
    assert watchdog.error == "no reason given"


async def test_a_store_that_gives_no_answer_shows_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    told, _ = await fed(Registry(), monkeypatch)
    assert told == []
