"""A gateway that holds back some of its answers until a test lets them go."""

import asyncio

from tests.proxy.harness import Origin, Wire, answer


class HeldGateway:
    """Answers `/held…` when it is let go, anything else at once."""

    def __init__(self, origin: Origin) -> None:
        self.let_go = asyncio.Event()
        self._origin = origin
        origin.script = self.serve

    async def serve(self, wire: Wire) -> None:
        """Answer request after request."""
        while True:
            request = await self._origin.take(wire)
            if request.target.startswith(b"/held"):
                await self.let_go.wait()
            await wire.send(answer(b"ok"))
