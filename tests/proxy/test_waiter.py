"""What a task waits for: it goes on in the call that brings it, with all that a task is."""

import asyncio
import contextvars

import pytest

from statusproxy.proxy.waiter import Waiter


class Waiting:
    """A task that waits, and what it did."""

    def __init__(self) -> None:
        self.waiter = Waiter()
        self.done: list[object] = []
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        try:
            await self.waiter
        except asyncio.CancelledError:
            self.done.append("cancelled")
            raise
        self.done.append(asyncio.current_task())

    async def begun(self) -> "Waiting":
        await asyncio.sleep(0)
        return self


def from_the_loop(call: object) -> "asyncio.Future[list[object]]":
    """Call from the event loop, inside of no task; the result is what had been done when the call returned."""
    told: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()

    def run() -> None:
        call()  # type: ignore[operator]
        told.set_result([])

    asyncio.get_running_loop().call_soon(run)
    return told


async def test_a_task_goes_on_before_the_call_that_wakes_it_returns() -> None:
    it = await Waiting().begun()
    seen = list[object]()

    def wake() -> None:
        it.waiter.wake()
        seen.extend(it.done)

    await from_the_loop(wake)
    assert seen == [it.task]
    assert it.task.done()


async def test_inside_of_another_task_it_goes_on_in_the_next_turn() -> None:
    it = await Waiting().begun()
    it.waiter.wake()
    assert it.done == []
    await asyncio.sleep(0)
    assert it.done == [it.task]


async def test_it_can_be_left_to_the_next_turn() -> None:
    it = await Waiting().begun()
    seen = list[object]()

    def wake() -> None:
        it.waiter.wake_soon()
        seen.extend(it.done)

    await from_the_loop(wake)
    assert seen == []
    await asyncio.sleep(0)
    assert it.done == [it.task]


@pytest.mark.parametrize("how", ["wake", "wake_soon"])
async def test_a_wait_ends_once(how: str) -> None:
    it = await Waiting().begun()
    for _ in range(2):
        getattr(it.waiter, how)()
        it.waiter.wake()
        it.waiter.wake_soon()
    await asyncio.sleep(0)
    assert it.done == [it.task]
    assert not it.waiter.cancel()


@pytest.mark.parametrize("how", ["wake", "wake_soon"])
async def test_who_begins_to_wait_after_the_end_does_not_wait(how: str) -> None:
    waiter = Waiter()
    getattr(waiter, how)()
    await waiter


async def test_a_task_that_waits_can_be_cancelled() -> None:
    it = await Waiting().begun()
    it.task.cancel()
    it.waiter.wake()
    assert it.done == []
    with pytest.raises(asyncio.CancelledError):
        await it.task
    assert it.done == ["cancelled"]


async def test_a_task_has_its_time_limit() -> None:
    waiter = Waiter()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waiter
    assert waiter.cancelled()


async def test_a_task_goes_on_in_its_own_context() -> None:
    variable = contextvars.ContextVar("variable", default="the loop's")
    waiter, seen = Waiter(), list[str]()

    async def run() -> None:
        variable.set("its own")
        await waiter
        seen.append(variable.get())

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await from_the_loop(waiter.wake)
    assert seen == ["its own"]
    await task


async def test_what_a_task_raises_stays_in_the_task() -> None:
    waiter = Waiter()

    async def run() -> None:
        await waiter
        raise RuntimeError("its own")

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    await from_the_loop(waiter.wake)
    with pytest.raises(RuntimeError, match="its own"):
        await task


async def test_a_task_without_a_context_of_its_own_goes_on_in_a_copy() -> None:
    waiter, seen = Waiter(), list[object]()
    waiter.add_done_callback(seen.append)
    await from_the_loop(waiter.wake)
    assert seen == [waiter]
