"""The numbers in Prometheus' text format, also of a running proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pytest_aiohttp import AiohttpClient

from statusproxy import __version__
from statusproxy.observe import exposition as exposition_module
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.families import labelled, single
from statusproxy.observe.loop_lag import LoopLag
from statusproxy.observe.metrics import Metrics
from tests.admin.harness import Admin, running_admin
from tests.observe.prometheus import Sample, parsed, report, samples, value
from tests.proxy.harness import answer, get


def test_the_version_is_told() -> None:
    assert any(
        name == "statusproxy_build_info" and ("version", __version__) in labels for name, labels in samples(Metrics())
    )


def test_when_a_counter_was_made_is_nobodys_business() -> None:
    metrics = Metrics()
    metrics.report(report())
    assert b"_created" not in Exposition(metrics).expose()


def test_gauges_are_of_one_moment() -> None:
    exposition = Exposition(Metrics())
    assert value(parsed(exposition.expose([single("statusproxy_proxies", 3)]).decode()), "proxies") == 3
    assert b"statusproxy_proxies" not in exposition.expose()


def test_a_long_family_is_told_in_pieces_that_are_one_family_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition_module, "AT_ONCE", 2)
    values = [((f"s{number}",), float(number)) for number in range(5)]
    family = labelled("statusproxy_session_losses_total", values)
    pieces = [piece for piece in Exposition(Metrics()).pieces([family]) if b"session_losses" in piece]
    assert [piece.count(b"\n") for piece in pieces] == [4, 2, 1], "the first has the two lines of the head"
    found = parsed(b"".join(pieces).decode())
    assert [value(found, "session_losses_total", session=f"s{number}") for number in range(5)] == [0, 1, 2, 3, 4]


def test_a_family_that_comes_in_parts_has_one_head() -> None:
    parts = [labelled("statusproxy_session_losses_total", [((name,), 1.0)]) for name in "abc"]
    text = Exposition(Metrics()).expose([*parts, single("statusproxy_proxies", 3)])
    assert text.count(b"# TYPE statusproxy_session_losses_total") == 1
    found = parsed(text.decode())
    assert [value(found, "session_losses_total", session=name) for name in "abc"] == [1, 1, 1]
    assert value(found, "proxies") == 3


def test_other_collectors_are_told_as_well() -> None:
    assert b"statusproxy_event_loop_lag_seconds" in Exposition(Metrics(), LoopLag()).expose()
    assert b"process_open_fds" in Exposition(Metrics()).expose()


# ---- a running proxy ----


@pytest.fixture
async def admin(tmp_path: Path, aiohttp_client: AiohttpClient) -> AsyncIterator[Admin]:
    """A proxy with its admin listener on."""
    async with running_admin(tmp_path, aiohttp_client) as admin:
        yield admin


async def scraped(admin: Admin) -> Sample:
    """The running proxy's metrics, as Prometheus scrapes and parses them."""
    return parsed((await admin.ask("/metrics")).body.decode())


async def test_a_running_proxy_counts_what_happens(admin: Admin) -> None:
    await admin.list_channels(sales="connected")
    await admin.lose("sales")
    await admin.event(event="status-find", session="sales", status="desconnectedMobile")
    await admin.event(event="connection.update", session="sales", id="5500000000000@c.us", state="unavailable")
    await admin.event(event="onpresencechanged", session="sales", id="5500000000000@c.us", state="unavailable")
    await admin.event(event="status-find", status="browserClose")
    await admin.list_channels(sales="connected")
    await admin.regain("sales")
    found = await scraped(admin)
    assert value(found, "requests_total", route="channels", method="GET", status="200") == 2
    assert value(found, "signals_total", kind="disconnected", verdict="applied") == 2
    assert value(found, "signals_total", kind="none", verdict="presence") == 2
    assert value(found, "signals_total", kind="none", verdict="nameless") == 1
    assert value(found, "overrides_started_total") == value(found, "overrides_repeated_total") == 1
    assert value(found, "releases_total", reason="connected-event") == 1
    assert value(found, "channels_corrected_total") == 1
    assert value(found, "store_healthy") == 1


async def test_an_event_that_is_not_trusted_is_told_as_untrusted(tmp_path: Path, aiohttp_client: AiohttpClient) -> None:
    webhooks = [{"path": "/v1/webhooks/receive", "from": ["192.0.2.0/24"]}]
    async with running_admin(tmp_path, aiohttp_client, webhooks=webhooks) as admin:
        await admin.lose("sales")
        found = await scraped(admin)
    assert value(found, "signals_total", kind="none", verdict="untrusted") == 1
    assert value(found, "overrides") == 0


async def test_a_list_that_cannot_be_corrected_is_told_with_the_reason(admin: Admin) -> None:
    await admin.lose("sales")
    admin.gateway.answer = answer(b"<html>", "Content-Type: application/json")
    await admin.proxy.ask(get("/api/channels"))
    assert value(await scraped(admin), "correction_failures_total", reason="not-json") == 1
