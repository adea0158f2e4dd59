"""Replaces the SQLite state by a backup, while no process uses the state.

What is restored is made ready and checked beside the state, and then takes its place at one stroke: after a crash at
any moment the state is the old one or the new one, each with its spool. What stood there is kept under another name.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from statusproxy.store.database import APPLICATION_ID, SCHEMA
from statusproxy.store.errors import StoreError, StoreInUseError, describe, is_unusable, primary_code
from statusproxy.store.files import COMPANIONS, make_directory
from statusproxy.store.lease import Lease
from statusproxy.store.replace import finish_replacement, replace_database, unused_name
from statusproxy.store.snapshot import Holdings, checked, copy_database
from statusproxy.store.spool_backup import copy_bodies, expect_bodies, leave_out
from statusproxy.store.spool_files import spool_folder

__all__ = ["Restored", "judge", "restore"]

_READY: Final = ".restoring"


class Restored(NamedTuple):
    """What was restored."""

    holdings: Holdings
    kept: Path | None
    """Where the state before lies now; None where there was none."""


def restore(
    source: Path, database: Path, *, force: bool = False, spool: bool = True, clock: Callable[[], float] = time.time
) -> Restored:
    """Put the backup `source` in the place of a state file; one that is there is replaced only with `force`.

    `spool` False leaves out the events that waited. Raises `StoreError` with what to do; then the state is as it was.
    """
    source = Path(os.path.realpath(source))
    if source in {Path(f"{database}{ending}") for ending in ("", ".lock", ".next", _READY, *COMPANIONS)}:
        raise StoreError(f"{source} is the state itself; name a backup")
    judge(source)
    if database.is_dir():
        raise StoreError(f"{database} is a directory")
    try:
        make_directory(database.parent)
        new = not os.path.lexists(f"{database}.lock")
        lease = Lease.take(database, 0.0)
    except StoreInUseError as error:
        raise StoreError(f"a statusproxy runs on {database}: stop it first ({error})") from error
    except OSError as error:
        raise StoreError(_why(error, database)) from error
    try:
        owner = _owner(database)
        if new:
            _own(owner, Path(f"{database}.lock"))
        finish_replacement(database)
        lease.hold()
        there = _is_there(database)
        if there and not force:
            raise StoreError(
                f"there is already a state in {database}; to replace it, use --force: the old one is kept beside it"
            )
        aside = unused_name(database, "before-restore", clock()) if there else None
        return Restored(_replace(source, database, aside, owner, spool=spool), aside)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(_why(error, database)) from error
    finally:
        lease.release()


def judge(source: Path) -> None:
    """Raise `StoreError` unless a file is a state of statusproxy that this version understands."""
    try:
        with source.open("rb"):
            pass
        settled = not os.path.exists(f"{source}-wal")
        uri = f"file:{quote(str(source))}?mode=ro" + ("&immutable=1" if settled else "")
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error.strerror}") from error
    except sqlite3.Error as error:
        if primary_code(error) == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"{source} is not a backup of statusproxy") from error
        raise StoreError(_damaged(source, error) if is_unusable(error) else describe(error, source)) from error
    if owner != APPLICATION_ID:
        raise StoreError(f"{source} is not a backup of statusproxy")
    if version > SCHEMA:
        raise StoreError(
            f"{source} was made by a newer statusproxy (schema {version}, this one knows {SCHEMA}); install that one"
        )


def _replace(source: Path, database: Path, aside: Path | None, owner: tuple[int, int], *, spool: bool) -> Holdings:
    ready = Path(f"{database}{_READY}")
    _clear(ready)
    try:
        try:
            copy_database(source, ready)
            bodies = _take_spool(source, ready, spool)
            holdings = checked(ready)
        except sqlite3.DatabaseError as error:
            if is_unusable(error) or not isinstance(error, sqlite3.OperationalError):
                raise StoreError(_damaged(source, error)) from error
            raise
        spool_folder(ready).mkdir(0o700, exist_ok=True)  # an empty one takes the place of another, too
        _own(owner, ready, spool_folder(ready), *spool_folder(ready).iterdir())
        replace_database(database, ready, aside, with_spool=True)
    finally:
        _clear(ready)
    return holdings._replace(size=holdings.size + (bodies or 0))


def _take_spool(source: Path, ready: Path, wanted: bool) -> int | None:
    if not wanted:
        leave_out(ready)
        return None
    expect_bodies(ready, source)
    return copy_bodies(ready, spool_folder(source), spool_folder(ready))


def _is_there(database: Path) -> bool:
    folder = spool_folder(database)
    return any(os.path.lexists(f"{database}{ending}") for ending in ("", *COMPANIONS)) or (
        folder.is_dir() and any(folder.iterdir())
    )


def _clear(ready: Path) -> None:
    """Remove what was being made ready, also by an attempt that was killed."""
    for ending in ("", "-journal", *COMPANIONS):
        with suppress(OSError):
            os.unlink(f"{ready}{ending}")
    shutil.rmtree(spool_folder(ready), ignore_errors=True)


def _owner(database: Path) -> tuple[int, int]:
    """The user and group that must own what is restored: those of the state, or of its directory if it is missing."""
    found = os.stat(database if database.exists() else database.parent)
    return found.st_uid, found.st_gid


def _own(owner: tuple[int, int], *paths: Path) -> None:
    """Give files to the user that runs the proxy, where root restores them."""
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, *owner)


def _damaged(source: Path, error: sqlite3.Error) -> str:
    return f"{source} is damaged ({error}); restore another backup"


def _why(error: Exception, database: Path) -> str:
    if isinstance(error, PermissionError):
        return f"{error.strerror}: {error.filename}; run this as root, or as the user that runs statusproxy"
    return describe(error, database)
