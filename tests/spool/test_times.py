"""An entry's times on our own clock and in the store."""

from statusproxy.spool.times import recalled, shifted
from tests.spool.entries import entry


def test_both_times_move() -> None:
    assert shifted(entry(1, next_at=9.0), 5.0) == entry(1, received_at=6.0, next_at=14.0)
    same = entry(1)
    assert shifted(same, 0.0) is same


def test_stored_times_are_the_systems() -> None:
    stored = shifted(entry(100, next_at=130.0), 50.0)
    assert recalled(stored, 50.0, 120.0, (1.0,)) == entry(100, next_at=130.0)


def test_an_entry_of_a_clock_that_ran_ahead_came_now_and_waits_no_longer_than_it_would_have() -> None:
    assert recalled(entry(9000, next_at=9030.0), 0.0, 100.0, (1.0,)) == entry(9000, received_at=100.0, next_at=130.0)


def test_no_entry_waits_longer_than_the_longest_pause_there_is() -> None:
    assert recalled(entry(1, next_at=99_999.0), 0.0, 100.0, (1.0, 600.0)).next_at == 3700.0
    assert recalled(entry(1, next_at=99_999.0), 0.0, 100.0, (1.0, 7200.0)).next_at == 7300.0
