"""A cache of corrections: the same answer under the same map is corrected once.

The same answer, asked for after the last change of the map, gets the same correction. Bounded by count and by
bytes: an answer about one channel goes before a list, and among either the one that has not been asked for longest.
"""

from collections import OrderedDict
from typing import Final

from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import Correction, correct_alike

#: Answers remembered: the lists, and the channels that are asked for one by one.
REMEMBERED: Final = 64

#: Bytes remembered, as they came and as they were corrected: a list of 10 000 channels takes 4 MB.
TOTAL: Final = 32 * 1024 * 1024

Key = tuple[int, str | None, bool]
"""The rule's identity (it holds a dict); the one channel that the answer is about, None for a list; and whether it
lists all channels, for the same bytes may say less where they do not."""


class _Remembered:
    __slots__ = ("asked_by", "body", "correction", "listing", "rule", "since", "size")

    def __init__(self, listing: ChannelList, correction: Correction, asked_by: float | None, since: float) -> None:
        self.listing = listing if listing.found else None
        """The answer, if it was corrected without reading every channel: else it would hold all the ids."""
        self.rule = listing.rule
        self.body = body = listing.body
        self.correction = correction
        self.asked_by = asked_by
        self.since = since
        corrected = correction.body
        self.size = len(body) + (len(corrected) if corrected is not body else 0)
        """Bytes kept for it; what was not changed is kept once."""


def _key(listing: ChannelList) -> Key:
    return id(listing.rule), listing.subject, listing.whole


class CorrectionCache:
    """The corrections of one version of the map."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, _Remembered] = OrderedDict()
        self._size = 0

    def find(self, listing: ChannelList, asked_at: float, since: float) -> Correction | None:
        """The correction of an answer with the same bytes, if it is good for one asked for at `asked_at` and was made
        at `since` or later (epoch seconds)."""
        key = _key(listing)
        entry = self._entries.get(key)
        if entry is None or entry.since < since or entry.rule is not listing.rule:
            return None
        if entry.asked_by is not None and asked_at > entry.asked_by:
            return None
        if entry.body is not listing.body and entry.body != listing.body:
            return None
        self._entries.move_to_end(key)
        return entry.correction

    def find_alike(self, listing: ChannelList, since: float) -> tuple[Correction, float] | None:
        """The correction of an answer by that of the one before, if that was good for any and made at `since` or later,
        and if the channels with an override are written alike in both. Also, when that one was made.
        """
        entry = self._entries.get(_key(listing))
        if entry is None or entry.listing is None or entry.since < since or entry.asked_by is not None:
            return None
        correction = correct_alike(listing, entry.listing, entry.correction)
        return None if correction is None else (correction, entry.since)

    def put(self, listing: ChannelList, correction: Correction, asked_by: float | None, now: float) -> None:
        """Remember a correction made at `now`, good for answers asked for at `asked_by` or before; None: for any."""
        key = _key(listing)
        self._drop(key)
        entry = _Remembered(listing, correction, asked_by, now)
        if entry.size > TOTAL:
            return
        self._entries[key] = entry
        self._size += entry.size
        while len(self._entries) > REMEMBERED or self._size > TOTAL:
            single = next((key for key in self._entries if key[1] is not None), None)
            self._drop(single or next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all of them."""
        self._entries.clear()
        self._size = 0

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._size -= entry.size
