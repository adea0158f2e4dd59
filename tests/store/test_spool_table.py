"""The spool's rows: written, read, set aside, taken over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.store.codec import RowError, encode
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database
from statusproxy.store.spool_table import SpoolRow, SpoolTable, read_entry
from statusproxy.store.spooled import Moved, Removed, SpoolOp

from .samples import NOW, an_entry, kept


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database, _ = Database.open(path, NOW)
    yield database
    database.close()


@pytest.fixture
def table(database: Database) -> SpoolTable:
    return database.spool


def written(database: Database, *ops: SpoolOp) -> None:
    database.write({}, [], {op.id: op for op in ops})


def altered(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_what_is_kept_is_there_in_the_order_of_ids_with_its_content(database: Database, table: SpoolTable) -> None:
    odd = an_entry("a", session="lone \ud800", event="é")
    written(database, kept("b", b""), kept("a", b"\0\xff")._replace(entry=odd), kept("c", Path("/spool/part")))
    assert table.read() == ([odd, an_entry("b"), an_entry("c", filed=True)], [])
    assert table.content("a") == (b"POST /a HTTP/1.1\r\n", b"\0\xff")
    assert table.content("b") == (b"POST /b HTTP/1.1\r\n", b"")
    assert table.content("c") == (b"POST /c HTTP/1.1\r\n", None)
    assert table.content("d") is None
    assert (table.filed(), table.count(), table.names()) == (["c"], 3, {"a", "b", "c"})


def test_what_is_moved_keeps_its_content_and_what_is_removed_is_gone(database: Database, table: SpoolTable) -> None:
    written(database, kept("a", b"body"), kept("b"))
    moved = an_entry("a", attempts=2)
    for _ in range(2):
        written(database, Moved(moved), Removed("b"), Moved(an_entry("never")), kept("c"))
        assert table.read().entries == [moved, an_entry("c")]
    assert table.content("a") == (b"POST /a HTTP/1.1\r\n", b"body")


def test_the_entry_stands_in_the_row_as_a_shell_shows_it(path: Path, database: Database) -> None:
    written(database, kept("a"))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id, entry, head, body FROM spool").fetchall() == [
            ("a", encode(an_entry("a")), b"POST /a HTTP/1.1\r\n", b"{}")
        ]


def test_rows_that_cannot_be_read_are_moved_away_with_all_they_hold(
    path: Path, database: Database, table: SpoolTable
) -> None:
    written(database, kept("a"), kept("b", b"body"), kept("c", Path("/spool/part")), kept("d"))
    altered(path, "UPDATE spool SET entry = '{' WHERE id = 'b'")
    altered(path, "UPDATE spool SET entry = ? WHERE id = 'c'", encode(an_entry("x")))
    assert table.read().rejected == ["b", "c"]
    assert table.take(NOW, 7) == ([an_entry("a"), an_entry("d")], ["b", "c"])
    assert table.take(NOW, 7) == ([an_entry("a"), an_entry("d")], [])
    assert [*database.notices().values()] == [
        Damage(NOW, "damaged in 2 rows of the spool (kept in the table `rejected`)", None, 7, spooled=2)
    ]
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT session, payload, reason, rejected_at FROM rejected ORDER BY id").fetchall()
    (b, payload, why, at), *others = rows
    assert (b, payload, why[:16], at) == ("b", "{", "spool: not JSON:", NOW)
    assert others == [
        ("b", b"POST /b HTTP/1.1\r\n", "spool: head of it", NOW),
        ("b", b"body", "spool: body of it", NOW),
        ("c", encode(an_entry("x")), "spool: of another entry than its key says", NOW),
        ("c", b"POST /c HTTP/1.1\r\n", "spool: head of it", NOW),
    ]
    assert table.names() == {"a", "b", "c", "d"}, "their files stay with them"


@pytest.mark.parametrize("id_", [b"../a", b"", b".", b"a/b", b"a" * 101, "é".encode(), b"\xff"])
def test_what_could_not_name_a_file_is_no_id(id_: bytes) -> None:
    with pytest.raises(RowError, match="not the id"):
        read_entry(id_, encode(an_entry(id_.decode("utf-8", "surrogateescape"))).encode())


def test_a_file_of_an_earlier_version_has_no_entries(path: Path, database: Database, table: SpoolTable) -> None:
    altered(path, "DROP TABLE spool")
    assert (table.read(), table.content("a"), table.filed(), table.count()) == (([], []), None, [], 0)


def test_of_rows_from_a_damaged_file_the_later_one_stays(table: SpoolTable) -> None:
    rows = [SpoolRow(an_entry("a", attempts=n), b"head", b"%d" % n) for n in range(2)]
    assert table.put([*rows, SpoolRow(an_entry("b"), b"", None)]) == 2
    assert table.read().entries == [an_entry("a", attempts=1), an_entry("b")]
    assert table.content("a") == (b"head", b"1")


def test_rows_that_cannot_be_read_stay_where_that_cannot_be_noted(
    path: Path, database: Database, table: SpoolTable
) -> None:
    written(database, kept("a"), kept("b"))
    altered(path, "UPDATE spool SET entry = '{' WHERE id = 'b'")
    altered(path, "CREATE TRIGGER no BEFORE INSERT ON damage BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(sqlite3.Error):
        table.take(NOW, 7)
    altered(path, "DROP TRIGGER no")
    assert table.take(NOW, 7) == ([an_entry("a")], ["b"])


def test_what_is_known_and_missing_is_taken_over_from_another_file(
    path: Path, database: Database, table: SpoolTable
) -> None:
    other, _ = Database.open(path.with_name("other.db"), NOW)
    written(other, kept("a", b"theirs"), kept("b", b"old"), kept("delivered"), kept("f", Path("/spool/part")))
    other.close()
    written(database, kept("b", b"ours"))
    known = {"a": an_entry("a", attempts=5), "b": an_entry("b"), "f": an_entry("f"), "nowhere": an_entry("nowhere")}
    assert table.adopt(path.with_name("other.db"), known) == 2
    assert table.adopt(path.with_name("other.db"), known) == 0
    assert table.adopt(path.with_name("not there"), {"b": an_entry("b")}) == 0
    assert table.read().entries == [an_entry("a", attempts=5), an_entry("b"), an_entry("f")]
    assert [table.content(id_) for id_ in "ab"] == [
        (b"POST /a HTTP/1.1\r\n", b"theirs"), (b"POST /b HTTP/1.1\r\n", b"ours"),
    ]  # fmt: skip
    with pytest.raises(sqlite3.Error):
        table.adopt(path.with_name("not there"), known)


def test_a_content_that_stands_as_text_in_the_other_file_is_taken_over_byte_by_byte(
    path: Path, table: SpoolTable
) -> None:
    place = path.with_name("other.db")
    other, _ = Database.open(place, NOW)
    written(other, kept("a"))
    other.close()
    altered(place, "UPDATE spool SET head = CAST(? AS TEXT), body = CAST(? AS TEXT)", b"GET /\xff", b"\xff\xfe")
    assert table.adopt(place, {"a": an_entry("a")}) == 1
    assert table.content("a") == (b"GET /\xff", b"\xff\xfe")


def test_rows_can_be_dropped(database: Database, table: SpoolTable) -> None:
    written(database, kept("a"), kept("b"))
    table.drop(["a", "c"])
    assert table.names() == {"b"}


def test_all_rows_go_at_once_and_where_there_is_no_table_nothing_does(path: Path, database: Database) -> None:
    written(database, kept("a"), kept("b"))
    database.spool.clear()
    assert database.spool.count() == 0
    database.close()
    altered(path, "DROP TABLE spool")
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        SpoolTable(connection).clear()
        assert SpoolTable(connection).count() == 0
