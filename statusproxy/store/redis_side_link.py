"""A second connection to a Redis server, for short questions that must not wait for a write."""

import asyncio

from redis.exceptions import ReadOnlyError, RedisError

from statusproxy.config.state_url import Place
from statusproxy.store.errors import NotAttachedError
from statusproxy.store.redis_link import Command, Link, Reply

__all__ = ["SideLink"]


class SideLink:
    """Made when it is first needed, and again where it was lost; one question at a time."""

    def __init__(self, place: Place, answer_limit: float) -> None:
        """`answer_limit` (seconds) bounds each reply."""
        self._place = place
        self._answer_limit = answer_limit
        self._turn = asyncio.Lock()
        self._link: Link | None = None
        self._closed = False

    async def ask(self, *commands: Command) -> list[Reply]:
        """As `Link.ask`; where the connection was lost since the last time, or is to a server that is the master no
        longer, asked once more over a new one.

        Only for what may be asked twice.
        """
        async with self._turn:
            # Taken out while it is used: the late reply to a cancelled question must not be treated as the next one's.
            link, self._link = self._link, None
            if link is not None:
                try:
                    return await self._asked(link, commands)
                except (RedisError, OSError):
                    pass
            if self._closed:
                raise NotAttachedError(f"the state in {self._place} is closed")
            return await self._asked(await Link.open(self._place, self._answer_limit), commands)

    async def _asked(self, link: Link, commands: tuple[Command, ...]) -> list[Reply]:
        try:
            replies = await link.ask(*commands)
            for reply in replies:
                if isinstance(reply, ReadOnlyError):
                    raise reply
        except BaseException:
            await link.close()
            raise
        if self._closed:
            await link.close()
        else:
            self._link = link
        return replies

    async def close(self) -> None:
        """Close the connection, and make no other."""
        self._closed = True
        await self.drop()

    async def drop(self) -> None:
        """Close the connection: the next question makes another."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()
