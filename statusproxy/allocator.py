"""How the C library keeps memory that was freed: enough of it for the next long list.

glibc gives large freed blocks back to the kernel at once, and the next block of that size is fetched page by page: 0.25
µs for each page of 4 KiB. By its own rule the limits move with what is freed, so that the same program does this always
or never. A list of 10 000 channels (1.8 MB, read in pieces of 256 KB) took 100 to 400 page faults each time, half of
its processor time.
"""

from collections.abc import Mapping
from typing import Final

#: A block of so many bytes or more comes from the kernel, and goes back to it when it is freed.
LARGE: Final = 4 * 1024 * 1024

#: Bytes at the end of the heap that stay when they are freed.
KEPT: Final = 4 * 1024 * 1024

#: The parameters' numbers in glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

#: What an operator sets to decide it: glibc reads these at the start of the process.
_DECIDED: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory(environment: Mapping[str, str]) -> bool:
    """Fix both limits for this process; whether that was done.

    Not where the environment sets them, and not with a C library that has no such limits, or a Python without
    `ctypes`.
    """
    if any(name in environment for name in _DECIDED):
        return False
    try:
        import ctypes  # some builds of Python have none, and do without this

        mallopt = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError, MemoryError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, LARGE) and mallopt(_M_TRIM_THRESHOLD, KEPT))
