"""Shares one call to the gateway between identical lists asked for at the same time (as in Go's `singleflight`).

The gateway asks its engine for each session in turn, so a list takes seconds to a minute, and polls pile up. Only
what is in flight is shared: when the answer has come, the call is over and nothing of it is kept.
"""

import asyncio

import msgspec

from statusproxy.proxy.common_answer import CommonAnswer
from statusproxy.proxy.http1.answer_head import ResponseHead

Key = bytes
"""What makes two requests the same: the whole head they are sent on with, except for the request's id."""


class Result(msgspec.Struct):
    """What a call gave: the gateway's answer. `body` is None where it was too large to be held for others."""

    head: ResponseHead
    body: bytes | None
    common: CommonAnswer | None = None
    """What the first of the followers has worked out for all of them."""


class SharedCall:
    """One call to the gateway: one exchange, the leader, makes it; its followers wait for the result."""

    __slots__ = ("_waiting", "asked_at", "followers", "version")

    def __init__(self, asked_at: float, version: int) -> None:
        self.version = version
        """The version of the session map when the call began: who knows of a newer one does not join."""
        self.asked_at = asked_at
        """When the gateway was asked, epoch seconds: the answer holds for that time."""
        self.followers = 0
        """How many clients wait for the result besides the leader's."""
        self._waiting: list[asyncio.Future[Result]] = []

    async def follow(self) -> Result:
        """Wait for the leader's result; raises what the leader's call raised."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.followers += 1
        try:
            return await future
        finally:
            self.followers -= 1
            del future  # else an error, its traceback and this frame would keep each other in memory

    def finish(self, result: Result | BaseException) -> None:
        """Give the followers the result, or the error that the call ended with."""
        waiting, self._waiting = self._waiting, []  # else an error's traceback and this call would keep each other
        for future in waiting:
            if future.done():  # its client has left
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)


class SharedCalls:
    """The shared calls in flight, by what they ask."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[Key, SharedCall] = {}

    def __len__(self) -> int:
        """How many calls are in flight."""
        return len(self._calls)

    def find(self, key: Key, version: int) -> SharedCall | None:
        """The call in flight that asks the same, unless a session was lost or regained since it began.

        A poll right after a QR scan must not be given what the gateway said before it.
        """
        call = self._calls.get(key)
        return call if call is not None and call.version == version else None

    def start(self, key: Key, asked_at: float, version: int) -> SharedCall:
        """Begin a call, to be ended with `end`. An older one for the same key gets no further followers."""
        call = self._calls[key] = SharedCall(asked_at, version)
        return call

    def end(self, key: Key, call: SharedCall, result: Result | BaseException) -> None:
        """End a call: it gets no further followers, and its followers get the result."""
        if self._calls.get(key) is call:
            del self._calls[key]
        call.finish(result)
