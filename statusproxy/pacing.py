"""Long work on the event loop in short steps: one step in a few turns of the loop, however much of it is under way."""

import asyncio
from typing import Final

#: Turns of the event loop that others have for each step. A request needs several to be served; so it meets a step in
#: one of three only. A turn with nothing to do takes some 10 µs.
TURNS: Final = 3


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
