"""What is done while nobody waits."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.store import upkeep as upkeep_module
from statusproxy.store.backlog import Entry
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database
from statusproxy.store.repair import HistoryRepair, rebuild
from statusproxy.store.upkeep import Check, Upkeep, UpkeepTiming

from .damaged import SESSIONS, damage_page, filled, noise
from .samples import DAY, NOW, a_change

NEVER = float("inf")


def upkeep(path: Path, **timing: float) -> Upkeep:
    values = {"prune_every": 1e9, "watch_every": 1e9, "rest": 1e9} | timing
    return Upkeep(path, 90, lambda: NOW, logging.getLogger("test"), UpkeepTiming(**values))


def test_before_a_database_is_open_nothing_is_due(path: Path) -> None:
    assert upkeep(path).due_at() == NEVER


def test_a_rest_makes_one_checkpoint_until_something_is_written(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    work = upkeep(path, rest=0.0)
    work.opened({})
    database.write({}, [Entry(a_change("sales"))])
    size = path.stat().st_size
    work.step(database)
    assert path.stat().st_size > size
    work.step(database)  # prunes
    assert work.due_at() > 1e8
    work.committed()
    assert work.due_at() < 1e8
    work.stop()
    assert work.due_at() == NEVER
    database.close()


class Clock:
    """The clock that upkeep looks at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(upkeep_module, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database, _ = Database.open(path, NOW)
    yield database
    database.close()


def test_the_pauses_are_those_that_are_documented() -> None:
    assert UpkeepTiming() == UpkeepTiming(DAY, 2, 5, 3600)


def test_each_kind_of_work_comes_after_its_own_pause(database: Database, path: Path, clock: Clock) -> None:
    work = upkeep(path, prune_every=100, watch_every=7, rest=5)
    work.opened({})
    assert work.due_at() == 1_000  # at once: what is past its days
    assert work.step(database) is None
    assert work.due_at() == 1_005
    clock.now = 1_003
    work.committed()
    assert work.due_at() == 1_008
    work.watched()
    clock.now = 1_008
    work.step(database)
    assert work.due_at() == 1_010  # the checkpoint was made; the files are to be looked at
    clock.now = 1_010
    work.watched()
    assert work.due_at() == 1_017
    clock.now = 1_099
    work.watched()
    assert work.due_at() == 1_100
    work.opened({})
    assert work.due_at() == 1_099
    work.stop()
    assert work.due_at() == NEVER
    work = upkeep(path, watch_every=7)
    work.opened({})
    work.step(database)
    assert work.due_at() == 1_106


def test_a_checkpoint_that_a_reader_holds_up_is_tried_again_after_a_rest(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = upkeep(path, rest=5)
    work.opened({})
    work.step(database)
    monkeypatch.setattr(Database, "checkpoint", lambda _: False)
    clock.now = 1_005
    work.step(database)
    assert work.due_at() == 1_010


def test_more_that_is_past_its_days_is_deleted_at_once(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [True, False]
    asked: list[object] = []

    def prune(_: Database, *arguments: object) -> bool:
        asked.append(arguments)
        return left.pop(0)

    monkeypatch.setattr(Database, "prune", prune)
    work = upkeep(path, prune_every=100)
    work.opened({})
    work.step(database)
    assert work.due_at() == 1_000
    work.step(database)
    assert work.due_at() == 1_100
    work.step(database)
    assert asked == [(NOW - 90 * DAY, 500_000, 5_000)] * 2


def test_a_clock_that_may_still_be_wrong_is_waited_for(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = upkeep(path, prune_every=100)
    wait = 30.0
    monkeypatch.setattr(work, "_age", SimpleNamespace(before=lambda: None, wait=wait))
    work.opened({})
    work.step(database)
    assert work.due_at() == 1_030
    monkeypatch.setattr(work, "_age", SimpleNamespace(before=lambda: None, wait=300.0))
    work.opened({})
    work.step(database)
    assert work.due_at() == 1_100


# Taking history over ---------------------------------------------------------------------------------------


@pytest.fixture
def rebuilt(path: Path) -> Path:
    """A file rebuilt from a damaged one whose history is still to be read."""
    filled(path)
    rebuild(path, "corrupt", NOW)
    return path


def opened_work(path: Path) -> tuple[Database, Upkeep]:
    database, _ = Database.open(path, NOW)
    work = upkeep(path)
    work.opened(database.notices())
    return database, work


def test_history_of_a_damaged_file_comes_before_all_else_and_is_told(
    rebuilt: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    before = os.listdir("/proc/self/fd")
    database, work = opened_work(rebuilt)
    done = None
    for _ in range(99):
        if done is None:
            assert work.due_at() == clock.now
            done = work.step(database)
    assert done is not None
    assert (done.changes, done.pending) == (2 * len(SESSIONS), False)
    assert caplog.messages == [f"state: 240 changes of the history were saved from {done.set_aside}"]
    work.step(database)
    assert work.due_at() > clock.now
    database.close()
    assert os.listdir("/proc/self/fd") == before


def test_history_that_is_there_already_is_not_read_again(path: Path, clock: Clock) -> None:
    filled(path)
    done = Damage(NOW, "corrupt", str(path), 1)
    work = upkeep(path)
    work.opened({1: done})
    assert work.due_at() == clock.now  # for pruning
    with closing_database(path) as database:
        assert work.step(database) is None
    assert work.due_at() > clock.now


@contextmanager
def closing_database(path: Path) -> Iterator[Database]:
    database, _ = Database.open(path, NOW)
    yield database
    database.close()


def test_a_file_that_may_not_be_read_now_is_told_and_left_for_the_next_start(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "directory").mkdir()
    work = upkeep(path)
    work.opened({1: Damage(NOW, "corrupt", str(tmp_path / "directory"), 1, pending=True)})
    assert caplog.messages == [
        "state: the history in %s cannot be read now: [Errno 21] Is a directory; it is tried again at the next start"
        % (tmp_path / "directory")
    ]


def test_a_step_that_fails_by_a_defect_ends_the_reading_and_the_next_start_tries_again(
    rebuilt: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = os.listdir("/proc/self/fd")
    database, work = opened_work(rebuilt)
    monkeypatch.setattr(HistoryRepair, "step", lambda *_: 1 / 0)
    assert work.step(database) is None
    assert caplog.messages == ["state: the history of a damaged file could not be read"]
    assert caplog.records[0].exc_info is not None
    work.step(database)
    assert work.due_at() > clock.now
    assert [notice.pending for notice in database.notices().values()] == [True]
    database.close()
    assert os.listdir("/proc/self/fd") == before


def failing(code: int) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise error

    return fail


def test_damage_that_a_step_meets_is_raised(rebuilt: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    database, work = opened_work(rebuilt)
    monkeypatch.setattr(HistoryRepair, "step", failing(sqlite3.SQLITE_CORRUPT))
    with pytest.raises(sqlite3.OperationalError):
        work.step(database)
    work.stop()
    database.close()


def test_a_take_over_that_fails_is_tried_again_after_a_pause_and_told_once(
    rebuilt: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, work = opened_work(rebuilt)
    with monkeypatch.context() as patch:
        patch.setattr(HistoryRepair, "step", failing(sqlite3.SQLITE_FULL))
        pauses = []
        for _ in range(9):
            assert work.step(database) is None
            pauses.append(work.due_at() - clock.now)
            clock.now = work.due_at()
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    (line,) = [line for line in caplog.messages if "upkeep" in line]
    assert line.startswith(f"state: upkeep has to wait: disk full: {rebuilt}: ")
    while work.step(database) is None:
        assert work.due_at() == clock.now, "with room again it goes on at once"
    work.stop()
    database.close()


def test_while_steps_pause_the_files_are_looked_at_all_the_same(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = upkeep(path, watch_every=2)
    work.opened({})
    monkeypatch.setattr(Database, "prune", failing(sqlite3.SQLITE_FULL))
    work.step(database)
    assert work.due_at() == 1_001
    clock.now = 1_001
    work.step(database)
    assert work.due_at() == 1_002
    clock.now = 1_002
    work.watched()
    assert work.step(database) is None
    assert work.due_at() == 1_003, "the step itself is not made before its pause is over"


def test_a_checkpoint_that_fails_each_time_is_told_once(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = upkeep(path, rest=5)
    work.opened({})
    work.step(database)
    monkeypatch.setattr(Database, "checkpoint", failing(sqlite3.SQLITE_FULL))
    for _ in range(9):
        clock.now = work.due_at()
        work.step(database)
    assert len(caplog.records) == 1


def test_after_a_step_that_worked_pauses_begin_anew_and_the_same_error_is_told_again(
    database: Database, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    work = upkeep(path, rest=0.0)
    work.opened({})
    pauses = []
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "checkpoint", failing(sqlite3.SQLITE_FULL))
            for _ in range(5):
                work.step(database)
                pauses.append(work.due_at() - clock.now)
                clock.now = work.due_at()
        work.step(database)
        clock.now += 60
        work.committed()
    assert pauses == [1, 2, 4, 8, 16] * 2
    assert len(caplog.records) == 2


def test_what_is_acknowledged_while_it_is_read_stays_so_and_stopping_leaves_no_file_open(
    rebuilt: Path, clock: Clock
) -> None:
    before = os.listdir("/proc/self/fd")
    database, work = opened_work(rebuilt)
    work.acknowledged()
    work.opened(database.notices())  # begun anew: each file is open once
    work.acknowledged()
    done = None
    while done is None:
        done = work.step(database)
    assert done.acknowledged
    assert work.step(database) is None
    work.opened({1: Damage(NOW, "corrupt", done.set_aside, 1, pending=True)})
    work.stop()
    assert work.due_at() == NEVER
    database.close()
    assert os.listdir("/proc/self/fd") == before


def test_history_past_its_days_goes(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({}, [Entry(a_change("sales", at=NOW - 91 * DAY)), Entry(a_change("support"))])
    work = upkeep(path)
    work.opened({})
    work.step(database)
    assert [change.session for change in database.history(None, 9)] == ["support"]
    database.close()


def test_an_error_is_told_and_waits_but_damage_is_raised(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database, _ = Database.open(path, NOW)
    work = upkeep(path)
    error: sqlite3.DatabaseError = sqlite3.OperationalError("locked")

    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(Database, "prune", fail)
    work.opened({})
    assert work.step(database) is None
    assert "has to wait" in caplog.text
    error = sqlite3.DatabaseError("malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    work.opened({})
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        work.step(database)
    database.close()


def found_in(path: Path, connect: Callable[..., Any] = sqlite3.connect) -> tuple[str | None, str]:
    """What a first look finds, and how it opens the file: when it is opened the second time, all is said of it."""
    found: list[str] = []
    opened: list[str] = []
    second = threading.Event()

    def noted(name: str, **options: Any) -> Any:
        opened.append(name if options.get("uri") else f"not taken as a URI: {name}")
        if len(opened) > 1:
            second.set()
        return connect(name, **options)

    check = Check(path, 0.0, found.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", noted)
        check.start()
        assert second.wait(60)
        check.stop()
    return (found[0] if found else None), opened[0]


def test_a_check_finds_damage_and_is_silent_about_all_else(path: Path) -> None:
    assert found_in(path)[0] is None  # not there
    filled(path)
    assert found_in(path)[0] is None
    damage_page(path, 4, noise)
    assert "age 4" in (found_in(path)[0] or "")


def test_a_check_tells_of_damage_in_a_thread_of_its_own_until_it_is_told_to_end(path: Path) -> None:
    filled(path)
    threads: list[threading.Thread] = []
    looked = threading.Event()

    def found(words: str) -> None:
        threads.append(threading.current_thread())
        looked.set()

    before = os.listdir("/proc/self/fd")
    check = Check(path, 0.001, found)
    damage_page(path, 4, noise)
    check.start()
    assert looked.wait(60)
    check.stop()
    assert not threads[0].is_alive()
    assert (threads[0].name, threads[0].daemon) == ("statusproxy-check", True)
    assert os.listdir("/proc/self/fd") == before
    Check(path, 3600, found).stop()  # was never begun


class Slow:
    """Stands in for a connection whose check takes long: it ends when it is interrupted."""

    def __init__(self) -> None:
        self.began, self.interrupted = threading.Event(), threading.Event()
        self.closed = False

    def execute(self, _: str) -> None:
        self.began.set()
        assert self.interrupted.wait(60)
        raise sqlite3.OperationalError("interrupted")

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self) -> None:
        self.closed = True


def test_a_check_under_way_is_interrupted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: slow)
    check = Check(path, 0.0, lambda _: pytest.fail("nothing was found"))
    before = set(threading.enumerate())
    check.start()
    assert slow.began.wait(60)
    (thread,) = (each for each in set(threading.enumerate()) - before if each.name == "statusproxy-check")
    check.stop()
    thread.join(60)
    assert (slow.closed, slow.interrupted.is_set()) == (True, True)
    slow.interrupted.clear()
    check.stop()
    assert not slow.interrupted.is_set(), "nothing is left to interrupt"


def test_a_check_that_cannot_be_interrupted_is_waited_for_no_longer_than_a_second(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check, waits = Check(path, 3600, lambda _: None), list[float]()

    class Hung:
        """A thread that a disk without an answer holds up."""

        def is_alive(self) -> bool:
            return True

        def join(self, timeout: float) -> None:
            waits.append(timeout)

    monkeypatch.setattr(check, "_thread", Hung())
    check.stop()
    assert len(waits) == 1
    assert 0 < waits[0] <= 1


def test_a_check_that_was_told_to_end_looks_at_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(sqlite3, "connect", lambda *_, **__: slow)
    check = Check(path, 3600, lambda _: None)
    check.stop()
    assert check._look() is None
    assert (slow.began.is_set(), slow.closed) == (False, True)


def test_damage_that_opening_meets_is_told_and_a_lock_is_not(path: Path) -> None:
    path.write_bytes(b"no database, " * 500)
    assert found_in(path)[0] == "file is not a database"
    slow = Slow()
    slow.interrupted.set()
    assert found_in(path, lambda *_, **__: slow)[0] is None


def test_damage_that_is_found_at_the_end_is_not_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = Check(path, 0.0, lambda _: pytest.fail("it has ended"))

    def look() -> str:
        check.stop()
        return "damage"

    monkeypatch.setattr(check, "_look", look)
    check._run()


def test_a_check_does_not_write_the_file(path: Path) -> None:
    filled(path)
    assert found_in(path) == (None, f"file:{path}?mode=ro")
