"""The admin listener's JSON messages about alerts."""

import msgspec

from statusproxy.admin.moment import Moment


class AlertTargetLine(msgspec.Struct, frozen=True, kw_only=True):
    """A target of alerts, without its address."""

    number: int
    """Its place in the configuration, from 1."""
    target: str
    """Kind and host, or the scheme of an Apprise URL."""
    on: list[str]
    sessions: list[str]
    waiting: int
    """Messages that are not delivered to it yet."""
    last_at: Moment = None
    """When this proxy last tried to reach it, since the start."""
    last_error: str | None = None
    """Why that failed; None where it did not."""


class ToldLine(msgspec.Struct, frozen=True, kw_only=True):
    """An outage of which operators were told, and which is not told to be over yet."""

    topic: str
    session: str | None = None
    """None for a condition, such as a gateway that is down."""
    since: Moment
    reason: str | None = None
    """The event that told it, with its word; of a condition, what is wrong."""
    alerted_at: Moment
    """When the newest message about it was made."""
    delivered: bool = True
    """Whether any target has taken the first message about it."""
    reminders: int
    message: str
    """The id of the first message about it."""


class AlertDeliveryLine(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way to one target."""

    target: str
    state: str
    """`waiting`, `sent` or `failed`: given up."""
    attempts: int
    next_at: Moment = None
    done_at: Moment = None
    error: str | None = None
    """What the last attempt failed with."""


class AlertMessageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was made."""

    id: str
    type: str
    at: Moment
    count: int
    """The outages that it is about."""
    sessions: list[str]
    """The first of its sessions."""
    reminder: int
    """0 for the first message of an outage, else which reminder."""
    deliveries: list[AlertDeliveryLine]


class HeartbeatLine(msgspec.Struct, frozen=True, kw_only=True):
    """The heartbeat since the start of this proxy."""

    answered: int
    failed: int
    withheld: int
    last_at: Moment = None


class AlertsReport(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /alerts`: targets, outages that were told, and the last messages, the newest first."""

    now: Moment
    configured: bool
    sending: bool = False
    """Whether this proxy is the one that sends, of those that share a state."""
    written: bool = True
    """Whether what was told is in the stored state."""
    targets: list[AlertTargetLine] = []
    heartbeat: HeartbeatLine | None = None
    told_total: int = 0
    """Outages that were told; `told` has the first of them."""
    told: list[ToldLine] = []
    messages: list[AlertMessageLine] = []


class AlertTested(msgspec.Struct, frozen=True, kw_only=True):
    """A test message to one target."""

    number: int
    target: str
    error: str | None = None
    """Why it did not arrive; None where it did."""


class AlertsTested(msgspec.Struct, frozen=True):
    """`POST /alerts/test`."""

    results: list[AlertTested]
