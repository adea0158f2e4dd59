"""Places at the gateway: never too many, in order, no one forgotten, whatever happens in whatever order."""

import gc
import random
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from statusproxy.proxy.upstream.places import UpstreamPlaces, Waiter


@dataclass(eq=False)
class Asked:
    """One who asked for a place."""

    client: str
    reserved: bool
    served: list["Asked"]
    """All who were served, in order."""
    waiter: Waiter | None = None
    holds: bool = field(default=False)

    def serve(self) -> None:
        """The place is its own."""
        self.holds = True
        self.served.append(self)


def ask(places: UpstreamPlaces, served: list[Asked], client: str = "a", *, reserved: bool = False) -> Asked:
    """Take a place, or wait for one."""
    asked = Asked(client, reserved, served)
    if places.take(client, reserved):
        asked.serve()
    else:
        asked.waiter = Waiter(client, reserved, asked.serve)
        places.wait(asked.waiter)
    return asked


def leave(places: UpstreamPlaces, asked: Asked) -> None:
    """Wait no more."""
    assert asked.waiter is not None
    places.leave(asked.waiter)


def give_back(places: UpstreamPlaces, asked: Asked) -> None:
    """Give the place back."""
    asked.holds = False
    places.give_back(asked.client, asked.reserved)


def comes_and_goes(places: UpstreamPlaces, served: list[Asked], client: str) -> weakref.ref[Asked]:
    """One who waits for a place, and waits no more."""
    asked = ask(places, served, client)
    leave(places, asked)
    return weakref.ref(asked)


def kept(gone: Iterable[weakref.ref[Asked]]) -> int:
    """How many of these are still in memory."""
    gc.collect()
    return sum(one() is not None for one in gone)


def test_places_go_to_those_who_wait_in_order() -> None:
    places, served = UpstreamPlaces(2, 0, 2), list[Asked]()
    asked = [ask(places, served, str(n)) for n in range(6)]
    assert (served, places.waiting) == (asked[:2], 4)
    for holder in asked[:4]:
        give_back(places, holder)
    assert (served, places.taken) == (asked, 2)


def test_a_newcomer_takes_no_place_from_who_waits() -> None:
    places, served = UpstreamPlaces(1, 0, 1), list[Asked]()
    first, second = ask(places, served, "a"), ask(places, served, "b")
    give_back(places, first)
    newcomer = ask(places, served, "c")
    assert (served, newcomer.holds) == ([first, second], False)


def test_some_places_are_for_webhooks_and_lists_only() -> None:
    places, served = UpstreamPlaces(4, 1, 4), list[Asked]()
    uploads = [ask(places, served, str(n)) for n in range(5)]
    assert [upload.holds for upload in uploads] == [True] * 3 + [False] * 2
    webhook = ask(places, served, "engine", reserved=True)
    assert webhook.holds, "though others wait"
    give_back(places, webhook)
    assert not uploads[3].holds, "the place stays kept"
    give_back(places, uploads[0])
    assert uploads[3].holds


def test_webhooks_and_lists_may_have_all_places() -> None:
    places, served = UpstreamPlaces(4, 1, 4), list[Asked]()
    webhooks = [ask(places, served, str(n), reserved=True) for n in range(5)]
    assert [webhook.holds for webhook in webhooks] == [True] * 4 + [False]
    assert not ask(places, served, "other").holds


def test_a_client_beyond_its_share_waits_for_its_own_places_and_holds_up_nobody() -> None:
    places, served = UpstreamPlaces(4, 0, 2), list[Asked]()
    greedy = [ask(places, served, "a") for _ in range(4)]
    assert [one.holds for one in greedy] == [True, True, False, False]
    others = [ask(places, served, "b"), ask(places, served, "c")]
    assert all(other.holds for other in others)
    give_back(places, others[0])
    assert not greedy[2].holds
    give_back(places, greedy[0])
    assert (greedy[2].holds, greedy[3].holds) == (True, False)


def test_a_client_s_webhooks_and_lists_go_beyond_its_share_by_what_is_reserved() -> None:
    """Its own uploads do not hold them up, and they cannot take all places either."""
    places, served = UpstreamPlaces(8, 2, 3), list[Asked]()
    assert [ask(places, served).holds for _ in range(4)] == [True] * 3 + [False]
    assert [ask(places, served, reserved=True).holds for _ in range(3)] == [True, True, False]


def test_who_leaves_before_it_was_served_hands_its_turn_on() -> None:
    """Two of one client wait; one of its places comes free, but no place that they may have; then the first leaves."""
    places, served = UpstreamPlaces(4, 1, 2), list[Asked]()
    webhook = ask(places, served, "a", reserved=True)
    ask(places, served, "a")
    first, second = ask(places, served, "a"), ask(places, served, "a")
    others = [ask(places, served, "b"), ask(places, served, "b")]
    assert [one.holds for one in (first, second, *others)] == [False, False, True, True]
    give_back(places, webhook)
    assert not first.holds, "the places of its class are all taken"
    leave(places, first)
    give_back(places, others[0])
    assert second.holds


def test_who_was_served_leaves_no_queue() -> None:
    places, served = UpstreamPlaces(1, 0, 1), list[Asked]()
    first, second = ask(places, served, "a"), ask(places, served, "b")
    give_back(places, first)
    leave(places, second)
    assert (places.taken, places.waiting) == (1, 0)


def test_what_those_of_one_client_who_gave_up_left_behind_is_swept() -> None:
    places, served = UpstreamPlaces(10, 0, 1), list[Asked]()
    holder = ask(places, served, "a")
    other_holder = ask(places, served, "b")
    last = ask(places, served, "a")
    leave(places, ask(places, served, "b"))
    assert kept([comes_and_goes(places, served, "a") for _ in range(1_000)]) < 200
    give_back(places, other_holder)
    give_back(places, holder)
    assert last.holds


def test_what_those_who_gave_up_left_behind_is_swept() -> None:
    """A gateway that is full for hours, and clients that come, wait and go."""
    places, served = UpstreamPlaces(1, 0, 1), list[Asked]()
    ask(places, served, "holder")
    last = ask(places, served, "last")
    gone = [comes_and_goes(places, served, f"client {n % 300}") for n in range(10_000)]
    assert places.waiting == 1
    assert kept(gone) < 200
    leave(places, last)
    gone.append(weakref.ref(last))
    del last
    assert kept(gone) == 0


@pytest.mark.parametrize("total", [1, 2], ids=["waiting for any place", "waiting for a place of its client"])
def test_those_who_are_left_after_a_sweep_are_served_in_order(total: int) -> None:
    places, served = UpstreamPlaces(total, 0, 1), list[Asked]()
    asked = dict(enumerate(ask(places, served) for _ in range(200)))
    for number in range(20):
        give_back(places, asked[number])
    staying = sorted(random.Random(1).sample(range(21, 200), 20))
    gone = []
    for number in set(range(21, 200)) - set(staying):
        leave(places, asked[number])
        gone.append(weakref.ref(asked.pop(number)))
    assert kept(gone) < 130, "it was swept"
    for _ in staying:
        give_back(places, served[-1])
    assert served[21:] == [asked[number] for number in staying]


class Model(RuleBasedStateMachine):
    """Random arrivals, ends and departures beside the rules, written as slowly and plainly as can be."""

    asked = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.total, self.reserved, self.share = 5, 1, 2
        self.places = UpstreamPlaces(self.total, self.reserved, self.share)
        self.served: list[Asked] = []
        self.line: list[Asked] = []
        """Who waits, in order of arrival, as the rules say."""
        self.holding: list[Asked] = []
        """Who holds a place, as the rules say."""

    def may_have(self, asked: Asked) -> bool:
        """The rules."""
        ordinary = sum(not other.reserved for other in self.holding)
        own = sum(other.client == asked.client for other in self.holding)
        if len(self.holding) == self.total:
            return False
        if asked.reserved:
            return own < self.share + self.reserved
        return ordinary < self.total - self.reserved and own < self.share

    def expect(self) -> None:
        """Serve, by the rules, those who wait: again and again the first that may have a place."""
        while (first := next(filter(self.may_have, self.line), None)) is not None:
            self.line.remove(first)
            self.holding.append(first)
            self.due.append(first)

    @rule(target=asked, client=st.sampled_from("abcd"), reserved=st.booleans())
    def arrive(self, client: str, reserved: bool) -> Asked:
        """Someone asks for a place."""
        self.due: list[Asked] = []
        before = len(self.served)
        asked = ask(self.places, self.served, client, reserved=reserved)
        self.line.append(asked)
        self.expect()
        assert self.served[before:] == self.due
        return asked

    @rule(asked=consumes(asked))
    def go(self, asked: Asked) -> None:
        """Someone ends its exchange, or stops waiting: by a time-out, a cancellation, a loss, it is all the same."""
        self.due = []
        before = len(self.served)
        if asked.holds:
            self.holding.remove(asked)
            give_back(self.places, asked)
        else:
            self.line.remove(asked)
            leave(self.places, asked)
        self.expect()
        assert self.served[before:] == self.due

    @precondition(lambda self: bool(self.line))
    @invariant()
    def nobody_who_may_have_a_place_waits(self) -> None:
        """No wake-up is lost."""
        assert not any(map(self.may_have, self.line))

    @invariant()
    def counts_agree(self) -> None:
        """What is said of it is so."""
        assert (self.places.taken, self.places.waiting) == (len(self.holding), len(self.line))


TestModel = pytest.mark.slow(Model.TestCase)
TestModel.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)


@pytest.mark.parametrize("reserved", [False, True])
def test_the_first_of_two_classes_is_the_first_served(reserved: bool) -> None:
    places, served = UpstreamPlaces(2, 1, 2), list[Asked]()
    holders = [ask(places, served, "x"), ask(places, served, "y", reserved=True)]
    first, second = ask(places, served, "a", reserved=reserved), ask(places, served, "b", reserved=not reserved)
    give_back(places, holders[0])
    assert served[2:] == [first]
    give_back(places, first)
    give_back(places, holders[1])
    assert served[3:] == [second]


class Compared:
    """Counts how often two who wait are compared: the effort of a step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        compare = Waiter.__lt__

        def counted(one: Waiter, other: Waiter) -> bool:
            self.times += 1
            return compare(one, other)

        monkeypatch.setattr(Waiter, "__lt__", counted)


def test_a_webhook_has_a_place_at_once_where_others_have_all_of_theirs() -> None:
    places = UpstreamPlaces(3, 1, 3)
    assert [places.take("a", False), places.take("a", False), places.take("b", True)] == [True, True, True]


def test_a_place_that_comes_free_costs_little_however_many_of_its_client_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    places, served = UpstreamPlaces(2_000, 0, 2), list[Asked]()
    asked = [ask(places, served, "a") for _ in range(1_002)]
    compared = Compared(monkeypatch)
    give_back(places, asked[0])
    assert (len(served), compared.times < 100) == (3, True)


def test_many_who_leave_a_long_queue_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    places, served = UpstreamPlaces(1, 0, 1), list[Asked]()
    asked = [ask(places, served, str(n)) for n in range(1_001)]
    compared = Compared(monkeypatch)
    for one in asked[500:]:
        leave(places, one)
    assert (places.waiting, compared.times < 20_000) == (499, True)


def test_of_a_client_whose_waiters_were_served_nothing_stays() -> None:
    """Addresses are many, and someone may wait for hours."""
    places, served = UpstreamPlaces(3, 0, 1), list[Asked]()
    ask(places, served, "other")
    ask(places, served, "other")
    for n in range(100):
        first, second = ask(places, served, str(n)), ask(places, served, str(n))
        give_back(places, first)
        assert second.holds
        give_back(places, second)
    assert (places.waiting, len(places._parked)) == (1, 1)


def test_of_clients_whose_waiters_left_nothing_stays_after_a_sweep() -> None:
    places, served = UpstreamPlaces(1_000, 0, 1), list[Asked]()
    ask(places, served, "other")
    ask(places, served, "other")
    for n in range(300):
        ask(places, served, str(n))
        comes_and_goes(places, served, str(n))
    assert (places.waiting, len(places._parked) < 100) == (1, True)


def test_once_no_one_waits_nothing_stays_of_those_who_did() -> None:
    places, served = UpstreamPlaces(1_000, 0, 1), list[Asked]()
    gone: list[weakref.ref[Asked]] = []
    for n in range(100):
        holder = ask(places, served, str(n))
        gone.append(comes_and_goes(places, served, str(n)))
        give_back(places, holder)
    assert (places.waiting, kept(gone)) == (0, 0)
