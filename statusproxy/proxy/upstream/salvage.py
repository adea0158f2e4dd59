"""The answer that lies in the kernel behind a write that failed.

A gateway that refuses an upload answers and closes, and what it left unread makes that a reset, which the write of the
next piece meets before the answer is read.
"""

import asyncio
import os
from typing import Final

#: Bytes read at once.
_AT_ONCE: Final = 64 * 1024


def unread(transport: asyncio.BaseTransport) -> bytes:
    """What the kernel still holds for a connection that is lost, at most its buffer; nothing where it is encrypted."""
    if transport.get_extra_info("sslcontext") is not None:
        return b""
    descriptor = transport.get_extra_info("socket").fileno()
    pieces: list[bytes] = []
    try:
        while data := os.read(descriptor, _AT_ONCE):
            pieces.append(data)
    except OSError:
        pass  # nothing (more) is there
    return b"".join(pieces)
