"""How old stored records are: by the clock of this boot, else by the system's, which is doubted for an hour."""

import pytest

from statusproxy.clock import OwnClock
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.clocks import Written
from statusproxy.status.doubtful_age import SETTLING
from statusproxy.status.model import Override, Record, Transient

BASE = 4_000.0
NOW = 10_000.0


class Stage:
    """Stored ages by a clock that reads `NOW`, and whose even one began with the boot at `BASE`."""

    def __init__(self, boot: str | None) -> None:
        self.even = NOW - BASE
        self.clock = OwnClock(lambda: NOW, lambda: self.even)
        self.ages = StoredAges(self.clock, boot)
        self.clock.now()


def heard(at: float, written: Written | None = None) -> Record:
    return Record("sales", heard_at=at, written=written)


def lost(began: float) -> Record:
    return Record("sales", override=Override(since=began, at=began, began=began, event="close"))


def connecting(began: float) -> Record:
    return Record("sales", transient=Transient(since=began, at=began, began=began, due=began + 90.0, event="e"))


def test_within_one_boot_ages_are_told_by_the_clock_that_goes_on() -> None:
    ages = Stage("one").ages
    stored = [heard(9_000.0, Written("one", BASE)), heard(9_000.0, Written("one", BASE - 90)), heard(9_000.0)]
    taken = ages.take_over(stored[:2], NOW)
    assert taken == ([heard(9_000.0), heard(9_090.0)], None, 90.0)
    assert ages.doubted_at(NOW) is None
    assert ages.take_over(stored, NOW).doubted_at == NOW, "of one of them only the system's time tells"


def test_nothing_stored_is_still_to_come() -> None:
    assert Stage("one").ages.take_over([heard(NOW + 5, Written("one", BASE))], NOW).records == [heard(NOW)]


def test_what_is_told_by_a_clock_that_proxies_share_is_in_no_doubt_and_may_be_a_little_ahead() -> None:
    ages = Stage("one").ages
    told = [heard(9_000.0), heard(NOW + 0.5), heard(NOW + 5), heard(9_000.0, Written("one", BASE - 90))]
    assert ages.take_over(told, NOW, shared=True) == (
        [heard(9_000.0), heard(NOW + 0.5), heard(NOW + 1), heard(9_090.0)], None, 90.0
    )  # fmt: skip
    assert ages.take_over([heard(9_000.0, Written("another", BASE))], NOW, shared=True).doubted_at == NOW


@pytest.mark.parametrize("boot", ["two", ""])
def test_of_another_boot_ages_are_in_doubt_for_an_hour(boot: str) -> None:
    ages = Stage(boot).ages
    assert ages.take_over([heard(9_000.0, Written("one", BASE - 90))], NOW) == ([heard(9_000.0)], NOW, 0.0)
    assert ages.doubted_at(NOW + SETTLING - 1) == NOW
    assert ages.doubted_at(NOW + SETTLING) is None


def test_a_clock_that_is_always_right_is_never_doubted() -> None:
    ages = Stage(None).ages
    assert ages.take_over([heard(9_000.0)], NOW) == ([heard(9_000.0)], None, 0.0)
    records = [heard(9_000.0)]
    assert ages.as_stored(records, 0.0) is records
    assert ages.as_stored(records, 60.0) == [heard(9_060.0)]


def test_what_is_stored_says_by_what_clock() -> None:
    ages = Stage("one").ages
    assert ages.as_stored([heard(9_000.0)], 0.0) == [heard(9_000.0, Written("one", BASE))]
    assert ages.as_stored([heard(9_000.0)], 60.0) == [heard(9_060.0, Written("one", BASE, 60.0))]
    assert Stage("").ages.as_stored([heard(9_000.0)], 60.0) == [heard(9_060.0)]


def test_what_is_in_doubt_is_doubted_by_the_next_start_as_well() -> None:
    stage = Stage("two")
    stage.ages.take_over([lost(9_000.0)], NOW)
    written = Written("two", BASE)
    told = stage.ages.as_stored([lost(9_000.0), connecting(9_000.0), lost(NOW), heard(9_000.0)], 0.0)
    assert [record.written for record in told] == [None, None, written, written]
    stage.even += SETTLING
    stage.clock.now()
    assert [record.written for record in stage.ages.as_stored([lost(9_000.0)], 0.0)] == [written]
