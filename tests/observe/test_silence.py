"""A silence is long beside the gaps before it; that webhooks stop and come again is a line each."""

from __future__ import annotations

import pytest

from statusproxy.observe.silence import KNOWN_AFTER, LONGEST, SHORTEST, Rhythm, SilenceWatch, patience


def beating(count: int, every: float) -> Rhythm:
    rhythm = Rhythm()
    for number in range(count):
        rhythm.came(1_000_000.0 + number * every)
    return rhythm


def test_a_rhythm_is_the_longest_gap_of_late() -> None:
    rhythm = beating(100, 5.0)
    assert (rhythm.count, rhythm.gap) == (100, 5.0)
    rhythm.came(rhythm.last + 300)
    assert rhythm.gap == 300
    for _ in range(2000):
        rhythm.came(rhythm.last + 1)
    assert rhythm.gap < 2


@pytest.mark.parametrize(
    ("count", "gap", "seconds"),
    [
        (KNOWN_AFTER - 1, 1.0, LONGEST),  # too few to know
        (1000, 1.0, SHORTEST),
        (1000, 60.0, 1200.0),
        (1000, 3000.0, LONGEST),  # a quiet site: as it always was
    ],
)
def test_patience_is_as_long_as_the_gaps_before_ask_for(count: int, gap: float, seconds: float) -> None:
    assert patience(count, gap) == seconds


def test_that_webhooks_stop_and_come_again_is_one_line_each(caplog: pytest.LogCaptureFixture) -> None:
    rhythm, watch = beating(100, 10.0), SilenceWatch()
    end = rhythm.last
    for after in (30, 890, 910, 940, 5000):
        watch.look(rhythm, end + after)
    assert caplog.messages == [
        "no webhook for 15 min; the 100 before were at most 10 s apart; statusproxy doctor says what to look at"
    ]
    rhythm.came(end + 6000)
    watch.look(rhythm, end + 6010)
    watch.look(rhythm, end + 6040)
    assert caplog.messages[1:] == ["webhooks arrive again after 100 min"]


def test_where_none_ever_came_nothing_stops(caplog: pytest.LogCaptureFixture) -> None:
    SilenceWatch().look(Rhythm(), 1e9)
    assert caplog.messages == []
