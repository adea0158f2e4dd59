"""Plays events through the session map, one after the other, as a proxy would receive them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from statusproxy.captures import Delivery
from statusproxy.config.settings import Event, Webhook
from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy.elision import Elider
from statusproxy.rehearsal import senders
from statusproxy.rehearsal.earlier import Earlier
from statusproxy.rehearsal.elements import Element, Elements, dated
from statusproxy.rehearsal.explanation import (
    Heard,
    explain,
    likely_members,
    passes_over_loss,
    stated_word,
    why_not_json,
    why_nothing,
)
from statusproxy.rehearsal.messages import EventResult
from statusproxy.rehearsal.moments import moment
from statusproxy.rehearsal.site import Site, is_left_out
from statusproxy.rehearsal.vocabulary import is_other_traffic, looks_like_loss, name_shown
from statusproxy.status.clocks import sender_of
from statusproxy.status.fields import fold_word
from statusproxy.status.model import Change
from statusproxy.status.packing import Unread
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import UNREADABLE, Reading, Signal, SignalKind, Verdict

UNTRUSTED: Final = "untrusted"
UNWATCHED: Final = "unwatched"
TOO_LARGE: Final = "too-large"
TOO_MANY: Final = "too-many"
"""Verdicts beside those of the domain: the sender's proof fails, no webhook has this path, the body is not read, or
some of its events are not."""

TICK: Final = 0.001
"""Seconds between two arrivals at the same time: our own clock never stands still."""

_BLOCK: Final = 64 * 1024


class Given(msgspec.Struct, frozen=True):
    """What holds for all events, where they do not say it themselves."""

    path: str | None = None
    headers: Sequence[tuple[str, str]] = ()


class Hearing:
    """The events of one run, in the order in which they come in."""

    def __init__(self, site: Site, sessions: SessionMap, now: float) -> None:
        self._site = site
        self._sessions = sessions
        self._rules = site.settings.signal_rules()
        self._elements = Elements(self._rules)
        self.now = now
        """The time of the last arrival, in epoch seconds."""
        self._begun = False
        self._earlier = Earlier()

    def hear(self, deliveries: Iterable[Delivery], given: Given) -> Iterator[EventResult]:
        """Give these events to the map, one after the other; the result of each."""
        for delivery in deliveries:
            at = delivery.at
            if at is None:
                at = self.now + TICK if self._begun else self.now
            self.now = max(at, self.now + TICK) if self._begun else at
            self._begun = True
            self._sessions.expire(self.now)
            self._sessions.judge_transient(self.now)
            yield from self._hear(delivery, given)

    def _hear(self, delivery: Delivery, given: Given) -> Iterator[EventResult]:
        found = self._site.webhook(delivery.path if delivery.path is not None else given.path)
        if found.kind is not RouteKind.WEBHOOK or found.entry is None:
            yield EventResult(
                source=delivery.source,
                arrival=moment(self.now),
                verdict=UNWATCHED,
                why=_LEFT_OUT if is_left_out(found) else "no webhook of the configuration has this path",
                missed=True,
            )
            return
        webhook, policy = found.entry
        sender = senders.proof(webhook, policy, given.headers, delivery.headers, delivery.body)
        body = _as_read(delivery.body, self._site.settings.limits.tap)
        if body is None:
            yield self._unread(TOO_LARGE, _BEYOND_TAP, delivery.source, webhook, sender)
            return
        elements = list(self._elements.read(body, self.now, found.session))
        for number, element in enumerate(elements, 1):
            source = delivery.source if len(elements) == 1 else f"{delivery.source}, element {number}"
            if isinstance(element, Unread):
                why = _UNREAD[element.why].format(count=element.count)
                yield self._unread(element.why, why, source, webhook, sender)
            else:
                self.now += 0.0 if number == 1 else TICK
                yield self._take(element, body, source, webhook, sender)

    def _unread(self, verdict: str, why: str, source: str, webhook: Webhook, sender: str) -> EventResult:
        return EventResult(
            source=source,
            webhook=webhook.path,
            sender=sender,
            arrival=moment(self.now),
            verdict=verdict,
            why=why,
            missed=True,
        )

    def _take(self, element: Element, body: bytes, source: str, webhook: Webhook, sender: str) -> EventResult:
        reading = element.reading
        signal = reading.signal
        trusted = sender in (senders.NONE_ASKED, senders.NOT_CHECKED, senders.HOLDS)
        verdict, change, contradicted = reading.verdict.value, None, False
        if not trusted:
            verdict, why = UNTRUSTED, f"the sender's proof is not valid: {sender}"
        elif signal is None:
            verdict = self._verdict(element)
            self._note(element, webhook)
            if reading.verdict is Verdict.NOT_JSON:
                why = why_not_json(body, self._site.settings.dialect.body)
            elif reading.verdict is Verdict.TOO_DEEP:
                why = "the body, or this event of it, is nested too deep to be read"
            else:
                why = why_nothing(element, verdict, self._site.settings, webhook)
        else:
            heard = self._heard(reading, signal, self._clock(webhook))
            verdict, change, contradicted = heard.verdict, heard.change, heard.contradicted
            why = explain(heard, self._site.settings)
        says = signal or element.would_say
        time, at = dated(element, self._rules)
        rule = None if element.rule is None else self._site.settings.events[element.rule - 1]
        word = says.word if says is not None else None if rule is None else _unlisted(element, rule)
        return EventResult(
            source=source,
            webhook=webhook.path,
            sender=sender,
            event=reading.event if rule is not None or reading.event is None else name_shown(reading.event),
            rule=element.rule,
            rule_events=[] if rule is None else list(rule.event),
            session=reading.session,
            says=None if says is None else says.kind.value,
            word=word,
            time=time,
            at=None if at is None else moment(at),
            skew=None if at is None else round(at - self.now, 3),
            arrival=moment(self.now),
            verdict=verdict,
            change=None if change is None else change.what,
            why=why,
            members=likely_members(element) if verdict in _UNFIT else [],
            missed=contradicted or _is_missed(element, verdict, says, rule),
        )

    def _heard(self, reading: Reading, signal: Signal, sender: str) -> Heard:
        """Give a signal to the map; its verdict, and what it changed."""
        before = self._sessions.get(signal.session)
        repeats, first_of_id = self._earlier.note(signal)
        outcome = self._sessions.hear(reading, self.now, sender)
        return Heard(
            signal=signal,
            verdict=outcome.verdict,
            change=_change(outcome.changes, signal.session),
            before=before,
            after=self._sessions.get(signal.session),
            repeats=repeats,
            first_of_id=first_of_id,
        )

    def _clock(self, webhook: Webhook) -> str:
        """Whose clock the events' own times are of: all count as one sender's."""
        return sender_of(webhook.path, _SENDER, own=self._rules.dialect.own_clock)

    def _verdict(self, element: Element) -> str:
        """The verdict on what says nothing, as the metrics count it."""
        verdict, event = element.reading.verdict, element.reading.event
        if verdict is Verdict.UNMATCHED and event and fold_word(event) in self._rules.dialect.presence_events:
            return Verdict.PRESENCE.value
        return verdict.value

    def _note(self, element: Element, webhook: Webhook) -> None:
        """Give the map an event that says nothing: its time still shows its sender's clock."""
        reading, sender = element.reading, self._clock(webhook)
        if reading.session is not None:
            due = self._sessions.clocks.due(reading.session, sender, self.now)
            self._sessions.hear(reading, self.now, sender, element.stated if due else None)


_BEYOND_TAP: Final = "the body is longer than limits.tap, even without its long strings; it is not read"
_UNREAD: Final = {
    TOO_LARGE: "the body is too large to be split into its events",
    TOO_MANY: "more events than are read of one body; the last {count} are not",
}

_LEFT_OUT: Final = "`except` has this path: what is posted there goes on to the gateway unread"
_SENDER: Final = "127.0.0.1"
_UNFIT: Final = frozenset({Verdict.UNMATCHED.value, Verdict.NOTHING.value})


def _is_missed(element: Element, verdict: str, says: Signal | None, rule: Event | None) -> bool:
    """Whether it means a disconnect, or may mean one, and changes nothing for a reason that is not explained by others.

    Late, repeated and already so are explained; so is what a rule knows to be no loss. A loss that is contradicted
    (`Heard.contradicted`) is none of these.
    """
    if verdict in UNREADABLE:
        return True
    if element.reading.verdict is Verdict.SIGNAL:
        return verdict == UNTRUSTED and says is not None and says.kind is SignalKind.DISCONNECTED
    if verdict == Verdict.UNMATCHED:
        return element.reading.event is None or not is_other_traffic(element.reading.event)
    if verdict == Verdict.NOTHING:
        if rule is None or passes_over_loss(element, rule):
            return True
        return any(looks_like_loss(member.value) for member in likely_members(element))
    return says is not None and says.kind is SignalKind.DISCONNECTED


def _unlisted(element: Element, rule: Event) -> str | None:
    """The word of an event that says nothing, as it may be shown."""
    word = stated_word(element, rule)
    return None if word is None else name_shown(word)


def _change(changes: Sequence[Change], session: str) -> Change | None:
    return next((change for change in changes if change.session == session), None)


def _as_read(body: bytes, limit: int) -> bytes | None:
    """A body as the proxy reads it: a long one without the insides of its long strings; None where that is too long."""
    if len(body) <= limit:
        return body
    elider = Elider()
    pieces = [elider.feed(body[start : start + _BLOCK]) for start in range(0, len(body), _BLOCK)]
    short = b"".join([*pieces, elider.end()])
    return short if len(short) <= limit else None
