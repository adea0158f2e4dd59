"""The admin listener: an aiohttp application of its own, on an address the internet does not reach."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from statusproxy import stream_server, unix_socket
from statusproxy.admin.answers import Answers
from statusproxy.admin.connections import KEEP_ALIVE, Connections
from statusproxy.admin.guard import refusal
from statusproxy.admin.json_answers import refuse
from statusproxy.config.addresses import Address
from statusproxy.config.settings import Settings
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry
from statusproxy.spool.spool import Spool

if TYPE_CHECKING:
    from statusproxy.alerts.service import Alerts

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Connections the kernel holds for us until they are accepted; asyncio accepts as many in one turn.
_BACKLOG: Final = 128


class AdminListener:
    """Listens on `admin.listen` and controls access; `answers` makes the answers."""

    def __init__(
        self,
        registry: SessionRegistry,
        exposition: Exposition,
        proxy: Proxy,
        settings: Settings,
        spool: Spool | None = None,
    ) -> None:
        """`spool` is None where the state keeps none."""
        self.answers = Answers(registry, exposition, proxy, settings, spool)
        self.addresses: list[str] = []
        """Where it listens, as URLs or `unix:/path`, once started."""
        self._runner: web.AppRunner | None = None
        self._listeners: list[asyncio.Server] = []
        self._socket_of_ours: Path | None = None

    def configure(self, settings: Settings, waiting: Sequence[str]) -> None:
        """Apply new settings from the next request on; `waiting` are the keys that wait for a restart."""
        self.answers.configure(settings)
        self.answers.waiting = waiting

    def alerts_changed(self, alerts: "Alerts | None") -> None:
        """Alerts were switched on or off."""
        self.answers.alerts.alerts = alerts

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it, by the sockets it really listens on."""
        return any(_is_exposed(sock) for listener in self._listeners for sock in listener.sockets)

    async def start(self, inherited: Sequence[socket.socket] = ()) -> str | None:
        """Listen where the settings say, or on sockets that systemd opened; give the address, None where it is off.

        Raises `OSError` where it cannot listen there, or where other machines could reach it without a token.
        """
        address = self.answers.settings.admin.listen
        if address is None and not inherited:
            return None
        self._refuse_exposed(inherited)
        application = web.Application(middlewares=[self._guard])
        application.add_routes(self.answers.routes())
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=KEEP_ALIVE
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = Connections(self._runner.server)
        try:
            if inherited:
                for sock in inherited:
                    self._listeners.append(await stream_server.on_socket(self._connections, sock, backlog=_BACKLOG))
            else:
                assert address is not None
                self._listeners.append(await self._listen_on(address))
        except OSError as error:
            await self.stop()
            raise OSError(
                f"cannot listen on {address} (admin.listen): {in_words(error)}; "
                "give admin.listen another address, or null to turn it off"
            ) from error
        self.addresses = [_url(sock.getsockname()) for listener in self._listeners for sock in listener.sockets]
        return ", ".join(self.addresses)

    async def stop(self) -> None:
        """Stop listening, and end the streams of open pages."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._socket_of_ours is not None:
            self._socket_of_ours.unlink(missing_ok=True)
            self._socket_of_ours = None
        self.answers.feed.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _refuse_exposed(self, inherited: Sequence[socket.socket]) -> None:
        """Refuse a socket of systemd's that other machines can reach, as `admin.listen` is refused without a token."""
        for sock in inherited:
            if self.answers.settings.admin.token is None and _is_exposed(sock):
                raise OSError(
                    f"systemd hands in {_url(sock.getsockname())} for the admin listener, which other machines may "
                    "reach, and there is no admin.token; set admin.token, or have the socket unit listen on 127.0.0.1"
                )

    async def _listen_on(self, address: Address) -> asyncio.Server:
        if address.unix is not None:
            # Private, regardless of the umask: who reaches it may read the state of every session and end corrections.
            sock = unix_socket.listen(Path(address.unix), unix_socket.PRIVATE, _BACKLOG)
            self._socket_of_ours = Path(address.unix)
            return await stream_server.on_socket(self._connections, sock, backlog=_BACKLOG)
        server = await asyncio.get_running_loop().create_server(
            self._connections, address.host or None, address.port, backlog=_BACKLOG, start_serving=False
        )
        try:
            stream_server.listen(server, _BACKLOG)
        except OSError:
            server.close()
            raise
        await server.start_serving()
        return server

    # ---- who may ask ----

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer those who may ask; what is answered is for no cache, and is what it says it is."""
        with self._connections.serving(request.transport):
            response: web.StreamResponse | None = self._refusal(request)
            if response is None:
                try:
                    response = await handler(request)
                except web.HTTPException as error:  # no such path, or not with this method
                    response = refuse(error.status, error.reason)
                    if "Allow" in error.headers:
                        response.headers["Allow"] = error.headers["Allow"]
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
            # Sent here and not by aiohttp afterwards (which then has nothing left to do), so that the connection
            # knows until when it is serving.
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write_eof()
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        fields = request.headers
        refused = refusal(
            path=request.path,
            host=request.host,
            origin=fields.get("Origin"),
            authorization=fields.get("Authorization", ""),
            token=self.answers.settings.admin.token,
        )
        return None if refused is None else refuse(*refused)


def _is_exposed(sock: socket.socket) -> bool:
    """Whether other machines can reach this listening socket."""
    return sock.family != socket.AF_UNIX and not Address(sock.getsockname()[0]).is_private


def _url(name: Any) -> str:
    """A listening socket's name, as a person or a client uses it."""
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return f"unix:{name}"
