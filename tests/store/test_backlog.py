"""What waits: the order of what was handed in, failed writes, bounds, and what a journal keeps of it."""

import asyncio

import pytest

from statusproxy.store import backlog as backlog_module
from statusproxy.store.backlog import Backlog, Batch, Dropped, Entry
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Kept, Moved, Removed

from .samples import NOW, a_change, a_record, an_entry, kept


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(lambda: NOW)


def names(batch: Batch) -> list[str]:
    return [entry.change.session for entry in batch.changes]


def test_what_is_handed_in_joins_the_open_batch_and_is_given_as_one_of_its_own(backlog: Backlog) -> None:
    backlog.add([a_record("a")], [], [a_change("a")])
    new = backlog.add([a_record("b")], ["c"], [a_change("b")])
    assert new.records == {"c": None, "b": a_record("b")}
    assert names(new) == ["b"]
    assert backlog.open.records == {"a": a_record("a"), "b": a_record("b"), "c": None}
    assert names(backlog.open) == ["a", "b"]
    assert (len(backlog), len(new)) == (5, 3)


def test_a_session_both_forgotten_and_in_the_records_is_kept(backlog: Backlog) -> None:
    backlog.add([a_record("a")], ["a"], [])
    assert backlog.open.records == {"a": a_record("a")}
    backlog.add([], ["a"], [])
    assert backlog.open.records == {"a": None}


def test_a_batch_with_anything_in_it_is_true(backlog: Backlog) -> None:
    assert not Batch()
    assert Batch({"a": None})
    assert Batch(changes=[Entry(a_change("a"))])


def test_each_change_has_a_number_of_its_own_above_those_of_earlier_starts(backlog: Backlog) -> None:
    later = Backlog(lambda: NOW + 0.001)
    later.add([], [], [a_change("a")])
    assert later.open.changes[0].number == int((NOW + 0.001) * 1_000_000) + 1
    backlog.replay([Entry(a_change("left"), int(NOW * 1_000_000) + 50)])
    backlog.replay([Entry(a_change("left"), 3)])
    backlog.add([], [], [a_change("a"), a_change("a")])
    numbers = [entry.number - int(NOW * 1_000_000) for entry in backlog.open.changes]
    assert numbers[0] == 50
    assert numbers[2:] == [51, 52]


def test_the_newest_batch_is_the_open_one_or_the_one_being_written(backlog: Backlog) -> None:
    assert backlog.newest() is None
    backlog.add([a_record("a")], [], [])
    writing = backlog.begin_write()
    assert backlog.newest() is writing is backlog.writing
    backlog.add([a_record("b")], [], [])
    assert backlog.newest() is backlog.open
    assert backlog.committed() is writing
    assert not backlog.writing


def test_a_failed_write_becomes_the_beginning_of_the_open_batch(backlog: Backlog) -> None:
    backlog.add([a_record("a", event="old"), a_record("b")], [], [a_change("a")])
    failed = backlog.begin_write()
    backlog.add([a_record("a", event="new")], ["b"], [a_change("b")])
    newer = backlog.open
    assert [entry.change.session for entry in backlog.entries] == ["a", "b"]
    assert len(backlog) == 3 + 3
    assert backlog.put_back() == (failed, newer)
    assert backlog.open.records == {"a": a_record("a", event="new"), "b": None}
    assert names(backlog.open) == ["a", "b"]
    assert not backlog.writing
    assert failed.records == {"a": a_record("a", event="old"), "b": a_record("b")}  # a thread may still read it


def test_what_the_store_lacks_joins_the_batch_being_written_first_and_is_never_newer(backlog: Backlog) -> None:
    backlog.add([a_record("a"), a_record("b")], ["gone"], [])
    written, ours = backlog.begin_write(), backlog.writing.records["a"]
    backlog.write_too([a_record("lost"), a_record("a", event="old"), a_record("gone")])
    assert list(written.records) == ["lost", "a", "gone", "b"]
    assert (written.records["a"], written.records["gone"]) == (ours, None)
    assert not backlog.open


def test_the_oldest_changes_go_when_too_many_wait(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog_module, "WAITING_CHANGES", 3)
    backlog.add([], [], [a_change(name) for name in "abcde"])
    backlog.shorten()
    assert names(backlog.open) == ["c", "d", "e"]
    backlog.begin_write()
    backlog.add([], [], [a_change("f")])
    backlog.put_back()
    assert names(backlog.open) == ["d", "e", "f"]
    backlog.replay([Entry(a_change("g"), 1)])
    assert names(backlog.open) == ["e", "f", "g"]


def test_what_a_journal_left_is_taken_in_with_the_times_at_which_sessions_were_forgotten(backlog: Backlog) -> None:
    backlog.replay([a_record("a", heard_at=NOW - 9), Dropped("b", NOW - 5), Entry(a_change("a"), 7)])
    assert backlog.open.records == {"a": a_record("a", heard_at=NOW - 9), "b": None}
    assert backlog.forgotten_at == {"b": NOW - 5}
    assert backlog.open.changes == [Entry(a_change("a"), 7)]
    backlog.add([a_record("c", heard_at=NOW - 1)], ["unknown", "c"], [])
    assert backlog.forgotten_at == {"b": NOW - 5, "unknown": NOW, "c": NOW - 1 - 1e-6}
    assert backlog.forgets("b", NOW - 5)
    assert not backlog.forgets("b", NOW - 4)  # heard of since
    assert not backlog.forgets("c", NOW - 9)
    assert not backlog.forgets("another", NOW - 9)
    backlog.begin_write()
    assert backlog.forgets("b", NOW - 5)
    backlog.add([], ["b", Dropped("d", NOW - 7)], [])
    assert backlog.forgotten_at["d"] == NOW - 7
    backlog.committed()
    assert backlog.forgotten_at == {"b": NOW, "d": NOW - 7}
    backlog.begin_write()
    backlog.committed()
    assert backlog.forgotten_at == {}


def test_a_journal_keeps_records_what_was_forgotten_and_changes_oldest_first(backlog: Backlog) -> None:
    backlog.replay([Dropped("old", NOW - 5)])
    backlog.add([a_record("a")], ["gone"], [a_change("a")])
    backlog.begin_write()
    new = backlog.add([a_record("b")], [], [])
    first, entry = Dropped("old", NOW - 5), backlog.writing.changes[0]
    assert backlog.items() == [first, Dropped("gone", NOW), a_record("a"), entry, a_record("b")]
    assert backlog.items(new) == [a_record("b")]


def test_ops_on_the_spool_are_one_an_entry_and_a_failed_write_keeps_them(
    backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "WAITING_CHANGES", 0)
    moved = an_entry("a", attempts=2)
    new = backlog.add([], [], [], [kept("a"), kept("b")])
    assert (len(new), len(backlog), bool(backlog.open), backlog.items()) == (0, 2, True, [])
    backlog.add([], [], [], [Moved(moved)])
    failed = backlog.begin_write()
    assert failed.spooled == {"a": Kept(moved, kept("a").content), "b": kept("b")}
    backlog.add([], [], [], [Removed("b"), kept("c")])
    backlog.put_back()
    assert backlog.open.spooled == {"a": Kept(moved, kept("a").content), "b": Removed("b"), "c": kept("c")}
    assert failed.spooled["b"] == kept("b")  # a thread may still read it
    backlog.shorten()
    assert len(backlog) == 3


async def test_all_who_wait_for_a_batch_go_on_with_an_error_each_and_its_timer_ends() -> None:
    loop = asyncio.get_running_loop()
    for error in (None, StoreError("disk full")):
        batch, left, waits = Batch(), loop.create_future(), [loop.create_future() for _ in range(2)]
        left.cancel()
        batch.waiters = [left, *waits]
        timer = loop.call_later(60, pytest.fail)
        batch.timer = timer
        batch.settle(error)
        assert not any((batch.timer, batch.waiters))
        assert timer.cancelled()
        raised = [wait.exception() for wait in waits]
        assert [str(one) for one in raised] == [str(error)] * 2
        assert error is None or raised[0] is not raised[1]
    Batch().settle(None)


def test_the_last_op_on_its_way_is_known_by_its_entry() -> None:
    backlog = Backlog(lambda: NOW)
    assert backlog.on_its_way("01") is None
    backlog.add([], [], [], [kept("01"), kept("02")])
    backlog.begin_write()
    backlog.add([], [], [], [Removed("01")])
    assert (backlog.on_its_way("01"), backlog.on_its_way("02")) == (Removed("01"), kept("02"))
    backlog.committed()
    assert (backlog.on_its_way("01"), backlog.on_its_way("02")) == (Removed("01"), None)
