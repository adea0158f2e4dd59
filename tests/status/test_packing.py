"""Bodies of several events, and forms: each event in its order, in short steps, and no more than is bounded."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import packing, pieces
from statusproxy.status.dialect import Dialect
from statusproxy.status.fields import LENIENT_AT_ONCE, Array, lookup
from statusproxy.status.packing import (
    FORM_AT_ONCE,
    LONGEST_FIELD,
    MOST_EVENTS,
    MOST_FIELDS,
    Broken,
    Document,
    Item,
    Unread,
    contents,
    form_value,
    holds_several,
    is_lines,
    unpack,
)
from tests.known_dialect import KNOWN, known
from tests.status.counting import counted

JSON = KNOWN
FORM = known(body_member="jsonData")


def items(body: bytes, dialect: Dialect = JSON) -> list[Item]:
    return [item for item in unpack(body, dialect) if item is not None]


def numbered(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [{"event": "x", "n": number} for number in numbers]


def read(found: list[Item]) -> list[object]:
    return [item.value["n"] for item in found if isinstance(item, Document) and type(item.value) is dict]


# One event


@pytest.mark.parametrize("text", ['{"event":"x","events":[{"event":"y"}]}', '{"n":1}', "[]", "[1]", "[{}]", "7"])
def test_what_is_not_several_events_is_one_document(text: str) -> None:
    (item,) = items(text.encode())
    assert isinstance(item, Document)


def test_an_arrays_elements_but_the_first_are_left_out_as_in_any_webhook() -> None:
    (item,) = items(b'{"event":"x","list":[1,2,3]}')
    assert isinstance(item, Document)
    assert isinstance(item.value, dict)
    assert isinstance(item.value["list"], Array)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"a\nb", b'{"event":\n"x"'])
def test_what_is_not_json_is_broken(body: bytes) -> None:
    assert items(body) == [Broken()]


# Several


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("space", ["", " \n"])
def test_an_array_of_events_is_read_in_its_order(mark: bytes, space: str) -> None:
    body = mark + (space + json.dumps(numbered(range(5)), indent=1 if space else None)).encode()
    assert read(items(body)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n\n  \n"])
def test_one_event_a_line_is_read_in_its_order(newline: str) -> None:
    body = newline.join(map(json.dumps, numbered(range(5)))).encode()
    assert is_lines(body)
    assert read(items(body)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("member", ["events", "batch", "items", "data", "messages"])
def test_events_may_stand_in_a_member(member: str) -> None:
    body = json.dumps({"sent": [1, 2], "meta": {"events": [3]}, member: numbered(range(3))}).encode()
    assert read(items(body)) == [0, 1, 2]


def test_events_in_several_members_are_read_in_the_order_of_the_body() -> None:
    body = json.dumps({"items": numbered([1, 2]), "data": [{"no": "event"}], "events": numbered([3])}).encode()
    assert read(items(body)) == [1, 2, 3]


def test_where_the_event_stands_elsewhere_it_is_looked_for_there() -> None:
    dialect = known(event=(("type",),))
    assert read(items(b'{"event":"sent","events":[{"type":"x","n":1},{"type":"x","n":2}]}', dialect)) == [1, 2]
    assert len(items(b'{"type":"sent","events":[{"type":"x","n":1},{"type":"x","n":2}]}', dialect)) == 1


def test_a_broken_line_costs_no_other() -> None:
    body = b'{"event":"x","n":1}\n{"event":\n{"event":"x","n":2}'
    assert items(body)[1] == Broken()
    assert read(items(body)) == [1, 2]


@pytest.mark.parametrize("odd", [b'{"event":"x","n":"\\ud800"}', b'{"event":"x","n":"\xff"}'])
def test_what_javascript_reads_is_read(odd: bytes) -> None:
    assert len(read(items(b'[{"event":"x","n":0},' + odd + b',{"event":"x","n":2}]'))) == 3
    assert len(read(items(b'{"event":"x","n":0}\n' + odd + b"\n"))) == 2


def test_what_is_nested_deep_beside_the_events_costs_none_of_them() -> None:
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    assert read(
        items(b'{"deep":' + deep + b',"events":[{"event":"x","n":1,"a":' + deep + b'},{"event":"x","n":2}]}')
    ) == [
        1,
        2,
    ]


def test_an_event_in_an_event_is_not_unpacked() -> None:
    (item,) = items(b'[{"event":"x","n":1,"events":[{"event":"y"}]}]')
    assert isinstance(item, Document)


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.lists(st.integers()))))
@pytest.mark.slow
def test_every_element_is_read_whatever_it_holds(elements: list[dict[str, Any]]) -> None:
    documents = numbered([0]) + [{**element, "n": number} for number, element in enumerate(elements, 1)]
    wanted = list(range(len(documents)))
    assert read(items(json.dumps(documents).encode())) == wanted
    assert read(items(json.dumps({"batch": documents}, ensure_ascii=False).encode())) == wanted
    if elements:
        assert read(items("\n".join(map(json.dumps, documents)).encode())) == wanted


# Bounds


@pytest.mark.parametrize("more", [1, 12_345])
@pytest.mark.slow
def test_what_is_too_many_is_counted(more: int) -> None:
    documents = list(map(json.dumps, numbered(range(MOST_EVENTS + more))))
    for body in ("[" + ",".join(documents) + "]", "\n".join(documents)):
        found = items(body.encode())
        assert read(found) == list(range(MOST_EVENTS))
        assert sum(item.count for item in found if item == Unread("too-many", getattr(item, "count", 0))) == more


def test_several_members_share_the_room() -> None:
    body = json.dumps({"events": numbered(range(MOST_EVENTS)), "items": numbered(range(3))}).encode()
    assert [item for item in items(body) if not isinstance(item, Document)] == [Unread("too-many", 3)]


def test_events_that_just_fit_are_read_and_one_more_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_EVENTS", 2)
    for first, second, rest in ((1, 1, []), (2, 1, [Unread("too-many", 1)])):
        body = json.dumps({"events": numbered(range(first)), "items": numbered(range(second))}).encode()
        assert [item for item in items(body) if not isinstance(item, Document)] == rest
        assert len(read(items(body))) == 2


def test_an_array_that_cannot_be_taken_apart_is_too_large() -> None:
    large = "x" * (pieces.LARGEST + 1)
    assert items(json.dumps([*numbered([1]), {"event": large}]).encode()) == [Unread("too-large", 1)]


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b",".join([b'{"event":"x"}'] * 200_000) + b"]",
        b"\n".join([b'{"event":"x"}'] * 200_000),
        b'{"event":"x"}' + b"\n7" * 200_000,
    ],
)
def test_much_work_is_cut_into_steps(body: bytes) -> None:
    steps = sum(not isinstance(item, Document) for item in unpack(body, JSON))
    assert steps > 10


HALF = '"half":"\\ud83d"'
LONG = "x" * LENIENT_AT_ONCE


@pytest.mark.parametrize(
    "form", ["{%s}", '[{"event":"x","n":0},{%s}]', '{"event":"x","n":0}\n{%s}', '{%s}\n{"event":"x","n":0}']
)
def test_a_long_event_with_half_a_surrogate_pair_is_read_in_steps(form: str) -> None:
    event = f'"event":"x","n":1,{HALF},"long":"{LONG}"'
    found = list(unpack((form % event).encode(), JSON))
    documents = [item.value for item in found if isinstance(item, Document)]
    assert [lookup(document, ("half",)) for document in documents if lookup(document, ("n",)) == 1] == ["\uffff"]
    assert len(read(items((form % event).encode()))) == 1 + form.count("event")
    assert found.count(None) > 2


def test_a_long_piece_is_refused_replaced_in_and_divided_in_different_steps() -> None:
    elements, steps = counted(packing._split(f'[{{{HALF}}},"{LONG}"]'.encode()))
    assert len(elements) == 2
    assert steps >= 2


@pytest.mark.parametrize("body", [f'{{"a":"{LONG}"\n{{"event":"x"}}', f'"{LONG}\n{{"event":"x"}}', f'{{"a":"{LONG}"'])
def test_a_long_text_that_is_no_json_is_broken(body: str) -> None:
    assert Broken() in items(body.encode())
    assert len(items(body.encode())) == 1 + body.count("\n") * (body[0] == "{")


def test_a_piece_of_an_array_and_lines_that_are_not_read_are_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_EVENTS", 1)
    monkeypatch.setattr(packing, "_LINES_COUNTED", 4)
    one = b'{"event":"x"}'
    assert [type(item) for item in unpack(b"[" + one + b"]", JSON)] == [Document, type(None)]
    lines = list(unpack(b"\n".join([one] * 10), JSON))
    assert [type(item) for item in lines] == [Document, type(None), type(None), Unread]
    assert lines[-1] == Unread("too-many", 9)


def test_a_long_body_is_decoded_and_cut_in_different_steps() -> None:
    body = b'[{"event":"x"},"%b"]' % (b"a" * (40 * 1024))
    assert [type(item) for item in unpack(body, JSON)][:2] == [type(None), Document]


def test_few_elements_are_divided_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    split = packing._split

    def noted(piece: bytes) -> Any:
        pieces.append(len(piece))
        return split(piece)

    monkeypatch.setattr(packing, "_split", noted)
    assert len(items(b'[{"event":"x"}' + b",1" * 100_000 + b"]")) > MOST_EVENTS
    assert max(pieces) < 4 * packing._PIECE


@pytest.mark.parametrize("blank", [b" \n", b"\n", b" \t\r\n"])
def test_blank_lines_are_passed_over(blank: bytes) -> None:
    body = blank * 100 + b'{"event":"x"}' + blank * 100 + b'\t{"event":"y"} ' + blank * 100
    assert [type(item) for item in items(body)] == [Document, Document]


# Forms


@pytest.mark.parametrize("encoded", [quote, quote_plus, lambda text: quote(text, safe='/{}:",')])
def test_a_member_of_a_form_is_read(encoded: Any) -> None:
    text = json.dumps({"event": "ação + 1 & 2 = 3", "n": "100%"}, ensure_ascii=False)
    body = f"a=1&json%44ata={encoded(text)}&token=s3cret&jsonData=2".encode()
    found = contents(body, "jsonData")
    assert found is not None
    assert json.loads(found) == {"a": "1", "token": "s3cret", **json.loads(text)}
    assert read(items(body, FORM)) == ["100%"]


@pytest.mark.parametrize(
    ("member", "found"),
    [
        ('{"n": 1}', {"userID": "7", "name": "a b", "n": 1}),
        (' { "userID": "2", "n": 1}', {"userID": "2", "name": "a b", "n": 1}),
        ("{}", {"userID": "7", "name": "a b"}),
        ('[{"n": 1}]', [{"n": 1}]),
        ("5", 5),
    ],
)
def test_other_members_of_a_form_are_added_to_an_object_in_which_they_are_missing(member: str, found: Any) -> None:
    body = b"userID=7&userID=8&" + urlencode({"jsonData": member}).encode() + b"&name=a+b&long=" + b"x" * LONGEST_FIELD
    text = contents(body, "jsonData")
    assert text is not None
    assert json.loads(text) == found


def test_a_form_of_the_member_alone_is_that_member() -> None:
    assert contents(b"jsonData=%7B%22n%22%3A1%7D", "jsonData") == b'{"n":1}'


def test_other_members_are_added_to_a_long_object_and_from_the_first_fields_only() -> None:
    body = urlencode({"jsonData": json.dumps({"event": "x", "n": "y" * FORM_AT_ONCE}), "userID": "7"}).encode()
    (item,) = items(body + b"&" + b"a=1&" * MOST_FIELDS + b"late=1", FORM)
    assert isinstance(item, Document)
    assert isinstance(item.value, dict)
    assert (item.value["userID"], item.value["a"], "late" in item.value) == ("7", "1", False)


@pytest.mark.parametrize(
    "body", [b'{"event":"x","n":1}', b'\xef\xbb\xbf {"event":"x","n":1}', b'[{"event":"x","n":1}]']
)
def test_json_is_read_as_json_where_a_form_may_come(body: bytes) -> None:
    assert contents(body, "jsonData") is body
    assert read(items(body, FORM)) == [1]


def test_without_a_member_every_body_is_as_it_is() -> None:
    assert contents(b"jsonData=%7B%7D", None) == b"jsonData=%7B%7D"


@pytest.mark.parametrize("body", [b"&m=5", b"%6D=5", b"a=%FF&m=%7B%7D", b"m=5&=1"])
def test_a_form_is_read_however_it_is_written(body: bytes) -> None:
    assert contents(body, "m") == {b"a=%FF&m=%7B%7D": b'{"a": "\\ufffd"}'}.get(body, b"5")


def test_the_longest_of_a_form_that_is_read() -> None:
    assert contents(b"m=" + b"5" * FORM_AT_ONCE, "m") == b"5" * FORM_AT_ONCE
    assert contents(b"m=" + b"5" * (FORM_AT_ONCE + 1), "m") is None
    assert contents(b"m=%7B%7D&a=" + b"x" * (LONGEST_FIELD - 2), "m") == b'{"a": "%b"}' % (b"x" * (LONGEST_FIELD - 2))
    assert contents(b"m=%7B%7D&a=" + b"x" * (LONGEST_FIELD - 1), "m") == b"{}"


def test_a_form_without_the_member_is_empty() -> None:
    assert contents(b"token=s3cret", "jsonData") == b""
    assert items(b"token=s3cret", FORM) == [Broken()]


def test_the_member_is_looked_for_in_the_first_fields_only() -> None:
    assert form_value(b"a=1&" * (MOST_FIELDS - 1) + b"m=2", "m") == b"2"
    assert form_value(b"a=1&" * MOST_FIELDS + b"m=2", "m") is None


@pytest.mark.parametrize("body", [b"", b"m", b"&", b"=m", b"mm=1", b"x=m=1"])
def test_a_member_that_is_not_there_is_not_found(body: bytes) -> None:
    assert form_value(body, "m") is None


@pytest.mark.slow
def test_a_long_form_is_decoded_in_steps_that_divide_no_escape() -> None:
    text = json.dumps([{"event": "x", "n": "é%" * FORM_AT_ONCE}], ensure_ascii=False)
    for shift in range(4):
        body = urlencode({"jsonData": " " * shift + text}).encode()
        assert contents(body, "jsonData") is None
        assert read(items(body, FORM)) == ["é%" * FORM_AT_ONCE]
        assert list(unpack(body, FORM)).count(None) > 10


def test_a_long_form_of_nothing_but_percent_signs_is_broken() -> None:
    assert items(b"jsonData=" + b"%" * 200_000, FORM) == [Broken()]


# Names


def test_which_documents_are_several() -> None:
    names = JSON
    assert holds_several([{"event": "x"}], names)
    assert holds_several({"events": [{"event": "x"}]}, names)
    assert not holds_several({"event": "y", "events": [{"event": "x"}]}, names)
    assert not holds_several({"events": {"event": "x"}}, names)
    assert not holds_several([[{"event": "x"}]], names)
    assert not holds_several(None, names)


@pytest.mark.parametrize("body", [b'{"event":"x"}\n', b"a\nb", b'"x"\n"y"', b"", b"\n"])
def test_what_is_no_json_a_line(body: bytes) -> None:
    assert not is_lines(body)


def test_a_boolean_names_an_event_where_the_dialect_says_so() -> None:
    several = [{"online": False}, {"online": True}]
    dialect = known(event=(("online",),), boolean_names=True)
    assert holds_several(several, dialect)
    assert not holds_several(several, known(event=(("online",),)))
    assert [
        one.value for one in unpack(b'[{"online":false},{"online":true}]', dialect) if isinstance(one, Document)
    ] == several
