"""The write to the spool: entries with their contents or nothing, told in the stream, and harmless when done again."""

from typing import Any

import pytest
import redis
import redis.exceptions

from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import EpochError
from statusproxy.store.redis_spool_script import Gone, Missing, Put, Row, SpoolCommit, run_spool

from .redis_server import RedisServer


@pytest.fixture
def client(client: "redis.Redis", names: Names) -> "redis.Redis":
    client.set(names.epoch, "e")
    return client


def commit(*ops: Put | Row | Gone) -> SpoolCommit:
    return SpoolCommit(b"e", b"me", ops)


def told(client: Any, names: Names) -> list[dict[bytes, bytes]]:
    return [members for _, members in client.xrange(names.changes)]


def last(client: Any, names: Names) -> bytes:
    id_: bytes = client.xrevrange(names.changes, count=1)[0][0]
    return id_


async def test_entries_are_there_with_their_contents_and_told_at_one_instant(
    link: Link, names: Names, client: Any
) -> None:
    done, after = await run_spool(
        link, names, commit(Put("1", b"one", b"h1", b"b1"), Put("2", b"two", b"h2", b"")), ("PING",)
    )
    assert after == [b"PONG"]
    assert done == last(client, names)
    assert client.hgetall(names.spool) == {b"1": b"one", b"2": b"two"}
    assert client.hgetall(names.spool_contents) == {b"1:h": b"h1", b"1:b": b"b1", b"2:h": b"h2", b"2:b": b""}
    assert told(client, names) == [{b"w": b"me", b"e": b"one"}, {b"w": b"me", b"e": b"two"}]


async def test_a_large_body_is_taken_over_from_where_it_was_uploaded_and_stays(
    link: Link, names: Names, client: Any
) -> None:
    client.set(names.upload("1"), b"large", ex=60)
    written = commit(Put("0", b"zero", b"h0", b"b0"), Put("1", b"one", b"h1", b"", 5))
    await run_spool(link, names, written)
    assert (client.get(names.body("1")), client.ttl(names.body("1"))) == (b"large", -1)
    assert not client.exists(names.upload("1"))
    assert client.hgetall(names.spool_contents) == {b"0:h": b"h0", b"0:b": b"b0", b"1:h": b"h1"}
    # Once more, for its answer was lost: what is there stays.
    client.set(names.upload("1"), b"again", ex=60)
    await run_spool(link, names, commit(Put("1", b"newer", b"other", b"", 5)))
    assert client.get(names.body("1")) == b"large"
    assert client.hget(names.spool_contents, "1:h") == b"h1"
    assert client.hget(names.spool, "1") == b"newer"


async def test_a_large_body_that_is_there_is_not_missed_when_its_entry_is_written_again(
    link: Link, names: Names, client: Any
) -> None:
    client.set(names.upload("1"), b"large", ex=60)
    for row in (b"one", b"newer"):
        done, _ = await run_spool(link, names, commit(Put("1", row, b"h1", b"", 5)))
        assert done == last(client, names)
        assert client.hget(names.spool, "1") == row
    assert client.get(names.body("1")) == b"large"


async def test_one_large_body_that_is_not_there_keeps_all_else_from_being_written(
    link: Link, names: Names, client: Any
) -> None:
    found, _ = await run_spool(link, names, commit(Put("0", b"", b"", b""), Put("1", b"", b"", b"", 5)))
    assert found == Missing(["1"])
    assert not client.exists(names.spool, names.spool_contents, names.changes)


@pytest.mark.parametrize("there", [None, b"larg"])
async def test_where_a_large_body_is_not_there_or_not_whole_nothing_is_written(
    link: Link, names: Names, client: Any, there: bytes | None
) -> None:
    if there is not None:
        client.set(names.upload("2"), there)
    client.set(names.upload("1"), b"large")
    ops = (Put("0", b"", b"", b""), Put("1", b"", b"", b"", 5), Put("2", b"", b"", b"", 5), Put("3", b"", b"", b"", -1))
    found, _ = await run_spool(link, names, commit(*ops))
    assert found == Missing(["2", "3"])
    assert not client.exists(names.spool, names.spool_contents, names.changes, names.body("1"))


async def test_what_is_known_of_an_entry_changes_only_where_it_is(link: Link, names: Names, client: Any) -> None:
    await run_spool(link, names, commit(Put("1", b"one", b"h1", b"b1")))
    done, _ = await run_spool(link, names, commit(Row("1", b"changed")))
    assert done == last(client, names)
    assert client.hgetall(names.spool) == {b"1": b"changed"}
    assert (await run_spool(link, names, commit(Row("2", b"unknown"))))[0] == b""
    assert client.hgetall(names.spool) == {b"1": b"changed"}
    assert client.hgetall(names.spool_contents) == {b"1:h": b"h1", b"1:b": b"b1"}
    assert told(client, names)[1:] == [{b"w": b"me", b"e": b"changed"}]


async def test_an_entry_goes_with_all_that_belongs_to_it(link: Link, names: Names, client: Any) -> None:
    client.set(names.upload("2"), b"large", ex=60)
    await run_spool(link, names, commit(Put("1", b"one", b"h1", b"b1"), Put("2", b"two", b"h2", b"", 5)))
    client.set(names.upload("3"), b"never written", ex=60)
    done, _ = await run_spool(link, names, commit(Gone("1"), Gone("2"), Gone("3")))
    assert done == last(client, names)
    assert not client.exists(names.spool, names.spool_contents, names.body("2"), names.upload("3"))
    assert told(client, names)[2:] == [{b"w": b"me", b"x": b"1"}, {b"w": b"me", b"x": b"2"}]
    assert (await run_spool(link, names, commit(Gone("1"))))[0] == b"", "again is the same as once"
    assert len(told(client, names)) == 4


@pytest.mark.parametrize("epoch", [None, "another"])
async def test_a_server_that_lost_its_memory_is_not_written(
    link: Link, names: Names, client: Any, epoch: str | None
) -> None:
    client.delete(names.epoch)
    if epoch:
        client.set(names.epoch, epoch)
    with pytest.raises(EpochError):
        await run_spool(link, names, commit(Put("1", b"one", b"h1", b"b1")))
    assert not client.exists(names.spool, names.spool_contents)


@pytest.mark.parametrize("broken", ["spool", "spool_contents", "changes"])
async def test_a_key_of_another_kind_is_told_before_anything_is_written(
    link: Link, names: Names, client: Any, broken: str
) -> None:
    client.set(getattr(names, broken), "mine")
    client.set(names.upload("1"), b"large", ex=60)
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await run_spool(link, names, commit(Put("1", b"one", b"h1", b"", 5), Gone("2")))
    assert client.exists(names.upload("1"))
    assert client.exists(names.spool, names.spool_contents, names.changes) == 1


@pytest.mark.parametrize("broken", ["spool_contents", "changes"])
async def test_where_a_key_is_of_another_kind_no_entry_goes(link: Link, names: Names, client: Any, broken: str) -> None:
    client.hset(names.spool, "1", "one")
    client.set(getattr(names, broken), "mine")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await run_spool(link, names, commit(Gone("1")))
    assert client.hgetall(names.spool) == {b"1": b"one"}


@pytest.mark.slow
async def test_the_stream_of_changes_is_bounded(link: Link, names: Names, client: Any) -> None:
    for number in range(300):
        await run_spool(link, names, SpoolCommit(b"e", b"me", [Put(f"{number}", b"", b"", b"")], stream_length=10))
    assert 10 <= client.xlen(names.changes) < 200
    await run_spool(link, names, SpoolCommit(b"e", b"me", [Gone(f"{number}") for number in range(300)], 10))
    assert 10 <= client.xlen(names.changes) < 200


async def test_a_server_whose_memory_is_full_lets_entries_go(
    link: Link, names: Names, client: Any, redis_server: RedisServer
) -> None:
    await run_spool(link, names, commit(Put("1", b"one", b"h1", b"b1")))
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.ResponseError, match="used memory > 'maxmemory'"):
            await run_spool(link, names, commit(Put("2", b"two", b"h2", b"b2")))
        await run_spool(link, names, commit(Gone("1")))
    finally:
        client.config_set("maxmemory", 0)
    assert not client.exists(names.spool, names.spool_contents)
    assert told(client, names)[1:] == [{b"w": b"me", b"x": b"1"}]
