"""When each session was lost: from what changes here, from what other proxies write, and from the history."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.clock import OwnClock
from statusproxy.registry import outage_ledger
from statusproxy.registry.outage_ledger import OutageLedger
from statusproxy.status.model import FORGOTTEN, RELEASED, REPEATED, STARTED, Change, Override, Record, Release
from statusproxy.status.uptime import DAY, Figures
from tests.registry.disk import Disk
from tests.waiting import until

NOW = 1_768_504_026.0  # 2026-01-15T19:07:06Z


class Bench:
    """A ledger over a store, at a time that a test sets."""

    def __init__(self, *lines: Change, days: float | None = 90) -> None:
        self.now = NOW
        self.ahead = 0.0  # of the system's clock to our own
        self.disk = Disk()
        self.disk.changes = list(lines)
        self.ledger = OutageLedger(OwnClock(lambda: self.now + self.ahead, lambda: self.now), days)

    async def open(self, *records: Record) -> None:
        self.ledger.open(self.disk, records)
        await until(lambda: self.ledger.filled)
        await self.ledger.close()

    def figures(self, **fields: Any) -> Figures:
        return self.ledger.figures(known(**fields))

    @property
    def lost(self) -> tuple[float, int]:
        """For how many seconds `sales` was lost, and how often."""
        told = self.figures()
        return told.lost_seconds, told.losses

    def was_lost(self, since: float, until: float, session: str = "sales") -> None:
        """A session is lost here, and is back."""
        self.ledger.changed([line(STARTED, since, session), line(RELEASED, until, session)], NOW)

    def losses(self, session: str) -> int:
        return self.ledger.figures(Record(session, first_heard=1.0)).losses


def known(**fields: Any) -> Record:
    return Record("sales", **({"first_heard": NOW - 10 * DAY} | fields))


def lost_since(since: float) -> Record:
    return known(override=Override(since, since, since, "status-find", "close"))


def line(what: str, at: float, session: str = "sales") -> Change:
    return Change(session, what, "status-find close" if what == STARTED else "connected-event", at, at)


async def test_what_changes_here_counts_at_once() -> None:
    bench = Bench()
    await bench.open()
    bench.ledger.changed([line(STARTED, NOW), line(REPEATED, NOW + 10)], NOW)
    bench.now = NOW + 60
    assert bench.lost == (60.0, 1)
    bench.ledger.changed([line(RELEASED, NOW + 100), line(FORGOTTEN, NOW + 100)], NOW)
    bench.now = NOW + DAY
    assert bench.lost == (100.0, 1)
    assert bench.figures().uptime == pytest.approx(1 - 100 / (11 * DAY))


async def test_a_session_lost_and_back_within_one_webhook_was_lost_once() -> None:
    bench = Bench()
    await bench.open()
    bench.was_lost(NOW, NOW)
    bench.now += 1
    assert (bench.figures().losses, bench.figures().days[-1]) == (1, "1")


async def test_an_end_of_what_never_began_says_nothing() -> None:
    bench = Bench()
    await bench.open()
    bench.ledger.changed([line(RELEASED, NOW)], NOW)
    assert bench.figures() == Figures(NOW - 10 * DAY, uptime=1.0, days="-" * 79 + "0" * 11)


async def test_the_history_is_taken_over_at_the_start() -> None:
    bench = Bench(line(STARTED, NOW - 5 * DAY), line(RELEASED, NOW - 4 * DAY), line(STARTED, NOW - 100))
    await bench.open(lost_since(NOW - 100))
    assert bench.lost == (DAY + 100, 2)


async def test_what_was_heard_while_the_history_is_read_counts_once() -> None:
    bench = Bench(line(STARTED, NOW - 100), line(RELEASED, NOW - 50))
    bench.ledger.open(bench.disk, [lost_since(NOW - 100)])
    bench.ledger.changed([line(RELEASED, NOW - 50)], NOW)
    await until(lambda: bench.ledger.filled)
    assert bench.lost == (50.0, 1)
    await bench.ledger.close()


async def test_until_the_history_is_read_only_the_time_since_the_start_is_known() -> None:
    bench = Bench()
    bench.now = NOW + 30
    assert bench.figures() == Figures(NOW - 10 * DAY, uptime=1.0, days="-" * 89 + "0")
    before = bench.ledger.mark(["sales"])
    await bench.open()
    assert bench.figures().days == "-" * 79 + "0" * 11
    assert bench.ledger.mark(["sales"]) != before


async def test_a_history_that_cannot_be_read_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "READ_AGAIN", 0.0)
    bench = Bench(line(STARTED, NOW - 100), line(RELEASED, NOW - 50))
    bench.disk.unreadable = [OSError("away"), OSError("away")]
    await bench.open()
    assert (bench.figures().lost_seconds, bench.disk.history_reads) == (50.0, 3)


async def test_a_ledger_that_was_never_opened_can_be_closed() -> None:
    await Bench().ledger.close()


async def test_an_outage_whose_beginning_is_pruned_lasted_since_the_history_begins() -> None:
    bench = Bench(line(RELEASED, NOW - 5 * DAY), days=7)
    await bench.open(known())
    assert bench.lost == (2 * DAY, 1)


async def test_an_outage_without_a_beginning_took_no_longer_than_the_session_is_known() -> None:
    bench = Bench(line(RELEASED, NOW - 1 * DAY), line(RELEASED, NOW - 50, "gone"), days=7)
    await bench.open(known(first_heard=NOW - 2 * DAY))
    assert bench.figures(first_heard=NOW - 2 * DAY).lost_seconds == DAY
    assert bench.ledger.figures(Record("gone")).lost_seconds == 0.0


async def test_where_history_has_no_end_of_days_an_outage_without_a_beginning_took_no_time() -> None:
    bench = Bench(line(RELEASED, NOW - 5 * DAY), days=None)
    await bench.open(known())
    assert bench.lost == (0.0, 1)


async def test_the_time_known_begins_where_the_history_is_cut_short() -> None:
    lines = [line(STARTED if n % 2 == 0 else RELEASED, NOW - 3 * DAY + n, "support") for n in range(4)]
    bench = Bench(*lines)
    bench.disk.history_rows = 4
    await bench.open()
    assert bench.figures().days == "-" * 86 + "0000"


async def test_a_session_of_an_older_version_was_first_heard_of_in_its_oldest_line() -> None:
    bench = Bench(line(STARTED, NOW - 5 * DAY), line(RELEASED, NOW - 4 * DAY))
    await bench.open()
    assert bench.figures(first_heard=0.0).first_heard == NOW - 5 * DAY
    assert bench.ledger.figures(Record("support")) == Figures(days="-" * 90)
    assert bench.figures().first_heard == NOW - 10 * DAY


async def test_what_another_proxy_changed_counts_once() -> None:
    bench = Bench()
    await bench.open()
    for _ in range(2):
        bench.ledger.taken_over("sales", lost_since(NOW - 100), NOW)
    for _ in range(2):
        bench.ledger.taken_over("sales", known(released=Release.ALIVE, released_at=NOW - 40), NOW)
    bench.ledger.taken_over("never lost", Record("never lost"), NOW)
    assert bench.lost == (60.0, 1)


async def test_what_another_proxy_changed_is_told_in_the_systems_time() -> None:
    bench = Bench()
    await bench.open()
    bench.ahead = 1_000.0
    bench.ledger.taken_over("sales", lost_since(NOW - 100), NOW)
    assert bench.lost == (100.0, 1)
    bench.ledger.taken_over("sales", known(released=Release.ALIVE, released_at=NOW - 40), NOW)
    bench.now += 500
    assert bench.lost == (60.0, 1)


@pytest.mark.parametrize("ahead", [0.0, 1_000.0])
@pytest.mark.parametrize(("again", "seconds"), [(NOW - 30, 80.0), (NOW - 50, 100.0)])
async def test_a_session_that_another_proxy_saw_back_and_lost_again_was_lost_twice(
    again: float, seconds: float, ahead: float
) -> None:
    bench = Bench()
    bench.ahead = ahead
    await bench.open(lost_since(NOW - 100))
    bench.ledger.taken_over("sales", replace(lost_since(again), released_at=NOW - 50), NOW)
    assert bench.lost == (seconds, 2)


async def test_a_session_that_another_proxy_forgot_is_not_lost_any_more() -> None:
    bench = Bench()
    await bench.open(lost_since(NOW - 100))
    bench.ledger.taken_over("sales", None, NOW - 20)
    assert bench.figures().lost_seconds == 80.0


async def test_months_begin_when_the_session_was_first_heard_of() -> None:
    bench = Bench(line(STARTED, NOW - 20 * DAY), line(RELEASED, NOW - 19 * DAY))
    await bench.open()
    months = dict(bench.ledger.monthly(known(first_heard=NOW - 20 * DAY), (), 12))
    assert list(months) == ["2026-01", "2025-12"]
    assert (months["2025-12"].lost_seconds, months["2025-12"].losses, months["2026-01"].uptime) == (DAY, 1, 1.0)
    assert list(bench.ledger.monthly(Record("nobody"), (), 12)) == []
    assert [month for month, _ in bench.ledger.monthly(Record("other", first_heard=NOW - 1), (), 12)] == ["2026-01"]


async def test_a_mark_differs_with_a_loss_its_end_each_minute_of_it_and_each_day() -> None:
    bench = Bench()
    await bench.open()
    marks = [bench.ledger.mark(["sales"])]

    def note() -> None:
        marks.append(bench.ledger.mark(["sales"]))

    bench.ledger.changed([line(STARTED, NOW)], NOW)
    note()
    bench.now += 60
    note()
    bench.now += 1
    assert bench.ledger.mark(["sales"]) == marks[-1], "within the minute"
    bench.ledger.changed([line(RELEASED, NOW + 60)], NOW)
    note()
    bench.now += DAY
    note()
    assert len(set(marks)) == 5
    bench.now += 60
    assert bench.ledger.mark(["sales"]) == marks[-1]


async def test_of_a_session_that_flaps_the_oldest_outages_go_and_its_time_begins_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outage_ledger, "MOST_OF_ONE", 3)
    bench = Bench()
    await bench.open()
    for n in range(5):
        at = NOW - 2 * DAY + n * 100
        bench.was_lost(at, at + 50)
    told = bench.figures()
    assert (told.losses, told.days) == (3, "-" * 87 + "100")


async def test_all_outages_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "MOST", 4)
    bench = Bench()
    await bench.open()
    for n in range(5):
        for session in ("sales", "support"):
            at = NOW - 1_000 + n * 100
            bench.was_lost(at, at + 50, session)
    assert bench.figures().losses + bench.losses("support") == 4


async def test_sessions_are_bounded_and_those_that_are_lost_now_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "MOST_SESSIONS", 2)
    bench = Bench()
    await bench.open()
    bench.ledger.changed([line(STARTED, NOW - 10)], NOW)
    for name in ("a", "b", "c"):
        bench.was_lost(NOW - 10, NOW - 5, name)
    assert bench.figures().losses == 1
    assert [bench.losses(name) for name in ("a", "b", "c")] == [0, 0, 1]
    bench.ledger.changed([line(STARTED, NOW - 1, name) for name in ("c", "d")], NOW)
    bench.ledger.changed([line(STARTED, NOW - 1, "e")], NOW)
    assert bench.losses("e") == 1


async def test_outages_older_than_the_history_are_dropped() -> None:
    bench = Bench(days=7)
    await bench.open()
    bench.was_lost(NOW - 100, NOW - 50)
    bench.now = NOW + 8 * DAY
    bench.was_lost(bench.now - 20, bench.now)
    assert (bench.figures().lost_seconds, bench.figures().days) == (20.0, "-" * 82 + "0" * 7 + "1")


async def test_a_history_of_many_outages_is_taken_over_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "AT_ONCE", 2)
    lines = [one for n in range(7) for one in (line(STARTED, NOW - 90, f"s{n}"), line(RELEASED, NOW - 80, f"s{n}"))]
    bench = Bench(*lines)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while not bench.ledger.filled:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await bench.open()
    await counting
    assert turns >= len(lines) + 4, "of the 7 that are left when all lines are read, 2 are taken at once"
    assert sum(bench.losses(f"s{n}") for n in range(7)) == 7


async def test_what_changes_here_is_told_in_the_systems_time() -> None:
    bench = Bench()
    await bench.open()
    bench.ahead = 1_000.0
    bench.ledger.changed([line(STARTED, NOW)], NOW)
    bench.now += 60
    assert bench.lost == (60.0, 1)


def reading_tasks() -> int:
    return sum(task.get_name() == "statusproxy-history" for task in asyncio.all_tasks())


async def test_a_history_that_cannot_be_read_is_asked_for_after_a_pause_that_closing_ends() -> None:
    bench = Bench()
    bench.disk.unreadable = [OSError("away")]
    bench.ledger.open(bench.disk, [])
    await until(lambda: not bench.disk.unreadable)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (bench.disk.history_reads, reading_tasks()) == (1, 1)
    await bench.ledger.close()
    assert reading_tasks() == 0


async def test_a_history_that_has_room_left_is_not_cut_short() -> None:
    bench = Bench(*(line(STARTED if n % 2 == 0 else RELEASED, NOW - 3 * DAY + n) for n in range(4)))
    bench.disk.history_rows = 5
    await bench.open()
    assert bench.figures().days == "-" * 79 + "0" * 7 + "1" + "0" * 3


async def test_what_the_history_tells_of_a_session_that_is_lost_now_is_one_loss() -> None:
    """Its beginning is in the history, its end is not there yet."""
    bench = Bench(line(STARTED, NOW - 100))
    await bench.open(lost_since(NOW - 100))
    bench.ledger.changed([line(RELEASED, NOW)], NOW)
    assert bench.lost == (100.0, 1)


async def test_a_loss_that_the_history_begins_earlier_than_the_map_did_not_end_there() -> None:
    bench = Bench(line(STARTED, NOW - 200))
    await bench.open(lost_since(NOW - 100))
    assert bench.lost == (100.0, 1)


async def test_ninety_days_count_where_nothing_is_said() -> None:
    ledger = OutageLedger(OwnClock(lambda: NOW, lambda: NOW))
    ledger.filled = True
    shares = [share for _, share in ledger.monthly(known(first_heard=NOW - 200 * DAY), (), 12)]
    assert sum(share.known_seconds for share in shares) == pytest.approx(90 * DAY)


async def test_a_mark_differs_each_minute_of_a_long_loss_and_not_between() -> None:
    bench = Bench()
    await bench.open()
    bench.ledger.changed([line(STARTED, NOW)], NOW)
    begins = NOW - NOW % 60
    marks = []
    for minute in range(1, 70):
        bench.now = begins + 60 * minute
        marks.append(bench.ledger.mark(["sales"]))
        bench.now += 59.9
        assert bench.ledger.mark(["sales"]) == marks[-1]
    assert len(set(marks)) == len(marks)


async def test_a_mark_differs_when_another_spelling_is_lost_too_or_back() -> None:
    bench = Bench()
    await bench.open()
    marks = set()
    for what, session in ((STARTED, "sales"), (STARTED, "SALES"), (RELEASED, "sales")):
        bench.ledger.changed([line(what, NOW, session)], NOW)
        marks.add(bench.ledger.mark(["sales", "SALES"]))
    assert len(marks) == 3, "within the minute"


async def test_a_session_under_two_spellings_was_lost_while_it_was_by_any_of_them() -> None:
    bench = Bench()
    await bench.open()
    for session, since in (("sales", NOW - 300), ("SALES", NOW - 100)):
        bench.was_lost(since, since + 50, session)
    told = bench.ledger.figures(known(), ["sales", "SALES"])
    assert (told.lost_seconds, told.losses) == (100.0, 2)


async def test_a_session_that_was_lost_here_first_was_first_heard_of_then() -> None:
    bench = Bench()
    await bench.open()
    bench.ledger.changed([line(STARTED, NOW - 100)], NOW)
    assert bench.figures(first_heard=0.0).first_heard == NOW - 100


async def test_as_many_sessions_as_there_is_room_for_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "MOST_SESSIONS", 2)
    bench = Bench()
    await bench.open()
    for name in ("a", "b"):
        bench.was_lost(NOW - 10, NOW - 5, name)
    assert [bench.losses(name) for name in ("a", "b")] == [1, 1]


async def test_outages_of_a_session_that_was_forgotten_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "MOST_SESSIONS", 1)
    monkeypatch.setattr(outage_ledger, "MOST", 3)
    bench = Bench()
    await bench.open()
    for name, count in (("a", 2), ("b", 3)):
        for n in range(count):
            at = NOW - 1_000 + n * 100
            bench.was_lost(at, at + 50, name)
    assert bench.losses("b") == 3


async def test_the_last_outage_of_each_session_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_ledger, "MOST", 1)
    monkeypatch.setattr(outage_ledger, "MOST_OF_ONE", 1)
    bench = Bench()
    await bench.open()
    for n in range(2):
        for session in ("sales", "support"):
            at = NOW - 1_000 + n * 100
            bench.was_lost(at, at + 50, session)
    assert [bench.losses(session) for session in ("sales", "support")] == [1, 1]
