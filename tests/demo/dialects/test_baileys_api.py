"""baileys-api in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.baileys_api import BAILEYS
from tests.demo.dialects.moment import answers, posted


def test_what_is_answered_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(BAILEYS, State.SCANNING) == {
        "GET /sessions": [{"id": "sales", "status": "wait_for_qrcode_auth"}],
        "DELETE /sessions/{session}": {"message": "Session deleted"},
        "POST /sessions/add": {"qr": "the code"},
    }


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    assert posted(BAILEYS) == {
        State.LOST: [
            {"sessionId": "sales", "event": "connection.update", "data": {"status": "disconected"}, "status": "success"}
        ],
        State.SCANNING: [
            {
                "sessionId": "sales",
                "event": "connection.update",
                "data": {"status": "wait_for_qrcode_auth"},
                "status": "success",
            }
        ],
        State.CONNECTED: [
            {"sessionId": "sales", "event": "connection.update", "data": {"status": "connected"}, "status": "success"}
        ],
    }
