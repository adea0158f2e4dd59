"""The fields of the gateway's answer as the client gets them, except for the framing (RFC 9110 §7.6)."""

from typing import Final

from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import (
    ANSWER_ROLES,
    HOP_BY_HOP,
    Header,
    WellKnown,
    classify_fields,
    end_to_end,
    via,
    write_head,
)

#: Dropped from interim answers: a 1xx has no body, so it may not announce one (RFC 9110 §8.6).
_NOT_IN_1XX: Final = HOP_BY_HOP | {b"content-length"}

#: Dropped from trailers: fields about framing and routing (RFC 9110 §6.5.1).
_NOT_IN_TRAILERS: Final = HOP_BY_HOP | {b"content-length", b"trailer", b"host"}


class PreparedAnswer:
    """What a client is given of a head, except for the id and the connection's fields. No one changes it: it stays with
    its head, which may stand for many answers (`ResponseHead`)."""

    __slots__ = ("fields", "well_known", "wire")

    def __init__(self, fields: list[Header], well_known: WellKnown, wire: bytes) -> None:
        self.fields = fields
        """The end-to-end fields with `Via`, but without `Content-Length`."""
        self.well_known = well_known
        """The values noted on the way."""
        self.wire = wire
        """The status line and all end-to-end fields as bytes, without the empty line."""


class _Template:
    """The same for heads that differ in the values of a few fields alone, which are filled in."""

    __slots__ = ("_fields", "_varying", "_well_known", "_wire")

    def __init__(self, head: ResponseHead, places: list[int]) -> None:
        """`places` are those of the fields in the head's own list (`AnswerPattern`)."""
        fields, self._well_known = _end_to_end(head)
        self._fields = without(fields, b"content-length")
        self._varying: list[tuple[int, int | None, bytes | None]] = []
        """Where each is found, where it goes in `_fields`, and by which name it is noted, in the order of the wire."""
        literal = [(_literal(name), _literal(value)) for name, value in fields]
        for place in places:
            header = head.headers[place]
            if header in fields:  # but for what is not carried on: the length of a 204
                key = header[0].lower()
                at = self._fields.index(header) if header in self._fields else None
                self._varying.append((place, at, key if key in self._well_known else None))
                literal[fields.index(header)] = (_literal(header[0]), b"%b")
        self._wire = _wire(head.status, _literal(head.reason), literal)

    def fill(self, head: ResponseHead) -> PreparedAnswer:
        """What a client is given of `head`."""
        fields, well_known = self._fields.copy(), self._well_known.copy()
        values: list[bytes] = []
        for place, at, key in self._varying:
            header = head.headers[place]
            values.append(header[1])
            if at is not None:
                fields[at] = header
            if key is not None:
                well_known[key] = [header[1]]
        return PreparedAnswer(fields, well_known, self._wire % tuple(values))


def prepared_answer(head: ResponseHead) -> PreparedAnswer:
    """What a client is given of `head`, remembered with it."""
    prepared: PreparedAnswer | None = head.attachment
    if prepared is None:
        pattern = head.pattern
        if pattern is None:
            fields, well_known = _end_to_end(head)
            wire = _wire(head.status, head.reason, fields)
            prepared = PreparedAnswer(without(fields, b"content-length"), well_known, wire)
        else:
            template: _Template | None = pattern.attachment
            if template is None:
                template = pattern.attachment = _Template(head, pattern.places)
            prepared = template.fill(head)
        head.attachment = prepared
    return prepared


def _end_to_end(head: ResponseHead) -> tuple[list[Header], WellKnown]:
    """The end-to-end fields of `head` with `Via`, and the values noted on the way."""
    fields, well_known = classify_fields(head.headers, ANSWER_ROLES)
    fields.append(via(well_known.get(b"via"), head.version))
    if b"content-length" in well_known and (head.status < 200 or head.status == 204):
        del well_known[b"content-length"]  # such an answer may not have one (RFC 9110 §8.6)
        fields = without(fields, b"content-length")
    return fields, well_known


def _wire(status: int, reason: bytes, fields: list[Header]) -> bytes:
    return write_head(b"HTTP/1.1 %d %b" % (status, reason), fields)[:-2]


def _literal(text: bytes) -> bytes:
    """`text` as it stands in a template."""
    return text.replace(b"%", b"%%")


def response_fields(
    head: ResponseHead, request_id: bytes, *, replace_id: bool = False
) -> tuple[list[Header], WellKnown]:
    """The end-to-end fields of `head` with `Via` and an id, but without `Content-Length`, and the values noted.

    The gateway's own `X-Request-Id` is kept; `replace_id` replaces it where it answers to another request's id.
    """
    prepared = prepared_answer(head)
    fields, well_known = prepared.fields.copy(), prepared.well_known.copy()
    if replace_id and b"x-request-id" in well_known:
        del well_known[b"x-request-id"]
        fields = without(fields, b"x-request-id")
    if b"x-request-id" not in well_known:
        fields.append((b"X-Request-Id", request_id))
    return fields, well_known


def interim_fields(head: ResponseHead) -> list[Header]:
    """The fields of an interim answer (1xx)."""
    return end_to_end(head.headers, _NOT_IN_1XX)


def trailer_fields(trailers: list[Header]) -> list[Header]:
    """The trailers that may travel on."""
    return end_to_end(trailers, _NOT_IN_TRAILERS)


def without(fields: list[Header], name: bytes) -> list[Header]:
    """`fields` without the field `name` (lower case)."""
    return [header for header in fields if header[0].lower() != name]
