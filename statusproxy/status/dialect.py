"""Where one gateway's events name things, as one value: for now where they mark messages of the session's own making.

Own messages prove nothing about a connection: the engine makes them without one. So every place is looked at in which
a known gateway marks them, whatever the gateway at hand: a mark that is missed ends the correction of a dead session.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import msgspec

from statusproxy.status.fields import Array, Path, fold_word

_MARKS: Final = ("fromMe", "from_me", "IsFromMe")

_MARK_HOLDERS: Final[tuple[Path, ...]] = (
    (), ("id",), ("message",), ("message", "id"),                               # the engine's own shape (WPPConnect)
    ("raw", "payload"), ("raw", "payload", "id"),                               # gateway-wrapper, normalised
    ("key",), ("message", "key"), ("messages", "0"), ("messages", "0", "key"),  # Baileys, as it is
    ("data",), ("data", "id"), ("data", "key"),                                 # Evolution API, OpenWA
    ("data", "0"), ("data", "0", "key"), ("data", "messages", "0"), ("data", "messages", "0", "key"),  # baileys-api
    ("data", "message"), ("data", "message", "id"), ("data", "message", "key"),  # wwebjs-api
    ("data", "message", "_data", "id"),
    ("payload",), ("payload", "id"), ("payload", "key"),                        # WAHA
    ("payload", "_data", "id"), ("payload", "_data", "key"),
    ("Info",), ("event", "Info"), ("data", "Info"), ("payload", "_data", "Info"),  # whatsmeow: wuzapi, evolution-go
)  # fmt: skip

_ID_HOLDERS: Final[tuple[Path, ...]] = (
    ("id",), ("message", "id"), ("raw", "payload", "id"), ("data", "id"), ("data", "message", "id"), ("payload", "id"),
)  # fmt: skip

OWN: Final[tuple[Path, ...]] = tuple((*holder, mark) for holder in _MARK_HOLDERS for mark in _MARKS)
"""Where a message is marked as the session's own, in the shapes of all known gateways; `0` is an array's first."""

OWN_IDS: Final[tuple[Path, ...]] = tuple(holder + end for holder in _ID_HOLDERS for end in ((), ("_serialized",)))
"""Where a message's id stands that says it: "true_<chat>_<id>" is sent, "false_<chat>_<id>" is received."""


class Dialect(msgspec.Struct, frozen=True, dict=True):
    """Where a gateway's events name things."""

    own: tuple[Path, ...] = OWN
    """Members that are true in messages of the session's own making."""
    own_ids: tuple[Path, ...] = OWN_IDS
    """Members that begin with `true_` in such messages."""

    def marks_own(self, document: object) -> bool:
        """Whether an event's document says that its message is of the session's own making."""
        return _any(document, self._tree)

    @cached_property
    def _tree(self) -> _Tree:
        root = _Tree()
        for paths, holds in ((self.own_ids, _is_own_id), (self.own, is_true)):
            for path in paths:
                node = root
                for step in path:
                    node = node.setdefault(step, _Tree())
                node.holds = holds
        return root


def is_true(value: object) -> bool:
    """Whether a mark is set: `true`, or what form bodies and lenient serialisers make of it."""
    if value is True:
        return True
    if type(value) is str:
        return fold_word(value) in _TRUE
    return type(value) is int and value == 1


_TRUE: Final = frozenset({"true", "1"})


def _is_own_id(value: object) -> bool:
    return type(value) is str and "_" in value and fold_word(value[:32]).startswith("true_")


class _Tree(dict[str, "_Tree"]):
    """Paths by their steps; `holds` judges the value where one of them ends here."""

    __slots__ = ("holds",)

    def __init__(self) -> None:
        self.holds: Callable[[object], bool] | None = None


def _any(value: object, tree: _Tree) -> bool:
    """Whether any of the paths leads from `value` to something that its test holds of."""
    if type(value) is dict:
        for step, inner in value.items():
            node = tree.get(step)
            if node is not None and ((node.holds is not None and node.holds(inner)) or (node and _any(inner, node))):
                return True
        return False
    if "0" in tree:
        if isinstance(value, Array):
            return _any({"0": value.first}, tree)
        if type(value) is list and value:
            return _any({"0": value[0]}, tree)
    return False
