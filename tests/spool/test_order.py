"""Which entry may go now."""

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from statusproxy.spool.order import Lane, Order, Totals, lane_of
from statusproxy.store.spooled import Entry, EntryState, Reason
from tests.spool.entries import entry

SALES = Lane("gateway", "sales")


def order(*entries: Entry) -> Order:
    made = Order()
    for each in entries:
        made.put(each)
    return made


def taken(index: Order, now: float, receiver: str = "gateway") -> str | None:
    found = index.take(receiver, now)
    return None if found is None else found.id


def test_the_first_that_waits_in_its_lane_is_the_next() -> None:
    entries = entry(1, state=EntryState.UNKNOWN), entry(2), entry(3), entry(4, queue="b")
    index = order(*entries)
    assert [index.is_next(each) for each in entries] == [False, True, False, True]
    index.remove("000002")
    assert [index.is_next(each) for each in entries] == [False, False, True, True]


def test_the_entries_of_one_lane_go_one_after_the_other() -> None:
    index = order(entry(2), entry(1))
    assert taken(index, 10.0) == "000001"
    assert taken(index, 10.0) is None
    assert index.remove("000001") == entry(1)
    index.put_back(SALES)
    assert taken(index, 10.0) == "000002"


def test_what_was_delivered_holds_its_lane_until_its_removal() -> None:
    index = order(entry(1))
    index.take("gateway", 1.0)
    assert (index.waits(SALES), index.has_waiting("gateway")) == (True, True)
    index.remove("000001")
    index.put_back(SALES)
    assert (index.waits(SALES), index.has_waiting("gateway"), index.receivers) == (False, False, [])


class Event:
    """An event that is neither answered nor kept."""

    session = "sales"


def test_an_event_that_is_not_kept_holds_back_what_came_later_in_its_lane() -> None:
    index = order(entry(1), entry(3), entry(4, queue="b"))
    index.begin("gateway", "000002", Event())
    assert [index.holds(SALES, id_) for id_ in ("000001", "000002", "000003")] == [False, False, True]
    assert [taken(index, 10.0), taken(index, 10.0)] == ["000001", "000004"]
    index.remove("000001")
    index.put_back(SALES)
    assert (taken(index, 10.0), index.next_due("gateway")) == (None, None)
    assert (index.end("gateway", "000002"), index.end("gateway", "000002")) == (True, False)
    assert (taken(index, 10.0), index.holds(SALES, "000003")) == ("000003", False)


def test_an_event_that_is_kept_after_later_ones_goes_before_them() -> None:
    index = order()
    index.begin("gateway", "000001", Event())
    index.put(entry(2))
    assert taken(index, 10.0) is None
    index.put(entry(1))
    index.end("gateway", "000001")
    assert taken(index, 10.0) == "000001"
    index.remove("000001")
    index.put_back(SALES)
    assert taken(index, 10.0) == "000002"


def test_an_event_holds_back_an_entry_that_was_planned_before_it_was_known() -> None:
    """As where another proxy kept that entry."""
    index = order(entry(2))
    index.begin("gateway", "000001", Event())
    assert (taken(index, 10.0), index.next_due("gateway")) == (None, None)
    index.end("gateway", "000001")
    assert taken(index, 10.0) == "000002"


def test_lanes_go_side_by_side_the_one_due_longest_first() -> None:
    index = order(entry(3, queue="c"), entry(1, queue="a"), entry(2, queue="b"))
    assert [taken(index, 10.0), taken(index, 10.0), taken(index, 10.0), taken(index, 10.0)] == [
        "000001", "000002", "000003", None,
    ]  # fmt: skip


def test_a_first_entry_that_is_not_due_holds_those_behind_it() -> None:
    index = order(entry(1, next_at=50.0), entry(2))
    assert (taken(index, 49.9), index.next_due("gateway")) == (None, 50.0)
    assert taken(index, 50.0) == "000001"
    assert index.next_due("gateway") is None


def test_unknown_and_dead_entries_hold_nothing_up_and_never_go() -> None:
    index = order(entry(1, state=EntryState.UNKNOWN), entry(2, state=EntryState.DEAD), entry(3))
    assert taken(index, 10.0) == "000003"
    index.remove("000003")
    index.put_back(SALES)
    assert (taken(index, 10.0), index.waits(SALES)) == (None, False)
    assert index.totals == Totals(2, 200, 0, 1, 1)


def test_an_entry_that_an_operator_has_delivered_again_goes_before_later_ones() -> None:
    index = order(entry(1, state=EntryState.DEAD), entry(2), entry(3))
    index.put(entry(1, next_at=9.0))
    assert (taken(index, 8.0), taken(index, 9.0)) == (None, "000001")


def test_receivers_have_lanes_of_their_own() -> None:
    index = order(entry(1, receiver="hub"), entry(2))
    assert (taken(index, 5.0), taken(index, 5.0, "hub"), index.next_due("else")) == ("000002", "000001", None)
    assert sorted(index.receivers) == ["gateway", "hub"]


def probe(index: Order, now: float, receiver: str = "gateway") -> str | None:
    found = index.take_probe(receiver, now)
    return None if found is None else found.id


def test_a_probe_is_the_entry_due_longest_or_soonest() -> None:
    index = order(
        entry(1, queue="a", next_at=90.0),
        entry(2, queue="b", next_at=50.0),
        entry(3, queue="c"),
        entry(0, receiver="x"),
    )
    assert [probe(index, 10.0) for _ in range(4)] == ["000003", "000002", "000001", None]


#: Fields of entries whose pause does not end because the receiver is back.
PAUSED = [{"status": 429}, {"status": 404, "rejected": 1}, {"reason": Reason.NO_ANSWER}]


@pytest.mark.parametrize("fields", PAUSED)
def test_an_event_that_may_take_its_receiver_down_is_no_probe_before_its_time(fields: dict[str, Any]) -> None:
    index = order(entry(1, next_at=90.0, **fields))
    assert (probe(index, 89.9), probe(index, 90.0)) == (None, "000001")


@pytest.mark.parametrize("fields", PAUSED)
def test_when_the_receiver_is_back_all_but_those_with_a_pause_of_their_own_are_due(fields: dict[str, Any]) -> None:
    index = order(
        entry(1, queue="a", next_at=90.0, status=503),
        entry(2, queue="b", next_at=80.0, **fields),
        entry(3, queue="c", next_at=1.0),
        entry(4, queue="d", receiver="hub", next_at=70.0),
    )
    index.hasten("gateway")
    index.hasten("nobody")
    assert [taken(index, 5.0), taken(index, 5.0), taken(index, 5.0)] == ["000003", "000001", None]
    assert (index.next_due("gateway"), index.next_due("hub")) == (80.0, 70.0)


def test_the_oldest_is_the_one_that_came_first_whatever_its_state() -> None:
    index = order(entry(5), entry(4, state=EntryState.DEAD), entry(6))
    assert index.oldest() == entry(4, state=EntryState.DEAD)
    index.remove("000004")
    assert index.oldest() == entry(5)
    index.remove("000005")
    index.remove("000006")
    assert index.oldest() is None
    assert index.remove("000006") is None


@pytest.mark.parametrize(
    ("than", "since", "limit", "removed"),
    [
        (4.0, 0.0, 9, ["000001", "000002", "000003"]),
        (4.0, 0.0, 2, ["000001", "000002"]),
        (4.0, 1.0, 9, []),
        (1.0, 0.0, 9, []),
        (9.0, 0.0, 9, ["000001", "000002", "000003", "000004"]),
    ],
    ids=["before a time", "so many", "not so old", "none so old", "all"],
)
def test_what_came_before_a_time_is_taken_out_the_oldest_first(
    than: float, since: float, limit: int, removed: list[str]
) -> None:
    index = order(entry(3), entry(1, state=EntryState.DEAD), entry(4), entry(2, state=EntryState.UNKNOWN))
    assert [each.id for each in index.remove_older(than, since, limit)] == removed
    left = sorted(each.id for each in index.entries())
    assert left == [id_ for id_ in ("000001", "000002", "000003", "000004") if id_ not in removed]


def test_entries_are_listed_as_they_were_when_that_was_asked() -> None:
    index = order(entry(2), entry(1))
    listed = index.entries()
    assert (len(index), index.get("000002"), index.get("x")) == (2, entry(2), None)
    index.remove("000001")
    assert sorted(each.id for each in listed) == ["000001", "000002"]


def test_the_oldest_of_those_that_wait_is_found_among_all_sessions() -> None:
    index = order(
        entry(1, state=EntryState.DEAD), entry(4), entry(3, queue="support"), entry(2, state=EntryState.UNKNOWN)
    )
    assert index.oldest_waiting() == entry(3, queue="support")
    index.remove("000003")
    assert index.oldest_waiting() == entry(4)
    index.remove("000004")
    assert index.oldest_waiting() is None


class Fixed(list[str]):
    """Ids of a lane that may not be moved: with a hundred thousand of them each move takes long."""

    def insert(self, *_: object) -> None:
        raise AssertionError("ids were moved")

    def __delitem__(self, _: object) -> None:
        raise AssertionError("ids were moved")


def test_entries_that_are_replayed_move_none_of_those_behind_them() -> None:
    index = order(entry(1, next_at=50.0), entry(2, next_at=60.0), entry(3, next_at=70.0))
    index._lanes[SALES] = Fixed(index._lanes[SALES])
    for number in (1, 2, 3):
        index.put(entry(number, next_at=20.0))
    assert (index.next_due("gateway"), index.totals) == (20.0, Totals(3, 300, 3, 0, 0))
    assert [each.next_at for each in index.entries()] == [20.0, 20.0, 20.0]


class NotedId(str):
    """An id that counts how often it is compared."""

    __slots__ = ()
    looks = 0

    def __lt__(self, other: str) -> bool:
        NotedId.looks += 1
        return str.__lt__(self, other)


def test_the_oldest_that_waits_is_found_without_a_look_at_each_session() -> None:
    index = order(*(entry(number, id=NotedId(f"{number:06}"), queue=str(number)) for number in range(1_000)))
    NotedId.looks = 0
    found = index.oldest_waiting()
    assert (found is not None and found.id, NotedId.looks < 50) == ("000000", True)


class Model(RuleBasedStateMachine):
    """The index beside a list that is looked through anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.index = Order()
        self.entries: dict[str, Entry] = {}
        self.under_way: dict[Lane, str] = {}
        self.now = 0.0

    def firsts(self) -> list[Entry]:
        lanes: dict[Lane, Entry] = {}
        for id_ in sorted(self.entries):
            each = self.entries[id_]
            if each.state is EntryState.WAITING:
                lanes.setdefault(lane_of(each), each)
        return [each for lane, each in lanes.items() if lane not in self.under_way]

    @rule(
        number=st.integers(0, 12),
        queue=st.sampled_from("ab"),
        receiver=st.sampled_from(["gateway", "hub"]),
        state=st.sampled_from([EntryState.WAITING, EntryState.WAITING, EntryState.UNKNOWN, EntryState.DEAD]),
        wait=st.integers(0, 3),
    )
    def put(self, number: int, queue: str, receiver: str, state: EntryState, wait: int) -> None:
        new = entry(number, queue=queue, receiver=receiver, state=state, next_at=self.now + wait)
        old = self.entries.get(new.id)
        if old is not None:
            if self.under_way.get(lane_of(old)) == old.id:
                return
            new = entry(number, queue=old.queue, receiver=old.receiver, state=state, next_at=self.now + wait)
        self.entries[new.id] = new
        self.index.put(new)

    @rule(number=st.integers(0, 12))
    def remove(self, number: int) -> None:
        id_ = entry(number).id
        old = self.entries.get(id_)
        if old is not None and self.under_way.get(lane_of(old)) == id_:
            return
        assert self.index.remove(id_) == self.entries.pop(id_, None)

    @rule(receiver=st.sampled_from(["gateway", "hub"]), probe=st.booleans())
    def take(self, receiver: str, probe: bool) -> None:
        mine = [each for each in self.firsts() if each.receiver == receiver]
        fit = [each for each in mine if each.next_at <= self.now or probe]
        expected = min(fit, key=lambda each: (each.next_at, each.id), default=None)
        found = self.index.take_probe(receiver, self.now) if probe else self.index.take(receiver, self.now)
        assert found == expected
        if found is not None:
            self.under_way[lane_of(found)] = found.id

    @rule(delivered=st.booleans(), first=st.booleans())
    def end(self, delivered: bool, first: bool) -> None:
        if not self.under_way:
            return
        lane = sorted(self.under_way)[0 if first else -1]
        id_ = self.under_way.pop(lane)
        if delivered:
            del self.entries[id_]
            self.index.remove(id_)
        self.index.put_back(lane)

    @rule(seconds=st.integers(0, 3))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        all_ = list(self.entries.values())
        counts = [
            sum(each.state is state for each in all_)
            for state in (EntryState.WAITING, EntryState.UNKNOWN, EntryState.DEAD)
        ]
        assert self.index.totals == Totals(len(all_), 100 * len(all_), *counts)
        waiting = [each for each in all_ if each.state is EntryState.WAITING]
        assert self.index.oldest_waiting() == min(waiting, key=lambda each: each.id, default=None)
        assert self.index.oldest() == min(all_, key=lambda each: (each.received_at, each.id), default=None)
        for receiver in ("gateway", "hub"):
            mine = [each.next_at for each in self.firsts() if each.receiver == receiver]
            assert self.index.next_due(receiver) == min(mine, default=None)
            assert self.index.has_waiting(receiver) == any(
                each.state is EntryState.WAITING and each.receiver == receiver for each in all_
            )


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=20)


class Noted(float):
    """A time that counts how often it is compared."""

    looks = 0

    def __eq__(self, other: object) -> bool:
        Noted.looks += 1
        return float(self) == other

    def __lt__(self, other: float) -> bool:
        Noted.looks += 1
        return float(self) < float(other)

    def __hash__(self) -> int:
        return float.__hash__(self)


def test_after_many_of_a_lane_were_taken_out_the_next_look_is_as_short_as_ever() -> None:
    index = order(*(entry(number, next_at=Noted(number)) for number in range(5_000)), entry(9_999))
    assert len(index.remove_older(5_000.0, -1.0, 5_000)) == 5_000
    Noted.looks = 0
    assert (index.next_due("gateway"), taken(index, 1e9)) == (9999.0, "009999")
    assert Noted.looks < 50


def test_what_was_delivered_while_an_older_one_stayed_is_not_looked_at_when_that_goes() -> None:
    index = order(entry(1, state=EntryState.DEAD, received_at=Noted(1)))
    for number in range(2, 5_000):
        index.put(entry(number, received_at=Noted(number)))
        index.remove(entry(number).id)
    index.remove("000001")
    Noted.looks = 0
    assert index.oldest() is None
    assert Noted.looks < 50


def test_an_entry_that_is_told_again_as_it_was_still_goes_at_once() -> None:
    index = order(entry(1, next_at=900.0, reason=Reason.NOT_SENT, size=10))
    index.hasten("gateway")
    index.put(entry(1, next_at=900.0, reason=Reason.NOT_SENT, size=15, received_at=0.5))
    assert (index.totals.size, taken(index, 1.0)) == (15, "000001")
    oldest = index.oldest()
    assert oldest is not None
    assert oldest.received_at == 0.5
