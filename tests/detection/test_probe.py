"""Asking a gateway: what is sent, and what comes of answers that are none."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from statusproxy.config.addresses import Target, parse_gateway
from statusproxy.detection.catalogue import gateway
from statusproxy.detection.probe import Answered, UnreachableError, describe, probe
from statusproxy.detection.signs import Fit
from tests.certificates import make_certificate
from tests.ports import free_port
from tests.proxy.loop_clock import LoopClock
from tests.stand_ins.served import Handler, everything, served
from tests.waiting import until

BEARER = gateway(
    "bearer",
    "about: {secret: 'Authorization: Bearer', signs: "
    "[{get: /list, list: '', each: {id: text}}, {get: /more, list: ''}]}",
)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[Target]:
    async with served(everything(handler), tls=context) as url:
        yield parse_gateway(f"{url}/base")


def answering(*, text: str = "", status: int = 200) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, headers={"Location": "/elsewhere"} if status == 302 else None)

    return answer


async def test_the_secret_goes_below_the_base_path_in_its_header() -> None:
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.method, request.path, request.headers.get("Authorization")))
        return web.json_response([{"id": "a"}])

    async with serving(answer) as target:
        found = await probe(target, [BEARER], "s3")
    assert asked == [("GET", "/base/list", "Bearer s3"), ("GET", "/base/more", "Bearer s3")]
    assert [(each.fit, each.refused) for each in found.findings] == [(Fit.YES, False)]


async def test_without_a_secret_no_header_is_sent_and_each_path_asked_once() -> None:
    asked = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append((request.path, "Authorization" in request.headers))
        return web.json_response([])

    async with serving(answer) as target:
        found = await probe(target, [BEARER, BEARER], None)
    assert asked == [("/base/list", False), ("/base/more", False)]
    assert len(found.of(Fit.POSSIBLE)) == 2


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("<html>", 200, "200 OK, no JSON"),
        ("[1]" * 2, 200, "200 OK, no JSON"),
        ("{}", 200, "200 OK, JSON of another shape"),
        ("", 302, "302 Found"),
        ("", 401, "401 Unauthorized"),
        ("", 599, "599"),
    ],
)
async def test_what_is_no_list_is_told_and_no_redirect_followed(text: str, status: int, said: str) -> None:
    async with serving(answering(text=text, status=status)) as target:
        found = await probe(target, [BEARER], "s3")
    assert describe(found.answers)[0] == f"GET /list (Authorization): {said}"
    assert (found.findings[0].fit, found.findings[0].refused) == (Fit.NO, status == 401)


async def test_a_list_that_is_too_long_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.detection.probe._LARGEST", 1000)
    async with serving(answering(text=json.dumps([{"id": "a" * 2000}]))) as target:
        found = await probe(target, [BEARER], None)
    assert found.findings[0].fit is Fit.NO
    assert {(each.document, each.is_too_large) for each in found.answers} == {(None, True)}


async def test_a_long_list_is_read_whole() -> None:
    async with serving(answering(text=json.dumps([{"id": "a" * 300}] * 2000))) as target:
        found = await probe(target, [BEARER], None)
    assert found.findings[0].fit is Fit.YES


async def test_what_does_not_speak_http_is_told() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(
            UnreachableError, match=r"^the other side does not speak HTTP; is that the gateway's address"
        ):
            await probe(parse_gateway(f"http://{host}:{port}"), [BEARER], None)


async def test_a_gateway_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(UnreachableError, match=r"^connection refused; is the gateway running there\?$"):
        await probe(parse_gateway(f"http://127.0.0.1:{free_port()}"), [BEARER], None)


async def test_a_gateway_that_never_answers_is_given_up_after_two_requests(loop_clock: LoopClock) -> None:
    asked = []
    release = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        await release.wait()
        return web.Response()

    async with serving(answer) as target:
        probing = asyncio.create_task(probe(target, [BEARER], None))
        for number in (1, 2):
            await until(lambda number=number: len(asked) == number)
            await loop_clock.move(11)
        with pytest.raises(UnreachableError, match=r"^no answer within 10 s; is that the gateway's address\?$"):
            await probing
        release.set()
    assert len(asked) == 2


async def test_one_answer_that_breaks_off_does_not_end_it() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/base/more":
            return web.json_response([])
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(answer) as target:
        found = await probe(target, [BEARER], None)
    assert describe(found.answers)[0] == "GET /list: the other side closed the connection"
    assert found.findings[0].fit is Fit.POSSIBLE


async def test_a_certificate_that_is_not_trusted_is_explained(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving(answering(), context) as target:
        with pytest.raises(UnreachableError, match=r"^the certificate is not trusted: .*gateway_tls\.ca"):
            await probe(target, [BEARER], None)


async def test_a_gateway_without_tls_is_explained() -> None:
    async with serving(answering()) as target:
        with pytest.raises(UnreachableError, match="the other side does not speak TLS"):
            await probe(parse_gateway(f"https://{target.authority}"), [BEARER], None)


async def test_a_gateway_behind_a_unix_socket_is_asked_there(tmp_path: Path) -> None:
    application = web.Application()
    application.router.add_get("/list", answering(text='[{"id": "a"}]'))
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.UnixSite(runner, tmp_path / "s").start()
        found = await probe(parse_gateway(f"unix:{tmp_path / 's'}"), [BEARER], None)
    finally:
        await runner.cleanup()
    assert found.findings[0].fit is Fit.YES


def test_a_kind_that_was_not_asked_for_is_none() -> None:
    assert not Answered("/a", None, 0, problem="x").refused


def test_an_answer_that_is_too_large_is_not_called_no_json() -> None:
    answers = [Answered("/a", None, 200, is_too_large=True), Answered("/b", None, 200)]
    assert describe(answers) == ["GET /a: 200 OK, more than 4 MiB", "GET /b: 200 OK, no JSON"]
