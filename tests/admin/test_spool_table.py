"""The table of kept events, and one of them as lines: ages as people say them, nothing that steers a terminal."""

from typing import Any

import msgspec
import pytest

from statusproxy.admin.spool_messages import AwayReceiver, SpoolEntry, SpoolField, SpoolList, SpoolShown, SpoolTotals
from statusproxy.admin.spool_table import shown_text, size, span, spool_table

NOW = "2026-03-02T14:04:30.000Z"
TOTALS = SpoolTotals(entries=0, bytes=0, waiting=0, unknown=0, dead=0, max_entries=10, max_bytes=2048, max_age=60.0)
ONE = SpoolEntry(
    id="1", session="sales ", event="on\x1bmessage", state="waiting", reason="refused", status=503, attempts=2,
    received_at="2026-03-02T14:02:10.000Z", next_at="2026-03-02T14:05:00.000Z", bytes=1620, path="/hook",
    receiver="gateway",
)  # fmt: skip
HELD = msgspec.structs.replace(
    ONE, id="2", session=None, event=None, state="unknown", reason="no-answer", status=None, attempts=1, next_at=None
)


def listed(*entries: SpoolEntry, **totals: Any) -> SpoolList:
    return SpoolList(now=NOW, totals=msgspec.structs.replace(TOTALS, **totals), entries=list(entries))


def test_each_event_is_one_line() -> None:
    away = [AwayReceiver("gate\x1bway", "2026-03-02T14:04:00.000Z")]
    lines = spool_table(listed(ONE, HELD, entries=2, waiting=1, unknown=1, bytes=1024, away=away)).splitlines()
    assert lines == [
        "1 waiting, 1 unknown, 0 dead (1 KiB of 2 KiB, 2 of 10 events)",
        r"gate\x1bway is away, for 30 s",
        "",
        "ID  SESSION   EVENT          STATE    WHY          SENT  AGE    NEXT     SIZE",
        r'1   "sales "  on\x1bmessage  waiting  refused 503  2     2 min  in 30 s  2 KiB',
        "2   –         –              unknown  no-answer    1     2 min  –        2 KiB",
    ]


def test_what_is_not_listed_is_said() -> None:
    assert spool_table(listed()) == "No event is stored."
    assert spool_table(listed(ONE, entries=3)).splitlines()[-1] == "1 of 3; --limit shows more."
    assert spool_table(listed(entries=3), chosen=True).splitlines()[-1] == "None of them is of this state or session."
    assert "--limit" not in spool_table(listed(ONE, entries=3), chosen=True)
    waits = spool_table(listed(ONE, entries=1, waiting=1, waiting_since="2026-03-02T14:02:10.000Z"))
    assert waits.startswith("1 waiting since 2026-03-0")


def test_one_is_shown_with_its_fields_and_few_values() -> None:
    due = msgspec.structs.replace(ONE, next_at=NOW)
    text = shown_text(SpoolShown(now=NOW, entry=due, fields=[SpoolField("apikey"), SpoolField("User-Agent", "a\x1b")]))
    lines = text.splitlines()
    assert [line for line in lines if not line.startswith("came")] == [
        "id        1", 'session   "sales "', r"event     on\x1bmessage", "state     waiting", "why       refused 503",
        "sent      2 times", "next      now", "size      2 KiB", "path      /hook", "receiver  gateway",
        "", "Fields (most values are not shown):", "  apikey", r"  User-Agent: a\x1b",
    ]  # fmt: skip
    held = shown_text(SpoolShown(now=NOW, entry=HELD, fields=[])).splitlines()
    assert {"session   –", "event     –", "sent      1 time", "next      –"} <= set(held)


@pytest.mark.parametrize(
    ("since", "said"),
    [
        (NOW, "0 s"),
        ("2026-03-02T14:05:30.000Z", "0 s"),  # a clock that was set
        ("2026-03-02T14:03:50.000Z", "40 s"),
        ("2026-03-02T13:52:20.000Z", "12 min"),
        ("2026-03-02T11:51:30.000Z", "2 h 13 min"),
        ("2026-03-02T12:04:10.000Z", "2 h"),
        ("2026-02-27T10:04:30.000Z", "3 d 4 h"),
        ("2026-03-01T14:00:30.000Z", "1 d"),
    ],
)
def test_a_length_of_time_is_said_as_people_do(since: str, said: str) -> None:
    assert span(since, NOW) == said


def test_bytes_are_said_as_people_do() -> None:
    assert [size(1023), size(1024), size(1024**2 * 3 // 2)] == ["1023 B", "1 KiB", "1.5 MiB"]
