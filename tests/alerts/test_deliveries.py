"""Deliveries: in order for each target, tried again with growing pauses, given up after a day, within bounds."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from statusproxy.alerts.deliveries import attempts, delivered, failed, next_attempt_at, tidied
from statusproxy.alerts.values import Book, Delivery, DeliveryState, Line, Message, Outage, Target, Topic

DAY = 86_400.0
A, B = (Target(name, name, frozenset(Topic)) for name in "ab")


def message(name: str, *targets: str, at: float = 0.0, lines: int = 1) -> Message:
    line = Line(Outage(Topic.LOST, 0.0, "sales"))
    return Message(name, "session.lost", at, (line,) * lines, tuple(Delivery(each) for each in targets))


def book(*messages: Message) -> Book:
    return Book(messages=messages)


def under_way(found: Book, now: float = 0.0, busy: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [(each.message.id, each.delivery.target) for each in attempts(found, now, busy)]


def sent(name: str, at: float = 0.0, lines: int = 1) -> Message:
    return delivered(book(message(name, "a", at=at, lines=lines)), name, "a", at).messages[0]


def test_of_each_target_the_oldest_message_is_tried() -> None:
    found = book(message("m1", "a"), message("m2", "a", "b"), message("m3", "b"))
    assert under_way(found) == [("m1", "a"), ("m2", "b")]
    assert under_way(found, busy=["a"]) == [("m2", "b")]
    assert under_way(delivered(found, "m1", "a", 1.0)) == [("m2", "a"), ("m2", "b")]
    assert next_attempt_at(found, 1.0) == 0
    assert next_attempt_at(found, 1.0, ["a", "b"]) is None


def test_a_delivery_that_was_taken_is_over() -> None:
    (after,) = delivered(book(message("m1", "a", "b")), "m1", "a", 7.0).messages
    assert after.deliveries == (Delivery("a", DeliveryState.SENT, attempts=1, done_at=7.0), Delivery("b"))


def test_a_message_that_failed_holds_back_the_later_ones_of_its_target() -> None:
    found = failed(book(message("m1", "a"), message("m2", "a", "b")), "m1", "a", 100.0, "no answer")
    assert under_way(found, 104.9) == [("m2", "b")]
    assert under_way(found, 105.0) == [("m1", "a"), ("m2", "b")]
    assert next_attempt_at(found, 104.9, ["b"]) == 105
    assert found.messages[0].deliveries[0].error == "no answer"


def test_a_clock_set_back_during_a_pause_holds_no_message_back() -> None:
    found = failed(book(message("m1", "a"), message("m2", "a")), "m1", "a", 10_800.0, "503", retry_after=3_600.0)
    assert (under_way(found, 10_800.0), next_attempt_at(found, 10_800.0)) == ([], 14_400.0)
    assert under_way(found, 10_799.0) == [("m1", "a")]
    assert next_attempt_at(found, 10_799.0) == 0.0


def test_pauses_grow_from_five_seconds_to_five_minutes() -> None:
    found, pauses = book(message("m1", "a")), []
    for _ in range(9):
        found = failed(found, "m1", "a", 0.0, "no answer")
        pauses.append(found.messages[0].deliveries[0].next_at)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert found.messages[0].deliveries[0].attempts == 9


@pytest.mark.parametrize(
    ("jitter", "asked", "pause"), [(1.0, None, 6.25), (0.0, 60.0, 60.0), (0.0, 1.0, 5.0), (0.0, 1e9, 3600.0)]
)
def test_a_pause_is_longer_by_chance_and_as_the_receiver_asks(jitter: float, asked: float | None, pause: float) -> None:
    found = failed(book(message("m1", "a")), "m1", "a", 0.0, "503", retry_after=asked, jitter=jitter)
    assert found.messages[0].deliveries[0].next_at == pause


def test_a_message_is_given_up_after_a_day_or_where_it_is_refused_for_good() -> None:
    found = book(message("m1", "a"), message("m2", "a"))
    assert under_way(failed(found, "m1", "a", DAY - 1, "no answer"), DAY + 300) == [("m1", "a")]
    given_up = failed(found, "m1", "a", DAY, "no answer")
    assert given_up.messages[0].deliveries == (Delivery("a", DeliveryState.FAILED, 1, 0.0, DAY, "no answer"),)
    assert under_way(given_up) == [("m2", "a")]
    refused = failed(found, "m1", "a", 3.0, "410", final=True)
    assert refused.messages[0].deliveries[0].state is DeliveryState.FAILED


@pytest.mark.parametrize(("name", "target"), [("m1", "b"), ("m9", "a"), ("m0", "a")])
def test_a_result_of_what_does_not_wait_changes_nothing(name: str, target: str) -> None:
    found = book(sent("m0"), message("m1", "a"))
    assert delivered(found, name, target, 5.0) is found
    assert failed(found, name, target, 5.0, "no answer") is found


def test_messages_within_their_bounds_stay_the_same_object() -> None:
    messages = (sent("m0"), message("m1", "a", "b"))
    assert tidied(messages, [A, B], 10.0) is messages


def test_of_finished_messages_the_newest_hundred_stay() -> None:
    waiting = message("w", "a")
    kept = tidied((sent("m0"), waiting, *(sent(f"m{number}") for number in range(1, 101))), [A], 10.0)
    assert [each.id for each in kept] == ["w", *(f"m{number}" for number in range(1, 101))]


def test_what_waits_for_a_target_that_is_gone_goes_to_those_that_have_not_had_it() -> None:
    half = delivered(book(message("m1", "a", "b", "c")), "m1", "c", 1.0).messages[0]
    half = failed(Book(messages=(half,)), "m1", "b", 2.0, "404").messages[0]
    (kept,) = tidied((half,), [A], 10.0)
    assert [(each.target, each.state.value) for each in kept.deliveries] == [("a", "waiting"), ("c", "sent")]
    fixed, back = (Target(name, name, frozenset(on)) for name, on in (("b2", Topic), ("d", [Topic.BACK])))
    (kept,) = tidied((half,), [A, fixed, back], 10.0)
    assert [(each.target, each.state.value, each.attempts) for each in kept.deliveries] == [
        ("a", "waiting", 0), ("c", "sent", 1), ("b2", "waiting", 0),
    ]  # fmt: skip
    assert tidied((kept,), [A, fixed, back], 10.0) == (kept,)


def test_what_is_a_day_old_is_given_up_with_its_last_error() -> None:
    tried = failed(book(message("m1", "a", "b")), "m1", "a", 100.0, "no answer").messages
    assert tidied(tried, [A, B], DAY - 1) is tried
    (kept,) = tidied(tried, [A, B], DAY)
    assert [(each.state.value, each.error, each.done_at) for each in kept.deliveries] == [
        ("failed", "no answer", DAY),
        ("failed", "given up after 24 hours", DAY),
    ]


def test_where_too_many_messages_wait_the_oldest_is_given_up() -> None:
    messages = tuple(message(f"m{number}", "a") for number in range(1001))
    kept = tidied(messages, [A], 10.0)
    assert kept[0].deliveries[0].error == "given up: too many messages wait"
    assert kept[1:] == messages[1:]


def test_the_lines_of_all_messages_are_bounded_and_the_newest_message_always_stays() -> None:
    waiting = [message(f"w{number}", "a", lines=9_000) for number in range(3)]
    kept = tidied((sent("old", lines=5_000), sent("small"), *waiting), [A], 10.0)
    assert [(each.id, each.deliveries[0].state.value) for each in kept] == [
        ("w1", "waiting"),
        ("w2", "waiting"),
    ]
    (huge,) = tidied((message("huge", "a", lines=50_000),), [A], 10.0)
    assert huge.deliveries == (Delivery("a"),)
