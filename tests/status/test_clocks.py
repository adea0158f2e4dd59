"""The senders' clocks: a difference is the least that was observed, and an old event stays old."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import set_back
from statusproxy.status.clocks import (
    ENOUGH,
    LATE,
    MOST_PATHS,
    MOST_SENDERS,
    SET_BACK,
    WINDOW,
    Clocks,
    Difference,
    Stamp,
    Written,
    ahead_of,
    later_by,
    sender_of,
    with_lag,
)

NOW = 1_768_504_026.0


def least(clocks: Clocks, at: float, now: float) -> float:
    return clocks.observe("sales", "/in", at, now).stamp.lag


@pytest.mark.parametrize("error", [-10_800.0, -90.0, 0.0, 240.0])
def test_the_least_difference_is_the_clocks_error_and_the_quickest_way(error: float) -> None:
    clocks = Clocks()
    ways = [3.0, 40.0, 0.25, 7.0]
    lags = [least(clocks, NOW + sent + error, NOW + sent + way) for sent, way in enumerate(ways)]
    assert lags == [-error + 3, -error + 3, -error + 0.25, -error + 0.25]


@pytest.mark.parametrize("error", [-10_800.0, -90.0, 0.0, 240.0])
def test_the_first_event_of_all_is_on_time_whatever_its_clock_says(error: float) -> None:
    assert Clocks().observe("sales", "/in", NOW + error, NOW).judged.here == NOW


def test_a_sessions_first_event_is_late_where_others_on_its_path_tell_the_time() -> None:
    for behind, here in ((900.0, -900.0), (901.0, 0.0), (-240.0, 0.0)):
        clocks = Clocks()
        clocks.observe("support", "/in", NOW - 90, NOW)
        found = clocks.observe("sales", "/in", NOW - 90 - behind, NOW)
        assert (found.judged.here, found.stamp.here) == (NOW + here, NOW)
        elsewhere = clocks.observe("sales", "/out", NOW - 400, NOW)
        assert elsewhere.judged.here == NOW


def test_what_others_tell_survives_a_restart_with_the_sessions() -> None:
    clocks = Clocks()
    clocks.load("support", (("/in", 0.1),))
    assert clocks.observe("sales", "/in", NOW - 400, NOW).judged.here == NOW - 400 + 0.1


def test_paths_are_bounded() -> None:
    clocks = Clocks()
    for number in range(3 * MOST_PATHS):
        clocks.observe("sales", f"/{number}", NOW, NOW)
    assert len(clocks._paths) == MOST_PATHS


def test_each_session_and_each_path_has_its_own_clock() -> None:
    clocks = Clocks()
    clocks.observe("sales", "/in", NOW, NOW)
    assert clocks.observe("support", "/in", NOW - 10_800, NOW).stamp.lag == 10_800
    assert clocks.observe("sales", "/out", NOW - 90, NOW).stamp.lag == 90


def test_a_clock_that_was_set_back_is_known_after_two_windows() -> None:
    one, now = Difference(NOW), NOW
    one.take(0.1, now)
    while one.least < 10_800:
        now += WINDOW / ENOUGH
        one.take(10_800.1, now)
    assert now - NOW <= 2 * WINDOW + WINDOW / ENOUGH
    one.take(0.1, now)
    assert one.least == 0.1


@pytest.mark.parametrize(("count", "seconds", "known"), [(8, 600.0, True), (7, 600.0, False), (8, 599.0, False)])
def test_a_clock_that_was_set_back_is_known_after_eight_events_in_ten_minutes(
    count: int, seconds: float, known: bool
) -> None:
    one = Difference(NOW)
    for number in range(7):
        one.take(0.2, NOW + number * 100)
    one.take(0.1, NOW + 700)  # the last of the window before
    start = NOW + 1_000
    for number in range(count):
        assert one.least == 0.1
        one.take(3_600.0, start + number * seconds / (count - 1))
    assert one.least == (3_600.0 if known else 0.1)


def test_late_deliveries_in_a_row_are_no_clock_that_was_set_back() -> None:
    one = Difference(NOW)
    for number in range(50):
        one.take(0.1 if number == 0 else 500.0, NOW + number)
    assert one.least == 0.1


def test_events_that_say_nothing_are_looked_at_once_in_a_while() -> None:
    clocks = Clocks()
    assert clocks.due("sales", "/in", NOW)
    assert not clocks.due("sales", "/in", NOW + 9)
    assert clocks.due("sales", "/in", NOW + 10)
    clocks.observe("sales", "/in", NOW, NOW + 15)
    assert not clocks.due("sales", "/in", NOW + 20)
    assert clocks.due("sales", "/in", NOW + 25)
    assert not clocks.due("sales", "/in", NOW + 26)


def test_the_senders_of_one_session_are_bounded_and_a_forgotten_session_is_forgotten() -> None:
    clocks = Clocks()
    for number in range(3 * MOST_SENDERS):
        clocks.observe("sales", f"/{number}", NOW, NOW)
        clocks.due("sales", f"/due-{number}", NOW)
        clocks.observe("sales", "/kept", NOW + number, NOW + number)
    assert len(clocks._sessions["sales"]) == MOST_SENDERS == 8
    assert "/kept" in clocks._sessions["sales"]
    clocks.forget("sales")
    assert not clocks._sessions


def test_what_was_stored_counts_from_the_first_event_on() -> None:
    clocks = Clocks()
    clocks.load("sales", (("/in", 10_800.0),))
    assert clocks.observe("sales", "/in", NOW - 10_860, NOW).judged.here == NOW - 60


def test_what_is_as_good_as_stored_is_not_stored_again() -> None:
    lags = with_lag((), Stamp(NOW, "/in", 90.0))
    assert with_lag(lags, Stamp(NOW, "/in", 90.4)) is lags
    assert with_lag(lags, Stamp(NOW, "/in", 90.5)) == (("/in", 90.5),)
    assert with_lag(lags, Stamp(NOW, "/in", 89.0)) == (("/in", 89.0),)
    for number in range(2 * MOST_SENDERS):
        lags = with_lag(lags, Stamp(NOW, f"/{number}", 1.0))
    lags = with_lag(lags, Stamp(NOW, "/10", 7.0))
    assert lags == (*((f"/{number}", 1.0) for number in (8, 9, 11, 12, 13, 14, 15)), ("/10", 7.0))


def test_of_a_clock_that_was_set_the_last_difference_counts() -> None:
    both = (("/in", 5_000.0), ("/in", 90.0), ("/out", 1.0), ("/in", 2_000.0))
    assert with_lag(both, Stamp(NOW, "/in", 2_000.4)) is both
    assert with_lag(both, Stamp(NOW, "/in", 90.0)) == (("/out", 1.0), ("/in", 90.0))
    stored, learned = Clocks(), Clocks()
    stored.load("sales", both)
    learned.learn("sales", both, NOW)
    assert least(stored, NOW, NOW + 3_000.0) == least(learned, NOW, NOW + 3_000.0) == 2_000.0
    assert stored.observe("support", "/in", NOW, NOW + 2_300.0).judged.lag == 2_000.0


def test_of_more_senders_than_are_kept_those_stored_last_are_known() -> None:
    clocks = Clocks()
    clocks.load("sales", tuple((f"/{number}", 1.0) for number in range(MOST_SENDERS + 1)))
    lags = [clocks.observe("sales", f"/{number}", NOW, NOW + 5.0).stamp.lag for number in (1, MOST_SENDERS, 0)]
    assert lags == [1.0, 1.0, 5.0]


def test_times_of_one_clock_are_compared_as_they_are_and_others_on_ours() -> None:
    assert later_by(Stamp(NOW, "/in", 90.0), Stamp(NOW - 1, "/in", 0.0)) == 1
    assert later_by(Stamp(NOW - 90, "/in", 90.0), Stamp(NOW - 1)) == 1
    assert later_by(Stamp(NOW - 10_800, "/in", 10_800.0), Stamp(NOW - 1, "/in", 0.0)) == 1  # set back meanwhile
    # Up to a quarter of an hour more, a first event was late; its clock still orders the events.
    assert later_by(Stamp(NOW - 2, "/in", LATE), Stamp(NOW - 1, "/in", 0.0)) == -1
    assert later_by(Stamp(NOW - 2, "/in", LATE + 1), Stamp(NOW - 1, "/in", 0.0)) == LATE


def test_clocks_have_the_names_and_defaults_that_are_stored() -> None:
    assert ahead_of(sender_of("/in", "10.0.0.8")) == "/in 10.0.0.8 (ahead)"
    assert Written("boot", 5.0) == Written("boot", 5.0, 0.0)
    assert Stamp(5.0) == Stamp(5.0, None, 0.0)


def test_a_far_time_spoils_no_later_one_of_a_clock_that_is_ahead() -> None:
    clocks, ahead = Clocks(), ahead_of(sender_of("/in", "10.0.0.8"))
    for off, late in ((10_800, 0), (1e9, 0), (10_800, 0), (10_700, 100), (7_200, 0)):
        assert clocks.observe("sales", ahead, NOW + off, NOW).stamp.here == pytest.approx(NOW - late)


def test_a_far_time_of_a_clock_that_is_ahead_spoils_no_other_sessions_and_pushes_out_no_sender() -> None:
    clocks, ahead = Clocks(), ahead_of("/in")
    for number in range(MOST_SENDERS - 1):
        clocks.observe("sales", f"/{number}", NOW, NOW)
    for session, off, late in (("sales", 10_800, 0), ("sales", 9_900, 900), ("support", 12_000, 0)):
        assert clocks.observe(session, ahead, NOW + off, NOW).stamp.here == NOW - late
    moved = clocks.observe("sales", ahead, NOW + 11_800, NOW)
    assert (moved.stamp.here, moved.judged.here) == (NOW, NOW)
    assert len(clocks._sessions["sales"]) == MOST_SENDERS


def test_a_path_is_known_by_the_least_of_all_its_sessions() -> None:
    clocks = Clocks()
    for session, late in (("sales", 90.0), ("support", 5.0), ("desk", 60.0)):
        clocks.observe(session, "/in", NOW - late, NOW)
    assert clocks.observe("fourth", "/in", NOW - 300.0, NOW).judged == Stamp(NOW - 300.0, "/in", 5.0)


deliveries = st.lists(st.tuples(st.floats(0, 3_000), st.floats(0.01, 600)), min_size=2, max_size=30)


@given(st.sampled_from([-10_800.0, -90.0, 0.0, 240.0]), deliveries)
def test_no_translated_event_is_earlier_than_it_happened_or_later_than_it_came(
    error: float, sent: list[tuple[float, float]]
) -> None:
    clocks = Clocks()
    for happened, came in sorted(((at, at + way) for at, way in sent), key=lambda one: one[1]):
        found = clocks.observe("sales", "/in", NOW + happened + error, NOW + came)
        assert found.stamp.here >= NOW + happened - 1e-3
        for stamp in (found.stamp, found.judged):
            assert stamp.here <= NOW + came + 1e-3
        assert math.isfinite(found.stamp.lag)


def test_what_was_stored_of_a_sessions_senders_counts_again_and_for_others_on_the_path() -> None:
    clocks = Clocks()
    clocks.load("sales", (("/in", 90.0), ("/out", -5.0)))
    clocks.load("support", ())
    assert least(clocks, NOW, NOW + 100.0) == 90.0
    assert clocks.observe("sales", "/out", NOW, NOW + 1.0).stamp.lag == -5.0
    # The first event of another session on the path, some minutes late: compared by what the path is known for.
    first = clocks.observe("support", "/in", NOW, NOW + 300.0)
    assert (first.stamp.lag, first.judged.lag) == (300.0, 90.0)


def test_after_the_systems_clock_was_moved_all_is_learned_anew() -> None:
    clocks = Clocks()
    clocks.load("sales", (("/in", 90.0),))
    clocks.start_over()
    assert least(clocks, NOW, NOW + 500.0) == 500.0
    assert clocks.observe("support", "/in", NOW, NOW + 300.0).judged.lag == 300.0


# A clock of its own


OWN = sender_of("/in", "10.0.0.8", own=True)


def test_a_clock_of_its_own_has_a_name_of_its_own() -> None:
    assert OWN == "/in 10.0.0.8 (own)"


def ticked(clocks: Clocks, behind: float, start: float, times: int, session: str = "sales") -> float:
    """A live sender is heard so many times, ten seconds apart; gives the time after it."""
    for number in range(times):
        now = start + 10.0 * number
        clocks.observe(session, OWN, now - behind, now)
    return start + 10.0 * times


def test_after_its_clock_was_set_back_a_senders_events_count_as_on_time() -> None:
    clocks = Clocks()
    now = ticked(clocks, -19_800.0, 100_000.0, 3)
    now = ticked(clocks, -16_200.0, now, set_back.TICKS)
    for session in ("sales", "support"):
        stamp = clocks.observe(session, OWN, now + 16_200.0, now).judged
        assert (stamp.clock, stamp.here) == (OWN, now)


def test_after_its_clock_was_set_back_a_late_first_event_is_late_by_the_new_time() -> None:
    clocks = Clocks()
    now = ticked(clocks, -3_600.0, 100_000.0, 3)
    now = ticked(clocks, 0.0, now, set_back.TICKS)
    late = clocks.observe("support", OWN, now - 300.0, now)
    assert (late.stamp.here, late.judged.here) == (now, now - 300.0)


def test_a_path_is_looked_at_once_in_a_while_however_many_events_come() -> None:
    clocks = Clocks()
    for session, start in (("a", 0.0), ("b", WINDOW)):
        for number in range(3 * ENOUGH):
            clocks.observe(session, "/in", start - number, start + number / ENOUGH)
    now = 2 * WINDOW
    assert clocks.observe("c", "/in", now - 20.0, now).judged.lag == 0.0


@pytest.mark.parametrize(
    ("events", "lag"),
    [
        ([(601.0 * crowd + 0.125 * one, 5.0 if crowd or one else 0.0) for crowd in range(5) for one in range(24)], 0.0),
        ([*((0.125 * one, 0.0) for one in range(24)), (600.0, 5.0), *((610.0 + 90 * n, 5.0) for n in range(8))], 0.0),
        ([(610.0 * w + t, 5.0 if w or t else 0.0) for w in (0, 1) for t in (0, 10, 20, 30, 40, 50, 60, 600)], 5.0),
    ],
    ids=["many at once", "many as quick as the quickest", "ten seconds apart"],
)
def test_only_looks_ten_seconds_apart_make_a_path_forget_its_least(
    events: list[tuple[float, float]], lag: float
) -> None:
    clocks = Clocks()
    for now, late in events:
        clocks.observe("sales", "/in", now - late, now)
    now = events[-1][0] + 1.0
    assert clocks.observe("support", "/in", now - 20.0, now).judged.lag == lag


def test_what_was_dated_before_it_was_set_back_is_as_old_as_it_is() -> None:
    clocks = Clocks()
    now = ticked(clocks, 10_800.0, 100_000.0, 3)
    now = ticked(clocks, 14_400.0, now, set_back.TICKS)
    newer = clocks.observe("sales", OWN, now - 14_400.0, now)
    older = clocks.observe("sales", OWN, now - 300.0 - 10_800.0, now)
    assert older.stamp == older.judged
    assert (older.stamp.here, older.stamp.clock) == (now - 300.0, "/in 10.0.0.8 (own, before)")
    assert later_by(older.judged, newer.stamp) == -300.0
    again = clocks.observe("sales", OWN, now + 1.0 - 14_400.0, now + 1.0)
    assert later_by(again.judged, newer.stamp) == 1.0


def test_a_clock_of_its_own_that_is_set_forward_is_known_at_once() -> None:
    clocks = Clocks()
    now = ticked(clocks, 14_400.0, 100_000.0, 3)
    stamp = clocks.observe("sales", OWN, now - 10_800.0, now).judged
    assert stamp.here == now


def test_a_shared_clock_is_not_looked_at_for_that() -> None:
    clocks, sender = Clocks(), sender_of("/in", "10.0.0.8")
    clocks.observe("sales", sender, 100_000.0, 100_000.0)
    lags = [clocks.observe("sales", sender, now - 3600.0, now).stamp.lag for now in (1e5 + 10 * n for n in range(20))]
    assert set(lags) == {0.0}


def test_what_is_known_of_set_backs_is_bounded_and_forgotten_with_the_rest() -> None:
    clocks = Clocks()
    for number in range(2 * MOST_PATHS):
        for _ in range(2):
            clocks.observe("sales", sender_of("/in", str(number), own=True), 0.0, float(number))
    assert len(clocks._set_back) == MOST_PATHS
    clocks.start_over()
    assert not clocks._set_back


def test_a_clock_that_was_set_back_is_known_though_others_tell_of_before_all_the_while() -> None:
    clocks = Clocks()
    assert least(clocks, NOW, NOW) == 0.0
    lags = []
    for now in (NOW + 100.0 * number for number in range(1, 2 * ENOUGH)):
        clocks.learn("sales", (("/in", 0.0),), now)
        lags.append(least(clocks, now - 3_600.0, now))
    assert (lags[0], lags[-1]) == (0.0, 3_600.0)


def test_what_another_proxy_knows_of_a_sessions_senders_counts_where_it_is_less() -> None:
    clocks = Clocks()
    assert least(clocks, 100.0, 105.0) == 5.0
    clocks.learn("sales", (("/in", 6.0),), 106.0)
    assert least(clocks, 110.0, 117.0) == 5.0
    clocks.learn("sales", (("/in", 4.0), ("/other", 2.0)), 118.0)
    assert least(clocks, 120.0, 127.0) == 4.0
    assert clocks.observe("sales", "/other", 120.0, 127.0).stamp.lag == 2.0
    clocks.learn("sales", (("/in", 4.0 - SET_BACK - 1),), 128.0)
    assert least(clocks, 130.0, 137.0) == 4.0
    clocks.learn("support", (("/in", 3.0),), 138.0)
    assert clocks.observe("support", "/in", 140.0, 147.0).stamp.lag == 3.0
