"""What the gateway last said of each session, corrected or not: its last answers, each read at most once.

While no override is in force an answer passes unread, and the map notes the gateway's words for overridden sessions
alone. Yet the history and the status page must tell what the gateway claimed when a session was lost. So the last
answers are kept as they came (a reference each, no copy, no work on their way). One is read when a session changes or
someone looks, and serves as an index from then on: a look-up costs some µs however long the list is. The same bytes
again are the same answer; only its time moves.

A look-up reads answers that are read soon, by what they are made of. It leaves the others to steps between which others
have their turn (`reading`, `reading_ahead`). As long as these are not done, the list before counts, for some minutes;
without one nothing is known yet.

An answer that is no list leaves the last list in force. That may be one that nobody has read, so it is kept too, and
read then. Of several that nobody has read one is kept: if that is no list either, the last list that is known counts
for some minutes.

A list that was asked for with a query may leave channels out. So it adds channels and words, and takes none away: the
route's last list without a query goes on counting beside it. Where no such list came, those with queries count as the
lists of several routes do.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from statusproxy.registry.kept_answer import SINGLE_STEPS, Effort, KeptAnswer, go_on
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.identity import Aliases, ChannelIds
from statusproxy.status.session_state import Claim, claim_of
from statusproxy.status.steps import at_once

log = logging.getLogger("statusproxy.sessions")

#: How many answers are kept: those of the list routes, and the last few about one channel.
KEPT: Final = 16

#: Bytes of the largest list kept, some twelve thousand channels; of the largest answer about one channel; of all. (The
#: list before an answer that turns out to be none is kept beside these, and so is one that is not read.)
LARGEST: Final = 2 * 1024 * 1024
LARGEST_SINGLE: Final = 64 * 1024
TOTAL: Final = 8 * 1024 * 1024

#: How many lists asked for with a query are kept beside these, and their bytes: a page of a list each, or one channel.
QUERIES: Final = 16
QUERIED: Final = 4 * 1024 * 1024

#: Channels of the longest list kept as an index: for lists of next to nothing else, whose index outgrows them.
LONGEST: Final = 50_000

#: Channels of several lists that are put together in one go.
_UNITED_AT_ONCE: Final = 8_192

#: Channels of lists that are put together, or folded, when they are asked for. With more, the ones before count until
#: `reading` has done so.
_FEW: Final = 2_048

#: Seconds by which the list of one route may be older than that of another and still count: a site asks for its lists
#: every few minutes, and a list that nobody asks for any more must not show channels that are gone.
TOGETHER: Final = 600.0

#: Seconds for which a list without a query counts beside newer ones with queries, none of which has all its channels:
#: someone may have asked for it once, by hand, where the hub always adds a query.
ALONE: Final = 86_400.0

_NO_IDS: Final = ChannelIds(frozenset())


class Word(NamedTuple):
    """The gateway's word for a session's status, and when it said so (epoch seconds)."""

    said: str
    at: float


_Key = tuple[int, str | None, str]
"""The rule's identity (the answer holds its rule, so this cannot be another's while it is a key); the one channel that
the answer is about, None for a list; and the list's query."""


class GatewayView:
    """Keeps the gateway's last answers, and finds in them what it said of a session."""

    def __init__(self) -> None:
        self.on_left: Callable[[], None] | None = None
        """Told when a look-up has left something to `reading`."""
        self._is_left = False
        self._answers: OrderedDict[_Key, KeptAnswer] = OrderedDict()  # the newest last
        self._size = 0
        self._together: tuple[list[ChannelList], ChannelIds, bool] = ([], _NO_IDS, True)
        self.version = 0
        """Counts the answers noted: while it stands still, so does what `word` would give."""
        self.news = 0
        """Counts the answers that differed from the one before: while it stands still, so do the words, but not their
        times."""

    def note(self, body: bytes, rule: ChannelRule, channel: str | None, now: float, query: str = "") -> ChannelList:
        """Keep an answer of a corrected route, in place of the one before; `channel` is the id in its path.

        `query` is that of the request. Gives what reads it: the same as before where the answer is the same.
        """
        listing: ChannelList | None = None
        single = channel is not None
        if rule.one:
            names_itself = len(body) <= LARGEST_SINGLE
            listing = ChannelList(body, rule, None if names_itself else channel, query)
            if names_itself and listing.single:
                go_on(listing.steps(), SINGLE_STEPS)  # it alone names the channel that it is about
            if names_itself:
                channel = listing.subject
            single = listing.single
        key = id(rule), channel, "" if single else query
        self.version += 1
        kept = self._answers.get(key)
        if kept is None and query and not single:
            kept = self._move_same(body, key)
        if kept is not None and kept.listing.body == body:
            kept.at, kept.is_over = now, False
            self._answers.move_to_end(key)
            return kept.listing
        self.news += 1
        if kept is not None:
            self._drop(key)
        if listing is None:
            listing = ChannelList(body, rule, channel, query)
        if len(body) <= (LARGEST_SINGLE if single else LARGEST):
            self._answers[key] = KeptAnswer(listing, now, None if single else kept)
            self._size += len(body)
            self._make_room()
        return listing

    def _move_same(self, body: bytes, key: _Key) -> KeptAnswer | None:
        """Have the same answer to another query stand for this one: a query may hold a number that is never the same.

        It is as new as this one then, and is kept and read once. Gives it; None if there is no such answer.
        """
        for other, answer in self._answers.items():
            if other[2] and other[0] == key[0] and answer.listing.body == body:
                self._answers[key] = self._answers.pop(other)
                return answer
        return None

    def _make_room(self) -> None:
        """Keep to the bounds. Lists stay longest, for they are about every session; those without a query before
        others."""
        queried = [key for key in self._answers if key[2]]
        size = sum(len(self._answers[key].listing.body) for key in queried)
        while len(queried) > QUERIES or size > QUERIED:
            size -= len(self._answers[queried[0]].listing.body)
            self._drop(queried.pop(0))
        while len(self._answers) - len(queried) > KEPT or self._size > TOTAL:
            single = next((key for key in self._answers if key[1] is not None), None)
            if single is None and self._size > TOTAL and queried:
                single = queried.pop(0)
            self._drop(single or next(key for key in self._answers if not key[2]))

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
        effort = Effort(some=not self._is_left)
        answers = list(reversed(self._answers.items()))
        for number, (key, answer) in enumerate(answers):
            self._read(key, answer, effort)
            if not answer.listing.single:
                last = answer.last_list or answer
                if last.is_over or (_is_late(last, answer) and (last.is_passed or answer.unread is not None)):
                    continue
                answer = last
            listing = answer.listing  # one that is not read, or cannot be, has no ids
            exact = listing.ids.exact
            channel: str | None = session
            if session not in exact:
                self._fold(answer, effort)
                if not listing.ids.are_folded:
                    continue  # unknown as yet, as where a list is not read yet
                channel = listing.ids.match(session, aliases).channel
                if channel is not None and not listing.whole:
                    # By its fold alone it could be another channel: a list tells.
                    for older in answers[number + 1 :]:
                        self._read(*older, effort)
                        self._fold(older[1], effort)
                    learned = self._learned(session, aliases, (older for _, older in answers[number + 1 :]))
                    channel = channel if learned in (None, channel) else None
            claim = claim_of(listing, channel, answer.at) if channel is not None else None
            if claim is not None:
                return claim
        return None

    def reading(self) -> Iterator[None]:
        """Read what is not read yet, and put the lists together, so that `claim` and `channels` have the newest.

        Yields after each step.
        """
        self._is_left = False
        for key, answer in list(self._answers.items()):
            yield from answer.finish()
            if not answer.listing.single:
                self._drop_longest(key, answer)
        while (lists := self._listed()) != self._together[0]:
            ids = yield from _united(lists)
            yield from ids.fold()
            self._put_together(lists, ids)

    def channels(self) -> ChannelIds:
        """The channels of the last lists, as far as they have been read: of each route's, while they count.

        Of thousands, as far as `reading` has put them together.
        """
        lists = self._listed()
        if lists != self._together[0]:
            folded = len(lists) == 1 and lists[0].ids.are_folded
            if folded or sum(map(len, lists)) <= _FEW:
                self._put_together(lists, at_once(_united(lists)))
        return self._together[1]

    def _listed(self) -> list[ChannelList]:
        return [answer.listing for answer in self._last_lists()]

    def _put_together(self, lists: list[ChannelList], ids: ChannelIds) -> None:
        whole = {id(listing.rule) for listing in lists if listing.whole}
        self._together = lists, ids, all(id(listing.rule) in whole for listing in lists)

    @property
    def is_whole(self) -> bool:
        """Whether `channels` last gave all of the gateway's: of each route there is a list without a query."""
        return self._together[2]

    @property
    def seen_at(self) -> float | None:
        """When the newest list came, epoch seconds; None if no list has passed."""
        return max((answer.at for answer in self._last_lists()), default=None)

    @property
    def whole_at(self) -> float | None:
        """From when on a list would have a channel that the gateway still has; None if no list has passed."""
        whole = [answer.at for answer in self._last_lists() if answer.listing.whole]
        if whole:
            return max(whole)
        seen_at = self.seen_at
        return None if seen_at is None else seen_at - TOGETHER

    def _last_lists(self) -> list[KeptAnswer]:
        """The lists that count: see the beginning of this file."""
        lists = [
            last
            for answer in self._answers.values()
            if not answer.listing.single
            and (last := answer.last_list) is not None
            and not (last.is_passed and _is_late(last, answer) and answer.unread is None)
        ]
        newest = max((answer.at for answer in lists), default=0.0)
        filtered = [answer for answer in lists if not answer.listing.whole]
        whole = [answer for answer in lists if answer.listing.whole and not answer.is_over]
        if filtered:
            for answer in whole:
                answer.is_over = _is_over(answer, newest, filtered)
            whole = [answer for answer in whole if not answer.is_over]
        since = max((answer.at for answer in whole), default=newest) - TOGETHER
        counts = [answer for answer in whole if answer.at >= since]
        replaced_at = {id(answer.listing.rule): answer.at for answer in counts}
        counts += [
            answer for answer in filtered if answer.at >= replaced_at.get(id(answer.listing.rule), newest - TOGETHER)
        ]
        return counts

    def lists(self) -> list[ChannelList]:
        """The lists that are kept, the newest first."""
        return [answer.listing for answer in reversed(self._answers.values()) if not answer.listing.single]

    def _read(self, key: _Key, answer: KeptAnswer, effort: Effort) -> None:
        while (unread := answer.unread) is not None:
            if not effort.read(unread):
                self._leave()
                return
            if not answer.listing.single:
                self._drop_longest(key, answer)

    def _fold(self, answer: KeptAnswer, effort: Effort) -> None:
        effort.fold(answer)
        if answer.listing.is_read and not answer.listing.ids.are_folded:
            self._leave()

    def _leave(self) -> None:
        """Leave what is not read, or not folded, to `reading`: until that begins, no look-up goes on with it."""
        if not self._is_left:
            self._is_left = True
            if self.on_left is not None:
                self.on_left()

    def _drop_longest(self, key: _Key, answer: KeptAnswer) -> None:
        last = answer.last_list
        if last is not None and len(last.listing) > LONGEST and self._answers.get(key) is answer:  # not another since
            self._drop(key)

    @staticmethod
    def _learned(session: str, aliases: Aliases, older: Iterable[KeptAnswer]) -> str | None:
        """The channel that a list before showed this session to be; its own id where several channels fold to it."""
        for answer in older:
            listing = answer.listing
            if not listing.single and listing.ids.are_folded:
                match = listing.ids.match(session, aliases)
                if match.channel is not None and not listing.whole and match.channel != session:
                    continue  # that which the session is may be left out
                if match.channel is not None or match.ambiguous:
                    return match.channel or session
        return None

    def _drop(self, key: _Key) -> None:
        self._size -= len(self._answers.pop(key).listing.body)


def _is_late(last: KeptAnswer, answer: KeptAnswer) -> bool:
    """Whether a list is too old to stand in for an answer where there may have been a list between them."""
    return last.at < answer.at - TOGETHER


def _is_over(whole: KeptAnswer, newest: float, filtered: Iterable[KeptAnswer]) -> bool:
    """Whether a list without a query no longer tells which channels there are, beside newer ones asked for with one.

    So it is once one of these has every channel of it: what that query leaves out is not in the older list either.
    """
    if whole.at < newest - ALONE:
        return True
    return any(
        one.at > whole.at and one.listing.rule is whole.listing.rule and one.has_channels_of(whole) for one in filtered
    )


def _united(lists: Sequence[ChannelList]) -> Generator[None, None, ChannelIds]:
    """The channels of several lists; yields after each short step. Lists of several routes mostly have the same."""
    if len(lists) == 1:
        return lists[0].ids
    exact: dict[str, None] = {}  # in the order of the lists, so that a batch of rows is found in one part of one
    for listing in lists:
        ids = iter(listing.ids.exact)
        while some := list(islice(ids, _UNITED_AT_ONCE)):
            exact.update(dict.fromkeys(some))
            yield
    has_all = (listing.ids for listing in lists if len(listing) == len(exact))
    return next(has_all, ChannelIds(exact.keys()))
