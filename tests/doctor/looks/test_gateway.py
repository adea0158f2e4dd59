"""The gateway's health and clock before the doctor, and what a running proxy says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest
from msgspec.structs import replace

from statusproxy import __version__
from statusproxy.admin.messages import Health, SelfReport
from statusproxy.config.load import dump, loads
from statusproxy.config.settings import GatewayTls
from statusproxy.doctor.asking import Answer, Asker
from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks import gateway as module
from statusproxy.doctor.looks.configuration import configuration
from statusproxy.doctor.looks.gateway import gateway, hubs
from statusproxy.doctor.looks.running import _judge
from statusproxy.doctor.subject import Subject
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Place
from statusproxy.proxy.upstream.pool import Pool
from tests.ports import free_port
from tests.proxy.harness import Message, Origin, Wire, answer

Look = Callable[..., Awaitable[dict[str, str]]]


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code: finding.level.value for finding in findings}


@pytest.fixture
async def look() -> AsyncIterator[Look]:
    """What is said of a gateway that answers so."""
    origin = Origin()
    await origin.start()
    pool = Pool(Place(host="127.0.0.1", port=origin.port), UpstreamLimits())

    async def look(said: bytes | Callable[[Message], bytes]) -> dict[str, str]:
        origin.answer = said
        return levels((await gateway(Asker(pool, 1024), origin.url))[1])

    yield look
    pool.abort()
    await origin.stop()


def dated(seconds: float) -> str:
    return f"Date: {formatdate(time() + seconds, usegmt=True)}"


async def test_a_clock_that_differs_is_graver_the_more_it_does(look: Look) -> None:
    assert (await look(answer(b"{}", dated(1))))["clock.gateway"] == "ok"
    assert (await look(answer(b"{}", dated(30))))["clock.gateway-off"] == "warning"
    assert (await look(answer(b"{}", dated(-900))))["clock.gateway-off"] == "problem"
    assert (await look(answer(b"{}")))["clock.gateway-silent"] == "note"
    assert (await look(answer(b"{}", "Date: some day")))["clock.gateway-silent"] == "note"


async def test_a_gateways_health_is_told_by_its_status(look: Look) -> None:
    assert (await look(answer(b"{}")))["gateway.reachable"] == "ok"
    assert (await look(answer(b"{}", status="503 Ill")))["gateway.ill"] == "warning"
    assert (await look(answer(b"{}", status="404 Not Found")))["gateway.no-health"] == "note"
    assert (await look(b"SSH-2.0-OpenSSH\r\n\r\n"))["gateway.no-http"] == "problem"


async def test_the_other_health_route_serves_where_the_first_is_not_there(look: Look) -> None:
    def reply(request: Message) -> bytes:
        return answer(b"{}") if request.target == b"/api/health" else answer(b"{}", status="404 Not Found")

    assert (await look(reply))["gateway.reachable"] == "ok"


async def test_a_gateway_that_speaks_no_tls_is_told_with_the_address_to_write() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer(b"", status="400 Bad Request"))
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as plain:
        port = plain.sockets[0].getsockname()[1]
        (finding,) = await module.look(Subject(loads(f"gateway: https://127.0.0.1:{port}")))
    assert (finding.code, finding.level) == ("gateway.no-tls", "problem")
    assert finding.facts["plain"] == f"http://127.0.0.1:{port}"


async def test_a_slow_gateway_is_told(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_HEALTH", 0.0)
    assert (await look(answer(b"{}")))["gateway.slow"] == "warning"


async def test_each_way_of_not_being_reached_has_its_own_fix() -> None:
    pool = Pool(Place(host="no-such-name.invalid", port=80), UpstreamLimits())
    asker = Asker(pool, 0)
    reached, findings = await gateway(asker, "http://no-such-name.invalid")
    assert (reached, levels(findings)) == (False, {"gateway.name-unknown": "problem"})
    assert levels(await hubs({"http://no-such-name.invalid": asker})) == {"gateway.hub-unreachable": "warning"}


@pytest.mark.slow
def test_a_running_proxy_that_is_not_well_is_told() -> None:
    settings = loads("gateway: http://127.0.0.1:3000")
    report = SelfReport(
        version=__version__,
        pid=1,
        now=10.0,
        started=0.0,
        settings=dump(settings),
        health=Health("error", "disk full", "gateway_unreachable"),
        webhooks=WebhookStats().report(),
    )
    assert levels(_judge(report, settings)) == {
        "proxy.running": "ok", "proxy.store-error": "problem", "proxy.gateway-error": "problem",
    }  # fmt: skip
    damaged = replace(report, health=Health("degraded", "ok", "ok", damage=["one", "two"]))
    assert [each.code for each in _judge(damaged, settings)][1:] == ["proxy.state-damaged"] * 2
    for journal, found in ((None, {}), ("ok", {}), ("off", {}), ("disk full", {"proxy.no-journal": "warning"})):
        told = replace(report, health=Health("ok", "ok", "ok", journal=journal))
        assert levels(_judge(told, settings)) == {"proxy.running": "ok", **found}
    other = replace(report, version="0.0.1", health=Health("ok", "ok", "ok"))
    assert levels(_judge(other, settings)) == {"proxy.other-version": "warning"}
    assert levels(_judge(replace(other, settings="[]"), settings)) == {"proxy.other-version": "warning"}


async def test_the_subject_learns_whether_the_gateway_answers(origin: Origin) -> None:
    origin.answer = answer(b"{}")
    hub = "webhooks: [{path: /a, forward_to: 'http://127.0.0.1:9/x'}]"
    subject = Subject(loads(f"gateway: http://127.0.0.1:{origin.port}\n{hub}"))
    found = levels(await module.look(subject))
    assert subject.gateway_answers is True
    assert found == {"gateway.reachable": "ok", "clock.gateway-silent": "note", "gateway.hub-unreachable": "warning"}


async def test_a_gateway_that_refuses_connections_does_not_answer() -> None:
    subject = Subject(loads(f"gateway: http://127.0.0.1:{free_port()}"))
    assert levels(await module.look(subject)) == {"gateway.unreachable": "problem"}
    assert subject.gateway_answers is False


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_token_in_the_gateways_base_path_is_in_no_finding(scheme: str, origin: Origin) -> None:
    async def no_tls(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    if scheme == "https":
        origin.script = no_tls
    settings = loads(f"gateway: {scheme}://127.0.0.1:{origin.port}/token/S3cretT0ken")
    found = [*await module.look(Subject(settings)), *await configuration(settings, None)]
    assert "/token/********" in str(found)
    assert "S3cret" not in str(found)


async def test_a_certificate_that_cannot_be_used_leaves_open_whether_the_gateway_answers(tmp_path: Path) -> None:
    settings = loads("gateway: https://127.0.0.1:9")
    broken = replace(settings, gateway_tls=GatewayTls(ca=str(tmp_path / "none.pem")))
    subject = Subject(broken)
    assert levels(await module.look(subject)) == {"gateway.tls-failed": "problem"}
    assert subject.gateway_answers is None


@pytest.mark.parametrize(("private", "code"), [(True, "gateway.queue-full"), (False, "gateway.connect-slow")])
@pytest.mark.parametrize("error", [TimeoutError(), UpstreamError("gateway_connect_slow", "late")])
async def test_a_connection_that_is_not_taken_is_told_by_where_the_gateway_is(
    private: bool, code: str, error: Exception, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Asker) -> float:
        raise error

    monkeypatch.setattr(Asker, "connect", never)
    monkeypatch.setattr(Asker, "is_local", private)
    asker = Asker(Pool(Place(host="127.0.0.1", port=origin.port), UpstreamLimits()), 0)
    reached, findings = await gateway(asker, "http://gw")
    assert (reached, levels(findings)) == (False, {code: "problem"})
    (hub,) = await hubs({"http://hub": asker})
    assert hub.code == "gateway.hub-unreachable"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), "gateway.hangs"),
        (UpstreamError("gateway_timeout", "late"), "gateway.hangs"),
        (UpstreamError("gateway_bad_response", "no HTTP"), "gateway.no-http"),
    ],
)
async def test_an_answer_that_does_not_come_is_told_apart_from_one_that_is_none(
    error: Exception, code: str, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> Answer:
        raise error

    monkeypatch.setattr(Asker, "get", fail)
    asker = Asker(Pool(Place(host="127.0.0.1", port=origin.port), UpstreamLimits()), 0)
    reached, findings = await gateway(asker, "http://gw")
    assert (reached, levels(findings)) == (False, {code: "problem"})


async def test_a_proxy_in_the_gateways_place_is_told(look: Look) -> None:
    assert (await look(answer(b"{}", "Via: 1.1 statusproxy"))) == {
        "gateway.is-us": "problem",
        "clock.gateway-silent": "note",
    }
