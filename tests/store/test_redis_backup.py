"""A state in Redis in a file and back: whole, while a proxy runs, and never over one that is in use."""

import asyncio
import os
import re
import shlex
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from statusproxy.config.state_url import Place
from statusproxy.store import redis_backup as redis_backup_module
from statusproxy.store.backlog import Entry
from statusproxy.store.codec import decode_record, encode
from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.journal_file import file_name
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.proxies import Proxy
from statusproxy.store.redis_backup import back_up_redis, restore_redis
from statusproxy.store.redis_keys import Keyspace
from statusproxy.store.redis_link import Command
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool_backup import StagedSpool
from statusproxy.store.redis_time import ServerClock
from statusproxy.store.restore import restore
from statusproxy.store.snapshot import Holdings
from statusproxy.store.spool_files import spool_folder

from .damaged import PAGE, damage_page, filled, noise
from .redis_server import RedisServer, redis_store, running
from .samples import NOW, a_body, a_change, a_record, kept, overridden

DATA = os.urandom(300_000)

#: What stands there beside sessions and history.
EMPTY = {"statusproxy:epoch", "statusproxy:format"}


@pytest.fixture
def place(redis_server: RedisServer) -> Place:
    """Keys of this file's own, empty at first."""
    with redis_server.client(db=8) as client:
        client.flushdb()
    return Place("127.0.0.1", redis_server.port, database=8)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A backup with a session and two changes, the same at the same time."""
    path = tmp_path / "backup.db"
    database, _ = Database.open(path, NOW)
    database.write({"sales": overridden("sales")}, [Entry(a_change("sales")), Entry(a_change("sales"))])
    database.close()
    return path


def keys(redis_server: RedisServer) -> set[str]:
    with redis_server.client(db=8) as client:
        return {key.decode() for key in client.scan_iter()}


async def test_a_state_that_proxies_share_is_copied_and_stays_theirs(
    redis_server: RedisServer, place: Place, tmp_path: Path
) -> None:
    store = redis_store(place, clock=time.time, server_clock=ServerClock())
    await store.open()
    changes = [a_change("lone \ud800"), a_change("sales", at=NOW + 1)]
    await store.save([overridden("sales"), a_record("lone \ud800")], [], changes)
    copy = tmp_path / "copy.db"
    done = await asyncio.to_thread(back_up_redis, place, copy)
    found = os.stat(copy)
    assert (done, os.listdir(tmp_path)) == (Holdings(2, 2, found.st_size), ["copy.db"])
    assert found.st_mode & 0o777 == 0o600
    assert copy.read_bytes()[18:20] == b"\1\1", "it needs no files beside it"
    with pytest.raises(StoreError, match="already exists"):
        await asyncio.to_thread(back_up_redis, place, copy)
    await store.save([a_record("later")], [], [])
    with pytest.raises(StoreError) as told:
        await asyncio.to_thread(restore_redis, copy, place, force=True)
    (me,) = store.backend.sharing.proxies
    assert str(told.value) == f"a statusproxy runs on {place}: stop it first ({me})"
    await store.close()
    with redis_server.client(db=8) as client:
        assert set(client.hkeys("statusproxy:records")) == {b"sales", b"later", b"lone \xed\xa0\x80"}
    restore(copy, tmp_path / "state.db")  # a backup is one, whatever it was made of
    database, contents = Database.open(tmp_path / "state.db", NOW)
    with closing(database):
        assert sorted(contents.records, key=lambda each: each.session) == [
            a_record("lone \ud800"), replace(overridden("sales"), written=None),
        ]  # fmt: skip
        assert database.history(None, 9) == changes[::-1]


async def test_what_is_restored_is_there_for_the_next_proxy_with_the_clock_that_told_it(
    source: Path, place: Place
) -> None:
    done, kept_as = await asyncio.to_thread(restore_redis, source, place)
    assert (done[:2], done.spooled, kept_as) == ((1, 2), 0, None)
    store = redis_store(place)
    assert await store.open() == [overridden("sales")]
    assert await store.history(None, 9) == [a_change("sales"), a_change("sales")]
    await store.close()


def test_keys_that_are_there_are_replaced_only_when_asked_for_and_kept(
    source: Path, place: Place, redis_server: RedisServer
) -> None:
    with redis_server.client(db=8) as client:
        client.hset("statusproxy:records", "support", encode(a_record("support")))
        client.hset("statusproxy:rejected", "x", "y")
        with pytest.raises(StoreError) as told:
            restore_redis(source, place)
        assert str(told.value) == (
            f"there is already a state in {place}; to replace it, use --force: the old one is kept under other names"
        )
        assert client.hkeys("statusproxy:records") == [b"support"]
        _, aside = restore_redis(source, place, force=True, clock=lambda: NOW)
        assert aside is not None
        assert aside.startswith("statusproxy:before-restore-20260115T190706Z-")
        assert client.hkeys("statusproxy:records") == [b"sales"]
        assert client.hkeys(aside.replace("*", "records")) == [b"support"]
    assert keys(redis_server) - {"statusproxy:owner"} == EMPTY | {
        "statusproxy:records", "statusproxy:history", aside.replace("*", "records"), aside.replace("*", "rejected"),
    }  # fmt: skip


def test_nothing_of_the_state_before_reaches_the_one_that_is_restored(
    source: Path, place: Place, redis_server: RedisServer
) -> None:
    names = Names.of(place)
    with redis_server.client(db=8) as client:
        client.mset({names.epoch: "old", names.format: "2"})
        client.zadd(names.forgotten, {"sales": NOW + 9})
        client.xadd(names.changes, {"w": "me", "s": "sales", "f": "1"})
        client.hset(names.proxies, "killed", "{}")
        _, aside = restore_redis(source, place, force=True)
        assert aside is not None
        assert client.zrange(aside.replace("*", "forgotten"), 0, -1) == [b"sales"]
        assert not client.exists(names.forgotten, names.changes, names.proxies)
        first = client.get(names.epoch)
        restore_redis(source, place, force=True)
        assert len({b"old", first, client.get(names.epoch)}) == 3


async def test_a_proxy_that_was_away_reads_what_was_restored(
    source: Path, place: Place, redis_server: RedisServer
) -> None:
    store = redis_store(place, report_every=60.0)
    await store.open()
    heard: list[str] = []
    store.on_others = lambda records, _: heard.extend(record.session for record in records)
    with redis_server.client(db=8) as client:
        client.delete("statusproxy:proxies")  # it could not report itself
    await asyncio.to_thread(restore_redis, source, place)
    await store.save([a_record("support")], [], [])
    assert heard == ["sales"]
    with redis_server.client(db=8) as client:
        assert set(client.hkeys("statusproxy:records")) == {b"sales", b"support"}
    await store.close()


def test_moments_are_the_systems_in_a_backup_and_the_servers_on_the_server(
    source: Path, place: Place, tmp_path: Path, redis_server: RedisServer
) -> None:
    def behind() -> float:
        return time.time() - 300.0

    restore_redis(source, place, clock=behind)
    with redis_server.client(db=8) as client:
        row = decode_record(client.hget("statusproxy:records", "sales") or b"")
        (score,) = {score for _, score in client.zscan_iter("statusproxy:history")}
    there, before = row.override, overridden("sales").override
    assert there is not None
    assert before is not None
    assert there.began - before.began == pytest.approx(300.0, abs=1.0)
    assert float(score) - a_change("sales").recorded_at == pytest.approx(300.0, abs=1.0)
    back_up_redis(place, tmp_path / "copy.db", clock=behind)
    database, contents = Database.open(tmp_path / "copy.db", NOW)
    with closing(database):
        (record,) = contents.records
        assert record.override is not None
        assert record.override.began == pytest.approx(before.began, abs=0.2)
        assert [change.recorded_at for change in database.history(None, 9)] == pytest.approx(2 * [NOW], abs=0.2)


def test_an_empty_backup_leaves_an_empty_state(tmp_path: Path, place: Place, redis_server: RedisServer) -> None:
    filled(tmp_path / "empty.db", [])
    assert restore_redis(tmp_path / "empty.db", place)[0].sessions == 0
    assert keys(redis_server) - {"statusproxy:owner"} == EMPTY


@pytest.mark.parametrize("fails", [False, True])
def test_a_journal_is_set_aside_with_the_keys_unless_nothing_is_restored(
    source: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    assert restore_redis(source, place, journal=folder)[1] is None
    journal = folder / file_name(str(place))
    journal.write_text("newer")
    with pytest.raises(StoreError, match="there is already a state in"):
        restore_redis(source, place, journal=folder)
    if not fails:
        restore_redis(source, place, journal=folder, force=True)
        (aside,) = folder.iterdir()
        assert aside.name.startswith(f"{journal.name}.before-restore-")
        return

    async def refuse(*_: object) -> None:
        raise redis.ResponseError("OOM command not allowed")

    monkeypatch.setattr(Keyspace, "transact", refuse)
    with pytest.raises(StoreError, match=r"^memory full: "):
        restore_redis(source, place, journal=folder, force=True)
    assert list(folder.iterdir()) == [journal]


def test_a_journal_alone_is_a_state_too(source: Path, place: Place, tmp_path: Path) -> None:
    journal = tmp_path / file_name(str(place))
    journal.write_text("newer")
    with pytest.raises(StoreError) as told:
        restore_redis(source, place, journal=tmp_path)
    assert str(told.value) == (
        f"there is already a state for {place} in {journal}; to replace it, use --force: "
        "the old one is kept under other names"
    )


def test_all_or_nothing_is_restored(
    source: Path, place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server.client(db=8) as client:
        client.hset("statusproxy:records", "support", encode(a_record("support")))
        transact = Keyspace.transact

        async def disturbed(self: Keyspace, *commands: Command) -> None:
            client.hset("statusproxy:records", "other", "{}")
            await transact(self, *commands)

        monkeypatch.setattr(Keyspace, "transact", disturbed)
        with pytest.raises(StoreError, match="changed by someone else"):
            restore_redis(source, place, force=True)
        assert set(client.hkeys("statusproxy:records")) == {b"support", b"other"}
    assert keys(redis_server) - {"statusproxy:owner"} == {"statusproxy:records"}


def test_events_are_left_out_only_when_asked_for(
    source: Path, place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = Database.open(source, NOW)
    database.write({}, [], {"a": kept("a")})
    database.close()
    assert restore_redis(source, place, spool=False)[0].spooled == 0
    assert "statusproxy:spool" not in keys(redis_server)
    assert restore_redis(source, place, force=True)[0].spooled == 1
    with redis_server.client(db=8) as client:
        assert client.hkeys("statusproxy:spool") == [b"a"]
    assert back_up_redis(place, source.with_name("again.db")).spooled == 1
    with monkeypatch.context() as patch:
        patch.setattr(Keyspace, "guard", sharing_at_last(Keyspace.guard))
        with pytest.raises(StoreError, match=r"^a statusproxy runs on .*: stop it first"):
            restore_redis(source, place, force=True)

    async def lost(*_: object) -> int:
        raise redis.ConnectionError("cut")

    monkeypatch.setattr(redis_backup_module, "copy_spool", lost)
    with pytest.raises(StoreError, match=r"^nothing was written to .*: no connection: .*cut"):
        back_up_redis(place, source.with_name("cut.db"))


@pytest.fixture
def large(source: Path) -> Path:
    """The backup with three events, one of which has a large body."""
    database, _ = Database.open(source, NOW)
    body = a_body(spool_folder(source), DATA, "a")
    database.write({}, [], {"a": kept("a", body), "b": kept("b"), "c": kept("c")})
    database.close()
    return source


def test_all_events_are_copied_and_counted_with_their_bodies(large: Path, place: Place, tmp_path: Path) -> None:
    size = large.stat().st_size
    done, _ = restore_redis(large, place)
    assert (done.spooled, done.size) == (3, size + len(DATA))
    back = back_up_redis(place, tmp_path / "again.db")
    assert (back.spooled, back.size) == (3, (tmp_path / "again.db").stat().st_size + len(DATA))
    without, _ = restore_redis(large, place, force=True, spool=False)
    assert (without.spooled, without.size % PAGE) == (0, 0), "a database, and nothing beside"


def test_large_bodies_of_the_state_before_are_kept_with_it(
    large: Path, place: Place, redis_server: RedisServer
) -> None:
    restore_redis(large, place)
    _, aside = restore_redis(large, place, force=True, spool=False)
    assert aside is not None
    with redis_server.client(db=8) as client:
        assert client.get(aside.replace("*", "spool:body:a")) == DATA
        assert not client.exists(Names.of(place).body("a"))


def test_a_body_that_the_server_drops_before_the_end_leaves_the_state_before(
    large: Path, place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring = StagedSpool.bring
    with redis_server.client(db=8) as client:
        client.hset("statusproxy:records", "support", encode(a_record("support")))

        async def dropped(self: StagedSpool, *given: Any) -> None:
            await bring(self, *given)
            client.delete(*client.scan_iter("*:spool:upload:a"))

        monkeypatch.setattr(StagedSpool, "bring", dropped)
        with pytest.raises(StoreError, match="the server dropped the uploaded bodies before the end; try again"):
            restore_redis(large, place, force=True)
        assert client.hkeys("statusproxy:records") == [b"support"]


@pytest.mark.parametrize("look", [1, 2])
def test_all_that_share_the_keys_are_named_whenever_they_are_seen(
    source: Path, place: Place, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    looks: list[float] = []
    sharing = [Proxy("a", "one.example", 7, "1", NOW), Proxy("b", "two.example", 8, "1", NOW)]

    async def seen(_: Keyspace, now: float) -> list[Proxy]:
        looks.append(now)
        return sharing if len(looks) == look else []

    monkeypatch.setattr(Keyspace, "guard", seen)
    with pytest.raises(StoreError) as told:
        restore_redis(source, place)
    assert str(told.value) == f"a statusproxy runs on {place}: stop it first ({sharing[0]}, {sharing[1]})"


def sharing_at_last(guard: Any) -> Any:
    """The look for proxies, one of which comes after the first look."""
    looks: list[object] = []

    async def looking(self: Keyspace, now: float) -> Any:
        looks.append(await guard(self, now))
        return looks[-1] if len(looks) == 1 else [Proxy("other")]

    return looking


def test_what_is_no_sound_backup_is_told_and_changes_nothing(
    tmp_path: Path, place: Place, redis_server: RedisServer
) -> None:
    source = tmp_path / "backup.db"
    filled(source)
    damage_page(source, 5, noise)
    with pytest.raises(StoreError, match=rf"^{source} is damaged \(.*; restore another backup$"):
        restore_redis(source, place)
    source.write_text("a note")
    with pytest.raises(StoreError, match="is not a backup of statusproxy"):
        restore_redis(source, place)
    assert keys(redis_server) == set()


def test_a_row_that_cannot_be_read_is_told(place: Place, tmp_path: Path, redis_server: RedisServer) -> None:
    with redis_server.client(db=8) as client:
        client.hset("statusproxy:records", "sales", "{")
        with pytest.raises(StoreError, match="a row cannot be read; restart statusproxy, which sets it aside"):
            back_up_redis(place, tmp_path / "copy.db")
        client.set("statusproxy:records", "foreign")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            back_up_redis(place, tmp_path / "copy.db")
        client.flushdb()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("payload", ["'{'", "CAST(x'ff' AS TEXT)"])
def test_lines_of_history_that_cannot_be_read_are_left_out(
    source: Path, place: Place, tmp_path: Path, payload: str
) -> None:
    database, _ = Database.open(source, NOW)
    database.write({}, [Entry(a_change("late"))])
    database.close()
    with closing(sqlite3.connect(source)) as other, other:
        other.execute(f"UPDATE history SET payload = {payload} WHERE id = 1")
    restore_redis(source, place)
    assert back_up_redis(place, tmp_path / "copy.db").changes == 2


def test_the_rights_that_the_documentation_names_are_enough(source: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ACL SETUSER .*?[^\\]$", text, re.MULTILINE | re.DOTALL)
    (more,) = re.findall(r"For `restore` it also needs `(.*?)`", text)
    with running(tmp_path / "redis") as server, server.client() as client:
        user = Place("127.0.0.1", server.port, user="statusproxy", password="hunter2")
        client.execute_command(*shlex.split(command.replace("\\\n", " ")))  # type: ignore[no-untyped-call]
        assert back_up_redis(user, tmp_path / "copy.db").sessions == 0
        with pytest.raises(StoreError, match=r"^not allowed: "):
            restore_redis(source, user)
        client.execute_command("ACL", "SETUSER", "statusproxy", *more.split())  # type: ignore[no-untyped-call]
        for _ in range(2):
            assert restore_redis(source, user, force=True)[0].sessions == 1
        assert back_up_redis(user, tmp_path / "full.db").sessions == 1


def test_a_server_that_is_not_there_and_a_place_that_cannot_be_written_are_told(
    source: Path, place: Place, tmp_path: Path
) -> None:
    away = Place("127.0.0.1", 9)
    for do in (lambda: back_up_redis(away, tmp_path / "copy.db"), lambda: restore_redis(source, away)):
        with pytest.raises(StoreError, match=r"^no connection: redis at 127\.0\.0\.1:9/0"):
            do()
    with pytest.raises(StoreError, match=f"^nothing was written to {tmp_path}/nowhere/copy.db: cannot be opened"):
        back_up_redis(place, tmp_path / "nowhere" / "copy.db")


def test_what_alerts_told_is_in_a_backup_and_back(
    source: Path, place: Place, tmp_path: Path, redis_server: RedisServer
) -> None:
    database, _ = Database.open(source, NOW)
    database.write({}, [], outbox=OutboxDocument(3, b"told"))
    database.close()
    restore_redis(source, place)
    with redis_server.client(db=8) as client:
        assert client.hgetall(Names.of(place).outbox) == {b"version": b"3", b"payload": b"told"}
    copy = tmp_path / "copy.db"
    back_up_redis(place, copy)
    database, _ = Database.open(copy, NOW)
    assert database.outbox() == (3, b"told")
    database.close()


def test_a_backup_of_an_older_version_tells_nothing_of_alerts(
    source: Path, place: Place, redis_server: RedisServer
) -> None:
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("DROP TABLE outbox")
    restore_redis(source, place)
    with redis_server.client(db=8) as client:
        assert not client.exists(Names.of(place).outbox)
