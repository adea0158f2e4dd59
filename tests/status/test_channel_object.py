"""One channel's object: the quick reading and the thorough one say the same, and only status values are edited."""

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import channel_object, long_values
from statusproxy.status.channel_object import ChannelObject, ObjectReader
from statusproxy.status.json_spans import as_text
from statusproxy.status.long_values import between_brackets, whole_members
from statusproxy.status.steps import at_once
from tests.status.test_channels import channel, values

SET: dict[str, Any] = {"status": "disconnected", "state": "disconnected", "connected": False}


def reader(values: dict[str, Any] = SET) -> ObjectReader:
    return ObjectReader(values, {"qr", "disconnected"}, {"connected"})


def read(text: str, start: int = 0) -> ChannelObject:
    return reader().read(as_text(text.encode()), start)


def test_the_usual_object_is_read() -> None:
    text = '{"id":"sales","status":"connected","profile":{"name":"a"},"tags":["x","y"]}'
    at = text.index('"connected"')
    assert read(text, 100) == ChannelObject("connected", False, True, ((100 + at, 111 + at, b'"disconnected"'),))


@pytest.mark.parametrize("text", ["{}", '{"id":"sales"}', "5", '"sales"', "[]", '{"profile":{"a":{"b":[1]}}}'])
def test_what_has_no_status_says_nothing(text: str) -> None:
    assert read(text) == ChannelObject(None, False, False, ())


@pytest.mark.parametrize(
    "text",
    [
        '{"status":"connected","a":{"b":{"c":[{}]}}}',
        '{"a":{"status":"qr"},"status":"connected"}',
        '{"a":"\\"status\\":1","status":"connected"}',
        '{"st\\u0061tus":"connected"}',
        '{ "status" : "connected" }',
        '{"é":1,"status":"connected"}',
    ],
)
def test_only_the_objects_own_members_count(text: str) -> None:
    found = read(text)
    assert (found.word, found.connected, len(found.edits)) == ("connected", True, 1)
    start, end, _ = found.edits[0]
    assert text.encode()[start:end] == b'"connected"'


def test_of_a_repeated_member_the_last_is_said_and_each_is_edited() -> None:
    found = read('{"status":"connected","status":"unknown"}')
    assert (found.word, found.connected, len(found.edits)) == ("unknown", False, 2)


@given(channel | values, st.booleans())
def test_both_ways_of_reading_say_the_same(text: str, known: bool) -> None:
    one = reader()
    if known:  # values met before are remembered with what they mean
        one.read(as_text(text.encode()), 0)
    written = as_text(text.encode())
    thorough = one._read(written) if text.startswith("{") else ChannelObject(None, False, False, ())
    assert one.read(written, 0) == thorough
    moved = one.read(written, 7)
    assert moved.edits == tuple((start + 7, end + 7, value) for start, end, value in thorough.edits)
    assert (moved.word, moved.keeps, moved.connected) == (thorough.word, thorough.keeps, thorough.connected)


def in_steps(one: ObjectReader, text: str) -> ChannelObject:
    """What stands between a `[` and a `]`, read in the shortest steps."""
    document = b"[%b]" % text.encode()
    with mock.patch.object(channel_object, "WINDOW", 12), mock.patch.object(long_values, "_SKIPPED", 8):
        return at_once(one.read_in_steps(document, (1, len(document) - 1)))


@given(channel | values)
def test_in_steps_it_says_the_same(text: str) -> None:
    for members in (SET, NESTED):
        assert in_steps(reader(members), text) == reader(members).read(as_text(text.encode()), 1)


@pytest.mark.parametrize(
    "text",
    [
        '{"status":{"a":"' + "x" * 40 + '"}}',
        '{"status":"' + "x" * 40 + '"}',
        '{"st\\u0061tus" : "' + "x" * 40 + '" , "state":"b"}',
        '{"instance":{"status":"' + "x" * 40 + '","state":{"a":"' + "x" * 40 + '"}},"connected":true}',
        '{"instance":{"status":"a"},"instance":"b"}',
        '{"instance":{"status":"a"},"about":"' + "x" * 40 + '","instance":{"state":"b"}}',
        "5",
        "{ }",
    ],
)
def test_in_steps_long_members_are_read_too(text: str) -> None:
    for members in (SET, NESTED):
        assert in_steps(reader(members), text) == reader(members).read(text, 1)


def test_a_long_object_is_read_some_kilobytes_at_a_time_by_patterns_compiled_before() -> None:
    members = b",".join(b'"m%d":%d' % (number, number) for number in range(10_000))
    document = b'{%b,"status":"connected"}' % members
    patterns = (between_brackets, whole_members)
    for pattern in patterns:
        pattern.cache_clear()
    reading = reader().read_in_steps(document, (0, len(document)))
    compiled = [sum(pattern.cache_info().currsize for pattern in patterns) for _ in reading]
    assert compiled[:3] == [0, 1, 2]
    assert len(compiled) >= len(document) // (8 * 1024)


def test_objects_of_a_few_channels_are_known_again() -> None:
    one = reader()
    texts = [json.dumps({"n": number, "status": "qr", "state": "qr"}) for number in range(10)]
    first, second = ([one.read(text, 0) for text in texts] for _ in range(2))
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_objects_that_were_read_before_are_known_and_few_are_remembered() -> None:
    one = reader()
    for number in range(1_000):
        text = json.dumps({"n": number % 100, "status": "connected"})
        at = text.index('"connected"')
        assert one.read(text, number).edits == ((number + at, number + at + 11, b'"disconnected"'),)
    large = json.dumps({"status": "connected", "about": "x" * 3_000})
    assert one.read(large, 0) == one.read(large, 0)
    assert len(one._objects) <= 64
    assert large not in one._objects


def test_a_gateway_that_makes_up_words_fills_no_memory() -> None:
    one = reader()
    for number in range(1_000):
        one.read(json.dumps({"status": f"word {number}"}), 0)
    one.read(json.dumps({"status": "x" * 100}), 0)
    assert len(one._known["status"]) == 256


def test_a_rule_that_sets_nothing_edits_nothing() -> None:
    assert reader({}).read('{"status":"connected","":1}', 0).edits == ()


@pytest.mark.parametrize(
    ("text", "word", "keeps", "connected", "values"),
    [
        ('{"id":"a"}', None, False, False, []),
        ('{"status":"disconnected"}', "disconnected", True, False, []),
        ('{"st\\u0061tus":"connected"}', "connected", False, True, ['"connected"']),
        ('{"id":"a","state":"qr","status":"connected"}', "connected", True, True, ['"connected"']),
        ('{"status":"open","status":"qr","connected":true}', "qr", True, True, ['"open"', "true"]),
        ('{"connected":true}', "connected: true", False, True, ["true"]),
        ('{"connected":false,"status":{"a":[1,{"b":2}]},"x":1}', "connected: false", False, False, []),
        ('{"other":{"a":{"b":{}}} , "status":null}', None, False, False, ["null"]),
        ('{"st\\u0061te":{"a":1}}', None, False, False, []),
        ('{"a":[[[1]]],"b":2}', None, False, False, []),
    ],
)
def test_status_members_are_found_however_the_object_is_written(
    text: str, word: str | None, keeps: bool, connected: bool, values: list[str]
) -> None:
    found = read(text, 50)
    assert (found.word, found.keeps, found.connected) == (word, keeps, connected)
    assert [text[at - 50 : end - 50] for at, end, _ in found.edits] == values
    assert {new for *_, new in found.edits} <= {b'"disconnected"', b"false"}


def test_a_value_means_the_same_again_however_long_it_is_and_however_many_there_are() -> None:
    one = reader()
    long = '{"status":"' + "x" * 100 + '"}'
    assert one.read(long, 0) == one.read(long, 0)
    for _ in range(2):
        words = [one.read(f'{{"status":"w{number}"}}', 0).word for number in range(300)]
        assert words == [f"w{number}" for number in range(300)]


@pytest.mark.parametrize("written", ['"%s"' % ("ß" * 70_000), "1" * 70_000])
def test_a_status_that_is_no_word_is_replaced_without_a_look_at_it(written: str) -> None:
    text = as_text(f'{{"status":{written}}}'.encode())
    with mock.patch.object(channel_object, "parse", side_effect=AssertionError):
        found = reader().read(text, 0)
        assert at_once(reader().read_in_steps(text.encode("latin-1"), (0, len(text)))) == found
    assert (found.word, found.keeps, found.connected) == (None, False, False)
    assert [text[at:end] for at, end, _ in found.edits] == [text[10:-1]]


def test_a_value_known_from_before_means_the_same_in_an_object_of_any_form() -> None:
    one = reader()
    found = [one.read('{"st\\u0061tus":"connected"}', 0) for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0].word, found[0].connected) == ("connected", True)


# Members of objects in the channel's own


NESTED: dict[str, Any] = {"instance.status": "close", "instance.state": "close", "connected": False}


@pytest.mark.parametrize(
    ("text", "word", "connected", "values"),
    [
        ('{"instance":{"name":"a","status":"connected"}}', "connected", True, ['"connected"']),
        ('{"connected":true,"instance":{"state":"x"}}', "x", True, ["true", '"x"']),
        ('{"instance":{"status":"a","status":"b"}}', "b", False, ['"b"']),
        ('{"instance":{"in\\u0073tance":{"status":"x"},"st\\u0061te":"x"}}', "x", False, ['"x"']),
        ('{"instance":{"status":{"a":1}}}', None, False, []),
        ('{"instance":{"status":"qr"}}', "qr", False, []),
        ('{"instance":["status"]}', None, False, []),
        ('{"instance":"status"}', None, False, []),
        ('{"instance.status":"open","status":"open"}', None, False, []),
    ],
)
def test_a_name_with_dots_leads_into_objects(text: str, word: str | None, connected: bool, values: list[str]) -> None:
    found = reader(NESTED).read(text, 50)
    assert (found.word, found.connected) == (word, connected)
    assert sorted(text[at - 50 : end - 50] for at, end, _ in found.edits) == sorted(values)
    assert {new for *_, new in found.edits} <= {b'"close"', b"false"}


@pytest.mark.parametrize(
    ("said", "keeps"), [("false", True), ('"false"', True), ("true", False), ("0", False), ("null", False)]
)
def test_a_boolean_may_be_a_word_that_is_kept(said: str, keeps: bool) -> None:
    text = f'{{"id": "sales", "connected": {said}, "loggedIn": true}}'
    found = ObjectReader({"connected": False, "loggedIn": False}, {"false"}, {"connected"}).read(
        as_text(text.encode()), 0
    )
    assert (found.keeps, found.connected) == (keeps, True)
    assert [value for *_, value in found.edits] == [b"false"] * (1 if keeps else 2)


def test_booleans_are_no_words_where_none_is_listed() -> None:
    assert not read('{"connected": false}').keeps


@pytest.mark.parametrize(("said", "connected"), [("false", True), ("true", False), ('"False"', True), ("null", False)])
def test_a_boolean_may_be_the_word_for_connected(said: str, connected: bool) -> None:
    found = ObjectReader({"offline": True}, {"true"}, {"false"}).read(f'{{"offline":{said}}}', 0)
    assert (found.connected, found.keeps) == (connected, said == "true")
