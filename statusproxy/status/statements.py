"""What is known about one session, and what is said about it: the two inputs of `transitions`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from statusproxy.status.clocks import Stamp
from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.model import Record, Transient
from statusproxy.status.signals import Signal


class Known(StrEnum):
    """What is known of a session, as far as it decides what a statement does."""

    CLEAR = "clear"
    """No override is in force: it is shown as the gateway shows it."""
    OVERRIDDEN = "overridden"
    """It must be shown as disconnected, and no answer has shown yet that the gateway knows of the disconnect."""
    CAUGHT_UP = "caught up"
    """It must be shown as disconnected, and the gateway knows, as far as the source of the statement shows."""


class Statement(StrEnum):
    """What is said of a session, and by whom."""

    DISCONNECTED = "event: disconnected"
    CONNECTED = "event: connected"
    ALIVE = "event: a message"
    TRANSIENT = "event: a transient state"
    KIN_CONNECTED = "another spelling: connected"
    KIN_ALIVE = "another spelling: a message"
    KEEPS = "gateway's list: a word of `keep`"
    QR_CODE = "gateway: a QR code"
    CREATED = "gateway: created or started"
    SAYS_CONNECTED = "gateway: connected"
    DELETED = "client: deleted"
    RELEASED_BY_HAND = "operator: released"
    LASTED = "clock: a transient state has lasted"
    TOO_OLD = "clock: nothing new for `max_age`"


class Details(msgspec.Struct, frozen=True):
    """The particulars of a statement."""

    now: float
    """When it came in or was complete, on our own clock."""
    judged: Stamp
    """When it happened, to be compared with what is known."""
    stamp: Stamp | None = None
    """Of an event: when it happened, to be remembered (see `clocks.Translated`)."""
    signal: Signal | None = None
    """Of an event: the signal."""
    asked_at: float = 0.0
    """Of an answer of the gateway: when it was asked for."""
    source: str | None = None
    """Of a corrected answer: the route it came on."""
    doubted_at: float = NEVER
    """When records came in whose age is in doubt (`doubtful_age`)."""


def known(record: Record, source: str | None = None) -> Known:
    """What is known of a session, as far as it decides; `source` is the corrected route that a statement came on."""
    if record.override is None:
        return Known.CLEAR
    return Known.OVERRIDDEN if record.override.fresh_from(source) is None else Known.CAUGHT_UP


def transient_of(record: Record) -> Transient:
    """The transient state of a session that has one."""
    assert record.transient is not None
    return record.transient
