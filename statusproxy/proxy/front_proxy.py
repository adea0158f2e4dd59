"""Detects a proxy in front that omits what this one needs: the client's address, or a WebSocket's `Upgrade`.

Neither shows in the request that lacks it. A request without `X-Forwarded-For` looks as if the peer itself asked, so
that an event from the internet, passed on by an nginx on this host, looks local and is trusted. What does show is
that someone passed the request on.
"""

from functools import lru_cache
from typing import Final

from statusproxy.observe.absences import CLIENT, UPGRADE
from statusproxy.proxy.client_address import NAMING, Peer, Trust
from statusproxy.proxy.http1.head import first
from statusproxy.proxy.http1.request_parser import RequestHead

NOTHING: Final[tuple[str, ...]] = ()

#: Fields that only a proxy writes.
_PASSED_ON: Final = frozenset({b"via", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port"})

#: What nginx and proxies like it write themselves, so spelt, before the fields of the client.
_OWN: Final = frozenset({b"Host", b"Connection", b"Content-Length", b"Transfer-Encoding"})

#: Ends of names that are given inside a network (RFC 6761, RFC 6762, RFC 8375, RFC 9476), and what Docker calls the
#: host. With such a name a program beside us may ask us directly.
_INSIDE: Final = (
    ".alt",
    ".example",
    ".home.arpa",
    ".internal",
    ".invalid",
    ".lan",
    ".local",
    ".localdomain",
    ".localhost",
    ".test",
)

#: Ports that a URL need not name, and none.
_WEB_PORTS: Final = frozenset({"", "80", "443"})


def left_out(head: RequestHead, peer: Peer, trust: Trust, *, at_web_port: bool) -> tuple[str, ...]:
    """What a proxy in front has left out of this request; mostly nothing.

    `at_web_port` tells that we listen on port 80 or 443 ourselves: then clients ask for a name without a port.
    """
    well_known = head.well_known
    found = NOTHING
    if b"sec-websocket-key" in well_known and not head.upgrade:  # RFC 6455 §4.1 has both
        found = (UPGRADE,)
    if (
        NAMING.isdisjoint(well_known)
        and trust.is_trusted(peer.address)
        and (
            not _PASSED_ON.isdisjoint(well_known)
            or _is_old_and_named(head)
            or _begins_as_passed_on(head)
            or (not at_web_port and _is_public(well_known.get(b"host", _NO_HOST)[0]))
        )
    ):
        found = (CLIENT, *found)
    return found


_NO_HOST: Final = [b""]


def _is_old_and_named(head: RequestHead) -> bool:
    """HTTP/1.0 from a client that names itself: what nginx (before 1.29.7) makes of every request by default.

    Clients have spoken HTTP/1.1 for decades. A health check in HTTP/1.0 (HAProxy's, keepalived's) names no one.
    """
    return head.version == (1, 0) and first(head.headers, b"user-agent") is not None


def _begins_as_passed_on(head: RequestHead) -> bool:
    """Fields in the order of nginx: first its own, then what the client sent, `User-Agent` among that.

    nginx writes its own `Host`, `Connection: close` and length of the body, and puts the client's fields after them.
    A client names itself before it tells the length of a body or closes; browsers, which do not, say `keep-alive`.
    """
    own, has_host = 0, False
    for name, value in head.headers:
        if name not in _OWN or (name == b"Connection" and value.lower() != b"close"):
            break
        own += 1
        has_host = has_host or name == b"Host"
    return has_host and own > 1 and first(head.headers, b"user-agent") is not None


@lru_cache(maxsize=256)
def _is_public(host: bytes) -> bool:
    """Whether a `Host` is a name of the internet without our port: then the request was made to a proxy in front."""
    name, _, port = host.decode().lower().partition(":")
    name = name.rstrip(".")
    return (
        port in _WEB_PORTS
        and "." in name  # an IPv6 address has none before its first colon
        and not name.endswith(_INSIDE)
        and not name.rpartition(".")[2].isdigit()  # an IPv4 address
    )
