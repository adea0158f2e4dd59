"""What a webhook's body says, event by event (`packing`), each as `signals` reads one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from statusproxy.status.fields import free_in_steps
from statusproxy.status.packing import Broken, Unread, unpack
from statusproxy.status.signals import Reading, SignalRules, own_time, read_document, unreadable


class Event(NamedTuple):
    """One event of a body."""

    reading: Reading
    document: object

    def stated_time(self, rules: SignalRules, now: float) -> float | None:
        """The time that it gives itself, as far as it can be used at `now`; `None` where it gives none."""
        return own_time(self.document, rules.dialect, now)


def read_each(
    body: bytes, rules: SignalRules, now: float, path_session: str | None = None
) -> Iterator[Event | Unread | None]:
    """Read the events of a body that came in at `now`, in their order, each when it is asked for. Never raises.

    None comes after a step without an event: no step takes longer than a few milliseconds.
    """
    for item in unpack(body, rules.dialect):
        if item is None or isinstance(item, Unread):
            yield item
        elif isinstance(item, Broken):
            yield Event(Reading(unreadable(too_deep=item.too_deep)), None)
        else:
            yield Event(read_document(item.value, rules, now, path_session), item.value)


def each_emptied(events: Iterable[Event | Unread | None]) -> Iterator[Event | Unread | None]:
    """The same events, of a body of very many members; the document of each is emptied when the next is asked for.

    To free it at once would take longer than a step may. None comes after each step of this, too.
    """
    for event in events:
        yield event
        if isinstance(event, Event):
            yield from free_in_steps(event.document)
