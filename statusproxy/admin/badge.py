"""A session's badge: a static SVG with its id and state, in the colours of the page.

An id may hold anything. So it is cut, its characters that do not print are escaped, and there is neither script nor
style in the picture nor anything that it loads.
"""

import unicodedata
from html import escape
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from statusproxy.admin.state_words import SHORT
from statusproxy.observe.visible import visible
from statusproxy.status.session_state import SessionState

HEADERS: Final = CIMultiDictProxy(
    CIMultiDict({"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "no-cache"})
)
"""The fields of a badge's answer: nothing in it runs or loads, and each show asks again."""

#: Characters of an id that are shown.
LONGEST: Final = 40

#: Background and text; each pair has a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
_COLOURS: Final = {
    SessionState.LOST: ("#b3261e", "#ffffff"),
    SessionState.REPORTED_DOWN: ("#b3261e", "#ffffff"),
    SessionState.NEEDS_QR: ("#e5b53b", "#1b222c"),
    SessionState.CONNECTED: ("#1e6b3a", "#ffffff"),
    SessionState.UNKNOWN: ("#566070", "#ffffff"),
}

#: The text for a session that is not known.
_NOT_KNOWN: Final = {"en": "not known", "pt-BR": "não existe"}

_NARROW: Final = 7
_WIDE: Final = 12
_MARGIN: Final = 7

_SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" lang="{language}" '
    'aria-label="{title}"><title>{title}</title>'
    '<rect width="{width}" height="20" rx="4" fill="#1b222c"/>'
    '<path d="M{left} 0h{rest}a4 4 0 0 1 4 4v12a4 4 0 0 1 -4 4h-{rest}z" fill="{colour}"/>'
    '<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" aria-hidden="true">'
    '<text x="{margin}" y="14" fill="#ffffff" textLength="{label_width}" lengthAdjust="spacingAndGlyphs" '
    'xml:space="preserve">{label}</text>'
    '<text x="{word_at}" y="14" fill="{ink}" textLength="{word_width}" lengthAdjust="spacingAndGlyphs">{word}</text>'
    "</g></svg>\n"
)


def badge(session: str, state: SessionState | None, language: str) -> bytes:
    """The badge of a session; `state` is None where it is not known."""
    word = _NOT_KNOWN[language] if state is None else SHORT[language][state]
    colour, ink = _COLOURS[state or SessionState.UNKNOWN]
    label = _label(session)
    label_width, word_width = _width(label), _width(word)
    left = label_width + 2 * _MARGIN
    width = left + word_width + 2 * _MARGIN
    return _SVG.format(
        width=width,
        left=left,
        rest=width - left - 4,
        colour=colour,
        ink=ink,
        language=language,
        title=escape(f"{label}: {word}"),
        margin=_MARGIN,
        label=escape(label),
        label_width=label_width,
        word=escape(word),
        word_at=left + _MARGIN,
        word_width=word_width,
    ).encode()


def _label(session: str) -> str:
    """An id as one short line that any XML parser takes."""
    shown = visible(session[: LONGEST + 1])
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


def _width(text: str) -> int:
    """Pixels that a text takes about; the picture fits it into exactly these."""
    return sum(_WIDE if unicodedata.east_asian_width(char) in "WF" else _NARROW for char in text)
