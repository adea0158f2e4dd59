"""Reads an answer from the kernel's receive buffer after a write has failed.

A gateway that refuses an upload answers and closes. What it left unread turns the close into a reset, and the write of
the next piece fails on that before the answer is read.
"""

import asyncio
import os
from typing import Final

#: Bytes read at once.
_AT_ONCE: Final = 64 * 1024


def unread(transport: asyncio.BaseTransport) -> bytes:
    """What the kernel still holds for a lost connection, at most its buffer; nothing if it is encrypted."""
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
