"""What an answer says of itself, read on the cautious side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status.answer_claims import MOST_MEMBERS, MOST_TEXT, claims_connected, failed, took_effect

WORDS = frozenset({"working"})


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "x"},
        {"a": [{"Error_Message": "x"}]},
        {"success": False},
        {"ok": "False"},
        {"code": 404},
        {"error": {"a": None}},
        {"error": {}},
        {"erro": "x"},
        {"success": 0},
        {"isSuccess": "no"},
        {"ok": "0"},
        {"success": "failed"},
        {"created": 0},
        {"status": 0},
        {"status": "0"},
        {"sucesso": "não"},
        {"result": "false"},
        {"result": False},
        {"status": "500"},
        {"code": "404 Not Found"},
        {"code": 0},
        {"code": "0"},
        {"success": True, "code": -1},
        {"failed": True},
        {"isError": 1},
        {"hasError": "true"},
    ],
)
def test_an_error_is_seen_wherever_it_stands(answer: object) -> None:
    assert failed(answer)
    assert not took_effect(answer, WORDS)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": None}, {"error": False}, {"error": 0}, {"error": ""}, {"error": "null"}, {"error": "None"},
        {"error": []}, {"failed": False}, {"isError": "no"}, {"hasError": None}, {"code": 200}, {"code": "200"},
        {"success": True, "code": 0}, {"status": "success", "code": "0"}, {"status": True},
        {"message": "an error occurred"}, {"errors": [None]},
    ],
)  # fmt: skip
def test_what_is_no_error_is_none(answer: object) -> None:
    assert not failed(answer)


@pytest.mark.parametrize(
    "text",
    ["Connected", "is now connected", "alreadyConnected", "logged in", "já conectado", "session exists already",
     "Session is open", "Client is ready", "Sessão ativa", "Canal existente", "canal conectado", "já conectada",
     "FAILED", "could not start", "Sessão não encontrada", "timed out"],
)  # fmt: skip
def test_a_text_that_speaks_of_a_failure_or_a_connection_leaves_doubt(text: str) -> None:
    assert not took_effect({"message": text}, WORDS)
    assert not took_effect({"data": {"details": [text]}}, WORDS)
    assert took_effect({"name": text}, WORDS)


@pytest.mark.parametrize(
    "text",
    ["started", "not connected", "disconnected", "not yet logged in", "não conectado", "desconectado", "QR is ready"],
)
def test_a_text_that_says_the_opposite_leaves_none(text: str) -> None:
    assert took_effect({"message": text}, WORDS)


@pytest.mark.parametrize(
    "answer",
    [
        {"state": "Working "},
        {"connectionStatus": "open"},
        {"logged_in": 1},
        {"online": "true"},
        {"already_there": True},
        {"channelStatus": "connected"},
        {"currentState": "ACTIVE"},
        {"situacao": "conectado"},
        {"session": "connected"},
        {"status": {"value": "CONNECTED"}},
        {"status": "ready"},
        {"status": "ativa"},
        {"isReady": True},
        {"ready": True},
        {"connected": 1.0},
        {"connected": "yes"},
    ],
)
def test_a_claim_of_being_connected_leaves_doubt(answer: object) -> None:
    assert not took_effect(answer, WORDS)


@pytest.mark.parametrize("name", ["warning", "info", "detail", "mensagem", "message"])
def test_texts_are_read_under_each_of_their_names(name: str) -> None:
    assert not took_effect({"success": True, name: "Session not found"}, WORDS)
    assert took_effect({"success": True, name: "Session not found, creating a new one"}, WORDS)


@pytest.mark.parametrize(
    "answer",
    [
        {"message": "Session not found, creating a new one"},
        {"success": True, "message": "Error: the session could not be created"},
        {"success": True, "message": "Session already created"},
        {"success": True, "message": "Session created, it is connected"},
        {"items": [{"success": True}], "message": "Session created. Not started"},
    ],
)
def test_a_failure_beside_a_beginning_leaves_doubt_without_a_clear_success(answer: object) -> None:
    assert not took_effect(answer, WORDS)


@pytest.mark.parametrize(
    ("answer", "claims"),
    [
        ({"connected": "yes"}, True),
        ({"status": "Working"}, True),
        ({"status": {"value": "UP"}}, True),
        ({"message": "já conectada"}, True),
        ({"message": "not connected"}, False),
        ({"message": "connected once the code is scanned"}, False),
        ({"message": "The code is ready"}, False),
        ({"status": "ready"}, False),
        ({"ready": True, "alreadyStarted": True}, False),
        ({"alreadyConnected": True}, True),
        ({"message": "x " * MOST_TEXT + "connected"}, False),
        ({"message": ["x " * 200] * 20}, False),
        ({"message": ["x " * 200] * 21}, True),
        ({"ids": [1] * (MOST_MEMBERS + 1)}, True),
    ],
)
def test_a_claim_beside_a_code_is_told_from_advice(answer: object, claims: bool) -> None:
    assert claims_connected(answer, {"up"}) is claims


def test_after_a_deletion_lists_tell_of_others_unless_they_hold_outcomes() -> None:
    other = [{"id": "support", "status": "connected", "message": "not found"}]
    assert took_effect({"success": True, "channels": other}, WORDS, lists_others=True)
    assert not took_effect({"success": True, "results": other}, WORDS, lists_others=True)
    assert not took_effect({"success": True, "channels": other}, WORDS)


def test_beside_a_deletion_the_session_is_described_as_it_was() -> None:
    answer = {"deleted": True, "channel": {"status": "connected"}}
    assert took_effect(answer, WORDS, lists_others=True)
    assert not took_effect(answer, WORDS)
    assert not took_effect({**answer, "deleted": []}, WORDS, lists_others=True)
    assert not took_effect({"success": True, "deleted": []}, WORDS, lists_others=True)


def test_long_texts_are_not_believed() -> None:
    assert took_effect({"message": "done " * (MOST_TEXT // 5)}, WORDS)
    assert not took_effect({"message": ["done " * (MOST_TEXT // 10)] * 3}, WORDS)


def test_an_answer_with_too_many_members_is_not_believed() -> None:
    assert took_effect({"ids": [1] * (MOST_MEMBERS - 1)}, WORDS)
    assert not took_effect({"ids": [1] * (MOST_MEMBERS + 1)}, WORDS)
    assert failed({"ids": [1] * (MOST_MEMBERS + 1)})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["error", "status", "data", "message"]), inner)
    ),
)


@given(JSON)
def test_what_failed_took_no_effect(answer: object) -> None:
    if failed(answer):
        assert not took_effect(answer, WORDS)
