"""The deliveries of messages: which may be tried now, and what the result of an attempt does to the book."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from msgspec.structs import replace

from statusproxy.alerts.values import Book, Delivery, DeliveryState, Message, Target
from statusproxy.alerts.wanted import lines_for

__all__ = ["GIVEN_UP_AFTER", "Attempt", "attempts", "delivered", "failed", "next_attempt_at", "tidied"]

GIVEN_UP_AFTER: Final = 86_400.0
"""Seconds after which a message that no attempt could deliver is given up."""

#: The pauses between attempts, in seconds: each is twice the one before.
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0

#: How much longer a pause is at most by chance, so that proxies and targets do not try in step.
_JITTER: Final = 0.25

#: The longest pause that a receiver can ask for, in seconds.
_LONGEST_ASKED: Final = 3_600.0

#: Finished messages that are kept, for `alerts list`.
_KEPT: Final = 100

#: Messages that wait; and lines in all, finished ones first to go. The document stays within a few megabytes.
_MOST_WAITING: Final = 1_000
_MOST_LINES: Final = 20_000

_TOO_OLD: Final = "given up after 24 hours"
_TOO_MANY: Final = "given up: too many messages wait"


class Attempt(NamedTuple):
    """A message to be sent to a target now."""

    message: Message
    delivery: Delivery


def attempts(book: Book, now: float, busy: Collection[str] = ()) -> list[Attempt]:
    """The deliveries that may be tried now: of each target its oldest that waits, once its time has come.

    `busy` are the ids of targets to which an attempt is under way.
    """
    return [each for each in _heads(book, busy) if _due_at(each.delivery, now) <= now]


def next_attempt_at(book: Book, now: float, busy: Collection[str] = ()) -> float | None:
    """When the next delivery may be tried: a time in the past if one may be tried now; None if none waits."""
    return min((_due_at(each.delivery, now) for each in _heads(book, busy)), default=None)


def _due_at(delivery: Delivery, now: float) -> float:
    """When a delivery may be tried. No pause is so long as one that a clock which is set back leaves behind."""
    return delivery.next_at if delivery.next_at <= now + _LONGEST_ASKED else 0.0


def _heads(book: Book, busy: Collection[str]) -> Iterator[Attempt]:
    """Of each target that is not busy the oldest message that waits: the order of messages is kept."""
    passed = set(busy)
    for message in book.messages:
        for delivery in message.deliveries:
            if delivery.state is DeliveryState.WAITING and delivery.target not in passed:
                passed.add(delivery.target)
                yield Attempt(message, delivery)


def delivered(book: Book, message_id: str, target_id: str, now: float) -> Book:
    """The book once the target has taken the message. The same book where no such delivery waits."""

    def sent(delivery: Delivery, message: Message) -> Delivery:
        return replace(
            delivery, state=DeliveryState.SENT, attempts=delivery.attempts + 1, next_at=0.0, done_at=now, error=None
        )

    return _changed(book, message_id, target_id, sent)


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

    def tried(delivery: Delivery, message: Message) -> Delivery:
        if final or message.at + GIVEN_UP_AFTER <= now:
            return _given_up(replace(delivery, attempts=delivery.attempts + 1), now, error)
        # The exponent is bounded, since attempts are not.
        pause = min(_FIRST_PAUSE * 2 ** min(delivery.attempts, 10), _LONGEST_PAUSE) * (1 + _JITTER * jitter)
        pause = max(pause, min(retry_after or 0.0, _LONGEST_ASKED))
        return replace(delivery, attempts=delivery.attempts + 1, next_at=now + pause, error=error)

    return _changed(book, message_id, target_id, tried)


def _given_up(delivery: Delivery, now: float, error: str) -> Delivery:
    return replace(delivery, state=DeliveryState.FAILED, next_at=0.0, done_at=now, error=error)


def _changed(book: Book, message_id: str, target_id: str, change: Callable[[Delivery, Message], Delivery]) -> Book:
    for place, message in enumerate(book.messages):
        if message.id != message_id:
            continue
        deliveries = tuple(
            change(each, message) if each.target == target_id and each.state is DeliveryState.WAITING else each
            for each in message.deliveries
        )
        if deliveries == message.deliveries:
            return book
        messages = (*book.messages[:place], replace(message, deliveries=deliveries), *book.messages[place + 1 :])
        return replace(book, messages=messages)
    return book


def tidied(messages: tuple[Message, ...], targets: Iterable[Target], now: float) -> tuple[Message, ...]:
    """The messages within their bounds; the very tuple that was given where nothing changes.

    What waits for a target that is gone goes to the targets that ask for it and have not had it: the address of one may
    have been corrected. Deliveries of messages older than 24 hours are given up; of finished messages the newest 100
    stay. Where too much waits, the oldest is given up.
    """
    known = {target.id: target for target in targets}
    kept = [_tidied(message, known, now) for message in messages]
    waiting = [place for place, message in enumerate(kept) if _waits(message)]
    lines = sum(len(kept[place].lines) for place in waiting)
    while waiting and (len(waiting) > _MOST_WAITING or (lines > _MOST_LINES and len(waiting) > 1)):
        oldest = waiting.pop(0)
        lines -= len(kept[oldest].lines)
        kept[oldest] = _finished(kept[oldest], now, _TOO_MANY)
    left = _KEPT
    result: list[Message] = []
    for message in reversed(kept):
        if not _waits(message):
            lines += len(message.lines)
            left -= 1
            if left < 0 or lines > _MOST_LINES:
                left = 0
                continue
        result.append(message)
    result.reverse()
    unchanged = len(result) == len(messages) and all(map(_is, result, messages))
    return messages if unchanged else tuple(result)


def _is(one: Message, other: Message) -> bool:
    return one is other


def _tidied(message: Message, known: Mapping[str, Target], now: float) -> Message:
    if not _waits(message):
        return message
    if message.at + GIVEN_UP_AFTER <= now:
        message = _finished(message, now, _TOO_OLD)
    if all(each.target in known for each in message.deliveries if each.state is DeliveryState.WAITING):
        return message
    kept = [each for each in message.deliveries if each.target in known or each.state is not DeliveryState.WAITING]
    had = {each.target for each in kept}
    kept += [Delivery(id_) for id_, target in known.items() if id_ not in had and lines_for(message, target)]
    return replace(message, deliveries=tuple(kept))


def _waits(message: Message) -> bool:
    return any(each.state is DeliveryState.WAITING for each in message.deliveries)


def _finished(message: Message, now: float, why: str) -> Message:
    """The message with what still waits given up. The error of the last attempt tells more than the reason."""
    deliveries = (
        _given_up(each, now, each.error or why) if each.state is DeliveryState.WAITING else each
        for each in message.deliveries
    )
    return replace(message, deliveries=tuple(deliveries))
