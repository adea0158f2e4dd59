"""The ids of received events, to recognise a repeated delivery; bounded, so that a flood of some removes no others.

If a repeated delivery without a time of its own is treated as a new event, it can show a connected session as
disconnected. When there is no room, ids are removed in this order. Among equals, the ids of the session that has been
quiet longest go first:

1. ids of sessions that the gateway's own list has not named: anybody who may send can make those up;
2. ids of messages, which are many;
3. ids of what says "connected" or "disconnected", which are few, and count.

One session keeps `EACH` ids of either kind. If it has more, it pushes out only its own. Nothing of this is saved: after
a restart the first repeated delivery counts as new. If an override is in force, the delivery only begins it again. An
event that carries a time is recognised as a repeat by that time.
"""

from __future__ import annotations

from typing import Final

from statusproxy.status.model import DUPLICATE, LATE
from statusproxy.status.signals import Signal, SignalKind

REMEMBERED_EVENTS: Final = 8_192
"""Event ids remembered in all. A sender repeats within minutes; this is hours of events."""

EACH: Final = 1_024
"""Event ids remembered for one session, of messages and of states each."""

_Key = tuple[str, bool]
_Ids = dict[str, None]


def mark_of(kind: SignalKind, at: float) -> str:
    """What stands for the id of an event that has none: what it says and its own time."""
    return f"\0{kind.value} {at}"


class EventIds:
    """The ids remembered."""

    __slots__ = ("_count", "_each", "_limit", "_tiers")

    def __init__(self, limit: int = REMEMBERED_EVENTS, each: int = EACH) -> None:
        self._limit = limit
        self._each = each
        self._count = 0
        # What goes first stands first, in each tier the session that has been quiet longest.
        self._tiers: tuple[dict[_Key, _Ids], ...] = ({}, {}, {})

    def repeated(self, signal: Signal, at: float | None, *, confirmed: bool) -> str | None:
        """The verdict on a signal that was received before, from any sender; None for a new one, which is remembered.

        The same id is a `duplicate`; the same word with the same time `at` is `late`. Whole seconds are too coarse for
        that: two events of two senders may share one.
        """
        state = signal.kind is not SignalKind.ALIVE
        if signal.event_id is not None and self.heard_before(
            signal.session, signal.event_id, state=state, confirmed=confirmed
        ):
            return DUPLICATE
        if at is None or not state or at.is_integer():
            return None
        mark = mark_of(signal.kind, at)
        return LATE if self.heard_before(signal.session, mark, state=True, confirmed=confirmed) else None

    def heard_before(self, session: str, event_id: str, *, state: bool, confirmed: bool) -> bool:
        """Whether this event was received before; it is remembered from now on.

        `state`: it says "connected" or "disconnected". `confirmed`: the gateway's own list has named the session.
        """
        key = session, state
        tier = self._tiers[(2 if state else 1) if confirmed else 0]
        ids = tier.pop(key, None)
        if ids is None:  # the session's first, or it was not confirmed before
            ids = next((found for other in self._tiers if (found := other.pop(key, None)) is not None), {})
        tier[key] = ids
        if event_id in ids:
            del ids[event_id]
            ids[event_id] = None
            return True
        ids[event_id] = None
        self._count += 1
        if len(ids) > self._each:
            del ids[next(iter(ids))]
            self._count -= 1
        elif self._count > self._limit:
            self._forget_one()
        return False

    def __len__(self) -> int:
        return self._count

    def _forget_one(self) -> None:
        tier = next(filter(None, self._tiers))
        key, ids = next(iter(tier.items()))
        del ids[next(iter(ids))]
        self._count -= 1
        if not ids:
            del tier[key]
