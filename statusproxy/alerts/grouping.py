"""When what falls together becomes one message: once nothing more became due for a while, and not too often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["QUIET", "ready_at"]

QUIET: Final = 5.0
"""Seconds without anything more becoming due, after which a message is made. `group` is at least this."""


def ready_at(times: Sequence[float], group: float, last: float | None, now: float) -> float:
    """When the message of what becomes due at `times` is made, if nothing else happens until then.

    That is once nothing more became due for `QUIET`, at most `group` seconds after the first. Two messages of a type
    are `group` apart: `last` is when the last one was made (one in the future is of a clock that was set back, and does
    not count). `times` are in order, at least one; those to come count as well.
    """
    quiet = times[0] + QUIET
    for time in times[1:]:
        if time > quiet:
            break
        quiet = time + QUIET
    ready = min(quiet, times[0] + group)
    return ready if last is None or last > now else max(ready, last + group)
