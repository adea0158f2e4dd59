"""File descriptors: how many the process may open, how many the limits need, and what is kept for other uses.

The kernel gives a new connection the lowest descriptor that is free. So the first connection whose descriptor lies in
the reserve tells that all below it are in use, and until then nothing needs to be counted.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import resource
import time
from typing import Any, Final

from statusproxy.observe.counted import counted
from statusproxy.observe.repeats import Repeats

log = logging.getLogger("statusproxy.descriptors")

#: Descriptors a process may have open, where the system leaves the choice to us: two for each of `limits.connections`
#: by far, and what the systemd unit sets. Shells begin with 1024.
_WANTED: Final = 65_536

#: Descriptors for everything but proxied connections: listeners, the state's files, the admin listener, Redis, alerts.
_OTHER_USES: Final = 128

#: The part of a low limit that is kept back from clients at most: requests under way need theirs for the gateway.
_RESERVED_PART: Final = 4

#: What `accept` fails with when there is no descriptor, or no memory for one.
_NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def raise_limit() -> None:
    """Raise the soft limit as far as is useful: then our own limit is reached first, which answers 503."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def widen_table(connections: int, upstream_connections: int) -> None:
    """Have the kernel make its table of descriptors as large as the limits need, as far as it may be.

    The table begins small and doubles when it is full. In a process with threads each time takes 6 to 15 ms, in which
    every client waits: the kernel waits for all processors (RCU). Before the first thread it takes no time.
    """
    last = min(needed(connections, upstream_connections), allowed()) - 1
    with contextlib.suppress(OSError), open(os.devnull, "rb") as any_file:  # what fails here costs that time later
        os.close(fcntl.fcntl(any_file, fcntl.F_DUPFD_CLOEXEC, last))


def allowed() -> int:
    """How many descriptors the process may have open now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


def open_now() -> int | None:
    """How many descriptors are in use; None where there is not even one left to look with."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return None


def needed(connections: int, upstream_connections: int) -> int:
    """How many descriptors the limits need at worst: a client's tunnel takes a second one, to the gateway."""
    return 2 * connections + upstream_connections + _OTHER_USES


def warn_if_too_few(connections: int, upstream_connections: int) -> None:
    """Log a warning where the process may open fewer descriptors than its limits need."""
    need, have = needed(connections, upstream_connections), allowed()
    if have < need:
        log.warning(
            "the limit of open files is %d, but limits.connections and limits.upstream_connections need up to %d; "
            "raise it (systemd: LimitNOFILE=, containers: --ulimit nofile=, shells: ulimit -n), "
            "or lower limits.connections",
            have,
            need,
            extra={"have": have, "need": need},
        )


class Reserve:
    """File descriptors that no client's request gets: for the gateway, for files, and for refusing clients."""

    __slots__ = ("_first", "_in_use", "_limit", "_next_count", "_repeats", "refused_at_once")

    def __init__(self, limit: int, upstream_connections: int) -> None:
        """`limit`: how many descriptors the process may have open."""
        self._limit = limit
        self.configure(upstream_connections)
        self._in_use = 0  # at most; 0 while there are plenty
        self._next_count = 0.0
        self._repeats = Repeats()

    def configure(self, upstream_connections: int) -> None:
        """Keep what so many connections to the gateway need, from the next client on."""
        size = min(self._limit // _RESERVED_PART, upstream_connections + _OTHER_USES)
        self._first = self._limit - size
        self.refused_at_once = min(size // 2, 256)
        """Connections that may wait for a refusal to be read: they take descriptors of the reserve."""

    def short(self, descriptor: int) -> bool:
        """Whether a new connection, which has this descriptor, leaves less free than the reserve; logged if so."""
        if descriptor >= self._first:
            self._in_use = max(self._in_use + 1, descriptor + 1)  # all below it are in use
        elif self._in_use:
            self._in_use += 1
        else:
            return False
        if self._in_use >= self._first:
            self._count()
        if self._in_use < self._first:
            return False
        self.tell("the process has nearly reached its limit of open files")
        return True

    def freed(self) -> None:
        """A client that had no request under way was closed."""
        if self._in_use:
            self._in_use -= 1

    def _count(self) -> None:
        """Count what is in use, and spend no more than a twentieth of the time on that."""
        begun = time.monotonic()
        if begun < self._next_count:
            return
        in_use = open_now()
        if in_use is None:
            return
        self._in_use = in_use
        ended = time.monotonic()
        self._next_count = ended + 20 * (ended - begun)
        if self._in_use < self._first - self._first // 8:
            self._in_use = 0

    def tell(self, what: str) -> None:
        """Log that clients are refused as descriptors run out, at most once a minute."""
        now = time.monotonic()
        owed = self._repeats.more("descriptors", "descriptors", now)
        if owed is not None:
            more = owed[1]
            log.warning(
                "%s: idle clients are closed and new ones refused; raise the limit of open files%s",
                what,
                f" (and {counted(more, 'time')} since this was last logged)" if more else "",
                extra={"more": more},
            )

    def handle_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's exception handler: `accept` without a descriptor is told in one line, the rest as usual."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_ROOM and "socket" in context:
            self._in_use = self._limit
            self.tell(f"no connection can be accepted ({error.strerror})")
        else:
            loop.default_exception_handler(context)
