"""Where one gateway's events name things, as one value: for now where they mark messages of the session's own making.

Own messages prove nothing about a connection: the engine makes them without one. So every place is looked at in which
a known gateway marks them, whatever the gateway at hand: a mark that is missed ends the correction of a dead session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        return _any(document, self._own_tree, is_true) or _any(document, self._id_tree, _is_own_id)

    @cached_property
    def _own_tree(self) -> _Tree:
        return _tree(self.own)

    @cached_property
    def _id_tree(self) -> _Tree:
        return _tree(self.own_ids)


def is_true(value: object) -> bool:
    """Whether a mark is set: `true`, or what form bodies and lenient serialisers make of it."""
    if value is True:
        return True
    if type(value) is str:
        return fold_word(value) in _TRUE
    return type(value) is int and value == 1


_TRUE: Final = frozenset({"true", "1"})


def _is_own_id(value: object) -> bool:
    return type(value) is str and fold_word(value[:32]).startswith("true_")


_Test = Callable[[object], bool]


class _Tree(dict[str, "_Tree"]):
    """Paths by their steps; `ends` where one of them ends here."""

    __slots__ = ("ends",)

    def __init__(self) -> None:
        self.ends = False


def _tree(paths: Iterable[Path]) -> _Tree:
    root = _Tree()
    for path in paths:
        node = root
        for step in path:
            node = node.setdefault(step, _Tree())
        node.ends = True
    return root


def _any(value: object, tree: _Tree, holds: _Test) -> bool:
    """Whether any of the paths leads from `value` to something that `holds`."""
    if tree.ends and holds(value):
        return True
    if type(value) is dict:
        for step in tree.keys() & value.keys():
            if _any(value[step], tree[step], holds):
                return True
    elif "0" in tree:
        if isinstance(value, Array):
            return _any(value.first, tree["0"], holds)
        if type(value) is list and value:
            return _any(value[0], tree["0"], holds)
    return False
