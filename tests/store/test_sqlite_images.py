"""The pages of a file and its log, each for itself."""

import os
import struct
from pathlib import Path
from random import Random

import pytest

from statusproxy.store.database import Database
from statusproxy.store.sqlite_images import PageFile, _page_size
from statusproxy.store.sqlite_page import MAGIC, columns

from .damaged import PAGE, SESSIONS, damage_page, filled, noise, pages
from .raw_pages import SIZE, a_log, a_page, row, table_cell
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


# Byte by byte ----------------------------------------------------------------------------------------------


def header(size: int = SIZE, trunk: int = 0) -> bytes:
    """The first hundred bytes of a file."""
    return (
        MAGIC + struct.pack(">H", 1 if size == 65_536 else size) + b"\xff" * 14 + struct.pack(">I", trunk) + bytes(64)
    )


def numbered(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers).ljust(SIZE, b"\0")


def a_file(path: Path, *pages: bytes, trunk: int = 0) -> Path:
    """A file with an empty first page, and these from the second on."""
    first = header(trunk=trunk) + a_page(13, before=100)[100:]
    path.write_bytes(first + b"".join(pages))
    return path


@pytest.mark.parametrize(("text", "size"), [
    (header(512), 512), (header(4096), 4096), (header(32_768), 32_768), (header(65_536), 65_536), (header()[:99], None),
    (header(256), None), (header(513), None), (header(1000), None), (header(0), None), (b"?" + header()[1:], None),
])  # fmt: skip
def test_the_size_of_the_pages_is_the_one_that_the_header_names(text: bytes, size: int | None) -> None:
    assert _page_size(text) == size


def test_pages_stand_one_after_the_other_and_a_torn_one_is_filled_up(path: Path) -> None:
    a_file(path, b"2" * SIZE, b"3" * 100)
    with PageFile(path) as file:
        assert file.pages == 3
        assert file.newest(2) == (b"2" * SIZE, True)
        assert file.versions(3) == [b"3" * 100 + bytes(SIZE - 100)]
        assert file.newest(3) == (b"3" * 100 + bytes(SIZE - 100), True)
        assert file.newest(4) == (bytes(SIZE), False)
        assert file.versions(4) == []
    file.close()  # once more does no harm


def test_the_log_comes_first_and_older_versions_where_a_newer_one_is_damaged(path: Path) -> None:
    leaf, old = a_page(13, [table_cell(5, b"\1")]), a_page(10)
    a_file(path, old, b"3" * SIZE)
    log = bytearray(a_log([(2, 3, leaf), (2, 3, leaf), (2, 0, b"x" * SIZE), (3, 3, leaf), (5, 7, leaf), (9, 9, leaf)]))
    log[32 + 536 + 24 + 20] ^= 1  # the second version of page 2
    Path(f"{path}-wal").write_bytes(log)
    damaged = bytes(log[32 + 536 + 24 :][:SIZE])
    with PageFile(path) as file:
        assert file.newest(2) == (b"x" * SIZE, True)
        assert file.versions(2) == [b"x" * SIZE, damaged, leaf]
        assert file.newest(3) == (leaf, True)
        assert file.versions(3) == [leaf]
        assert file.pages == 9  # three, and as many more as there are frames
    Path(f"{path}-wal").write_bytes(a_log([(2, 3, leaf), (6, 6, leaf)]))
    with PageFile(path) as file:
        assert file.pages == 3
    Path(f"{path}-wal").write_bytes(a_log([(2, 3, leaf), (5, 5, leaf)]))
    with PageFile(path) as file:
        assert (file.pages, file.newest(4), file.newest(5)) == (5, (bytes(SIZE), False), (leaf, True))


def test_a_version_that_the_log_says_is_damaged_is_told_so(path: Path) -> None:
    a_file(path, a_page(10))
    log = bytearray(a_log([(2, 2, b"x" * SIZE), (1, 2, b"y" * SIZE)]))
    log[32 + 24 + 20] ^= 1
    Path(f"{path}-wal").write_bytes(log)
    with PageFile(path) as file:
        assert file.newest(2) == (bytes(log[32 + 24 :][:SIZE]), False)
        assert file.newest(1) == (b"y" * SIZE, True)


def test_a_log_alone_is_read_with_the_size_that_it_names(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(a_log([(1, 1, b"x" * SIZE)]))
    with PageFile(path) as file:
        assert (file.pages, file.newest(1)) == (1, (b"x" * SIZE, True))
    Path(f"{path}-wal").write_bytes(a_log([(9, 9, b"x" * SIZE)]))
    with PageFile(path) as file:
        assert file.pages == 0


def test_a_log_whose_pages_have_another_size_is_not_used(path: Path) -> None:
    a_file(path, b"2" * SIZE)
    Path(f"{path}-wal").write_bytes(a_log([(2, 2, b"x" * 1024)], size=1024))
    with PageFile(path) as file:
        assert (file.pages, file.newest(2)) == (2, (b"2" * SIZE, True))


def test_the_free_list_is_followed_as_far_as_it_goes(path: Path) -> None:
    pages = [bytes(SIZE), numbered(6, 2, 4, 5), bytes(SIZE), bytes(SIZE), numbered(3, 1, 2)]
    a_file(path, *pages, trunk=3)
    with PageFile(path) as file:
        assert file.pages == 6
        assert file.free_pages() == {3, 4, 5, 6, 2}
    for trunk, free in ((0, set()), (1, set()), (7, set()), (2**24 + 3, set()), (6, {6, 2, 3, 4, 5})):
        a_file(path, *pages, trunk=trunk)
        with PageFile(path) as file:
            assert file.free_pages() == free
    a_file(path, numbered(0, 1, 3), trunk=2)  # the second page is the first that can be free
    with PageFile(path) as file:
        assert file.free_pages() == {2, 3}
    leaves = range(2**24, 2**24 + 126)
    a_file(path, numbered(0, 2**24 + 1, *leaves), trunk=2)  # more than a page has room for
    with PageFile(path) as file:
        assert file.free_pages() == {2, *leaves}


def test_a_row_that_goes_on_over_other_pages_is_put_together(path: Path) -> None:
    payload = row(None, Random(1).randbytes(990))
    assert len(payload) == 994
    local, rest = payload[:39], payload[39:]
    cell = table_cell(5, local, overflow=3, size=994)
    sound = [a_page(13, [cell, table_cell(6, row(7))]), numbered(4)[:4] + rest[:508], bytes(4) + rest[508:]]
    for chain, first in (
        (sound, (5, columns(payload))),
        (sound[:2], None),
        ([sound[0], numbered(1)[:4] + rest[:508], sound[2]], None),
        ([sound[0], numbered(5)[:4] + rest[:508], sound[2]], None),
        # Longer than the whole file: its pages lead in a circle.
        (
            [
                a_page(13, [table_cell(5, local, overflow=3, size=2518), table_cell(6, row(7))]),
                numbered(4)[:4] + rest[:508],
                numbered(3)[:4] + bytes(508),
            ],
            None,
        ),
    ):
        a_file(path, *chain)
        with PageFile(path) as file:
            assert list(file.rows(file.newest(2)[0], 2)) == [first, (6, [7])]
            assert list(file.table_rows(file.newest(2)[0], 2)) == [each for each in (first, (6, [7])) if each]
            assert list(file.table_rows(file.newest(1)[0], 1)) == []
            assert list(file.table_rows(a_page(10, [b"\2" + row(7)]), 2)) == []
            assert list(file.rows(a_page(10, [b"\3" + row(7), b"\2\2\x0a"]), 2)) == [(None, [7]), None]


@pytest.mark.parametrize(("size", "whole"), [(547, True), (546, False)])
def test_a_row_ends_where_its_size_says_though_the_page_goes_on(path: Path, size: int, whole: bool) -> None:
    payload = row(None, Random(1).randbytes(543))
    assert len(payload) == 547
    a_file(path, bytes(4) + payload[39:], a_page(13, [table_cell(5, payload[:39], overflow=2, size=size)]))
    with PageFile(path) as file:
        assert list(file.table_rows(file.newest(3)[0], 3)) == ([(5, columns(payload))] if whole else [])


def test_a_row_may_go_on_in_the_second_page(path: Path) -> None:
    payload = row(None, Random(1).randbytes(543))
    local = len(payload) - 508
    assert local == 39
    cell = table_cell(5, payload[:local], overflow=2, size=len(payload))
    a_file(path, bytes(4) + payload[local:], a_page(13, [cell]))
    with PageFile(path) as file:
        assert list(file.table_rows(file.newest(3)[0], 3)) == [(5, columns(payload))]


def test_the_rows_of_the_first_page_stand_behind_the_files_header(path: Path) -> None:
    first = a_page(13, [table_cell(5, row(7))], before=100)
    path.write_bytes(header() + first[100:])
    with PageFile(path) as file:
        assert list(file.table_rows(file.newest(1)[0], 1)) == [(5, [7])]


def _on_disk(path: Path, number: int) -> bytes:
    return path.read_bytes()[(number - 1) * PAGE : number * PAGE]
