"""The book after the clock was set: what decides moves with it, and a message stays as it was made."""

from __future__ import annotations

from msgspec.structs import replace

from statusproxy.alerts.decide import Seen
from statusproxy.alerts.set_clock import moved_book, moved_seen
from statusproxy.alerts.values import Book, DeliveryState, Told
from tests.alerts.fakes import NOW, lost, message


def test_the_times_that_decide_are_moved() -> None:
    book = Book(told={"lost:a": Told(lost("a", NOW), "m1", NOW + 60)}, last={"session.lost": NOW + 60})
    moved = moved_book(book, -100.0)
    assert moved.told["lost:a"] == Told(lost("a", NOW - 100), "m1", NOW - 40)
    assert moved.last == {"session.lost": NOW - 40}


def test_the_next_attempt_is_moved_and_the_message_stays_as_it_was_made() -> None:
    (delivery,) = message("m1").deliveries
    waiting = replace(message("m1"), deliveries=(replace(delivery, next_at=NOW + 5),))
    (moved,) = moved_book(Book(messages=(waiting,)), 100.0).messages
    assert moved == replace(waiting, deliveries=(replace(delivery, next_at=NOW + 105),))


def test_what_has_not_been_tried_or_is_finished_stays_the_same() -> None:
    book = Book(messages=(message("m1"), message("m2", state=DeliveryState.SENT)))
    assert moved_book(book, 100.0).messages == book.messages


def test_what_was_seen_is_moved() -> None:
    assert moved_seen(Seen({"lost:a": 10.0}, {"lost:b": 20.0}), -5.0) == Seen({"lost:a": 5.0}, {"lost:b": 15.0})
