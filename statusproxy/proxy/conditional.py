"""Conditional requests on corrected routes: the gateway's request, the answer's validator (RFC 9110 §13)."""

from typing import Final

import msgspec

from statusproxy.proxy.codings import WORTHWHILE, accepts_gzip
from statusproxy.proxy.http1.head import UNTRUE, Header, Headers, WellKnown, members

#: Never reach the gateway on a corrected route: it would answer for its own version of the list (Express says 304
#: for a list whose correction has changed), or for a part of it.
WITHHELD: Final = frozenset(
    {
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
        b"range",
        b"accept-encoding",
        b"a-im",
        b"want-content-digest",
        b"want-repr-digest",
        b"want-digest",
    }
)

#: The fields to look for in an answer. `Content-Length` is never among the fields that are given here.
_UNTRUE: Final = UNTRUE - {b"content-length"}

#: Either in `Vary` says that the answer depends on what the client accepts.
_VARIES: Final = frozenset({b"accept-encoding", b"*"})

#: Not sent with a 304 (RFC 9110 §15.4.5).
_NOT_WITH_304: Final = frozenset(
    {b"content-encoding", b"content-length", b"content-type", b"content-language", b"content-range"}
)


def ask(headers: Headers) -> list[Header]:
    """The request's fields for the gateway on a corrected route: they ask for the whole list, uncoded."""
    asked = [header for header in headers if header[0].lower() not in WITHHELD]
    asked.append((b"Accept-Encoding", b"identity"))
    return asked


class Representation(msgspec.Struct, frozen=True):
    """What the client is answered with a body: status, reason, fields without framing, and the body's form."""

    status: int
    reason: bytes
    headers: list[Header]
    gzip: bool = False
    """Whether the body is still to be compressed, as `headers` say already."""
    bodiless: bool = False
    """Whether the client has that body, and gets none: a 304."""


def represent(
    asked: WellKnown,
    status: int,
    reason: bytes,
    headers: list[Header],
    said: WellKnown,
    size: int,
    own_tag: bytes | None,
) -> Representation:
    """The answer for a body of `size` bytes that was read; `headers` are the gateway's end-to-end fields but for
    those about framing.

    `asked` and `said` are the well-known fields of the request and of the answer (`head.classify_fields`).
    A changed body gets a validator of its own, `own_tag`. An unchanged one keeps the gateway's, so that with no
    correction in force nothing differs but `Vary`. Where the client asked for gzip it gets it, since the gateway was
    asked for none; the caller compresses the body. So the answer depends on what the client accepts, and says so to
    those too that accept nothing. The tag is compared with `If-None-Match` here (weakly, RFC 9110 §13.1.2), and a 304
    carries the fields that its 200 would carry (RFC 9110 §15.4.5).
    """
    if own_tag is not None:
        if _UNTRUE.isdisjoint(said):
            headers = headers.copy()
        else:
            headers = [header for header in headers if header[0].lower() not in _UNTRUE]
        headers.append((b"ETag", own_tag))
    tag = own_tag or said.get(b"etag", [b""])[0]
    gzip = False
    if size >= WORTHWHILE and (own_tag is not None or b"content-encoding" not in said):
        headers = _vary(headers, said)
        gzip = b"accept-encoding" in asked and accepts_gzip(asked[b"accept-encoding"])
        if gzip:
            headers = _weak(headers)
            headers.append((b"Content-Encoding", b"gzip"))
    if status == 200 and tag and b"if-none-match" in asked and _none_match(asked[b"if-none-match"], tag):
        headers = [header for header in headers if header[0].lower() not in _NOT_WITH_304]
        return Representation(304, b"Not Modified", headers, bodiless=True)
    return Representation(status, reason, headers, gzip)


def _none_match(fields: list[bytes], tag: bytes) -> bool:
    wanted = tag.removeprefix(b"W/")
    return any(candidate == b"*" or candidate.removeprefix(b"W/") == wanted for candidate in members(fields))


def _vary(headers: list[Header], said: WellKnown) -> list[Header]:
    vary = said.get(b"vary")
    if vary is not None and not _VARIES.isdisjoint(members(map(bytes.lower, vary))):
        return headers
    return [*headers, (b"Vary", b"Accept-Encoding")]


def _weak(headers: list[Header]) -> list[Header]:
    """A strong tag names exact bytes, which a coding of ours changes."""
    return [
        (name, b"W/" + value) if name.lower() == b"etag" and not value.startswith(b"W/") else (name, value)
        for name, value in headers
        if name.lower() not in {b"accept-ranges", b"content-md5", b"digest", b"content-digest", b"repr-digest"}
    ]
