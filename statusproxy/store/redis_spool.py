"""The spool in Redis: entries and contents that all proxies share, and each proxy's index of them kept up to date.

What is known of entries comes through the stream of changes; contents are read when an entry is sent. A large body is
uploaded before its entry is handed in, over a connection of its own, so that it blocks no change of state.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.observe.counted import counted
from statusproxy.store.backlog import Batch
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.listening import tell
from statusproxy.store.redis_bodies import BodyGoneError
from statusproxy.store.redis_contents import RedisContents
from statusproxy.store.redis_errors import LostError, describe
from statusproxy.store.redis_follow import BEGINNING, Entered, News, Position, position
from statusproxy.store.redis_keys import Keyspace
from statusproxy.store.redis_link import Asks, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool_index import SpoolIndex
from statusproxy.store.redis_spool_piece import encoded
from statusproxy.store.redis_spool_read import in_order, put_in, rows
from statusproxy.store.redis_spool_rows import from_server
from statusproxy.store.redis_spool_script import Missing, SpoolCommit
from statusproxy.store.redis_time import ServerClock
from statusproxy.store.spooled import Content, Entry, Kept, Removed, SpoolNews, SpoolOp

__all__ = ["RedisSpool"]

#: Ids told at a time.
_AT_ONCE: Final = 200


class RedisSpool:
    """Implements `SpoolReader`, and is the backend's hold on the spool: `attached`, `follow` and `write`."""

    def __init__(
        self,
        place: Place,
        link: Asks,
        contents: RedisContents,
        server: ServerClock,
        me: bytes,
        log: logging.Logger,
        memory_lost: Callable[[], None],
        on_its_way: Callable[[str], SpoolOp | None],
    ) -> None:
        """`link` is for short questions; `memory_lost` is called where the server has another memory than was known;
        `on_its_way` gives the op of this proxy on an entry that is not durable yet."""
        self.on_news: Callable[[SpoolNews], None] | None = None
        """As `SpoolReader.on_news`."""
        self.contents = contents
        self._place = place
        self._names = Names.of(place)
        self._link = link
        self._server = server
        self._me = me
        self._log = log
        self._memory_lost = memory_lost
        self._index = SpoolIndex(on_its_way)
        self._epoch: bytes | None = None
        self._follows = False
        """Whether all entries were read: until then what the stream tells is of no use."""
        self._meanwhile: dict[str, Entry | None] | None = None
        """What the stream told (None: gone) while all entries are being read."""
        self._lost = False
        """Whether what is missing from the index when all is read was lost, and not delivered."""

    # What the spool asks (SpoolReader)

    @property
    def ahead(self) -> float:
        """As `SpoolReader.ahead`."""
        return self._server.offset

    @property
    def folder(self) -> Path:
        """As `SpoolReader.folder`."""
        return self.contents.folder

    async def entries(self) -> list[Entry]:
        """As `SpoolReader.entries`."""
        epoch = self._epoch
        if epoch is None:
            raise NotAttachedError(f"the state in {self._place} is not open yet")
        found: dict[str, Entry] = {}
        rejected: list[str] = []
        meanwhile = self._meanwhile = {}
        try:
            async for some in rows(self._link, self._names, self._server.now, rejected):
                self._index.read(some)
                found |= {id_: from_server(entry, self._server.offset) for id_, (_, entry) in some.items()}
                await asyncio.sleep(0)
            ordered = await in_order(found.values())
            (now,) = await self._link.ask(("GET", self._names.epoch))
            raise_first([now])
            await put_in(ordered, meanwhile)
            if now != epoch or meanwhile is not self._meanwhile:
                raise LostError(f"{self._place}: changed while the spool was read; it is read again")
        except (RedisError, OSError, StoreError) as error:
            raise StoreError(describe(error, self._place)) from error
        finally:
            self._meanwhile = None
        self._tell_rejected(rejected)
        self._follows = True
        return ordered

    async def content(self, id_: str) -> Content | None:
        """As `SpoolReader.content`."""
        known = self._epoch
        epoch, there, content = await self.contents.find(id_)
        if epoch != known:
            self.contents.remove(None if content is None else content.body)
            if known == self._epoch:  # no one has noticed yet
                self._memory_lost()
            raise LostError(f"{self._place}: the server lost its data")
        if not there and self._index.drop([id_]):
            self._tell(SpoolNews(removed=[id_]))
        return content

    def release(self, content: Content) -> None:
        """As `SpoolReader.release`."""
        self.contents.remove(content.body)

    # What the backend asks

    @property
    def newest(self) -> Position:
        """The place of the last own op in the stream of changes; the beginning if there is none."""
        return self._index.newest

    async def judge(self, keys: Keyspace, followed: Position) -> None:
        """All is about to be read, since the stream of changes does not go on from `followed`: see what that means."""
        if self._follows and not self._lost:
            self._lost = keys.epoch != self._epoch or await keys.went_back(max(followed, self.newest))

    async def read_all(self, keys: Keyspace) -> None:
        """Read all, and tell what is news; what the server has not any more is lost where it lost its memory."""
        if self._follows:
            await self._compare(keys)
        self._lost, self._epoch, self._meanwhile = False, keys.epoch, None
        self._index.newest = BEGINNING

    async def _compare(self, keys: Keyspace) -> None:
        found: set[str] = set()
        rejected: list[str] = []
        async for some in rows(keys.link, self._names, self._server.now, rejected):
            found.update(some)
            self._tell_entries(self._index.read(some))
            await asyncio.sleep(0)
        self._tell_rejected(rejected)
        missing = self._index.missing(found)
        for start in range(0, len(missing), _AT_ONCE):
            gone = self._index.drop(missing[start : start + _AT_ONCE])
            self._tell(SpoolNews(lost=gone) if self._lost else SpoolNews(removed=gone))
            await asyncio.sleep(0)

    def follow(self, news: Iterable[News]) -> None:
        """Take in what the stream of changes tells, and tell what others did."""
        if not self._follows and self._meanwhile is None:
            return
        entries, removed, _ = self._index.follow([one for one in news if isinstance(one, Entered)], self._me)
        offset = self._server.offset
        entries = [from_server(entry, offset) for entry in entries]
        if self._meanwhile is not None:
            self._meanwhile |= {entry.id: entry for entry in entries} | dict.fromkeys(removed)
        elif entries or removed:
            self._tell(SpoolNews(entries, removed))

    async def write(self, keys: Keyspace, batch: Batch, piece: Callable[[Iterable[SpoolOp]], list[SpoolOp]]) -> None:
        """Write ops of a batch, as many at a time as `piece` gives, until it gives none. They leave the batch.

        Raises as `Keyspace.write`; and `StoreError` where the files of large bodies are gone: all else is written.
        """
        gone: list[str] = []
        tried: set[str] = set()
        while ops := piece(batch.spooled.values()):
            rows_ = encoded(ops, self._server.offset, self._index.unknown, self.contents.uploaded)
            result = await keys.write_spool(SpoolCommit(keys.epoch, self._me, rows_))
            if isinstance(result, Missing):
                gone += await self._put_again(batch, result.ids, tried)
                continue
            self._written(batch, ops, position(result) if result else BEGINNING)
        if gone:
            raise StoreError(f"the bodies of {counted(len(gone), 'event')} of the spool are gone from {self.folder}")

    async def _put_again(self, batch: Batch, ids: Sequence[str], tried: set[str]) -> list[str]:
        """Upload bodies that the server does not have any more; the ids of those that are gone here too."""
        gone: list[str] = []
        for id_ in ids:
            op = batch.spooled[id_]
            assert isinstance(op, Kept)
            try:
                if id_ in tried:
                    raise BodyGoneError(f"the server does not keep the body of {id_}")
                await self.contents.put(op)
            except BodyGoneError:
                batch.spool([Removed(id_)])
                gone.append(id_)
            tried.add(id_)
        return gone

    def _written(self, batch: Batch, ops: Sequence[SpoolOp], last: Position) -> None:
        for op in ops:
            del batch.spooled[op.id]
        self.contents.discard(ops)
        self._tell_entries(self._index.written(ops, last))

    # What is told

    def _tell_entries(self, entries: Sequence[Entry]) -> None:
        if entries:
            offset = self._server.offset
            self._tell(SpoolNews([from_server(entry, offset) for entry in entries]))

    def _tell(self, news: SpoolNews) -> None:
        if self._follows:
            tell(self.on_news, self._log, "what other proxies did with the spool could not be applied", news)

    def _tell_rejected(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._log.error(
                "state: %s: the row of the spool's event %s cannot be read; it was moved to the key %srejected",
                self._place, id_, self._place.prefix,
            )  # fmt: skip
