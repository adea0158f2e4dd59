"""The memory of answers' heads: it changes nothing but the time that reading them takes."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.proxy.http1.answer_head import KNOWN, PATTERNS, ResponseHead, find
from statusproxy.proxy.http1.refusals import RefusedError
from statusproxy.proxy.http1.response_parser import ResponseParser

HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: %b\r\nX: 1\r\nETag: %b\r\nX-Request-Id: %b\r\nContent-Length: %b\r\n"
    b"Keep-Alive: timeout=7\r\n\r\n"
)
DATE = b"Fri, 27 Nov 2026 06:43:34 GMT"
FIRST = HEAD % (DATE, b'"a"', b"id-1", b"0")

#: What stands in place of a value: good ones, and what could change how a head is read.
VALUES = st.sampled_from(
    [
        b"0", b"1", b"00", b"7", b"-1", b"+1", b"1 1", b"1, 1", b"0x1", b"9" * 18, b"9" * 19, b"9" * 20, b"",
        b" ", b"a", b" a", b"a ", b"a\t", b"a b", b"%b", b"%", b'W/"a-b"', b"a\x00", b"a\x7f", b"a\xff", b"a\r", b"a\n",
        b"\r\n", b"a\r\n b", b"1\r\n 1", b"1\r\nETag: 1", b"1\r\nContent-Length: 1", b"1\r\nX-Request-Id: b", DATE,
        b"1\r\nTransfer-Encoding: chunked", b"1\r\nConnection: close", b"1\r\n\r\n", b"x" * 128, b"x" * 129,
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [b"Date", b"date", b"ETag", b"etag", b"X-Request-Id", b"x-request-id", b"Content-Length", b"content-length", b"X",
     b"Connection", b"Keep-Alive", b"Via", b"ETag ", b" ETag"]
)  # fmt: skip
FIELDS = st.lists(st.tuples(NAMES, st.sampled_from([b": ", b":", b":  "]), VALUES), max_size=5)


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    KNOWN.clear()
    PATTERNS.clear()


def read(wire: bytes, limit: int = 4096) -> tuple[object, ...]:
    """All that is read of an answer's head, or why it is refused, and what came of the body."""
    parser = ResponseParser(limit, head_only=False)
    try:
        parser.feed(wire)
    except RefusedError as refused:
        return (str(refused),)
    head = parser.head
    said = None
    if head is not None:
        said = (head.status, head.reason, head.version, head.headers, head.keep_alive, head.coded, head.length)
    return said, parser.keep_alive_field, b"".join(parser.body), parser.complete, parser.behind, parser.until_close


def head_of(wire: bytes) -> ResponseHead:
    """The head that an answer begins with."""
    parser = ResponseParser(4096, head_only=False)
    parser.feed(wire)
    assert parser.head is not None
    return parser.head


def _wire(start: bytes, fields: list[tuple[bytes, bytes, bytes]]) -> bytes:
    return start + b"".join(name + colon + value + b"\r\n" for name, colon, value in fields) + b"\r\nbody"


@given(st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 N\r\n"]), FIELDS, st.data())
def test_a_head_is_read_as_if_none_like_it_had_come_before(
    start: bytes, fields: list[tuple[bytes, bytes, bytes]], data: st.DataObject
) -> None:
    others = [[(name, colon, data.draw(VALUES)) for name, colon, _ in fields] for _ in range(3)]
    expected = []
    for heads in (fields, *others):
        _forget()
        expected.append(read(_wire(start, heads)))
    _forget()
    assert [read(_wire(start, heads)) for heads in (fields, *others)] == expected
    assert [read(_wire(start, heads)) for heads in (fields, *others)] == expected


@given(st.lists(VALUES, min_size=4, max_size=4))
def test_a_head_like_a_good_one_is_good_or_bad_as_by_itself(values: list[bytes]) -> None:
    wire = HEAD % tuple(values) + b"body"
    _forget()
    expected = read(wire)
    _forget()
    read(FIRST)
    assert read(wire) == expected


def test_heads_that_differ_in_what_gateways_change_share_a_pattern() -> None:
    assert head_of(FIRST).pattern is None
    heads = [head_of(HEAD % (DATE, b'W/"%d"' % n, b"id-%d" % n, b"%d" % n)) for n in (2, 300)]
    assert heads[0].pattern is heads[1].pattern is not None
    assert [head.length for head in heads] == [2, 300]
    assert [dict(head.headers)[b"ETag"] for head in heads] == [b'W/"2"', b'W/"300"']
    assert {head.keep_alive_field for head in heads} == {b"timeout=7"}


def test_the_places_of_what_changes_are_known_in_the_order_of_the_head() -> None:
    head_of(FIRST)
    pattern = head_of(HEAD % (DATE, b'"b"', b"id-2", b"0")).pattern
    assert pattern is not None
    assert pattern.places == [0, 2, 3, 4]


def test_a_head_that_says_nothing_else_is_of_http_1_1_and_keeps_the_connection() -> None:
    head = ResponseHead()
    assert (head.status, head.reason, head.version, head.headers) == (0, b"", (1, 1), [])
    assert (head.keep_alive, head.coded, head.length) == (True, False, None)


def test_such_a_head_that_comes_again_is_the_same() -> None:
    head_of(FIRST)
    wire = HEAD % (DATE, b'"b"', b"id-2", b"0")
    assert head_of(wire) is head_of(wire) is find(wire)


@pytest.mark.parametrize("name", [b"ETag", b"etag", b"Date"])
def test_a_field_that_is_there_twice_makes_no_pattern(name: bytes) -> None:
    head_of(FIRST.replace(b"X: 1", name + b": 2"))
    assert not PATTERNS


def test_a_head_without_such_a_field_makes_no_pattern() -> None:
    head_of(b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n")
    assert (len(KNOWN), len(PATTERNS)) == (1, 0)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\nDate: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: a\r\nX: " + b"y" * 2048 + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_switch_of_protocols_and_a_large_head_are_not_remembered(wire: bytes) -> None:
    head_of(wire)
    assert not KNOWN
    assert not PATTERNS


def test_a_head_like_a_known_one_exceeds_the_limit_as_any_other() -> None:
    read(FIRST)
    longer = HEAD % (DATE, b'"abc"', b"id-1", b"0")
    assert read(longer, len(longer) - 1) == ("head too large",)
    assert read(longer, len(longer))[0] is not None


def test_the_memory_is_bounded() -> None:
    for number in range(1000):
        head_of(FIRST.replace(b"X: 1", b"X: %d" % number))
        assert len(KNOWN) <= 64
        assert len(PATTERNS) <= 64
