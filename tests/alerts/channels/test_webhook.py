"""JSON to a receiver: signed so that another's verifier takes it, and every failure in words without the URL."""

import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from standardwebhooks.webhooks import Webhook

from statusproxy.alerts.channels.letter import SENT, Letter, Outcome
from statusproxy.alerts.channels.webhook import WebhookChannel, signature
from statusproxy.alerts.http_client import open_session
from tests.alerts.receiver import Receiver, receiving, speaking
from tests.certificates import make_certificate
from tests.ports import free_port

LETTER = Letter("msg_1", json.dumps({"id": "msg_1", "text": "é"}).encode(), "title", "text")
KEY = b"0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def sending(url: str, key: bytes | None = None, deadline: float = 10.0) -> AsyncIterator[WebhookChannel]:
    session = open_session(deadline)
    try:
        yield WebhookChannel(url, key, lambda: session)
    finally:
        await session.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def tried(url: str, key: bytes | None = None, deadline: float = 10.0) -> Outcome:
    async with sending(url, key, deadline) as channel:
        return await channel.send(LETTER)


async def test_the_json_arrives_with_its_id_and_time_and_no_signature_where_no_secret_is_set(
    receiver: Receiver,
) -> None:
    assert await tried(f"{receiver.url}/alerts?token=x") is SENT
    (came,) = receiver.came
    assert (came.method, came.path, came.body) == ("POST", "/alerts?token=x", LETTER.body)
    assert came.headers["content-type"] == "application/json"
    assert came.headers["webhook-id"] == "msg_1"
    assert came.headers["webhook-timestamp"].isdigit()
    assert came.headers["user-agent"].startswith("statusproxy/")
    assert "webhook-signature" not in came.headers
    assert "cookie" not in came.headers


async def test_the_library_of_standard_webhooks_takes_the_signature(receiver: Receiver) -> None:
    assert await tried(receiver.url, KEY) is SENT
    (came,) = receiver.came
    verifier = Webhook("whsec_" + base64.b64encode(KEY).decode())
    assert verifier.verify(came.body, came.headers) == {"id": "msg_1", "text": "é"}


def test_a_signature_is_that_of_the_specifications_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_taken_for_sent(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda: web.Response(status=status)
    assert await tried(receiver.url) is SENT


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "it answered 404 Not Found"),
        (500, "it answered 500 Internal Server Error"),
        (302, "it answered 302 Found; redirects are not followed"),
        (599, "it answered 599"),
    ],
)
async def test_any_other_answer_is_an_error(receiver: Receiver, status: int, words: str) -> None:
    receiver.answer = lambda: web.Response(status=status, headers={"Location": "/elsewhere"})
    assert await tried(receiver.url) == Outcome(words)
    assert len(receiver.came) == 1


async def test_a_receiver_that_asks_for_time_gets_it(receiver: Receiver) -> None:
    receiver.answer = lambda: web.Response(status=429, headers={"Retry-After": "120"})
    assert await tried(receiver.url) == Outcome("it answered 429 Too Many Requests", 120.0)


async def test_a_long_answer_is_not_read_to_its_end(receiver: Receiver) -> None:
    receiver.answer = lambda: web.Response(body=b"x" * 10_000_000)
    assert await tried(receiver.url) is SENT


async def test_an_answer_that_breaks_off_behind_its_head_is_one() -> None:
    async with speaking(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n") as url:
        assert await tried(url) is SENT


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "the other side closed the connection"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the other side does not speak HTTP"),
    ],
)
async def test_what_does_not_speak_http_is_said_so(said: bytes, words: str) -> None:
    async with speaking(said) as url:
        assert await tried(url) == Outcome(words)


async def test_no_one_at_the_address_is_an_error_without_the_url() -> None:
    assert await tried(f"http://127.0.0.1:{free_port()}/s3cret") == Outcome("connection refused")


async def test_a_receiver_that_does_not_answer_is_given_up_at_the_deadline() -> None:
    async with speaking(None) as url:
        assert await tried(url, deadline=0.05) == Outcome("no answer in time")


async def test_a_url_that_cannot_be_used_is_an_error_without_it() -> None:
    assert await tried("http://[::1/s3cret") == Outcome("the URL cannot be used")


async def test_a_certificate_that_no_one_trusts_is_refused(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.take))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        outcome = await tried(f"https://localhost:{runner.addresses[0][1]}/s3cret")
        assert outcome.error is not None
        assert outcome.error.startswith("the certificate is not trusted")
        assert "s3cret" not in outcome.error
    finally:
        await runner.cleanup()
    assert receiver.came == []


async def test_a_closed_session_fails_as_an_error_of_the_proxy_and_not_silently() -> None:
    session: ClientSession = open_session()
    await session.close()
    with pytest.raises(RuntimeError, match="closed"):
        await WebhookChannel("http://127.0.0.1:9/", None, lambda: session).send(LETTER)
