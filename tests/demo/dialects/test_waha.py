"""WAHA in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.waha import WAHA
from tests.demo.dialects.moment import answers, posted


def test_what_is_answered_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(WAHA, State.SCANNING) == {
        "GET /api/sessions": [{"name": "sales", "status": "SCAN_QR_CODE", "me": None}],
        "POST /api/sessions/{session}/restart": {"name": "sales", "status": "STARTING"},
        "GET /api/{session}/auth/qr": {"mimetype": "image/png", "data": "the code"},
    }


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    assert posted(WAHA) == {
        State.RECONNECTING: [
            {
                "id": "evt_7_0",
                "timestamp": 1768478400250,
                "event": "session.status",
                "session": "sales",
                "payload": {"name": "sales", "status": "STARTING"},
                "engine": "NOWEB",
            }
        ],
        State.LOST: [
            {
                "id": "evt_7_0",
                "timestamp": 1768478400250,
                "event": "session.status",
                "session": "sales",
                "payload": {"name": "sales", "status": "FAILED"},
                "engine": "NOWEB",
            }
        ],
        State.SCANNING: [
            {
                "id": "evt_7_0",
                "timestamp": 1768478400250,
                "event": "session.status",
                "session": "sales",
                "payload": {"name": "sales", "status": "STARTING"},
                "engine": "NOWEB",
            },
            {
                "id": "evt_7_1",
                "timestamp": 1768478400250,
                "event": "session.status",
                "session": "sales",
                "payload": {"name": "sales", "status": "SCAN_QR_CODE"},
                "engine": "NOWEB",
            },
        ],
        State.CONNECTED: [
            {
                "id": "evt_7_0",
                "timestamp": 1768478400250,
                "event": "session.status",
                "session": "sales",
                "payload": {"name": "sales", "status": "WORKING"},
                "engine": "NOWEB",
            }
        ],
    }
