"""The session-state map: what was last known of each session, and which corrections are in force.

Two kinds of time meet here, both in epoch seconds. *Event time* (`at`, `known_at`, `alive_at`) orders what events
say: it is the sender's, where the event carries one, else the arrival. *Our own time* (`since`, `began`, `heard_at`,
`released_at`, every `asked_at` and `now`) is the proxy's own clock, and is what the gateway's answers are compared
with. An event's time is compared with that of the same sender's events as it is, and with anything else only after
translation to our own clock (`clocks`).

Whatever the order in which the same timed events of one sender are delivered, the map ends with the same overrides in
force, each with the same `at`, and the same `known_at` and `alive_at`. What tells of the delivery itself depends on
it: `since` (an early part of a run that comes late is dropped), `began`, `heard_at`, `event`, and the changes reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from statusproxy.status.clocks import Clocks, Lags, Stamp, Translated, Written, ahead_of, later_by, with_lag
from statusproxy.status.event_ids import EventIds
from statusproxy.status.fields import fold_id
from statusproxy.status.identity import Aliases, ChannelIds
from statusproxy.status.signals import Kind, Reading, Signal

TINY_STEP: Final = 0.001
"""Seconds by which a signal without a time of its own is put after what is known: events carry milliseconds."""

SAME_WORD: Final = 60.0
"""Seconds after which it is noted again that the gateway still says the same of a session."""

SETTLING: Final = 3_600.0
"""Seconds after a start in which no override expires whose age is known by the system's clock alone. Time services set
a clock within minutes."""

SOURCES: Final = 16
"""Corrected routes that are told apart as evidence. A site has a handful; reloads may bring others."""

SPELLINGS: Final = 16
"""Sessions whose ids fold to the same that are told apart. A site has one or two: each leg has its own spelling."""

FORGOTTEN: Final = "forgotten"
"""What changed where an operator removed a session from the map (`Change.what`)."""

EVICTED: Final = "evicted"
"""The reason of the one ending that is no rule: there was no room for the session in the map."""


class Release(StrEnum):
    """Why an override ended. Each is a rule that can be switched off."""

    CONNECTED_EVENT = "connected-event"
    RECONNECTED = "reconnected"
    DELETED = "deleted"
    ALIVE = "alive"
    OPERATOR = "operator"
    EXPIRED = "expired"


class SessionRules(msgspec.Struct, frozen=True):
    """How the map judges.

    A rule missing from `releases` does nothing. Without `connected-event` a Connected signal still counts as the
    newest knowledge (an older Disconnected one that comes after it stays late), but ends no override.
    """

    aliases: Mapping[str, str] = {}
    """Event id -> channel id, for sessions that folding does not make equal."""
    alive_grace: float = 60.0
    """Seconds after a disconnect in which an incoming message is no proof: it may have been under way."""
    max_age: float | None = None
    max_sessions: int = 10_000
    releases: frozenset[Release] = frozenset(Release)


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """The correction in force for a session: show it as disconnected."""

    since: float
    """When the first Disconnected signal of this run happened, on our own clock."""
    at: float
    """Event time of the newest Disconnected signal of this run; `alive_grace` counts from here."""
    began: float
    """Arrival time of that newest signal: only what the gateway was asked from here on shows that it has caught
    up with it, and `max_age` counts from here."""
    event: str
    word: str | None = None
    event_id: str | None = None
    caught_up: str | None = None
    """What showed that the gateway knows of the disconnect: `list`, `qr` or `created`.

    `qr` and `created` count for all routes. `list` counts for the routes in `seen_on` only: two routes may draw on two
    sources, of which one is live and the other stale. Rows of 0.1 do not say which route it was: what they call `list`
    counts for none. The gateway shows its word again while it holds, and a session's return ends the override in other
    ways too; but a stale "connected" would end it for a dead session, and nothing would bring it back.
    """
    caught_up_at: float | None = None
    clock: str | None = None
    """Whose clock `at` is of: the sender's name; `None` for our own."""
    lag: float = 0.0
    """What is added to `at` for our own clock."""
    seen_on: tuple[tuple[str, float], ...] = ()
    """Corrected routes on which a word of `keep` was seen, and when: what they say from then on is fresh."""

    @property
    def stamp(self) -> Stamp:
        """The moment of the newest Disconnected signal."""
        return Stamp(self.at, self.clock, self.lag)

    def fresh_from(self, source: str | None) -> float | None:
        """From when on "connected" is fresh where it comes from this route; `None` where it never is.

        `source` is `None` for an answer that is no corrected route's.
        """
        if self.caught_up in _FOR_ALL_ROUTES:
            return self.caught_up_at
        return next((moment for seen_on, moment in self.seen_on if seen_on == source), None)


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the map holds of one session. Times that never were are 0."""

    session: str
    """The session's id, exactly as its events spell it."""
    verdict: Kind | None = None
    """CONNECTED or DISCONNECTED, whichever is the newest knowledge; `None` if nothing is known (any more)."""
    known_at: float = 0.0
    """Event time up to which things are settled: a Connected or Disconnected signal that is older is late."""
    alive_at: float = 0.0
    """Event time of the newest message."""
    heard_at: float = 0.0
    event: str | None = None
    """The last event heard, of whatever kind."""
    override: Override | None = None
    channel: str | None = None
    """The channel of the gateway's list that this session was last found to be. Where several channels fold to
    the session and none is exactly it, its own id: it is none of them."""
    gateway_said: str | None = None
    gateway_said_at: float | None = None
    released: Release | None = None
    """How the last override ended."""
    released_at: float | None = None
    confirmed: bool = False
    """The gateway's own list has named this session. Without that the id may be made up, and is forgotten first."""
    known_clock: str | None = None
    known_lag: float = 0.0
    """Whose clock `known_at` is of (`None`: our own), and what is added to it for ours. Rows of 0.1 have neither:
    what they hold was compared with our own clock."""
    alive_clock: str | None = None
    alive_lag: float = 0.0
    lags: Lags = ()
    """The differences of the clocks of this session's senders, so that they are known after a restart."""
    shown_at: float | None = None
    """When an answer was first changed because of the override in force; `None` while it only will be."""
    written: Written | None = None
    """By what clock a stored record's moments are told; `None` in the map."""

    @property
    def known(self) -> Stamp:
        """The moment up to which things are settled."""
        return Stamp(self.known_at, self.known_clock, self.known_lag)

    @property
    def alive(self) -> Stamp:
        """The moment of the newest message."""
        return Stamp(self.alive_at, self.alive_clock, self.alive_lag)


class Change(msgspec.Struct, frozen=True):
    """One line of a session's history."""

    session: str
    what: str
    """`started`, `repeated` (a newer Disconnected signal during an override), `released` or `forgotten`."""
    reason: str
    """The `Release` (or `EVICTED`), or the event and state word that caused it."""
    at: float
    recorded_at: float
    gateway_said: str | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of a reading: `applied`, `late`, `duplicate` or `unchanged` (it said nothing), and the changes."""

    verdict: str
    changes: tuple[Change, ...] = ()


class Said(msgspec.Struct, frozen=True):
    """What an answer of the gateway says of one channel."""

    channel: str
    word: str | None
    """The gateway's own word, to be remembered."""
    keeps: bool
    """One of its status fields is a word of `keep`: the gateway knows that the session is not connected."""
    connected: bool
    """One of its status fields reads connected. Beside a word of `keep` that counts for nothing."""


class Observed(msgspec.Struct, frozen=True):
    """The channels that are to be shown as disconnected in the answer observed, and what the answer changed."""

    overridden: frozenset[str]
    changes: tuple[Change, ...]


class Watch:
    """What changed in a map since it was last looked at: at most one entry for each session."""

    __slots__ = ("changed", "gone")

    def __init__(self) -> None:
        self.changed: dict[str, None] = {}
        """Sessions whose records are new or different."""
        self.gone: dict[str, None] = {}
        """Sessions that were forgotten."""

    def take(self) -> tuple[list[str], list[str]]:
        """The sessions changed and those gone; from now on others are collected."""
        taken = list(self.changed), list(self.gone)
        self.changed.clear()
        self.gone.clear()
        return taken


class Store(Protocol):
    """Where the map survives a restart."""

    async def open(self) -> list[Record]:
        """Open or create the store; give every record."""

    async def save(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        """Write, and return once it is durable. Concurrent callers share one commit."""

    async def history(self, session: str | None, limit: int) -> list[Change]:
        """The newest changes, of one session or of all, newest first."""

    async def close(self) -> None:
        """Close; a closed store cannot be used again."""

    @property
    def healthy(self) -> bool:
        """Whether the last write succeeded."""

    @property
    def trouble(self) -> str | None:
        """What is wrong, for a person, if the store is not healthy."""


class SessionMap:
    """The one place of state. Every method takes its times as arguments and returns at once."""

    def __init__(self, rules: SessionRules | None = None) -> None:
        self.version = 0
        """Counts the changes that could alter a corrected answer."""
        self._records: dict[str, Record] = {}
        self._by_fold: dict[str, dict[str, None]] = {}
        self._overridden: dict[str, None] = {}
        self._queues: tuple[dict[str, None], ...] = tuple({} for _ in range(_RANKS))  # each longest untouched first
        self._unsaved: dict[str, None] = {}
        self._stale: dict[str, None] = {}
        self._forgotten: dict[str, None] = {}
        self._event_ids = EventIds()
        self.clocks = Clocks()
        """The differences of the senders' clocks from ours."""
        self._crowded: dict[str, None] = {}  # folded ids with too many spellings
        self._watches: list[Watch] = []
        self._first_shown: dict[str, None] = {}
        self._expires_from = 0.0  # no override expires before
        self._doubted_at = float("-inf")
        self.evicted = 0
        """Counts the sessions forgotten for want of room."""
        self.configure(rules or SessionRules())

    def configure(self, rules: SessionRules) -> None:
        """Take new rules. They hold for what comes next; overrides that stand are not judged again."""
        self._rules = rules
        self._aliases = Aliases(rules.aliases)
        self._expires_from = 0.0
        self.version += 1

    def load(self, records: Iterable[Record], doubted_at: float | None = None) -> None:
        """Take over what the store held. Meant for an empty map; the records count as saved.

        `doubted_at` is now, where the age of these records is known by the system's clock alone, which may have run
        ahead. Overrides of before then are as old as it says for sure only once that time has passed since.
        """
        if doubted_at is not None:
            self._doubted_at = doubted_at
        for record in sorted(records, key=lambda record: record.heard_at):
            self._put(record)
            self.clocks.load(record.session, record.lags)
        self._expires_from = 0.0
        self._unsaved.clear()
        self._stale.clear()
        self._evict(0.0)

    # What the map holds

    @property
    def has_overrides(self) -> bool:
        """Whether any override is in force."""
        return bool(self._overridden)

    @property
    def overrides(self) -> int:
        """How many overrides are in force."""
        return len(self._overridden)

    def records(self) -> list[Record]:
        """Every record, in the order in which the sessions were first heard of."""
        return list(self._records.values())

    def get(self, session: str) -> Record | None:
        """The record of the session with exactly this id."""
        return self._records.get(session)

    def any_overridden(self, sessions: Iterable[str]) -> bool:
        """Whether an override is in force for any of these sessions."""
        return any(session in self._overridden for session in sessions)

    @property
    def has_room(self) -> bool:
        """Whether a quarter of the map is free. Where not, it should be told which sessions are real (`confirm`)."""
        return len(self._records) * 4 < self._rules.max_sessions * 3

    @property
    def is_full(self) -> bool:
        """Whether another session would push one out."""
        return len(self._records) >= self._rules.max_sessions

    def watch(self) -> Watch:
        """Collect what changes, until `unwatch`."""
        watch = Watch()
        self._watches.append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Collect no longer."""
        self._watches.remove(watch)

    def clock_was_moved(self) -> None:
        """The system's clock was moved. Our own goes on evenly, but senders on the same machine moved with it."""
        self.clocks.begin_anew()
        for session, record in self._records.items():
            if record.lags:
                self._records[session] = replace(record, lags=())

    def restate(self, anew: Callable[[Record], Record]) -> None:
        """Put what `anew` gives in each record's place."""
        for record in self.records():
            self._put(anew(record))
        self._expires_from = 0.0

    # What events say

    def hear(self, reading: Reading, arrival: float, sender: str = "", at: float | None = None) -> Outcome:
        """Take in one trusted webhook's reading. Only a signal changes what is known; any event is noted as heard.

        `sender` names whose clock a signal's own time is of. `at` is the own time of an event that is no signal, where
        somebody looked for it: it tells about the clock only.
        """
        if reading.session is None:
            return Outcome("unchanged")
        record = self._records.get(reading.session) or Record(reading.session)
        record = replace(record, heard_at=max(record.heard_at, arrival), event=reading.event or record.event)
        signal = reading.signal
        if signal is not None:
            at = signal.at
            if at is None and signal.ahead is not None:
                at, sender = signal.ahead, ahead_of(sender)
        changes: list[Change] = []
        repeat = None if signal is None else self._repeated(signal, at, record)
        when: Translated | None = None
        if at is not None and repeat is None:  # the time of a repeat may be of another sender's clock
            when = self.clocks.observe(reading.session, sender, at, arrival)
            lags = with_lag(record.lags, when.stamp)
            if lags is not record.lags:
                record = replace(record, lags=lags)
        if signal is None:
            verdict = "unchanged"
        elif repeat is not None:
            verdict = repeat
        else:
            verdict, record = self._apply(signal, when, record, arrival, changes)
        self._put(record, heard=True)
        changes += self._evict(arrival)
        return Outcome(verdict, tuple(changes))

    def _repeated(self, signal: Signal, at: float | None, record: Record) -> str | None:
        """The verdict on what was heard before, whoever brings it now; `None` for what is new.

        The same id is a `duplicate`; the same word with the same time `late`. Whole seconds are too coarse for that:
        two events of two senders may share one.
        """
        state, heard_before = signal.kind is not Kind.ALIVE, self._event_ids.heard_before
        if signal.event_id is not None and heard_before(
            signal.session, signal.event_id, state=state, confirmed=record.confirmed
        ):
            return "duplicate"
        if at is None or not state or at.is_integer():
            return None
        mark = f"\0{signal.kind.value} {at}"
        return "late" if heard_before(signal.session, mark, state=True, confirmed=record.confirmed) else None

    def _apply(
        self, signal: Signal, when: Translated | None, record: Record, arrival: float, changes: list[Change]
    ) -> tuple[str, Record]:
        if when is None:  # newer than all that was said before
            stamp = judged = Stamp(max(arrival, record.known.here + TINY_STEP, record.alive.here))
        else:
            stamp, judged = when.stamp, when.judged
        if signal.kind is Kind.ALIVE:
            if later_by(judged, record.alive) <= 0:
                return "late", record
            record = replace(record, alive_at=stamp.at, alive_clock=stamp.clock, alive_lag=judged.lag)
            if self._outlived(record.override, judged):
                record = self._end(record, Release.ALIVE, judged.here, arrival, changes)
            return "applied", record
        # Of two events of the same moment Connected wins, in whatever order they come: what is shown must not
        # hang on the order of delivery, and a false "disconnected" destroys a working session.
        known = (0.0, record.verdict is not Kind.DISCONNECTED)
        if (later_by(judged, record.known), signal.kind is Kind.CONNECTED) <= known:
            return "late", record
        record = replace(record, known_at=stamp.at, known_clock=stamp.clock, known_lag=stamp.lag, verdict=signal.kind)
        if signal.kind is Kind.CONNECTED:
            return "applied", self._end(record, Release.CONNECTED_EVENT, judged.here, arrival, changes)
        return "applied", self._begin(record, signal, stamp, judged.here, arrival, changes)

    def _begin(
        self, record: Record, signal: Signal, stamp: Stamp, at: float, arrival: float, changes: list[Change]
    ) -> Record:
        standing = record.override
        override = Override(
            since=standing.since if standing else at,
            at=stamp.at,
            began=arrival,
            event=signal.event,
            word=signal.word,
            event_id=signal.event_id,
            clock=stamp.clock,
            lag=stamp.lag,
        )
        # A message that came in later may be known of already.
        if Release.ALIVE in self._rules.releases and -later_by(stamp, record.alive) > self._rules.alive_grace:
            return self._end(record, Release.ALIVE, record.alive.here, arrival, changes)
        reason = signal.event if signal.word is None else f"{signal.event} {signal.word}"
        what = "repeated" if standing else "started"
        changes.append(Change(record.session, what, reason, at, arrival, record.gateway_said))
        return replace(record, override=override, shown_at=record.shown_at if standing else None)

    def _outlived(self, override: Override | None, alive: Stamp) -> bool:
        if override is None or Release.ALIVE not in self._rules.releases:
            return False
        grace = self._rules.alive_grace
        if override.began < self._doubted_at and alive.here - self._doubted_at <= grace:
            return False
        return later_by(alive, override.stamp) > grace

    def _end(self, record: Record, reason: Release, at: float, now: float, changes: list[Change]) -> Record:
        """Give the record without its override, if it has one and the rule is on."""
        if record.override is None or reason not in self._rules.releases:
            return record
        changes.append(Change(record.session, "released", reason.value, at, now, record.gateway_said))
        record = replace(record, override=None, released=reason, released_at=now, shown_at=None)
        if reason in (Release.RECONNECTED, Release.OPERATOR):
            # Settled from outside the events: an older Disconnected one that is still under way comes too late.
            return _settled(replace(record, verdict=Kind.CONNECTED), now)
        return _settled(record, now) if reason is Release.EXPIRED else record

    # What the gateway's answers show

    def assign(self, channels: ChannelIds, *, whole: bool) -> dict[str, list[str]]:
        """Tell which sessions each channel of an answer is; only channels with an override among them are given.

        `whole`: the answer lists all channels, so that an id which several of them fold to is seen to be
        ambiguous. From such an answer the map learns each session's channel, and goes by it where an answer
        shows one channel only.
        """
        assigned: dict[str, list[str]] = {}
        owner = self._learn_channel if whole else self._known_channel
        exact, overridden = channels.exact, self._overridden
        if len(exact) < len(overridden):
            # A short answer: look for its channels among the sessions, not for all sessions among its channels.
            overridden = {one: None for channel in exact for one in self._kin(channel) if one in self._overridden}
        for session in list(overridden):
            channel = owner(session, channels)
            if channel is not None:
                assigned.setdefault(channel, []).append(session)
        if self._aliases or len(self._by_fold) < len(self._records):
            for channel, sessions in assigned.items():
                kin = self._kin(channel)
                if len(kin) > 1:
                    known = set(sessions)
                    sessions += [one for one in kin if one not in known and owner(one, channels) == channel]
        return assigned

    def confirm(self, channels: ChannelIds) -> Iterator[None]:
        """Note which sessions the gateway's own list, which has these channels, names; yields now and then."""
        for number, fold in enumerate(channels.folds, 1):
            for event_fold in (fold, *self._aliases.sessions(fold)):
                for session in list(self._by_fold.get(event_fold, ())):
                    if not self._records[session].confirmed:
                        self._learn_channel(session, channels)
            if number % _CONFIRMED_AT_ONCE == 0:
                yield

    def observe(
        self, said: Iterable[Said], assigned: Mapping[str, Sequence[str]], asked_at: float, now: float, source: str = ""
    ) -> Observed:
        """Take in an answer of the gateway: asked for at `asked_at`, complete at `now`, channels as `assign` gave.

        `source` names the corrected route it came on. Where the records of one channel's sessions disagree (each leg
        spells the id its own way), the newest knowledge among them decides. A word of `keep` shows that this source
        has caught up; "connected" from it after that is fresh, and releases.
        """
        overridden: set[str] = set()
        changes: list[Change] = []
        records = self._records
        for one in said:
            # One of them may have been forgotten since it was assigned.
            sessions = [session for session in assigned[one.channel] if session in records]
            for session in sessions:
                self._note_word(records[session], one.word, now)
            if len(sessions) > 1:
                self._supersede(sessions, now, changes)
            for session in sessions:
                if session not in self._overridden:
                    continue
                if one.keeps:
                    self._catch_up(session, "list", asked_at, now, source)
                elif one.connected:
                    self._reconnect(session, asked_at, now, changes, source)
                if session in self._overridden:
                    overridden.add(one.channel)
        return Observed(frozenset(overridden), tuple(changes))

    def answer_changed(self, channels: Iterable[str], assigned: Mapping[str, Sequence[str]], now: float) -> None:
        """Note that an answer was really changed in these channels. Until then, overrides only will be shown."""
        for channel in channels:
            for session in assigned[channel]:
                record = self._records.get(session)
                if record is not None and record.override is not None and record.shown_at is None:
                    self._put(replace(record, shown_at=now))
                    self._first_shown[session] = None

    def take_first_shown(self) -> list[str]:
        """The sessions whose override changed an answer for the first time since this was last asked."""
        if not self._first_shown:
            return []
        taken = list(self._first_shown)
        self._first_shown.clear()
        return taken

    def qr_seen(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The gateway gave a QR code for this channel: it has caught up. Changes no override."""
        for session in self._sessions_of(channel):
            self._catch_up(session, "qr", asked_at, now)
        return ()

    def created(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The channel was created or started through the proxy: the gateway has caught up."""
        for session in self._sessions_of(channel):
            self._catch_up(session, "created", asked_at, now)
        return ()

    def said_connected(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The gateway said of this channel alone, in an answer that is not corrected, that it is connected."""
        changes: list[Change] = []
        for session in self._sessions_of(channel):
            self._reconnect(session, asked_at, now, changes)
        return tuple(changes)

    def deleted(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The channel was deleted through the proxy: forget what was known of it.

        The empty record stays for a while, so that a disconnect of before the deletion is late when it comes.
        `asked_at` does not matter: the engine reports the end of a session while it is being deleted.
        """
        changes: list[Change] = []
        if Release.DELETED not in self._rules.releases:
            return ()
        for session in self._sessions_of(channel):
            ended = self._end(self._records[session], Release.DELETED, now, now, changes)
            self._put(
                Record(
                    session,
                    known_at=max(ended.known.here, now),
                    heard_at=ended.heard_at,
                    event=ended.event,
                    released=ended.released,
                    released_at=ended.released_at,
                    confirmed=ended.confirmed,
                    lags=ended.lags,
                )
            )
        return tuple(changes)

    def _catch_up(self, session: str, evidence: str, asked_at: float, now: float, source: str | None = None) -> None:
        """Note that the gateway knows of the disconnect; `source`: that only this corrected route shows it.

        Evidence counts only if it was asked for once the override had begun: an answer on its way while the
        session fell says nothing about what came after.
        """
        record = self._records[session]
        override = record.override
        if override is None or asked_at < override.began or override.caught_up in _FOR_ALL_ROUTES:
            return
        if source is None:
            override = replace(override, caught_up=evidence, caught_up_at=now)
        elif override.fresh_from(source) is not None:
            return
        else:
            seen_on = (*override.seen_on[1 - SOURCES :], (source, now))
            override = replace(override, caught_up=evidence, caught_up_at=now, seen_on=seen_on)
        self._put(replace(record, override=override))

    def _reconnect(
        self, session: str, asked_at: float, now: float, changes: list[Change], source: str | None = None
    ) -> None:
        """Release, if this "connected" is fresh: asked for after its source was seen to have caught up.

        The gateway's list is slow, it asks the engine for each session in turn. One asked for before the QR code
        was shown can come in after it, still with the stale word.
        """
        record = self._records[session]
        fresh_from = record.override.fresh_from(source) if record.override is not None else None
        if fresh_from is not None and asked_at >= fresh_from:
            self._put(self._end(record, Release.RECONNECTED, now, now, changes))

    def _supersede(self, sessions: Sequence[str], now: float, changes: list[Change]) -> None:
        """Release what another spelling of the same session knows better."""
        records = [self._records[session] for session in sessions]
        connected = [one.known for one in records if one.verdict is Kind.CONNECTED]
        for record in records:
            override = record.override
            if override is None:
                continue
            later = [known.here for known in connected if later_by(known, override.stamp) >= 0]
            if later:
                record = self._end(record, Release.CONNECTED_EVENT, max(later), now, changes)
            alive = [one.alive.here for one in records if self._outlived(record.override, one.alive)]
            if alive:
                record = self._end(record, Release.ALIVE, max(alive), now, changes)
            self._put(record)

    # Which sessions a channel is

    def _learn_channel(self, session: str, channels: ChannelIds) -> str | None:
        """A session's channel in an answer that lists all channels; noted, for answers that show one."""
        record = self._records[session]
        if session in channels.exact:
            channel: str | None = session
            learned: str | None = session
        else:
            match = channels.match(session, self._aliases)
            channel = match.channel
            learned = channel or (session if match.ambiguous else None)
        confirmed = record.confirmed or channel is not None
        if (learned is not None and learned != record.channel) or confirmed != record.confirmed:
            self._put(replace(record, channel=learned, confirmed=confirmed))
        return channel

    def _known_channel(self, session: str, channels: ChannelIds) -> str | None:
        """A session's channel in an answer that shows one: the one it was last found to be, where that is known."""
        if session in channels.exact:
            return session
        learned = self._records[session].channel
        if learned is not None:
            return learned if learned in channels.exact else None
        return channels.match(session, self._aliases).channel

    def _kin(self, channel: str) -> list[str]:
        """The sessions that may be this channel: those that fold to the same, and those aliased to it."""
        fold = fold_id(channel)
        kin = list(self._by_fold.get(fold, ()))
        for event in self._aliases.sessions(fold):
            kin += [session for session in self._by_fold.get(event, ()) if session not in kin]
        return kin

    def _sessions_of(self, channel: str) -> list[str]:
        """The sessions that a channel named in a request's path is, but for those known to be another channel."""
        return [
            session
            for session in self._kin(channel)
            if session == channel or self._records[session].channel in (None, channel)
        ]

    # What an operator and the clock do

    def release(self, session: str, now: float) -> tuple[Change, ...]:
        """End the override of a session, named by its own id, its channel's id, or another spelling of these.

        Every record of that session is released. LookupError if there is none, or if the name fits several.
        """
        changes: list[Change] = []
        for one in self._named(session):
            self._put(self._end(self._records[one], Release.OPERATOR, now, now, changes))
        return tuple(changes)

    def forget(self, session: str, now: float) -> tuple[Change, ...]:
        """Remove all that is known of a session, named as in `release`; the next event makes it known anew.

        A correction that stands ends as `operator`. Where that rule is off, nothing is changed, as in `release`.
        LookupError if there is no such session, or if the name fits several.
        """
        records = [self._records[one] for one in self._named(session)]
        if Release.OPERATOR not in self._rules.releases and any(record.override for record in records):
            return ()
        changes: list[Change] = []
        for record in records:
            self._drop(self._end(record, Release.OPERATOR, now, now, changes))
            changes.append(Change(record.session, FORGOTTEN, Release.OPERATOR.value, now, now, record.gateway_said))
        return tuple(changes)

    def _named(self, session: str) -> list[str]:
        """The sessions that an operator means by a name. LookupError if there is none, or if it fits several."""
        sessions = self._sessions_of(session)
        if not sessions:
            sessions = self._kin(session)
            if not sessions:
                raise LookupError(f"no session {session!r} is known")
            names = sorted({self._records[one].channel or one for one in sessions})
            if len(names) > 1:
                raise LookupError(f"{session!r} could be any of: {', '.join(names)}")
        return sessions

    def expire(self, now: float, at_most: int | None = None) -> tuple[Change, ...]:
        """End the overrides of which nothing new was heard for `max_age`; `at_most` so many at once."""
        max_age = self._rules.max_age
        if max_age is None or now < self._expires_from:
            return ()
        changes: list[Change] = []
        first = now  # arrival of what expires next: overrides only ever begin later
        for session in list(self._overridden):
            record = self._records[session]
            assert record.override is not None
            began = record.override.began
            if began < self._doubted_at:
                began = max(began, self._doubted_at + SETTLING - max_age)
            if began + max_age > now:
                first = min(first, began)
            elif at_most is not None and len(changes) >= at_most:
                return tuple(changes)
            else:
                self._put(self._end(record, Release.EXPIRED, now, now, changes))
        self._expires_from = first + max_age
        return tuple(changes)

    # What is to be saved

    def take_unsaved(self) -> tuple[list[Record], list[str]]:
        """Give the records that must be durable before anyone is told of their change, and the sessions forgotten.

        They count as saved from now on: whoever takes them keeps them until they are.
        """
        records = [self._records[session] for session in self._unsaved]
        forgotten = list(self._forgotten)
        self._unsaved.clear()
        self._forgotten.clear()
        return records, forgotten

    @property
    def has_unsaved(self) -> bool:
        """Whether `take_unsaved` would give anything."""
        return bool(self._unsaved or self._forgotten)

    def take_stale(self) -> list[Record]:
        """Give the records of which only what is nice to know has changed (when last heard, what the gateway said)."""
        records = [self._records[session] for session in self._stale]
        self._stale.clear()
        return records

    # The one place where records change

    def _put(self, record: Record, *, heard: bool = False) -> None:
        session = record.session
        old = self._records.get(session)
        if old == record and not heard:
            return
        self._records[session] = record
        for watch in self._watches:
            watch.changed[session] = None
        if old is None:
            spellings = self._by_fold.setdefault(fold_id(session), {})
            spellings[session] = None
            if len(spellings) > SPELLINGS:
                self._crowded[fold_id(session)] = None
            self._forgotten.pop(session, None)
            old = Record(session)
        rank = _rank(record)
        self._queue(session, rank, moved=heard or _rank(old) != rank)
        if record.override is not None:
            self._overridden[session] = None
        elif old.override is not None:
            del self._overridden[session]
        if _durable(old) != _durable(record):
            self._unsaved[session] = None
            self._stale.pop(session, None)
            self.version += 1
        elif session not in self._unsaved:
            self._stale[session] = None
        if old.channel != record.channel or (old.alive_at != record.alive_at and self._may_outlive(session)):
            self.version += 1

    def _note_word(self, record: Record, word: str | None, now: float) -> None:
        """Note what the gateway said; the same again only once a minute, for a list of thousands is asked often."""
        at = record.gateway_said_at
        if word is None or (word == record.gateway_said and at is not None and 0 <= now - at < SAME_WORD):
            return
        session = record.session
        self._records[session] = replace(record, gateway_said=word, gateway_said_at=now)
        if session not in self._unsaved:
            self._stale[session] = None
        for watch in self._watches:
            watch.changed[session] = None

    def _may_outlive(self, session: str) -> bool:
        """Whether a message on this session could end an override: its own, or that of another spelling of it.

        Messages come all day: if each made corrected answers outdated, none could be remembered or shared.
        """
        if not self._overridden:
            return False
        return bool(self._aliases) or any(one in self._overridden for one in self._by_fold[fold_id(session)])

    def _queue(self, session: str, rank: int, moved: bool) -> None:
        if moved:
            for queue in self._queues:
                queue.pop(session, None)
        self._queues[rank][session] = None

    def _evict(self, now: float) -> list[Change]:
        """Forget sessions until the map is within its bounds: those that matter least, longest untouched first."""
        changes: list[Change] = []
        for fold in list(self._crowded):
            del self._crowded[fold]
            while len(spellings := self._by_fold[fold]) > SPELLINGS:
                records = [self._records[session] for session in spellings]
                least = min(records, key=lambda record: (_rank(record), record.heard_at))
                self._forget(least, now, changes)
        while len(self._records) > self._rules.max_sessions:
            session = next(iter(next(filter(None, self._queues))))
            self._forget(self._records[session], now, changes)
        return changes

    def _forget(self, record: Record, now: float, changes: list[Change]) -> None:
        """Make room: no rule, and so told apart from what an operator forgets."""
        self.evicted += 1
        self._drop(record)
        if record.override is not None:
            changes.append(Change(record.session, "released", EVICTED, now, now, record.gateway_said))

    def _drop(self, record: Record) -> None:
        session = record.session
        del self._records[session]
        self.clocks.forget(session)
        for holder in (*self._queues, self._unsaved, self._stale):
            holder.pop(session, None)
        fold = fold_id(session)
        del self._by_fold[fold][session]
        if not self._by_fold[fold]:
            del self._by_fold[fold]
        self._forgotten[session] = None
        for watch in self._watches:
            watch.changed.pop(session, None)
            watch.gone[session] = None
        if session in self._overridden:
            del self._overridden[session]
            self.version += 1


def _settled(record: Record, now: float) -> Record:
    """The record with things settled up to `now`, on our own clock."""
    return replace(record, known_at=max(record.known.here, now), known_clock=None, known_lag=0.0)


_FOR_ALL_ROUTES: Final = frozenset({"qr", "created"})
"""Evidence that does not depend on where an answer draws its words from."""

_CONFIRMED_AT_ONCE: Final = 256
"""Sessions confirmed between two yields: some 2 ms."""

_RANKS: Final = 8


def _rank(record: Record) -> int:
    """How late a record is forgotten when the map is full.

    Last go sessions that the gateway's own list has named, whatever is known of them: the others may be made up by
    whoever sends events. Among either, those shown as disconnected go last; before them those that once were; before
    them those that were deleted, whose record only keeps an event of before that from counting; first those that
    never told of a disconnect.
    """
    if record.override is not None:
        rank = 3
    elif record.released is None:
        rank = 0
    elif record.verdict is None:
        rank = 1 if record.released is Release.DELETED else 0
    else:
        rank = 2
    return rank + 4 if record.confirmed else rank


def _durable(record: Record) -> tuple[object, ...]:
    """The part of a record that decides what is shown, now or later."""
    return (record.verdict, record.known_at, record.override, record.released, record.released_at)
