"""The report of one finished exchange, for the access log and the metrics."""

import re
from enum import Enum, auto
from typing import Final

import msgspec


class RouteKind(Enum):
    """The ways a request can be handled."""

    PASS = auto()
    WEBHOOK = auto()
    CHANNELS = auto()
    QR = auto()
    CREATE = auto()
    DELETE = auto()
    NOT_FOUND = auto()

    __hash__ = object.__hash__  # an enumeration's own is a function in Python, and each exchange takes it twice


_ABSOLUTE: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

#: A first segment of a path that says nothing of anybody: a word, or an interface's version.
_PLAIN: Final = re.compile(rb"[A-Za-z][A-Za-z_-]{0,31}|[vV][0-9]{1,2}|")


#: What is shown of a path that may begin with a secret, and in place of a secret in a route's template.
HIDDEN: Final = "/…"
SECRET: Final = "***"  # noqa: S105 - what stands for one


class Report(msgspec.Struct):
    """One finished exchange, for the log and the metrics: never a body, a field's value or a query."""

    kind: RouteKind
    method: str
    status: int
    """What the client was sent; 499 where it left before its answer was whole, 0 where a stop cut the exchange off."""
    seconds: float
    upstream_seconds: float | None
    """From sending the request to the head of the answer; None when nothing was sent."""
    received: int
    sent: int
    request_id: str
    client: str
    target: bytes
    problem: str | None
    corrected: int
    template: str | None = None
    """The path of the route that served it, as configured; None where the request was only passed on, unless no part of
    its path may be shown (`HIDDEN`)."""

    @property
    def path(self) -> str:
        """As much of the path as may be logged: the route's template, else the first segment where it is a word.

        Anything else may be the id or number of a person, or a token: also a word, which a secret may be as well.
        """
        if self.template is not None:
            return self.template.replace("{_}", SECRET)
        first, slash, rest = path_of(self.target).removeprefix(b"/").partition(b"/")
        shown = first.decode("ascii") if _PLAIN.fullmatch(first) else "…"
        return f"/{shown}" + ("/…" if rest else slash.decode())


def path_of(target: bytes) -> bytes:
    """A request target without its query and, in absolute form (RFC 9112 §3.2.2), without scheme and authority."""
    path = target.partition(b"?")[0]
    absolute = _ABSOLUTE.match(path)
    return path if absolute is None else path[absolute.end() :]
