"""What alerts remember, after the system's clock was set: the same moments, in the time that it shows now."""

from __future__ import annotations

from msgspec.structs import replace

from statusproxy.alerts.decide import Seen
from statusproxy.alerts.values import Book, Delivery, DeliveryState, Message, Told

__all__ = ["moved_book", "moved_seen"]


def moved_book(book: Book, by: float) -> Book:
    """The book after the clock was set `by` seconds forward; back where that is negative.

    Times by which something is decided are moved. A message itself stays as it is: it is the same at each attempt.
    """
    return Book(
        told={key: _told(mark, by) for key, mark in book.told.items()},
        messages=tuple(_message(message, by) for message in book.messages),
        last={type_: at + by for type_, at in book.last.items()},
    )


def moved_seen(seen: Seen, by: float) -> Seen:
    """What earlier looks saw, moved likewise."""
    return Seen(
        outages={key: at + by for key, at in seen.outages.items()}, over={key: at + by for key, at in seen.over.items()}
    )


def _told(mark: Told, by: float) -> Told:
    return replace(mark, outage=replace(mark.outage, since=mark.outage.since + by), at=mark.at + by)


def _message(message: Message, by: float) -> Message:
    if not any(each.next_at for each in message.deliveries):
        return message
    return replace(message, deliveries=tuple(_delivery(each, by) for each in message.deliveries))


def _delivery(delivery: Delivery, by: float) -> Delivery:
    waits = delivery.state is DeliveryState.WAITING and delivery.next_at > 0
    return replace(delivery, next_at=max(0.0, delivery.next_at + by)) if waits else delivery
