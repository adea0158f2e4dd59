"""Long work on the event loop in short steps: one step in a turn of the loop, however much such work is under way."""

import asyncio


class Pacer:
    """Whoever looks at thousands of sessions shares one: scrapes, pages, commands. Traffic does not wait for it."""

    __slots__ = ("_step",)

    def __init__(self) -> None:
        self._step = asyncio.Lock()  # its waiters are woken in the order in which they came

    async def step(self) -> None:
        """To be awaited before each step of about a millisecond: others have their turn.

        Of all who wait here one goes on in a turn of the event loop, first come, first served.
        """
        async with self._step:
            await asyncio.sleep(0)
