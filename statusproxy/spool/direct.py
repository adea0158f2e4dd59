"""Events that have come and are neither answered nor kept: each holds back the later entries of its lane. Pure.

Such an event is tried directly, or about to be kept. Which session it names is asked only once something waits for its
receiver: while nothing does, nobody needs to know.
"""

from statusproxy.proxy.ports import Unkept
from statusproxy.status.fields import fold_id

__all__ = ["Direct", "queue_of"]

_Lane = tuple[str, str]
"""A receiver, and one of its queues (`order.Lane`)."""


def queue_of(session: str | None) -> str:
    """In whose order an event is delivered: the session as the map folds it, "" where it names none or several."""
    return "" if session is None else fold_id(session)


class Direct:
    """The events by the ids that they will have as entries."""

    def __init__(self) -> None:
        self._new: dict[str, dict[str, Unkept]] = {}  # by receiver: those whose lane was not asked for
        self._lanes: dict[_Lane, set[str]] = {}
        self._lane_of: dict[str, _Lane] = {}

    def begin(self, receiver: str, id_: str, event: Unkept) -> None:
        """An event for this receiver has come."""
        new = self._new.get(receiver)
        if new is None:
            new = self._new[receiver] = {}
        new[id_] = event

    def end(self, receiver: str, id_: str) -> _Lane | None:
        """It was answered, kept or given up; give its lane if that was ever asked for, and None from the second time
        on."""
        if self._new.get(receiver, {}).pop(id_, None) is not None:
            return None
        lane = self._lane_of.pop(id_, None)
        if lane is not None:
            ids = self._lanes[lane]
            ids.remove(id_)
            if not ids:
                del self._lanes[lane]
        return lane

    def holds(self, lane: _Lane, id_: str) -> bool:
        """Whether an event of this lane came before the entry or event with this id."""
        new = self._new.get(lane[0])
        if new:
            for each, event in new.items():
                own = self._lane_of[each] = (lane[0], queue_of(event.session))
                self._lanes.setdefault(own, set()).add(each)
            new.clear()
        ids = self._lanes.get(lane)
        return ids is not None and min(ids) < id_
