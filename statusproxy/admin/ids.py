"""Session ids for people: natural sort order, and the nearest known ids for a mistyped one."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from statusproxy.pacing import Pacer

__all__ = ["natural_key", "natural_keys", "near_ids"]

_DIGITS: Final = re.compile(r"[0-9]+")

#: Keys made before others have their turn: half a millisecond.
_KEYS_AT_ONCE: Final = 200

#: Ids that are suggested at most.
_NEAR: Final = 3

#: Characters that are compared: an id may have thousands, and comparing takes the product of both lengths.
_COMPARED: Final = 100

#: How alike two ids must be (`difflib.SequenceMatcher.ratio`) to be suggested for one another.
_ALIKE: Final = 0.65


def natural_key(session: str) -> str:
    """Sorts "unit 2" before "unit 10", regardless of case; ids that are equal except for case or zeros by their text.

    One string, so that ten thousand are compared in some milliseconds.
    """
    return f"{_DIGITS.sub(_counted, session.casefold())}\0{session}"


async def natural_keys(sessions: Sequence[str], pacer: Pacer) -> list[str]:
    """The key of each, in the same order; others have their turn meanwhile."""
    keys: list[str] = []
    for start in range(0, len(sessions), _KEYS_AT_ONCE):
        await pacer.step()
        keys += map(natural_key, sessions[start : start + _KEYS_AT_ONCE])
    return keys


def _counted(digits: re.Match[str]) -> str:
    """A number with its length before it, less leading zeros. (Python refuses to read one of thousands of digits.)"""
    number = digits[0].lstrip("0")
    return f"{len(number):06}{number}"


def near_ids(session: str, known: Iterable[str]) -> list[str]:
    """The known ids that `session` is most likely meant for, the likeliest first; empty if no id is similar."""
    plain = {one: _plain(one) for one in known}
    wanted = _plain(session)
    same = [one for one, text in plain.items() if text == wanted]
    import difflib  # here: hardly any service is asked about an id that it does not know

    matcher = difflib.SequenceMatcher(b=wanted[:_COMPARED])  # it keeps what it knows of `b`
    alike = []
    for one, text in plain.items():
        matcher.set_seq1(text[:_COMPARED])
        if matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE:
            ratio = matcher.ratio()
            if ratio >= _ALIKE:
                alike.append((-ratio, natural_key(one), one))
    return list(dict.fromkeys([*sorted(same, key=natural_key), *(one for *_, one in sorted(alike))]))[:_NEAR]


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
