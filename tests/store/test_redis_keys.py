"""The keys in Redis: how they are shared, what is set aside, and what is read and written."""

import json
import re
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from statusproxy.config.state_url import Place
from statusproxy.status.model import Record
from statusproxy.store import redis_keys as redis_keys_module
from statusproxy.store import redis_scan
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.codec import encode
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_durability import Durability
from statusproxy.store.redis_errors import LostError
from statusproxy.store.redis_follow import BEGINNING, position
from statusproxy.store.redis_keys import Keyspace, history, member
from statusproxy.store.redis_link import Command, Link
from statusproxy.store.redis_members import SHARED_MARK
from statusproxy.store.redis_script import Commit, Conflict, Done, Proposal
from statusproxy.store.redis_spool_script import Gone, Missing, Put, SpoolCommit
from tests.store.redis_server import redis_store

from .redis_server import RedisServer, running
from .samples import NOW, a_change, a_record

ME = Proxy("me", "here.example", 7, "1", NOW)


async def joined(place: Place) -> Keyspace:
    keys = await Keyspace.open(place, answer_limit=2)
    await keys.join()
    return keys


def commit(keys: Keyspace, *records: Record, changes: tuple[Entry, ...] = (), keep: int = 99) -> Commit:
    rows = [Proposal(record.session.encode(), b"", encode(record).encode(), record.heard_at) for record in records]
    return Commit(keys.epoch, b"me", rows, [(entry.change.recorded_at, member(entry)) for entry in changes], keep)


async def all_rows(keys: Keyspace, rejected: list[str] | None = None) -> dict[str, Record]:
    found: dict[str, Record] = {}
    async for some in keys.rows(NOW, [] if rejected is None else rejected):
        found |= {session: record for session, (_, record) in some.items()}
    return found


# Joining ---------------------------------------------------------------------------------------------------


async def test_all_that_join_are_in_the_same_epoch_and_others_keys_are_another(place: Place) -> None:
    one, two, other = await joined(place), await joined(place), await joined(replace(place, prefix="other:"))
    assert one.epoch == two.epoch != b""
    assert other.epoch != one.epoch
    for keys in (one, two, other):
        await keys.drop()


async def test_a_version_that_has_the_keys_for_itself_is_named_with_what_to_do(
    place: Place, redis_server: RedisServer
) -> None:
    holder = Owner("x", "other.example", 7, "another kernel", "1")
    with redis_server.client() as client:
        client.set(f"{place.prefix}owner", holder.encode())
        keys = await Keyspace.open(place, 2)
        with pytest.raises(StoreInUseError) as refused:
            await keys.join()
        assert str(refused.value) == (
            f"in use: {place} are held by another statusproxy (process 7 on other.example), of a version that cannot "
            f"share them: stop that one first. If there is none, delete the key {place.prefix}owner"
        )
        assert not client.exists(f"{place.prefix}epoch")
        client.set(f"{place.prefix}owner", msgspec.structs.replace(Owner.new(), started="1").encode())  # died here
        await keys.join()
    await keys.drop()


async def test_keys_that_a_newer_version_arranged_anew_are_left_alone(place: Place, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set(f"{place.prefix}format", "3")
    keys = await Keyspace.open(place, 2)
    with pytest.raises(StoreError, match=r"are arranged as 3, this version reads 2: run one version, or .*prefix="):
        await keys.join()
    await keys.drop()


async def test_a_key_that_holds_something_else_gets_a_name_that_no_other_has(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "gmtime", lambda *_: time.struct_time((2026, 1, 15, 19, 7, 6, 3, 15, 0)))
    names: list[str] = []
    with redis_server.client() as client:
        for number in range(3):
            client.delete(f"{place.prefix}records")
            client.set(f"{place.prefix}records", f"foreign {number}")
            keys = await Keyspace.open(place, 2)
            ((name, aside),) = await keys.join()
            assert name == f"{place.prefix}records"
            names.append(aside)
            await keys.drop()
        first = f"{place.prefix}set-aside:records:20260115T190706Z"
        assert names == [first, f"{first}.2", f"{first}.3"]
        assert client.mget(names) == [b"foreign 0", b"foreign 1", b"foreign 2"]


KINDS: dict[str, tuple[str, ...]] = {
    "records": ("HSET", "a", "1"), "forgotten": ("ZADD", "1", "a"), "history": ("ZADD", "1", "a"),
    "changes": ("XADD", "*", "a", "1"), "epoch": ("SET", "e"), "format": ("SET", "2"), "proxies": ("HSET", "a", "1"),
    "rejected": ("HSET", "a", "1"), "owner": ("SET", SHARED_MARK.decode()), "claims": ("HSET", "a", "1"),
    "outbox": ("HSET", "a", "1"), "spool": ("HSET", "a", "1"), "spool_contents": ("HSET", "a", "1"),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
async def test_a_key_is_left_alone_where_it_holds_what_it_should(
    place: Place, redis_server: RedisServer, name: str
) -> None:
    keys = await Keyspace.open(place, 2)
    key = getattr(keys.names, name)
    with redis_server.client() as client:
        client.execute_command(KINDS[name][0], key, *KINDS[name][1:])  # type: ignore[no-untyped-call]
        assert await keys.join() == []
        client.delete(key)
        client.rpush(key, "foreign")
        ((renamed, aside),) = await keys.join()
        assert renamed == key
        assert client.lrange(aside, 0, -1) == [b"foreign"]
    await keys.drop()


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
        await Keyspace.open(redis_server.place, 2)
    assert len(closed) == 1


# Rights ----------------------------------------------------------------------------------------------------


async def test_the_rights_that_the_documentation_names_are_enough(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ACL SETUSER .*?[^\\]$", text, re.MULTILINE | re.DOTALL)
    with running(tmp_path / "redis") as server:
        with server.client() as client:
            client.execute_command(*shlex.split(command.replace("\\\n", " ")))  # type: ignore[no-untyped-call]
            client.config_resetstat()
        place = Place("127.0.0.1", server.port, user="statusproxy", password="hunter2")
        store = redis_store(place)
        await store.open()
        assert store.backend.sharing.proxies
        await store.save([a_record("sales"), a_record("gone")], [], [a_change("sales")])
        await store.save([], ["gone"], [])
        await store.backend.upkeep()
        await store.backend.write(Batch())
        assert await store.history(None, 9) == [a_change("sales")]
        assert (await store.backend.prepare(Backlog(lambda: NOW)), store.healthy) == (None, True)
        await store.close()
        with server.client() as client:
            assert client.info("errorstats").get("errorstat_NOPERM") is None


# Reading and writing -----------------------------------------------------------------------------------------


async def test_rows_are_read_whole_and_what_cannot_be_read_is_moved_away(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_scan, "_ROWS_READ", 5)
    keys, names = await joined(place), [f"{number:0200}" for number in range(600)]  # more than the server keeps as one
    assert isinstance(await keys.write(commit(keys, *map(a_record, names))), Done)
    with redis_server.client() as client:
        broken: dict[Any, Any] = {b"b": "{", b"\xff": encode(a_record("c"))}
        client.hset(f"{place.prefix}records", mapping=broken)
        rejected: list[str] = []
        assert await all_rows(keys, rejected) == {name: a_record(name) for name in names}
        assert sorted(rejected) == ["b", "\N{REPLACEMENT CHARACTER}"]
        assert client.hgetall(f"{place.prefix}rejected") == {
            b"20260115T190706Z b": b"{", b"20260115T190706Z \xff": encode(a_record("c")).encode(),
        }  # fmt: skip
        assert client.hlen(f"{place.prefix}records") == 600
    await keys.drop()


async def test_the_stream_has_what_it_has_and_ends_where_it_ends(place: Place, redis_server: RedisServer) -> None:
    keys = await joined(place)
    assert await keys.end() == BEGINNING
    assert not await keys.has(BEGINNING)
    await keys.write(commit(keys, a_record("a")))
    first = await keys.end()
    await keys.write(commit(keys, a_record("b")))
    last = await keys.end()
    assert first < last
    assert await keys.has(first, last)
    with redis_server.client() as client:
        client.xtrim(f"{place.prefix}changes", maxlen=1, approximate=False)
    assert await keys.has(last)
    assert not await keys.has(first, last)
    await keys.drop()


async def test_a_stream_that_lacks_an_entry_it_has_not_outgrown_went_back(
    place: Place, redis_server: RedisServer
) -> None:
    keys = await joined(place)
    assert await keys.went_back((5, 1)), "nothing is there at all"
    for number in range(4):
        await keys.write(commit(keys, a_record(f"s{number}")))
    with redis_server.client() as client:
        entries: Any = client.xrange(f"{place.prefix}changes")
        ids = [id_ for id_, _ in entries]
        assert not await keys.went_back(position(ids[1]))
        client.xdel(f"{place.prefix}changes", ids[1], ids[3])
        assert await keys.went_back(position(ids[1]))
        assert await keys.went_back(position(ids[3]))
        client.xtrim(f"{place.prefix}changes", maxlen=1, approximate=False)
        assert not await keys.went_back(position(ids[1])), "it is only too long ago"
        assert not await keys.went_back(position(ids[2]))
    await keys.drop()


async def test_entries_of_the_spool_are_written_in_the_same_memory_or_not_at_all(
    place: Place, redis_server: RedisServer
) -> None:
    keys = await joined(place)
    put = SpoolCommit(keys.epoch, b"me", [Put("01", b"{}", b"head", b"body")])
    last = await keys.write_spool(put)
    assert isinstance(last, bytes)
    assert await keys.end() == position(last)
    large = SpoolCommit(keys.epoch, b"me", [Put("02", b"{}", b"head", b"", 5)])
    assert await keys.write_spool(large) == Missing(["02"])
    with redis_server.client() as client:
        client.delete(f"{place.prefix}epoch")
    with pytest.raises(LostError, match="the server lost its data"):
        await keys.write_spool(put)
    await keys.drop()


async def test_what_was_forgotten_is_known_with_its_time(place: Place) -> None:
    keys = await joined(place)
    await keys.write(Commit(keys.epoch, b"me", [Proposal(b"a", b"", b"", NOW), Proposal(b"b", b"", b"", NOW + 0.25)]))
    assert await keys.forgotten() == {"a": NOW, "b": NOW + 0.25}
    await keys.drop()


async def test_a_conflict_is_told_and_a_lost_memory_is_an_error(place: Place, redis_server: RedisServer) -> None:
    keys = await joined(place)
    await keys.write(commit(keys, a_record("a")))
    assert isinstance(await keys.write(commit(keys, a_record("a", event="new"))), Conflict)
    assert [proxy.id for proxy in await keys.report(ME, NOW, 1)] == ["me"]
    with pytest.raises(LostError):
        await keys.report(ME, NOW, 2)  # fewer rows than are known
    with redis_server.client() as client:
        client.delete(f"{place.prefix}epoch")
    for doing in (keys.write(commit(keys, a_record("b"))), keys.report(ME, NOW, 0)):
        with pytest.raises(LostError, match="the server lost its data"):
            await doing
    await keys.leave(ME)
    with redis_server.client() as client:
        assert not client.exists(f"{place.prefix}proxies")


async def test_a_server_that_waits_for_its_disk_is_asked_to_after_each_write(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = await joined(place)
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
    await keys.write(commit(keys, a_record("a")))
    await keys.transact(("PING",))
    await keys.write_spool(SpoolCommit(keys.epoch, b"me", [Put("01", b"{}", b"head", b"body")]))
    assert sent == 3 * [("WAITAOF", 1, 0, 1200)]
    synced = 0
    large = SpoolCommit(keys.epoch, b"me", [Put("02", b"{}", b"head", b"", 5)])
    assert await keys.write_spool(large) == Missing(["02"]), "nothing was written to be synced"
    with pytest.raises(StoreError, match="disk took longer than 1200 ms"):
        await keys.write_spool(SpoolCommit(keys.epoch, b"me", [Gone("01")]))
    with pytest.raises(StoreError, match="disk took longer than 1200 ms"):
        await keys.write(commit(keys, a_record("b")))
    with pytest.raises(StoreError, match="disk took longer than 1200 ms"):
        await keys.transact(("PING",))
    await keys.drop()


# Replacing all of them ---------------------------------------------------------------------------------------


async def guarded(place: Place) -> Keyspace:
    keys = await Keyspace.open(place, answer_limit=2)
    assert await keys.guard(NOW) == []
    return keys


async def test_the_keys_that_are_there_are_told_whatever_they_hold(place: Place, redis_server: RedisServer) -> None:
    keys = await guarded(place)
    with redis_server.client() as client:
        client.set(keys.names.history, "foreign")
    assert await keys.present(["records", "history", "rejected"]) == ["history"]
    await keys.drop()


async def test_all_is_replaced_or_nothing(place: Place, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        keys = await guarded(place)
        await keys.transact(("SET", keys.names.epoch, "new"), ("HSET", keys.names.records, "a", "1"))
        assert (client.get(keys.names.epoch), client.hgetall(keys.names.records)) == (b"new", {b"a": b"1"})
        assert 8_000 < client.pttl(keys.names.owner) <= 9_000  # no version that shares nothing may come in between
        await keys.drop()
        for refused in (("NONSENSE",), ("HSET", keys.names.epoch, "a", "1")):
            keys = await guarded(place)
            with pytest.raises(redis.ResponseError, match=r"unknown command|WRONGTYPE"):
                await keys.transact(refused)
            await keys.drop()


@pytest.mark.parametrize("name", ["records", "forgotten", "history", "changes", "epoch", "format", "proxies"])
async def test_nothing_is_replaced_once_somebody_touched_a_key(
    place: Place, redis_server: RedisServer, name: str
) -> None:
    keys = await guarded(place)
    with redis_server.client() as client:
        client.set(place.prefix + name, "touched")
        with pytest.raises(LostError, match="changed by someone else"):
            await keys.transact(("SET", keys.names.rejected, "new"))
        assert not client.exists(keys.names.rejected)
    await keys.drop()


async def test_that_the_mark_of_who_replaces_all_ends_meanwhile_is_no_touch(
    place: Place, redis_server: RedisServer
) -> None:
    keys = await guarded(place)
    with redis_server.client() as client:
        client.delete(keys.names.owner)
        await keys.transact(("SET", keys.names.epoch, "new"))
        assert client.get(keys.names.epoch) == b"new"
    await keys.drop()


async def test_a_proxy_that_is_about_to_read_is_seen_by_whoever_replaces_all(place: Place) -> None:
    keys, other = await guarded(place), await joined(place)
    await other.announce(ME, NOW)
    with pytest.raises(LostError):
        await keys.transact(("DEL", keys.names.records))
    assert [proxy.id for proxy in await keys.guard(NOW)] == ["me"]
    await other.leave(ME)
    await keys.drop()


async def test_keys_of_another_version_are_not_replaced(place: Place, redis_server: RedisServer) -> None:
    keys = await guarded(place)
    with redis_server.client() as client:
        client.set(keys.names.format, "3")
        with pytest.raises(StoreError, match="are arranged as 3, this version reads 2"):
            await keys.guard(NOW)
        client.set(keys.names.owner, Owner.new().encode())
        with pytest.raises(StoreInUseError, match="are held by another statusproxy"):
            await keys.guard(NOW)
        client.delete(keys.names.format)
        client.set(keys.names.owner, msgspec.structs.replace(Owner.new(), started="1").encode())
        assert await keys.guard(NOW) == []
    await keys.drop()


async def test_a_server_that_is_gone_at_the_end_is_no_error(tmp_path: Path) -> None:
    with running(tmp_path / "redis") as server:
        keys = await joined(server.place)
        server.stop()
        await keys.leave(ME)


# History ---------------------------------------------------------------------------------------------------


async def test_a_change_that_may_be_on_its_way_counts_once_and_in_its_place(place: Place) -> None:
    old, there, waiting = (Entry(a_change("sales", at=NOW + n), n) for n in range(3))
    keys = await joined(place)
    await keys.write(commit(keys, changes=(old, there)))
    found = await history(keys.link, place.prefix, "sales", 9, [there, waiting, Entry(a_change("support"), 9)])
    assert found == [waiting.change, there.change, old.change]
    assert await history(keys.link, place.prefix, "support", 9, [waiting]) == []
    await keys.drop()


async def test_history_is_told_in_the_systems_time(place: Place) -> None:
    keys = await joined(place)
    there = Entry(a_change("a", at=NOW), 1)
    await keys.write(commit(keys, changes=(there,)))
    ours = Entry(a_change("a", at=NOW - 300), 1)
    assert await history(keys.link, place.prefix, None, 9, [ours], 300.0) == [ours.change]
    assert await history(keys.link, place.prefix, None, 9, [], 300.0) == [ours.change]
    await keys.drop()


async def test_history_is_read_in_pages(place: Place, monkeypatch: pytest.MonkeyPatch, sent: list[Command]) -> None:
    monkeypatch.setattr(redis_keys_module, "_HISTORY_PAGE", 4)
    keys = await joined(place)
    changes = [a_change("a" if n % 3 else "b", at=NOW + n) for n in range(12)]
    await keys.write(commit(keys, changes=tuple(Entry(change, n) for n, change in enumerate(changes))))
    for limit in (0, 1, 4, 8, 11, 12, 99):
        assert await history(keys.link, place.prefix, None, limit, []) == changes[::-1][:limit]
        assert await history(keys.link, place.prefix, "b", limit, []) == [changes[n] for n in (9, 6, 3, 0)][:limit]
    waiting = [Entry(changes[11], 11), Entry(a_change("b", at=NOW + 50), 50)]
    assert await history(keys.link, place.prefix, "b", 2, waiting) == [waiting[1].change, changes[9]]
    assert await history(keys.link, place.prefix, None, 3, waiting) == [waiting[1].change, changes[11], changes[10]]
    sent.clear()
    assert await history(keys.link, place.prefix, None, 4, []) == changes[:7:-1]
    assert len(sent) == 1, "no more is read than was asked for"
    sent.clear()
    await history(keys.link, place.prefix, "c", 9, [])
    assert sent == [("ZREVRANGE", f"{place.prefix}history", start, start + 3) for start in (0, 4, 8, 12)]
    await keys.drop()


async def test_a_change_that_is_moved_to_the_next_page_meanwhile_counts_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_keys_module, "_HISTORY_PAGE", 2)
    keys, changes = await joined(place), [a_change("a", at=NOW + n) for n in range(4)]
    await keys.write(commit(keys, changes=tuple(Entry(change, n) for n, change in enumerate(changes))))
    ask, pages = Link.ask, list[object]()

    async def moved(self: Link, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        replies = await ask(self, *commands)
        if commands[0][0] == "ZREVRANGE":
            pages.append(replies)
            if len(pages) == 1:
                await keys.write(commit(keys, changes=(Entry(a_change("a", at=NOW + 9), 9),)))
        return replies

    monkeypatch.setattr(Link, "ask", moved)
    assert await history(keys.link, place.prefix, None, 9, []) == changes[::-1]
    await keys.drop()


async def test_a_history_that_cannot_be_read_is_an_error(place: Place, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set(f"{place.prefix}history", "foreign")
    link = await Link.open(place, 2)
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        await history(link, place.prefix, None, 9, [])
    await link.close()


async def test_a_change_that_only_mentions_a_session_or_cannot_be_read_is_none_of_its_history(
    place: Place, redis_server: RedisServer
) -> None:
    fields = {**json.loads(encode(a_change("b"))), "of_a_later_version": {"session": "a"}}
    mentions: str = "1 " + json.dumps(fields, separators=(",", ":"))
    with redis_server.client() as client:
        client.zadd(f"{place.prefix}history", {mentions: NOW, str(encode(a_change("a"))): NOW + 1})  # without a number
    link = await Link.open(place, 2)
    bad = Entry(a_change("c", what=object()), 9)  # type: ignore[arg-type]
    assert await history(link, place.prefix, "a", 9, [bad]) == []
    assert await history(link, place.prefix, "b", 9, []) == [a_change("b")]
    await link.close()
