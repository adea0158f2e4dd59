"""OpenWA in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.openwa import OPENWA
from tests.demo.dialects.moment import answers, posted


def test_what_is_answered_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(OPENWA, State.SCANNING) == {
        "GET /api/sessions": [{"id": "s1", "name": "sales", "status": "qr_ready"}],
        "POST /api/sessions/{session}/start": {"id": "s1", "name": "sales", "status": "qr_ready"},
        "GET /api/sessions/{session}/qr": {"qrCode": "the code", "status": "qr_ready"},
    }


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    assert posted(OPENWA) == {
        State.RECONNECTING: [
            {
                "event": "session.status",
                "timestamp": "2026-01-15T12:00:00.250Z",
                "sessionId": "s1",
                "idempotencyKey": "key_7_0",
                "data": {"sessionId": "s1", "status": "initializing"},
            }
        ],
        State.LOST: [
            {
                "event": "session.status",
                "timestamp": "2026-01-15T12:00:00.250Z",
                "sessionId": "s1",
                "idempotencyKey": "key_7_0",
                "data": {"sessionId": "s1", "status": "disconnected"},
            }
        ],
        State.SCANNING: [
            {
                "event": "session.status",
                "timestamp": "2026-01-15T12:00:00.250Z",
                "sessionId": "s1",
                "idempotencyKey": "key_7_0",
                "data": {"sessionId": "s1", "status": "qr_ready"},
            }
        ],
        State.CONNECTED: [
            {
                "event": "session.status",
                "timestamp": "2026-01-15T12:00:00.250Z",
                "sessionId": "s1",
                "idempotencyKey": "key_7_0",
                "data": {"sessionId": "s1", "status": "authenticating"},
            },
            {
                "event": "session.status",
                "timestamp": "2026-01-15T12:00:00.250Z",
                "sessionId": "s1",
                "idempotencyKey": "key_7_1",
                "data": {"sessionId": "s1", "status": "ready"},
            },
        ],
    }
