"""The store for proxies that share their state in Redis: any number of them read and write it.

Each keeps a whole copy. What is saved here is merged with what stands there and written by compare and set; what others
save comes through the stream of changes, and is handed on as it comes. After a loss of the connection the stream goes
on from where it was. Where it cannot (the server lost its data, or this proxy was away for too long), all records are
read, and what the server lacks is written again. The spool, and what only one proxy may do, have parts of their own
(`redis_spool.py`, `redis_claims.py`).
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from redis.exceptions import RedisError

from statusproxy.config.state_url import Place
from statusproxy.observe.counted import counted
from statusproxy.status.merge import unite
from statusproxy.status.model import Change, Record
from statusproxy.store.age import HistoryAge
from statusproxy.store.backlog import Backlog, Batch, Dropped, Entry
from statusproxy.store.base import Backend, Reattached, StoreOptions
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.condition import Timing
from statusproxy.store.errors import StoreError, shown
from statusproxy.store.fallback import Fallback
from statusproxy.store.files import resolve
from statusproxy.store.journal import Journal
from statusproxy.store.proxies import Proxy, Sharing
from statusproxy.store.redis_attachment import Attachment, RedisTiming
from statusproxy.store.redis_claims import RedisClaims
from statusproxy.store.redis_contents import RedisContents
from statusproxy.store.redis_copy import ServerCopy
from statusproxy.store.redis_errors import LostError, describe, may_pass_at_once
from statusproxy.store.redis_follow import Follower, News, Told, position
from statusproxy.store.redis_history import linked_pages
from statusproxy.store.redis_keys import Keyspace, history
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names, session_of
from statusproxy.store.redis_outbox import RedisOutbox
from statusproxy.store.redis_piece import Piece, cut, learn
from statusproxy.store.redis_read import read_all
from statusproxy.store.redis_rows import from_server, to_server
from statusproxy.store.redis_script import Commit, Conflict
from statusproxy.store.redis_side_link import SideLink
from statusproxy.store.redis_spool import RedisSpool
from statusproxy.store.redis_spool_piece import changes, removals
from statusproxy.store.redis_time import ServerClock
from statusproxy.store.spooled import SpoolOp

__all__ = ["RedisBackend", "RedisTiming", "make_store", "redis_store"]

# Beyond the days, a bound in number: history lies in the server's memory, some 300 bytes each.
_HISTORY_CHANGES: Final = 50_000
#: Seconds for which it is remembered that a session was forgotten: a proxy that is away for longer may bring it back.
_FORGOTTEN_FOR: Final = 86_400.0
#: Records handed on at a time.
_AT_ONCE: Final = 200


class RedisBackend(Backend):
    """The keys of one state in a Redis server: one connection that writes, and one that follows what others write."""

    history_rows = _HISTORY_CHANGES

    def __init__(
        self,
        place: Place,
        *,
        history_days: float | None,
        log: logging.Logger,
        clock: Callable[[], float] = time.time,
        timing: RedisTiming | None = None,
        server_clock: ServerClock | None = None,
        folder: Path | None = None,
    ) -> None:
        """`history_days` None keeps changes whatever their age; `clock` gives epoch seconds.

        `folder` is for the passing files of the spool (None: where temporary files lie).
        """
        self.name = str(place)
        self.place = place
        self.commits = 0
        """Transactions that wrote something so far: far fewer than saves when saves come in bursts."""
        self._log = log
        self._clock = clock
        self._timing = timing or RedisTiming()
        self._server = server_clock or ServerClock(clock)
        self._age = HistoryAge(history_days, clock)
        self._attachment = Attachment(place, log=log, timing=self._timing)
        self._copy = ServerCopy()
        self._backlog = Backlog(clock)
        self._me = Proxy.new(clock())
        self._sharing = Sharing(self._me.id)
        self._side = side = SideLink(place, self._timing.answer_limit)
        contents = RedisContents(place, side, folder, self._timing.answer_limit, log)
        self.spool: RedisSpool = RedisSpool(
            place, side, contents, self._server, self._me.id.encode(), log, self._memory_lost,
            lambda id_: self._backlog.on_its_way(id_),  # noqa: PLW0108 - the backlog is another once it is opened
        )  # fmt: skip
        self.claims: RedisClaims = RedisClaims(
            side, place, self._me.id, log, lease=self._timing.lease, memory_lost=self._memory_lost
        )
        self.outbox: RedisOutbox = RedisOutbox(side, place, self._memory_lost)
        self._epoch: bytes | None = None
        """That of the rows in the copy; None where all must be read again."""
        self._followed = self._copy.newest
        stream = Names.of(place).changes
        self._follower = Follower(stream, self._timing.answer_limit, self._take, self._give_up)
        self._untold = False
        """Whether the copy has rows that the keeper of the map may not have received."""
        self._lacked: dict[str, Record] = {}
        """What the server lost, until it is handed over to be written again; in the server's time."""
        self._lost: Exception | None = None
        self._due_at = 0.0  # at first at once: it shows whether the server takes writes, and prunes
        self._prune_at = 0.0

    @property
    def sharing(self) -> Sharing:
        """As `Store.sharing`."""
        return self._sharing

    # Attaching -----------------------------------------------------------------------------------------

    async def open(self, backlog: Backlog) -> list[Record]:
        """Connect and read all, with patience for a server that is starting; merged with what the backlog holds."""
        self._backlog = backlog
        await self.spool.contents.open()
        keys = await self._attachment.make_at_start()
        found: list[Record] = []
        async with self._detached_where_it_fails():
            await self._attached(keys, found.extend)
        waiting = backlog.open.records
        ours = ((record, waiting.get(record.session)) for record in found)
        return [record if one is None else unite(record, to_server(one, 0.0)) for record, one in ours]

    async def prepare(self, backlog: Backlog) -> Reattached | None:
        """Connect again where a connection was lost, and take in what was missed."""
        self._backlog = backlog
        if self._attachment.keys is not None and self._lost is None:
            return None
        await self._detach()
        keys = await self._attachment.make()
        async with self._detached_where_it_fails():
            return Reattached(await self._attached(keys, lambda records: self._hand_on(records, ())))

    async def _attached(self, keys: Keyspace, take: Callable[[Sequence[Record]], None]) -> list[Record]:
        """Be where the server is now; `take` is given what was not known. Returns what it lacks, to be written."""
        await self._server.ask(keys.link)
        await keys.announce(self._me, self._server.now)
        newest = max(self._followed, self._copy.newest, self.spool.newest)
        if self._untold or keys.epoch != self._epoch or not await keys.has(self._followed, newest):
            await self.spool.judge(keys, self._followed)
            await self._read_all(keys, take)
            await self.spool.read_all(keys)
            self._epoch = keys.epoch
        self.claims.attached(keys.epoch)
        self.outbox.attached(keys.epoch)
        self._lost = None
        self._follower.start(keys.link.place, self._followed)
        await self._report(keys)
        self._untold = False
        return await self._take_lacked()

    async def _take_lacked(self) -> list[Record]:
        """Hand over what the server lacks, in the system's time, without sessions that must be forgotten."""
        offset, lacked = self._server.offset, list(self._lacked.values())
        missing: list[Record] = []
        for start in range(0, len(lacked), _AT_ONCE):
            missing += self._wanted(from_server(record, offset) for record in lacked[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        if lacked:
            lacks = counted(len(lacked), "session")
            self._log.warning("state: %s lacked %s; written again from here", self.name, lacks)
        self._lacked.clear()
        return missing

    async def _read_all(self, keys: Keyspace, take: Callable[[Sequence[Record]], None]) -> None:
        end, new, missing, forgotten, rejected = await read_all(keys, self._copy, self._clock(), tell_all=self._untold)
        self._attachment.tell_rejected(rejected)
        self._lacked |= {record.session: record for record in missing}
        self._untold = True  # until all of it is told
        self._followed = end
        offset = self._server.offset
        gone = [Dropped(session, at - offset) for session, at in forgotten.items()]
        for start in range(0, len(gone), _AT_ONCE):
            self._hand_on((), gone[start : start + _AT_ONCE])
            await asyncio.sleep(0)
        for start in range(0, len(new), _AT_ONCE):
            take(self._wanted(from_server(record, offset) for record in new[start : start + _AT_ONCE]))
            await asyncio.sleep(0)

    def _wanted(self, records: Iterable[Record]) -> list[Record]:
        """The records (the system's time), without sessions that were forgotten here and had no event since."""
        backlog = self._backlog
        return [record for record in records if not backlog.forgets(record.session, record.heard_at)]

    @asynccontextmanager
    async def _detached_where_it_fails(self) -> AsyncIterator[None]:
        """Drop the connections if the block is not done to its end: what the server took of it is not known."""
        try:
            yield
        except BaseException:
            await self._detach()
            raise

    async def _detach(self) -> None:
        await self._follower.stop()
        await self._side.drop()
        await self._attachment.drop()

    # Following -----------------------------------------------------------------------------------------

    def _give_up(self, error: Exception) -> None:
        """Have everything connected again."""
        self._lost = error
        if self.on_due is not None:
            self.on_due()

    def _memory_lost(self) -> None:
        """The server has another memory than the one that is known here."""
        self._give_up(LostError(f"{self.name}: the server lost its data"))

    def _take(self, news: Sequence[News]) -> None:
        self._followed = max((one.position for one in news), default=self._followed)
        self.spool.follow(news)
        self.claims.follow(news)
        told = (one for one in news if isinstance(one, Told))
        records, forgotten = self._copy.follow(told, self._me.id.encode())
        offset = self._server.offset
        self._hand_on(
            self._wanted(from_server(record, offset) for record in records),
            [Dropped(session, at - offset) for session, at in forgotten],
        )

    def _hand_on(self, records: Sequence[Record], forgotten: Sequence[Dropped]) -> None:
        """Give what others wrote to the keeper of the map."""
        if not records and not forgotten:
            return
        self._sharing = replace(self._sharing, received=self._sharing.received + len(records) + len(forgotten))
        if self.on_others is not None:
            self.on_others(list(records), list(forgotten))

    # Writing -------------------------------------------------------------------------------------------

    async def write(self, batch: Batch) -> None:
        """Write a batch, in pieces that leave it once the server has them.

        Entries of the spool come last: one is there only when what it changed in the map is.
        """
        keys = self._attachment.keys
        assert keys is not None
        async with self._detached_where_it_fails():
            await self.spool.write(keys, batch, removals)
            if batch.records or batch.changes or not batch.spooled:
                before = None
                if batch.changes or time.monotonic() >= self._prune_at:
                    before = self._age.before()
                    self._prune_at = time.monotonic() + self._timing.prune_every
                await self._write_piece(keys, batch, before)
            while batch.records or batch.changes:
                await self._write_piece(keys, batch, None)
            await self.spool.write(keys, batch, changes)

    async def stage(self, spooled: Sequence[SpoolOp]) -> None:
        """Upload large bodies, beside what is being written."""
        await self.spool.contents.stage(spooled)

    async def _write_piece(self, keys: Keyspace, batch: Batch, before: float | None) -> None:
        while True:
            offset = self._server.offset
            piece = cut(batch, self._backlog.forgotten_at, self._copy, offset)
            result = await keys.write(Commit(
                keys.epoch, self._me.id.encode(), piece.rows, piece.history, _HISTORY_CHANGES,
                None if before is None else before + offset, self._clock() + offset - _FORGOTTEN_FOR,
            ))  # fmt: skip
            if not isinstance(result, Conflict):
                break
            self._sharing = replace(self._sharing, conflicts=self._sharing.conflicts + 1)
            news = learn(batch, result.found, self._copy, offset)
            self._hand_on(
                [from_server(record, offset) for record in news.records],
                [Dropped(one.session, one.at - offset) for one in news.forgotten],
            )
            if news.vanished:
                self._epoch = None
                raise LostError(f"{self.name}: rows have vanished")
        self._written(batch, piece, result.last, offset)

    def _written(self, batch: Batch, piece: Piece, last: bytes, offset: float) -> None:
        for proposal in piece.rows:
            self._copy.put(session_of(proposal.session), proposal.row, position(last), foreign=False)
        for session in piece.refused:
            self._log.error("state: a row of session %s could not be encoded and is left out", shown(session))
        self.commits += bool(piece.rows or piece.history)
        piece.remove_from(batch, self._backlog.forgotten_at)
        self._hand_on([from_server(record, offset) for record in piece.revived], ())

    # Upkeep --------------------------------------------------------------------------------------------

    async def upkeep(self) -> None:
        """See that the server takes writes, who shares the keys, and what time it is there."""
        keys = self._attachment.keys
        assert keys is not None
        async with self._detached_where_it_fails():
            if time.monotonic() >= self._prune_at:
                await self._write_piece(keys, Batch(), self._age.before())
                self._prune_at = time.monotonic() + self._timing.prune_every
            await self._server.ask(keys.link, 1)
            await self._report(keys)

    async def _report(self, keys: Keyspace) -> None:
        try:
            proxies = await keys.report(self._me, self._server.now, len(self._copy))
        except LostError:
            self._epoch = None  # all must be read again
            raise
        self._sharing = replace(self._sharing, proxies=tuple(proxies))
        self._due_at = time.monotonic() + self._timing.report_every

    def due_at(self) -> float:
        """When the next upkeep is due: at once where the connection was lost."""
        return self._due_at if self._lost is None else 0.0

    async def history(self, session: str | None, limit: int, waiting: Sequence[Entry]) -> list[Change]:
        """As `Backend.history`, over a connection of its own: reading a long history does not block a save."""
        async with asyncio.timeout(self._timing.history_limit):
            link = await Link.open(self.place, self._timing.answer_limit)
            try:
                return await history(link, self.place.prefix, session, limit, waiting, self._server.offset)
            finally:
                await link.close()

    def history_pages(
        self, session: str | None, since: float, waiting: Sequence[Entry]
    ) -> AsyncGenerator[Sequence[Change], None]:
        """As `Backend.history_pages`, over a connection of its own."""
        return linked_pages(self.place, self._timing.answer_limit, session, since, waiting, self._server)

    async def close(self, left: Batch) -> None:
        """Say good-bye, and close the connections."""
        await self._follower.stop()
        await self._side.close()
        await self._attachment.leave(self._me)
        await self.spool.contents.close()

    def describe(self, error: Exception) -> str:
        """The server's or the kernel's words without a password, and the fix."""
        return describe(error, self.place)

    def is_expected(self, error: Exception) -> bool:
        """Whether the server, the kernel or this store said it."""
        return isinstance(error, (RedisError, OSError, StoreError))

    def may_pass_at_once(self, error: Exception) -> bool:
        """Whether a new connection may work right away."""
        return may_pass_at_once(error)


def redis_store(
    place: Place,
    *,
    history_days: float | None = 90,
    log: logging.Logger | None = None,
    clock: Callable[[], float] = time.time,
    timing: Timing | None = None,
    server_timing: RedisTiming | None = None,
    server_clock: ServerClock | None = None,
    journal: Path | None = None,
) -> BatchWriter[RedisBackend]:
    """A store in a Redis server; `journal` is the directory for what it does not take (None: memory only)."""
    log = log or logging.getLogger("statusproxy.store")
    timing = timing or Timing()
    backend = RedisBackend(
        place, history_days=history_days, log=log, clock=clock, timing=server_timing, server_clock=server_clock,
        folder=journal,
    )  # fmt: skip

    def fallback(backlog: Backlog) -> Fallback:
        kept = None if journal is None else Journal(journal, backend.name, backlog.items)
        return Fallback(kept, backend.name, log, timing.save_limit)

    return BatchWriter(backend, log=log, clock=clock, timing=timing, fallback=fallback)


def make_store(url: Place, options: StoreOptions) -> BatchWriter[RedisBackend]:
    """The store that `redis://…`, `rediss://…` or `redis+sentinel://…` names."""
    journal = None if options.journal is None else resolve(options.journal, options.environ)
    return redis_store(url, history_days=options.history_days, log=options.log, journal=journal)
