"""Recovers rows from a damaged state file: every row on every page that is undamaged.

SQLite gives up a table at the first page that it cannot read. Here each page is looked at for itself, and a row counts
if it is one of ours: it has the table's columns, and its JSON names the same session as its key.

The tree of pages is followed as far as possible. Where it is broken, pages that it does not lead to are used too. A
row from there may be an older state of its session. So a row that the tree leads to wins, then the newest one, and
a row that the session's own history contradicts is dropped: a false "disconnected" would destroy a working session.
"""

from collections.abc import Iterator, Set
from contextlib import suppress
from typing import Final, NamedTuple

from statusproxy.status.model import FORGOTTEN, RELEASED, Change, Record
from statusproxy.store import sqlite_page
from statusproxy.store.codec import RowError, decode_change, decode_record
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.outbox_table import NOTHING, document_of
from statusproxy.store.session_key import session_bytes
from statusproxy.store.spool_table import SpoolRow, read_entry
from statusproxy.store.sqlite_images import PageFile
from statusproxy.store.sqlite_page import Column

__all__ = ["HistoryRow", "highest_number", "history", "notices", "outbox", "records", "spooled"]

# Numbers of history rows beyond this are damage: at a change a microsecond it would take a century to get there.
_HIGHEST_NUMBER: Final = 2**52


class HistoryRow(NamedTuple):
    """A row of the history, as it stands in the table."""

    number: int
    change: Change


def records(file: PageFile) -> list[Record]:
    """The sessions that can be read, each once."""
    tree, whole = _tree_of_records(file)
    sure: dict[str, Record] = {}
    for number in tree:
        page, sound = file.newest(number)
        found = list(_sessions(file, page, number))
        whole = whole and sound and None not in found
        sure |= {record.session: record for record in found if record is not None}
    if whole:
        return list(sure.values())
    unsure = _unsure(file, sure.keys())
    newest = _newest_changes(file, frozenset(unsure)) if unsure else {}
    return [*sure.values(), *(each for each in unsure.values() if not _contradicts(newest.get(each.session), each))]


def history(file: PageFile, first: int, count: int) -> Iterator[HistoryRow]:
    """The rows of the history on `count` pages from page `first` on. A row may come twice, with the same number."""
    for number in range(first, min(first + count, file.pages + 1)):
        for page in file.versions(number):
            for rowid, values in file.table_rows(page, number):
                change = _change(values)
                if change is not None and 0 < rowid < _HIGHEST_NUMBER:
                    yield HistoryRow(rowid, change)


def highest_number(file: PageFile) -> int:
    """A number that no row of the history exceeds; 0 where nothing can be read."""
    highest = 0
    for number in range(1, file.pages + 1):
        for page in file.versions(number):
            for cell in sqlite_page.cells(page, number):
                if cell is not None and cell.rowid is not None and highest < cell.rowid < _HIGHEST_NUMBER:
                    highest = cell.rowid
    return highest


def notices(file: PageFile) -> list[bytes]:
    """The payloads of the table `damage`: notices of earlier damage."""
    found: dict[bytes, None] = {}
    for number in range(1, file.pages + 1):
        for _, values in file.table_rows(file.newest(number)[0], number):
            match values:
                case [None, bytes(payload)]:
                    found[payload] = None
    return list(found)


def spooled(file: PageFile) -> Iterator[SpoolRow]:
    """The spool's rows with their contents, one at a time, from any page but those of the free list.

    An entry may come again, when a page of its is damaged: first as it was last written, then as it was before.
    """
    free = file.free_pages()
    for number in range(1, file.pages + 1):
        for page in file.versions(number) if number not in free else ():
            for _, values in file.table_rows(page, number):
                match values:
                    case [bytes(id_), bytes(payload), bytes(head), bytes() | None as body]:
                        with suppress(RowError):
                            yield SpoolRow(read_entry(id_, payload), head, body)


def outbox(file: PageFile) -> OutboxDocument:
    """The newest document of alerts that is whole, from any page but those of the free list."""
    free = file.free_pages()
    newest = NOTHING
    for number in range(1, file.pages + 1):
        for page in file.versions(number) if number not in free else ():
            for _, values in file.table_rows(page, number):
                match values:
                    case [None, int(version), int(checksum), bytes(payload)]:
                        newest = max(newest, document_of(version, checksum, payload))
    return newest


def _tree_of_records(file: PageFile) -> tuple[list[int], bool]:
    """The pages of the table of sessions, and whether the tree leads to all of them."""
    root = _root_of_records(file)
    found: dict[int, None] = {}
    whole = root is not None
    waiting = [] if root is None else [root]
    while waiting:
        number = waiting.pop()
        inside = number not in found and 1 <= number <= file.pages
        page = file.newest(number)[0] if inside else b""
        if not inside or sqlite_page.kind(page, number) not in sqlite_page.INDEX_KINDS:
            whole = False
            continue
        found[number] = None
        waiting += sqlite_page.children(page, number)
    return list(found), whole


def _root_of_records(file: PageFile) -> int | None:
    """The table's first page, as `sqlite_schema` names it (type, name, table, page, statement)."""
    for _, values in file.table_rows(file.newest(1)[0], 1):
        match values:
            case [b"table", b"records", _, int(root), _]:
                return root
    return None


def _unsure(file: PageFile, known: Set[str]) -> dict[str, Record]:
    """The newest row of each session that is not `known`, from any page but those of the free list."""
    free = file.free_pages()
    found: dict[str, Record] = {}
    for number in range(1, file.pages + 1):
        for page in file.versions(number) if number not in free else ():
            for record in _sessions(file, page, number):
                if record is None or record.session in known:
                    continue
                other = found.get(record.session)
                if other is None or _age(other) < _age(record):
                    found[record.session] = record
    return found


def _sessions(file: PageFile, page: bytes, number: int) -> Iterator[Record | None]:
    """The sessions on a page of an index; None for each that cannot be read."""
    if page[0] not in sqlite_page.INDEX_KINDS:
        return
    for row in file.rows(page, number):
        yield None if row is None else _record(row[1])


def _record(values: list[Column]) -> Record | None:
    match values:
        case [bytes(session), bytes(payload)]:
            with suppress(RowError):
                record = decode_record(payload)
                if session_bytes(record.session) == session:
                    return record
    return None


def _change(values: list[Column]) -> Change | None:
    match values:
        case [None, bytes(session), float() | int(), bytes(payload)]:
            with suppress(RowError):
                change = decode_change(payload)
                if session_bytes(change.session) == session:
                    return change
    return None


def _newest_changes(file: PageFile, sessions: frozenset[str]) -> dict[str, Change]:
    """The newest change of each of these sessions; only those are decoded, which takes most of the time."""
    keys = {session_bytes(session) for session in sessions}
    newest: dict[bytes, tuple[int, list[Column]]] = {}
    for number in range(1, file.pages + 1):
        for page in file.versions(number):
            for rowid, values in file.table_rows(page, number):
                match values:
                    case [None, bytes(key), float() | int(), bytes()] if key in keys and rowid < _HIGHEST_NUMBER:
                        if key not in newest or newest[key][0] < rowid:
                            newest[key] = rowid, values
    changes = (_change(values) for _, values in newest.values())
    return {change.session: change for change in changes if change is not None}


def _contradicts(change: Change | None, record: Record) -> bool:
    """Whether a session's newest change happened after what the record says, and says otherwise."""
    if change is None:
        return False
    override = record.override
    if change.what == FORGOTTEN:
        return _age(record)[0] <= change.recorded_at
    if change.what == RELEASED:
        return override is not None and override.began <= change.recorded_at
    return override is None and (record.released_at or 0.0) < change.recorded_at


def _age(record: Record) -> tuple[float, float]:
    return max(record.heard_at, record.released_at or 0.0, record.gateway_said_at or 0.0), record.known_at
