"""A gateway that holds answers back until the test lets them go."""

import asyncio

from tests.proxy.harness import Origin, Wire, answer


class Held:
    """Has `origin` hold back what it answers to targets that begin with `target`, and answer anything else at once."""

    def __init__(self, origin: Origin, target: bytes = b"/", body: bytes = b"ok") -> None:
        self.let_go = asyncio.Event()
        """Set by the test: all answers go from then on."""
        self._origin = origin
        self._target = target
        self._body = body
        origin.script = self.serve

    async def serve(self, wire: Wire) -> None:
        """Answer request after request."""
        while True:
            request = await self._origin.take(wire)
            if request.target.startswith(self._target):
                await self.let_go.wait()
            await wire.send(answer(self._body))
