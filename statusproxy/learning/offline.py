"""A draft preset from files: captured events (`statusproxy.captures`), and answers with the list of sessions."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from statusproxy.captures import CaptureError, deliveries
from statusproxy.learning.draft import draft
from statusproxy.learning.observation import Observation
from statusproxy.learning.unpack import unpack
from statusproxy.status.fields import parse
from statusproxy.status.packing import MOST_EVENTS

_PATH: Final = re.compile(r"/[A-Za-z0-9_.~{}*:/-]*", re.ASCII)


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
        learn_list(seen, file.read_bytes(), route, str(file))
    for file in captures:
        learn_events(seen, file.read_bytes(), str(file), path)
    return draft(seen)


def learn_events(seen: Observation, content: bytes, name: str, path: str | None = None) -> int:
    """Take in the events of a file of this name; how many there were. `path` stands in place of the captures' own.

    Raises `CaptureError` where nothing in it can be read.
    """
    count = 0
    for delivery in deliveries(content, name):
        unpacked = unpack(delivery.body, MOST_EVENTS)
        if unpacked is None:
            continue
        came_on = path if path is not None or delivery.path is None else seen.answers.template(delivery.path)
        for document in unpacked.documents:
            seen.event(document, came_on, unpacked.form, delivery.at)
            count += 1
    if not count:
        raise CaptureError(f"{name}: no event can be read in it; write JSON, one JSON document a line, or form bodies")
    return count


def learn_list(seen: Observation, content: bytes, route: str, name: str) -> None:
    """Take in a captured answer of `route`. Raises `CaptureError` where no list stands in it."""
    try:
        document = parse(content)
    except (ValueError, RecursionError):
        raise CaptureError(f"{name}: it is not JSON") from None
    if not seen.answer(route, document, written=True):
        raise CaptureError(
            f"{name}: there is no array of objects in it; for an answer about one session write {{session}} in --route"
        )
