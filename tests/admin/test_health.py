"""Looking at store and gateway: rarely enough to be no load, and together."""

import asyncio
import json

import pytest

from statusproxy.admin import answers as answers_module
from statusproxy.admin import health as health_module
from statusproxy.admin.health import HealthCheck
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.proxies import Proxy, Sharing
from tests.admin.harness import Admin


async def test_many_who_ask_at_once_cost_the_gateway_one_connection(admin: Admin) -> None:
    before = admin.gateway.connections
    answers = await asyncio.gather(*(admin.ask("/readyz") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert admin.gateway.connections - before <= 1


async def test_a_look_counts_for_a_while_and_no_longer(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await admin.json("/readyz"))["status"] == "ok"
    await admin.gateway.stop()
    assert (await admin.json("/readyz"))["status"] == "ok"
    monkeypatch.setattr(health_module, "FRESH", 0.0)
    assert (await admin.json("/readyz"))["status"] == "error"


async def test_a_scrape_tells_whether_the_gateway_takes_a_connection(admin: Admin) -> None:
    assert b"statusproxy_gateway_up 1.0" in (await admin.ask("/metrics")).body
    await admin.gateway.stop()
    check = HealthCheck(admin.proxy.server.registry, admin.proxy.server.proxy)
    assert not await check.gateway_up()


async def test_a_gateway_that_never_answers_the_door_is_given_up(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(**_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health_module, "PATIENCE", 0.01)
    monkeypatch.setattr(admin.proxy.server.proxy.site.pool, "acquire", hang)
    assert (await admin.json("/readyz"))["gateway"] == "gateway_connect_slow"


@pytest.mark.parametrize("told", ["ok", "off", "disk full: /state"])
async def test_a_store_that_keeps_a_journal_tells_of_it_and_stays_ready(
    admin: Admin, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchWriter, "journal", told)
    answer = await admin.ask("/readyz")
    assert (answer.status, json.loads(answer.body)["journal"]) == (200, told)


async def test_the_proxies_that_share_the_state_are_named(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "proxies" not in await admin.json("/readyz")
    them = Proxy("a", "one.example", 7, "1.0"), Proxy("b", "two.example", 8, "1.1")
    monkeypatch.setattr(BatchWriter, "sharing", Sharing("a", them))
    assert (await admin.json("/readyz"))["proxies"] == [
        "process 7 on one.example, version 1.0", "process 8 on two.example, version 1.1"
    ]  # fmt: skip


async def test_a_store_that_takes_no_writes_is_told_with_its_reason(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.store, "save", refuse)
    health = await HealthCheck(admin.proxy.server.registry, admin.proxy.server.proxy).report()
    assert (health.status, health.store, health.gateway) == ("error", "does not accept writes", "ok")


async def test_a_load_balancer_has_its_answer_while_store_and_gateway_hang(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(answers_module, "CHECK_TIME", 0.01)
    monkeypatch.setattr(admin.proxy.server.proxy.site.pool, "acquire", hang)
    monkeypatch.setattr(admin.proxy.server.registry.store, "save", hang)
    answer = await admin.ask("/readyz")
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"status": "error", "store": "no answer within 0.01 s", "gateway": "no answer within 0.01 s"},
    )


@pytest.mark.parametrize("target", ["/readyz", "/readyz?strict"])
async def test_a_proxy_that_is_about_to_stop_is_not_ready(admin: Admin, target: str) -> None:
    admin.proxy.server.proxy.draining = True
    answer = await admin.ask(target)
    assert (answer.status, json.loads(answer.body)) == (503, {"status": "draining", "store": "ok", "gateway": "ok"})
