"""Correcting the channel list: the values set, and not one byte beside them."""

import json
import math
import re
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import islice, pairwise
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status import (
    channel_list,
    channel_object,
    element_spans,
    identity,
    list_reader,
    long_spans,
    long_values,
    named_elements,
    observation,
    splice,
)
from statusproxy.status import channels as module
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channel_object import ObjectReader
from statusproxy.status.channels import (
    ChannelRule,
    Correction,
    correct,
    correct_alike,
    correct_at_once,
    correct_in_steps,
)
from statusproxy.status.fields import fold_word, parse_path
from statusproxy.status.list_reader import ListReader
from statusproxy.status.model import Change, Observed, Release, Said, SessionRules
from statusproxy.status.named_elements import NamedElements
from statusproxy.status.observation import Observer
from statusproxy.status.pieces import cut
from statusproxy.status.sessions import SessionMap
from statusproxy.status.set_values import ByWord
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict

IDS = tuple(map(parse_path, ("id", "name", "channel_id", "session_id", "session")))
LIST = ChannelRule(
    list=tuple(map(parse_path, ("channels", "data.channels", "data", ""))),
    id=IDS,
    set={"status": "disconnected", "connection": "disconnected", "state": "disconnected", "connected": False},
    keep=frozenset({"disconnected", "qr_required", "QR", "waiting_qr"}),
)
ONE = replace(LIST, list=tuple(map(parse_path, ("channel", "data", ""))))


@contextmanager
def everything_is_long(piece: int = 16) -> Iterator[None]:
    """Read even the shortest document as if it were many megabytes."""
    with (
        mock.patch.multiple(channel_list, SMALL=0, FEW=1, _LOOKED_AT=2, WINDOW=0, _FEW_OBJECTS=1),
        mock.patch.multiple(
            list_reader, SMALL=0, WINDOW=0, _OBJECTS=-1, _STEP=2, _SLOW_STEP=100, cut=partial(cut, piece=piece)
        ),
        mock.patch.multiple(element_spans, WINDOW=0, FEW=1),
        mock.patch.multiple(long_spans, WINDOW=12, _ELEMENTS=2, _MANY_MARKS=0),
        mock.patch.multiple(splice, _AT_ONCE=1, _BLOCK=16, COPIED=4, _COPY=8),
        mock.patch.object(module, "COPIED", 4),
        mock.patch.multiple(observation, _AT_ONCE=2),
        mock.patch.multiple(identity, _FOLDED=2),
        mock.patch.object(long_values, "_SKIPPED", 8),
        mock.patch.object(channel_object, "WINDOW", 12),
        every_channel_is_read(),
    ):
        yield


@contextmanager
def every_channel_is_read() -> Iterator[None]:
    """Read every id, as where an answer does not list each channel that is looked for by exactly this id."""
    with mock.patch.object(Observer, "unmistakable", return_value=()):
        yield


@contextmanager
def very_long() -> Iterator[None]:
    """Write even the shortest document as one of many megabytes, whichever way it is read."""
    with mock.patch.object(module, "COPIED", 4), mock.patch.multiple(splice, COPIED=4, _COPY=8):
        yield


def down(*names: str, rules: SessionRules | None = None) -> SessionMap:
    """A map with an override for each of these sessions, begun at 100."""
    sessions = SessionMap(rules)
    for name in names:
        signal = Signal(SignalKind.DISCONNECTED, name, 100.0, "status-find", "browserClose", None)
        sessions.hear(Reading(Verdict.SIGNAL, "status-find", name, signal), 100.0)
    return sessions


def corrected(body: bytes, *names: str, rule: ChannelRule = LIST, path_id: str | None = None) -> Correction:
    return correct(body, rule, down(*(names or ("sales",))), 200.0, 201.0, path_id)


# What is set


def test_a_stale_connected_reads_disconnected() -> None:
    body = (
        b'{"success":true,"channels":[{"id":"sales","name":"sales","status":"connected"},'
        b'{"id":"support","name":"support","status":"qr_required"}],"total":2}'
    )
    assert corrected(body) == Correction(
        b'{"success":true,"channels":[{"id":"sales","name":"sales","status":"disconnected"},'
        b'{"id":"support","name":"support","status":"qr_required"}],"total":2}',
        ("sales",),
    )


def test_every_status_field_that_is_present_is_set() -> None:
    body = b'[{"id":"sales","status":"x","connection":null,"state":1,"connected":true,"other":"connected"}]'
    assert corrected(body).body == (
        b'[{"id":"sales","status":"disconnected","connection":"disconnected",'
        b'"state":"disconnected","connected":false,"other":"connected"}]'
    )


@pytest.mark.parametrize("word", ["qr_required", "qr", " QR ", "Waiting_QR", "Disconnected"])
def test_a_word_that_tells_more_stays(word: str) -> None:
    body = json.dumps([{"id": "sales", "status": word}]).encode()
    assert corrected(body).body is body


def test_beside_a_word_that_tells_more_no_other_field_may_contradict() -> None:
    body = b'[{"id":"sales","status":"qr_required","connected":true}]'
    assert corrected(body).body == b'[{"id":"sales","status":"qr_required","connected":false}]'


@pytest.mark.parametrize("value", [["connected"], {"value": "connected"}, [], {}])
def test_a_container_is_never_replaced(value: object) -> None:
    body = json.dumps([{"id": "sales", "status": value}]).encode()
    assert corrected(body).body is body


def test_of_a_repeated_field_every_occurrence_is_set() -> None:
    body = b'[{"id":"sales","status":"connected","status":"unknown"}]'
    assert corrected(body).body == b'[{"id":"sales","status":"disconnected","status":"disconnected"}]'


@pytest.mark.parametrize(
    ("wanted", "there", "stays"),
    [
        (False, "false", True),
        (False, "0", False),
        (0, "0.0", True),
        (0, "false", False),
        (None, "null", True),
        (None, '""', False),
        ("off\u00e9", '"off\\u00e9"', True),
        (1.5, "15e-1", True),
    ],
)
def test_a_value_that_is_already_so_is_left_alone(wanted: Any, there: str, stays: bool) -> None:
    body = f'[{{"id":"sales","status":{there}}}]'.encode()
    result = corrected(body, rule=replace(LIST, set={"status": wanted}))
    assert (result.body is body) is stays
    assert result.corrected == (() if stays else ("sales",))


def test_new_values_are_written_in_ascii() -> None:
    result = corrected(b'[{"id":"sales","status":1}]', rule=replace(LIST, set={"status": "d\u00e9connect\u00e9"}))
    assert result.body == b'[{"id":"sales","status":"d\\u00e9connect\\u00e9"}]'


def test_a_fields_name_is_read_whatever_its_spelling() -> None:
    rule = replace(LIST, set={"st\u00e4tus": "off"})
    body = '[{"id":"sales","st\u00e4tus":1,"st\\u00e4tus":2,"stätus2":3}]'.encode()
    assert (
        corrected(body, rule=rule).body == '[{"id":"sales","stätus":"off","st\\u00e4tus":"off","stätus2":3}]'.encode()
    )


def test_all_channels_of_one_id_are_treated_alike() -> None:
    body = b'[{"id":"sales","status":"connected"},{"id":"x"},{"id":"sales","status":"open"}]'
    result = corrected(body)
    assert result.body == b'[{"id":"sales","status":"disconnected"},{"id":"x"},{"id":"sales","status":"disconnected"}]'
    assert result.corrected == ("sales",)


def test_a_channel_is_found_though_its_id_is_spelt_differently() -> None:
    body = b'[{"id":"Sales Team","status":"connected"}]'
    assert corrected(body, "salesteam").corrected == ("Sales Team",)


# Where channels and ids are


@pytest.mark.parametrize(
    "around",
    [
        '{"channels":%s}',
        '{"data":{"channels":%s}}',
        '{"data":%s}',
        "%s",
        '{"channels":null,"data":{"channels":{},"x":[]},"data":%s}',
        '{"channels":"none","data":%s}',
        '{"channels":[{"id":"x"}],"channels":%s,"more":[1,{"a":"}"}]}',
        '\ufeff{"channels":%s}',
        ' \n{ "x" : [ ] , "channels" :\t%s\r\n}\n',
    ],
)
def test_the_list_is_found_wherever_the_rule_says(around: str) -> None:
    element = '{"id":"sales","status":%s}'
    body = (around % f'[{{"id":"x"}},{element % 1}]').encode()
    assert corrected(body).body == (around % f'[{{"id":"x"}},{element % json.dumps("disconnected")}]').encode()


def test_the_first_path_that_leads_to_an_array_counts() -> None:
    body = b'{"data":[{"id":"sales","status":1}],"channels":[{"id":"sales","status":2}]}'
    assert (
        corrected(body).body
        == b'{"data":[{"id":"sales","status":1}],"channels":[{"id":"sales","status":"disconnected"}]}'
    )


@pytest.mark.parametrize("body", [b"{}", b"5", b"null", b'{"channels":{"id":"sales"}}', b'"\\ud800"'])
def test_an_answer_without_list_is_untouched_and_says_why(body: bytes) -> None:
    result = corrected(body)
    assert (result.body is body, result.failure) == (True, "no-list")


@pytest.mark.parametrize(
    "members",
    [
        '"id":"sales"',
        '"name":"sales"',
        '"id":null,"name":"sales"',
        '"id":{"x":1},"id":" ","name":"sales"',
        '"id":"other","id":"sales"',
        '"\\u0069d":"sales"',
        '"id":true,"session":"sales"',
    ],
)
def test_the_id_is_the_first_usable_one(members: str) -> None:
    body = f'[{{{members},"status":1}}]'.encode()
    assert corrected(body).corrected == ("sales",)


@pytest.mark.parametrize(
    ("id_value", "session"), [("7", "7"), ("7.0", "7"), ("12345678901234567890", "12345678901234567890")]
)
def test_an_id_may_be_a_number(id_value: str, session: str) -> None:
    assert corrected(f'[{{"id":{id_value},"status":1}}]'.encode(), session).corrected == (session,)


@pytest.mark.parametrize("value", ['{"id":"sales"}', '"sales"'])
def test_an_id_may_stand_deeper(value: str) -> None:
    rule = replace(LIST, id=tuple(map(parse_path, ("session.id", "session"))))
    assert corrected(f'[{{"session":{value},"status":1}}]'.encode(), rule=rule).corrected == ("sales",)


def test_without_any_path_to_an_id_nothing_is_corrected() -> None:
    body = b'[{"id":"sales","status":1}]'
    assert corrected(body, rule=replace(LIST, id=())).body is body


def test_elements_that_are_no_objects_are_left() -> None:
    body = b'["sales",null,[{"id":"sales","status":1}],{"id":"sales","status":1},12345678901234567890123]'
    assert corrected(body).body == body.replace(
        b'{"id":"sales","status":1},1', b'{"id":"sales","status":"disconnected"},1'
    )


def test_a_list_of_bare_ids_has_nothing_to_set() -> None:
    rule = replace(LIST, id=((),))
    body = b'["sales","support"]'
    assert corrected(body, rule=rule).body is body


# One channel


@pytest.mark.parametrize(
    "body",
    [
        '{"success":true,"channel":{"id":"sales","status":1}}',
        '{"data":{"status":1}}',
        '{"channel":"sales","status":1,"connection":"disconnected","state":"waiting_qr"}',
        '{"status":1,"x":"\\ud800"}',
        '[{"status":1}]',
        '{"data":[{"id":"x","status":2},{"id":"sales","status":1}]}',
    ],
)
def test_one_channel_is_found_in_each_shape(body: str) -> None:
    outcome = corrected(body.encode(), rule=ONE, path_id="sales")
    assert outcome.body == body.replace('"status":1', '"status":"disconnected"').encode()
    assert outcome.corrected == ("sales",)


@pytest.mark.parametrize("body", [b"{}", b"[{}]", b'{"data":{ }}', b'{"channel":{},"x":"\\ud800"}'])
def test_a_channel_that_says_nothing_has_nothing_to_set(body: bytes) -> None:
    assert corrected(body, rule=ONE, path_id="sales") == Correction(body)


@pytest.mark.parametrize(
    "body",
    [
        '{"id":"other","status":1}',
        '{"data":{"id":"other","status":1,"x":"\\ud800"}}',
        '[{"status":1},{"status":1}]',
        '[{"status":1,"x":"\\ud800"},{"id":"y"}]',
    ],
)
def test_the_id_in_the_path_names_only_a_single_channel_without_id(body: str) -> None:
    assert corrected(body.encode(), rule=ONE, path_id="sales").body == body.encode()


@pytest.mark.parametrize("body", [b"5", b'"sales"', b'"\\ud800"'])
def test_an_answer_without_a_channel_says_so(body: bytes) -> None:
    assert corrected(body, rule=ONE, path_id="sales") == Correction(body, failure="no-list")


NAMED = replace(ONE, one=True)


@pytest.mark.parametrize(
    "body",
    ['{"id":"sales","status":1}', '{"data":{"id":"sales","status":1}}', '{"data":[{"id":"sales","status":1}]}'],
)
def test_one_channel_is_named_by_the_answer_itself(body: str) -> None:
    outcome = corrected(body.encode(), rule=NAMED)
    assert outcome.body == body.replace('"status":1', '"status":"disconnected"').encode()


@pytest.mark.parametrize("body", ['{"status":1}', '{"id":"other","status":1}', '{"data":{"id":"","status":1}}', "[]"])
def test_an_answer_that_names_no_known_channel_stays_as_it_is(body: str) -> None:
    assert corrected(body.encode(), rule=NAMED) == Correction(body.encode())


def test_an_answer_that_names_its_one_channel_settles_no_doubtful_spelling() -> None:
    sessions = down("sales team")
    assert correct(b'{"id":"SalesTeam","status":1}', NAMED, sessions, 200.0, 201.0).corrected == ("SalesTeam",)
    assert (
        correct(
            b'[{"id":"SALESTEAM","status":1},{"id":"SalesTeam","status":1}]', LIST, sessions, 200.0, 202.0
        ).corrected
        == ()
    )
    assert correct(b'{"id":"SalesTeam","status":1}', NAMED, sessions, 200.0, 203.0).corrected == ()


# What is left alone


@pytest.mark.parametrize("body", [b"", b"not json", b'{"channels":['])
def test_without_an_override_nothing_is_parsed(body: bytes) -> None:
    result = correct(body, LIST, SessionMap(), 200.0, 201.0)
    assert result == Correction(body)
    assert result.body is body


def test_with_nothing_to_correct_the_same_bytes_go_on() -> None:
    body = b'{"channels":[{"id":"support","status":"connected"}]}'
    assert corrected(body).body is body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"channels":[',
        b'{"channels":[{"id":"sales","status":1}]} x',
        b'{"channels":[{"id":"sales","status":1,"x":NaN}]}',
        b'[{"id":"sales","status":1,"x":"\\ud800"}] []',
        b'[{"id":"sales","status":1},]',
    ],
)
def test_what_is_no_json_is_untouched_and_says_why(body: bytes) -> None:
    result = corrected(body)
    assert (result.body is body, result.corrected, result.failure) == (True, (), "not-json")


@pytest.mark.parametrize("depth", [100_000])
@pytest.mark.parametrize("head", ['"status":1', '"status":1,"x":"\\ud800"', '"status":1e400'])
def test_what_is_nested_too_deep_is_untouched_and_says_why(depth: int, head: str) -> None:
    body = f'[{{"id":"sales",{head},"deep":{"[" * depth}{"]" * depth}}}]'.encode()
    result = corrected(body)
    assert (result.body is body, result.failure) == (True, "too-deep")


def test_near_the_end_of_the_stack_it_still_does_not_raise() -> None:
    body = b'[{"id":"sales","status":"connected","x":[[[[[[[[{"a":"\\ud800"}]]]]]]]]}]'
    results: list[Correction] = []

    def descend(left: int) -> None:
        if left:
            descend(left - 1)
        else:
            results.append(corrected(body))

    used = frames()
    for spare in range(60, 20, -4):
        try:
            descend(sys.getrecursionlimit() - used - spare)
        except RecursionError:
            break  # not even the call, or the map of the test, has room
    assert results
    assert all(one.failure == "too-deep" or one.corrected == ("sales",) for one in results)


def frames() -> int:
    """How many calls the caller stands in."""
    frame, count = sys._getframe(), -1
    while frame.f_back is not None:
        frame, count = frame.f_back, count + 1
    return count


@pytest.mark.parametrize("in_one_go", [True, False])
def test_where_the_stack_ends_after_reading_the_answer_is_untouched_and_says_why(in_one_go: bool) -> None:
    body = b'[{"id":"sales","status":"connected","x":[[{"a":[1]}]]}]'
    results: list[Correction] = []

    def descend(left: int, answer: ChannelList, sessions: SessionMap) -> None:
        if left:
            descend(left - 1, answer, sessions)
        elif in_one_go:
            results.append(correct_at_once(answer, sessions, 200.0, 201.0))
        else:
            results.append(to_the_end(correct_in_steps(answer, sessions, 200.0, 201.0))[0])

    used = frames()
    for spare in range(60, 0, -1):
        answer, sessions = ChannelList(body, LIST), down("sales")
        answer.read()
        try:
            descend(sys.getrecursionlimit() - used - spare, answer, sessions)
        except RecursionError:
            break  # not even the call has room
    disconnected = Correction(body.replace(b"connected", b"disconnected"), ("sales",))
    untouched = Correction(body, failure="too-deep")
    assert results[0] == disconnected
    assert results[-1] == untouched
    assert all(one in (disconnected, untouched) for one in results)


# What the answer tells the map


def test_what_the_gateway_says_is_remembered() -> None:
    sessions = down("sales")
    correct(b'[{"id":"sales","connected":true,"status":"unknown"}]', LIST, sessions, 200.0, 201.0)
    known = sessions.get("sales")
    assert known is not None
    assert (known.channel, known.gateway_said, known.gateway_said_at) == ("sales", "unknown", 201.0)


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ('"connected":true', "connected: true"),
        ('"connected":false,"state":5', "5"),
        ('"state":[],"x":1', None),
        ('"state":null', None),
        ('"state":"a","status":"b"', "b"),
    ],
)
def test_the_gateways_word_is_its_first_text_or_else_its_boolean(members: str, word: str | None) -> None:
    sessions = down("sales")
    correct(f'[{{"id":"sales",{members}}}]'.encode(), LIST, sessions, 200.0, 201.0)
    known = sessions.get("sales")
    assert known is not None
    assert known.gateway_said == word


@pytest.mark.parametrize(
    "says", ['"status":"connected"', '"status":"Open"', '"connected":true', '"connected":true,"status":"unknown"']
)
def test_a_connected_after_the_gateway_caught_up_passes_and_releases(says: str) -> None:
    sessions = down("sales")
    correct(b'[{"id":"sales","status":"qr_required"}]', LIST, sessions, 200.0, 201.0)
    body = f'[{{"id":"sales",{says}}}]'.encode()
    result = correct(body, LIST, sessions, 205.0, 206.0)
    assert result.body is body
    assert [change.reason for change in result.changes] == [Release.RECONNECTED]
    assert not sessions.has_overrides


@pytest.mark.parametrize(
    "says", ['"status":"unknown"', '"connected":false', '"status":"connected","state":"qr_required"', '"x":1']
)
def test_nothing_less_than_connected_releases(says: str) -> None:
    sessions = down("sales")
    sessions.watched.qr_seen("sales", 200.0, 201.0)
    correct(f'[{{"id":"sales",{says}}}]'.encode(), LIST, sessions, 205.0, 206.0)
    assert sessions.has_overrides


@pytest.mark.parametrize("says", ['"status":"unknown"', '"connected":false', '"status":null', '"x":"qr_required"'])
def test_only_a_word_of_keep_shows_that_the_gateway_has_caught_up(says: str) -> None:
    sessions = down("sales")
    correct(f'[{{"id":"sales",{says}}}]'.encode(), LIST, sessions, 200.0, 201.0)
    correct(b'[{"id":"sales","status":"connected"}]', LIST, sessions, 205.0, 206.0)
    assert sessions.has_overrides


def test_of_a_repeated_field_the_last_value_is_what_the_gateway_says() -> None:
    sessions = down("sales")
    correct(b'[{"id":"sales","status":"qr_required","status":"connected"}]', LIST, sessions, 200.0, 201.0)
    known = sessions.get("sales")
    assert known is not None
    assert known.override is not None
    assert (known.gateway_said, known.override.caught_up) == ("connected", None)


def test_of_two_channels_of_one_id_a_word_of_keep_outweighs_connected() -> None:
    sessions = down("sales")
    sessions.watched.qr_seen("sales", 200.0, 201.0)
    body = b'[{"id":"sales","status":"connected"},{"id":"sales","status":"qr_required"}]'
    correct(body, LIST, sessions, 205.0, 206.0)
    assert sessions.has_overrides


# Where elements stand: every layout gives the same result


@pytest.mark.parametrize(
    "body",
    [
        '[%s,{"id":"a"},%s]',
        "[ %s , %s ]",
        "[\n  %s,\n  %s\n]",
        "[%s, %s,%s]",
        "[%s ,%s, %s]",
        '[{"id":"a","n":12345678901234567890123},%s]',
        '[%s,{"id":12345678901234567890123},%s]',
        '{"channels":[%s],"channels":[%s]}',
        '{"channels":[%s],"channels":[]}',
        '{"data":{"channels":[%s]},"data":{"channels":[%s,%s]}}',
        "[%s]",
        '[{"id":"s"},%s,%s]',
        '{"channels":[12345678901234567890123,2],"channels":[%s,%s]}',
        '{"channels":[123456789012345678901 ],"channels":[%s]}',
    ],
)
def test_elements_are_found_in_every_layout(body: str) -> None:
    count = body.count("%s")
    before = body % (('{"id":"sales","status":"connected"}',) * count)
    assert corrected(before.encode()).body == expected(before.encode(), {"sales"})


# An oracle: a small JSON reader of its own, byte by byte, that knows where everything stands


class Node:
    def __init__(self, value: object, start: int, end: int) -> None:
        self.value, self.start, self.end = value, start, end


def read_node(body: bytes, at: int) -> Node:
    """Read the value at `at`: an object as a list of (name, Node), an array as a tuple of Nodes."""
    space = b" \t\r\n"

    def after_space(at: int) -> int:
        while body[at : at + 1] in (b" ", b"\t", b"\r", b"\n"):
            at += 1
        return at

    def text_end(at: int) -> int:
        at += 1
        while body[at] != ord('"'):
            at += 2 if body[at] == ord("\\") else 1
        return at + 1

    at = after_space(at)
    start = at
    if body[at] == ord('"'):
        end = text_end(at)
        return Node(json.loads(body[at:end].decode("utf-8", "replace")), at, end)
    if body[at] in b"{[":
        members: list[tuple[str, Node]] = []
        items: list[Node] = []
        is_object = body[at] == ord("{")
        at = after_space(at + 1)
        while body[at] not in b"}]":
            name = ""
            if is_object:
                key = read_node(body, at)
                assert isinstance(key.value, str)
                name, at = key.value, after_space(key.end) + 1
            item = read_node(body, at)
            members.append((name, item))
            items.append(item)
            at = after_space(item.end)
            if body[at] == ord(","):
                at = after_space(at + 1)
        return Node(members if is_object else tuple(items), start, at + 1)
    while at < len(body) and body[at] not in b",]}" + space:
        at += 1
    word = body[start:at]
    words: dict[bytes, object] = {b"true": True, b"false": False, b"null": None}
    return Node(words[word] if word in words else float(word), start, at)


def member(node: Node | None, name: str) -> Node | None:
    if node is None or not isinstance(node.value, list):
        return None
    return dict(node.value).get(name)


def expected(body: bytes, overridden: set[str]) -> bytes:
    """What the design says the corrected list is."""
    root = read_node(body, 3 if body.startswith(b"\xef\xbb\xbf") else 0)
    data = member(root, "data")
    places = (member(root, "channels"), member(data, "channels"), data, root)
    found = next((one for one in places if one is not None and isinstance(one.value, tuple)), None)
    edits: list[tuple[int, int, bytes]] = []
    for item in found.value if found is not None and isinstance(found.value, tuple) else ():
        if not isinstance(item.value, list):
            continue
        ids = (member(item, path[0]) for path in IDS)
        known = next((one.value for one in ids if one is not None and usable(one.value)), None)
        if known not in overridden:
            continue
        for name, value in item.value:
            wanted = LIST.set.get(name)
            kept = isinstance(value.value, str) and fold_word(value.value) in set(map(fold_word, LIST.keep))
            if (
                name in LIST.set
                and not kept
                and not isinstance(value.value, tuple | list)
                and value.value is not wanted
            ):
                edits.append((value.start, value.end, json.dumps(wanted).encode()))
    for start, end, new in sorted(edits, reverse=True):
        body = body[:start] + new + body[end:]
    return body


def usable(value: object) -> bool:
    if isinstance(value, str):
        return value.strip() != "" and not any(0xD800 <= ord(one) <= 0xDFFF for one in value)
    return isinstance(value, float) and math.isfinite(value)


spaces = st.sampled_from(["", "", "", " ", "\n  ", "\t", "\r\n"])
names = st.sampled_from(
    [
        "id",
        "id",
        "name",
        "name",
        "session",
        "status",
        "status",
        "state",
        "connection",
        "connected",
        "channels",
        "data",
        "x",
        "\\u0069d",
        "st\\u0061tus",
        "\\ud800",
        'a\\"b',
        "é",
    ]
)
scalars = st.sampled_from(
    [
        '"sales"',
        '"sales"',
        '"Support"',
        '"connected"',
        '"qr_required"',
        '"\\tQR"',
        '"disconnected"',
        "true",
        "false",
        "null",
        "0.5",
        "1e400",
        "-0",
        "1.10",
        "12345678901234567890123",
        '"\\ud800"',
        '"\\u00e9"',
        '"é]},{"',
        '"a\\\\"',
        '""',
        '"\\u0020"',
    ]
)


def containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(spaces, names, spaces, spaces, inner, spaces)
    items = st.tuples(spaces, inner, spaces)
    return st.lists(pairs, max_size=4).map(
        lambda some: "{" + ",".join(f'{a}"{b}"{c}:{d}{e}{f}' for a, b, c, d, e, f in some) + "}"
    ) | st.lists(items, max_size=4).map(lambda some: "[" + ",".join(map("".join, some)) + "]")


values = st.recursive(scalars, containers, max_leaves=6)
channel = st.tuples(
    st.lists(st.tuples(names, values), max_size=3), spaces, st.lists(st.tuples(names, scalars), max_size=3)
).map(
    lambda parts: (
        "{"
        + ",".join(
            f'{parts[1]}"{name}":{parts[1]}{value}'
            for name, value in [*parts[0], ("id", '"sales"'), ("status", '"connected"'), *parts[2]]
        )
        + "}"
    )
)
channel_lists = st.tuples(st.lists(channel | values, max_size=5), spaces, spaces).map(
    lambda parts: "[" + f"{parts[1]},{parts[2]}".join(parts[0]) + "]"
)
documents = st.tuples(
    st.sampled_from(["%s", '{"channels":%s}', '{"x":[1],"data": {"channels":%s} }', '{"data":%s,"z":{}}', "\ufeff%s"])
    | names.map(lambda name: '{"channels":%s,"' + name + '":[]}'),
    channel_lists | values,
).map(lambda parts: (parts[0] % parts[1]).encode())


@given(documents)
@pytest.mark.slow
def test_only_the_bytes_of_the_values_set_change(body: bytes) -> None:
    result = corrected(body)
    assert result.failure in (None, "no-list")
    assert result.body == expected(body, {"sales"})
    assert (result.body is body) is (result.body == body)
    assert bool(result.corrected) is (result.body != body)


@contextmanager
def every_list_is_cut() -> Iterator[None]:
    """Find a few channels even in the shortest document as if it were many megabytes."""
    with mock.patch.multiple(named_elements, SMALL=0, _PIECE=48):
        yield


@given(documents, st.sampled_from([nullcontext, every_list_is_cut]))
def test_a_few_channels_are_corrected_as_where_every_channel_is_read(
    body: bytes, form: Callable[[], AbstractContextManager[None]]
) -> None:
    def outcome() -> tuple[Correction, list[Any], list[str]]:
        sessions = down("sales", "Support")
        answer = ChannelList(body, LIST)
        done = to_the_end(correct_in_steps(answer, sessions, 200.0, 201.0))[0]
        return done, sessions.records(), sessions.answers.take_first_shown()

    with every_channel_is_read():
        thorough = outcome()
    assert correct_at_once(ChannelList(body, LIST), down("sales", "Support"), 200.0, 201.0) == thorough[0]
    with form():
        assert outcome() == thorough


@given(documents)
def test_correcting_twice_is_correcting_once(body: bytes) -> None:
    once = corrected(body).body
    assert corrected(once).body is once


@given(documents)
def test_without_an_override_correcting_is_the_identity(body: bytes) -> None:
    assert correct(body, LIST, SessionMap(), 200.0, 201.0).body is body


@given(documents, st.sampled_from(["sales", "Support", "x"]))
@pytest.mark.slow
def test_no_json_makes_one_channel_raise(body: bytes, path_id: str) -> None:
    result = corrected(body, rule=ONE, path_id=path_id)
    assert result.failure in (None, "no-list")
    assert corrected(result.body, rule=ONE, path_id=path_id).body is result.body


@given(st.integers(1, 3000), st.sampled_from(['"x"', '"\\ud800"', "1e400"]))
def test_no_depth_makes_it_raise(depth: int, inner: str) -> None:
    body = f'[{{"id":"sales","status":{inner},"deep":{"[" * depth}{inner}{"]" * depth}}}]'.encode()
    result = corrected(body)
    assert result.failure == "too-deep" or result.corrected == ("sales",)


@pytest.mark.parametrize("rule", [LIST, replace(LIST, set={"status": ByWord({"x": "off", "*": "disconnected"})})])
def test_what_an_answer_too_deep_for_one_channel_ends_for_another_is_told(rule: ChannelRule) -> None:
    for depth in range(300, 1_010):
        sessions = down("sales", "support")
        seen = b'[{"id":"sales","status":"qr_required"},{"id":"support","status":"x"}]'
        correct(seen, rule, sessions, 150.0, 151.0)
        nested = b"[" * depth + b"1" + b"]" * depth
        body = b'[{"id":"sales","status":"connected"},{"id":"support","status":"x","deep":%b}]' % nested
        result = correct(body, rule, sessions, 200.0, 201.0)
        ended = sessions.override_of(["sales"]) is None
        assert [change.session for change in result.changes] == ["sales"] * ended, depth


def test_no_depth_at_which_one_reader_still_reads_and_the_next_cannot_makes_it_raise() -> None:
    """Which depth that is depends on how deep the caller is: so all that come into question."""
    for depth in range(700, 1_010):
        body = f'[{{"id":"sales","status":"x","deep":{"[" * depth}1{"]" * depth}}}]'.encode()
        result = corrected(body)
        assert result.failure == "too-deep" or result.corrected == ("sales",)
        assert in_steps(body, down("sales"))[:3] in (
            (body, (), "too-deep"), (body.replace(b'"x"', b'"disconnected"'), ("sales",), None)
        )  # fmt: skip


@given(st.binary(max_size=40) | st.tuples(documents, st.binary(max_size=3), st.integers(0, 200)).map(
    lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
))  # fmt: skip
def test_no_bytes_make_it_raise(body: bytes) -> None:
    result = corrected(body)
    assert result.failure is None or result.body is body


def test_a_list_of_thousands_is_corrected_in_one_place() -> None:
    body = json.dumps({"channels": [{"id": f"s{number}", "status": "connected"} for number in range(5000)]}).encode()
    result = corrected(body, "S 4999", "s1", "nobody")
    assert result.corrected == ("s1", "s4999")
    assert result.body == expected(body, {"s1", "s4999"})


# In steps

NAMES = tuple(f"s{number}" for number in range(12))

happening = st.lists(
    st.tuples(
        st.integers(0, 30),  # before which step
        st.sampled_from(["lost", "back", "deleted", "qr", "released", "forgotten"]),
        st.sampled_from(NAMES),
    ),
    max_size=8,
)
said = st.lists(st.sampled_from(["connected", "connected", "qr_required", "unknown"]), min_size=12, max_size=12)


def signal(sessions: SessionMap, session: str, kind: SignalKind, at: float) -> None:
    sessions.hear(Reading(Verdict.SIGNAL, "ev", session, Signal(kind, session, at, "ev", None, None)), at)


def happen(sessions: SessionMap, what: str, session: str, at: float) -> None:
    if what == "lost":
        signal(sessions, session, SignalKind.DISCONNECTED, at)
    elif what == "back":
        signal(sessions, session, SignalKind.CONNECTED, at)
    elif what == "deleted":
        sessions.watched.deleted(session, at, at)
    elif what == "qr":
        sessions.watched.qr_seen(session, at, at)
    elif what == "forgotten" and sessions.get(session) is not None:
        sessions.forget(session, at)
    elif sessions.get(session) is not None:
        sessions.release(session, at)


@given(said, st.sets(st.sampled_from(NAMES), min_size=1), happening)
@example(["connected"] * 12, {"s0"}, [(2, "forgotten", "s0")])
def test_in_steps_it_shows_what_is_in_force_in_a_list_that_spells_all_otherwise(
    words: list[str], lost: set[str], events: list[tuple[int, str, str]]
) -> None:
    listed = [name.upper() for name in NAMES]
    body = json.dumps([{"id": name, "status": word} for name, word in zip(listed, words, strict=True)]).encode()
    sessions = down(*sorted(lost))
    with (
        mock.patch.multiple(module, _STEP=2, _ATTEMPTS=100),
        mock.patch.object(identity, "_FOLDED", 2),
        mock.patch.object(observation, "_AT_ONCE", 1),
    ):
        steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        result: Correction | None = None
        step = 0
        while result is None:
            for number, (when, what, session) in enumerate(events):
                if when == step:
                    happen(sessions, what, session, 202.0 + step + number / 100)
            try:
                next(steps)
            except StopIteration as stop:
                result = stop.value
            step += 1
    in_force = {one.session.upper() for one in sessions.records() if one.override is not None}
    keeps = {name for name, word in zip(listed, words, strict=True) if word == "qr_required"}
    assert set(result.corrected) == in_force - keeps
    assert result.body == expected(body, in_force)


@given(said, st.sets(st.sampled_from(NAMES), min_size=1), happening, st.booleans(), st.booleans())
def test_in_steps_it_shows_what_is_in_force_when_it_is_done(
    words: list[str], lost: set[str], events: list[tuple[int, str, str]], caught_up: bool, is_very_long: bool
) -> None:
    body = json.dumps([{"id": name, "status": word} for name, word in zip(NAMES, words, strict=True)]).encode()
    sessions = down(*sorted(lost))
    if caught_up:
        for name in NAMES[::2]:
            sessions.watched.qr_seen(name, 150.0, 150.0)
    with mock.patch.multiple(module, _STEP=2, _ATTEMPTS=100), very_long() if is_very_long else nullcontext():
        steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        result: Correction | None = None
        step = 0
        while result is None:
            for number, (when, what, session) in enumerate(events):
                if when == step:
                    happen(sessions, what, session, 202.0 + step + number / 100)
            try:
                next(steps)
            except StopIteration as stop:
                result = stop.value
            step += 1
    in_force = {one.session for one in sessions.records() if one.override is not None}
    keeps = {name for name, word in zip(NAMES, words, strict=True) if word == "qr_required"}
    assert set(result.corrected) == in_force - keeps
    assert list(result.corrected) == sorted(result.corrected, key=NAMES.index)
    assert result.body == expected(body, in_force)


between = st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["read", "find", "look"])), max_size=4)


@given(said, st.sets(st.sampled_from(NAMES), min_size=1, max_size=4), happening, between)
@example(["connected"] * 12, {"s0"}, [(1, "lost", "s5")], [(1, "read")])
def test_in_steps_it_shows_the_same_whoever_else_reads_the_answer_meanwhile(
    words: list[str], lost: set[str], events: list[tuple[int, str, str]], others: list[tuple[int, str]]
) -> None:
    """The page and the history read the answer that is being corrected, and other answers are corrected meanwhile."""
    body = json.dumps(
        [{"id": name, "status": word} for name, word in zip(NAMES, words, strict=True)], separators=(",", ":")
    ).encode()
    sessions, answer = down(*sorted(lost)), ChannelList(body, LIST)
    with (
        mock.patch.multiple(named_elements, SMALL=0, _PIECE=60),
        mock.patch.object(channel_list, "SMALL", 0),
        mock.patch.multiple(module, _STEP=2, _ATTEMPTS=100),
    ):
        steps = correct_in_steps(answer, sessions, 200.0, 201.0)
        result: Correction | None = None
        step = 0
        while result is None:
            for number, (when, what, session) in enumerate(events):
                if when == step:
                    happen(sessions, what, session, 202.0 + step + number / 100)
            for when, who in others:
                if when == step and who == "read":
                    answer.read()
                elif when == step and who == "find":
                    answer.find((NAMES[step % 12],))
                elif when == step:
                    ChannelList(body + b" ", LIST).find((NAMES[-1], NAMES[0]))
            try:
                next(steps)
            except StopIteration as stop:
                result = stop.value
            step += 1
    in_force = {one.session for one in sessions.records() if one.override is not None}
    keeps = {name for name, word in zip(NAMES, words, strict=True) if word == "qr_required"}
    assert set(result.corrected) == in_force - keeps
    assert result.body == expected(body, in_force)
    answer.read()
    assert [answer.said(name).word for name in NAMES] == words


@given(documents, st.sampled_from(["sales", "Support", "x"]), st.integers(1, 60))
@pytest.mark.slow
def test_in_steps_and_in_pieces_nothing_comes_out_different(body: bytes, lost: str, piece: int) -> None:
    one, other = down(lost, "sales"), down(lost, "sales")
    at_once = correct(body, LIST, one, 200.0, 201.0)
    with everything_is_long(piece), mock.patch.object(module, "_STEP", 1):
        assert in_steps(body, other) == (at_once.body, at_once.corrected, at_once.failure, at_once.changes)
    assert one.records() == other.records()


def in_steps(body: bytes, sessions: SessionMap) -> tuple[bytes, tuple[str, ...], str | None, tuple[Change, ...]]:
    done, changes = to_the_end(correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0))
    return done.body, done.corrected, done.failure, (*changes, *done.changes)


@given(st.lists(documents, min_size=2, max_size=2), st.sampled_from(["sales", "Support"]))
def test_an_answer_is_corrected_like_the_one_before_only_where_that_gives_the_same(
    bodies: list[bytes], session: str
) -> None:
    sessions = down(session)
    before, answer = (ChannelList(body, LIST) for body in bodies)
    correct_at_once(before, sessions, 200.0, 201.0)
    first = correct_at_once(before, sessions, 200.0, 201.0)
    alike = correct_alike(answer, before, first)
    if alike is not None:
        assert alike == correct_at_once(ChannelList(answer.body, LIST), sessions, 200.0, 201.0)


def alike(first: str, second: str) -> Correction | None:
    """The second answer as corrected like the first."""
    sessions = down("sales", "support")
    before = ChannelList(first.encode(), LIST)
    done = correct_at_once(before, sessions, 200.0, 201.0)
    found = correct_alike(ChannelList(second.encode(), LIST), before, done)
    if found is not None:
        assert found == correct(second.encode(), LIST, sessions, 200.0, 201.0)
    return found


LOST = '{"id":"sales","status":"connected","state":1},{"id":"support","status":"connected"}'


@pytest.mark.parametrize(
    ("second", "corrected_ids"),
    [
        ("[%s]", ("sales", "support")),
        ('{"turn":2,"channels":[{"id":"other","status":"x"},%s]}', ("sales", "support")),
        ('[{"id":"support","status":"connected"},{"id":"sales","status":"connected","state":1}]', ("support", "sales")),
        (f"[{LOST.replace('connected', 'open')}]", None),
        ('[%s,{"id":"sales"}]', None),
        ('[{"id":"sales","status":"connected","state":1}]', None),
        ("[%s", None),
    ],
)
def test_an_answer_is_corrected_like_the_one_before_where_the_channels_are_written_alike(
    second: str, corrected_ids: tuple[str, ...] | None
) -> None:
    found = alike(f'{{"turn":1,"channels":[{LOST}]}}', second.replace("%s", LOST))
    assert (None if found is None else found.corrected) == corrected_ids


def test_what_was_left_alone_is_left_alone_again() -> None:
    kept = '[{"id":"sales","status":"qr_required"},{"id":"support","status":"disconnected"}%s]'
    found = alike(kept % "", kept % ',{"id":"other"}')
    assert found == Correction((kept % ',{"id":"other"}').encode())


def test_an_answer_that_was_corrected_like_the_one_before_is_one_that_the_next_is_corrected_like() -> None:
    bodies = [f'{{"turn":{turn},"channels":[{LOST}]}}'.encode() for turn in (1, 20, 300)]
    first, second, third = (ChannelList(body, LIST) for body in bodies)
    sessions = down("sales", "support")
    done = correct_alike(second, first, correct_at_once(first, sessions, 200.0, 201.0))
    assert done is not None
    assert correct_alike(third, second, done) == correct(bodies[2], LIST, sessions, 200.0, 201.0)


def test_after_an_answer_that_was_read_whole_none_is_corrected_alike() -> None:
    before, answer = (ChannelList(b'[{"id":"Sales","status":"connected"}]', LIST) for _ in range(2))
    done = correct_at_once(before, down("sales"), 200.0, 201.0)
    assert (done.corrected, correct_alike(answer, before, done)) == (("Sales",), None)


def to_the_end(steps: Generator[Sequence[Change], None, Correction]) -> tuple[Correction, list[Change]]:
    changes: list[Change] = []
    while True:
        try:
            changes += next(steps)
        except StopIteration as stop:
            return stop.value, changes


def test_what_an_answer_changed_is_told_where_writing_it_meets_the_depth() -> None:
    sessions = down("sales", "support")
    seen = b'[{"id":"sales","status":"qr_required"},{"id":"support","status":"x"}]'
    correct(seen, LIST, sessions, 150.0, 151.0)
    body = seen.replace(b"qr_required", b"connected")
    with mock.patch.object(module, "rewrite", side_effect=RecursionError):
        result = correct(body, LIST, sessions, 200.0, 201.0)
    assert (result.body, [change.session for change in result.changes]) == (body, ["sales"])
    assert result.failure == "too-deep"


def test_a_very_long_answer_in_which_nothing_must_change_is_the_very_same() -> None:
    body = json.dumps([{"id": name, "status": "disconnected"} for name in NAMES]).encode()
    with mock.patch.object(module, "COPIED", 4):
        done = to_the_end(correct_in_steps(ChannelList(body, LIST), down("s1"), 200.0, 201.0))[0]
    assert done.body is body
    assert done.corrected == ()


def test_a_map_that_changes_while_a_very_long_answer_is_written_is_shown_as_it_is_then() -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    for pause in range(1, 1_000):
        sessions = down("s1")
        with very_long():
            steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
            if sum(1 for _ in islice(steps, pause)) < pause:
                break
            signal(sessions, "s3", SignalKind.DISCONNECTED, 300.0)
            done = to_the_end(steps)[0]
        assert done.corrected == ("s1", "s3"), pause
    assert pause > 10


def test_a_session_forgotten_between_two_steps_is_left_out() -> None:
    sessions = down(*NAMES, rules=SessionRules(max_sessions=12))
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    with mock.patch.object(module, "_STEP", 1):
        steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        for _ in range(3):
            next(steps)
        for number in range(12):
            signal(sessions, f"new-{number}", SignalKind.DISCONNECTED, 300.0 + number)
        done = to_the_end(steps)[0]
    assert set(done.corrected) == {one.session for one in sessions.records()} & set(NAMES)


def test_thousands_that_return_at_once_are_told_step_by_step() -> None:
    names = [f"s{number}" for number in range(1_000)]
    sessions = down(*names)
    for name in names:
        sessions.watched.qr_seen(name, 150.0, 150.0)
    body = json.dumps([{"id": name, "status": "connected"} for name in names]).encode()
    told = [len(changes) for changes in correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)]
    assert max(told) <= 128
    assert sum(told) >= 1_000 - 128
    assert not sessions.has_overrides


def test_a_correction_gives_way_while_it_reads_locates_and_observes() -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES[:5]]).encode()

    def steps(*lost: str) -> list[list[str]]:
        sessions = down(*lost)
        for name in lost:
            sessions.watched.qr_seen(name, 150.0, 150.0)
        corrections = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        return [[change.session for change in changes] for changes in corrections]

    with everything_is_long(piece=2), mock.patch.object(module, "_STEP", 2):
        reading: list[list[str]] = [[] for _ in ChannelList(body, LIST).steps()]
        assert len(reading) >= 5
        assert steps("nobody")[: len(reading)] == reading
        told = steps(*NAMES[:5])
        assert told[: len(reading)] == reading
        assert [names for names in told if names] == [["s0", "s1"], ["s2", "s3"], ["s4"]]
        assert told.index(["s0", "s1"]) > len(reading) + 2
        assert told.index(["s2", "s3"]) > told.index(["s0", "s1"]) + 2


_CROWDED = {
    "members": b'"x":1,' * 60_000,
    "objects": b'"n":{"a":{"b":1}},' * 40_000,
    "another element": b'"n":{"a":{"b":1}},' * 40_000 + b'"z":1},"text",{',
    "not for the quick decoder": (b'"n":{"a":{"b":1}},' * 7_000 + b'"half":"\\ud800","big":1e400},{') * 3,
    "another array": b'"z":1}],"more":[{' + b'"n":{"a":{"b":1}},' * 40_000,
}


@pytest.mark.parametrize("crowd", _CROWDED.values(), ids=_CROWDED)
def test_each_costly_part_of_a_first_correction_has_a_step_of_its_own(
    crowd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    costly: list[str] = []

    def note(owner: object, name: str, costs: Callable[..., bool]) -> None:
        original = getattr(owner, name)

        def noted(*arguments: Any) -> Any:
            costly.extend([f"{owner} {name}"] * costs(*arguments))
            return original(*arguments)

        monkeypatch.setattr(owner, name, noted)

    class Decoder:
        def __init__(self, *kind: Any) -> None:
            self._decode = msgspec.json.Decoder(*kind).decode

        def decode(self, document: bytes) -> Any:
            costly.extend(["decode"] * (len(document) > 64 * 1024))
            return self._decode(document)

    for reader in (ListReader, NamedElements, ObjectReader):
        note(reader, "__init__", lambda *_: True)
    for pattern in (long_values.between_brackets, long_values.whole_members):
        pattern.cache_clear()
    note(re, "compile", lambda pattern, *_: isinstance(pattern, bytes))
    note(list_reader, "after_value", lambda text, _: len(text) > 64 * 1024)
    monkeypatch.setattr(
        list_reader, "msgspec", SimpleNamespace(json=SimpleNamespace(Decoder=Decoder), Struct=msgspec.Struct)
    )
    body = b'{"channels":[{"id":"sales","status":"connected",%b"z":1}]}' % crowd
    done: list[list[str]] = []
    for _ in correct_in_steps(ChannelList(body, replace(LIST)), down("sales"), 200.0, 201.0):
        done.append(costly[:])
        costly.clear()
    assert {len(step) for step in done} == {0, 1}
    assert {"decode", f"{ListReader} __init__"} <= {step[0] for step in done if step}


def what_is_observed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The channels that are observed from now on, those of each step together."""
    told: list[list[str]] = []
    observe = Observer.observe

    def observed(observer: Observer, said: Iterable[Said], *more: Any) -> Observed:
        here = list(said)
        told.append([one.channel for one in here])
        return observe(observer, here, *more)

    monkeypatch.setattr(Observer, "observe", observed)
    return told


def test_each_channel_is_observed_in_one_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps([{"id": name, "status": "unknown"} for name in NAMES[:5]]).encode()
    told = what_is_observed(monkeypatch)
    monkeypatch.setattr(module, "_STEP", 2)
    with every_channel_is_read():
        to_the_end(correct_in_steps(ChannelList(body, LIST), down(*NAMES[:5]), 200.0, 201.0))
    assert told == [["s0", "s1"], ["s2", "s3"], ["s4"]]


def test_though_the_map_changes_while_a_very_long_answer_is_written_each_channel_is_observed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    told = what_is_observed(monkeypatch)
    for pause in range(1, 10):
        told.clear()
        sessions = down("s1")
        with very_long():
            steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
            assert sum(1 for _ in islice(steps, pause)) == pause
            signal(sessions, "s3", SignalKind.DISCONNECTED, 300.0)
            to_the_end(steps)
        assert sorted(channel for step in told for channel in step) == ["s1", "s3"], pause


@pytest.mark.parametrize("length", [nullcontext, very_long])
def test_in_steps_a_few_channels_are_corrected_without_reading_the_others(
    length: Callable[[], AbstractContextManager[None]],
) -> None:
    answer = ChannelList(json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode(), LIST)
    with length():
        done = to_the_end(correct_in_steps(answer, down("s1", "s3"), 200.0, 201.0))[0]
    assert (done.corrected, answer.is_read) == (("s1", "s3"), False)


@pytest.mark.parametrize("by_word", [False, True])
def test_a_channel_with_much_in_it_is_read_some_at_a_time_for_each_word(by_word: bool) -> None:
    rule = replace(LIST, set={"status": ByWord({"qr": "waiting", "*": "off"})}) if by_word else LIST
    body = b'[{"id":"sales",%b"status":"connected"}]' % (b'"about":"x",' * 5_000)
    work: list[int] = []
    with (
        mock.patch.object(ObjectReader, "_read_members", counted(ObjectReader._read_members, work)),
        mock.patch.object(ObjectReader, "_look", counted(ObjectReader._look, work)),
    ):
        steps = sum(1 for _ in correct_in_steps(ChannelList(body, rule), down("sales"), 200.0, 201.0))
    assert 0 < max(work) <= 16 * 1024
    assert steps >= (1 + by_word) * len(body) // (8 * 1024)


def test_where_channels_stand_in_a_long_list_is_noted_some_at_a_time() -> None:
    body = json.dumps([{"id": f"s{number}", "status": "connected"} for number in range(100)]).encode()
    with every_channel_is_read(), mock.patch.object(channel_list, "_LOOKED_AT", 2):
        assert sum(1 for _ in correct_in_steps(ChannelList(body, LIST), down("s1"), 200.0, 201.0)) >= 50


@pytest.mark.parametrize("backwards", [False, True])
def test_many_channels_are_put_into_the_answers_order_some_at_a_time(backwards: bool) -> None:
    names = [f"s{number}" for number in range(40)]
    answer = ChannelList(json.dumps([{"id": name, "status": "connected"} for name in names]).encode(), LIST)
    answer.read()
    shown = dict.fromkeys(sorted(names, reverse=backwards))
    written = []

    def write() -> Generator[None, None, None]:
        written.append((yield from module._rewrite_in_steps(answer, shown)))

    with (
        mock.patch.object(module, "_SORTED", 4),
        mock.patch.object(module, "_REWRITTEN", 4),
        mock.patch.object(ChannelList, "place", side_effect=ChannelList.place, autospec=True) as place,
    ):
        asked = [place.call_count for _ in write()]
    assert written == [module.rewrite(answer, dict.fromkeys(names))]
    assert max(later - earlier for earlier, later in pairwise([0, *asked])) <= 16


def test_an_answer_that_changes_the_map_is_written_once() -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    sessions = down(*NAMES)
    sessions.watched.qr_seen("s1", 150.0, 150.0)
    write = module._rewrite_in_steps
    with every_channel_is_read(), mock.patch.object(module, "_rewrite_in_steps", side_effect=write) as written:
        done, changes = to_the_end(correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0))
    assert ([one.session for one in changes], len(done.corrected), written.call_count) == (["s1"], 11, 1)


def test_a_session_lost_while_others_are_observed_is_shown_as_disconnected_too() -> None:
    sessions = down("s0", "s1")
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES[:3]]).encode()
    answer = ChannelList(body, LIST)
    answer.read()
    with mock.patch.object(module, "_STEP", 1):
        steps = correct_in_steps(answer, sessions, 200.0, 201.0)
        next(steps)
        next(steps)
        signal(sessions, "s2", SignalKind.DISCONNECTED, 202.0)
        assert to_the_end(steps)[0].corrected == ("s0", "s1", "s2")


@pytest.mark.parametrize(("word", "shown"), [("connected", ["sales"]), ("qr_required", [])])
def test_an_override_is_noted_as_shown_once_an_answer_was_changed(word: str, shown: list[str]) -> None:
    sessions = down("sales", "support")
    correct(json.dumps([{"id": "sales", "status": word}]).encode(), LIST, sessions, 200.0, 201.0)
    assert sessions.answers.take_first_shown() == shown
    assert [one.session for one in sessions.records() if one.shown_at == 201.0] == shown


def test_what_is_located_in_a_long_list_is_decided_for_the_map_as_it_is_then() -> None:
    sessions = down("sales")
    body = b'[{"id":"sales","status":"connected"},{"id":"support","status":"connected"}]'
    with everything_is_long(piece=2):
        answer = ChannelList(body, LIST)
        answer.read()
        steps = correct_in_steps(answer, sessions, 200.0, 201.0)
        next(steps)
        signal(sessions, "support", SignalKind.DISCONNECTED, 202.0)
        signal(sessions, "sales", SignalKind.CONNECTED, 202.0)
        assert to_the_end(steps)[0].corrected == ("support",)


@pytest.mark.parametrize(
    ("kind", "session", "corrected_ids"),
    [
        (SignalKind.CONNECTED, "s3", ("s1",)),
        (SignalKind.DISCONNECTED, "s5", ("s1", "s3", "s5")),
        (SignalKind.DISCONNECTED, "nobody", ("s1", "s3")),
    ],
)
def test_what_is_found_in_a_long_list_is_decided_for_the_map_as_it_is_then(
    kind: SignalKind, session: str, corrected_ids: tuple[str, ...]
) -> None:
    sessions = down("s1", "s3")
    body = json.dumps([{"id": f"s{number}", "status": "connected"} for number in range(9)], separators=(",", ":"))
    with every_list_is_cut():
        steps = correct_in_steps(ChannelList(body.encode(), LIST), sessions, 200.0, 201.0)
        assert next(steps) == ()
        signal(sessions, session, kind, 202.0)
        assert to_the_end(steps)[0].corrected == corrected_ids


#: Lists in which one channel, or one id, has as much as the largest piece: 100 to 470 ms, if it is read in one step.
MUCH: dict[str, Callable[[], bytes]] = {
    "one status member, thousands of times": lambda: b'[{"id":"sales",%b"z":1}]' % (b'"status":"connected",' * 20_000),
    "thousands of nested members": lambda: (
        b'[{"id":"sales","status":"connected",%b"z":1}]' % (b'"n":{"a":{"b":1}},' * 20_000)
    ),
    "one member with much in it": lambda: (
        b'[{"id":"sales","status":"connected","m":{%b"z":1}}]' % (b'"n":{"a":1},' * 20_000)
    ),
    "thousands of small members": lambda: b'[{"id":"sales","status":"connected",%b"z":1}]' % (b'"x":1,' * 60_000),
    "one id, thousands of times": lambda: (
        b"[%b]" % b",".join(b'{"id":"sales","status":"connected","n":%d}' % number for number in range(10_000))
    ),
    "escapes": lambda: b'[{"id":"sales","status":"connected","z":"%b"}]' % (b'\\"' * 200_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", MUCH.values(), ids=MUCH)
def test_no_channel_is_read_or_rewritten_in_one_step(make: Callable[[], bytes]) -> None:
    body = make()
    expected = correct(body, LIST, down("sales"), 200.0, 201.0)
    work: list[int] = []
    reading = [
        mock.patch.object(ObjectReader, "_read_members", counted(ObjectReader._read_members, work)),
        mock.patch.object(ObjectReader, "_look", counted(ObjectReader._look, work)),
    ]
    with reading[0], reading[1]:
        steps = correct_in_steps(ChannelList(body, LIST), down("sales"), 200.0, 201.0)
        most = 0
        result: Correction | None = None
        while result is None:
            work.clear()
            try:
                next(steps)
            except StopIteration as stop:
                result = stop.value
            most = max(most, sum(work))
    assert result == expected
    assert 0 < most <= 2 * 16 * 1024


def counted(read: Callable[..., Any], work: list[int]) -> Callable[..., Any]:
    """The same, noting how long the text is."""

    def noted(reader: ObjectReader, text: str, *more: Any) -> Any:
        work.append(len(text))
        return read(reader, text, *more)

    return noted


def test_while_the_map_keeps_changing_a_long_answer_is_decided_a_few_times_only() -> None:
    sessions = down(*NAMES[:10])
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    assign = Observer.assign_in_steps
    with (
        mock.patch.object(observation, "_AT_ONCE", 1),
        mock.patch.object(Observer, "assign_in_steps", autospec=True, side_effect=assign) as assigned,
    ):
        steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        result: Correction | None = None
        at = 202.0
        while result is None:
            kind = SignalKind.DISCONNECTED if int(at) % 2 else SignalKind.CONNECTED
            signal(sessions, "s11", kind, at)
            at += 1
            try:
                next(steps)
            except StopIteration as stop:
                result = stop.value
    assert assigned.call_count == 4
    assert {*result.corrected} - {"s11"} == set(NAMES[:10])


def test_whenever_the_map_changes_a_long_answer_shows_what_holds_when_it_is_done() -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()

    def corrected_with_a_loss_before(step: int) -> tuple[set[str], bool]:
        """What is shown where `s11` is lost before this step, and whether there was such a step."""
        sessions = down(*NAMES[:10])
        correct(body, LIST, sessions, 190.0, 191.0)
        steps = correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0)
        for number in range(1_000):
            if number == step:
                signal(sessions, "s11", SignalKind.DISCONNECTED, 202.0)
            try:
                next(steps)
            except StopIteration as stop:
                return set(stop.value.corrected), number >= step
        raise AssertionError("it never ends")

    with mock.patch.multiple(module, _STEP=2, _DECIDED=2, _REWRITTEN=0), mock.patch.object(observation, "_AT_ONCE", 3):
        step = 0
        while True:
            shown, there = corrected_with_a_loss_before(step)
            if not there:
                break
            assert shown == {*NAMES[:10], "s11"}
            step += 1
    assert step > 20


def test_many_are_noted_as_shown_some_at_a_time() -> None:
    sessions = down(*NAMES)
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    in_one_step = sum(1 for _ in correct_in_steps(ChannelList(body, LIST), down(*NAMES), 200.0, 201.0))
    with mock.patch.object(module, "_NOTED", 2):
        done = to_the_end(correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0))[0]
        steps = sum(1 for _ in correct_in_steps(ChannelList(body, LIST), down(*NAMES), 200.0, 201.0))
    assert steps >= in_one_step + len(NAMES) // 2 - 1
    assert done.corrected == NAMES
    assert sessions.answers.take_first_shown(3) + sessions.answers.take_first_shown() == list(NAMES)


@pytest.mark.parametrize("word", ["qr", None])
def test_in_steps_what_is_set_goes_by_the_events_word_too(word: str | None) -> None:
    rule = replace(LIST, set={"status": ByWord({"qr": "waiting", "*": "off"})})
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()

    def lost() -> SessionMap:
        sessions = SessionMap()
        for name in NAMES:
            told = Signal(SignalKind.DISCONNECTED, name, 100.0, "ev", word, None)
            sessions.hear(Reading(Verdict.SIGNAL, "ev", name, told), 100.0)
        return sessions

    with everything_is_long():
        done = to_the_end(correct_in_steps(ChannelList(body, rule), lost(), 200.0, 201.0))[0]
    assert done.body == correct(body, rule, lost(), 200.0, 201.0).body
    assert done.body.count(b'"waiting"' if word else b'"off"') == len(NAMES)


def test_with_no_override_in_force_nothing_is_read_in_steps_either() -> None:
    answer = ChannelList(b"not json", LIST)
    assert to_the_end(correct_in_steps(answer, SessionMap(), 200.0, 201.0)) == (Correction(b"not json"), [])
    assert correct_at_once(answer, SessionMap(), 200.0, 201.0).body is answer.body
    assert not answer.is_read


@pytest.mark.parametrize(
    ("body", "corrected_ids", "failure"),
    [
        (b'{"channels":[{"id":"support","status":1},{"id":"sales","status":"connected"}]}', ("sales",), None),
        (b'{"channels":[{"id":"support","status":"connected"}]}', (), None),
        (b'{"channels":[{"id":"sales","status":"connected"}', (), "not-json"),
        (b'{"success":true}', (), "no-list"),
    ],
)
@pytest.mark.parametrize("long", [False, True])
def test_in_steps_a_list_is_corrected_or_left_as_in_one_go(
    body: bytes, corrected_ids: tuple[str, ...], failure: str | None, long: bool
) -> None:
    with everything_is_long() if long else nullcontext():
        done, corrected_now, why, changes = in_steps(body, down("sales"))
    assert done == (expected(body, {"sales"}) if corrected_ids else body)
    assert (corrected_now, why, changes) == (corrected_ids, failure, ())


# What is written goes by the event's word


initialise = ObjectReader.__init__
BY_WORD = replace(
    LIST,
    set={
        "status": ByWord({"failed": "FAILED", "connecting": "STARTING", "*": "STOPPED"}),
        "info.reason": ByWord({"failed": "gone"}),
    },
    keep=frozenset(),
)


def lost_with(*words: str | None) -> SessionMap:
    """A map in which session `s0` was lost by an event with the first word, and so on."""
    sessions = SessionMap()
    for number, word in enumerate(words):
        signal = Signal(SignalKind.DISCONNECTED, f"s{number}", 100.0, "ev", word, None)
        sessions.hear(Reading(Verdict.SIGNAL, "ev", signal.session, signal), 100.0)
    return sessions


def test_each_channel_reads_as_its_own_event_said() -> None:
    body = json.dumps([{"id": f"s{n}", "status": "WORKING", "info": {"reason": "none"}} for n in range(5)]).encode()
    done = correct(body, BY_WORD, lost_with("FAILED", "connecting", "x", None), 200.0, 201.0)
    assert [(one["status"], one["info"]["reason"]) for one in json.loads(done.body)] == [
        ("FAILED", "gone"), ("STARTING", "none"), ("STOPPED", "none"), ("STOPPED", "none"), ("WORKING", "none"),
    ]  # fmt: skip
    assert done.corrected == ("s0", "s1", "s2", "s3")


def test_a_channel_listed_twice_reads_so_in_both_places() -> None:
    body = b'[{"id":"s0","status":"WORKING"},{"id":"s1","status":"WORKING"},{"id":"s0","status":"WORKING"}]'
    done = correct(body, BY_WORD, lost_with("failed"), 200.0, 201.0)
    assert [one["status"] for one in json.loads(done.body)] == ["FAILED", "WORKING", "FAILED"]


def test_of_several_events_for_one_channel_the_newest_says_what_it_reads() -> None:
    sessions = lost_with("failed")
    signal = Signal(SignalKind.DISCONNECTED, "S0", 110.0, "ev", "connecting", None)
    sessions.hear(Reading(Verdict.SIGNAL, "ev", "S0", signal), 110.0)
    assert b"STARTING" in correct(b'[{"id":"s0","status":"WORKING"}]', BY_WORD, sessions, 200.0, 201.0).body


def test_what_a_word_says_nothing_for_stays_as_it_is() -> None:
    rule = replace(LIST, set={"status": ByWord({"failed": "FAILED"})}, keep=frozenset())
    body = b'[{"id":"s0","status":"WORKING"}]'
    assert correct(body, rule, lost_with("other"), 200.0, 201.0).body is body
    assert b"FAILED" in correct(body, rule, lost_with("failed"), 200.0, 201.0).body


def test_in_steps_the_reader_for_each_word_is_made_in_a_step_of_its_own() -> None:
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    rule, sessions = replace(BY_WORD), lost_with("failed", "connecting", "other", None)
    made: list[int] = []
    with (
        every_channel_is_read(),
        mock.patch.object(ObjectReader, "__init__", autospec=True, side_effect=initialise) as make,
    ):
        for _ in correct_in_steps(ChannelList(body, rule), sessions, 200.0, 201.0):
            made.append(make.call_count)
            make.reset_mock()
        made.append(make.call_count)
    assert (max(made), sum(made)) == (1, 4)  # one that reads what is said, and one for each word of the rule


def test_an_override_is_noted_as_shown_once_a_very_long_answer_was_changed() -> None:
    sessions = down("s1")
    body = json.dumps([{"id": name, "status": "connected"} for name in NAMES]).encode()
    with very_long():
        done = to_the_end(correct_in_steps(ChannelList(body, LIST), sessions, 200.0, 201.0))[0]
    assert done.corrected == ("s1",)
    assert sessions.answers.take_first_shown() == ["s1"]
    assert [one.session for one in sessions.records() if one.shown_at == 201.0] == ["s1"]


def test_what_a_very_long_answer_changes_is_told() -> None:
    sessions = down("s1")
    body = json.dumps([{"id": name, "status": "qr_required"} for name in NAMES]).encode()
    correct(body, LIST, sessions, 150.0, 151.0)
    with very_long():
        answer = ChannelList(body.replace(b"qr_required", b"connected"), LIST)
        done, changes = to_the_end(correct_in_steps(answer, sessions, 200.0, 201.0))
    assert (done.corrected, [change.session for change in changes]) == ((), ["s1"])


@pytest.mark.parametrize("stepwise", [False, True])
def test_a_list_with_a_query_confirms_the_sessions_it_corrects_and_an_answer_about_one_channel_none(
    stepwise: bool,
) -> None:
    """Spelt otherwise than by the list, so that every channel is read."""
    for answer, confirms in (
        (ChannelList(b'[{"id":"sales","status":"connected"}]', LIST, None, "page=1"), True),
        (ChannelList(b'{"status":"connected"}', ONE, "sales"), False),
    ):
        sessions = down("SALES", "x", "X")
        if stepwise:
            done = to_the_end(correct_in_steps(answer, sessions, 200.0, 201.0))[0]
        else:
            done = correct_at_once(answer, sessions, 200.0, 201.0)
        assert done.corrected == ("sales",)
        assert [one.session for one in sessions.records() if one.confirmed] == (["SALES"] if confirms else [])
