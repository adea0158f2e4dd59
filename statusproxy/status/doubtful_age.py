"""The least age of an override of which only the system's clock tells, since that clock may have run ahead.

`doubted_at` is when they were loaded, on our own clock. What began before then is as old as it says for sure only once
that time has passed since.
"""

from __future__ import annotations

from typing import Final

from statusproxy.status.clocks import Stamp, later_by
from statusproxy.status.model import Override

SETTLING: Final = 3_600.0
"""Seconds after a start in which no override expires whose age is known by the system's clock alone. Time services set
a clock within minutes."""

NEVER: Final = float("-inf")
"""`doubted_at` where no age is in doubt."""


def outlived(override: Override, alive: Stamp, grace: float, doubted_at: float) -> bool:
    """Whether a message came more than `grace` seconds after the disconnect for sure."""
    if override.began < doubted_at and alive.here - doubted_at <= grace:
        return False
    return later_by(alive, override.stamp) > grace


def expires_at(override: Override, max_age: float, doubted_at: float) -> float:
    """When an override is `max_age` seconds old for sure, on our own clock."""
    due = override.began + max_age
    return max(due, doubted_at + SETTLING) if override.began < doubted_at else due
