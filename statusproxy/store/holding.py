"""Holds claims for as long as they are wanted: of the proxies that share a state, one at a time has each of them.

The spool claims receivers, so that one proxy at a time sends entries to each; alerts are one claim. A claim ends by
itself, so that another proxy goes on where its holder died. Its holder looks at that end right before each thing that
it sends: one that was stopped for a while sends nothing when it wakes up. A store that one process has alone knows no
claims: there everything may be sent at any time.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from statusproxy.store.claims import Claims
from statusproxy.store.errors import StoreError

__all__ = ["Holding", "HoldingTiming"]

#: Seconds between two renewals at least, however short a claim is.
_SOON: Final = 0.05


class HoldingTiming(msgspec.Struct, frozen=True):
    """Times in seconds. Tests shorten them; nothing else has a reason to."""

    ask_every: float = 2.0
    """Pause before a claim that another proxy holds is asked for again, and after the store did not answer."""
    margin: float = 1.0
    """The last part of a claim does not count: sending takes a moment, and clocks do not run alike."""
    rest: float = 3.0
    """For so long a claim is left to others where this proxy itself cannot send: longer than their `ask_every`."""
    clock: Callable[[], float] = time.monotonic
    """The clock by which claims end."""


class Holding:
    """The claims of this proxy, and the task that renews them. `want` says which it should have."""

    def __init__(
        self,
        claims: Claims | None,
        changed: Callable[[], None],
        timing: HoldingTiming | None = None,
        *,
        prefix: str = "",
        log: logging.Logger,
        waiting: str,
    ) -> None:
        """`changed` is called when something is held that was not before; it is claimed by `prefix` and its name.

        `waiting` is what the log says waits while the server does not answer, such as "spool: kept events wait".
        """
        self._claims = claims
        self._prefix = prefix
        self._log = log
        self._waiting = waiting
        self._changed = changed
        self._timing = timing or HoldingTiming()
        self._wanted: frozenset[str] = frozenset()
        self._until: dict[str, float] = {}  # of what is held, by name; times of `time.monotonic`
        self._due: dict[str, float] = {}  # when to ask, by name
        self._perhaps: set[str] = set()  # what the store may have as ours, whether we know or not
        self._rests: dict[str, asyncio.TimerHandle] = {}  # what ends it, by name that is left to others
        self._woken = asyncio.Event()
        self._closing = False
        self._answered: bool | None = None
        self._task: asyncio.Task[None] | None = None
        self._unlisten = None if claims is None else claims.listen(self._released)

    def holds(self, name: str) -> bool:
        """Whether what is claimed by this name may be done now."""
        return self._claims is None or self._until.get(name, 0.0) - self._timing.margin > self._timing.clock()

    @property
    def answered(self) -> bool | None:
        """Whether the server answered the last claim; None before the first."""
        return self._answered

    def rests(self, name: str) -> bool:
        """Whether this name is left to other proxies for a moment."""
        return name in self._rests

    def rest(self, name: str) -> None:
        """This proxy itself could not do it: another may."""
        if self._claims is None:
            return
        if name in self._rests:
            self._rests[name].cancel()
        self._rests[name] = asyncio.get_running_loop().call_later(self._timing.rest, self._rested, name)

    def want(self, names: Collection[str]) -> None:
        """Claim these names from now on, and give up all others."""
        if self._claims is None or self._wanted == names:
            return
        self._wanted = frozenset(names)
        if self._task is None:
            self._task = asyncio.create_task(self._work(self._claims), name="statusproxy-claims")
        self._woken.set()

    def _rested(self, name: str) -> None:
        # The timer alone ends it: by another clock it may be a moment early, and nothing would tell a second time.
        del self._rests[name]
        self._changed()

    async def close(self) -> None:
        """Give up everything. Takes a bounded time."""
        self._closing = True
        for timer in self._rests.values():
            timer.cancel()
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        if self._task is not None:
            self._task.cancel()
            self._woken.set()  # Python before 3.12 may lose a cancellation
            await asyncio.wait([self._task])
        if self._claims is not None:
            # A claim may just have been won, or the task was ended while it released one.
            names, self._perhaps = self._perhaps, set()
            self._wanted, self._until = frozenset(), {}
            await asyncio.gather(*(self._claims.release(self._prefix + name) for name in names))

    async def _work(self, claims: Claims) -> None:
        while not self._closing:
            self._woken.clear()
            await self._give_up(claims)
            for name in self._wanted:
                if self._due.get(name, 0.0) <= self._timing.clock():
                    await self._claim(claims, name)
            due = min((self._due.get(each, 0.0) for each in self._wanted), default=None)
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._timing.clock())):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim(self, claims: Claims, name: str) -> None:
        """Claim a name, or renew the claim; plan the next time, for a held one after a third of what is left."""
        pause = self._timing.ask_every
        self._perhaps.add(name)
        self._due.pop(name, None)  # it is due again where another gives it up while the answer is on its way
        try:
            until = await claims.claim(self._prefix + name)
        except StoreError as error:  # what is held is held to its end
            if self._answered is not False:
                self._log.warning("%s until the server of the state answers: %s", self._waiting, error)
            self._answered = False
        else:
            self._answered = True
            if until is None:
                self._until.pop(name, None)
                self._perhaps.discard(name)
            else:
                held = self.holds(name)  # until now: it may have ended while the server did not answer
                self._until[name] = until
                pause = max(_SOON, (until - self._timing.clock()) / 3)
                if self.holds(name) and not held:
                    self._changed()
        self._due.setdefault(name, self._timing.clock() + pause)

    async def _give_up(self, claims: Claims) -> None:
        """Release what is held and not wanted any more."""
        for name in [each for each in self._until if each not in self._wanted]:
            del self._until[name]  # first: nothing is sent from now on
            self._due.pop(name, None)
            await claims.release(self._prefix + name)
            self._perhaps.discard(name)

    def _released(self, claim: str) -> None:
        """Another proxy gave a claim up."""
        if not claim.startswith(self._prefix):
            return
        name = claim.removeprefix(self._prefix)
        if name in self._wanted:
            self._due[name] = 0.0
            self._woken.set()
