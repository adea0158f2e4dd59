"""Tunnels: after a switch of protocols, bytes go both ways untouched until both sides are done (RFC 9110 §7.8)."""

import asyncio

from statusproxy.proxy.close_once import close_once
from statusproxy.proxy.downstream.connection import ClientConnection
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.reset import reset
from statusproxy.proxy.upstream.connection import UpstreamConnection


async def serve(exchange: Exchange, head: ResponseHead) -> None:
    """Give the client the gateway's 101, and carry the tunnel until it ends."""
    client, gateway, body = exchange.request.connection, exchange.call.connection, exchange.body
    assert gateway is not None
    await exchange.response.switch(head)
    client.gone = None  # the tunnel looks after both its sides
    tunnel = Tunnel(client, gateway, exchange.site.timeouts.upgrade_idle)
    await tunnel.run(body.carried if body is not None else None)
    exchange.response.tunnel_ended(tunnel.bytes_down, tunnel.broken)
    exchange.tunnel_received = tunnel.bytes_up


class Tunnel:
    """One tunnel between a client and the gateway.

    Reading from one side is paused while the other accepts no more, so that memory stays flat. If a side ends its half,
    that half ends on the other side too; if a side aborts, the other is reset. A tunnel without data in either
    direction for `idle` seconds is ended (None: never).
    """

    __slots__ = (
        "_client",
        "_client_ended",
        "_done",
        "_gateway",
        "_gateway_ended",
        "_idle",
        "_loop",
        "_seen",
        "_timer",
        "_upload",
        "broken",
        "bytes_down",
        "bytes_up",
    )

    def __init__(self, client: ClientConnection, gateway: UpstreamConnection, idle: float | None) -> None:
        self._client = client
        self._gateway = gateway
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._seen = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._client_ended = self._gateway_ended = False
        self._upload: asyncio.Future[None] | None = None
        self.broken: str | None = None
        """The code of the problem (`proxy.problems`) if one side aborted; None if both ended in order."""
        self.bytes_up = self.bytes_down = 0

    async def run(self, upload: asyncio.Future[None] | None = None) -> None:
        """Carry bytes until both sides have ended, or one is lost.

        `upload` carries the body of the request that asked for the tunnel, where that was still coming: what the client
        sends up to its end is not part of the tunnel (RFC 9110 §7.8), and goes first.
        """
        self._upload = upload
        self._look()
        self._client.writable = self._client_takes_more
        self._gateway.writable = self._gateway_takes_more
        try:
            self._gateway.tunnel(self._from_gateway)
            if upload is not None and not self._uploaded:
                await asyncio.wait([upload, self._done], return_when=asyncio.FIRST_COMPLETED)
            # Also if the tunnel has ended already: then the rest of the request's body is not waited for.
            self._client.take_over(self._from_client)
            if self._client.transport is None:
                self._finish()  # it left before the switch: no call will report that
            await self._done
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._client.writable = self._gateway.writable = None
            if not self._gateway.closed and self._gateway.unsent:
                self._gateway.reset()  # it has not taken all that the client said, so this is no end

    def _from_client(self, data: bytes | None) -> None:
        transport = self._gateway.transport
        if data is None:
            ended, self._client_ended = self._client_ended, True
            if self._client.was_reset:
                self._break_off(None if ended else "client_gone")
            elif transport is None or self._gateway.closed:
                self._finish()
            elif transport.can_write_eof() and not self._gateway_ended and self._client.transport is not None:
                transport.write_eof()
            else:
                close_once(transport)  # sends what is left first, then the gateway's side is lost: that is the end
            return
        self._seen = self._loop.time()
        self.bytes_up += len(data)
        self._gateway.write(data)
        if self._gateway.writing_paused:
            self._client.hold()

    def _from_gateway(self, data: bytes | None) -> None:
        transport = self._client.transport
        if data is None:
            ended, self._gateway_ended = self._gateway_ended, True
            if self._gateway.was_reset:
                self._break_off(None if ended else "gateway_closed")
            elif transport is None or self._gateway.closed or not self._uploaded:
                self._finish()  # a gateway that ends before it has the request wants no more of it
            elif self._client_ended:
                self._gateway.close()  # sends what is left first
            elif transport.can_write_eof():
                transport.write_eof()
            else:
                close_once(transport)  # TLS has no half to close
            return
        self._seen = self._loop.time()
        self.bytes_down += len(data)
        if transport is not None:
            transport.write(data)
            if self._client.writing_paused and self._gateway.transport is not None:
                self._gateway.transport.pause_reading()

    @property
    def _uploaded(self) -> bool:
        return self._upload is None or self._upload.done()

    def _client_takes_more(self) -> None:
        if self._gateway.transport is not None and not self._gateway.closed:
            self._gateway.transport.resume_reading()

    def _gateway_takes_more(self) -> None:
        self._client.go_on()

    def _break_off(self, why: str | None) -> None:
        """One side aborted: the other is reset too, since an ordinary end would say that all data has arrived."""
        if self._done.done():
            return
        self.broken = why
        self._gateway.reset()
        if self._client.transport is not None:
            reset(self._client.transport)
        self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _look(self) -> None:
        """End the tunnel if it was silent for too long; else look again when it could be."""
        if self._idle is None:
            return
        left = self._seen + self._idle - self._loop.time()
        if left <= 0:
            self._finish()
        else:
            self._timer = self._loop.call_later(left, self._look)
