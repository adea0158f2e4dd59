"""Byte spans in a long document, found in short steps: what `json_spans` does at once for a short one.

The document is known to be JSON. Positions count bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from functools import partial
from typing import Final

from statusproxy.status.fields import Path
from statusproxy.status.json_spans import Span, after_value, as_text, locate, member_name
from statusproxy.status.long_values import Walk, after_blank, after_comma, members_end, string_end, value_end

WINDOW: Final = 8 * 1024
"""Bytes of members that are looked at in one go: 2 ms at most, where each of them is read."""

_ELEMENTS: Final = 256
"""Elements between two yields where each takes some µs."""

_PLAIN: Final = 256 * 1024
"""Bytes with few marks in them that are read in one go: 4 ms at most."""

_MANY_MARKS: Final = 1_024
"""Quotes, brackets and escapes in what is read in one go: 5 ms at most."""


def take_long(document: bytes, spans: Collection[Span]) -> bool:
    """Whether these values should be read in steps. Ones with little in them, such as a picture, need none if they are
    not very long."""
    size = sum(end - start for start, end in spans)
    if size <= WINDOW or size > _PLAIN:
        return size > WINDOW
    return sum(document.count(mark, *span) for span in spans for mark in (b'"', b"{", b"[", b"\\")) > _MANY_MARKS


def locate_in_steps(
    document: bytes, start: int, path: Path, end_of: Callable[[bytes, int], Walk] = value_end
) -> Generator[None, None, tuple[Span | None, int]]:
    """What `json_spans.locate` gives; yields after each short step. `end_of` finds the end of what `path` leads to."""
    if not path:
        end = yield from end_of(document, start)
        return (start, end), end
    if not document.startswith(b"{", start):
        return None, (yield from value_end(document, start))
    found: Span | None = None
    quoted = b'"%b"' % path[0].encode()
    position = after_blank(document, start + 1)
    while not document.startswith(b"}", position):
        end = members_end(document, position, WINDOW)
        if end > position:
            some = document[position:end]
            if quoted in some or b"\\" in some:
                text = as_text(b"{%b}" % some)
                here, _ = locate(text, 0, path[:1], partial(after_value, text))
                if here is not None:
                    found, _ = yield from locate_in_steps(document, here[0] + position - 1, path[1:], end_of)
            position = end
        else:
            name, value = yield from member_at(document, position)
            if name == path[0]:
                found, position = yield from locate_in_steps(document, value, path[1:], end_of)
            else:
                position = yield from value_end(document, value)
            position = after_comma(document, position)
        position = after_blank(document, position)
        yield
    return found, position + 1


def elements_in_steps(document: bytes, start: int) -> Generator[None, None, list[Span]]:
    """The elements of the array at `start`; yields after each short step."""
    spans: list[Span] = []
    position = after_blank(document, start + 1)
    while not document.startswith(b"]", position):
        end = yield from value_end(document, position)
        spans.append((position, end))
        if len(spans) % _ELEMENTS == 0:
            yield
        position = after_blank(document, after_comma(document, end))
    return spans


def member_at(document: bytes, position: int) -> Generator[None, None, tuple[str, int]]:
    """The name of the member at `position`, and where its value stands."""
    end = yield from string_end(document, position)
    colon = document.index(b":", end)
    return member_name(as_text(document[position + 1 : end - 1])), after_blank(document, colon + 1)
