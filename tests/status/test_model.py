"""The values: their moments on each clock, and from when on an answer is fresh."""

import pytest

from statusproxy.status import model
from statusproxy.status.clocks import Stamp
from statusproxy.status.model import Evidence, Override, Record, Release, SessionRules, Transient


def test_a_record_tells_its_moments_with_whose_clock_they_are_of() -> None:
    record = Record(
        "sales", known_at=5.0, known_clock="/in", known_lag=2.0, alive_at=7.0, alive_clock="/out", alive_lag=-1.0
    )
    assert (record.known, record.alive) == (Stamp(5.0, "/in", 2.0), Stamp(7.0, "/out", -1.0))
    override = Override(since=1.0, at=2.0, began=3.0, event="ev", clock="/in", lag=4.0)
    assert override.stamp == Stamp(2.0, "/in", 4.0)


def test_of_a_transient_state_what_is_not_stored_is_our_own_clock() -> None:
    state = Transient(since=1.0, at=2.0, began=3.0, due=93.0, event="ev")
    assert (state.word, state.stamp) == (None, Stamp(2.0, None, 0.0))
    assert Transient(1.0, 2.0, 3.0, 93.0, "ev", "connecting", "/in", 4.0).stamp == Stamp(2.0, "/in", 4.0)
    assert not Override(since=1.0, at=2.0, began=3.0, event="ev").transient


@pytest.mark.parametrize(
    ("caught_up", "live", "other", "none"),
    [
        (None, None, None, None),
        (Evidence.LIST, 8.0, None, None),
        (Evidence.QR, 9.0, 9.0, 9.0),
        (Evidence.CREATED, 9.0, 9.0, 9.0),
    ],
)
def test_evidence_of_a_list_makes_its_route_fresh_and_other_evidence_all(
    caught_up: Evidence | None, live: float | None, other: float | None, none: float | None
) -> None:
    seen_on = (("/old", 7.0), ("/live", 8.0)) if caught_up else ()
    override = Override(1.0, 2.0, 3.0, "ev", caught_up=caught_up, caught_up_at=9.0, seen_on=seen_on)
    assert [override.fresh_from(source) for source in ("/live", "/other", None)] == [live, other, none]


def test_the_words_that_are_stored_and_shown_stay() -> None:
    assert [*Evidence] == ["list", "qr", "created"]
    assert [*Release] == ["connected-event", "reconnected", "deleted", "alive", "operator", "expired"]


def test_what_a_stored_row_leaves_out_and_a_rule_that_is_not_set_have_their_defaults() -> None:
    assert Record("sales") == Record(
        session="sales", verdict=None, known_at=0.0, alive_at=0.0, heard_at=0.0, event=None, override=None,
        channel=None, gateway_said=None, gateway_said_at=None, released=None, released_at=None, confirmed=False,
        known_clock=None, known_lag=0.0, alive_clock=None, alive_lag=0.0, lags=(), shown_at=None, written=None,
    )  # fmt: skip
    assert Override(since=1.0, at=2.0, began=3.0, event="ev") == Override(
        since=1.0, at=2.0, began=3.0, event="ev", word=None, event_id=None, caught_up=None, caught_up_at=None,
        clock=None, lag=0.0, seen_on=(),
    )  # fmt: skip
    assert SessionRules() == SessionRules(
        aliases={}, alive_grace=60.0, max_age=None, max_sessions=10_000, releases=frozenset(Release)
    )


def test_changes_have_the_words_that_the_history_and_the_admin_listener_use() -> None:
    words = (model.STARTED, model.REPEATED, model.RELEASED, model.FORGOTTEN, model.EVICTED)
    assert words == ("started", "repeated", "released", "forgotten", "evicted")


def test_connected_is_fresh_in_an_answer_asked_for_once_the_gateway_knows_and_never_before() -> None:
    unseen = Override(1.0, 2.0, 3.0, "ev")
    seen = Override(1.0, 2.0, 3.0, "ev", caught_up=Evidence.QR, caught_up_at=9.0)
    assert [seen.is_fresh(None, asked_at) for asked_at in (8.9, 9.0, 10.0)] == [False, True, True]
    assert not unseen.is_fresh(None, 10.0)


def test_a_record_tells_up_to_when_every_disconnect_is_over() -> None:
    assert Record("sales", ended_at=5.0, ended_clock="/in", ended_lag=2.0).ended == Stamp(5.0, "/in", 2.0)


def test_the_results_of_a_reading_are_named_as_metrics_and_log_lines_show_them() -> None:
    results = (model.APPLIED, model.LATE, model.DUPLICATE, model.UNCHANGED)
    assert results == ("applied", "late", "duplicate", "unchanged")
