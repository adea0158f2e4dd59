"""Access control of the admin listener: the token, and no requests from other sites' pages."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from statusproxy.admin import assets

#: Paths that need no token: a supervisor's check, and the page that asks for the token.
OPEN: Final = frozenset({"/healthz", *assets.FILES})

#: Paths for tools that poll, as they begin and end. Some of these tools can send a password only (RFC 7617).
_POLLED: Final = (("/up", "/up"), ("/sessions/", "/up"), ("/badge/", ".svg"))


class Refused(NamedTuple):
    """The answer to a request that is refused: its status, error and headers."""

    status: int
    error: str
    headers: Mapping[str, str] = {}


def refusal(path: str, host: str, origin: str | None, authorization: str, token: str | None) -> Refused | None:
    """The refusal of this request, None if it may be answered. `token` is `admin.token`; the rest is the request's.

    Refused are requests without the token, and those of other sites' pages that a browser on this host has open: a
    page's script can send requests to loopback. So a foreign `Origin` is refused and, without a token, a `Host` that
    is a name (DNS rebinding): operators and monitors use the address.

    Where tools poll, the token may also be the password of Basic authentication, with any name. It is not asked for, so
    that no browser keeps it and sends it along with what another site's page makes it ask.
    """
    if token is not None and path not in OPEN:
        given = authorization.encode("utf-8", "surrogateescape")
        if not (
            hmac.compare_digest(given, f"Bearer {token}".encode())
            or (is_polled(path) and hmac.compare_digest(_password(given), token.encode()))
        ):
            return Refused(401, "the admin token is missing or wrong", {"WWW-Authenticate": "Bearer"})
    if token is None and not is_address(host):
        return Refused(403, "ask for the admin listener by its address, not by a name, or set admin.token")
    if origin is not None and origin.partition("://")[2] != host:
        return Refused(403, "requests from other sites' pages are refused")
    return None


def is_polled(path: str) -> bool:
    """Whether a path, decoded, is one for tools that poll: it tells how sessions stand, and changes nothing."""
    return any(path.startswith(begin) and path.endswith(end) for begin, end in _POLLED)


def _password(authorization: bytes) -> bytes:
    """The password of Basic authentication; empty if there is none."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def is_address(host: str) -> bool:
    """Whether a `Host` is an IP address or localhost, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or not name:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
