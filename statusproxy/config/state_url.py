"""The forms of `state.url`: which stores there are, how each is written, and what of a URL may be shown.

This is the only place that knows them. `check` accepts a URL when `parse_state_url` reads it, and `run`, `backup`, the
doctor and the installer work with what it returns.

A Redis URL has the form of `redis-cli -u`: redis://[[user]:password@]host[:port][/database], `rediss` for TLS, and a
user info without a colon is the password. `?prefix=` is an addition, for several proxies in one database.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from statusproxy.config.addresses import parse_host_and_port
from statusproxy.config.errors import suggest

__all__ = [
    "STATE_ALLOWED",
    "Memory",
    "Place",
    "SqliteFile",
    "StateUrl",
    "mask_state_url",
    "parse_state_url",
    "reveal_state_url",
]

STATE_ALLOWED: Final = "memory:, sqlite:///path or redis://[[user]:password@]host[:6379][/0] (rediss:// for TLS)"

#: What `found …` may be followed by where a user or password cannot be told from the rest of the URL (RFC 3986 §2.2).
_ENCODE: Final = (
    "; in a user or password, also one from a variable, write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, "
    "@ as %40, % as %25"
)

_PORT: Final = 6379
_PREFIX: Final = "statusproxy:"

_SQLITE: Final = "sqlite:///"

# No "/", "?", "#", "[", "]" or "@" in the user info: with one of these no two readers agree where the host begins.
_REDIS: Final = re.compile(
    r"(?P<scheme>rediss?)://"
    r"(?:(?P<user>[^/?#\[\]@:]*)(?::(?P<password>[^/?#\[\]@]*))?@)?"
    r"(?P<host>[^/?#@]+)"
    r"(?:/(?P<database>[0-9]{0,5}))?"
    r"(?:\?prefix=(?P<prefix>[^&#=?]+))?"
)
_OUTSIDE_URL: Final = re.compile(r"[^\x21-\x7e]")  # a URL is ASCII without white space (RFC 3986 §2)
_OUTSIDE_PATH: Final = re.compile(r"[\x00-\x1f\x7f?#]")
_SCHEME: Final = re.compile(r"[a-z]{1,20}:(?://)?")


@dataclass(frozen=True, slots=True)
class Memory:
    """`memory:`: nothing survives the process."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """`sqlite:///relative.db` or `sqlite:////absolute.db`."""

    path: str
    """As it is written; a relative one lies in `STATE_DIRECTORY`, else in the working directory."""


@dataclass(frozen=True, slots=True)
class Place:
    """`redis://…`, `rediss://…`: a Redis server, a database in it, and what our keys begin with."""

    host: str
    port: int = _PORT
    database: int = 0
    prefix: str = _PREFIX
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis at {host}:{self.port}/{self.database}, keys {self.prefix}*"

    def conceal(self, text: str) -> str:
        """`text` without the password, and without the arguments of a command that the server did not know."""
        # A server without the command AUTH repeats what was sent with it.
        text = text.partition(", with args beginning with")[0]
        return text.replace(self.password, "***") if self.password else text


StateUrl = Memory | SqliteFile | Place


def parse_state_url(text: str) -> StateUrl:
    """Read a `state.url`.

    `ValueError` ends a sentence that begins `found …; `: what is allowed, and where it can be told, what was meant. It
    repeats nothing that may be a password.
    """
    if text == "memory:":
        return Memory()
    scheme, colon, rest = text.partition(":")
    if scheme == "memory" and colon and not rest.strip("/"):
        raise _unfit("memory:")
    if scheme == "sqlite" and colon:
        return _sqlite(rest)
    return _redis(text)


def mask_state_url(url: str, mask: str) -> str:
    """A valid `state.url` with the password that it carries replaced by `mask`."""
    match = _REDIS.fullmatch(url)
    if match is None or match["user"] is None:
        return url
    # What stands alone before "@" is the password, or meant as one.
    user = match["user"] if match["password"] else ""
    return f"{match['scheme']}://{user}:{mask}{url[match.start('host') - 1 :]}"


def reveal_state_url(text: str, mask: str) -> str:
    """What an error may repeat of a text that was meant as `state.url`: of a server's address the scheme only."""
    scheme = _SCHEME.match(text)
    if text.startswith(("sqlite:", "memory:")) and "@" not in text:
        return text
    return f"{scheme[0]}{mask}" if scheme else mask


def _sqlite(rest: str) -> SqliteFile:
    path = rest.removeprefix("///")
    if not rest.startswith("///") or path == ":memory:":
        path = rest.lstrip("/")
        raise _unfit("memory:" if path in ("", ":memory:") else f"{_SQLITE}{path}")
    if not path or path.endswith(("/", "/.", "/..")) or path in (".", "..") or _OUTSIDE_PATH.search(path):
        raise ValueError(f"allowed: {STATE_ALLOWED}; after sqlite:/// the path of a file, and nothing after it")
    return SqliteFile(path)


def _redis(text: str) -> Place:
    match = _REDIS.fullmatch(text)
    if match is None or _OUTSIDE_URL.search(text):
        raise ValueError(f"allowed: {STATE_ALLOWED}" + (_ENCODE if "@" in text else ""))
    try:
        host, port = parse_host_and_port(match["host"], _PORT)
    except ValueError:
        host, port = "", 0
    if not host or not port:
        raise ValueError(f"allowed: {STATE_ALLOWED}")
    user, password = _decoded(match["user"]), _decoded(match["password"])
    if match["password"] is None:
        user, password = None, user
    prefix = _decoded((match["prefix"] or "").replace("+", " ")) or _PREFIX
    if not prefix.isprintable():
        raise ValueError("allowed: a prefix of printable characters, such as ?prefix=site-a:")
    database = int(match["database"] or 0)
    return Place(host.lower(), port, database, prefix, match["scheme"] == "rediss", user, password)


def _decoded(part: str | None) -> str | None:
    """A part of a URL without its percent-encoding; None where it is empty."""
    try:
        return unquote(part, errors="strict") if part else None
    except UnicodeDecodeError:
        raise ValueError("allowed: percent-encoded UTF-8, such as %C3%A9 for é") from None


def _unfit(meant: str) -> ValueError:
    return ValueError(f"allowed: {STATE_ALLOWED}{suggest(meant)}")
