"""Captured traffic as documents: files of JSON, JSON lines or forms, each line a body or an object that holds one."""

import json
from collections.abc import Iterator
from typing import Final

from statusproxy.learning.observation import Observation
from statusproxy.learning.unpack import unpack
from statusproxy.status.fields import parse

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of a capture."""

_BODIES: Final = ("body", "payload_raw", "request_body")


class CaptureError(Exception):
    """A file holds nothing that can be read as events or lists."""


def learn_events(seen: Observation, content: bytes, path: str | None = None) -> int:
    """Take in the events of a capture; how many there were. A list of sessions in it counts as the list.

    Raises `CaptureError` where nothing in it can be read.
    """
    count = 0
    for body in _bodies(content):
        unpacked = unpack(body)
        if unpacked is None:
            continue
        for document in unpacked.documents:
            seen.event(document, path, unpacked.form)
            count += 1
    if not count:
        raise CaptureError("no event can be read in it; write JSON, one JSON document a line, or form bodies")
    return count


def learn_list(seen: Observation, content: bytes, route: str) -> None:
    """Take in a captured answer of `route`. Raises `CaptureError` where no list stands in it."""
    try:
        document = parse(content)
    except (ValueError, RecursionError):
        raise CaptureError("it is not JSON") from None
    if not seen.answer(route, document, written=True):
        raise CaptureError(
            "there is no array of objects in it; for an answer about one session write {session} in --route"
        )


def _bodies(content: bytes) -> Iterator[bytes]:
    """The bodies of a capture: of each line, or of the whole where that is one document."""
    try:
        whole = parse(content)
    except (ValueError, RecursionError):
        for line in content.splitlines():
            if line.strip():
                yield _body_of_line(line.strip())
        return
    for each in whole if type(whole) is list else [whole]:
        yield _body_of(each)


def _body_of_line(line: bytes) -> bytes:
    try:
        return _body_of(parse(line))
    except (ValueError, RecursionError):
        return line


def _body_of(document: object) -> bytes:
    """The body in a record of a capture (`{"headers": …, "body": …}`), or the document as the body itself."""
    if type(document) is dict:
        for name in _BODIES:
            body = document.get(name)
            if type(body) is str and len(document) < 12:
                return body.encode("utf-8", "surrogatepass")
            if type(body) in (dict, list) and len(document) < 12:
                return json.dumps(body).encode("ascii")
    return json.dumps(document).encode("ascii")
