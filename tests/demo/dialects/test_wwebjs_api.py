"""wwebjs-api in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.wwebjs_api import WWEBJS
from tests.demo.dialects.moment import answers, posted


def test_what_is_answered_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(WWEBJS, State.SCANNING) == {
        "GET /session/status/{session}": {"success": False, "state": None, "message": "session_not_connected"},
        "GET /session/getSessions": {"success": True, "result": ["sales"]},
        "GET /session/start/{session}": {"success": True, "message": "Session initiated successfully"},
        "GET /session/qr/{session}": {"success": True, "qr": "the code"},
    }


def test_what_is_answered_of_a_connected_session() -> None:
    assert answers(WWEBJS, State.CONNECTED) == {
        "GET /session/status/{session}": {"success": True, "state": "CONNECTED", "message": "session_connected"},
        "GET /session/getSessions": {"success": True, "result": ["sales"]},
        "GET /session/start/{session}": {"success": True, "message": "Session initiated successfully"},
        "GET /session/qr/{session}": {"success": False, "qr": None},
    }


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    assert posted(WWEBJS) == {
        State.RECONNECTING: [{"dataType": "change_state", "data": {"state": "TIMEOUT"}, "sessionId": "sales"}],
        State.LOST: [
            {"dataType": "change_state", "data": {"state": "UNPAIRED"}, "sessionId": "sales"},
            {"dataType": "disconnected", "data": {"reason": "LOGOUT"}, "sessionId": "sales"},
        ],
        State.CONNECTED: [
            {"dataType": "authenticated", "data": {}, "sessionId": "sales"},
            {"dataType": "change_state", "data": {"state": "CONNECTED"}, "sessionId": "sales"},
            {"dataType": "ready", "data": {}, "sessionId": "sales"},
        ],
    }
