"""What JavaScript takes and the quick decoder refuses, replaced in short steps: bytes that are no UTF-8, half pairs.

A pair is two surrogates, as JSON writes a character beyond the first 65 536.

Half of an emoji is what remains where a text was cut in the middle of it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator
from typing import Final

NO_CHARACTER: Final = "\uffff"
"""What stands in place of half a pair. Unicode promises that it never is a character."""

_STEP: Final = 64 * 1024
"""Bytes between two yields, some 1 ms; each half pair counts for `_HALF_COST` bytes more."""

_HALF_COST: Final = 64

_CHECKED: Final = 256 * 1024
"""Bytes made UTF-8 between two yields: 3 ms at most."""

_PAIR: Final = rb"\\u[dD][89abAB]..\\u[dD][c-fC-F].."

# Atomic groups (`(?>…)`) never go back, so that no input makes a match take more than one pass.
_WHOLE: Final = re.compile(
    rb"(?>(?:[^\\]++|\\[^u]|\\u(?:[^dD].|[dD][0-7])..|" + _PAIR + rb")*)",
    re.DOTALL,
)
"""Text up to a half pair; it also ends before an escape that goes beyond the bytes looked at."""

_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_INSTEAD: Final = rb"\uffff"


def as_utf8(document: bytes) -> Generator[None, None, bytes]:
    """Put U+FFFD in place of what is not UTF-8, as JavaScript does; yields after each short step."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts: list[bytes] = []
    for start in range(0, len(document), _CHECKED):
        if start:
            yield
        parts.append(decoder.decode(document[start : start + _CHECKED]).encode())
    parts.append(decoder.decode(b"", final=True).encode())
    return b"".join(parts)


def replace_halves(document: bytes) -> Generator[None, None, bytes]:
    """Put `NO_CHARACTER` in place of each half of a surrogate pair; yields after each short step.

    Raises ValueError where an escape is none of JSON's.
    """
    parts: list[bytes] = []
    position = spent = 0
    while position < len(document):
        match = _WHOLE.match(document, position, position + _STEP)
        assert match is not None
        text = match[0]
        if not text:
            if not _HALF.match(document, position):
                raise ValueError("a string cannot be read")
            text = _INSTEAD
            spent += _HALF_COST
        parts.append(text)
        position += len(text)  # the same as that of a half
        spent += len(text)
        if spent >= _STEP:
            spent = 0
            yield
    return b"".join(parts)
