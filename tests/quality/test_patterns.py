"""Regular expressions of statusproxy, read as text: none uses what Python 3.11.0 to 3.11.4 gets wrong.

There, a possessive group (`(?:…)*+`) that fails in the middle of a turn goes on where that turn failed, instead of
where it began (python/cpython#106052). Debian 12 has Python 3.11.2. `(?>(?:…)*)` means the same and is right
everywhere, as is a possessive quantifier behind a single character or set.
"""

import re
from pathlib import Path
from typing import Final

import pytest

import statusproxy

_SOURCES: Final = Path(statusproxy.__file__).parent
_POSSESSIVE_GROUP: Final = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]*\})\+")


@pytest.mark.parametrize(
    ("pattern", "refused"),
    [
        ("(?:ab?c)*+", True),
        ("(ab)?+", True),
        ("(?:ab){1,3}+", True),
        ("(?>(?:ab?c)*)", False),
        (r"[^)]*+", False),
        (r"\)*+", False),
        ("(?:ab)+c", False),
    ],
)
def test_a_possessive_group_is_told_from_others(pattern: str, refused: bool) -> None:
    assert bool(_POSSESSIVE_GROUP.search(pattern)) is refused


@pytest.mark.slow
def test_no_group_is_possessive() -> None:
    found = [
        f"{path.relative_to(_SOURCES)}:{number}: write (?>(?:…)*) for (?:…)*+"
        for path in sorted(_SOURCES.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _POSSESSIVE_GROUP.search(line.replace("'()*+", ""))  # a set of characters in `authority`
    ]
    assert found == []


def test_a_group_that_fails_in_the_middle_of_a_turn_goes_on_where_the_turn_began() -> None:
    """This is what all of them rely on, on the Python that runs."""
    assert re.fullmatch("(?>(?:ab?c)*)", "a") is None
    found = re.match("(?>(?:a(?!b))*)(.)", "aab")
    assert found is not None
    assert found[1] == "a"
    captured = re.match("(?>(?:x(a)b)?)c?", "xabc")
    assert captured is not None
    assert captured[1] == "a"
