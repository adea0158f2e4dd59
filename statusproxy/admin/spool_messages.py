"""The admin listener's JSON messages about events that are kept."""

import msgspec

from statusproxy.admin.moment import Moment


class AwayReceiver(msgspec.Struct, frozen=True):
    """A receiver of events that is not tried just now, except for a probe now and then."""

    receiver: str
    """`gateway`, or where else the events go."""
    since: Moment


class SpoolTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What all events that are kept come to, and how many may be."""

    entries: int
    bytes: int
    waiting: int
    """Those that are delivered as soon as their receiver takes them."""
    unknown: int
    """Those that were sent and not answered: no one knows whether they arrived."""
    dead: int
    """Those that their receiver refused too often: they are sent again only when an operator asks for it."""
    waiting_since: Moment = None
    """When the oldest of those that wait came."""
    away: list[AwayReceiver] = []
    max_entries: int
    max_bytes: int
    max_age: float
    """Seconds after which an event is dropped, whatever its state."""


class SpoolEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is kept, without its content."""

    id: str
    session: str | None = None
    """None for an event that names no session, or several."""
    event: str | None = None
    state: str
    """`waiting`, `unknown` or `dead`."""
    reason: str
    """The result of the last attempt: `queued` (there was none), `not-sent`, `refused` or `no-answer`."""
    status: int | None = None
    """The receiver's last answer."""
    attempts: int
    """How often it was sent, the first direct time included."""
    received_at: Moment
    next_at: Moment = None
    """When it may be sent again; None where it waits behind an earlier one of its session, or for an operator only."""
    bytes: int
    """Of head and body."""
    path: str
    """The webhook path, as configured."""
    receiver: str


class SpoolList(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /spool`: as many events as the query's `limit` says, the oldest first, or as its `order` says."""

    now: Moment
    totals: SpoolTotals
    entries: list[SpoolEntry]


class SpoolField(msgspec.Struct, frozen=True):
    """A field of a kept event's head."""

    name: str
    value: str | None = None
    """None for all fields but a few, since a value may be a secret."""


class SpoolShown(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /spool/{id}`: one event, and which fields its head has."""

    now: Moment
    entry: SpoolEntry
    fields: list[SpoolField]


class SpoolChanged(msgspec.Struct, frozen=True):
    """`POST /spool/{id}/replay`, `POST /spool/replay`, `DELETE /spool/{id}` and `DELETE /spool`."""

    changed: int
    """How many events there were to replay or to drop."""


class SpoolNow(msgspec.Struct, frozen=True):
    """The stream's event `spool`; None where no event is ever kept."""

    spool: SpoolTotals | None
