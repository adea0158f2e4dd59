"""The state file in the file system: its place, who may read it, who holds it, and how it is set aside.

Nothing here knows SQLite beyond the two companions of a database in WAL mode, `-wal` and `-shm`.
"""

import errno
import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from statusproxy.store.errors import StoreInUseError

__all__ = ["COMPANIONS", "FileLock", "create_private", "make_directory", "resolve", "set_aside", "sync_directory"]

COMPANIONS: Final = ("-wal", "-shm")
"""Endings of the files that belong to a database in WAL mode (https://www.sqlite.org/wal.html)."""

# Session ids can be names or phone numbers: nobody but the user that runs the proxy reads them.
_DIRECTORY_MODE: Final = 0o700
_FILE_MODE: Final = 0o600

_LOCK_ENDING: Final = ".lock"
_LOCK_POLL_SECONDS: Final = 0.05


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


def create_private(path: Path) -> bool:
    """Create an empty file for this user only, whatever the umask, and make its name last; False if it is there.

    The directory is synced too: without that, a power cut may leave synced data without a name.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
    except FileExistsError:
        return False
    try:
        os.fchmod(handle, _FILE_MODE)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_directory(path.parent)
    return True


def set_aside(path: Path, at: float) -> Path:
    """Rename a file, and what belongs to it, to a name with the time (UTC); returns the new name.

    Nothing is deleted and nothing is overwritten. The companions keep their endings behind the new name, so
    that SQLite finds them again when somebody opens the old database.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    name = f"{path}.unreadable-{stamp}"
    target, number = name, 1
    while any(os.path.lexists(target + ending) for ending in ("", *COMPANIONS)):
        number += 1
        target = f"{name}.{number}"
    for ending in ("", *COMPANIONS):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{ending}", target + ending)
    sync_directory(path.parent)
    return Path(target)


def sync_directory(directory: Path) -> None:
    """Have a directory's names on disk."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync a directory
            raise
    finally:
        os.close(handle)


class FileLock:
    """Who holds the database: a lock of the kernel's on a file beside it, gone with the process that took it.

    Beside it and not on it, and not SQLite's own exclusive mode either: reading the database with the
    `sqlite3` shell, or backing it up, stays possible while the proxy runs.
    """

    def __init__(self, handle: int, path: Path) -> None:
        self._handle = handle
        self._path = path

    @classmethod
    def take(cls, database: Path, wait: float) -> "FileLock":
        """Take the lock, waiting at most `wait` seconds (blocking) for one that is about to leave.

        Raises `StoreInUseError` if another process keeps it, `OSError` if the lock file cannot be had.
        """
        path = Path(f"{database}{_LOCK_ENDING}")
        deadline = time.monotonic() + wait
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lock = cls(handle, path)
                if not lock.lost():  # else: its file was deleted between opening and locking it
                    lock._sign()
                    return lock
                os.close(handle)
            except BlockingIOError:
                holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
                os.close(handle)
                if time.monotonic() >= deadline:
                    raise StoreInUseError(
                        f"in use: {database} is held by another statusproxy"
                        + (f" (process {holder})" if holder.isdigit() else "")
                        + "; two writers would overwrite each other's sessions: "
                        "stop that one, or give this one a state.url of its own"
                    ) from None
                time.sleep(_LOCK_POLL_SECONDS)
            except BaseException:
                os.close(handle)
                raise

    def lost(self) -> bool:
        """Whether the lock file was deleted or replaced, so that another process could take a lock too."""
        held = os.fstat(self._handle)
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return True
        return (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino)

    def release(self) -> None:
        """Let go. The file stays: deleting it would let two processes lock two different files."""
        os.close(self._handle)

    def _sign(self) -> None:
        with suppress(OSError):  # a courtesy for the message of the one who comes second; the disk may be full
            os.fchmod(self._handle, _FILE_MODE)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()}\n".encode("ascii"), 0)
