"""A draft preset from files: captured events (`statusproxy.captures`), and answers with the list of sessions."""

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from statusproxy.captures import CaptureError, Delivery, deliveries
from statusproxy.learning.draft import draft
from statusproxy.learning.observation import Observation
from statusproxy.learning.unpack import unpack
from statusproxy.status.fields import Path as Field
from statusproxy.status.fields import parse
from statusproxy.status.packing import MOST_EVENTS

_PATH: Final = re.compile(r"/[A-Za-z0-9_.~{}*:/-]*", re.ASCII)


def draft_from(
    captures: Sequence[Path],
    path: str | None,
    lists: Sequence[Path],
    routes: Sequence[str],
    known: Collection[Field],
) -> str:
    """The draft preset by files of events and of answers; `path` is the webhook's, `routes` those of `lists`.

    `known` as for `draft`.

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
    contents = [(file.read_bytes(), str(file)) for file in captures]  # once: a pipe has nothing the second time
    for content, name in contents:
        learn_events(seen, content, name, path)
    for content, name in contents:  # the order in which words came says nothing
        for document, _, _ in _events(content, name):
            seen.look_again(document)
    return draft(seen, known)


def learn_events(seen: Observation, content: bytes, name: str, path: str | None = None) -> int:
    """Take in the events of a file of this name; how many there were. `path` stands in place of the captures' own.

    Raises `CaptureError` where nothing in it can be read.
    """
    count = 0
    for document, delivery, form in _events(content, name):
        came_on = path if path is not None or delivery.path is None else seen.answers.template(delivery.path)
        seen.event(document, came_on, form, delivery.at)
        count += 1
    if not count:
        raise CaptureError(f"{name}: no event can be read in it; write JSON, one JSON document a line, or form bodies")
    return count


def _events(content: bytes, name: str) -> Iterator[tuple[object, Delivery, str | None]]:
    """The events of a file, each with its delivery and the form's member that held it."""
    for delivery in deliveries(content, name):
        unpacked = unpack(delivery.body, MOST_EVENTS)
        if unpacked is not None:
            for document in unpacked.documents:
                yield document, delivery, unpacked.form


def learn_list(seen: Observation, content: bytes, route: str, name: str) -> None:
    """Take in a captured answer of `route`. Raises `CaptureError` where no list stands in it."""
    try:
        document = parse(content)
    except ValueError:
        raise CaptureError(f"{name}: it is not JSON") from None
    except RecursionError:
        raise CaptureError(f"{name}: it is nested too deep to be read") from None
    if not seen.answer(route, document, written=True):
        raise CaptureError(
            f"{name}: there is no array of objects in it; for an answer about one session write {{session}} in --route"
        )
