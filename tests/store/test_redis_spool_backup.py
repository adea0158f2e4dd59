"""The spool in a backup of a state in Redis and back: whole, large bodies too, and between both kinds of store."""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
import redis

from statusproxy.config.state_url import Place
from statusproxy.store import redis_spool_backup as redis_spool_backup_module
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.redis_backup import back_up_redis, restore_redis
from statusproxy.store.redis_link import Command, Link, Reply
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool_backup import StagedSpool, copy_spool, kept_bodies
from statusproxy.store.redis_spool_rows import write_entry
from statusproxy.store.restore import restore
from statusproxy.store.snapshot import Holdings
from statusproxy.store.spool_files import spool_folder
from statusproxy.store.spooled import Content, Entry, Kept, SpoolOp

from .redis_server import RedisServer, redis_store
from .samples import NOW, a_body, a_record, an_entry, kept, sqlite_store

DATA = os.urandom(600_000)


@pytest.fixture
def place(redis_server: RedisServer) -> Place:
    """Keys of this file's own, empty at first."""
    with redis_server.client(db=9) as client:
        client.flushdb()
    return Place("127.0.0.1", redis_server.port, database=9)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    with redis_server.client(db=9) as client:
        yield client


async def held(place: Place) -> dict[Entry, tuple[bytes, bytes]]:
    """All entries of a state in Redis as the next proxy finds them, with their heads and bodies."""
    store = redis_store(place)
    await store.open()
    spool = store.backend.spool
    found = {}
    for entry in await spool.entries():
        content = await spool.content(entry.id)
        assert content is not None
        found[entry] = content.head, body_of(content)
        spool.release(content)
    await store.close()
    return found


def body_of(content: Content) -> bytes:
    return content.body.read_bytes() if isinstance(content.body, Path) else content.body


def expected(*ops: Kept, data: bytes = DATA) -> dict[Entry, tuple[bytes, bytes]]:
    return {op.entry: (op.content.head, op.content.body if isinstance(op.content.body, bytes) else data) for op in ops}


def a_file(path: Path, *ops: Kept) -> Path:
    """A backup with these entries; bodies that are files lie in its directory by their ids."""
    database, _ = Database.open(path, NOW)
    spooled: dict[str, SpoolOp] = {op.id: op for op in ops}
    database.write({"sales": a_record("sales")}, [], spooled)
    database.close()
    for op in ops:
        if isinstance(op.content.body, Path):
            a_body(spool_folder(path), DATA, op.id)
    return path


def refusing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From here on the server answers an error to commands of this name."""
    ask = Link.ask

    async def asking(self: Link, *commands: Command) -> list[Reply]:
        replies = await ask(self, *commands)
        error = redis.ResponseError("no permission")
        return [error if command[0] == name else reply for command, reply in zip(commands, replies, strict=True)]

    monkeypatch.setattr(Link, "ask", asking)


@pytest.mark.slow
async def test_all_goes_into_a_file_and_back_into_redis_and_into_sqlite(place: Place, tmp_path: Path) -> None:
    store = redis_store(place)
    await store.open()
    ops = [
        kept("01", b"small", checksum=crc32(b"small")),
        kept("02", b""), kept("03", a_body(store.backend.spool.folder, DATA)), kept("04", b"x" * 300_000),
    ]  # fmt: skip
    await store.save([a_record("sales")], [], [], ops)
    copy = tmp_path / "copy.db"
    done = await asyncio.to_thread(back_up_redis, place, copy)
    assert (done.sessions, done.spooled) == (1, 4)
    folder = spool_folder(copy)
    assert done.size == copy.stat().st_size + len(DATA) + 300_000
    assert sorted(os.listdir(folder)) == ["03", "04"]
    assert {oct(path.stat().st_mode)[-3:] for path in (*folder.iterdir(), copy)} == {"600"}
    assert oct(folder.stat().st_mode)[-3:] == "700"
    await store.close()

    before = await held(place)
    assert before == expected(*ops)
    again, aside = await asyncio.to_thread(lambda: restore_redis(copy, place, force=True))
    assert (again, aside is not None) == (done, True)
    assert await held(place) == before

    restore(copy, tmp_path / "state.db")
    there = sqlite_store(tmp_path / "state.db")
    await there.open()
    assert there.spool is not None
    entries = await there.spool.entries()
    contents = [await there.spool.content(entry.id) for entry in entries]
    assert {
        entry: (content.head, body_of(content)) for entry, content in zip(entries, contents, strict=True) if content
    } == before
    await there.close()


async def test_what_sqlite_kept_is_delivered_from_redis(place: Place, tmp_path: Path, client: "redis.Redis") -> None:
    source = tmp_path / "state.db"
    store = sqlite_store(source)
    await store.open()
    assert store.spool is not None
    ops = [kept("01", b"small"), kept("02", a_body(store.spool.folder, DATA))]
    await store.save([], [], [], ops)
    await store.close()
    holdings, kept_as = await asyncio.to_thread(restore_redis, source, place)
    assert (holdings.spooled, kept_as) == (2, None)
    assert holdings.size > len(DATA)
    assert await held(place) == expected(*ops)
    assert [client.ttl(key) for key in client.scan_iter("*spool*")] == [-1] * 3, "nothing of it expires"


async def test_times_are_the_systems_in_the_file_and_the_servers_on_the_server(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    def behind() -> float:
        return time.time() - 300.0

    await asyncio.to_thread(lambda: restore_redis(a_file(tmp_path / "a.db", kept("01")), place, clock=behind))
    row = client.hget(names.spool, "01")
    assert row is not None
    assert f'"received_at":{NOW + 300:.0f}'[:-1].encode() in row
    await asyncio.to_thread(lambda: back_up_redis(place, tmp_path / "b.db", clock=behind))
    database, _ = Database.open(tmp_path / "b.db", NOW)
    with closing(database):
        (entry,) = database.spool.read().entries
    assert entry.received_at == pytest.approx(NOW, abs=0.2)
    assert entry.next_at == pytest.approx(NOW + 1, abs=0.2)


def test_what_is_replaced_is_kept_under_other_names_its_large_bodies_too(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    source = a_file(tmp_path / "a.db", kept("01", Path("01")), kept("02", b"new"))
    client.hset(names.spool, mapping={"01": write_entry(an_entry("01")), "09": "{"})
    client.hset(names.spool_contents, mapping={"01:h": "old head"})
    client.hset(names.claims, "spool:gateway", "9999999999 15 killed")
    client.set(names.body("01"), "old body")
    with pytest.raises(StoreError, match="there is already a state in"):
        restore_redis(source, place)
    _, aside = restore_redis(source, place, force=True)
    assert aside is not None
    base = aside.removesuffix("*")
    assert client.get(f"{base}spool:body:01") == b"old body"
    assert sorted(client.hkeys(f"{base}spool")) == [b"01", b"09"]
    assert client.hgetall(f"{base}spool:contents") == {b"01:h": b"old head"}
    assert client.get(names.body("01")) == DATA
    assert sorted(client.hkeys(names.spool)) == [b"01", b"02"]
    assert client.hget(names.spool_contents, "02:b") == b"new"
    assert not client.exists(names.claims)


def test_a_backup_whose_bodies_are_missing_is_refused_before_anything_happens(
    place: Place, tmp_path: Path, client: "redis.Redis"
) -> None:
    source = a_file(tmp_path / "a.db", kept("01", Path("01")))
    (spool_folder(source) / "01").unlink()
    with pytest.raises(StoreError) as told:
        restore_redis(source, place)
    assert str(told.value) == (
        f"{source}.spool lacks the bodies of 1 event that belongs to {source}: put that directory beside the file, or "
        "leave all events out with --no-spool"
    )
    assert client.dbsize() == 0
    assert restore_redis(source, place, spool=False)[0].spooled == 0


def test_many_entries_go_in_commands_that_are_bounded(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_spool_backup_module, "_BYTES", 1000)
    source = a_file(tmp_path / "a.db", *(kept(f"{number:03}", b"x" * 90) for number in range(50)))
    restore_redis(source, place)
    assert client.hlen(names.spool_contents) == 100
    assert back_up_redis(place, tmp_path / "b.db").spooled == 50


@pytest.mark.parametrize(("head", "body"), [(b"", b"x" * 90), (b"x" * 90, b"")])
async def test_no_command_holds_more_than_its_share_of_heads_and_bodies(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: list[Command], head: bytes, body: bytes
) -> None:
    monkeypatch.setattr(redis_spool_backup_module, "_BYTES", 1000)
    ops = [Kept(an_entry(f"{number:03}"), Content(head, body)) for number in range(50)]
    link = await Link.open(place, 9)
    await StagedSpool(place, "word").bring(link, a_file(tmp_path / "a.db", *ops), tmp_path, 0.0)
    await link.close()
    fields = [command[2:] for command in sent if command[0] == "HSET"]
    sizes = [sum(len(value) for value in each[1::2] if isinstance(value, bytes)) for each in fields]
    assert sum(sizes) == 50 * 90
    assert max(sizes) <= 1000 + 90


async def test_large_bodies_and_their_names_are_on_disk_once_they_are_copied(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.hset(names.spool_contents, mapping={"01:h": "head"})
    client.set(names.body("01"), DATA)
    folder = tmp_path / "bodies"
    sealed: list[int] = []
    synced: list[list[str]] = []

    def seal(handle: int) -> None:
        sealed.append(os.fstat(handle).st_size)
        os.close(handle)

    monkeypatch.setattr(redis_spool_backup_module, "seal", seal)
    monkeypatch.setattr(redis_spool_backup_module, "sync_directory", lambda path: synced.append(os.listdir(path)))
    database, _ = Database.open(tmp_path / "a.db", NOW)
    link = await Link.open(place, 9)
    with closing(database):
        assert await copy_spool(link, names, [an_entry("01")], database, folder) == len(DATA)
    await link.close()
    assert (sealed, synced) == ([len(DATA)], [["01"]])


async def test_what_was_delivered_since_it_was_read_is_left_out(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    client.hset(names.spool_contents, mapping={"02:h": "head", "03:h": "head", "03:b": "body"})
    database, _ = Database.open(tmp_path / "a.db", NOW)
    link = await Link.open(place, 9)
    with closing(database):
        entries = [an_entry("01"), an_entry("02"), an_entry("03")]
        assert await copy_spool(link, names, entries, database, tmp_path / "bodies") == 0
        assert database.spool.read().entries == [an_entry("03")]
    await link.close()


async def test_what_was_brought_goes_by_itself_where_it_is_not_taken_over(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    source = a_file(tmp_path / "a.db", kept("01", Path("01")), kept("02"))
    link = await Link.open(place, 9)
    staged = StagedSpool(place, "word")
    await staged.bring(link, source, spool_folder(source), 0.0)
    brought = [key.decode() for key in client.scan_iter("*")]
    assert sorted(brought) == ["statusproxy:word-new:spool:contents", "statusproxy:word-new:spool:upload:01"]
    assert all(0 < client.ttl(key) <= 3600 for key in brought)
    client.expire(brought[0], 5)
    await staged.hold(link)
    assert client.ttl(brought[0]) > 5
    client.delete(brought[1])
    with pytest.raises(StoreError, match="the server dropped the uploaded bodies before the end; try again"):
        await staged.hold(link)
    await link.close()


async def test_an_error_that_the_server_answers_to_the_last_look_is_told(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = a_file(tmp_path / "a.db", kept("01", Path("01")), kept("02"))
    link = await Link.open(place, 9)
    staged = StagedSpool(place, "word")
    await staged.bring(link, source, spool_folder(source), 0.0)
    refusing(monkeypatch, "EXPIRE")
    with pytest.raises(redis.ResponseError, match="no permission"):
        await staged.hold(link)
    await link.close()


@pytest.mark.parametrize("command", ["HGETALL", "EXISTS"])
async def test_an_error_that_the_server_answers_about_what_is_replaced_is_told(
    place: Place, client: "redis.Redis", names: Names, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    client.hset(names.spool, "01", "{}")
    link = await Link.open(place, 9)
    refusing(monkeypatch, command)
    with pytest.raises(redis.ResponseError, match="no permission"):
        await kept_bodies(link, names, place.prefix, "aside:")
    await link.close()


async def test_each_large_body_that_stands_there_gets_its_other_name(
    place: Place, client: "redis.Redis", names: Names
) -> None:
    client.hset(names.spool, mapping={f"0{number}": "{}" for number in range(5)})
    for number in range(1, 5):
        client.set(names.body(f"0{number}"), "body")
    link = await Link.open(place, 9)
    found = await kept_bodies(link, names, place.prefix, "aside:")
    await link.close()
    assert sorted(found) == [("RENAME", names.body(f"0{n}"), f"aside:spool:body:0{n}") for n in range(1, 5)]


async def test_without_entries_nothing_is_brought(place: Place, tmp_path: Path, client: "redis.Redis") -> None:
    link = await Link.open(place, 9)
    staged = StagedSpool(place, "word")
    await staged.bring(link, a_file(tmp_path / "a.db"), tmp_path, 0.0)
    await staged.hold(link)
    assert (list(staged.commands()), client.dbsize()) == ([], 0)
    assert await kept_bodies(link, Names.of(place), place.prefix, "aside:") == []
    await link.close()


def test_a_proxy_that_starts_while_contents_are_brought_is_seen(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring = StagedSpool.bring

    async def beside(self: StagedSpool, *arguments: object) -> None:
        store = redis_store(place, clock=time.time)
        await store.open()
        client.hset("other", "proxies", client.hvals(names.proxies)[0])
        await store.close()
        client.hset(names.proxies, "me", client.hget("other", "proxies") or b"")
        await bring(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(StagedSpool, "bring", beside)
    with pytest.raises(StoreError, match=r"^a statusproxy runs on redis at "):
        restore_redis(a_file(tmp_path / "a.db", kept("01")), place)
    assert not client.exists(names.spool, names.spool_contents)


def test_a_connection_that_is_lost_while_contents_are_copied_is_told(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_redis(a_file(tmp_path / "a.db", kept("01")), place)
    ask = Link.ask

    async def losing(self: Link, *commands: tuple[object, ...]) -> list[object]:
        if commands[0][0] == "HMGET":
            raise redis.ConnectionError("cut")
        return await ask(self, *commands)  # type: ignore[arg-type]

    monkeypatch.setattr(Link, "ask", losing)
    with pytest.raises(StoreError, match=f"^nothing was written to {tmp_path}/b.db: no connection: redis at .*cut"):
        back_up_redis(place, tmp_path / "b.db")
    assert sorted(os.listdir(tmp_path)) == ["a.db"]


def test_contents_that_the_server_does_not_give_are_told(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    restore_redis(a_file(tmp_path / "a.db", kept("01")), place)
    client.delete(names.spool_contents)
    client.set(names.spool_contents, "mine")
    with pytest.raises(StoreError, match=f"^nothing was written to {tmp_path}/b.db: .*wrong kind"):
        back_up_redis(place, tmp_path / "b.db")
    assert sorted(os.listdir(tmp_path)) == ["a.db"]


def test_an_entry_that_cannot_be_read_is_told(
    place: Place, tmp_path: Path, client: "redis.Redis", names: Names
) -> None:
    client.hset(names.spool, "01", "{")
    with pytest.raises(StoreError, match=r"a row cannot be read; restart statusproxy, which sets it aside$"):
        back_up_redis(place, tmp_path / "a.db")


def test_an_empty_spool_is_no_directory(place: Place, tmp_path: Path) -> None:
    restore_redis(a_file(tmp_path / "a.db"), place)
    found = back_up_redis(place, tmp_path / "b.db")
    assert found == Holdings(1, 0, (tmp_path / "b.db").stat().st_size)
    assert sorted(os.listdir(tmp_path)) == ["a.db", "b.db"]
