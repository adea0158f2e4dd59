"""Where things are: addresses to listen on, the gateway, other HTTP targets, networks.

Each `parse_…` raises ValueError with the end of a sentence that begins `found "…"; `: what is allowed, and
where it can be guessed what was meant.
"""

import ipaddress
import re
from typing import Literal

import msgspec

from statusproxy.config.errors import suggest
from statusproxy.config.path_tokens import is_plain, mask_tokens

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LISTEN_ALLOWED = "host:port, [v6]:port, :port (every interface) or unix:/path"
GATEWAY_ALLOWED = "http://host[:port][/base-path], https://host[:port][/base-path] or unix:/path"
TARGET_ALLOWED = "http://host[:port]/path or https://host[:port]/path"
ADMIN_ALLOWED = "host:port, http://host:port or unix:/path"
NETWORK_ALLOWED = "a network such as 10.0.0.0/8 or fd00::/8, or one address"

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)
_URL = re.compile(r"(?i:(https?)://)([^/?#]*)(/[^?#]*)?(\?[^#]*)?(#.*)?")
_UNWRITABLE = re.compile(r"[^\x21-\x7e]")  # URLs are ASCII without white space (RFC 3986 §2)
_UNIX_LONGEST = 107  # sockaddr_un.sun_path less its final NUL, on Linux

_WILDCARDS = {"0.0.0.0", "::"}

DEFAULT_PORTS = {"http": 80, "https": 443}

ADMIN_PORT = 8091
"""The admin listener's own, where `--admin` names none."""


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a listener stands: a host and a port, or the path of a Unix socket.

    An empty host means every interface; port 0 lets the system choose one.
    """

    host: str = ""
    port: int = 0
    unix: str | None = None

    def __str__(self) -> str:
        if self.unix is not None:
            return f"unix:{self.unix}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_private(self) -> bool:
        """True when only this machine can reach it: a Unix socket, or a loopback address."""
        if self.unix is not None or self.host.casefold() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def clashes_with(self, other: "Address") -> bool:
        """Whether the two cannot be listened on together. Names other than localhost are not looked up."""
        if self.unix is not None or other.unix is not None:
            return self.unix == other.unix
        if self.port != other.port or not self.port:
            return False
        return any(
            mine == theirs or ((":" in mine) == (":" in theirs) and not {mine, theirs}.isdisjoint(_WILDCARDS))
            for mine in _bound(self.host)
            for theirs in _bound(other.host)
        )


def _bound(host: str) -> tuple[str, ...]:
    """The addresses that are bound for a host: an IPv6 wildcard takes IPv6 only."""
    host = host.casefold()
    return {"": ("0.0.0.0", "::"), "localhost": ("127.0.0.1", "::1")}.get(host, (host,))


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An HTTP server and the path under it, taken apart: what a connection and a request line need."""

    scheme: Literal["http", "https", "unix"]
    host: str = ""  # a name or an address, an IPv6 one without its brackets; empty for a Unix socket
    port: int = 0
    path: str = ""  # the base path of a gateway, or the path of a `forward_to`; never ends with "/" for a gateway
    query: str = ""  # with its "?"; only a `forward_to` has one
    unix: str | None = None

    @property
    def authority(self) -> str:
        """`host[:port]` as a Host header says it: without the port where it is the scheme's own."""
        if self.unix is not None:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.unix is not None:
            return f"unix:{self.unix}"
        return f"{self.scheme}://{self.authority}{self.path}{self.query}"


def parse_address(text: str) -> Address:
    """Read an address to listen on. ValueError says what is allowed."""
    if text.startswith("unix:"):
        return Address(unix=_unix_path(text, LISTEN_ALLOWED))
    scheme = re.match(r"(?i)https?://", text)
    if scheme:
        rest = text[scheme.end() :].rstrip("/")
        raise _unfit(LISTEN_ALLOWED, rest if _is_host_and_port(rest) else None)
    if text.isascii() and text.isdigit():
        raise _unfit(LISTEN_ALLOWED, f":{text}")
    if text.startswith("*:"):
        raise _unfit(LISTEN_ALLOWED, text[1:] if _is_host_and_port(text[1:]) else None)
    try:
        host, port = parse_host_and_port(text, port=None)
    except ValueError:
        raise _unfit(LISTEN_ALLOWED, _bracketed(text)) from None
    return Address(host=host, port=port)


def parse_admin(text: str) -> Address:
    """Read where a running proxy's admin listener can be asked. ValueError says what is allowed."""
    if text.startswith("unix:"):
        return Address(unix=_unix_path(text, ADMIN_ALLOWED))
    written = re.sub(r"(?i)^http://", "", text)
    try:
        host, port = parse_host_and_port(written.rstrip("/"), port=ADMIN_PORT)
    except ValueError:
        host, port = "", 0
        if "@" in text:
            raise ValueError(f"allowed: {ADMIN_ALLOWED}, without a user; the token is admin.token") from None
    if not port:
        raise _unfit(ADMIN_ALLOWED, _bracketed(written))
    return Address(host=host or "127.0.0.1", port=port)


def parse_gateway(text: str) -> Target:
    """Read the gateway's address. ValueError says what is allowed and, for a near miss, what to write."""
    if text.startswith("unix:"):
        return Target(scheme="unix", unix=_unix_path(text, GATEWAY_ALLOWED))
    target = _parse_url(text, GATEWAY_ALLOWED)
    if target.query or text.endswith("?"):
        raise ValueError(
            'the gateway\'s address cannot have a query: each request has its own; remove what follows "?"'
        )
    return msgspec.structs.replace(target, path=target.path.rstrip("/"))


def parse_target(text: str) -> Target:
    """Read an http(s) URL that a webhook is forwarded to; a query is kept. ValueError says what is allowed."""
    target = _parse_url(text, TARGET_ALLOWED)
    return target if target.path else msgspec.structs.replace(target, path="/")


def parse_host_and_port(text: str, port: int | None) -> tuple[str, int]:
    """`host:port`, `[v6]:port` or `:port`; without a port, `port` serves unless it is None. Else ValueError."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ipaddress.ip_address(host).version != 6:
            raise ValueError(text)
    else:
        host, colon, rest = text.partition(":")
        rest = colon + rest
        if host and not _HOST_NAME.fullmatch(host):
            raise ValueError(text)
        if re.fullmatch(r"[\d.]+", host):
            ipaddress.IPv4Address(host)  # 256.0.0.1 is not a name, however much it looks like one
    if not rest and port is not None:
        return host, port
    if not re.fullmatch(r":[0-9]{1,5}", rest) or int(rest[1:]) > 65535:
        raise ValueError(text)
    return host, int(rest[1:])


def check_host(text: str) -> str:
    """The name or the address of a host, without a port. ValueError says what is allowed."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise ValueError("allowed: a host's name, such as gw.example, or its address") from None
    return text


def check_path(text: str) -> str:
    """The path of a file or directory. ValueError says what is allowed."""
    if not text.strip() or _UNWRITABLE_PATH.search(text):
        raise ValueError("allowed: a path, in one line of text")
    return text


def parse_network(text: str) -> Network:
    """Read a network, or one address as the network of itself. ValueError says what is allowed."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        meant = None
    raise _unfit(NETWORK_ALLOWED, meant)


def mask_url(url: str, mask: str) -> str:
    """A valid URL with the values of its query, and what may be a token in its path, replaced by `mask`."""
    address, question, query = url.partition("?")
    return _mask_path(address, mask) + question + _mask_query(query, mask)


def conceal(text: str, mask: str) -> str:
    """What an error may repeat of a text that may be a URL, or was meant to be one.

    Left out are: all before the last "@", all that stands after the colon of a URL's host and is not a port (a password
    whose "@" is missing), segments of a URL's path that are no plain words, tokens in another path, the values of a
    query, a fragment. What follows a "@" is a URL, with or without its scheme.
    """
    start, at, rest = text.rpartition("@")
    if at:
        scheme = re.match(r"[A-Za-z]+:/*(?=.)", start) if "://" in start else None
        return f"{scheme[0] if scheme else ''}{mask}@{conceal_url(rest, mask)}"
    no_port = _NO_PORT.match(text)
    if no_port:
        return f"{no_port[0]}{mask}"
    text, fragment, _ = text.partition("#")
    address, question, query = text.partition("?")
    path = _mask_path(mask_tokens(address, mask), mask)
    return path + question + _mask_query(query, mask) + (fragment and f"#{mask}")


def conceal_url(text: str, mask: str) -> str:
    """As `conceal`, of a text that was surely meant as a URL, even where its scheme is missing."""
    if _SCHEME.match(text) or text.startswith("unix:"):
        return conceal(text, mask)
    return conceal(f"http://{text}", mask).removeprefix("http://")


def _mask_query(query: str, mask: str) -> str:
    return "&".join(f"{part.partition('=')[0]}={mask}" if "=" in part else part and mask for part in query.split("&"))


def _mask_path(address: str, mask: str) -> str:
    """A URL without its query, with the segments of its path masked that are no plain words.

    Who takes events by a URL alone has its secret in there: https://hooks.example/T0/B0/TOKEN.
    """
    match = _BEFORE_PATH.match(address)
    if match is None:
        return address
    segments = address[match.end() :].split("/")
    return match[0] + "/".join(each if not each or is_plain(each) else mask for each in segments)


#: Scheme and authority of a URL with a path, also with slashes too few or too many, and after a method. The path of a
#: Unix socket is a file's.
_BEFORE_PATH = re.compile(r"(?!unix:)(?:[A-Za-z]+ +)?[A-Za-z][A-Za-z0-9+.-]*:/+[^/]+/")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")

#: The beginning of a URL up to the colon after its host, where no port follows.
_NO_PORT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/+(?:\[[^\]/?#]*\]|[^\[:/?#]*):(?![0-9]{0,5}(?:[/?#]|$))")
_UNWRITABLE_PATH = re.compile(r"[\x00-\x1f\x7f]")


def _parse_url(text: str, allowed: str) -> Target:
    if "://" not in text and _is_url(f"http://{text}", allowed):
        meant = f"http://{text}"
        raise _unfit(allowed, meant if _mask_path(meant, "") == meant else None)
    match = _URL.fullmatch(text)
    if match is None or _UNWRITABLE.search(text):
        raise _unfit(allowed, None)
    scheme: Literal["http", "https"] = "https" if match[1].lower() == "https" else "http"
    authority, path, query, fragment = match[2], match[3] or "", match[4] or "", match[5]
    if "@" in authority:
        bare = f"{authority}{path}".rpartition("@")[2]  # a password may hold a "/" or "@", unescaped
        meant = conceal(f"{scheme}://{bare}", "…")
        raise ValueError(f'a user and password here are never sent; remove what is before "@": {meant}')
    if fragment is not None:
        raise ValueError('a fragment is never sent; remove what follows "#"')
    try:
        host, port = parse_host_and_port(authority, port=DEFAULT_PORTS[scheme])
    except ValueError:
        raise _unfit(allowed, None) from None
    if not host or port == 0:
        raise _unfit(allowed, None)
    return Target(scheme=scheme, host=host, port=port, path=path, query=query)


def _is_host_and_port(text: str) -> bool:
    try:
        parse_host_and_port(text, port=None)
    except ValueError:
        return False
    return True


def _is_url(text: str, allowed: str) -> bool:
    try:
        _parse_url(text, allowed)
    except ValueError:
        return False
    return True


def _bracketed(text: str) -> str | None:
    """`[v6]:port` for the address that someone wrote as `v6:port`, if that is what they did."""
    host, _, port = text.rpartition(":")
    try:
        v6 = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return f"[{v6}]:{port}" if re.fullmatch(r"[0-9]{1,5}", port) else None


def _unix_path(text: str, allowed: str) -> str:
    path = text.removeprefix("unix:")
    if path.startswith("//"):
        raise _unfit(allowed, "unix:/" + path.lstrip("/"))
    if not path.startswith("/") or path.endswith("/") or _UNWRITABLE_PATH.search(path):
        raise _unfit(allowed, None)
    if len(path.encode(errors="surrogateescape")) > _UNIX_LONGEST:
        raise ValueError(f"a Unix socket's path holds at most {_UNIX_LONGEST} bytes; use a shorter one")
    return path


def _unfit(allowed: str, meant: str | None) -> ValueError:
    return ValueError(f"allowed: {allowed}{suggest(meant)}")
