"""Findings of the doctor: severity, code, and the facts that the words are filled with."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

#: A group of checks, in the order of the report.
GROUPS = (
    "configuration",
    "proxy",
    "ports",
    "gateway",
    "channels",
    "webhooks",
    "spool",
    "alerts",
    "clock",
    "disk",
    "service",
)


class Level(StrEnum):
    """Severity of a finding, mildest first."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


_GRAVITY = {level: number for number, level in enumerate(Level)}


class Lines(tuple[str, ...]):
    """Lines to be copied as they are, such as into config.yaml: the report prints them at its margin, unbroken."""

    __slots__ = ()


class Ids(tuple[str, ...]):
    """Ids from elsewhere: the report writes each as one word of a shell, so that it can be copied into a command."""

    __slots__ = ()


class States(tuple[tuple[str, str], ...]):
    """The gateway's own words, each with what it means (`layers.STATES`; empty: not known)."""

    __slots__ = ()


class Finding(msgspec.Struct, frozen=True):
    """One finding. `code` is `group.what`; never a secret among the `facts`."""

    level: Level
    code: str
    facts: Mapping[str, Any] = {}

    @property
    def group(self) -> str:
        """The group of checks that it belongs to."""
        return self.code.partition(".")[0]


def ok(code: str, **facts: Any) -> Finding:
    """Something is as it should be."""
    return Finding(Level.OK, code, facts)


def note(code: str, **facts: Any) -> Finding:
    """Something worth knowing; nothing needs to be done."""
    return Finding(Level.NOTE, code, facts)


def warning(code: str, **facts: Any) -> Finding:
    """Something works less well than it could, or could not be checked."""
    return Finding(Level.WARNING, code, facts)


def problem(code: str, **facts: Any) -> Finding:
    """Something does not work."""
    return Finding(Level.PROBLEM, code, facts)


def worst(findings: Iterable[Finding]) -> Level:
    """The gravest level among the findings; OK where there are none."""
    return max((finding.level for finding in findings), key=_GRAVITY.__getitem__, default=Level.OK)


def ago(seconds: float) -> str:
    """A span of time in a form that reads the same in both languages: `40 s`, `12 min`, `3 h`, `5 d`."""
    seconds = max(0.0, seconds)
    for unit, length, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def took(seconds: float) -> str:
    """How long something took: `12 ms`, `3.4 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def listed(items: Iterable[object], most: int = 8) -> str:
    """Some things in one line, and how many more there are."""
    shown = [str(item) for item in items]
    more = len(shown) - most
    return ", ".join(shown[:most]) + (f", … (+{more})" if more > 0 else "")
