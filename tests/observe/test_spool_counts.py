"""What Prometheus is told of the spool."""

from collections.abc import Iterable

from prometheus_client.metrics_core import Metric

from statusproxy.observe.spool_counts import SpoolCounts, SpoolMoment, spool_gauges


def values(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Each sample's value by its name and label values."""
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_each_kind_is_known_from_the_start() -> None:
    assert values(SpoolCounts().families()) == {
        ("statusproxy_spool_kept_total", "queued"): 0,
        ("statusproxy_spool_kept_total", "not-sent"): 0,
        ("statusproxy_spool_kept_total", "refused"): 0,
        ("statusproxy_spool_kept_total", "no-answer"): 0,
        ("statusproxy_spool_delivered_total",): 0,
        ("statusproxy_spool_dropped_total", "age"): 0,
        ("statusproxy_spool_dropped_total", "lost"): 0,
        ("statusproxy_spool_dropped_total", "operator"): 0,
        ("statusproxy_spool_not_kept_total", "full"): 0,
        ("statusproxy_spool_not_kept_total", "store"): 0,
    }


def test_what_happens_is_counted_by_its_reason() -> None:
    counts = SpoolCounts()
    for _ in range(2):
        counts.kept("refused")
        counts.dropped("age")
        counts.not_kept("full")
        counts.delivered()
    counts.kept("new")
    found = values(counts.families())
    assert found["statusproxy_spool_kept_total", "refused"] == 2
    assert found["statusproxy_spool_kept_total", "new"] == 1
    assert found["statusproxy_spool_dropped_total", "age"] == 2
    assert found["statusproxy_spool_not_kept_total", "full"] == 2
    assert found["statusproxy_spool_delivered_total",] == 2


def test_what_is_kept_now_is_told() -> None:
    now = SpoolMoment({"waiting": 3, "unknown": 2, "dead": 1}, 400, 1_700_000_000.5, 1)
    assert values(spool_gauges(now)) == {
        ("statusproxy_spool_entries", "waiting"): 3,
        ("statusproxy_spool_entries", "unknown"): 2,
        ("statusproxy_spool_entries", "dead"): 1,
        ("statusproxy_spool_bytes",): 400,
        ("statusproxy_spool_oldest_timestamp_seconds",): 1_700_000_000.5,
        ("statusproxy_spool_dead",): 1,
        ("statusproxy_spool_unknown",): 2,
        ("statusproxy_spool_circuit_open",): 1,
    }


def test_an_empty_spool_has_no_oldest_event() -> None:
    found = values(spool_gauges(SpoolMoment({"waiting": 0, "unknown": 0, "dead": 0}, 0, None, 0)))
    assert found["statusproxy_spool_oldest_timestamp_seconds",] == 0
