"""Where one gateway's events and answers name things, as one value: part of its preset.

Own messages prove nothing about a connection: the engine makes them without one. So every place is looked at in which
a known gateway marks them, whatever the gateway at hand: a mark that is missed ends the correction of a dead session.
What these places are is data (`presets/_every_gateway.yaml`, and the preset); here is how they are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final

import msgspec

from statusproxy.status.fields import MISSING, Array, Path, first_scalar, fold_word, lookup

JID_SERVERS: Final = (
    "@c.us", "@g.us", "@lid", "@s.whatsapp.net", "@broadcast", "@newsletter", "@hosted", "@hosted.lid", "@bot", "@call",
)  # fmt: skip
"""How the address of a contact, group or list ends in WhatsApp, at any gateway. No session is called like that."""


class Shape(msgspec.Struct, frozen=True):
    """What members of an event are, all of them."""

    present: tuple[Path, ...] = ()
    """There, if only as null."""
    filled: tuple[Path, ...] = ()
    """There, and not null."""
    empty: tuple[Path, ...] = ()
    """Missing, or null."""

    def fits(self, document: object) -> bool:
        """Whether an event has this shape."""
        for path in self.present:
            if lookup(document, path) is MISSING:
                return False
        for path in self.filled:
            value = lookup(document, path)
            if value is MISSING or value is None:
                return False
        for path in self.empty:
            value = lookup(document, path)
            if value is not MISSING and value is not None:
                return False
        return True


def is_jid(text: str) -> bool:
    """Whether a text is the address of a contact, group or list."""
    return fold_word(text).endswith(JID_SERVERS)


class Dialect(msgspec.Struct, frozen=True, dict=True):
    """Where a gateway's events and answers name things. Of several paths the first that is there and usable counts.

    The default is a gateway of which nothing is known.
    """

    event: tuple[Path, ...] = ()
    """The event's name."""
    boolean_names: bool = False
    """Whether a boolean there is the name `true` or `false`: only where a rule has such a name."""
    raw_event: tuple[Path, ...] = ()
    """The name that the engine gave the event, where the gateway gives it another."""
    time: tuple[Path, ...] = ()
    """When the event happened."""
    own_clock: bool = False
    """The times order this sender's events and say nothing against our clock: local time that is written like UTC."""
    body_member: str | None = None
    """The member of a form that holds the event as JSON; a body that is JSON all the same is read as that."""
    event_id: tuple[Path, ...] = ()
    """What is the same in a repeated delivery."""
    presence: tuple[str, ...] = ()
    """Members that only events about a contact or chat have, in one of `presence_in`."""
    presence_events: frozenset[str] = frozenset()
    """Names (folded) of events that are about a contact or chat always."""
    presence_in: tuple[Path, ...] = ()
    """Where the event itself may stand."""
    presence_ids: tuple[Path, ...] = ()
    """What is a JID there, if it is about a contact or chat."""
    presence_words: frozenset[str] = frozenset()
    """Words (folded) for what a contact can be doing: no event with another is about one."""
    presence_prefixes: tuple[str, ...] = ()
    """How such words begin that have variants (`recording audio`)."""
    qr: tuple[str, ...] = ()
    """Members of the QR route's answer that hold the code."""
    own: tuple[Path, ...] = ()
    """Members that are true in messages of the session's own making; the step `0` is an array's first element."""
    own_ids: tuple[Path, ...] = ()
    """Members that begin with `true_` in such messages."""
    receipts: tuple[Shape, ...] = ()
    """Shapes of the receipt of such a message."""

    def event_name(self, document: object) -> str | None:
        """The event's name as it came; `None` where the document names none."""
        return first_scalar(document, self.event, self.boolean_names)

    def marks_own(self, document: object) -> bool:
        """Whether an event's document says that its message is of the session's own making."""
        if _any(document, self._tree):
            return True
        for receipt in self.receipts:  # noqa: SIM110 - any() costs each message a generator
            if receipt.fits(document):
                return True
        return False

    def is_presence(self, document: object, event: str, word: str) -> bool:
        """Whether an event with this status word (folded) speaks of a contact or chat, whatever the event's name."""
        if word not in self.presence_words and not word.startswith(self.presence_prefixes):
            return False
        if not self.presence_events.isdisjoint(self.event_names(document, event)):
            return True
        for path in self.presence_in:
            payload = lookup(document, path)
            if type(payload) is dict and any(mark in payload for mark in self.presence):
                return True
        jids = (lookup(document, path) for path in self._jid_paths)
        return any(type(jid) is str and is_jid(jid) for jid in jids)

    def event_names(self, document: object, event: str) -> Iterator[str]:
        """The event's name, and the engine's for it if there is one; folded."""
        yield fold_word(event)
        raw = first_scalar(document, self.raw_event)
        if raw is not None:
            yield fold_word(raw)

    @cached_property
    def _jid_paths(self) -> tuple[Path, ...]:
        return tuple(path + end for path in self.presence_in for end in self.presence_ids)

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
