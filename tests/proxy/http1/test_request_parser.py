"""The parser of requests: what follows what, in bounds that its user sets, wherever the bytes are cut."""

import itertools
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.proxy.http1 import request_parser
from statusproxy.proxy.http1.framing import LONGEST_LINE, ChunkReader, ChunkRules
from statusproxy.proxy.http1.head_reader import HeadReader, RequestLine
from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import END, SWITCHED, HeadLimits, RequestHead, RequestParser
from tests.proxy.http1.reading import GET, HOST, POST, Reading, chunked, request, verdict, wide


def test_a_parser_that_was_given_nothing_has_nothing_to_do() -> None:
    parser = RequestParser(wide())
    assert (parser.chunks, parser.behind, parser.held) == (0, False, 0)
    assert (parser.in_head, parser.in_body, parser.switched, parser.ended) == (False, False, False, False)


def test_what_follows_the_last_request_of_a_connection_is_not_read() -> None:
    got = Reading().feed(request(b"Connection: close") + request(), request())
    assert len(got.messages) == 1


def test_connection_upgrade_without_upgrade_is_an_ordinary_request() -> None:
    got = Reading().feed(request(b"Connection: upgrade") + request())
    assert [message.upgrade for message in got.messages] == [False, False]
    assert not got.switched


@pytest.mark.parametrize("lines", [[b"Upgrade: websocket"], [b"Upgrade: websocket", b"Connection: upgrades"]])
def test_upgrade_without_connection_upgrade_is_an_ordinary_request(lines: list[bytes]) -> None:
    assert not Reading().feed(request(*lines)).switched


@pytest.mark.parametrize("protocol", [b"websocket", b"foo/2", b"h2c"])
def test_bytes_behind_an_upgrade_are_kept_for_whoever_goes_on(protocol: bytes) -> None:
    got = Reading().feed(request(b"Connection: Upgrade", b"Upgrade: " + protocol) + b"\x81\x05early")
    assert got.switched
    got.feed(b" and late")
    assert got.parser.held == len(b"\x81\x05early and late")
    assert got.parser.take_rest() == b"\x81\x05early and late"
    assert got.parser.held == 0


@pytest.mark.parametrize(
    "wire",
    [request(b"Connection: Upgrade", b"Upgrade: foo"), request(start=b"CONNECT a.example:1 HTTP/1.1")],
    ids=["upgrade", "connect"],
)
def test_a_request_for_another_protocol_is_followed_by_its_mark_and_then_by_no_request(wire: bytes) -> None:
    parser = RequestParser(wide())
    [head, mark] = parser.feed(wire + request(), 10, 0)
    assert (isinstance(head, RequestHead), mark) == (True, SWITCHED)
    assert (parser.switched, parser.take_rest()) == (True, request())


def test_an_upgrade_waits_for_the_end_of_its_request_s_body() -> None:
    head = request(b"Connection: upgrade", b"Upgrade: foo", b"Content-Length: 3", start=b"POST / HTTP/1.1")
    got = Reading().feed(head + b"ab")
    assert not got.switched
    got.feed(b"cdef")
    assert (got.switched, got.parser.take_rest(), got.body()) == (True, b"def", b"abc")


def test_chunks_before_an_upgrade_are_its_request_s_body() -> None:
    head = request(b"Connection: upgrade", b"Upgrade: foo", b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1")
    got = Reading().feed(head + b"3\r\nabc\r\n", b"0\r\n\r\n")
    assert (got.switched, got.parser.take_rest(), got.body()) == (True, b"", b"abc")


def test_requests_are_the_same_however_the_bytes_are_cut() -> None:
    wire = (
        b"\r\n"
        + request(b"X: y")
        + chunked(b"3;ext\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n")
        + request(b"Content-Length: 4", start=b"PUT /p HTTP/1.1")
        + b"body"
    )
    whole = Reading().feed(wire)
    drops = Reading().feed(*[wire[i : i + 1] for i in range(len(wire))])
    for got in (whole, drops):
        assert [message.method for message in got.messages] == ["GET", "POST", "PUT"]
        assert (got.body(1), got.body(2)) == (b"abcde", b"body")


def test_requests_before_a_broken_one_are_served() -> None:
    got = Reading().feed(request() + request() + b"GARBAGE\r\n\r\n" + request())
    assert [type(message) for message in got.messages] == [RequestHead, RequestHead, Refusal]
    assert got.parser.ended
    assert got.feed(request()).messages[3:] == []


@pytest.mark.parametrize(
    "body",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"3_0\r\nabc\r\n0\r\n\r\n",
        b"\r\nabc\r\n0\r\n\r\n",
        b"g\r\nabc\r\n0\r\n\r\n",
        b"10000000000000000\r\nabc",
        b"fffffffffffffffff\r\nabc",
        b"3;\nabc\r\n0\r\n\r\n",
        b"3;a\x00b\r\nabc\r\n0\r\n\r\n",
        b"3;a\rb\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\r\nabc\r\n0\n\n",
        b"3\r\nabc\r\n0\r\nT : x\r\n\r\n",
        b"3\r\nabc\r\n0\r\nT\r\n\r\n",
        b"3\r\nabc\r\n0\r\nT: x\n\r\n",
        b"3\r\nabc\r\n0\r\n T: x\r\n\r\n",
        b"0\r\n" + b"T: " + b"x" * 70_000,
        b"3;" + b"x" * 70_000,
    ],
)
def test_broken_chunks_are_an_error_to_who_reads_them_and_end_the_connection(body: bytes) -> None:
    got = Reading().feed(chunked(body), request())
    assert len(got.messages) == 1
    assert got.broken == [True]
    assert got.parser.ended


@pytest.mark.parametrize("size", [b"3", b"003", b"3;a=b", b'3;a="b;c"', b"000000000000003", b"3 ; a = b", b"3\t;\ta"])
def test_chunk_sizes_may_have_zeros_and_extensions(size: bytes) -> None:
    assert Reading().feed(chunked(size + b"\r\nabc\r\n0\r\n\r\n")).body() == b"abc"


def test_a_body_of_length_zero_is_no_body() -> None:
    got = Reading().feed(request(b"Content-Length: 0", start=b"POST / HTTP/1.1") + request())
    assert [message.length for message in got.messages] == [0, None]


ROOM = 400 - len(HOST)
BORDERS = {
    "method": [b"M" * 64 + b" / HTTP/1.1\r\n" + HOST + b"\r\n", b"M" * 65 + b" / HTTP/1.1\r\n" + HOST + b"\r\n"],
    "target": [request(start=b"GET /" + b"t" * 99 + b" HTTP/1.1"), request(start=b"GET /" + b"t" * 100 + b" HTTP/1.1")],
    "head": [request(b"X: " + b"x" * (ROOM - 5)), request(b"X: " + b"x" * (ROOM - 4))],
    "white space": [request(b"X:" + b" " * (ROOM - 5) + b"x"), request(b"X:" + b" " * (ROOM - 4) + b"x")],
    "fields": [request(*[b"X: y"] * 7), request(*[b"X: y"] * 8)],
    "empty lines": [b"\r\n" * 8 + request(), b"\r\n" * 9 + request()],
    "extensions": [
        chunked(b"3;" + b"x" * (LONGEST_LINE - 4) + b"\r\nabc\r\n0\r\n\r\n"),
        chunked(b"3;" + b"x" * (LONGEST_LINE - 3) + b"\r\nabc\r\n0\r\n\r\n"),
    ],
    "trailers": [
        chunked(b"0\r\nT: " + b"x" * 395 + b"\r\n\r\n"),
        chunked(b"0\r\nT: " + b"x" * 396 + b"\r\n\r\n"),
    ],
    "trailer fields": [
        chunked(b"0\r\n" + b"T: x\r\n" * 8 + b"\r\n"),
        chunked(b"0\r\n" + b"T: x\r\n" * 9 + b"\r\n"),
    ],
}


@pytest.mark.parametrize("part", BORDERS)
def test_each_limit_holds_to_the_byte_wherever_the_bytes_are_cut(part: str) -> None:
    within, beyond = BORDERS[part]
    assert verdict([within])[-1][-1] in {(b"", True), (b"abc", True)}
    refused = verdict([beyond])[-1]
    assert isinstance(refused, Refusal) or refused[-1] == "broken"
    for wire in (within, beyond):
        whole = verdict([wire])
        for cut in range(len(wire) + 1):
            assert verdict([wire[:cut], wire[cut:]]) == whole, cut
        assert verdict([wire[i : i + 1] for i in range(len(wire))]) == whole


@pytest.mark.parametrize(
    "wire",
    [
        request() + request(start=b"PURGE /2 HTTP/1.1") + request(start=b"FOO /3 HTTP/1.0"),
        chunked(b"3 ;a\r\nabc\r\n0\r\nT: x\r\n\r\n") + request(start=b"GET /2 HTTP/1.1"),
        request(b"Content-Length: 3", start=b"PUT / HTTP/1.1") + b"abc\r\n" + request(start=b"GET /2 HTTP/1.1"),
        request(b"Connection: upgrade", b"Upgrade: foo", b"Content-Length: 2", start=b"POST / HTTP/1.1")
        + b"ab\r\n\r\n",
        request() + b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
        request() + request(b"A: b\nC: d"),
        request() + request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1") + b"3\r\nabc0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"\r\n\n" + request(),
        b"GET / HTTP/1.1\n\n" + request(),
        b"GET /\xe9 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
        b"GET /\r\n\r\n",
    ],
)
def test_the_verdict_on_messages_does_not_depend_on_where_they_are_cut(wire: bytes) -> None:
    whole = verdict([wire])
    for cut in range(len(wire) + 1):
        assert verdict([wire[:cut], wire[cut:]]) == whole, cut
    assert verdict([wire[i : i + 1] for i in range(len(wire))]) == whole


def test_empty_lines_alone_are_no_head() -> None:
    got = Reading()
    states = [got.feed(piece).parser.in_head for piece in (b"\r\n\r\n", b"\r", b"\n", b"G", b"ET / HTTP/1.1\r\n", HOST)]
    assert states == [False, False, False, True, True, True]
    assert not got.feed(b"\r\n").parser.in_head


def test_no_more_chunks_are_read_than_a_feed_may() -> None:
    got = Reading().feed(chunked(b"1\r\nx\r\n" * 5 + b"0\r\n\r\n") + request(), chunks=2)
    assert (got.bodies, got.parser.chunks, got.parser.behind) == ([b"xx"], 2, True)
    got.feed(b"", chunks=0)
    assert (got.bodies, got.parser.chunks, got.parser.behind) == ([b"xx"], 0, True)
    got.feed(b"", chunks=4)
    assert (got.body(), got.parser.chunks, got.parser.behind, len(got.messages)) == (b"xxxxx", 4, False, 2)


def test_chunks_of_all_bodies_in_a_feed_count_together() -> None:
    got = Reading().feed(chunked(b"1\r\nx\r\n0\r\n\r\n") * 3, chunks=5)
    assert (got.whole, got.parser.behind) == ([True, True, False], True)
    assert got.feed(b"", chunks=5).whole == [True, True, True]
    got.feed(chunked(b"1\r\nx\r\n"))
    got.feed(b"0\r\n\r\n" + chunked(b"1\r\nx\r\n0\r\n\r\n"), chunks=3)
    assert (got.whole[3:], got.parser.chunks, got.parser.behind) == ([True, True], 3, False)


def test_a_reader_that_needs_more_bytes_is_not_behind() -> None:
    got = Reading().feed(chunked(b"1\r\nx\r\n"), chunks=1)
    assert not got.parser.behind
    assert got.feed(b"0\r\n\r\n", chunks=1).body() == b"x"


def test_no_more_requests_are_begun_than_a_feed_may() -> None:
    got = Reading().feed(request() * 5, requests=2)
    assert len(got.messages) == 2
    assert len(got.feed(b"", requests=1).messages) == 3
    assert len(got.feed(request(), requests=0).messages) == 3
    assert len(got.feed(b"", requests=10).messages) == 6


def test_a_known_head_waits_for_its_turn_as_any_other() -> None:
    got = Reading().feed(request())
    assert len(got.feed(request(), requests=0).messages) == 1
    assert len(got.feed(b"", requests=1).messages) == 2


def test_a_body_goes_on_when_no_further_request_may_begin() -> None:
    got = Reading().feed(request(b"Content-Length: 6", start=b"POST / HTTP/1.1") + b"abc")
    assert got.parser.in_body
    got.feed(b"def" + request(), requests=0)
    assert (got.body(), got.parser.in_body, len(got.messages)) == (b"abcdef", False, 1)


def test_bytes_that_may_not_be_read_yet_are_kept_for_the_next_feed() -> None:
    got = Reading().feed(request(b"Content-Length: 6", start=b"POST / HTTP/1.1") + b"ab")
    got.parser.keep(b"cd")
    got.parser.keep(b"ef")
    assert (got.bodies, got.parser.held) == ([b"ab"], 4)
    assert got.feed(b"").body() == b"abcdef"


def test_nothing_is_kept_behind_the_last_request() -> None:
    got = Reading().feed(request(b"Connection: close"))
    got.parser.keep(request())
    assert (got.parser.ended, got.parser.held) == (True, 0)


def test_what_follows_a_declined_upgrade_are_requests() -> None:
    got = Reading().feed(request(b"Connection: upgrade", b"Upgrade: foo") + request(start=b"GET /2 HTTP/1.1"))
    assert (len(got.messages), got.parser.in_head) == (1, False)
    got.parser.stay()
    assert [message.target for message in got.feed(b"").messages] == [b"/", b"/2"]


def test_a_declined_upgrade_of_one_request_says_nothing_of_another() -> None:
    got = Reading().feed(request(b"Connection: close"))
    got.parser.stay()
    assert got.parser.ended


# ---- heads that come again byte for byte ----

#: Whole requests of every kind that a parser could mistake for one another.
WHOLE = [
    GET,
    GET.replace(b"/a", b"/other"),
    b"\r\n" + GET,
    b"\r\n\r\n" + GET,
    POST + b"abc",
    POST + b"xyz",
    POST + b"\r\n\r",
    POST.replace(b"3", b"18") + GET[:18],
    POST.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n",
    GET.replace(b"GET", b"PURGE"),
    *(GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: %b\r\nA: b\r\n\r\n" % name) for name in (b"one", b"two", b"three")),
    GET.replace(b"\r\n\r\n", b"\r\nx-request-id: one\r\nA: b\r\n\r\n"),
    GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: one\r\nX-Request-Id: two\r\n\r\n"),
    GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: one\r\nX-Request-Id:two\r\n\r\n"),
    GET.replace(b"\r\n\r\n", b"\r\nX-Request-Id: one \r\nA: b\r\n\r\n"),
    *(POST.replace(b"\r\n\r\n", b"\r\nX-Request-Id: %b\r\n\r\n" % name) + b"abc" for name in (b"one", b"two")),
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
]
LAST = [
    GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    b"GET /old HTTP/1.0\r\n\r\n",
    GET.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    b"CONNECT a.example:1 HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET  /two-spaces HTTP/1.1\r\n" + HOST + b"\r\n",
]


def events(under: HeadLimits, pieces: list[bytes]) -> list[Any]:
    """What a fresh connection makes of these pieces: heads, the data of bodies and their ends, or what was refused."""
    parser = RequestParser(under)
    found: list[Any] = []
    for piece in pieces:
        known = parser.known(piece)
        body = [piece[-known.length :], END] if known is not None and known.length else []
        for event in parser.feed(piece, 1000, 1000) if known is None else [known, *body]:
            if isinstance(event, RequestHead):
                said = (event.headers, event.forwarded, event.well_known, event.length, event.has_body, event.chunked)
                found.append((event.method, event.target, event.version, event.keep_alive, event.upgrade, *said))
            elif isinstance(event, bytes) and isinstance(found[-1], bytes):
                found[-1] += event
            else:
                found.append(event)
    return [*found, parser.take_rest()] if parser.switched else found


requests_and_last = st.tuples(st.lists(st.sampled_from(WHOLE), max_size=6), st.sampled_from([b"", *LAST]))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(warming=st.lists(requests_and_last, max_size=4), sent=requests_and_last, data=st.data())
def test_a_parser_that_knows_heads_reads_what_one_that_knows_none_reads(
    warming: list[tuple[list[bytes], bytes]], sent: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    warm = wide()
    for whole, last in warming:
        for wire in whole:
            events(warm, [wire])
        events(warm, [b"".join(whole) + last])
    stream = b"".join(sent[0]) + sent[1]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=5)))
    edges = [0, *cuts, len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert events(warm, pieces) == events(wide(), pieces)


def test_a_head_that_comes_again_is_the_same_object() -> None:
    parser = RequestParser(wide())
    [first] = parser.feed(GET, 1, 0)
    [second] = parser.feed(GET, 1, 0)
    assert second is first


def test_a_request_that_comes_alone_and_has_no_body_is_known_at_once() -> None:
    parser = RequestParser(wide())
    assert parser.known(GET) is None
    [first] = parser.feed(b"\r\n" + GET, 1, 0)
    assert parser.known(GET) is first
    assert parser.known(GET + b"\r\n") is None
    assert parser.known(GET[:-1]) is None
    parser.feed(GET[:9], 1, 0)
    assert parser.known(GET) is None  # it would be read behind what was kept


def test_a_request_that_comes_alone_with_all_of_its_body_is_known_at_once() -> None:
    parser = RequestParser(wide())
    assert parser.known(POST + b"abc") is None
    [first, *_] = parser.feed(POST + b"abc", 10, 0)
    assert parser.known(POST + b"xyz") is first
    assert parser.known(POST + b"\r\n\r") is first
    for other in (b"xy", b"xyz!", b"xyz" + GET):
        assert parser.known(POST + other) is None
    assert parser.known(POST) is None
    parser.feed(POST, 10, 0)
    assert parser.known(GET) is None  # it is the body


def test_a_known_head_that_comes_alone_waits_for_its_body() -> None:
    parser = RequestParser(wide())
    parser.feed(POST + b"abc", 10, 0)
    [head] = parser.feed(POST, 10, 0)
    assert isinstance(head, RequestHead)
    assert parser.feed(b"abc", 10, 0) == [b"abc", END]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_empty_lines_are_counted_anew_behind_each_request(known: bool, at_once: bool) -> None:
    under = wide()
    if known:
        RequestParser(under).feed(GET, 1, 0)
    pieces = [b"\r\n" * 8, GET] * 3
    parser = RequestParser(under)
    found = [event for piece in ([b"".join(pieces)] if at_once else pieces) for event in parser.feed(piece, 10, 0)]
    assert [type(event) for event in found] == [RequestHead] * 3
    assert isinstance(parser.feed(b"\r\n" * 9, 10, 0)[0], Refusal)


def test_no_more_known_requests_are_begun_than_a_feed_may() -> None:
    parser = RequestParser(wide())
    [head] = parser.feed(GET, 1, 0)
    assert parser.feed(GET * 5, 3, 0) == [head] * 3
    assert parser.feed(b"", 3, 0) == [head] * 2


@pytest.mark.parametrize("begun", [b"\x16", b"\rG", b"\r\r"])
def test_bytes_that_begin_no_request_are_refused_at_once(begun: bytes) -> None:
    assert Reading().feed(begun).code == "bad_request"


def test_a_known_body_arrives_with_its_head_in_one_feed() -> None:
    parser = RequestParser(wide())
    parser.feed(POST + b"abc", 10, 0)
    [head, body, end] = parser.feed(POST + b"xyz", 10, 0)
    assert (isinstance(head, RequestHead), body, end) == (True, b"xyz", END)
    parser.feed(GET, 10, 0)
    assert parser.feed(GET + GET + POST + b"xy", 10, 0)[3:] == [b"xy"]
    assert parser.feed(b"z", 10, 0) == [b"z", END]


def test_empty_lines_before_a_request_that_is_known_at_once_count_for_it_alone() -> None:
    parser = RequestParser(wide())
    parser.feed(GET, 1, 0)
    for _ in range(3):
        assert parser.feed(b"\r\n" * 8, 1, 0) == []
        assert parser.known(GET) is not None
    assert parser.feed(b"\r\n" * 8, 1, 0) == []


def test_what_read_a_head_or_chunks_is_let_go_at_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection may rest for long, and there may be many."""
    alive: weakref.WeakSet[object] = weakref.WeakSet()

    class Head(HeadReader):
        """One that can be referred to weakly."""

        def __init__(self, limits: HeadLimits, line: RequestLine) -> None:
            super().__init__(limits, line)
            alive.add(self)

    class Chunks(ChunkReader):
        """One that can be referred to weakly."""

        def __init__(self, rules: ChunkRules) -> None:
            super().__init__(rules)
            alive.add(self)

    monkeypatch.setattr(request_parser, "HeadReader", Head)
    monkeypatch.setattr(request_parser, "ChunkReader", Chunks)
    parser = RequestParser(wide())
    counts = []
    for piece in (GET[:-1], GET[-1:], chunked(b""), b"1\r\nx\r\n", b"0\r\n\r\n"):
        parser.feed(piece, 1, 9)
        counts.append(len(alive))
    assert counts == [1, 0, 1, 1, 0]
