"""Merging what several proxies know of one session: the three laws, and that nothing older wins."""

from itertools import permutations
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.merge import aligned, merge, unite
from statusproxy.status.model import (
    Evidence,
    Override,
    Record,
    Release,
    SessionRules,
    Transient,
)
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Kind, Reading, Signal, Verdict

from .maps import ALIVE, DOWN, UP, see

SALES: Final = "sales"
GRACE: Final = 60.0

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
)  # fmt: skip
"""Any record, whether it can arise or not."""

_SIGNALS = st.tuples(
    st.sampled_from([DOWN, UP, ALIVE, Kind.TRANSIENT]),
    st.none() | st.integers(0, 400).map(float),
    st.sampled_from(["a", "b"]),
)
_OPERATIONS = st.tuples(
    st.sampled_from([0.25, 1.0, 40.0, 100.0]),
    _SIGNALS | st.sampled_from(["keeps", "connected", "qr", "created", "deleted", "release", "lasts", "expires"]),
)


def told(operations: list[tuple[float, tuple[Kind, float | None, str] | str]], start: float = 100.0) -> SessionMap:
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
            sessions.qr_seen(SALES, now, now)
        elif operation == "created":
            sessions.created(SALES, now, now)
        elif operation == "deleted":
            sessions.deleted(SALES, now, now)
        elif operation == "lasts":
            sessions.judge_transient(now)
        elif operation == "expires":
            sessions.expire(now)
        elif sessions.get(SALES) is not None:
            sessions.release(SALES, now)
    return sessions


_LIVES = st.lists(_OPERATIONS, max_size=8).map(lambda operations: told(operations).get(SALES) or Record(SALES))
"""Records as transitions leave them."""


@given(_RECORDS | _LIVES, _RECORDS | _LIVES, _RECORDS | _LIVES)
def test_merge_is_commutative_associative_and_idempotent(a: Record, b: Record, c: Record) -> None:
    both = merge(a, b)
    assert both == merge(b, a)
    assert merge(both, both) == both
    assert merge(both, a) == both
    assert merge(both, c) == merge(a, merge(b, c))


@given(_LIVES, _LIVES, _LIVES)
def test_records_that_arise_are_merged_alike_in_any_order(a: Record, b: Record, c: Record) -> None:
    assert len({repr(merge(merge(*pair), last)) for *pair, last in permutations((a, b, c))}) == 1


@given(_LIVES)
def test_a_record_merged_with_itself_is_the_same(one: Record) -> None:
    (told_best, _) = aligned(one, one)
    assert unite(one, one) == told_best
    assert aligned(told_best, told_best) == (told_best, told_best)


@given(_LIVES, _LIVES)
def test_whoever_takes_over_what_was_united_has_the_same(a: Record, b: Record) -> None:
    both = unite(a, b)
    assert both == unite(b, a)
    assert unite(both, both) == unite(both, a) == unite(both, b) == both


@given(_RECORDS | _LIVES, _RECORDS | _LIVES)
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
