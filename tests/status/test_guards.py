"""Where a row of the table applies: each question at its boundary."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from statusproxy.status import guards
from statusproxy.status.clocks import Stamp
from statusproxy.status.model import Evidence, Override, Record, SessionRules, Transient
from statusproxy.status.signals import Signal, SignalKind
from statusproxy.status.statements import Details

RULES = SessionRules(alive_grace=60.0)
ROUTE = "/api/channels"
CLEAR = Record("sales", SignalKind.CONNECTED, 100.0, alive_at=50.0)
OVERRIDE = Override(since=90.0, at=100.0, began=110.0, event="ev")
LOST = replace(CLEAR, verdict=SignalKind.DISCONNECTED, override=OVERRIDE)
STATE = Transient(since=140.0, at=150.0, began=142.0, due=232.0, event="ev")
WAITING = replace(CLEAR, transient=STATE)
LASTING = replace(WAITING, override=replace(OVERRIDE, transient=True))
SETTLED = replace(LASTING, transient=None, override=replace(OVERRIDE, at=150.0, transient=True))
CAUGHT_UP = replace(LOST, override=replace(OVERRIDE, caught_up=Evidence.LIST, seen_on=((ROUTE, 120.0),)))

Guard = Callable[[Record, Details, SessionRules], bool]


def event(kind: SignalKind, at: float) -> Details:
    return Details(at + 1.0, Stamp(at), Stamp(at), Signal(kind, "sales", at, "ev", None, None))


def moment(at: float) -> Details:
    return Details(at, Stamp(at))


def asked(at: float, source: str | None = ROUTE) -> Details:
    return Details(at + 1.0, Stamp(at + 1.0), asked_at=at, source=source)


DOWN, UP, ALIVE, TRANSIENT = SignalKind.DISCONNECTED, SignalKind.CONNECTED, SignalKind.ALIVE, SignalKind.TRANSIENT
CASES: list[tuple[Guard, Record, Details, bool]] = [
    (guards.always, CLEAR, moment(0.0), True),

    (guards.is_late, CLEAR, event(DOWN, 99.0), True),
    (guards.is_late, CLEAR, event(DOWN, 100.0), True),  # Connected wins
    (guards.is_late, CLEAR, event(DOWN, 100.1), False),
    (guards.is_late, CLEAR, event(UP, 100.0), True),  # the same again
    (guards.is_late, LOST, event(UP, 100.0), False),  # Connected wins
    (guards.is_late, LOST, event(UP, 99.9), True),
    (guards.is_late, LOST, event(DOWN, 100.0), True),  # the same again
    (guards.is_late, LOST, event(DOWN, 100.1), False),

    (guards.is_no_newer, CLEAR, event(ALIVE, 50.0), True),
    (guards.is_no_newer, CLEAR, event(ALIVE, 50.1), False),

    (guards.outlives, CLEAR, event(ALIVE, 500.0), False),  # no override
    (guards.outlives, LOST, event(ALIVE, 160.0), False),  # within the grace
    (guards.outlives, LOST, event(ALIVE, 160.1), True),
    (guards.outlives, LOST, replace(event(ALIVE, 160.1), doubted_at=111.0), False),  # its age is in doubt

    (guards.outlives_state, LOST, event(ALIVE, 160.1), False),  # no transient state
    (guards.outlives_state, SETTLED, event(ALIVE, 210.0), False),  # within the grace
    (guards.outlives_state, SETTLED, event(ALIVE, 210.1), True),

    (guards.is_outlived, replace(LOST, alive_at=161.0), event(DOWN, 101.0), False),  # within the grace
    (guards.is_outlived, replace(LOST, alive_at=161.1), event(DOWN, 101.0), True),

    (guards.is_outdated, CLEAR, event(TRANSIENT, 100.0), True),  # the others win
    (guards.is_outdated, CLEAR, event(TRANSIENT, 100.1), False),
    (guards.is_outdated, WAITING, event(TRANSIENT, 150.0), True),  # a repeat
    (guards.is_outdated, WAITING, event(TRANSIENT, 140.0), True),
    (guards.is_outdated, WAITING, event(TRANSIENT, 139.9), False),  # the run began earlier
    (guards.is_outdated, WAITING, event(TRANSIENT, 150.1), False),  # the run goes on

    (guards.is_transient, CLEAR, moment(200.0), False),
    (guards.is_transient, LOST, moment(200.0), False),
    (guards.is_transient, LASTING, moment(200.0), True),

    (guards.is_earlier, LOST, event(UP, 101.0), False),  # no transient state
    (guards.is_earlier, LASTING, event(UP, 149.9), True),
    (guards.is_earlier, LASTING, event(UP, 150.0), False),
    (guards.is_earlier, SETTLED, event(UP, 149.9), True),
    (guards.is_earlier, SETTLED, event(UP, 150.0), False),

    (guards.is_due, CLEAR, moment(500.0), False),  # no transient state
    (guards.is_due, WAITING, moment(231.9), False),
    (guards.is_due, WAITING, moment(232.0), True),

    (guards.was_outlived, replace(WAITING, alive_at=500.0), moment(231.9), False),  # not due
    (guards.was_outlived, replace(WAITING, alive_at=210.0), moment(232.0), False),  # within the grace
    (guards.was_outlived, replace(WAITING, alive_at=210.1), moment(232.0), True),

    (guards.is_as_new, CLEAR, moment(200.0), False),  # no override
    (guards.is_as_new, LOST, moment(99.9), False),
    (guards.is_as_new, LOST, moment(100.0), True),

    (guards.asked_since, CLEAR, asked(200.0), False),  # no override
    (guards.asked_since, LOST, asked(109.9), False),
    (guards.asked_since, LOST, asked(110.0), True),

    (guards.shows_loss, LOST, asked(109.9), False),
    (guards.shows_loss, LOST, asked(110.0), True),
    (guards.shows_loss, LASTING, asked(200.0), False),  # may be an old code

    (guards.is_fresh, CLEAR, asked(200.0), False),  # no override
    (guards.is_fresh, LOST, asked(200.0), False),  # no evidence
    (guards.is_fresh, CAUGHT_UP, asked(119.9), False),
    (guards.is_fresh, CAUGHT_UP, asked(120.0), True),
    (guards.is_fresh, CAUGHT_UP, asked(200.0, "/other"), False),  # evidence of another route
]  # fmt: skip


@pytest.mark.parametrize(("guard", "record", "details", "holds"), CASES)
def test_a_row_applies_from_its_boundary_on(guard: Guard, record: Record, details: Details, holds: bool) -> None:
    assert guard(record, details, RULES) is holds


def test_every_guard_is_asked() -> None:
    public = {value for name, value in vars(guards).items() if getattr(value, "__module__", "") == guards.__name__}
    assert {guard for guard, *_ in CASES} == public
