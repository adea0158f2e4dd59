"""Names, words and counts as a draft writes them: YAML, and the comments in it."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from statusproxy.status.fields import Path

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_SPECIAL: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def is_plain(text: str) -> bool:
    """Whether a text can stand in YAML without quotes, as far as its characters go."""
    return _PLAIN.fullmatch(text) is not None


def hides(path: str) -> bool:
    """Whether a path has a whole segment that is not shown."""
    return "{_}" in path.split("/")


def of(counts: Mapping[str, int], words: Iterable[str]) -> str:
    """The counts of these words alone."""
    return counted({word: counts[word] for word in words})


def counted(counts: Mapping[str, int]) -> str:
    """Words and how often each came: `up 2, down 1`."""
    return ", ".join(f"{word} {count}" for word, count in counts.items())


def number(count: int, what: str) -> str:
    """A number of things: `1 name`, `2 names`."""
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def events(count: int) -> str:
    """A number of events."""
    return number(count, "event")


def answers(count: int) -> str:
    """A number of answers."""
    return number(count, "answer")


def dotted(path: Path) -> str:
    """A path with its dots; `""` for the document itself."""
    return scalar(".".join(path)) if path else '""'


def paths(paths: Iterable[Path]) -> str:
    """Paths as a list."""
    return f"[{', '.join(map(dotted, paths))}]"


def flow(words: Iterable[str]) -> str:
    """Words as a list."""
    return f"[{', '.join(map(scalar, words))}]"


def scalar(text: str) -> str:
    """A text in YAML, in quotes where it would be something else without."""
    plain = _PLAIN.fullmatch(text) and text.casefold() not in _SPECIAL
    if plain or (text.startswith("/") and re.fullmatch(r"[A-Za-z0-9_./*{}-]+", text)):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
