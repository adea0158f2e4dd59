"""What errors and answers mean for an event."""

import pytest

from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.outcomes import NOT_TAKEN, QUEUED, of_answer, of_error, retry_after
from statusproxy.proxy.ports import Attempt
from statusproxy.proxy.problems import PROBLEMS
from statusproxy.proxy.upstream.errors import UpstreamError

pytestmark = pytest.mark.divisible

NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT

REASONS = {
    "gateway_unreachable": "not-sent",
    "gateway_name_unknown": "not-sent",
    "gateway_tls_failed": "not-sent",
    "gateway_connect_slow": "not-sent",
    "overloaded": "not-sent",
    "gateway_closed": "no-answer",
    "gateway_timeout": "no-answer",
    "gateway_bad_answer": "no-answer",
}


@pytest.mark.parametrize("code", PROBLEMS)
def test_each_error_says_whether_the_event_was_sent_or_nothing_of_the_receiver(code: str) -> None:
    attempt = of_error(UpstreamError(code, "because"))
    if code in REASONS:
        assert attempt == (REASONS[code], None, None, f"{code}: because")
    else:
        assert attempt is None


def test_every_error_of_the_gateway_is_in_the_table() -> None:
    assert {code for code, problem in PROBLEMS.items() if problem.hop == "gateway"} | {"overloaded"} == REASONS.keys()


def test_an_answer_says_whether_the_event_was_taken() -> None:
    assert of_answer(ResponseHead(200, b""), NOW) == Attempt("delivered", 200)
    assert of_answer(ResponseHead(204, b""), NOW) == Attempt("delivered", 204)
    assert of_answer(ResponseHead(299, b""), NOW) == Attempt("delivered", 299)
    assert of_answer(ResponseHead(300, b""), NOW) == Attempt("refused", 300, None, "status 300")
    assert of_answer(ResponseHead(304, b""), NOW) == Attempt("refused", 304, None, "status 304")
    answer = ResponseHead(429, b"", headers=[(b"retry-after", b"7")])
    assert of_answer(answer, NOW) == Attempt("refused", 429, 7.0, "status 429")
    assert {429, 502, 503, 504} == NOT_TAKEN


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (b"0", None, 0.0),
        (b"120", None, 120.0),
        (b"9" * 9, None, 999_999_999.0),
        (b"9" * 400, None, 1e9),
        (b"-1", None, None),
        (b"1.5", None, None),
        (b"soon", None, None),
        (b"", None, None),
        (b"\xb2", None, None),
        (b"Sun, 06 Nov 1994 08:50:37 GMT", None, 60.0),
        (b"Sun, 06 Nov 1994 08:50:37 GMT", b"Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        (b"Sun, 06 Nov 1994 08:50:37 GMT", b"never", 60.0),
        (b"Sun, 06 Nov 1994 08:48:37 GMT", None, 0.0),
        (b"Sun, 06 Nov 1994 08:50:37 -0000", None, 60.0),
        (b"Sun, 06 Nov 1994 10:50:37 +0200", None, 60.0),
        (b"Sun, 36 Nov 1994 08:50:37 GMT", None, None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(value: bytes, date: bytes | None, seconds: float | None) -> None:
    headers = [(b"Retry-After", value)] + ([] if date is None else [(b"Date", date)])
    assert retry_after(headers, NOW) == seconds


def test_without_retry_after_nothing_is_asked() -> None:
    assert retry_after([(b"Date", b"Sun, 06 Nov 1994 08:50:07 GMT")], NOW) is None


def test_an_event_that_was_not_tried_is_queued() -> None:
    assert Attempt("queued") == QUEUED
