"""Long work beside the traffic: on the event loop in short steps, or in a thread from which the loop gets its turns.

Of the steps, one is done in a few turns of the loop, however much of such work is under way.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Final, TypeVar

#: Turns of the event loop that others have for each step. A request needs several to be served; so it meets a step in
#: one of three only. A turn with nothing to do takes some 10 µs.
TURNS: Final = 3

#: Seconds for which a thread that computes may keep the loop waiting, as `sys.setswitchinterval` takes them: while
#: there is such a thread, and otherwise. The loop waits after each of its system calls, of which a request needs six.
_BESIDE: Final = 0.0005
_USUALLY: Final = sys.getswitchinterval()

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of some work of more than a few milliseconds, done in a thread."""
    sys.setswitchinterval(_BESIDE)
    try:
        return await asyncio.to_thread(work)
    finally:
        sys.setswitchinterval(_USUALLY)


async def apart(work: Callable[[], T], *, many: bool) -> T:
    """The result of some work: done in a thread where there is much to do, else at once."""
    return await in_thread(work) if many else work()


class Pacer:
    """Whoever looks at thousands of sessions shares one: scrapes, pages, commands. Traffic does not wait for it."""

    __slots__ = ("_step",)

    def __init__(self) -> None:
        self._step = asyncio.Lock()  # its waiters are woken in the order in which they came

    async def step(self) -> None:
        """To be awaited between two steps of about a millisecond, and before the first one where many may begin.

        Of all who wait here one goes on in `TURNS` turns of the event loop, first come, first served.
        """
        async with self._step:
            for _ in range(TURNS):
                await asyncio.sleep(0)
