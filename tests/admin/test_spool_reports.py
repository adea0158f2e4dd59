"""What is told of entries: all that helps, and no value that may be a secret."""

import msgspec

from statusproxy.admin.spool_messages import AwayReceiver, SpoolEntry, SpoolField, SpoolTotals
from statusproxy.admin.spool_reports import entry_report, field_reports, totals_report
from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt
from statusproxy.store.spooled import EntryState, Reason
from tests.admin.shelf import HEAD, NOW, Shelf, entry, spool_of


def test_an_entry_is_told_without_its_content() -> None:
    kept = entry(
        3, path="/hook/{secret}", receiver="hub https://hub.example", event="onmessage", reason=Reason.REFUSED,
        status=503, attempts=2, next_at=60.5,
    )  # fmt: skip
    assert entry_report(kept, is_next=True, shift=0.0) == SpoolEntry(
        id="000003",
        session="sales",
        event="onmessage",
        state="waiting",
        reason="refused",
        status=503,
        attempts=2,
        received_at="1970-01-01T00:00:03.000Z",
        next_at="1970-01-01T00:01:00.500Z",
        bytes=100,
        path="/hook/{secret}",
        receiver="hub https://hub.example",
    )


def test_what_is_not_the_next_of_its_session_has_no_next_time() -> None:
    assert entry_report(entry(1), is_next=False, shift=0.0).next_at is None


async def test_after_a_step_of_the_systems_clock_all_times_are_the_systems() -> None:
    wall, monotonic = [NOW], [0.0]
    clock = OwnClock(lambda: wall[0], lambda: monotonic[0])
    spool = await spool_of(Shelf(entry(1, received_at=NOW - 10, next_at=NOW)), clock)
    spool.attempted("gateway", None, Attempt("not-sent"))
    wall[0] += 60.0 + 86_400.0  # a minute later the clock is set a day ahead
    monotonic[0] += 60.0
    (kept,) = spool.control.entries()
    report, totals = entry_report(kept, is_next=True, shift=spool.control.shift), totals_report(spool)
    assert (report.received_at, report.next_at) == ("1970-01-02T00:16:30.000Z", "1970-01-02T00:16:40.000Z")
    assert totals.waiting_since == "1970-01-02T00:16:30.000Z"
    assert totals.away == [AwayReceiver("gateway", "1970-01-02T00:16:40.000Z")]


def test_of_a_head_the_names_are_told_and_few_values() -> None:
    assert field_reports(HEAD) == [
        SpoolField("Host"),
        SpoolField("Content-Type", "application/json"),
        SpoolField("apikey"),
        SpoolField("X-Request-Id", "r-1"),
        SpoolField("Content-Length", "7"),
    ]
    assert "planted" not in str(field_reports(HEAD))
    assert field_reports(b"POST / HTTP/1.1\r\nUSER-AGENT: caf\xe9: x") == [SpoolField("USER-AGENT", "caf\ufffd: x")]
    assert field_reports(b"POST / HTTP/1.1") == []


async def test_the_totals_tell_how_many_there_are_and_since_when() -> None:
    spool = await spool_of(
        Shelf(entry(1, state=EntryState.UNKNOWN), entry(2, state=EntryState.DEAD), entry(3), entry(4, queue="support")),
        max_bytes=5000,
        max_entries=10,
        max_age=60.0,
    )
    spool.attempted("hub", None, Attempt("no-answer"))
    spool.attempted("gateway", None, Attempt("not-sent"))
    assert totals_report(spool) == SpoolTotals(
        entries=4,
        bytes=400,
        waiting=2,
        unknown=1,
        dead=1,
        waiting_since="1970-01-01T00:00:03.000Z",
        away=[
            AwayReceiver("gateway", "1970-01-01T00:16:40.000Z"),
            AwayReceiver("hub", "1970-01-01T00:16:40.000Z"),
        ],
        max_entries=10,
        max_bytes=5000,
        max_age=60.0,
    )


async def test_with_nothing_kept_nothing_is_old() -> None:
    totals = totals_report(await spool_of(Shelf()))
    assert msgspec.structs.asdict(totals) | {"entries": 0, "waiting_since": None, "away": []} == (
        msgspec.structs.asdict(totals)
    )
