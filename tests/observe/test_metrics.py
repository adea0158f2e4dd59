"""What is counted and measured: complete, parsed by Prometheus' own parser, bounded whatever clients make up."""

import timeit
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from pytest_aiohttp import AiohttpClient

from statusproxy import __version__
from statusproxy.observe import metrics as metrics_module
from statusproxy.observe.absences import Absences
from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.observe.metrics import (
    BUCKETS,
    LABEL_LENGTH,
    LABEL_VALUES,
    SESSION_SERIES,
    Metrics,
    session_label,
    worth_telling,
)
from statusproxy.status.sessions import Override, Record, Release
from statusproxy.status.signals import Kind as SignalKind
from tests.admin.harness import Admin, running_admin
from tests.proxy.harness import answer, get

Sample = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Sample:
    """Every sample by its name and labels, read by Prometheus' own parser."""
    families = text_string_to_metric_families(metrics.expose().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(found: Sample, name: str, **labels: str) -> float:
    """One sample's value, 0 where it is not there."""
    return found.get((f"statusproxy_{name}", frozenset(labels.items())), 0.0)


def report(**more: Any) -> Report:
    """One finished exchange."""
    values: dict[str, Any] = {
        "kind": Kind.PASS, "method": "GET", "status": 200, "seconds": 0.003, "upstream_seconds": 0.002,
        "received": 10, "sent": 100, "request_id": "r-1", "client": "127.0.0.1", "target": b"/x?secret=1",
        "problem": None, "corrected": 0,
    }  # fmt: skip
    return Report(**(values | more))


# ---- one exchange ----


def test_requests_are_told_by_route_method_and_status() -> None:
    metrics = Metrics()
    metrics.report(report())
    metrics.report(report())
    metrics.report(report(kind=Kind.CHANNELS, method="HEAD", status=304))
    found = samples(metrics)
    assert value(found, "requests_total", route="pass", method="GET", status="200") == 2
    assert value(found, "requests_total", route="channels", method="HEAD", status="304") == 1


def test_our_own_share_and_the_gateways_are_told_apart() -> None:
    metrics = Metrics()
    metrics.report(report(seconds=0.5, upstream_seconds=0.4))
    found = samples(metrics)
    assert value(found, "request_seconds_sum", route="pass") == pytest.approx(0.5)
    assert value(found, "gateway_seconds_sum", route="pass") == pytest.approx(0.4)
    assert value(found, "own_seconds_sum", route="pass") == pytest.approx(0.1)


def test_an_exchange_that_never_reached_the_gateway_is_none_of_its_time() -> None:
    metrics = Metrics()
    metrics.report(report(upstream_seconds=None))
    found = samples(metrics)
    assert value(found, "gateway_seconds_count", route="pass") == 0
    assert value(found, "own_seconds_count", route="pass") == 1


@pytest.mark.parametrize(
    ("seconds", "below"), [(0.0, "0.0005"), (0.0005, "0.0005"), (0.0006, "0.001"), (500.0, "+Inf")]
)
def test_a_bucket_holds_all_up_to_its_bound(seconds: float, below: str) -> None:
    metrics = Metrics()
    metrics.report(report(seconds=seconds, upstream_seconds=None))
    found = samples(metrics)
    bounds = [*map(str, BUCKETS), "+Inf"]
    counts = {bound: value(found, "request_seconds_bucket", route="pass", le=bound) for bound in bounds}
    assert {bound for bound, count in counts.items() if count} == set(bounds[bounds.index(below) :])
    assert value(found, "request_seconds_count", route="pass") == 1


def test_bytes_are_told_by_direction() -> None:
    metrics = Metrics()
    metrics.report(report())
    found = samples(metrics)
    assert (value(found, "bytes_total", direction="request"), value(found, "bytes_total", direction="answer")) == (
        10,
        100,
    )


def test_problems_are_told_by_code_also_of_requests_that_could_not_be_read() -> None:
    metrics = Metrics()
    metrics.report(report(problem="gateway_unreachable", status=502))
    metrics.refused("bad_request")
    found = samples(metrics)
    assert value(found, "request_problems_total", code="gateway_unreachable") == 1
    assert value(found, "request_problems_total", code="bad_request") == 1


def test_counting_a_request_costs_microseconds() -> None:
    metrics, one = Metrics(), report()
    seconds = min(timeit.repeat(lambda: metrics.report(one), number=2000, repeat=5)) / 2000
    assert seconds < 50e-6  # 0.9 µs on a quiet machine; the bound is for a busy one


# ---- what sessions do ----


def test_signals_are_told_by_what_they_say_and_what_became_of_them() -> None:
    metrics = Metrics()
    metrics.signal("disconnected", "applied")
    metrics.signal("none", "presence")
    found = samples(metrics)
    assert value(found, "signals_total", kind="disconnected", verdict="applied") == 1
    assert value(found, "signals_total", kind="none", verdict="presence") == 1


def test_every_reason_of_a_release_is_told_from_the_start() -> None:
    metrics = Metrics()
    assert all(
        (("statusproxy_releases_total", frozenset({("reason", one.value)})) in samples(metrics)) for one in Release
    )
    metrics.change("started", "status-find browserClose")
    metrics.change("repeated", "status-find browserClose")
    metrics.change("released", "alive")
    found = samples(metrics)
    assert value(found, "overrides_started_total") == value(found, "overrides_repeated_total") == 1
    assert value(found, "releases_total", reason="alive") == 1


def test_corrections_and_their_failures_are_told() -> None:
    metrics = Metrics()
    metrics.corrected(3)
    metrics.corrected(0)
    metrics.unreadable("channels", "not-json")
    metrics.unreadable("webhook", "too-large")
    found = samples(metrics)
    assert (value(found, "answers_corrected_total"), value(found, "channels_corrected_total")) == (1, 3)
    assert value(found, "correction_failures_total", reason="not-json") == 1
    assert value(found, "unread_total", what="webhook", reason="too-large") == 1


def test_failed_writes_are_told() -> None:
    metrics = Metrics()
    metrics.store_failed()
    assert value(samples(metrics), "store_failures_total") == 1


def test_the_version_is_told() -> None:
    assert any(
        name == "statusproxy_build_info" and ("version", __version__) in labels for name, labels in samples(Metrics())
    )


def test_when_a_counter_was_made_is_nobodys_business() -> None:
    metrics = Metrics()
    metrics.report(report())
    assert b"_created" not in metrics.expose()


# ---- bounds ----


def test_made_up_methods_and_statuses_share_a_label() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.report(report(method=f"M{number}", status=200))
        metrics.report(report(status=600 + number))
    found = samples(metrics)
    assert value(found, "requests_total", route="pass", method="other", status="200") == 1000
    assert value(found, "requests_total", route="pass", method="GET", status="0") == 1000
    assert sum(name == "statusproxy_requests_total" for name, _ in found) == 2


def test_made_up_reasons_codes_and_verdicts_are_bounded() -> None:
    metrics = Metrics()
    before = len(samples(metrics))
    for number in range(1000):
        metrics.refused(f"code-{number}")
        metrics.signal(f"kind-{number}", f"verdict-{number}")
        metrics.unreadable("channels", f"why-{number}")
        metrics.unreadable(f"what-{number}", "why")
        metrics.change("released", f"why-{number}")
    found = samples(metrics)
    assert len(found) - before <= 5 * (LABEL_VALUES + 1)
    assert value(found, "request_problems_total", code="other") == 1000 - LABEL_VALUES


def lost(session: str) -> Record:
    """A session shown as disconnected."""
    return Record(session, override=Override(since=1.0, at=1.0, began=1.0, event="closesession"))


def test_sessions_worth_telling_of_come_first_and_a_flood_pushes_no_known_one_out() -> None:
    flood = [Record(f"made-up-{number}", heard_at=9.0) for number in range(SESSION_SERIES * 2)]
    known, heard = Record("known", verdict=SignalKind.CONNECTED, known_at=1.0), Record("heard", alive_at=1.0)
    told = worth_telling([*flood, known, lost("lost"), heard])
    assert [record.session for record in told[:3]] == ["lost", "known", "heard"]
    assert told[3] is flood[0]
    assert len(told) == SESSION_SERIES


def test_no_flood_of_made_up_losses_pushes_out_a_session_that_the_gateways_list_names() -> None:
    flood = [lost(f"made-up-{number}") for number in range(SESSION_SERIES)]
    real = replace(lost("real"), confirmed=True)
    told = worth_telling([*flood, real])
    assert told[:2] == [real, flood[0]]
    assert len(told) == SESSION_SERIES


def test_sessions_forgotten_for_want_of_room_are_counted() -> None:
    metrics = Metrics()
    metrics.evicted(3)
    metrics.evicted(1)
    assert value(samples(metrics), "sessions_evicted_total") == 4


def test_a_label_is_short_and_is_utf8_whatever_the_id() -> None:
    assert session_label("x" * 1000) == "x" * LABEL_LENGTH
    assert session_label("lone \ud800 half") == "lone ? half"


def now(*records: Record, **more: Any) -> Sample:
    """The gauges of a proxy that knows these sessions."""
    registry = SimpleNamespace(
        absences=Absences(),
        clock=SimpleNamespace(wall=lambda: 100.0), records=lambda: list(records), heard_at=None, started_at=40.0,
        store=SimpleNamespace(healthy=more.get("healthy", True)),
        damage=more.get("damage", ()),
        repairs={"damaged": 0, "deleted": 2, "replaced": 0},
    )  # fmt: skip
    pools = {"gateway http://g": SimpleNamespace(in_use=2, idle=3, opened=7),
             "hub https h": SimpleNamespace(in_use=1, idle=0, opened=1)}  # fmt: skip
    proxy = SimpleNamespace(in_flight=4, site=SimpleNamespace(pools=pools))
    metrics = Metrics()
    metrics.refresh(registry, proxy)  # type: ignore[arg-type]
    return samples(metrics)


def test_each_session_tells_since_when_it_is_lost_and_when_it_was_last_heard() -> None:
    found = now(Record("sales", heard_at=90.0, alive_at=70.0), lost("support"))
    assert value(found, "session_seconds_since_event", session="sales") == 10
    assert value(found, "session_seconds_since_message", session="sales") == 30
    assert value(found, "override_since_timestamp_seconds", session="support") == 1
    assert (value(found, "sessions"), value(found, "overrides")) == (2, 1)


def test_what_never_was_has_no_series() -> None:
    found = now(Record("sales"))
    assert not [name for name, labels in found if ("session", "sales") in labels]


def test_two_ids_that_a_label_cannot_tell_apart_are_one_series() -> None:
    found = now(Record("x" * 200, heard_at=90.0), Record("x" * 300, heard_at=80.0))
    assert value(found, "session_seconds_since_event", session="x" * LABEL_LENGTH) == 10


@pytest.mark.parametrize("session", ['quote " back \\ line\nbreak', "\ud800", "{}=,", "é"])
def test_any_id_is_told_in_a_form_that_is_parsed(session: str) -> None:
    assert value(now(lost(session)), "override_since_timestamp_seconds", session=session_label(session)) == 1


def test_sessions_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_module, "SESSION_SERIES", 3)
    found = now(*(lost(f"s{number}") for number in range(10)))
    assert value(found, "sessions_without_series") == 7
    assert value(found, "overrides") == 10


def test_damage_to_the_state_and_its_repairs_are_told() -> None:
    found = now(damage=["one", "two"])
    assert value(found, "state_damage") == 2
    assert value(found, "state_repairs_total", cause="deleted") == 2
    assert value(now(), "state_damage") == 0


def test_the_proxys_own_state_is_told() -> None:
    found = now(healthy=False)
    assert value(found, "store_healthy") == 0
    assert value(found, "requests_in_flight") == 4
    assert value(found, "seconds_since_webhook") == 60
    assert value(found, "upstream_connections", to="gateway", state="active") == 2
    assert value(found, "upstream_connections", to="gateway", state="idle") == 3
    assert value(found, "upstream_connections", to="hub", state="active") == 1
    assert value(found, "upstream_connections_opened_total", to="gateway") == 7


# ---- a running proxy ----


@pytest.fixture
async def admin(tmp_path: Path, aiohttp_client: AiohttpClient) -> AsyncIterator[Admin]:
    """A proxy with its admin listener on."""
    async with running_admin(tmp_path, aiohttp_client) as admin:
        yield admin


async def scraped(admin: Admin) -> Sample:
    """The running proxy's metrics, as Prometheus scrapes and parses them."""
    text = (await admin.ask("/metrics")).body.decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


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


async def test_an_event_that_is_not_believed_is_told_as_untrusted(
    tmp_path: Path, aiohttp_client: AiohttpClient
) -> None:
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
