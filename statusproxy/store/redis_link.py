"""One connection to a Redis server: commands out, replies in, all bounded in time."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError

from statusproxy.config.state_url import Place

__all__ = ["Command", "Link", "Reply", "raise_first"]

Command = tuple[str | bytes | int | float, ...]
"""A command and its arguments."""

Reply = Any
"""Bytes, int, None, a list of these, or the error that the server answered."""


class Link:
    """One connection to the server: commands out, replies in, all bounded in time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, place: Place, answer_limit: float) -> "Link":
        """Connect, log in, choose the database; `answer_limit` (seconds) bounds each reply. Raises redis-py's own."""
        kind = SSLConnection if place.tls else Connection
        connection = kind(
            host=place.host, port=place.port, db=place.database, username=place.user, password=place.password,
            socket_timeout=answer_limit, socket_connect_timeout=answer_limit,
            # RESP2, and nothing announced: HELLO and CLIENT SETINFO are unknown to older servers, or forbidden.
            protocol=2, driver_info=None,
        )  # fmt: skip
        link = cls(connection)
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await link.close()
            raise
        return link

    async def ask(self, *commands: Command) -> list[Reply]:
        """Send commands in one go; their replies, an error that the server answered among them as a value."""
        await self._connection.send_packed_command(self._connection.pack_commands(commands))
        replies: list[Reply] = []
        for _ in commands:
            try:
                replies.append(await self._connection.read_response())
            except ResponseError as error:
                replies.append(error)
        return replies

    async def close(self) -> None:
        """Close the connection at once."""
        with suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)


def raise_first(replies: Sequence[Reply]) -> None:
    """Raise the first error among replies."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
