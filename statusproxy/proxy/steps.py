"""Long work in short steps: finished at once where it is quick, moved to a worker thread where it is not.

Undoing or applying a content coding is quick for the usual body and takes a second for the largest. The event loop
serves everybody, so it may not wait for that second. Work that can be large is therefore written as a generator that
yields after every step of about a millisecond. Most of a step is spent inside zlib, brotli, zstd or a hash, which
release the interpreter's lock: the loop goes on meanwhile.
"""

import asyncio
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work that yields after each short step and returns its result."""

#: Seconds that work may take on the event loop before it moves to a thread. The usual body needs a tenth of that, and
#: a move costs about 0.1 ms.
ON_LOOP: Final = 0.002

#: Seconds that one piece of work keeps a thread while others wait for it: those waiting take turns.
TURN: Final = 0.02

#: Brotli and zstd streams that are decoded at the same time. Each may keep a window of 16 MiB.
_WIDE: Final = 4


class StepRunner:
    """Does long work step by step. One for the whole proxy; used from one event loop."""

    __slots__ = ("_thread", "_wide")

    def __init__(self) -> None:
        # One thread: long work never takes more than one processor from the gateway beside us.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="statusproxy-work")
        self._wide = asyncio.Semaphore(_WIDE)

    async def run(self, steps: Steps[T], *, wide: bool = False) -> T:
        """Do the work and return its result; raises what it raises.

        It does not give way to the loop if the work is done within `ON_LOOP` seconds. A cancelled call ends the work
        after its present turn. `wide` work holds a large window in memory, so little of it is under way at a time.
        """
        if wide:
            async with self._wide:
                return await self.run(steps)
        done, result = _advance(steps, ON_LOOP)
        while not done:
            turn = _Turn(steps)
            try:
                running = asyncio.get_running_loop().run_in_executor(self._thread, turn)
            except RuntimeError:  # no thread can be started: on the loop it is slower, but it gets done
                turn.void = True
                await asyncio.sleep(0)
                done, result = _advance(steps, ON_LOOP)
            else:
                try:
                    done, result = await running
                finally:
                    # The future holds its error, whose traceback holds this frame: without this they stay for long.
                    del running
        assert not isinstance(result, _Pending)
        return result


class _Pending:
    """The type of a result that is not there yet."""

    __slots__ = ()


_PENDING: Final = _Pending()


def _advance(steps: Steps[T], seconds: float) -> tuple[bool, T | _Pending]:
    """Do steps for about `seconds`: whether the work is done, and its result if it is."""
    until = time.perf_counter() + seconds
    try:
        while True:
            next(steps)
            if time.perf_counter() >= until:
                return False, _PENDING
    except StopIteration as stop:
        return True, stop.value


class _Turn(Generic[T]):
    """One turn in the thread. `void` is set where it could not begin and still stands in the thread's queue."""

    __slots__ = ("_steps", "void")

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self.void = False

    def __call__(self) -> tuple[bool, T | _Pending]:
        return (False, _PENDING) if self.void else _advance(self._steps, TURN)
