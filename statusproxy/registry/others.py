"""Takes over what other proxies wrote to a shared store: pushed by the store, in slices that let others run.

What the others changed is in their history and their metrics already: only what follows from it here is told and saved.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from statusproxy.clock import OwnClock
from statusproxy.observe.counted import counted
from statusproxy.status.model import Change, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.store.backlog import Dropped

log = logging.getLogger("statusproxy.sessions")

#: Records taken over between two yields: about 2 ms.
AT_ONCE: Final = 16


class Others:
    """What other proxies wrote, in the order in which the store reported it."""

    def __init__(
        self,
        sessions: SessionMap,
        clock: OwnClock,
        follow: Callable[[Sequence[Change]], object],
        taken_over: Callable[[str, Record | None, float], None] | None = None,
    ) -> None:
        """`follow` reports the changes that result here, and saves what is known better here.

        `taken_over` is called for each session that another proxy wrote, with what is known of it now (None if it is
        not in the map), and the time.
        """
        self._sessions = sessions
        self._clock = clock
        self._follow = follow
        self._taken_over = taken_over
        self._waiting: deque[tuple[Sequence[Record], Sequence[Dropped]]] = deque()
        self._working: asyncio.Task[None] | None = None
        self._begun = False

    async def begin(self) -> None:
        """Take over from now on, and first what was reported before. The map holds what the store held at its opening.

        A store reports changes as soon as it has read its records. That is before these records replace what is in the
        map.
        """
        self._begun = True
        self._go_on()
        if self._working is not None:
            await asyncio.wait([self._working])

    def take(self, records: Sequence[Record], forgotten: Sequence[Dropped]) -> None:
        """Records and forgotten sessions, in the system's time. Few are taken over when this returns, once begun."""
        if self._begun and self._working is None and len(records) + len(forgotten) <= AT_ONCE:
            self._adopt(records, forgotten)
            return
        for start in range(0, len(forgotten), AT_ONCE):
            self._waiting.append(((), forgotten[start : start + AT_ONCE]))
        for start in range(0, len(records), AT_ONCE):
            self._waiting.append((records[start : start + AT_ONCE], ()))
        self._go_on()

    def close(self) -> None:
        """Take over no more: what waits is in the store."""
        if self._working is not None:
            self._working.cancel()
        self._waiting.clear()

    def _go_on(self) -> None:
        if self._begun and self._waiting and self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                self._adopt(*self._waiting.popleft())
                await asyncio.sleep(0)
        finally:
            self._working = None

    def _adopt(self, records: Sequence[Record], forgotten: Sequence[Dropped]) -> None:
        gone = {one.session: one.at for one in forgotten}
        now = self._clock.now()
        try:
            self._follow(self._sessions.adopt(records, gone, now, self._clock.shift))
            if self._taken_over is not None:
                for session in (*gone, *(record.session for record in records)):
                    self._taken_over(session, self._sessions.get(session), now)
        except Exception:
            what = counted(len(records) + len(gone), "session")
            log.exception("what other proxies wrote of %s could not be applied", what)
