"""The forms of `state.url`, a row of `FORMS` per kind of store.

A row says how the URL is written, read and shown, which module keeps the state, and which optional package that needs.

This is the only place that knows them. `check` accepts a URL when `parse_state_url` reads it, and `run`, `backup`, the
doctor and the installer work with what it returns.

A Redis URL has the form of `redis-cli -u`: redis://[[user]:password@]host[:port][/database], `rediss` for TLS, and a
user info without a colon is the password. `?prefix=` is an addition, for several groups of proxies in one database.
`redis+sentinel://host[:26379],…` names the Sentinels instead, and the master with `?master=`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

import msgspec

from statusproxy.config.addresses import parse_host_and_port
from statusproxy.config.errors import suggest

__all__ = [
    "FORMS",
    "STATE_ALLOWED",
    "Form",
    "Memory",
    "Place",
    "SqliteFile",
    "StateUrl",
    "find_form",
    "mask_state_url",
    "parse_state_url",
    "reveal_state_url",
]

#: What `found …` may be followed by where a user or password cannot be told from the rest of the URL (RFC 3986 §2.2).
_ENCODE: Final = (
    "; in a user or password, also one from a variable, write / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, "
    "@ as %40, % as %25"
)

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_PREFIX: Final = "statusproxy:"

_SQLITE: Final = "sqlite:///"

# No "/", "?", "#", "[", "]" or "@" in the user info: with one of these no two readers agree where the host begins.
_REDIS: Final = re.compile(
    r"(?P<scheme>rediss?(?:\+sentinel)?)://"
    r"(?:(?P<user>[^/?#\[\]@:]*)(?::(?P<password>[^/?#\[\]@]*))?@)?"
    r"(?P<host>[^/?#@]+)"
    r"(?:/(?P<database>[0-9]{0,5}))?"
    r"(?:\?(?P<query>[^#?]+))?"
)
_OUTSIDE_URL: Final = re.compile(r"[^\x21-\x7e]")  # a URL is ASCII without white space (RFC 3986 §2)
_OUTSIDE_PATH: Final = re.compile(r"[\x00-\x1f\x7f?#]")
_SCHEME: Final = re.compile(r"[a-z]{1,20}:(?://)?")


class Memory(msgspec.Struct, frozen=True):
    """`memory:`: nothing survives the process."""


class SqliteFile(msgspec.Struct, frozen=True):
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
    sentinels: tuple[tuple[str, int], ...] = ()
    """Hosts and ports of the Sentinels that tell which server is the master; then `host` and `port` are the first's."""
    master: str = ""
    """The name by which the Sentinels know it."""

    def __str__(self) -> str:
        if self.sentinels:
            told_by = " ".join(_address(*sentinel) for sentinel in self.sentinels)
            return f"redis at {self.master}/{self.database} (Sentinels {told_by}), keys {self.prefix}*"
        return f"redis at {self.address}/{self.database}, keys {self.prefix}*"

    @property
    def address(self) -> str:
        """Host and port, as one writes them."""
        return _address(self.host, self.port)

    def conceal(self, text: str) -> str:
        """`text` without the password, and without the arguments of a command that the server did not know."""
        # A server without the command AUTH repeats what was sent with it.
        text = text.partition(", with args beginning with")[0]
        return text.replace(self.password, "***") if self.password else text


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _memory(url: str) -> Memory:
    if url == "memory:":
        return Memory()
    if not url.removeprefix("memory:").strip("/"):
        raise _unfit("memory:")
    raise _refused(url)


def _sqlite(url: str) -> SqliteFile:
    rest = url.removeprefix("sqlite:")
    path = rest.removeprefix("///")
    if not rest.startswith("///") or path == ":memory:":
        path = rest.lstrip("/")
        raise _unfit("memory:" if path in ("", ":memory:") else f"{_SQLITE}{path}")
    if not path or path.endswith(("/", "/.", "/..")) or path in (".", "..") or _OUTSIDE_PATH.search(path):
        raise ValueError(f"allowed: {STATE_ALLOWED}; after sqlite:/// the path of a file, and nothing after it")
    return SqliteFile(path)


def _redis(url: str) -> Place:
    match = _REDIS.fullmatch(url)
    if match is None or _OUTSIDE_URL.search(url):
        raise _refused(url)
    scheme, _, told_by = match["scheme"].partition("+")
    query = _query(url, match["query"], ("prefix", "master") if told_by else ("prefix",))
    hosts = match["host"].split(",") if told_by else [match["host"]]
    addresses = [_host_and_port(host, _SENTINEL_PORT if told_by else _PORT) for host in hosts]
    if told_by and "master" not in query:
        raise ValueError(
            "name the master as the Sentinels know it: redis+sentinel://h1:26379,h2:26379/0?master=NAME (in their "
            "sentinel.conf: sentinel monitor NAME …)"
        )
    user, password = _decoded(match["user"]), _decoded(match["password"])
    if match["password"] is None:
        user, password = None, user
    prefix, master = query.get("prefix", _PREFIX), query.get("master", "")
    if not prefix.isprintable():
        raise ValueError("allowed: a prefix of printable characters, such as ?prefix=site-a:")
    if not master.isprintable():
        raise ValueError("allowed: a master of printable characters, such as ?master=mymaster")
    database = int(match["database"] or 0)
    sentinels = tuple(addresses) if told_by else ()
    return Place(*addresses[0], database, prefix, scheme == "rediss", user, password, sentinels, master)


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    try:
        host, port = parse_host_and_port(text, port)
    except ValueError:
        host, port = "", 0
    if not host or not port:
        raise ValueError(f"allowed: {STATE_ALLOWED}")
    return host.lower(), port


def _query(url: str, text: str | None, known: tuple[str, ...]) -> dict[str, str]:
    """What stands behind the question mark; each of the `known` names once, with a value."""
    found: dict[str, str] = {}
    for part in (text or "").split("&") if text else ():
        name, _, value = part.partition("=")
        decoded = _decoded(value.replace("+", " "))
        if name not in known or name in found or decoded is None or "=" in value:
            raise _refused(url)
        found[name] = decoded
    return found


def _mask_redis(url: str, mask: str) -> str:
    match = _REDIS.fullmatch(url)
    if match is None or match["user"] is None:
        return url
    # What stands alone before "@" is the password, or meant as one.
    user = match["user"] if match["password"] else ""
    return f"{match['scheme']}://{user}:{mask}{url[match.start('host') - 1 :]}"


def _decoded(part: str | None) -> str | None:
    """A part of a URL without its percent-encoding; None where it is empty."""
    try:
        return unquote(part, errors="strict") if part else None
    except UnicodeDecodeError:
        raise ValueError("allowed: percent-encoded UTF-8, such as %C3%A9 for é") from None


def _refused(url: str) -> ValueError:
    return ValueError(f"allowed: {STATE_ALLOWED}" + (_ENCODE if "@" in url else ""))


def _unfit(meant: str) -> ValueError:
    return ValueError(f"allowed: {STATE_ALLOWED}{suggest(meant)}")


StateUrl = Memory | SqliteFile | Place


class Form(msgspec.Struct, frozen=True):
    """How the URL of one kind of store is written, and what belongs to it."""

    schemes: tuple[str, ...]
    """What stands before the first colon."""
    written: str
    """The form, as messages show it."""
    read: Callable[[str], StateUrl]
    """The parts of a URL with such a scheme; `ValueError` as in `parse_state_url`."""
    backend: str
    """The module that keeps the state: its `make_store` takes the parts and the options of a store."""
    mask: Callable[[str, str], str] | None = None
    """A valid URL with its secret replaced by a mask. None: such a URL holds no secret, and may be shown."""
    title: str = ""
    """What messages call the store …"""
    extra: str = ""
    """… that needs this extra of `pyproject.toml` …"""
    package: str = ""
    """… which brings this module."""
    no_backup: str = ""
    """Why `backup` and `restore` cannot copy such a state, as their message says it. Empty: they can."""


#: One row per kind of store. A new store is a backend, a frozen class for the parts of its URL (above), and a row here.
FORMS: Final = (
    Form(
        ("memory",), "memory:", _memory, "statusproxy.store.memory",
        no_backup="the state is kept in memory only (state.url): it is lost when the process ends",
    ),
    Form(("sqlite",), "sqlite:///path", _sqlite, "statusproxy.store.sqlite"),
    Form(
        ("redis", "rediss", "redis+sentinel", "rediss+sentinel"),
        "redis://[[user]:password@]host[:6379][/0] (rediss:// for TLS; redis+sentinel://h1:26379,h2:26379/0?master=NAME)",
        _redis,
        "statusproxy.store.redis", _mask_redis, title="Redis", extra="redis", package="redis",
    ),
)  # fmt: skip

STATE_ALLOWED: Final = " or ".join([", ".join(form.written for form in FORMS[:-1]), FORMS[-1].written])


def find_form(url: str) -> Form | None:
    """The form that the scheme of a URL names; None where there is no such store."""
    scheme, colon, _ = url.partition(":")
    return next((form for form in FORMS if colon and scheme in form.schemes), None)


def parse_state_url(text: str) -> StateUrl:
    """Read a `state.url`.

    `ValueError` ends a sentence that begins `found …; `: what is allowed, and where it can be told, what was meant. It
    repeats nothing that may be a password.
    """
    form = find_form(text)
    if form is None:
        raise _refused(text)
    return form.read(text)


def mask_state_url(url: str, mask: str) -> str:
    """A valid `state.url` with the password that it carries replaced by `mask`."""
    form = find_form(url)
    return url if form is None or form.mask is None else form.mask(url, mask)


def reveal_state_url(text: str, mask: str) -> str:
    """What an error may repeat of a text that was meant as `state.url`: of a server's address the scheme only."""
    form = find_form(text)
    if form is not None and form.mask is None and "@" not in text:
        return text
    scheme = _SCHEME.match(text)
    return f"{scheme[0]}{mask}" if scheme else mask
