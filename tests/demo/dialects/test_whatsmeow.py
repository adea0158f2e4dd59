"""wuzapi and evolution-go in the demonstration: what it answers and what it posts."""

from statusproxy.demo.dialect import State
from statusproxy.demo.dialects.whatsmeow import EVOLUTION_GO, WUZAPI
from tests.demo.dialects.moment import answers, posted


def test_what_wuzapi_answers_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(WUZAPI, State.SCANNING) == {
        "GET /admin/users": {
            "code": 200,
            "data": [{"id": "1", "name": "sales", "connected": False, "loggedIn": False, "token": "token-of-sales"}],
            "success": True,
        },
        "POST /session/connect": {"code": 200, "data": {}, "success": True},
        "GET /session/qr": {"code": 200, "data": {"QRCode": "the code"}, "success": True},
    }


def test_what_wuzapi_posts_as_a_session_comes_to_each_state() -> None:
    assert posted(WUZAPI) == {
        State.RECONNECTING: [{"type": "Disconnected", "event": {}}],
        State.LOST: [{"type": "LoggedOut", "event": {}}],
        State.CONNECTED: [{"type": "Connected", "event": {}}],
    }


def test_what_evolution_go_answers_of_a_session_that_waits_to_be_scanned() -> None:
    assert answers(EVOLUTION_GO, State.SCANNING) == {
        "GET /instance/all": {
            "message": "success",
            "data": [
                {
                    "id": "0b7c2a52-0000-4000-8000-000000000001",
                    "name": "sales",
                    "connected": False,
                    "token": "token-of-sales",
                }
            ],
        },
        "POST /instance/connect": {"message": "success", "data": {}},
        "GET /instance/qr": {"message": "success", "data": {"Qrcode": "the code", "Code": "2@example"}},
    }


def test_what_evolution_go_posts_as_a_session_comes_to_each_state() -> None:
    assert posted(EVOLUTION_GO) == {
        State.RECONNECTING: [
            {
                "event": "Disconnected",
                "data": {},
                "instanceId": "0b7c2a52-0000-4000-8000-000000000001",
                "instanceName": "sales",
                "instanceToken": "token-of-sales",
            }
        ],
        State.LOST: [
            {
                "event": "LoggedOut",
                "data": {},
                "instanceId": "0b7c2a52-0000-4000-8000-000000000001",
                "instanceName": "sales",
                "instanceToken": "token-of-sales",
            }
        ],
        State.CONNECTED: [
            {
                "event": "Connected",
                "data": {},
                "instanceId": "0b7c2a52-0000-4000-8000-000000000001",
                "instanceName": "sales",
                "instanceToken": "token-of-sales",
            }
        ],
    }
