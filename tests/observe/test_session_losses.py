"""How often and how long each session was lost: what Prometheus counts with never falls."""

import pytest

from statusproxy.observe import session_losses as module
from statusproxy.observe.session_losses import FLAP, SessionLosses
from statusproxy.status.model import EVICTED, FORGOTTEN, RELEASED, REPEATED, STARTED, Change, Override, Record, Release


def change(what: str, at: float, reason: str = "connected-event", session: str = "sales") -> Change:
    return Change(session, what, reason, at, at)


def lost(since: float, session: str = "sales") -> Record:
    return Record(session, override=Override(since, since, since, "status-find"))


def after(*changes: Change) -> SessionLosses:
    """The numbers after these changes, each heard when it happened."""
    losses = SessionLosses()
    for one in changes:
        losses.changed([one], one.at)
    return losses


def seen(losses: SessionLosses, record: Record, now: float) -> tuple[int, int, float]:
    """Losses, flaps and time lost at a look."""
    losses.look([record], now)
    totals = losses.of(record.session)
    return totals.losses, totals.flaps, losses.seconds(record.session)


def test_a_session_that_was_never_lost_has_zeros() -> None:
    assert seen(SessionLosses(), Record("sales"), 100.0) == (0, 0, 0.0)


def test_time_lost_grows_while_the_loss_lasts_and_stays_when_it_is_over() -> None:
    losses = after(change(STARTED, 100.0), change(REPEATED, 120.0))
    assert seen(losses, lost(100.0), 130.0) == (1, 0, 30)
    losses.changed([change(RELEASED, 200.0)], 200.0)
    assert seen(losses, Record("sales"), 900.0) == (1, 0, 100)


@pytest.mark.parametrize(("lasted", "flaps"), [(FLAP - 1, 1), (FLAP, 0)])
def test_a_loss_that_is_over_within_a_minute_is_a_flap(lasted: float, flaps: int) -> None:
    assert after(change(STARTED, 100.0), change(RELEASED, 100.0 + lasted)).of("sales").flaps == flaps


@pytest.mark.parametrize("reason", [Release.OPERATOR, Release.EXPIRED])
def test_a_loss_that_somebody_ended_by_hand_or_by_age_is_no_flap(reason: Release) -> None:
    losses = after(change(STARTED, 100.0), change(RELEASED, 101.0, reason.value))
    assert (losses.of("sales").losses, losses.of("sales").flaps) == (1, 0)


def test_an_event_that_comes_late_counts_from_when_it_happened() -> None:
    losses = SessionLosses()
    losses.changed([change(STARTED, 100.0)], 160.0)
    losses.changed([change(RELEASED, 140.0)], 200.0)
    assert seen(losses, Record("sales"), 200.0) == (1, 1, 40)


def test_time_that_was_told_is_not_taken_back_when_the_end_is_heard_late() -> None:
    losses = after(change(STARTED, 100.0))
    assert seen(losses, lost(100.0), 190.0) == (1, 0, 90)
    losses.changed([change(RELEASED, 140.0)], 200.0)
    assert seen(losses, Record("sales"), 210.0) == (1, 1, 90)


def test_an_event_dated_ahead_counts_from_now() -> None:
    losses = SessionLosses()
    losses.changed([change(STARTED, 130.0)], 100.0)
    assert seen(losses, lost(130.0), 110.0) == (1, 0, 10)


def test_a_loss_that_begins_again_without_an_end_is_one_stretch_of_time() -> None:
    losses = after(change(STARTED, 100.0), change(STARTED, 150.0), change(RELEASED, 200.0))
    assert seen(losses, Record("sales"), 200.0) == (2, 0, 100)


def test_what_was_lost_before_the_start_counts_from_the_start_and_is_neither_loss_nor_flap() -> None:
    losses = SessionLosses()
    losses.start([lost(1.0), Record("support")], 500.0)
    assert seen(losses, lost(1.0), 510.0) == (0, 0, 10)
    losses.changed([change(RELEASED, 520.0)], 520.0)
    assert seen(losses, Record("sales"), 900.0) == (0, 0, 20)


def test_what_a_store_gives_late_counts_from_the_start_as_well() -> None:
    losses = SessionLosses()
    losses.start([], 500.0)
    assert seen(losses, lost(1.0), 600.0) == (0, 0, 100)


def test_a_loss_and_a_return_that_another_proxy_heard_are_seen_at_the_next_look() -> None:
    losses = SessionLosses()
    losses.start([], 50.0)
    assert seen(losses, lost(100.0), 110.0) == (1, 0, 10)
    over = Record("sales", released=Release.CONNECTED_EVENT, released_at=130.0)
    assert seen(losses, over, 300.0) == (1, 1, 30)


def test_a_loss_that_a_message_ended_without_a_rule_ends_at_the_look() -> None:
    losses = after(change(STARTED, 100.0))
    assert seen(losses, Record("sales"), 180.0) == (1, 0, 80)


def test_an_end_without_a_beginning_counts_nothing() -> None:
    assert seen(after(change(RELEASED, 100.0)), Record("sales"), 200.0) == (0, 0, 0)


@pytest.mark.parametrize(("what", "reason"), [(FORGOTTEN, Release.OPERATOR.value), (RELEASED, EVICTED)])
def test_a_session_that_leaves_the_map_leaves_its_numbers(what: str, reason: str) -> None:
    losses = after(change(STARTED, 100.0), change(what, 110.0, reason))
    assert losses.of("sales").losses == 0


def test_a_session_that_left_the_map_unheard_leaves_its_numbers_at_the_next_look() -> None:
    losses = after(change(STARTED, 100.0))
    losses.look([], 200.0)
    assert losses.of("sales").losses == 0


def test_a_flood_of_made_up_sessions_takes_a_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 2)
    losses = after(
        change(STARTED, 1.0, session="a"), change(STARTED, 2.0, session="b"), change(RELEASED, 3.0, session="a"),
        change(STARTED, 4.0, session="c"),
    )  # fmt: skip
    assert [losses.of(session).losses for session in "abc"] == [1, 0, 1], "b changed longest ago"


def test_thousands_are_looked_at_some_at_a_time_each_as_it_is_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LOOKED_AT", 2)
    records = {name: lost(100.0, name) for name in "abcd"}
    losses = SessionLosses()
    losses.start(records.values(), 100.0)
    looking = losses.looking([*records, "gone"], records.get, 150.0)
    next(looking)
    assert losses.seconds("a") == 0, "up to the last look that is complete"
    records["d"] = Record("d", released_at=120.0)
    for _ in looking:
        pass
    assert [losses.seconds(name) for name in records] == [50, 50, 50, 20]


def test_a_look_that_ends_after_a_later_one_takes_no_time_back() -> None:
    record = lost(100.0)
    losses = SessionLosses()
    losses.start([record], 100.0)
    earlier = losses.looking(["sales"], {"sales": record}.get, 150.0)
    assert seen(losses, record, 160.0)[2] == 60
    for _ in earlier:
        pass
    assert losses.seconds("sales") == 60
