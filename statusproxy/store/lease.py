"""The lease on the state file: one process may write it, by kernel locks that end with the process.

Two locks, because each can be undermined by deleting a file: one on a lock file beside the database, which also stands
while the database is being replaced, and one on the database file itself, which a deleted lock file does not end.
Both are flock(2), which SQLite does not use: reading the database with the `sqlite3` shell, or backing it up, stays
possible while the proxy runs.
"""

import errno
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from statusproxy.store.errors import StoreInUseError
from statusproxy.store.file_lock import lock_file
from statusproxy.store.files import FILE_MODE

__all__ = ["Lease"]

_LOCK_ENDING: Final = ".lock"

# The errors of file systems that cannot lock at all, or not a file that SQLite has locked (NFS turns one kind of lock
# into the other). The lock file alone has to be enough then.
_CANNOT_LOCK: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EINVAL, errno.EBADF})


class Lease:
    """The right to write one database. Take it, then `hold` the database file whenever that is a new one."""

    def __init__(self, database: Path, handle: int) -> None:
        self._database = database
        self._path = Path(f"{database}{_LOCK_ENDING}")
        self._handle = handle
        self._held: int | None = None

    @classmethod
    def take(cls, database: Path, wait: float) -> "Lease":
        """Take the locks, waiting at most `wait` seconds (blocking) for a process that is about to leave.

        Raises `StoreInUseError` if another process keeps them, `OSError` if the lock file cannot be had.
        """
        deadline = time.monotonic() + wait
        lease = cls(database, _take(Path(f"{database}{_LOCK_ENDING}"), database, deadline))
        try:
            lease.hold(deadline - time.monotonic())
        except BaseException:
            lease.release()
            raise
        lease._sign()
        return lease

    def hold(self, wait: float = 0.0) -> None:
        """Lock the database file that is there now, if there is one. No connection to an earlier one may be open.

        Raises `StoreInUseError` if another process keeps it.
        """
        deadline = time.monotonic() + wait
        # Looked at by name: opening and closing the file would end SQLite's own locks on it.
        if self._held is not None and not _replaced(self._held, self._database):
            return
        try:
            handle = os.open(self._database, os.O_RDONLY)
        except OSError:
            return  # not there yet, or not for us to read: opening it will say so
        try:
            _lock(handle, self._database, deadline)
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                os.close(handle)
                raise
        except BaseException:
            os.close(handle)
            raise
        if self._held is not None:
            os.close(self._held)
        self._held = handle

    def renew(self) -> bool:
        """Create the lock file again if it was deleted or replaced; False if another process has locked the new one.

        That process cannot write as long as the database file is held here.
        """
        if not _replaced(self._handle, self._path):
            return True
        try:
            handle = _take(self._path, self._database, 0.0)
        except (StoreInUseError, OSError):
            return False
        os.close(self._handle)
        self._handle = handle
        self._sign()
        return True

    def lost(self) -> bool:
        """Whether the lock file was deleted or replaced."""
        return _replaced(self._handle, self._path)

    def release(self) -> None:
        """Release the locks, after the database was closed. The lock file stays: its successor could be locked too."""
        if self._held is not None:
            os.close(self._held)
        os.close(self._handle)

    def _sign(self) -> None:
        with suppress(OSError):  # a courtesy for the message of the one who comes second; the disk may be full
            os.fchmod(self._handle, FILE_MODE)
            os.ftruncate(self._handle, os.pwrite(self._handle, b"%d\n" % os.getpid(), 0))


def _take(path: Path, database: Path, deadline: float) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            _lock(handle, database, deadline)
        except BaseException:
            os.close(handle)
            raise
        if not _replaced(handle, path):
            return handle
        os.close(handle)  # its file was deleted between opening and locking it


def _lock(handle: int, database: Path, deadline: float) -> None:
    if not lock_file(handle, deadline - time.monotonic()):
        raise _in_use(database)


def _in_use(database: Path) -> StoreInUseError:
    holder = ""
    with suppress(OSError):
        holder = Path(f"{database}{_LOCK_ENDING}").read_text("ascii", "replace").strip()
    return StoreInUseError(
        f"in use: {database} is held by another statusproxy"
        + (f" (process {holder})" if holder.isdigit() else "")
        + "; two writers would overwrite each other's sessions: stop that one, or give this one a state.url of its own"
    )


def _replaced(handle: int, path: Path) -> bool:
    try:
        return not _same(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return True


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
