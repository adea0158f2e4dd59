"""How a file becomes events."""

import json

import pytest

from statusproxy import captures
from statusproxy.captures import CaptureError, Delivery, deliveries, epoch

NOW = 1_768_504_030.0
DEEP = b'{"event": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"


def bodies(content: bytes) -> list[tuple[str, bytes]]:
    return [(one.source, one.body) for one in deliveries(content, "f")]


def test_one_document_is_one_event_whatever_its_lines() -> None:
    content = b'\xef\xbb\xbf{\n "event": "a"\n}\n'
    assert bodies(content) == [("f", b'{\n "event": "a"\n}\n')]


def test_an_array_is_one_body_as_a_relay_sends_it() -> None:
    assert bodies(b'[{"event":"a"},{"event":"b"}]') == [("f", b'[{"event":"a"},{"event":"b"}]')]


def test_each_of_several_lines_is_an_event_also_one_that_is_not_json() -> None:
    assert bodies(b'{"event":"a"}\n\nnone\n{"event":"b"}') == [
        ("f:1", b'{"event":"a"}'),
        ("f:3", b"none"),
        ("f:4", b'{"event":"b"}'),
    ]


@pytest.mark.parametrize("content", [DEEP, DEEP + b"\n", DEEP.replace(b":", b":\n")])
def test_an_event_nested_too_deep_to_be_read_is_one_all_the_same(content: bytes) -> None:
    assert deliveries(content, "f") == [Delivery(source="f", body=content)]


def test_each_line_is_an_event_though_one_is_nested_too_deep() -> None:
    lines = [DEEP, b'{"event": 1}', DEEP]
    assert [one.body for one in deliveries(b"\n".join(lines), "f")] == lines


def test_a_form_is_an_event_and_so_is_each_of_several_lines_of_them() -> None:
    assert bodies(b"jsonData=%7B%7D&token=t\n") == [("f", b"jsonData=%7B%7D&token=t\n")]
    assert bodies(b"jsonData=%7B%7D\njsonData=%7B%7D&x=\n") == [
        ("f:1", b"jsonData=%7B%7D"),
        ("f:2", b"jsonData=%7B%7D&x="),
    ]


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b"several\nwords\n", ""),
        (b"a word", ""),
        (b'{"event": "cut', " (it begins like JSON; is it complete?)"),
        (b'[{"event": "cut"},', " (it begins like JSON; is it complete?)"),
    ],
)
def test_text_that_is_neither_json_nor_a_form_holds_no_event(content: bytes, more: str) -> None:
    with pytest.raises(CaptureError) as raised:
        deliveries(content, "f")
    assert str(raised.value) == f"f: this is neither JSON, nor JSON lines, nor a form{more}"


def test_a_body_of_a_capture_and_a_line_among_others_may_be_no_json() -> None:
    assert bodies(b'{"body":"several words"}') == [("f", b"several words")]
    assert bodies(b'{"event":"e"}\nseveral words') == [("f:1", b'{"event":"e"}'), ("f:2", b"several words")]


def test_a_capture_has_its_headers_path_and_time_beside_the_body() -> None:
    line = b'{"note":"n","at":"2026-01-15T19:07:10Z","path":"/p","headers":{"A":"b","N":1},"body":{"n":1.10}}'
    assert deliveries(line, "f") == [
        Delivery(source="f", body=b'{"n":1.10}', headers=(("A", "b"),), path="/p", at=1_768_504_030.0)
    ]


def test_a_capture_s_text_is_the_body_itself_and_other_kinds_of_members_count_for_nothing() -> None:
    assert deliveries(b'{"body":"a=b","headers":[],"path":1}', "f") == [Delivery(source="f", body=b"a=b")]


def test_notes_are_skipped_and_a_body_among_other_members_is_a_message_s() -> None:
    assert bodies(b'{"note":"n"}\n{"body":{}}\n{"event":"e","body":"hello"}') == [
        ("f:2", b"{}"),
        ("f:3", b'{"event":"e","body":"hello"}'),
    ]


def test_an_array_of_captures_is_several_events() -> None:
    assert bodies(b'[{"body":{"a":1}},{"note":"n"},{"body":{"b":2}}]') == [
        ("f: event 1", b'{"a": 1}'),
        ("f: event 3", b'{"b": 2}'),
    ]


def test_a_body_that_only_javascript_reads_is_kept_by_its_value() -> None:
    (one,) = deliveries(b'{"body":{"a":"\\ud800"}}', "f")
    assert json.loads(one.body) == {"a": "\ud800"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "f: the file is empty"),
        (b" \n\xef\xbb\xbf"[:2], "f: the file is empty"),
        (b"\x7fELF\0\0", "f: this is not text; give JSON, JSON lines or a form, in UTF-8"),
        (b"caf\xe9", "f: this is not text; give JSON, JSON lines or a form, in UTF-8"),
        (b'{"note":"n"}', "f: it has notes, but no event"),
        (b'{"at":"soon","body":{}}', "f: `at` is not a time; write ISO 8601 with a zone, or epoch seconds"),
        (b"[" * 100_000 + b"\0", "f: this is not text; give JSON, JSON lines or a form, in UTF-8"),
    ],
)
def test_a_file_without_events_is_one_line(content: bytes, says: str) -> None:
    with pytest.raises(CaptureError) as raised:
        deliveries(content, "f")
    assert str(raised.value) == says


def test_a_file_has_so_many_events_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captures, "MOST_EVENTS", 2)
    assert len(deliveries(b"{}\n{}", "f")) == 2
    with pytest.raises(CaptureError, match="f: more than 2 events; split the file"):
        deliveries(b"{}\n{}\n{}", "f")


@pytest.mark.parametrize(
    "beside",
    [{"headers": {"A": "b"}, "id": 7, "query": {}}, {"method": "POST", "url": "/p"}],
)
def test_a_body_beside_what_only_a_request_has_is_the_request_s(beside: dict[str, object]) -> None:
    assert bodies(json.dumps({**beside, "body": {"event": "a"}}).encode()) == [("f", b'{"event": "a"}')]


@pytest.mark.parametrize("name", ["payload_raw", "request_body"])
def test_other_names_of_a_body_count_whatever_stands_beside_them(name: str) -> None:
    assert bodies(json.dumps({"id": 7, name: '{"event":"a"}'}).encode()) == [("f", b'{"event":"a"}')]
    assert bodies(json.dumps({"id": 7, name: {"n": 1.5}}).encode()) == [("f", b'{"n": 1.5}')]
    assert bodies(json.dumps({"id": 7, name: 5}).encode()) == [("f", json.dumps({"id": 7, name: 5}).encode())]


@pytest.mark.parametrize(
    ("said", "is_"),
    [
        ("2026-01-15T19:07:10Z", NOW),
        (" 2026-01-15T16:07:10.000-03:00 ", NOW),
        ("1768504030", NOW),
        (1_768_504_030, NOW),
        (1_768_504_030.5, NOW + 0.5),
        ("2026-01-15T19:07:10", None),
        ("soon", None),
        (True, None),
        (None, None),
        (0, None),
        (float("inf"), None),
        (1e12, None),
        (10**400, None),
    ],
)
def test_a_time_has_a_zone_or_is_a_number_of_seconds(said: object, is_: float | None) -> None:
    assert epoch(said) == is_


def test_an_array_of_captures_and_something_else_is_one_body() -> None:
    assert bodies(b'[{"body":{"a":1}},5]') == [("f", b'[{"body":{"a":1}},5]')]
