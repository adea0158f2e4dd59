"""Waiting for a state of which no event tells: one of another process, of another thread, or of the kernel.

Every other wait is for an event. A wait that is over after some seconds proves nothing, so each of these fails then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic, sleep  # as they are here: a test may replace those of the module
from typing import Final, TypeVar

T = TypeVar("T")

#: Seconds after which what is waited for has failed to come. Generous: the machines that run tests are shared.
PATIENCE: Final = 60.0

#: Seconds between two looks. Each look at another process costs it some of the processor that it may need.
_OFTEN: Final = 0.001
_SELDOM: Final = 0.02

#: The same for a look that itself takes many milliseconds of processor time, as one at a browser's page.
RARELY: Final = 0.1


async def until(condition: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Let everyone else work until `condition` holds; it may ask others, and await their answer."""
    end = monotonic() + PATIENCE
    while True:
        held, pause = condition(), _OFTEN
        if isinstance(held, Awaitable):
            held, pause = await held, _SELDOM
        if held:
            return
        assert monotonic() < end, f"it does not hold within {PATIENCE:.0f} s"
        await asyncio.sleep(pause)


def wait_until(condition: Callable[[], T], what: str = "it", pause: float = _SELDOM) -> T:
    """As `until`, where there is no event loop: the first true value that `condition` gives. A look each `pause`."""
    end = monotonic() + PATIENCE
    while not (found := condition()):
        assert monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
        sleep(pause)
    return found
