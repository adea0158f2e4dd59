"""The one writer of all stores, over a plain backend: what it promises whatever the store is, each promise once."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from statusproxy.status.model import Change, Record
from statusproxy.store import backlog as backlog_module
from statusproxy.store import batch_writer as batch_writer_module
from statusproxy.store.backlog import Backlog, Batch, Dropped, Entry, Item
from statusproxy.store.base import PAGE, Backend, Reattached
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.claims import Claims
from statusproxy.store.condition import Timing
from statusproxy.store.damage import Damage
from statusproxy.store.errors import NotAttachedError, StoreError, StoreInUseError
from statusproxy.store.fallback import Fallback, Keeper
from statusproxy.store.outbox import Outbox
from statusproxy.store.proxies import Sharing
from statusproxy.store.spooled import Kept, Removed, SpoolOp, SpoolReader
from tests.proxy.loop_clock import LoopClock
from tests.waiting import until

from .samples import NOW, a_change, a_record, caught_up, kept

LOG = logging.getLogger("statusproxy.store")

SLOW = Timing(first_retry=10, last_retry=35, save_limit=50, close_limit=50)


class Plain(Backend):
    """A backend in memory that a test can hold up, break, and look into."""

    name = "plain"
    history_rows = 7

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.entries: list[Entry] = []
        self.steps: list[str] = []
        self.error: Exception | None = None
        self.open_error: Exception | None = None
        self.read_records: list[Record] = []
        self.at_once = False
        self.reattached: Reattached | None = None
        self.due = float("inf")
        self.free = asyncio.Event()
        self.free.set()
        self.left: Batch | None = None
        self.opening = asyncio.Event()
        self.opening.set()

    async def open(self, backlog: Backlog) -> list[Record]:
        await self.opening.wait()
        if self.open_error is not None:
            raise self.open_error
        return list(self.records.values())

    async def read(self) -> list[Record]:
        return self.read_records

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        found, self.reattached = self.reattached, None
        return found

    async def write(self, batch: Batch) -> None:
        self.steps.append(f"write {sorted(batch.records)} {[entry.change.session for entry in batch.changes]}")
        await self.free.wait()
        if self.error is not None:
            raise self.error
        for session, record in batch.records.items():
            if record is None:
                self.records.pop(session, None)
            else:
                self.records[session] = record
        self.entries += batch.changes

    async def upkeep(self) -> None:
        self.steps.append("upkeep")
        self.due = float("inf")
        if self.error is not None:
            raise self.error

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        if self.error is not None:
            raise self.error
        self.steps.append(f"history {session} {limit} {[entry.change.session for entry in waiting]}")
        return [entry.change for entry in reversed(self.entries)]

    async def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        self.steps.append(f"pages {session} {since} {[entry.change.session for entry in waiting]}")
        yield [entry.change for entry in reversed(self.entries)]
        if self.error is not None:
            raise self.error

    async def close(self, left: Batch) -> None:
        self.left = left

    def describe(self, error: Exception) -> str:
        return str(error) or type(error).__name__

    def is_expected(self, error: Exception) -> bool:
        return isinstance(error, (OSError, StoreError))

    def may_pass_at_once(self, error: Exception) -> bool:
        return self.at_once

    def due_at(self) -> float:
        return self.due

    @property
    def damage(self) -> Sequence[Damage]:
        return [Damage(NOW, "corrupt", None, 1)]

    @property
    def repairs(self) -> dict[str, int]:
        return {"damaged": 1}

    async def acknowledge(self) -> int:
        if self.error is not None:
            raise self.error
        return 7


class Threaded(Plain):
    """One that cannot be cancelled: a write goes on whatever becomes of the one who waits for it."""

    cancellable = False


class Notes:
    """A journal that notes what is asked of it, in the order in which the backend is asked too."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.left: list[Item] = []
        self.state = "ok"
        self.meanwhile = "; until then changes are kept in notes"
        self.holds = False
        self.mark = 0
        self.added: list[Item] = []

    async def open(self) -> list[Item]:
        return self.left

    def add(self, items: Sequence[Item]) -> None:
        self.mark += 1
        self.added += items
        self.holds = True

    async def keep(self) -> str:
        self.steps.append("keep")
        return "kept in notes"

    async def confirm(self, mark: int) -> None:
        self.steps.append(f"confirm {mark} of {self.mark}")
        self.holds = self.holds and mark != self.mark

    async def close(self, left: Sequence[Item]) -> str:
        self.added += left
        return "kept in notes for the next start"


class Bench:
    """A writer with its backend, and a clock that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type[Plain] = Plain) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(batch_writer_module, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.backend = kind()
        self.notes: Notes | None = None
        self.writer = self.make()

    def make(self, timing: Timing = SLOW, *, journal: bool = False) -> BatchWriter[Plain]:
        self.notes = Notes(self.backend.steps) if journal else None
        fallback: Callable[[Backlog], Keeper] | None = (lambda _: cast("Fallback", self.notes)) if journal else None
        self.writer = BatchWriter(self.backend, log=LOG, clock=lambda: NOW, timing=timing, fallback=fallback)
        return self.writer

    async def put(self, *sessions: str) -> None:
        """Save a record and a change of each."""
        await self.writer.save([a_record(one) for one in sessions], [], [a_change(one) for one in sessions])

    async def putting(self, *sessions: str) -> "asyncio.Task[None]":
        """A save that is under way."""
        task = asyncio.ensure_future(self.put(*sessions))
        await turns()
        return task

    async def refused(self, *sessions: str, match: str | None = None) -> None:
        with pytest.raises(StoreError, match=match):
            await self.put(*sessions)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        assert self.backend.on_due is not None
        self.backend.on_due()
        await turns()

    @property
    def attempts(self) -> int:
        return sum(step.startswith("write") for step in self.backend.steps)


async def turns() -> None:
    """Let all that can go on without time passing go on."""
    for _ in range(30):
        await asyncio.sleep(0)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    bench = Bench(monkeypatch)
    await bench.writer.open()
    yield bench
    bench.backend.free.set()
    await bench.writer.close()


@pytest.fixture
async def threaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    bench = Bench(monkeypatch, Threaded)
    await bench.writer.open()
    yield bench
    bench.backend.free.set()
    await bench.writer.close()


@pytest.fixture
async def journaled(monkeypatch: pytest.MonkeyPatch) -> Any:
    bench = Bench(monkeypatch)
    bench.make(journal=True)
    await bench.writer.open()
    yield bench
    await bench.writer.close()


# Saving ----------------------------------------------------------------------------------------------------


async def test_a_save_returns_only_once_it_is_written(bench: Bench) -> None:
    bench.backend.free.clear()
    saving = await bench.putting("sales")
    assert not saving.done()
    assert bench.writer.backlog == 2
    bench.backend.free.set()
    await saving
    assert bench.backend.records == {"sales": a_record("sales")}
    assert bench.writer.backlog == 0


async def test_what_comes_while_a_batch_is_written_shares_the_next_one(bench: Bench) -> None:
    bench.backend.free.clear()
    first = await bench.putting("a")
    others = [await bench.putting("b"), await bench.putting("c")]
    bench.backend.free.set()
    await asyncio.gather(first, *others)
    assert bench.backend.steps == ["write ['a'] ['a']", "write ['b', 'c'] ['b', 'c']"]


async def test_a_burst_in_one_turn_of_the_loop_is_one_batch(bench: Bench) -> None:
    await asyncio.gather(*(bench.put(f"s{number}") for number in range(200)))
    assert bench.attempts == 1


async def test_an_empty_save_waits_for_what_was_handed_in_before_and_for_nothing_else(bench: Bench) -> None:
    await bench.writer.save([], [], [])
    assert bench.attempts == 0
    bench.backend.free.clear()
    first = await bench.putting("a")
    empty = asyncio.ensure_future(bench.writer.save([], [], []))
    await turns()
    assert not empty.done()
    second = await bench.putting("b")
    later = asyncio.ensure_future(bench.writer.save([], [], []))
    bench.backend.free.set()
    await asyncio.gather(first, empty, second, later)
    assert bench.attempts == 2


async def test_a_caller_that_leaves_disturbs_nobody_and_its_change_is_written(bench: Bench) -> None:
    bench.backend.free.clear()
    leaving, staying = [await bench.putting(name) for name in ("a", "b")]
    leaving.cancel()
    bench.backend.free.set()
    await staying
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert set(bench.backend.records) == {"a", "b"}


async def test_equal_changes_have_numbers_of_their_own_that_grow_from_start_to_start(bench: Bench) -> None:
    await bench.writer.save([], [], [a_change("a"), a_change("a")])
    first, second = (entry.number for entry in bench.backend.entries)
    assert int(NOW * 1_000_000) < first < second


# A store that refuses --------------------------------------------------------------------------------------


async def test_all_who_wait_are_told_and_who_comes_later_is_told_at_once(bench: Bench) -> None:
    bench.backend.free.clear()
    first, second = [await bench.putting(name) for name in ("a", "b")]
    bench.backend.error = OSError("disk full")
    bench.backend.free.set()
    for saving in (first, second):
        with pytest.raises(StoreError, match=r"^disk full \(kept in memory, tried again\)$"):
            await saving
    assert not bench.writer.healthy
    assert bench.writer.error == "disk full"
    await bench.refused("c", match=r"^disk full \(kept in memory, tried again\)$")
    assert bench.attempts == 1
    assert bench.writer.backlog == 6


async def test_each_who_waits_gets_an_error_of_its_own(bench: Bench) -> None:
    bench.backend.error = OSError("disk full")
    errors = await asyncio.gather(bench.put("a"), bench.put("b"), return_exceptions=True)
    assert errors[0] is not errors[1]


async def test_what_was_refused_is_written_later_in_its_order_the_newest_record_winning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.put("gone")
    bench.backend.error = OSError("disk full")
    await bench.refused("a", "b")
    with pytest.raises(StoreError):
        await bench.writer.save([a_record("a", event="newest")], ["gone"], [a_change("c")])
    bench.backend.error = None
    await bench.wait(10)
    assert bench.writer.healthy
    assert bench.backend.records == {"a": a_record("a", event="newest"), "b": a_record("b")}
    assert [entry.change.session for entry in bench.backend.entries] == ["gone", "a", "b", "c"]
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", "state: disk full; changes are kept in memory and tried again"),
        ("WARNING", "state: plain can be written again; all waiting changes are saved (3 sessions, 3 changes)"),
    ]


async def test_attempts_come_with_growing_pauses_up_to_a_bound_and_begin_anew_after_a_success(bench: Bench) -> None:
    bench.backend.error = OSError("disk full")
    await bench.refused("a")
    for number, pause in enumerate((10, 20, 35, 35), 2):
        await bench.wait(pause - 1)
        assert bench.attempts == number - 1
        await bench.wait(1)
        assert bench.attempts == number
    bench.backend.error = None
    await bench.wait(35)
    bench.backend.error = OSError("disk full")
    await bench.refused("a")
    attempts = bench.attempts
    await bench.wait(9)
    assert bench.attempts == attempts
    await bench.wait(1)
    assert bench.attempts == attempts + 1


async def test_an_alarm_brings_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    monkeypatch.undo()
    writer = bench.make(Timing(first_retry=0.001, last_retry=0.001))
    await writer.open()
    bench.backend.error = OSError("disk full")
    await bench.refused("a")
    bench.backend.error = None
    await until(lambda: caught_up(writer))
    assert set(bench.backend.records) == {"a"}
    await writer.close()


async def test_the_same_error_again_is_one_line_a_minute(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        bench.backend.error = OSError("disk full")
        await bench.refused("a")
        bench.backend.error = None
        await bench.wait(10)
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"]


@pytest.mark.parametrize(("error", "traceback"), [(OSError("no"), False), (RuntimeError("a defect"), True)])
async def test_an_error_nobody_thought_of_loses_nothing_either_and_has_a_traceback(
    bench: Bench, error: Exception, traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bench.backend.error = error
    await bench.refused("a", match=str(error))
    assert bool(caplog.records[0].exc_info) == traceback
    bench.backend.error = None
    await bench.wait(10)
    assert set(bench.backend.records) == {"a"}


async def test_what_waits_is_bounded_and_the_oldest_changes_go_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "WAITING_CHANGES", 3)
    bench.backend.error = OSError("disk full")
    for number in range(5):
        await bench.refused(f"s{number}")
    assert bench.writer.backlog == 5 + 3
    bench.backend.error = None
    await bench.wait(10)
    assert [entry.change.session for entry in bench.backend.entries] == ["s2", "s3", "s4"]
    assert len(bench.backend.records) == 5


async def test_what_may_pass_at_once_is_tried_again_at_once_and_once_only(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.backend.at_once = True
    bench.backend.error = OSError("cut")
    await bench.refused("a", match="cut")
    assert bench.attempts == 2
    await bench.wait(10)  # the store is known to be away: no second attempt
    assert bench.attempts == 3
    bench.backend.error = None
    await bench.wait(20)
    caplog.clear()
    write = bench.backend.write
    cuts = [OSError("cut")]

    async def cut_once(batch: Batch) -> None:
        if cuts:
            raise cuts.pop()
        await write(batch)

    monkeypatch.setattr(bench.backend, "write", cut_once)
    await bench.put("b")
    assert bench.writer.healthy
    assert caplog.records == []


# A store that does not answer ------------------------------------------------------------------------------


async def test_a_write_that_takes_too_long_is_cancelled_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, loop_clock: LoopClock
) -> None:
    bench = Bench(monkeypatch)
    await bench.make(Timing(first_retry=10, save_limit=5)).open()
    bench.backend.free.clear()
    refused = asyncio.ensure_future(bench.refused("a", match="TimeoutError"))
    await loop_clock.move(6)
    await refused
    bench.backend.free.set()
    await bench.wait(10)
    assert set(bench.backend.records) == {"a"}
    await bench.writer.close()


async def test_who_waits_for_a_write_that_cannot_be_cancelled_is_told_and_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(monkeypatch, Threaded)
    writer = bench.make(Timing(save_limit=0.001))  # only waited for
    await writer.open()
    bench.backend.free.clear()
    for batch in ([a_record("a")], []):  # the second waits for the same failed
        with pytest.raises(StoreError, match=r"^no answer: plain: nothing for 0\.001 s \(kept, tried again\)$"):
            await writer.save(batch, [], [])
        assert caplog.text.count("state: no answer: plain: nothing for 0.001 s (kept, tried again)") == 1
    assert writer.healthy
    bench.now += 0.002
    assert writer.error == "no answer: plain: the disk has not answered for 0.001 s"
    await bench.refused("b", match="has not answered")
    bench.backend.free.set()
    await turns()
    assert writer.healthy
    assert set(bench.backend.records) == {"a", "b"}
    assert bench.attempts == 2
    await writer.close()


async def test_no_timer_is_left_of_a_save_that_is_answered_or_of_a_store_that_is_closed(
    threaded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, timers = asyncio.get_running_loop(), list[asyncio.TimerHandle]()
    call_later = loop.call_later

    def noting(delay: float, *arguments: Any) -> asyncio.TimerHandle:
        timers.append(call_later(delay, *arguments))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", noting)
    await threaded.put("a")
    assert [timer.cancelled() for timer in timers] == [True]
    threaded.backend.due = 1e9
    await threaded.wait(0)
    await threaded.writer.close()
    assert len(timers) > 1
    assert all(timer.cancelled() for timer in timers)


async def test_a_disk_that_answered_is_not_called_stuck_later(threaded: Bench) -> None:
    await threaded.put("a")
    threaded.now += 1_000
    assert threaded.writer.healthy
    await threaded.put("b")


# Opening ---------------------------------------------------------------------------------------------------


async def test_what_the_store_holds_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.backend.records = {"sales": a_record("sales")}
    assert bench.writer.error == "not open yet"
    assert await bench.writer.open() == [a_record("sales")]
    assert bench.writer.healthy
    await bench.writer.close()


async def test_a_store_that_another_process_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.backend.open_error = StoreInUseError("in use")
    with pytest.raises(StoreInUseError, match="in use"):
        await bench.writer.open()
    assert bench.writer.error == "the state in plain is closed"
    await bench.writer.close()
    assert bench.backend.left is not None  # let go of


async def test_a_store_that_cannot_be_written_is_read_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.backend.open_error = bench.backend.error = OSError("read-only")
    bench.backend.read_records = [a_record("sales")]
    assert await bench.writer.open() == [a_record("sales")]
    assert bench.writer.error == "read-only"
    bench.backend.error = None
    await bench.wait(10)
    assert bench.writer.healthy
    assert bench.backend.steps == ["write [] []"]
    await bench.writer.close()


async def test_a_defect_at_opening_is_told_to_the_one_who_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)
    bench.backend.open_error = OSError("no")
    monkeypatch.setattr(bench.backend, "read", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await bench.writer.open()


async def test_it_is_opened_once(bench: Bench) -> None:
    with pytest.raises(StoreError, match="make a new one"):
        await bench.writer.open()


async def test_what_was_never_opened_takes_nothing_and_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    await bench.refused("a", match="the state in plain is not open yet")
    await bench.writer.close()
    assert bench.writer.backlog == 0


async def test_an_open_that_is_cancelled_ends_once_the_store_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    bench.backend.opening.clear()
    close = bench.backend.close

    async def close_slowly(left: Batch) -> None:
        await turns()
        await close(left)

    monkeypatch.setattr(bench.backend, "close", close_slowly)
    opening = asyncio.ensure_future(bench.writer.open())
    await turns()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert bench.backend.left is not None
    assert bench.writer.error == "the state in plain is closed"


async def test_an_open_that_is_cancelled_ends_also_where_the_backend_goes_on_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(monkeypatch)

    async def opened(backlog: Backlog) -> list[Record]:
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` does before Python 3.12
            await asyncio.Event().wait()
        return []

    monkeypatch.setattr(bench.backend, "open", opened)
    opening = asyncio.ensure_future(bench.writer.open())
    await turns()
    opening.cancel()
    await turns()
    assert opening.cancelled()
    assert bench.backend.left is not None


# Closing ---------------------------------------------------------------------------------------------------


async def test_close_writes_what_waits_and_takes_no_more(bench: Bench) -> None:
    bench.backend.free.clear()
    saves = [await bench.putting(name) for name in ("a", "b")]
    closing = asyncio.ensure_future(bench.writer.close())
    await turns()
    await bench.refused("c", match="the state in plain is closed")
    with pytest.raises(StoreError, match="closed"):
        await bench.writer.history(None, 9)
    bench.backend.free.set()
    await asyncio.gather(closing, *saves)
    assert set(bench.backend.records) == {"a", "b"}
    assert not bench.writer.healthy


async def test_close_with_nothing_to_write_writes_nothing(bench: Bench) -> None:
    await bench.writer.close()
    await bench.writer.close()
    assert bench.backend.steps == []
    assert bench.backend.left is not None
    assert not bench.backend.left


async def test_close_tries_once_more_whenever_that_was_due_and_tells_what_is_lost(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.backend.error = OSError("disk full")
    await bench.refused("a")
    await bench.writer.close()
    assert bench.attempts == 2
    assert "state: disk full: 2 sessions and changes could not be written and are lost with this process" in caplog.text


async def test_a_store_that_hangs_is_not_waited_for_at_the_end_and_all_who_wait_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(monkeypatch)
    await bench.make(Timing(close_limit=0.001)).open()  # only waited for
    bench.backend.free.clear()
    saves = [await bench.putting(name) for name in ("a", "b")]
    await bench.writer.close()
    for saving in saves:
        with pytest.raises(StoreError, match="the state in plain is closed"):
            await saving
    assert "state: plain did not answer within 0.001 s while it was closed" in caplog.text
    assert "state: plain: 4 sessions and changes could not be written and are lost" in caplog.text
    assert bench.backend.left is not None
    assert set(bench.backend.left.records) == {"a", "b"}  # for a thread that can still write it when it goes on


# History ---------------------------------------------------------------------------------------------------


async def test_changes_that_wait_come_first_and_the_store_is_asked_only_for_more(bench: Bench) -> None:
    await bench.put("old")
    bench.backend.free.clear()
    saves = [await bench.putting(name) for name in ("a", "b", "c")]
    assert await bench.writer.history(None, 2) == [a_change("c"), a_change("b")]
    assert await bench.writer.history("a", 1) == [a_change("a")]
    assert await bench.writer.history("a", 2) == [a_change("old")]
    assert bench.backend.steps[-1] == "history a 2 ['a', 'b', 'c']"
    bench.backend.free.set()
    await asyncio.gather(*saves)


@pytest.mark.parametrize(("limit", "asked"), [(1_000_000, 10_000), (10_000, 10_000), (3, 3)])
async def test_no_single_question_is_without_bound(bench: Bench, limit: int, asked: int) -> None:
    await bench.writer.history("sales", limit)
    assert bench.backend.steps == [f"history sales {asked} []"]


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_question_for_nothing_is_answered_with_nothing(bench: Bench, limit: int) -> None:
    await bench.put("a")
    assert await bench.writer.history(None, limit) == []


async def test_a_history_that_cannot_be_read_says_why(bench: Bench) -> None:
    bench.backend.error = OSError("no way")
    for question in (bench.writer.history(None, 9), bench.writer.acknowledge()):
        with pytest.raises(StoreError, match=r"^no way$"):
            await question
    await bench.refused("a")
    bench.backend.error = NotAttachedError("not open")
    with pytest.raises(StoreError, match=r"^no way$"):  # what the last attempt to write said
        await bench.writer.history("sales", 9)


async def test_pages_of_history_are_cut_where_too_much_waits_and_an_error_among_them_is_told(bench: Bench) -> None:
    await asyncio.gather(*(bench.put("a") for _ in range(PAGE + 1)))
    sizes = [len(page) async for page in bench.writer.history_pages("a", 5.0)]
    assert (sizes, bench.backend.steps[-1]) == ([PAGE, 1], "pages a 5.0 []")
    assert bench.writer.history_rows == 7
    bench.backend.error = OSError("no way")
    with pytest.raises(StoreError, match=r"^no way$"):
        [page async for page in bench.writer.history_pages(None, None)]
    assert bench.backend.steps[-1] == "pages None -inf []"
    await bench.writer.close()
    with pytest.raises(StoreError, match="the state in plain is closed"):
        [page async for page in bench.writer.history_pages(None, None)]


# While nobody waits ----------------------------------------------------------------------------------------


async def test_upkeep_is_done_when_it_is_due_and_no_sooner(bench: Bench) -> None:
    bench.backend.due = bench.now + 100
    await bench.wait(99)
    assert bench.backend.steps == []
    await bench.wait(1)
    assert bench.backend.steps == ["upkeep"]


async def test_a_save_comes_before_upkeep(bench: Bench) -> None:
    saving = asyncio.ensure_future(bench.put("a"))
    await asyncio.sleep(0)
    bench.backend.due = bench.now
    await saving
    await turns()
    assert bench.backend.steps == ["write ['a'] ['a']", "upkeep"]


async def test_upkeep_that_fails_is_a_failure_like_any_and_is_followed_by_a_write(bench: Bench) -> None:
    bench.backend.error = OSError("gone")
    bench.backend.due = bench.now
    await bench.wait(0)
    assert bench.writer.error == "gone"
    bench.backend.error = None
    bench.backend.due = bench.now
    await bench.wait(9)  # nothing but the next attempt is due while the store refuses
    assert bench.backend.steps == ["upkeep"]
    bench.backend.due = float("inf")
    await bench.wait(1)
    assert bench.backend.steps == ["upkeep", "write [] []"]
    assert bench.writer.healthy


async def test_damage_and_repairs_are_the_backends(bench: Bench) -> None:
    assert [each.cause for each in bench.writer.damage] == ["corrupt"]
    assert bench.writer.repairs == {"damaged": 1}
    assert await bench.writer.acknowledge() == 7
    await bench.writer.close()
    with pytest.raises(StoreError, match="closed"):
        await bench.writer.acknowledge()


# A store that was lost and reached again -------------------------------------------------------------------


async def test_what_others_wrote_is_given_to_the_one_who_listens(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    told = [a_record("theirs")], [Dropped("gone", NOW)]
    assert bench.backend.on_others is not None
    bench.backend.on_others(*told)  # nobody listens yet
    heard: list[tuple[list[Record], list[Dropped]]] = []
    bench.writer.on_others = lambda *both: heard.append(both)
    bench.backend.on_others(*told)
    assert heard == [told]

    def refuse(*_: object) -> None:
        raise ValueError("a defect")

    bench.writer.on_others = refuse
    bench.backend.on_others(*told)
    assert caplog.messages == ["state: what other proxies wrote could not be applied"]


async def test_who_shares_the_state_is_the_backends_word(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.writer.sharing is None
    sharing = Sharing("me")
    monkeypatch.setattr(Plain, "sharing", sharing)
    assert bench.writer.sharing is sharing


async def test_what_the_store_lacked_is_written_with_the_batch(bench: Bench) -> None:
    bench.backend.reattached = Reattached([a_record("lost")])
    await bench.put("a")
    assert bench.backend.steps == ["write ['a', 'lost'] ['a']"]


# With a journal --------------------------------------------------------------------------------------------


async def test_without_a_journal_there_is_no_word_of_one(bench: Bench) -> None:
    assert bench.writer.journal is None


async def test_a_journal_tells_how_it_is(journaled: Bench) -> None:
    assert journaled.writer.journal == "ok"


async def test_nothing_is_journaled_while_the_store_takes_all(journaled: Bench) -> None:
    assert journaled.notes is not None
    await journaled.put("a")
    assert journaled.notes.added == []
    assert "keep" not in journaled.backend.steps


async def test_nobody_gets_an_error_before_the_journal_has_all_that_waits(journaled: Bench) -> None:
    assert journaled.notes is not None
    journaled.backend.error = OSError("away")
    await journaled.refused("a", match=r"^away \(kept in notes, tried again\)$")
    await journaled.refused("b", match=r"^away \(kept in notes, tried again\)$")
    with pytest.raises(StoreError):
        await journaled.writer.save([], ["c"], [])
    added = [item.change.session if isinstance(item, Entry) else item for item in journaled.notes.added]
    assert added == [a_record("a"), "a", a_record("b"), "b", Dropped("c", NOW)]
    assert journaled.writer.error == "away; until then changes are kept in notes"


async def test_the_journal_is_never_behind_the_store_and_goes_when_the_store_has_all(journaled: Bench) -> None:
    journaled.backend.error = OSError("away")
    await journaled.refused("a")
    journaled.backend.steps.clear()
    journaled.backend.error = None
    journaled.backend.reattached = Reattached([a_record("lost")])
    await journaled.wait(10)
    # What was missing was added during the failed, so that the journal has more than this failed's mark.
    assert journaled.backend.steps == ["keep", "write ['a', 'lost'] ['a']", "confirm 1 of 2"]
    await journaled.put("b")
    assert journaled.backend.steps[3:] == ["keep", "write ['b'] ['b']", "confirm 3 of 3"]
    assert journaled.writer.healthy
    await journaled.put("c")
    assert journaled.backend.steps[6:] == ["write ['c'] ['c']", "confirm 3 of 3"]


async def test_what_an_earlier_process_left_is_given_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    writer = bench.make(journal=True)
    assert bench.notes is not None
    bench.backend.records = {"sales": a_record("sales"), "gone": a_record("gone"), "both": a_record("both")}
    records_left = [a_record("left"), a_record("both", event="old")]
    bench.notes.left = [*records_left, Dropped("gone", NOW), Entry(a_change("left"), 9)]
    records = await writer.open()
    assert {record.session for record in records} >= {"sales", "left"}
    assert next(record for record in records if record.session == "both") == a_record("both")  # as the store has it
    await turns()
    assert set(bench.backend.records) == {"sales", "left", "both"}
    assert [(entry.change.session, entry.number) for entry in bench.backend.entries] == [("left", 9)]
    await writer.close()


@pytest.mark.parametrize("refused", [False, True])
async def test_what_is_left_at_the_end_is_in_the_journal_once(
    monkeypatch: pytest.MonkeyPatch, refused: bool, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(monkeypatch)
    await bench.make(Timing(first_retry=10, close_limit=0.001), journal=True).open()  # only waited for
    assert bench.notes is not None
    if refused:
        bench.backend.error = OSError("away")
        await bench.refused("a")
        saving = None
    else:
        bench.backend.free.clear()
        saving = await bench.putting("a")
    await bench.writer.close()
    assert [item.session for item in bench.notes.added if isinstance(item, Record)] == ["a"]
    assert "2 sessions and changes could not be written and are kept in notes for the next start" in caplog.text
    if saving is not None:
        with pytest.raises(StoreError, match="closed"):
            await saving


@pytest.mark.parametrize("method", ["keep", "close"])
async def test_a_defect_of_the_journal_leaves_nobody_waiting_and_the_store_let_go(
    monkeypatch: pytest.MonkeyPatch, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(monkeypatch)
    writer = bench.make(journal=True)
    await writer.open()
    assert bench.notes is not None
    monkeypatch.setattr(bench.notes, method, lambda *_: 1 / 0)
    bench.backend.error = OSError("away")
    kept = "kept in memory" if method == "keep" else "kept in notes"
    await bench.refused("a", match=rf"^away \({kept}, tried again\)$")
    await writer.close()
    assert bench.backend.left is not None
    end = "lost with this process" if method == "close" else "kept in notes for the next start"
    assert f"state: away: 2 sessions and changes could not be written and are {end}" in caplog.messages


def test_the_pauses_suit_a_service() -> None:
    # A save shortly after a hiccup is durable, and the end is well within systemd's patience.
    assert Timing() == Timing(first_retry=0.25, last_retry=10, save_limit=10, close_limit=5)


def test_it_works_with_the_systems_clock_too(tmp_path: Path) -> None:
    assert BatchWriter(Plain(), log=LOG).backlog == 0


async def test_a_backend_without_a_spool_takes_no_ops(caplog: pytest.LogCaptureFixture) -> None:
    writer = BatchWriter(Plain(), log=LOG)
    await writer.open()
    assert writer.spool is None
    with pytest.raises(TypeError, match="plain keeps no spool"):
        await writer.save([a_record("a")], [], [], [kept("a")])
    assert writer.backlog == 0
    await writer.close()


class Spooling(Plain):
    """One that keeps a spool, and takes large bodies first."""

    spool = cast("SpoolReader", object())
    claims = cast("Claims", object())
    outbox = cast("Outbox", object())

    def __init__(self) -> None:
        super().__init__()
        self.staging = asyncio.Event()
        self.staging.set()
        self.stage_error: Exception | None = None

    async def stage(self, spooled: Sequence[SpoolOp]) -> None:
        self.steps.append(f"stage {[op.id for op in spooled]}")
        await self.staging.wait()
        if self.stage_error is not None:
            raise self.stage_error


@pytest.fixture
async def spooling(monkeypatch: pytest.MonkeyPatch) -> Any:
    bench = Bench(monkeypatch, Spooling)
    await bench.writer.open()
    yield bench
    await bench.writer.close()


async def test_spool_claims_and_outbox_are_the_backends(spooling: Bench) -> None:
    assert spooling.writer.spool is Spooling.spool
    assert spooling.writer.claims is Spooling.claims
    assert spooling.writer.outbox is Spooling.outbox


async def test_what_is_large_of_the_spool_goes_first_and_holds_up_nobody_else(spooling: Bench) -> None:
    backend = cast("Spooling", spooling.backend)
    backend.staging.clear()
    saving = asyncio.ensure_future(spooling.writer.save([a_record("a")], [], [], [kept("01"), kept("02")]))
    await turns()
    await spooling.put("b")
    assert backend.steps == ["stage ['01', '02']", "write ['b'] ['b']"]
    backend.staging.set()
    await saving
    assert backend.steps[2:] == ["write ['a'] []"]


@pytest.fixture
def written(spooling: Bench, monkeypatch: pytest.MonkeyPatch) -> list[SpoolOp]:
    """What is written of the spool, in its order."""
    ops: list[SpoolOp] = []

    async def write(batch: Batch) -> None:
        ops.extend(batch.spooled.values())

    monkeypatch.setattr(spooling.backend, "write", write)
    return ops


def slow_first(spooling: Bench, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Event 01 is large, and on its way until this is set."""
    uploaded = asyncio.Event()

    async def stage(spooled: Sequence[SpoolOp]) -> None:
        if isinstance(spooled[0], Kept) and spooled[0].id == "01":
            await uploaded.wait()

    monkeypatch.setattr(spooling.backend, "stage", stage)
    return uploaded


async def test_a_small_event_is_not_written_before_a_large_one_of_its_session_that_is_on_its_way(
    spooling: Bench, written: list[SpoolOp], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = slow_first(spooling, monkeypatch)
    ops = kept("01"), kept("02"), kept("03", queue="other"), kept("04", receiver="hub")
    saves = [asyncio.ensure_future(spooling.writer.save([], [], [], [op])) for op in ops]
    await asyncio.gather(*saves[2:])
    assert [op.id for op in written] == ["03", "04"], "events of other sessions and for other receivers do not wait"
    uploaded.set()
    await asyncio.gather(*saves)
    assert [op.id for op in written[2:]] == ["01", "02"]


async def test_an_event_that_is_dropped_on_its_way_is_not_there_afterwards(
    spooling: Bench, written: list[SpoolOp], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = slow_first(spooling, monkeypatch)
    saving = asyncio.ensure_future(spooling.writer.save([], [], [], [kept("01")]))
    await turns()
    dropping = asyncio.ensure_future(spooling.writer.save([], [], [], [Removed("01")]))
    await turns()
    uploaded.set()
    await asyncio.gather(saving, dropping)
    assert isinstance(written[-1], Removed)


async def test_what_waited_for_a_large_event_is_refused_at_once_when_the_store_fails_meanwhile(
    spooling: Bench,
) -> None:
    backend = cast("Spooling", spooling.backend)
    backend.staging.clear()
    saves = [asyncio.ensure_future(spooling.writer.save([], [], [], [kept(id_)])) for id_ in ("01", "02")]
    await turns()
    backend.error = OSError("away")
    await spooling.refused("a")
    backend.staging.set()
    for saving in saves:
        with pytest.raises(StoreError, match="away"):
            await saving
    assert "stage ['02']" not in backend.steps


async def test_where_that_fails_nothing_of_the_call_is_kept(spooling: Bench) -> None:
    backend = cast("Spooling", spooling.backend)
    backend.stage_error = StoreError("memory full")
    with pytest.raises(StoreError, match="memory full"):
        await spooling.writer.save([a_record("a")], [], [], [kept("01")])
    assert (spooling.writer.backlog, spooling.writer.healthy) == (0, True)


async def test_while_the_store_is_away_what_is_large_is_not_tried(spooling: Bench) -> None:
    spooling.backend.error = OSError("away")
    await spooling.refused("a")
    with pytest.raises(StoreError, match="away"):
        await spooling.writer.save([], [], [], [kept("01")])
    assert "stage ['01']" not in spooling.backend.steps
    assert spooling.writer.backlog == 3


async def test_a_store_that_was_closed_meanwhile_takes_nothing(spooling: Bench) -> None:
    backend = cast("Spooling", spooling.backend)
    backend.staging.clear()
    saving = asyncio.ensure_future(spooling.writer.save([], [], [], [kept("01")]))
    await turns()
    await spooling.writer.close()
    backend.staging.set()
    with pytest.raises(StoreError, match="closed"):
        await saving
    assert spooling.writer.backlog == 0
