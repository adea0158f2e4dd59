"""Replaces a database by another, so that a crash at any moment loses neither.

A database is two files, itself and its `-wal`, and nothing in a log says which database it belongs to: an old log would
damage a new database beside it. So the replacement is made ready under a name of its own (`….next`), and from then on
it is valid: a process that finds that name finishes the work. Before that, the old database gets a second name
(`….unreadable-<time>`) by hard links, so that it is never without a name. A directory of the spool's bodies can be
replaced together with its database.
"""

import errno
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from statusproxy.store.files import COMPANIONS, FILE_MODE, make_directory, sync_directory
from statusproxy.store.spool_files import spool_folder

__all__ = [
    "finish_replacement", "keep_aside", "keep_folder_aside", "replace_database", "sync_file", "unused_name",
]  # fmt: skip

_NEXT: Final = ".next"
_FAMILY: Final = ("", *COMPANIONS)

# File systems without hard links say one of these.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EXDEV})


def unused_name(path: Path, word: str, at: float) -> Path:
    """A name for what `path` and its companions hold, with the time (UTC), that nothing has yet."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    name = f"{path}.{word}-{stamp}"
    target, number = name, 1
    while any(os.path.lexists(target + ending) for ending in _FAMILY):
        number += 1
        target = f"{name}.{number}"
    return Path(target)


def keep_aside(path: Path, target: Path) -> None:
    """Give a database and its log a second name. Nothing is overwritten; what is not there is passed over.

    Raises `OSError`; then the first names are as they were, and there are no second ones.
    """
    made: list[str] = []
    try:
        for ending in _FAMILY:
            with suppress(FileNotFoundError):
                _link(f"{path}{ending}", f"{target}{ending}")
                made.append(f"{target}{ending}")
        sync_directory(path.parent)
    except BaseException:
        for name in made:  # copies, on a file system without links, would fill it a little more with each attempt
            os.unlink(name)
        raise


def keep_folder_aside(path: Path, target: Path) -> None:
    """Give the files of the spool's directory beside `path` second names in a directory beside `target`.

    Where there are none, nothing is made. Raises `OSError`.
    """
    files = _files(spool_folder(path))
    if not files:
        return
    copy = spool_folder(target)
    make_directory(copy)
    for file in files:
        _link(file, str(copy / os.path.basename(file)))
    sync_directory(copy)


def replace_database(path: Path, ready: Path, aside: Path | None, *, with_spool: bool = False) -> None:
    """Put the database `ready`, one closed file in the same directory, in the place of `path`.

    What stood there is kept as `aside`; None where it need not be kept. `with_spool`: the spool's directory beside
    `ready`, which is there, takes the place of that beside `path` as well. Raises `OSError`.
    """
    sync_file(ready)
    if path.is_dir() and aside is not None:
        os.rename(path, aside)
    elif aside is not None:
        keep_aside(path, aside)
    if with_spool:
        if aside is not None:
            keep_folder_aside(path, aside)
        sync_directory(spool_folder(ready))
        os.rename(spool_folder(ready), _next_folder(path))
    os.rename(ready, f"{path}{_NEXT}")
    sync_directory(path.parent)
    finish_replacement(path)


def finish_replacement(path: Path) -> bool:
    """Finish what `replace_database` began before a crash; False where there is nothing to finish."""
    folder = _next_folder(path)
    if not os.path.lexists(f"{path}{_NEXT}"):
        shutil.rmtree(folder, ignore_errors=True)  # the crash came before the database was ready
        return False
    for ending in COMPANIONS:
        Path(f"{path}{ending}").unlink(missing_ok=True)
    if folder.is_dir():
        if spool_folder(path).is_dir():
            shutil.rmtree(spool_folder(path))
        if _files(folder):
            os.rename(folder, spool_folder(path))
        else:
            folder.rmdir()
    sync_directory(path.parent)
    os.replace(f"{path}{_NEXT}", path)
    sync_directory(path.parent)
    return True


def sync_file(path: Path) -> None:
    """Sync a file, so that its bytes are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _next_folder(path: Path) -> Path:
    return spool_folder(Path(f"{path}{_NEXT}"))


def _files(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [entry.path for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False)]
    return []


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with open(source, "rb") as old, open(target, "xb", opener=_private) as new:
            try:
                shutil.copyfileobj(old, new)
                new.flush()
            except OSError:
                os.unlink(target)
                raise
        sync_file(Path(target))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)
