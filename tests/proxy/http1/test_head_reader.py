"""The heads of requests: what passes stays as it came, what two parsers could read differently does not pass."""

import gc
import weakref

import pytest

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.head_reader import HeadLimits, HeadReader, read_line
from statusproxy.proxy.http1.request_parser import RequestHead, RequestParser
from tests.proxy.http1.reading import GET, HOST, POST, Reading, request, wide


def test_names_and_values_keep_their_bytes_order_and_repeats() -> None:
    head = Reading().feed(request(b"ETag:x", b"x-A:  one two \t", b"X-a:", b"Obs: \xe9\xff\x80", b"x-A: b?")).head
    assert head.headers == (
        (b"Host", b"proxy.example"),
        (b"ETag", b"x"),
        (b"x-A", b"one two"),
        (b"X-a", b""),
        (b"Obs", b"\xe9\xff\x80"),
        (b"x-A", b"b?"),
    )


def test_a_field_with_an_underscore_is_removed_before_anything_reads_it() -> None:
    asked = request(b"X_Forwarded_For: 10.0.0.1", b"_: 1", b"X-A: a_b", b"Content_Length: 5", b"X_: 2")
    head = Reading(underscores_in_headers="drop").feed(asked).head
    assert head.headers == ((b"Host", b"proxy.example"), (b"X-A", b"a_b"))
    assert head.forwarded == list(head.headers)
    assert head.length is None


def test_fields_that_are_dropped_count_towards_the_limits() -> None:
    assert Reading(fields=9, underscores_in_headers="drop").feed(request(*[b"X_A: 1"] * 9)).code == "head_too_large"
    assert Reading(head=99, underscores_in_headers="drop").feed(request(b"X_A: " + b"x" * 99)).code == "head_too_large"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_known_method_has_one_spelling(method: str) -> None:
    assert Reading().feed(request(start=method.encode() + b" /a HTTP/1.1")).head.method == method
    for other in (method.lower(), method.title()):
        assert Reading().feed(request(start=other.encode() + b" /a HTTP/1.1")).messages == [refusals.METHOD_CASE]


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
        (b"GET / HTTP/1.1", [b"Connection: closed"], True),
        (b"GET / HTTP/1.1", [b"Connection: keep-alive", b"Connection: close"], False),
        (b"GET / HTTP/1.0", [], False),
        (b"GET / HTTP/1.0", [b"Connection: Keep-Alive"], True),
        (b"GET / HTTP/1.0", [b"Connection: keep-alive, close"], False),
    ],
)
def test_the_connection_lives_on_as_version_and_options_say(start: bytes, lines: list[bytes], alive: bool) -> None:
    assert Reading().feed(request(*lines, start=start)).head.keep_alive is alive


UPGRADE = (b"Connection: upgrade", b"Upgrade: foo")


@pytest.mark.parametrize(
    ("start", "lines", "upgrade"),
    [
        (b"GET / HTTP/1.1", UPGRADE, True),
        (b"GET / HTTP/1.1", UPGRADE[:1], False),
        (b"GET / HTTP/1.1", UPGRADE[1:], False),
        (b"GET / HTTP/1.0", UPGRADE, False),
        (b"CONNECT a.example:1 HTTP/1.1", (), False),
        (b"CONNECT a.example:1 HTTP/1.1", UPGRADE, False),
    ],
)
def test_an_upgrade_is_asked_for_by_two_fields_of_http_1_1(
    start: bytes, lines: tuple[bytes, ...], upgrade: bool
) -> None:
    assert Reading().feed(request(*lines, start=start)).head.upgrade is upgrade


def test_a_reader_whose_head_is_whole_is_freed_without_the_collector() -> None:
    class Watched(HeadReader):
        """One that can be referred to weakly."""

    gc.disable()
    try:
        line = read_line(GET, 0, 100)
        assert line is not None
        reader = Watched(wide(), line)
        reader.feed_line()
        assert reader.feed(GET, line.end) == len(GET)
        left = weakref.ref(reader)
        del reader
        assert left() is None
    finally:
        gc.enable()


def test_a_method_may_come_in_pieces() -> None:
    assert Reading().feed(b"PUR", b"GE", b" / HTTP/1.1\r\n", HOST, b"\r\n").head.method == "PURGE"


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


def test_a_head_that_is_too_large_is_told_before_it_is_complete() -> None:
    begun = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * (400 - len(HOST))
    assert Reading().feed(*[begun[i : i + 1] for i in range(len(begun))]).code == "head_too_large"


FULL = 400 - len(HOST) - len(b"X: \r\n")


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (request(b"X: y"), None),
        (request(start=b"GET /" + b"t" * 99 + b" HTTP/1.1"), None),
        (request(start=b"GET /" + b"t" * 100 + b" HTTP/1.1"), "target_too_long"),
        (request(start=b"M" * 64 + b" / HTTP/1.1"), None),
        (request(start=b"M" * 65 + b" / HTTP/1.1"), "bad_request"),
        (request(b"X: " + b"x" * FULL), None),
        (request(b"X: " + b"x" * (FULL + 1)), "head_too_large"),
        (request(b"X: \x00", b"Y: " + b"x" * 500), "bad_request"),
        (request(b"Y: " + b"x" * 500, b"X: \x00"), "head_too_large"),
        (request(*[b"X: y"] * 7), None),
        (request(*[b"X: y"] * 8), "head_too_large"),
    ],
)
def test_a_head_reads_the_same_and_ends_at_the_same_place_wherever_it_is_cut(wire: bytes, code: str | None) -> None:
    behind = request(b"A: " + b"a" * 300, start=b"GET /before HTTP/1.1"), request(start=b"GET /next HTTP/1.1")
    start, stream = len(behind[0]), behind[0] + wire + behind[1]
    cuts = [(stream[:cut], stream[cut:]) for cut in range(start, start + len(wire))]
    for pieces in ((stream,), *cuts, tuple(stream[at : at + 1] for at in range(len(stream)))):
        got = Reading().feed(*pieces)
        if code is not None:
            assert (len(got.messages), got.code) == (2, code)
        else:
            assert [message.target for message in got.messages[2:]] == [b"/next"] * (b"1.1\r" in wire)
            assert got.messages[1].headers == Reading().feed(wire).head.headers


@pytest.mark.parametrize(
    "begun", [b"GET", b"GET /a", b"GET /a HTTP/1.", b"GET /a HTTP/1.0\r", b"GET /a HTTP/1.1\r\nA:"]
)
def test_a_head_that_may_still_become_a_good_one_is_waited_for(begun: bytes) -> None:
    got = Reading().feed(*[begun[i : i + 1] for i in range(len(begun))])
    assert (got.messages, got.parser.in_head) == ([], True)


def test_an_empty_line_before_a_request_is_never_taken_for_its_head() -> None:
    under = wide()
    RequestParser(under).feed(b"\r\n\r\n" + GET, 10, 10)
    assert not any(head.startswith(b"\r") for head in under.known)


@pytest.mark.parametrize(
    "request_bytes",
    [
        request(b"Connection: close"),
        b"GET /old HTTP/1.0\r\n\r\n",
        request(b"Connection: upgrade", b"Upgrade: websocket"),
        request(start=b"CONNECT a.example:1 HTTP/1.1"),
        request(start=b"GET  /two-spaces HTTP/1.1"),
        request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1"),
    ],
)
def test_a_head_that_ends_the_connection_or_switches_it_is_read_each_time(request_bytes: bytes) -> None:
    under = wide()
    RequestParser(under).feed(request_bytes, 10, 10)
    assert not under.known


def test_heads_are_remembered_within_bounds() -> None:
    under, counts = wide(), list[int]()
    for number in range(258):
        RequestParser(under).feed(GET.replace(b"/a", b"/%d" % number), 10, 10)
        counts.append(len(under.known))
    assert counts == [*range(1, 257), 1, 2]
    room = 2048 - len(GET) - len(b"X: \r\n")
    for size, remembered in ((room, True), (room + 1, False)):
        large = GET.replace(b"\r\n\r\n", b"\r\nX: " + b"y" * size + b"\r\n\r\n")
        RequestParser(under).feed(large, 10, 10)
        assert (large in under.known) is remembered


def with_id(request_id: bytes, *fields: bytes) -> bytes:
    return request(b"X-Request-ID: " + request_id, b"A: b", *fields)


def test_heads_that_differ_in_their_id_alone_are_read_once() -> None:
    under = wide()
    RequestParser(under).feed(with_id(b"first"), 10, 10)
    head = under.find(with_id(b"other"))
    assert head is not None
    assert head.headers == ((b"Host", b"proxy.example"), (b"X-Request-ID", b"other"), (b"A", b"b"))
    assert head.forwarded == list(head.headers)
    assert head.well_known == {b"host": [b"proxy.example"], b"x-request-id": [b"other"]}
    again = under.find(with_id(b"again"))
    assert again is not None
    assert again.pattern is head.pattern
    assert again.pattern is not None
    assert not under.known


@pytest.mark.parametrize(
    "other",
    [
        with_id(b"other", b"C: d"),
        with_id(b"longer"),  # it may exceed the limits
        with_id(b"other", b"X-Request-ID: third"),
        with_id(b"a b"),
        with_id(b" a"),
        with_id(b"a "),
        with_id(b""),
        with_id(b"a\tb"),
        with_id(b"\xe9"),
        with_id(b"other").replace(b"-ID", b"-Id"),
        with_id(b"other").replace(b": other", b":other"),
    ],
)
def test_a_head_that_differs_in_more_than_a_plain_id_is_read(other: bytes) -> None:
    under = wide()
    RequestParser(under).feed(with_id(b"first"), 10, 10)
    assert under.find(other) is None


@pytest.mark.parametrize("fields", [(b"X-Request-ID: two",), (b"x-request-id: two",), (b"X-Request-Id:two",)])
def test_a_head_with_two_ids_is_remembered_as_it_is(fields: tuple[bytes, ...]) -> None:
    under = wide()
    RequestParser(under).feed(with_id(b"one", *fields), 10, 10)
    assert (len(under.known), len(under.patterns)) == (1, 0)


def test_patterns_are_bounded_and_dropped_with_the_limits_they_were_good_under() -> None:
    under, counts = wide(), list[int]()
    for number in range(258):
        RequestParser(under).feed(with_id(b"first", b"N: %d" % number), 10, 10)
        counts.append(len(under.patterns))
    assert counts == [*range(1, 257), 1, 2]
    under.change_to(wide())
    assert not under.patterns


def test_a_head_of_which_no_field_was_read_announces_nothing() -> None:
    head = RequestHead("GET", b"/", (1, 1), ())
    assert (head.keep_alive, head.chunked, head.length, head.upgrade, head.has_body) == (
        False,
        False,
        None,
        False,
        False,
    )
    assert (head.forwarded, head.well_known, head.attachment, head.pattern) == ([], {}, None, None)


@pytest.mark.parametrize("ends", [True, False])
def test_a_head_that_llhttp_ends_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, ends: bool) -> None:
    """It never does. But where it did, it would read a request that we do not see."""

    class Elsewhere:
        def __init__(self, reader: HeadReader) -> None:
            self.reader = reader

        def feed_data(self, data: bytes) -> None:
            if ends:
                self.reader.on_header(b"Host", b"a")
                self.reader.on_headers_complete()

        def get_http_version(self) -> str:
            return "1.1"

        def should_keep_alive(self) -> bool:
            return True

        def should_upgrade(self) -> bool:
            return False

    monkeypatch.setattr("httptools.HttpRequestParser", Elsewhere)
    asked = GET[:-2] if ends else GET
    assert RequestParser(wide()).feed(asked, 1, 0) == [refusals.HEAD_END]


def test_a_head_that_comes_again_byte_for_byte_is_found() -> None:
    under = wide()
    [head] = RequestParser(under).feed(GET, 1, 0)
    assert under.find(GET) is head
    RequestParser(under).feed(with_id(b"first"), 1, 0)
    assert under.find(GET) is head
    assert under.find(GET.replace(b"/a", b"/b")) is None


def test_heads_read_under_other_limits_are_read_anew() -> None:
    under = wide()
    asked = GET.replace(b"\r\n\r\n", b"\r\nX_A: 1\r\n\r\n")
    [head] = RequestParser(under).feed(asked, 1, 0)
    assert isinstance(head, RequestHead)
    assert head.headers == ((b"Host", b"proxy.example"), (b"X_A", b"1"))
    under.change_to(HeadLimits(target=1, head=100, headers=1, underscores_in_headers="drop"))
    assert RequestParser(under).feed(asked, 1, 0) == [refusals.target_too_long(1)]
    under.change_to(HeadLimits(target=10, head=100, headers=2, underscores_in_headers="drop"))
    parser = RequestParser(under)
    [head] = parser.feed(asked, 1, 0)
    assert isinstance(head, RequestHead)
    assert head.headers == ((b"Host", b"proxy.example"),)
    late = POST.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"0\r\n" + b"T: x\r\n" * 3 + b"\r\n"
    assert parser.feed(late, 1, 9)[1:] == [refusals.TRAILERS_TOO_LARGE]
