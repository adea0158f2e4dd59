"""The ids of entries: they sort by arrival, whatever the clock does, and no other proxy makes the same."""

import secrets
from typing import Final

__all__ = ["Ids"]

#: Hexadecimal digits of the microseconds since the epoch, enough until the year 4253.
_TIME: Final = 14

#: Bytes by which the ids of two proxies differ.
_CHANCE: Final = 7


class Ids:
    """Makes ids. Each sorts after all ids made before, and after all that were passed to `follow`."""

    def __init__(self) -> None:
        self._last = 0
        self._chance = secrets.token_hex(_CHANCE)  # once: those of one proxy differ by their time

    def follow(self, id_: str) -> None:
        """Ids made from now on sort after this one, even if the clock has been set back since."""
        try:
            self._last = max(self._last, int(id_[:_TIME], 16))
        except ValueError:
            pass  # none of ours

    def new(self, now: float) -> str:
        """The next id; `now` in epoch seconds."""
        self._last = max(int(now * 1_000_000), self._last + 1)
        return f"{self._last:0{_TIME}x}{self._chance}"
