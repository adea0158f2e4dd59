"""Which entry may go now: the entries' index, in order for each queue. Pure: time is an argument.

A lane is one queue of one receiver. Its waiting entries go one after the other, the oldest first; of different lanes
many go side by side. `unknown` and `dead` entries are in no lane, so that they hold nothing up. An entry that was
delivered stays in its lane until `remove`, that is until its removal is durable. Events that are not kept hold back the
entries of their lanes that came after them (`direct`).
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from statusproxy.proxy.ports import Unkept
from statusproxy.spool.agenda import Agenda
from statusproxy.spool.direct import Direct
from statusproxy.spool.heap import Heap
from statusproxy.store.spooled import Entry, EntryState, Reason

__all__ = ["Lane", "Order", "Totals", "lane_of"]

_TOO_MANY: Final = 429


class Lane(NamedTuple):
    """One queue of one receiver."""

    receiver: str
    queue: str


class Totals(NamedTuple):
    """What all entries come to."""

    entries: int
    size: int
    """Bytes."""
    waiting: int
    unknown: int
    dead: int


def lane_of(entry: Entry) -> Lane:
    """The lane in which an entry waits, if it does."""
    return Lane(entry.receiver, entry.queue)


def _may_hasten(entry: Entry) -> bool:
    """Whether an entry's pause was for its receiver's sake, so that it ends when that is back.

    It stays where the receiver asked for it (429), where it says no to this event, and where this event may be what
    takes the receiver down: it was sent and not answered.
    """
    return entry.status != _TOO_MANY and not entry.rejected and entry.reason is not Reason.NO_ANSWER


def _place_of(entry: Entry) -> tuple[object, ...]:
    """What decides where an entry stands in the order."""
    return entry.state, entry.receiver, entry.queue


def _plan_of(entry: Entry) -> tuple[object, ...]:
    """What decides when an entry may go, once it is the first of its lane."""
    return entry.next_at, _may_hasten(entry)


class Order:
    """The entries by id, by lane and by age."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lanes: dict[Lane, list[str]] = {}  # ids of waiting entries, the oldest first
        self._waiting: Counter[str] = Counter()  # waiting entries by receiver
        self._under_way: set[Lane] = set()
        self._direct = Direct()
        self._agendas: dict[str, Agenda] = {}  # by receiver: the lanes' first entries
        self._ages = Heap()  # all entries by arrival
        self._firsts: dict[str, Heap] = {}  # by receiver: the first waiting entry of each lane
        self._size = 0
        self._counts = dict.fromkeys(EntryState, 0)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[Entry]:
        """All entries as they are now, in no order: quick however many there are."""
        return list(self._entries.values())

    def get(self, id_: str) -> Entry | None:
        """The entry of this id."""
        return self._entries.get(id_)

    @property
    def totals(self) -> Totals:
        """Counts and bytes of all entries."""
        counts = self._counts
        return Totals(
            len(self._entries),
            self._size,
            counts[EntryState.WAITING],
            counts[EntryState.UNKNOWN],
            counts[EntryState.DEAD],
        )

    def has_waiting(self, receiver: str) -> bool:
        """Whether anything for this receiver waits or is under way."""
        return self._waiting[receiver] > 0

    @property
    def receivers(self) -> list[str]:
        """The receivers for which anything waits or is under way."""
        return [receiver for receiver, count in self._waiting.items() if count]

    def waits(self, lane: Lane) -> bool:
        """Whether anything of this lane waits or is under way."""
        return lane in self._lanes

    def holds(self, lane: Lane, id_: str) -> bool:
        """Whether an event of this lane that is not kept came before this id."""
        return self._direct.holds(lane, id_)

    def is_next(self, entry: Entry) -> bool:
        """Whether an entry is the first that waits in its lane."""
        ids = self._lanes.get(lane_of(entry))
        return ids is not None and ids[0] == entry.id

    # Changes

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace the one of the same id."""
        earlier = self._entries.get(entry.id)
        if earlier is not None and _place_of(earlier) == _place_of(entry):
            # It keeps its place: to take it out and put it back would move all that wait behind it, twice.
            self._entries[entry.id] = entry
            self._size += entry.size - earlier.size
            self._ages.put(entry.id, entry.received_at, entry.id)
            # It keeps its plan where that is the same: the receiver may be back, so that it may go before its time.
            if _plan_of(earlier) != _plan_of(entry) and self.is_next(entry):
                self._plan(lane_of(entry))
            return
        self.remove(entry.id)
        self._entries[entry.id] = entry
        self._size += entry.size
        self._counts[entry.state] += 1
        self._ages.put(entry.id, entry.received_at, entry.id)
        if entry.state is not EntryState.WAITING:
            return
        lane = lane_of(entry)
        ids = self._lanes.setdefault(lane, [])
        insort(ids, entry.id)
        self._waiting[lane.receiver] += 1
        if ids[0] == entry.id:  # else the lane's first is planned already
            self._first_changed(lane)
            self._plan(lane)

    def remove(self, id_: str) -> Entry | None:
        """Take an entry out; None if there is no such entry."""
        entry = self._entries.pop(id_, None)
        if entry is None:
            return None
        self._size -= entry.size
        self._counts[entry.state] -= 1
        self._ages.remove(id_)
        if entry.state is EntryState.WAITING:
            lane = lane_of(entry)
            ids = self._lanes[lane]
            place = bisect_left(ids, id_)
            del ids[place]
            self._waiting[lane.receiver] -= 1
            if not ids:
                del self._lanes[lane]
            if place == 0:
                self._first_changed(lane)
                self._plan(lane)
        return entry

    def begin(self, receiver: str, id_: str, event: Unkept) -> None:
        """An event has come that is not kept: until `end`, later entries of its lane wait."""
        self._direct.begin(receiver, id_, event)

    def end(self, receiver: str, id_: str) -> bool:
        """That event was answered, kept or given up; whether an entry may have waited for it."""
        held = self._direct.end(receiver, id_)
        if held is None:
            return False
        lane = Lane(*held)
        if lane in self._lanes and id_ < self._lanes[lane][0]:  # else its first is planned already
            self._plan(lane)
        return True

    # Who may go

    def take(self, receiver: str, now: float) -> Entry | None:
        """The entry due longest, of a lane with nothing under way; from then on that lane has."""
        agenda = self._agendas.get(receiver)
        return None if agenda is None else self._begin(lambda: agenda.take(now))

    def take_probe(self, receiver: str, now: float) -> Entry | None:
        """The entry that tests whether a receiver is back: the one due longest, or soonest if none is due yet.

        An entry that the receiver itself put off is not taken before its time.
        """
        agenda = self._agendas.get(receiver)
        return None if agenda is None else self._begin(lambda: agenda.take_probe(now))

    def hasten(self, receiver: str) -> None:
        """The receiver is back: the first entry of each of its lanes may go now, unless the pause is its own."""
        agenda = self._agendas.get(receiver)
        if agenda is not None:
            agenda.hasten()

    def put_back(self, lane: Lane) -> None:
        """The entry of this lane that was under way is no more: the lane's first may go when it is due."""
        self._under_way.discard(lane)
        self._plan(lane)

    def next_due(self, receiver: str) -> float | None:
        """When the next entry for this receiver is due; None if no entry waits, except those under way."""
        agenda = self._agendas.get(receiver)
        return None if agenda is None else agenda.next_due()

    # Age

    def oldest(self) -> Entry | None:
        """The entry that came first."""
        first = self._ages.first
        return None if first is None else self._entries[first[1]]

    def remove_older(self, than: float, since: float, limit: int) -> list[Entry]:
        """Take out what came before a time, the oldest first, as long as the oldest came after `since`."""
        removed: list[Entry] = []
        while len(removed) < limit and (oldest := self.oldest()) is not None and since < oldest.received_at < than:
            self.remove(oldest.id)
            removed.append(oldest)
        return removed

    def oldest_waiting(self) -> Entry | None:
        """The waiting entry that came first: found quickly however many lanes there are."""
        first = min((heap.first for heap in self._firsts.values() if heap.first is not None), default=None)
        return None if first is None else self._entries[first[1]]

    # Inside

    def _first_changed(self, lane: Lane) -> None:
        """Another entry is the first of this lane, or none waits in it any more."""
        heap, ids = self._firsts.setdefault(lane.receiver, Heap()), self._lanes.get(lane)
        if ids is None:
            heap.remove(lane.queue)
        else:
            heap.put(lane.queue, 0.0, ids[0])  # ids sort by arrival

    def _plan(self, lane: Lane) -> None:
        """Plan the lane's first entry, so that it is found when it is due; nothing while none may go."""
        agenda = self._agendas.get(lane.receiver)
        ids = self._lanes.get(lane)
        if ids is None or lane in self._under_way or self._direct.holds(lane, ids[0]):
            if agenda is not None:
                agenda.drop(lane.queue)
            return
        if agenda is None:
            agenda = self._agendas[lane.receiver] = Agenda()
        first = self._entries[ids[0]]
        agenda.plan(lane.queue, first.next_at, first.id, own=not _may_hasten(first))

    def _begin(self, next_planned: Callable[[], str | None]) -> Entry | None:
        """The next planned entry that no event holds back; `end` plans those that were held back since."""
        while (id_ := next_planned()) is not None:
            entry = self._entries[id_]
            lane = lane_of(entry)
            if not self._direct.holds(lane, id_):
                self._under_way.add(lane)
                return entry
        return None
