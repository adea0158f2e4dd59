"""The admin listener: an aiohttp application of its own, on an address the internet does not reach."""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from statusproxy import __version__
from statusproxy.admin import assets
from statusproxy.admin.connections import KEEP_ALIVE, Connections
from statusproxy.admin.feed import Feed, FeedFullError
from statusproxy.admin.health import Health
from statusproxy.admin.ids import natural_key
from statusproxy.admin.report import change_report, damage_report, moment, session_text
from statusproxy.admin.selfreport import self_report
from statusproxy.config.addresses import Address
from statusproxy.config.settings import Settings
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.downstream import unix_socket
from statusproxy.proxy.exchange import Proxy
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.sessions import FORGOTTEN, Record
from statusproxy.store import StoreError

log = logging.getLogger("statusproxy.admin")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Paths that tell nothing of the site, and need no token: a supervisor's check, and the page that asks for the token.
_OPEN: Final = frozenset({"/healthz", *assets.FILES})

#: Connections the kernel holds for us until they are accepted; asyncio accepts as many in one turn.
_BACKLOG: Final = 128

#: Reports of sessions written before others have their turn; some 20 µs each.
_AT_ONCE: Final = 100

#: Sessions whose place in the order is determined before others have their turn; some 2 µs each.
_KEYS_AT_ONCE: Final = 1_000

#: Lines of history given at most.
_HISTORY: Final = 1000


class AdminListener:
    """Answers `/healthz`, `/readyz`, `/sessions`, `/history`, `/state`, `/metrics`, and serves the status page."""

    def __init__(self, registry: SessionRegistry, metrics: Metrics, proxy: Proxy, settings: Settings) -> None:
        self.settings = settings
        self.waiting: Sequence[str] = ()
        """The keys of settings that were changed in the file and wait for a restart."""
        self.given: Sequence[str] = ()
        """The keys of settings that the command line sets, whatever the file says."""
        self.addresses: list[str] = []
        """Where it listens, as URLs or `unix:/path`, once started."""
        self.listening: list[str] = []
        """Where the proxy itself listens."""
        self._registry = registry
        self._metrics = metrics
        self._proxy = proxy
        self._runner: web.AppRunner | None = None
        self._listeners: list[asyncio.Server] = []
        self._socket_of_ours: Path | None = None
        self._writing = asyncio.Lock()
        self._health = Health(registry, proxy)
        self._feed = Feed(registry, self._health, lambda: {"gateway_url": self.settings.gateway})

    def configure(self, settings: Settings, waiting: Sequence[str]) -> None:
        """Go by other settings from the next request on; `waiting` are the keys that wait for a restart."""
        self.settings, self.waiting = settings, waiting

    @property
    def exposed(self) -> bool:
        """Whether other machines can reach it, by the sockets it really listens on."""
        return any(_is_exposed(sock) for listener in self._listeners for sock in listener.sockets)

    async def start(self, inherited: Sequence[socket.socket] = ()) -> str | None:
        """Listen where the settings say, or on sockets that systemd opened; give the address, None where it is off.

        Raises `OSError` where it cannot listen there, or where other machines could reach it without a token.
        """
        address = self.settings.admin.listen
        if address is None and not inherited:
            return None
        self._refuse_exposed(inherited)
        application = web.Application(middlewares=[self._guard])
        application.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._expose),
                web.get("/sessions", self._sessions),
                web.get("/sessions/{session}/history", self._history),
                web.get("/history", self._history),
                web.post("/sessions/{session}/release", self._release),
                web.post("/sessions/{session}/forget", self._forget),
                web.get("/state", self._state),
                web.post("/state/acknowledge", self._acknowledge),
                web.get("/events", self._events),
                web.get("/doctor", self._doctor),
                *assets.routes(),
            ]
        )
        self._runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=KEEP_ALIVE
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._connections = Connections(self._runner.server)
        try:
            if inherited:
                for sock in inherited:
                    self._listeners.append(await self._serve_socket(sock))
            elif address is not None:
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
        self._feed.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def _refuse_exposed(self, inherited: Sequence[socket.socket]) -> None:
        """Refuse a socket of systemd's that other machines can reach, as `admin.listen` is refused without a token."""
        for sock in inherited:
            if self.settings.admin.token is None and _is_exposed(sock):
                raise OSError(
                    f"systemd hands in {_url(sock.getsockname())} for the admin listener, which other machines may "
                    "reach, and there is no admin.token; set admin.token, or have the socket unit listen on 127.0.0.1"
                )

    async def _listen_on(self, address: Address) -> asyncio.Server:
        if address.unix is not None:
            # Private, whatever the umask: who reaches it may read the state of every session and end corrections.
            sock = unix_socket.bind(Path(address.unix), unix_socket.PRIVATE)
            self._socket_of_ours = Path(address.unix)
            return await self._serve_socket(sock)
        return await asyncio.get_running_loop().create_server(
            self._connections, address.host or None, address.port, reuse_address=True, backlog=_BACKLOG
        )

    async def _serve_socket(self, sock: socket.socket) -> asyncio.Server:
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            return await unix_socket.serve(self._connections, sock, backlog=_BACKLOG)
        return await asyncio.get_running_loop().create_server(self._connections, sock=sock, backlog=_BACKLOG)

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
                    response = _refuse(error.status, error.reason)
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
        """Keep out what does not hold the token, and web pages elsewhere that a browser on this host has open.

        A page's script can send requests to loopback, so a request with a foreign `Origin` is refused, and so is
        a `Host` that is a name (DNS rebinding): operators and monitors use the address.
        """
        token = self.settings.admin.token
        if token is not None and request.path not in _OPEN:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode()):
                return _refuse(401, "the admin token is missing or wrong", {"WWW-Authenticate": "Bearer"})
        if token is None and not _is_address(request.host):
            return _refuse(403, "ask for the admin listener by its address, not by a name, or set admin.token")
        origin = request.headers.get("Origin")
        if origin is not None and origin.partition("://")[2] != request.host:
            return _refuse(403, "requests from other sites' pages are refused")
        return None

    # ---- answers ----

    async def _healthz(self, request: web.Request) -> web.Response:
        """The process is alive and its loop turns."""
        return web.json_response({"status": "ok", "version": __version__})

    async def _readyz(self, request: web.Request) -> web.Response:
        """The store takes writes and the gateway can be reached. Damage that was repaired does not make it unready."""
        report = await self._health.report()
        return web.json_response(report, status=503 if report["status"] == "trouble" else 200)

    async def _expose(self, request: web.Request) -> web.Response:
        self._metrics.refresh(self._registry, self._proxy)
        return web.Response(body=self._metrics.expose(), headers={"Content-Type": self._metrics.content_type})

    async def _sessions(self, request: web.Request) -> web.Response:
        """Every session something is known of: those shown as disconnected first, in natural order."""
        records = await _in_order(self._registry.records())
        head = json.dumps(
            {
                "now": moment(time.time()),
                "started": moment(self._registry.started_at),
                "webhook_last_heard": moment(self._registry.heard_at),
                "webhooks": self._registry.seen.totals(),
                "disconnected": sum(record.override is not None for record in records),
            }
        )
        reports: list[str] = []
        for start in range(0, len(records), _AT_ONCE):
            async with self._writing:  # thousands take a while, which the traffic must not wait for
                reports += [
                    session_text(record, self._registry.gateway_word(record.session))
                    for record in records[start : start + _AT_ONCE]
                ]
                await asyncio.sleep(0)
        text = f'{head[:-1]}, "sessions": [{", ".join(reports)}]}}'
        return web.Response(text=text, content_type="application/json")

    async def _doctor(self, request: web.Request) -> web.Response:
        """What `statusproxy doctor` asks of a running proxy."""
        health = await self._health.report()
        return web.json_response(
            self_report(self._registry, self._proxy, self.settings, self.listening, health, self.waiting, self.given)
        )

    async def _release(self, request: web.Request) -> web.Response:
        """End the override of one session."""
        session = request.match_info["session"]
        try:
            changes = await self._registry.release(session)
        except LookupError as error:
            return _refuse(404, str(error.args[0] if error.args else error))
        if not changes and not self.settings.sessions.releases.get("operator", True):
            return _refuse(409, "releasing by hand is switched off (sessions.releases.operator)")
        return web.json_response(
            {"session": session, "released": bool(changes), "changes": [change_report(change) for change in changes]}
        )

    async def _forget(self, request: web.Request) -> web.Response:
        """Remove all that is known of one session; a correction that stands ends as `operator`."""
        session = request.match_info["session"]
        try:
            changes = await self._registry.forget(session)
        except LookupError as error:
            return _refuse(404, str(error.args[0] if error.args else error))
        if not changes:
            return _refuse(409, f"{session} is shown as disconnected, and sessions.releases.operator is off")
        return web.json_response(
            {
                "session": session,
                "forgotten": [change.session for change in changes if change.what == FORGOTTEN],
                "changes": [change_report(change) for change in changes],
            }
        )

    async def _state(self, request: web.Request) -> web.Response:
        """How the stored state is: whether it takes writes, and what damage is not acknowledged."""
        return web.json_response(
            {
                "store": self._registry.store.error or "ok",
                "damage": [damage_report(damage) for damage in self._registry.damage],
                "repairs": dict(self._registry.repairs),
            }
        )

    async def _acknowledge(self, request: web.Request) -> web.Response:
        """Note that an operator knows of all damage so far."""
        try:
            return web.json_response({"acknowledged": await self._registry.acknowledge_damage()})
        except StoreError as error:
            return _refuse(503, f"this cannot be noted now: {error}")

    async def _history(self, request: web.Request) -> web.Response:
        """What began and ended, newest first; of one session or of all."""
        session = request.match_info.get("session")
        try:
            changes = await self._registry.store.history(session, _HISTORY)
        except StoreError as error:
            return _refuse(503, f"the history cannot be read: {error}")
        if session is not None and not changes and self._registry.sessions.get(session) is None:
            return _refuse(404, f"no session {session!r} is known, and the history has none of that name")
        return web.json_response({"history": [change_report(change) for change in changes]})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """What the status page shows, and whatever changes of it, as server-sent events."""
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        async with contextlib.aclosing(self._feed.follow()) as pieces:
            try:
                first = await anext(pieces)
            except FeedFullError:
                return _refuse(503, "too many status pages are open", {"Retry-After": "10"})
            with contextlib.suppress(ConnectionError):  # the page was closed, or does not read (`Connections`)
                await response.prepare(request)
                await response.write(first)
                async for piece in pieces:
                    await response.write(piece)
        return response


async def _in_order(records: Sequence[Record]) -> list[Record]:
    """Those shown as disconnected first, each part in natural order; others have their turn meanwhile."""
    parts: tuple[list[tuple[str, Record]], list[tuple[str, Record]]] = ([], [])
    for start in range(0, len(records), _KEYS_AT_ONCE):
        for record in records[start : start + _KEYS_AT_ONCE]:
            parts[record.override is None].append((natural_key(record.session), record))
        await asyncio.sleep(0)
    return [record for part in parts for _, record in sorted(part, key=itemgetter(0))]


def _refuse(status: int, error: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": error}, status=status, headers=headers)


def _is_exposed(sock: socket.socket) -> bool:
    """Whether other machines can reach this listening socket."""
    return sock.family != socket.AF_UNIX and not Address(sock.getsockname()[0]).is_private


def _url(name: Any) -> str:
    """A listening socket's name, as a person or a client uses it."""
    if isinstance(name, tuple):
        host, port = name[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return f"unix:{name}"


def _is_address(host: str) -> bool:
    """Whether a `Host` is an IP address or localhost, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or not name:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
