"""Who gives up a place when all are taken."""

import itertools
from collections.abc import Callable

import pytest

from statusproxy.proxy.downstream.admission import Admission
from tests.hand_clock import HandClock
from tests.processor_time import takes_less


def anyone(client: object) -> bool:
    return True


def leaving(places: Admission[str], may_go: Callable[[str], bool] = anyone) -> list[str]:
    """All that give their place up, in order."""
    order: list[str] = []
    while (client := places.first_to_go(may_go)) is not None:
        places.leave(client)
        order.append(client)
    return order


def entered(*clients: str) -> Admission[str]:
    places: Admission[str] = Admission(HandClock())
    for client in clients:
        places.arrive(client)
    return places


def answered(places: Admission[str], *clients: str) -> None:
    """Each of `clients` had an answer just now."""
    for client in clients:
        places.work(client)
        places.rest(client)


def test_of_newcomers_the_longest_silent_goes_first() -> None:
    assert leaving(entered("first", "second", "third")) == ["first", "second", "third"]


def test_of_those_that_had_an_answer_the_longest_idle_goes_first() -> None:
    places = entered("a", "b", "c")
    answered(places, "b", "c", "a")
    assert leaving(places) == ["b", "c", "a"]


@pytest.mark.parametrize(("silent", "goes"), [(0.49, "answered"), (0.5, "silent"), (5.0, "silent")])
def test_a_newcomer_that_says_nothing_goes_long_before_a_client_that_was_answered(silent: float, goes: str) -> None:
    clock = HandClock()
    places: Admission[str] = Admission(clock)
    answered(places, "answered")
    clock.now += 10 - silent
    places.arrive("silent")
    clock.now += silent
    assert places.first_to_go(anyone) == goes


def test_a_client_that_was_answered_just_now_outlasts_a_burst_of_newcomers() -> None:
    clock = HandClock()
    places: Admission[str] = Admission(clock)
    answered(places, "answered")
    for number in range(1_000):
        places.arrive(f"silent {number}")
        clock.now += 0.0001
    assert "answered" not in leaving(places)[:900]


def test_who_may_not_go_counts_as_idle_from_now_on() -> None:
    clock = HandClock()
    places: Admission[str] = Admission(clock)
    places.arrive("asks")
    clock.now += 10
    answered(places, "answered")
    clock.now += 1
    assert places.first_to_go(lambda client: client != "asks") == "answered"
    clock.now += 0.01
    assert places.first_to_go(anyone) == "answered"


def test_begun_heads_go_after_all_idle_ones_the_oldest_first() -> None:
    places = entered("a", "b", "c", "d")
    places.begin("c")
    places.begin("a")
    assert leaving(places) == ["b", "d", "c", "a"]


def test_who_began_no_head_after_all_is_idle_again() -> None:
    places = entered("begun", "new")
    places.begin("begun")
    places.rest("begun")
    assert len(places) == 2
    assert (leaving(places), len(places)) == (["new", "begun"], 0)


def test_more_bytes_of_a_head_make_it_no_younger() -> None:
    places = entered("a", "b")
    places.begin("a")
    places.begin("b")
    places.begin("a")
    assert leaving(places) == ["a", "b"]


def test_who_is_at_work_stays() -> None:
    places = entered("idle", "at work", "begun")
    places.work("at work")
    places.begin("begun")
    places.begin("at work")
    assert leaving(places) == ["idle", "begun"]
    assert len(places) == 1


def test_who_may_not_go_is_asked_again_last() -> None:
    places = entered("a", "b", "c")
    assert places.first_to_go(lambda client: client != "a") == "b"
    assert leaving(places) == ["b", "c", "a"]


def test_whose_head_may_not_be_cut_off_lets_the_next_head_go() -> None:
    places = entered("a", "b", "c")
    for client in ("a", "b", "c"):
        places.begin(client)
    assert places.first_to_go(lambda client: client != "a") == "b"
    assert leaving(places) == ["b", "c", "a"]


def test_where_nobody_may_go_nobody_does() -> None:
    places = entered("a", "b")
    places.begin("b")
    assert places.first_to_go(lambda client: False) is None
    assert len(places) == 2


def test_leaving_twice_is_leaving_once() -> None:
    places = entered("idle", "begun", "at work", "stays")
    places.begin("begun")
    places.work("at work")
    for client in ("idle", "begun", "at work"):
        places.leave(client)
        places.leave(client)
    assert len(places) == 1
    assert leaving(places) == ["stays"]


def test_a_search_takes_no_longer_among_many() -> None:
    def filled(count: int) -> Admission[int]:
        places: Admission[int] = Admission(HandClock())
        for client in range(count):
            places.arrive(client)
        return places

    def change(places: Admission[int]) -> None:
        """As many come as go, so that it can be done again."""
        for newcomer in itertools.islice(newcomers, 500):
            gone = places.first_to_go(anyone)
            assert gone is not None
            places.leave(gone)
            places.arrive(newcomer)

    newcomers = itertools.count(20_000)
    few, many = filled(50), filled(20_000)
    assert takes_less(lambda: change(many), 10, lambda: change(few))


def test_whose_request_is_whole_up_to_its_body_keeps_its_place() -> None:
    places = entered("a")
    places.begin("a")
    for _ in range(2):
        places.work("a")
        assert (leaving(places), len(places)) == ([], 1)
    places.rest("a")
    assert len(places) == 1
    assert leaving(places) == ["a"]
