"""Of a damaged state file every row is saved that does not stand on a damaged page."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from statusproxy.status.model import Release
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import encode
from statusproxy.store.damage import Damage as Notice
from statusproxy.store.database import Database
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.salvage import highest_number, history, notices, outbox, records, spooled
from statusproxy.store.sqlite_images import PageFile

from .damaged import (
    PAGE,
    SESSIONS,
    Damage,
    damage_page,
    filled,
    flipped,
    noise,
    numbers,
    pages,
    readable,
    rows_by_page,
    zeros,
)
from .raw_pages import a_log, a_page, table_cell, varint
from .raw_pages import row as a_row
from .samples import NOW, a_change, a_record, an_entry, kept, overridden

ALL = frozenset(SESSIONS)


@pytest.mark.slow
@pytest.mark.parametrize("how", [flipped, noise, zeros])
def test_each_page_damaged_in_turn_costs_at_most_the_rows_on_it(path: Path, how: Damage) -> None:
    filled(path)
    whole, on = path.read_bytes(), rows_by_page(path)
    every = numbers(path)
    assert pages(path) > 20
    for number in range(1, pages(path) + 1):
        path.write_bytes(whole)
        damage_page(path, number, how)
        found = readable(path)
        assert ALL - found.sessions <= on[number].sessions, number
        assert every - found.changes <= on[number].changes, number
        assert found.sessions <= ALL
        assert found.changes <= every


@pytest.mark.parametrize("bit", range(0, PAGE * 8, 997))
def test_one_flipped_bit_costs_at_most_the_rows_on_its_page(path: Path, bit: int) -> None:
    filled(path)
    on = rows_by_page(path)
    number = 1 + bit % pages(path)

    def flip(page: bytes) -> bytes:
        spoilt = bytearray(page)
        spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)

    damage_page(path, number, flip)
    assert ALL - readable(path).sessions <= on[number].sessions


@pytest.mark.parametrize("kept", [0, 100, 5000, 3 * PAGE, 20 * PAGE + 1])
def test_of_a_file_cut_short_all_that_is_left_is_read(path: Path, kept: int) -> None:
    filled(path)
    on = rows_by_page(path)
    os.truncate(path, kept)
    found = readable(path)
    left = [rows for number, rows in on.items() if number <= kept // PAGE]
    assert found.sessions >= {session for rows in left for session in rows.sessions}
    assert found.changes >= {change for rows in left for change in rows.changes}


def test_a_file_that_is_not_there_holds_nothing(path: Path) -> None:
    assert readable(path) == (frozenset(), frozenset())


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 50_000, b"\x0d" * 50_000, b"\x0a\x00\x00\xff\xff" * 10_000])
def test_whatever_the_bytes_are_nothing_is_read_from_noise(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert readable(path) == (frozenset(), frozenset())


def test_rows_that_go_on_over_other_pages_are_read_whole_or_not_at_all(path: Path) -> None:
    long = "x" * 20_000
    database, _ = Database.open(path, NOW)
    database.write(
        {"long": a_record("long", event=long), "short": a_record("short")}, [Entry(a_change("long", what=long))]
    )
    database.close()
    whole = path.read_bytes()
    with PageFile(path) as file:
        assert {record.session: record.event for record in records(file)} == {"long": long, "short": "status-find"}
    for number in range(2, pages(path) + 1):
        path.write_bytes(whole)
        damage_page(path, number, noise)
        with PageFile(path) as file:
            assert all(record.event in (long, "status-find") for record in records(file))


def test_ids_of_every_kind_are_saved(path: Path) -> None:
    ids = ["são paulo", "\ud800", "a\0b", "", "' OR 1=1 --", "+55 11 90000-0000"]
    filled(path, ids)
    damage_page(path, 1, noise)
    assert readable(path).sessions == frozenset(ids)


def test_a_forgotten_session_does_not_come_back(path: Path) -> None:
    filled(path)
    database, _ = Database.open(path, NOW)
    database.write(dict.fromkeys(SESSIONS[:100]), [])
    database.close()
    damage_page(path, 1, noise)  # with it, which pages are free is not known any more
    assert readable(path).sessions == frozenset(SESSIONS[100:])


@pytest.mark.parametrize("word", ["released", "forgotten", "repeated"])
def test_an_older_state_is_used_unless_the_history_contradicts_it(path: Path, word: str) -> None:
    """The newest version of the page is damaged: the one before it shows "sales" as disconnected."""
    database, _ = Database.open(path, NOW)
    database.write({"sales": overridden("sales"), "other": overridden("other")}, [Entry(a_change("sales"))])
    with closing(sqlite3.connect(path)) as other:
        root = other.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").fetchone()[0]
    assert database.checkpoint()
    later = NOW + 60
    released = a_record("sales", released=Release.OPERATOR, released_at=later, heard_at=later)
    database.write({"sales": released}, [Entry(a_change("sales", at=later, what=word))])
    crashed = {ending: Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")}
    database.close()
    wal = bytearray(crashed["-wal"])
    for at in range(32, len(wal), 24 + PAGE):
        if int.from_bytes(wal[at : at + 4], "big") == root:
            wal[at + 24 : at + 24 + PAGE] = noise(bytes(PAGE))
    path.write_bytes(crashed[""])
    Path(f"{path}-wal").write_bytes(wal)
    # Shown as disconnected again, a session that works would be "reconnected", and so destroyed.
    assert readable(path).sessions == ({"sales", "other"} if word == "repeated" else {"other"})


def test_notices_of_earlier_damage_and_the_highest_number_are_found(path: Path) -> None:
    filled(path)
    notice = Notice(NOW, "corrupt", "/x", 7)
    database, _ = Database.open(path, NOW)
    database.note(notice)
    database.close()
    damage_page(path, 1, noise)
    with PageFile(path) as file:
        assert [Notice.decode(payload) for payload in notices(file)] == [notice]
        assert highest_number(file) == 2 * len(SESSIONS)


def test_numbers_that_no_row_can_have_are_damage(path: Path) -> None:
    filled(path, [])
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in (-1, 0, 1, 7, 2**52 - 1, 2**52, 2**53):
            payload = encode(a_change(f"s{number}"))
            connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (number, f"s{number}", NOW, payload))
        # Nor is a row one whose column names another session than its change.
        connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", (8, "other", NOW, encode(a_change("s8"))))
    with PageFile(path) as file:
        assert [row.number for row in history(file, 1, 99)] == [1, 7, 2**52 - 1]
        assert highest_number(file) == 2**52 - 1


def test_a_file_without_pages_has_no_rows_and_no_number(path: Path) -> None:
    path.touch()
    with PageFile(path) as file:
        assert (highest_number(file), records(file), notices(file)) == (0, [], [])
        assert list(history(file, 1, 99)) == []


def test_history_is_read_some_pages_at_a_time_to_the_last_one(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    for number in range(9):
        database.write({}, [Entry(a_change("sales", at=NOW + number, what="x" * 3000))])
    database.close()
    with PageFile(path) as file:
        found = [[row.number for row in history(file, first, 1)] for first in range(1, file.pages + 1)]
        assert sorted(number for numbers in found for number in numbers) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
        assert found[-1] == [9]
        assert list(history(file, file.pages + 1, 9)) == []
        assert highest_number(file) == 9


def test_notices_on_the_last_page_are_found(path: Path) -> None:
    filled(path, [])
    database, _ = Database.open(path, NOW)
    told = [Notice(NOW + number, "x" * 3000, None, number) for number in range(4)]
    for notice in told:
        database.note(notice)
    database.close()
    with PageFile(path) as file:
        assert [Notice.decode(payload) for payload in notices(file)] == told


def broken_tree(path: Path) -> None:
    """Leave the pages, and nothing that leads to them."""
    damage_page(path, 1, noise)


@pytest.mark.slow
def test_without_a_tree_the_newest_state_of_a_session_counts_wherever_it_stands(path: Path) -> None:
    old, new = path.with_name("old.db"), path
    ages = [
        {"heard_at": NOW}, {"heard_at": NOW + 1}, {"released_at": NOW + 2}, {"gateway_said_at": NOW + 3},
        {"heard_at": NOW + 3, "known_at": NOW + 4},
    ]  # fmt: skip
    for newer, fields in enumerate(ages[1:], 1):
        for order in (1, -1):
            rows = [encode(a_record("sales", **each)) for each in (ages[newer - 1], fields)][::order]
            with PageFile(two_versions(old, new, *rows)) as file:
                (found,) = records(file)
            assert found == a_record("sales", **fields)


def test_a_row_that_no_page_of_the_tree_holds_counts_only_where_one_of_the_tree_is_unreadable(path: Path) -> None:
    filled(path, ["sales"])
    stray = encode(a_record("stray")).encode()
    ghost = a_row(b"stray", stray)
    content = path.read_bytes() + a_page(10, [varint(len(ghost)) + ghost], size=PAGE)
    path.write_bytes(content)
    assert readable(path).sessions == {"sales"}
    path.write_bytes(content.replace(b'"sales"', b'"sal\xffs"'))  # in the JSON, not in the key
    assert readable(path).sessions == {"stray"}


def test_a_tree_that_leads_to_the_last_page_is_whole(path: Path) -> None:
    schema = a_page(13, [table_cell(1, a_row(b"table", b"records", b"records", 3, b""))], before=100, size=PAGE)
    rows = [a_row(name.encode(), encode(a_record(name)).encode()) for name in ("stray", "sales")]
    path.write_bytes(schema + b"".join(a_page(10, [varint(len(row)) + row], size=PAGE) for row in rows))
    with PageFile(path) as file:
        assert records(file) == [a_record("sales")]


def test_a_tree_that_leads_back_to_itself_is_followed_once(path: Path) -> None:
    schema = a_page(13, [table_cell(1, a_row(b"table", b"records", b"records", 2, b""))], before=100, size=PAGE)
    inner, outer = (a_row(name.encode(), encode(a_record(name)).encode()) for name in ("inner", "outer"))
    leads_on = (3).to_bytes(4, "big") + varint(len(inner)) + inner
    root = a_page(2, [leads_on], right=2, size=PAGE)
    path.write_bytes(schema + root + a_page(10, [varint(len(outer)) + outer], size=PAGE))
    with PageFile(path) as file:
        assert sorted(record.session for record in records(file)) == ["inner", "outer"]


def told(number: int, what: str, session: str = "sales") -> bytes:
    """A page of the history with one row: a change of a minute later."""
    change = encode(a_change(session, at=NOW + 60, what=what)).encode()
    return a_page(13, [table_cell(number, a_row(None, session.encode(), 1, change))], size=PAGE)


def test_what_only_a_damaged_page_leads_to_is_not_taken_for_a_part_of_the_tree(path: Path) -> None:
    schema = a_page(13, [table_cell(1, a_row(b"table", b"records", b"records", 2, b""))], before=100, size=PAGE)
    root = bytearray(a_page(2, [bytes(4) + varint(1) + b"x"], right=3, size=PAGE))
    root[12:14] = b"\xff\xff"  # where its one row should stand
    state = a_row(b"sales", encode(a_record("sales")).encode())
    path.write_bytes(schema + root + a_page(10, [varint(len(state)) + state], size=PAGE) + told(1, "forgotten"))
    with PageFile(path) as file:
        assert records(file) == []


def test_of_two_changes_with_one_number_the_one_that_was_written_last_counts(path: Path) -> None:
    record = overridden("sales")
    state = a_row(b"sales", encode(record).encode())
    states = a_page(10, [varint(len(state)) + state], size=PAGE)
    for older, newer, found in (("started", "forgotten", []), ("forgotten", "started", [record])):
        path.write_bytes(bytes(PAGE) + states + told(1, older))
        log = bytearray(a_log([(3, 0, told(1, newer)), (1, 3, bytes(PAGE))], size=PAGE))
        log[32 + 24 + 100] ^= 1  # where nothing stands; its checksum does not hold
        Path(f"{path}-wal").write_bytes(log)
        with PageFile(path) as file:
            assert [row.change.what for row in history(file, 3, 1)] == [newer, older]
            assert records(file) == found


def test_the_outbox_is_read_to_the_last_page(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    document = OutboxDocument(3, b"an outage that was told")
    database.write({}, [], outbox=document)
    database.close()
    content = path.read_bytes()
    path.write_bytes(zeros(bytes(PAGE)) + next(
        page for page in (content[at : at + PAGE] for at in range(0, len(content), PAGE)) if document.payload in page
    ))  # fmt: skip
    with PageFile(path) as file:
        assert outbox(file) == document


def test_a_page_of_the_log_that_reads_well_but_is_not_as_it_was_written_hides_no_session(path: Path) -> None:
    filled(path, ["other", "sales"])
    root = next(number for number, rows in rows_by_page(path).items() if rows.sessions)
    database, _ = Database.open(path, NOW)
    database.write({"sales": overridden("sales")}, [])
    crashed = {ending: Path(f"{path}{ending}").read_bytes() for ending in ("", "-wal")}
    database.close()
    wal = bytearray(crashed["-wal"])
    for at in range(32, len(wal), 24 + PAGE):
        if int.from_bytes(wal[at : at + 4], "big") == root:
            wal[at + 24 + 3 : at + 24 + 5] = bytes(2)  # a page without rows
    path.write_bytes(crashed[""])
    Path(f"{path}-wal").write_bytes(wal)
    assert readable(path).sessions == {"other", "sales"}


def test_the_spool_is_read_to_the_last_page(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    database.write({}, [], {"e": kept("e", b"body")})
    database.close()
    content = path.read_bytes()
    path.write_bytes(zeros(bytes(PAGE)) + next(
        page for page in (content[at : at + PAGE] for at in range(0, len(content), PAGE)) if b"POST /e" in page
    ))  # fmt: skip
    with PageFile(path) as file:
        assert [tuple(row) for row in spooled(file)] == [(an_entry("e"), b"POST /e HTTP/1.1\r\n", b"body")]


def test_of_equally_old_states_the_one_on_the_first_page_counts(path: Path) -> None:
    first, second = (encode(a_record("sales", event=event)) for event in ("first", "second"))
    with PageFile(two_versions(path.with_name("old.db"), path, first, second)) as file:
        assert records(file) == [a_record("sales", event="first")]


def two_versions(one: Path, path: Path, first: str, second: str) -> Path:
    """A file without a tree in which a session's row stands on two pages."""
    pages_ = []
    for row in (first, second):
        one.unlink(missing_ok=True)
        filled(one, ["sales"])
        with closing(sqlite3.connect(one)) as connection, connection:
            connection.execute("UPDATE records SET payload = ?", (row,))
        content = one.read_bytes()
        pages_.append(next(content[at : at + PAGE] for at in range(PAGE, len(content), PAGE) if content[at] == 10))
    path.write_bytes(zeros(bytes(PAGE)) + pages_[0] + pages_[1])
    return path


def test_the_last_page_of_a_file_without_a_tree_is_read(path: Path) -> None:
    first, second = (encode(a_record(name)) for name in ("sales", "sales"))
    with PageFile(two_versions(path.with_name("old.db"), path, first, second)) as file:
        assert [record.session for record in records(file)] == ["sales"]


@pytest.mark.parametrize(("what", "at", "override", "fields", "stays"), [
    ("forgotten", 0, False, {}, False), ("forgotten", 5, False, {"known_at": NOW + 9}, False),
    ("forgotten", -1, False, {}, True), ("forgotten", 1, True, {}, False),
    ("released", 0, True, {}, True), ("released", 1, True, {}, False), ("released", 2, True, {}, False),
    ("released", 9, False, {}, True),
    ("started", 9, True, {}, True), ("started", 9, False, {}, False),
    ("started", 9, False, {"released_at": NOW + 9}, True), ("started", 9, False, {"released_at": NOW + 8}, False),
])  # fmt: skip
def test_a_row_that_the_newest_change_contradicts_is_dropped(
    path: Path, what: str, at: float, override: bool, fields: dict[str, float], stays: bool
) -> None:
    record = overridden("sales") if override else a_record("sales", **fields)  # the override began at NOW + 1
    database, _ = Database.open(path, NOW)
    changes = [
        a_change("sales", at=NOW - 50),
        a_change("sales", at=NOW + at, what=what),
        a_change("other", at=NOW + 99),
    ]
    database.write({"sales": record}, [Entry(change) for change in changes])
    database.close()
    with closing(sqlite3.connect(path)) as connection, connection:  # a number that no row can have counts for nothing
        row = (2**52, "sales", NOW, encode(a_change("sales", at=NOW + 50, what="forgotten")))
        connection.execute("INSERT INTO history VALUES (?, ?, ?, ?)", row)
    with PageFile(path) as file:
        assert records(file) == [record]  # the tree leads to it
    broken_tree(path)
    with PageFile(path) as file:
        assert records(file) == ([record] if stays else [])


@pytest.mark.parametrize("order", [1, -1])
def test_the_change_with_the_highest_number_is_the_newest_wherever_it_stands(path: Path, order: int) -> None:
    state = a_row(b"sales", encode(a_record("sales")).encode())
    told = [
        a_row(None, b"sales", 1, encode(change).encode())
        for change in (a_change("sales", at=NOW - 1), a_change("sales", at=NOW, what="forgotten"))
    ]
    history_ = [a_page(13, [table_cell(number, each)], size=PAGE) for number, each in enumerate(told, 1)]
    path.write_bytes(b"".join([bytes(PAGE), a_page(10, [varint(len(state)) + state], size=PAGE), *history_[::order]]))
    with PageFile(path) as file:
        assert [each.change.what for each in history(file, 3, 2)] == ["started", "forgotten"][::order]
        assert records(file) == []
    path.write_bytes(path.read_bytes()[: 2 * PAGE])
    with PageFile(path) as file:
        assert records(file) == [a_record("sales")]


def test_a_row_whose_key_names_another_session_is_not_taken(path: Path) -> None:
    filled(path, ["sales", "support"])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET payload = ? WHERE session = 'sales'", (encode(a_record("billing")),))
    assert readable(path).sessions == {"support"}


@pytest.mark.slow
def test_of_the_spool_each_row_is_saved_that_no_damaged_page_is_part_of(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    ops = [kept(f"e{number:02}", bytes([number]) * (number * 300)) for number in range(30)]
    database.write({}, [], {op.id: op for op in [*ops, kept("filed", Path("part"))]})
    database.close()
    whole = path.read_bytes()
    every = {op.id: (op.entry, *op.content) for op in ops} | {
        "filed": (an_entry("filed", filed=True), b"POST /filed HTTP/1.1\r\n", None)
    }
    least = len(every)
    for number in range(1, pages(path) + 1):
        path.write_bytes(whole)
        damage_page(path, number, flipped)
        with PageFile(path) as file:
            found = {row.entry.id: tuple(row) for row in spooled(file)}
        least = min(least, len(found))
        assert all(row[0] == every[id_][0] for id_, row in found.items()), number
    assert least > 10
    path.write_bytes(whole)
    with PageFile(path) as file:
        assert {row.entry.id: tuple(row) for row in spooled(file)} == every


def test_the_outbox_is_saved_whole_or_not_at_all(path: Path) -> None:
    database, _ = Database.open(path, NOW)
    documents = {version: OutboxDocument(version, bytes([version]) * 9000) for version in (1, 2)}
    for document in documents.values():
        database.write({}, [], outbox=document)
    with PageFile(path) as file:  # what only the log has is found, too
        assert outbox(file) == documents[2]
    database.close()
    whole = path.read_bytes()
    found = []
    for number in range(1, pages(path) + 1):
        path.write_bytes(whole)
        damage_page(path, number, flipped)
        with PageFile(path) as file:
            found.append(outbox(file))
    assert set(found) == {documents[2], OutboxDocument(0, b"")}
    assert found.count(documents[2]) > 5
