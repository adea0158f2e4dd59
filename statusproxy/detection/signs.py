"""The signs that identify a gateway: harmless GETs, and the shape of the answers to them. Values; no I/O.

A preset carries them in its `about:` block, as YAML:

    about:
      title: Evolution API v2
      secret: apikey                  # the header for its secret, or "Authorization: Bearer"
      signs:
        - get: /instance/fetchInstances
          list: ""                    # where the array stands
          each: {name: text, connectionStatus: [open, close, connecting]}
          has: {}                     # the same for the document itself
          refused: {message: [No]}    # where {secret} stands in `get`: the answer to a wrong one (400 to 499)
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

import msgspec

from statusproxy.status.fields import MISSING, Path, lookup, parse_path

SECRET: Final = "{secret}"  # noqa: S105 - a placeholder in a path
"""The segment of a path that is replaced by the gateway's secret."""

NO_SECRET: Final = "-"  # noqa: S105 - no secret
"""What stands there first: a gateway that refuses it as it should is known, and may be given the secret."""

#: Segments of requests that change something at some gateway, though they are GETs: never asked for.
_HARMFUL: Final = frozenset(
    {
        "unhealthy",
        "start",
        "stop",
        "restart",
        "connect",
        "disconnect",
        "logout",
        "terminate",
        "delete",
        "create",
        "qr",
        "start-all",
    }
)

_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:: ?([A-Za-z0-9-]+))?", re.ASCII)

Kind = str | frozenset[str]
"""What a member holds: `text`, `number`, `boolean`, `any`, or one of these words exactly."""

KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "text": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "any": (object,),
}


class SignError(ValueError):
    """A preset's signs cannot be read; the text says which and why."""


class Fit(IntEnum):
    """How an answer fits a sign; more fits better."""

    NO = 0
    POSSIBLE = 1
    """The list is empty: nothing speaks against it, and nothing for it."""
    YES = 2


class Header(msgspec.Struct, frozen=True):
    """How a gateway wants its secret: under a header's name, behind a scheme such as `Bearer`."""

    name: str
    scheme: str | None = None

    def value(self, secret: str) -> str:
        """The header's value with this secret."""
        return secret if self.scheme is None else f"{self.scheme} {secret}"

    def __str__(self) -> str:
        return self.name if self.scheme is None else f"{self.name}: {self.scheme}"


class Sign(msgspec.Struct, frozen=True):
    """One GET, and the shape of the answer by which the gateway is known."""

    get: str
    header: Header | None = None
    list: Path | None = None
    """The path of the array; None if the sign looks for no array."""
    each: Mapping[Path, Kind] | str | None = None
    """What each element holds: members, or a kind where the elements are no objects."""
    has: Mapping[Path, Kind] = {}
    """What the document itself holds."""
    refused: Mapping[Path, Kind] = {}
    """What the document of the answer to a wrong secret holds, where the secret stands in the path."""

    @property
    def needs_secret(self) -> bool:
        """Whether the secret stands in the path."""
        return SECRET in self.get.split("/")

    @property
    def without_secret(self) -> str:
        """The path with what is no secret in the secret's place."""
        return self.get.replace(SECRET, NO_SECRET)

    def is_refusal(self, document: object) -> bool:
        """Whether a document is how this gateway refuses a wrong secret in the path."""
        return all(_holds(lookup(document, path), kind) for path, kind in self.refused.items())

    def fit(self, document: object) -> Fit:
        """How well the document of an answer fits."""
        if not all(_holds(lookup(document, path), kind) for path, kind in self.has.items()):
            return Fit.NO
        if self.list is None:
            return Fit.YES
        elements = lookup(document, self.list)
        if type(elements) is not list:
            return Fit.NO
        if not elements:
            return Fit.POSSIBLE
        return Fit.YES if all(map(self._is_element, elements)) else Fit.NO

    def _is_element(self, element: object) -> bool:
        if isinstance(self.each, str):
            return _holds(element, self.each)
        if self.each is None:
            return True
        return type(element) is dict and all(_holds(lookup(element, path), kind) for path, kind in self.each.items())


def read_signs(about: Mapping[str, Any], preset: str) -> tuple[Sign, ...]:
    """The signs of a preset's `about:` block; none where it has none. Raises `SignError`."""
    default = _header(about.get("secret"), preset)
    signs = about.get("signs", [])
    if not isinstance(signs, list):
        raise SignError(f"preset {preset}: about.signs is not a list")
    return tuple(_sign(each, default, f"preset {preset}: about.signs[{number}]") for number, each in enumerate(signs))


def _sign(written: object, default: Header | None, where: str) -> Sign:
    if not isinstance(written, dict):
        raise SignError(f"{where} is not a mapping")
    unknown = written.keys() - {"get", "secret", "list", "each", "has", "refused"}
    if unknown:
        raise SignError(f"{where} has unknown keys: {', '.join(sorted(map(str, unknown)))}")
    get, place, each = written.get("get"), written.get("list"), written.get("each")
    if not isinstance(get, str) or not get.startswith("/") or not get.isascii() or not get.isprintable() or " " in get:
        raise SignError(f"{where}.get is not a path such as /api/sessions")
    harmful = _HARMFUL.intersection(get.casefold().split("/"))
    if harmful:
        raise SignError(f"{where}.get asks for {min(harmful)}, which may change something")
    if place is not None and not isinstance(place, str):
        raise SignError(f"{where}.list is not a dotted path")
    if each is not None and place is None:
        raise SignError(f"{where}.each needs list")
    if place is None and not written.get("has"):
        raise SignError(f"{where} needs list or has")
    if (SECRET in get.split("/")) != bool(written.get("refused")):
        raise SignError(f"{where}: refused belongs to a path with {SECRET}, and that needs it")
    return Sign(
        get,
        _header(written["secret"], where) if "secret" in written else default,
        None if place is None else parse_path(place),
        _kind(each, where) if isinstance(each, str) else None if each is None else _kinds(each, f"{where}.each"),
        _kinds(written.get("has", {}), f"{where}.has"),
        _kinds(written.get("refused", {}), f"{where}.refused"),
    )


def _kinds(written: object, where: str) -> Mapping[Path, Kind]:
    if not isinstance(written, dict):
        raise SignError(f"{where} is not a mapping of members to kinds")
    return {
        parse_path(str(name)): _kind(kind, where) if isinstance(kind, str) else _words(kind, where)
        for name, kind in written.items()
    }


def _kind(kind: str, where: str) -> str:
    if kind not in KINDS:
        raise SignError(f"{where}: {kind} is not one of {', '.join(KINDS)}, and not a list of words")
    return kind


def _words(words: object, where: str) -> frozenset[str]:
    if not isinstance(words, Sequence) or not words or not all(isinstance(word, str) for word in words):
        raise SignError(f"{where}: not a list of words, nor one of {', '.join(KINDS)}")
    return frozenset(words)


def _header(written: object, where: str) -> Header | None:
    if written is None:
        return None
    match = _HEADER.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise SignError(f'{where}: secret is not a header such as apikey or "Authorization: Bearer"')
    return Header(match[1], match[2])


def _holds(value: object, kind: Kind) -> bool:
    if value is MISSING:
        return False
    if isinstance(kind, frozenset):
        return type(value) is str and value in kind
    if kind == "number" and type(value) is bool:
        return False
    return isinstance(value, KINDS[kind])
