"""Counts of alerts as families."""

from statusproxy.observe.alert_counts import AlertCounts


def samples(counts: AlertCounts) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in counts.families()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_targets_are_known_from_the_start_at_0_and_keep_their_counts() -> None:
    counts = AlertCounts()
    counts.attempted("webhook hub.example", sent=True)
    counts.configured(["webhook hub.example", "apprise ntfy"])
    counts.attempted("apprise ntfy", sent=False)
    counts.heartbeat.answered += 2
    counts.heartbeat.withheld += 1
    assert samples(counts) == {
        ("statusproxy_alert_deliveries_total", "webhook hub.example", "sent"): 1,
        ("statusproxy_alert_deliveries_total", "webhook hub.example", "failed"): 0,
        ("statusproxy_alert_deliveries_total", "apprise ntfy", "sent"): 0,
        ("statusproxy_alert_deliveries_total", "apprise ntfy", "failed"): 1,
        ("statusproxy_heartbeats_total", "answered"): 2,
        ("statusproxy_heartbeats_total", "failed"): 0,
        ("statusproxy_heartbeats_total", "withheld"): 1,
    }
