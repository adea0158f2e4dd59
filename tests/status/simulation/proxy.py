"""One proxy of the simulation: a session map, a clock of its own, a journal, and a way to the shared store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from statusproxy.status.merge import unite
from statusproxy.status.model import Record, SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.stored_times import in_microseconds, moved

from .shared_store import ABSENT, Row

if TYPE_CHECKING:
    from .world import World

RULES = SessionRules(max_age=900.0)


class Proxy:
    """Keeps what it must write until the store or its journal has it."""

    def __init__(self, world: World, number: int, skew: float, error: float) -> None:
        """Its clock is `skew` ahead of the shared one, and it is wrong about that by `error`."""
        self.world = world
        self.number = number
        self.skew = skew
        self.shift = round(error - skew, 6)
        self.map = SessionMap(RULES)
        self.connected = True
        self.run = 0
        self.waiting: dict[str, Record | float] = {}
        self.journal: dict[str, Record | float] = {}
        self.acknowledged: list[int] = []
        """The numbers of the events whose effect is to be durable."""
        self._versions: dict[str, int] = {}
        self._epoch = world.store.epoch
        self._writing = False
        self._last = 0.0

    def now(self) -> float:
        """Its own clock, strictly increasing."""
        self._last = max(self.world.now + self.skew, self._last + 1e-6)
        return self._last

    def _shared(self, record: Record) -> Record:
        return in_microseconds(moved(record, self.shift))

    def records(self) -> dict[str, Record]:
        """The map in the shared time."""
        return {record.session: self._shared(record) for record in self.map.records()}

    # ---- writing ----

    def save(self, *, stale: bool = False) -> None:
        """Hand over what is unsaved, also what may wait if it is `stale`."""
        records, forgotten = self.map.take_unsaved()
        if stale:
            records += self.map.take_stale()
        at = round(self.now() + self.shift, 6)
        self.waiting |= dict.fromkeys(forgotten, at)
        self.waiting |= {record.session: self._shared(record) for record in records}
        self._write()

    def _write(self) -> None:
        if not self.connected:
            self.journal |= self.waiting
            self._acknowledge()
        elif not self._writing and self.waiting:
            self._writing = True
            batch, events = dict(self.waiting), self.acknowledged
            self.waiting, self.acknowledged = {}, []
            self.world.send(self, lambda: self._arrive(batch, events), lambda: self._fail(batch, events))
        elif not self._writing:
            self._acknowledge()

    def _acknowledge(self) -> None:
        self.world.acknowledge(self.acknowledged)
        self.acknowledged = []

    def _arrive(self, batch: dict[str, Record | float], events: list[int]) -> None:
        """The batch has reached the store."""
        store = self.world.store
        if self._epoch != store.epoch:
            self.world.send(self, lambda: self._fail(batch, events), lambda: self._fail(batch, events))
            return
        conflicts = store.write(self.number, {one: (self._versions.get(one, 0), new) for one, new in batch.items()})
        written = {} if conflicts else {one: store.rows[one].version for one in batch}
        epoch = self._epoch

        def answered() -> None:
            if epoch == self._epoch:
                self._answered(batch, events, conflicts, written)
            else:
                self._fail(batch, events)  # of before the store lost its memory

        self.world.send(self, answered, lambda: self._fail(batch, events))

    def _answered(
        self, batch: dict[str, Record | float], events: list[int], conflicts: dict[str, Row], written: dict[str, int]
    ) -> None:
        self._writing = False
        if not conflicts:
            self._versions |= {one: max(version, self._versions.get(one, 0)) for one, version in written.items()}
            for one, new in batch.items():
                if self.journal.get(one) == new:
                    del self.journal[one]
            self.world.acknowledge(events)
        else:
            self._keep(batch, events)
            for session, row in conflicts.items():
                self.learn(session, row)
                ours, theirs = self.waiting[session], row.record
                if isinstance(ours, Record):
                    if ours.heard_at <= row.at:
                        del self.waiting[session]
                    elif theirs is not None:
                        self.waiting[session] = unite(ours, theirs)
                elif theirs is not None and theirs.heard_at > ours:
                    del self.waiting[session]
        self.save()

    def _fail(self, batch: dict[str, Record | float], events: list[int]) -> None:
        """Whether it was written is not known."""
        self._writing = False
        self._keep(batch, events)
        if self.connected:
            self.attach()
        self._write()

    def _keep(self, batch: dict[str, Record | float], events: list[int]) -> None:
        self.waiting = {**batch, **self.waiting}
        self.acknowledged = events + self.acknowledged

    # ---- reading ----

    def learn(self, session: str, row: Row) -> None:
        """Another proxy wrote this row, or it was in the way."""
        if row.version < self._versions.get(session, 0):
            return
        self._versions[session] = row.version
        records = [] if row.record is None else [row.record]
        forgotten = {session: row.at} if row.at > ABSENT.at else {}
        self.map.adopt(records, forgotten, self.now(), self.shift)

    def attach(self) -> None:
        """Read all there is; write all that is known where the store lost its memory."""
        store = self.world.store
        if self._epoch != store.epoch:
            self._epoch = store.epoch
            self._versions.clear()
            self.waiting = {**self.records(), **self.waiting}
        for session, row in list(store.rows.items()):
            self.learn(session, row)
        self.waiting = {**self.journal, **self.waiting}
        self.save()

    def restart(self) -> None:
        """Killed and started again: what was in memory only is gone, and so is what no one was told of."""
        self.run += 1
        self.map, self.waiting, self.acknowledged, self._writing = SessionMap(RULES), {}, [], False
        self._versions.clear()
        self._epoch = self.world.store.epoch
        records = [one for one in self.journal.values() if isinstance(one, Record)]
        self.map.adopt(records, {}, self.now(), self.shift)
        if self.connected:
            self.attach()
