"""What the answer of the gateway's QR route shows: a code to scan, or a session that is connected."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from enum import StrEnum
from itertools import islice
from typing import Final

from statusproxy.status.answer_claims import claims_connected, failed
from statusproxy.status.fields import LENIENT_AT_ONCE, fold_word, parse
from statusproxy.status.many_members import has_many
from statusproxy.status.picture import shown

WRAPPERS: Final = ("data", "result")
"""Members under which the code or a word may stand, beside the document itself."""

STATUS_FIELDS: Final = ("status", "state", "connection")
CONNECTED_WORDS: Final = frozenset({"connected", "open"})

SHORTEST_PAIRING: Final = 20
"""Characters of the shortest pairing string behind its `2@`. Real ones have some 200."""

_PAIRING: Final = re.compile(rf"(?:https://wa\.me/\S{{0,64}}#)?\d@[\w+/=,.-]{{{SHORTEST_PAIRING},}}", re.ASCII)
"""What WhatsApp's code holds: `2@` and comma-separated base64, newer ones behind an address."""

_BLOCKS: Final = frozenset(" \xa0\t\r\n█▀▄▌▐░▒▓■□▖▗▘▙▚▛▜▝▞▟")
_LONGEST_PAIRING: Final = 2_000
_LONGEST_DRAWING: Final = 20_000
"""Characters of a drawn code that are looked at. Real ones have some 5000."""

_FEWEST_LINES: Final = 10
"""Lines of the smallest code drawn with half blocks (21 modules)."""

_MOST_NAMES: Final = 500
"""Members of an object in which a code is looked for. Real answers have some thirty at most."""

_MOST_CODES: Final = 16
"""Members looked at under the names of a code. Few answers have more than three."""


class Answer(StrEnum):
    """What the QR route's answer shows."""

    CODE = "code"
    CONNECTED = "connected"
    NEITHER = "neither"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"


def read(body: bytes, members: Sequence[str], connected: Set[str] = CONNECTED_WORDS) -> Answer:
    """Tell what the QR route's answer shows. Never raises.

    `members` may hold the code (`Dialect.qr`, compared without case): on top, or in the object under one of
    `WRAPPERS`, or one deeper. A picture beside an error is a placeholder, and one beside a claim that the session is
    connected is an old code; WhatsApp's own string is always a code. `connected` holds the folded words of that claim.
    An answer of tens of thousands of members, or a long one that only the slow decoder reads, counts as not JSON.
    """
    if has_many(body):
        return Answer.NOT_JSON
    try:
        document = parse(body, LENIENT_AT_ONCE)
    except ValueError:
        return Answer.NOT_JSON
    except RecursionError:
        return Answer.TOO_DEEP
    return shown_by(document, members, connected)


def shown_by(document: object, members: Sequence[str], connected: Set[str]) -> Answer:
    """Tell, as `read` does, what an answer that is decoded already shows."""
    holders = list(_holders(document))
    names = frozenset(map(fold_word, members))
    codes = [text for holder in holders for text in islice(_texts(holder, names), _MOST_CODES)]
    if any(map(_is_pairing, codes)):
        return Answer.CODE
    if any(map(_is_picture, codes)) and not failed(document) and not claims_connected(document, connected):
        return Answer.CODE
    if any(_says_connected(holder) for holder in holders):
        return Answer.CONNECTED
    return Answer.NEITHER


def _texts(holder: dict[str, object] | str, names: Set[str]) -> Iterator[str]:
    """What stands where a code may stand: in members of these names (folded), or in an object under one of them."""
    if isinstance(holder, str):
        yield holder
        return
    for value in _named(holder, names):
        if type(value) is str:
            yield value
        elif type(value) is dict:
            yield from (inner for inner in _named(value, names) if type(inner) is str)


def _named(holder: dict[str, object], names: Set[str]) -> list[object]:
    """The first values under these names; none in an object of very many members."""
    if len(holder) > _MOST_NAMES:
        return []
    return list(islice((value for name, value in holder.items() if fold_word(name) in names), _MOST_CODES))


def _is_pairing(text: str) -> bool:
    return len(text) <= _LONGEST_PAIRING and _PAIRING.fullmatch(text.strip()) is not None


def _is_picture(text: str) -> bool:
    if shown(text):
        return True
    text = text[:_LONGEST_DRAWING].strip()
    return text.count("\n") >= _FEWEST_LINES and _BLOCKS.issuperset(text)


def _says_connected(holder: dict[str, object] | str) -> bool:
    if isinstance(holder, str):
        return False
    words = (holder.get(name) for name in STATUS_FIELDS)
    return holder.get("connected") is True or any(
        type(word) is str and fold_word(word) in CONNECTED_WORDS for word in words
    )


def _holders(document: object) -> Iterator[dict[str, object] | str]:
    """Give the document, if it is an object, and what stands under its wrappers, if that is an object or text."""
    if type(document) is dict:
        yield document
        for name in WRAPPERS:
            inner = document.get(name)
            if type(inner) is dict or type(inner) is str:
                yield inner
