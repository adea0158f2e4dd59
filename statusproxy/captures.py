"""The events in a file: one JSON document, one a line (JSON Lines), or a form; or requests as a capture keeps them.

A capture keeps an event as `{"body": …}`, beside which may stand `headers`, `path`, `at` (when it came in: ISO 8601
with a zone, or epoch seconds) and `note`. A line that is only a `note` is skipped. A `body` that is a string is the
body itself. Beside other members a `body` is the event's own, such as a message's text, unless the request's `headers`
or `method` stand there too. `payload_raw` and `request_body` are always the request's body.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import msgspec

from statusproxy.status.fields import parse

MOST_EVENTS: Final = 100_000
"""Events of one file."""

BODY: Final = "body"
OTHER_BODIES: Final = ("payload_raw", "request_body")
"""What other tools call the body."""

KEYS: Final = frozenset({BODY, "headers", "path", "at", "note"})
"""The members of a capture."""
_FORM: Final = re.compile(rb"[\w.~+%*!'()\[\]-]+=[^\s]*")
"""A form (application/x-www-form-urlencoded) in one line."""


class CaptureError(ValueError):
    """A file that holds no events. `str()` is one line that repeats nothing of it."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook as it came in."""

    source: str
    """Where it stands: the file's name, with the line where there are several."""
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    path: str | None = None
    at: float | None = None
    """When it came in, in epoch seconds."""


def deliveries(content: bytes, name: str) -> list[Delivery]:
    """The events of a file named `name`. Raises CaptureError where it can hold none."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise CaptureError(f"{name}: the file is empty")
    found = list(_deliveries(content, name))
    if not found:
        raise CaptureError(f"{name}: it has notes, but no event")
    if len(found) > MOST_EVENTS:
        raise CaptureError(f"{name}: more than {MOST_EVENTS} events; split the file")
    return found


def _deliveries(content: bytes, name: str) -> Iterator[Delivery]:
    document = _parsed(content)
    if document is not _NO_JSON and document is not _TOO_DEEP:
        if type(document) is list and document and all(map(_is_capture, document)):
            for number, one in enumerate(document, 1):
                yield from _delivery(one, json.dumps(one).encode(), f"{name}: event {number}")
        else:
            yield from _delivery(document, content, name)
        return
    if b"\0" in content or not _is_text(content):
        raise CaptureError(f"{name}: this is not text; give JSON, JSON lines or a form, in UTF-8")
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    several = len(lines) > 1 and (_is_object(lines[0][1]) or all(_FORM.fullmatch(line) for _, line in lines))
    if not several:
        if document is not _TOO_DEEP and not _FORM.fullmatch(content.strip()):
            raise CaptureError(_neither(name, lines))
        yield Delivery(source=name, body=content)
        return
    for number, line in lines:
        yield from _delivery(_parsed(line), line, f"{name}:{number}")


def _neither(name: str, lines: list[tuple[int, bytes]]) -> str:
    cut = "" if lines[0][1].lstrip()[:1] not in (b"{", b"[") else " (it begins like JSON; is it complete?)"
    return f"{name}: this is neither JSON, nor JSON lines, nor a form{cut}"


def _delivery(document: object, written: bytes, source: str) -> Iterator[Delivery]:
    if not isinstance(document, dict) or not _is_capture(document):
        yield Delivery(source=source, body=written)
        return
    name = _body_name(document)
    if name is None:
        return
    body, headers, path = document[name], document.get("headers"), document.get("path")
    at = epoch(document["at"]) if "at" in document else None
    if "at" in document and at is None:
        raise CaptureError(f"{source}: `at` is not a time; write ISO 8601 with a zone, or epoch seconds")
    yield Delivery(
        source=source,
        body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else _as_written(written, name),
        headers=tuple((field, value) for field, value in headers.items() if isinstance(value, str))
        if isinstance(headers, dict)
        else (),
        path=path if isinstance(path, str) else None,
        at=at,
    )


def _is_capture(document: object) -> bool:
    """Whether it is a request as a capture keeps it, or a note beside such."""
    if not isinstance(document, dict):
        return False
    if _body_name(document) is not None:
        return True
    return document.keys() == {"note"}


def _body_name(document: dict[str, object]) -> str | None:
    """The member that holds the request's body; None where the document is not a request."""
    if BODY in document:
        beside = isinstance(document.get("headers"), dict) or isinstance(document.get("method"), str)
        return BODY if beside or KEYS.issuperset(document) else None
    return next((name for name in OTHER_BODIES if isinstance(document.get(name), str | dict | list)), None)


def _as_written(written: bytes, name: str) -> bytes:
    """The very bytes of a body that stands as JSON in its capture, for its numbers may have no other form."""
    try:
        return bytes(msgspec.json.decode(written, type=dict[str, msgspec.Raw])[name])
    except (msgspec.MsgspecError, ValueError):  # JSON only as JavaScript reads it
        return json.dumps(parse(written)[name]).encode()


def epoch(value: object) -> float | None:
    """A time as epoch seconds: ISO 8601 with a zone, or a number of seconds, also as text; None if it is none."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return _bounded(value)
        return moment.timestamp() if moment.tzinfo is not None else None
    return _bounded(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _bounded(value: str | float) -> float | None:
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 < seconds < 1e11 else None


_NO_JSON: Final = object()
_TOO_DEEP: Final = object()


def _parsed(text: bytes) -> Any:
    try:
        return parse(text)
    except ValueError:
        return _NO_JSON
    except RecursionError:  # the proxy passes it unread
        return _TOO_DEEP


def _is_object(line: bytes) -> bool:
    document = _parsed(line)
    return type(document) is dict or (document is _TOO_DEEP and line.lstrip().startswith(b"{"))


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
