"""Which overrides are too old, and which transient states have lasted: what changes by time alone."""

from __future__ import annotations

import math
from typing import Final

from msgspec.structs import replace

from statusproxy.status.doubtful_age import expires_at
from statusproxy.status.model import Record, Release
from statusproxy.status.records import Records

AFTER_A_START: Final = 30.0
"""Seconds after a start in which a transient state with a longer grace does not count: its end may have been sent while
the proxy was down."""


class Overdue:
    """Looks for them only once the first of them may be due."""

    __slots__ = ("_expires_from", "_records")

    def __init__(self, records: Records) -> None:
        self._records = records
        self._expires_from = 0.0  # no override expires before

    def look_again(self) -> None:
        """Rules or records are new: any override may be due."""
        self._expires_from = 0.0

    def taken_over(self, record: Record) -> None:
        """A record came from another proxy, with an override that may have begun before those known here."""
        max_age = self._records.rules.max_age
        if max_age is not None and record.override is not None:
            self._expires_from = min(self._expires_from, record.override.began + max_age)

    def lasted(self, now: float, at_most: int | None) -> list[str]:
        """The sessions whose transient states have lasted long enough; `at_most` so many."""
        records = self._records
        if now < records.transient_due:
            return []
        lasted: list[str] = []
        first = math.inf
        for session in records.transient:
            state = records[session].transient
            assert state is not None
            if state.due > now or (at_most is not None and len(lasted) >= at_most):
                first = min(first, state.due)
            else:
                lasted.append(session)
        records.transient_due = first
        return lasted

    def expired(self, now: float, at_most: int | None) -> list[str]:
        """The sessions with an override about which nothing new came for `max_age`; at most `at_most` of them."""
        records = self._records
        max_age = records.rules.max_age
        if max_age is None or Release.EXPIRED not in records.rules.releases or now < self._expires_from:
            return []
        old: list[str] = []
        first = now + max_age  # when the next one expires: overrides only ever begin later
        for session in records.overridden:
            override = records[session].override
            assert override is not None
            at = expires_at(override, max_age, records.doubted_at)
            if at > now:
                first = min(first, at)
            elif at_most is not None and len(old) >= at_most:
                return old
            else:
                old.append(session)
        self._expires_from = first
        return old


def counted_again(record: Record, now: float, *, in_doubt: bool = False) -> Record:
    """A stored record whose transient state counts no sooner than some time after `now`, when it came from the store.

    `in_doubt`: so is its age (`doubtful_age`).
    """
    state = record.transient
    if state is None:
        return record
    grace = state.due - state.began
    earliest = now + (grace if in_doubt else min(grace, AFTER_A_START))
    return replace(record, transient=replace(state, due=max(state.due, earliest)))
