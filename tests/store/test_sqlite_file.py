"""The state in its files: taken, opened, and made good again."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.store import replace as replace_module
from statusproxy.store import sqlite_file as sqlite_file_module
from statusproxy.store.backlog import Entry
from statusproxy.store.errors import StoreInUseError
from statusproxy.store.sqlite_file import StateFile
from statusproxy.store.upkeep import Upkeep, UpkeepTiming

from .damaged import SESSIONS, damage_page, filled, noise, readable
from .samples import NOW, a_change, a_record

LOG = logging.getLogger("test")


def a_file(path: Path) -> StateFile:
    upkeep = Upkeep(path, 90, lambda: NOW, LOG, UpkeepTiming())
    return StateFile(path, lock_wait=0, clock=lambda: NOW, log=LOG, upkeep=upkeep)


@pytest.fixture
def file(path: Path) -> Iterator[StateFile]:
    file = a_file(path)
    file.open(None)
    assert file.database is not None
    file.database.write({"sales": a_record("sales")}, [Entry(a_change("sales"))])
    yield file
    file.close()
    file.release()


def names(path: Path) -> set[str]:
    return {file.name.removeprefix("state.db").partition("-2026")[0] for file in path.parent.iterdir()}


def test_all_is_well_where_nothing_happened(file: StateFile, path: Path) -> None:
    assert not file.vanished()
    database = file.database
    file.look_after(1)
    assert file.database is database
    assert names(path) == {"", "-wal", "-shm", ".lock"}


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_what_was_deleted_is_saved_from_the_open_files(file: StateFile, path: Path, ending: str) -> None:
    os.unlink(f"{path}{ending}")
    assert file.vanished()
    file.look_after(1)
    assert file.database is None
    assert readable(path) == (frozenset({"sales"}), frozenset({1}))
    file.open({})
    assert file.repairs["deleted"] == 0, "not before all is written"
    file.written()
    file.written()
    assert file.repairs == {"damaged": 0, "deleted": 1, "replaced": 0}


def test_a_rescue_that_cannot_be_put_in_place_is_kept_beside_it(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "input/output error")

    path.unlink()
    monkeypatch.setattr(sqlite_file_module, "replace_database", refuse)
    file.look_after(1)
    (kept,) = path.parent.glob("state.db.rescued-*[0-9Z]")
    assert readable(kept).sessions == {"sales"}
    assert f"is kept as {kept}" in caplog.text


def test_a_rescue_for_which_there_is_no_room_is_told_and_the_rest_goes_on(
    file: StateFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    path.unlink()
    assert file.database is not None
    monkeypatch.setattr(type(file.database), "copy_to", refuse)
    file.look_after(1)
    assert "could not be saved whole: disk full" in caplog.text
    assert file.open({}).records == []


def test_a_lock_file_is_made_anew_and_another_that_holds_it_is_told_of_once(
    file: StateFile, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lock = Path(f"{path}.lock")
    lock.unlink()
    file.look_after(1)
    assert lock.exists()
    assert "it was made anew" in caplog.text
    caplog.clear()
    lock.unlink()
    with pytest.raises(StoreInUseError):
        a_file(path).open(None)
    file.look_after(1)
    file.look_after(1)
    assert len(caplog.records) == 1


def test_a_damaged_file_that_may_not_be_written_is_read_all_the_same(path: Path) -> None:
    filled(path)
    damage_page(path, 1, noise)
    assert {record.session for record in a_file(path).read().records} == set(SESSIONS)
    filled(path.with_name("other.db"))
    damage_page(path.with_name("other.db"), 4, noise)
    assert len(a_file(path.with_name("other.db")).read().records) > len(SESSIONS) - 10
    path.write_bytes(b"")
    assert a_file(path).read().records == []


def test_acknowledged_while_history_is_still_read_it_stays_acknowledged(path: Path) -> None:
    filled(path)
    damage_page(path, 1, noise)
    file = a_file(path)
    file.open(None)
    assert file.acknowledge() == 1
    assert file.acknowledge() == 0
    for _ in range(9):
        file.keep_up()
    (damage,) = file.notices.values()
    assert (damage.pending, damage.acknowledged, damage.changes) == (False, True, 2 * len(SESSIONS))
    file.close()
    file.release()


def test_what_a_crash_left_half_replaced_is_finished_by_the_next_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(path)
    damage_page(path, 1, noise)
    file = a_file(path)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(replace_module, "finish_replacement", crash)
        with pytest.raises(KeyboardInterrupt):
            file.open(None)
    file.release()
    assert ".next" in names(path)
    file = a_file(path)
    assert len(file.open(None).records) == len(SESSIONS)
    assert ".next" not in names(path)
    file.close()
    file.release()
