"""Corrects answers by the map: each version of an answer once, long ones a step at a time.

What a correction changed in the map (`Correction.changes`) is given once, to the caller that had it made; a remembered
correction has none.
"""

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from typing import Final

from msgspec.structs import replace

from statusproxy.registry.correction_cache import CorrectionCache
from statusproxy.registry.turns import Turns
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import Correction, correct_at_once, correct_in_steps
from statusproxy.status.model import Change
from statusproxy.status.observation import Observer
from statusproxy.status.records import SAME_WORD
from statusproxy.status.sessions import SessionMap

#: Seconds that a long correction goes on before others have their turn. A step may take longer: see `status.channels`.
SLICE: Final = 0.001

#: Turns of the event loop that others have then: a request needs several to be served, and waits for each slice that it
#: meets in them; the client of the long answer waits too.
_TURNS: Final = 2


class Corrections:
    """The corrections of the map's present version. Every time is of the proxy's own clock, epoch seconds."""

    def __init__(self, sessions: SessionMap) -> None:
        self._sessions = sessions
        self._cache = CorrectionCache()
        self._version = -1
        """The version of the map that the cache is for, and since when the map has it."""
        self._since = 0.0
        self._step = asyncio.Lock()
        self._turns = Turns()

    def notice_version(self, now: float) -> None:
        """Forget what was remembered for another version of the map; to be called after each change of the map."""
        if self._sessions.version != self._version:
            self._cache.clear()
            self._version, self._since = self._sessions.version, now

    def correct(self, listing: ChannelList, asked_at: float, now: float) -> Correction:
        """An answer as corrected now; it was asked for at `asked_at`."""
        known = self._remembered(listing, asked_at, now)
        if known is not None:
            return known
        alike = self._cache.find_alike(listing, now - SAME_WORD)
        if alike is not None:
            self._cache.put(listing, alike[0], None, alike[1])
            return alike[0]
        version = self._sessions.version
        correction = correct_at_once(listing, self._sessions, asked_at, now)
        return self._remember(listing, correction, version, asked_at, now)

    async def correct_in_steps(
        self,
        listing: ChannelList,
        asked_at: float,
        now: float,
        clock: Callable[[], float],
        changed: Callable[[Sequence[Change]], None],
    ) -> Correction:
        """The same for a long answer, complete at `now`. The result is up to date when this returns.

        Others have their turn after each step of some milliseconds. Of all corrections under way one makes a step at
        a time; of those of one list one is made, and serves the others if the map has not changed meanwhile.
        `changed` is told at once what each step but the last changed in the map: the client that waits may be gone
        before it is done.
        """
        async with self._turns.of((id(listing.rule), listing.subject, listing.whole)):
            known = self._remembered(listing, asked_at, clock())
            if known is not None:
                return known
            version = self._sessions.version
            steps = correct_in_steps(listing, self._sessions, asked_at, now)
            correction: Correction | None = None
            while correction is None:
                async with self._step:
                    correction = _advance(steps, changed)
                    if correction is None:
                        for _ in range(_TURNS):
                            await asyncio.sleep(0)
            return self._remember(listing, correction, version, asked_at, now)

    def _remembered(self, listing: ChannelList, asked_at: float, now: float) -> Correction | None:
        """The correction of the same answer, if the map has not changed since.

        One is made again once a minute, for the map notes what the gateway said, and when.
        """
        self.notice_version(now)
        return self._cache.find(listing, asked_at, now - SAME_WORD)

    def _remember(
        self, listing: ChannelList, correction: Correction, version: int, asked_at: float, now: float
    ) -> Correction:
        """Note a correction that was begun on at `version`, and give it.

        If the answer was asked for after the last change of the map, it is good for all who get the same answer
        later. If before, only for those who asked no later: they share one call to the gateway.
        """
        current = self._sessions.version == version == self._version and asked_at >= self._since
        self.notice_version(now)
        if not correction.failure:
            remembered = replace(correction, changes=()) if correction.changes else correction
            self._cache.put(listing, remembered, None if current else asked_at, now)
        return correction


def learn_own(listing: ChannelList, answers: Observer) -> None:
    """Note that the gateway has a channel of exactly a session's id, as an answer about it shows, lost or not.

    Where a hub asks for one channel at a time, no list tells two sessions apart whose ids differ in case or spaces
    only, and the loss of one would mark the other. Only an answer that says connected counts: to an unknown id some
    gateways answer "closed". And nothing that a list taught is replaced: a gateway may find one session by several
    spellings.
    """
    session = listing.subject
    if not session or not answers.lacks_channel(session):
        return
    listing.read()
    try:
        if session in listing.ids.exact and not listing.take_long((session,)) and listing.said(session).connected:
            answers.is_own(session)
    except RecursionError:  # nested too deeply: it passes as it came
        return


def _advance(
    steps: Generator[Sequence[Change], None, Correction], changed: Callable[[Sequence[Change]], None]
) -> Correction | None:
    """Go on with a correction for one slice of time; the correction when it is done."""
    until = time.perf_counter() + SLICE
    while True:
        try:
            changes = next(steps)
        except StopIteration as stop:
            correction: Correction = stop.value
            return correction
        if changes:
            changed(changes)
        if time.perf_counter() >= until:
            return None
