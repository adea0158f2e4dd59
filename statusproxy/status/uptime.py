"""How much of the time a session was connected: its outages counted by UTC days and calendar months.

A session's time begins when its first event came, or when the kept history begins, if that is later. Time that is not
known to be lost counts as connected. Times are epoch seconds.
"""

from __future__ import annotations

import math
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from operator import sub
from typing import Final

import msgspec

DAY: Final = 86_400.0
"""Seconds of a UTC day."""

DAYS: Final = 90
"""Days that a session's figures are about, today included."""

_MOMENT: Final = struct.Struct("d")


class Figures(msgspec.Struct, frozen=True):
    """A session's last 90 UTC days."""

    first_heard: float | None = None
    lost_seconds: float = 0.0
    losses: int = 0
    uptime: float | None = None
    """From 0 to 1, over the time that is known; None if no time is known."""
    days: str = ""
    """One character a day, the oldest first, today last: `-` nothing known, `0` nothing lost, `1` to `9` tenths of the
    day lost, rounded up; `9` is more than 80 %."""


class Share(msgspec.Struct, frozen=True):
    """What was lost of some time."""

    known_seconds: float
    lost_seconds: float
    losses: int

    @property
    def uptime(self) -> float | None:
        """From 0 to 1; None where nothing is known of the time."""
        return None if self.known_seconds <= 0 else max(0.0, 1.0 - self.lost_seconds / self.known_seconds)

    def and_(self, other: Share) -> Share:
        """Both together."""
        return Share(
            self.known_seconds + other.known_seconds,
            self.lost_seconds + other.lost_seconds,
            self.losses + other.losses,
        )


class Outages(msgspec.Struct, eq=False, gc=False):
    """When one session was lost: outages that do not overlap, in order, and the one that lasts. 16 bytes for each.

    Nothing in it is looked at by Python's garbage collector: a full collection visits what it tracks of ten thousand
    sessions without a pause.
    """

    open_since: float | None = None
    """Since when the session is lost now; None where it is not."""
    _starts: bytes = b""
    _ends: bytes = b""

    def __len__(self) -> int:
        """How many are over."""
        return len(self._starts) // _MOMENT.size

    def __iter__(self) -> Iterator[tuple[float, float]]:
        """Those that are over: from, to."""
        return zip(_moments(self._starts), _moments(self._ends), strict=True)

    def add(self, since: float, until: float) -> None:
        """Count an outage that is over. The same again, or one that overlaps others, is one with them."""
        starts, ends = _moments(self._starts), _moments(self._ends)
        until = max(since, until)
        first = bisect_right(ends, since)
        while first and ends[first - 1] == since == starts[first - 1]:
            first -= 1  # of no length, and told again
        last = max(first, bisect_left(starts, until))
        if last == first and first < len(starts) and starts[first] == since:
            last += 1
        if last > first:
            since, until = min(since, starts[first]), max(until, ends[last - 1])
        self._starts = _replaced(self._starts, first, last, since)
        self._ends = _replaced(self._ends, first, last, until)

    def drop_before(self, moment: float) -> None:
        """Forget the outages that were over by then."""
        self._drop(bisect_right(_moments(self._ends), moment))

    def drop_oldest(self) -> float:
        """Forget the oldest that is over; give when it was."""
        until = _moments(self._ends)[0]
        self._drop(1)
        return until

    def _drop(self, count: int) -> None:
        gone = count * _MOMENT.size
        self._starts, self._ends = self._starts[gone:], self._ends[gone:]

    def days(self, start: float, now: float) -> Iterator[tuple[int, float, bool]]:
        """What was lost from `start` until `now`, by UTC days: the day's number, seconds, and whether a loss is in it.

        A day may come several times. What takes time are the days: of a day with thousands of outages none is visited
        by Python itself.
        """
        starts, ends = _moments(self._starts), _moments(self._ends)
        first, last, over = self._within(start, now)
        number = first
        while number < last:
            day = math.floor(max(start, starts[number]) / DAY)
            # The first may begin before `start`, and the last of a day may end after it: those are cut. All others of a
            # day are on it as they are.
            following = number + 1 if number == first else bisect_left(starts, (day + 1) * DAY, number + 1, last)
            final = following - 1
            if final > number:
                yield day, math.fsum(map(sub, ends[number:final], starts[number:final])), True
            yield from _by_days(max(start, starts[final]), min(over, ends[final]), begins=starts[final] >= start)
            number = following
        if (lasts := self._lasts(start, now, now)) is not None:
            yield from _by_days(*lasts, begins=lasts[0] == self.open_since)

    def share(self, start: float, end: float, now: float) -> Share:
        """What was lost of this time; an outage that lasts counts up to `now`."""
        end = min(end, now)
        if end <= start:
            return Share(0.0, 0.0, 0)
        starts, ends = _moments(self._starts), _moments(self._ends)
        first, last, over = self._within(start, end)
        parts, losses = map(sub, ends[first:last], starts[first:last]), last - first
        cut = 0.0
        if losses:
            losses -= starts[first] < start
            cut = max(0.0, start - starts[first]) + max(0.0, ends[last - 1] - over)
        if (lasts := self._lasts(start, end, now)) is not None:
            losses += lasts[0] == self.open_since
            cut -= lasts[1] - lasts[0]
        return Share(end - start, max(0.0, min(math.fsum(parts) - cut, end - start)), losses)

    def _within(self, start: float, end: float) -> tuple[int, int, float]:
        """Which of those that are over are in this time, from the first to before the last, and where they are cut."""
        over = end if self.open_since is None else min(end, self.open_since)  # what the one that lasts covers is its
        first = bisect_left(_moments(self._ends), start)
        return first, max(first, bisect_left(_moments(self._starts), over)) if over > start else first, over

    def _lasts(self, start: float, end: float, now: float) -> tuple[float, float] | None:
        """The part of the outage that lasts which is in this time; None if there is none."""
        since = self.open_since
        if since is None or since >= end or now < start:
            return None
        return max(start, since), max(since, min(end, now))


def _moments(packed: bytes) -> memoryview[float]:
    return memoryview(packed).cast("d")


def _replaced(packed: bytes, first: int, last: int, moment: float) -> bytes:
    """The moments with this one in place of those from `first` to `last`."""
    return packed[: first * _MOMENT.size] + _MOMENT.pack(moment) + packed[last * _MOMENT.size :]


def united(several: Iterable[Outages]) -> Outages:
    """When a session was lost that is known under several ids: while it was by any of them."""
    open_since: float | None = None
    found: list[tuple[float, float]] = []
    for one in several:
        found += one
        if one.open_since is not None:
            open_since = one.open_since if open_since is None else min(one.open_since, open_since)
    found.sort()
    starts, ends = array("d"), array("d")
    for since, until in found:  # as `Outages.add` does it one by one, each time with a new copy of all
        if starts and (since < ends[-1] or since == starts[-1]):
            ends[-1] = max(ends[-1], until)
        else:
            starts.append(since)
            ends.append(until)
    if open_since is not None:
        number = bisect_left(starts, open_since) - 1
        if number >= 0 and open_since < ends[number]:
            open_since = starts[number]
    return Outages(open_since, starts.tobytes(), ends.tobytes())


def figures(outages: Outages | None, known_from: float | None, first_heard: float | None, now: float) -> Figures:
    """A session's last 90 days, of which those from `known_from` on are known. `outages` is None where it had none."""
    today = math.floor(now / DAY)
    first = today - DAYS + 1
    if known_from is None or known_from > now:
        return Figures(first_heard or None, days="-" * DAYS)
    unknown = max(0, min(DAYS, math.floor(known_from / DAY) - first))
    if outages is None:
        blank = "-" * unknown + "0" * (DAYS - unknown)
        return Figures(first_heard or None, uptime=1.0 if known_from < now else None, days=blank)
    start = max(known_from, first * DAY)
    share = outages.share(start, math.inf, now)
    lost = [0.0] * DAYS
    begun = [False] * DAYS
    for day, seconds, begins in outages.days(start, now):
        lost[day - first] += seconds
        begun[day - first] |= begins
    days = "-" * unknown + "".join(map(_tenths, lost[unknown:], begun[unknown:]))
    return Figures(first_heard or None, share.lost_seconds, share.losses, share.uptime, days)


def months(count: int, now: float) -> list[tuple[str, float, float]]:
    """The last calendar months in UTC, this one first: `2026-11`, when it begins, when it ends."""
    moment = datetime.fromtimestamp(now, UTC)
    year, month = moment.year, moment.month
    found = []
    end = _begins(*_next(year, month))
    for _ in range(count):
        begin = _begins(year, month)
        found.append((f"{year:04}-{month:02}", begin, end))
        year, month, end = year - (month == 1), month - 1 or 12, begin
    return found


def together(shares: Iterable[Share]) -> Share:
    """What was lost of the time of several sessions: of each session's time alike."""
    whole = Share(0.0, 0.0, 0)
    for share in shares:
        whole = whole.and_(share)
    return whole


def _by_days(since: float, until: float, *, begins: bool) -> Iterator[tuple[int, float, bool]]:
    """One outage, as `Outages.days`: it may last for days, and begins on the first."""
    day = math.floor(since / DAY)
    for each in range(day, math.floor(until / DAY) + 1):
        yield each, max(0.0, min(until, (each + 1) * DAY) - max(since, each * DAY)), begins and each == day


def _tenths(lost: float, begun: bool) -> str:
    return str(min(9, math.ceil(lost / DAY * 10 - 1e-9)) or int(begun))


def _next(year: int, month: int) -> tuple[int, int]:
    return year + month // 12, month % 12 + 1


def _begins(year: int, month: int) -> float:
    return datetime(year, month, 1, tzinfo=UTC).timestamp()
