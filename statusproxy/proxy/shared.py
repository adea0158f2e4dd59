"""What all exchanges share: the settings in force, the registry, and what is bounded for all of them together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from statusproxy.observe.exchange_report import Report
from statusproxy.proxy.coalescing import SharedCalls
from statusproxy.proxy.copy_room import CopyRoom
from statusproxy.proxy.ports import RegistryPort, SpoolPort
from statusproxy.proxy.renditions import Renditions
from statusproxy.proxy.site import Site
from statusproxy.proxy.steps import StepRunner
from statusproxy.proxy.upstream.answer_body import Room

#: Bytes of whole answers that may wait for slow clients without a place at the gateway: as many as 256 connections held
#: at most when each answer kept its own (`upstream.HIGH_WATER`).
_ROOM: Final = 128 * 1024 * 1024

#: Large bodies that are written or read at the same moment.
_DISK: Final = 2


class Shared:
    """What all exchanges share; `site` may be replaced at any time, for the exchanges after."""

    def __init__(self, site: Site, registry: RegistryPort, report: Callable[[Report], None]) -> None:
        """`report` is called with the report of each exchange when it is over."""
        self.site = site
        self.registry = registry
        self.report = report
        self.draining = False
        """The proxy is about to stop: no client's connection goes on after its answer."""
        self.in_flight = 0
        """Exchanges under way."""
        self.runner = StepRunner()
        self.renditions = Renditions(self.runner)
        self.shared_calls = SharedCalls()
        self.room = Room(_ROOM)
        self.spool: SpoolPort | None = None
        """Who keeps events that their receiver does not take; None where nothing can be kept."""
        self.unreached: Callable[[], None] = lambda: None
        """Called when a stored event finds no connection to its receiver; such an attempt has no report."""
        self.copies = CopyRoom()
        """What the copies of events have on disk that are under way to the spool."""
        self.disk = ThreadPoolExecutor(_DISK, thread_name_prefix="statusproxy-spool")
        """Threads for large bodies on their way to the disk and from it; none is started before there are any."""

    def close(self) -> None:
        """End the threads, each after what it is doing. No one waits for that: a disk may be slow."""
        self.disk.shutdown(wait=False)
