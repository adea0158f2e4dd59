"""Made-up traffic of a gateway that no one knows, and all that is kept of it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from statusproxy.learning import draft as drafts
from statusproxy.learning import offline
from statusproxy.learning.observation import Observation
from tests.known_dialect import KNOWN

LIST = {"ok": True, "boxes": [{"box": "sales", "phase": "up"}, {"box": "support", "phase": "down"}]}
ROUTE = "/api/v2/boxes"


def link(session: str, phase: str, at: int = 1_768_504_026) -> dict[str, Any]:
    """An event about a connection."""
    return {"what": "linkState", "at": at, "box": {"ref": session}, "info": {"phase": phase}}


def chat(session: str, text: str = "hello", *, own: bool = False) -> dict[str, Any]:
    """An event about a message."""
    return {"what": "message", "at": 1_768_504_026, "box": {"ref": session}, "text": text, "isMine": own}


def observed(
    events: Iterable[Any], *, answer: Any = LIST, route: str = ROUTE, path: str | None = "/hook"
) -> Observation:
    """What is learned of the gateway's list and then of these events."""
    seen = Observation()
    if answer is not None:
        seen.answer(route, answer, written=True)
    for event in events:
        seen.event(event, path)
    return seen


def draft(seen: Observation) -> str:
    """The draft, by the marks of own messages that the program knows."""
    return drafts.draft(seen, KNOWN.own)


def draft_from(captures: Sequence[Path], path: str | None, lists: Sequence[Path], routes: Sequence[str]) -> str:
    """The draft by files, by the marks of own messages that the program knows."""
    return offline.draft_from(captures, path, lists, routes, KNOWN.own)


def lines(events: Iterable[Any]) -> bytes:
    """Events as a capture, one a line."""
    return "\n".join(map(json.dumps, events)).encode()


def kept(value: object, seen: set[int] | None = None) -> Iterator[str]:
    """Every text that an object holds, however deep."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from kept(key, seen)
            yield from kept(inner, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in value:
            yield from kept(inner, seen)
    else:
        names = [*getattr(value, "__dict__", {}), *(name for one in type(value).__mro__ for name in _slots(one))]
        for name in names:
            if hasattr(value, name):
                yield from kept(getattr(value, name), seen)


def _slots(kind: type) -> Iterable[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else slots
