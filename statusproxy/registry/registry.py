"""The session map with its store: what is heard holds at once, and is on disk before anyone is answered.

The proxy tells the registry what passes by, the registry asks the domain what it means, logs and counts every change,
and sees to it that changes are durable. Trouble with the store is told and counted; it never stops the traffic.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

from msgspec.structs import replace

from statusproxy.clock import OwnClock
from statusproxy.observe.absences import Absences
from statusproxy.observe.logs import Repeats
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.silence import SilenceWatch
from statusproxy.observe.webhook_stats import Seen
from statusproxy.registry.changes import ChangeLog
from statusproxy.registry.correction_cache import CorrectionCache
from statusproxy.registry.gateway_view import GatewayView, Word
from statusproxy.registry.turns import Turns
from statusproxy.status import qr, signals
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import ChannelRule, Correction, correct_at_once, correct_in_steps
from statusproxy.status.clocks import Written, sender_of
from statusproxy.status.identity import Aliases
from statusproxy.status.sessions import SAME_WORD, SETTLING, Change, Record, Release, SessionMap, SessionRules, Store
from statusproxy.status.signals import SignalRules
from statusproxy.status.stored_times import moved, moved_change, not_after, told_anew
from statusproxy.store.damage import Damage, ReportsDamage

log = logging.getLogger("statusproxy.sessions")

#: Seconds between two writes of what is only nice to know after a restart (when a session was last heard of).
LEISURE: Final = 30.0

#: Seconds by which the system's clock must have moved against our own for it to be told.
_MOVED: Final = 60.0

#: Seconds that a long correction goes on before others have their turn. A step may take longer: see `status.channels`.
_SLICE: Final = 0.001

#: What cannot be read at all, and is counted and logged as that.
_UNREAD: Final = frozenset({signals.Verdict.NOT_JSON, signals.Verdict.BATCH})

#: Overrides that expire in one go, 5 ms; the others follow when others have had their turn.
_EXPIRED_AT_ONCE: Final = 128


@runtime_checkable
class LearnsLate(Protocol):
    """A store that may be away when it is opened, and gives what it held once it is back."""

    on_late: Callable[[list[Record]], None] | None


class SessionRegistry:
    """Keeper of the session map; the one writer of the store."""

    def __init__(
        self,
        signal_rules: SignalRules,
        session_rules: SessionRules,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        even: Callable[[], float] | None = None,
        boot: str | None = None,
    ) -> None:
        """`clock` gives the system's epoch seconds, `even` counts on steadily (see `OwnClock`).

        `boot` names what `even` counts from; "" where that is not known. `None`: the system's clock is always right.
        """
        self.sessions = SessionMap(session_rules)
        self.store = store
        self.clock = OwnClock(clock, even)
        """The clock by which the map goes. `started_at`, `heard_at` and `seen` are in the system's time."""
        self.started_at = clock()
        self.heard_at: float | None = None
        """When the last believed webhook came, epoch seconds."""
        self.seen = Seen()
        """What came by on the webhooks' ways since the start."""
        self.absences = Absences()
        """What was missing in requests since the start."""
        self._silence = SilenceWatch()
        self._repeats = Repeats()
        self._signal_rules = signal_rules
        self._rules = session_rules
        self._aliases = Aliases(session_rules.aliases)
        self._gateway_view = GatewayView()
        self._metrics = metrics
        self._log = ChangeLog()
        self._evicted = 0
        self._confirmed_news = -1
        self._confirming: asyncio.Task[None] | None = None
        self._moved = 0.0
        self._boot = boot
        self._doubted_at: float | None = None
        self._leisure: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Future[None]] = set()
        self._listeners: list[Callable[[Sequence[Change]], None]] = []
        self._cache = CorrectionCache()
        self._cache_version = -1
        self._cache_since = 0.0
        self._step = asyncio.Lock()
        self._turns = Turns()

    async def open(self) -> None:
        """Take over what the store holds, and start the writing at leisure."""
        if isinstance(self.store, LearnsLate):
            self.store.on_late = self._learn_late
        now = self.now()
        records = self._load(await self.store.open(), now)
        standing = [record.session for record in records if record.override is not None]
        log.info(
            "%d sessions known, %d of them disconnected",
            len(records),
            len(standing),
            extra={"sessions": len(records), "overrides": len(standing)},
        )
        self._leisure = asyncio.create_task(self._write_at_leisure())

    def _learn_late(self, late: list[Record]) -> None:
        """Take over what the store could not give when it was opened, where it is newer than what is known by now."""
        now, known = self.now(), self.sessions.get
        newer = [
            record for record in late if (mine := known(record.session)) is None or mine.known.here < record.known.here
        ]
        self._load(newer, now)
        log.info("%d sessions learnt late from the store", len(newer), extra={"sessions": len(newer)})

    def _load(self, stored: Sequence[Record], now: float) -> list[Record]:
        """Take over stored records, as old as they are by the even clock where that can be told."""
        told = [told_anew(record, self._boot, self.clock.base) for record in stored]
        records = [not_after(record, now) for record, _ in told]
        doubted = self._boot is not None and any(by is None for _, by in told)
        if doubted:
            self._doubted_at = now
        self.sessions.load(records, now if doubted else None)
        moved_by = max((by for _, by in told if by is not None), key=abs, default=0.0)
        if abs(moved_by) >= _MOVED:
            self._tell_clock_moved(moved_by)
        return records

    async def close(self) -> None:
        """Write what is left and close the store."""
        for task in (self._leisure, self._confirming):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._writing:
            await asyncio.wait(self._writing)
        try:
            await self._save(leisure=True)
        except Exception:
            log.exception("the last changes could not be written")
        await self.store.close()

    def configure(self, signal_rules: SignalRules, session_rules: SessionRules) -> None:
        """Go by other rules from now on."""
        self._signal_rules = signal_rules
        self._rules = session_rules
        self._aliases = Aliases(session_rules.aliases)
        self.sessions.configure(session_rules)

    def listen(self, listener: Callable[[Sequence[Change]], None]) -> Callable[[], None]:
        """Have `listener` called with every batch of changes; call what is returned to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # ---- what the proxy asks and tells (proxy.site.RegistryPort) ----

    @property
    def has_overrides(self) -> bool:
        """Whether any correction is in force."""
        return self.sessions.has_overrides

    @property
    def version(self) -> int:
        """Counts the changes of what is to be shown."""
        return self.sessions.version

    def now(self) -> float:
        """The time on our own clock, epoch seconds, never the same twice and never less than before."""
        return self.clock.now()

    def hear(
        self, body: bytes, source: str, sender: str = "", path_session: str | None = None
    ) -> Awaitable[None] | None:
        """A believed webhook's body, whole: what it says holds when this returns, and is durable when awaited.

        `source` is the sender's address, `sender` the webhook's path: together they name who keeps the clock of the
        event's own time. `path_session` is the session in that path.
        """
        now, wall = self.clock.now(), self.clock.wall()
        if not -_MOVED < wall - now - self._moved < _MOVED:
            self._clock_moved(wall - now, now)
        reading = signals.read(body, self._signal_rules, wall, path_session)
        self.heard_at = wall
        if reading.verdict in _UNREAD:
            self.unreadable("webhook", reading.verdict.value)
        if not self.sessions.has_room:
            self._confirm()
        path, sender = sender, sender_of(sender, source)
        at, clocks = None, self.sessions.clocks
        if reading.signal is None and reading.session is not None and clocks.due(reading.session, sender, now):
            at = signals.stated_time(body, wall)
        outcome = self.sessions.hear(reading, now, sender, at)
        verdict = outcome.verdict if reading.signal is not None else reading.verdict.value
        if reading.verdict is signals.Verdict.UNMATCHED and reading.event == signals.PRESENCE_EVENT:
            # In the engine's own shape no rule names it; it is most of what comes, and known for what it is.
            verdict = signals.Verdict.PRESENCE.value
        self._metrics.signal(reading.signal.kind.value if reading.signal else "none", verdict)
        self.seen.heard(source, reading.event, verdict, wall)
        if reading.signal is not None:
            at, ahead = reading.signal.at, reading.signal.ahead
            self.seen.timed(at if at is not None else ahead, wall)
            if ahead is not None:
                self._log.dated_ahead(source, path, ahead - wall)
        if reading.signal is not None and outcome.verdict in {"late", "duplicate"}:
            self._log.ignored(reading.signal.session, reading.event, outcome.verdict, now)
        if self.sessions.evicted != self._evicted:
            self._tell_evicted(now)
        durable = self._durable(outcome.changes)
        if durable is None and outcome.verdict == "duplicate":
            # The first delivery may still be on its way to the disk: this one is answered no sooner.
            return asyncio.ensure_future(self._write((), (), ()))
        return durable

    def doubt(self, source: str, why: str) -> None:
        """A webhook from a sender that is not believed: counted, logged, forgotten."""
        self._metrics.signal("none", "untrusted")
        self.seen.doubted(source, why, self.clock.wall())
        said = self._repeats.more(("doubt", source, why), ("doubt", "(many)", why), self.now())
        if said is not None:
            _warn(*said)

    def correct(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A channel list as it must read now."""
        now = self.now()
        listing = self._gateway_view.note(body, rule, session, now)
        expired = self._expire(now)
        if not expired and not self.sessions.has_overrides:
            return Correction(body), None
        known = self._remembered(listing, asked_at, now)
        if known is not None:
            return _as_it_came(known, body), self._durable(expired) if expired else None
        version = self.sessions.version
        correction = correct_at_once(listing, self.sessions, asked_at, now)
        durable = self._corrected(listing, correction, version, asked_at, now, expired)
        return _as_it_came(correction, body), durable

    async def correct_in_steps(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A channel list as it must read when this returns; for long lists.

        Others have their turn after each step of some milliseconds. Of all corrections under way one makes a step at
        a time; of those of one list one is made, and serves the others if the map has not changed meanwhile.
        """
        now = self.now()
        listing = self._gateway_view.note(body, rule, session, now)
        waits = [self._durable(self._expire(now))]
        async with self._turns.of((id(rule), session)):
            known = self._remembered(listing, asked_at, self.now())
            if known is not None:
                return _as_it_came(known, body), _all(waits)
            version = self.sessions.version
            steps = correct_in_steps(listing, self.sessions, asked_at, now)
            correction: Correction | None = None
            while correction is None:
                async with self._step:
                    correction = self._advance(steps, waits)
                    if correction is None:
                        await asyncio.sleep(0)
            waits.append(self._corrected(listing, correction, version, asked_at, now))
        return _as_it_came(correction, body), _all(waits)

    def _advance(
        self, steps: Generator[Sequence[Change], None, Correction], waits: list[Awaitable[None] | None]
    ) -> Correction | None:
        """Go on with a correction for one slice of time; what is there when it is done."""
        until = time.perf_counter() + _SLICE
        while True:
            try:
                changes = next(steps)
            except StopIteration as stop:
                correction: Correction = stop.value
                return correction
            if changes:
                # Told at once: whoever waits for the answer may be gone before it is done.
                waits.append(self._durable(changes, worded=True))
            if time.perf_counter() >= until:
                return None

    def _remembered(self, listing: ChannelList, asked_at: float, now: float) -> Correction | None:
        """The correction of the same answer, if the map has not changed since.

        One is made anew once a minute, for the map notes what the gateway said, and when.
        """
        self._notice_version(now)
        known = self._cache.find(listing, asked_at, now - SAME_WORD)
        if known is not None:
            self._metrics.corrected(len(known.corrected))
        return known

    def _notice_version(self, now: float) -> None:
        """What was remembered for another version of the map counts no longer."""
        if self.sessions.version != self._cache_version:
            self._cache.clear()
            self._cache_version, self._cache_since = self.sessions.version, now

    def _corrected(
        self,
        listing: ChannelList,
        correction: Correction,
        version: int,
        asked_at: float,
        now: float,
        expired: Sequence[Change] = (),
    ) -> Awaitable[None] | None:
        """An answer was corrected that was begun on at `version`: count it, remember it, tell what it changed."""
        if correction.corrected:
            self._metrics.corrected(len(correction.corrected))
            for session in self.sessions.take_first_shown():
                self._log.first_shown(session, now)
        # Asked for after the last change of the map: whoever gets the same answer later, it means the same. Of an
        # answer asked for before, that is true only for those who asked no later: they share one call to the gateway.
        current = self.sessions.version == version == self._cache_version and asked_at >= self._cache_since
        self._notice_version(now)
        if not correction.failure:
            self._cache.put(listing, correction, None if current else asked_at, now)
        if expired:
            return self._durable([*map(self._with_word, expired), *correction.changes], worded=True)
        return self._durable(correction.changes, worded=True)

    def wants_qr(self, session: str) -> bool:
        """Whether the QR route's answer for this session can end or change an override."""
        return self.sessions.has_overrides

    def qr_answered(self, session: str, body: bytes, image: bool, asked_at: float) -> Awaitable[None] | None:
        """The QR route answered 2xx: a code shows that the gateway knows, "connected" may be the end of it."""
        now = self.now()
        answer = qr.Answer.CODE if image and qr.is_image(body) else qr.read(body)
        if answer is qr.Answer.CODE:
            return self._durable(self.sessions.qr_seen(session, asked_at, now))
        if answer is qr.Answer.CONNECTED:
            return self._durable(self.sessions.said_connected(session, asked_at, now))
        if answer is qr.Answer.NOT_JSON:
            self.unreadable("qr", "not-json")
        return None

    def created(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was created or started through the proxy."""
        now = self.now()
        return self._durable(self.sessions.created(session, asked_at, now))

    def deleted(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was deleted through the proxy."""
        return self._durable(self.sessions.deleted(session, asked_at, self.now()))

    def left_out(self, what: str, peer: str, *, webhook: bool) -> None:
        """A request lacked what a proxy in front should have passed on."""
        self.absences.note(what, peer, self.clock.wall(), webhook=webhook)

    def unreadable(self, what: str, why: str) -> None:
        """Something could not be watched or corrected and passed as it came."""
        self._metrics.unreadable(what, why)
        said = self._repeats.more(("unread", what, why), ("unread", "(many)", why), self.now())
        if said is not None:
            _warn(*said)

    # ---- what an operator does ----

    async def release(self, session: str) -> tuple[Change, ...]:
        """End a session's override by hand. LookupError where no such session is known."""
        changes = self.sessions.release(session, self.now())
        durable = self._durable(changes)
        if durable is not None:
            await durable
        shift = self.clock.shift
        return tuple(moved_change(change, shift) for change in changes) if shift else changes

    async def forget(self, session: str) -> tuple[Change, ...]:
        """Remove all that is known of a session. LookupError where no such session is known."""
        changes = self.sessions.forget(session, self.now())
        durable = self._durable(changes)
        if durable is not None:
            await durable
        shift = self.clock.shift
        return tuple(moved_change(change, shift) for change in changes) if shift else changes

    def records(self) -> list[Record]:
        """What is known of each session now, in the system's time."""
        durable = self._durable(self._expire(self.now()))
        if durable is not None:
            asyncio.ensure_future(durable).add_done_callback(_swallow)
        records, shift = self.sessions.records(), self.clock.shift
        return [moved(record, shift) for record in records] if shift else records

    def in_system_time(self, record: Record) -> Record:
        """A record as it is stored and shown; the same object while the system's clock goes as ours does."""
        shift = self.clock.shift
        return moved(record, shift) if shift else record

    def gateway_word(self, session: str) -> Word | None:
        """What the gateway last said of a session, corrected or not, as far as it passed by since the start."""
        word, shift = self._gateway_view.word(session, self._aliases), self.clock.shift
        return Word(word.said, word.at + shift) if word is not None and shift else word

    @property
    def gateway_versions(self) -> tuple[int, int]:
        """Two counts: of the gateway's answers that differed from the one before, and of all of them."""
        return self._gateway_view.news, self._gateway_view.version

    async def works(self) -> bool:
        """Whether the store really takes writes now: asked by writing nothing, through the same one writer."""
        try:
            await self.store.save((), (), ())
        except Exception:  # noqa: BLE001 - whatever it is, it does not work
            return False
        return self.store.healthy

    @property
    def damage(self) -> Sequence[Damage]:
        """What happened to the stored state and no operator has acknowledged yet, oldest first."""
        return self.store.damage if isinstance(self.store, ReportsDamage) else ()

    @property
    def repairs(self) -> Mapping[str, int]:
        """How often the stored state was repaired since the start, by cause."""
        return self.store.repairs if isinstance(self.store, ReportsDamage) else {}

    async def acknowledge_damage(self) -> int:
        """Note that an operator knows of all damage so far; give how many there were. Raises `StoreError`."""
        return await self.store.acknowledge() if isinstance(self.store, ReportsDamage) else 0

    # ---- durability ----

    def _durable(self, changes: Sequence[Change], *, worded: bool = False) -> Awaitable[None] | None:
        """Tell of the changes; give what to await until all that must be durable is so, None where nothing must.

        `worded`: they tell what the gateway says already, since they come from its answer.
        """
        if changes:
            if not worded:
                changes = list(map(self._with_word, changes))
            self._log.changed(changes, self.clock.last)
            for change in changes:
                self._metrics.change(change.what, change.reason)
            for listener in list(self._listeners):
                listener(changes)
            changes = self._lasting(changes)
        self._notice_version(self.clock.last)
        if not changes and not self.sessions.has_unsaved:
            return None
        unsaved, forgotten = self.sessions.take_unsaved()
        # Started now, so that it is under way while the gateway answers; and it goes on if the waiter is cancelled.
        writing = asyncio.ensure_future(self._write(unsaved, forgotten, changes))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return asyncio.shield(writing)

    def _with_word(self, change: Change) -> Change:
        """The change with what the gateway claimed at that time, which the map notes of corrected sessions only."""
        word = self._gateway_view.word(change.session, self._aliases)
        record = self.sessions.get(change.session)
        noted_at = record.gateway_said_at if record is not None else None
        if word is None or (change.gateway_said is not None and (noted_at is None or noted_at >= word.at)):
            return change
        return replace(change, gateway_said=word.said)

    def _lasting(self, changes: Sequence[Change]) -> Sequence[Change]:
        """The changes that go into the history: in a map that is full, none of sessions that may be made up.

        A flood of them would push out of the history what happened to real ones. What an operator does stays.
        """
        if not self.sessions.is_full:
            return changes
        known = self.sessions.get
        return [
            change
            for change in changes
            if change.reason == Release.OPERATOR or ((record := known(change.session)) is not None and record.confirmed)
        ]

    # ---- sessions that matter less ----

    def _confirm(self) -> None:
        """The map may soon be full: tell it which sessions the gateway's own lists name, for these must stay."""
        if self._confirmed_news == self._gateway_view.news or (self._confirming and not self._confirming.done()):
            return
        self._confirmed_news = self._gateway_view.news
        self._confirming = asyncio.ensure_future(self._confirm_in_steps())

    async def _confirm_in_steps(self) -> None:
        for listing in self._gateway_view.lists():
            for _ in listing.steps():
                await asyncio.sleep(0)
            for _ in self.sessions.confirm(listing.ids):
                await asyncio.sleep(0)

    def _tell_evicted(self, now: float) -> None:
        count, self._evicted = self.sessions.evicted - self._evicted, self.sessions.evicted
        self._metrics.evicted(count)
        self._log.evicted(count, self._rules.max_sessions, now)

    def _clock_moved(self, shift: float, now: float) -> None:
        """The system's clock was set. What is known goes by our own; only what it says of senders' clocks is void."""
        moved_by, self._moved = shift - self._moved, shift
        doubted_at = self._doubted_at
        if doubted_at is not None and moved_by < 0 and now - doubted_at < SETTLING:
            # It was ahead when we started: our own clock is still, and what was stored before is that much younger.
            self.sessions.restate(lambda record: moved(record, -moved_by, doubted_at))
        self._tell_clock_moved(moved_by)

    def _tell_clock_moved(self, moved_by: float) -> None:
        log.warning(
            "the system clock was moved by %+d s; corrections do not depend on it", moved_by, extra={"moved": moved_by}
        )
        self.sessions.clock_was_moved()

    def _expire(self, now: float) -> Sequence[Change]:
        """End the overrides that are too old: some now, the others soon."""
        changes = self.sessions.expire(now, _EXPIRED_AT_ONCE)
        if len(changes) >= _EXPIRED_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._expire_more)
        return changes

    def _expire_more(self) -> None:
        durable = self._durable(self._expire(self.now()))
        if durable is not None:
            asyncio.ensure_future(durable).add_done_callback(_swallow)

    async def _save(self, *, leisure: bool) -> None:
        unsaved, forgotten = self.sessions.take_unsaved()
        stale = self.sessions.take_stale() if leisure else []
        if unsaved or forgotten or stale:
            await self._write([*stale, *unsaved], forgotten, ())

    async def _write(self, records: Sequence[Record], forgotten: Sequence[str], changes: Sequence[Change]) -> None:
        shift = self.clock.shift
        written = Written(self._boot, self.clock.base, shift) if self._boot else None
        if shift or written is not None:
            records = [self._as_stored(record, shift, written) for record in records]
        if shift:
            changes = [moved_change(change, shift) for change in changes]
        try:
            await self.store.save(records, forgotten, changes)
        except Exception as error:  # noqa: BLE001
            # The store keeps what it could not write and goes on trying; the traffic goes on meanwhile.
            self._metrics.store_failed()
            said = self._repeats.more(("write", "", str(error)), ("write", "", "(many)"), self.now())
            if said is not None:
                _warn(*said)

    def _as_stored(self, record: Record, shift: float, written: Written | None) -> Record:
        """A record in the system's time, with the clock that it was told by."""
        override, doubted_at = record.override, self._doubted_at
        if doubted_at is None or override is None:
            pass
        elif override.began < doubted_at and self.clock.last - doubted_at < SETTLING:
            written = None  # the next start must doubt it as this one does
        if shift:
            record = moved(record, shift)
        return record if written is None else replace(record, written=written)

    async def _write_at_leisure(self) -> None:
        while True:
            await asyncio.sleep(LEISURE)
            now, wall = self.clock.now(), self.clock.wall()
            if not -_MOVED < wall - now - self._moved < _MOVED:
                self._clock_moved(wall - now, now)
            self._silence.look(self.seen.rhythm, wall)
            for about, count in self._repeats.overdue(self.now()):
                _warn(about, count, over=True)
            self._log.overdue(self._rules.max_sessions, self.now())
            try:
                durable = self._durable(self._expire(self.now()))
                if durable is not None:
                    await durable
                await self._save(leisure=True)
            except Exception:
                log.exception("writing at leisure failed")


def _as_it_came(correction: Correction, body: bytes) -> Correction:
    """Nothing to correct is told by giving back the very bytes that came, not others equal to them."""
    return correction if correction.corrected else replace(correction, body=body)


async def _each(waits: Sequence[Awaitable[None]]) -> None:
    for one in waits:
        await one


def _all(waits: Sequence[Awaitable[None] | None]) -> Awaitable[None] | None:
    """What to await for all of these; None where there is nothing to wait for."""
    awaited = [one for one in waits if one is not None]
    if len(awaited) < 2:
        return awaited[0] if awaited else None
    return asyncio.ensure_future(_each(awaited))


def _warn(about: Any, more: int, *, over: bool = False) -> None:
    """One line for a warning that may come in floods; `more` came since its last line, `over` without a new one."""
    kind, who, why = about
    if kind == "doubt":
        line, extra = f"event not believed: its sender {who} fails the {why} check", {"client": who, "why": why}
    elif kind == "write":
        line, extra = "a change was" if over else "a change is", {"why": why}
        line += f" not on disk {'at once' if over else 'yet'}: {why}"
    else:
        line, extra = f"{who} passed untouched: {why}", {"what": who, "why": why}
    if more:
        line += f" ({more} more times in the last minutes)" if over else f" (and {more} times since this was last said)"
        extra["more"] = more
    log.log(logging.ERROR if kind == "write" else logging.WARNING, "%s", line, extra=extra)


def _swallow(done: "asyncio.Future[None]") -> None:
    if not done.cancelled():
        done.exception()
