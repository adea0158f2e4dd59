"""Watched routes: a QR code and a create are evidence, connected counts after it, and a deletion forgets."""

import pytest

from statusproxy.status.model import Record, Release
from statusproxy.status.sessions import SessionMap
from tests.status.maps import ALIVE, DOWN, UP, down, hear, override, reasons, record


@pytest.mark.parametrize(("evidence", "name"), [("qr_seen", "qr"), ("created", "created")])
def test_a_qr_code_and_a_new_session_show_that_the_gateway_has_caught_up(evidence: str, name: str) -> None:
    sessions = down("sales")
    assert getattr(sessions.watched, evidence)("sales", 200.0, 201.0) == ()
    assert override(sessions, "sales").caught_up == name
    assert reasons(sessions.watched.said_connected("sales", 202.0, 203.0)) == [("sales", "released", "reconnected")]


def test_after_reconnected_an_older_disconnect_is_late() -> None:
    sessions = down("sales")
    sessions.watched.created("sales", 150.0, 151.0)
    sessions.watched.said_connected("sales", 160.0, 161.0)
    assert record(sessions, "sales").verdict is UP
    assert hear(sessions, "sales", DOWN, at=160.5, arrival=170.0) == "late"
    assert hear(sessions, "sales", DOWN, at=162.0, arrival=170.0) == "applied"


def test_connected_of_a_session_without_override_changes_nothing() -> None:
    sessions = down("support")
    hear(sessions, "sales", UP, at=100.0)
    assert sessions.watched.said_connected("sales", 200.0, 201.0) == ()
    assert sessions.watched.qr_seen("sales", 200.0, 201.0) == ()


def test_deleting_forgets_what_is_known_and_leaves_an_older_disconnect_late() -> None:
    sessions = down("sales")
    hear(sessions, "sales", ALIVE, at=120.0)
    changes = sessions.watched.deleted("sales", 150.0, 151.0)
    assert reasons(changes) == [("sales", "released", "deleted")]
    assert record(sessions, "sales") == Record(
        "sales",
        known_at=151.0,
        heard_at=120.0,
        event="ev",
        released=Release.DELETED,
        released_at=151.0,
        lags=(("", 0.0),),
        ended_at=151.0,
        first_heard=100.0,
    )
    assert hear(sessions, "sales", DOWN, at=151.0, arrival=160.0) == "late"
    assert hear(sessions, "sales", DOWN, arrival=161.0) == "applied"


def test_a_disconnect_reported_while_the_session_is_deleted_is_forgotten_with_it() -> None:
    sessions = down("sales", at=100.0)
    assert sessions.watched.deleted("sales", 99.0, 101.0) != ()


def test_deleting_never_turns_back_what_is_settled() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", DOWN, at=300.0, arrival=100.0)  # a sender whose clock is ahead
    sessions.watched.deleted("sales", 150.0, 151.0)
    assert hear(sessions, "sales", DOWN, at=299.0, arrival=152.0) == "late"


def test_deleting_a_session_without_override_is_no_change_of_its_history() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=100.0)
    assert sessions.watched.deleted("sales", 150.0, 151.0) == ()
    assert record(sessions, "sales").verdict is None


def test_deleting_a_session_never_heard_of_leaves_nothing() -> None:
    sessions = SessionMap()
    assert sessions.watched.deleted("sales", 150.0, 151.0) == ()
    assert sessions.records() == []
