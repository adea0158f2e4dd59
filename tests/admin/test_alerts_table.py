"""The command line's view of alerts."""

import re

from statusproxy.admin.alert_messages import (
    AlertDeliveryLine,
    AlertMessageLine,
    AlertsReport,
    AlertTargetLine,
    HeartbeatLine,
    ToldLine,
)
from statusproxy.admin.alerts_table import alerts_table

NOW = "2027-01-15T08:00:00.000Z"

TARGET = AlertTargetLine(
    number=1, target="webhook hub.example", on=["back", "lost"], sessions=["sales*"], waiting=2, last_at=NOW
)


def report(**more: object) -> AlertsReport:
    return AlertsReport(now="2027-01-15T08:01:40.000Z", configured=True, sending=True, **more)  # type: ignore[arg-type]


def test_where_none_are_configured_that_is_said() -> None:
    assert alerts_table(AlertsReport(now=NOW, configured=False)) == ("No alerts are configured (see docs/alerts.md).")


def test_without_targets_and_without_outages_both_are_said() -> None:
    said = alerts_table(report()).split("\n\n")
    assert said == ["No target is configured (alerts.to).", "No reported outage is open."]


def test_targets_are_listed_with_their_last_result() -> None:
    failed = AlertTargetLine(
        number=2, target="apprise ntfy", on=["lost"], sessions=["*"], waiting=0, last_at=NOW, last_error="no answer"
    )
    new = AlertTargetLine(number=3, target="apprise json", on=["lost"], sessions=["*"], waiting=0)
    lines = alerts_table(report(targets=[TARGET, failed, new])).splitlines()
    assert lines[0].split() == ["N", "TARGET", "ON", "SESSIONS", "WAITING", "LAST"]
    assert [line.rstrip().rpartition("  ")[2] for line in lines[1:4]] == [
        "1 min ago: sent",
        "1 min ago: no answer",
        "–",
    ]


def test_another_proxys_turn_a_book_not_written_and_the_heartbeat_are_told() -> None:
    beat = HeartbeatLine(answered=0, failed=1, withheld=2)
    text = alerts_table(AlertsReport(now=NOW, configured=True, written=False, heartbeat=beat))
    assert text.splitlines()[:3] == [
        "Another proxy that shares the state sends the messages.",
        "Sent alerts are not being saved now: the stored state cannot be written.",
        "Heartbeat: never answered yet (0 answered, 1 failed, 2 withheld)",
    ]
    answered = alerts_table(report(heartbeat=HeartbeatLine(answered=3, failed=0, withheld=0, last_at=NOW)))
    assert answered.splitlines()[0] == "Heartbeat: answered 1 min ago (3 answered, 0 failed, 0 withheld)"


def test_outages_and_messages_are_listed_and_cut_short() -> None:
    told = [
        ToldLine(topic="lost", session="sales", since=NOW, reason="x close", alerted_at=NOW, reminders=1, message="m1"),
        ToldLine(topic="store", since=NOW, alerted_at=NOW, delivered=False, reminders=0, message="m2"),
    ]
    deliveries = [
        AlertDeliveryLine(target="webhook hub.example", state="sent", attempts=1),
        AlertDeliveryLine(target="apprise ntfy", state="waiting", attempts=2, error="no answer in time"),
    ]
    messages = [
        AlertMessageLine(
            id="m1", type="session.lost", at=NOW, count=5, sessions=["a", "b", "c", "d", "e"], reminder=2,
            deliveries=deliveries,
        ),
        AlertMessageLine(id="m2", type="store.failing", at=NOW, count=1, sessions=[], reminder=0, deliveries=[]),
        AlertMessageLine(id="m3", type="session.back", at=NOW, count=1, sessions=["a"], reminder=0, deliveries=[]),
    ]  # fmt: skip
    text = alerts_table(report(targets=[TARGET], told=told, told_total=9, messages=messages))
    assert "… and 7 more" in text
    assert "a b c +2 (reminder 2)" in text
    assert "webhook hub.example: sent; apprise ntfy: waiting, no answer in time" in text
    assert "store.failing  –" in text
    assert re.search(r"^store +\S.*  –  +nobody yet +0$", text, re.MULTILINE)
