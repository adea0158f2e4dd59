"""Pages of SQLite files, as bytes."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from statusproxy.store import sqlite_page
from statusproxy.store.sqlite_page import LEAF_TABLE, Cell, _varint, cells, children, columns, kind

from .damaged import PAGE
from .raw_pages import a_page, table_cell, varint

INTEGERS = [0, 1, 2, -1, 127, -128, 32_767, 2**23 - 1, 2**31 - 1, 2**47 - 1, 2**63 - 1, -(2**63)]
VALUES = [None, *INTEGERS, 1.5, "é", b"\0\xff", ""]


@pytest.fixture
def file(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(value,) for value in VALUES])
    return path


def page(file: Path, number: int) -> bytes:
    return file.read_bytes()[(number - 1) * PAGE : number * PAGE]


def test_every_type_of_value_is_read_as_sqlite_reads_it(file: Path) -> None:
    rows = [columns(cell.local) for cell in cells(page(file, 2), 2) if cell is not None]
    assert rows == [[value.encode() if isinstance(value, str) else value] for value in VALUES]


def test_rows_have_their_numbers(file: Path) -> None:
    assert [cell and cell.rowid for cell in cells(page(file, 2), 2)] == list(range(1, len(VALUES) + 1))


def test_the_first_page_begins_behind_the_files_header(file: Path) -> None:
    assert kind(page(file, 1), 1) == LEAF_TABLE == kind(page(file, 2), 2)
    (cell,) = cells(page(file, 1), 1)
    assert cell is not None
    assert (columns(cell.local) or [])[:4] == [b"table", b"t", b"t", 2]


def test_an_interior_page_leads_to_all_its_leaves(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 500,)] * 100)
    root = page(path, 2)
    leaves = children(root, 2)
    assert kind(root, 2) == sqlite_page.INTERIOR_TABLE
    assert sum(len(list(cells(page(path, leaf), leaf))) for leaf in leaves) == 100
    assert list(cells(root, 2)) == []
    assert children(page(path, leaves[0]), leaves[0]) == []


@pytest.mark.slow
def test_no_bytes_make_it_fail(file: Path) -> None:
    sound = page(file, 2)
    for seed in range(200):
        random = Random(seed)
        content = bytearray(sound if seed % 2 else random.randbytes(PAGE))
        for _ in range(20):
            content[random.randrange(PAGE if seed % 4 else 40)] = random.randrange(256)
        content[0] = random.choice([2, 5, 10, 13])
        for cell in cells(bytes(content), 2):
            if cell is not None:
                columns(cell.local)
        children(bytes(content), 2)
        kind(bytes(content), 2)
        columns(bytes(content))


# Byte by byte ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 127, 128, 129, 300, 2**14 - 1, 2**14, 2**49, 2**56 - 1, 2**56, 2**64 - 1])
def test_numbers_of_every_length_are_read_where_they_stand_whole(value: int) -> None:
    text = varint(value)
    for before in (b"", b"\xff\x01\x81"):
        for behind in (b"", b"\xff", bytes(9)):
            assert _varint(before + text + behind, len(before)) == (value, len(before + text))
        for length in range(len(text)):
            assert _varint(before + text[:length], len(before)) == (0, 0)


@pytest.mark.parametrize(("payload", "row"), [
    (b"\x01", []), (b"\x02\x00", [None]), (b"\x02\x08", [0]), (b"\x02\x09", [1]), (b"\x02\x01\x05", [5]),
    (b"\x02\x01\xff", [-1]), (b"\x02\x02\x80\x00", [-32_768]), (b"\x02\x03\x01\x00\x00", [65_536]),
    (b"\x02\x04\x01\x00\x00\x00", [2**24]), (b"\x02\x05\x01" + bytes(5), [2**40]),
    (b"\x02\x06\x01" + bytes(7), [2**56]),
    (b"\x02\x07" + struct.pack(">d", -1.5), [-1.5]), (b"\x02\x0c", [b""]), (b"\x02\x0d", [b""]),
    (b"\x02\x0e\xff", [b"\xff"]), (b"\x02\x0f\x61", [b"a"]), (b"\x02\x10ab", [b"ab"]),
    (b"\x05\x00\x01\x09\x11\x05ab", [None, 5, 1, b"ab"]), (b"\x03\x81\x00" + b"x" * 58, [b"x" * 58]),
    (b"\x02\x0a", None), (b"\x02\x0b", None), (b"\x02\x01", None), (b"\x02\x10a", None), (b"\x03\x01\x01\x05", None),
])  # fmt: skip
def test_each_type_of_a_column_is_read_as_the_format_says(payload: bytes, row: list[object] | None) -> None:
    assert columns(payload) == row


def test_the_kinds_of_pages_are_those_of_the_format(file: Path) -> None:
    assert [number for number in range(256) if kind(a_page(number), 2) is not None] == [2, 5, 10, 13]
    assert {2, 10} == sqlite_page.INDEX_KINDS
    assert page(file, 1).startswith(sqlite_page.MAGIC)


@pytest.mark.parametrize(("number", "before"), [(1, bytes(100)), (2, b"")])
def test_the_smallest_pages_are_read_and_smaller_ones_are_none(number: int, before: bytes) -> None:
    leaf = before + b"\x0d\0\0\0\1\0\0\0" + struct.pack(">H", len(before) + 10) + b"\0\5"
    assert [cell and cell.rowid for cell in cells(leaf, number)] == [5]
    assert list(cells(leaf[:-1], number)) == []
    for first in (2, 5):
        interior = before + bytes([first]) + bytes(9) + b"\1\2"
        assert (kind(interior, number), children(interior, number)) == (first, [258])
        assert (kind(interior[:-1], number), children(interior[:-1], number)) == (None, [])
    assert kind(before + b"\x0d" + bytes(11), number) == 13
    assert children(leaf, number) == []


def test_a_count_of_cells_has_two_bytes_and_ends_with_the_page() -> None:
    cell = table_cell(5, b"\1")
    many = bytearray(a_page(13, [cell], size=1024))
    many[3:5] = (300).to_bytes(2, "big")
    many[8 : 8 + 600] = many[8:10] * 300
    assert kind(bytes(many), 2) == 13
    assert list(cells(bytes(many), 2)) == [Cell(5, 1, b"\1", 0)] * 300
    many[3:5] = (1024).to_bytes(2, "big")
    assert kind(bytes(many), 2) is None
    short = b"\x0d\0\0\0\5\0\0\0\0\x0a\0\0"  # five cells, and room for two pointers
    assert len(list(cells(short, 2))) == 2
    assert kind(short, 2) is None


@pytest.mark.parametrize(("pointer", "sound"), [(9, False), (10, True), (510, True), (511, False)])
def test_a_pointer_leads_behind_the_pointers_and_into_the_page(pointer: int, sound: bool) -> None:
    content = bytearray(a_page(13, [table_cell(5, b"\1")]))
    content[8:10] = pointer.to_bytes(2, "big")
    assert kind(bytes(content), 2) == (13 if sound else None)


def test_a_cell_may_end_with_the_page_and_no_later() -> None:
    local = bytes(range(39))
    for kind_, start in ((13, b"\x87\x68\5"), (10, b"\x87\x68"), (2, b"\0\0\0\1\x87\x68")):
        content = a_page(kind_, [start + local + b"\0\1\2\3"])
        rowid = 5 if kind_ == 13 else None
        assert list(cells(content, 2)) == [Cell(rowid, 1000, local, 66_051)]
        at = int.from_bytes(content[12:14] if kind_ == 2 else content[8:10], "big") + 1
        moved = bytearray(content)
        place = 12 if kind_ == 2 else 8
        moved[place : place + 2] = at.to_bytes(2, "big")
        moved[at:] = content[at - 1 : -1]
        assert list(cells(bytes(moved), 2)) == [None]
    assert list(cells(a_page(13, [b"\1\x81"]), 2)) == [None]  # the row's number goes on beyond the page
    inside = a_page(13, [table_cell(6, b"\xff\xff\xff\xff"), table_cell(5, b"\1")])
    assert list(cells(inside, 2)) == [Cell(6, 4, b"\xff" * 4, 0), Cell(5, 1, b"\1", 0)]


@pytest.mark.parametrize("content", [b"", b"\x0d", b"\x0d" * 11, bytes(PAGE)])
def test_what_is_too_short_or_empty_is_no_page(content: bytes) -> None:
    assert (kind(content, 2), list(cells(content, 2)), children(content, 2)) == (None, [], [])


@pytest.mark.parametrize("payload", [b"", b"\x81", b"\x05\x01", b"\x02\x0b", b"\x02\x0a", b"\x02\x06\0", b"\xff" * 9])
def test_what_is_no_whole_row_is_none(payload: bytes) -> None:
    assert columns(payload) is None


@pytest.mark.parametrize("kind", ["table", "index"])
def test_what_of_a_long_payload_stands_in_the_page_is_as_sqlite_has_it(path: Path, kind: str) -> None:
    sizes = [*range(1, 5), *range(485, 505), *range(995, 1_010), *range(4_045, 4_080), *range(4_500, 4_600, 9), 20_000]
    sizes = sorted([*sizes, *range(5_075, 5_100), *range(8_135, 8_160)])
    schema = "CREATE TABLE t (a)" if kind == "table" else "CREATE TABLE t (a PRIMARY KEY) WITHOUT ROWID"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.execute(schema)
        connection.executemany("INSERT INTO t VALUES (?)", [(b"%05d" % size + b"x" * size,) for size in sizes])
    pages = [path.read_bytes()[at : at + PAGE] for at in range(0, path.stat().st_size, PAGE)]
    found = []
    for number, text in enumerate(pages[1:], start=2):
        if text[0] not in (2, 10, 13):  # a page that a payload goes on in
            continue
        for cell in cells(text, number):
            assert cell is not None
            payload, following = cell.local, cell.overflow
            while following:
                payload += pages[following - 1][4:]
                following = int.from_bytes(pages[following - 1][:4], "big")
            found += columns(payload[: cell.size]) or []
    assert sorted(len(one) - 5 for one in found if isinstance(one, bytes)) == sizes
    assert all(isinstance(one, bytes) and int(one[:5]) == len(one) - 5 and set(one[5:]) == {120} for one in found)
