"""Message fidelity: what comes in goes out, except for what a proxy owes (RFC 9110 §7.6)."""

import asyncio
from pathlib import Path

import pytest

from tests.proxy.harness import OK, Message, Origin, Running, Wire, answer, get, running

#: What the proxy adds to a request and to an answer.
ADDED = {
    b"x-forwarded-for",
    b"x-real-ip",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"via",
    b"x-request-id",
}


def own(message: Message) -> list[tuple[bytes, bytes]]:
    """The fields that the sender wrote."""
    return [header for header in message.headers if header[0].lower() not in ADDED]


async def test_a_request_s_fields_keep_case_order_repeats_and_bytes(origin: Origin, proxy: Running) -> None:
    lines = [b"hOST: proxy.example", b"x-b: 2", b"X-A: 1", b"X-B: \xe9\xff\x80", b"Empty:", b"x-b: 2", b"ETag: e"]
    await proxy.ask(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"", b""]))
    assert own(origin.requests[0]) == [
        (b"hOST", b"proxy.example"),
        (b"x-b", b"2"),
        (b"X-A", b"1"),
        (b"X-B", b"\xe9\xff\x80"),
        (b"Empty", b""),
        (b"x-b", b"2"),
        (b"ETag", b"e"),
    ]


async def test_nothing_is_added_to_a_request_but_what_a_proxy_owes(origin: Origin, proxy: Running) -> None:
    await proxy.ask(b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    names = {name.lower() for name, _ in origin.requests[0].headers}
    assert names == {b"host", *ADDED}


@pytest.mark.parametrize(
    ("setting", "arrives"), [({}, [b"X_A", b"X-A", b"X_Forwarded_For"]), ({"underscores_in_headers": "drop"}, [b"X-A"])]
)
async def test_fields_with_underscores_pass_or_are_dropped_as_configured(
    origin: Origin, tmp_path: Path, setting: dict[str, str], arrives: list[bytes]
) -> None:
    async with running(tmp_path, origin.url, **setting) as proxy:
        for _ in range(2):  # the second time the head is remembered
            await proxy.ask(get("/", "X_A: 1", "X-A: b_c", "X_Forwarded_For: 10.0.0.1"))
    for request in origin.requests:
        assert [name for name, _ in own(request) if name != b"Host"] == arrives


async def test_an_answer_s_fields_keep_case_order_repeats_and_bytes(origin: Origin, proxy: Running) -> None:
    origin.answer = (
        b'HTTP/1.1 200 OK\r\nset-COOKIE: a=1\r\nETag: "x"\r\nSet-Cookie: b=2\r\nX: \xe9\xff\r\nEmpty:\r\n'
        b"Set-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok"
    )
    got = await proxy.ask(get())
    assert own(got) == [
        (b"set-COOKIE", b"a=1"),
        (b"ETag", b'"x"'),
        (b"Set-Cookie", b"b=2"),
        (b"X", b"\xe9\xff"),
        (b"Empty", b""),
        (b"Set-Cookie", b"a=1"),
        (b"Content-Length", b"2"),
    ]


async def test_nothing_is_added_to_an_answer_but_what_a_proxy_owes(origin: Origin, proxy: Running) -> None:
    origin.answer = OK
    got = await proxy.ask(get())
    assert {name.lower() for name, _ in got.headers} == {b"content-length", b"via", b"x-request-id"}


@pytest.mark.parametrize(
    "name", ["Content-Type", "User-Agent", "ETag", "Server", "Content-Location", "Max-Forwards", "Content-Range"]
)
async def test_fields_that_should_stand_once_pass_even_twice(name: str, origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", f"{name}: a", f"{name}: b")
    got = await proxy.ask(get("/", f"{name}: 1", f"{name}: 2"))
    assert (origin.requests[0].all(name), got.all(name)) == ([b"1", b"2"], [b"a", b"b"])


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 299 Any thing \xe9",
        b"HTTP/1.1 418 I'm a teapot",
        b"HTTP/1.1 599 x",
    ],
)
async def test_status_and_reason_pass(start: bytes, origin: Origin, proxy: Running) -> None:
    origin.answer = start + b"\r\nContent-Length: 0\r\n\r\n"
    got = await proxy.ask(get())
    assert got.start.rstrip() == start.rstrip()


@pytest.mark.parametrize(
    "target",
    [
        b"/Sales%20Team/false_550000%40c.us_ABC?x=%2F+%zz&&=",
        b"/?",
        b"/a?b?c",
        b"//double//slash/",
        b"/a/../b/./c",
        b"/\\\"<>^`{|}[]~!$&'()*+,;=:@",
        b"/%00%0d%0a",
    ],
)
async def test_a_target_arrives_byte_for_byte(target: bytes, origin: Origin, proxy: Running) -> None:
    await proxy.ask(b"GET " + target + b" HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    assert origin.requests[0].target == target


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://other.example:81/a?b", b"/a?b"),
        (b"http://other.example:81", b"/"),
        (b"http://other.example:81?x", b"/?x"),
        (b"HTTPS://user@other.example:81/%41", b"/%41"),
    ],
)
async def test_an_absolute_target_becomes_a_path_and_its_host_rules(
    target: bytes, path: bytes, origin: Origin, proxy: Running
) -> None:
    await proxy.ask(b"GET " + target + b" HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    request = origin.requests[0]
    assert (request.target, request.all("Host"), request.get("X-Forwarded-Host")) == (
        path,
        [b"other.example:81"],
        b"other.example:81",
    )


async def test_options_asks_for_the_server_itself(origin: Origin, proxy: Running) -> None:
    await proxy.ask(b"OPTIONS * HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    assert origin.requests[0].start == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        (b"http://other.example", b"*"),
        (b"http://other.example:81", b"*"),
        (b"http://other.example/", b"/"),
        (b"http://other.example?a", b"/?a"),
    ],
)
async def test_options_of_a_whole_host_asks_for_the_server_itself(
    target: bytes, passed: bytes, origin: Origin, proxy: Running
) -> None:
    await proxy.ask(b"OPTIONS " + target + b" HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
    assert origin.requests[0].start == b"OPTIONS " + passed + b" HTTP/1.1"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PROPFIND", "PURGE", "QUERY", "FOO", "x!#$%&'*+-.^_`|~9"])
async def test_any_token_is_a_method(method: str, origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    for target in ("/1", "/2"):
        await client.send(get(target, method=method, body=b"abc"))
        assert (await client.message()).status == 200
    assert [r.start for r in origin.requests] == [f"{method} {t} HTTP/1.1".encode() for t in ("/1", "/2")]
    assert [r.body for r in origin.requests] == [b"abc", b"abc"]


async def test_any_token_is_a_method_behind_another_request_too(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get("/1") + get("/2", method="FOO", body=b"abc") + get("/3", method="BAR") + get("/4"))
    assert [(await client.message()).status for _ in range(4)] == [200] * 4
    assert [r.start.split()[0] for r in origin.requests] == [b"GET", b"FOO", b"BAR", b"GET"]


async def test_connect_is_refused_and_the_answer_names_what_is_served(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\nbytes for a tunnel")
    got = await client.message()
    assert (got.status, b"POST" in (got.get("Allow") or b""), got.get("Connection")) == (405, True, b"close")
    assert await client.ended()
    assert origin.connections == 0


async def test_host_is_preserved_or_the_gateway_s_as_configured(origin: Origin, tmp_path: Path) -> None:
    for host in ("preserve", "gateway"):
        async with running(tmp_path, origin.url, host=host) as proxy:
            await proxy.ask(get())
    assert [r.all("Host") for r in origin.requests] == [[b"proxy.example"], [f"127.0.0.1:{origin.port}".encode()]]
    assert [r.get("X-Forwarded-Host") for r in origin.requests] == [b"proxy.example"] * 2


async def test_http_1_0_without_host_reaches_the_gateway_with_one(origin: Origin, proxy: Running) -> None:
    await proxy.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert origin.requests[0].all("Host") == [f"127.0.0.1:{origin.port}".encode()]
    assert origin.requests[0].all("X-Forwarded-Host") == []


# ---- hop-by-hop ----


async def test_hop_by_hop_fields_of_a_request_stay_here(origin: Origin, proxy: Running) -> None:
    lines = (
        "Connection: keep-alive, X-Mine, x-other",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authorization: Basic x",
        "TE: trailers",
        "Trailer: X-T",
        "Upgrade: h2c",
        "X-Mine: 1",
        "X-OTHER: 2",
        "X-Kept: 3",
    )
    await proxy.ask(get("/", *lines))
    assert own(origin.requests[0]) == [(b"Host", b"proxy.example"), (b"X-Kept", b"3")]


async def test_hop_by_hop_fields_of_an_answer_stay_here(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(
        b"ok",
        "Connection: keep-alive, X-Mine",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Upgrade: h2c",
        "X-Mine: 1",
        "X-Kept: 3",
    )
    got = await proxy.ask(get())
    assert own(got) == [(b"X-Kept", b"3"), (b"Content-Length", b"2")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", b"Bearer x"),
        ("Cookie", b"a=b"),
        ("Host", b"proxy.example"),
        ("X-Gateway-Secret", b"s"),
        ("X-Forwarded-For", b"203.0.113.9, 127.0.0.1"),
        ("X-Request-Id", b"id-1"),
        ("Content-Type", b"application/json"),
        ("Content-Length", b"3"),
    ],
)
async def test_connection_hides_no_field_that_changes_what_a_request_means(
    name: str, value: bytes, origin: Origin, proxy: Running
) -> None:
    said = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Gateway-Secret": "s", "X-Forwarded-For": "203.0.113.9"}
    lines = [f"{key}: {text}" for key, text in said.items()]
    lines += ["X-Request-Id: id-1", "Content-Type: application/json", f"Connection: close, {name.lower()}"]
    await proxy.ask(get("/", *lines, method="POST", body=b"abc"))
    assert origin.requests[0].all(name) == [value]


async def test_connection_upgrade_without_upgrade_is_an_ordinary_request(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    for _ in range(2):
        await client.send(get("/", "Connection: upgrade"))
        got = await client.message()
        assert (got.status, got.all("Connection")) == (200, [])
    assert [r.all("Connection") for r in origin.requests] == [[], []]
    assert origin.connections == 1


async def test_an_upgrade_to_http_2_is_not_passed_on(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    await client.send(get("/1", *lines, method="POST", body=b"abc") + get("/2"))
    assert [(await client.message()).status for _ in range(2)] == [200, 200]
    assert [own(r) for r in origin.requests] == [
        [(b"Host", b"proxy.example"), (b"Content-Length", b"3")],
        [(b"Host", b"proxy.example")],
    ]
    assert origin.requests[0].body == b"abc"


@pytest.mark.parametrize("protocol", ["websocket", "foo/2"])
async def test_a_declined_upgrade_leaves_an_ordinary_connection(protocol: str, origin: Origin, proxy: Running) -> None:
    origin.answer = lambda request: answer(request.target, status="426 Upgrade Required")
    client = await proxy.connect()
    lines = ("Connection: Upgrade", f"Upgrade: {protocol}")
    await client.send(get("/1", *lines) + get("/2"))
    assert [(await client.message()).body for _ in range(2)] == [b"/1", b"/2"]
    await client.send(get("/3", *lines))
    assert (await client.message()).body == b"/3"
    await client.send(get("/4"))
    assert (await client.message()).body == b"/4"
    assert origin.requests[0].all("Upgrade") == [protocol.encode()]


async def test_an_upgrade_in_http_1_0_is_ignored(origin: Origin, proxy: Running) -> None:
    await proxy.ask(b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert origin.requests[0].all("Upgrade") == []


async def test_an_answer_that_only_offers_an_upgrade_is_an_ordinary_one(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", "Upgrade: h2c", "Connection: Upgrade")
    client = await proxy.connect()
    for _ in range(2):
        await client.send(get())
        assert (await client.message()).body == b"ok"
    assert origin.connections == 1


async def test_via_is_appended_both_ways_in_one_field(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok", "Via: 1.0 far", "Via: 1.1 near")
    got = await proxy.ask(b"GET / HTTP/1.0\r\nHost: proxy.example\r\nVia: 2 first\r\n\r\n")
    assert origin.requests[0].all("Via") == [b"2 first, 1.0 statusproxy"]
    assert got.all("Via") == [b"1.0 far, 1.1 near, 1.1 statusproxy"]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
@pytest.mark.parametrize(
    ("said", "passed"), [("1", b"0"), ("007", b"6"), ("9" * 5000, b"999999999"), ("x", b"x"), ("-1", b"-1"), ("", b"")]
)
async def test_options_and_trace_may_travel_one_hop_less(
    method: str, said: str, passed: bytes, origin: Origin, proxy: Running
) -> None:
    await proxy.ask(get("/", f"max-forwards: {said}", method=method))
    assert origin.requests[0].all("Max-Forwards") == [passed]


async def test_options_that_may_travel_no_further_is_answered_here(origin: Origin, proxy: Running) -> None:
    client = await proxy.connect()
    await client.send(get("*", "Max-Forwards: 0", method="OPTIONS") + get("/next"))
    got = await client.message()
    assert (got.status, b"GET" in (got.get("Allow") or b"")) == (204, True)
    assert (await client.message()).status == 200
    assert len(origin.requests) == 1


async def test_trace_that_may_travel_no_further_is_refused_and_reflects_no_secret(
    origin: Origin, proxy: Running
) -> None:
    got = await proxy.ask(get("/", "Max-Forwards: 0", "X-Gateway-Secret: hidden", method="TRACE"))
    assert (got.status, b"hidden" in got.body, origin.requests) == (405, False, [])


async def test_max_forwards_says_nothing_with_other_methods(origin: Origin, proxy: Running) -> None:
    await proxy.ask(get("/", "Max-Forwards: 0"))
    assert origin.requests[0].all("Max-Forwards") == [b"0"]


# ---- 1xx, trailers ----


async def test_informational_answers_pass_in_order_before_the_final_one(origin: Origin, proxy: Running) -> None:
    origin.answer = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n" + OK
    )
    client = await proxy.connect()
    await client.send(get())
    heads = [await client.head() for _ in range(3)]
    assert [(h.start, h.headers) for h in heads] == [
        (b"HTTP/1.1 103 Early Hints", [(b"Link", b"</a>")]),
        (b"HTTP/1.1 102 Processing", []),
        (b"HTTP/1.1 103 Early Hints", [(b"Link", b"</b>")]),
    ]
    assert (await client.message()).body == b"ok"


async def test_an_informational_answer_passes_at_once(origin: Origin, proxy: Running) -> None:
    go_on = asyncio.Event()

    async def script(wire: Wire) -> None:
        await origin.take(wire)
        await wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await go_on.wait()
        await wire.send(OK)

    origin.script = script
    client = await proxy.connect()
    await client.send(get())
    assert (await client.head()).status == 103
    go_on.set()
    assert (await client.message()).body == b"ok"


async def test_http_1_0_gets_no_informational_answer(origin: Origin, proxy: Running) -> None:
    origin.answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    got = await proxy.ask(b"GET / HTTP/1.0\r\nHost: proxy.example\r\n\r\n")
    assert got.status == 200


async def test_trailers_of_an_answer_pass_without_those_that_rule_framing(origin: Origin, proxy: Running) -> None:
    origin.answer = (
        b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n0\r\nX-Sum: \xe9 1\r\nx-sum: 2\r\nConnection: close\r\n\r\n"
    )
    client = await proxy.connect()
    for _ in range(2):
        await client.send(get())
        got = await client.message()
        assert (got.get("Trailer"), got.body) == (b"X-Sum", b"abc")
        assert got.trailers == [(b"X-Sum", b"\xe9 1"), (b"x-sum", b"2")]
    assert origin.connections == 1


async def test_trailers_of_a_request_are_dropped_with_their_announcement(origin: Origin, proxy: Running) -> None:
    lines = ("Transfer-Encoding: chunked", "Trailer: X-Sum")
    await proxy.ask(get("/", *lines, method="POST") + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert (origin.requests[0].body, origin.requests[0].trailers) == (b"abc", [])
    assert origin.requests[0].all("Trailer") == []
