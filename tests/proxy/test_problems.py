"""The proxy's own answers, as the hub reads them."""

import json
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from statusproxy.proxy.problems import FOR_SENDERS, PROBLEMS, Language, error_answer, error_body

LANGUAGES: tuple[Language, ...] = ("en", "pt-BR")

#: Problems after which the request may have reached the gateway, so that a text may have been delivered.
PERHAPS_DELIVERED = {
    "gateway_closed",
    "gateway_bad_answer",
    "gateway_timeout",
    "request_body_too_slow",
    "webhook_body_too_slow",
}

#: What clients read of each: status line, the hop that failed, and the text in both languages.
TOLD: dict[str, tuple[bytes, str, str, str]] = {
    "bad_request": (
        b"400 Bad Request", "client",
        "The request is not valid HTTP.",
        "A requisição não é HTTP válido.",
    ),
    "method_not_allowed": (
        b"405 Method Not Allowed", "client",
        "The proxy does not serve this method.",
        "O proxy não atende este método.",
    ),
    "tap_not_found": (
        b"404 Not Found", "client",
        "Only POST of events is accepted at this address.",
        "Este endereço aceita apenas POST de eventos.",
    ),
    "request_head_too_slow": (
        b"408 Request Timeout", "client",
        "The head of the request did not arrive in time; nothing was forwarded.",
        "O cabeçalho da requisição não chegou a tempo; nada foi encaminhado.",
    ),
    "request_body_too_slow": (
        b"408 Request Timeout", "client",
        "The body of the request arrived too slowly, so the request was given up (timeout).",
        "O corpo da requisição chegou devagar demais e a requisição foi abandonada (timeout).",
    ),
    "request_body_incomplete": (
        b"408 Request Timeout", "client",
        "The body of the request did not arrive in time; nothing was forwarded.",
        "O corpo da requisição não chegou a tempo; nada foi encaminhado.",
    ),
    "webhook_body_too_slow": (
        b"503 Service Unavailable", "client",
        "The body of the event arrived too slowly, so the request was given up (timeout).",
        "O corpo do evento chegou devagar demais e a requisição foi abandonada (timeout).",
    ),
    "webhook_body_incomplete": (
        b"503 Service Unavailable", "client",
        "The body of the event did not arrive in time; nothing was forwarded.",
        "O corpo do evento não chegou a tempo; nada foi encaminhado.",
    ),
    "client_gone": (
        b"499 Client Closed Request", "client",
        "The client left before its answer was complete.",
        "O cliente desconectou antes de receber a resposta completa.",
    ),
    "body_too_large": (
        b"413 Content Too Large", "client",
        "The body of the request is larger than the proxy accepts.",
        "O corpo da requisição é maior do que o proxy aceita.",
    ),
    "target_too_long": (
        b"414 URI Too Long", "client",
        "The address of the request is too long.",
        "O endereço da requisição é longo demais.",
    ),
    "head_too_large": (
        b"431 Request Header Fields Too Large", "client",
        "The header fields of the request are too large or too many.",
        "Os cabeçalhos da requisição são grandes ou numerosos demais.",
    ),
    "internal": (
        b"500 Internal Server Error", "proxy",
        "The proxy itself failed on this request.",
        "O próprio proxy falhou nesta requisição.",
    ),
    "loop": (
        b"508 Loop Detected", "proxy",
        "The request keeps coming back to the proxy: an address that it forwards to leads here again.",
        "A requisição volta sempre ao proxy: um endereço para onde ele encaminha leva de novo para cá.",
    ),
    "gateway_unreachable": (
        b"502 Bad Gateway", "gateway",
        "The gateway cannot be reached: it refuses connections or is not running. The request was not sent.",
        "Não foi possível conectar ao gateway: ele recusa conexões ou não está em execução. A requisição não foi enviada.",  # noqa: E501
    ),
    "gateway_name_unknown": (
        b"502 Bad Gateway", "gateway",
        "The gateway's host name cannot be resolved. The request was not sent.",
        "O nome do host do gateway não pôde ser resolvido. A requisição não foi enviada.",
    ),
    "gateway_tls_failed": (
        b"502 Bad Gateway", "gateway",
        "No secure connection to the gateway could be made. The request was not sent.",
        "Não foi possível estabelecer conexão segura com o gateway. A requisição não foi enviada.",
    ),
    "gateway_closed": (
        b"502 Bad Gateway", "gateway",
        "The gateway closed the connection without an answer; the request may have arrived (treat as a timeout).",
        "O gateway fechou a conexão sem responder; a requisição pode ter chegado (tratar como timeout).",
    ),
    "gateway_bad_answer": (
        b"502 Bad Gateway", "gateway",
        "The gateway's answer is not valid HTTP; the request has arrived (treat as a timeout).",
        "A resposta do gateway não é HTTP válido; a requisição chegou (tratar como timeout).",
    ),
    "gateway_connect_slow": (
        b"504 Gateway Timeout", "gateway",
        "The gateway did not accept the connection in time. The request was not sent.",
        "O gateway não aceitou a conexão a tempo. A requisição não foi enviada.",
    ),
    "gateway_timeout": (
        b"504 Gateway Timeout", "gateway",
        "The gateway did not answer in time (timeout); the request may have arrived.",
        "O gateway não respondeu a tempo (timeout); a requisição pode ter chegado.",
    ),
    "not_kept": (
        b"502 Bad Gateway", "proxy",
        "Earlier events still wait for their receiver, and this one could not be queued behind them. It was not sent.",
        "Eventos anteriores ainda aguardam o destino e este não pôde ser guardado atrás deles. Ele não foi enviado.",
    ),
    "overloaded": (
        b"503 Service Unavailable", "proxy",
        "The proxy has reached its limit of open connections. The request was not sent.",
        "O proxy atingiu o limite de conexões abertas. A requisição não foi enviada.",
    ),
}  # fmt: skip


def test_every_problem_has_its_status_its_hop_and_its_words() -> None:
    told = {}
    for code, problem in PROBLEMS.items():
        status = error_answer(problem, "", "en", close=False).partition(b"\r\n")[0].removeprefix(b"HTTP/1.1 ")
        english, portuguese = (json.loads(error_body(problem, "", language)) for language in LANGUAGES)
        assert english["hop"] == portuguese["hop"]
        told[code] = (status, english["hop"], english["error"], portuguese["error"])
    assert told == TOLD


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_is_json_with_a_text_for_people_and_the_request_s_id(code: str, language: Language) -> None:
    document = json.loads(error_body(PROBLEMS[code], "id-1", language))
    assert document["success"] is False
    assert isinstance(document["error"], str)
    assert document["error"]
    assert (document["error_code"], document["request_id"]) == (code, "id-1")
    assert document["hop"] in {"client", "proxy", "gateway"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", PROBLEMS)
def test_timeout_is_said_only_where_the_request_may_have_reached_the_gateway(code: str, language: Language) -> None:
    said = b"timeout" in error_body(PROBLEMS[code], "", language).lower()
    assert said == (code in PERHAPS_DELIVERED)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", PROBLEMS)
def test_no_text_can_be_booked_as_a_lost_session(code: str, language: Language) -> None:
    text = error_body(PROBLEMS[code], "", language).lower()
    assert not (b"session" in text and b"disconnect" in text)


@pytest.mark.parametrize("code", PROBLEMS)
def test_an_answer_is_whole_dated_json_that_nobody_keeps(code: str) -> None:
    head, _, body = error_answer(PROBLEMS[code], "id-1", "pt-BR", close=True).partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % PROBLEMS[code].status)
    assert b"Content-Type: application/json; charset=utf-8" in lines
    assert b"Content-Length: %d" % len(body) in lines
    assert b"Cache-Control: no-store" in lines
    assert b"X-Request-Id: id-1" in lines
    assert b"Connection: close" in lines
    assert any(line.startswith(b"Date: ") for line in lines)
    assert not body.startswith(b"<")


def test_head_gets_the_head_alone() -> None:
    whole = error_answer(PROBLEMS["internal"], "i", "en", close=False)
    assert error_answer(PROBLEMS["internal"], "i", "en", close=False, head_only=True) == whole[: whole.index(b"{")]
    assert b"Connection" not in whole


def test_an_answer_byte_by_byte_but_for_its_date() -> None:
    answer = error_answer(PROBLEMS["overloaded"], "é\u20ac", "pt-BR", close=True)
    body = (
        '{"success":false,"error":"O proxy atingiu o limite de conexões abertas. A requisição não foi enviada.",'
        '"error_code":"overloaded","hop":"proxy","request_id":"é\u20ac"}'
    ).encode()
    date = next(line for line in answer.split(b"\r\n") if line.startswith(b"Date: "))
    said = date.removeprefix(b"Date: ").decode()
    assert format_datetime(parsedate_to_datetime(said), usegmt=True) == said
    assert answer == (
        b"HTTP/1.1 503 Service Unavailable\r\n%b\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\nCache-Control: no-store\r\nX-Request-Id: \xe9?\r\nRetry-After: 1\r\n"
        b"Connection: close\r\n\r\n%b"
    ) % (date, len(body), body)


@pytest.mark.parametrize("code", PROBLEMS)
def test_only_503_says_when_to_come_again_and_only_405_what_is_served(code: str) -> None:
    lines = error_answer(PROBLEMS[code], "", "en", close=False).split(b"\r\n")
    said = [line for line in lines if line.startswith((b"Retry-After", b"Allow"))]
    assert said == {
        "overloaded": [b"Retry-After: 1"],
        "webhook_body_too_slow": [b"Retry-After: 1"],
        "webhook_body_incomplete": [b"Retry-After: 1"],
        "method_not_allowed": [b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"],
    }.get(code, [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_webhook_that_failed_on_its_way_to_the_hub_does_not_blame_the_gateway(language: Language) -> None:
    receiver = {"en": "he webhook's receiver", "pt-BR": "destino do webhook"}[language]
    blamed = {"en": "he gateway", "pt-BR": "gateway"}[language]
    for code, problem in PROBLEMS.items():
        if problem.hop == "gateway":
            gateway, hub = (json.loads(error_body(problem, "", language, hop)) for hop in (None, "hub"))
            assert "gateway" not in hub["error"].lower()
            assert hub["error"] == gateway["error"].replace(blamed, receiver)
            assert hub["hop"] == "hub"
            assert hub["error_code"] == code.replace("gateway_", "hub_")


def test_what_is_a_4xx_for_others_and_passes_is_a_503_for_a_webhooks_sender() -> None:
    assert {PROBLEMS[code].status for code in FOR_SENDERS} == {408}
    assert {PROBLEMS[code].status for code in FOR_SENDERS.values()} == {503}


def test_statuses_are_those_the_hub_s_monitor_knows() -> None:
    statuses = {code: problem.status for code, problem in PROBLEMS.items()}
    assert {statuses[code] for code in statuses if code.startswith("gateway_")} == {502, 504}
    assert 401 not in statuses.values()
