"""Where the state is kept in Redis: what a `redis://` or `rediss://` url says, its password never shown.

The forms are those of `redis-cli -u`: redis://[[user]:password@]host[:port][/database], `rediss` for TLS, and a
user info without a colon is the password. One thing is ours: `?prefix=`, for several proxies in one database.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["ALLOWED", "Place"]

ALLOWED: Final = "redis://[[user]:password@]host[:6379][/0][?prefix=statusproxy:], rediss:// for TLS"

_PORT: Final = 6379
_PREFIX: Final = "statusproxy:"


@dataclass(frozen=True, slots=True)
class Place:
    """A server, a database in it, and what our keys begin with."""

    host: str
    port: int = _PORT
    database: int = 0
    prefix: str = _PREFIX
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Place":
        """Read a url. `ValueError` says what is allowed, and repeats nothing of the url: it may hold a password."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
            database = int(parts.path[1:] or 0)
        except ValueError:
            raise _unfit("cannot be read") from None
        if parts.scheme not in ("redis", "rediss") or not host or parts.fragment or database < 0:
            raise _unfit("cannot be read")
        if [name for name, _ in query] not in ([], ["prefix"]):
            raise _unfit("has something other than one prefix after its ?")
        prefix = query[0][1] if query else _PREFIX
        if not prefix or not prefix.isprintable():
            raise _unfit("has an empty or unprintable prefix")
        user, password = parts.username, parts.password
        if user and password is None:
            user, password = None, user
        return cls(
            host, port or _PORT, database, prefix, parts.scheme == "rediss",
            unquote(user) if user else None, unquote(password) if password else None,
        )  # fmt: skip

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis at {host}:{self.port}/{self.database}, keys {self.prefix}*"

    def conceal(self, text: str) -> str:
        """`text` without the password, and without the arguments of a command that the server did not know."""
        # A server without AUTH's command repeats what it was sent with it.
        text = text.partition(", with args beginning with")[0]
        return text.replace(self.password, "***") if self.password else text


def _unfit(what: str) -> ValueError:
    return ValueError(f"state.url: the address of the Redis server {what}; allowed: {ALLOWED}")
