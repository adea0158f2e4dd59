"""Unites two books that two proxies wrote without seeing each other's: what either told counts as told.

That happens at a moment of handing over only, or after the store was away: one proxy at a time makes messages.
"""

from msgspec.structs import replace

from statusproxy.alerts.values import Book, Delivery, DeliveryState, Message, Told

__all__ = ["merged", "same"]

_RANK = {DeliveryState.WAITING: 0, DeliveryState.FAILED: 1, DeliveryState.SENT: 2}


def merged(stored: Book, ours: Book) -> Book:
    """The book to write in place of `stored`, whose writer did not see `ours`."""
    told = dict(stored.told)
    known = {message.id for message in stored.messages}
    for key, one in ours.told.items():
        other = told.get(key)
        if other is None:
            # Whoever has the message that told it, and no mark, has told its end as well.
            if one.message not in known:
                told[key] = one
        elif one.message == other.message:
            told[key] = max(one, other, key=_newest)
    messages = {message.id: message for message in ours.messages}
    for message in stored.messages:
        mine = messages.get(message.id)
        messages[message.id] = message if mine is None else _message(message, mine)
    return Book(
        told=told,
        messages=tuple(sorted(messages.values(), key=lambda message: (message.at, message.id))),
        last={
            type_: max(stored.last.get(type_, 0.0), ours.last.get(type_, 0.0))
            for type_ in sorted({*stored.last, *ours.last})
        },
    )


def same(one: Book, other: Book) -> bool:
    """Whether two books are equal: looked at entry by entry, so that other threads may go on in between."""
    return (
        one.told.keys() == other.told.keys()
        and all(mark == other.told[key] for key, mark in one.told.items())
        and len(one.messages) == len(other.messages)
        and all(_same_message(mine, theirs) for mine, theirs in zip(one.messages, other.messages, strict=True))
        and one.last == other.last
    )


def _same_message(one: Message, other: Message) -> bool:
    return (
        len(one.lines) == len(other.lines)
        and replace(one, lines=()) == replace(other, lines=())
        and all(mine == theirs for mine, theirs in zip(one.lines, other.lines, strict=True))
    )


def _newest(told: Told) -> float:
    return told.at


def _message(one: Message, other: Message) -> Message:
    """The same message, each delivery as far as either has brought it."""
    others = {delivery.target: delivery for delivery in other.deliveries}
    deliveries = tuple(
        max((delivery, others.get(delivery.target, delivery)), key=_progress) for delivery in one.deliveries
    )
    return Message(one.id, one.type, one.at, one.lines, deliveries, one.reminder)


def _progress(delivery: Delivery) -> tuple[int, int]:
    return _RANK[delivery.state], delivery.attempts
