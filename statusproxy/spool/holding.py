"""The claims on receivers: of the proxies that share a spool, one at a time sends entries to a receiver.

A claim ends by itself, so that another proxy goes on where its holder died. Its holder looks at that end right
before each entry that it sends: one that was stopped for a while sends nothing when it wakes up. A store that one
process has alone knows no claims: there everything may be sent at any time.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from statusproxy.store.claims import Claims
from statusproxy.store.errors import StoreError

__all__ = ["Holding", "HoldingTiming"]

log = logging.getLogger("statusproxy.spool")

#: Seconds between two renewals at least, however short a claim is.
_SOON: Final = 0.05

#: The name of a claim is this and the receiver.
_PREFIX: Final = "spool:"


@dataclass(frozen=True, slots=True)
class HoldingTiming:
    """Times in seconds. Tests shorten them; nothing else has a reason to."""

    ask_every: float = 2.0
    """Pause before a claim that another proxy holds is asked for again, and after the store did not answer."""
    margin: float = 1.0
    """In the last part of a claim nothing is sent: sending takes a moment, and clocks do not run alike."""
    rest: float = 3.0
    """For so long a claim is left to others where this proxy itself cannot send: longer than their `ask_every`."""
    clock: Callable[[], float] = time.monotonic
    """The clock by which claims end."""


class Holding:
    """The claims of this proxy, and the task that renews them. `want` says which it should have."""

    def __init__(self, claims: Claims | None, changed: Callable[[], None], timing: HoldingTiming | None = None) -> None:
        """`changed` is called when a receiver may be sent to that could not be before."""
        self._claims = claims
        self._changed = changed
        self._timing = timing or HoldingTiming()
        self._wanted: frozenset[str] = frozenset()
        self._until: dict[str, float] = {}  # of what is held, by receiver; times of `time.monotonic`
        self._due: dict[str, float] = {}  # when to ask, by receiver
        self._rests: dict[str, float] = {}  # until when a receiver is left to others
        self._woken = asyncio.Event()
        self._closing = False
        self._failed = False  # the last claim, and that was told
        self._task: asyncio.Task[None] | None = None
        if claims is not None:
            claims.on_released = self._released

    def holds(self, receiver: str) -> bool:
        """Whether entries may be sent to this receiver now."""
        return self._claims is None or self._until.get(receiver, 0.0) - self._timing.margin > self._timing.clock()

    def rests(self, receiver: str) -> bool:
        """Whether this receiver is left to other proxies for a moment."""
        return bool(self._rests) and self._rests.get(receiver, 0.0) > self._timing.clock()

    def rest(self, receiver: str) -> None:
        """This proxy itself could not send: another may."""
        if self._claims is not None:
            self._rests[receiver] = self._timing.clock() + self._timing.rest
            asyncio.get_running_loop().call_later(self._timing.rest, self._changed)

    def want(self, receivers: Collection[str]) -> None:
        """Claim these receivers from now on, and give up all others."""
        if self._claims is None or self._wanted == receivers:
            return
        self._wanted = frozenset(receivers)
        if self._task is None:
            self._task = asyncio.create_task(self._work(self._claims), name="statusproxy-spool-claims")
        self._woken.set()

    async def close(self) -> None:
        """Give up everything. Takes a bounded time."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            self._woken.set()  # Python before 3.12 may lose a cancellation
            await asyncio.wait([self._task])
        if self._claims is not None:
            names = self._wanted | self._until.keys()  # a claim may just have been won
            self._wanted, self._until = frozenset(), {}
            for receiver in names:
                await self._claims.release(_PREFIX + receiver)

    async def _work(self, claims: Claims) -> None:
        while not self._closing:
            self._woken.clear()
            await self._give_up(claims)
            for receiver in self._wanted:
                if self._due.get(receiver, 0.0) <= self._timing.clock():
                    await self._claim(claims, receiver)
            due = min((self._due.get(each, 0.0) for each in self._wanted), default=None)
            try:
                async with asyncio.timeout(None if due is None else max(0.0, due - self._timing.clock())):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _claim(self, claims: Claims, receiver: str) -> None:
        """Claim a receiver, or renew the claim; plan the next time, for a held one after a third of what is left."""
        before = self.holds(receiver)
        pause = self._timing.ask_every
        try:
            until = await claims.claim(_PREFIX + receiver)
        except StoreError as error:  # what is held is held to its end
            if not self._failed:
                log.warning("spool: kept events wait until the server of the state answers: %s", error)
            self._failed = True
        else:
            self._failed = False
            if until is None:
                self._until.pop(receiver, None)
            else:
                self._until[receiver] = until
                pause = max(_SOON, (until - self._timing.clock()) / 3)
        self._due[receiver] = self._timing.clock() + pause
        if self.holds(receiver) and not before:
            self._changed()

    async def _give_up(self, claims: Claims) -> None:
        """Release what is held and not wanted any more."""
        for receiver in [each for each in self._until if each not in self._wanted]:
            del self._until[receiver]  # first: nothing is sent from now on
            self._due.pop(receiver, None)
            await claims.release(_PREFIX + receiver)

    def _released(self, name: str) -> None:
        """Another proxy gave a claim up."""
        receiver = name.removeprefix(_PREFIX)
        if receiver != name and receiver in self._wanted:
            self._due[receiver] = 0.0
            self._woken.set()
