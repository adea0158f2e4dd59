"""Outages and uptime as tables for a terminal, and as CSV for spreadsheets."""

import csv
import io
import re
import time

import pytest

from statusproxy.admin.messages import MonthLine, OutageLine, OutageList, Uptime
from statusproxy.admin.past_table import how_long, outages_csv, outages_table, percent, uptime_csv, uptime_table


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host lives in UTC for the test."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


OVER = OutageLine(
    session="sales", since="2026-01-15T19:07:06.490Z", until="2026-01-15T19:09:11.490Z", seconds=125.0,
    reason="status-find", word="browserClose", gateway_said="connected", released="connected-event",
)  # fmt: skip


def outages(*lines: OutageLine) -> OutageList:
    return OutageList(now="2026-01-16T00:00:00.000Z", outages=list(lines))


def uptime(*lines: MonthLine) -> Uptime:
    return Uptime(now="2026-01-16T00:00:00.000Z", months=list(lines))


def cells(table: str) -> list[list[str]]:
    return [re.split("  +", line) for line in table.splitlines()]


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_an_outage_is_a_line_under_its_heads() -> None:
    head, line = cells(outages_table(outages(OVER)))
    assert head == ["SESSION", "LOST", "BACK", "HOW LONG", "WHY", "GATEWAY SAID", "ENDED"]
    assert line == [
        "sales", "2026-01-15 19:07:06", "2026-01-15 19:09:11", "2m 5s", "status-find browserClose", "connected",
        "back (connected-event)",
    ]  # fmt: skip


def test_what_is_not_known_of_an_outage_is_a_dash() -> None:
    lasts = OutageLine(session="sales ", since="2026-01-15T19:07:06.490Z", seconds=3_600.0, began_before=True)
    _, line = cells(outages_table(outages(lasts)))
    assert line == ['"sales "', "before 2026-01-15 19:07:06", "still lost", "1h", "–", "–", "–"]


@pytest.mark.parametrize(
    ("released", "by", "told"),
    [
        ("operator", "ana", "released by hand (ana)"),
        ("operator", None, "released by hand"),
        ("forgotten", "ana", "forgotten (ana)"),
        ("evicted", None, "forgotten"),
        ("expired", None, "expired"),
        ("unknown", None, "unknown"),
        ("answer", None, "back (answer)"),
    ],
)
def test_how_an_outage_ended_is_said_in_words_and_by_whom(released: str, by: str | None, told: str) -> None:
    ended = OutageLine(
        session="sales", since=OVER.since, until=OVER.until, seconds=1.0, released=released, released_by=by
    )
    assert cells(outages_table(outages(ended)))[1][-1] == told


def test_where_nothing_was_lost_a_sentence_says_so() -> None:
    assert outages_table(outages()) == "No session was lost in that time."
    assert outages_table(outages(), "sales\x1b") == "sales\\x1b was not lost in that time."


def test_outages_as_csv_have_every_member_and_times_in_utc() -> None:
    text = outages_csv(outages(OVER, OutageLine(session="a, b", since=OVER.since, seconds=0.0005)))
    assert text.endswith("\r\n")
    first, second = read(text)
    assert first == {
        "session": "sales", "lost": "2026-01-15T19:07:06.490Z", "back": "2026-01-15T19:09:11.490Z",
        "seconds": "125.000", "event": "status-find", "word": "browserClose", "gateway_said": "connected",
        "ended": "connected-event", "released_by": "",
    }  # fmt: skip
    assert (second["session"], second["back"], second["ended"]) == ("a, b", "", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "  =", "＝", "＠"])
def test_no_spreadsheet_takes_a_name_for_a_formula(start: str) -> None:
    name = f'{start}HYPERLINK("http://hub.example")'
    (one,) = read(outages_csv(outages(OutageLine(session=name, since=OVER.since, seconds=1.0))))
    assert one["session"] == f"'{name}"
    (one,) = read(uptime_csv(uptime(MonthLine(month="2026-01", session=name, lost_seconds=0.0, losses=0))))
    assert one["session"] == f"'{name}"


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    text = outages_csv(outages(OutageLine(session="a\x1b[31m\n,b", since=OVER.since, seconds=1.0)))
    assert all(line.isprintable() for line in text.split("\r\n"))
    assert read(text)[0]["session"] == r"a\x1b[31m\n,b"
    (one,) = read(outages_csv(outages(OutageLine(session="\t=1", since=OVER.since, seconds=1.0))))
    assert one["session"] == r"'\t=1"


MONTHS = uptime(
    MonthLine(month="2026-01", session=None, uptime=0.9999999, lost_seconds=90_061.0, losses=2),
    MonthLine(month="2026-01", session="sales", uptime=1.0, lost_seconds=0.0, losses=0),
    MonthLine(month="2025-12", session=" shop", uptime=None, lost_seconds=0.0, losses=0),
)


def test_uptime_is_a_line_for_each_month_and_session() -> None:
    assert cells(uptime_table(MONTHS)) == [
        ["MONTH", "SESSION", "UPTIME", "LOST", "LOSSES"],
        ["2026-01", "all sessions", "99.99 %", "1d 1h", "2"],
        ["2026-01", "sales", "100 %", "0s", "0"],
        ["2025-12", '" shop"', "–", "0s", "0"],
    ]
    assert uptime_table(uptime()) == "There are no data for these months yet."


def test_uptime_as_csv_has_numbers_that_a_spreadsheet_counts_with() -> None:
    lines = [list(one.values()) for one in read(uptime_csv(MONTHS))]
    assert lines == [
        ["2026-01", "", "1.000000", "90061.000", "2"],
        ["2026-01", "sales", "1.000000", "0.000", "0"],
        ["2025-12", " shop", "", "0.000", "0"],
    ]


@pytest.mark.parametrize(
    ("share", "told"), [(None, "–"), (1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50.00 %"), (0.0, "0.00 %")]
)
def test_a_share_is_never_rounded_up_to_the_whole(share: float | None, told: str) -> None:
    assert percent(share) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0s"), (0.4, "0s"), (59.6, "1m"), (725.0, "12m 5s"), (3_600.0, "1h"), (3_605.0, "1h"),
        (3 * 86_400.0 + 4 * 3_600 + 59, "3d 4h"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert how_long(seconds) == told
