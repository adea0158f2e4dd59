"""The deliveries of messages: which may be tried now, and what the result of an attempt does to the book."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from statusproxy.alerts.values import Book, Delivery, Message

__all__ = ["Attempt", "attempts", "delivered", "failed", "next_attempt_at"]


class Attempt(NamedTuple):
    """A message to be sent to a target now."""

    message: Message
    delivery: Delivery


def attempts(book: Book, now: float, busy: Collection[str] = ()) -> list[Attempt]:
    """The deliveries that may be tried now: of each target its oldest that waits, once its time has come.

    `busy` are the ids of targets to which an attempt is under way.
    """
    raise NotImplementedError


def next_attempt_at(book: Book, busy: Collection[str] = ()) -> float | None:
    """When the next delivery may be tried; in the past where one may be now; None where none waits."""
    raise NotImplementedError


def delivered(book: Book, message_id: str, target_id: str, now: float) -> Book:
    """The book once the target has taken the message. The same book where no such delivery waits."""
    raise NotImplementedError


def failed(
    book: Book,
    message_id: str,
    target_id: str,
    now: float,
    error: str,
    *,
    retry_after: float | None = None,
    jitter: float = 0.0,
    final: bool = False,
) -> Book:
    """The book once an attempt has failed: it is tried again later, or given up.

    The pauses grow from 5 s to 5 min, each up to a quarter longer by `jitter` (0 to 1, random). `retry_after` are the
    seconds that the receiver asked for: the pause is at least that, up to an hour. A message is given up when it is
    24 hours old, and at once where the receiver says that it will never take it (`final`). `error` is stored as it is:
    without URL, token or secret. The same book where no such delivery waits.
    """
    raise NotImplementedError
