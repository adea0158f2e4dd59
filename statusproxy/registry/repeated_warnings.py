"""Warnings that come in floods: one line a minute for each thing they are about, with a count of the others."""

import logging
from collections.abc import Mapping
from typing import Final

from statusproxy.observe.counted import counted
from statusproxy.observe.repeats import Repeats

log = logging.getLogger("statusproxy.sessions")

#: Written in place of the sender or reason, for all beyond those that are distinguished.
MANY: Final = "(many)"

_About = tuple[str, str, str]
"""The kind of warning, whom or what it is about, and why."""


class RepeatedWarnings:
    """Writes the lines. Every `now` is of the proxy's own clock, epoch seconds."""

    def __init__(self) -> None:
        self._repeats = Repeats()

    def untrusted(self, source: str, why: str, now: float) -> None:
        """A webhook's sender failed the check `why`: its event is ignored."""
        self._warn(("untrusted", source, why), ("untrusted", MANY, why), now)

    def unreadable(self, what: str, why: str, now: float) -> None:
        """A body could not be watched or corrected, and passed as it came."""
        self._warn(("unread", what, why), ("unread", MANY, why), now)

    def not_saved(self, why: str, now: float) -> None:
        """A change could not be written to the store, which goes on trying."""
        self._warn(("write", "", why), ("write", "", MANY), now)

    def overdue(self, now: float) -> None:
        """Write what was held back more than a minute ago, each with its count."""
        for about, count in self._repeats.overdue(now):
            _write(about, count, over=True)

    def _warn(self, about: _About, others: _About, now: float) -> None:
        due = self._repeats.more(about, others, now)
        if due is not None:
            _write(*due)


def _write(about: object, more: int, *, over: bool = False) -> None:
    """One line; `more` came since the last one, `over` without a new one now."""
    assert isinstance(about, tuple)
    kind, who, why = about
    extra: Mapping[str, object]
    if kind == "untrusted":
        line, extra = f"event ignored: its sender {who} fails the {why} check", {"client": who, "why": why}
    elif kind == "write":
        line, extra = f"a change {'was not on disk at once' if over else 'is not on disk yet'}: {why}", {"why": why}
    else:
        line, extra = f"{who} passed untouched: {why}", {"what": who, "why": why}
    if more:
        again = counted(more, "more time", "more times")
        line += (
            f" ({again} in the last minutes)" if over else f" (and {counted(more, 'time')} since this was last logged)"
        )
        extra = {**extra, "more": more}
    log.log(logging.ERROR if kind == "write" else logging.WARNING, "%s", line, extra=extra)
