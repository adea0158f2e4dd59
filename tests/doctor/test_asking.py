"""The gateway is asked as the proxy asks it: through a pool, within limits; its answer is decoded and timed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.doctor.asking import Answer, Asker, Askers, Credentials
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Place
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.harness import Origin, answer


def asker(origin: Origin, limit: int = 1000) -> Asker:
    return Asker(Pool(Place(host="127.0.0.1", port=origin.port, base_path=b"/base"), UpstreamLimits()), limit)


async def ask(origin: Origin, reply: bytes, limit: int = 1000) -> Answer:
    origin.answer = reply
    asking = asker(origin, limit)
    try:
        return await asking.get("/list", [(b"X-Secret", b"hush")])
    finally:
        asking.close()


def test_a_secret_does_not_show_when_credentials_are_printed() -> None:
    assert repr(Credentials("X-Secret", "hush")) == "Credentials('X-Secret', ***)"
    assert repr(Credentials()) == "Credentials('X-Gateway-Secret', None)"


@pytest.mark.parametrize(
    ("credentials", "fields"),
    [
        (Credentials(), []),
        (Credentials(secret="hush"), [(b"X-Gateway-Secret", b"hush")]),
        (Credentials("apikey", "hush"), [(b"apikey", b"hush")]),
        (Credentials("Authorization", "hush", "Bearer"), [(b"Authorization", b"Bearer hush")]),
        (Credentials("Authorization", "bearer hush", "Bearer"), [(b"Authorization", b"bearer hush")]),
    ],
)
def test_the_secret_is_sent_as_the_gateway_wants_it(
    credentials: Credentials, fields: list[tuple[bytes, bytes]]
) -> None:
    assert credentials.fields == fields


async def test_a_path_is_asked_for_below_the_base_path_on_a_connection_of_its_own(origin: Origin) -> None:
    found = await ask(origin, answer(b"{}", "Date: today"))
    (request,) = origin.requests
    assert request.target == b"/base/list"
    assert (request.get("X-Secret"), request.get("Connection")) == (b"hush", b"close")
    assert (found.status, found.body, found.error, found.header(b"date")) == (200, b"{}", None, "today")
    assert found.header(b"etag") is None
    assert found.seconds > 0


async def test_a_body_beyond_the_limit_is_not_read(origin: Origin) -> None:
    found = await ask(origin, answer(b"x" * 11), limit=10)
    assert (found.error, found.body) == ("too-large", b"")


async def test_a_compressed_body_is_decoded_or_told_to_be_broken(origin: Origin) -> None:
    found = await ask(origin, answer(gzip.compress(b"{}"), "Content-Encoding: gzip"))
    assert (found.body, found.error) == (b"{}", None)
    broken = await ask(origin, answer(b"no gzip", "Content-Encoding: gzip"))
    assert broken.error == "broken-coding"


async def test_an_answer_that_came_through_a_statusproxy_is_known_by_its_via(origin: Origin) -> None:
    assert (await ask(origin, answer(b"{}", "Via: 1.1 nginx, 1.1 statusproxy"))).came_through_us
    assert (await ask(origin, answer(b"{}", "Via: 1.1 statusproxy (of the hub)"))).came_through_us
    assert not (await ask(origin, answer(b"{}", "Via: 1.1 nginx, 1.1 nostatusproxy"))).came_through_us


async def test_connecting_takes_a_measured_time_and_asks_for_nothing(origin: Origin) -> None:
    asking = asker(origin)
    assert await asking.connect() > 0
    asking.close()
    assert origin.requests == []


@pytest.mark.parametrize(
    ("host", "unix", "local"), [("127.0.0.1", None, True), ("192.0.2.1", None, False), ("", "/run/gw.sock", True)]
)
def test_whether_the_gateway_is_on_this_host_is_known_by_its_address(host: str, unix: str | None, local: bool) -> None:
    assert Asker(Pool(Place(host=host, port=80, unix=unix), UpstreamLimits()), 0).is_local is local


def test_the_gateway_and_every_other_receiver_have_an_asker_each(tmp_path: Path) -> None:
    settings = loads(
        "gateway: http://127.0.0.1:3000\nwebhooks:\n- {path: /a, forward_to: 'http://hub.example/x'}\n"
        "- {path: /b, forward_to: 'http://hub.example/y'}\n- {path: /c, forward_to: 'https://other.example'}\n"
    )
    askers = Askers(settings)
    assert sorted(askers.others) == ["http://hub.example", "https://other.example"]
    assert askers.gateway.is_local
    askers.close()
