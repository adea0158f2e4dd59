"""One connection to a Redis server: commands out, replies in, all bounded in time."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from redis.asyncio import Connection, SSLConnection
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import TimeoutError as NoAnswerError

from statusproxy.config.state_url import Place

__all__ = ["Asks", "Command", "Link", "Reply", "raise_first"]

Command = tuple[str | bytes | int | float, ...]
"""A command and its arguments."""

Reply = Any
"""Bytes, int, None, a list of these, or the error that the server answered."""

_T = TypeVar("_T")


class Asks(Protocol):
    """What takes commands to a server."""

    async def ask(self, *commands: Command) -> list[Reply]:
        """As `Link.ask`."""


class Link:
    """One connection to the server: commands out, replies in, all bounded in time.

    The time is bounded here: redis-py bounds sending with `asyncio.wait_for`, which may lose a cancellation before
    Python 3.12, so that a task that is to end does not.
    """

    def __init__(self, connection: Connection, place: Place, answer_limit: float) -> None:
        self.place = place
        """The place of the server itself, not of the Sentinels that name it."""
        self._connection = connection
        self._answer_limit = answer_limit

    @classmethod
    async def open(cls, place: Place, answer_limit: float) -> "Link":
        """Connect, log in, choose the database; `answer_limit` (seconds) bounds each reply. Raises redis-py's own.

        Where Sentinels tell which server is the master, they are asked first.
        """
        if not place.sentinels:
            return await cls._connected(place, answer_limit)
        last: Exception = NoConnectionError("no Sentinel was named")
        for number in range(len(place.sentinels)):
            try:
                return await cls._master(place, number, answer_limit)
            except (RedisError, OSError) as error:
                last = error
        raise last

    @classmethod
    async def _master(cls, place: Place, number: int, answer_limit: float) -> "Link":
        """A connection to the server that one Sentinel names, if that server is the master."""
        sentinel = await cls._sentinel(place, number, answer_limit)
        try:
            (address,) = await sentinel.ask(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", place.master))
        finally:
            await sentinel.close()
        raise_first([address])
        if address is None:
            raise NoConnectionError(f"the Sentinel at {sentinel.place.address} knows no master {place.master}")
        host, port = (part.decode("ascii", "replace") for part in address)
        link = await cls._connected(replace(place, host=host, port=int(port), sentinels=()), answer_limit)
        (role,) = await link.ask(("ROLE",))
        if isinstance(role, list) and role[0] != b"master":
            await link.close()
            raise NoConnectionError(
                f"the Sentinel at {sentinel.place.address} names {host}:{port}, which is not a master"
            )
        return link

    @classmethod
    async def _sentinel(cls, place: Place, number: int, answer_limit: float) -> "Link":
        """A connection to one Sentinel; with the server's password where it wants one."""
        host, port = place.sentinels[number]
        bare = Place(host, port, tls=place.tls)
        link = await cls._connected(bare, answer_limit)
        try:
            await link.ask(("PING",))
        except AuthenticationError:
            await link.close()
            if place.password is None:
                raise
            link = await cls._connected(replace(bare, user=place.user, password=place.password), answer_limit)
        return link

    @classmethod
    async def _connected(cls, place: Place, answer_limit: float) -> "Link":
        kind = SSLConnection if place.tls else Connection
        connection = kind(
            host=place.host, port=place.port, db=place.database, username=place.user, password=place.password,
            socket_timeout=None, socket_connect_timeout=None,
            # RESP2, and nothing announced: HELLO and CLIENT SETINFO are unknown to older servers, or forbidden.
            protocol=2, driver_info=None,
        )  # fmt: skip
        link = cls(connection, place, answer_limit)
        try:
            await link._in_time(connection.connect(), "connecting")  # type: ignore[no-untyped-call]
        except BaseException:
            await link.close()
            raise
        return link

    async def ask(self, *commands: Command) -> list[Reply]:
        """Send commands in one go; their replies, an error that the server answered among them as a value."""
        try:
            packed = self._connection.pack_commands(commands)
            await self._in_time(self._connection.send_packed_command(packed), "sending")
        except RuntimeError as error:  # uvloop's, where the server has closed the connection and nothing was read since
            raise NoConnectionError("Connection closed by server.") from error
        replies: list[Reply] = []
        for _ in commands:
            try:
                replies.append(await self._in_time(self._connection.read_response(), "waiting for a reply"))
            except ResponseError as error:
                replies.append(error)
        return replies

    async def _in_time(self, step: Awaitable[_T], doing: str) -> _T:
        """The result of `step`. Raises `NoAnswerError` after the limit, and closes: a late reply must not be read."""
        try:
            async with asyncio.timeout(self._answer_limit):
                return await step
        except TimeoutError:
            await self.close()
            raise NoAnswerError(
                f"nothing from {self.place.address} for {self._answer_limit:g} s while {doing}"
            ) from None

    async def close(self) -> None:
        """Close the connection at once."""
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)


def raise_first(replies: Sequence[Reply]) -> None:
    """Raise the first error among replies."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
