"""Where one gateway's events and answers name things, as one value: part of its preset.

Own messages prove nothing about a connection: the engine makes them without one. So every place is looked at in which
a known gateway marks them, whatever the gateway at hand: a mark that is missed ends the correction of a dead session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Final

import msgspec

from statusproxy.status.fields import MISSING, Array, Path, first_scalar, fold_word, lookup

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


PRESENCE_EVENT: Final = "onpresencechanged"
"""The engine's event (WPPConnect) that a contact went online or offline."""

PRESENCE_MARKS: Final = ("isOnline", "isUser", "isGroup", "isContact", "shortName", "participants")
"""Members that the engine writes only where it speaks of a contact or a chat, never of the session."""

PRESENCE_WORDS: Final = frozenset({"available", "unavailable", "composing", "paused"})
"""What a contact can be doing. `recording…` has variants (`recording audio`), see `Dialect.is_presence`."""

JID_SERVERS: Final = (
    "@c.us", "@g.us", "@lid", "@s.whatsapp.net", "@broadcast", "@newsletter", "@hosted", "@hosted.lid", "@bot", "@call",
)  # fmt: skip
"""How the address of a contact, group or list ends in WhatsApp. No session is called like that."""

QR_MEMBERS: Final = (
    "qr", "qr_base64", "qrcode", "base64Qrimg", "base64", "base64Image", "image", "qrcode_base64",
)  # fmt: skip
"""Where gateway-wrapper's versions put the QR code."""

RAW: Final[Path] = ("raw", "payload")
"""Where gateway-wrapper puts the engine's event, beside the shape that it makes of it."""


def is_jid(text: str) -> bool:
    """Whether a text is the address of a contact, group or list."""
    return fold_word(text).endswith(JID_SERVERS)


class Dialect(msgspec.Struct, frozen=True, dict=True):
    """Where a gateway's events and answers name things. Of several paths the first that is there and usable counts."""

    event: tuple[Path, ...] = (("event",),)
    """The event's name."""
    boolean_names: bool = False
    """Whether a boolean there is the name `true` or `false`: only where a rule has such a name."""
    raw_event: tuple[Path, ...] = ((*RAW, "event"),)
    """The name that the engine gave the event, where the gateway gives it another."""
    time: tuple[Path, ...] = (("timestamp",), (*RAW, "t"))
    """When the event happened."""
    own_clock: bool = False
    """The times order this sender's events and say nothing against our clock: local time that is written like UTC."""
    body_member: str | None = None
    """The member of a form that holds the event as JSON; a body that is JSON all the same is read as that."""
    event_id: tuple[Path, ...] = (("event_id",),)
    """What is the same in a repeated delivery."""
    presence: tuple[str, ...] = PRESENCE_MARKS
    """Members that only events about a contact or chat have, in the document or in one of `presence_in`."""
    presence_events: frozenset[str] = frozenset({PRESENCE_EVENT})
    """Names (folded) of events that are about a contact or chat always."""
    presence_in: tuple[Path, ...] = ((), RAW)
    """Where the event itself may stand: there its `id` is a JID, if it is about a contact or chat."""
    qr: tuple[str, ...] = QR_MEMBERS
    """Members of the QR route's answer that hold the code."""
    own: tuple[Path, ...] = OWN
    """Members that are true in messages of the session's own making."""
    own_ids: tuple[Path, ...] = OWN_IDS
    """Members that begin with `true_` in such messages."""

    def event_name(self, document: object) -> str | None:
        """The event's name as it came; `None` where the document names none."""
        return first_scalar(document, self.event, self.boolean_names)

    def marks_own(self, document: object) -> bool:
        """Whether an event's document says that its message is of the session's own making."""
        return _any(document, self._tree) or _is_receipt(document)

    def is_presence(self, document: object, event: str, word: str) -> bool:
        """Whether an event with this status word (folded) speaks of a contact or chat, whatever the event's name."""
        if word not in PRESENCE_WORDS and not word.startswith("recording"):
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
        return tuple((*path, "id", *end) for path in self.presence_in for end in ((), ("_serialized",)))

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


def _is_receipt(document: object) -> bool:
    """Whether an event is a sent message's receipt, which gateway-wrapper's own shape reports as a message."""
    return (
        lookup(document, ("spec_version",)) is not MISSING
        and lookup(document, ("ack",)) not in (MISSING, None)
        and lookup(document, ("message",)) in (MISSING, None)
    )


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
