"""The same requests through nginx and through us, before the same origin: what differs stands in docs/http.md.

`REASONS` is that list as code: each way in which the two may differ, with its reason. A difference that no entry
explains fails the test, and so does an entry that explains none any more. Odd requests and answers stand in tables
with what nginx does and what we do.
"""

import asyncio
import contextlib
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Message, Origin, Wire, answer, get, running, until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is missing: run tests/install-peers.sh")

#: The version whose behaviour the tables below record (Debian 12's).
TABLE_OF = "nginx/1.22."

#: The same requests in each run; another seed found no other differences.
SEED = 20260115
GENERATED = 400

CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server_tokens off; client_max_body_size 0; large_client_header_buffers 4 32k;
    underscores_in_headers on; ignore_invalid_headers on;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://origin; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
            proxy_set_header Host $http_host; proxy_set_header Connection "";
            proxy_pass_header Server; proxy_pass_header Date;
            proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


@dataclass(frozen=True)
class Trial:
    """One request's bytes, and the answer that the origin is to give."""

    request: bytes
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: Thu, 15 Jan 2026 10:00:00 GMT\r\n\r\nok"


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: the request as the origin got it, and the answer as the client did; None where none."""

    request: Message | None
    answer: Message | None


METHODS = ["GET", "GET", "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND", "PURGE"]
TARGETS = [
    "/", "/?", "/a", "/a/b/c?x=1", "/Sales%20Team/false_550000%40c.us_ABC", "/%2Fb", "//a//b/", "/a;b=c", "/a?b?c",
    "/a?x=%zz", "/~a$&'()*+,;=:@", '/"<>^`{|}', "/a?q=[1]", "http://other.example/abs?x", "/a%25b",
]  # fmt: skip
FIELDS = [
    "X-A: 1", "x-a: 2", "X-A:", "ETag:x", "Accept: */*", "Cookie: a=b; c=d", "Cookie: e=f", "X-Obs: \xe9\xff",
    "X-Tab: a\tb", "X-Pad:   a   ", "Authorization: Bearer x", "User-Agent: hub", "Range: bytes=0-1",
    'If-None-Match: W/"x"', "Content-Type: application/json", "X-Under_score: 1", "Max-Forwards: 5", "From: a@b",
    "Connection: upgrade", "Connection: keep-alive", "Keep-Alive: timeout=5", "Accept-Encoding: gzip, br",
    "X-Forwarded-For: 203.0.113.7", "Cache-Control: no-cache", "X-Request-Id: id-1", "Referer: /x", "Via: 1.0 before",
    "Expect: nothing", "Origin: null", "Upgrade: h2c", "Proxy-Connection: close", "Date: x", "Trailer: X", "X--: -",
]  # fmt: skip
BODIES = [b"", b"", b"abc", b"x" * 3000]
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nDate: x\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 201 Made\r\nDate: x\r\nset-cookie: a\r\nSet-Cookie: b\r\nX: \xe9\r\nX:\r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 204 No Content\r\nDate: x\r\nETag: W/"x"\r\n\r\n',
    b'HTTP/1.1 304 Not Modified\r\nDate: x\r\nETag: W/"x"\r\n\r\n',
    b"HTTP/1.1 404 Not Found\r\nDate: x\r\nContent-Type: text/html\r\nVary: a\r\nVary: b\r\nContent-Length: 1\r\n\r\nn",
    b"HTTP/1.1 500 Broken\r\nDate: x\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nn",
    b"HTTP/1.1 302 Found\r\nDate: x\r\nLocation: http://other.example/%41?b\r\nContent-Length: 0\r\n\r\n",
]
#: Requests that are wrong, or at the edge, each for one reason: what nginx does, what we do ("pass" or a status).
#: Where we are stricter, two parsers could read the request differently; where nginx is, it reads a path as a file's.
ODD = [
    ("400", "400", "GET / HTTP/1.1\r\n\r\n"),
    ("400", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n"),
    ("400", "400", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("400", "pass", "GET / HTTP/1.1\r\nHost: \r\n\r\n"),
    ("pass", "400", "GET / HTTP/1.1\r\nHost: user@a.example\r\n\r\n"),
    ("400", "400", "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("pass", "400", "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("pass", "400", "GET /a#b HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("pass", "400", "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "pass", "GET /%00 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "pass", "GET /%zz HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "pass", "GET /a/../../b HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "400", "get / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "400", "G(T / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "pass", "x1 / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "pass", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "400", "GET * HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "405", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("405", "pass", "TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("pass", "pass", "GET / HTTP/1.0\r\n\r\n"),
    ("pass", "pass", "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n"),
    ("pass", "400", "GET / HTTP/1.2\r\nHost: a.example\r\n\r\n"),
    ("505", "400", "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n"),
    ("400", "400", "GET / http/1.1\r\nHost: a.example\r\n\r\n"),
    ("pass", "400", "GET /\r\n"),
    ("pass", "400", "GET / HTTP/1.1\nHost: a.example\n\n"),
    ("pass", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\nY: b\r\n\r\n"),
    ("400", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\x00b\r\n\r\n"),
    ("pass", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\x01b\r\n\r\n"),
    ("400", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX : a\r\n\r\n"),
    ("400", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX: a\r\n b\r\n\r\n"),
    ("pass", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX\r\n\r\n"),
    ("pass", "400", "GET / HTTP/1.1\r\nHost: a.example\r\nX(a): b\r\n\r\n"),
    (
        "400",
        "400",
        "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("400", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    ("400", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: +1\r\n\r\na"),
    ("501", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("501", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("400", "400", "POST / HTTP/1.0\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (
        "pass",
        "pass",
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\nT: x\r\n\r\n",
    ),
    ("400", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n"),
    ("400", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n"),
    ("pass", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n"),
    ("pass", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n"),
    (
        "400",
        "400",
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
    ),
    ("400", "400", "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"),
    ("pass", "pass", "\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("414", "414", "GET /" + "a" * 40000 + " HTTP/1.1\r\nHost: a.example\r\n\r\n"),
    ("400", "431", "GET / HTTP/1.1\r\nHost: a.example\r\nX: " + "a" * 40000 + "\r\n\r\n"),
]
#: Answers that are wrong, or at the edge: the status that nginx gives the client, and the one that we do.
ODD_ANSWERS = [
    ("200", "502", b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
    (
        "200",
        "502",
        b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    ("200", "502", b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    ("200", "502", b"HTTP/1.1 200 OK\nDate: x\nContent-Length: 2\n\nok"),
    ("200", "502", b"HTTP/1.1 200 OK\r\nDate: x\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok"),
    ("502", "502", b"HTTP/1.1 200 OK\r\nDate: x\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok"),
    ("502", "502", b"HTTP/1.1 200 OK\r\nDate: x\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok"),
    ("200", "502", b"nonsense\r\n\r\n"),
    (
        "200",
        "200",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok",
    ),
    ("200", "200", b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: x\r\n\r\n"),
    ("200", "200", b"HTTP/1.1 200\r\nDate: x\r\nContent-Length: 2\r\n\r\nok"),
    ("200", "200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ("200", "200", b"HTTP/1.1 200 OK\r\nDate: x\r\nX-Accel-Expires: 5\r\nX-Pad: y\r\nContent-Length: 2\r\n\r\nok"),
    ("204", "204", b"HTTP/1.1 204 No Content\r\nDate: x\r\nContent-Length: 5\r\n\r\n"),
    ("200", "200", b"HTTP/1.0 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok"),
]


def trials() -> Iterator[Trial]:
    """Requests made up from parts, each with an answer."""
    chance = random.Random(SEED)
    for number in range(GENERATED):
        method, target, body = chance.choice(METHODS), chance.choice(TARGETS), chance.choice(BODIES)
        lines = [f"{method} {target} HTTP/1.1", "Host: proxy.example"]
        lines += chance.sample(FIELDS, chance.randrange(6))
        framed = b""
        if body and chance.random() < 0.5:
            lines.append("Transfer-Encoding: chunked")
            framed = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif body or method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body)}")
            framed = body
        head = "\r\n".join([*lines, f"X-Trial: {number}", "", ""]).encode("latin-1")
        yield Trial(head + framed, chance.choice(ANSWERS))


@contextlib.asynccontextmanager
async def nginx_before(origin: Origin, folder: Path, config: str = CONFIG) -> AsyncIterator[int]:
    """nginx in front of `origin`; gives its port."""
    port = free_port()
    (folder / "nginx.conf").write_text(config.format(folder=folder, origin=origin.port, port=port))
    assert NGINX is not None
    process = await asyncio.create_subprocess_exec(
        NGINX, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")
    )
    try:

        async def listens() -> bool:
            assert process.returncode is None, "nginx did not start"
            with contextlib.suppress(ConnectionRefusedError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return True
            return False

        await until(listens)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def undergo(port: int, origin: Origin, trial: Trial) -> Outcome:
    """Send a trial's request to a proxy; what comes of it."""
    origin.requests.clear()
    origin.answer = trial.answer
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    wire = Wire(reader, writer)
    got: Message | None = None
    try:
        writer.write(trial.request)
        head_only = trial.request.startswith(b"HEAD ")
        async with asyncio.timeout(PATIENCE):
            got = await wire.head()
            if not got.start.startswith(b"HTTP/"):
                return Outcome(origin.requests[0], Message(b"HTTP/0.9 200 " + got.start, []))
            while got.status == 103:
                got = await wire.head()
        if not head_only and got.status not in {204, 304}:
            if b"chunked" in (got.get("Transfer-Encoding") or b""):
                await wire.chunks(got)
            elif (length := got.get("Content-Length")) is not None:
                got.body = await wire.reader.readexactly(int(length))
            else:
                got.body = await wire.rest()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
    return Outcome(origin.requests[0] if origin.requests else None, got)


#: What a proxy adds by its configuration or by the RFC: compared by tests of their own.
OWED = {
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-real-ip",
    b"x-request-id",
    b"via",
    b"connection",
    b"forwarded",
}


def fields(message: Message) -> list[tuple[bytes, bytes]]:
    """A message's fields without those that are owed."""
    return [(name, value) for name, value in message.headers if name.lower() not in OWED]


def differences(nginx: Outcome, ours: Outcome) -> Iterator[str]:
    """In which ways two outcomes differ, in words that `REASONS` knows."""
    assert nginx.request is not None
    assert ours.request is not None
    if nginx.request.start != ours.request.start:
        yield "request: the line"
    yield from field_differences("request", fields(nginx.request), fields(ours.request))
    if nginx.request.body != ours.request.body:
        yield "request: the body"
    assert nginx.answer is not None
    assert ours.answer is not None
    if nginx.answer.start.rstrip() != ours.answer.start.rstrip():
        yield "answer: the status"
    yield from field_differences("answer", fields(nginx.answer), fields(ours.answer))
    if nginx.answer.body != ours.answer.body:
        yield "answer: the body"
    if nginx.answer.trailers != ours.answer.trailers:
        yield "answer: the trailers"


def field_differences(where: str, nginx: list[tuple[bytes, bytes]], ours: list[tuple[bytes, bytes]]) -> Iterator[str]:
    """How two lists of fields differ: fields that only one has, else their order."""
    one, other = Counter(nginx), Counter(ours)
    for name, _ in one - other:
        yield f"{where}: only nginx has {name.decode('latin-1')}"
    for name, _ in other - one:
        yield f"{where}: only we have {name.decode('latin-1')}"
    if one == other and nginx != ours:
        yield f"{where}: the order of fields"


#: The ways in which a generated request or its answer may differ, and why.
REASONS = {
    "answer: the order of fields": "nginx writes Date, Content-Type, Content-Length first; we keep the order",
    "request: the order of fields": "nginx writes Host and the framing first; we keep the client's order",
    "request: only nginx has Content-Length": "nginx makes a length of chunks that came at once; we keep the framing",
    "request: only we have Transfer-Encoding": "the same",
    "request: only nginx has Host": "of an absolute target, RFC 9112 §3.2.2 lets the target's host rule; nginx with "
    "$http_host passes the field",
    "request: only we have Host": "the same",
    "request: only nginx has Max-Forwards": "we count it down with OPTIONS (RFC 9110 §7.6.2); nginx does not",
    "request: only we have Max-Forwards": "the same",
    "request: only nginx has Proxy-Connection": "a hop-by-hop field (RFC 9110 §7.6.1)",
    "request: only nginx has Trailer": "neither passes a request's trailers; we do not announce them either",
    "request: only we have Expect": "nginx drops every Expect; we pass it on, as RFC 9110 §10.1.1 demands",
}


@pytest.mark.slow
async def test_generated_requests_fare_with_us_as_with_nginx_but_for_reasons(origin: Origin, tmp_path: Path) -> None:
    found: dict[str, Trial] = {}
    async with nginx_before(origin, tmp_path) as nginx, running(tmp_path, origin.url) as proxy:
        for trial in trials():
            theirs = await undergo(nginx, origin, trial)
            for difference in differences(theirs, await undergo(proxy.port, origin, trial)):
                found.setdefault(difference, trial)
    assert {name: trial for name, trial in found.items() if name not in REASONS} == {}
    assert set(REASONS) - set(found) == set()


def told(table: Sequence[tuple[object, ...]]) -> list[tuple[str, ...]]:
    """A table's outcomes; nginx's only where it is the version that the table was made with."""
    assert NGINX is not None
    version = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    first = 0 if TABLE_OF in version else 1
    return [tuple(map(str, row))[first:] for row in table]


async def test_odd_requests_fare_as_the_table_says(origin: Origin, tmp_path: Path) -> None:
    fared = []
    async with nginx_before(origin, tmp_path) as nginx, running(tmp_path, origin.url) as proxy:
        for _, _, wire in ODD:
            trial = Trial(wire.encode("latin-1"))
            outcomes = [await undergo(port, origin, trial) for port in (nginx, proxy.port)]
            fared.append((*["pass" if o.request else str(o.answer and o.answer.status) for o in outcomes], wire))
    assert told(fared) == told(ODD)


async def test_odd_answers_fare_as_the_table_says(origin: Origin, tmp_path: Path) -> None:
    fared = []
    async with nginx_before(origin, tmp_path) as nginx, running(tmp_path, origin.url) as proxy:
        for _, _, wire in ODD_ANSWERS:
            trial = Trial(b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n", wire)
            outcomes = [await undergo(port, origin, trial) for port in (nginx, proxy.port)]
            fared.append((*[str(o.answer and o.answer.status) for o in outcomes], wire))
    assert told(fared) == told(ODD_ANSWERS)


async def test_fields_with_underscores_are_dropped_as_nginx_drops_them_by_default(
    origin: Origin, tmp_path: Path
) -> None:
    trial = Trial(
        b"GET / HTTP/1.1\r\nHost: proxy.example\r\nX_Forwarded_For: 10.0.0.1\r\n"
        b"X-A: 1\r\n_: 2\r\nX_: 3\r\nX-B: a_b\r\n\r\n"
    )
    config = CONFIG.replace("underscores_in_headers on", "underscores_in_headers off")
    got = []
    async with (
        nginx_before(origin, tmp_path, config) as nginx,
        running(tmp_path, origin.url, underscores_in_headers="drop") as proxy,
    ):
        for port in (nginx, proxy.port):
            outcome = await undergo(port, origin, trial)
            assert outcome.request is not None
            got.append([field for field in fields(outcome.request) if field[0] != b"Host"])
    assert got == [[(b"X-A", b"1"), (b"X-B", b"a_b")]] * 2


@pytest.mark.parametrize(
    ("setting", "compressed"), [("", False), ("gzip_proxied any;", True)], ids=["by-default", "gzip_proxied-any"]
)
async def test_an_nginx_behind_us_compresses_only_where_gzip_proxied_lets_it(
    origin: Origin, tmp_path: Path, setting: str, compressed: bool
) -> None:
    origin.answer = answer(b"a" * 5000, "Content-Type: application/json")
    config = CONFIG.replace("access_log off;", f"access_log off; gzip on; gzip_types application/json; {setting}")
    asked = get("/", "Accept-Encoding: gzip")
    async with (
        nginx_before(origin, tmp_path, config) as nginx,
        running(tmp_path, f"http://127.0.0.1:{nginx}") as proxy,
    ):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", nginx))
        await wire.send(asked)
        direct = await wire.message()
        await wire.close()
        through_us = await proxy.ask(asked)
    assert direct.get("Content-Encoding") == b"gzip"
    assert (through_us.get("Content-Encoding") == b"gzip") is compressed
