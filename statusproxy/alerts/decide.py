"""Decides which alerts are to be made: what is wrong now, and what was told of it, become messages.

Pure: time, ids and what was seen before come in, a new book comes out. The rules are in `docs/alerts.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from statusproxy.alerts.values import AlertRules, Book, Ending, Message, Outage, Topic

__all__ = ["Decision", "Seen", "decide"]


class Seen(msgspec.Struct, frozen=True):
    """What earlier looks saw and no message tells yet. In memory only: after a start the looks begin anew."""

    outages: Mapping[str, float] = {}
    """When an outage that is not told was first seen, by `Outage.key`."""
    over: Mapping[str, float] = {}
    """When an outage that is told was first seen to be over, by `Outage.key`."""


class Decision(msgspec.Struct, frozen=True):
    """What a look at the outages comes to."""

    book: Book
    """The new book: the very object that was given where nothing changed, so that nothing is to be written."""
    seen: Seen
    """For the next look."""
    due: float | None
    """When to look again, even if nothing happens until then; None where nothing waits. (Look at each change as well.)"""
    made: tuple[Message, ...] = ()
    """The messages that are new in the book."""


def decide(
    book: Book,
    seen: Seen,
    outages: Iterable[Outage],
    now: float,
    rules: AlertRules,
    *,
    started_at: float,
    new_id: Callable[[], str],
    ended: Mapping[str, Ending] = {},
    unsure: Collection[Topic] = (),
) -> Decision:
    """Make the messages that are due, and the marks of what they tell.

    `outages` are those that last now; `seen` is that of the last decision (`Seen()` at first). `started_at` is when this
    proxy began to decide (its start, or when it took over from another); `new_id` gives a new message its id. `ended`
    says how outages ended, by `Outage.key`, as far as that is known: also of sessions that are lost again. `unsure` are
    the topics of which nothing can be said now, such as the gateway before its first answer after a start: what is told
    of them stays as it is, and is not told to be over.

    The same book, with nothing else changed, gives no further message.
    """
    raise NotImplementedError
