"""File descriptors: how many the process may open, how many the limits need, and what is kept for other uses.

The kernel gives a new connection the lowest descriptor that is free. So a connection whose descriptor lies in the
reserve tells that all below it are in use, without a count of who uses them.
"""

import asyncio
import contextlib
import errno
import logging
import resource
import time
from typing import Any, Final

from statusproxy.logs import Repeats

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
    """Raise the soft limit as far as is useful: then the limit that is met is ours, which answers 503."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def allowed() -> int:
    """How many descriptors the process may have open now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


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
    """The last descriptors, which no client's request gets: they are for the gateway, for files, and to say no with."""

    __slots__ = ("_first", "_repeats", "refused_at_once")

    def __init__(self, limit: int, upstream_connections: int) -> None:
        """`limit`: how many descriptors the process may have open."""
        size = min(limit // _RESERVED_PART, upstream_connections + _OTHER_USES)
        self._first = limit - size
        self._repeats = Repeats()
        self.refused_at_once = min(size // 2, 256)
        """Connections that may wait for a refusal to be read: they take descriptors of the reserve."""

    def touched(self, descriptor: int) -> bool:
        """Whether a new connection with this descriptor shows that all but the reserve is in use; logged if so."""
        if descriptor < self._first:
            return False
        self.tell("the process has nearly as many files open as it may")
        return True

    def tell(self, what: str) -> None:
        """Log that clients are refused for want of descriptors, at most once a minute."""
        now = time.monotonic()
        owed = self._repeats.more("descriptors", "descriptors", now)
        if owed is not None:
            more = owed[1]
            log.warning(
                "%s: idle clients are closed and new ones refused; raise the limit of open files%s",
                what,
                f" (and {more} times since this was last said)" if more else "",
                extra={"more": more},
            )

    def handle_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """asyncio's exception handler: `accept` without a descriptor is told in one line, the rest as usual."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_ROOM and "socket" in context:
            self.tell(f"no connection can be accepted ({error.strerror})")
        else:
            loop.default_exception_handler(context)
