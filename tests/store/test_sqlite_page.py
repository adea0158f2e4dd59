"""Pages of SQLite files, as bytes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from statusproxy.store import sqlite_page
from statusproxy.store.sqlite_page import LEAF_TABLE, cells, children, columns, kind

from .damaged import PAGE

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


@pytest.mark.parametrize("seed", range(200))
def test_no_bytes_make_it_fail(seed: int, file: Path) -> None:
    random = Random(seed)
    content = bytearray(page(file, 2) if seed % 2 else random.randbytes(PAGE))
    for _ in range(20):
        content[random.randrange(PAGE if seed % 4 else 40)] = random.randrange(256)
    content[0] = random.choice([2, 5, 10, 13])
    for cell in cells(bytes(content), 2):
        if cell is not None:
            columns(cell.local)
    children(bytes(content), 2)
    kind(bytes(content), 2)
    columns(bytes(content))


@pytest.mark.parametrize("content", [b"", b"\x0d", b"\x0d" * 11, bytes(PAGE)])
def test_what_is_too_short_or_empty_is_no_page(content: bytes) -> None:
    assert (kind(content, 2), list(cells(content, 2)), children(content, 2)) == (None, [], [])


@pytest.mark.parametrize("payload", [b"", b"\x81", b"\x05\x01", b"\x02\x0b", b"\x02\x0a", b"\x02\x06\0", b"\xff" * 9])
def test_what_is_no_whole_row_is_none(payload: bytes) -> None:
    assert columns(payload) is None


@pytest.mark.parametrize("kind", ["table", "index"])
def test_what_of_a_long_payload_stands_in_the_page_is_as_sqlite_has_it(path: Path, kind: str) -> None:
    sizes = [*range(1, 5), *range(485, 505), *range(995, 1_010), *range(4_045, 4_080), *range(4_500, 4_600, 9), 20_000]
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
