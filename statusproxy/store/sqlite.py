"""The default store: one SQLite file, one thread that writes it, one commit for all who wait.

How a save travels: `save` (event loop) adds to the open batch and waits; the writer thread takes the whole
batch whenever it gets round, writes it in one transaction, and after COMMIT returned all who waited go on
together. While one commit is being synced the next batch fills: the busier it is, the more share a sync.

When the disk refuses, nothing is lost: the batch becomes the beginning of the next one (the newest record
of a session wins), those who waited get `StoreError`, and so does each later `save` at once, so that no
webhook waits for a sick disk; the writer tries again with growing pauses until the disk takes it all.

The lock (`_bell`) is held only to swap references, never during I/O: the event loop does not wait for it.

What happens to the files themselves (deleted, replaced, damaged) is for `sqlite_file.py`; the writer looks around each
commit, and now and then, and writes all that is known anew where the files are new.
"""

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from statusproxy.status.model import Change, Record
from statusproxy.store.damage import Damage
from statusproxy.store.database import Entry, UnusableError
from statusproxy.store.errors import StoreError, StoreInUseError, describe, primary_code
from statusproxy.store.failure_log import TroubleLog, times
from statusproxy.store.sqlite_file import SqliteFile
from statusproxy.store.upkeep import Check, Upkeep, UpkeepTiming

__all__ = ["SqliteStore", "Timing"]

# No single question for the history may keep the writer from its saves for long.
_HISTORY_LIMIT: Final = 10_000
# Changes kept in memory while the disk refuses; the oldest go first. Sessions are bounded by the map.
_WAITING_CHANGES: Final = 100_000
# How often in a row the files may be deleted under a batch before it waits for better times.
_RESCUES: Final = 3

# After these the connection itself is sound: it is kept, so that the history can still be read meanwhile.
_PASSING: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class _MovedError(Exception):
    """The files were deleted or replaced; the message says which. What was just written may be lost."""


# For so long after a commit the files need no second look before the next one: each is followed by one anyway.
_LOOK_SECONDS: Final = 0.1

# What needs no traceback.
_EXPECTED: Final = (sqlite3.Error, OSError, StoreError, UnusableError, _MovedError)

_NOT_OPEN: Final = "not open yet"
_CLOSED: Final = "closed"

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Timing:
    """The store's own times, in seconds. Tests shorten them; nothing else has a reason to."""

    first_retry: float = 0.25
    """Pause before the first new attempt after the disk refused; it doubles with each failure …"""
    last_retry: float = 10.0
    """… up to this: when space is back, that is how long it takes at most until all is on disk."""
    save_limit: float = 10.0
    """A save that hears nothing from the disk for this long raises, so that webhooks are not held for ever."""
    close_limit: float = 5.0
    """How long `close` waits for the last flush; well under systemd's usual 90 s for a stop."""
    lock_wait: float = 5.0
    """How long `open` waits for a predecessor that is just leaving before it says "in use"."""
    upkeep: UpkeepTiming = field(default_factory=UpkeepTiming)
    """Of what is done while nobody waits."""


@dataclass(eq=False, slots=True)
class _Batch:
    """What is written with one commit, and who waits for it (futures of the event loop)."""

    records: dict[str, Record | None] = field(default_factory=dict)
    changes: list[Entry] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self.records or self.changes)


class SqliteStore:
    """A `Store` over an SQLite file; see the module's text for how it works.

    `open` first, then `save` and `history` from that event loop, `close` at the end; not to be opened twice.
    """

    def __init__(
        self,
        path: Path,
        *,
        history_days: float | None = 90,
        log: logging.Logger | None = None,
        clock: Callable[[], float] = time.time,
        timing: Timing | None = None,
    ) -> None:
        """`path` is absolute; `history_days` None keeps all; `clock` gives epoch seconds for names and pruning."""
        self.commits = 0
        """Commits that wrote something so far: far fewer than saves when saves come in bursts."""
        self.path = path

        self._log = log or logging.getLogger("statusproxy.store")
        self._clock = clock
        self._timing = timing or Timing()

        # Shared between the event loop and the writer; only touched with the lock of the bell held.
        self._bell = threading.Condition()
        self._batch = _Batch()
        self._flying: _Batch | None = None
        self._flying_since = 0.0
        self._questions: list[Callable[[], None]] = []
        self._trouble: str | None = _NOT_OPEN
        self._troubles = TroubleLog()
        self._closing = False

        # The event loop's.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._finished: asyncio.Future[None] | None = None

        # The writer's.
        self._on_disk: dict[str, Record] = {}
        self._knows_all = False
        self._rewrite = False
        self._rescues = 0
        self._look_at = 0.0
        self._pause = 0.0
        self._retry_at = 0.0
        self._upkeep = Upkeep(path, history_days, clock, self._log, self._timing.upkeep)
        self._file = SqliteFile(
            path, lock_wait=self._timing.lock_wait, clock=clock, log=self._log, upkeep=self._upkeep
        )  # fmt: skip
        self._check = Check(path, self._timing.upkeep.check_every, self._report_damage)

    # The protocol, on the event loop -------------------------------------------------------------------

    async def open(self) -> list[Record]:
        """Open the file and return the records in it; creates it, or sets it aside, where that is needed.

        Raises `StoreInUseError` if another process holds it. All other trouble (full disk, missing rights)
        shows in `healthy` and `trouble`, is logged and tried again in the background, with as many records
        as could be read: the proxy has to forward whatever the disk does.
        """
        if self._loop is not None:
            raise StoreError("this store has been opened before; make a new one")
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        opened: asyncio.Future[list[Record]] = self._loop.create_future()
        # A daemon, so that a disk that never answers cannot keep the process from ending.
        threading.Thread(target=self._work, args=(opened,), name="statusproxy-store", daemon=True).start()
        try:
            return await opened
        except asyncio.CancelledError:
            await self.close()  # nobody will: the lock must not outlive the attempt
            raise

    async def save(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        """Make records, forgotten sessions and changes durable; returns when COMMIT has synced them.

        Calls apply in their order; within one call, a session both forgotten and in `records` is kept. A
        call with nothing in it waits for what others have handed in before it. Raises `StoreError` when the
        disk refuses or does not answer in time: the change is kept and written later. A caller that is
        cancelled disturbs nobody, and its change is written all the same.
        """
        loop = self._loop
        done: asyncio.Future[None] | None = None
        with self._bell:
            if self._closing or loop is None:
                raise StoreError(f"the state in {self.path} is {_CLOSED if self._closing else _NOT_OPEN}")
            batch = self._batch
            for session in forgotten:
                batch.records[session] = None
            for record in records:
                batch.records[record.session] = record
            batch.changes.extend(map(Entry, changes))
            if not batch and not self._trouble:
                if self._flying is None:
                    return
                batch = self._flying
            trouble = self._trouble or self._stuck()
            if trouble is None:
                done = loop.create_future()
                batch.waiters.append(done)
                if batch.timer is None:
                    batch.timer = loop.call_later(self._timing.save_limit, self._give_up, batch)
            else:
                _shorten(batch.changes)
            self._bell.notify()
        if done is None:
            raise StoreError(f"{trouble} (kept in memory, tried again)")
        await done

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes first, at most `limit`, of one session or of all, those not yet on disk included.

        Raises `StoreError` where the database cannot be read.
        """
        limit = max(0, min(limit, _HISTORY_LIMIT))
        return await self._ask(lambda: self._look_up(session, limit))

    @property
    def damage(self) -> Sequence[Damage]:
        """What is known of damage to the file and not acknowledged yet, oldest first."""
        return [each for each in self._file.notices.values() if not each.acknowledged]

    @property
    def repairs(self) -> dict[str, int]:
        """How often the files were repaired since the start: `damaged`, `deleted` or `replaced` ones."""
        return self._file.repairs

    async def acknowledge(self) -> int:
        """Note that an operator knows of all damage so far; give how many there were. Raises `StoreError`."""
        return await self._ask(self._acknowledge)

    async def close(self) -> None:
        """Write what is waiting, one last attempt if the disk refused, within a bounded time; then let go.

        Does not raise: what could not be written is logged.
        """
        with self._bell:
            self._closing = True
            self._bell.notify()
        if self._finished is None:
            return
        await asyncio.wait([self._finished], timeout=self._timing.close_limit)
        if not self._finished.done():
            self._log.error(
                "state: %s did not answer for %g s at the end: %s",
                self.path, self._timing.close_limit, self._left_over(),
            )  # fmt: skip
            with self._bell:
                batches = [self._batch, *([self._flying] if self._flying else [])]
            _settle(batches, StoreError(f"the state in {self.path} is {_CLOSED}"))

    @property
    def healthy(self) -> bool:
        """Whether the last attempt to write succeeded and none hangs."""
        return self.trouble is None

    @property
    def trouble(self) -> str | None:
        """What keeps the state from being durable, where, and the mend; None if all is well."""
        if self._closing:
            return f"the state in {self.path} is {_CLOSED}"
        return self._trouble or self._stuck()

    @property
    def backlog(self) -> int:
        """Sessions and changes handed in that are not on disk yet."""
        with self._bell:
            batches = [self._batch, *([self._flying] if self._flying else [])]
            return sum(len(batch.records) + len(batch.changes) for batch in batches)

    def _stuck(self) -> str | None:
        if self._flying is None or time.monotonic() - self._flying_since < self._timing.save_limit:
            return None
        return f"no answer: {self.path}: the disk has not answered for {self._timing.save_limit:g} s"

    def _give_up(self, batch: _Batch) -> None:
        error = f"no answer: {self.path}: nothing for {self._timing.save_limit:g} s (kept, tried again)"
        said = self._troubles.fails(error)
        if said is not None:
            self._log.error("state: %s%s", error, times(said))
        _settle([batch], StoreError(error))

    async def _ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Have the writer thread answer a question between two batches."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Answer] = loop.create_future()

        def work() -> None:
            try:
                try:
                    value = question()
                except sqlite3.DatabaseError as error:
                    if not self._file.spoilt(error, self._known()):
                        raise
                    self._write(_Batch())
                    value = question()
            except Exception as error:  # noqa: BLE001 - the thread must live on; the one who asked is told
                self._tell(_fail, answer, StoreError(describe(error, self.path)))
            else:
                self._tell(_succeed, answer, value)

        with self._bell:
            if self._closing or self._loop is None:
                raise StoreError(f"the state in {self.path} is {_CLOSED if self._closing else _NOT_OPEN}")
            self._questions.append(work)
            self._bell.notify()
        return await answer

    # The writer thread ---------------------------------------------------------------------------------

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        """Run a function in the event loop; if that is gone, nobody is left who waits."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(call, *arguments)

    def _work(self, opened: "asyncio.Future[list[Record]]") -> None:
        """The thread: open, write until closed, let go."""
        try:
            records = self._start()
        except StoreError as error:
            with self._bell:
                self._closing = True
            self._tell(_fail, opened, error)
        else:
            self._tell(_succeed, opened, records)
            self._check.start()
            self._write_until_closed()
        self._let_go()
        self._tell(_succeed, self._finished, None)

    def _start(self) -> list[Record]:
        try:
            contents = self._file.open(None)
        except StoreInUseError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the proxy starts, and tells
            contents = self._file.read()
            self._failed(_Batch(), error)
        else:
            self._knows_all = True
            with self._bell:
                self._trouble = None
        self._on_disk = {record.session: record for record in contents.records}
        self._rewrite = False
        return contents.records

    def _write_until_closed(self) -> None:
        while True:
            with self._bell:
                self._bell.wait_for(self._is_due, timeout=self._idle())
                closing = self._closing
                questions, self._questions = self._questions, []
                batch: _Batch | None = None
                # At the end there is one last attempt, whenever the next one would have been due.
                if self._has_work() and (closing or not self._trouble or time.monotonic() >= self._retry_at):
                    batch, self._batch = self._batch, _Batch()
                    self._flying, self._flying_since = batch, time.monotonic()
            if batch is not None:
                self._write(batch)
            elif not closing and self._trouble is None and time.monotonic() >= self._upkeep.due_at():
                self._keep_up()
            for question in questions:  # after the batch, so that whoever asks finds what was handed in before
                question()
            if closing:
                return

    def _has_work(self) -> bool:
        return bool(self._batch) or self._trouble is not None

    def _is_due(self) -> bool:
        if self._closing or self._questions:
            return True
        now = time.monotonic()
        if self._trouble is not None:
            return now >= self._retry_at
        return bool(self._batch) or now >= self._upkeep.due_at()

    def _idle(self) -> float | None:
        due = self._retry_at if self._trouble is not None else self._upkeep.due_at()
        return None if due == float("inf") else max(0.0, due - time.monotonic())

    def _write(self, batch: _Batch) -> None:
        try:
            if time.monotonic() >= self._look_at:
                self._file.look_after(len(self._on_disk))
            if self._file.database is None:
                self._reopen()
            self._commit(batch)
            self._rescues = 0
        except Exception as error:  # noqa: BLE001 - the thread must live on, and no change may be lost
            moved = isinstance(error, _MovedError) and self._rescues < _RESCUES
            if moved or self._file.spoilt(error, self._known()):
                self._rescues += moved
                self._write(batch)  # into a new file; ends with the times a file may be rescued or set aside
            else:
                self._failed(batch, error)

    def _commit(self, batch: _Batch) -> None:
        database = self._file.database
        assert database is not None
        # After a reopening the file may be another one, so all that is known goes in, not the news alone.
        records = {**self._on_disk, **batch.records} if self._rewrite else batch.records
        if records or batch.changes:
            for session in database.write(records, batch.changes):
                self._log.error("state: a row of session %s could not be encoded and is left out", _shown(session))
            self.commits += 1
            self._upkeep.committed()
        # Nobody is answered for what went into files that are gone. The next attempt finds it in the rescued ones.
        moved = database.moved()
        self._look_at = time.monotonic() + _LOOK_SECONDS
        if moved is not None:
            self._look_at = 0.0
            raise _MovedError(f"{moved} was deleted or replaced during a commit")
        self._rewrite = False
        self._file.written()
        for session, record in batch.records.items():
            if record is None:
                self._on_disk.pop(session, None)
            else:
                self._on_disk[session] = record
        with self._bell:
            self._trouble = None
            self._flying = None
        self._pause = 0.0
        self._tell(_settle, [batch], None)
        if self._troubles.works():
            self._log.warning(
                "state: %s can be written again; all that waited is on disk (%d sessions, %d changes)",
                self.path, len(batch.records), len(batch.changes),
            )  # fmt: skip

    def _failed(self, batch: _Batch, error: Exception) -> None:
        """Keep the batch for the next attempt, tell all who wait, and plan that attempt."""
        trouble = describe(error, self.path)
        if primary_code(error) not in _PASSING:
            self._file.close()
        timing = self._timing
        self._pause = min(self._pause * 2 or timing.first_retry, timing.last_retry)
        self._retry_at = time.monotonic() + self._pause
        with self._bell:
            self._trouble = trouble
            newer, self._flying = self._batch, None
            self._batch = _Batch({**batch.records, **newer.records}, batch.changes + newer.changes)
            _shorten(self._batch.changes)
        self._tell(_settle, [batch, newer], StoreError(f"{trouble} (kept in memory, tried again)"))
        said = self._troubles.fails(trouble)
        if said is not None:
            known = error if isinstance(error, _EXPECTED) else None
            self._log.error(
                "state: %s; changes are kept in memory and tried again%s", trouble, times(said),
                exc_info=None if known else error,
            )  # fmt: skip

    def _known(self) -> dict[str, Record] | None:
        """All sessions; None where the start could not read them, and the file may hold more."""
        return self._on_disk if self._knows_all else None

    def _reopen(self) -> None:
        self._file.close()
        found = self._file.open(self._known()).records
        self._rewrite = True
        unknown = sum(record.session not in self._on_disk for record in found)
        if unknown:  # it could not be read at the start, or somebody put a backup there
            self._log.warning(
                "state: %s holds %d sessions that are not known here; they stay, and count from the next start",
                self.path, unknown,
            )  # fmt: skip

    def _keep_up(self) -> None:
        """One step of what is done while nobody waits."""
        if self._file.database is None or self._file.vanished():
            self._look_at = 0.0
            self._write(_Batch())
            return
        try:
            self._file.keep_up()
        except sqlite3.Error as error:
            if self._file.spoilt(error, self._known()):
                self._write(_Batch())
            else:
                self._failed(_Batch(), error)

    def _report_damage(self, words: str) -> None:
        """The check found damage (in its thread): have the writer rebuild the file."""

        def rebuild_it() -> None:
            error = sqlite3.DatabaseError(words)
            error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            if self._file.database is not None and self._file.spoilt(error, self._known()):
                self._write(_Batch())

        with self._bell:
            self._questions.append(rebuild_it)
            self._bell.notify()

    def _acknowledge(self) -> int:
        if self._file.database is None:
            raise StoreError(self._trouble or f"the state in {self.path} is {_NOT_OPEN}")
        return self._file.acknowledge()

    def _look_up(self, session: str | None, limit: int) -> list[Change]:
        with self._bell:
            waiting = [entry.change for entry in reversed(self._batch.changes)]
        found = [change for change in waiting if session is None or change.session == session][:limit]
        if len(found) < limit:
            database = self._file.database
            if database is None:
                raise StoreError(self._trouble or f"the state in {self.path} is {_NOT_OPEN}")
            found += database.history(session, limit - len(found))
        return found

    def _let_go(self) -> None:
        with self._bell:
            questions, self._questions = self._questions, []
        for question in questions:
            question()
        if self._batch:
            self._log.error("state: %s: %s", self._trouble or self.path, self._left_over())
        self._check.stop()
        self._file.close()
        self._file.release()

    def _left_over(self) -> str:
        return f"{self.backlog} sessions and changes could not be written and are lost with this process"


def _succeed(future: "asyncio.Future[_Answer]", value: _Answer) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: "asyncio.Future[_Answer]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _settle(batches: Iterable[_Batch], error: StoreError | None) -> None:
    """Let all who wait for these batches go on (event loop only); those who left do not matter."""
    for batch in batches:
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None
        for waiter in batch.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                # Each its own: a shared exception would collect the tracebacks of all who raise it.
                waiter.set_exception(StoreError(str(error)))
        batch.waiters.clear()


def _shorten(entries: list[Entry]) -> None:
    del entries[: max(0, len(entries) - _WAITING_CHANGES)]


def _shown(session: str) -> str:
    return repr(session if len(session) <= 100 else session[:100] + "…")
