"""Kernel locks on files (flock(2)), which end with the process that holds them."""

import fcntl
import time
from typing import Final

__all__ = ["lock_file"]

_POLL_SECONDS: Final = 0.05


def lock_file(handle: int, wait: float) -> bool:
    """Lock an open file for this process alone, waiting (blocking) at most `wait` seconds; False if another has it.

    Raises `OSError` where the file system cannot lock.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True
