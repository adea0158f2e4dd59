"""What is refused: each reason has one text, and a code that the table of problems knows."""

from collections.abc import Callable

import pytest

from statusproxy.proxy.http1 import refusals
from statusproxy.proxy.http1.refusals import Refusal, RefusedError
from statusproxy.proxy.problems import PROBLEMS

NAMED = [value for value in vars(refusals).values() if isinstance(value, Refusal)]
WITH_NUMBERS: list[tuple[Callable[[], Refusal], str, str]] = [
    (lambda: refusals.target_too_long(8192), "target_too_long", "a target of more than 8192 bytes"),
    (lambda: refusals.head_too_large(65536), "head_too_large", "more than 65536 bytes of header fields"),
    (lambda: refusals.too_many_fields(100), "head_too_large", "more than 100 header fields"),
    (lambda: refusals.section_too_large("trailers"), "head_too_large", "trailers too large"),
    (lambda: refusals.too_many_lines(1000, "head"), "head_too_large", "more than 1000 lines in the head"),
    (lambda: refusals.answer_version("2.0"), "bad_request", "not an answer in HTTP/2.0"),
    (lambda: refusals.too_many_interim(128), "bad_request", "more than 128 interim answers"),
    (lambda: refusals.grammar(ValueError("Invalid method")), "bad_request", "Invalid method"),
]


TEXTS = {
    "EMPTY_LINES": "too many empty lines where a request should begin",
    "NO_METHOD": "no method where a request should begin",
    "METHOD_CASE": "a method in the wrong case",
    "METHOD_TOO_LONG": "a method of more than 64 bytes",
    "TARGET_FORM": "the target has no known form",
    "REQUEST_VERSION": "not HTTP/1.1 or HTTP/1.0",
    "REASON_PHRASE": "control characters in the reason",
    "HEAD_END": "the head does not end with an empty line",
    "HOST_INVALID": "an invalid Host",
    "HOST_ONCE": "exactly one Host is allowed",
    "LENGTH_TOO_LARGE": "a Content-Length of too many digits",
    "REQUEST_CODING": "a Transfer-Encoding other than chunked, or in HTTP/1.0",
    "ANSWER_CODING": "a Transfer-Encoding other than chunked",
    "CHUNK_END": "no line end after a chunk's data",
    "CHUNK_LINE": "an invalid chunk size or extension",
    "CHUNK_LINE_TOO_LONG": "a chunk's extensions are too long",
    "TOO_MANY_EXTENSIONS": "too many chunk extensions for too little body",
    "TRAILER": "an invalid trailer",
    "TRAILERS_TOO_LARGE": "trailers of more bytes or fields than a head may have",
}


def test_what_is_refused_is_told_in_these_words() -> None:
    told = {name: value.detail for name, value in vars(refusals).items() if isinstance(value, Refusal)}
    assert told == TEXTS


def test_no_two_reasons_have_the_same_text() -> None:
    texts = [refusal.detail for refusal in NAMED]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("refusal", NAMED, ids=lambda refusal: refusal.detail)
def test_a_reason_has_a_code_that_a_client_can_be_told(refusal: Refusal) -> None:
    assert refusal.code in PROBLEMS


@pytest.mark.parametrize(("refuse", "code", "detail"), WITH_NUMBERS)
def test_a_limit_is_named_with_its_number(refuse: Callable[[], Refusal], code: str, detail: str) -> None:
    assert refuse() == (code, detail)
    assert code in PROBLEMS


def test_the_error_says_what_the_refusal_says() -> None:
    error = RefusedError(refusals.HOST_ONCE)
    assert (str(error), error.refusal) == ("exactly one Host is allowed", refusals.HOST_ONCE)


def test_an_error_of_the_parser_and_the_refusal_behind_it_are_parted() -> None:
    refusal, error = refusals.head_too_large(1), ValueError("llhttp stops")
    cause = RefusedError(refusal)
    error.__context__, cause.__context__ = cause, error
    assert refusals.of_parser_error(error) is refusal
    assert {error.__context__, cause.__context__, cause.__traceback__} == {None}


def test_an_error_of_the_parser_alone_is_told_in_its_words() -> None:
    assert refusals.of_parser_error(ValueError("Invalid header")) == ("bad_request", "Invalid header")
