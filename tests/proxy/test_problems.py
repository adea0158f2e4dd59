"""The proxy's own answers, as the hub reads them."""

import json

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


def test_503_says_when_to_come_again_and_405_what_is_served() -> None:
    for problem in PROBLEMS.values():
        if problem.status == 503:
            assert b"\r\nRetry-After: 1\r\n" in error_answer(problem, "", "en", close=True)
    assert b"\r\nAllow: GET, " in error_answer(PROBLEMS["method_not_allowed"], "", "en", close=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_webhook_that_failed_on_its_way_to_the_hub_does_not_blame_the_gateway(language: Language) -> None:
    for code, problem in PROBLEMS.items():
        if problem.hop == "gateway":
            document = json.loads(error_body(problem, "", language, "hub"))
            assert "gateway" not in document["error"].lower()
            assert document["hop"] == "hub"
            assert document["error_code"] == code.replace("gateway_", "hub_")


def test_what_is_a_4xx_for_others_and_passes_is_a_503_for_a_webhooks_sender() -> None:
    assert {PROBLEMS[code].status for code in FOR_SENDERS} == {408}
    assert {PROBLEMS[code].status for code in FOR_SENDERS.values()} == {503}


def test_statuses_are_those_the_hub_s_monitor_knows() -> None:
    statuses = {code: problem.status for code, problem in PROBLEMS.items()}
    assert {statuses[code] for code in statuses if code.startswith("gateway_")} == {502, 504}
    assert 401 not in statuses.values()
