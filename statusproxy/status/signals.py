"""What a webhook says about its session's own connection: JSON in, `Signal` out, or nothing.

Most of what an engine sends says nothing: a contact went offline, a message was read, a QR code was drawn.
Reading such an event as a disconnect is what destroys working sessions, so each rule compares exactly and the
doubtful case is always silence.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

import msgspec

from statusproxy.status.dialect import Dialect, is_jid
from statusproxy.status.fields import (
    BOOLEANS,
    MISSING,
    LongError,
    Path,
    first_scalar,
    fold_word,
    lookup,
    parse_members,
    usable_text,
)
from statusproxy.status.packing import contents, holds_several, is_lines
from statusproxy.status.session_cut import Cut

SECONDS_BELOW: Final = 1e11
"""A bare number below this is a time in seconds, from it on in milliseconds; so many milliseconds, or more, are a time
in microseconds, and so many of these one in nanoseconds.

In seconds it is the year 5138, in milliseconds March 1973: no event of WhatsApp's lies on the wrong side.
"""

FURTHEST_AHEAD: Final = 300.0
"""Seconds by which an event's own time may run ahead of the proxy's clock. Beyond, the sender's clock is wrong,
and a time trusted now would make every later event look late."""

FURTHEST_EAST: Final = 14 * 3600.0
"""Seconds by which local time that is written like UTC runs ahead in the easternmost zone (`Dialect.own_clock`)."""

FURTHEST_ORDERED: Final = 1e9
"""Seconds (30 years) by which it may run ahead for such events of one sender to be ordered by it."""

_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class SignalKind(StrEnum):
    """What a signal says of its session."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    ALIVE = "alive"
    """Something came in over the connection. Weaker than CONNECTED: it may have been under way for a while."""
    TRANSIENT = "transient"
    """The connection is being made again. It counts once that has lasted (`EventRule.grace`)."""


class Verdict(StrEnum):
    """The result of reading a webhook's body."""

    SIGNAL = "signal"
    NOTHING = "nothing"
    """A rule names the event, but its state is none of the rule's words."""
    PRESENCE = "presence"
    OWN_MESSAGE = "own-message"
    NO_SESSION = "no-session"
    NAMELESS = "nameless"
    """Names no session either, but its state is a word that a rule knows: someone's loss or return goes unnoticed."""
    UNMATCHED = "unmatched"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    """JSON of more levels than are read: some nine hundred, a little more or less by who asks."""
    BATCH = "batch"
    """Several events in one body, a long form, or long JSON that the quick decoder refuses: to be read in steps,
    each event by itself (`events.read_each`)."""


UNREADABLE: Final = (Verdict.NOT_JSON, Verdict.TOO_DEEP)
"""The verdicts on what cannot be decoded. A tuple: the hash of an enum's member takes longer than both comparisons."""

GRACE: Final = 90.0
"""Seconds that a transient state must last to count, where a rule does not say: reconnecting takes less."""


class EventRule(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Where an event names its session and state, and which words mean what. Names and words compare folded."""

    event: frozenset[str]
    session: tuple[Path, ...]
    state: tuple[Path, ...] = ()
    disconnected: frozenset[str] = frozenset()
    connected: frozenset[str] = frozenset()
    transient: frozenset[str] = frozenset()
    grace: float = GRACE
    """Seconds that a transient state must last to count."""
    means: SignalKind | None = None
    """Set where the event says by itself what others say by a word; `state` is then not looked at."""
    unless: frozenset[str] = frozenset()
    """Events, by the gateway's name or the engine's, that never count for this rule."""

    @cached_property
    def booleans(self) -> bool:
        """Whether a boolean is a word for this rule: only where its words name one. Else it is passed over, and the
        next member of `state` counts."""
        return not BOOLEANS.isdisjoint(map(fold_word, (*self.disconnected, *self.connected, *self.transient)))


class SignalRules(msgspec.Struct, frozen=True, dict=True):
    """All rules, in the order in which they are asked; `presence_trusted` takes presence words literally."""

    rules: tuple[EventRule, ...]
    presence_trusted: bool = False
    dialect: Dialect = Dialect()
    cut: Cut | None = None
    """How an id is cut from a secret that may stand beside it in a body."""

    @cached_property
    def by_event(self) -> dict[str, tuple[EventRule, ...]]:
        """The rules that name an event, by the folded name, each with its own words folded."""
        table: dict[str, tuple[EventRule, ...]] = {}
        for rule in map(_fold_rule, self.rules):
            for name in rule.event:
                table[name] = (*table.get(name, ()), rule)
        return table

    @cached_property
    def session_paths(self) -> tuple[Path, ...]:
        """Every path under which any rule looks for a session, in the order first seen."""
        return tuple(dict.fromkeys(path for rule in self.rules for path in rule.session))


class Signal(msgspec.Struct, frozen=True, gc=False):
    """One event's word on its session's connection."""

    kind: SignalKind
    session: str
    at: float | None
    """The event's own time in epoch seconds; `None` where it has none that can be used."""
    event: str
    word: str | None
    """The state word as it came; `None` where the event itself says it."""
    event_id: str | None
    ahead: float | None = None
    """Its own time where that is too far ahead to be used for more than the order of such events of one sender."""
    grace: float = 0.0
    """Of a TRANSIENT signal: the seconds that the state must last to count."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What was found in a webhook's body. `signal` is set if and only if `verdict` is SIGNAL."""

    verdict: Verdict
    event: str | None = None
    session: str | None = None
    signal: Signal | None = None


def read(body: bytes, rules: SignalRules, now: float, path_session: str | None = None) -> Reading:
    """Read one webhook body, received at `now` (epoch seconds). Never raises, for any bytes.

    `path_session` is the session that the webhook's own path names; it is used if the body names none. Of the rules
    that name the event, the first that yields a signal decides; if no rule does, the first of them says why not.
    A body that must be read in steps is `Verdict.BATCH`.
    """
    dialect = rules.dialect
    if dialect.body_member is not None:
        text = contents(body, dialect.body_member)
        if text is None:
            return Reading(Verdict.BATCH)
        body = text
    try:
        document = parse_members(body)
    except LongError:
        return Reading(Verdict.BATCH)
    except (ValueError, RecursionError) as error:
        return Reading(Verdict.BATCH if is_lines(body) else unreadable(too_deep=isinstance(error, RecursionError)))
    reading = read_document(document, rules, now, path_session)
    if reading.event is None and holds_several(document, dialect):
        return Reading(Verdict.BATCH)
    return reading


def unreadable(*, too_deep: bool) -> Verdict:
    """The verdict on a body, or one event of it, that could not be decoded."""
    return Verdict.TOO_DEEP if too_deep else Verdict.NOT_JSON


def read_document(document: object, rules: SignalRules, now: float, path_session: str | None = None) -> Reading:
    """Read one event, decoded by `parse_members`; otherwise as `read`."""
    if type(document) is not dict:
        return Reading(Verdict.NOTHING)
    if path_session is not None:
        path_session = _usable_session(path_session)
    event = first_scalar(document, rules.dialect.event, rules.dialect.boolean_names)
    matching = rules.by_event.get(fold_word(event), ()) if event is not None else ()
    if event is None or not matching:
        return Reading(Verdict.UNMATCHED, event, _session(document, rules.session_paths, rules.cut) or path_session)
    first: Reading | None = None
    for rule in matching:
        reading = _apply(rule, document, event, rules, now, path_session)
        if reading.signal is not None:
            return reading
        if first is None or (first.verdict is Verdict.NO_SESSION and reading.verdict is Verdict.NAMELESS):
            first = reading
    assert first is not None
    return first


def _session(document: object, paths: tuple[Path, ...], cut: Cut | None) -> str | None:
    """The session's id: the first that is usable."""
    for path in paths:
        value = lookup(document, path)
        if value is MISSING:
            continue
        session = _usable_session(value)
        if session is not None and cut is not None:
            session = cut.bare(session)
        if session is not None:
            return session
    return None


def _usable_session(value: object) -> str | None:
    """A session's id, unless it is the address of a contact or chat.

    Some events carry such an address where others name the session. It is private, and never a session's.
    """
    text = usable_text(value)
    return None if text is None or ("@" in text and is_jid(text)) else text


def _apply(
    rule: EventRule, document: object, event: str, rules: SignalRules, now: float, path_session: str | None
) -> Reading:
    session = _session(document, rule.session, rules.cut) or path_session
    word = None if rule.means is not None else first_scalar(document, rule.state, rule.booleans)
    verdict, kind = _judge(rule, document, event, word, rules)
    if session is None:
        says = kind is SignalKind.DISCONNECTED or kind is SignalKind.CONNECTED
        return Reading(Verdict.NAMELESS if says else Verdict.NO_SESSION, event)
    if kind is None:
        return Reading(verdict, event, session)
    dialect = rules.dialect
    at, ahead = _own_times(document, dialect, now)
    event_id = first_scalar(document, dialect.event_id)
    grace = rule.grace if kind is SignalKind.TRANSIENT else 0.0
    signal = Signal(kind, session, at, event, word, event_id, ahead, grace)
    return Reading(Verdict.SIGNAL, event, session, signal)


def _judge(
    rule: EventRule, document: object, event: str, word: str | None, rules: SignalRules
) -> tuple[Verdict, SignalKind | None]:
    dialect = rules.dialect
    if rule.means is SignalKind.ALIVE and dialect.marks_own(document):
        return Verdict.OWN_MESSAGE, None
    if rule.unless and not rule.unless.isdisjoint(dialect.event_names(document, event)):
        return (Verdict.OWN_MESSAGE if rule.means is SignalKind.ALIVE else Verdict.NOTHING), None
    if rule.means is not None:
        return Verdict.SIGNAL, rule.means
    if word is None:
        return Verdict.NOTHING, None
    folded = fold_word(word)
    if not rules.presence_trusted and dialect.is_presence(document, event, folded):
        return Verdict.PRESENCE, None
    if folded in rule.disconnected:
        return Verdict.SIGNAL, SignalKind.DISCONNECTED
    if folded in rule.connected:
        return Verdict.SIGNAL, SignalKind.CONNECTED
    if folded in rule.transient:
        return Verdict.SIGNAL, SignalKind.TRANSIENT
    return Verdict.NOTHING, None


def stated_time(body: bytes, dialect: Dialect, now: float = math.inf) -> float | None:
    """The time that a body's one event gives itself, as far as it can be used at `now`; `None` where it gives none."""
    try:
        return own_time(parse_members(contents(body, dialect.body_member) or b""), dialect, now)
    except (ValueError, RecursionError):
        return None


def own_time(document: object, dialect: Dialect, now: float) -> float | None:
    """The time that an event gives itself, as far as it can be used at `now`; `None` where it gives none."""
    return _own_times(document, dialect, now)[0]


def _own_times(document: object, dialect: Dialect, now: float) -> tuple[float | None, float | None]:
    """An event's own time as far as it can be used at `now`; and where it cannot, the one that serves for its order."""
    ahead = None
    for path in dialect.time:
        at = _epoch(lookup(document, path))
        if at is None or at <= 0:
            continue
        latest = now + (FURTHEST_EAST if dialect.own_clock else 0.0) + FURTHEST_AHEAD
        if at <= latest:
            return at, None
        if ahead is None and at <= latest + FURTHEST_ORDERED:
            ahead = at
    return None, ahead


def _epoch(value: object) -> float | None:
    """Read a time (ISO 8601, or a number of seconds down to nanoseconds) as epoch seconds; `None` if it is none."""
    if type(value) is str:
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return _iso_epoch(value)
    elif type(value) is not int and type(value) is not float:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    return number if number < SECONDS_BELOW else number / smaller_unit(number)


def smaller_unit(number: float) -> float:
    """How many of its units make a second, where a time is not a number of seconds: it is told by the number's size."""
    return 1e3 if number < SECONDS_BELOW * 1e3 else 1e6 if number < SECONDS_BELOW * 1e6 else 1e9


def _iso_epoch(text: str) -> float | None:
    if "T" not in text and " " not in text and "t" not in text:
        return None  # a date without a time of day orders nothing
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    # Without a zone it is local time (ISO 8601, ECMA-262), and where is not said: it may be hours off.
    return moment.timestamp() if moment.tzinfo is not None else None


def _fold_rule(rule: EventRule) -> EventRule:
    def folded(words: frozenset[str]) -> frozenset[str]:
        return frozenset(map(fold_word, words))

    return msgspec.structs.replace(
        rule,
        event=folded(rule.event),
        disconnected=folded(rule.disconnected),
        connected=folded(rule.connected),
        transient=folded(rule.transient),
        unless=folded(rule.unless),
    )
