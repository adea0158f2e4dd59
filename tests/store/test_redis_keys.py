"""The keys in Redis: who holds them, what is set aside, and what is never written."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from statusproxy.config.state_url import Place
from statusproxy.store import redis_keys as redis_keys_module
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import encode
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_errors import LostError
from statusproxy.store.redis_keys import Contents, Keyspace, history
from statusproxy.store.redis_link import Link

from .redis_server import RedisServer, running
from .samples import NOW, a_change, a_record


async def taken(place: Place) -> Keyspace:
    keys = await Keyspace.open(place, Owner.new(), lifetime=9, answer_limit=2)
    await keys.take()
    return keys


@pytest.mark.parametrize("meddle", [
    lambda client: client.hset("records", "sales", "{}"), lambda client: client.delete("owner"),
    lambda client: client.set("owner", "another"), lambda client: client.flushdb(),
    lambda client: client.zadd("history", {"x": 1}), lambda client: client.set("records", "x"),
])  # fmt: skip
async def test_nothing_is_written_where_somebody_else_touched_the_keys(
    meddle: Callable[["redis.Redis"], object], redis_server: RedisServer
) -> None:
    keys = await taken(Place("127.0.0.1", redis_server.port, database=1, prefix=""))
    try:
        await keys.read(NOW)
        await keys.write({"sales": a_record("sales")}, (), None, 9)
        with redis_server.client(db=1) as client:
            meddle(client)
            with pytest.raises(LostError):
                await keys.write({"support": a_record("support")}, (), None, 9)
            with pytest.raises(LostError, match="held by us no more"):  # not the next time either
                await keys.write({"support": a_record("support")}, (), None, 9)
            assert client.type("records") != b"hash" or client.hget("records", "support") is None
            client.flushdb()
    finally:
        await keys.leave()


async def test_a_mark_that_another_set_meanwhile_is_left_to_it(redis_server: RedisServer) -> None:
    keys = await taken(Place("127.0.0.1", redis_server.port, database=1, prefix=""))
    with redis_server.client(db=1) as client:
        client.set("owner", "another")
        await keys.leave()
        assert client.get("owner") == b"another"
        client.flushdb()


async def test_a_key_that_is_set_aside_takes_no_other_ones_name(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "gmtime", lambda *_: time.struct_time((2026, 1, 15, 19, 7, 6, 3, 15, 0)))
    place = Place("127.0.0.1", redis_server.port, database=2)
    names: list[str] = []
    with redis_server.client(db=2) as client:
        for number in range(3):
            client.set("statusproxy:records", f"foreign {number}")
            keys = await taken(place)
            (aside,) = (await keys.read(NOW)).set_aside
            await keys.write({}, (), None, 9)  # the renaming was its own doing
            await keys.leave()
            names.append(aside[1])
        first = "statusproxy:set-aside:records:20260115T190706Z"
        assert names == [first, f"{first}.2", f"{first}.3"]
        assert client.mget(names) == [b"foreign 0", b"foreign 1", b"foreign 2"]
        client.flushdb()


async def test_a_server_that_waits_for_its_disk_is_asked_to_after_each_write(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await taken(Place("127.0.0.1", redis_server.port, database=3))
    await keys.read(NOW)
    keys.durability = Durability(waits=True)
    sent: list[object] = []
    ask = Link.ask

    async def newer(self: Link, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        # The server here may be older than WAITAOF.
        sent.extend(command for command in commands if command[0] == "WAITAOF")
        replies = iter(await ask(self, *(command for command in commands if command[0] != "WAITAOF")))
        return [[synced, 0] if command[0] == "WAITAOF" else next(replies) for command in commands]

    monkeypatch.setattr(Link, "ask", newer)
    synced = 1
    await keys.write({"sales": a_record("sales")}, (), None, 9)
    assert sent == [("WAITAOF", 1, 0, 1200)]
    synced = 2
    await keys.write({}, (), None, 9)
    synced = 0
    with pytest.raises(StoreError, match="disk took longer than 1200 ms"):
        await keys.write({"sales": a_record("sales")}, (), None, 9)
    await keys.leave()


async def test_rights_to_its_own_keys_and_a_few_commands_are_enough(tmp_path: Path) -> None:
    with running(tmp_path / "redis") as server:
        with server.client() as client:
            client.execute_command(
                "ACL", "SETUSER", "proxy", "on", ">hunter2", "~statusproxy:*", "-@all",
                "+type", "+get", "+set", "+del", "+watch", "+unwatch", "+multi", "+exec", "+renamenx", "+hscan",
                "+hset", "+hdel", "+zadd", "+zrevrange", "+zremrangebyrank", "+zremrangebyscore",
            )  # type: ignore[no-untyped-call]  # fmt: skip
        keys = await taken(Place("127.0.0.1", server.port, user="proxy", password="hunter2"))
        await keys.read(NOW)
        await keys.write({"sales": a_record("sales"), "gone": None}, (), NOW, 9)
        assert keys.durability.caveats[0].startswith("it may not be asked")
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "proxy", "-hset")  # type: ignore[no-untyped-call]
        with pytest.raises(redis.exceptions.NoPermissionError, match="hset"):
            await keys.write({"sales": a_record("sales")}, (), NOW, 9)
        await keys.leave()


async def test_a_change_that_may_be_on_its_way_counts_once_and_in_its_place(redis_server: RedisServer) -> None:
    place = Place("127.0.0.1", redis_server.port, database=4)
    old, there, waiting = (Entry(a_change("sales", at=NOW + n), n) for n in range(3))
    keys = await taken(place)
    await keys.read(NOW)
    await keys.write({}, [old, there], None, 9)
    link = await Link.open(place, 2)
    found = await history(link, place.prefix, "sales", 9, [there, waiting, Entry(a_change("support"), 9)])
    assert found == [waiting.change, there.change, old.change]
    assert await history(link, place.prefix, "support", 9, [waiting]) == []
    await link.close()
    await keys.leave()


async def test_a_time_that_is_no_number_spoils_no_transaction(redis_server: RedisServer) -> None:
    keys = await taken(Place("127.0.0.1", redis_server.port, database=5))
    await keys.read(NOW)
    changes = [a_change("sales", at=float(at)) for at in ("nan", "inf", "-inf")]
    await keys.write({"sales": a_record("sales", known_at=float("-inf"))}, [Entry(c, 1) for c in changes], NOW, 9)
    assert (await keys.read(NOW)).records == {"sales": a_record("sales", known_at=float("-inf"))}
    await keys.leave()


async def test_of_two_that_find_a_dead_holder_one_takes_its_place(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place("127.0.0.1", redis_server.port, database=6)
    dead = replace(Owner.new(), started="1")
    with redis_server.client(db=6) as client:
        client.set("statusproxy:owner", dead.encode())
        ask = Link.ask

        async def quicker(self: Link, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
            if commands[0][0] == "WATCH":
                client.set("statusproxy:owner", Owner.new().encode(), px=1000)
            return await ask(self, *commands)

        monkeypatch.setattr(Link, "ask", quicker)
        keys = await Keyspace.open(place, Owner.new(), lifetime=9, answer_limit=2)
        with pytest.raises(StoreInUseError, match="taken by another statusproxy just now"):
            await keys.take()
        await keys.leave()


async def test_what_is_forgotten_refused_and_kept_is_all_in_one_transaction(redis_server: RedisServer) -> None:
    place = Place("127.0.0.1", redis_server.port, database=8, prefix="p:")
    keys = await taken(place)
    assert (await keys.read(NOW)) == Contents()
    changes = [Entry(a_change("a", at=NOW + n), n) for n in range(5)]
    bad = Entry(a_change("bad", what=object()), 9)  # type: ignore[arg-type]
    assert (
        await keys.write({"a": a_record("a"), "b": a_record("b"), "\ud800": a_record("\ud800")}, changes, None, 3) == []
    )
    with redis_server.client(db=8) as client:
        newest: Any = client.zrange("p:history", 0, -1, withscores=True)
        assert [at for _, at in newest] == [NOW + 2, NOW + 3, NOW + 4]
    records = {"b": None, "c": a_record("c"), "worse": a_record("worse", event=object())}
    assert await keys.write(records, [bad, changes[0]], NOW, 9) == ["worse", "bad"]
    with redis_server.client(db=8) as client:
        assert set(client.hkeys("p:records")) == {b"a", b"c", b"\xed\xa0\x80"}
        assert client.hget("p:records", "a") == encode(a_record("a")).encode()
        assert client.zrange("p:history", 0, -1, withscores=True) == [
            (b"%016x " % n + encode(a_change("a", at=NOW + n)).encode(), NOW + n) for n in (0, 2, 3, 4)
        ]
        assert client.get("p:owner") is not None
        assert 8_000 < client.pttl("p:owner") <= 9_000
        assert await keys.write({}, (), NOW + 3, 9) == []
        assert client.zcard("p:history") == 2
        assert (await keys.read(NOW)).records.keys() == {"a", "c", "\ud800"}
        await keys.leave()
        assert not client.exists("p:owner")
        with pytest.raises(LostError):
            await keys.write({}, (), None, 9)
        client.flushdb()


async def test_more_rows_than_one_answer_holds_are_read_whole(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_keys_module, "_ROWS_READ", 5)
    monkeypatch.setattr(redis_keys_module, "_HISTORY_PAGE", 4)
    place = Place("127.0.0.1", redis_server.port, database=9)
    keys = await taken(place)
    names = [f"{number:0200}" for number in range(600)]  # beyond what the server keeps in one piece
    await keys.write({name: a_record(name) for name in names}, [], None, 9)
    assert (await keys.read(NOW)).records == {name: a_record(name) for name in names}
    changes = [a_change("a" if n % 3 else "b", at=NOW + n) for n in range(12)]
    await keys.write({}, [Entry(change, n) for n, change in enumerate(changes)], None, 99)
    link = await Link.open(place, 2)
    for limit in (0, 1, 4, 8, 11, 12, 99):
        assert await history(link, place.prefix, None, limit, []) == changes[::-1][:limit]
        assert await history(link, place.prefix, "b", limit, []) == [changes[n] for n in (9, 6, 3, 0)][:limit]
    waiting = [Entry(changes[11], 11), Entry(a_change("b", at=NOW + 50), 50)]
    assert await history(link, place.prefix, "b", 2, waiting) == [waiting[1].change, changes[9]]
    assert await history(link, place.prefix, None, 3, waiting) == [waiting[1].change, changes[11], changes[10]]
    sent: list[object] = []
    ask = Link.ask

    async def noted(self: Link, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        sent.extend(commands)
        return await ask(self, *commands)

    monkeypatch.setattr(Link, "ask", noted)
    await history(link, place.prefix, "c", 9, [])
    assert sent == [("ZREVRANGE", "statusproxy:history", start, start + 3) for start in (0, 4, 8, 12)]
    await link.close()
    await keys.leave()
    with redis_server.client(db=9) as client:
        client.flushdb()


async def test_what_is_not_ours_and_what_cannot_be_read_is_kept_under_other_names(redis_server: RedisServer) -> None:
    place = Place("127.0.0.1", redis_server.port, database=11, prefix="p:")
    with redis_server.client(db=11) as client:
        for name in ("owner", "history", "rejected"):
            client.rpush(f"p:{name}", name)
        rows: dict[Any, Any] = {b"a": encode(a_record("a")), b"b": "{", b"\xff": encode(a_record("c"))}
        client.hset("p:records", mapping=rows)
        keys = await taken(place)
        found = await keys.read(NOW)
        assert found.records == {"a": a_record("a")}
        assert sorted(found.rejected) == ["b", "\N{REPLACEMENT CHARACTER}"]
        assert [name for name, _ in found.set_aside] == ["p:history", "p:rejected"]
        assert [client.lrange(target, 0, -1) for _, target in found.set_aside] == [[b"history"], [b"rejected"]]
        (owner,) = client.scan_iter("p:set-aside:owner:*")
        assert client.lrange(owner, 0, -1) == [b"owner"]
        assert client.hgetall("p:rejected") == {
            b"20260115T190706Z b": b"{", b"20260115T190706Z \xff": encode(a_record("c")).encode(),
        }  # fmt: skip
        assert client.hkeys("p:records") == [b"a"]
        await keys.write({}, (), None, 9)  # all that was its own doing
        await keys.leave()
        client.flushdb()


async def test_a_change_that_only_mentions_a_session_is_none_of_its_history(redis_server: RedisServer) -> None:
    place = Place("127.0.0.1", redis_server.port, database=12)
    fields = {**json.loads(encode(a_change("b"))), "of_a_later_version": {"session": "a"}}
    mentions: str = "1 " + json.dumps(fields, separators=(",", ":"))
    with redis_server.client(db=12) as client:
        client.zadd(
            "statusproxy:history", {mentions: NOW, str(encode(a_change("a"))): NOW + 1}
        )  # the other has no number
        link = await Link.open(place, 2)
        assert await history(link, place.prefix, "a", 9, []) == []
        assert await history(link, place.prefix, "b", 9, []) == [a_change("b")]
        await link.close()
        client.flushdb()


async def test_a_server_that_is_gone_at_the_end_is_no_error(tmp_path: Path) -> None:
    with running(tmp_path / "redis") as server:
        keys = await taken(server.place)
        server.stop()
        await keys.leave()


async def test_what_cannot_be_connected_leaves_no_connection(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Link] = []
    close = Link.close

    async def noted(self: Link) -> None:
        closed.append(self)
        await close(self)

    async def refuse(_: Link) -> None:
        raise LostError("no")

    monkeypatch.setattr(Link, "close", noted)
    monkeypatch.setattr(redis_keys_module, "durability", refuse)
    with pytest.raises(LostError):
        await Keyspace.open(redis_server.place, Owner.new(), 9, 2)
    assert len(closed) == 1
    monkeypatch.undo()
    monkeypatch.setattr(Link, "close", noted)
    keys = await Keyspace.open(redis_server.place, Owner.new(), 9, 2)
    await keys.drop()
    await (await Keyspace.open(redis_server.place, Owner.new(), 9, 2)).leave()
    assert len(closed) == 3


async def test_another_holder_is_named_with_what_to_do(redis_server: RedisServer) -> None:
    place = Place("127.0.0.1", redis_server.port, database=10)
    first = await taken(place)
    second = await Keyspace.open(place, Owner.new(), 9, 2)
    with pytest.raises(StoreInUseError) as refused:
        await second.take()
    assert str(refused.value) == (
        f"in use: {place} are held by another statusproxy ({Owner.new()}); two writers would overwrite each other's "
        "sessions: stop that one, or give this one a state.url of its own (another database number). If there is none, "
        "delete the key statusproxy:owner"
    )
    await second.leave()  # what it does not hold it does not give up
    with redis_server.client(db=10) as client:
        assert client.exists("statusproxy:owner")
        dead = replace(Owner.new(), started="1")
        client.set("statusproxy:owner", dead.encode())
        third = await taken(place)
        assert 8_000 < client.pttl("statusproxy:owner") <= 9_000
        await third.leave()
        await first.leave()
        client.flushdb()


async def test_what_is_not_held_is_not_written(redis_server: RedisServer) -> None:
    keys = await Keyspace.open(Place("127.0.0.1", redis_server.port, database=7), Owner.new(), 9, 2)
    with pytest.raises(LostError, match="held by us no more"):
        await keys.write({}, (), None, 9)
    await keys.leave()


async def test_the_keys_that_are_there_are_told_whatever_they_hold(redis_server: RedisServer) -> None:
    keys = await taken(Place("127.0.0.1", redis_server.port, database=7))
    with redis_server.client(db=7) as client:
        client.set("statusproxy:history", "foreign")
        assert await keys.present(["records", "history", "rejected"]) == ["history"]
        client.flushdb()
    await keys.leave()
