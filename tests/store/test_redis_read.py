"""All rows read anew: what is new, what the server lacks, and what cannot be read."""

import asyncio

import pytest

from statusproxy.config.state_url import Place
from statusproxy.store.redis_copy import ServerCopy
from statusproxy.store.redis_keys import Keyspace
from statusproxy.store.redis_read import read_all
from statusproxy.store.redis_rows import write_row

from .redis_server import RedisServer
from .samples import NOW, a_record


async def test_what_stands_there_is_compared_with_what_was_known(place: Place, redis_server: RedisServer) -> None:
    keys, copy = await Keyspace.open(place, 9), ServerCopy()
    known, lost, new = a_record("known"), a_record("lost"), a_record("new")
    for record in (known, lost):
        copy.put(record.session, write_row(record, b""), (1, 0), foreign=True)
    with redis_server.client() as client:
        rows = {"known": write_row(known, b""), "new": write_row(new, b""), "broken": b"{"}
        client.hset(keys.names.records, mapping=rows)  # type: ignore[arg-type]
        client.zadd(keys.names.forgotten, {"gone": NOW})
        client.xadd(keys.names.changes, {"w": "a", "s": "new", "r": "{}"}, id="5-1")
        found = await read_all(keys, copy, NOW, tell_all=False)
        assert found == ((5, 1), [new], [lost], {"gone": NOW}, ["broken"])
        assert client.hgetall(keys.names.rejected) == {b"20260115T190706Z broken": b"{"}
    assert (sorted(copy), copy.newest) == (["known", "new"], (5, 1))
    again = await read_all(keys, copy, NOW, tell_all=True)
    assert sorted(record.session for record in again.new) == ["known", "new"]
    assert (again.missing, again.rejected) == ([], [])
    await keys.drop()


async def test_reading_pauses_for_no_time(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, pauses = await Keyspace.open(place, 9), list[float]()
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    with redis_server.client() as client:
        client.hset(keys.names.records, "a", write_row(a_record("a"), b""))
    monkeypatch.setattr(asyncio, "sleep", noted)
    await read_all(keys, ServerCopy(), NOW, tell_all=True)
    assert set(pauses) == {0}
    await keys.drop()
