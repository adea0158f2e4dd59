"""What an answer says of itself, read on the cautious side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.status import answer_claims
from statusproxy.status.answer_claims import MOST_TEXT, MOST_VALUES, claims_connected, failed, took_effect

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
        ({"ids": [1] * MOST_VALUES}, True),
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


@pytest.mark.parametrize("deleted", [{}, {"deleted": None}, {"success": True, "deleted": None}, {"success": True}])
def test_what_describes_a_session_counts_where_no_deletion_is_told(deleted: dict[str, object]) -> None:
    assert not took_effect({**deleted, "channel": {"status": "connected"}}, WORDS, lists_others=True)


def test_long_texts_are_not_trusted() -> None:
    assert took_effect({"message": "done " * (MOST_TEXT // 5)}, WORDS)
    assert not took_effect({"message": ["done " * (MOST_TEXT // 10)] * 3}, WORDS)


def test_an_answer_with_too_many_members_is_not_trusted() -> None:
    assert took_effect({"ids": [1] * (MOST_VALUES - 1)}, WORDS)
    assert not took_effect({"ids": [1] * MOST_VALUES}, WORDS)
    assert failed({"ids": [1] * MOST_VALUES})
    assert failed([{str(number): 1 for number in range(MOST_VALUES)}])


@pytest.mark.parametrize("empty", [[], {}, [[]]])
def test_an_answer_of_very_many_empty_containers_is_not_walked(empty: object, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[object] = []

    class Counted(answer_claims._Member):
        def __new__(cls, *fields: object) -> "Counted":
            walked.append(fields)
            return super().__new__(cls, *fields)  # type: ignore[arg-type]

    monkeypatch.setattr(answer_claims, "_Member", Counted)
    answer = {"qr": "", "x": [empty] * 87_000}
    assert failed(answer)
    assert claims_connected(answer, WORDS)
    assert not took_effect(answer, WORDS)
    assert len(walked) <= 3 * MOST_VALUES


def test_very_many_short_texts_are_not_trusted_either() -> None:
    assert took_effect({"message": ["done"] * (MOST_TEXT // 16)}, WORDS)
    assert not took_effect({"message": ["done"] * (MOST_TEXT // 16 + 1)}, WORDS)
    assert claims_connected({"message": ["done"] * (MOST_TEXT // 16 + 1)}, WORDS)


# Every name and word by itself, in the languages that gateways write


NO_WORDS: frozenset[str] = frozenset()


def each(text: str) -> pytest.MarkDecorator:
    """One case for each word of the text."""
    return pytest.mark.parametrize("word", text.split())


@each(
    "status state connection connectionStatus connectionState sessionStatus sessionState channelStatus channelState "
    "instanceStatus instanceState currentStatus currentState situacao situação estado"
)
def test_a_status_is_read_under_each_of_its_names(word: str) -> None:
    assert claims_connected({word: "connected"}, NO_WORDS)
    assert claims_connected({word: {"value": "connected"}}, NO_WORDS)
    assert not took_effect({word: "connected"}, NO_WORDS)
    assert not took_effect({word: "could not start"}, NO_WORDS)


@each("value name current label")
def test_a_status_may_be_an_object_that_holds_the_word(word: str) -> None:
    assert claims_connected({"status": {word: "connected"}}, NO_WORDS)
    assert not claims_connected({word: "connected"}, NO_WORDS)
    assert not claims_connected({"status": {"other": "connected"}}, NO_WORDS)


@each(
    "message msg detail details reason info result response description text title data code statusMessage warning "
    "warnings notice mensagem detalhe detalhes motivo descricao descrição aviso"
)
def test_a_text_is_read_under_each_of_its_names(word: str) -> None:
    assert not took_effect({word: "could not start"}, NO_WORDS)
    assert took_effect({word: "begun"}, NO_WORDS)


@each(
    "error errors err errorMessage error_code exception erro erros mensagem_erro mensagemDeErro failed isFailed "
    "failure isError hasError hasErrors falhou"
)
def test_a_failure_is_seen_under_each_of_its_names(word: str) -> None:
    assert failed({word: "x"})
    assert failed({word: True})
    assert not failed({word: None})
    assert not failed({word: "0"})
    assert not failed({word: ""})


@each("0 false null none no undefined")
def test_an_error_that_is_none_is_written_in_many_ways(word: str) -> None:
    assert not failed({"error": f" {word.upper()} "})


@each("success isSuccess successful succeeded ok isOk sucesso status")
def test_a_success_makes_a_code_of_0_none(word: str) -> None:
    assert not failed({word: True, "code": 0})
    assert not failed({word: "true", "code": "0"})
    assert failed({word: "x", "code": 0})
    assert failed({word: False})
    assert failed({"items": [{word: True}], "code": 0})


@each("success ok sucesso true 1 yes sim")
def test_a_success_is_written_in_many_ways(word: str) -> None:
    assert not failed({"status": word, "code": 0})


@each("created isCreated started isStarted criado criada deleted isDeleted removed deletedCount removedCount excluido "
      "excluído removido deletado")  # fmt: skip
def test_what_was_not_done_failed(word: str) -> None:
    assert failed({word: False})
    assert failed({word: "failed"})
    assert not failed({word: 1})


@each("deleted isDeleted removed deletedCount removedCount excluido excluído removido deletado")
def test_a_deletion_under_each_of_its_names_describes_the_session_as_it_was(word: str) -> None:
    answer = {word: 1, "channel": {"status": "connected"}}
    assert took_effect(answer, NO_WORDS, lists_others=True)
    assert not took_effect({**answer, word: []}, NO_WORDS, lists_others=True)
    assert not took_effect({word: 1, "status": "connected"}, NO_WORDS, lists_others=True)


@each("channel session instance canal sessao sessão instancia instância")
def test_after_a_deletion_the_session_is_described_under_each_of_its_names(word: str) -> None:
    answer = {"deleted": True, word: {"details": {"status": "connected"}}}
    assert took_effect(answer, NO_WORDS, lists_others=True)
    assert not took_effect({"deleted": True, "other": answer[word]}, NO_WORDS, lists_others=True)


@each("results result resultados deleted removed")
def test_a_list_of_outcomes_tells_of_this_session(word: str) -> None:
    assert not took_effect({"success": True, word: [{"status": "connected"}]}, NO_WORDS, lists_others=True)
    assert took_effect({"success": True, "left": [{"status": "connected"}]}, NO_WORDS, lists_others=True)
    assert not took_effect({"success": True, "left": ["Session"], "status": ["connected"]}, NO_WORDS, lists_others=True)


@each("status statusCode code httpCode httpStatus")
def test_a_code_is_an_error_from_400_on(word: str) -> None:
    codes: list[object] = [-1, 0, 1, 200, 399, 400, 599, 400.5, "399", "400", " 500 x", "600", "4000", True, None]
    told = [failed({word: code}) for code in codes]
    assert told == [True, True, False, False, False, True, True, True, False, True, True, False, False, False, False]


@each("true 1 1.0 yes y on sim s")
def test_a_flag_is_set_in_many_ways(word: str) -> None:
    assert claims_connected({"isConnected": f" {word.upper()} "}, NO_WORDS)


@each("false 0 0.0 no n off não nao none")
def test_a_flag_is_unset_in_many_ways(word: str) -> None:
    assert failed({"success": f" {word.upper()} "})
    assert not claims_connected({"isConnected": word}, NO_WORDS)


@each(
    "connected isConnected loggedIn isLoggedIn is-logged online is_online authenticated isAuthenticated isReady "
    "conectado conectada jaConectado jaConectada alreadyConnected"
)
def test_a_flag_claims_a_connection_under_each_of_its_names(word: str) -> None:
    assert claims_connected({word: True}, NO_WORDS)
    assert not took_effect({word: True}, NO_WORDS)
    assert not claims_connected({word: False}, NO_WORDS)
    assert took_effect({word: False}, NO_WORDS)


@pytest.mark.parametrize("name", ["logged in", "Is Connected", "is_logged-in"])
def test_members_are_compared_without_spaces_too(name: str) -> None:
    assert claims_connected({name: True}, NO_WORDS)
    assert claims_connected({"session": "Logged In"}, NO_WORDS)


@each("ready active isActive already already_there")
def test_a_flag_that_may_be_said_of_the_code_claims_nothing_beside_one(word: str) -> None:
    assert not claims_connected({word: True}, NO_WORDS)
    assert not took_effect({word: True}, NO_WORDS)


@each("connected open online inChat isLogged logged_in authenticated working conectado conectada")
def test_a_state_that_is_surely_connected_is_a_claim(word: str) -> None:
    assert claims_connected({"status": word}, NO_WORDS)
    assert claims_connected({"session": word}, NO_WORDS)
    assert not took_effect({"status": word}, NO_WORDS)
    assert not took_effect({"session": word}, NO_WORDS)


@each("ready active ativa ativo activa activo existente existing exists existe pronto pronta aberto aberta")
def test_a_state_that_may_be_said_of_the_code_claims_nothing_beside_one(word: str) -> None:
    assert not claims_connected({"status": word}, NO_WORDS)
    assert not took_effect({"status": word}, NO_WORDS)
    assert not took_effect({"message": f"x {word}"}, NO_WORDS)
    assert took_effect({"message": f"not {word} logged"}, NO_WORDS)


@each("not no never isn without cannot não nao nunca sem")
def test_a_connection_is_denied_by_each_of_these_words(word: str) -> None:
    for text, denied in (("{} connected", True), ("{} a b connected", True), ("{} a b c connected", False)):
        assert claims_connected({"message": text.format(word)}, NO_WORDS) is not denied
        assert took_effect({"message": text.format(word)}, NO_WORDS) is denied


@each("not no never isn without cannot não nao nunca sem")
def test_what_else_is_denied_is_a_failure(word: str) -> None:
    for text, fails in (("{} x", True), ("{} logged", False), ("{} a b logged", False), ("{} a b c logged", True)):
        assert took_effect({"message": text.format(word)}, NO_WORDS) is not fails


@each("already já ja ya")
def test_what_was_there_already_leaves_doubt(word: str) -> None:
    assert not took_effect({"success": True, "message": f"Session started, it was {word} there"}, NO_WORDS)


@each("qr qrcode scan scanning escaneie")
def test_what_is_said_of_the_code_claims_nothing(word: str) -> None:
    assert took_effect({"message": f"{word} open"}, NO_WORDS)
    assert not claims_connected({"message": f"{word} connected"}, NO_WORDS)


@each("escala escandinavia qe")
def test_a_word_that_is_no_word_for_the_code_hides_no_claim(word: str) -> None:
    assert not took_effect({"message": f"{word} open"}, NO_WORDS)
    assert claims_connected({"message": f"{word} connected"}, NO_WORDS)


@each("started starting created creating iniciada iniciado iniciando criada criado criando")
def test_a_failure_beside_a_beginning_is_its_reason(word: str) -> None:
    assert took_effect({"success": True, "message": f"Session not found ({word})"}, NO_WORDS)
    assert not took_effect({"success": True, "message": f"Session not {word}"}, NO_WORDS)
    assert not took_effect({"success": True, "message": f"Not found ({word})"}, NO_WORDS, lists_others=True)


@each(
    "error failed erro falhou invalid inválido unauthorized denied deny forbidden refused rejected unable couldn "
    "timeout timed aborted crashed conflict exception missing unavailable unsuccessful"
)
def test_a_failure_is_told_by_many_words(word: str) -> None:
    assert not took_effect({"message": word.upper()}, NO_WORDS)


@each("connected disconnected unconnected notconnected nonconnected desconectado naoconectado nãoconectada loggedIn "
      "logado conectado sessionconnected connecteds xloggedin")  # fmt: skip
def test_a_word_says_connected_as_a_whole_and_not_if_it_says_the_opposite(word: str) -> None:
    says = word in ("connected", "loggedIn", "logado", "conectado", "sessionconnected")
    assert claims_connected({"message": word}, NO_WORDS) is says


def test_logged_in_is_said_in_two_words_that_follow_each_other() -> None:
    for text, says in (("logged in", True), ("you are logged in", True), ("in logged", False), ("logged x in", False),
                       ("in", False), ("not logged in", False)):  # fmt: skip
        assert claims_connected({"message": text}, NO_WORDS) is says


def test_a_state_is_read_in_short_texts_only() -> None:
    assert not took_effect({"message": "a b c d e open"}, NO_WORDS)
    assert took_effect({"message": "a b c d e f open"}, NO_WORDS)


def test_a_long_text_beside_a_code_is_a_code_itself() -> None:
    for length, claims in ((500, True), (501, False)):
        assert claims_connected({"message": "connected".ljust(length)}, NO_WORDS) is claims


def test_a_bare_value_is_read_like_a_message_or_a_success() -> None:
    values: list[object] = ["connected", "begun", True, False, 1, 0, [], ["connected"], [False]]
    told = [took_effect(value, NO_WORDS) for value in values]
    assert told == [False, True, True, False, True, False, True, True, False]


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
