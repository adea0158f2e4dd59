"""The tallies of what came by on the webhooks' ways: bounded, and useful to a person."""

from __future__ import annotations

from typing import Any

from statusproxy.observe.webhook_stats import EVENTS, OTHER, PATHS, SENDERS, Seen


def senders(seen: Seen) -> dict[str, Any]:
    return {one["address"]: one for one in seen.report()["senders"]}


def test_believed_and_doubted_webhooks_of_one_sender_are_told_apart() -> None:
    seen = Seen()
    seen.heard("10.0.0.2", "status-find", "applied", 1.0)
    seen.doubted("10.0.0.2", "secret", 2.0)
    seen.doubted("10.0.0.2", "secret", 3.0)
    assert senders(seen) == {"10.0.0.2": {"address": "10.0.0.2", "believed": 1, "doubts": {"secret": 2}, "last": 3.0}}


def test_a_flood_of_made_up_senders_grows_nothing_and_pushes_no_believed_one_out() -> None:
    seen = Seen()
    seen.heard("10.0.0.2", "onmessage", "applied", 1.0)
    for number in range(1000):
        seen.doubted(f"203.0.113.{number}", "network", 2.0)
    known = senders(seen)
    assert len(known) <= SENDERS + 1
    assert known["10.0.0.2"]["believed"] == 1
    assert sum(one["doubts"].get("network", 0) for one in known.values()) == 1000


def test_believed_senders_beyond_the_bound_share_a_line() -> None:
    seen = Seen()
    for number in range(SENDERS + 5):
        seen.heard(f"10.0.1.{number}", "onmessage", "applied", 1.0)
    assert senders(seen)[OTHER]["believed"] == 5


def test_paths_are_told_with_what_was_answered_and_are_bounded() -> None:
    seen = Seen()
    for number in range(PATHS + 3):
        seen.passed(f"/hook/{number}", 200, float(number))
    seen.passed("/hook/0", 502, 99.0)
    paths = {one["path"]: one for one in seen.report()["paths"]}
    assert paths["/hook/0"] == {
        "path": "/hook/0",
        "count": 2,
        "last": 99.0,
        "gap": 99.0,
        "statuses": {"200": 1, "502": 1},
    }
    assert len(paths) == PATHS + 1
    assert paths[OTHER]["count"] == 3


def test_kinds_of_events_are_counted_and_bounded() -> None:
    seen = Seen()
    for number in range(1000):
        seen.heard("10.0.0.2", f"event-{number}" * 20, "unmatched", 1.0)
    events = seen.report()["events"]
    assert len(events) == EVENTS + 1
    assert events[0] == {"event": OTHER, "verdict": "unmatched", "count": 1000 - EVENTS}
    assert max(len(one["event"]) for one in events) == 64


def test_the_quickest_delivery_tells_how_the_clocks_differ() -> None:
    seen = Seen()
    assert seen.report()["clock"] == {"timed": 0, "lag": None, "ahead": 0}
    seen.timed(None, 100.0)
    seen.timed(40.0, 100.0)
    seen.timed(98.0, 100.0)
    seen.timed(1000.0, 100.0)
    assert seen.report()["clock"] == {"timed": 2, "lag": 2.0, "ahead": 1}


def test_the_totals_lose_no_webhook_whoever_sent_it() -> None:
    seen = Seen()
    assert seen.totals() == {"came": 0, "trusted": 0, "untrusted": {}}
    for number in range(100):
        seen.doubted(f"203.0.113.{number}", "network", 1.0)
    seen.doubted("10.0.0.2", "secret", 1.0)
    seen.heard("10.0.0.2", "e", "unmatched", 1.0)
    assert seen.totals() == {"came": 102, "trusted": 1, "untrusted": {"network": 100, "secret": 1}}


def test_when_other_senders_are_trusted_what_was_doubted_before_is_forgotten() -> None:
    seen = Seen()
    seen.heard("10.0.0.2", "status-find", "applied", 1.0)
    seen.doubted("10.0.0.2", "secret", 2.0)
    seen.doubted("10.0.0.3", "network", 2.0)
    seen.trust_changed()
    assert senders(seen) == {"10.0.0.2": {"address": "10.0.0.2", "believed": 1, "doubts": {}, "last": 2.0}}
