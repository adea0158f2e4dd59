"""How often and how long each session was lost: what Prometheus counts with never falls."""

import pytest

from statusproxy.observe import session_losses as module
from statusproxy.observe.session_losses import FLAP, SessionLosses
from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, REPEATED, STARTED, Change, Override, Record, Release


def change(what: str, at: float, reason: str = "connected-event", session: str = "sales") -> Change:
    return Change(session, what, reason, at, at)


def after(*changes: Change) -> SessionLosses:
    """The numbers after these changes, each heard when it happened."""
    losses = SessionLosses()
    for one in changes:
        losses.changed([one], one.at)
    return losses


def test_a_session_that_was_never_lost_has_zeros() -> None:
    totals = SessionLosses().of("sales")
    assert (totals.losses, totals.flaps, totals.lost_seconds(5.0)) == (0, 0, 0.0)


def test_time_lost_grows_while_the_loss_lasts_and_stays_when_it_is_over() -> None:
    assert after(change(STARTED, 100.0)).of("sales").lost_seconds(130.0) == 30
    losses = after(change(STARTED, 100.0), change(REPEATED, 150.0), change(RELEASED, 200.0))
    assert (losses.of("sales").losses, losses.of("sales").lost_seconds(900.0)) == (1, 100)


@pytest.mark.parametrize(("lasted", "flaps"), [(FLAP - 1, 1), (FLAP, 0)])
def test_a_loss_that_is_over_within_a_minute_is_a_flap(lasted: float, flaps: int) -> None:
    assert after(change(STARTED, 100.0), change(RELEASED, 100.0 + lasted)).of("sales").flaps == flaps


@pytest.mark.parametrize("reason", [Release.OPERATOR, Release.EXPIRED])
def test_a_loss_that_somebody_ended_by_hand_or_by_age_is_no_flap(reason: Release) -> None:
    losses = after(change(STARTED, 100.0), change(RELEASED, 101.0, reason.value))
    assert (losses.of("sales").losses, losses.of("sales").flaps) == (1, 0)


def test_an_event_that_comes_late_counts_from_when_it_happened_and_the_end_from_when_it_is_heard() -> None:
    losses = SessionLosses()
    losses.changed([change(STARTED, 100.0)], 160.0)
    assert losses.of("sales").lost_seconds(160.0) == 60
    losses.changed([change(RELEASED, 140.0)], 200.0)
    assert losses.of("sales").lost_seconds(200.0) == 100, "it never falls: a scrape may have told of 99 s already"


def test_an_event_dated_ahead_counts_from_now() -> None:
    losses = SessionLosses()
    losses.changed([change(STARTED, 130.0)], 100.0)
    assert losses.of("sales").lost_seconds(110.0) == 10


def test_a_loss_that_begins_again_without_an_end_is_one_stretch_of_time() -> None:
    losses = after(change(STARTED, 100.0), change(STARTED, 150.0), change(RELEASED, 200.0))
    assert (losses.of("sales").losses, losses.of("sales").lost_seconds(200.0)) == (2, 100)


def test_what_was_lost_before_the_start_counts_from_the_start_and_is_neither_loss_nor_flap() -> None:
    losses = SessionLosses()
    losses.take_over([Record("sales", override=Override(1.0, 1.0, 1.0, "e")), Record("support")], 500.0)
    assert losses.of("sales").lost_seconds(510.0) == 10
    losses.changed([change(RELEASED, 520.0)], 520.0)
    assert (losses.of("sales").losses, losses.of("sales").flaps, losses.of("sales").lost_seconds(900.0)) == (0, 0, 20)
    assert losses.of("support").since is None


def test_an_end_without_a_beginning_counts_nothing() -> None:
    assert after(change(RELEASED, 100.0)).of("sales").lost_seconds(200.0) == 0


@pytest.mark.parametrize(("what", "reason"), [(FORGOTTEN, Release.OPERATOR.value), (RELEASED, EVICTED)])
def test_a_session_that_leaves_the_map_leaves_its_numbers(what: str, reason: str) -> None:
    losses = after(change(STARTED, 100.0), change(what, 110.0, reason))
    assert losses.of("sales").losses == 0


def test_a_flood_of_made_up_sessions_takes_a_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    losses = after(
        change(STARTED, 1.0, session="a"), change(STARTED, 2.0, session="b"), change(RELEASED, 3.0, session="a"),
        change(STARTED, 4.0, session="c"),
    )  # fmt: skip
    assert [losses.of(session).losses for session in "abc"] == [1, 0, 1], "b changed longest ago"
