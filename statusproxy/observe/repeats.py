"""Rate limiting of repeated warnings: one line a minute for each, with a count of the others."""

from collections.abc import Hashable
from typing import Final

#: Seconds in which a warning is logged once for each subject, and how many subjects are distinguished.
QUIET: Final = 60.0
TOLD_APART: Final = 256


class Repeats:
    """Limits repeated warnings to one line a minute for each subject, with a count of the others.

    Subjects that a flood can make up (senders' addresses) are distinguished up to a bound; all further ones share one
    line.
    """

    def __init__(self) -> None:
        self._since: dict[Hashable, float] = {}
        self._held_back: dict[Hashable, int] = {}

    def more(self, key: Hashable, others: Hashable, now: float) -> tuple[Hashable, int] | None:
        """What to log now: `key` (or `others`, if too many keys are distinguished already) and how often it came since
        its last line without being logged. None if it must not be logged now."""
        if key not in self._since and len(self._since) >= TOLD_APART:
            key = others
        since = self._since.get(key)
        # A clock that was set back silences nothing.
        if since is not None and 0 <= now - since < QUIET:
            self._held_back[key] = self._held_back.get(key, 0) + 1
            return None
        self._since[key] = now
        return key, self._held_back.pop(key, 0)

    def overdue(self, now: float) -> list[tuple[Hashable, int]]:
        """Warnings that came again after their last line, a minute ago or more, each with its count."""
        owed = []
        for key in [key for key, since in self._since.items() if not 0 <= now - since < QUIET]:
            if key in self._held_back:
                owed.append((key, self._held_back.pop(key)))
                self._since[key] = now
            else:
                del self._since[key]
        return owed
