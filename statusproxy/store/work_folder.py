"""A directory for one process's passing files, which goes with it; what killed processes left goes at the next start.

Synchronous. A kernel lock on the directory tells that its process lives.
"""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from statusproxy.store.file_lock import lock_file
from statusproxy.store.files import make_directory

__all__ = ["WorkFolder"]

_PREFIX: Final = "statusproxy-spool-"


class WorkFolder:
    """One such directory, for this user only."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def make(cls, base: Path) -> "WorkFolder":
        """Make one in the directory `base`, after what processes that are no more left there. Raises `OSError`."""
        make_directory(base)
        _sweep(base)
        while True:
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
            with suppress(FileNotFoundError):  # another process swept it before it was locked
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                if _is_ours(path, lock):
                    return cls(path, lock)
                os.close(lock)

    def remove(self) -> None:
        """Remove it with all files in it; what cannot be removed now goes at the next start."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _is_ours(path: Path, lock: int) -> bool:
    try:
        if not lock_file(lock, 0.0):
            return False
    except OSError:  # a file system without locks: no one sweeps there
        return True
    try:
        return os.stat(path).st_ino == os.fstat(lock).st_ino
    except FileNotFoundError:
        return False


def _sweep(base: Path) -> None:
    with os.scandir(base) as found:
        left = [
            entry.path
            for entry in found
            if entry.name.startswith(_PREFIX)
            and entry.is_dir(follow_symlinks=False)
            and entry.stat(follow_symlinks=False).st_uid == os.geteuid()
        ]
    for path in left:
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if lock_file(lock, 0.0):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
