"""The values of alerts: what is wrong now, what was reported to operators, and the messages on their way.

All times are epoch seconds of the system's clock, so that they hold over restarts and between proxies.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Topic(StrEnum):
    """What a target can ask for, as `on` in the configuration spells it."""

    LOST = "lost"
    BACK = "back"
    """That an outage is over: of a session; and of a condition, for a target that asks for that condition as well."""
    GATEWAY_DOWN = "gateway-down"
    WEBHOOKS_SILENT = "webhooks-silent"
    STORE = "store"
    SPOOL = "spool"


class Outage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is wrong: a lost session, or one of the conditions."""

    topic: Topic
    """`LOST` for a session; any other but `BACK` for a condition."""
    since: float
    session: str | None = None
    """None for a condition."""
    event: str | None = None
    """The event that told it, of a session."""
    word: str | None = None
    """The state word of that event; None where it told by itself."""
    gateway_said: str | None = None
    """What the gateway claims meanwhile, of a session."""
    reason: str | None = None
    """Of a condition: what is wrong, in the words of log and health."""

    @property
    def key(self) -> str:
        """What tells it from other outages: the same at each look as long as it lasts."""
        return str(self.topic) if self.session is None else outage_key(self.session)


def outage_key(session: str) -> str:
    """`Outage.key` of a lost session."""
    return f"lost:{session}"


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """An outage that is in a message. It stays until the message that it is over has been made."""

    outage: Outage
    message: str
    """The id of the first message."""
    at: float
    """When the newest message about it was made: the first, or a reminder."""
    reminders: int = 0


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One outage in a message."""

    outage: Outage
    ended_at: float | None = None
    """When it was over; None in a message that it lasts."""
    released: str | None = None
    """How the correction of a session ended (`Release`, or `forgotten`)."""


class DeliveryState(StrEnum):
    """Where a message stands on its way to one target."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    """Given up: it was too old."""


class Delivery(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message on its way to one target."""

    target: str
    """`Target.id`."""
    state: DeliveryState = DeliveryState.WAITING
    attempts: int = 0
    next_at: float = 0.0
    """When it may be tried."""
    done_at: float | None = None
    error: str | None = None
    """What the last attempt failed with. Without URL, token or secret."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, the same for all targets that ask for it (each gets only the sessions that it asks for)."""

    id: str
    """Constant over all attempts and restarts: the receiver knows a repeat by it."""
    type: str
    """`session.lost`, `session.back`, `gateway.down`, `gateway.back`, `webhooks.silent`, `webhooks.back`,
    `store.failing`, `store.back`, `spool.stuck`, `spool.back`, or `test`."""
    at: float
    lines: tuple[Line, ...]
    deliveries: tuple[Delivery, ...]
    reminder: int = 0
    """Which reminder of a lasting outage; 0 for the first message."""


class Book(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is durable of alerts: one document in the store, replaced as a whole."""

    told: Mapping[str, Told] = {}
    """By `Outage.key`."""
    messages: tuple[Message, ...] = ()
    """The oldest first. Those that are delivered stay for `alerts list`, up to a bound."""
    last: Mapping[str, float] = {}
    """When the newest message of each type was made, for the rate limit."""


class Target(msgspec.Struct, frozen=True):
    """A receiver of messages, as far as the decision needs it."""

    id: str
    """Constant while its address is: a digest, without any secret."""
    name: str
    """For people: kind and host, or an Apprise scheme; never a token or a path."""
    on: frozenset[Topic]
    sessions: tuple[str, ...] = ("*",)
    """Patterns with `*` and `?` of session ids."""


class AlertRules(msgspec.Struct, frozen=True):
    """When messages are made. Times in seconds."""

    after: float = 60.0
    remind: float | None = 21_600.0
    group: float = 30.0
    targets: tuple[Target, ...] = ()


class Ending(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an outage ended, as far as that is known."""

    at: float
    released: str | None = None
    """How the correction of a session ended (`Release`, or `forgotten`)."""
