"""A real state file with many sessions, and ways to damage it."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from statusproxy.store.backlog import Entry
from statusproxy.store.database import Database
from statusproxy.store.salvage import history, records
from statusproxy.store.sqlite_images import PageFile

from .samples import NOW, a_change, overridden

PAGE = 4096
SESSIONS = [f"session {number:03d}" for number in range(120)]

Damage = Callable[[bytes], bytes]


def flipped(page: bytes) -> bytes:
    """Every bit the other way round."""
    return bytes(byte ^ 0xFF for byte in page)


def noise(page: bytes) -> bytes:
    """Bytes that mean nothing."""
    return Random(len(page)).randbytes(len(page))


def zeros(page: bytes) -> bytes:
    """A page that was never written."""
    return bytes(len(page))


def filled(path: Path, sessions: list[str] = SESSIONS) -> None:
    """A closed state file: the sessions, each with two changes, written a few at a time."""
    database, _ = Database.open(path, NOW)
    for start in range(0, len(sessions), 10):
        some = sessions[start : start + 10]
        changes = [Entry(a_change(session, at=NOW + n)) for session in some for n in range(2)]
        database.write({session: overridden(session) for session in some}, changes)
    database.close()


def damage_page(path: Path, number: int, how: Damage) -> None:
    """Damage one page of a file, counted from 1."""
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        page = file.read(PAGE)
        file.seek((number - 1) * PAGE)
        file.write(how(page))


class Rows(NamedTuple):
    """What stands on one page: sessions, and numbers of history rows."""

    sessions: frozenset[str]
    changes: frozenset[int]


def rows_by_page(path: Path) -> dict[int, Rows]:
    """What stands on each page of a sound file."""
    found: dict[int, Rows] = defaultdict(lambda: Rows(frozenset(), frozenset()))
    with PageFile(path) as file:
        for number in range(1, file.pages + 1):
            page, _ = file.newest(number)
            rows = [row[1] for row in file.rows(page, number) if row is not None]
            pairs = [row for row in rows if len(row) == 2 and isinstance(row[1], bytes)]
            sessions = frozenset(str(row[0], "utf-8") for row in pairs if isinstance(row[0], bytes))
            found[number] = Rows(sessions, frozenset(row.number for row in history(file, number, 1)))
    return found


def pages(path: Path) -> int:
    """How many pages a file has."""
    return path.stat().st_size // PAGE


def readable(path: Path) -> Rows:
    """What can be read of a file, whatever its state."""
    with PageFile(path) as file:
        sessions = [record.session for record in records(file)]
        assert len(sessions) == len(set(sessions))
        return Rows(frozenset(sessions), frozenset(row.number for row in history(file, 1, file.pages)))


def numbers(path: Path) -> frozenset[int]:
    """The numbers of the history's rows, as SQLite tells them."""
    with closing(sqlite3.connect(path)) as connection:
        return frozenset(row[0] for row in connection.execute("SELECT id FROM history"))
