"""Subscribers: each is told every batch while it is one, in order."""

from collections.abc import Callable, Sequence

import pytest

from statusproxy.registry.changes import Changes
from statusproxy.status.model import Change

LOST = Change("sales", "started", "close", 1.0, 1.0)


class Follower:
    """Notes what it is told, and may do something then."""

    def __init__(self, name: str, told: list[tuple[str, Sequence[Change], float]]) -> None:
        self.name = name
        self.told = told
        self.then: Callable[[], None] = lambda: None

    def changed(self, changes: Sequence[Change], now: float) -> None:
        self.told.append((self.name, changes, now))
        self.then()


def test_every_subscriber_is_told_in_the_order_of_subscription() -> None:
    told: list[tuple[str, Sequence[Change], float]] = []
    changes = Changes(Follower("log", told), Follower("metrics", told))
    changes.subscribe(Follower("page", told))
    changes.publish([LOST], 5.0)
    assert told == [("log", [LOST], 5.0), ("metrics", [LOST], 5.0), ("page", [LOST], 5.0)]
    assert len(changes) == 3


def test_who_left_is_told_no_more_and_the_others_are() -> None:
    told: list[tuple[str, Sequence[Change], float]] = []
    changes = Changes(Follower("log", told))
    first, second = Follower("first", told), Follower("second", told)
    leave = changes.subscribe(first)
    changes.subscribe(second)
    leave()
    leave()
    changes.publish([LOST], 5.0)
    assert [name for name, _, _ in told] == ["log", "second"]
    assert len(changes) == 2


def test_leaving_while_a_batch_is_told_takes_it_from_nobody() -> None:
    told: list[tuple[str, Sequence[Change], float]] = []
    changes = Changes()
    first = Follower("first", told)
    first.then = changes.subscribe(first)
    changes.subscribe(Follower("second", told))
    changes.publish([LOST], 5.0)
    changes.publish([LOST], 6.0)
    assert [(name, now) for name, _, now in told] == [("first", 5.0), ("second", 5.0), ("second", 6.0)]


def test_an_error_in_one_subscriber_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[str, Sequence[Change], float]] = []

    def fail() -> None:
        raise RuntimeError("of our own")

    broken = Follower("log", told)
    broken.then = fail
    Changes(broken, Follower("metrics", told)).publish([LOST], 5.0)
    assert [name for name, _, _ in told] == ["log", "metrics"]
    assert caplog.messages == ["Follower could not take in a change"]
