"""What a corrected answer of the gateway tells the map, and which of its channels must be shown as disconnected."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from statusproxy.status.identity import ChannelIds, known_channel, learn_channel
from statusproxy.status.model import Change, Observed, Record, Said
from statusproxy.status.named_elements import MOST
from statusproxy.status.one_session import caught_up, with_evidence_of
from statusproxy.status.records import Records
from statusproxy.status.statements import Statement
from statusproxy.status.steps import at_once
from statusproxy.status.transitions import step_answer, step_kin

_CONFIRMED_AT_ONCE: Final = 256
"""Sessions confirmed between two yields: some 2 ms."""

_AT_ONCE: Final = 64
"""Sessions assigned between two yields: 0.5 ms."""


class Observer:
    """Takes the gateway's answers into the map's records."""

    __slots__ = ("_first_shown", "_records")

    def __init__(self, records: Records) -> None:
        self._records = records
        self._first_shown: dict[str, None] = {}

    def assign(self, channels: ChannelIds, *, whole: bool, partly: bool = False) -> dict[str, list[str]]:
        """Tell which sessions each channel of an answer is; only channels with an override among them are given.

        `whole`: the answer lists all channels, so that an id which several of them fold to is seen to be
        ambiguous. From such an answer the map learns each session's channel, and goes by it where an answer
        shows one channel only. `partly`: the answer lists channels, but may leave some out.
        """
        return at_once(self.assign_in_steps(channels, whole=whole, partly=partly))

    def assign_in_steps(
        self, channels: ChannelIds, *, whole: bool, partly: bool = False
    ) -> Generator[None, None, dict[str, list[str]]]:
        """What `assign` tells; yields after each short step. What changes meanwhile may or may not be in it."""
        records = self._records
        assigned: dict[str, list[str]] = {}
        owner = self._learn if whole else self._learn_partly if partly else self._known
        exact = channels.exact
        sessions: Collection[str] = list(records.overridden)
        if len(exact) < len(sessions):
            # A short answer: look for its channels among the sessions, not for all sessions among its channels.
            sessions = yield from self._overridden_among(exact)
        for number, session in enumerate(sessions, 1):
            if session not in exact and session in records.overridden:
                yield from channels.fold()
            if session in records.overridden:  # others had their turn: it may have been forgotten since
                channel = owner(session, channels)
                if channel is not None:
                    assigned.setdefault(channel, []).append(session)
            if number % _AT_ONCE == 0:
                yield
        if records.spelt_alike:
            for number, (channel, alike) in enumerate(assigned.items(), 1):
                kin = records.kin(channel)
                if len(kin) > 1:
                    known = set(alike)
                    alike += [one for one in kin if one not in known and owner(one, channels) == channel]
                if number % _AT_ONCE == 0:
                    yield
        return assigned

    def _overridden_among(self, channels: Iterable[str]) -> Generator[None, None, Collection[str]]:
        records = self._records
        found: dict[str, None] = {}
        for number, channel in enumerate(channels, 1):
            for one in records.kin(channel):
                if one in records.overridden:
                    found[one] = None
            if number % _AT_ONCE == 0:
                yield
        return found

    def assign_named(self, sessions: Iterable[str]) -> dict[str, list[str]]:
        """What `assign` tells where an answer is a list, and among its channels are these of `unmistakable`."""
        assigned: dict[str, list[str]] = {}
        for session in sessions:
            record = self._records[session]
            if record.channel != session or not record.confirmed:
                self._records.put(replace(record, channel=session, confirmed=True))
            assigned[session] = [session]
        return assigned

    def unmistakable(self) -> tuple[str, ...]:
        """The few sessions with an override, if no other session may be the channel that has the id of one of them.

        Where an answer lists a channel with exactly that id for each, the other channels do not matter to `assign`.
        """
        records = self._records
        if len(records.overridden) > MOST:
            return ()
        wanted = tuple(records.overridden)
        if records.spelt_alike and any(len(records.kin(session)) > 1 for session in wanted):
            return ()
        return wanted

    def confirm(self, channels: ChannelIds, *, whole: bool = True) -> Iterator[None]:
        """Note which sessions the gateway's own list, which has these channels, names; yields now and then.

        `whole`: it lists all channels.
        """
        owner = self._learn if whole else self._learn_partly
        records = self._records
        yield from channels.fold()
        for number, fold in enumerate(channels.folds, 1):
            for event_fold in (fold, *records.aliases.sessions(fold)):
                for session in records.folding_to(event_fold):
                    if not records[session].confirmed:
                        owner(session, channels)
            if number % _CONFIRMED_AT_ONCE == 0:
                yield

    def lacks_channel(self, session: str) -> bool:
        """Whether a session of exactly this id is known, but not which channel it is."""
        record = self._records.get(session)
        return record is not None and record.channel is None

    def is_own(self, session: str) -> None:
        """The gateway showed a channel of exactly the id of this session, which is known."""
        self._records.put(replace(self._records[session], channel=session))

    def _learn_partly(self, session: str, channels: ChannelIds) -> str | None:
        return self._learn(session, channels, whole=False)

    def _learn(self, session: str, channels: ChannelIds, *, whole: bool = True) -> str | None:
        record = self._records[session]
        channel, learned = learn_channel(record, channels, self._records.aliases, whole=whole)
        if learned is not record:
            self._records.put(learned)
        return channel

    def _known(self, session: str, channels: ChannelIds) -> str | None:
        return known_channel(self._records[session], channels, self._records.aliases)

    def observe(
        self, said: Iterable[Said], assigned: Mapping[str, Sequence[str]], asked_at: float, now: float, source: str = ""
    ) -> Observed:
        """Take in an answer of the gateway: asked for at `asked_at`, complete at `now`, channels as `assign` gave.

        `source` names the corrected route it came on. Where the records of one channel's sessions disagree (each leg
        spells the id its own way), the newest knowledge among them decides. A word of `keep` shows that this source
        has caught up; "connected" from it after that is fresh, and releases (`said_connected`).
        """
        overridden: set[str] = set()
        changes: list[Change] = []
        records = self._records
        for one in said:
            # One of them may have been forgotten since it was assigned.
            sessions = [session for session in assigned[one.channel] if session in records]
            for session in sessions:
                records.note_word(session, one.word, now)
            if len(sessions) > 1:
                changes += self._supersede(sessions, now)
            lost = [session for session in sessions if session in records.overridden]
            if one.keeps:
                for session in lost:
                    changes += self._take(records[session], Statement.KEEPS, asked_at, now, source)
            elif one.connected:
                released = self.said_connected(lost, asked_at, now, source)
                if released:
                    changes += released
                    lost = [session for session in lost if session in records.overridden]
            if lost:
                overridden.add(one.channel)
        return Observed(frozenset(overridden), tuple(changes))

    def said_connected(
        self, sessions: Sequence[str], asked_at: float, now: float, source: str | None
    ) -> Sequence[Change]:
        """An answer says connected of these sessions, which are one channel. `source` is as in `transitions`.

        It counts if it is fresh for the newest loss that any spelling reports, and then for the older ones too.
        """
        records = self._records
        lost = [records[session] for session in sessions if session in records.overridden]
        for record in lost:
            if record.override is not None and record.override.is_fresh(source, asked_at):
                break
        else:  # as with most answers
            return ()
        newest = caught_up(lost, source, asked_at)
        kin = map(records.__getitem__, records.with_kin(sessions))
        if newest is None or caught_up(kin, source, asked_at) is None:
            return ()
        changes: list[Change] = []
        for record in lost:
            record = with_evidence_of(record, newest)
            changes += self._take(record, Statement.SAYS_CONNECTED, asked_at, now, source)
        return changes

    def _take(
        self, before: Record, said: Statement, asked_at: float, now: float, source: str | None
    ) -> Sequence[Change]:
        record, change, _ = step_answer(before, said, asked_at, now, self._records.rules, source)
        if record is not before:
            self._records.put(record)
        return () if change is None else (change,)

    def _supersede(self, sessions: Sequence[str], now: float) -> list[Change]:
        """Release what another spelling of the same session knows better."""
        kin = [self._records[session] for session in sessions]
        changes: list[Change] = []
        for record in kin:
            if record.override is not None:
                superseded, ended = step_kin(record, kin, now, self._records.rules, self._records.doubted_at)
                changes += ended
                self._records.put(superseded)
        return changes

    def answer_changed(self, channels: Iterable[str], assigned: Mapping[str, Sequence[str]], now: float) -> None:
        """Note that an answer was really changed in these channels. Until then, overrides only will be shown."""
        for channel in channels:
            for session in assigned[channel]:
                record = self._records.get(session)
                if record is not None and record.override is not None and record.shown_at is None:
                    self._records.put(replace(record, shown_at=now))
                    self._first_shown[session] = None

    def take_first_shown(self, most: int | None = None) -> list[str]:
        """The sessions whose override changed an answer for the first time and that were not given before, at most so
        many of them."""
        if not self._first_shown:
            return []
        taken = list(islice(self._first_shown, most))
        for session in taken:
            del self._first_shown[session]
        return taken
