"""The pages of a file and its log, each for itself."""

import os
from pathlib import Path

import pytest

from statusproxy.store.database import Database
from statusproxy.store.sqlite_images import PageFile

from .damaged import PAGE, SESSIONS, damage_page, filled, noise, pages
from .samples import NOW, overridden


def test_the_newest_version_of_a_page_is_that_of_the_log(path: Path) -> None:
    filled(path)
    database, _ = Database.open(path, NOW)
    database.write({SESSIONS[0]: None}, [])
    with PageFile(path) as file:
        changed = [number for number in range(1, file.pages + 1) if file.newest(number)[0] != _on_disk(path, number)]
        assert changed
        assert all(len(file.versions(number)) == 1 for number in changed)
    os.truncate(f"{path}-wal", 0)
    with PageFile(path) as file:
        assert all(file.newest(number)[0] == _on_disk(path, number) for number in changed)
    database.abandon()


def test_a_page_beyond_the_end_is_empty(path: Path) -> None:
    filled(path)
    with PageFile(path) as file:
        assert file.newest(file.pages + 1) == (bytes(PAGE), False)
        assert file.versions(file.pages + 1) == []


def test_freed_pages_are_told_from_the_others(path: Path) -> None:
    filled(path)
    with PageFile(path) as file:
        assert file.free_pages() == frozenset()
    database, _ = Database.open(path, NOW)
    database.write(dict.fromkeys(SESSIONS), [])
    database.close()
    with PageFile(path) as file:
        assert len(file.free_pages()) > 5
    damage_page(path, 1, noise)
    with PageFile(path) as file:
        assert file.free_pages() == frozenset()


def test_a_sector_that_cannot_be_read_is_a_damaged_page(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    pread = os.pread

    def sick(handle: int, length: int, offset: int) -> bytes:
        if offset == 3 * PAGE:
            raise OSError(5, "input/output error")
        return pread(handle, length, offset)

    monkeypatch.setattr(os, "pread", sick)
    with PageFile(path) as file:
        assert file.newest(4)[0] == bytes(PAGE)
        assert file.newest(5)[0] == _on_disk(path, 5)


def test_it_leaves_no_file_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    before = len(os.listdir("/proc/self/fd"))
    with PageFile(path) as file:
        assert file.pages == pages(path)
    monkeypatch.setattr(os, "pread", lambda *_: (_ for _ in ()).throw(OSError(5, "")))
    with pytest.raises(OSError, match="5"):
        PageFile(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_damaged_page_number_in_the_log_is_no_page_to_look_for(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    for session in SESSIONS[:5]:
        database.write({session: overridden(session)}, [])
    wal = Path(f"{path}-wal").read_bytes()
    database.close()
    spoilt = bytearray(wal)
    spoilt[32:36] = b"\xff\xff\xff\xff"
    Path(f"{path}-wal").write_bytes(spoilt)
    with PageFile(path) as file:
        assert file.pages < 100


def _on_disk(path: Path, number: int) -> bytes:
    return path.read_bytes()[(number - 1) * PAGE : number * PAGE]
