"""The authority of a request: the host and port that `Host` or an absolute target names (RFC 9110 §4.2, §7.2).

The grammar is that of RFC 3986 §3.2, less what no HTTP client writes and some parsers read differently: the
sub-delimiters (`,`, `;`, `=`, …) in a host name, zones, future IP versions, and user information in `Host`.
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

#: Characters of a host. A DNS name has at most 253, an IPv6 literal with brackets at most 47.
_LONGEST_HOST: Final = 255

#: The largest port.
_LAST_PORT: Final = 65_535

#: A host name, an IPv4 address or a bracketed literal, and a port that may be empty (RFC 3986 §3.2.3).
_AUTHORITY: Final = re.compile(
    rb"(?P<host>(?>(?:[A-Za-z0-9._~\-]|%[0-9A-Fa-f]{2})+)|\[(?P<v6>[0-9A-Fa-f:.]++)\])(?::(?P<port>[0-9]{0,5}+))?"
)

#: User information in front of a host (RFC 3986 §3.2.1), and a percent sign in it that begins no octet. One expression
#: for both would keep a place for each octet: memory of a hundred times the length, for each such request.
_USER: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\-]*+@")
_LONE_PERCENT: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")

#: `scheme://`, and what lies between it and the path or query (RFC 3986 §3).
_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*+://([^/?#]*+)([/?].*+)?", re.DOTALL)


class Absolute(NamedTuple):
    """An absolute-form target (RFC 9112 §3.2.2)."""

    authority: bytes
    """The host and port as they stand in the target, without user information."""
    path: bytes
    """The path and query as they stand in the target; empty where it has neither."""


def is_authority(text: bytes) -> bool:
    """Whether `text` is a host, with or without a port. Empty text is not."""
    return len(text) <= _LONGEST_HOST + len(":65535") and _parses(text)


@lru_cache(maxsize=256)  # a site is asked for by few names
def _parses(text: bytes) -> bool:
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(match["host"]) > _LONGEST_HOST:
        return False
    literal = match["v6"]
    if literal is not None:
        try:
            IPv6Address(literal.decode())
        except AddressValueError:
            return False
    port = match["port"]
    return not port or int(port) <= _LAST_PORT


def absolute(target: bytes) -> Absolute | None:
    """The parts of an absolute-form target; None where it is none, or its authority is invalid.

    User information is taken off: RFC 9110 §4.2.4 has no use for it in a request.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        return None
    user = _USER.match(found[1])
    if user is not None and _LONE_PERCENT.search(user[0]):
        return None
    authority = found[1][user.end() :] if user is not None else found[1]
    return Absolute(authority, found[2] or b"") if is_authority(authority) else None
