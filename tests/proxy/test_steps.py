"""Long work: done at once where it is short, in a thread where it is long, and the loop never waits for it."""

import asyncio
import gc
import threading
import weakref
from types import SimpleNamespace

import pytest

from statusproxy.proxy import steps as steps_module
from statusproxy.proxy.steps import ON_LOOP, TURN, StepRunner, Steps
from statusproxy.status.steps import at_once
from tests.proxy.harness import until


class Passed(threading.local):
    """The seconds that each thread has worked, which is what `work_for` says: no other work takes any."""

    seconds = 0.0


PASSED = Passed()


def work_for(seconds: float) -> None:
    """Work that takes so long."""
    PASSED.seconds += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps_module, "time", SimpleNamespace(perf_counter=lambda: PASSED.seconds))


def working(steps: int, seen: list[int] | None = None, seconds: float = 0.0) -> Steps[str]:
    """Work of so many steps that notes the thread of each."""
    for _ in range(steps):
        if seen is not None:
            seen.append(threading.get_ident())
        work_for(seconds)
        yield
    return "done"


def failing(seconds: float) -> Steps[str]:
    """Work that fails in its second step."""
    work_for(seconds)
    yield
    raise ValueError("of the work itself")


def test_work_is_done_at_once() -> None:
    assert at_once(working(5)) == "done"


async def test_short_work_never_leaves_the_loop_nor_gives_way_to_it() -> None:
    seen: list[int] = []
    others: list[str] = []
    asyncio.get_running_loop().call_soon(others.append, "ran")
    assert await StepRunner().run(working(3, seen)) == "done"
    assert set(seen) == {threading.get_ident()}
    assert others == []


async def test_long_work_goes_on_in_a_thread() -> None:
    seen: list[int] = []
    assert await StepRunner().run(working(4, seen, ON_LOOP)) == "done"
    assert seen[0] == threading.get_ident()
    assert threading.get_ident() not in seen[1:]
    assert len(set(seen[1:])) == 1


@pytest.mark.parametrize("seconds", [0.0, ON_LOOP], ids=["on the loop", "in the thread"])
async def test_an_error_of_the_work_is_raised_to_who_wanted_it(seconds: float) -> None:
    with pytest.raises(ValueError, match="of the work itself"):
        await StepRunner().run(failing(seconds))


async def test_works_take_turns() -> None:
    """The second, which is shorter, does not wait for the end of the first."""
    runner, ended = StepRunner(), []

    async def run(name: str, steps: int) -> None:
        await runner.run(working(steps, None, TURN))
        ended.append(name)

    await asyncio.gather(run("long", 8), run("short", 3))
    assert ended == ["short", "long"]


async def test_a_cancelled_work_ends_with_its_turn() -> None:
    seen: list[int] = []
    runner, go_on = StepRunner(), threading.Event()

    def work() -> Steps[str]:
        work_for(ON_LOOP)
        yield
        seen.append(0)
        go_on.wait()
        yield
        return (yield from working(1000, seen, TURN))

    task = asyncio.create_task(runner.run(work()))
    await until(lambda: bool(seen))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await runner.run(working(2, None, ON_LOOP))  # stands behind the turn under way
    assert len(seen) <= 2


async def test_without_a_thread_the_work_is_done_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    runner, seen = StepRunner(), list[int]()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert await runner.run(working(4, seen, ON_LOOP)) == "done"
    assert set(seen) == {threading.get_ident()}
    assert await runner.run(working(3, None, ON_LOOP)) == "done"  # what stood in the queue does no harm


async def test_a_turn_that_found_no_thread_is_not_taken_once_there_is_one() -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    runner, seen = StepRunner(), list[int]()
    patch = pytest.MonkeyPatch()
    patch.setattr(threading.Thread, "start", refuse)

    loop, steps_done = asyncio.get_running_loop(), list[int]()

    def note() -> None:
        steps_done.append(len(seen))

    def thread_again() -> None:
        note()
        loop.call_soon(loop.call_soon, note)
        patch.undo()
        runner._thread.submit(int).result()  # stands behind the turn

    def work() -> Steps[str]:
        for _ in range(2):
            seen.append(threading.get_ident())
            work_for(ON_LOOP)
            yield
        return "done"

    loop.call_soon(thread_again)
    try:
        assert await runner.run(work()) == "done"
    finally:
        patch.undo()
    assert seen == [threading.get_ident()] * 2
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert steps_done == [1, 2]  # others had one turn of the loop between the two, and no more


async def test_one_thread_does_all_long_work_and_says_what_it_is() -> None:
    runner, in_thread, names = StepRunner(), threading.Lock(), set[str]()

    def work() -> Steps[None]:
        work_for(ON_LOOP)
        yield
        for _ in range(3):
            assert in_thread.acquire(blocking=False), "two at a time"
            names.add(threading.current_thread().name)
            work_for(ON_LOOP)
            in_thread.release()
            yield

    await asyncio.gather(*[runner.run(work()) for _ in range(3)])
    assert names == {"statusproxy-work_0"}


async def test_an_error_in_the_thread_leaves_the_memory_once_it_was_raised() -> None:
    class OwnError(Exception):
        pass

    def work() -> Steps[None]:
        work_for(ON_LOOP)
        yield
        raise OwnError

    runner = StepRunner()
    raised: weakref.ref[OwnError] | None = None
    gc.disable()  # a collection would hide objects that keep each other
    try:
        try:
            await runner.run(work())
        except OwnError as error:
            raised = weakref.ref(error)
        runner._thread.submit(int).result()  # the thread has let go of it,
        await asyncio.sleep(0)  # and so has the loop
        assert raised is not None
        assert raised() is None
    finally:
        gc.enable()


def test_no_turn_is_longer_than_what_may_hold_the_loop() -> None:
    assert ON_LOOP < TURN <= 0.02


async def test_little_wide_work_is_under_way_at_a_time_and_other_work_does_not_wait_for_it() -> None:
    runner, begun, ended = StepRunner(), set[int](), list[int]()

    def wide(number: int) -> Steps[None]:
        begun.add(number)
        assert len(begun) - len(ended) <= 4
        yield from working(2, None, ON_LOOP)
        ended.append(number)

    free = threading.Event()
    runner._thread.submit(free.wait)  # until then none of them ends
    try:
        all_wide = asyncio.gather(*[runner.run(wide(number), wide=True) for number in range(12)])
        await asyncio.sleep(0)
        assert begun == {0, 1, 2, 3}
        others: list[str] = []
        asyncio.get_running_loop().call_soon(others.append, "ran")
        assert await runner.run(working(2)) == "done"
        assert others == []
    finally:
        free.set()
    await all_wide
    assert len(ended) == 12
