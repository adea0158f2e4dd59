"""The parser of requests: what it lets through stays as it came, what two parsers could read differently does not."""

from typing import Any

import pytest

from statusproxy.proxy.http1.framing import LONGEST_LINE
from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import END, SWITCHED, Event, HeadLimits, RequestHead, RequestParser

HOST = b"Host: proxy.example\r\n"


class Reading:
    """What a parser makes of bytes that come in pieces: the requests, or what was refused, each with its body."""

    def __init__(
        self,
        *,
        target: int = 100,
        head: int = 400,
        fields: int = 8,
        drop_underscores: bool = False,
    ) -> None:
        limits = HeadLimits(target=target, head=head, fields=fields, drop_underscores=drop_underscores)
        self.parser = RequestParser(limits)
        self.messages: list[Any] = []
        self.bodies: list[bytes] = []
        self.whole: list[bool] = []
        self.broken: list[bool] = []

    def feed(self, *pieces: bytes, requests: int = 10, chunks: int = 1000) -> "Reading":
        for piece in pieces:
            for event in self.parser.feed(piece, requests, chunks):
                self._take(event)
        return self

    def _take(self, event: Event) -> None:
        open_body = bool(self.messages) and not self.whole[-1]
        if isinstance(event, bytes):
            assert open_body
            assert event
            self.bodies[-1] += event
        elif event is END:
            assert open_body
            self.whole[-1] = True
        elif event is SWITCHED:
            assert not open_body
        elif isinstance(event, Refusal) and open_body:
            self.broken[-1] = True
        else:
            assert not open_body
            self.messages.append(event)
            self.bodies.append(b"")
            self.whole.append(not (isinstance(event, RequestHead) and event.has_body))
            self.broken.append(False)

    @property
    def switched(self) -> bool:
        return self.parser.switched

    @property
    def head(self) -> RequestHead:
        (message,) = self.messages
        assert isinstance(message, RequestHead)
        return message

    @property
    def code(self) -> str:
        refused = self.messages[-1]
        assert isinstance(refused, Refusal), refused
        return refused.code

    def body(self, which: int = 0) -> bytes:
        """What has come of a body; its end must have come as well."""
        assert self.whole[which]
        return self.bodies[which]


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: proxy.example", *lines, b"", b""])


def chunked(body: bytes) -> bytes:
    return request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1") + body


def test_names_and_values_keep_their_bytes_order_and_repeats() -> None:
    head = Reading().feed(request(b"ETag:x", b"x-A:  one two \t", b"X-a:", b"Obs: \xe9\xff\x80", b"x-A: b")).head
    assert head.headers == (
        (b"Host", b"proxy.example"),
        (b"ETag", b"x"),
        (b"x-A", b"one two"),
        (b"X-a", b""),
        (b"Obs", b"\xe9\xff\x80"),
        (b"x-A", b"b"),
    )


def test_a_field_with_an_underscore_is_removed_before_anything_reads_it() -> None:
    asked = request(b"X_Forwarded_For: 10.0.0.1", b"_: 1", b"X-A: a_b", b"Content_Length: 5", b"X_: 2")
    head = Reading(drop_underscores=True).feed(asked).head
    assert head.headers == ((b"Host", b"proxy.example"), (b"X-A", b"a_b"))
    assert head.forwarded == list(head.headers)
    assert head.length is None


def test_fields_that_are_dropped_count_towards_the_limits() -> None:
    assert Reading(fields=9, drop_underscores=True).feed(request(*[b"X_A: 1"] * 9)).code == "head_too_large"
    assert Reading(head=99, drop_underscores=True).feed(request(b"X_A: " + b"x" * 99)).code == "head_too_large"


@pytest.mark.parametrize("method", ["GET", "PURGE", "FOO", "M-SEARCH", "x!#$%&'*+-.^_`|~9", "PRI"])
def test_any_token_is_a_method(method: str) -> None:
    assert Reading().feed(request(start=method.encode() + b" /a HTTP/1.1")).head.method == method


@pytest.mark.parametrize("method", [b"get", b"Post", b"GE(T", b"G\xe9T", b"", b" GET", b"GET "])
def test_a_method_that_is_no_token_or_a_known_one_in_another_case_is_refused(method: bytes) -> None:
    assert Reading().feed(request(start=method + b" / HTTP/1.1")).code == "bad_request"


@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"/a%2Fb%40c?x=%zz&&=?",
        b"/api/Sales%20Team?",
        b'/a\\b"<>^`{|}[]',
        b"//two//slashes",
        b"http://other.example:80/x?y",
        b"http://other.example?x",
    ],
)
def test_a_target_arrives_byte_for_byte(target: bytes) -> None:
    assert Reading().feed(request(start=b"GET " + target + b" HTTP/1.1")).head.target == target


def test_options_may_ask_for_the_server_itself() -> None:
    assert Reading().feed(request(start=b"OPTIONS * HTTP/1.1")).head.target == b"*"


@pytest.mark.parametrize(
    "start",
    [
        b"GET * HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET ?a HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET http:/a HTTP/1.1",
        b"GET http://user@/x HTTP/1.1",
        b"GET http://a:9000:80/ HTTP/1.1",
        b"GET http://[::1/ HTTP/1.1",
        b"GET http://a,b/ HTTP/1.1",
        b"GET http://%zz/ HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET  /a HTTP/1.1",
        b"GET /a\tHTTP/1.1",
        b"GET /a\x00 HTTP/1.1",
        b"GET /a HTTP/1.1 ",
        b"GET /a http/1.1",
        b"GET /a HTTP/0.9",
        b"GET /a HTTP/1.2",
        b"GET /a HTTP/2.0",
        b"GET /a HTTP/01.1",
        b"GET /a HTTP/1.1x",
        b"GET /a",
        b"HTTP/1.1 200 OK",
    ],
)
def test_a_request_line_of_another_grammar_is_refused(start: bytes) -> None:
    assert Reading().feed(request(start=start)).code == "bad_request"


@pytest.mark.parametrize(
    "line",
    [
        b"A : b",
        b" A: b",
        b"A: b\r\n c",
        b"A: b\r\n\tc",
        b"A",
        b": b",
        b"A\x00: b",
        b"A: b\x00c",
        b"A: b\x7fc",
        b"A: b\rc",
        b"A: b\r",
        b"A: b\nC: d",
        b"A(b): c",
        b"A\xe9: b",
        b"Host: other.example",
        b"Content-Length: 1\r\nContent-Length: 1",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 1, 1",
        b"Content-Length: +1",
        b"Content-Length: -1",
        b"Content-Length: 0x1",
        b"Content-Length: 1 1",
        b"Content-Length: 1_0",
        b"Content-Length: \xb2",
        b"Content-Length:",
        b"Content-Length: 9999999999999999999",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\ncontent-length: 0",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: ,chunked",
        b"Transfer-Encoding: xchunked",
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
)
def test_a_head_that_two_parsers_could_read_differently_is_refused(line: bytes) -> None:
    assert Reading().feed(request(line, start=b"POST / HTTP/1.1")).code == "bad_request"


@pytest.mark.parametrize(
    "host",
    [
        *[b"a b", b"a/b", b"a,b\xe9", b"user@a", b"a?b", b"a#b", b"a\\b", b'"a"', b"<a>"],
        *[b"a:9000:80", b"h:80x", b"[::1", b"a,b", b":80", b"h;x", b"%zz", b"h:65536"],
    ],
)
def test_an_invalid_host_is_refused(host: bytes) -> None:
    assert Reading().feed(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").code == "bad_request"


@pytest.mark.parametrize("host", [b"", b"a.example", b"a_b:80", b"[::1]:8080", b"127.0.0.1", b"xn--caf-dma"])
def test_a_valid_host_passes(host: bytes) -> None:
    assert Reading().feed(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n").head.headers[0][1] == host


def test_http_1_1_without_host_is_refused_and_1_0_is_not() -> None:
    assert Reading().feed(b"GET / HTTP/1.1\r\n\r\n").code == "bad_request"
    assert Reading().feed(b"GET / HTTP/1.0\r\n\r\n").head.version == (1, 0)


def test_chunks_in_http_1_0_are_refused() -> None:
    line = request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.0")
    assert Reading().feed(line + b"0\r\n\r\n").code == "bad_request"


@pytest.mark.parametrize(
    ("start", "lines", "alive"),
    [
        (b"GET / HTTP/1.1", [], True),
        (b"GET / HTTP/1.1", [b"Connection: x, Close"], False),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive", b"Connection: close"], False),
        (b"GET / HTTP/1.0", [], False),
        (b"GET / HTTP/1.0", [b"Connection: Keep-Alive"], True),
        (b"GET / HTTP/1.0", [b"Connection: keep-alive, close"], False),
    ],
)
def test_the_connection_lives_on_as_version_and_options_say(start: bytes, lines: list[bytes], alive: bool) -> None:
    assert Reading().feed(request(*lines, start=start)).head.keep_alive is alive


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


def test_a_method_may_come_in_pieces() -> None:
    assert Reading().feed(b"PUR", b"GE", b" / HTTP/1.1\r\n", HOST, b"\r\n").head.method == "PURGE"


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


@pytest.mark.parametrize(("written", "plain"), [(b"005", b"5"), (b"00", b"0"), (b"000000000000000005", b"5")])
def test_leading_zeros_of_a_length_are_dropped(written: bytes, plain: bytes) -> None:
    got = Reading().feed(request(b"content-length: " + written, start=b"POST / HTTP/1.1") + b"abcde")
    head = got.messages[0]
    assert head.headers[1] == (b"content-length", plain)
    assert (b"content-length", plain) in head.forwarded
    assert head.well_known[b"content-length"] == [plain]
    assert head.length == int(plain)


def test_a_body_of_length_zero_is_no_body() -> None:
    got = Reading().feed(request(b"Content-Length: 0", start=b"POST / HTTP/1.1") + request())
    assert [message.length for message in got.messages] == [0, None]


def test_the_limits_of_a_head_hold_exactly() -> None:
    target = b"/" + b"t" * 99
    assert Reading().feed(request(start=b"GET " + target + b" HTTP/1.1")).head.target == target
    assert Reading().feed(request(start=b"GET " + target + b"t HTTP/1.1")).code == "target_too_long"
    room = 400 - len(HOST) - len(b"X: \r\n")
    assert Reading().feed(request(b"X: " + b"x" * room)).head
    assert Reading().feed(request(b"X: " + b"x" * (room + 1))).code == "head_too_large"
    assert Reading().feed(request(*[b"X: y"] * 7)).head
    assert Reading().feed(request(*[b"X: y"] * 8)).code == "head_too_large"


@pytest.mark.parametrize(
    ("begun", "code"),
    [
        (b"GET / HTTP/1.1\n", "bad_request"),
        (b"\x16\x03\x01\x02\x00", "bad_request"),
        (b"GET / HTTP/1.1\r\nA: \x00", "bad_request"),
        (b"GET /" + b"a" * 200, "target_too_long"),
        (b"A" * 200, "bad_request"),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * 500, "head_too_large"),
    ],
)
def test_a_head_is_refused_as_soon_as_it_cannot_become_a_good_one(begun: bytes, code: str) -> None:
    assert Reading().feed(begun).code == code


def verdict(pieces: list[bytes]) -> list[Any]:
    """What is made of bytes that come in these pieces: each request with its body, and what was refused."""
    got = Reading(target=100, head=400, fields=8).feed(*pieces)
    found: list[Any] = [got.switched, got.parser.take_rest()]
    for message, body, whole, broken in zip(got.messages, got.bodies, got.whole, got.broken, strict=True):
        if isinstance(message, Refusal):
            found.append(message)
        else:
            found.append((message.method, message.target, message.headers, "broken" if broken else (body, whole)))
    return found


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


def test_a_head_that_is_too_large_is_told_before_it_is_complete() -> None:
    begun = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * ROOM
    assert Reading().feed(*[begun[i : i + 1] for i in range(len(begun))]).code == "head_too_large"


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
