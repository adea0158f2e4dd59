"""A thread for a store's blocking calls, made one after the other without holding up the event loop."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["WorkerThread"]

_T = TypeVar("_T")


class WorkerThread:
    """Runs calls in the order in which they were handed in.

    A daemon, other than the threads of an executor: a disk that never answers cannot keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self.busy = 0
        """Calls that were handed in and have not returned; for the event loop."""
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, call: Callable[[], _T]) -> "asyncio.Future[_T]":
        """Queue a call; its result or error comes in the future. Cancelling the future does not cancel the call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._work, args=(self._loop,), name=self._name, daemon=True).start()
        done: asyncio.Future[_T] = self._loop.create_future()
        self.busy += 1
        self._calls.put((call, done))
        return done

    def stop(self) -> None:
        """End the thread once all calls that were handed in have been made."""
        self._calls.put(None)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while (job := self._calls.get()) is not None:
            call, done = job
            try:
                value, error = call(), None
            except BaseException as raised:  # noqa: BLE001 - it belongs to the one who waits
                value, error = None, raised
            with suppress(RuntimeError):  # the loop is gone, and with it all who wait
                loop.call_soon_threadsafe(self._settle, done, value, error)
            job = call = done = value = error = None  # type: ignore[assignment]  # nothing is kept while it waits

    def _settle(self, done: "asyncio.Future[Any]", value: object, error: BaseException | None) -> None:
        self.busy -= 1
        if done.done():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)
