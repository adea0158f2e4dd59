"""A gateway that holds answers back until the test lets them go."""

import asyncio
from collections.abc import Callable

from tests.proxy.harness import Message, Origin, Wire, answer, until


class Held:
    """Has `origin` hold back some of its answers, and answer anything else at once.

    Held are those to requests whose target, or whose first line, begins with `begins`. `one_by_one`: each of them
    waits for its own turn.
    """

    def __init__(self, origin: Origin, begins: bytes = b"/", body: bytes = b"ok", *, one_by_one: bool = False) -> None:
        self.let_go = asyncio.Event()
        """Set by the test: all answers go from then on."""
        self.turns: list[asyncio.Event] = []
        """What each request that was held waits for, in their order: `let_go` or its own turn."""
        self.answer = answer(body)
        """What is answered to those that come from now on; one that waits already keeps its answer."""
        self.others: Callable[[Message], bytes] = lambda _: answer(body)
        """What is answered to anything else."""
        self._origin = origin
        self._begins = begins
        self._one_by_one = one_by_one
        origin.script = self.serve

    @property
    def asked(self) -> int:
        """How many requests came whose answers are held back."""
        return len(self.turns)

    async def came(self, count: int = 1) -> None:
        """Wait until so many of them came."""
        await until(lambda: self.asked >= count)

    async def serve(self, wire: Wire) -> None:
        """Answer request after request."""
        while True:
            request = await self._origin.take(wire)
            if request.target.startswith(self._begins) or request.start.startswith(self._begins):
                said, turn = self.answer, asyncio.Event() if self._one_by_one else self.let_go
                self.turns.append(turn)
                await turn.wait()
                await wire.send(said)
            else:
                await wire.send(self.others(request))
