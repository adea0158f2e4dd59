"""The state file in the file system: its place, and who may read it.

Nothing here knows SQLite beyond the two companions of a database in WAL mode, `-wal` and `-shm`.
"""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = [
    "COMPANIONS", "FILE_MODE", "create_private", "file_size", "make_directory", "resolve", "seal", "sync_directory",
]  # fmt: skip

COMPANIONS: Final = ("-wal", "-shm")
"""Endings of the files that belong to a database in WAL mode (https://www.sqlite.org/wal.html)."""

# Session ids can be names or phone numbers: no one but the user that runs the proxy reads them.
_DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
"""Of each file that holds state."""


def resolve(path: str, environ: Mapping[str, str]) -> Path:
    """An absolute path: a relative one lies in systemd's state directory, else in the working directory.

    `STATE_DIRECTORY` may name several directories, separated by colons (systemd.exec(5)): the first serves.
    """
    base = environ.get("STATE_DIRECTORY", "").split(":")[0] or "."
    # Links are followed, since SQLite puts `-wal` beside the real file: the lock has to be there too.
    return Path(os.path.realpath(os.path.join(base, path)))


def make_directory(directory: Path) -> None:
    """Create a directory and its missing parents for this user only, whatever the umask, and make it last.

    A directory that is there keeps its rights: they are the operator's.
    """
    if directory.is_dir():
        return
    make_directory(directory.parent)
    try:
        directory.mkdir(_DIRECTORY_MODE)
    except FileExistsError:
        if directory.is_dir():  # another process was quicker
            return
        raise
    directory.chmod(_DIRECTORY_MODE)
    sync_directory(directory.parent)


def file_size(path: Path) -> int:
    """The bytes of a file; 0 if it is missing."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def create_private(path: Path) -> bool:
    """Create an empty file for this user only, whatever the umask, and make its name last; False if it is there.

    The directory is synced too: without that, a power cut may leave synced data without a name.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
    except FileExistsError:
        return False
    seal(handle)
    sync_directory(path.parent)
    return True


def seal(handle: int) -> None:
    """Have an open file for this user only, whatever the umask, and on disk; close it."""
    try:
        os.fchmod(handle, FILE_MODE)
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_directory(directory: Path) -> None:
    """Sync a directory, so that its files' names are on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync a directory
            raise
    finally:
        os.close(handle)
