"""Finding channels: the first path that leads to some, their ids, and the very bytes of each, in whatever layout."""

import json
import tracemalloc
from contextlib import nullcontext
from typing import Any
from unittest import mock

import pytest

from statusproxy.status import element_spans, list_reader
from statusproxy.status.element_spans import FEW
from statusproxy.status.fields import parse_path
from statusproxy.status.list_reader import SMALL, Found, ListReader
from statusproxy.status.long_spans import WINDOW
from statusproxy.status.pieces import LARGEST, TooLargeError
from statusproxy.status.steps import at_once
from tests.status.test_channels import everything_is_long

READER = ListReader(
    tuple(map(parse_path, ("channels", "data.channels", "data", ""))), tuple(map(parse_path, ("id", "meta.name")))
)


def find(body: bytes, *, one: bool = False, reader: ListReader = READER) -> Found | None:
    return at_once(reader.find(body, one=one))


def channels(body: bytes, *, one: bool = False, reader: ListReader = READER) -> list[tuple[str | None, str]]:
    """Each channel's id and what stands in its place."""
    found = find(body, one=one, reader=reader)
    assert found is not None
    pairs = []
    for part in found.parts:
        for index, channel in enumerate(part.ids):
            start, end = part.span(index)
            pairs.append((channel, body[start:end].decode("utf-8", "replace")))
    return pairs


@pytest.mark.parametrize("piece", [None, 2, 64])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"channels":[{"id":"a"},{"id":"b"}]}', [("a", '{"id":"a"}'), ("b", '{"id":"b"}')]),
        (b'\xef\xbb\xbf[{"id":"a"}]', [("a", '{"id":"a"}')]),
        (b' [ {"id":"a"} , {"id":"b"} ] ', [("a", '{"id":"a"}'), ("b", '{"id":"b"}')]),
        (b'[{"id":"a"},\n{"id":"b"} ,{"id":"c"}]', [("a", '{"id":"a"}'), ("b", '{"id":"b"}'), ("c", '{"id":"c"}')]),
        (b'[{"n":123456789012345678901234567890,"id":"a"}, {"id":"b"}]',
         [("a", '{"n":123456789012345678901234567890,"id":"a"}'), ("b", '{"id":"b"}')]),
        (b'[{"id":1.0},{"meta":{"name":"b"}},{"id":" "},7,"x",null,[{"id":"no"}]]',
         [("1", '{"id":1.0}'), ("b", '{"meta":{"name":"b"}}'), (None, '{"id":" "}'), (None, "7"), (None, '"x"'),
          (None, "null"), (None, '[{"id":"no"}]')]),
        (b'[{"id":"\\ud800","meta":{"name":"b"}},{"id":"c"}]',
         [("b", '{"id":"\\ud800","meta":{"name":"b"}}'), ("c", '{"id":"c"}')]),
        (b'\xef\xbb\xbf[{"id":"\\ud800","meta":{"name":"b"}}]', [("b", '{"id":"\\ud800","meta":{"name":"b"}}')]),
        (b'{"data":{"channels":[{"id":"a"}],"others":[1]}}', [("a", '{"id":"a"}')]),
        (b'{"channels":{"id":"x"},"data":[{"id":"a"}]}', [("a", '{"id":"a"}')]),
        (b'{"channels":[{"id":"old"}],"channels":[{"id":"a"}]}', [("a", '{"id":"a"}')]),
        (b'[123456789012345678901234567890,{"id":"a"}]', [(None, "123456789012345678901234567890"),
          ("a", '{"id":"a"}')]),
        (b'{"channels":[{"id":"a"},{"id":"b"}],"channels":[{"id":"a"}]}', [("a", '{"id":"a"}')]),
        (b'\xef\xbb\xbf[{"id":"a"}, {"id":"b"},{"id":"c"} ]',
         [("a", '{"id":"a"}'), ("b", '{"id":"b"}'), ("c", '{"id":"c"}')]),
        (b"[]", []),
    ],
)  # fmt: skip
def test_channels_are_found_with_their_bytes(
    body: bytes, expected: list[tuple[str | None, str]], piece: int | None
) -> None:
    with everything_is_long(piece) if piece else nullcontext():
        assert channels(body) == expected


def test_of_equal_lists_under_a_repeated_key_the_last_one_is_found() -> None:
    found = find(b'{"channels":[{"id":"a"}],"channels":[{"id":"a"}]}')
    assert found is not None
    assert [(part.first, part.ids, part.span(0)) for part in found.parts] == [(0, ["a"], (37, 47))]


@pytest.mark.parametrize("piece", [None, 64])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'[ {"id":"a"},\n {"id":"bcd"},\n {"id":"ef"} ]', ["a", "bcd", "ef"]),
        (b'{"n":[1],"data": [{"id":"a"}], "m":[1]}', ["a"]),
    ],
)
def test_an_evenly_written_list_is_read_without_a_look_at_each_channel(
    body: bytes, expected: list[str], piece: int | None
) -> None:
    one_by_one = mock.patch.multiple(list_reader, elements=None, usable_text=None)
    with everything_is_long(piece) if piece else nullcontext(), one_by_one:
        assert channels(body) == [(name, f'{{"id":"{name}"}}') for name in expected]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"channels":[],"data":[]}', ("channels",)),
        (b'{"data":{"channels":[]}}', ("data", "channels")),
        (b'{"data":[]}', ("data",)),
        (b"[]", ()),
        (b'{"data":["\\ud800"]}', ("data",)),
    ],
)
def test_the_first_path_that_leads_to_a_list_is_told(body: bytes, path: tuple[str, ...]) -> None:
    for found in (find(body), in_pieces(body)):
        assert found is not None
        assert found.path == path


def in_pieces(body: bytes) -> Found | None:
    with everything_is_long():
        return find(body)


@pytest.mark.parametrize("body", [b"{}", b"1", b'{"channels":1,"data":{"x":[]}}', b'{"x":"\\ud800"}'])
def test_where_no_path_leads_to_a_list_there_is_none(body: bytes) -> None:
    assert find(body) is None
    assert in_pieces(body) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"data":{"id":"a","s":1}}', [("a", '{"id":"a","s":1}')]),
        (b'\xef\xbb\xbf{"id":"a"}', [("a", '{"id":"a"}')]),
        (b'{"data":{"x":"\\ud800"}}', [(None, '{"x":"\\ud800"}')]),
        (b'{"channels":[{"id":"a"}]}', [("a", '{"id":"a"}')]),
        (b'{"channels":7,"data":{"id":"a"}}', [("a", '{"id":"a"}')]),
        (b'{"id":"a"}%b' % (b" " * SMALL), [("a", '{"id":"a"}')]),
        (b'{"data":[]}%b' % (b" " * SMALL), []),
    ],
)
def test_of_one_channel_the_object_counts_without_a_list_too(body: bytes, expected: list[tuple[str, str]]) -> None:
    assert channels(body, one=True) == expected


def test_an_answer_about_one_channel_that_holds_none_is_told() -> None:
    assert find(b'"\\ud800"', one=True) is None
    assert find(b"7", one=True) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1 2]",
        b"[] []",
        b'["\\ud800"] 1',
        b"[NaN]",
        b'{"a":[1}]}',
        b'[{"id":"a"},]',
        b'[ \n ,{"id":"a"}]',
        b'[{"id":"a"}, \n ,{"id":"b"}]',
        b'{"x":[ \n ,1],"data":[]}',
    ],
)
def test_what_is_no_json_raises(body: bytes) -> None:
    assert [is_json(body, one=False), is_json(body, one=True)] == [False, False]
    for piece in (2, 16):
        with everything_is_long(piece):
            assert not is_json(body, one=False)


def is_json(body: bytes, *, one: bool) -> bool:
    try:
        find(body, one=one)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("count", [FEW, FEW + 1, 40])
@pytest.mark.parametrize("between", [",", ", ", " ,\n"])
def test_few_and_many_channels_are_found_alike(count: int, between: str) -> None:
    objects = ["{" + f'"id":"s{number}"' + " " * (number % 3) + "}" for number in range(count)]
    body = ('{"channels":[' + between.join(objects) + "]}").encode()
    assert channels(body) == [(f"s{number}", text) for number, text in enumerate(objects)]


def a_list(count: int, **more: Any) -> bytes:
    return json.dumps([{"id": f"s{number}", **more} for number in range(count)]).encode()


def steps(body: bytes, reader: ListReader = READER) -> int:
    return sum(1 for _ in reader.find(body, one=False))


@pytest.mark.slow
def test_a_long_list_is_read_in_steps_whichever_way() -> None:
    assert steps(a_list(10)) == 1
    assert steps(a_list(5_000, about="x" * 40)) == 1  # 300 kB in one call
    assert steps(a_list(40_000)) >= 8  # more objects than one call may take
    assert steps(b"[" + b",".join([b'{"id":"\\ud800"}'] * 20_000) + b"]") >= 8  # not for the quick decoder


@pytest.mark.slow
@pytest.mark.parametrize("count", [100_000, 400_000], ids=["in one piece", "in pieces"])
def test_elements_that_are_no_channels_are_looked_at_in_steps_however_short_they_are(count: int) -> None:
    body = b"[" + b"1," * count + b'{"id":"a"}]'
    # Each look takes some µs: a step of them all, or of a piece's 65 000, would hold up everybody else.
    assert steps(body) > count // 1_000


def test_a_long_document_that_the_quick_decoder_refuses_is_read_in_pieces() -> None:
    body = (
        b'[{"id":"a","x":"\\ud800"}' + b"".join(b',{"id":"%d","x":"%b"}' % (n, b"x" * 9_000) for n in range(40)) + b"]"
    )
    assert [channel for channel, _ in channels(body)] == ["a", *map(str, range(40))]


@pytest.mark.parametrize("odd", ['"x":"\\ud800"', '"x":1e999', '"x":"\\ud800","y":1e999'])
@pytest.mark.parametrize(
    "written", ['"id":"a"', '"id":"\\ud800","meta":{"name":"a"}', '"id":["a"],"meta":{"name":"a"}']
)
def test_a_long_channel_that_the_quick_decoder_refuses_is_read_in_steps(odd: str, written: str) -> None:
    def body(count: int) -> bytes:
        return f'[{{{written},{odd},"many":[{"1," * count}1]}},{{"id":"b"}}]'.encode()

    assert [channel for channel, _ in channels(body(40_000))] == ["a", "b"]
    if "ud800" in odd:  # else one look says that it cannot be read in steps
        assert steps(body(40_000)) > steps(body(100)) + 2


@pytest.mark.parametrize(
    ("body", "one"),
    [
        (b'{"id":"%b"}' % (b"x" * LARGEST), True),
        (b'{"x":"\\ud800%b"}' % (b"x" * 300_000), True),
        (b'[{"x":"%b"}]' % (b"x" * LARGEST), False),
        (b'[{"id":1e999,"x":"%b"}]' % (b"x" * 300_000), False),
        (b'{"others":["\\ud800%b"],"channels":[]}' % (b"x" * 300_000), False),
    ],
    ids=[
        "one channel",
        "one channel, slowly",
        "an element",
        "an element, slowly",
        "an element beside the list, slowly",
    ],
)
def test_what_cannot_be_read_in_short_steps_is_refused(body: bytes, one: bool) -> None:
    with pytest.raises(TooLargeError):
        find(body, one=one)


def test_more_channels_than_anybody_has_are_refused() -> None:
    with mock.patch.object(list_reader, "_CHANNELS", 20):
        assert in_pieces(a_list(20)) is not None
        with pytest.raises(TooLargeError):
            in_pieces(a_list(21))


def test_a_rule_without_ids_or_with_several_finds_the_channels_all_the_same() -> None:
    none, deep = ListReader(((),), ()), ListReader(((),), (("meta", "name"), ("id",)))
    body = b'[{"id":"a","meta":{"name":"b"}},{"id":"a"}]'
    assert [channel for channel, _ in channels(body, reader=none)] == [None, None]
    assert [channel for channel, _ in channels(body, reader=deep)] == ["b", "a"]


@pytest.mark.parametrize("written", ['""', '" "', '"\uffff"', "null", "true", '"' + "x" * 513 + '"', "[1]"])
def test_an_id_that_is_none_lets_the_next_member_name_the_channel(written: str) -> None:
    body = f'[{{"id":{written},"meta":{{"name":"b"}}}},{{"id":"c"}}]'.encode()
    assert [channel for channel, _ in channels(body)] == ["b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("reader", [READER, ListReader(((),), (("id", "inner"),))], ids=["id", "id.inner"])
def test_an_id_that_is_a_long_array_is_skipped(reader: ListReader) -> None:
    body = f'[{{"id":[{"[]," * 150_000}0]}}]'.encode()
    tracemalloc.start()
    try:
        assert find(body, reader=reader) is not None
        assert tracemalloc.get_traced_memory()[1] < 7 * 1024 * 1024  # as lists of Python these take 9.5 MiB
    finally:
        tracemalloc.stop()


def test_where_an_array_stands_for_an_id_the_others_are_still_known() -> None:
    body = b'[{"id":[1]},{"id":"a"},{"id":{"x":1},"meta":{"name":"b"}},{"id":[],"meta":{"name":5}},{"id":[],"meta":[]}]'
    assert [channel for channel, _ in channels(body)] == [None, "a", "b", "5", None]
    with everything_is_long(piece=2):
        assert [channel for channel, _ in channels(body)] == [None, "a", "b", "5", None]


@pytest.mark.slow
def test_what_surrounds_the_arrays_is_read_in_steps() -> None:
    channels_ = ",".join(['{"id":"a"}'] * 40_000)
    few, many = (f'{{"x":{{{members}"z":1}},"channels":[{channels_}]}}'.encode() for members in ("", '"":0,' * 100_000))
    assert steps(many) >= steps(few) + 10
    assert [path for found in map(find, (few, many)) if found is not None for path in [found.path]] == [
        ("channels",)
    ] * 2


def test_what_surrounds_the_arrays_may_be_read_slowly_if_it_is_short() -> None:
    def listed(members: str) -> bytes:
        return f'{{"channels":[{{"id":"a"}}],{members}"z":1e400}}'.encode()

    with everything_is_long(piece=2):
        assert [channel for channel, _ in channels(listed(""))] == ["a"]
        with pytest.raises(TooLargeError):
            find(listed('"a":0,' * 12_000))


def test_a_very_long_list_with_a_byte_order_mark_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_reader, "_COPIED", 20)
    with pytest.raises(TooLargeError):
        find(b'\xef\xbb\xbf[{"id":"a"}, {"id":"b"}]')
    assert find(b'[{"id":"a"}, {"id":"b"}]') is not None
    assert find(b'\xef\xbb\xbf[{"id":"a"}]') is not None


def test_elements_read_slowly_yield_by_their_bytes() -> None:
    body = b"[%b]" % b",".join([b'{"id":"\\ud800","n":[%b0]}' % (b"1," * 10_000)] * 4)
    assert steps(body) - steps(b'[{"id":"\\ud800"}]') >= 4


def test_elements_read_slowly_count_for_more_than_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_reader, "_SLOW_STEP", 200)
    assert 20 <= steps(b'["\\ud800"%b]' % (b",1" * 100)) - steps(b'["\\ud800"]') <= 30


@pytest.mark.parametrize(
    ("body", "piece", "least"),
    [
        (b'[{"id":"\\ud800"}]', None, 7),  # two quick decoders, the scanner, and a look for each path
        (b'{"channels":[{"id":"a"}]}', 2, 3),  # before it, between decoding and reading, and after it
        (b'{"channels":[{"id":"\\ud800"}]}', 2, 5),  # two quick decoders and the scanner
        (b'{"x":[11,22,33,44]}', 2, 5),
        (b'{"x":["\\ud800"]}', 2, 3),
    ],
    ids=["slowly", "a piece", "a piece, slowly", "others", "others, slowly"],
)
def test_each_pass_over_a_document_or_a_piece_is_a_step(body: bytes, piece: int | None, least: int) -> None:
    with everything_is_long(piece) if piece else nullcontext():
        assert steps(body) >= least


def test_a_long_channel_is_read_after_the_step_that_finds_its_end() -> None:
    def read(size: int) -> int:
        return steps(b'[{"id":"a","x":"\\ud800%b"}]' % (b"x" * size))

    assert read(70_000) >= read(100) + 5


def test_members_around_the_arrays_are_freed_in_steps() -> None:
    def read(names: int) -> int:
        members = b",".join([b'"%05d":0' % (number % names) for number in range(25_000)])
        return steps(b'{"x":{%b},"channels":[]}' % members)

    with everything_is_long():
        assert read(25_000) >= read(1) + 10


@pytest.mark.parametrize("ids", [("id",), ("meta.name", "id")])
def test_a_list_is_read_in_one_go_with_anything_but_an_array_for_an_id(ids: tuple[str, ...]) -> None:
    reader = ListReader(tuple(map(parse_path, ("channels", "data.channels"))), tuple(map(parse_path, ids)))
    body = b'{"channels":7,"data":{"channels":[{"id":"a","meta":{"name":5}},{"id":null},{"id":{"x":1},"meta":true}]}}'
    assert steps(body, reader) == 1
    assert steps(b'{"channels":[]}', reader) == 1


def test_a_part_knows_how_many_channels_it_has_when_its_ids_are_taken() -> None:
    found = find(a_list(3))
    assert found is not None
    (part,) = found.parts
    part.ids = []
    assert len(part) == 3


@pytest.mark.parametrize("window", [0, WINDOW])
@pytest.mark.parametrize("around", [b"%b", b'{"n":{"x":[1]},"channels":%b}'])
@pytest.mark.parametrize("listed", [b'[{"id":"a"},{"id":"b"},{"id":"c"}]', b'[{"id":"a"},\n{"id":"b"} ,{"id":"c"}]'])
def test_where_channels_stand_is_found_in_a_document_of_any_length(
    around: bytes, listed: bytes, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_reader, "WINDOW", window)
    monkeypatch.setattr(element_spans, "WINDOW", window)
    assert channels(around % listed) == [(name, f'{{"id":"{name}"}}') for name in "abc"]


@pytest.mark.parametrize("window", [0, WINDOW])
@pytest.mark.parametrize("piece", [None, 64])
@pytest.mark.parametrize("around", [b"%b", b'{"n":[1],"channels":%b}'])
def test_an_evenly_written_list_is_not_walked(
    around: bytes, piece: int | None, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = around % b'[{"id":"a"}, {"id":"bcd"}, {"id":"ef"}]'
    with everything_is_long(piece) if piece else nullcontext():
        found = find(body)
        assert found is not None
        monkeypatch.setattr(list_reader, "WINDOW", window)
        for module, name in ((list_reader, "value_end"), (list_reader, "after_value"),
                             (element_spans, "elements"), (element_spans, "elements_in_steps")):  # fmt: skip
            monkeypatch.setattr(module, name, None)
        spans = [part.span(index) for part in found.parts for index in range(len(part))]
        assert [json.loads(body[start:end])["id"] for start, end in spans] == ["a", "bcd", "ef"]


@pytest.mark.parametrize(
    ("body", "one", "piece", "least"),
    [(b'[{"id":"a"}]', False, None, 3), (b'{"id":"a"}', True, None, 2), (b'[{"id":"a"}]', False, 2, 1)],
    ids=["a list", "one channel", "a piece"],
)
def test_where_channels_stand_in_a_long_document_is_found_in_steps(
    body: bytes, one: bool, piece: int | None, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_reader, "WINDOW", 0)
    with everything_is_long(piece) if piece else nullcontext():
        found = find(body, one=one)
        assert found is not None
        assert len(list(found.parts[0].locate())) >= least
