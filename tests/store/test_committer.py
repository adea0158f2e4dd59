"""One write of what waits: its success and its failure for all who wait, and the journal between the two."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from statusproxy.status.model import Change, Record
from statusproxy.store import committer as committer_module
from statusproxy.store.backlog import Backlog, Batch, Entry, Item
from statusproxy.store.base import Backend, Reattached
from statusproxy.store.committer import Committer
from statusproxy.store.condition import Condition, Timing
from statusproxy.store.errors import StoreError
from statusproxy.store.fallback import Fallback

from .samples import NOW, a_change, a_record, kept

LOG = logging.getLogger("statusproxy.store")
TIMING = Timing(first_retry=10, last_retry=35, save_limit=50)


class Plain(Backend):
    """A backend that notes what is asked of it, and fails as often as a test says."""

    name = "plain"
    history_rows = 1

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.errors: list[Exception] = []
        self.at_once = False
        self.reattached: Reattached | None = None
        self.hangs = False
        self.let_go = asyncio.Event()
        """A write that hangs goes on once this is set."""

    async def open(self, backlog: Backlog) -> list[Record]:
        return []

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        found, self.reattached = self.reattached, None
        return found

    async def write(self, batch: Batch) -> None:
        self.steps.append(f"write {sorted(batch.records)}")
        await self._may_fail()

    async def upkeep(self) -> None:
        self.steps.append("upkeep")
        await self._may_fail()

    async def _may_fail(self) -> None:
        if self.hangs:
            await self.let_go.wait()
        if self.errors:
            raise self.errors.pop(0)

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        return []

    async def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        yield []

    async def close(self, left: Batch) -> None:
        return

    def describe(self, error: Exception) -> str:
        return str(error) or type(error).__name__

    def is_expected(self, error: Exception) -> bool:
        return isinstance(error, OSError)

    def may_pass_at_once(self, error: Exception) -> bool:
        return self.at_once


class Threaded(Plain):
    cancellable = False


class Notes:
    """A journal that notes what is asked of it among the backend's steps."""

    meanwhile = ""
    state = "ok"

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.holds = False
        self.mark = 0
        self.breaks = False

    async def open(self) -> list[Item]:
        return []

    def add(self, items: Iterable[Item]) -> None:
        names = [item.session for item in items if isinstance(item, Record)]
        self.steps.append(f"add {names}")
        self.holds = self.holds or bool(names)
        self.mark += 1

    async def keep(self) -> str:
        self.steps.append("keep")
        if self.breaks:
            raise RuntimeError("a defect")
        return "kept in notes"

    async def confirm(self, mark: int) -> None:
        self.steps.append(f"confirm {mark}")
        self.holds = False

    async def close(self, left: Iterable[Item]) -> str:
        return ""


class Bench:
    """A committer with all that it works with, whose store has been opened."""

    def __init__(self, kind: type[Plain] = Plain, timing: Timing = TIMING) -> None:
        self.steps: list[str] = []
        self.backend = kind(self.steps)
        self.backlog = Backlog(lambda: NOW)
        self.notes = Notes(self.steps)
        self.now = 1000.0
        self.condition = Condition("plain", timing, lambda: self.now, cancellable=self.backend.cancellable)
        self.condition.opened()
        notes = cast("Fallback", self.notes)
        self.committer = Committer(self.backend, self.backlog, self.condition, notes, timing, LOG)

    def put(self, *sessions: str) -> "asyncio.Future[None]":
        """Hand in a record and a change of each; done once they are written."""
        self.backlog.add([a_record(one) for one in sessions], [], [a_change(one) for one in sessions])
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.backlog.open.waiters.append(waiter)
        return waiter


async def test_what_waits_is_written_and_all_who_wait_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    first, second = bench.put("a"), bench.put("b")
    await bench.committer.write()
    assert (first.result(), second.result(), len(bench.backlog)) == (None, None, 0)
    assert bench.steps == ["write ['a', 'b']", "confirm 0"]
    assert not bench.committer.journaling
    assert caplog.text == ""


async def test_where_nothing_waits_the_backend_does_its_upkeep() -> None:
    bench = Bench()
    await bench.committer.write()
    assert bench.steps == ["upkeep", "confirm 0"]


async def test_a_failure_keeps_all_tells_it_and_plans_the_next_attempt(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.backend.errors = [OSError("disk full")]
    waiter = bench.put("a")
    bench.backlog.open.spool([kept("01")])
    await bench.committer.write()
    with pytest.raises(StoreError, match=r"^disk full \(kept in notes, tried again\)$"):
        waiter.result()
    assert bench.steps == ["write ['a']", "add ['a']", "keep"]
    assert (bench.condition.error, bench.condition.retry_at) == ("disk full", 1010.0)
    assert (list(bench.backlog.open.records), list(bench.backlog.open.spooled)) == (["a"], ["01"])
    assert bench.committer.journaling
    (record,) = caplog.records
    assert record.getMessage() == "state: disk full; changes are kept in notes and tried again"
    assert record.exc_info is None


async def test_later_failures_are_journaled_as_they_come_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.backend.errors = [OSError("disk full")] * 2
    bench.put("a").add_done_callback(lambda told: told.exception())
    await bench.committer.write()
    bench.steps.clear()
    await bench.committer.write()
    assert bench.steps == ["keep", "write ['a']", "keep"], "the journal is never behind the store"
    assert bench.condition.retry_at == 1020.0
    assert len(caplog.records) == 1


async def test_a_success_after_that_is_told_and_ends_the_journal(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.backend.errors = [OSError("disk full")]
    bench.put("a").add_done_callback(lambda told: told.exception())
    await bench.committer.write()
    caplog.clear()
    waiter = bench.put("b")
    await bench.committer.write()
    assert waiter.result() is None
    assert bench.steps[-3:] == ["keep", "write ['a', 'b']", "confirm 1"]
    assert (bench.condition.error, bench.committer.journaling) == (None, False)
    assert caplog.messages == [
        "state: plain can be written again; all waiting changes are saved (2 sessions, 2 changes)"
    ]


async def test_after_a_failure_an_empty_batch_is_written_to_see_whether_the_store_works() -> None:
    bench = Bench()
    bench.backend.errors = [OSError("no upkeep")]
    await bench.committer.write()
    await bench.committer.write()
    assert [step for step in bench.steps if not step.startswith(("add", "keep"))] == ["upkeep", "write []", "confirm 1"]


async def test_what_may_pass_at_once_is_tried_once_more_while_the_store_worked_before() -> None:
    bench = Bench()
    bench.backend.at_once = True
    bench.backend.errors = [OSError("cut")]
    waiter = bench.put("a")
    await bench.committer.write()
    assert waiter.result() is None
    bench.backend.errors = [OSError("cut"), OSError("cut again"), OSError("and again")]
    waiter = bench.put("b")
    await bench.committer.write()
    assert str(waiter.exception()) == "cut again (kept in notes, tried again)"
    await bench.committer.write()
    assert bench.condition.error == "and again"
    assert bench.steps.count("write ['b']") == 3


async def test_a_write_that_takes_too_long_is_cancelled_and_tried_again() -> None:
    bench = Bench(timing=Timing(save_limit=0.001))  # only waited for
    bench.backend.hangs = True
    waiter = bench.put("a")
    await bench.committer.write()
    assert str(waiter.exception()) == "TimeoutError (kept in notes, tried again)"
    assert list(bench.backlog.open.records) == ["a"]


@pytest.mark.parametrize(("kind", "limit"), [(Plain, 50), (Threaded, None)])
async def test_what_cannot_be_cancelled_has_all_the_time_it_needs(
    kind: type[Plain], limit: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def noted(seconds: float | None) -> asyncio.Timeout:
        limits.append(seconds)
        return asyncio.timeout(seconds)

    monkeypatch.setattr(committer_module, "asyncio", SimpleNamespace(timeout=noted))
    await Bench(kind).committer.write()
    assert limits == [limit]


@pytest.mark.parametrize("errors", [[], [OSError("disk full")]])
async def test_a_write_that_is_not_answered_shows_until_it_ends_well_or_not(errors: list[Exception]) -> None:
    bench = Bench(Threaded)
    bench.backend.hangs, bench.backend.errors = True, list(errors)
    bench.put("a").add_done_callback(lambda told: told.exception())
    writing = asyncio.ensure_future(bench.committer.write())
    await asyncio.sleep(0)
    shown = [bench.condition.stuck]
    bench.now += 50
    shown.append(bench.condition.stuck)
    bench.backend.let_go.set()
    await writing
    shown.append(bench.condition.stuck)
    assert shown == [None, "no answer: plain: the disk has not answered for 50 s", None]


async def test_what_the_store_lacked_when_it_was_reached_again_is_journaled_too() -> None:
    bench = Bench()
    bench.backend.reattached = Reattached([a_record("lost")])
    bench.put("a")
    await bench.committer.write()
    assert bench.steps == ["write ['a', 'lost']", "confirm 0"], "nothing is journaled while all is well"
    bench.backend.errors = [OSError("disk full")]
    bench.put("b").add_done_callback(lambda told: told.exception())
    await bench.committer.write()
    bench.backend.reattached = Reattached([a_record("lost")])
    bench.steps.clear()
    await bench.committer.write()
    assert bench.steps == ["add ['lost']", "keep", "write ['b', 'lost']", "confirm 1"], "the server may lack it"


async def test_an_error_nobody_thought_of_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.backend.errors = [RuntimeError("a defect")]
    bench.put("a").add_done_callback(lambda told: told.exception())
    await bench.committer.write()
    (record,) = caplog.records
    assert record.exc_info is not None


async def test_a_defect_of_the_journal_leaves_nobody_waiting() -> None:
    bench = Bench()
    bench.notes.breaks = True
    bench.backend.errors = [OSError("disk full")]
    waiter = bench.put("a")
    with pytest.raises(RuntimeError, match="a defect"):
        await bench.committer.write()
    assert str(waiter.exception()) == "disk full (kept in memory, tried again)"


async def test_a_store_that_is_not_open_yet_is_journaled_for() -> None:
    bench = Bench()
    await bench.committer.failed(OSError("away"))
    assert bench.committer.journaling
    assert bench.condition.error == "away"
