"""Evolution API in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.evolution_api import EVOLUTION_V1, EVOLUTION_V2
from tests.demo.dialects.moment import answers, posted


def test_what_evolution_v2_answers_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(EVOLUTION_V2, State.SCANNING) == {
        "GET /instance/fetchInstances": [
            {"id": "i-sales", "name": "sales", "connectionStatus": "connecting", "token": "token-of-sales"}
        ],
        "DELETE /instance/logout/{session}": {
            "status": "SUCCESS",
            "error": False,
            "response": {"message": "Instance logged out"},
        },
        "GET /instance/connect/{session}": {"pairingCode": None, "code": "2@example", "base64": "the code", "count": 1},
    }


def test_what_is_posted_as_a_session_comes_to_each_state() -> None:
    # The time is local, three hours behind, and claims to be UTC.
    assert posted(EVOLUTION_V2) == {
        State.RECONNECTING: [
            {
                "event": "connection.update",
                "instance": "sales",
                "data": {"instance": "sales", "state": "connecting", "statusReason": 200},
                "date_time": "2026-01-15T09:00:00.250Z",
                "server_url": "http://evolution.example",
                "apikey": None,
            },
            {
                "event": "connection.update",
                "instance": "sales",
                "data": {"instance": "sales", "state": "connecting", "statusReason": 200},
                "date_time": "2026-01-15T09:00:00.250Z",
                "server_url": "http://evolution.example",
                "apikey": None,
            },
        ],
        State.CLOSED: [
            {
                "event": "connection.update",
                "instance": "sales",
                "data": {"instance": "sales", "state": "close", "statusReason": 401},
                "date_time": "2026-01-15T09:00:00.250Z",
                "server_url": "http://evolution.example",
                "apikey": None,
            }
        ],
        State.SCANNING: [
            {
                "event": "qrcode.updated",
                "instance": "sales",
                "data": {"instance": "sales", "qrcode": {"base64": "the code"}},
                "date_time": "2026-01-15T09:00:00.250Z",
                "server_url": "http://evolution.example",
                "apikey": None,
            }
        ],
        State.CONNECTED: [
            {
                "event": "connection.update",
                "instance": "sales",
                "data": {"instance": "sales", "state": "open", "statusReason": 200},
                "date_time": "2026-01-15T09:00:00.250Z",
                "server_url": "http://evolution.example",
                "apikey": None,
            }
        ],
    }


def test_what_evolution_v1_answers_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(EVOLUTION_V1, State.SCANNING) == {
        "GET /instance/fetchInstances": [{"instance": {"instanceName": "sales", "status": "connecting"}}],
        "DELETE /instance/logout/{session}": {
            "status": "SUCCESS",
            "error": False,
            "response": {"message": "Instance logged out"},
        },
        "GET /instance/connect/{session}": {"pairingCode": None, "code": "2@example", "base64": "the code", "count": 1},
    }


def test_both_versions_post_the_same() -> None:
    assert posted(EVOLUTION_V1) == posted(EVOLUTION_V2)
