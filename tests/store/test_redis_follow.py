"""The stream of changes: each entry once and in order, from where one was; what is not ours is passed over."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store.redis_follow import (
    BEGINNING,
    Entered,
    Follower,
    News,
    Position,
    Released,
    Told,
    follow,
    position,
)
from statusproxy.store.redis_link import Link

from .redis_server import RedisServer

LIMIT = 9.0


class Reader:
    """Follows a stream, and has what it was told."""

    def __init__(self, place: Place, begin: Position = BEGINNING) -> None:
        self.told: list[News] = []
        self._news = asyncio.Event()
        self.task = asyncio.ensure_future(follow(place, f"{place.prefix}changes", begin, LIMIT, self._take))

    def _take(self, told: Sequence[News]) -> None:
        self.told += told
        self._news.set()

    async def until(self, count: int) -> list[News]:
        while len(self.told) < count:
            self._news.clear()
            await self._news.wait()
        return self.told

    async def stop(self) -> None:
        while not self.task.done():
            self.task.cancel()
            await asyncio.sleep(0)


async def test_what_is_written_is_told_in_order_and_from_a_place_on(place: Place, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.xadd(f"{place.prefix}changes", {"w": "me", "s": "sales", "r": "{}"}, id="5-1")
        reader = Reader(place)
        await reader.until(1)
        client.xadd(f"{place.prefix}changes", {"w": "you", "s": "sales", "f": "12.5"}, id="5-2")
        told = [Told((5, 1), b"me", b"sales", b"{}", None), Told((5, 2), b"you", b"sales", b"", 12.5)]
        assert await reader.until(2) == told
        await reader.stop()
        later = Reader(place, (5, 1))
        assert await later.until(1) == told[1:]
        await later.stop()


async def test_what_became_of_the_spool_and_of_claims_is_told_too(place: Place, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        for number, entry in enumerate((
            {"w": "me", "e": "{}"}, {"w": "me", "x": "01"}, {"w": "you", "c": "spool:gateway"}, {"e": "{}"}, {"c": "a"},
            {"w": "me", "s": "sales", "r": "{}"},
        )):  # fmt: skip
            client.xadd(f"{place.prefix}changes", entry, id=f"1-{number + 1}")  # type: ignore[arg-type]
        reader = Reader(place)
        assert await reader.until(4) == [
            Entered((1, 1), b"me", b"{}", b""), Entered((1, 2), b"me", b"", b"01"),
            Released((1, 3), b"you", b"spool:gateway"), Told((1, 6), b"me", b"sales", b"{}", None),
        ]  # fmt: skip
        await reader.stop()


async def test_entries_that_are_not_ours_or_of_a_later_version_are_passed_over(
    place: Place, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        for number, entry in enumerate((
            {"x": "y"}, {"w": "a", "s": "b"}, {"w": "a", "s": "b", "r": "{}", "f": "1"},
            {"w": "a", "s": "b", "f": "no"},
            {"w": "a", "r": "{}"}, {"s": "a", "r": "{}"}, {"w": "a", "s": "b", "r": "{}", "more": "of it"},
        )):  # fmt: skip
            client.xadd(f"{place.prefix}changes", entry, id=f"1-{number + 1}")  # type: ignore[arg-type]
        reader = Reader(place)
        assert await reader.until(1) == [Told((1, 7), b"a", b"b", b"{}", None)]
        await reader.stop()


async def test_silence_is_no_error_and_a_connection_that_is_cut_is(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Link.ask
    asked: list[tuple[object, ...]] = []

    async def silent_at_first(self: Link, *commands: Any) -> list[Any]:
        asked.extend(commands)
        return [None] if len(asked) == 1 else await ask(self, *commands)

    monkeypatch.setattr(Link, "ask", silent_at_first)
    with redis_server.client() as client:
        client.xadd(f"{place.prefix}changes", {"w": "a", "s": "b", "r": "{}"}, id="7-1")
        reader = Reader(place)
        await reader.until(1)
        question = ("XREAD", "COUNT", 100, "BLOCK", 3600, "STREAMS", f"{place.prefix}changes")
        assert asked[:2] == [(*question, "0-0")] * 2
        while len(asked) < 3:  # noqa: ASYNC110 - its own task asks
            await asyncio.sleep(0)
        assert asked[2] == (*question, "7-1")
        client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises((redis.exceptions.ConnectionError, OSError)):
            await reader.task


async def test_what_ends_the_following_is_the_servers_own_error_and_its_connection_is_closed(
    place: Place, redis_server: RedisServer, links: list[Link]
) -> None:
    with redis_server.client() as client:
        client.set(f"{place.prefix}changes", "foreign")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await Reader(place).task
    assert [link._connection.is_connected for link in links] == [False]


def test_places_are_ordered_as_numbers() -> None:
    assert position(b"10-2") == (10, 2)
    assert position(b"9-11") < position(b"10-2") < position(b"10-10")


async def test_a_follower_tells_until_it_is_stopped(place: Place, redis_server: RedisServer) -> None:
    told: list[News] = []
    came = asyncio.Event()
    lost: list[Exception] = []

    def take(news: Sequence[News]) -> None:
        told.extend(news)
        came.set()

    follower = Follower(f"{place.prefix}changes", LIMIT, take, lost.append)
    await follower.stop()
    with redis_server.client() as client:
        client.xadd(f"{place.prefix}changes", {"w": "me", "x": "01"}, id="5-1")
        client.xadd(f"{place.prefix}changes", {"w": "me", "x": "02"}, id="5-2")
        follower.start(place, (5, 1))
        await came.wait()
        following = follower._task
        assert following is not None
        await follower.stop()
        assert following.done()
        client.xadd(f"{place.prefix}changes", {"w": "me", "x": "03"}, id="5-3")
        assert (told, lost) == ([Entered((5, 2), b"me", b"", b"02")], [])
        came.clear()
        follower.start(place, (5, 2))
        await came.wait()
        await follower.stop()
    assert told[1:] == [Entered((5, 3), b"me", b"", b"03")]


async def test_a_follower_tells_what_ended_it() -> None:
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    follower = Follower("changes", LIMIT, lambda _: None, ended.set_result)
    follower.start(Place("127.0.0.1", 9), BEGINNING)
    assert isinstance(await ended, redis.exceptions.ConnectionError)
    await follower.stop()
