"""Whether a store takes writes, and when it is tried again."""

import pytest

from statusproxy.store.condition import NOT_OPEN, Condition, Timing

TIMING = Timing(first_retry=0.25, last_retry=1.5, save_limit=10.0)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def condition(clock: Clock) -> Condition:
    return Condition("sqlite", TIMING, clock, cancellable=False)


def test_a_new_store_takes_no_writes_until_it_is_opened(condition: Condition) -> None:
    assert (condition.error, condition.stuck, condition.retry_at) == (NOT_OPEN, None, 0.0)
    assert NOT_OPEN == "not open yet"
    condition.opened()
    assert condition.error is None


def test_the_pauses_are_those_that_are_documented() -> None:
    assert Timing() == Timing(first_retry=0.25, last_retry=10, save_limit=10, close_limit=5)


def test_the_pause_before_a_retry_doubles_up_to_its_limit_and_begins_anew_after_a_success(
    condition: Condition, clock: Clock
) -> None:
    pauses = []
    for _ in range(5):
        condition.failed("disk full")
        pauses.append(condition.retry_at - clock.now)
        clock.now += 7
    assert pauses == [0.25, 0.5, 1.0, 1.5, 1.5]
    assert condition.error == "disk full"
    condition.works()
    condition.failed("disk full")
    assert condition.retry_at - clock.now == 0.25


def test_an_error_is_logged_once_a_minute_and_its_end_where_it_was(condition: Condition, clock: Clock) -> None:
    assert condition.works() is False
    assert [condition.failed("disk full"), condition.failed("disk full")] == [0, None]
    assert (condition.works(), condition.error, condition.works()) == (True, None, False)
    assert [condition.failed("disk full"), condition.works()] == [None, False]
    clock.now += 60
    assert condition.failed("disk full") == 1


def test_a_write_without_an_answer_is_logged_like_an_error_and_leaves_the_store_as_it_is(condition: Condition) -> None:
    condition.opened()
    assert [condition.unanswered("no answer"), condition.unanswered("no answer")] == [0, None]
    assert (condition.error, condition.retry_at) == (None, 0.0)


def test_a_write_that_is_not_answered_in_time_shows_until_it_ends(condition: Condition, clock: Clock) -> None:
    condition.begin_write()
    shown: list[str | None] = []
    for seconds in (9.9, 0.1):
        clock.now += seconds
        shown.append(condition.stuck)
    condition.end_write()
    shown.append(condition.stuck)
    assert shown == [None, "no answer: sqlite: the disk has not answered for 10 s", None]


def test_a_write_that_can_be_cancelled_is_never_stuck(clock: Clock) -> None:
    condition = Condition("redis", TIMING, clock, cancellable=True)
    condition.begin_write()
    clock.now += 1_000
    assert condition.stuck is None
