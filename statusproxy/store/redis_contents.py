"""The contents of the spool's entries in Redis: read when an entry is sent; large ones by way of files."""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.store.codec import RowError
from statusproxy.store.errors import StoreError
from statusproxy.store.errors import describe as describe_file
from statusproxy.store.redis_bodies import download, is_large, upload
from statusproxy.store.redis_errors import describe
from statusproxy.store.redis_link import Asks, Link, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.spool_table import read_entry
from statusproxy.store.spooled import Content, Kept, Removed, SpoolOp
from statusproxy.store.work_folder import WorkFolder

__all__ = ["Found", "RedisContents"]

#: Seconds that a large body may take on its way.
_BODY_SECONDS: Final = 30.0


class Found(NamedTuple):
    """What the server has of an entry."""

    epoch: bytes | None
    """The epoch of the server's memory in which the entry was looked for."""
    there: bool
    """Whether there is such an entry."""
    content: Content | None
    """None if there is no content that can be sent."""


class RedisContents:
    """The way of contents to the server and back, and the directory of the files on this way."""

    def __init__(self, place: Place, link: Asks, base: Path | None, answer_limit: float, log: logging.Logger) -> None:
        """`link` is for short questions; the directory is made in `base` (None: where temporary files lie)."""
        self.uploaded: dict[str, int] = {}
        """The bytes of large bodies that are on the server and not taken over yet, by their entry's id."""
        self._place = place
        self._names = Names.of(place)
        self._link = link
        self._base = base or Path(tempfile.gettempdir())
        self._answer_limit = answer_limit
        self._log = log
        self._work: WorkFolder | None = None
        self._removing: set[asyncio.Future[None]] = set()

    @property
    def folder(self) -> Path:
        """Where the files of large bodies are made."""
        return self._base / "statusproxy-spool-none" if self._work is None else self._work.path

    async def open(self) -> None:
        """Make the directory."""
        try:
            self._work = await asyncio.to_thread(WorkFolder.make, self._base)
        except OSError as error:
            self._log.error("state: no event with a large body can be kept: %s", describe_file(error, self._base))

    async def close(self) -> None:
        """Remove the directory."""
        work, self._work = self._work, None
        if self._removing:
            await asyncio.wait(self._removing)
        if work is not None:
            await asyncio.to_thread(work.remove)

    async def stage(self, ops: Sequence[SpoolOp]) -> None:
        """Upload the large bodies of new entries. Raises `StoreError`; their files are gone then."""
        try:
            for op in ops:
                if isinstance(op, Kept) and is_large(op.content.body):
                    await self.put(op)
        except BaseException as error:
            self.discard(ops)
            if isinstance(error, (RedisError, OSError, StoreError)):
                raise StoreError(describe(error, self._place)) from error
            raise

    async def put(self, op: Kept) -> None:
        """Upload a large body. Raises `OSError`, `StoreError` (`BodyGoneError` among them), and redis-py's errors."""
        async with self._own_link() as link:
            self.uploaded[op.id] = await upload(link, self._names, op.id, op.content.body)

    async def find(self, id_: str) -> Found:
        """An entry's content. Raises `StoreError`."""
        names = self._names
        try:
            # The entry after its content: it tells whether one that lacks that has just been delivered.
            replies = await self._link.ask(
                ("HMGET", names.spool_contents, f"{id_}:h", f"{id_}:b"),
                ("HGET", names.spool, id_), ("GET", names.epoch),
            )  # fmt: skip
            raise_first(replies)
            (head, body), row, epoch = replies
            if row is None or head is None:
                return Found(epoch, row is not None, None)
            found, sum_ = (body, crc32(body)) if body is not None else await self._fetched(id_)
            if found is None:
                (row,) = await self._link.ask(("HGET", names.spool, id_))
                raise_first([row])
                return Found(epoch, row is not None, None)
        except (RedisError, OSError, StoreError) as error:
            raise StoreError(describe(error, self._place)) from error
        return Found(epoch, True, self._sound(id_, row, Content(head, found), sum_))

    def discard(self, ops: Iterable[SpoolOp]) -> None:
        """The files of these ops are of no use any more."""
        for op in ops:
            if isinstance(op, (Kept, Removed)):
                self.uploaded.pop(op.id, None)
            body = op.content.body if isinstance(op, Kept) else op.body if isinstance(op, Removed) else None
            self.remove(body)

    def remove(self, body: object) -> None:
        """Remove a body that is a file, in a thread; what cannot be removed goes with the directory."""
        if isinstance(body, Path):
            removing = asyncio.ensure_future(asyncio.to_thread(_unlink, body))
            self._removing.add(removing)
            removing.add_done_callback(self._removing.discard)

    def _sound(self, id_: str, row: bytes, content: Content, sum_: int) -> Content | None:
        try:
            expected = read_entry(id_.encode(), row).checksum
        except RowError:
            expected = -1
        if expected in (None, sum_):
            return content
        self._log.error("state: the body of the spool's event %s is damaged", id_, extra={"id": id_})
        self.remove(content.body)
        return None

    async def _fetched(self, id_: str) -> tuple[Path | None, int]:
        async with self._own_link() as link:
            return await download(link, self._names.body(id_), self.folder) or (None, 0)

    @asynccontextmanager
    async def _own_link(self) -> AsyncIterator[Link]:
        """A connection for one large body, which takes a bounded time."""
        async with asyncio.timeout(_BODY_SECONDS):
            link = await Link.open(self._place, self._answer_limit)
            try:
                yield link
            finally:
                await link.close()


def _unlink(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
