"""The spool's part of a backup: the files of large bodies that a copy of the database refers to."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from statusproxy.observe.counted import counted
from statusproxy.store.errors import StoreError
from statusproxy.store.files import FILE_MODE, sync_directory
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spool_table import SpoolTable

__all__ = ["copy_bodies", "expect_bodies", "leave_out", "published"]


def copy_bodies(copy: Path, source: Path, target: Path) -> int | None:
    """Copy the bodies of all entries of the database `copy` from one directory to a new one; give their bytes.

    An entry whose file is gone meanwhile was delivered since the copy was made: it is deleted from the copy. None where
    there is nothing to copy; then no directory is made. Raises `OSError` or `sqlite3.Error`.
    """
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.text_factory = bytes
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        table = SpoolTable(connection)
        ids = table.filed()
        if not ids:
            return None
        target.mkdir(0o700)
        size, gone = 0, []
        for id_ in ids:
            try:
                size += _copy(source / id_, target / id_)
            except FileNotFoundError:
                gone.append(id_)
        if gone:
            table.drop(gone)
    sync_directory(target)
    return size


def expect_bodies(copy: Path, source: Path) -> int:
    """The bytes of the large bodies that belong to the backup `source`, of which `copy` is a copy.

    Raises `StoreError` where some are missing; `sqlite3.Error` and `OSError`.
    """
    bodies = spool_folder(source)
    with closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = bytes
        files = [bodies / id_ for id_ in SpoolTable(connection).filed()]
    missing = sum(not file.is_file() for file in files)
    if missing:
        belonging = counted(missing, "event that belongs", "events that belong")
        raise StoreError(
            f"{bodies} lacks the bodies of {belonging} to {source}: "
            "put that directory beside the file, or leave all events out with --no-spool"
        )
    return sum(file.stat().st_size for file in files)


def leave_out(copy: Path) -> None:
    """Delete all entries from the database `copy`. Raises `sqlite3.Error`."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.text_factory = bytes
        connection.execute("PRAGMA secure_delete = ON").fetchall()
        SpoolTable(connection).clear()


@contextmanager
def published(ready: Path, target: Path, force: bool) -> Iterator[None]:
    """Put a directory, if there is one, in its place before the database is; away again where that is not done.

    With `force` one that is there goes. Raises `OSError`.
    """
    if force:
        shutil.rmtree(target, ignore_errors=True)
    there = ready.exists()
    if there:
        os.rename(ready, target)
    try:
        yield
    except OSError:
        if there:
            shutil.rmtree(target, ignore_errors=True)
        raise


def _copy(source: Path, target: Path) -> int:
    with open(source, "rb") as body, open(target, "xb", opener=_private) as copy:
        shutil.copyfileobj(body, copy)
        copy.flush()
        os.fsync(copy.fileno())
        return copy.tell()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)
