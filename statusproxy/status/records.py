"""The records of the map: their index by id and by spelling, their bounds, and which of them are unsaved.

Records are put, replaced and removed only here. Everything that depends on them (the version of what is shown, the
index, the order of forgetting, what must be written) is kept up to date here too. What happens to a session is decided
elsewhere (`transitions`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.fields import fold_id
from statusproxy.status.identity import Aliases, Spellings, may_be, unlearned
from statusproxy.status.model import EVICTED, RELEASED, Change, Record, SessionRules
from statusproxy.status.retention import Retention, rank
from statusproxy.status.statements import Statement
from statusproxy.status.transitions import Step, step_own
from statusproxy.status.unsaved import Unsaved, shows_alike

SAME_WORD: Final = 60.0
"""Seconds after which it is noted again that the gateway still says the same of a session."""

SPELLINGS: Final = 16
"""Sessions distinguished whose ids fold to the same. A site has one or two: each leg has its own spelling."""


class Records:
    """The records of the map."""

    def __init__(self, rules: SessionRules) -> None:
        self.rules = rules
        self.aliases = Aliases(rules.aliases)
        self.version = 0
        """Counts the changes that could alter a corrected answer."""
        self.evicted = 0
        """Counts the sessions forgotten for lack of room."""
        self.overridden: dict[str, None] = {}
        """The sessions with an override in force, in the order in which these began."""
        self.transient: dict[str, None] = {}
        """The sessions with a transient state that does not count yet, in the order in which these began."""
        self.transient_due = math.inf
        """When the next of these counts, on our own clock, or earlier."""
        self.doubted_at = NEVER
        """When records came in whose age is known by the system's clock alone (`doubtful_age`)."""
        self.unsaved = Unsaved()
        self._by_id: dict[str, Record] = {}
        self._spellings = Spellings()
        self._crowded: dict[str, None] = {}  # folded ids with too many spellings
        self._retention = Retention()

    def configure(self, rules: SessionRules) -> None:
        """Take new rules; the bounds hold from the next `evict` on."""
        before, self.rules = self.rules, rules
        self.version += 1
        if rules.aliases != before.aliases:
            self.aliases = Aliases(rules.aliases)
            for record in list(self._by_id.values()):
                self.put(unlearned(record, self.aliases))

    def get(self, session: str) -> Record | None:
        """The record of the session with exactly this id."""
        return self._by_id.get(session)

    def __getitem__(self, session: str) -> Record:
        return self._by_id[session]

    def __contains__(self, session: str) -> bool:
        return session in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Record]:
        """Every record, in the order in which the sessions became known."""
        return iter(self._by_id.values())

    # Which sessions an id may mean

    @property
    def spelt_alike(self) -> bool:
        """Whether several sessions may be one channel."""
        return bool(self.aliases) or self._spellings.differ

    def folding_to(self, fold: str) -> list[str]:
        """The sessions whose ids fold to this."""
        return list(self._spellings.folding_to(fold))

    def kin(self, channel: str) -> list[str]:
        """The sessions that may be this channel: those that fold to the same, and those aliased to it."""
        return self._spellings.kin(channel, self.aliases)

    def sessions_of(self, channel: str) -> list[str]:
        """The sessions that a channel named in a request's path is, except for those known to be another channel."""
        return [session for session in self.kin(channel) if may_be(self._by_id[session], channel)]

    def with_kin(self, sessions: Sequence[str]) -> list[str]:
        """Sessions that are one channel, and the others that may be it by what these were last found to be."""
        found = dict.fromkeys(sessions)
        if self.spelt_alike:
            for session in sessions:
                channel = self._by_id[session].channel or self.aliases.of(session)
                if channel is not None:
                    found |= dict.fromkeys(self.sessions_of(channel))
        return list(found)

    def named(self, name: str) -> list[str]:
        """The sessions that an operator means by a name. LookupError if there is none, or if it fits several."""
        sessions = self.sessions_of(name)
        if not sessions:
            sessions = self.kin(name)
            if not sessions:
                raise LookupError(f"no session {name!r} is known")
            names = sorted({self._by_id[one].channel or one for one in sessions})
            if len(names) > 1:
                raise LookupError(f"{name!r} could be any of: {', '.join(names)}")
        return sessions

    # Where records change

    def put(self, record: Record, *, heard: bool = False) -> None:
        """Put a session's record in place of the one before; `heard`: because an event came."""
        session = record.session
        old = self._by_id.get(session)
        if not heard and old == record:
            return
        self._by_id[session] = record
        if old is None:
            if self._spellings.add(session) > SPELLINGS:
                self._crowded[fold_id(session)] = None
            self.unsaved.added(session)
            old = Record(session)
        self._retention.put(record, heard=heard)
        if record.override is not None:
            self.overridden[session] = None
        elif old.override is not None:
            del self.overridden[session]
        if record.transient is not None and record.override is None:
            self.transient[session] = None
            self.transient_due = min(self.transient_due, record.transient.due)
        else:
            self.transient.pop(session, None)
        shown = not shows_alike(old, record)
        self.unsaved.changed(session, decisive=shown or old.transient != record.transient)
        if shown:
            self.version += 1
        if old.channel != record.channel or (old.alive_at != record.alive_at and self._may_outlive(session)):
            self.version += 1

    def take(self, steps: Iterable[Step]) -> tuple[Change, ...]:
        """Put the records of the statements that applied; give what changed."""
        changes: list[Change] = []
        for record, change, applied in steps:
            if applied:
                self.put(record)
            if change is not None:
                changes.append(change)
        return tuple(changes)

    def own(self, sessions: Collection[str], said: Statement, now: float) -> tuple[Change, ...]:
        """Take in a statement of the proxy's own, or of its operator, about each of these sessions."""
        if not sessions:  # as nearly always: each list asks what is due
            return ()
        return self.take(step_own(self[one], said, now, self.rules) for one in sessions)

    def note_heard(self, record: Record, event: str | None, now: float) -> None:
        """Note that an event came about the session of this record, and nothing else. It is what comes most."""
        if now < record.heard_at:
            now = record.heard_at
        self._by_id[record.session] = replace(record, heard_at=now, event=event or record.event)
        self._retention.put(record, heard=True)
        self.unsaved.changed(record.session, decisive=False)

    def note_word(self, session: str, word: str | None, now: float) -> None:
        """Note what the gateway said; the same again only once a minute, for a list of thousands is asked often."""
        record = self._by_id[session]
        at = record.gateway_said_at
        if word is None or (word == record.gateway_said and at is not None and 0 <= now - at < SAME_WORD):
            return
        self._by_id[session] = replace(record, gateway_said=word, gateway_said_at=now)
        self.unsaved.changed(session, decisive=False)

    def forget_lags(self) -> None:
        """Forget the differences of all senders' clocks. Not worth a write: the next event brings them again."""
        for session, record in self._by_id.items():
            if record.lags:
                self._by_id[session] = replace(record, lags=())

    def _may_outlive(self, session: str) -> bool:
        """Whether a message on this session could end an override: its own, or that of another spelling of it.

        Messages come all day: if each made corrected answers outdated, none could be remembered or shared.
        """
        if not self.overridden:
            return False
        alike = self._spellings.folding_to(fold_id(session))
        return bool(self.aliases) or any(one in self.overridden for one in alike)

    def drop(self, session: str) -> None:
        """Remove a session that is there."""
        del self._by_id[session]
        self._retention.remove(session)
        self._spellings.remove(session)
        self.unsaved.forgotten(session)
        self.transient.pop(session, None)
        if session in self.overridden:
            del self.overridden[session]
            self.version += 1

    # The bounds

    @property
    def has_room(self) -> bool:
        """Whether a quarter of the map is free."""
        return len(self._by_id) * 4 < self.rules.max_sessions * 3

    @property
    def at_rest(self) -> bool:
        """Whether a quarter of the map is free, and nothing is unsaved that must be durable."""
        return len(self._by_id) * 4 < self.rules.max_sessions * 3 and not self.unsaved

    @property
    def is_full(self) -> bool:
        """Whether another session would push one out."""
        return len(self._by_id) >= self.rules.max_sessions

    def evict(self, now: float, at_most: int | None = None) -> Sequence[tuple[str, Change | None]]:
        """Forget sessions until the map is within its bounds, and name them; with the change, if one was overridden.

        First those of more than `SPELLINGS` spellings, then those that matter least, longest untouched first. With
        `at_most` so many of the latter: what is over a smaller bound goes step by step.
        """
        if not self._crowded and len(self._by_id) <= self.rules.max_sessions:
            return ()
        gone: list[tuple[str, Change | None]] = []
        for fold in list(self._crowded):
            del self._crowded[fold]
            while len(spellings := self._spellings.folding_to(fold)) > SPELLINGS:
                records = [self._by_id[session] for session in spellings]
                gone.append(self._evict(min(records, key=lambda record: (rank(record), record.heard_at)), now))
        over = len(self._by_id) - self.rules.max_sessions
        due = range(over if at_most is None else min(over, at_most))
        gone += [self._evict(self._by_id[self._retention.first()], now) for _ in due]
        return gone

    def _evict(self, record: Record, now: float) -> tuple[str, Change | None]:
        """Remove a record to make room. An override ends as `EVICTED`: neither a rule nor an operator ended it."""
        self.evicted += 1
        self.drop(record.session)
        change = Change(record.session, RELEASED, EVICTED, now, now, record.gateway_said)
        return record.session, change if record.override is not None else None
