"""What an error or answer means for an event that was sent: one table for the first attempt and for later ones.

| outcome | the attempt was |
| --- | --- |
| no connection, or no place for one | `not-sent` |
| the connection ended or the time ran out before an answer, or the answer is not valid HTTP | `no-answer` |
| 2xx | `delivered` |
| any other answer | `refused` |
| the client's fault, or an error of the proxy itself | none of these |
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Headers, first
from statusproxy.proxy.ports import Attempt
from statusproxy.proxy.upstream.errors import UNREACHED, UpstreamError

#: Answers to a direct attempt by which the receiver says that it does not take the event now. All others are its own
#: word for the sender, and passed on.
NOT_TAKEN: Final = frozenset({429, 502, 503, 504})

#: Nothing was tried.
QUEUED: Final = Attempt("queued")

_NOT_SENT: Final = UNREACHED | {"overloaded"}
_NO_ANSWER: Final = frozenset({"gateway_closed", "gateway_timeout", "gateway_bad_answer"})

#: Digits of a `Retry-After` beyond which it only means "long".
_MOST_DIGITS: Final = 9

_DELIVERED: Final = {status: Attempt("delivered", status) for status in range(200, 300)}


def of_error(error: UpstreamError) -> Attempt | None:
    """The attempt that failed with `error`; None where that says nothing of the receiver."""
    if error.code in _NOT_SENT:
        return Attempt("not-sent", detail=str(error))
    if error.code in _NO_ANSWER:
        return Attempt("no-answer", detail=str(error))
    return None


def of_answer(answer: ResponseHead, now: float) -> Attempt:
    """The attempt that was answered, at `now` (epoch seconds) by the system's clock."""
    delivered = _DELIVERED.get(answer.status)
    if delivered is not None:
        return delivered
    return Attempt("refused", answer.status, retry_after(answer.headers, now), f"status {answer.status}")


def retry_after(headers: Headers, now: float) -> float | None:
    """Seconds that `Retry-After` asks to wait (RFC 9110 §10.2.3); None where it is absent or unreadable.

    A date counts from the answer's own `Date`, where it has one: its clock and ours need not agree.
    """
    value = first(headers, b"retry-after")
    if value is None:
        return None
    if value.isdigit():
        return float(value) if len(value) <= _MOST_DIGITS else 10.0**_MOST_DIGITS
    until, said = _date(value), _date(first(headers, b"date") or b"")
    return None if until is None else max(0.0, until - (now if said is None else said))


def _date(value: bytes) -> float | None:
    """An HTTP date (RFC 9110 §5.6.7) as epoch seconds."""
    try:
        date = parsedate_to_datetime(value.decode("latin-1"))
        return (date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
