"""Captured traffic as documents: files of JSON, JSON lines or forms, each line a body or an object that holds one."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from statusproxy.learning.draft import draft
from statusproxy.learning.observation import Observation
from statusproxy.learning.unpack import unpack
from statusproxy.status.fields import parse

_PATH: Final = re.compile(r"/[A-Za-z0-9_.~{}*:/-]*", re.ASCII)

_MOST: Final = 1_000_000
"""Documents in one body of a capture."""

_BODIES: Final = ("body", "payload_raw", "request_body")


class CaptureError(Exception):
    """A file holds nothing that can be read as events or lists."""


def draft_from(captures: Sequence[Path], path: str | None, lists: Sequence[Path], routes: Sequence[str]) -> str:
    """The draft preset by files of events and of answers; `path` is the webhook's, `routes` those of `lists`.

    Raises `CaptureError` where one holds nothing to learn from, and `OSError` where one cannot be read.
    """
    if len(routes) != len(lists):
        raise CaptureError("write one --route for each --list: the path that was asked, such as /api/sessions")
    for written in (path, *routes):
        if written is not None and not _PATH.fullmatch(written):
            raise CaptureError(
                "--path and --route are paths such as /api/sessions/{session}, without a host or a query"
            )
    seen = Observation()
    for file, route in zip(lists, routes, strict=True):  # first: they tell what an id is
        _naming(file, learn_list, seen, file.read_bytes(), route)
    for file in captures:
        _naming(file, learn_events, seen, file.read_bytes(), path)
    return draft(seen)


def _naming(file: Path, learn: Callable[..., object], *arguments: object) -> None:
    try:
        learn(*arguments)
    except CaptureError as error:
        raise CaptureError(f"{file}: {error}") from None


def learn_events(seen: Observation, content: bytes, path: str | None = None) -> int:
    """Take in the events of a capture; how many there were. A list of sessions in it counts as the list.

    Raises `CaptureError` where nothing in it can be read.
    """
    count = 0
    for body in _bodies(content):
        unpacked = unpack(body, _MOST)
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
