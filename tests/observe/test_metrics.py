"""What is counted while traffic passes: complete, and bounded whatever clients make up."""

import json

import pytest

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.observe.metrics import LABEL_VALUES, Metrics
from statusproxy.status.model import Change, Release
from tests.observe.prometheus import report, samples, value
from tests.processor_time import takes_less


def change(what: str, reason: str) -> Change:
    return Change("sales", what, reason, 1.0, 1.0)


# ---- one exchange ----


def test_requests_are_told_by_route_method_and_status() -> None:
    metrics = Metrics()
    metrics.report(report())
    metrics.report(report())
    metrics.report(report(kind=RouteKind.CHANNELS, method="HEAD", status=304))
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


def test_counting_a_request_costs_less_than_writing_ten_small_documents() -> None:
    metrics, one = Metrics(), report()

    def count() -> None:
        for _ in range(500):
            metrics.report(one)

    def write() -> None:
        for _ in range(500):
            json.dumps({"route": "pass", "method": "GET", "status": 200})

    assert takes_less(count, 10, write)  # half of one on a quiet machine


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
    metrics.changed([change("started", "x"), change("repeated", "x"), change("released", "alive")], 1.0)
    metrics.changed([change("forgotten", "operator")], 1.0)
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


def test_events_that_were_not_read_are_counted_one_by_one() -> None:
    metrics = Metrics()
    metrics.unreadable("webhook", "too-many", 2_345)
    metrics.unreadable("webhook", "too-many")
    assert metrics.unread == {("webhook", "too-many"): 2_346}


def test_failed_writes_are_told() -> None:
    metrics = Metrics()
    metrics.store_failed()
    assert value(samples(metrics), "store_failures_total") == 1


def test_sessions_forgotten_for_want_of_room_are_counted() -> None:
    metrics = Metrics()
    metrics.evicted(3)
    metrics.evicted(1)
    assert value(samples(metrics), "sessions_evicted_total") == 4


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
        metrics.changed([change("released", f"why-{number}")], 1.0)
    found = samples(metrics)
    assert len(found) - before <= 5 * (LABEL_VALUES + 1)
    assert value(found, "request_problems_total", code="other") == 1000 - LABEL_VALUES
