"""Who shares the keys: each says that it is there, sees who else is, and older versions are kept out."""

import msgspec
import pytest
import redis
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store.owner import Owner
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_members import PRESENT, REMEMBERED, SHARED_MARK, leave, report, seen
from statusproxy.store.redis_names import Names

from .redis_server import RedisServer
from .samples import NOW

A, B = Proxy("a", "one.example", 7, "1", NOW), Proxy("b", "two.example", 8, "2", NOW - 5)


async def test_those_that_are_there_are_known_in_the_order_of_their_start(link: Link, place: Place) -> None:
    names = Names.of(place)
    assert await report(link, names, A, NOW) == [msgspec.structs.replace(A, seen=NOW)]
    both = [msgspec.structs.replace(B, seen=NOW + 1), msgspec.structs.replace(A, seen=NOW)]
    assert await report(link, names, B, NOW + 1) == both
    await leave(link, names, A)
    assert await report(link, names, B, NOW + 1) == both[:1]


async def test_one_that_is_silent_counts_no_more_and_is_then_forgotten(
    link: Link, place: Place, redis_server: RedisServer
) -> None:
    names = Names.of(place)
    await report(link, names, A, NOW)
    assert len(await report(link, names, B, NOW + PRESENT)) == 2
    assert len(await report(link, names, B, NOW + PRESENT + 0.5)) == 1
    with redis_server.client() as client:
        await report(link, names, B, NOW + REMEMBERED)
        assert set(client.hkeys(names.proxies)) == {b"a", b"b"}
        client.hset(names.proxies, "unreadable", "{")
        await report(link, names, B, NOW + REMEMBERED + 0.5)
        assert client.hkeys(names.proxies) == [b"b"]


def test_twelve_seconds_of_silence_are_enough_and_after_a_minute_one_is_unknown() -> None:
    assert (PRESENT, REMEMBERED) == (12.0, 60.0)


async def test_what_the_server_refuses_is_its_own_error(link: Link, names: Names, client: "redis.Redis") -> None:
    client.set(names.proxies, "foreign")
    for asking in (report(link, names, A, NOW), seen(link, names, NOW)):
        with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
            await asking


async def test_who_is_there_can_be_seen_without_a_trace(link: Link, place: Place, redis_server: RedisServer) -> None:
    names = Names.of(place)
    assert await seen(link, names, NOW) == []
    await report(link, names, A, NOW)
    with redis_server.client() as client:
        client.delete(names.owner)
        client.hset(names.proxies, "unreadable", "{")
        assert await seen(link, names, NOW + PRESENT) == [msgspec.structs.replace(A, seen=NOW)]
        assert await seen(link, names, NOW + REMEMBERED + 1) == []
        assert set(client.hkeys(names.proxies)) == {b"a", b"unreadable"}
        assert not client.exists(names.owner)


async def test_a_version_that_cannot_share_reads_that_somebody_holds_the_keys(
    link: Link, place: Place, redis_server: RedisServer
) -> None:
    names = Names.of(place)
    await report(link, names, A, NOW)
    with redis_server.client() as client:
        assert client.get(names.owner) == SHARED_MARK
        assert 0 < client.pttl(names.owner) <= 9_000
    owner = Owner.decode(SHARED_MARK)
    assert (str(owner), owner.is_gone()) == ("proxies of a newer version, which share these keys", False)
