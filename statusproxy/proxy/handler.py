"""The handler of all clients' requests: an exchange for each."""

from collections.abc import Coroutine
from typing import Any

from statusproxy.proxy.actions.table import ACTIONS
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.shared import Shared
from statusproxy.proxy.upstream.errors import UpstreamError


class Proxy(Shared):
    """The handler of all clients' requests, with what their exchanges share."""

    def handle(self, request: ClientRequest) -> Coroutine[Any, Any, bool]:
        """Serve one request, and tell whether its connection may go on; never raises except for cancellation."""
        return Exchange(self, request, ACTIONS).run()

    async def gateway_error(self) -> str | None:
        """Why no new connection to the gateway can be had, or None. The one that is tried takes a place meanwhile."""
        try:
            connection = await self.site.pool.acquire(fresh=True)
        except UpstreamError as error:
            return str(error)
        connection.abort()
        return None
