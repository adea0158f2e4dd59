"""Hides tokens that were written into a path, in error messages that repeat it.

Tokens stand beside an id, as in `/api/{session}:TOKEN/status`, where `{session}:{_}` should stand.
"""

from __future__ import annotations

import re
from typing import Final

from statusproxy.config.templates import SESSION, cut_of

__all__ = ["is_plain", "mask_tokens"]

#: A segment that surely holds no token: words of lower-case letters, a version, a placeholder.
_PLAIN: Final = re.compile(r"(?=.{1,32}$)[a-z]{1,16}(?:[-_.][a-z]{1,16})*|v[0-9]{1,2}|\{session\}|\{_\}|\*\*", re.ASCII)

#: A bcrypt hash, which gateways give out as a token; it is one wherever it stands.
_BCRYPT: Final = re.compile(r"(?:\$|%24)2[abxy]?(?:\$|%24)[^/]*", re.IGNORECASE)

_PLACEHOLDERS: Final = re.compile(r"(\{[^/{}]*\})")
_COLON: Final = re.compile(r":|%3A", re.IGNORECASE)


def is_plain(segment: str) -> bool:
    """Whether a segment of a path surely holds no token."""
    return _PLAIN.fullmatch(segment) is not None


def mask_tokens(text: str, mask: str) -> str:
    """A path, or a method and a path, with what may be a token replaced by `mask`; a URL stays as it is."""
    if "://" in text:
        return text
    shown: list[str] = []
    found = False
    for at, segment in enumerate(_BCRYPT.sub(lambda _: mask, text).split("/")):
        safe = _mask_segment(segment, mask) if at or SESSION in segment else segment
        if found and not is_plain(safe):  # a slash in a token parts it
            safe = safe and mask
        found = found or (bool(mask) and mask in safe) or safe != segment
        shown.append(safe)
    return "/".join(shown)


def _mask_segment(segment: str, mask: str) -> str:
    """A segment without the text beside `{session}`, and without what follows a colon and is no plain word."""
    if SESSION in segment:
        if cut_of(segment):
            return segment
        parts = _PLACEHOLDERS.split(segment)
        return "".join(_mask_literal(part, at == 0, mask) if at % 2 == 0 else part for at, part in enumerate(parts))
    colon = _COLON.search(segment)
    if colon is None or not colon.start() or not segment[colon.end() :] or is_plain(segment[colon.end() :]):
        return segment
    return segment[: colon.end()] + mask


def _mask_literal(literal: str, leads: bool, mask: str) -> str:
    """The text beside a placeholder: only the mark that parts the two is kept."""
    if not any(map(str.isalnum, literal)):
        return literal
    if leads:
        return mask + (literal[-1] if not literal[-1].isalnum() else "")
    return (literal[0] if not literal[0].isalnum() else "") + mask
