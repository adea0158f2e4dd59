"""The session registry: what it receives is in force at once, and on disk before the sender is answered.

The proxy tells the registry what passes by (`proxy.ports.RegistryPort`), and the registry asks the domain what it
means. Changes go one way: receive, observe or release -> changes -> publish -> save. Each state has one owner:

    sessions       the map                                        status.sessions
    gateway_view   the gateway's last answers                     gateway_view
    corrections    corrected answers, remembered by version       corrections
    changes        who is told: log, metrics, status page         changes
    saving         what is under way to the store                 saving

An error of the store is told and counted; it never stops the traffic.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from statusproxy.clock import OwnClock
from statusproxy.learning.watch import Watch
from statusproxy.observe.absences import Absences
from statusproxy.observe.counted import counted
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.pacing import Pacer
from statusproxy.registry.change_log import ChangeLog
from statusproxy.registry.changes import Changes
from statusproxy.registry.clock_watch import ClockWatch
from statusproxy.registry.confirmation import Confirmation
from statusproxy.registry.corrections import Corrections, learn_own
from statusproxy.registry.deadlines import Deadlines
from statusproxy.registry.evictions import Evictions
from statusproxy.registry.gateway_view import GatewayView, Word
from statusproxy.registry.history import to_keep, with_claim
from statusproxy.registry.intake import Intake
from statusproxy.registry.intervals import Intervals
from statusproxy.registry.others import Others
from statusproxy.registry.outage_ledger import OutageLedger
from statusproxy.registry.reading_ahead import ReadingAhead
from statusproxy.registry.repeated_warnings import RepeatedWarnings
from statusproxy.registry.saving import Saving
from statusproxy.registry.session_rows import SessionRows
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.registry.watched_routes import WatchedRoutes
from statusproxy.registry.webhook_outcomes import Arrival, WebhookOutcomes
from statusproxy.status.channels import ChannelRule, Correction
from statusproxy.status.lost_word import lost_word
from statusproxy.status.model import Change, Record, SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalRules
from statusproxy.status.stored_times import moved, moved_change
from statusproxy.store.base import Store

log = logging.getLogger("statusproxy.sessions")

#: Sessions logged in one turn of the loop: 2 ms.
_LOGGED: Final = 64


class SessionRegistry:
    """The port that the proxy uses, and what an operator asks and does."""

    def __init__(
        self,
        signal_rules: SignalRules,
        session_rules: SessionRules,
        store: Store,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] | None = None,
        boot: str | None = None,
        history_days: float | None = 90,
    ) -> None:
        """`clock` gives the system's epoch seconds, `monotonic` is as in `OwnClock`, `boot` as in `StoredAges`.

        `history_days`: how long `store` keeps history.
        """
        self.sessions = SessionMap(session_rules)
        self.clock = OwnClock(clock, monotonic)
        """The clock by which the map goes. `started_at` and `absences` are in the system's time."""
        self.started_at = clock()
        self.webhooks = WebhookStats(lambda: self.clock.shift)
        """What came on the webhooks' paths since the start."""
        self.absences = Absences()
        """What was missing in requests since the start."""
        self.learning = Watch(clock)
        """What `statusproxy learn` asked to learn from the traffic."""
        self._log = ChangeLog(lambda session, said: _reads(self.sessions.get(session), self._list_rule, said))
        self._list_rule: ChannelRule | None = None
        self.ledger = OutageLedger(self.clock, history_days)
        """When each session was lost."""
        self.changes = Changes(self._log, metrics, self.ledger)
        """The subscribers: each receives every change of a session."""
        self._metrics = metrics
        self._outcomes = WebhookOutcomes(metrics, self.webhooks, self._log)
        self._warnings = RepeatedWarnings()
        self._gateway_view = GatewayView()
        self.pacer = Pacer()
        """Paces whatever looks at all sessions beside the traffic."""
        self._reading_ahead = ReadingAhead(self._gateway_view, self.pacer)
        self.rows = SessionRows(self.sessions, self._gateway_view, lambda: self.clock.last, self.pacer)
        """Every session once, listed or not, as it stands."""
        self._corrections = Corrections(self.sessions)
        self._confirmation = Confirmation(self.sessions, self._gateway_view)
        ages = StoredAges(self.clock, boot)
        self.saving = Saving(self.sessions, store, self.clock, ages, self._not_saved)
        """The one writer of the store, and what is known of the stored state."""
        self._deadlines = Deadlines(self.sessions, self.judge)
        self._clock_watch = ClockWatch(self.sessions, ages)
        self._intake = Intake(
            self.sessions, signal_rules, self._outcomes, self._follow, self.saving.earlier, self.unreadable
        )
        self.watched = WatchedRoutes(self.sessions, self.clock, self._intake, self._follow, self.unreadable)
        """What watched routes show about their sessions."""
        self._others = Others(self.sessions, self.clock, self._follow, self.ledger.taken_over)
        self._evictions = Evictions(self.sessions, metrics.evicted)
        owing = self._warnings, self._evictions, self._log
        self._intervals = Intervals(self.clock, self._clock_watch, self.webhooks, owing, self.judge, self.saving)

    async def open(self) -> None:
        """Take over what the store holds, and start to write at intervals. Raises `StoreError`."""
        now = self.now()
        stored = await self.saving.open(self._others.take)
        records = self._clock_watch.load(stored, now, shared=self.store.sharing is not None)
        self._metrics.losses.start(records, now)
        standing = sum(record.override is not None for record in records)
        log.info(
            "%s known, %d of them disconnected", counted(len(records), "session"), standing,
            extra={"sessions": len(records), "overrides": standing},
        )  # fmt: skip
        self.ledger.open(self.store, records)
        await self._others.begin()
        self._deadlines.watch(now)
        self._intervals.begin()

    async def close(self) -> None:
        """Write what is left and close the store."""
        await self._intervals.close()
        await self.ledger.close()
        await self._intake.close()
        self._deadlines.close()
        self._others.close()
        await self._confirmation.close()
        await self._reading_ahead.close()
        await self.saving.close()

    def configure(
        self, signal_rules: SignalRules, session_rules: SessionRules, list_rule: ChannelRule | None = None
    ) -> None:
        """Apply new rules from now on; `list_rule` is that of the channel list, by which log lines go."""
        self._list_rule = list_rule
        self._intake.rules = signal_rules
        self.sessions.configure(session_rules)

    # ---- what the proxy asks and tells (proxy.ports.RegistryPort) ----

    @property
    def has_overrides(self) -> bool:
        """Whether any correction is in force."""
        return self.sessions.has_overrides

    @property
    def version(self) -> int:
        """Counts the changes that could alter a corrected answer."""
        return self.sessions.version

    def now(self) -> float:
        """The time in epoch seconds on our own clock, strictly increasing."""
        return self.clock.now()

    def hear(
        self, body: bytes, source: str, path: str = "", path_session: str | None = None, by_address: bool = False
    ) -> Awaitable[None] | None:
        """A trusted webhook's body, whole: what it says holds when this returns, and is durable when awaited.

        `source` is the sender's address, `path` the webhook's path: together they tell whose clock the event's own time
        is of. `path_session` is the session in that path. `by_address`: the sender is trusted for its address alone.
        """
        now, wall = self.clock.now(), self.clock.wall()
        self._clock_watch.look(now, wall)
        return self._intake.hear(body, Arrival(source, path, path_session, by_address, now, wall))

    def identify(self, body: bytes, path_session: str | None = None) -> tuple[str | None, str | None]:
        """The session and the event's name in a webhook's body, as `hear` reads them; it changes nothing."""
        return self._intake.identify(body, self.clock.wall(), path_session)

    def doubt(self, source: str, why: str) -> None:
        """A webhook from a sender that is not trusted: counted, logged, forgotten."""
        now = self.now()
        self._outcomes.untrusted(source, why, now)
        self._warnings.untrusted(source, why, now)

    def correct(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None, query: str = ""
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A channel list as corrected now. `query` is that of its request."""
        now = self.now()
        listing = self._gateway_view.note(body, rule, session, now, query)
        self._reading_ahead.note(listing, now)
        if listing.single:
            learn_own(listing, self.sessions.answers)
        expired = self._deadlines.look(now)
        if not expired and not self.sessions.has_overrides:
            return Correction(body), None
        correction = self._corrections.correct(listing, asked_at, now)
        if correction.corrected:
            self._metrics.corrected(len(correction.corrected))
            for session_id in self.sessions.answers.take_first_shown():
                self._log.first_shown(session_id, now)
        changes = [*map(self._with_claim, expired), *correction.changes] if expired else correction.changes
        durable = self._follow(changes, with_claims=True) if changes or self.sessions.has_unsaved else None
        return _as_it_came(correction, body), durable

    async def correct_in_steps(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None, query: str = ""
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A long channel list, corrected in steps that let others run. The result is up to date when this returns."""
        now = self.now()
        listing = self._gateway_view.note(body, rule, session, now, query)
        waits = [self._follow(self._deadlines.look(now))]

        def changed(changes: Sequence[Change]) -> None:
            waits.append(self._follow(changes, with_claims=True))

        correction = await self._corrections.correct_in_steps(listing, asked_at, now, self.now, changed)
        self._reading_ahead.note(listing, now)  # not before: a correction finds its channels in one that is not read
        self._metrics.corrected(len(correction.corrected))
        while first_shown := self.sessions.answers.take_first_shown(_LOGGED):
            for session_id in first_shown:
                self._log.first_shown(session_id, now)
            await asyncio.sleep(0)
        changed(correction.changes)
        return _as_it_came(correction, body), _all(waits)

    def left_out(self, what: str, peer: str, *, webhook: bool) -> None:
        """A request lacked what a proxy in front should have passed on."""
        self.absences.note(what, peer, self.clock.wall(), webhook=webhook)

    def unreadable(self, what: str, why: str, count: int = 1) -> None:
        """Something could not be watched or corrected and passed as it came; `count` of it."""
        self._metrics.unreadable(what, why, count)
        self._warnings.unreadable(what, why, self.now())

    # ---- what an operator asks and does; times are in the system's ----

    async def release(self, session: str, by: str | None = None) -> Sequence[Change]:
        """End a session's override by hand; `by` is who does it. LookupError where no such session is known."""
        return await self._by_hand(self.sessions.release(session, self.now(), by))

    async def forget(self, session: str, by: str | None = None) -> Sequence[Change]:
        """Remove all that is known of a session, as `release`. LookupError where no such session is known."""
        return await self._by_hand(self.sessions.forget(session, self.now(), by))

    async def _by_hand(self, changes: Sequence[Change]) -> Sequence[Change]:
        durable = self._follow(changes)
        await _until(durable)
        shift = self.clock.shift
        return [moved_change(change, shift) for change in changes] if shift else changes

    def in_system_time(self, record: Record) -> Record:
        """A record as it is stored and shown; the same object while the system's clock goes as ours does."""
        shift = self.clock.shift
        return moved(record, shift) if shift else record

    def gateway_word(self, session: str) -> Word | None:
        """The gateway's last word for a session, corrected or not, if any has passed since the start."""
        word, shift = self._gateway_view.word(session, self.sessions.aliases), self.clock.shift
        return Word(word.said, word.at + shift) if word is not None and shift else word

    async def losses(self) -> SessionLosses:
        """The losses of each session since the start, as of now; others have their turn meanwhile."""
        names = [record.session for record in self.sessions.records()]
        for _ in self._metrics.losses.looking(names, self.sessions.get, self.now()):
            await self.pacer.step()
        return self._metrics.losses

    @property
    def list_seen_at(self) -> float | None:
        """When the gateway's last list passed; None if no list has passed since the start."""
        seen_at = self.rows.seen_at
        return None if seen_at is None else seen_at + self.clock.shift

    @property
    def gateway_versions(self) -> tuple[int, int]:
        """Two counts: of the gateway's answers that differed from the one before, and of all of them."""
        return self._gateway_view.news, self._gateway_view.version

    @property
    def store(self) -> Store:
        """Where the map survives a restart."""
        return self.saving.store

    async def works(self) -> bool:
        """Whether the store really takes writes now."""
        return await self.saving.works()

    # ---- changes -> publish -> save ----

    def _follow(self, changes: Sequence[Change], *, with_claims: bool = False) -> Awaitable[None] | None:
        """Publish the changes; give what to await until all that must be durable is so, None where nothing must.

        `with_claims`: they tell what the gateway claims already, since they come from its answer.
        """
        if changes:
            if not with_claims:
                changes = list(map(self._with_claim, changes))
            self.changes.publish(changes, self.clock.last)
            changes = to_keep(changes, self.sessions)
        if not self.sessions.has_room:
            self._confirmation.begin()
        self._evictions.look(self.clock.last)
        self._corrections.notice_version(self.clock.last)
        self._deadlines.watch(self.clock.last)
        return self.saving.save(changes)

    def _with_claim(self, change: Change) -> Change:
        word = self._gateway_view.word(change.session, self.sessions.aliases)
        return with_claim(change, word, self.sessions.get(change.session))

    def _not_saved(self, error: Exception) -> None:
        self._metrics.store_failed()
        self._warnings.not_saved(str(error), self.now())

    # ---- what time brings ----

    def judge(self) -> Awaitable[None] | None:
        """Take in what time brings by now, as looking at `records` does."""
        return self._follow(self._deadlines.look(self.now()))


def _reads(record: Record | None, rule: ChannelRule | None, said: str | None) -> str | None:
    """What the channel list reads for a session that is shown as disconnected where the gateway says `said`."""
    if rule is None or record is None or record.override is None:
        return None
    return lost_word(rule, record.override.word, said or record.gateway_said)


def _as_it_came(correction: Correction, body: bytes) -> Correction:
    """Nothing to correct is told by giving back the very bytes that came, not others equal to them."""
    return correction if correction.corrected else Correction(body, (), correction.changes, correction.failure)


async def _until(durable: Awaitable[None] | None) -> None:
    """Wait until it is durable, where there is something to wait for."""
    if durable is not None:
        await durable


async def _each(waits: Iterable[Awaitable[None]]) -> None:
    for one in waits:
        await one


def _all(waits: Iterable[Awaitable[None] | None]) -> Awaitable[None] | None:
    """What to await for all of these; None where there is nothing to wait for."""
    awaited = [one for one in waits if one is not None]
    if len(awaited) < 2:
        return awaited[0] if awaited else None
    return asyncio.ensure_future(_each(awaited))
