"""The minimum rate as arithmetic: no one waits here."""

import pytest

from statusproxy.proxy.min_rate import AHEAD_LIMIT, Pace

RATE, GRACE = 240.0, 5.0


def seconds_until_too_slow(pace: Pace, per_second: float, *, every: float = 0.1, limit: float = 600) -> float:
    """For how long a peer is waited for that sends `per_second` bytes a second in pieces."""
    passed = sent = 0.0
    while pace.left > 0 and passed < limit:
        passed += every
        piece = int(per_second * passed - sent)
        sent += piece
        pace.count(piece, every)
    return passed


def test_a_silent_peer_has_its_grace() -> None:
    assert Pace(RATE, GRACE).left == GRACE


@pytest.mark.parametrize("per_second", [0, 9, 120, 239])
def test_a_peer_below_the_rate_is_given_up_when_its_grace_is_over(per_second: float) -> None:
    assert seconds_until_too_slow(Pace(RATE, GRACE), per_second) == pytest.approx(GRACE, abs=0.2)


@pytest.mark.parametrize("per_second", [241, 1000, 1_000_000])
def test_a_peer_at_the_rate_is_never_given_up(per_second: float) -> None:
    assert seconds_until_too_slow(Pace(RATE, GRACE), per_second) >= 600


def test_a_peer_may_begin_late_within_its_grace() -> None:
    pace = Pace(RATE, GRACE)
    pace.count(0, 4.5)
    assert pace.left == pytest.approx(0.5)
    pace.count(100_000, 0.4)
    assert pace.left > GRACE


def test_a_fast_beginning_pays_for_some_silence_but_not_for_an_hour() -> None:
    pace = Pace(RATE, GRACE)
    pace.count(10 * 1024 * 1024, 1)
    assert pace.left == AHEAD_LIMIT == 15
    assert seconds_until_too_slow(pace, 0) <= AHEAD_LIMIT + 0.2


def test_a_place_is_free_again_within_twenty_seconds_of_the_last_byte() -> None:
    """Whatever came before: this is what the documentation promises."""
    for begun in (0, 1, 500, 3600, 10**9):
        for waited in (0.0, 1.0, 4.9, 30.0):
            pace = Pace(RATE, GRACE)
            pace.count(begun, waited)
            assert pace.left <= 20


def test_time_in_which_we_hold_back_is_no_time_of_the_peer() -> None:
    """Bytes that came meanwhile count all the same."""
    pace = Pace(RATE, GRACE)
    pace.count(240, 0)
    pace.count(0, 4)
    assert pace.left == pytest.approx(1)  # of the grace: 3 s behind, and not yet asked
