"""Path templates, parsed: which paths a template matches, and where it has the session and a secret.

| segment | takes |
| --- | --- |
| `channels` | itself, percent-decoded and without regard to case |
| `{session}` | any one segment: the session's id |
| `{_}` | any one segment: a secret, which is never shown, logged or remembered |
| `{session}:{_}`, `{_}:{session}` | one segment with both in it, cut at the text between them |
| `**`, at the end | any number of segments, also none |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote

import msgspec

from statusproxy.status.session_cut import NO_SESSIONS, Cut

SESSION: Final = "{session}"
SECRET: Final = "{_}"  # noqa: S105 - what stands for one
BELOW: Final = "**"

_PLACEHOLDERS: Final = (SESSION, SECRET)

_CUT: Final = re.compile(r"(\{session\}|\{_\})([^{}]+)(\{session\}|\{_\})")


Step = str | Cut
"""A literal (case-folded), `SESSION`, `SECRET`, or a segment that is cut."""


class Template(msgspec.Struct, frozen=True):
    """A path template, taken apart."""

    steps: tuple[Step, ...]
    below: bool = False
    """Whether it takes what is below its last step, too."""

    @property
    def up_to_secret(self) -> tuple[Step, ...]:
        """Its steps up to the first that holds a secret; none where no step does."""
        held = (at for at, step in enumerate(self.steps) if step == SECRET or isinstance(step, Cut))
        return self.steps[: next(held, -1) + 1]

    def takes(self, path: Sequence[str]) -> bool:
        """Whether a path fits, as its decoded segments."""
        steps = self.steps
        if len(steps) != len(path) and not (self.below and len(steps) < len(path)):
            return False
        if not begins(path, steps):
            return False
        return not self.below or NO_SESSIONS.isdisjoint(path[len(steps) :])

    def session(self, path: Sequence[str]) -> str | None:
        """The session that a path which fits names."""
        for step, segment in zip(self.steps, path, strict=False):
            if step == SESSION:
                return segment
            if isinstance(step, Cut):
                return step.session(segment)
        return None

    def covers(self, other: Template) -> bool:
        """Whether it takes every path that `other` takes."""
        if len(self.steps) != len(other.steps) and not (self.below and len(self.steps) < len(other.steps)):
            return False
        return (self.below or not other.below) and all(map(_covers, self.steps, other.steps))


def begins(path: Sequence[str], steps: Sequence[Step]) -> bool:
    """Whether a path, as its decoded segments, begins with what these steps take."""
    if len(path) < len(steps):
        return False
    for step, segment in zip(steps, path, strict=False):
        if step.__class__ is str and step not in _PLACEHOLDERS:
            if step != segment.casefold():
                return False
        elif segment in NO_SESSIONS or (isinstance(step, Cut) and step.session(segment) is None):
            return False
    return True


def source_of(path: str) -> str:
    """A path template without the secrets that are cut off: it leads to the same as the one without them."""
    return "/".join(SESSION if cut_of(segment) else segment for segment in path.split("/"))


def common_cut(paths: Iterable[str]) -> Cut | None:
    """How path templates cut a session's id from a secret; None if none does, or if those that do differ."""
    cuts = {cut for path in paths for segment in path.split("/") if (cut := cut_of(segment)) is not None}
    return cuts.pop() if len(cuts) == 1 else None


def parse_template(path: str) -> Template:
    """Take a path template apart; it is one that `paths.check_template` takes, or a path without placeholders."""
    segments = path.split("/")[1:]
    if segments and not segments[-1]:
        segments.pop()
    below = bool(segments) and segments[-1] == BELOW
    return Template(tuple(map(_step, segments[:-1] if below else segments)), below)


def cut_of(segment: str) -> Cut | None:
    """How a template's segment is cut; None where it is not."""
    match = _CUT.fullmatch(segment)
    if match is None or match[1] == match[3]:
        return None
    return Cut(unquote(match[2]), match[1] == SESSION)


def _step(segment: str) -> Step:
    if segment in _PLACEHOLDERS:
        return segment
    return cut_of(segment) or unquote(segment, errors="surrogateescape").casefold()


def _covers(wide: Step, narrow: Step) -> bool:
    if isinstance(wide, Cut):
        if isinstance(narrow, Cut):
            return wide.separator == narrow.separator
        return narrow not in _PLACEHOLDERS and wide.session(narrow) is not None
    return wide in _PLACEHOLDERS or wide == narrow
