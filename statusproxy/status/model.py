"""The values of the domain: what is known about a session, what corrects it, what changed, and the rules.

Two kinds of time meet here, both in epoch seconds. *Event time* (`at`, `known_at`, `alive_at`) orders what events
say: it is the sender's, where the event carries one, else the arrival. *Our own time* (`since`, `began`, `heard_at`,
`released_at`, every `asked_at` and `now`) is the proxy's own clock, and is what the gateway's answers are compared
with. An event's time is compared with that of the same sender's events as it is, and with anything else only after
translation to our own clock (`clocks`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

import msgspec

from statusproxy.status.clocks import Lags, Stamp, Written
from statusproxy.status.signals import SignalKind

STARTED: Final = "started"
REPEATED: Final = "repeated"
RELEASED: Final = "released"
FORGOTTEN: Final = "forgotten"
"""What changed (`Change.what`): an override began, a newer Disconnected signal renewed it, it ended; an operator
removed the session from the map."""

EVICTED: Final = "evicted"
"""The reason of the one ending that is not a rule: there was no room for the session in the map."""


class Release(StrEnum):
    """Why an override ended. Each is a rule that can be switched off."""

    CONNECTED_EVENT = "connected-event"
    RECONNECTED = "reconnected"
    DELETED = "deleted"
    ALIVE = "alive"
    OPERATOR = "operator"
    EXPIRED = "expired"


class Evidence(StrEnum):
    """What showed that the gateway knows of a disconnect."""

    LIST = "list"
    """A word of `keep` on a corrected route. It counts for that route only: two routes may draw on two sources, of
    which one is live and the other stale."""
    QR = "qr"
    CREATED = "created"


FOR_ALL_ROUTES: Final = frozenset({Evidence.QR, Evidence.CREATED})
"""Evidence that does not depend on where an answer draws its words from."""


class SessionRules(msgspec.Struct, frozen=True):
    """How the map decides.

    A rule missing from `releases` does nothing. Without `connected-event` a Connected signal still counts as the
    newest knowledge (an older Disconnected one that comes after it stays late), but ends no override.
    """

    aliases: Mapping[str, str] = {}
    """Event id -> channel id, for sessions that folding does not make equal."""
    alive_grace: float = 60.0
    """Seconds after a disconnect in which an incoming message is not proof: it may have been under way."""
    max_age: float | None = None
    max_sessions: int = 10_000
    releases: frozenset[Release] = frozenset(Release)


class Override(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
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
    caught_up: Evidence | None = None
    """The newest evidence that the gateway knows of the disconnect.

    `list` counts for the routes in `seen_on` only. Rows of 0.1 do not say which route it was: what they call `list`
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
    transient: bool = False
    """It began because a transient state lasted (`Record.transient`), not with a Disconnected signal."""

    @property
    def stamp(self) -> Stamp:
        """The moment of the newest Disconnected signal."""
        return Stamp(self.at, self.clock, self.lag)

    def fresh_from(self, source: str | None) -> float | None:
        """From when on "connected" is fresh where it comes from this route; `None` where it never is.

        `source` is `None` for an answer that is no corrected route's.
        """
        if self.caught_up in FOR_ALL_ROUTES:
            return self.caught_up_at
        for seen_on, moment in self.seen_on:
            if seen_on == source:
                return moment
        return None

    def is_fresh(self, source: str | None, asked_at: float) -> bool:
        """Whether "connected" is fresh in an answer from this route that was asked for then.

        The gateway's list is slow, it asks the engine for each session in turn. One asked for before the QR code was
        shown can come in after it, still with the stale word.
        """
        moment = self.fresh_from(source)
        return moment is not None and asked_at >= moment


class Transient(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A transient state, such as *connecting*, newer than what is known otherwise. It counts once it has lasted."""

    since: float
    """When the first signal of this run happened, on our own clock."""
    at: float
    """Event time of the newest one."""
    began: float
    """When the first signal of this run came in."""
    due: float
    """When the state has lasted long enough to count, on our own clock."""
    event: str
    word: str | None = None
    clock: str | None = None
    """Whose clock `at` is of; `None` for our own."""
    lag: float = 0.0
    """What is added to `at` for our own clock."""

    @property
    def stamp(self) -> Stamp:
        """The moment of the newest signal."""
        return Stamp(self.at, self.clock, self.lag)


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the map holds of one session. Times that never were are 0."""

    session: str
    """The session's id, exactly as its events spell it."""
    verdict: SignalKind | None = None
    """CONNECTED or DISCONNECTED, whichever is the newest knowledge; `None` if nothing is known (any more)."""
    known_at: float = 0.0
    """Event time up to which things are settled: a Connected or Disconnected signal that is older is late."""
    alive_at: float = 0.0
    """Event time of the newest message."""
    heard_at: float = 0.0
    event: str | None = None
    """The last event received, of any kind."""
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
    transient: Transient | None = None
    """A transient state that is newer than `known_at`; it may count already, or an override may stand beside it."""
    ended_at: float = 0.0
    """The moment up to which every disconnect is over: what another proxy still holds of them must not return.

    `known_at` does not say that: a message ends an override and settles nothing, and where a rule is off an override
    stands beside a newer return.
    """
    ended_clock: str | None = None
    ended_lag: float = 0.0
    """Whose clock `ended_at` is of (`None`: our own), and what is added to it for ours."""
    written: Written | None = None
    """By what clock a stored record's moments are told; `None` in the map."""
    first_heard: float = 0.0
    """When the session's first event came. Older rows do not say: their earliest moment is used instead."""
    released_by: str | None = None
    """Who ended the last override by hand, as far as they said so."""

    @property
    def known(self) -> Stamp:
        """The moment up to which things are settled."""
        return Stamp(self.known_at, self.known_clock, self.known_lag)

    @property
    def alive(self) -> Stamp:
        """The moment of the newest message."""
        return Stamp(self.alive_at, self.alive_clock, self.alive_lag)

    @property
    def ended(self) -> Stamp:
        """The moment up to which every disconnect is over."""
        return Stamp(self.ended_at, self.ended_clock, self.ended_lag)


class Change(msgspec.Struct, frozen=True, gc=False):
    """One line of a session's history."""

    session: str
    what: str
    """`STARTED`, `REPEATED`, `RELEASED` or `FORGOTTEN`."""
    reason: str
    """The `Release` (or `EVICTED`), or the event and state word that caused it."""
    at: float
    recorded_at: float
    gateway_said: str | None = None
    by: str | None = None
    """Who did it by hand, as far as they said so."""


APPLIED: Final = "applied"
LATE: Final = "late"
DUPLICATE: Final = "duplicate"
UNCHANGED: Final = "unchanged"
"""The result of a reading (`Outcome.verdict`): it was taken in, is older than what is known, was received before, or
said nothing."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """The result of a reading, and the changes."""

    verdict: str
    """`APPLIED`, `LATE`, `DUPLICATE` or `UNCHANGED`."""
    changes: tuple[Change, ...] = ()


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an answer of the gateway says of one channel."""

    channel: str
    word: str | None
    """The gateway's own word, to be remembered."""
    keeps: bool
    """One of its status fields is a word of `keep`: the gateway knows that the session is not connected."""
    connected: bool
    """One of its status fields reads connected. Beside a word of `keep` that counts for nothing."""


class Observed(msgspec.Struct, frozen=True):
    """The channels that must be shown as disconnected in the observed answer, and what the answer changed."""

    overridden: frozenset[str]
    changes: tuple[Change, ...]
