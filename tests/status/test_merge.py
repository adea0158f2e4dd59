"""Merging what several proxies know of one session: the three laws, and that nothing older wins."""

from collections.abc import Callable
from itertools import permutations
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.clocks import with_lag
from statusproxy.status.effects import SOURCES
from statusproxy.status.merge import MOST_LAGS, SAME_DECISION, aligned, is_told, merge, unite
from statusproxy.status.model import (
    FORGOTTEN,
    RELEASED,
    REPEATED,
    STARTED,
    Change,
    Evidence,
    Override,
    Record,
    Release,
    SessionRules,
    Transient,
)
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict
from statusproxy.status.transitions import step_kin

from .maps import ALIVE, DOWN, UP, hear, see

SALES: Final = "sales"

# Few values, so that ties are common.
_MOMENTS = st.sampled_from([0.0, 1.0, 2.0, 2.5, 3.0, 1_000.0])
_CLOCKS = st.sampled_from([None, "/in a", "/in b"])
_LAGS = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 950.0])
_WORDS = st.sampled_from([None, "close", "logout"])
_OVERRIDES = st.builds(
    Override, since=_MOMENTS, at=_MOMENTS, began=_MOMENTS, event=st.sampled_from(["a", "b"]), word=_WORDS,
    event_id=_WORDS, caught_up=st.sampled_from([None, *Evidence]), caught_up_at=st.none() | _MOMENTS, clock=_CLOCKS,
    lag=_LAGS, seen_on=st.lists(st.tuples(st.sampled_from(["/a", "/b"]), _MOMENTS), max_size=3).map(tuple),
    transient=st.booleans(),
)  # fmt: skip
_TRANSIENTS = st.builds(
    Transient, since=_MOMENTS, at=_MOMENTS, began=_MOMENTS, due=_MOMENTS, event=st.sampled_from(["a", "b"]),
    word=_WORDS, clock=_CLOCKS, lag=_LAGS,
)  # fmt: skip
_RECORDS = st.builds(
    Record, session=st.just(SALES), verdict=st.sampled_from([None, UP, DOWN]), known_at=_MOMENTS, known_clock=_CLOCKS,
    known_lag=_LAGS, alive_at=_MOMENTS, alive_clock=_CLOCKS, alive_lag=_LAGS, ended_at=_MOMENTS, ended_clock=_CLOCKS,
    ended_lag=_LAGS, heard_at=_MOMENTS, event=_WORDS, override=st.none() | _OVERRIDES, channel=_WORDS,
    gateway_said=_WORDS, gateway_said_at=st.none() | _MOMENTS, released=st.sampled_from([None, *Release]),
    released_at=st.none() | _MOMENTS, confirmed=st.booleans(), shown_at=st.none() | _MOMENTS,
    lags=st.sampled_from([(), (("/in a", 0.0),), (("/in a", 0.5),)]), transient=st.none() | _TRANSIENTS,
    first_heard=_MOMENTS, released_by=st.sampled_from([None, "ana", "bia"]),
)  # fmt: skip
"""Any record, whether it can arise or not."""

_SIGNALS = st.tuples(
    st.sampled_from([DOWN, UP, ALIVE, SignalKind.TRANSIENT]),
    st.none() | st.integers(0, 400).map(float),
    st.sampled_from(["a", "b"]),
)
_OPERATIONS = st.tuples(
    st.sampled_from([0.25, 1.0, 40.0, 100.0]),
    _SIGNALS | st.sampled_from(["keeps", "connected", "qr", "created", "deleted", "release", "lasts", "expires"]),
)


def told(
    operations: list[tuple[float, tuple[SignalKind, float | None, str] | str]], start: float = 100.0
) -> SessionMap:
    """A map that went through these operations, each so many seconds after the one before."""
    sessions, now = SessionMap(SessionRules(max_age=300.0)), start
    for wait, operation in operations:
        now += wait
        if isinstance(operation, tuple):
            kind, at, sender = operation
            signal = Signal(kind, SALES, at, "ev", kind.value, None, grace=30.0)
            sessions.hear(Reading(Verdict.SIGNAL, "ev", SALES, signal), now, sender)
        elif operation == "keeps":
            see(sessions, SALES, says="waiting", keeps=True, asked_at=now, now=now, source="/api")
        elif operation == "connected":
            see(sessions, SALES, says="open", connected=True, asked_at=now, now=now, source="/api")
        elif operation == "qr":
            sessions.watched.qr_seen(SALES, now, now)
        elif operation == "created":
            sessions.watched.created(SALES, now, now)
        elif operation == "deleted":
            sessions.watched.deleted(SALES, now, now)
        elif operation == "lasts":
            sessions.judge_transient(now)
        elif operation == "expires":
            sessions.expire(now)
        elif sessions.get(SALES) is not None:
            sessions.release(SALES, now)
    return sessions


def life(*operations: tuple[float, tuple[SignalKind, float | None, str] | str]) -> Record:
    return told(list(operations)).get(SALES) or Record(SALES)


_LIVES = st.lists(_OPERATIONS, max_size=8).map(lambda operations: life(*operations))
"""Records as transitions leave them."""

_DIFFERENCES = st.lists(
    st.tuples(
        st.sampled_from(["/in a", "/in b", "/in c"]), st.sampled_from([-1.0, 0.0, 0.25, 0.5, 700.0, 950.0, 1_900.5])
    ),
    unique_by=lambda one: one[0],
    max_size=3,
)
_DATED = st.builds(lambda record, lags: replace(record, lags=tuple(lags)), _RECORDS, _DIFFERENCES)
"""Any record, of senders whose clocks differ by little or were set, once or twice."""


@given(_RECORDS | _LIVES, _RECORDS | _LIVES, _RECORDS | _LIVES)
@pytest.mark.slow
def test_merge_is_commutative_associative_and_idempotent(a: Record, b: Record, c: Record) -> None:
    both = merge(a, b)
    assert both == merge(b, a)
    assert merge(both, both) == both
    assert merge(both, a) == both
    assert merge(both, c) == merge(a, merge(b, c))


@given(_LIVES, _LIVES, _LIVES)
@pytest.mark.slow
def test_records_that_arise_are_merged_alike_in_any_order(a: Record, b: Record, c: Record) -> None:
    assert len({repr(merge(merge(*pair), last)) for *pair, last in permutations((a, b, c))}) == 1


@given(_LIVES | _DATED)
@example(life((0.25, (DOWN, None, "a")), (0.25, (DOWN, None, "a")), (0.25, "qr"), (0.25, (DOWN, None, "a")),
              (0.25, (SignalKind.TRANSIENT, 0.0, "a")), (0.25, (ALIVE, 1.0, "a"))))  # fmt: skip
def test_a_record_united_with_itself_says_what_its_best_told_moments_say_and_stays_so(one: Record) -> None:
    (told_best, _) = aligned(one, one)
    itself = unite(one, one)
    assert replace(itself, lags=()) == replace(merge(told_best, told_best), lags=())
    assert unite(itself, itself) == unite(itself, one) == itself


_LATE = told([(0.25, (DOWN, 0.0, "b"))]).get(SALES) or Record(SALES)
"""Tells of the sender "b" what dates the transient state before what is known."""
_LATER = told([(0.5, (DOWN, None, "a")), (0.25, (SignalKind.TRANSIENT, 0.0, "b"))]).get(SALES) or Record(SALES)


@given(_LIVES | _DATED, _LIVES | _DATED)
@example(life((0.25, (DOWN, 0.0, "a")), (0.25, (DOWN, None, "a"))),
         life((0.25, (DOWN, None, "a")), (0.25, (DOWN, 0.0, "a"))))  # fmt: skip
@example(_LATE, _LATER)
@pytest.mark.slow
def test_whoever_takes_over_what_was_united_has_the_same(a: Record, b: Record) -> None:
    both = unite(a, b)
    assert both == unite(b, a)
    assert unite(both, both) == unite(both, a) == unite(both, b) == both


@given(_RECORDS | _LIVES, _RECORDS | _LIVES)
@pytest.mark.slow
def test_nothing_older_wins(a: Record, b: Record) -> None:
    both = merge(a, b)
    for moment in ("known", "alive", "ended"):
        assert getattr(both, moment).here == max(getattr(a, moment).here, getattr(b, moment).here)
    assert both.heard_at == max(a.heard_at, b.heard_at)
    if both.override is not None:
        assert both.override.stamp.here > both.ended.here
    for one in (a.override, b.override):
        if one is not None and one.stamp.here > both.ended.here:
            assert both.override is not None
            assert both.override.stamp.here >= one.stamp.here
    if both.transient is not None:
        assert both.transient.stamp.here > both.known.here


# Which of two values each register takes


def lost(at: float = 100.0, **fields: Any) -> Override:
    return replace(Override(at, at, at + 5, "close"), **fields)


def test_each_register_is_taken_whole_from_whoever_knows_it_newest() -> None:
    a = Record(SALES, DOWN, 100.0, 90.0, 120.0, "close", known_clock="/in a", known_lag=5.0, alive_clock="/in b",
               alive_lag=9.0, channel="old", gateway_said="open", gateway_said_at=130.0, lags=(("/in a", 5.0),),
               released=Release.ALIVE, released_at=60.0)  # fmt: skip
    b = Record(SALES, UP, 104.0, 98.0, 121.0, "open", channel="new", gateway_said="close", gateway_said_at=125.0,
               confirmed=True, released=Release.EXPIRED, released_at=50.0, ended_at=70.0)  # fmt: skip
    merged = Record(SALES, DOWN, 100.0, 90.0, 121.0, "open", known_clock="/in a", known_lag=5.0, alive_clock="/in b",
                    alive_lag=9.0, channel="new", gateway_said="open", gateway_said_at=130.0, released=Release.ALIVE,
                    released_at=60.0, confirmed=True, ended_at=70.0)  # fmt: skip
    assert merge(a, b) == merge(b, a) == merged


def test_of_the_same_moment_connected_wins_and_disconnected_loses() -> None:
    up, nothing, lost = (Record(SALES, verdict, 100.0) for verdict in (UP, None, DOWN))
    assert [merge(*pair).verdict for pair in ((up, nothing), (lost, up), (nothing, lost))] == [UP, UP, None]
    assert [merge(*pair).verdict for pair in ((nothing, up), (up, lost), (lost, nothing))] == [UP, UP, None]


def test_evidence_for_one_override_is_put_together_and_that_for_all_routes_comes_first() -> None:
    a = Record(SALES, override=lost(since=90.0, caught_up=Evidence.LIST, caught_up_at=110.0,
               seen_on=(("/a", 110.0), ("/b", 112.0))), shown_at=108.0)  # fmt: skip
    b = Record(SALES, override=lost(since=95.0, caught_up=Evidence.QR, caught_up_at=120.0, seen_on=(("/b", 111.0),)))
    merged = merge(a, b)
    assert merged.override == lost(since=90.0, caught_up=Evidence.QR, caught_up_at=120.0,
                                   seen_on=(("/a", 110.0), ("/b", 111.0)))  # fmt: skip
    assert merged.shown_at == 108.0
    created = Record(SALES, override=lost(caught_up=Evidence.CREATED, caught_up_at=115.0), shown_at=107.0)
    again = merge(merged, created)
    assert again.override is not None
    assert (again.override.caught_up, again.override.caught_up_at, again.shown_at) == (Evidence.CREATED, 115.0, 107.0)
    many = tuple((f"/{number:02}", 110.0 + number) for number in range(SOURCES + 3))
    seen = merge(Record(SALES, override=lost(seen_on=many[3:])), Record(SALES, override=lost(seen_on=many[:3])))
    assert seen.override is not None
    assert seen.override.seen_on == many[:SOURCES]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((Evidence.QR, 120.0), (Evidence.CREATED, 125.0)),
        ((Evidence.QR, 115.0), (Evidence.QR, 120.0)),
        ((Evidence.QR, 120.0), (Evidence.QR, None)),
        ((Evidence.CREATED, 120.0), (Evidence.LIST, 110.0)),
        ((Evidence.LIST, None), (None, None)),
    ],
)
def test_of_evidence_that_is_good_alike_the_earliest_counts_and_any_before_none(
    one: tuple[Evidence, float | None], other: tuple[Evidence | None, float | None]
) -> None:
    best, second = (Record(SALES, override=lost(caught_up=kind, caught_up_at=at)) for kind, at in (one, other))
    assert merge(best, second) == merge(second, best) == best


@pytest.mark.parametrize(
    "newer",
    [lost(101.0), lost(began=106.0), lost(event="z"), lost(word="z"), lost(event_id="e"), lost(clock="/in a"),
     lost(at=99.0, lag=1.0, clock="/in a", began=105.0), lost(transient=True)],
)  # fmt: skip
def test_of_another_override_nothing_is_put_together(newer: Override) -> None:
    old = Record(SALES, override=lost(since=50.0, caught_up=Evidence.QR, caught_up_at=120.0), shown_at=108.0)
    new = Record(SALES, override=newer)
    assert merge(old, new) == merge(new, old) == new


def test_what_is_over_does_not_come_back() -> None:
    for ended, left in ((99.0, lost()), (100.0, None), (101.0, None)):
        merged = merge(Record(SALES, override=lost(), shown_at=110.0), Record(SALES, ended_at=ended))
        assert (merged.override, merged.shown_at) == (left, left and 110.0)


def test_a_transient_state_is_over_once_something_newer_is_known_and_goes_back_to_its_first_signal() -> None:
    state = Transient(90.0, 100.0, 100.0, 190.0, "ev")
    for known, left in ((99.0, state), (100.0, None)):
        assert merge(Record(SALES, transient=state), Record(SALES, known_at=known)).transient == left
    longer = merge(Record(SALES, transient=state), Record(SALES, transient=replace(state, since=80.0)))
    assert longer.transient == replace(state, since=80.0)
    for other in (replace(state, at=101.0, since=95.0), replace(state, due=200.0, since=95.0)):
        assert merge(Record(SALES, transient=state), Record(SALES, transient=other)).transient == other


# What one sender says


def sent(verdict: SignalKind, at: float, lag: float, clock: str = "/in a") -> Record:
    return Record(SALES, verdict, at, known_clock=clock, known_lag=lag)


def test_a_senders_own_times_order_what_it_says_however_late_it_came() -> None:
    late, prompt = sent(DOWN, 100.0, 5.0), sent(UP, 101.0, 2.0)
    assert unite(late, prompt) == unite(prompt, late) == prompt
    assert merge(late, prompt) == late, "without its own times the older would win"
    known = replace(sent(UP, 101.0, 9.0), lags=(("/in a", 2.0), ("/in b", 0.0)))
    assert aligned(known, Record(SALES)) == (replace(known, known_lag=2.0), Record(SALES))


def test_all_that_a_sender_dated_goes_by_the_smallest_difference() -> None:
    run = Transient(100.0, 102.0, 100.0, 190.0, "ev", clock="/in a", lag=4.0)
    dated = Record(SALES, DOWN, 100.0, 99.0, known_clock="/in a", known_lag=4.0, alive_clock="/in a", alive_lag=3.0,
                   ended_at=98.0, ended_clock="/in a", ended_lag=5.0, override=lost(clock="/in a", lag=4.0),
                   transient=run)  # fmt: skip
    other = sent(UP, 50.0, 1.0)
    assert aligned(dated, other) == (
        replace(dated, known_lag=1.0, alive_lag=1.0, ended_lag=1.0, override=lost(clock="/in a", lag=1.0),
                transient=replace(run, lag=1.0)),
        other,
    )  # fmt: skip


@pytest.mark.parametrize(
    "part",
    [
        lambda lag: {"known_at": 9.0, "known_clock": "/in a", "known_lag": lag},
        lambda lag: {"alive_at": 9.0, "alive_clock": "/in a", "alive_lag": lag},
        lambda lag: {"ended_at": 9.0, "ended_clock": "/in a", "ended_lag": lag},
        lambda lag: {"override": lost(at=9.0, clock="/in a", lag=lag)},
        lambda lag: {"transient": Transient(9.0, 9.0, 9.0, 99.0, "ev", clock="/in a", lag=lag)},
    ],
    ids=["known", "alive", "ended", "override", "transient"],
)
def test_each_moment_that_a_sender_dated_is_aligned_where_no_other_is_dated(
    part: Callable[[float], dict[str, Any]],
) -> None:
    late, prompt = (replace(Record(SALES), **part(lag)) for lag in (5.0, 1.0))
    assert replace(unite(late, prompt), lags=()) == prompt


def test_what_hardly_differs_and_is_in_order_stays_as_it_is() -> None:
    for a, b in (
        (sent(DOWN, 100.0, 1.4), sent(UP, 101.0, 1.0)),
        (sent(DOWN, 100.0, 9.0, "/in b"), sent(UP, 101.0, 1.0)),
        (Record(SALES, DOWN, 100.0), Record(SALES, UP, 101.0)),
        (replace(sent(DOWN, 100.0, 1.25), override=lost(clock="/in a", lag=1.25)), sent(UP, 101.0, 1.0)),
    ):
        assert aligned(a, b) == (a, b)
    for at in (100.0, 100.2):
        assert aligned(sent(DOWN, 100.0, 1.4), sent(UP, at, 1.0))[0].known_lag == 1.0
    assert aligned(sent(DOWN, 100.0, 1.5), sent(UP, 101.0, 1.0))[0].known_lag == 1.0


@pytest.mark.parametrize(
    ("here", "lag"), [(100.75, 1.25), (101.0, 1.0), (101.125, 1.0), (101.25, 1.0), (101.5, 1.25), (103.0, 1.25)]
)
def test_a_small_difference_counts_where_another_clocks_moment_lies_within_it(here: float, lag: float) -> None:
    dated, other = sent(DOWN, 100.0, 1.25), replace(sent(UP, 102.0, 1.0), alive_at=here)
    assert aligned(dated, other) == (replace(dated, known_lag=lag), other)


def test_no_difference_is_kept_of_a_sender_whose_moment_lost_by_any_of_them() -> None:
    ours = Record(SALES, UP, 105.0)
    assert unite(sent(DOWN, 100.0, 1.0), ours) == ours


def test_a_disconnect_that_came_twice_does_not_pass_an_end_by_its_later_delivery() -> None:
    released = replace(Record(SALES, UP, 100.5, ended_at=100.5), lags=(("/in a", 0.0),))
    again = Record(SALES, DOWN, 100.25, known_clock="/in a", known_lag=0.375,
                   override=Override(100.625, 100.25, 100.625, "close", clock="/in a", lag=0.375))  # fmt: skip
    assert unite(released, again) == unite(again, released)
    assert (unite(released, again).override, unite(released, again).verdict) == (None, UP)


def test_a_clock_that_was_set_back_stays_set_back() -> None:
    before, since = sent(UP, 4_000.0, 0.0), sent(DOWN, 500.0, 3_600.0)
    assert aligned(before, since) == (before, since)
    both = unite(before, since)
    assert both == replace(since, lags=(("/in a", 0.0), ("/in a", 3_600.0))), "what was dated before stays in order"
    assert with_lag(both.lags, since.known) is both.lags, "the last counts"


def test_what_was_dated_since_a_clock_was_set_goes_by_the_smallest_difference_since_then() -> None:
    late, prompt = sent(DOWN, 500.0, 3_605.0), sent(UP, 501.0, 3_600.0)
    before = replace(sent(UP, 100.0, 0.0), lags=(("/in a", 0.0),))
    assert aligned(late, unite(before, prompt))[0] == sent(DOWN, 500.0, 3_600.0)
    assert unite(late, unite(before, prompt)).verdict == UP


def test_a_difference_that_ordered_moments_is_kept_where_none_of_them_is_left() -> None:
    late = replace(sent(DOWN, 100.0, 5.0), heard_at=105.0, lags=(("/in a", 5.0), ("/in b", 0.0)))
    ours = replace(Record(SALES, UP, 103.0), heard_at=104.0, lags=(("/in a", 1.0),))
    both = unite(late, ours)
    assert both == replace(ours, heard_at=105.0, lags=(("/in a", 1.0), ("/in b", 0.0)))
    assert unite(both, late) == both, "what lost does not come back"
    unheard = replace(late, lags=(("/in b", 0.0),))
    assert unite(unheard, ours).lags == (("/in a", 1.0), ("/in b", 0.0)), "the first to be dropped"


def test_what_two_heard_last_alike_has_the_differences_of_both_and_not_more_than_are_kept() -> None:
    a = Record(SALES, heard_at=9.0, lags=(("/in b", 1.0), ("/in a", 1.0), ("/in d", 0.0)))
    b = Record(SALES, heard_at=9.0, lags=(("/in c", 2.0), ("/in a", 0.75)))
    assert unite(a, b) == unite(b, a)
    assert unite(a, b).lags == (("/in c", 2.0), ("/in b", 1.0), ("/in a", 0.75), ("/in d", 0.0))
    many = tuple((f"/in {number:02}", 0.0) for number in range(MOST_LAGS))
    assert unite(a, replace(b, lags=many)).lags == many


def test_a_record_names_sixteen_differences_at_most_the_last_ones() -> None:
    many = tuple((f"/in {number:02}", 0.0) for number in range(40))
    assert unite(Record(SALES, heard_at=9.0, lags=many), Record(SALES)).lags == many[-16:]


def test_a_third_proxys_difference_does_not_bring_back_what_lost_before() -> None:
    late, ours, third = sent(DOWN, 100.0, 5.0), Record(SALES, UP, 103.0), Record(SALES, lags=(("/in a", 1.0),))
    assert unite(late, unite(ours, third)).verdict == UP
    assert unite(unite(late, ours), third).verdict == DOWN, "the order of writes decides: unite is not associative"


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from([DOWN, DOWN, UP, ALIVE]),
        st.integers(0, 400).map(lambda at: at + 0.125),
        st.sampled_from([0.0, 0.5, 7.0]),
        st.sampled_from(["a", "b", "both"]),
    ),
    max_size=10,
)


@given(_EVENTS)
@example([(DOWN, 100.125, 7.0, "a"), (UP, 101.125, 0.0, "b")])
def test_two_maps_that_heard_a_senders_events_know_together_what_one_map_knows(
    events: list[tuple[SignalKind, float, float, str]],
) -> None:
    def heard_by(*names: str) -> Record:
        sessions = SessionMap()
        for kind, at, late, by in sorted(events, key=lambda one: one[1] + one[2]):
            if by in names:
                hear(sessions, SALES, kind, at=at, arrival=at + late)
        return sessions.get(SALES) or Record(SALES)

    both = unite(heard_by("a", "both"), heard_by("b", "both"))
    settled, _ = step_kin(both, [both], 1_000.0, SessionRules())
    alone = heard_by("a", "b", "both")

    def essence(one: Record) -> tuple[object, ...]:
        return one.verdict, one.known_at, one.alive_at, one.override and one.override.at

    assert essence(settled) == essence(alone)


# History


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(SALES, RELEASED, "operator", 1.0, 200.0 + SAME_DECISION), True),
        (Change(SALES, RELEASED, "operator", 200.0, 200.1 + SAME_DECISION), False),
        (Change(SALES, RELEASED, "expired", 200.0, 200.0), False),
        (Change(SALES, STARTED, "close", 100.0 - SAME_DECISION, 1.0), True),
        (Change(SALES, REPEATED, "close", 100.0, 1.0), True),
        (Change(SALES, STARTED, "close", 99.9 - SAME_DECISION, 1.0), False),
        (Change(SALES, STARTED, "close logout", 100.0, 1.0), False),
        (Change(SALES, FORGOTTEN, "operator", 200.0, 200.0), False),
    ],
)
def test_a_line_of_history_that_another_proxy_wrote_is_known(change: Change, told: bool) -> None:
    theirs = Record(SALES, override=lost(since=50.0), released=Release.OPERATOR, released_at=200.0)
    assert is_told(change, theirs) is told


@pytest.mark.parametrize(("seconds", "told"), [(5.0, True), (5.5, False)])
def test_what_two_proxies_decide_within_five_seconds_is_one_decision(seconds: float, told: bool) -> None:
    theirs = Record(SALES, override=lost(), released=Release.OPERATOR, released_at=200.0)
    for change in (
        Change(SALES, RELEASED, "operator", 1.0, 200.0 + seconds),
        Change(SALES, STARTED, "close", 100.0 + seconds, 1.0),
    ):
        assert is_told(change, theirs) is told


def test_what_lasted_is_told_from_its_first_signal_on_and_where_nothing_stands_nothing_is_told() -> None:
    lasted = Record(SALES, override=lost(since=50.0, transient=True, word="opening"))
    assert is_told(Change(SALES, STARTED, "close opening", 50.0, 1.0), lasted)
    assert not is_told(Change(SALES, STARTED, "close opening", 100.0, 1.0), lasted)
    assert not is_told(Change(SALES, STARTED, "close", 100.0, 1.0), Record(SALES))
    assert not is_told(Change(SALES, RELEASED, "operator", 1.0, 1.0), Record(SALES, released=Release.OPERATOR))


def test_a_session_was_first_heard_of_when_the_first_proxy_heard_of_it() -> None:
    assert merge(Record(SALES, first_heard=9.0), Record(SALES, first_heard=5.0)).first_heard == 5.0
    assert merge(Record(SALES), Record(SALES, first_heard=5.0)).first_heard == 5.0
