"""The proxy's own clock: it goes on evenly, whatever the system's clock does."""

import time

import pytest

from statusproxy.clock import OwnClock, boot_time


class Clocks:
    """The system's clock and an even one, each in the test's hand."""

    def __init__(self) -> None:
        self.wall, self.even = 1_768_504_026.0, 77.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.even += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def own(clocks: Clocks) -> OwnClock:
    return OwnClock(lambda: clocks.wall, lambda: clocks.even)


def test_it_begins_with_the_systems_time_and_goes_on_evenly(clocks: Clocks) -> None:
    clock, begun = own(clocks), clocks.wall
    clocks.pass_by(5)
    assert clock.now() == begun + 5
    clocks.wall += 10_800
    clocks.pass_by(5)
    assert (clock.now(), clock.wall(), clock.shift) == (begun + 10, begun + 10 + 10_800, 10_800)
    clocks.wall -= 20_000
    clocks.pass_by(5)
    assert (clock.now(), clock.shift) == (begun + 15, -9_200)


def test_it_is_never_the_same_twice_and_never_goes_back(clocks: Clocks) -> None:
    clock = own(clocks)
    moments = [clock.now() for _ in range(5)]
    clocks.even -= 3
    moments += [clock.now() for _ in range(5)]
    assert moments == sorted(set(moments))
    assert clock.last == moments[-1]


def test_its_base_is_what_it_read_when_the_even_one_began(clocks: Clocks) -> None:
    clock = own(clocks)
    clocks.wall += 500
    clocks.pass_by(5)
    assert clock.base == 1_768_504_026.0 - 77.0
    assert clock.now() == clock.base + clocks.even


def test_a_difference_of_less_than_a_second_is_none(clocks: Clocks) -> None:
    clock = own(clocks)
    clocks.wall += 0.9
    assert clock.shift == 0.0


def test_a_difference_is_steady_to_the_microsecond_until_it_really_changes(clocks: Clocks) -> None:
    clock = own(clocks)
    clocks.wall += 3.1234567
    assert clock.shift == 3.123457
    clocks.wall += 0.09
    assert clock.shift == 3.123457
    clocks.wall += 0.02
    assert clock.shift == 3.233457
    clocks.wall -= 3.0
    assert clock.shift == 0.0


def test_the_real_one_agrees_with_the_system() -> None:
    clock = OwnClock()
    assert abs(clock.now() - time.time()) < 1
    assert boot_time() <= boot_time()


def test_a_made_up_clock_is_even_by_itself() -> None:
    moments = iter([100.0, 100.0, 5_000.0, 5_000.0])
    clock = OwnClock(lambda: next(moments))
    assert clock.now() == 5_000.0
