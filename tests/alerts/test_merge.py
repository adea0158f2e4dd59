"""Two books that were written apart, united: nothing told is told again, and no message is lost."""

import pytest

from statusproxy.alerts.merge import merged, same
from statusproxy.alerts.values import Book, DeliveryState, Told
from tests.alerts.fakes import NOW, lost, message


def told(session: str, by: str = "m1", at: float = NOW) -> dict[str, Told]:
    return {f"lost:{session}": Told(lost(session), by, at)}


def test_what_either_told_counts_as_told() -> None:
    book = merged(Book(told=told("sales"), messages=(message("m1"),)), Book(told=told("support", "m2")))
    assert sorted(book.told) == ["lost:sales", "lost:support"]


def test_of_two_marks_of_one_message_the_newer_counts() -> None:
    older, newer = Book(told=told("sales")), Book(told=told("sales", at=NOW + 60))
    assert merged(older, newer).told == merged(newer, older).told == newer.told


def test_where_each_told_it_the_stored_mark_stays() -> None:
    stored = Book(told=told("sales", "m1"))
    assert merged(stored, Book(told=told("sales", "m2", NOW + 9))).told == stored.told


def test_a_mark_that_another_took_away_does_not_come_back() -> None:
    stored = Book(messages=(message("m1"),))
    assert merged(stored, Book(told=told("sales"), messages=(message("m1"),))).told == {}


def test_messages_of_both_are_kept_in_their_order() -> None:
    one, two, three = message("a", at=1.0), message("b", at=2.0), message("c", at=3.0)
    assert merged(Book(messages=(one, three)), Book(messages=(two,))).messages == (one, two, three)


@pytest.mark.parametrize(
    ("further", "less"),
    [
        ((DeliveryState.SENT, 1), (DeliveryState.WAITING, 9)),
        ((DeliveryState.SENT, 1), (DeliveryState.FAILED, 9)),
        ((DeliveryState.FAILED, 1), (DeliveryState.WAITING, 9)),
        ((DeliveryState.WAITING, 2), (DeliveryState.WAITING, 1)),
    ],
)
def test_a_delivery_is_as_far_as_either_brought_it(
    further: tuple[DeliveryState, int], less: tuple[DeliveryState, int]
) -> None:
    one, other = (Book(messages=(message("m1", state=state, attempts=count),)) for state, count in (further, less))
    assert merged(one, other).messages == merged(other, one).messages == one.messages


def test_of_each_type_the_newest_message_limits_the_next() -> None:
    book = merged(Book(last={"session.lost": 5.0, "store.failing": 1.0}), Book(last={"session.lost": 7.0}))
    assert book.last == {"session.lost": 7.0, "store.failing": 1.0}


def test_a_book_united_with_itself_is_itself() -> None:
    book = Book(told=told("sales"), messages=(message("m1"),), last={"session.lost": NOW})
    assert merged(book, book) == book


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Book(), Book(), True),
        (
            Book(told=told("sales"), messages=(message("m1"),)),
            Book(told=told("sales"), messages=(message("m1"),)),
            True,
        ),
        (Book(told=told("sales")), Book(), False),
        (Book(told=told("sales")), Book(told=told("sales", at=NOW + 1)), False),
        (Book(messages=(message("m1"),)), Book(), False),
        (Book(messages=(message("m1"),)), Book(messages=(message("m2"),)), False),
        (Book(messages=(message("m1", "a"),)), Book(messages=(message("m1", "b"),)), False),
        (Book(messages=(message("m1", at=1.0),)), Book(messages=(message("m1", at=2.0),)), False),
        (Book(last={"a": 1.0}), Book(last={"a": 2.0}), False),
    ],
)
def test_two_books_are_the_same_if_they_are_equal(one: Book, other: Book, expected: bool) -> None:
    assert same(one, other) is expected is (one == other)
