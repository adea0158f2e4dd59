"""The tallies of what came on the webhooks' paths: bounded, and useful to a person."""

from __future__ import annotations

import msgspec

from statusproxy.observe.webhook_stats import (
    EVENTS,
    OTHER,
    PATHS,
    SENDERS,
    ClockReport,
    EventReport,
    PathReport,
    SenderReport,
    WebhookStats,
    WebhookTotals,
)


def senders(stats: WebhookStats) -> dict[str, SenderReport]:
    return {one.address: one for one in stats.report().senders}


def test_trusted_and_untrusted_webhooks_of_one_sender_are_told_apart() -> None:
    stats = WebhookStats()
    stats.heard("10.0.0.2", "status-find", "applied", 1.0)
    stats.untrusted("10.0.0.2", "secret", 2.0)
    stats.untrusted("10.0.0.2", "secret", 3.0)
    assert senders(stats) == {"10.0.0.2": SenderReport("10.0.0.2", 1, {"secret": 2}, 3.0)}


def test_times_are_reported_in_the_systems_time() -> None:
    stats = WebhookStats(lambda: 7_200.0)
    stats.heard("10.0.0.2", "onmessage", "applied", 1.0)
    stats.passed("/hook", 200, 2.0)
    report = stats.report()
    assert (report.last_heard, report.senders[0].last, report.paths[0].last) == (7_201.0, 7_201.0, 7_202.0)


def test_a_flood_of_made_up_senders_grows_nothing_and_pushes_no_trusted_one_out() -> None:
    stats = WebhookStats()
    stats.heard("10.0.0.2", "onmessage", "applied", 1.0)
    for number in range(1000):
        stats.untrusted(f"203.0.113.{number}", "network", 2.0)
    known = senders(stats)
    assert len(known) <= SENDERS + 1
    assert known["10.0.0.2"].trusted == 1
    assert sum(one.untrusted.get("network", 0) for one in known.values()) == 1000


def test_trusted_senders_beyond_the_bound_share_a_line() -> None:
    stats = WebhookStats()
    for number in range(SENDERS + 5):
        stats.heard(f"10.0.1.{number}", "onmessage", "applied", 1.0)
    assert senders(stats)[OTHER].trusted == 5


def test_paths_are_told_with_what_was_answered_and_are_bounded() -> None:
    stats = WebhookStats()
    for number in range(PATHS + 3):
        stats.passed(f"/hook/{number}", 200, float(number))
    stats.passed("/hook/0", 502, 99.0)
    paths = {one.path: one for one in stats.report().paths}
    assert paths["/hook/0"] == PathReport("/hook/0", 2, 99.0, 99.0, {"200": 1, "502": 1})
    assert len(paths) == PATHS + 1
    assert paths[OTHER].count == 3


def test_kinds_of_events_are_counted_and_bounded() -> None:
    stats = WebhookStats()
    for number in range(1000):
        stats.heard("10.0.0.2", f"event-{number}" * 20, "unmatched", 1.0)
    events = stats.report().events
    assert len(events) == EVENTS + 1
    assert events[0] == EventReport(OTHER, "unmatched", 1000 - EVENTS)
    assert max(len(one.event) for one in events) == 64


def test_the_quickest_delivery_tells_how_the_clocks_differ() -> None:
    stats = WebhookStats()
    assert stats.report().clock == ClockReport(0, None, 0)
    stats.timed(None, 100.0)
    stats.timed(40.0, 100.0)
    stats.timed(98.0, 100.0)
    stats.timed(1000.0, 100.0)
    assert stats.report().clock == ClockReport(2, 2.0, 1)


def test_the_totals_lose_no_webhook_whoever_sent_it() -> None:
    stats = WebhookStats()
    assert stats.totals() == WebhookTotals(0, 0, {})
    for number in range(100):
        stats.untrusted(f"203.0.113.{number}", "network", 1.0)
    stats.untrusted("10.0.0.2", "secret", 1.0)
    stats.heard("10.0.0.2", "e", "unmatched", 1.0)
    assert stats.totals() == WebhookTotals(102, 1, {"network": 100, "secret": 1})


def test_when_other_senders_are_trusted_what_was_not_trusted_before_is_forgotten() -> None:
    stats = WebhookStats()
    stats.heard("10.0.0.2", "status-find", "applied", 1.0)
    stats.untrusted("10.0.0.2", "secret", 2.0)
    stats.untrusted("10.0.0.3", "network", 2.0)
    stats.trust_changed()
    assert senders(stats) == {"10.0.0.2": SenderReport("10.0.0.2", 1, {}, 2.0)}


def test_the_last_trusted_webhook_is_the_last_heard() -> None:
    stats = WebhookStats()
    stats.untrusted("10.0.0.3", "network", 1.0)
    assert WebhookStats().last_heard is stats.report().last_heard is None
    stats.heard("10.0.0.2", "e", "unmatched", 2.0)
    stats.heard("10.0.0.2", "e", "unmatched", 5.0)
    stats.untrusted("10.0.0.3", "network", 9.0)
    report = stats.report()
    assert (report.last_heard, report.heard, report.gap) == (5.0, 2, 3.0)


def test_a_table_of_events_that_is_full_tells_verdicts_apart_up_to_a_bound() -> None:
    stats = WebhookStats()
    for number in range(EVENTS):
        stats.heard("10.0.0.2", f"event-{number}", "unmatched", 1.0)
    for number in range(2 * EVENTS):
        stats.heard("10.0.0.2", "one more", f"verdict-{number}", 1.0)
    counts = {(one.event, one.verdict): one.count for one in stats.report().events}
    assert len(counts) == 2 * EVENTS + 1
    assert counts[OTHER, OTHER] == EVENTS


def test_events_of_which_the_address_alone_is_known_are_counted_among_the_trusted() -> None:
    stats = WebhookStats()
    stats.heard("127.0.0.1", "e", "unmatched", 1.0, by_address=True)
    stats.heard("127.0.0.1", "e", "unmatched", 2.0)
    assert senders(stats) == {"127.0.0.1": SenderReport("127.0.0.1", 2, {}, 2.0, 1)}


def test_a_webhook_with_several_events_is_one_webhook_and_each_of_its_events() -> None:
    stats = WebhookStats()
    stats.heard("10.0.0.2", "status-find", "applied", 1.0)
    stats.heard("10.0.0.2", "onmessage", "unmatched", 2.0, first=False)
    report = stats.report()
    assert report.senders == [SenderReport("10.0.0.2", 1, {}, 1.0)]
    assert (report.last_heard, report.heard) == (1.0, 1)
    assert report.events == [EventReport("status-find", "applied", 1), EventReport("onmessage", "unmatched", 1)]


def test_in_json_the_first_releases_keys_stay() -> None:
    assert msgspec.to_builtins(SenderReport("10.0.0.2", 1, {"secret": 2}, 3.0)) == {
        "address": "10.0.0.2",
        "believed": 1,
        "doubts": {"secret": 2},
        "last": 3.0,
        "by_address": 0,
    }
