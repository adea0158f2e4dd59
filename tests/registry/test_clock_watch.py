"""The system's clock set: told once for each time, by how much, and not for the drift of a healthy clock."""

import pytest

from statusproxy.clock import OwnClock
from statusproxy.registry.clock_watch import ClockWatch
from statusproxy.registry.stored_ages import StoredAges
from statusproxy.status.clocks import Written
from statusproxy.status.doubtful_age import SETTLING
from statusproxy.status.model import Override, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind

NOW = 10_000.0
OVERRIDE = Override(since=9_000.0, at=9_000.0, began=9_000.0, event="close")
LOST = Record(
    "sales", SignalKind.DISCONNECTED, 9_000.0, heard_at=9_000.0, override=OVERRIDE, lags=(("/in 10.0.0.9", 5.0),)
)


class Stage:
    """A map, and a watch of its clock, which reads `NOW` and began with the boot at 4000."""

    def __init__(self, boot: str | None = None) -> None:
        self.sessions = SessionMap()
        clock = OwnClock(lambda: NOW, lambda: NOW - 4_000.0)
        self.watch = ClockWatch(self.sessions, StoredAges(clock, boot))

    def look(self, shift: float, now: float = NOW) -> None:
        self.watch.look(now, now + shift)

    @property
    def sales(self) -> Record:
        [record] = self.sessions.records()
        return record

    @property
    def began(self) -> float:
        assert self.sales.override is not None
        return self.sales.override.began


@pytest.mark.parametrize("shift", [0.0, 59.9, -59.9])
def test_a_clock_that_drifts_was_not_set(shift: float, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.watch.load([LOST], NOW)
    stage.look(shift)
    assert stage.sales.lags == LOST.lags
    assert caplog.messages == []


@pytest.mark.parametrize(("shift", "told"), [(60.0, "+60 s"), (-60.0, "-60 s"), (7200.5, "+7200 s")])
def test_a_clock_that_jumps_was_set(shift: float, told: str, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    stage.watch.load([LOST], NOW)
    stage.look(shift)
    assert stage.sales.lags == (), "what was learned of the senders' clocks is void"
    assert stage.began == 9_000.0
    assert caplog.messages == [f"the system clock was moved by {told}; corrections do not depend on it"]
    assert caplog.records[0].__dict__["moved"] == shift


def test_each_jump_is_told_once_from_where_the_clock_was_before(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    for shift in (3600.0, 3600.0, 3630.0, 0.0, 0.0, -3600.0):
        stage.look(shift)
    assert [record.__dict__["moved"] for record in caplog.records] == [3600.0, -3600.0, -3600.0]


def test_small_steps_that_add_up_to_a_minute_are_a_jump(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    for shift in (-30.0, -59.0, -61.0, -62.0):
        stage.look(shift)
    assert [record.__dict__["moved"] for record in caplog.records] == [-61.0]


def test_stored_records_are_taken_over_as_old_as_the_even_clock_tells(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage("one")
    stored = Record("sales", heard_at=9_000.0, lags=LOST.lags, written=Written("one", 3_900.0))
    assert [record.heard_at for record in stage.watch.load([stored], NOW)] == [9_100.0]
    assert (stage.sales.heard_at, stage.sales.lags) == (9_100.0, ())
    assert caplog.messages == ["the system clock was moved by +100 s; corrections do not depend on it"]


@pytest.mark.parametrize(("moved", "told"), [(60.0, 1), (-60.0, 1), (59.0, 0)])
def test_a_clock_that_was_set_by_a_minute_while_we_did_not_run_was_set(
    moved: float, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage("one")
    stage.watch.load([Record("sales", heard_at=9_000.0, lags=LOST.lags, written=Written("one", 4_000.0 - moved))], NOW)
    assert (len(caplog.messages), stage.sales.lags == ()) == (told, told == 1)


def test_where_the_clock_was_ahead_at_the_start_what_was_stored_before_is_younger() -> None:
    stage = Stage("two")
    stage.watch.load([LOST], NOW)
    stage.look(-800.0, NOW + 10)
    assert stage.began == 9_800.0
    stage.look(-8_000.0, NOW + 20)
    assert stage.began == NOW, "but not younger than the start"


@pytest.mark.parametrize(("shift", "later"), [(800.0, 10.0), (-800.0, SETTLING)])
def test_a_clock_that_was_behind_or_is_set_late_makes_nothing_younger(shift: float, later: float) -> None:
    stage = Stage("two")
    stage.watch.load([LOST], NOW)
    stage.look(shift, NOW + later)
    assert stage.began == 9_000.0
