"""Who may ask the admin listener: whoever holds the token, and no web page of elsewhere."""

import hmac
import ipaddress
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from statusproxy.admin import assets

#: Paths that tell nothing of the site, and need no token: a supervisor's check, and the page that asks for the token.
OPEN: Final = frozenset({"/healthz", *assets.FILES})


class Refused(NamedTuple):
    """Why a request is not answered: the status, the error, and what the header says besides."""

    status: int
    error: str
    headers: Mapping[str, str] = {}


def refusal(path: str, host: str, origin: str | None, authorization: str, token: str | None) -> Refused | None:
    """Why this request is refused, None where it is not. `token` is `admin.token`, the others are of the request.

    Keeps out what does not hold the token, and web pages elsewhere that a browser on this host has open. A page's
    script can send requests to loopback, so a request with a foreign `Origin` is refused, and so is a `Host` that is
    a name (DNS rebinding): operators and monitors use the address.
    """
    if token is not None and path not in OPEN:
        expected = f"Bearer {token}".encode()
        if not hmac.compare_digest(authorization.encode("utf-8", "surrogateescape"), expected):
            return Refused(401, "the admin token is missing or wrong", {"WWW-Authenticate": "Bearer"})
    if token is None and not is_address(host):
        return Refused(403, "ask for the admin listener by its address, not by a name, or set admin.token")
    if origin is not None and origin.partition("://")[2] != host:
        return Refused(403, "requests from other sites' pages are refused")
    return None


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
