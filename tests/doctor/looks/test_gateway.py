"""The gateway's health and clock before the doctor, and what a running proxy says of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from time import time

import pytest
from msgspec.structs import replace

from statusproxy import __version__
from statusproxy.admin.messages import Health, SelfReport
from statusproxy.config.settings import dump, loads
from statusproxy.doctor.asking import Asker
from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks import gateway as module
from statusproxy.doctor.looks.gateway import gateway, hubs
from statusproxy.doctor.looks.running import _judge
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.proxy.upstream.connection import Origin as Place
from statusproxy.proxy.upstream.connection import UpstreamLimits
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.harness import Message, Origin, answer

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


async def test_a_slow_gateway_is_told(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLOW_HEALTH", 0.0)
    assert (await look(answer(b"{}")))["gateway.slow"] == "warning"


async def test_each_way_of_not_being_reached_has_its_own_fix() -> None:
    pool = Pool(Place(host="no-such-name.invalid", port=80), UpstreamLimits())
    asker = Asker(pool, 0)
    reached, findings = await gateway(asker, "http://no-such-name.invalid")
    assert (reached, levels(findings)) == (False, {"gateway.name-unknown": "problem"})
    assert levels(await hubs({"http://no-such-name.invalid": asker})) == {"gateway.hub-unreachable": "warning"}


def test_a_running_proxy_that_is_not_well_is_told() -> None:
    settings = loads("gateway: http://127.0.0.1:3000")
    report = SelfReport(
        version=__version__,
        pid=1,
        now=10.0,
        started=0.0,
        settings=dump(settings),
        health=Health("trouble", "disk full", "gateway_unreachable"),
        webhooks=WebhookStats().report(),
    )
    assert levels(_judge(report, settings)) == {
        "proxy.running": "ok", "proxy.store-trouble": "problem", "proxy.gateway-trouble": "problem",
    }  # fmt: skip
    damaged = replace(report, health=Health("degraded", "ok", "ok", damage=["one", "two"]))
    assert [each.code for each in _judge(damaged, settings)][1:] == ["proxy.state-damaged"] * 2
    for journal, found in ((None, {}), ("ok", {}), ("off", {}), ("disk full", {"proxy.no-journal": "warning"})):
        told = replace(report, health=Health("ok", "ok", "ok", journal=journal))
        assert levels(_judge(told, settings)) == {"proxy.running": "ok", **found}
    other = replace(report, version="0.0.1", health=Health("ok", "ok", "ok"))
    assert levels(_judge(other, settings)) == {"proxy.other-version": "warning"}
    assert levels(_judge(replace(other, settings="[]"), settings)) == {"proxy.other-version": "warning"}
