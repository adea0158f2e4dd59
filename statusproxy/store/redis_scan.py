"""Reads a hash of rows in Redis whole, some at a time; rows that cannot be read are moved to the key for such rows."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

from statusproxy.store.codec import RowError
from statusproxy.store.redis_link import Asks, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import set_aside

__all__ = ["scan"]

# At a time: a few milliseconds of the event loop, and of a server that serves others too.
_ROWS_READ: Final = 200

_Row = TypeVar("_Row")


async def scan(
    link: Asks,
    names: Names,
    key: str,
    read: Callable[[bytes, bytes], tuple[str, _Row]],
    stamp: str,
    now: float,
    rejected: list[bytes],
) -> AsyncIterator[dict[str, tuple[bytes, _Row]]]:
    """All rows of the hash `key`, some at a time, each as it stands and as it reads; one may come twice.

    `read` gives a row's name and value, or raises `RowError` or `UnicodeDecodeError`. Such a row is moved at the end,
    named by `now` (epoch seconds), `stamp` and its field; the field goes into `rejected`. Raises redis-py's errors.
    """
    moment = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))} {stamp}".encode()
    broken: list[tuple[bytes, bytes]] = []
    cursor: bytes | int = 0
    while cursor != b"0":
        (reply,) = await link.ask(("HSCAN", key, cursor, "COUNT", _ROWS_READ))
        raise_first([reply])
        cursor, flat = reply
        found: dict[str, tuple[bytes, _Row]] = {}
        for field, payload in zip(flat[::2], flat[1::2], strict=True):
            try:
                name, row = read(field, payload)
            except (RowError, UnicodeDecodeError):
                broken.append((field, payload))
            else:
                found[name] = payload, row
        yield found
    for field, payload in broken:
        if await set_aside(link, names, key, field, payload, moment + field):
            rejected.append(field)
