"""Lines of history paired into outages: what is missing, double, late or out of order."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, REPEATED, STARTED, Change, Override, Record
from statusproxy.status.outages import UNKNOWN, Outage, Pairing, cause, outages, standing

NOW = 1_000.0


def line(what: str, at: float, reason: str = "", session: str = "sales", **fields: object) -> Change:
    reason = reason or ("status-find close" if what in (STARTED, REPEATED) else "connected-event")
    return replace(Change(session, what, reason, at, at), **fields)


def lost(at: float, **fields: object) -> Change:
    return line(STARTED, at, **fields)  # type: ignore[arg-type]


def back(at: float, reason: str = "connected-event", **fields: object) -> Change:
    return line(RELEASED, at, reason, **fields)  # type: ignore[arg-type]


def spans(found: list[Outage]) -> list[tuple[float, float | None]]:
    return [(one.since, one.until) for one in found]


def test_a_loss_stands_beside_its_end_with_why_what_the_gateway_claimed_and_who_ended_it() -> None:
    lines = [lost(10.0, gateway_said="connected"), back(70.0, "operator", by="ana")]
    assert outages(lines) == [
        Outage("sales", 10.0, 70.0, "status-find", "close", "connected", "operator", "ana"),
    ]
    assert outages(lines)[0].seconds(NOW) == 60.0


def test_a_loss_without_an_end_lasts() -> None:
    (one,) = outages([lost(10.0)])
    assert (one.until, one.released, one.seconds(NOW)) == (None, None, 990.0)


def test_outages_come_newest_first_over_all_sessions() -> None:
    found = outages([lost(10.0), back(20.0), lost(15.0, session="support"), lost(30.0)])
    assert [(one.session, one.since) for one in found] == [("sales", 30.0), ("support", 15.0), ("sales", 10.0)]


def test_events_that_repeat_a_loss_belong_to_it() -> None:
    assert outages([lost(10.0), line(REPEATED, 20.0, "onstatechanged gone"), back(30.0)]) == [
        Outage("sales", 10.0, 30.0, "status-find", "close", released="connected-event")
    ]


def test_a_beginning_that_is_not_kept_any_more_was_at_the_first_moment_known_or_before() -> None:
    (repeated,) = outages([line(REPEATED, 20.0), back(30.0)])
    assert (repeated.since, repeated.until, repeated.began_before) == (20.0, 30.0, True)
    (ended,) = outages([back(30.0)])
    assert (ended.since, ended.until, ended.reason, ended.began_before) == (30.0, 30.0, None, True)


def test_lines_of_two_proxies_about_one_loss_are_one_outage() -> None:
    assert spans(outages([lost(10.0), lost(11.0), back(20.0), back(21.0, "expired")])) == [(10.0, 20.0)]


def test_a_loss_told_after_its_end_by_another_proxy_is_one_with_the_outage_it_overlaps() -> None:
    late = lost(12.0, recorded_at=25.0)
    assert spans(outages([lost(10.0), back(20.0), late, back(30.0)])) == [(10.0, 30.0)]


def test_the_first_of_two_ends_counts_even_where_it_was_written_last() -> None:
    assert spans(outages([lost(10.0), back(20.0, recorded_at=40.0), back(30.0)])) == [(10.0, 20.0)]


def test_a_session_that_was_pushed_out_or_forgotten_is_not_lost_any_more() -> None:
    assert outages([lost(10.0), back(20.0, EVICTED)])[0].released == "evicted"
    by_hand = outages([lost(10.0), line(FORGOTTEN, 20.0, "operator", by="ana")])[0]
    assert (by_hand.released, by_hand.released_by) == ("forgotten", "ana")
    both = [lost(10.0), back(20.0, "operator"), line(FORGOTTEN, 20.5, "operator")]
    assert [(one.since, one.released) for one in outages(both)] == [(10.0, "operator")]


def test_forgetting_a_session_that_was_not_lost_is_no_outage() -> None:
    assert outages([line(FORGOTTEN, 20.0, "operator")]) == []
    assert spans(outages([lost(10.0), back(15.0), line(FORGOTTEN, 20.0, "operator")])) == [(10.0, 15.0)]
    assert spans(outages([line(FORGOTTEN, 5.0, "operator"), lost(10.0)])) == [(10.0, None)]


def test_a_session_that_is_not_lost_now_has_no_outage_that_lasts() -> None:
    (one,) = outages([lost(10.0), line(REPEATED, 12.0)], {})
    assert (one.until, one.released) == (12.0, UNKNOWN)


def test_a_session_that_is_lost_now_has_an_outage_even_where_no_line_tells_of_it() -> None:
    record = Record("sales", gateway_said="connected", override=Override(5.0, 6.0, 6.0, "status-find", "close"))
    now = standing(record)
    assert now == Outage("sales", 5.0, None, "status-find", "close", "connected")
    assert outages([], {"sales": now}) == [now]
    assert spans(outages([lost(5.0), line(REPEATED, 6.0)], {"sales": now})) == [(5.0, None)]
    assert not outages([lost(5.0), line(REPEATED, 6.0)], {"sales": now})[0].began_before
    assert spans(outages([lost(1.0), back(2.0)], {"sales": now})) == [(5.0, None), (1.0, 2.0)]
    assert standing(Record("sales")) is None


def test_a_pairing_knows_which_sessions_lack_a_beginning() -> None:
    pairing = Pairing()
    pairing.take(back(30.0))
    pairing.take(line(REPEATED, 30.0, session="support"))
    assert (pairing.lacking, pairing.has("sales"), pairing.has("other")) == (2, True, False)
    pairing.take(lost(20.0))
    pairing.take(line(REPEATED, 25.0, session="support"))
    assert pairing.lacking == 1
    assert pairing.take(back(10.0))[0].since == 20.0


def test_a_cause_is_an_event_and_its_word() -> None:
    assert cause("connection.update close") == ("connection.update", "close")
    assert cause("logout") == ("logout", None)


_LINES = st.lists(
    st.builds(
        lambda session, what, at, late, by: line(
            what, at, session=session, recorded_at=at + late, by=by if what == RELEASED else None
        ),
        st.sampled_from(["sales", "support"]),
        st.sampled_from([STARTED, STARTED, REPEATED, RELEASED, RELEASED, FORGOTTEN]),
        st.integers(0, 50).map(float),
        st.integers(0, 9).map(float),
        st.sampled_from([None, "ana"]),
    ),
    max_size=20,
)
_DISTINCT = _LINES.map(lambda lines: list({one.recorded_at: one for one in lines}.values()))


@given(_LINES)
def test_outages_of_one_session_never_overlap_and_end_after_they_began(lines: list[Change]) -> None:
    for session in ("sales", "support"):
        found = [one for one in reversed(outages(lines)) if one.session == session]
        for one, following in pairwise(found):
            assert one.until is not None
            assert one.since <= one.until <= following.since
        assert all(one.until is None or one.since <= one.until for one in found)


@given(_DISTINCT, st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_how_often_they_come_matters(lines: list[Change], random: Random) -> None:
    shuffled = [*lines, *lines[::2]]
    random.shuffle(shuffled)
    assert outages(shuffled) == outages(lines)


@given(_LINES)
def test_each_loss_written_lies_in_an_outage(lines: list[Change]) -> None:
    found = outages(lines)
    for one in lines:
        if one.what == STARTED:
            assert any(
                outage.session == one.session
                and outage.since <= one.at
                and (outage.until is None or one.at <= outage.until)
                for outage in found
            ) or any(end.what != STARTED and end.session == one.session and end.at < one.at for end in lines)


@given(st.lists(st.integers(1, 30), max_size=30))
def test_a_life_told_by_one_proxy_is_told_back_as_it_was(steps: list[int]) -> None:
    at, lines = 0.0, list[Change]()
    lived: list[tuple[float, float | None]] = []
    for number, step in enumerate(steps):
        at += step
        lines.append(back(at) if number % 2 else lost(at))
        if number % 2:
            lived[-1] = (lived[-1][0], at)
        else:
            lived.append((at, None))
    assert spans(outages(lines)) == lived[::-1]


def test_an_end_that_no_line_tells_is_named_as_reports_show_it() -> None:
    (one,) = outages([lost(10.0)], {})
    assert (one.until, one.released) == (10.0, "unknown")


def test_after_all_is_paired_no_session_lacks_a_beginning() -> None:
    pairing = Pairing()
    pairing.take(back(70.0))
    assert pairing.lacking == 1
    pairing.rest()
    assert pairing.lacking == 0
