"""A copy of the SQLite state, also while the proxy writes it: whole, checked, and for this user only."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from statusproxy.store.codec import RowError, decode_record
from statusproxy.store.database import APPLICATION_ID
from statusproxy.store.errors import StoreError, check_words, describe
from statusproxy.store.files import COMPANIONS, create_private, sync_directory
from statusproxy.store.replace import sync_file
from statusproxy.store.spool_backup import copy_bodies, published
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spool_table import SpoolTable

__all__ = ["Backup", "back_up"]

# A proxy that starts or stops while its files are looked at makes a copy fail once, not for ever.
_ATTEMPTS: Final = 3


class Backup(NamedTuple):
    """What a copy holds."""

    sessions: int
    changes: int
    size: int
    """Bytes."""
    spooled: int = 0
    """Entries of the spool."""


def back_up(database: Path, target: Path, *, force: bool = False) -> Backup:
    """Copy a state file to `target`, which appears only once it is whole; nothing is overwritten without `force`.

    Large bodies of the spool go to a directory beside it, as they lie beside the state (`spool_folder`). The proxy may
    run meanwhile, and is not held up. Raises `StoreError` with what to do.
    """
    target = Path(os.path.realpath(target))
    if not database.is_file():
        raise StoreError(f"there is no state in {database} yet: has statusproxy run with this configuration?")
    if target in {Path(f"{database}{ending}") for ending in ("", ".lock", ".next", ".spool", *COMPANIONS)}:
        raise StoreError(f"{target} is the state itself; name another file")
    for there in (target, spool_folder(target)):
        if os.path.lexists(there) and not force:
            raise StoreError(f"{there} is there already; name another file, or overwrite it with --force")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        shutil.rmtree(spool_folder(part), ignore_errors=True)
        _copy(database, part)
        bodies = copy_bodies(part, spool_folder(database), spool_folder(part))
        backup = _verified(part)
        sync_file(part)
        with published(spool_folder(part), spool_folder(target), force):
            _publish(part, target, force)
    except FileExistsError as error:
        raise StoreError(f"{target} is there already; name another file, or overwrite it with --force") from error
    except (sqlite3.Error, OSError, StoreError) as error:
        raise StoreError(f"nothing was written to {target}: {_why(error, database, target)}") from error
    finally:
        for ending in ("", "-journal", *COMPANIONS):
            with suppress(OSError):
                os.unlink(f"{part}{ending}")
        shutil.rmtree(spool_folder(part), ignore_errors=True)
    return backup._replace(size=backup.size + (bodies or 0))


def _copy(database: Path, part: Path) -> None:
    for attempt in range(_ATTEMPTS):
        create_private(part)
        before = _state(database)
        # Without a log nobody has it open, and `immutable` needs no companions, which we may not be able to make.
        still = not os.path.exists(f"{database}-wal")
        uri = f"file:{quote(str(database))}?mode=ro" + ("&immutable=1" if still else "")
        try:
            with closing(sqlite3.connect(uri, uri=True)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                # One file that can be read anywhere: in WAL mode reading needs a directory that can be written.
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()
        except sqlite3.Error:
            if attempt + 1 == _ATTEMPTS or not still:
                raise
        else:
            if not still or (_state(database) == before and not os.path.exists(f"{database}-wal")):
                return
        part.unlink(missing_ok=True)
    raise StoreError(f"{database} was started to be written again and again meanwhile; try again")


def _state(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _verified(part: Path) -> Backup:
    with closing(sqlite3.connect(f"file:{quote(str(part))}?mode=ro&immutable=1", uri=True)) as copy:
        copy.text_factory = bytes
        answer = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if answer != b"ok":
            raise sqlite3.DatabaseError(check_words(answer))
        if copy.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise sqlite3.DatabaseError("it is not a database of statusproxy")
        sessions = 0
        for (payload,) in copy.execute("SELECT payload FROM records"):
            try:
                decode_record(payload)
            except RowError as error:
                raise sqlite3.DatabaseError("the row of a session cannot be read") from error
            sessions += 1
        changes = int(copy.execute("SELECT count(*) FROM history").fetchone()[0])
        spooled = SpoolTable(copy).count()
    return Backup(sessions, changes, part.stat().st_size, spooled)


def _publish(part: Path, target: Path, force: bool) -> None:
    if force:
        os.replace(part, target)
    else:
        try:
            os.link(part, target)  # unlike a renaming, this never overwrites
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(target):
                raise FileExistsError(target) from None
            os.rename(part, target)
    sync_directory(target.parent)


def _why(error: Exception, database: Path, target: Path) -> str:
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return (
            f"{database} is damaged ({error}); restart statusproxy, which saves what can be read and keeps the "
            "damaged file, and try again"
        )
    if isinstance(error, PermissionError):
        return f"{error.strerror}: {error.filename}; run this as root, or as the user that runs statusproxy"
    return describe(error, database if isinstance(error, sqlite3.Error) else target)
