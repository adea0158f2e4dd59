"""wppconnect-server in the demonstration: what it answers and what it posts."""

from typing import Any

import pytest

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.wppconnect_server import WPPCONNECT
from tests.demo.dialects.moment import answers, posted


def test_what_is_answered_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(WPPCONNECT, State.SCANNING) == {
        "GET /api/{session}/status-session": {
            "status": "QRCODE",
            "qrcode": "the code",
            "urlcode": "",
            "version": "2.10.4",
        },
        "GET /api/{session}/check-connection-session": {"status": False, "message": "Disconnected"},
        "GET /api/{secret}/show-all-sessions": {"response": ["sales"]},
        "POST /api/{session}/start-session": {
            "status": "QRCODE",
            "qrcode": "the code",
            "urlcode": "",
            "version": "2.10.4",
        },
        "POST /api/{session}/close-session": {"status": True, "message": "Session successfully closed"},
        "GET /api/{session}/qrcode-session": {"status": "QRCODE", "qrcode": "the code"},
    }


@pytest.mark.parametrize(
    ("state", "noted", "live"),
    [
        (State.CONNECTED, "CONNECTED", {"status": True, "message": "Connected"}),
        (State.LOST, "CONNECTED", {"status": False, "message": "Disconnected"}),
        (State.CLOSED, "CLOSED", {"status": False, "message": "Disconnected"}),
    ],
)
def test_the_live_answer_is_right_where_the_noted_one_is_stale(state: State, noted: str, live: dict[str, Any]) -> None:
    said = answers(WPPCONNECT, state)
    assert said["GET /api/{session}/status-session"]["status"] == noted
    assert said["GET /api/{session}/check-connection-session"] == live


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    assert posted(WPPCONNECT) == {
        State.LOST: [{"event": "status-find", "status": "browserClose", "session": "sales"}],
        State.CLOSED: [
            {"event": "status-find", "status": "browserClose", "session": "sales"},
            {"event": "closesession", "session": "sales", "message": "Session: closed", "connected": False},
        ],
        State.CONNECTED: [
            {"event": "status-find", "status": "qrReadSuccess"},
            {"event": "status-find", "status": "inChat"},
        ],
    }
