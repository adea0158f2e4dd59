"""Moving the times in records: our own move, the senders' stay, and none is left in the future."""

from types import UnionType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.clocks import Lags, Stamp, Written
from statusproxy.status.model import Change, Evidence, Override, Record, Release, Transient
from statusproxy.status.signals import SignalKind
from statusproxy.status.stored_times import each_moment, in_microseconds, moved, moved_change, not_after, told_anew

NOW = 1_768_504_026.0
OVERRIDE = Override(
    since=NOW, at=NOW - 90, began=NOW, event="close", clock="/in", lag=90.0,
    caught_up=Evidence.LIST, caught_up_at=NOW + 1,
    seen_on=(("/api/channels", NOW + 1),),
)  # fmt: skip
RECORD = Record(
    "sales", SignalKind.DISCONNECTED, NOW - 90, NOW - 80, NOW + 2, override=OVERRIDE, gateway_said_at=NOW + 3,
    released=Release.ALIVE, released_at=NOW - 500, known_clock="/in", known_lag=90.0, alive_clock="/in", alive_lag=90.0,
    lags=(("/in", 90.0),), shown_at=NOW + 4, ended_at=NOW - 95, ended_clock="/in", ended_lag=90.0,
    transient=Transient(since=NOW - 5, at=NOW - 85, began=NOW + 1, due=NOW + 91, event="e", clock="/in", lag=90.0),
)  # fmt: skip
UNTIMED = replace(
    RECORD, known_at=NOW, known_clock=None, known_lag=0.0, alive_at=0.0, alive_clock=None, alive_lag=0.0,
    ended_at=NOW - 5, ended_clock=None, ended_lag=0.0, override=replace(OVERRIDE, at=NOW, clock=None, lag=0.0),
)  # fmt: skip


def test_moved_there_and_back_a_record_is_the_same() -> None:
    for record in (RECORD, UNTIMED, Record("sales")):
        assert moved(moved(record, 3600.0), -3600.0) == record


def test_moved_by_nothing_it_is_the_record_itself() -> None:
    assert moved(RECORD, 0.0) is RECORD
    assert moved(RECORD, 0.0, until=NOW) is RECORD


def test_our_own_times_move_and_the_senders_stay() -> None:
    later = moved(RECORD, 60.0)
    assert (later.known_at, later.alive_at) == (RECORD.known_at, RECORD.alive_at)
    assert (later.known.here, later.alive.here) == (RECORD.known.here + 60, RECORD.alive.here + 60)
    assert later.override is not None
    assert later.override.at == OVERRIDE.at
    assert later.override.stamp.here == OVERRIDE.stamp.here + 60
    assert later.override.seen_on == (("/api/channels", NOW + 61),)
    assert (later.ended_at, later.ended.here) == (RECORD.ended_at, RECORD.ended.here + 60)
    assert (later.heard_at, later.shown_at, later.released_at) == (NOW + 62, NOW + 64, NOW - 440)
    untimed = moved(UNTIMED, 60.0)
    assert (untimed.known_at, untimed.ended_at) == (NOW + 60, NOW + 55)


_MOMENTS = st.floats(NOW - 1e7, NOW + 1e7)
_STAMPS = st.builds(
    Record, session=st.just("sales"), known_at=_MOMENTS, heard_at=_MOMENTS, alive_at=_MOMENTS,
    alive_clock=st.just("/in"), alive_lag=st.floats(-1e4, 1e4), released_at=_MOMENTS, ended_at=_MOMENTS,
    lags=st.floats(-1e4, 1e4).map(lambda lag: (("/in", lag),)),
    override=st.builds(Override, since=_MOMENTS, at=_MOMENTS, began=_MOMENTS, event=st.just("close")),
    transient=st.builds(Transient, since=_MOMENTS, at=_MOMENTS, began=_MOMENTS, due=_MOMENTS, event=st.just("e")),
)  # fmt: skip


@given(_STAMPS, st.floats(-1e6, 1e6).map(lambda seconds: round(seconds, 6)))
def test_to_the_microsecond_a_record_comes_back_from_another_clock_in_every_bit(record: Record, seconds: float) -> None:
    told = in_microseconds(record)
    there = in_microseconds(moved(told, seconds))
    assert in_microseconds(moved(there, -seconds)) == told
    assert in_microseconds(told) == told


def test_to_the_microsecond_the_senders_own_times_stay() -> None:
    record = replace(RECORD, known_at=NOW + 0.1234567, known_lag=1.2345678, heard_at=NOW + 0.1234567)
    told = in_microseconds(record)
    assert (told.known_at, told.known_lag, told.heard_at) == (NOW + 0.1234567, 1.234568, NOW + 0.123457)
    assert in_microseconds(RECORD) == RECORD
    assert in_microseconds(Record("sales")) == Record("sales")


def test_times_that_never_were_stay_so() -> None:
    assert moved(Record("sales"), 60.0) == Record("sales")


def test_up_to_a_moment_no_later_one_is_moved_and_none_beyond_it() -> None:
    record = moved(RECORD, 60.0, until=NOW + 2)
    assert record.override is not None
    assert (record.heard_at, record.alive.here, record.gateway_said_at) == (NOW + 2, NOW + 10, NOW + 3)
    assert (record.known.here, record.released_at) == (NOW + 2, NOW - 440)
    assert record.override.began == NOW + 2
    back = moved(Record("sales", heard_at=100.0, released_at=100.5), -60.0, until=100.0)
    assert (back.heard_at, back.released_at) == (40.0, 100.5)


def test_within_one_boot_a_stored_record_is_told_by_the_clock_that_goes_on() -> None:
    stored = replace(RECORD, written=Written("one", 1_000.0, 3_600.0))
    assert told_anew(stored, "one", 4_600.999) == (RECORD, 0.0)
    assert told_anew(stored, "one", 4_601.0) == (moved(RECORD, 1.0), 1.0)
    assert told_anew(stored, "one", 4_690.0) == (moved(RECORD, 90.0), 90.0)


def test_of_another_boot_only_the_systems_time_tells() -> None:
    stored = replace(RECORD, written=Written("one", 1_000.0))
    for boot in ("two", "", None):
        assert told_anew(stored, boot, 4_690.0) == (RECORD, None)
    assert told_anew(RECORD, "one", 4_690.0) == (RECORD, None)


def test_a_change_moves_with_its_record() -> None:
    change = Change("sales", "started", "close", NOW, NOW + 1)
    assert moved_change(change, -60.0) == replace(change, at=NOW - 60, recorded_at=NOW - 59)


def test_nothing_stored_is_still_to_come_and_the_rest_stays_as_it_is() -> None:
    assert not_after(RECORD, NOW + 10) == RECORD
    past = NOW - 3_600
    for record in (RECORD, UNTIMED):
        loaded = not_after(record, past)
        assert loaded.override is not None
        moments = [loaded.known.here, loaded.alive.here, loaded.ended.here, loaded.heard_at, loaded.override.stamp.here,
                   loaded.override.since, loaded.override.began, loaded.override.caught_up_at or 0.0,
                   *(moment for _, moment in loaded.override.seen_on)]  # fmt: skip
        assert max(moments) <= past
    assert not_after(replace(RECORD, override=None), past) == replace(not_after(RECORD, past), override=None)
    assert not_after(replace(RECORD, transient=None), past) == replace(not_after(RECORD, past), transient=None)
    assert not_after(RECORD, past).known_at == RECORD.known_at  # the sender's own
    state = not_after(RECORD, past).transient
    assert state is not None
    assert (state.since, state.at, state.stamp.here, state.began, state.due) == (
        past, NOW - 85, past, past, past + 90
    )  # fmt: skip
    assert not_after(RECORD, past).lags == (("/in", 90.0 - 3_602),)


def test_every_moment_of_our_own_clock_moves_by_the_same() -> None:
    before = replace(
        RECORD, heard_at=10.0, gateway_said_at=11.0, released_at=12.0, shown_at=13.0,
        lags=(("/in", 1.0), ("/out", 2.0)), ended_at=4.0, ended_clock=None, ended_lag=0.0,
        known_at=5.0, known_clock=None, known_lag=0.0, alive_at=6.0, alive_clock="/in", alive_lag=7.0,
        override=replace(
            OVERRIDE, since=20.0, at=21.0, clock="/in", lag=1.0, began=22.0, caught_up_at=23.0, seen_on=(("/a", 24.0),)
        ),
        transient=Transient(30.0, 31.0, 32.0, 122.0, "e", clock="/in", lag=1.0),
    )  # fmt: skip
    assert moved(before, 100.0) == replace(
        before, heard_at=110.0, gateway_said_at=111.0, released_at=112.0, shown_at=113.0,
        lags=(("/in", 101.0), ("/out", 102.0)), known_at=105.0, alive_lag=107.0, ended_at=104.0,
        override=replace(
            before.override or OVERRIDE, since=120.0, lag=101.0, began=122.0, caught_up_at=123.0,
            seen_on=(("/a", 124.0),),
        ),
        transient=Transient(130.0, 31.0, 132.0, 222.0, "e", clock="/in", lag=101.0),
    )  # fmt: skip


SHOWN = {"gateway_said_at", "released_at", "shown_at"}
"""What is shown to people and decides nothing: it stays as it was noted, even where it lies in the future."""
HOUR_AGO = NOW - 3_600.0


def filled(kind: type[msgspec.Struct], clock: str | None) -> Any:
    """A value of this type with `NOW` in each field that can hold a number, and of this sender's clock."""
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        (form,) = [one for one in get_args(hint) if one is not type(None)] if isinstance(hint, UnionType) else [hint]
        if form is Written:
            continue  # by what clock a stored record is told: none of its moments
        if form is float:
            values[name] = 0.0 if name.endswith("lag") and clock is None else NOW
        elif form in (Lags, tuple[tuple[str, float], ...]):
            values[name] = (("/in", NOW),)
        elif isinstance(form, type) and issubclass(form, msgspec.Struct):
            values[name] = filled(form, clock)
        elif name == "clock" or name.endswith("_clock"):
            values[name] = clock
        elif form is str:
            values[name] = "x"
        else:
            assert "float" not in str(hint), f"{kind.__name__}.{name}: say here how it is filled"
    return kind(**values)


def numbers(value: object, name: str = "") -> dict[str, float]:
    """All numbers of a record, by the path to each."""
    if isinstance(value, msgspec.Struct):
        fields = [(f"{name}.{field}".lstrip("."), getattr(value, field)) for field in value.__struct_fields__]
    elif isinstance(value, tuple):
        fields = [(name, one) for one in value]
    else:
        return {name: value} if isinstance(value, float) else {}
    return {path: number for field, one in fields for path, number in numbers(one, field).items()}


@pytest.mark.parametrize("clock", [None, "/in"])
def test_no_time_field_of_a_record_is_forgotten(clock: str | None) -> None:
    """A new field fails here until `each_moment` lists it."""
    record = filled(Record, clock)
    told = numbers(each_moment(
        record, lambda _: 1.0, lambda stamp: Stamp(1.0, stamp.clock, 1.0), lambda _: 1.0, due=lambda _: 1.0,
    ))  # fmt: skip
    assert told.keys() >= {"known_at", "ended_lag", "lags", "override.seen_on", "transient.due"}
    assert {path for path, number in told.items() if number != 1.0} == set()
    senders = {path for path in told if path in {"known_at", "alive_at", "ended_at"} or path.endswith(".at")}
    differences = {path for path in told if path.endswith("lag")}
    stays = senders if clock else differences
    assert {path for path, number in numbers(moved(record, 60.0)).items() if number == numbers(record)[path]} == stays
    left = {path for path, number in numbers(not_after(record, HOUR_AGO)).items() if number == numbers(record)[path]}
    assert left == stays | SHOWN


def test_of_a_clock_that_was_set_back_each_moment_still_to_come_is_now() -> None:
    before = replace(
        RECORD, heard_at=150.0, known_at=160.0, known_clock=None, known_lag=0.0, alive_at=50.0, alive_clock="/in",
        alive_lag=90.0, lags=(("/in", 90.0),), ended_at=150.0, ended_clock="/in", ended_lag=5.0,
        override=replace(
            OVERRIDE, since=99.0, at=110.0, clock="/in", lag=5.0, began=120.0, caught_up_at=130.0,
            seen_on=(("/a", 80.0), ("/b", 140.0)),
        ),
        transient=Transient(99.0, 110.0, 120.0, 210.0, "e", clock="/in", lag=5.0),
    )  # fmt: skip
    assert not_after(before, 100.0) == replace(
        before, heard_at=100.0, known_at=100.0, alive_lag=50.0, lags=(("/in", 40.0),), ended_lag=-50.0,
        override=replace(
            before.override or OVERRIDE, lag=-10.0, began=100.0, caught_up_at=100.0,
            seen_on=(("/a", 80.0), ("/b", 100.0)),
        ),
        transient=Transient(99.0, 110.0, 100.0, 190.0, "e", clock="/in", lag=-10.0),
    )  # fmt: skip
    assert not_after(replace(before, override=replace(OVERRIDE, caught_up_at=None)), 1e10).override == replace(
        OVERRIDE, caught_up_at=None
    )
