"""What happens to a session: every cell of the table is walked, with what is noted and what is told."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.clocks import Stamp, Translated
from statusproxy.status.effects import SOURCES
from statusproxy.status.model import Change, Evidence, Override, Record, Release, SessionRules, Transient
from statusproxy.status.signals import Signal, SignalKind
from statusproxy.status.statements import Details, Known, Statement, known
from statusproxy.status.transitions import (
    TABLE,
    Row,
    Step,
    row_of,
    step,
    step_answer,
    step_kin,
    step_own,
    step_signal,
)

RULES = SessionRules(alive_grace=60.0)
ROUTE, OTHER = "/api/channels", "/api/sessions"
DOWN, UP, ALIVE = SignalKind.DISCONNECTED, SignalKind.CONNECTED, SignalKind.ALIVE
CLEAR, LOST, CAUGHT_UP = Known.CLEAR, Known.OVERRIDDEN, Known.CAUGHT_UP
S, R = Statement, Release
EVENTS = {S.DISCONNECTED: DOWN, S.CONNECTED: UP, S.ALIVE: ALIVE, S.TRANSIENT: SignalKind.TRANSIENT}
KIN = {S.KIN_CONNECTED: UP, S.KIN_ALIVE: ALIVE}
ANSWERS = (S.KEEPS, S.QR_CODE, S.CREATED, S.SAYS_CONNECTED)

OVERRIDE = Override(since=90.0, at=100.0, began=110.0, event="status-find", word="close")
RECORDS = {
    CLEAR: Record("sales", UP, 100.0, heard_at=110.0, event="ev", gateway_said="open"),
    LOST: Record(
        "sales", DOWN, 100.0, heard_at=110.0, event="ev", gateway_said="open", shown_at=115.0, override=OVERRIDE
    ),
    CAUGHT_UP: Record(
        "sales", DOWN, 100.0, heard_at=110.0, event="ev", gateway_said="open", shown_at=115.0,
        override=replace(OVERRIDE, caught_up=Evidence.QR, caught_up_at=120.0),
    ),
}  # fmt: skip
"""A session in each state: known since 100, its override begun at 110, the gateway caught up at 120."""


def signal(kind: SignalKind, at: float | None = None) -> Signal:
    return Signal(kind, "sales", at, "connection.update", str(kind)[:4], "id-1")


def details(said: Statement, at: float) -> Details:
    """The particulars of a statement: of an event and of another spelling `at` is when it happened, of an answer when
    it was asked for, else the present."""
    if said in EVENTS:
        return Details(at + 1.0, Stamp(at), Stamp(at), signal(EVENTS[said], at))
    if said in ANSWERS:
        return Details(at + 1.0, Stamp(at + 1.0), asked_at=at, source=ROUTE if said is S.KEEPS else None)
    return Details(at + 1.0, Stamp(at) if said in KIN else Stamp(at + 1.0))


def without(*rules: Release) -> SessionRules:
    return replace(RULES, releases=RULES.releases - set(rules))


CASES: list[tuple[Known, Statement, float, float, Release | None, Known, str | None, bool]] = [
    # known,    said,               at,    message, rule off,          known now, changed,    noted
    (CLEAR,     S.DISCONNECTED,     99.0,  0.0,   None,              CLEAR,     None,       False),
    (CLEAR,     S.DISCONNECTED,     100.0, 0.0,   None,              CLEAR,     None,       False),  # Connected wins
    (CLEAR,     S.DISCONNECTED,     101.0, 0.0,   None,              LOST,      "started",  True),
    (CLEAR,     S.DISCONNECTED,     101.0, 161.0, None,              LOST,      "started",  True),   # within the grace
    (CLEAR,     S.DISCONNECTED,     101.0, 161.5, None,              CLEAR,     None,       True),   # outlived
    (CLEAR,     S.DISCONNECTED,     101.0, 161.5, R.ALIVE,           LOST,      "started",  True),
    (LOST,      S.DISCONNECTED,     99.0,  0.0,   None,              LOST,      None,       False),
    (LOST,      S.DISCONNECTED,     100.0, 0.0,   None,              LOST,      None,       False),  # the same again
    (LOST,      S.DISCONNECTED,     101.0, 0.0,   None,              LOST,      "repeated", True),
    (LOST,      S.DISCONNECTED,     101.0, 161.5, None,              CLEAR,     "released", True),
    (LOST,      S.DISCONNECTED,     101.0, 161.5, R.ALIVE,           LOST,      "repeated", True),
    (CAUGHT_UP, S.DISCONNECTED,     99.0,  0.0,   None,              CAUGHT_UP, None,       False),
    (CAUGHT_UP, S.DISCONNECTED,     101.0, 0.0,   None,              LOST,      "repeated", True),   # catch up again
    (CAUGHT_UP, S.DISCONNECTED,     101.0, 161.5, None,              CLEAR,     "released", True),

    (CLEAR,     S.CONNECTED,        100.0, 0.0,   None,              CLEAR,     None,       False),
    (CLEAR,     S.CONNECTED,        101.0, 0.0,   None,              CLEAR,     None,       True),
    (LOST,      S.CONNECTED,        99.0,  0.0,   None,              LOST,      None,       False),
    (LOST,      S.CONNECTED,        100.0, 0.0,   None,              CLEAR,     "released", True),   # Connected wins
    (LOST,      S.CONNECTED,        101.0, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.CONNECTED,        101.0, 0.0,   R.CONNECTED_EVENT, LOST,      None,       True),
    (CAUGHT_UP, S.CONNECTED,        99.0,  0.0,   None,              CAUGHT_UP, None,       False),
    (CAUGHT_UP, S.CONNECTED,        101.0, 0.0,   None,              CLEAR,     "released", True),
    (CAUGHT_UP, S.CONNECTED,        101.0, 0.0,   R.CONNECTED_EVENT, CAUGHT_UP, None,       True),

    (CLEAR,     S.ALIVE,            50.0,  50.0,  None,              CLEAR,     None,       False),
    (CLEAR,     S.ALIVE,            51.0,  50.0,  None,              CLEAR,     None,       True),
    (LOST,      S.ALIVE,            200.0, 200.0, None,              LOST,      None,       False),
    (LOST,      S.ALIVE,            160.0, 0.0,   None,              LOST,      None,       True),   # within the grace
    (LOST,      S.ALIVE,            160.5, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.ALIVE,            160.5, 0.0,   R.ALIVE,           LOST,      None,       True),
    (CAUGHT_UP, S.ALIVE,            160.0, 0.0,   None,              CAUGHT_UP, None,       True),
    (CAUGHT_UP, S.ALIVE,            160.5, 0.0,   None,              CLEAR,     "released", True),

    (CLEAR,     S.TRANSIENT,        100.0, 0.0,   None,              CLEAR,     None,       False),
    (CLEAR,     S.TRANSIENT,        101.0, 0.0,   None,              CLEAR,     None,       True),
    (LOST,      S.TRANSIENT,        101.0, 0.0,   None,              LOST,      None,       True),   # is not weakened
    (CAUGHT_UP, S.TRANSIENT,        101.0, 0.0,   None,              CAUGHT_UP, None,       True),
    (CLEAR,     S.LASTED,           200.0, 0.0,   None,              CLEAR,     None,       False),  # nothing has
    (LOST,      S.LASTED,           200.0, 0.0,   None,              LOST,      None,       False),
    (CAUGHT_UP, S.LASTED,           200.0, 0.0,   None,              CAUGHT_UP, None,       False),

    (CLEAR,     S.KIN_CONNECTED,    200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.KIN_CONNECTED,    99.0,  0.0,   None,              LOST,      None,       False),
    (LOST,      S.KIN_CONNECTED,    100.0, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.KIN_CONNECTED,    100.0, 0.0,   R.CONNECTED_EVENT, LOST,      None,       False),
    (CAUGHT_UP, S.KIN_CONNECTED,    100.0, 0.0,   None,              CLEAR,     "released", True),
    (CLEAR,     S.KIN_ALIVE,        200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.KIN_ALIVE,        160.0, 0.0,   None,              LOST,      None,       False),
    (LOST,      S.KIN_ALIVE,        160.5, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.KIN_ALIVE,        160.5, 0.0,   R.ALIVE,           LOST,      None,       False),
    (CAUGHT_UP, S.KIN_ALIVE,        160.5, 0.0,   None,              CLEAR,     "released", True),

    (CLEAR,     S.KEEPS,            200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.KEEPS,            109.0, 0.0,   None,              LOST,      None,       False),  # asked too early
    (LOST,      S.KEEPS,            110.0, 0.0,   None,              CAUGHT_UP, None,       True),
    (CAUGHT_UP, S.KEEPS,            200.0, 0.0,   None,              CAUGHT_UP, None,       False),
    (CLEAR,     S.QR_CODE,          200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.QR_CODE,          109.0, 0.0,   None,              LOST,      None,       False),
    (LOST,      S.QR_CODE,          110.0, 0.0,   None,              CAUGHT_UP, None,       True),
    (CAUGHT_UP, S.QR_CODE,          200.0, 0.0,   None,              CAUGHT_UP, None,       False),
    (CLEAR,     S.CREATED,          200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.CREATED,          109.0, 0.0,   None,              LOST,      None,       False),
    (LOST,      S.CREATED,          110.0, 0.0,   None,              CAUGHT_UP, None,       True),
    (CAUGHT_UP, S.CREATED,          200.0, 0.0,   None,              CAUGHT_UP, None,       False),
    (CLEAR,     S.SAYS_CONNECTED,   200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.SAYS_CONNECTED,   200.0, 0.0,   None,              LOST,      None,       False),  # the stale word
    (CAUGHT_UP, S.SAYS_CONNECTED,   119.0, 0.0,   None,              CAUGHT_UP, None,       False),  # asked too early
    (CAUGHT_UP, S.SAYS_CONNECTED,   120.0, 0.0,   None,              CLEAR,     "released", True),
    (CAUGHT_UP, S.SAYS_CONNECTED,   120.0, 0.0,   R.RECONNECTED,     CAUGHT_UP, None,       False),

    (CLEAR,     S.DELETED,          200.0, 0.0,   None,              CLEAR,     None,       True),
    (CLEAR,     S.DELETED,          200.0, 0.0,   R.DELETED,         CLEAR,     None,       False),
    (LOST,      S.DELETED,          200.0, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.DELETED,          200.0, 0.0,   R.DELETED,         LOST,      None,       False),
    (CAUGHT_UP, S.DELETED,          200.0, 0.0,   None,              CLEAR,     "released", True),
    (CLEAR,     S.RELEASED_BY_HAND, 200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.RELEASED_BY_HAND, 200.0, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.RELEASED_BY_HAND, 200.0, 0.0,   R.OPERATOR,        LOST,      None,       False),
    (CAUGHT_UP, S.RELEASED_BY_HAND, 200.0, 0.0,   None,              CLEAR,     "released", True),
    (CLEAR,     S.TOO_OLD,          200.0, 0.0,   None,              CLEAR,     None,       False),
    (LOST,      S.TOO_OLD,          200.0, 0.0,   None,              CLEAR,     "released", True),
    (LOST,      S.TOO_OLD,          200.0, 0.0,   R.EXPIRED,         LOST,      None,       False),
    (CAUGHT_UP, S.TOO_OLD,          200.0, 0.0,   None,              CLEAR,     "released", True),
]  # fmt: skip


@pytest.mark.parametrize(("before", "said", "at", "message_at", "off", "after", "changed", "noted"), CASES)
def test_a_cell_of_the_table(
    before: Known,
    said: Statement,
    at: float,
    message_at: float,
    off: Release | None,
    after: Known,
    changed: str | None,
    noted: bool,
) -> None:
    record = replace(RECORDS[before], alive_at=message_at)
    told = details(said, at)
    done = step(record, said, told, RULES if off is None else without(off))
    assert known(done.record, told.source) is after
    assert (done.change.what if done.change else None, done.applied) == (changed, noted)
    if not noted:
        assert done.record is record


CONNECTING = Transient(since=140.0, at=150.0, began=142.0, due=232.0, event="ev", word="connecting")
LASTING = replace(
    RECORDS[CLEAR], shown_at=240.0, transient=CONNECTING,
    override=Override(140.0, 150.0, 232.0, "ev", "connecting", transient=True),
)  # fmt: skip
WAITING = replace(RECORDS[CLEAR], transient=CONNECTING)
BESIDE = replace(RECORDS[LOST], transient=CONNECTING)
"""A transient state since 140, its newest signal of 150: counting since 232; to count then; beside an override."""

TRANSIENT_CASES: list[tuple[Record, Statement, float, float, Release | None, Known, str | None, bool]] = [
    # known,   said,           at,    message, rule off,          known now, changed,    transient still
    (WAITING, S.LASTED,       230.9, 0.0,   None,              CLEAR,     None,       True),   # not due
    (WAITING, S.LASTED,       231.0, 0.0,   None,              LOST,      "started",  True),
    (WAITING, S.LASTED,       231.0, 210.0, None,              LOST,      "started",  True),   # within the grace
    (WAITING, S.LASTED,       231.0, 210.5, None,              CLEAR,     None,       False),  # outlived
    (WAITING, S.LASTED,       231.0, 210.5, R.ALIVE,           LOST,      "started",  True),
    (BESIDE,  S.LASTED,       231.0, 0.0,   None,              LOST,      None,       True),
    (WAITING, S.CONNECTED,    149.0, 0.0,   None,              CLEAR,     None,       True),   # before it
    (WAITING, S.CONNECTED,    150.0, 0.0,   None,              CLEAR,     None,       False),  # Connected wins
    (BESIDE,  S.CONNECTED,    149.0, 0.0,   None,              CLEAR,     "released", True),
    (BESIDE,  S.CONNECTED,    150.0, 0.0,   None,              CLEAR,     "released", False),
    (LASTING, S.CONNECTED,    149.0, 0.0,   None,              LOST,      None,       True),
    (LASTING, S.CONNECTED,    150.0, 0.0,   None,              CLEAR,     "released", False),
    (WAITING, S.DISCONNECTED, 149.0, 0.0,   None,              LOST,      "started",  True),
    (WAITING, S.DISCONNECTED, 150.0, 0.0,   None,              LOST,      "started",  False),
    (LASTING, S.DISCONNECTED, 149.0, 0.0,   None,              LOST,      "repeated", True),
    (LASTING, S.DISCONNECTED, 151.0, 0.0,   None,              LOST,      "repeated", False),
    (LASTING, S.ALIVE,        210.0, 0.0,   None,              LOST,      None,       True),   # within the grace
    (LASTING, S.ALIVE,        210.5, 0.0,   None,              CLEAR,     "released", True),   # it is not due again
    (LASTING, S.TRANSIENT,    160.0, 0.0,   None,              LOST,      None,       True),
    (LASTING, S.QR_CODE,      240.0, 0.0,   None,              LOST,      None,       True),   # may be an old code
    (LASTING, S.DELETED,      240.0, 0.0,   None,              CLEAR,     "released", False),
    (WAITING, S.DELETED,      240.0, 0.0,   None,              CLEAR,     None,       False),
    (LASTING, S.RELEASED_BY_HAND, 240.0, 0.0, None,            CLEAR,     "released", False),
    (LASTING, S.TOO_OLD,      240.0, 0.0,   None,              CLEAR,     "released", False),
    (LASTING, S.KIN_CONNECTED, 149.0, 0.0,  None,              LOST,      None,       True),
    (LASTING, S.KIN_CONNECTED, 150.0, 0.0,  None,              CLEAR,     "released", False),
    (BESIDE,  S.KIN_CONNECTED, 149.0, 0.0,  None,              CLEAR,     "released", True),
    (LASTING, S.KIN_ALIVE,    210.0, 0.0,   None,              LOST,      None,       True),   # within the grace
    (LASTING, S.KIN_ALIVE,    210.5, 0.0,   None,              CLEAR,     "released", False),
    (BESIDE,  S.KIN_ALIVE,    170.0, 0.0,   None,              CLEAR,     "released", True),   # within its grace
]  # fmt: skip


@pytest.mark.parametrize(("record", "said", "at", "message_at", "off", "after", "changed", "still"), TRANSIENT_CASES)
def test_a_transient_state_beside_each_statement(
    record: Record,
    said: Statement,
    at: float,
    message_at: float,
    off: Release | None,
    after: Known,
    changed: str | None,
    still: bool,
) -> None:
    record = replace(record, alive_at=message_at)
    told = details(said, at)
    done = step(record, said, told, RULES if off is None else without(off))
    assert known(done.record, told.source) is after
    assert (done.change.what if done.change else None, done.record.transient is not None) == (changed, still)


def test_every_cell_is_walked() -> None:
    assert {(before, said) for before, said, *_ in CASES} == set(product(Known, Statement))


def test_every_row_applies_somewhere_and_says_what_is_known_then() -> None:
    walked: list[Row] = []
    cases = [(RECORDS[case[0]], *case[1:]) for case in CASES] + TRANSIENT_CASES
    for record, said, at, message_at, off, after, changed, _ in cases:
        before = known(record)
        record = replace(record, alive_at=message_at)
        told = details(said, at)
        row = row_of(record, said, told, RULES if off is None else without(off))
        if row is not None:
            walked.append(row)
            line = row.changed and row.changed(record, told, row.rule)
            assert (row.known_now or before, line and line.what) == (after, changed)
    assert set(map(id, walked)) == set(map(id, TABLE))


# What is noted


def test_a_disconnect_is_noted_with_its_moment_word_and_arrival() -> None:
    when = Translated(Stamp(150.0, "/in", 3.0), Stamp(150.0, "/in", 2.0))
    done = step_signal(RECORDS[CLEAR], signal(DOWN, 150.0), when, 155.0, RULES)
    begun = Override(
        since=152.0,
        at=150.0,
        began=155.0,
        event="connection.update",
        word="disc",
        event_id="id-1",
        clock="/in",
        lag=3.0,
    )
    expected = replace(
        RECORDS[CLEAR], verdict=DOWN, known_at=150.0, known_clock="/in", known_lag=3.0, override=begun, shown_at=None
    )
    assert done == Step(expected, Change("sales", "started", "connection.update disc", 152.0, 155.0, "open"), True)


def test_a_disconnect_without_a_word_names_its_event_alone() -> None:
    done = step_signal(RECORDS[CLEAR], replace(signal(DOWN, 150.0), word=None), None, 155.0, RULES)
    assert done.change == Change("sales", "started", "connection.update", 155.0, 155.0, "open")


def test_a_repeated_disconnect_keeps_since_when_and_that_it_was_shown_but_no_evidence() -> None:
    when = Translated(Stamp(150.0), Stamp(150.0))
    done = step_signal(RECORDS[CAUGHT_UP], signal(DOWN, 150.0), when, 155.0, RULES)
    begun = done.record.override
    assert begun is not None
    assert (begun.since, begun.at, begun.began, begun.caught_up, begun.caught_up_at) == (90.0, 150.0, 155.0, None, None)
    assert done.record.shown_at == 115.0
    assert done.change == Change("sales", "repeated", "connection.update disc", 150.0, 155.0, "open")


def test_a_connected_event_ends_the_override_at_its_moment() -> None:
    when = Translated(Stamp(150.0, "/in", 3.0), Stamp(150.0, "/in", 3.0))
    done = step_signal(RECORDS[LOST], signal(UP, 150.0), when, 155.0, RULES)
    expected = replace(
        RECORDS[LOST], verdict=UP, known_at=150.0, known_clock="/in", known_lag=3.0,
        override=None, released=R.CONNECTED_EVENT, released_at=155.0, shown_at=None,
        ended_at=100.0,
    )  # fmt: skip
    assert done == Step(expected, Change("sales", "released", "connected-event", 153.0, 155.0, "open"), True)


def test_a_message_ends_the_override_and_leaves_what_is_known() -> None:
    when = Translated(Stamp(300.0, "/in", 3.0), Stamp(300.0, "/in", 2.0))
    done = step_signal(RECORDS[LOST], signal(ALIVE, 300.0), when, 305.0, RULES)
    expected = replace(
        RECORDS[LOST], alive_at=300.0, alive_clock="/in", alive_lag=2.0,
        override=None, released=R.ALIVE, released_at=305.0, shown_at=None, ended_at=100.0,
    )  # fmt: skip
    assert done == Step(expected, Change("sales", "released", "alive", 302.0, 305.0, "open"), True)


def test_a_disconnect_that_a_known_message_outlives_ends_the_override_at_the_messages_moment() -> None:
    record = replace(RECORDS[LOST], alive_at=250.0, alive_lag=5.0)
    done = step_signal(record, signal(DOWN, 150.0), Translated(Stamp(150.0), Stamp(150.0)), 305.0, RULES)
    assert done.change == Change("sales", "released", "alive", 255.0, 305.0, "open")
    assert (done.record.verdict, done.record.known_at, done.record.override) == (DOWN, 150.0, None)


@pytest.mark.parametrize(
    ("known_at", "alive_at", "arrival", "at"),
    [(100.0, 0.0, 200.0, 200.0), (300.0, 0.0, 200.0, 300.001), (100.0, 400.0, 200.0, 400.0)],
)
def test_a_signal_without_a_time_is_newer_than_all_that_was_said(
    known_at: float, alive_at: float, arrival: float, at: float
) -> None:
    record = replace(RECORDS[CLEAR], known_at=known_at, alive_at=alive_at)
    done = step_signal(record, signal(DOWN), None, arrival, RULES)
    assert done.applied
    assert (done.record.known_at, done.record.known_clock) == (at, None)


@pytest.mark.parametrize("said", ANSWERS)
def test_no_answer_says_anything_of_a_session_without_override(said: Statement) -> None:
    record = RECORDS[CLEAR]
    assert step_answer(record, said, 150.0, 151.0, RULES, ROUTE) == Step(record, None, False)


def test_evidence_is_noted_with_its_kind_and_time() -> None:
    for said, evidence in ((S.QR_CODE, Evidence.QR), (S.CREATED, Evidence.CREATED)):
        done = step_answer(RECORDS[LOST], said, 150.0, 151.0, RULES)
        caught_up = replace(OVERRIDE, caught_up=evidence, caught_up_at=151.0)
        assert done == Step(replace(RECORDS[LOST], override=caught_up), None, True)


def test_a_word_of_keep_counts_for_its_route_alone_and_a_qr_code_then_for_all() -> None:
    seen = step_answer(RECORDS[LOST], S.KEEPS, 150.0, 151.0, RULES, ROUTE).record
    caught_up = replace(OVERRIDE, caught_up=Evidence.LIST, caught_up_at=151.0, seen_on=((ROUTE, 151.0),))
    assert seen == replace(RECORDS[LOST], override=caught_up)
    assert [known(seen, source) for source in (ROUTE, OTHER, None)] == [CAUGHT_UP, LOST, LOST]
    scanned = step_answer(seen, S.QR_CODE, 160.0, 161.0, RULES).record
    assert [known(scanned, source) for source in (ROUTE, OTHER, None)] == [CAUGHT_UP] * 3


def test_of_many_routes_the_latest_are_told_apart() -> None:
    record = RECORDS[LOST]
    for number in range(SOURCES + 3):
        record = step_answer(record, S.KEEPS, 150.0, 151.0 + number, RULES, f"/{number}").record
    assert record.override is not None
    assert [route for route, _ in record.override.seen_on] == [f"/{number}" for number in range(3, SOURCES + 3)]


@pytest.mark.parametrize(
    ("said", "reason", "verdict"),
    [(S.RELEASED_BY_HAND, "operator", UP), (S.TOO_OLD, "expired", DOWN)],
)
def test_an_ending_from_outside_the_events_settles_what_is_known_on_our_own_clock(
    said: Statement, reason: str, verdict: SignalKind
) -> None:
    record = replace(RECORDS[LOST], known_clock="/in", known_lag=20.0)
    done = step_own(record, said, 200.0, RULES)
    expected = replace(
        RECORDS[LOST], verdict=verdict, known_at=200.0, override=None, released=Release(reason), released_at=200.0,
        shown_at=None, ended_at=200.0,
    )  # fmt: skip
    assert done == Step(expected, Change("sales", "released", reason, 200.0, 200.0, "open"), True)


def test_a_fresh_connected_settles_what_is_known_but_never_turns_it_back() -> None:
    record = replace(RECORDS[CAUGHT_UP], known_at=300.0)
    done = step_answer(record, S.SAYS_CONNECTED, 150.0, 151.0, RULES)
    assert (done.record.verdict, done.record.known_at, done.record.released_at) == (UP, 300.0, 151.0)
    assert done.change == Change("sales", "released", "reconnected", 151.0, 151.0, "open")


@pytest.mark.parametrize("before", [CLEAR, LOST])
def test_of_a_deleted_session_only_what_keeps_older_events_out_is_left(before: Known) -> None:
    record = replace(
        RECORDS[before], known_at=90.0, known_clock="/in", known_lag=20.0, alive_at=95.0, channel="Sales",
        gateway_said_at=99.0, confirmed=True, lags=(("/in", 20.0),), released=R.EXPIRED, released_at=50.0,
    )  # fmt: skip
    done = step_own(record, S.DELETED, 200.0, RULES)
    ended = (R.DELETED, 200.0) if before is LOST else (R.EXPIRED, 50.0)
    left = Record(
        "sales", known_at=200.0, heard_at=110.0, event="ev", confirmed=True, lags=(("/in", 20.0),),
        released=ended[0], released_at=ended[1], ended_at=200.0,
    )  # fmt: skip
    assert done.record == left
    assert step_own(replace(record, known_at=500.0), S.DELETED, 200.0, RULES).record.known_at == 520.0


def test_what_ended_is_never_turned_back_and_goes_by_the_senders_own_time() -> None:
    lost = RECORDS[LOST].override
    assert lost is not None
    later = replace(RECORDS[LOST], override=replace(lost, at=120.0, clock="/in", lag=-5.0), known_at=90.0)
    alive = Translated(Stamp(300.0, "/in", 3.0), Stamp(300.0, "/in", 3.0))
    for ended, expected in (
        (Stamp(119.0, "/in", 0.0), Stamp(120.0, "/in", -5.0)),
        (Stamp(121.0, "/in", -9.0), Stamp(121.0, "/in", -9.0)),
        (Stamp(114.0), Stamp(120.0, "/in", -5.0)),
        (Stamp(116.0), Stamp(116.0)),
    ):
        record = replace(later, ended_at=ended.at, ended_clock=ended.clock, ended_lag=ended.lag)
        assert step_signal(record, signal(ALIVE, 300.0), alive, 305.0, RULES).record.ended == expected
    evicted = replace(RECORDS[CLEAR], known_at=300.0, ended_at=500.0)
    assert step_own(evicted, S.DELETED, 200.0, RULES).record.ended == Stamp(500.0)


# Transient states


def connecting(at: float | None, grace: float = 90.0) -> Signal:
    return replace(signal(SignalKind.TRANSIENT, at), word="connecting", grace=grace)


def test_a_transient_state_that_goes_on_is_as_new_as_its_newest_signal() -> None:
    newer = Signal(SignalKind.TRANSIENT, "sales", 150.5, "status-find", "resuming", "id-2", grace=90.0)
    when = Translated(Stamp(150.5, "/in", 0.25), Stamp(150.5, "/in", 0.25))
    for before in (WAITING, LASTING):
        done = step_signal(before, newer, when, 151.0, RULES).record
        assert done.transient == replace(
            CONNECTING, at=150.5, clock="/in", lag=0.25, event="status-find", word="resuming"
        )
        if before.override is not None:
            assert done.override == replace(
                before.override, at=150.5, clock="/in", lag=0.25, event="status-find", word="resuming"
            )


def test_a_transient_state_is_noted_and_leaves_what_is_settled() -> None:
    when = Translated(Stamp(150.0, "/in", 3.0), Stamp(150.0, "/in", 2.0))
    done = step_signal(RECORDS[CLEAR], connecting(150.0), when, 155.0, RULES)
    begun = Transient(
        since=152.0, at=150.0, began=155.0, due=245.0, event="connection.update", word="connecting",
        clock="/in", lag=3.0,
    )  # fmt: skip
    assert done == Step(replace(RECORDS[CLEAR], transient=begun), None, True)


def test_its_repeats_put_nothing_off_and_the_newest_is_what_others_are_compared_with() -> None:
    later = step_signal(WAITING, connecting(170.0), Translated(Stamp(170.0), Stamp(170.0)), 171.0, RULES).record
    assert later.transient == replace(CONNECTING, at=170.0, event="connection.update")
    earlier = step_signal(later, connecting(130.0), Translated(Stamp(130.0), Stamp(130.0)), 175.0, RULES).record
    assert earlier.transient == replace(CONNECTING, since=130.0, at=170.0, event="connection.update")


def test_what_lasted_begins_an_override_with_its_own_word_from_its_first_signal_on() -> None:
    done = step_own(WAITING, S.LASTED, 232.0, RULES)
    begun = Override(since=140.0, at=150.0, began=232.0, event="ev", word="connecting", transient=True)
    expected = Change("sales", "started", "ev connecting", 140.0, 232.0, "open")
    assert done == Step(replace(WAITING, override=begun), expected, True)


def test_while_it_lasts_its_newest_signal_moves_on_and_evidence_stays() -> None:
    seen = step_answer(LASTING, S.CREATED, 240.0, 241.0, RULES).record
    done = step_signal(seen, connecting(250.0), Translated(Stamp(250.0), Stamp(250.0)), 251.0, RULES)
    standing = done.record.override
    assert standing is not None
    assert (standing.at, standing.began, standing.since, standing.caught_up) == (250.0, 232.0, 140.0, Evidence.CREATED)
    assert done.change is None


def test_a_disconnect_takes_the_place_of_what_lasted() -> None:
    done = step_signal(LASTING, signal(DOWN, 145.0), Translated(Stamp(145.0), Stamp(145.0)), 250.0, RULES)
    standing = done.record.override
    assert standing is not None
    assert (standing.word, standing.at, standing.began, standing.transient) == ("disc", 145.0, 250.0, False)
    assert done.record.shown_at == 240.0


# Other spellings of the same session


def test_of_several_spellings_the_latest_that_is_connected_gives_the_moment() -> None:
    kin = [RECORDS[LOST], *(Record(f"s{at}", UP, at) for at in (150.0, 170.0, 99.0, 160.0))]
    record, changes = step_kin(RECORDS[LOST], kin, 200.0, RULES)
    assert record == replace(
        RECORDS[LOST], override=None, released=R.CONNECTED_EVENT, released_at=200.0, shown_at=None, ended_at=100.0
    )
    assert changes == [Change("sales", "released", "connected-event", 170.0, 200.0, "open")]


def test_a_message_of_another_spelling_counts_where_none_is_known_to_be_connected() -> None:
    kin = [RECORDS[LOST], Record("a", alive_at=161.0), Record("b", DOWN, 500.0, alive_at=180.0)]
    record, changes = step_kin(RECORDS[LOST], kin, 200.0, RULES)
    assert (record.override, record.released) == (None, R.ALIVE)
    assert changes == [Change("sales", "released", "alive", 180.0, 200.0, "open")]


def test_what_other_spellings_knew_before_ends_nothing() -> None:
    kin = [RECORDS[LOST], Record("a", UP, 99.0, alive_at=160.0)]
    assert step_kin(RECORDS[LOST], kin, 200.0, RULES) == (RECORDS[LOST], [])


# Whatever is said


SETTLED = replace(LASTING, transient=None)
"""What is known is newer than the state that lasted, and did not end its override: a rule was off then."""

records = st.builds(
    lambda before, known_at, alive_at, lag, verdict: replace(
        before, known_at=known_at, alive_at=alive_at, known_lag=lag, verdict=verdict
    ),
    st.sampled_from([*RECORDS.values(), WAITING, LASTING, SETTLED]),
    st.sampled_from([0.0, 90.0, 100.0, 300.0]),
    st.sampled_from([0.0, 99.0, 161.0, 300.0]),
    st.sampled_from([0.0, -50.0, 400.0]),
    st.sampled_from([None, UP, DOWN]),
)
statements = st.builds(
    lambda said, at: (said, details(said, at)), st.sampled_from(Statement), st.sampled_from([50.0, 100.0, 110.0, 165.0])
)
some_rules = st.builds(lambda off: without(*off), st.sets(st.sampled_from(Release)))


@given(records, statements, some_rules)
def test_an_override_goes_only_with_a_change_that_names_a_rule_that_is_on(
    record: Record, statement: tuple[Statement, Details], rules: SessionRules
) -> None:
    done = step(record, *statement, rules)
    ended = record.override is not None and done.record.override is None
    assert ended is (done.change is not None and done.change.what == "released")
    if ended:
        assert done.change is not None
        assert done.change.reason in rules.releases
        assert (done.record.released, done.record.shown_at) == (done.change.reason, None)
    begun = record.override is None and done.record.override is not None
    assert begun is (done.change is not None and done.change.what == "started")


@given(records, st.lists(statements, max_size=6))
def test_with_every_rule_off_nothing_ends_an_override(record: Record, said: list[tuple[Statement, Details]]) -> None:
    overridden = record.override is not None
    for statement in said:
        record = step(record, *statement, without(*Release)).record
        overridden = overridden or (statement[0] is S.DISCONNECTED and record.override is not None)
        assert (record.override is not None) is overridden


@given(records, statements, some_rules)
def test_the_same_event_again_is_late(
    record: Record, statement: tuple[Statement, Details], rules: SessionRules
) -> None:
    once = step(record, *statement, rules)
    if statement[0] in EVENTS and once.applied:
        assert step(once.record, *statement, rules) == Step(once.record, None, False)


def test_a_transient_state_ends_by_a_newer_return_whose_delivery_took_hours_less() -> None:
    late, prompt = Stamp(150.0, "/in", 9_000.0), Stamp(200.0, "/in", 1.0)
    state = step_signal(Record("sales"), connecting(150.0), Translated(late, late), 9_150.0, RULES).record
    done = step_signal(state, signal(SignalKind.CONNECTED, 200.0), Translated(prompt, prompt), 9_151.0, RULES)
    assert (done.record.transient, done.record.known_at) == (None, 200.0)


def test_a_message_whose_delivery_took_hours_less_outlives_a_transient_state() -> None:
    late, prompt = Stamp(150.0, "/in", 9_000.0), Stamp(250.0, "/in", 1.0)
    state = step_signal(Record("sales"), connecting(150.0), Translated(late, late), 9_150.0, RULES).record
    alive = step_signal(state, signal(SignalKind.ALIVE, 250.0), Translated(prompt, prompt), 9_151.0, RULES).record
    assert step_own(alive, S.LASTED, 9_300.0, RULES).record.override is None
