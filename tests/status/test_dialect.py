"""Where own messages are marked: in every known gateway's shape, quickly, and nowhere else."""

from typing import Any

import pytest

from statusproxy.status.dialect import JID_SERVERS, Dialect, Shape, is_jid, is_true
from statusproxy.status.fields import Path, parse_members, parse_path
from tests.known_dialect import KNOWN, known

HOLDERS = [
    "", "id", "message", "message.id", "raw.payload", "raw.payload.id", "key", "message.key", "messages.0",
    "messages.0.key", "data", "data.id", "data.key", "data.0", "data.0.key", "data.messages.0", "data.messages.0.key",
    "data.message", "data.message.id", "data.message.key", "data.message._data.id", "payload", "payload.id",
    "payload.key", "payload._data.id", "payload._data.key", "Info", "event.Info", "data.Info", "payload._data.Info",
]  # fmt: skip
"""The objects in which the known gateways mark their own messages; the first is the document itself."""

MARKED = [parse_path(f"{holder}.{mark}".strip(".")) for holder in HOLDERS for mark in ("fromMe", "from_me", "IsFromMe")]

NAMED = [
    parse_path(holder + end)
    for holder in ("id", "message.id", "raw.payload.id", "data.id", "data.message.id", "payload.id")
    for end in ("", "._serialized")
]


def document(path: Path, value: object) -> Any:
    """A document in which this value stands under the path; `0` is an array's first element."""
    for step in reversed(path):
        value = [value] if step == "0" else {step: value}
    return value


def test_no_other_place_is_looked_at() -> None:
    assert (KNOWN.own, KNOWN.own_ids) == (tuple(MARKED), tuple(NAMED))


@pytest.mark.parametrize("path", MARKED, ids=".".join)
def test_each_mark_is_found_where_it_stands(path: Path) -> None:
    assert KNOWN.marks_own(document(path, True))
    assert not KNOWN.marks_own(document(path, False))
    assert not KNOWN.marks_own(document((*path[:-1], "x", path[-1]), True))


@pytest.mark.parametrize("path", NAMED, ids=".".join)
def test_the_id_of_a_sent_message_is_a_mark(path: Path) -> None:
    assert KNOWN.marks_own(document(path, "true_5500000000000@c.us_AA"))
    assert KNOWN.marks_own(document(path, " TRUE_"))
    for other in ("false_5500000000000@c.us_AA", "true", "truetrue_", " " * 31 + "true_", 1, None):
        assert not KNOWN.marks_own(document(path, other))


@pytest.mark.parametrize(("value", "own"), [(True, True), ("true", True), (" TRUE ", True), ("1", True), (1, True),
                                            (False, False), ("false", False), (0, False), (None, False), ("yes", False),
                                            ({}, False), (2, False)])  # fmt: skip
def test_a_mark_is_true_in_whatever_way_it_is_written(value: object, own: bool) -> None:
    assert is_true(value) is own


def test_only_the_first_of_several_messages_is_looked_at() -> None:
    for body, own in (
        (b'{"data":{"messages":[{"key":{"fromMe":true}},{"key":{"fromMe":false}}]}}', True),
        (b'{"data":{"messages":[{"key":{"fromMe":false}},{"key":{"fromMe":true}}]}}', False),
        (b'{"data":{"messages":[]}}', False),
    ):
        assert KNOWN.marks_own(parse_members(body)) is own


@pytest.mark.parametrize("messages", [[], "true_x", 1, None])
def test_where_an_array_of_messages_could_stand_nothing_else_is_a_message(messages: object) -> None:
    assert not KNOWN.marks_own({"messages": messages})
    assert KNOWN.marks_own({"messages": messages, "key": {"fromMe": True}})


def test_a_gateway_can_have_its_own_places() -> None:
    assert known(own=(*KNOWN.own, ("meta", "outgoing"))).marks_own({"meta": {"outgoing": True}})
    assert not known(own=(), own_ids=()).marks_own({"fromMe": True, "id": "true_x"})


# Presence


@pytest.mark.parametrize(
    ("event", "document", "presence"),
    [
        ("connection.update", {"isOnline": False}, True),
        ("connection.update", {"raw": {"payload": {"shortName": "A"}}}, True),
        ("connection.update", {"raw": {"payload": {"event": " OnPresenceChanged "}}}, True),
        ("onpresencechanged", {}, True),
        ("connection.update", {"id": "5500000000000@c.us"}, True),
        ("connection.update", {"id": {"_serialized": "5500000000000-1@G.US "}}, True),
        ("connection.update", {"raw": {"payload": {"id": "1@lid"}}}, True),
        ("connection.update", {"raw": {"payload": {"id": {"_serialized": "1@s.whatsapp.net"}}}}, True),
        ("connection.update", {"id": "sales", "data": {"isOnline": True}}, False),
        ("connection.update", {"id": 7, "raw": {"payload": "isOnline"}}, False),
        ("connection.update", {}, False),
    ],
)
def test_an_event_about_a_contact_is_told_by_its_name_its_members_or_its_id(
    event: str, document: dict[str, Any], presence: bool
) -> None:
    assert KNOWN.is_presence(document, event, "unavailable") is presence


@pytest.mark.parametrize("mark", ["isOnline", "isUser", "isGroup", "isContact", "shortName", "participants"])
def test_each_mark_of_presence_is_enough(mark: str) -> None:
    for holder in ((), ("raw", "payload")):
        assert KNOWN.is_presence(document((*holder, mark), None), "connection.update", "unavailable")


@pytest.mark.parametrize(
    ("word", "presence"),
    [
        ("available", True),
        ("unavailable", True),
        ("composing", True),
        ("paused", True),
        ("recording", True),
        ("recording audio", True),
        ("close", False),
    ],
)
def test_only_a_contacts_words_can_be_presence(word: str, presence: bool) -> None:
    assert KNOWN.is_presence({"isOnline": True}, "connection.update", word) is presence


def test_another_gateways_marks_of_presence_take_the_place_of_the_known_ones() -> None:
    dialect = known(presence=("lastSeen",), presence_events=frozenset({"presence"}), presence_in=(("data",),))
    for document, presence in (
        ({"data": {"lastSeen": 1}}, True),
        ({"data": {"id": "1@c.us"}}, True),
        ({"lastSeen": 1, "id": "1@c.us", "data": {"isOnline": True}}, False),
    ):
        assert dialect.is_presence(document, "ev", "unavailable") is presence
    assert dialect.is_presence({}, "Presence", "unavailable")


def test_an_event_has_the_gateways_name_and_the_engines() -> None:
    dialect = Dialect(raw_event=(("type",), ("inner", "type")))
    assert list(dialect.event_names({"inner": {"type": " OnAck"}}, "Message ")) == ["message", "onack"]
    assert list(dialect.event_names({"type": 1.5}, "x")) == ["x", "1.5"]
    assert list(KNOWN.event_names({"raw": {"payload": {"event": None}}}, "x")) == ["x"]


@pytest.mark.parametrize(
    ("text", "jid"),
    [
        *((f"1{server}", True) for server in (
            "@c.us", "@g.us", "@lid", "@s.whatsapp.net", "@broadcast", "@newsletter", "@hosted", "@hosted.lid", "@bot",
            "@call",
        )),
        (" 1@C.US ", True),
        ("sales", False),
        ("1@c.us.example", False),
    ],
)  # fmt: skip
def test_the_address_of_a_contact_is_known_by_its_end(text: str, jid: bool) -> None:
    assert is_jid(text) is jid


def test_no_character_but_an_at_sign_folds_to_one() -> None:
    folded = "".join(map(chr, range(0xD800))).casefold() + "".join(map(chr, range(0xE000, 0x110000))).casefold()
    assert folded.count("@") == 1, "text without one is the address of nobody"
    assert all("@" in server for server in JID_SERVERS)


def test_of_a_gateway_nothing_is_known_unless_it_is_told() -> None:
    nothing = Dialect()
    event = {"event": "message", "fromMe": True, "isOnline": True, "spec_version": "1", "ack": 2}
    assert nothing.event_name(event) is None
    assert list(nothing.event_names(event, "Message")) == ["message"]
    assert not nothing.marks_own(event)
    assert not nothing.is_presence(event, "onpresencechanged", "unavailable")
    assert not nothing.own_clock
    assert Dialect(event=(("event",),)).event_name({"event": True}) is None


@pytest.mark.parametrize(
    ("document", "own"),
    [
        ({"spec_version": "1", "ack": 2}, True),
        ({"spec_version": "1", "ack": 0, "message": None}, True),
        ({"spec_version": "1", "ack": None}, False),
        ({"spec_version": "1"}, False),
        ({"spec_version": "1", "ack": 2, "message": {"text": "x"}}, False),
        ({"ack": 2}, False),
    ],
)
def test_a_receipt_in_the_normalised_shape_is_of_the_sessions_own_making(document: dict[str, Any], own: bool) -> None:
    assert KNOWN.marks_own(document) is own


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        (Shape(present=(("kind", "ack"),)), {"absent": False, "null": True, "false": True, "0": True, "{}": True}),
        (Shape(filled=(("kind", "ack"),)), {"absent": False, "null": False, "false": True, "0": True, "{}": True}),
        (Shape(empty=(("kind", "ack"),)), {"absent": True, "null": True, "false": False, "0": False, "{}": False}),
    ],
)
def test_a_receipt_is_told_by_what_is_there_and_what_is_not(shape: Shape, fits: dict[str, bool]) -> None:
    for value, own in fits.items():
        inner = b"{}" if value == "absent" else f'{{"ack":{value}}}'.encode()
        assert Dialect(receipts=(shape,)).marks_own(parse_members(b'{"kind":%b}' % inner)) is own, value


def test_a_receipt_has_all_members_of_one_shape() -> None:
    one, other = Shape(filled=(("ack",), ("at",)), empty=(("text",), ("file",))), Shape(present=(("read",), ("by",)))
    dialect = Dialect(receipts=(one, other))
    for document, own in (
        ({"ack": 1, "at": 2}, True),
        ({"ack": 1}, False),
        ({"ack": 1, "at": 2, "file": "x"}, False),
        ({"ack": 1, "at": 2, "text": "x", "read": None, "by": None}, True),
        ({"read": None}, False),
    ):
        assert dialect.marks_own(document) is own


# What other gateways send, read without a word of configuration


@pytest.mark.parametrize(
    "document",
    [
        {"event": "messages.upsert", "instance": "sales", "data": {"key": {"fromMe": True, "id": "3EB0"}}},  # Evolution
        {"event": "message.any", "session": "sales", "payload": {"fromMe": True}},  # WAHA
        {"dataType": "message", "sessionId": "sales", "data": {"message": {"id": {"fromMe": True}}}},  # wwebjs-api
        {"dataType": "message_create", "data": {"message": {"_data": {"id": {"fromMe": True}}}}},
        {"type": "Message", "instanceName": "sales", "event": {"Info": {"IsFromMe": True}}},  # wuzapi
        {"event": "Message", "instanceName": "sales", "data": {"Info": {"IsFromMe": True}}},  # evolution-go
        {"event": "messages.upsert", "sessionId": "sales", "data": [{"key": {"fromMe": True}}]},  # baileys-api
    ],
)
def test_own_messages_of_other_gateways_are_known(document: dict[str, Any]) -> None:
    assert KNOWN.marks_own(document)


def test_presence_under_another_gateways_name_and_place_is_known_once_it_is_told() -> None:
    event = {"event": "presence.update", "instance": "sales", "data": {"id": "5511999999999@s.whatsapp.net"}}
    assert not KNOWN.is_presence(event, "presence.update", "unavailable")
    named = known(presence_events=frozenset({"presence.update"}))
    placed = known(presence_in=(("data",), ("payload",)))
    assert named.is_presence(event, "presence.update", "unavailable")
    assert placed.is_presence(event, "presence.update", "unavailable")
    assert placed.is_presence({"payload": {"id": "1@c.us"}}, "x", "composing")


@pytest.mark.parametrize(("boolean_names", "name"), [(True, "false"), (False, "link")])
def test_a_boolean_is_a_name_only_where_a_rule_has_one(boolean_names: bool, name: str) -> None:
    dialect = Dialect(event=(("online",), ("what",)), boolean_names=boolean_names)
    assert dialect.event_name({"online": False, "what": "link"}) == name
