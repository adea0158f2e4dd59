"""Takes what other proxies wrote into the map: united with what is known here, and settled by the rules.

The others' records come in the time that all proxies share; the map's own clock is told from it by `shift`. A record is
compared as it was written, to the microsecond, so that what comes back from the others unchanged is known again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from statusproxy.status.clocks import Clocks
from statusproxy.status.event_ids import EventIds, mark_of
from statusproxy.status.identity import unlearned
from statusproxy.status.merge import merge, unite
from statusproxy.status.model import Change, Record, Transient
from statusproxy.status.overdue import counted_again
from statusproxy.status.records import Records
from statusproxy.status.stored_times import in_microseconds, moved
from statusproxy.status.transitions import step_kin
from statusproxy.status.unsaved import shows_alike

TOMBSTONES: Final = 10_000
"""Forgotten sessions whose older records are known to be gone; those forgotten first go first."""


class Adoption:
    """Takes the records of others over, and remembers what was forgotten."""

    __slots__ = ("_clocks", "_event_ids", "_gone", "_records", "started_at")

    def __init__(self, records: Records, clocks: Clocks, event_ids: EventIds) -> None:
        self._records = records
        self._clocks = clocks
        self._event_ids = event_ids
        self._gone: dict[str, float] = {}  # when, on our own clock
        self.started_at = -math.inf
        """When the map was opened, on our own clock."""

    def forgot(self, session: str, at: float) -> None:
        """A session was forgotten here: what other proxies received of it up to then no longer counts."""
        at = max(at, self._gone.pop(session, -math.inf))
        self._gone[session] = at
        if len(self._gone) > TOMBSTONES:
            del self._gone[next(iter(self._gone))]

    def forgotten_at(self, session: str) -> float | None:
        """When a session was last forgotten, on our own clock; None if it was not, or if that is not known any more."""
        return self._gone.get(session)

    def begun(self, session: str) -> Record:
        """The record of a session that is not in the map. What was forgotten stays so, even if others hold it."""
        at = self._gone.get(session)
        return Record(session) if at is None else _over(session, at)

    def adopt(
        self, records: Iterable[Record], forgotten: Mapping[str, float], now: float, shift: float
    ) -> list[Change]:
        """Take over what others wrote, and when they forgot sessions; both in the shared time, `shift` ahead of ours.

        Gives the changes that follow here by the rules: what the others changed is in their history already.
        """
        for session, at in forgotten.items():
            self._forget(session, at, shift)
        changes: list[Change] = []
        for record in records:
            changes += self._take_over(in_microseconds(replace(record, written=None)), now, shift)
        return changes

    def _forget(self, session: str, at: float, shift: float) -> None:
        mine = self._records.get(session)
        self.forgot(session, at - shift)
        if mine is None:
            self._records.unsaved.taken_over(session)
        elif _in_shared_time(mine, shift).heard_at <= at:
            self._records.drop(session)
            self._records.unsaved.taken_over(session)
            self._clocks.forget(session)
        else:
            self._records.put(merge(mine, _over(session, at - shift)))
            self._records.unsaved.changed(session, decisive=True)

    def _take_over(self, theirs: Record, now: float, shift: float) -> list[Change]:
        records, session = self._records, theirs.session
        theirs = unlearned(theirs, records.aliases)
        mine = records.get(session)
        gone = self._gone.get(session)
        if gone is not None and theirs.heard_at - shift <= gone:
            if mine is None:  # the proxy that wrote it did not know
                records.unsaved.forgotten(session)
            else:
                records.unsaved.changed(session, decisive=True)
            return []
        if mine is None and gone is None:
            mine, united = Record(session), theirs
            record = moved(theirs, -shift)
        else:
            mine = mine or Record(session)
            record = mine if gone is None else merge(mine, _over(session, gone))
            told = _in_shared_time(record, shift)
            united = told if told == theirs else unite(told, theirs)
            if united != told:
                record = moved(united, -shift)
        record = self._waiting(record, mine.transient, now)
        settled, changes = step_kin(record, [record], now, records.rules, records.doubted_at)
        if settled != mine:
            records.put(settled, heard=settled.heard_at > mine.heard_at)
            self._clocks.learn(session, settled.lags, now)
            self._remember_event(settled)
        if united == theirs and not changes:
            records.unsaved.taken_over(session)
        else:
            shown = not shows_alike(united, theirs) or united.transient != theirs.transient
            records.unsaved.changed(session, decisive=shown or bool(changes))
        return changes

    def _waiting(self, record: Record, mine: Transient | None, now: float) -> Record:
        """A record that came from others; `mine` is the transient state known here before.

        A store that is away at the start gives its rows later, and others' rows come after a loss of the connection.
        What holds after a start holds for these too: the end of a state may have been sent while nobody listened. So it
        waits again if it is not known here and began before the start, or if it is due already.

        Proxies that run do not disagree for long about that. What another received just now is neither: it counts here
        when it counts there. What is due was counted by the one that received it, if that one still runs; its override
        comes with the record, or follows it at once, and is in force here then. If it runs no longer, we wait alone.
        """
        state = record.transient
        if state is None or record.override is not None:
            return record
        if mine is None:
            return counted_again(record, now) if state.due <= now or state.began < self.started_at else record
        if state.due <= now < mine.due:  # it waits here
            return replace(record, transient=replace(state, due=mine.due))
        return record

    def _remember_event(self, record: Record) -> None:
        """The newest state event is known here too: sent again, to this proxy, it is a repeat."""
        override = record.override
        if override is not None and override.event_id is not None:
            self._event_ids.heard_before(record.session, override.event_id, state=True, confirmed=record.confirmed)
        if record.verdict is not None and record.known_clock is not None and not record.known_at.is_integer():
            mark = mark_of(record.verdict, record.known_at)
            self._event_ids.heard_before(record.session, mark, state=True, confirmed=record.confirmed)


def _over(session: str, at: float) -> Record:
    """What a session's end in the map says of it where it goes on: every disconnect up to then is over."""
    return Record(session, ended_at=at)


def _in_shared_time(record: Record, shift: float) -> Record:
    return in_microseconds(moved(record, shift))
