"""A thread for calls that block: in their order, beside the event loop, whatever they raise and whoever leaves."""

import asyncio
import threading

import pytest

from statusproxy.store.worker_thread import WorkerThread


@pytest.fixture
def worker() -> WorkerThread:
    return WorkerThread("test-worker")


async def test_a_call_is_made_in_the_thread_and_its_value_given(worker: WorkerThread) -> None:
    thread = await worker.submit(threading.current_thread)
    assert (thread.name, thread.daemon) == ("test-worker", True)  # a daemon: a hanging disk keeps no process alive
    assert await worker.submit(threading.current_thread) is thread
    worker.stop()
    await asyncio.to_thread(thread.join)


async def test_what_a_call_raises_is_raised_and_the_next_one_made(worker: WorkerThread) -> None:
    with pytest.raises(ZeroDivisionError):
        await worker.submit(lambda: 1 / 0)
    with pytest.raises(SystemExit):
        await worker.submit(exit)
    assert await worker.submit(lambda: 7) == 7
    worker.stop()


async def test_calls_are_made_one_after_the_other_and_the_loop_goes_on(worker: WorkerThread) -> None:
    free, order = threading.Event(), list[int]()
    first = worker.submit(free.wait)
    others = [worker.submit(lambda number=number: order.append(number)) for number in range(3)]  # type: ignore[misc]
    assert worker.busy == 4
    await asyncio.sleep(0)
    assert not first.done()
    assert order == []
    free.set()
    await asyncio.gather(first, *others)
    assert order == [0, 1, 2]
    assert worker.busy == 0
    worker.stop()


async def test_a_caller_that_leaves_leaves_its_call_to_be_made(worker: WorkerThread) -> None:
    free, made = threading.Event(), list[int]()
    worker.submit(free.wait)
    leaving, failing = worker.submit(lambda: made.append(1)), worker.submit(lambda: 1 / 0)
    leaving.cancel()
    failing.cancel()
    free.set()
    await worker.submit(lambda: None)
    assert made == [1]
    assert worker.busy == 0
    worker.stop()


async def test_all_that_was_handed_in_is_made_before_the_end(worker: WorkerThread) -> None:
    thread = await worker.submit(threading.current_thread)
    last = worker.submit(lambda: 7)
    worker.stop()
    await asyncio.to_thread(thread.join)
    assert await last == 7


def test_a_call_outlives_its_loop_without_an_error(worker: WorkerThread) -> None:
    free, ended = threading.Event(), threading.Event()

    async def leave() -> threading.Thread:
        thread = await worker.submit(threading.current_thread)
        worker.submit(free.wait)
        worker.submit(ended.set)
        worker.stop()
        return thread

    thread = asyncio.run(leave())
    free.set()
    thread.join()
    assert ended.is_set()
