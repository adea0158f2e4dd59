"""An answer of the gateway as it is kept: read and folded in steps, a look-up's few at once or one after the other."""

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from itertools import count, islice
from typing import Final

from statusproxy.status.channel_list import ChannelList
from statusproxy.status.list_reader import SMALL

#: Steps of reading and folding in one look-up. Ten thousand usual channels take as many.
_STEPS: Final = 13

#: Of these, the first steps of reading an answer are taken in any case: building its reader, one call that reads it,
#: and taking its ids. So are all of folding. Others, as where an answer is read the slow way, only for so many seconds:
#: what an answer holds decides whether a usual one is read, and not how busy the machine is.
_SURE: Final = 2
_FOR: Final = 0.003

#: What one look-up begins to read: bytes, each of which counts as one, and each value, and each escape, for some more.
#: Ten thousand channels of two members take 9 ms, with their folds. What is not ASCII takes longer.
_WEIGHT: Final = 1024 * 1024
_A_VALUE: Final = 16
_NOT_ASCII: Final = 4

#: Readers built in one look-up: each takes 5 ms. They are built ahead, so that a look-up hardly meets one to build.
_BUILT: Final = 2

#: Steps of reading an answer about one channel that tell which one: where it takes more, it may not be about one.
SINGLE_STEPS: Final = 8

_NUMBERS: Final = count()


class KeptAnswer:
    """An answer kept."""

    __slots__ = (
        "_folding",
        "_lacks",
        "_reading",
        "_weight",
        "at",
        "before",
        "failed",
        "is_over",
        "is_passed",
        "listing",
        "number",
    )

    def __init__(self, listing: ChannelList, at: float, before: "KeptAnswer | None" = None) -> None:
        """`before` is the answer in whose place this one is."""
        self.listing = listing
        self.at = at
        self.before: KeptAnswer | None = None if before is None else before.stand_in()
        """The one of the same route that is asked when this one is no list: an error, for example. See `stand_in`."""
        self.is_over = False
        """Whether a later list that was asked for with a query has had all its channels, and stands in its place."""
        self.is_passed = False
        """Whether answers that came after it, and were not read, are kept no longer: it may not be the last list."""
        self._reading: Generator[None, None, None] | None = None
        self._folding: Generator[None, None, None] | None = None
        self.failed = False
        """Whether a step has raised: the steps are over then, and there is no result."""
        self._weight: int | None = None
        self.number = next(_NUMBERS)
        """Tells it from all others, also from those that are gone."""
        self._lacks = -1  # the number of the last one some of whose channels it has not

    @property
    def is_list(self) -> bool:
        """Whether it has been read, and lists channels."""
        return self.listing.is_read and self.listing.failure is None

    @property
    def last_list(self) -> "KeptAnswer | None":
        """This answer if it is a list, else the last list before it; None if there was no list."""
        if self.is_list:
            self.before = None
            return self
        return None if self.before is None else self.before.last_list

    @property
    def is_begun(self) -> bool:
        """Whether its reading has begun."""
        return self._reading is not None

    @property
    def unread(self) -> "KeptAnswer | None":
        """The newest that is not read yet, of this answer and those that are asked when it is no list."""
        answer: KeptAnswer | None = self
        while answer is not None and (answer.listing.is_read or answer.failed):
            answer = None if answer.is_list else answer.before
        return answer

    def stand_in(self) -> "KeptAnswer | None":
        """What is kept of this one and those before it once another comes, two at most: one that is not read, and the
        last that is known to be a list.

        Not read is the newest, or one that is being read, so that where every answer differs, one is read to its end
        now and then.
        """
        if self.is_list:
            self.before = None  # else each list would hold all those before it
            return self
        if self.listing.is_read or self.failed:
            return self.before
        if self.before is None:
            return self
        last = self.last_list
        behind = self.before.unread
        if behind is not None:
            if last is not None:
                last.is_passed = True
            if behind.is_begun and not self.is_begun:
                behind.is_passed = True
                return behind
        self.before = last
        return self

    def has_channels_of(self, other: "KeptAnswer") -> bool:
        """Whether this list has all channels of another, which is asked at each look-up: thousands take 2 ms once."""
        if self._lacks == other.number:
            return False
        has_all = self.listing.ids.exact >= other.listing.ids.exact
        if not has_all:
            self._lacks = other.number
        return has_all

    @property
    def weight(self) -> int:
        """How long it takes to read, by what it is made of."""
        if self._weight is None:
            self._weight = _weight(self.listing.body)
        return self._weight

    def read(self, steps: int, until: Callable[[int], bool]) -> int:
        """Read on in one not yet read, at most so many steps; give how many are left over.

        `until` is asked before each step, with the number of those taken, whether to stop.
        """
        if self._reading is None:
            self._reading = self.listing.steps()
        return self._go_on(self._reading, steps, until)

    def fold(self, steps: int) -> int:
        """Fold the ids of an answer that has been read, at most so many steps; give how many are left over."""
        if not self.listing.is_read or self.listing.ids.are_folded:
            return steps
        if self._folding is None:
            self._folding = self.listing.ids.fold()
        return self._go_on(self._folding, steps, _never)

    def finish(self) -> Generator[None, None, None]:
        """Read it, and those that are asked when it is no list; of the list make all that a look-up needs of it.

        Yields after each step.
        """
        while (unread := self.unread) is not None:
            unread.read(1, _never)
            yield
        last = self.last_list or self
        listing = last.listing
        if listing.single:
            return
        while not (listing.ids.are_folded or last.failed):
            last.fold(1)
            yield
        if last.failed:
            return
        with suppress(RecursionError):  # a channel that is nested too deep
            # With one of the channels it is found where the others stand.
            yield from listing.read_objects(islice(listing.ids.exact, 1), listing.rule.object_reader)
        yield from listing.number(len(listing))

    def _go_on(self, work: Generator[None, None, None], steps: int, until: Callable[[int], bool]) -> int:
        try:
            return go_on(work, steps, until)
        except Exception:
            self.failed = True
            last = self.last_list
            if last is not None:
                last.is_passed = True
            raise


class Effort:
    """What one look-up may still do."""

    __slots__ = ("_builds", "_until", "steps", "weight")

    def __init__(self, *, some: bool) -> None:
        self.steps = _STEPS if some else 0
        self.weight = _WEIGHT if some else 0
        self._builds = _BUILT
        self._until = time.perf_counter() + _FOR

    def read(self, answer: KeptAnswer) -> bool:
        """Read an answer, if that is done soon. Gives whether it is read."""
        listing = answer.listing
        is_new = not listing.rule.is_prepared
        if not self.steps or len(listing.body) > self.weight or answer.weight > self.weight or is_new > self._builds:
            return False
        self.weight -= answer.weight
        self._builds -= is_new
        sure = _SURE + (is_new and len(listing.body) > SMALL)
        left = answer.read(self.steps, lambda done: done >= sure and time.perf_counter() >= self._until)
        if not listing.single:
            self.steps = left
        return listing.is_read

    def fold(self, answer: KeptAnswer) -> None:
        """Fold the ids of an answer, if that is done soon."""
        self.steps = answer.fold(self.steps)


def _never(_done: int) -> bool:
    return False


def go_on(steps: Generator[None, None, None], most: int, until: Callable[[int], bool] = _never) -> int:
    """Go at most so many steps; give how many are left over. `until` tells, by those gone, whether to stop."""
    done = 0
    while done < most and not until(done):
        done += 1
        try:
            next(steps)
        except StopIteration:
            break
    return most - done


def _weight(body: bytes) -> int:
    values = body.count(b",") + body.count(b"{") + body.count(b"[") + body.count(b"\\")
    weight = len(body) + _A_VALUE * values
    return weight if body.isascii() else _NOT_ASCII * weight
