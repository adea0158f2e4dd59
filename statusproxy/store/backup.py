"""A copy of the state in an SQLite file, also while the proxy writes it: whole, checked, and for this user only."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from statusproxy.store.errors import StoreError, describe
from statusproxy.store.files import COMPANIONS, sync_directory
from statusproxy.store.replace import sync_file
from statusproxy.store.snapshot import Holdings, checked, copy_database
from statusproxy.store.spool_backup import copy_bodies, published
from statusproxy.store.spool_files import spool_folder

__all__ = ["back_up", "write_backup"]


def back_up(database: Path, target: Path, *, force: bool = False) -> Holdings:
    """Copy a state file to `target`, which appears only once it is whole; nothing is overwritten without `force`.

    Large bodies of the spool go to a directory beside it, as they lie beside the state (`spool_folder`). The proxy may
    run meanwhile; the copy does not block it. Raises `StoreError` with what to do.
    """
    target = Path(os.path.realpath(target))
    if not database.is_file():
        raise StoreError(f"there is no state in {database} yet: has statusproxy run with this configuration?")
    if target in {Path(f"{database}{ending}") for ending in ("", ".lock", ".next", ".spool", *COMPANIONS)}:
        raise StoreError(f"{target} is the state itself; name another file")

    def fill(part: Path) -> int:
        copy_database(database, part)
        return copy_bodies(part, spool_folder(database), spool_folder(part)) or 0

    return write_backup(target, fill, lambda error: _why(error, database, target), force=force)


def write_backup(
    target: Path, fill: Callable[[Path], int], why: Callable[[Exception], str], *, force: bool = False
) -> Holdings:
    """Write a backup to `target`, which appears only once it is whole; nothing is overwritten without `force`.

    `fill` makes the state file under the name it gets, with the bodies of its events beside that, and gives the
    bytes of these; `why` words what went wrong. Raises `StoreError`.
    """
    for there in (target, spool_folder(target)):
        if os.path.lexists(there) and not force:
            raise StoreError(f"{there} already exists; name another file, or overwrite it with --force")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        shutil.rmtree(spool_folder(part), ignore_errors=True)
        bodies = fill(part)
        holdings = checked(part)
        sync_file(part)
        with published(spool_folder(part), spool_folder(target), force):
            _publish(part, target, force)
    except FileExistsError as error:
        raise StoreError(f"{target} already exists; name another file, or overwrite it with --force") from error
    except (sqlite3.Error, OSError, StoreError) as error:
        raise StoreError(f"nothing was written to {target}: {why(error)}") from error
    finally:
        for ending in ("", "-journal", *COMPANIONS):
            with suppress(OSError):
                os.unlink(f"{part}{ending}")
        shutil.rmtree(spool_folder(part), ignore_errors=True)
    return holdings._replace(size=holdings.size + bodies)


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
