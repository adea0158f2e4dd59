"""Reloads that a signal asks for."""

import asyncio

import pytest

from statusproxy.reloads import Reloads


class Held:
    """A reload that goes on when it is let: how many have begun and ended."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go_on = asyncio.Semaphore(0)

    async def __call__(self) -> None:
        self.begun += 1
        await self.go_on.acquire()
        self.ended += 1


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_one_that_is_asked_for_runs() -> None:
    held = Held()
    reloads = Reloads(held)
    reloads.ask()
    held.go_on.release()
    await turns()
    assert held.ended == 1


async def test_all_that_are_asked_for_meanwhile_get_one_more_after_it() -> None:
    held = Held()
    reloads = Reloads(held)
    reloads.ask()
    await turns()
    for _ in range(3):
        reloads.ask()
    await turns()
    assert (held.begun, held.ended) == (1, 0)
    for _ in range(3):
        held.go_on.release()
        await turns()
    assert (held.begun, held.ended) == (2, 2)


async def test_one_asked_for_after_the_end_of_another_runs() -> None:
    held = Held()
    reloads = Reloads(held)
    for _ in range(2):
        reloads.ask()
        held.go_on.release()
        await turns()
    assert held.ended == 2


async def test_closing_ends_the_one_that_runs() -> None:
    held = Held()
    reloads = Reloads(held)
    reloads.ask()
    await turns()
    reloads.close()
    held.go_on.release()
    await turns()
    assert (held.begun, held.ended) == (1, 0)


async def test_closing_where_none_runs_changes_nothing() -> None:
    Reloads(Held()).close()


async def test_one_that_fails_unexpectedly_is_logged_and_the_one_asked_for_meanwhile_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun = 0

    async def fail() -> None:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        raise RuntimeError("defect")

    reloads = Reloads(fail)
    reloads.ask()
    await turns(1)
    reloads.ask()
    await turns()
    assert begun == 2
    assert caplog.messages == ["the configuration could not be reloaded"] * 2
