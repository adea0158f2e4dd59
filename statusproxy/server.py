"""The service's life: start, serve, reload, drain, stop."""

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from statusproxy import __version__, systemd
from statusproxy.admin.listener import AdminListener
from statusproxy.assembly import build_site, head_limits, load_certificate, server_tls
from statusproxy.config import restart as config_restart
from statusproxy.config.addresses import Address
from statusproxy.config.errors import ConfigError
from statusproxy.config.paths import fold_path
from statusproxy.config.settings import Settings
from statusproxy.observe import access_log
from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.observe.loop_lag import LoopLag
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.downstream import descriptors, unix_socket
from statusproxy.proxy.downstream.connection import ClientServer
from statusproxy.proxy.exchange import Proxy, new_request_id
from statusproxy.proxy.upstream.watch import UNREACHED, GatewayWatch
from statusproxy.registry.registry import SessionRegistry
from statusproxy.store import StoreError, open_store
from statusproxy.store.owner import boot_id

log = logging.getLogger("statusproxy")

#: Connections the kernel holds for us until they are accepted, and how many asyncio accepts in one callback. With the
#: first number for both, a rush of clients would keep everyone else waiting, and use up all descriptors at once.
_BACKLOG: Final = 1024
_ACCEPTED_AT_ONCE: Final = 16

#: Seconds that closing may take after `timeouts.drain`: writing the state, at worst to a slow disk.
_CLOSING: Final = 15.0

#: Seconds in which a client that had connected when the end began may still ask for something.
_LAST_CALL: Final = 1.0

#: Seconds between two looks at whether the exchanges under way have ended.
_DRAIN_STEP: Final = 0.05

#: Objects made between two runs of Python's youngest collection: with the default of 700, collections are most of
#: the slowest hundredth of requests.
_GC_THRESHOLD: Final = 20_000


class StartError(Exception):
    """The service cannot start; the text says why and what to do."""


class Server:
    """Everything that runs in one process."""

    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings] | None = None,
        clock: Callable[[], float] = time.time,
        given: Sequence[str] = (),
    ) -> None:
        """`read_settings` reads the configuration again for a reload; `clock` gives epoch seconds.

        `given` are the keys that the command line sets, whatever the file says.
        """
        self.settings = settings
        """The settings in force. After a reload, those that wait for a restart are still the old ones."""
        self.waiting: tuple[str, ...] = ()
        """The keys of settings that were changed in the file and wait for a restart."""
        self._clock = clock
        self._given = given
        self.metrics = Metrics()
        self._loop_lag = LoopLag()
        self.metrics.collectors.register(self._loop_lag)
        self.addresses: list[str] = []
        """Where the proxy listens, as `host:port` or `unix:/path`, once started."""
        self._read_settings = read_settings
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._listeners: list[asyncio.Server] = []
        self._sockets_of_ours: list[Path] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.gateway_watch = GatewayWatch(
            lambda: self.proxy.site.pool, lambda: self.settings.gateway, self._tell_status
        )
        self._store_trouble: str | None = None
        self._refused: str | None = None
        """Why the last reload was refused."""

    async def start(self) -> None:
        """Open the store, listen, and tell systemd that we are ready. Raises `StartError`."""
        settings = self.settings
        try:
            self._tls = server_tls(settings)
            site = build_site(settings)
        except OSError as error:
            raise StartError(f"a certificate cannot be used: {in_words(error)}") from error
        try:
            store = open_store(settings.state.url, settings.sessions.history_days, journal=settings.state.journal)
            self.registry = SessionRegistry(
                settings.signal_rules(),
                settings.session_rules(),
                store,
                self.metrics,
                self._clock,
                boot=(boot_id() or "") if self._clock is time.time else None,
            )
            await self.registry.open()
        except (StoreError, ValueError) as error:
            raise StartError(str(error)) from error
        self.proxy = Proxy(site, self.registry, self._report)
        reserve = descriptors.Reserve(descriptors.allowed(), settings.limits.upstream_connections)
        asyncio.get_running_loop().set_exception_handler(reserve.handle_exception)
        self.clients = ClientServer(
            self.proxy.handle,
            language=settings.language,
            new_request_id=new_request_id,
            refused=self.metrics.refused,
            head_timeout=settings.timeouts.request_head,
            write_timeout=settings.timeouts.response_body,
            keep_alive=settings.timeouts.keep_alive,
            max_connections=settings.limits.connections,
            head_limits=head_limits(settings),
            reserve=reserve,
        )
        self.admin = AdminListener(self.registry, self.metrics, self.proxy, settings)
        self.admin.listening = self.addresses
        self.admin.given = self._given
        try:
            await self._listen(settings)
        except OSError as error:
            await self._close_listeners()
            await self.registry.close()
            raise StartError(str(error)) from error
        interval = systemd.watchdog_interval()
        if interval is not None:
            self._tasks.append(asyncio.create_task(self._feed_watchdog(interval)))
        self._loop_lag.start()
        # What lives now lives to the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)

    async def run(self) -> None:
        """Start, serve until told to stop, and stop in order."""
        # A stop or a reload that comes while we start must not kill us half-way. The kernel holds SIGHUP until there
        # is something to reload, and from the end on for good.
        _block(signal.SIGHUP)
        self._handle_signals()
        await self.start()
        self.gateway_watch.start()
        systemd.notify("READY=1", self._serving())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        await self._stopping.wait()
        _block(signal.SIGHUP)
        await self.stop()

    def ask_to_stop(self) -> None:
        """Begin the end; asked a second time, do not wait for what is under way."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def stop(self) -> None:
        """Accept no more, finish what is under way within `timeouts.drain` seconds, write the state, close."""
        systemd.notify(
            "STOPPING=1",
            systemd.status("Finishing the requests under way"),
            systemd.more_time(self.settings.timeouts.drain + _CLOSING),
        )
        log.info("stopping: %d requests under way", self.proxy.in_flight, extra={"in_flight": self.proxy.in_flight})
        self.proxy.draining = True
        await self._close_listeners()
        self.clients.close_idle()
        loop = asyncio.get_running_loop()
        begun, drain = loop.time(), self.settings.timeouts.drain
        while not self._hurry.is_set():
            passed = loop.time() - begun
            under_way = self.proxy.in_flight or self.clients.sending
            # Who has connected is about to ask, and an engine asks only once.
            if passed >= drain or not (under_way or (passed < _LAST_CALL and self.clients.expecting)):
                break
            await asyncio.sleep(_DRAIN_STEP)
            self.clients.close_idle()
        if self.proxy.in_flight:
            log.warning("%d requests were cut off", self.proxy.in_flight, extra={"in_flight": self.proxy.in_flight})
        await self.clients.shutdown(timeout=0.1)
        await self.admin.stop()
        self._loop_lag.stop()
        self.gateway_watch.close()
        for task in self._tasks:
            task.cancel()
        for pool in self.proxy.site.pools.values():
            pool.abort()
        await self.registry.close()
        log.info("stopped")

    def reload(self) -> bool:
        """Read the configuration again and serve by it from the next request on; a broken one changes nothing.

        What waits for a restart keeps its old value everywhere (`config_restart`).
        """
        if self._read_settings is None or not self.addresses or self._stopping.is_set():
            return False
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={_monotonic_usec()}")
        try:
            wanted = self._read_settings()
            settings, waiting = config_restart.after_reload(self.settings, wanted, admin_exposed=self.admin.exposed)
            site = build_site(settings, self.proxy.site.pools)
            if self._tls is not None and wanted.tls is not None:
                # The same context serves the open listeners: connections from now on get the new certificate.
                load_certificate(self._tls, wanted.tls)
        except (ConfigError, OSError, ValueError) as error:
            why = in_words(error) if isinstance(error, OSError) else str(error)
            log.error("the configuration was not changed: %s", why, extra={"why": why})
            self._refused = why
            systemd.notify("READY=1", self._serving())
            return False
        for key in waiting:
            log.warning("a change of %s takes effect after a restart", key, extra={"key": key})
        if settings.log.level != self.settings.log.level:
            log.setLevel(settings.log.level.upper())
        before, self.proxy.site = self.proxy.site, site
        for name, pool in before.pools.items():
            if site.pools.get(name) is not pool:
                pool.close()
        self.registry.configure(settings.signal_rules(), settings.session_rules())
        if (settings.webhooks, settings.trusted_proxies) != (self.settings.webhooks, self.settings.trusted_proxies):
            self.registry.seen.trust_changed()
        self.clients.language = settings.language
        self.clients.head_timeout = settings.timeouts.request_head
        self.clients.write_timeout = settings.timeouts.response_body
        self.clients.max_connections = settings.limits.connections
        self.clients.head_limits.change_to(head_limits(settings))
        self.settings, self.waiting = settings, waiting
        self.admin.configure(settings, waiting)
        self._refused = None
        self.gateway_watch.failed()  # it may be another one
        log.info("configuration reloaded")
        systemd.notify("READY=1", self._serving())
        return True

    # ---- parts ----

    async def _listen(self, settings: Settings) -> None:
        inherited = systemd.inherited_sockets()
        admin_sockets = [sock for name, sock in inherited if name == "admin"]
        ours = [sock for name, sock in inherited if name != "admin"]
        for sock in ours:
            self._listeners.append(await self._serve_socket(sock))
        for address in systemd.not_inherited(settings.listen, ours):
            if ours:
                log.warning(
                    "%s is in `listen`, but not in statusproxy.socket: a restart refuses connections there; "
                    "run install.sh again to bring the two in line",
                    address,
                    extra={"listen": str(address)},
                )
            self._listeners.append(await self._listen_on(address))
        for listener in self._listeners:
            _widen_backlog(listener)
            for sock in listener.sockets:
                name = _name(sock)
                self.addresses.append(name)
                log.info("listening on %s, forwarding to %s", name, settings.gateway, extra={"listen": name})
        admin = await self.admin.start(admin_sockets)
        if admin:
            log.info("admin on %s", admin, extra={"admin": admin})

    def _listening(self) -> dict[str, Any]:
        """What all listeners are opened with: the handshake of TLS has the time that a head has, for nobody is served
        before it, and no place in `limits.connections` is taken."""
        timeout = self.settings.timeouts.request_head
        return {"ssl": self._tls, "backlog": _ACCEPTED_AT_ONCE} | (
            {} if self._tls is None else {"ssl_handshake_timeout": timeout}
        )

    async def _serve_socket(self, sock: socket.socket) -> asyncio.Server:
        sock.setblocking(False)
        if sock.family == socket.AF_UNIX:
            return await unix_socket.serve(self.clients, sock, **self._listening())
        return await asyncio.get_running_loop().create_server(self.clients, sock=sock, **self._listening())

    async def _listen_on(self, address: Address) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            if address.unix is not None:
                path = Path(address.unix)
                sock = unix_socket.bind(path, self.settings.listen_mode)
                self._sockets_of_ours.append(path)
                return await self._serve_socket(sock)
            return await loop.create_server(self.clients, address.host or None, address.port, **self._listening())
        except OSError as error:
            raise OSError(
                f"cannot listen on {address} (listen): {in_words(error)}; "
                "is statusproxy running already, or another program there?"
            ) from error

    async def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for path in self._sockets_of_ours:
            path.unlink(missing_ok=True)
        self._sockets_of_ours.clear()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    async def _feed_watchdog(self, interval: float) -> None:
        """Show systemd a sign of life while the loop turns (we are here) and the store answers.

        A store that says no, on a full disk, is alive: restarting would cut requests off and lose what waits to be
        written, and mend nothing. One that says nothing at all is stuck, and then a restart is what helps.
        """
        while True:
            before, works = self._store_trouble, await self.registry.works()
            self._store_trouble = None if works else self.registry.store.trouble or "no reason given"
            systemd.notify("WATCHDOG=1", *([] if before == self._store_trouble else [self._serving()]))
            await asyncio.sleep(interval)

    def _serving(self) -> str:
        """The status line: what is served and, where something is wrong, what."""
        wrong = (
            ("the gateway cannot be reached", self.gateway_watch.trouble),
            ("the store takes no writes", self._store_trouble),
            ("the new configuration is refused", self._refused),
            ("waits for a restart", ", ".join(self.waiting)),
        )
        serving = f"Serving {self.settings.gateway} on {', '.join(self.addresses)}"
        return systemd.status("; ".join([serving, *(f"{what}: {why}" for what, why in wrong if why)]))

    def _tell_status(self) -> None:
        if not self._stopping.is_set():
            systemd.notify(self._serving())

    def _report(self, report: Report) -> None:
        self.metrics.report(report)
        if report.problem in UNREACHED:
            self.gateway_watch.failed()
        if report.kind is Kind.WEBHOOK:
            self.registry.seen.passed(fold_path(report.template or ""), report.status, self._clock())
        if self.settings.log.access:
            access_log.tell(report, self.settings.log.access)


def _widen_backlog(listener: asyncio.Server) -> None:
    """Have the kernel hold more connections than asyncio accepts at once: it takes one number for both."""
    for sock in listener.sockets:
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            same.listen(_BACKLOG)


def _block(number: signal.Signals) -> None:
    """Have the kernel hold a signal until it is unblocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def _monotonic_usec() -> int:
    return time.monotonic_ns() // 1000


def _name(sock: socket.socket) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return f"unix:{name}"


async def serve(
    settings: Settings, read_settings: Callable[[], Settings] | None = None, given: Sequence[str] = ()
) -> None:
    """Run the service until a signal ends it; `given` are the keys that the command line sets. Raises `StartError`."""
    log.info("statusproxy %s", __version__, extra={"version": __version__})
    descriptors.raise_limit()
    descriptors.warn_if_too_few(settings.limits.connections, settings.limits.upstream_connections)
    await Server(settings, read_settings, given=given).run()
