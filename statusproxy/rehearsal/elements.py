"""The events in one webhook's body, each with what it says and the rule that decided."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from statusproxy.status.events import Event, read_each
from statusproxy.status.fields import MISSING, first_scalar, fold_word
from statusproxy.status.packing import Unread
from statusproxy.status.signals import (
    FURTHEST_ORDERED,
    UNREADABLE,
    Reading,
    Signal,
    SignalRules,
    Verdict,
    read_document,
)


class Element(msgspec.Struct, frozen=True):
    """One event."""

    document: object
    """Its JSON value; `MISSING` where it is none."""
    reading: Reading
    rule: int | None
    """The number of the rule that decided, from 1; None if no rule names the event."""
    stated: float | None
    """The time it gives itself, whatever it says otherwise."""
    ahead: float | None
    """That time where it is too far ahead to be used; `inf` where it is too far ahead for anything."""
    would_say: Signal | None
    """What it would say if it named a session; None if it names one, or would still say nothing of the connection."""


class Elements:
    """Reads bodies by the rules of one configuration."""

    def __init__(self, rules: SignalRules) -> None:
        self._rules = rules
        self._alone = [replace(rules, rules=(rule,)) for rule in rules.rules]

    def read(self, body: bytes, now: float, path_session: str | None = None) -> Iterator[Element | Unread]:
        """Every event of a body that came in at `now` (epoch seconds); and how many are not read."""
        for item in read_each(body, self._rules, now, path_session):
            if item is None:
                continue
            if isinstance(item, Unread):
                yield item
                continue
            reading, document = item.reading, item.document
            stated = item.stated_time(self._rules, now)
            unnamed = reading.verdict in (Verdict.NO_SESSION, Verdict.NAMELESS)
            yield Element(
                document=MISSING if reading.verdict in UNREADABLE else document,
                reading=reading,
                rule=self._rule(document, reading, now, path_session),
                stated=stated,
                ahead=None if stated is not None else _ahead(item, self._rules, now),
                would_say=read_document(document, self._rules, now, _ANY_SESSION).signal if unnamed else None,
            )

    def _rule(self, document: object, reading: Reading, now: float, path_session: str | None) -> int | None:
        if reading.event is None or fold_word(reading.event) not in self._rules.by_event:
            return None
        named, numbered = fold_word(reading.event), enumerate(self._alone, 1)
        naming = ((number, alone) for number, alone in numbered if named in alone.by_event)
        return next(number for number, alone in naming if read_document(document, alone, now, path_session) == reading)


def _ahead(item: Event, rules: SignalRules, now: float) -> float | None:
    """The time that an event gives itself, where that is too far ahead; as in `Element.ahead`."""
    at = item.stated_time(rules, now + FURTHEST_ORDERED)
    return math.inf if at is None and item.stated_time(rules, math.inf) is not None else at


_ANY_SESSION: Final = "session"

OWN: Final = "own"
ORDERS: Final = "orders"
AHEAD: Final = "ahead"
TOO_FAR: Final = "too-far"
UNUSABLE: Final = "unusable"
NONE: Final = "none"
"""How an event is dated: by its own time; by one that only orders its sender's events (`Dialect.own_clock`), or is so
far ahead that it does no more; by a time decades ahead; by something that is not a time with a zone; not at all."""


def dated(element: Element, rules: SignalRules) -> tuple[str, float | None]:
    """How an event is dated, and its own time in epoch seconds if it has one."""
    signal = element.reading.signal
    at = element.stated if signal is None else signal.at
    if at is not None:
        return ORDERS if rules.dialect.own_clock else OWN, at
    if element.ahead is not None:
        return (AHEAD, element.ahead) if math.isfinite(element.ahead) else (TOO_FAR, None)
    return NONE if first_scalar(element.document, rules.dialect.time) is None else UNUSABLE, None
