"""What is done while nobody waits."""

import logging
import sqlite3
import threading
from pathlib import Path

import pytest

from statusproxy.store.backlog import Entry
from statusproxy.store.database import Database
from statusproxy.store.upkeep import Check, Upkeep, UpkeepTiming

from .damaged import damage_page, filled, noise
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


def test_history_past_its_days_goes(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({}, [Entry(a_change("sales", at=NOW - 91 * DAY)), Entry(a_change("support"))])
    work = upkeep(path)
    work.opened({})
    work.step(database)
    assert [change.session for change in database.history(None, 9)] == ["support"]
    database.close()


def test_trouble_is_told_and_waits_but_damage_is_raised(
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


def test_a_check_finds_damage_and_is_silent_about_all_else(path: Path) -> None:
    found: list[str] = []
    check = Check(path, 3600, found.append)
    assert check._look() is None  # not there
    filled(path)
    assert check._look() is None
    damage_page(path, 4, noise)
    assert "age 4" in (check._look() or "")


def test_a_check_ends_at_once_when_it_is_told_to(path: Path) -> None:
    filled(path)
    looked = threading.Event()
    check = Check(path, 0.001, lambda _: looked.set())
    damage_page(path, 4, noise)
    check.start()
    assert looked.wait(30)
    check.stop()
    assert not check._thread.is_alive()
