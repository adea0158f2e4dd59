"""What the gateway last said of each session, corrected or not: its last answers, each read at most once.

While no override is in force an answer passes unread, and the map notes the gateway's words for overridden sessions
alone. Yet the history and the status page must tell what the gateway claimed when a session was lost. So the last
answers are kept as they came (a reference each, no copy, no work on their way). One is read when a session changes or
someone looks, and serves as an index from then on: a look-up costs some µs however long the list is. The same bytes
again are the same answer; only its time moves.
"""

import logging
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator
from typing import Final, NamedTuple

from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.identity import Aliases, ChannelIds
from statusproxy.status.session_state import Claim, claim_of

log = logging.getLogger("statusproxy.sessions")

#: How many answers are kept: those of the list routes, and the last few about one channel.
KEPT: Final = 16

#: Bytes of the largest list kept, some twelve thousand channels; of the largest answer about one channel; of all. (The
#: list before an answer that turns out to be none is kept beside these.)
LARGEST: Final = 2 * 1024 * 1024
LARGEST_SINGLE: Final = 64 * 1024
TOTAL: Final = 8 * 1024 * 1024

#: Channels of the longest list kept as an index: for lists of next to nothing else, whose index outgrows them.
LONGEST: Final = 50_000

#: Steps of reading lists in one look-up, mostly of a millisecond each. What is not read by then counts as unknown; the
#: next look-up continues.
_STEPS: Final = 12

#: Seconds by which the list of one route may be older than that of another and still count: a site asks for its lists
#: every few minutes, and a list that nobody asks for any more must not show channels that are gone.
TOGETHER: Final = 600.0

_NO_IDS: Final = ChannelIds(frozenset())


class Word(NamedTuple):
    """The gateway's word for a session's status, and when it said so (epoch seconds)."""

    said: str
    at: float


class _Answer:
    """An answer kept."""

    __slots__ = ("_folding", "_reading", "at", "before", "listing")

    def __init__(self, listing: ChannelList, at: float, before: "_Answer | None" = None) -> None:
        """`before` is the answer in whose place this one is."""
        if before is not None and before.is_list:
            before.before = None  # else each list would hold all those before it
        self.listing = listing
        self.at = at
        self.before: _Answer | None = before if before is None or before.is_list else before.before
        """The last of the same route that is known to be a list, for when this one is none: an error, for example."""
        self._reading: Generator[None, None, None] | None = None
        self._folding: Generator[None, None, None] | None = None

    @property
    def is_list(self) -> bool:
        """Whether it has been read, and lists channels."""
        return self.listing.is_read and self.listing.failure is None

    @property
    def last_list(self) -> "_Answer | None":
        """This answer if it is a list, else the last list before it; None if there was no list."""
        if self.is_list:
            self.before = None
            return self
        return self.before

    def read(self, steps: int) -> int:
        """Read on in a list not yet read, at most so many steps; give how many are left over."""
        if self._reading is None:
            self._reading = self.listing.steps()
        return _go_on(self._reading, steps)

    def fold(self, steps: int) -> int:
        """Fold the ids of an answer that has been read, at most so many steps; give how many are left over."""
        if not self.listing.is_read:
            return steps
        if self._folding is None:
            self._folding = self.listing.ids.fold()
        return _go_on(self._folding, steps)


class GatewayView:
    """Keeps the gateway's last answers, and finds in them what it said of a session."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[int, str | None], _Answer] = OrderedDict()  # the newest last
        self._size = 0
        self._together: tuple[list[ChannelList], ChannelIds] = ([], _NO_IDS)
        self.version = 0
        """Counts the answers noted: while it stands still, so does what `word` would give."""
        self.news = 0
        """Counts the answers that differed from the one before: while it stands still, so do the words, but not their
        times."""

    def note(self, body: bytes, rule: ChannelRule, channel: str | None, now: float) -> ChannelList:
        """Keep an answer of a corrected route, in place of the one before; `channel` is the id in its path.

        Gives what reads it: the same as before where the answer is the same.
        """
        listing: ChannelList | None = None
        if rule.one and len(body) <= LARGEST_SINGLE:
            listing = ChannelList(body, rule)
            listing.read()  # it alone names the channel that it is about
            channel = listing.subject
        # The answer holds its rule, so the rule's identity cannot be another's while it is a key.
        key = (id(rule), channel)
        self.version += 1
        kept = self._answers.get(key)
        if kept is not None and kept.listing.body == body:
            kept.at = now
            self._answers.move_to_end(key)
            return kept.listing
        self.news += 1
        if kept is not None:
            self._drop(key)
        if listing is None:
            listing = ChannelList(body, rule, channel)
        if len(body) <= (LARGEST if listing.whole else LARGEST_SINGLE):
            self._answers[key] = _Answer(listing, now, kept if listing.whole else None)
            self._size += len(body)
            while len(self._answers) > KEPT or self._size > TOTAL:
                # The lists stay: they are about every session.
                single = next((key for key in self._answers if key[1] is not None), None)
                self._drop(single or next(iter(self._answers)))
        return listing

    def word(self, session: str, aliases: Aliases) -> Word | None:
        """The gateway's last word for this session, if any of the answers kept speaks of it. Never raises: what changed
        is saved, whatever is wrong with an answer."""
        try:
            claim = self.claim(session, aliases)
        except Exception:
            log.exception("what the gateway said of a session could not be read")
            return None
        return None if claim is None else Word(claim.word, claim.at)

    def claim(self, session: str, aliases: Aliases) -> Claim | None:
        """What the newest answer that speaks of this session says of it, if any of those kept does."""
        steps = _STEPS
        answers = list(reversed(self._answers.items()))
        for number, (key, answer) in enumerate(answers):
            steps = self._read(key, answer, steps)
            if answer.listing.whole:
                answer = answer.last_list or answer
            listing = answer.listing  # one that is not read, or cannot be, has no ids
            exact = listing.ids.exact
            channel: str | None = session
            if session not in exact:
                steps = answer.fold(steps)
                if not listing.ids.are_folded:
                    continue  # unknown as yet, as where a list is not read yet
                channel = listing.ids.match(session, aliases).channel
                if channel is not None and not listing.whole:
                    # By its fold alone it could be another channel: a list tells.
                    for older in answers[number + 1 :]:
                        steps = self._read(*older, steps)
                        steps = older[1].fold(steps)
                    learned = self._learned(session, aliases, (older for _, older in answers[number + 1 :]))
                    channel = channel if learned in (None, channel) else None
            claim = claim_of(listing, channel, answer.at) if channel is not None else None
            if claim is not None:
                return claim
        return None

    def reading(self) -> Iterator[None]:
        """Read the lists that are not read yet, so that `channels` has the newest; yields after each step."""
        for key, answer in list(self._answers.items()):
            while answer.listing.whole and not answer.listing.is_read:
                self._read(key, answer, 1)
                yield

    def channels(self) -> ChannelIds:
        """The channels of the last lists, as far as they have been read: of each route's, while they count."""
        lists = [answer.listing for answer in self._last_lists()]
        if lists != self._together[0]:
            self._together = lists, _united(lists)
        return self._together[1]

    @property
    def seen_at(self) -> float | None:
        """When the newest list came, epoch seconds; None if no list has passed."""
        return max((answer.at for answer in self._last_lists()), default=None)

    def _last_lists(self) -> list[_Answer]:
        found = [
            last for answer in self._answers.values() if answer.listing.whole and (last := answer.last_list) is not None
        ]
        newest = max((answer.at for answer in found), default=0.0)
        return [answer for answer in found if answer.at >= newest - TOGETHER]

    def lists(self) -> list[ChannelList]:
        """The lists of all channels that are kept, the newest first."""
        return [answer.listing for answer in reversed(self._answers.values()) if answer.listing.whole]

    def _read(self, key: tuple[int, str | None], answer: _Answer, steps: int) -> int:
        if not answer.listing.whole:
            answer.listing.read()
        elif not answer.listing.is_read:
            steps = answer.read(steps)
            if len(answer.listing) > LONGEST and self._answers.get(key) is answer:  # not another since
                self._drop(key)
        return steps

    @staticmethod
    def _learned(session: str, aliases: Aliases, older: Iterable[_Answer]) -> str | None:
        """The channel that a list before showed this session to be; its own id where several channels fold to it."""
        for answer in older:
            if answer.listing.whole and answer.listing.ids.are_folded:
                match = answer.listing.ids.match(session, aliases)
                if match.channel is not None or match.ambiguous:
                    return match.channel or session
        return None

    def _drop(self, key: tuple[int, str | None]) -> None:
        self._size -= len(self._answers.pop(key).listing.body)


def _go_on(steps: Generator[None, None, None], most: int) -> int:
    """Go at most so many steps; give how many are left over."""
    while most > 0:
        most -= 1
        try:
            next(steps)
        except StopIteration:
            break
    return most


def _united(lists: Iterable[ChannelList]) -> ChannelIds:
    ids = [listing.ids for listing in lists]
    return ids[0] if len(ids) == 1 else ChannelIds(frozenset().union(*(one.exact for one in ids)))
