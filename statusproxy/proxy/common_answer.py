"""The gateway's answer to a list, made ready for the client; for the followers of a shared call once for all of them.

Followers get the same fields but for the request's id, and those that ask alike the same representation.
"""

from __future__ import annotations

from typing import Final

from statusproxy.proxy.conditional import Representation, represent
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Header, WellKnown

_REQUEST_ID: Final = b"X-Request-Id"


class CommonAnswer:
    """One answer: its end-to-end fields, its text, and how it was represented last."""

    __slots__ = (
        "_asked", "_fields", "_head", "_place", "_represented", "_request_id", "_said", "_shown", "failure", "text",
    )  # fmt: skip

    def __init__(
        self,
        head: ResponseHead,
        fields: list[Header],
        said: WellKnown,
        request_id: bytes,
        text: bytes | None,
        failure: str | None,
    ) -> None:
        """`fields` and `said` are what `response_fields` gave for the request with this id, `text` and `failure` what
        `answers.decode` gave."""
        self._head = head
        self._fields = fields
        self._said = said
        self._request_id = request_id
        self.text = text
        """The body, decoded; None if there is no text to examine."""
        self.failure = failure
        """Why `text` is None, if something is wrong with the body."""
        self._represented: Representation | None = None
        self._shown: bytes | None = None
        self._asked: _Conditions = None, None
        self._place: int | None = None  # of the request's id in it; looked up when someone else asks alike

    def fields(self, request_id: bytes) -> list[Header]:
        """The fields of the answer to the request with this id."""
        if request_id is self._request_id:
            return self._fields
        return _with_id(self._fields, self._place_of_id(self._fields), request_id)

    def known(self, asked: WellKnown, shown: bytes, request_id: bytes) -> Representation | None:
        """How `shown` is represented to a client that asked like the last one; None where it did not, or of the first.

        `asked` are the well-known fields of the request with this id.
        """
        answer = self._represented
        if answer is None or shown is not self._shown or _conditions(asked) != self._asked:
            return None
        if self._place is None:
            self._place = self._place_of_id(answer.headers)
        headers = _with_id(answer.headers, self._place, request_id)
        return Representation(answer.status, answer.reason, headers, answer.gzip, answer.bodiless)

    def represent(self, asked: WellKnown, shown: bytes, own_tag: bytes | None, request_id: bytes) -> Representation:
        """How `shown` is represented to a client; see `conditional.represent`."""
        head = self._head
        answer = represent(asked, head.status, head.reason, self.fields(request_id), self._said, len(shown), own_tag)
        self._represented, self._shown, self._asked, self._place = answer, shown, _conditions(asked), None
        return answer

    def _place_of_id(self, fields: list[Header]) -> int:
        """Where the request's id stands; -1 where the gateway's own is kept (`response_fields`)."""
        if b"x-request-id" in self._said:
            return -1
        return next(place for place, (name, _) in enumerate(fields) if name == _REQUEST_ID)


def _with_id(fields: list[Header], place: int, request_id: bytes) -> list[Header]:
    """A copy of the fields with another request's id."""
    fields = fields.copy()
    if place >= 0:
        fields[place] = _REQUEST_ID, request_id
    return fields


_Conditions = tuple[list[bytes] | None, list[bytes] | None]
"""What of a request decides how an answer is represented."""


def _conditions(asked: WellKnown) -> _Conditions:
    return asked.get(b"accept-encoding"), asked.get(b"if-none-match")
