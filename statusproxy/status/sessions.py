"""The session-state map: what was last known of each session, and which corrections are in force.

It takes in what events, the gateway's answers, clients, operators and the clock say; `transitions` decides what each
does, `records` keeps the outcome. `observation` does the same for corrected answers, and `watched` for watched routes.
The values, and the two kinds of time that meet here, are in `model`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from statusproxy.status.adoption import Adoption
from statusproxy.status.clocks import Clocks, Translated, ahead_of, with_lag
from statusproxy.status.event_ids import EventIds
from statusproxy.status.identity import Aliases, unlearned
from statusproxy.status.model import (
    APPLIED,
    FORGOTTEN,
    LATE,
    UNCHANGED,
    Change,
    Outcome,
    Override,
    Record,
    Release,
    SessionRules,
)
from statusproxy.status.observation import Observer
from statusproxy.status.one_session import settled
from statusproxy.status.overdue import Overdue, counted_again
from statusproxy.status.records import Records
from statusproxy.status.signals import Reading
from statusproxy.status.statements import Statement
from statusproxy.status.transitions import Step, step_own, step_signal
from statusproxy.status.unsaved import Watch
from statusproxy.status.watched import Watched

NOTHING: Final = Outcome(UNCHANGED)
"""What becomes of most events: all that is known is that one came, and nothing of the map waits to be done."""

EVICTED_AT_ONCE: Final = 32
"""Sessions forgotten with one event where the map is over its bound: 0.6 ms. It is over by many after a reload that
makes it smaller, and until so many events have come."""


class SessionMap:
    """The one place of state. Every method takes its times as arguments and returns at once."""

    def __init__(self, rules: SessionRules | None = None) -> None:
        self._records = Records(rules or SessionRules())
        self._event_ids = EventIds()
        self._overdue = Overdue(self._records)
        self.answers = Observer(self._records)
        """What the gateway's corrected answers are taken in by."""
        self.watched = Watched(self._records, self.answers)
        """What the answers of watched routes are taken in by."""
        self.clocks = Clocks()
        """The differences of the senders' clocks from ours."""
        self._adoption = Adoption(self._records, self.clocks, self._event_ids)

    def configure(self, rules: SessionRules) -> None:
        """Take new rules. They hold for what comes next; overrides that stand are not judged again."""
        self._records.configure(rules)
        self._overdue.look_again()

    def load(self, records: Iterable[Record], doubted_at: float | None = None, now: float | None = None) -> None:
        """Take over what the store held, at `now`. Meant for an empty map; the records count as saved.

        `doubted_at` is now, where the age of these records is in doubt (`doubtful_age`).
        """
        if doubted_at is not None:
            self._records.doubted_at = doubted_at
        if now is not None:
            self._adoption.started_at = now
        for record in sorted((unlearned(one, self.aliases) for one in records), key=lambda record: record.heard_at):
            self._records.put(record if now is None else counted_again(record, now, in_doubt=doubted_at is not None))
            self.clocks.load(record.session, record.lags)
        self._overdue.look_again()
        self._records.unsaved.saved()
        self._evict(0.0, None)

    def adopt(
        self, records: Sequence[Record], forgotten: Mapping[str, float], now: float, shift: float = 0.0
    ) -> tuple[Change, ...]:
        """Take over what other proxies wrote, and when they forgot sessions, in a time `shift` seconds ahead of ours.

        Gives what follows from that here. What we know better is unsaved then, what is as they wrote it counts as
        saved.
        """
        changes = self._adoption.adopt(records, forgotten, now, shift)
        for one in records:
            record = self._records.get(one.session)
            if record is not None:
                self._overdue.taken_over(record)
        return (*changes, *self._evict(now, EVICTED_AT_ONCE + len(records)))

    # What the map holds

    @property
    def rules(self) -> SessionRules:
        """The rules it goes by."""
        return self._records.rules

    @property
    def version(self) -> int:
        """Counts the changes that could alter a corrected answer."""
        return self._records.version

    @property
    def has_overrides(self) -> bool:
        """Whether any override is in force."""
        return bool(self._records.overridden)

    @property
    def overrides(self) -> int:
        """How many overrides are in force."""
        return len(self._records.overridden)

    def records(self) -> list[Record]:
        """Every record, in the order in which the sessions became known."""
        return list(self._records)

    def lost(self) -> list[str]:
        """The sessions for which an override is in force."""
        return list(self._records.overridden)

    def get(self, session: str) -> Record | None:
        """The record of the session with exactly this id."""
        return self._records.get(session)

    def override_of(self, sessions: Iterable[str]) -> Override | None:
        """The newest override in force for any of these sessions; `None` if there is none."""
        records = self._records
        newest: Override | None = None
        for session in sessions:
            override = records[session].override if session in records.overridden else None
            if override is not None and (newest is None or override.stamp.here > newest.stamp.here):
                newest = override
        return newest

    def kin(self, channel: str) -> list[str]:
        """The sessions that may be this channel, by how their ids are spelt or by an alias."""
        return self._records.kin(channel)

    @property
    def spelt_alike(self) -> bool:
        """Whether several sessions may be one channel."""
        return self._records.spelt_alike

    @property
    def aliases(self) -> Aliases:
        """The aliases in force."""
        return self._records.aliases

    def settled(self, sessions: Sequence[str], now: float) -> list[Record]:
        """The record of each of these spellings of one session, as the next corrected list will have it."""
        return settled([self._records[one] for one in sessions], now, self.rules, self._records.doubted_at)

    @property
    def has_room(self) -> bool:
        """Whether a quarter of the map is free. Where not, it should be told which sessions are real (`confirm`)."""
        return self._records.has_room

    @property
    def is_full(self) -> bool:
        """Whether another session would push one out."""
        return self._records.is_full

    @property
    def evicted(self) -> int:
        """Counts the sessions forgotten for lack of room."""
        return self._records.evicted

    def watch(self) -> Watch:
        """Collect what changes, until `unwatch`."""
        return self._records.unsaved.watch()

    def unwatch(self, watch: Watch) -> None:
        """Collect no longer."""
        self._records.unsaved.unwatch(watch)

    def clock_was_moved(self) -> None:
        """The system's clock was moved. Our own goes on evenly, but senders on the same machine moved with it."""
        self.clocks.start_over()
        self._records.forget_lags()

    def restate(self, told: Callable[[Record], Record]) -> None:
        """Put what `told` gives in each record's place."""
        for record in self.records():
            self._records.put(told(record))
        self._overdue.look_again()

    # What events say

    def hear(self, reading: Reading, arrival: float, sender: str = "", at: float | None = None) -> Outcome:
        """Take in one trusted webhook's reading. Only a signal changes what is known; any event is noted as received.

        `sender` names whose clock a signal's own time is of. `at` is the own time of an event that is not a signal, if
        the caller looked for it: it says something about the clock only.
        """
        session, signal = reading.session, reading.signal
        if session is None:
            return Outcome(UNCHANGED)
        records = self._records
        record = records.get(session)
        if signal is None and at is None and record is not None and record.first_heard:
            records.note_heard(record, reading.event, arrival)
            return NOTHING if records.at_rest else Outcome(UNCHANGED, self._evict(arrival))
        record = record or self._adoption.begun(session)
        record = replace(
            record,
            heard_at=max(record.heard_at, arrival),
            event=reading.event or record.event,
            first_heard=record.first_heard or _earliest(record, arrival),
        )
        if signal is not None:
            at = signal.at
            if at is None and signal.ahead is not None:
                at, sender = signal.ahead, ahead_of(sender)
        repeat = None if signal is None else self._event_ids.repeated(signal, at, confirmed=record.confirmed)
        when: Translated | None = None
        if at is not None and repeat is None:  # the time of a repeat may be of another sender's clock
            when = self.clocks.observe(session, sender, at, arrival)
            if (lags := with_lag(record.lags, when.stamp)) is not record.lags:
                record = replace(record, lags=lags)
        change: Change | None = None
        verdict = UNCHANGED if repeat is None else repeat
        if signal is not None and repeat is None:
            record, change, applied = step_signal(record, signal, when, arrival, records.rules, records.doubted_at)
            verdict = APPLIED if applied else LATE
        records.put(record, heard=True)
        return Outcome(verdict, (() if change is None else (change,)) + self._evict(arrival))

    def _evict(self, now: float, at_most: int | None = EVICTED_AT_ONCE) -> tuple[Change, ...]:
        """Keep to the bounds, or come nearer to them by so many sessions; give what that ended."""
        evicted = self._records.evict(now, at_most)
        for session, _ in evicted:
            self._gone(session, now)
        return tuple(change for _, change in evicted if change is not None) if evicted else ()

    def _gone(self, session: str, now: float) -> None:
        self.clocks.forget(session)
        self._adoption.forgot(session, now)

    # What an operator and the clock do

    def release(self, session: str, now: float, by: str | None = None) -> tuple[Change, ...]:
        """End the override of a session, named by its own id, its channel's id, or another spelling of these.

        Every record of that session is released; `by` is who did it. LookupError if there is none, or if the name fits
        several.
        """
        names, rules = self._records.named(session), self._records.rules
        steps = (step_own(self._records[one], Statement.RELEASED_BY_HAND, now, rules) for one in names)
        return self._records.take(_signed(step, by) for step in steps)

    def forget(self, session: str, now: float, by: str | None = None) -> tuple[Change, ...]:
        """Remove all that is known of a session, named as in `release`; the next event makes it known again.

        A correction that stands ends as `operator`. Where that rule is off, nothing is changed, as in `release`.
        LookupError if there is no such session, or if the name fits several.
        """
        records = [self._records[one] for one in self._records.named(session)]
        rules = self._records.rules
        if Release.OPERATOR not in rules.releases and any(record.override for record in records):
            return ()
        changes: list[Change] = []
        for record in records:
            change = _signed(step_own(record, Statement.RELEASED_BY_HAND, now, rules), by).change
            if change is not None:
                changes.append(change)
            self._records.drop(record.session)
            self._gone(record.session, now)
            changes.append(Change(record.session, FORGOTTEN, Release.OPERATOR.value, now, now, record.gateway_said, by))
        return tuple(changes)

    def judge_transient(self, now: float, at_most: int | None = None) -> tuple[Change, ...]:
        """Begin the overrides of transient states that have lasted long enough; `at_most` so many at once."""
        return self._records.own(self._overdue.lasted(now, at_most), Statement.LASTED, now)

    @property
    def transient_due(self) -> float:
        """When the next transient state counts, on our own clock, or earlier; infinite while there is none."""
        return self._records.transient_due

    def expire(self, now: float, at_most: int | None = None) -> tuple[Change, ...]:
        """End the overrides about which nothing new came for `max_age`; at most `at_most` at once."""
        return self._records.own(self._overdue.expired(now, at_most), Statement.TOO_OLD, now)

    # What must be saved

    def forgotten_at(self, session: str) -> float | None:
        """When a session was last forgotten, on our own clock; None if it was not, or if that is not known any more."""
        return self._adoption.forgotten_at(session)

    def take_unsaved(self) -> tuple[list[Record], list[str]]:
        """Return the records that must be durable before their change is reported, and the sessions forgotten.

        They count as saved from now on: the caller keeps them until they are.
        """
        decisive, forgotten = self._records.unsaved.take_decisive()
        return [self._records[session] for session in decisive], forgotten

    @property
    def has_unsaved(self) -> bool:
        """Whether `take_unsaved` would give anything."""
        return bool(self._records.unsaved)

    def take_stale(self, at_most: int | None = None) -> list[Record]:
        """Return the records with changes that decide nothing: when the last event came, what the gateway said.

        They count as saved from now on, as in `take_unsaved`; `at_most` so many.
        """
        return [self._records[session] for session in self._records.unsaved.take_rest(at_most)]


def _earliest(record: Record, arrival: float) -> float:
    """When a session's first event came, if its record does not say: the earliest moment that the record holds."""
    override = record.override
    moments = (record.heard_at, record.known.here, record.alive.here, record.released_at, override and override.since)
    return min((at for at in moments if at and at > 0), default=arrival)


def _signed(step: Step, by: str | None) -> Step:
    """What a statement did, with who made it by hand."""
    record, change, applied = step
    if by is None or change is None:
        return step
    return Step(replace(record, released_by=by), replace(change, by=by), applied)
