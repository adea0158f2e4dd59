"""Warnings of the registry: no flood makes more than a line a minute for each thing they are about."""

import logging

import pytest

from statusproxy.registry.repeated_warnings import RepeatedWarnings

FORGED = "event ignored: its sender 203.0.113.9 fails the network check"


def test_a_flood_of_forged_events_is_one_line_a_minute_with_a_count(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for _ in range(1000):
        warnings.untrusted("203.0.113.9", "network", 1000.0)
    assert caplog.messages == [FORGED]
    warnings.untrusted("203.0.113.9", "network", 1061.0)
    assert caplog.messages[1:] == [f"{FORGED} (and 999 times since this was last logged)"]
    first, second = caplog.records
    assert (first.levelno, first.__dict__["client"], first.__dict__["why"]) == (
        logging.WARNING,
        "203.0.113.9",
        "network",
    )
    assert not hasattr(first, "more")
    assert second.__dict__["more"] == 999


def test_another_sender_and_another_reason_are_other_news(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for sender in ("203.0.113.9", "203.0.113.10"):
        for why in ("network", "secret"):
            warnings.untrusted(sender, why, 1.0)
    assert len(caplog.messages) == 4


def test_a_flood_of_unreadable_bodies_is_one_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for _ in range(1000):
        warnings.unreadable("webhook", "too-large", 1.0)
        warnings.unreadable("channels", "not-json", 1.0)
    assert caplog.messages == ["webhook passed untouched: too-large", "channels passed untouched: not-json"]
    assert (caplog.records[0].__dict__["what"], caplog.records[0].__dict__["why"]) == ("webhook", "too-large")


def test_made_up_senders_without_end_share_a_line(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for number in range(5000):
        warnings.untrusted(f"2001:db8::{number:x}", "network", 1.0)
    assert len(caplog.messages) == 257
    assert caplog.messages[-1] == "event ignored: its sender (many) fails the network check"


def test_made_up_reasons_of_bodies_and_errors_share_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for number in range(300):
        warnings.untrusted(f"2001:db8::{number:x}", "network", 1.0)
    caplog.clear()
    warnings.unreadable("webhook", "broken", 1.0)
    warnings.not_saved("disk full", 1.0)
    assert caplog.messages == ["(many) passed untouched: broken", "a change is not on disk yet: (many)"]


def test_a_store_that_takes_no_writes_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    warnings.not_saved("disk full", 1.0)
    warnings.not_saved("disk full", 2.0)
    assert caplog.messages == ["a change is not on disk yet: disk full"]
    warnings.overdue(62.0)
    assert caplog.messages[1:] == ["a change was not on disk at once: disk full (1 more time in the last minutes)"]
    assert [(record.levelno, record.__dict__["why"]) for record in caplog.records] == [(logging.ERROR, "disk full")] * 2


def test_the_rest_of_a_flood_is_told_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    warnings = RepeatedWarnings()
    for _ in range(10):
        warnings.untrusted("203.0.113.9", "network", 1.0)
    warnings.overdue(30.0)
    assert len(caplog.messages) == 1
    warnings.overdue(61.0)
    warnings.overdue(200.0)
    assert caplog.messages[1:] == [f"{FORGED} (9 more times in the last minutes)"]
