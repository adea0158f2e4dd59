"""When an entry is tried again, and what an attempt makes of it. Pure: time and chance are arguments.

| the receiver | the entry |
| --- | --- |
| answered 2xx | is delivered |
| answered 408, 429 or 5xx | is tried again by the schedule, whose last step repeats, until it is too old |
| answered anything else | is tried again by the schedule, once through; then it is dead |
| got it and did not answer | when this was the first, direct attempt: is unknown; else as after a 5xx |
| was not reached | is as it was; the circuit (`circuit`) decides when the receiver is tried again |
| was not tried, since the proxy itself failed | is tried again by the schedule |
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from statusproxy.proxy.ports import Attempt
from statusproxy.store.spooled import Entry, EntryState, Reason

__all__ = ["MOST_ASKED", "SCHEDULE", "SpoolRules", "after", "at_first", "delay", "is_over"]

#: Seconds between the attempts by default.
SCHEDULE: Final = (1.0, 5.0, 30.0, 120.0, 600.0)

#: Seconds that a receiver's Retry-After may put an attempt off.
MOST_ASKED: Final = 3600.0

#: The part of a delay by which it varies, up and down, so that proxies and sessions do not act in step.
_JITTER: Final = 0.1

_TRY_LATER: Final = frozenset({408, 429})


class SpoolRules(msgspec.Struct, frozen=True):
    """The settings of the spool."""

    max_bytes: int = 256 * 1024**2
    max_entries: int = 100_000
    max_age: float = 86_400.0
    """Seconds after which an entry is dropped, whatever its state."""
    resend: bool = False
    """Whether an event that was sent and not answered is sent again by itself."""
    schedule: tuple[float, ...] = SCHEDULE
    """Seconds before the second attempt, the third, and so on; the last repeats."""


def is_over(status: int) -> bool:
    """Whether an answer says that the same request will not be taken later either."""
    return status < 500 and status not in _TRY_LATER


def delay(attempts: int, schedule: Sequence[float], chance: float, asked: float | None = None) -> float:
    """Seconds until the next attempt after so many; `chance` is from 0 to 1, `asked` what Retry-After said."""
    step = schedule[min(max(attempts, 1), len(schedule)) - 1]
    wait = step * (1 + _JITTER * (2 * chance - 1))
    return wait if asked is None else max(wait, min(asked, MOST_ASKED))


def at_first(entry: Entry, attempt: Attempt, rules: SpoolRules, now: float, chance: float) -> Entry:
    """A new entry (its `state`, `reason`, `attempts` and `next_at` are filled in here) after its direct attempt."""
    reason = Reason(attempt.reason)
    sent = reason in (Reason.REFUSED, Reason.NO_ANSWER)
    unknown = reason is Reason.NO_ANSWER and not rules.resend
    attempts = 1 if sent else 0
    wait = delay(attempts, rules.schedule, chance, attempt.retry_after)
    return msgspec.structs.replace(
        entry,
        state=EntryState.UNKNOWN if unknown else EntryState.WAITING,
        reason=reason,
        attempts=attempts,
        status=attempt.status,
        next_at=now + wait if sent else entry.received_at,
    )


def after(entry: Entry, attempt: Attempt, rules: SpoolRules, now: float, chance: float) -> Entry | None:
    """A waiting entry after one more attempt; None where it was delivered."""
    if attempt.reason == "delivered":
        return None
    if attempt.reason in ("not-sent", "queued"):
        return entry
    attempts = entry.attempts + 1
    if attempt.reason == "failed":
        wait = delay(attempts, rules.schedule, chance)
        return msgspec.structs.replace(entry, attempts=attempts, next_at=now + wait)
    status = attempt.status
    rejected = entry.rejected + 1 if status is not None and is_over(status) else 0
    dead = rejected > len(rules.schedule)
    return msgspec.structs.replace(
        entry,
        state=EntryState.DEAD if dead else EntryState.WAITING,
        reason=Reason(attempt.reason),
        attempts=attempts,
        rejected=rejected,
        status=status,
        next_at=now + delay(rejected or attempts, rules.schedule, chance, attempt.retry_after),
    )
