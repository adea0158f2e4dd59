"""The service's life: start, serve, reload, drain, stop."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Callable, Sequence
from typing import Final

from statusproxy import __version__, systemd
from statusproxy.admin.listener import AdminListener
from statusproxy.alerting import Alerting, Site
from statusproxy.assembly import Plan, Rooms, apply, assemble, plan
from statusproxy.config.errors import ConfigError
from statusproxy.config.paths import fold_path
from statusproxy.config.restart import after_reload
from statusproxy.config.settings import Settings
from statusproxy.garbage_collection import GarbageCollection
from statusproxy.listeners import Listeners
from statusproxy.observe import access_log
from statusproxy.observe.counted import counted
from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.loop_lag import LoopLag
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.network_errors import in_words
from statusproxy.pacing import in_thread
from statusproxy.proxy.downstream import descriptors
from statusproxy.proxy.downstream.server import ClientServer
from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.upstream.errors import UNREACHED
from statusproxy.proxy.upstream.watch import GatewayWatch
from statusproxy.registry.registry import SessionRegistry
from statusproxy.reloads import Reloads
from statusproxy.store import StoreError
from statusproxy.supervision import Watchdog, kept_events, status_line
from statusproxy.tls import load_certificate, server_context

log = logging.getLogger("statusproxy")

#: Seconds that closing may take after `timeouts.drain`: writing the state, at worst to a slow disk.
_CLOSING: Final = 15.0

#: Seconds in which a client that had connected when the end began may still ask for something.
_LAST_CALL: Final = 1.0

#: Seconds between two looks at whether the exchanges under way have ended.
_DRAIN_STEP: Final = 0.05

#: Bound once: a look-up in an `Enum` costs more than one in a module.
_WEBHOOK: Final = RouteKind.WEBHOOK


class StartError(Exception):
    """The service cannot start; the text says why and what to do."""


class Server:
    """Everything that runs in one process, and the settings in force."""

    def __init__(
        self,
        settings: Settings,
        read_settings: Callable[[], Settings] | None = None,
        clock: Callable[[], float] = time.time,
        given: Sequence[str] = (),
    ) -> None:
        """`read_settings` reads the configuration again for a reload; `clock` gives epoch seconds.

        `given` are the keys that the command line sets, regardless of the file.
        """
        self.settings = settings
        """The settings in force. After a reload, those that wait for a restart are still the old ones."""
        self.waiting: tuple[str, ...] = ()
        """The keys of settings that were changed in the file and wait for a restart."""
        self.metrics = Metrics()
        self._clock = clock
        self._given = given
        self._read_settings = read_settings
        self._loop_lag = LoopLag()
        self._collection = GarbageCollection(lambda: self.proxy.in_flight > 0)
        self.exposition = Exposition(self.metrics, self._loop_lag)
        self._rooms: Rooms | None = None
        self._listeners: Listeners | None = None
        self._watchdog: Watchdog | None = None
        self._watchdog_task: asyncio.Task[None] | None = None
        self.gateway_watch = GatewayWatch(
            lambda: self.proxy.site.pool.origin, lambda: self.settings.gateway_shown, self._gateway_changed
        )
        self._alerting: Alerting | None = None
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._reloads = Reloads(self.reload)
        self._refused: str | None = None
        """Why the last reload was refused."""

    # ---- what runs, once started ----

    @property
    def rooms(self) -> Rooms:
        """The parts that serve."""
        assert self._rooms is not None, "the server is not started"
        return self._rooms

    @property
    def registry(self) -> SessionRegistry:
        """What is known of the sessions."""
        return self.rooms.registry

    @property
    def proxy(self) -> Proxy:
        """The handler of clients' requests."""
        return self.rooms.proxy

    @property
    def clients(self) -> ClientServer:
        """The server of clients' connections."""
        return self.rooms.clients

    @property
    def admin(self) -> AdminListener:
        """The admin listener."""
        return self.rooms.admin

    @property
    def addresses(self) -> Sequence[str]:
        """Where the proxy listens, as `host:port` or `unix:/path`; none before the start."""
        return () if self._listeners is None else self._listeners.addresses

    @property
    def serving(self) -> bool:
        """Whether it takes connections."""
        return self._listeners is not None and self._listeners.is_open

    # ---- start ----

    async def start(self) -> None:
        """Open the store and listen. Raises `StartError`; then nothing is left open."""
        try:
            self._tls = server_context(self.settings.tls)
            planned = plan(self.settings)
        except OSError as error:
            raise StartError(f"a certificate cannot be used: {in_words(error)}") from error
        except ValueError as error:
            raise StartError(str(error)) from error
        try:
            self._rooms = await assemble(planned, self.metrics, self.exposition, self._clock, self._report, self._given)
        except (StoreError, ValueError) as error:
            raise StartError(str(error)) from error
        self.proxy.unreached = self.gateway_watch.failed
        self._collection.start()
        try:
            await self._listen()
        except OSError as error:
            self._collection.stop()
            self._close_listeners()
            await self.admin.stop()
            await self.registry.close()
            raise StartError(str(error)) from error
        self._watchdog = Watchdog(self.registry, self._status)
        interval = systemd.watchdog_interval()
        if interval is not None:
            self._watchdog_task = asyncio.create_task(self._watchdog.feed(interval))
        self._loop_lag.start()
        if self.rooms.delivery is not None:
            self.rooms.delivery.start()
        site = Site(self.registry, self.proxy, self.rooms.spool, self.gateway_watch)
        self._alerting = Alerting(site, self.metrics.alerts, self.admin.alerts_changed)
        self._alerting.follow(self.settings)

    async def _listen(self) -> None:
        """Take all addresses before the first client is accepted, who would be lost where one of them is taken."""
        inherited = systemd.inherited_sockets()
        self._listeners = Listeners(self.clients, self.settings, self._tls)
        self.admin.answers.listening = self._listeners.addresses
        await self._listeners.bind([sock for name, sock in inherited if name != "admin"])
        admin = await self.admin.start([sock for name, sock in inherited if name == "admin"])
        await self._listeners.open()
        if admin:
            log.info("admin on %s", admin, extra={"admin": admin})

    # ---- serve ----

    async def run(self) -> None:
        """Start, serve until told to stop, and stop in order."""
        # A stop or a reload that comes during the start must not kill the process. The kernel holds SIGHUP until there
        # is something to reload, and again, permanently, as soon as the service stops.
        _block(signal.SIGHUP)
        self._handle_signals()
        await self.start()
        self.gateway_watch.start()
        systemd.notify("READY=1", self._status())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        await self._stopping.wait()
        _block(signal.SIGHUP)
        await self.stop()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reloads.ask)

    def _report(self, report: Report) -> None:
        self.metrics.report(report)
        if report.problem in UNREACHED:
            self.gateway_watch.failed()
        if report.kind is _WEBHOOK:
            self.registry.webhooks.passed(fold_path(report.template or ""), report.status, self.registry.now())
        if self.settings.log.access:
            access_log.tell(report, self.settings.log.access)

    def _gateway_changed(self) -> None:
        spool = None if self._rooms is None else self._rooms.spool
        if spool is not None and self.gateway_watch.error is None:
            spool.reached("gateway")
        if self._alerting is not None:
            self._alerting.wake()
        if not self._stopping.is_set():
            systemd.notify(self._status())

    def _status(self) -> str:
        spool = self.rooms.spool
        return status_line(
            self.settings.gateway_shown,
            self.addresses,
            {
                "the gateway cannot be reached": self.gateway_watch.error,
                "the store accepts no writes": None if self._watchdog is None else self._watchdog.error,
                "the new configuration was rejected": self._refused,
                "waits for a restart": ", ".join(self.waiting),
                "events are kept": None if spool is None else kept_events(spool.control.totals),
            },
        )

    # ---- reload ----

    async def reload(self) -> bool:
        """Read the configuration again and serve by it from the next request on; a broken one changes nothing.

        It is read in a thread: with 10 000 aliases that takes a third of a second. What waits for a restart keeps its
        old value everywhere (`config.restart`). False where nothing was changed.
        """
        if self._read_settings is None or not self.serving or self._stopping.is_set():
            return False
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            wanted = await in_thread(self._read_settings)
            if self._stopping.is_set():
                return False
            planned, waiting = self._plan_again(wanted)
        except Exception as error:  # noqa: BLE001 - whatever it is, systemd waits for the end of the reload
            self._refused = _log_refusal(error)
            systemd.notify("READY=1", self._status())
            return False
        for key in waiting:
            log.warning("a change of %s takes effect after a restart", key, extra={"key": key})
        if planned.settings.limits != self.settings.limits:
            limits = planned.settings.limits
            descriptors.warn_if_too_few(limits.connections, limits.upstream_connections)
        apply(planned, self.rooms, before=self.settings, waiting=waiting)
        self.settings, self.waiting, self._refused = planned.settings, waiting, None
        if self._alerting is not None:
            self._alerting.follow(self.settings)
        self.gateway_watch.failed()  # it may be another one
        log.info("configuration reloaded")
        systemd.notify("READY=1", self._status())
        return True

    def _plan_again(self, wanted: Settings) -> tuple[Plan, tuple[str, ...]]:
        """The plan for the settings of the file, less those that wait; and the keys of these."""
        settings, waiting = after_reload(self.settings, wanted, admin_exposed=self.admin.exposed)
        planned = plan(settings, self.proxy.site)
        if self._tls is not None and wanted.tls is not None:
            # The same context serves the open listeners: connections from now on get the new certificate.
            load_certificate(self._tls, wanted.tls)
        return planned, waiting

    # ---- drain and stop ----

    def ask_to_stop(self) -> None:
        """Begin the end; asked a second time, do not wait for what is under way."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def stop(self) -> None:
        """Give notice, accept no more, finish what is under way within `timeouts.drain`, write the state, close."""
        timeouts = self.settings.timeouts
        systemd.notify(
            "STOPPING=1",
            systemd.status("Finishing the requests under way"),
            systemd.more_time(timeouts.drain_notice + timeouts.drain + _CLOSING),
        )
        self._reloads.close()
        self.proxy.draining = True
        if timeouts.drain_notice:
            await self._give_notice(timeouts.drain_notice)
        under_way = self.proxy.in_flight
        log.info("stopping: %s under way", counted(under_way, "request"), extra={"in_flight": under_way})
        if self._listeners is not None:
            await self._listeners.retire()
        self._close_listeners()
        if self.rooms.delivery is not None:
            self.rooms.delivery.finish()
        await self._drain()
        left = self.proxy.in_flight
        if left:
            log.warning("%s cut off", counted(left, "request was", "requests were"), extra={"in_flight": left})
        await self.clients.shutdown(timeout=0.1)
        await self.admin.stop()
        self._loop_lag.stop()
        self._collection.stop()
        self.gateway_watch.close()
        if self._watchdog_task is not None:
            self._watchdog_task.cancel()
        if self.rooms.delivery is not None:
            await self.rooms.delivery.close()
        if self._alerting is not None:
            await self._alerting.close()
        self.proxy.close()
        for pool in self.proxy.site.pools.values():
            pool.abort()
        await self.registry.close()
        log.info("stopped")

    async def _give_notice(self, seconds: float) -> None:
        """Serve on for so long, or until a second call to stop; load balancers that ask `/readyz` send nothing new.

        Each answer ends its connection, so that none is left on which a request and its closing could cross.
        """
        log.info("about to stop: /readyz says 503 for %g s", seconds, extra={"seconds": seconds})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    async def _drain(self) -> None:
        """Wait for what is under way: until all has ended, `timeouts.drain` has passed, or a second call to stop."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        delivery = self.rooms.delivery
        self.clients.close_idle()
        while not self._hurry.is_set():
            passed = loop.time() - begun
            under_way = self.proxy.in_flight or self.clients.sending or (delivery is not None and delivery.under_way)
            # Who has connected is about to ask, and an engine asks only once.
            expected = passed < _LAST_CALL and self.clients.expecting
            if passed >= self.settings.timeouts.drain or not (under_way or expected):
                break
            await asyncio.sleep(_DRAIN_STEP)
            self.clients.close_idle()

    def _close_listeners(self) -> None:
        if self._listeners is not None:
            self._listeners.close()


def _log_refusal(error: Exception) -> str:
    """Log why a reload changed nothing, and give it in words. An error of the program comes with where it is."""
    why = in_words(error) if isinstance(error, OSError) else str(error) or repr(error)
    defect = None if isinstance(error, ConfigError | OSError | ValueError) else error
    log.error("the configuration was not changed: %s", why, extra={"why": why}, exc_info=defect)
    return why


def _block(number: signal.Signals) -> None:
    """Block a signal: the kernel holds it until it is unblocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def prepare_descriptors(settings: Settings) -> None:
    """Let the process open as many files as the limits need, where the system allows it. Call before any thread."""
    descriptors.raise_limit()
    descriptors.widen_table(settings.limits.connections, settings.limits.upstream_connections)


async def serve(
    settings: Settings, read_settings: Callable[[], Settings] | None = None, given: Sequence[str] = ()
) -> None:
    """Run the service until a signal ends it; `given` are the keys that the command line sets. Raises `StartError`."""
    log.info("statusproxy %s", __version__, extra={"version": __version__})
    descriptors.warn_if_too_few(settings.limits.connections, settings.limits.upstream_connections)
    await Server(settings, read_settings, given=given).run()
