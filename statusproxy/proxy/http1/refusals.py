"""Why a message is refused: every reason named once, the same for requests and answers.

Each refusal is a value: `code` says what the client of a refused *request* is told (an entry of `problems.PROBLEMS`);
`detail` is for logs. A refused *answer* is told to the client as a bad gateway, with any code.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

Code: TypeAlias = Literal["bad_request", "target_too_long", "head_too_large"]


class Refusal(NamedTuple):
    """A message that is not served, or whose rest is not read."""

    code: Code
    detail: str


class RefusedError(Exception):
    """Raised inside `http1` where a message must be refused; its text is the refusal's detail."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def _bad(detail: str) -> Refusal:
    return Refusal("bad_request", detail)


# ---- the request line (RFC 9112 §3) ----

EMPTY_LINES: Final = _bad("too many empty lines where a request should begin")
NO_METHOD: Final = _bad("no method where a request should begin")
METHOD_CASE: Final = _bad("a method in the wrong case")
METHOD_TOO_LONG: Final = _bad("a method of more than 64 bytes")
TARGET_FORM: Final = _bad("the target has no known form")
REQUEST_VERSION: Final = _bad("not HTTP/1.1 or HTTP/1.0")


def target_too_long(limit: int) -> Refusal:
    """A target of more than `limit` bytes."""
    return Refusal("target_too_long", f"a target of more than {limit} bytes")


# ---- the status line (RFC 9112 §4) ----

REASON_PHRASE: Final = _bad("control characters in the reason")


def answer_version(version: str) -> Refusal:
    """An answer in another version than HTTP/1.1 and HTTP/1.0, or in HTTP/1.0 with a transfer coding."""
    return _bad(f"not an answer in HTTP/{version}")


def too_many_interim(limit: int) -> Refusal:
    """More than `limit` interim answers (RFC 9110 §15.2)."""
    return _bad(f"more than {limit} interim answers")


# ---- fields (RFC 9112 §5) ----

HEAD_END: Final = _bad("the head does not end with an empty line")
HOST_INVALID: Final = _bad("an invalid Host")
HOST_ONCE: Final = _bad("exactly one Host is allowed")


def of_parser_error(error: BaseException) -> Refusal:
    """Why llhttp gave up: it, or one of our callbacks.

    The error and the one in the callback reference each other, and their tracebacks hold what came. Break the cycle, or
    both stay until the garbage collector finds them: 100 KiB and more for each such answer.
    """
    cause, error.__context__ = error.__context__, None
    if not isinstance(cause, RefusedError):
        return grammar(error)
    cause.__context__ = cause.__traceback__ = None
    return cause.refusal


def grammar(error: BaseException) -> Refusal:
    """What llhttp refuses, in its words."""
    return _bad(str(error))


def head_too_large(limit: int) -> Refusal:
    """A request's field lines of more than `limit` bytes."""
    return Refusal("head_too_large", f"more than {limit} bytes of header fields")


def too_many_fields(limit: int) -> Refusal:
    """A request's head of more than `limit` fields."""
    return Refusal("head_too_large", f"more than {limit} header fields")


def section_too_large(section: str) -> Refusal:
    """An answer's "head" or "trailers" of more bytes than allowed."""
    return Refusal("head_too_large", f"{section} too large")


def too_many_lines(limit: int, section: str) -> Refusal:
    """An answer's "head" or "trailers" of more than `limit` lines."""
    return Refusal("head_too_large", f"more than {limit} lines in the {section}")


# ---- the length of a body (RFC 9112 §6) ----

LENGTH_TOO_LARGE: Final = _bad("a Content-Length of too many digits")
REQUEST_CODING: Final = _bad("a Transfer-Encoding other than chunked, or in HTTP/1.0")
ANSWER_CODING: Final = _bad("a Transfer-Encoding other than chunked")

# ---- the chunked coding (RFC 9112 §7.1) ----

CHUNK_END: Final = _bad("no line end after a chunk's data")
CHUNK_LINE: Final = _bad("an invalid chunk size or extension")
CHUNK_LINE_TOO_LONG: Final = _bad("a chunk's extensions are too long")
TOO_MANY_EXTENSIONS: Final = _bad("too many chunk extensions for too little body")
TRAILER: Final = _bad("an invalid trailer")
TRAILERS_TOO_LARGE: Final = _bad("trailers of more bytes or fields than a head may have")
