"""What `try` found as typed structs: its JSON, and what the report for people is written from.

No value of a body is in it but ids of sessions and channels, names of events, state words, and times.
"""

import msgspec

from statusproxy.admin.messages import Moment


class Member(msgspec.Struct, frozen=True):
    """A member of a body whose value looks like an event's name or a state word."""

    name: str
    """Its path, such as `data.type`."""
    value: str


class EventResult(msgspec.Struct, frozen=True, kw_only=True):
    """One event: how it was read, and its result."""

    source: str
    """Where it stands: the file, and its line where the file has several events."""
    webhook: str | None = None
    """The configured path that it counts as posted to."""
    sender: str | None = None
    """The sender's proof: `none asked`, `not checked`, `holds`, or what is wrong."""
    event: str | None = None
    rule: int | None = None
    """The number of the rule that decided, as `events` of `check` lists them, from 1."""
    rule_events: list[str] = []
    session: str | None = None
    says: str | None = None
    """`disconnected`, `connected`, `alive` or `transient`; None where it says nothing of the connection."""
    word: str | None = None
    time: str = "none"
    """How it is dated: `own`, `orders` or `ahead` (it only orders its sender's events), `too-far` (ahead), `unusable`,
    `none`."""
    at: Moment = None
    """The event's own time."""
    skew: float | None = None
    """Seconds by which its own time is ahead of its arrival; negative where it lies before."""
    arrival: Moment = None
    verdict: str
    """`applied`, `late` or `duplicate`; where it says nothing, why: `nothing`, `presence`, `unmatched`, …"""
    change: str | None = None
    """`started`, `repeated` or `released`, where a correction began, was renewed or ended."""
    why: str
    """The verdict explained."""
    members: list[Member] = []
    """Where no rule fits: members that may hold the event's name or the word."""
    missed: bool = False
    """A disconnect may be missed here: the exit code is 1."""


class ChangedValue(msgspec.Struct, frozen=True):
    """A value of a channel before and after the correction, each as JSON."""

    name: str
    before: str
    after: str


class ChangedChannel(msgspec.Struct, frozen=True):
    """A channel of an answer that was corrected."""

    channel: str
    values: list[ChangedValue]


class Uncorrected(msgspec.Struct, frozen=True):
    """A session that is known to be disconnected, and an answer that is not corrected for it."""

    session: str
    why: str


class ListResult(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the gateway, before and after."""

    source: str
    route: str
    """The configured path that it counts as the answer to."""
    channels: int = 0
    """How many ids it names."""
    failure: str | None = None
    """Why it could not be read: `not-json`, `no-list`, `too-deep` or `too-large`."""
    corrected: list[ChangedChannel] = []
    uncorrected: list[Uncorrected] = []


class QrResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the QR route's answer shows, and what follows."""

    source: str
    shows: str
    """`code`, `connected`, `neither`, `not-json` or `too-deep`."""
    session: str | None = None
    why: str


class ReleasedBy(msgspec.Struct, frozen=True):
    """Something that would end a correction."""

    rule: str
    """The rule, as in `sessions.releases`."""
    what: str
    by: list[str] = []
    """The events, routes or other things that do it."""


class OverrideResult(msgspec.Struct, frozen=True, kw_only=True):
    """A correction in force at the end, and what would end it."""

    session: str
    since: Moment
    reason: str
    transient: bool = False
    """It began because a transient state lasted."""
    reads: str | None = None
    """What the list is to read, such as `"close"`; None where nothing is written."""
    caught_up: str | None = None
    """What showed that the gateway knows of the disconnect: `list`, `qr` or `created`."""
    released_by: list[ReleasedBy]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A transient state at the end that does not count yet."""

    session: str
    reason: str
    reads: str | None = None
    """What the list is to read from then on."""
    due: Moment


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, in the order in which it was played."""

    now: Moment
    """The time that the last part was played at."""
    events: list[EventResult] = []
    lists: list[ListResult] = []
    qr: QrResult | None = None
    overrides: list[OverrideResult] = []
    waiting: list[Waiting] = []
    exit_code: int = 0
