"""Identical lists asked for at the same time share one call to the gateway.

The gateway asks its engine for each session in turn, so a list takes seconds to a minute, and polls pile up. Only
what is in flight is shared: when the answer has come, the flight is over and nothing of it is kept.
"""

import asyncio
from dataclasses import dataclass

from statusproxy.proxy.http1.response_parser import ResponseHead

Key = bytes
"""What makes two requests the same: the whole head they are sent on with, but for the request's id."""


@dataclass(frozen=True, slots=True)
class Landing:
    """What a flight brought: the gateway's answer, or nothing where it was too large to be held for others."""

    head: ResponseHead
    body: bytes | None


class Flight:
    """One call to the gateway, led by the exchange that makes it and followed by those that wait for it."""

    __slots__ = ("_waiting", "asked_at", "followers", "version")

    def __init__(self, asked_at: float, version: int) -> None:
        self.version = version
        """The version of the session map when it began: nobody joins who knows of something newer."""
        self.asked_at = asked_at
        """When the gateway was asked, epoch seconds: what the answer says holds for then."""
        self.followers = 0
        self._waiting: list[asyncio.Future[Landing]] = []

    async def follow(self) -> Landing:
        """Wait for the leader's answer; raises what the leader's call raised."""
        landed: asyncio.Future[Landing] = asyncio.get_running_loop().create_future()
        self._waiting.append(landed)
        self.followers += 1
        try:
            return await landed
        finally:
            self.followers -= 1
            del landed  # else an error, its traceback and this frame would keep each other in memory

    def land(self, landing: Landing | BaseException) -> None:
        """Tell the followers what came of it."""
        for landed in self._waiting:
            if landed.done():  # its client has left
                continue
            if isinstance(landing, BaseException):
                landed.set_exception(landing)
            else:
                landed.set_result(landing)


class Flights:
    """The flights under way, by what was asked."""

    __slots__ = ("_flights",)

    def __init__(self) -> None:
        self._flights: dict[Key, Flight] = {}

    def find(self, key: Key, version: int) -> Flight | None:
        """The flight that asks the same, if one is under way and no session was lost or regained since it began.

        A poll right after a QR scan must not be given what the gateway said before it.
        """
        flight = self._flights.get(key)
        return flight if flight is not None and flight.version == version else None

    def start(self, key: Key, asked_at: float, version: int) -> Flight:
        """Begin a flight, to be ended with `end`; one that is older is joined no more."""
        flight = self._flights[key] = Flight(asked_at, version)
        return flight

    def end(self, key: Key, flight: Flight, landing: Landing | BaseException) -> None:
        """The flight is over: nobody joins it any more, and its followers learn what it brought."""
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.land(landing)
