"""How far each sender's clock is from ours, learned from when its events say they happened and when they came in.

An event's own time orders events of the same sender. Against anything else (another sender's event, an event
without a time, what we learned ourselves) it is translated first: the smallest difference observed between the
arrival of the sender's events and their own times is added to it. Deliveries can be late but not early, so the
smallest difference is the clock's error plus the quickest way. That holds for clocks that are minutes off and for
senders that write local time as if it were UTC.

*The sender of an event* is what posts about its session from one address on one webhook path: one process with one
clock. Two sessions of one address may come from two engines, so each session has its own difference. The first event of
a sender counts as on time: another host may have another clock, and the events of a gateway that was moved, or of a
container with a new address, must count at once. If it is a repeat, it is recognised by its content (`sessions`).

*A clock that is far ahead* (`ahead_of`) is one of its own beside the same sender's usual one: it orders the events that
it dates, and says nothing about others.

*A clock of its own* (`sender_of` with `own`) says nothing against ours at all: local time that is written like UTC. It
may be hours ahead, and it may be set back by an hour, which `set_back` notices.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from statusproxy.status.set_back import SetBack

WINDOW: Final = 600.0
ENOUGH: Final = 8
"""Seconds and observations of one window. The smallest difference of this window and the one before counts. So the
difference of a sender whose clock was set back is learned again after some ten minutes, and a few late deliveries in a
row are not treated as a clock that was set back."""

LATE: Final = 900.0
"""Seconds by which the first event about a session may be late where the sender's clock is known from other sessions.
No gateway sends an event again after a quarter of an hour; a time that lies further back comes from another clock."""

SET_BACK: Final = LATE
"""Seconds by which a sender's difference must have grown for its clock to count as set back in between. Then not
even two of its own events can be compared by their own times. It grows by less where a first event was late."""

OBSERVED_EVERY: Final = 10.0
"""Seconds between two looks at the times of events that say nothing: those are most of what comes."""

MOST_SENDERS: Final = 8
"""Senders kept for one session: those whose events came last. A site has one to three at a time; a container may have a
new address after each restart."""

MOST_PATHS: Final = 256
"""Senders kept of all sessions together: those whose events came last."""

_AHEAD: Final = " (ahead)"
_OWN: Final = " (own)"
_BEFORE: Final = " (own, before)"

NOTICEABLE: Final = 0.5
"""Seconds by which a difference must have changed to be noted in the session's record again."""


Lags = tuple[tuple[str, float], ...]
"""Senders and their differences, as stored with a session. Of a clock that was set there may be several: the last entry
counts, and the others order what was dated before (`merge`)."""


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """A moment, by the clock of the sender or proxy that told it."""

    at: float
    clock: str | None = None
    """The sender whose clock `at` is of; `None`: our own."""
    lag: float = 0.0
    """What is added to `at` for the moment on our own clock."""

    @property
    def here(self) -> float:
        """The moment on our own clock."""
        return self.at + self.lag


class Written(msgspec.Struct, frozen=True, gc=False):
    """By what clock a stored record's moments were told, so that they can be told again by another of the same boot."""

    boot: str
    """What names the boot of the machine."""
    base: float
    """Our own clock's reading when the boot began (`OwnClock.base`)."""
    shift: float = 0.0
    """What was added to our own clock for the system's time, in which the record is stored."""


def later_by(new: Stamp, old: Stamp) -> float:
    """By how many seconds `new`, which was received after `old`, is later. Negative if it is earlier.

    By the sender's own times if one clock told both, else on our clock.
    """
    if new.clock == old.clock and new.lag <= old.lag + SET_BACK:
        return new.at - old.at
    return new.here - old.here


def sender_of(path: str, address: str, own: bool = False) -> str:
    """Who posts on this webhook path from this address; `own`: its clock is one of its own (`Dialect.own_clock`)."""
    return f"{path} {address}{_OWN}" if own else f"{path} {address}"


def ahead_of(sender: str) -> str:
    """The clock by which this sender dates events too far ahead for its times to mean anything elsewhere."""
    return sender + _AHEAD


class Translated(msgspec.Struct, frozen=True, gc=False):
    """An event's time with what is added to it for our clock."""

    stamp: Stamp
    """The best estimate, to be remembered."""
    judged: Stamp
    """The cautious one, to be compared with what is known already. It differs for a session's first event: if that
    looks some minutes old beside what the same sender says of others, it is late."""


class Difference:
    """The smallest difference between arrival and own time that was observed of one sender, in two windows."""

    __slots__ = ("_begun", "_count", "_window", "least", "looked_at")

    _begun: float  # when the first observation of this window was made

    def __init__(self, now: float, stored: float = math.inf) -> None:
        self.least = stored
        """Seconds to be added to the sender's times: the least of this window and the one before; at first infinite."""
        self._window = math.inf
        self._count = 0
        self.looked_at = now

    def take(self, difference: float, now: float) -> None:
        """One more observation."""
        if difference < self._window:
            self._window = difference
            if difference < self.least:
                self.least = difference
        self.looked_at = now
        count = self._count = self._count + 1
        if count == 1:
            self._begun = now
        elif count >= ENOUGH and now - self._begun >= WINDOW:
            self.least, self._window = self._window, math.inf
            self._count = 0


class Clocks:
    """The differences of all senders. Bounded by the sessions of the map, which says which it has forgotten."""

    __slots__ = ("_paths", "_sessions", "_set_back")

    def __init__(self) -> None:
        self._sessions: dict[str, dict[str, Difference]] = {}
        self._paths: dict[str, Difference] = {}  # of all sessions together
        self._set_back: dict[str, SetBack] = {}  # of the paths with a clock of their own

    def due(self, session: str, sender: str, now: float) -> bool:
        """Whether to look for the time of an event that says nothing: true once in `OBSERVED_EVERY` seconds."""
        known = self._sessions.get(session)
        one = known.get(sender) if known is not None else None
        if one is None:
            self._new(session, sender, now)
            return True
        if now - one.looked_at < OBSERVED_EVERY:
            return False
        one.looked_at = now
        return True

    def observe(self, session: str, sender: str, at: float, now: float) -> Translated:
        """An event of `session` came in at `now` and says that it happened at `at`."""
        if sender.endswith(_OWN):
            before = self._look_at_own(sender, at, now)
            if before is not None:
                return Translated(before, before)
        known = self._sessions.get(session)
        one = known.get(sender) if known is not None else None
        if one is None:
            one = self._new(session, sender, now)
        difference = now - at
        if one.least != math.inf and abs(difference - one.least) > SET_BACK and sender.endswith(_AHEAD):
            # Such a clock is wrong anyhow: one time far off must not spoil those that follow.
            one = self._new(session, sender, now)
            self._paths.pop(sender, None)
        first = one.least == math.inf
        one.take(difference, now)
        stamp = Stamp(at, sender, one.least)
        usual = self._observe_path(sender, difference, now)
        if first and usual < difference <= usual + LATE:
            return Translated(stamp, Stamp(at, sender, usual))
        return Translated(stamp, stamp)

    def _look_at_own(self, sender: str, at: float, now: float) -> Stamp | None:
        """Notice that a clock of its own was set back; give the stamp of an event that it dated before."""
        path = self._paths.get(sender)
        if path is None:
            return None
        one = self._set_back.setdefault(sender, SetBack())
        difference = now - at
        if one.is_of_before(difference, LATE, now):
            # By another name, so that it is compared with later ones on our clock.
            return Stamp(at, sender.removesuffix(_OWN) + _BEFORE, one.before)
        if one.take(difference, path.least, SET_BACK, at, now):
            self._paths[sender] = Difference(now, one.now)
            for known in self._sessions.values():
                known.pop(sender, None)
        return None

    def _observe_path(self, sender: str, difference: float, now: float) -> float:
        """The least difference of all sessions of a sender, before this one; infinite where there was none."""
        path = self._paths.get(sender)
        if path is None:
            if len(self._paths) >= MOST_PATHS:
                unheard = _longest_unheard(self._paths)
                del self._paths[unheard]
                self._set_back.pop(unheard, None)
            path = self._paths[sender] = Difference(now)
        usual = path.least
        if difference < usual or now - path.looked_at >= OBSERVED_EVERY:
            path.take(difference, now)
        return usual

    def load(self, session: str, lags: Lags) -> None:
        """Take over what was stored of a session's senders."""
        if lags:
            last = list(dict(lags).items())[-MOST_SENDERS:]
            self._sessions[session] = {sender: Difference(0.0, lag) for sender, lag in last}
            for sender, lag in last:
                self._observe_path(sender, lag, 0.0)

    def learn(self, session: str, lags: Lags, now: float) -> None:
        """Take over what another proxy knows of a session's senders, where it is less than what is known here."""
        for sender, lag in dict(lags).items():
            known = self._sessions.get(session, {}).get(sender)
            if known is None:
                known = self._new(session, sender, now)
            elif known.least - lag > SET_BACK:
                continue  # of before the sender's clock was set
            if lag < known.least:
                known.take(lag, now)

    def start_over(self) -> None:
        """Our system's clock was moved, and with it perhaps those of senders on the same machine: learn again."""
        self._sessions.clear()
        self._paths.clear()
        self._set_back.clear()

    def forget(self, session: str) -> None:
        """The session is not in the map any more."""
        self._sessions.pop(session, None)

    def _new(self, session: str, sender: str, now: float) -> Difference:
        known = self._sessions.setdefault(session, {})
        if len(known) >= MOST_SENDERS and sender not in known:
            del known[_longest_unheard(known)]
        one = known[sender] = Difference(now)
        return one


def _longest_unheard(senders: dict[str, Difference]) -> str:
    return min(senders, key=lambda sender: senders[sender].looked_at)


def with_lag(lags: Lags, stamp: Stamp) -> Lags:
    """A session's stored differences with that of `stamp`; the same object where it is as good as stored."""
    assert stamp.clock is not None
    lag = dict(lags).get(stamp.clock)
    if lag is not None and abs(lag - stamp.lag) < NOTICEABLE:
        return lags
    others = tuple(one for one in lags if one[0] != stamp.clock)
    return (*others[1 - MOST_SENDERS :], (stamp.clock, stamp.lag))
