"""Requests that change something begin a few at a time, in order, and none is forgotten."""

from statusproxy.proxy.downstream.starts import AT_ONCE, Starts


class Queue:
    """Requests, by their number, that asked to begin."""

    def __init__(self) -> None:
        self.starts = Starts(AT_ONCE)
        self.told: list[int] = []
        self.asked = 0

    def ask(self, count: int) -> None:
        for number in range(self.asked, self.asked + count):
            self.starts.ask(lambda number=number: self.told.append(number))  # type: ignore[misc]
        self.asked += count

    def begin(self, count: int) -> None:
        for _ in range(count):
            self.starts.begun()


def test_a_few_begin_at_once() -> None:
    queue = Queue()
    queue.ask(AT_ONCE)
    assert queue.told == list(range(AT_ONCE))


def test_more_wait_until_all_of_those_have_begun() -> None:
    queue = Queue()
    queue.ask(AT_ONCE + 1)
    queue.begin(AT_ONCE - 1)
    assert len(queue.told) == AT_ONCE
    queue.begin(1)
    assert queue.told == list(range(AT_ONCE + 1))


def test_all_begin_in_the_order_in_which_they_came_a_few_at_a_time() -> None:
    queue = Queue()
    queue.ask(3 * AT_ONCE)
    for share in (1, 2, 3, 3):
        assert queue.told == list(range(share * AT_ONCE))
        queue.begin(AT_ONCE)


def test_a_newcomer_never_passes_by_one_that_waits() -> None:
    queue = Queue()
    queue.ask(2 * AT_ONCE + 1)
    queue.begin(AT_ONCE + 1)
    queue.ask(1)
    assert queue.told == list(range(2 * AT_ONCE))
    queue.begin(AT_ONCE - 1)
    assert queue.told == list(range(2 * AT_ONCE + 2))


def test_after_a_rush_requests_begin_at_once_again() -> None:
    queue = Queue()
    queue.ask(AT_ONCE + 2)
    queue.begin(AT_ONCE + 2)
    queue.ask(AT_ONCE)
    assert queue.told == list(range(2 * AT_ONCE + 2))


def test_at_the_end_nobody_waits() -> None:
    queue = Queue()
    queue.ask(3 * AT_ONCE)
    queue.starts.all()
    assert queue.told == list(range(3 * AT_ONCE))
    queue.begin(3 * AT_ONCE)
    queue.ask(1)
    assert len(queue.told) == 3 * AT_ONCE + 1
