"""Large bodies of the spool on their way to Redis and back: in pieces, so that memory stays flat.

Neither the event loop nor the server, which serves others too, is held by one for long.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final, TypeVar
from zlib import crc32

from statusproxy.store.errors import StoreError, describe
from statusproxy.store.redis_link import Asks, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.spooled import Body

__all__ = ["SMALL", "BodyGoneError", "download", "is_large", "upload"]

#: Bytes of a body that goes with its entry, in one command.
SMALL: Final = 256 * 1024

#: Bytes of one command.
_PIECE: Final = 256 * 1024

#: Seconds after which the server deletes what was not taken over by a commit.
_EXPIRES: Final = 600


_T = TypeVar("_T")


class BodyGoneError(StoreError):
    """The file of a body is not there any more."""


def is_large(body: Body) -> bool:
    """Whether a body is uploaded before its entry is written."""
    return isinstance(body, Path) or len(body) > SMALL


async def upload(link: Asks, names: Names, id_: str, body: Body) -> int:
    """Put a body on the server, for a commit to take over; give its bytes.

    What an earlier attempt brought there whole is left there. Raises `StoreError`, `BodyGoneError` among them, and
    redis-py's errors.
    """
    key = names.upload(id_)
    file, size = await _in_thread(body, lambda: _opened(body))
    try:
        replies = await link.ask(("EXPIRE", key, _EXPIRES), ("STRLEN", key), ("EXISTS", names.body(id_)))
        raise_first(replies)
        there, length, committed = replies
        if committed or (there and length == size):
            return size
        raise_first(await link.ask(("SET", key, b"", "EX", _EXPIRES)))
        done = 0
        while piece := await _in_thread(body, lambda: file.read(_PIECE)):
            (length,) = await link.ask(("APPEND", key, piece))
            raise_first([length])
            done += len(piece)
            if length != done:
                raise StoreError(f"the body of the spool's event {id_} did not stay on the server")
        if done != size:
            raise StoreError(f"the body of the spool's event {id_} changed on its way")
        return size
    finally:
        file.close()


async def download(link: Asks, key: str, folder: Path) -> tuple[Path, int] | None:
    """Write what a key holds to a new file in `folder`, for this user only; also its CRC-32.

    None where nothing is there, or no longer. Raises `StoreError`, and redis-py's errors.
    """
    there, size = await link.ask(("EXISTS", key), ("STRLEN", key))
    raise_first([there, size])
    if not there:
        return None
    path, file = await _in_thread(folder, lambda: _new(folder))
    done = sum_ = 0
    whole = False
    try:
        while done < size:
            (piece,) = await link.ask(("GETRANGE", key, done, done + _PIECE - 1))
            raise_first([piece])
            if not piece:
                break
            sum_ = crc32(piece, sum_)
            await _write(path, file, piece)
            done += len(piece)
        whole = done == size
    finally:
        os.close(file)
        if not whole:
            await asyncio.to_thread(path.unlink, missing_ok=True)
    return (path, sum_) if whole else None


def _opened(body: Body) -> tuple[BufferedReader | BytesIO, int]:
    if isinstance(body, bytes):
        return BytesIO(body), len(body)
    file = open(body, "rb", opener=_no_link)  # noqa: SIM115 - the caller closes it
    return file, os.fstat(file.fileno()).st_size


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def _new(folder: Path) -> tuple[Path, int]:
    file, name = tempfile.mkstemp(prefix="out-", dir=folder)
    return Path(name), file


async def _write(path: Path, file: int, piece: bytes) -> None:
    def write() -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(file, rest) :]

    await _in_thread(path, write)


async def _in_thread(body: Body, call: Callable[[], _T]) -> _T:
    """Work with a file. An error names the file, so that it is not treated as an error of the network."""
    try:
        return await asyncio.to_thread(call)
    except OSError as error:
        assert isinstance(body, Path)
        kind = BodyGoneError if isinstance(error, FileNotFoundError) else StoreError
        raise kind(describe(error, body)) from error
