"""The store in Redis: what was answered for is there again, whatever happens to the server or to another proxy."""

import asyncio
import datetime
import ipaddress
import json
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change, Record, Release
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind
from statusproxy.store import redis as redis_module
from statusproxy.store import redis_attachment
from statusproxy.store.backlog import Backlog, Batch, Dropped, Entry
from statusproxy.store.base import Reattached, StoreOptions
from statusproxy.store.codec import encode
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.owner import Owner
from statusproxy.store.redis import RedisBackend
from statusproxy.store.redis_errors import LostError
from statusproxy.store.redis_follow import Follower, position
from statusproxy.store.redis_keys import Keyspace
from statusproxy.store.redis_link import Command, Link
from statusproxy.store.spooled import Removed, SpoolNews
from tests.proxy.loop_clock import LoopClock
from tests.waiting import until

from .redis_server import LIMIT, RedisServer, RedisStore, SameTime, redis_store, running
from .samples import DAY, NOW, a_change, a_record, caught_up, kept, overridden


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, which it may kill."""
    with running(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Place:
    """Keys of the test's own on the server that all share."""
    return replace(redis_server.place, prefix=f"{tmp_path.name}:")


@asynccontextmanager
async def opened(place: Place, **options: Any) -> AsyncIterator[tuple[RedisStore, list[Record]]]:
    store = redis_store(place, **options)
    records = await store.open()
    try:
        yield store, records
    finally:
        await store.close()


def a_backend(place: Place, **options: Any) -> RedisBackend:
    """A backend without a writer, for what it does by itself."""
    store = redis_store(place, **options)
    return store.backend


def noted_refusals(monkeypatch: pytest.MonkeyPatch, where: type, name: str) -> asyncio.Event:
    """Set once a method of that name raised."""
    refused, method = asyncio.Event(), getattr(where, name)

    async def noting(*arguments: Any, **options: Any) -> Any:
        try:
            return await method(*arguments, **options)
        except Exception:
            refused.set()
            raise

    monkeypatch.setattr(where, name, noting)
    return refused


def on_the_server(session: str) -> Record:
    """A session with every field in use, as it comes back: told by the server's clock."""
    return msgspec.structs.replace(overridden(session), written=None)


async def sessions_in(place: Place) -> list[str]:
    async with opened(place) as (_, records):
        return sorted(record.session for record in records)


async def put(store: RedisStore, *sessions: str) -> None:
    await store.save([a_record(session) for session in sessions], [], [])


# Durable ---------------------------------------------------------------------------------------------------


async def test_what_was_saved_survives_kill_9_of_the_server(server: RedisServer) -> None:
    async with opened(server.place) as (store, _):
        await store.save([overridden("sales")], [], [a_change("sales")])
        server.stop(signal.SIGKILL)
    server.start()
    async with opened(server.place) as (store, records):
        assert records == [on_the_server("sales")]
        assert await store.history(None, 9) == [a_change("sales")]


@pytest.mark.slow
async def test_what_was_saved_survives_kill_9_of_the_proxy(place: Place) -> None:
    script = """if True:
        import asyncio, os, sys
        from tests.store.redis_server import redis_store
        from tests.store.samples import a_record
        from statusproxy.config.state_url import Place

        async def main():
            store = redis_store(Place("127.0.0.1", int(sys.argv[1]), prefix=sys.argv[2]))
            await store.open()
            await store.save([a_record("sales")], [], [])
            os.kill(os.getpid(), 9)

        asyncio.run(main())
    """
    command = [sys.executable, "-c", script, str(place.port), place.prefix]
    ended = await asyncio.to_thread(subprocess.run, command, cwd=Path(__file__).parents[2], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert await sessions_in(place) == ["sales"]


async def test_a_burst_of_saves_shares_a_few_round_trips(place: Place) -> None:
    async with opened(place) as (store, _):
        await asyncio.gather(*(put(store, f"s{number}") for number in range(200)))
        assert store.backend.commits <= 6
    assert len(await sessions_in(place)) == 200


async def test_more_than_one_transaction_holds_is_written_and_read_whole(place: Place) -> None:
    names = sorted(f"s{number}" for number in range(450))
    async with opened(place) as (store, _):
        await put(store, *names)
        assert store.backend.commits == 8
    assert await sessions_in(place) == names


async def test_an_id_that_is_no_unicode_is_kept(place: Place) -> None:
    async with opened(place) as (store, _):
        await store.save([a_record("\ud800"), a_record("Vendas São Paulo")], [], [a_change("\ud800")])
        assert await store.history("\ud800", 9) == [a_change("\ud800")]
    assert await sessions_in(place) == ["Vendas São Paulo", "\ud800"]


async def test_a_row_that_cannot_be_encoded_is_left_out_and_told(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(place) as (store, _):
        await store.save([a_record("bad", event=object()), a_record("good")], [], [a_change("bad", what=object())])  # type: ignore[arg-type]
    assert caplog.text.count("row of session 'bad' could not be encoded") == 2
    assert await sessions_in(place) == ["good"]


async def test_a_save_whose_answer_was_lost_is_in_the_history_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Link.ask
    lost: list[object] = []

    async def losing(self: Link, *commands: Any) -> list[Any]:
        replies = await ask(self, *commands)
        if commands[0][0] == "EVALSHA" and not lost:
            lost.append(commands)
            raise redis.exceptions.ConnectionError("Connection closed by server.")
        return replies

    monkeypatch.setattr(Link, "ask", losing)
    async with opened(place) as (store, _):
        await store.save([], [], [a_change("sales"), a_change("sales")])
        assert lost
        assert await store.history(None, 9) == [a_change("sales")] * 2


# A server that goes away -----------------------------------------------------------------------------------


def counting_attempts(store: RedisStore, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each attempt to write that the store begins; it begins one after the other."""
    attempts: list[int] = []
    prepare = store.backend.prepare

    async def counted(backlog: Backlog) -> Reattached | None:
        attempts.append(len(backlog))
        return await prepare(backlog)

    monkeypatch.setattr(store.backend, "prepare", counted)
    return attempts


async def test_while_the_server_is_away_saves_fail_at_once_and_are_made_up_for(
    server: RedisServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server.place) as (store, _):
        await put(store, "before")
        attempts = counting_attempts(store, monkeypatch)
        server.stop()
        for name in ("a", "b"):
            with pytest.raises(StoreError, match=r"no connection: .*\(kept in memory, tried again\)"):
                await store.save([a_record(name)], [], [a_change(name)])
        assert not store.healthy
        before = len(attempts)
        await until(lambda: len(attempts) > before)  # those that began without "b" have failed
        server.start()
        await until(lambda: caught_up(store))
        assert [change.session for change in await store.history(None, 9)] == ["b", "a"]
    assert await sessions_in(server.place) == ["a", "b", "before"]
    assert "can be written again; all waiting changes are saved (2 sessions, 2 changes)" in caplog.text


async def test_what_waits_is_in_the_history_and_an_unreachable_history_says_why(server: RedisServer) -> None:
    async with opened(server.place) as (store, _):
        server.stop()
        with pytest.raises(StoreError):
            await store.save([], [], [a_change("sales"), a_change("support")])
        assert await store.history(None, 2) == [a_change("support"), a_change("sales")]
        assert await store.history("sales", 1) == [a_change("sales")]
        with pytest.raises(StoreError, match="no connection"):
            await store.history("sales", 2)


async def test_a_restart_between_two_saves_is_noticed_by_nobody(server: RedisServer) -> None:
    async with opened(server.place) as (store, _):
        await put(store, "a")
        server.stop()
        server.start()
        await put(store, "b")
        assert store.healthy
    assert await sessions_in(server.place) == ["a", "b"]


async def test_a_server_that_lost_its_memory_gets_it_back(server: RedisServer) -> None:
    async with opened(server.place) as (store, _):
        await put(store, "a", "b")
        server.stop()
        server.forget()
        server.start()
        await put(store, "b", "c")
    assert await sessions_in(server.place) == ["a", "b", "c"]


async def test_a_server_that_hangs_holds_nobody_for_ever(server: RedisServer, loop_clock: LoopClock) -> None:
    async with opened(server.place) as (store, _):
        await put(store, "before")
        server.tell(signal.SIGSTOP)
        saving = asyncio.ensure_future(put(store, "sales"))
        await loop_clock.move(LIMIT + 1)
        with pytest.raises(StoreError, match="no answer"):
            await saving
        reading = asyncio.ensure_future(store.history(None, 9))
        await loop_clock.move(LIMIT + 1)
        with pytest.raises(StoreError, match=r"no (answer|connection)"):
            await reading
        closing = asyncio.ensure_future(store.close())
        await loop_clock.move(LIMIT + 1)
        await closing
    server.tell(signal.SIGCONT)


async def test_a_server_without_memory_says_so_and_takes_all_when_it_has_some(server: RedisServer) -> None:
    async with opened(server.place) as (store, _):
        with server.client() as client:
            client.config_set("maxmemory", "1")
            with pytest.raises(StoreError, match=r"memory full: .*raise the server's maxmemory"):
                await put(store, "sales")
            client.config_set("maxmemory", "0")
        await until(lambda: caught_up(store))
    assert await sessions_in(server.place) == ["sales"]


async def test_a_wrong_password_is_an_error_that_can_be_fixed_and_is_never_told(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with server.client() as client:
        client.config_set("requirepass", "another")
    async with opened(replace(server.place, password="hunter2")) as (store, records):
        assert records == []
        assert store.error is not None
        assert store.error.startswith("login refused: redis at 127.0.0.1:")
        with pytest.raises(StoreError, match="login refused"):
            await put(store, "sales")
        with server.client(password="another") as client:
            client.config_set("requirepass", "hunter2")
        await until(lambda: caught_up(store))
    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(store.backend.place)
    assert await sessions_in(replace(server.place, password="hunter2")) == ["sales"]


async def test_what_the_servers_ok_is_not_worth_is_told_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    with server.client() as client:
        client.config_set("appendonly", "no")
    async with opened(server.place) as (store, _):
        with server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")  # type: ignore[no-untyped-call]
        await put(store, "sales")
    assert caplog.text.count("appendonly is off") == 1


# A server that comes late ----------------------------------------------------------------------------------


async def stored_then_away(server: RedisServer, *records: Record) -> None:
    async with opened(server.place) as (store, _):
        await store.save(records, [], [])
    server.stop()


async def test_without_its_server_the_proxy_starts_and_what_comes_late_is_taken_over(server: RedisServer) -> None:
    newer = a_record("both", verdict=SignalKind.CONNECTED, known_at=NOW + 5)
    await stored_then_away(server, overridden("sales"), overridden("both"))
    sessions = SessionMap()
    async with opened(server.place) as (store, records):
        assert records == []
        assert store.error is not None
        store.on_others = lambda records, _: sessions.load(records)
        with pytest.raises(StoreError):
            await store.save([newer, a_record("new")], [], [])
        server.start()
        await until(lambda: caught_up(store))
        assert sessions.get("sales") == on_the_server("sales")
    async with opened(server.place) as (_, records):
        found = {record.session: record for record in records}
        assert found.keys() == {"sales", "both", "new"}
        assert (found["both"].verdict, found["both"].known_at) == (SignalKind.CONNECTED, NOW + 5)


async def test_what_came_late_and_nobody_took_is_not_overwritten_by_less(server: RedisServer) -> None:
    await stored_then_away(server, overridden("sales"), overridden("support"), overridden("gone"))
    async with opened(server.place) as (store, _):
        server.start()
        await until(lambda: caught_up(store))
        message = Record("sales", alive_at=NOW + 9, heard_at=NOW + 9, event="onmessage")
        ended = a_record("support", verdict=SignalKind.CONNECTED, known_at=NOW + 5, ended_at=NOW + 5)
        await store.save([message, ended], ["gone"], [])
    async with opened(server.place) as (_, records):
        found = {record.session: record for record in records}
        assert found.keys() == {"sales", "support"}
        assert found["sales"].override is not None
        assert (found["sales"].alive_at, found["sales"].event) == (NOW + 9, "onmessage")
        assert found["support"].override is None


async def test_a_session_forgotten_while_the_server_was_away_stays_forgotten(server: RedisServer) -> None:
    await stored_then_away(server, a_record("sales"), a_record("support"))
    async with opened(server.place) as (store, _):
        with pytest.raises(StoreError):
            await store.save([], ["sales"], [])
        server.start()
        await until(lambda: caught_up(store))
    assert await sessions_in(server.place) == ["support"]


async def test_a_server_that_is_just_starting_is_waited_for(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored_then_away(server, a_record("sales"))
    monkeypatch.setattr(redis_attachment, "_START_POLL_SECONDS", 0.01)
    refused = noted_refusals(monkeypatch, Keyspace, "open")
    store = redis_store(server.place, open_wait=60)
    opening = asyncio.ensure_future(store.open())
    await refused.wait()
    server.start()
    assert await opening == [a_record("sales")]
    await store.close()


# A version that cannot share -------------------------------------------------------------------------------


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once somebody was refused the keys; they are asked for again at once."""
    monkeypatch.setattr(redis_attachment, "_LOCK_POLL_SECONDS", 0.001)
    return noted_refusals(monkeypatch, Keyspace, "join")


ELSEWHERE = Owner("x", "other.example", 7, "another kernel", "1")


async def test_a_version_that_has_the_keys_for_itself_is_refused_with_what_to_do(
    place: Place, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        client.set(f"{place.prefix}owner", ELSEWHERE.encode())
        store = redis_store(place)
        with pytest.raises(StoreInUseError, match=r"process 7 on other\.example\), of a version that cannot.*stop"):
            await store.open()
        assert not store.healthy


async def test_one_that_is_about_to_leave_is_waited_for(
    place: Place, redis_server: RedisServer, refused: asyncio.Event
) -> None:
    store = redis_store(place, lock_wait=60)
    with redis_server.client() as client:
        client.set(f"{place.prefix}owner", ELSEWHERE.encode(), px=60_000)
        opening = asyncio.ensure_future(store.open())
        await refused.wait()
        client.pexpire(f"{place.prefix}owner", 1)
    await opening
    assert store.healthy
    await store.close()


async def test_it_is_kept_out_while_others_share_the_keys(place: Place, redis_server: RedisServer) -> None:
    async with opened(place):
        with redis_server.client() as client:
            mark: Any = client.get(f"{place.prefix}owner")
            assert 0 < client.pttl(f"{place.prefix}owner") <= 9_000
    holder = Owner.decode(mark)
    assert (str(holder), holder.is_gone()) == ("proxies of a newer version, which share these keys", False)


@pytest.mark.parametrize("key", ["owner", "records", "history", "changes", "epoch", "proxies"])
async def test_a_key_that_vanished_is_put_back_and_nobody_notices(
    place: Place, redis_server: RedisServer, key: str
) -> None:
    async with opened(place) as (store, _):
        await store.save([a_record("a")], [], [a_change("a")])
        with redis_server.client() as client:
            client.delete(f"{place.prefix}{key}")
        await store.save([a_record("a", heard_at=NOW + 1), a_record("b")], [], [])
        assert store.healthy
    assert await sessions_in(place) == ["a", "b"]


# Shared ----------------------------------------------------------------------------------------------------


class Heard:
    """What a store told of the others."""

    def __init__(self, store: RedisStore) -> None:
        self.records: dict[str, Record] = {}
        self.forgotten: list[Dropped] = []
        store.on_others = self._take

    def _take(self, records: list[Record], forgotten: list[Dropped]) -> None:
        self.records |= {record.session: record for record in records}
        self.forgotten += forgotten


async def test_what_one_saves_and_forgets_is_told_to_the_others_and_not_to_itself(place: Place) -> None:
    async with opened(place) as (one, _), opened(place) as (other, _):
        mine, theirs = Heard(one), Heard(other)
        await one.save([overridden("sales")], [], [a_change("sales")])
        await until(lambda: "sales" in theirs.records)
        assert theirs.records["sales"] == on_the_server("sales")
        assert await other.history(None, 9) == [a_change("sales")]
        await one.save([], ["sales"], [])
        await until(lambda: bool(theirs.forgotten))
        assert (theirs.forgotten, mine.records, mine.forgotten) == ([Dropped("sales", NOW)], {}, [])
        assert (other.sharing.received, one.sharing.received) == (2, 0)  # type: ignore[union-attr]


async def test_what_two_save_at_once_is_merged_and_both_know_it(place: Place) -> None:
    alive, lost = a_record("sales", alive_at=NOW + 5), overridden("sales")
    async with opened(place) as (one, _), opened(place) as (other, _):
        mine, theirs = Heard(one), Heard(other)
        await asyncio.gather(one.save([alive], [], []), other.save([lost], [], []))
        await until(lambda: "sales" in mine.records or "sales" in theirs.records)
    async with opened(place) as (_, (record,)):
        assert (record.alive_at, record.override) == (NOW + 5, lost.override)


async def test_a_save_that_lost_the_race_is_merged_with_what_won_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(place) as (one, _), opened(place) as (other, _):
        mine = Heard(one)
        write = Keyspace.write

        async def overtaken(self: Keyspace, commit: Any) -> Any:
            monkeypatch.setattr(Keyspace, "write", write)
            await other.save([a_record("sales", alive_at=NOW + 5)], [], [])
            return await write(self, commit)

        monkeypatch.setattr(Keyspace, "write", overtaken)
        await one.save([a_record("sales", heard_at=NOW + 1)], [], [])
        assert mine.records["sales"].alive_at == NOW + 5
        assert one.sharing.conflicts == 1  # type: ignore[union-attr]
    async with opened(place) as (_, (record,)):
        assert (record.alive_at, record.heard_at) == (NOW + 5, NOW + 1)


async def test_a_session_that_another_forgot_is_not_brought_back_by_what_was_heard_before(
    place: Place, redis_server: RedisServer
) -> None:
    async with opened(place) as (one, _):
        mine = Heard(one)
        with redis_server.client() as client:
            client.zadd(f"{place.prefix}forgotten", {"sales": NOW + 5})
        await one.save([a_record("sales"), a_record("support")], [], [])
        assert mine.forgotten == [Dropped("sales", NOW + 5)]
    assert await sessions_in(place) == ["support"]


async def test_one_that_was_to_be_forgotten_lives_on_where_another_heard_of_it_since(place: Place) -> None:
    async with opened(place) as (one, _), opened(place) as (other, _):
        mine = Heard(one)
        await other.save([a_record("sales", heard_at=NOW + 5)], [], [])
        await until(lambda: "sales" in mine.records)
        mine.records.clear()
        await one.save([], ["sales"], [])  # at NOW
        assert mine.records == {"sales": a_record("sales", heard_at=NOW + 5)}
    assert await sessions_in(place) == ["sales"]


async def test_a_session_that_begins_anew_has_nothing_of_its_past(place: Place) -> None:
    async with opened(place) as (store, _):
        await store.save([overridden("sales")], [], [])
        await store.save([a_record("sales", heard_at=NOW + 3)], ["sales"], [])
    async with opened(place) as (_, records):
        assert records == [a_record("sales", heard_at=NOW + 3)]


async def test_members_that_a_newer_version_wrote_outlive_a_save_of_this_one(
    place: Place, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        row = json.dumps(json.loads(encode(a_record("sales"))) | {"mood": "good"})
        client.hset(f"{place.prefix}records", "sales", row)
        async with opened(place) as (store, _):
            await store.save([a_record("sales", heard_at=NOW + 1)], [], [])
        assert json.loads(client.hget(f"{place.prefix}records", "sales") or "")["mood"] == "good"


async def test_each_is_counted_while_it_is_there(place: Place, redis_server: RedisServer) -> None:
    async with opened(place) as (one, _):
        async with opened(place) as (other, _):
            them = other.sharing
            assert them is not None
            assert {proxy.id for proxy in them.proxies} == {one.sharing.me, them.me}  # type: ignore[union-attr]
        with redis_server.client() as client:
            assert client.hkeys(f"{place.prefix}proxies") == [one.sharing.me.encode()]  # type: ignore[union-attr]


async def test_rows_that_vanish_unseen_are_put_back_at_the_next_look(place: Place, redis_server: RedisServer) -> None:
    async with opened(place, report_every=0.01) as (store, _):
        await put(store, "a", "b")
        with redis_server.client() as client:
            client.hdel(f"{place.prefix}records", "a")
            await until(lambda: client.hlen(f"{place.prefix}records") == 2)


@pytest.mark.parametrize("step", ["end", "report"])
async def test_a_server_that_leaves_while_it_is_read_is_tried_again(
    place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def leave(*_: object) -> None:
        raise redis.exceptions.ConnectionError("Connection closed by server.")

    async with opened(place) as (before, _):
        await put(before, "there")
    with monkeypatch.context() as patch:
        patch.setattr(Keyspace, step, leave)
        store = redis_store(place)
        assert await store.open() == []
        assert "no connection" in (store.error or "")
        with pytest.raises(StoreError):
            await put(store, "a")
        heard = Heard(store)
    await until(lambda: caught_up(store))
    assert set(heard.records) == {"there"}
    await store.close()
    assert await sessions_in(place) == ["a", "there"]


# What is not ours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["owner", "records", "history", "changes", "forgotten", "epoch", "proxies", "rejected"])
async def test_a_foreign_value_under_our_key_is_renamed_and_never_deleted(
    place: Place, redis_server: RedisServer, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as client:
        client.rpush(f"{place.prefix}{key}", "not ours")
        async with opened(place) as (store, records):
            assert records == []
            await store.save([a_record("sales")], [], [a_change("sales")])
        (aside,) = client.scan_iter(f"{place.prefix}set-aside:{key}:*")
        assert client.lrange(aside, 0, -1) == [b"not ours"]
        assert str(aside, "ascii") in caplog.text
    assert await sessions_in(place) == ["sales"]


@pytest.mark.parametrize("row", [b"\xff", b"{}", b'{"format": 99}', encode(a_record("another")).encode()])
async def test_a_row_that_cannot_be_read_is_set_aside_as_it_was(
    place: Place, redis_server: RedisServer, row: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server.client() as client:
        client.hset(f"{place.prefix}records", mapping={"sales": row, "support": encode(a_record("support"))})
        assert await sessions_in(place) == ["support"]
        assert client.hgetall(f"{place.prefix}rejected") == {b"20260115T190706Z sales": row}
        assert client.hkeys(f"{place.prefix}records") == [b"support"]
    assert "the row of session 'sales' cannot be read" in caplog.text


# History ---------------------------------------------------------------------------------------------------


async def test_history_is_bounded_by_number(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_module, "_HISTORY_CHANGES", 3)
    async with opened(place, history_days=None) as (store, _):
        for number in range(5):
            await store.save([], [], [a_change("sales", at=NOW - 999 * DAY + number)])
        assert [change.at - NOW + 999 * DAY for change in await store.history(None, 9)] == [4, 3, 2]


async def test_history_past_its_days_goes_with_a_new_change_or_after_a_pause(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, even = NOW, 1_000.0
    monkeypatch.setattr(redis_module, "time", SimpleNamespace(monotonic=lambda: even))
    backend = a_backend(place, clock=lambda: now, prune_every=100)
    await backend.open(Backlog(lambda: now))

    async def kept() -> list[str]:
        return [change.session for change in await backend.history(None, 9, [])]

    await backend.write(Batch({}, [Entry(a_change("a"), 1)]))
    now += 91 * DAY
    await backend.write(Batch({}, [Entry(a_change("b", at=now), 2)]))
    assert await kept() == ["b"]
    now += 91 * DAY
    even += 99
    await backend.upkeep()
    assert await kept() == ["b"]  # nothing was written, and it was looked for just now
    even += 1
    await backend.upkeep()
    assert await kept() == []
    await backend.close(Batch())


async def test_history_of_one_session_is_found_among_many_others(place: Place) -> None:
    async with opened(place) as (store, _):
        others = [a_change("support", at=NOW + number) for number in range(1200)]
        await store.save([], [], [a_change("sales"), *others, a_change("sales", at=NOW + 9999)])
        assert [change.at - NOW for change in await store.history("sales", 9)] == [9999, 0]
        assert await store.history(None, 1300) == [
            a_change("sales", at=NOW + 9999), *reversed(others[1:]), others[0], a_change("sales")
        ]  # fmt: skip


async def test_a_change_that_cannot_be_read_is_left_out_of_the_history(place: Place, redis_server: RedisServer) -> None:
    async with opened(place) as (store, _):
        await store.save([], [], [a_change("sales")])
        with redis_server.client() as client:
            client.zadd(f"{place.prefix}history", {"no change": NOW + 1})
        assert await store.history(None, 9) == [a_change("sales")]


# Closing ---------------------------------------------------------------------------------------------------


async def test_an_open_that_is_cancelled_leaves_no_connection(
    place: Place, redis_server: RedisServer, refused: asyncio.Event
) -> None:
    with redis_server.client() as client:
        client.set(f"{place.prefix}owner", ELSEWHERE.encode())
        waiting = asyncio.ensure_future(redis_store(place, lock_wait=60).open())
        await refused.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        client.delete(f"{place.prefix}owner")
    assert await sessions_in(place) == []


def test_history_is_kept_for_ninety_days_unless_another_time_is_named() -> None:
    assert signature(redis_module.redis_store).parameters["history_days"].default == 90


def test_what_the_url_names_is_made_with_a_journal_where_one_is_wanted(tmp_path: Path) -> None:
    place = Place("h.example", 6380)
    without = redis_module.make_store(place, StoreOptions())
    assert (without.backend.place, without.journal) == (place, "off")
    kept = redis_module.make_store(place, StoreOptions(journal="j", environ={"STATE_DIRECTORY": str(tmp_path)}))
    assert kept.journal == "ok"
    assert kept._fallback.meanwhile.startswith(f"; until then changes are kept in {tmp_path}/j/redis-h.example-6380")


# TLS -------------------------------------------------------------------------------------------------------


def _certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cache.example")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.slow
async def test_with_rediss_the_servers_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(_certificate(tmp_path))
    plain = RedisServer(tmp_path / "unused")
    tls = ["--port", "0", "--tls-port", str(plain.port), "--tls-cert-file", file, "--tls-key-file", file]
    server = RedisServer(tmp_path / "redis", *tls, "--tls-auth-clients", "no")
    server.start()
    try:
        place = Place("127.0.0.1", plain.port, tls=True)
        async with opened(place) as (store, _):
            assert store.error is not None
            assert "the certificate is not trusted" in store.error
        monkeypatch.setenv("SSL_CERT_FILE", file)
        async with opened(place) as (store, _):
            await put(store, "sales")
        assert await sessions_in(place) == ["sales"]
    finally:
        server.stop()


@pytest.mark.parametrize(("error", "expected"), [
    (redis.exceptions.ConnectionError("cut"), True), (OSError("no route"), True), (StoreError("lost"), True),
    (ValueError("a defect"), False),
])  # fmt: skip
def test_what_the_server_the_kernel_and_the_store_say_needs_no_traceback(error: Exception, expected: bool) -> None:
    backend = RedisBackend(Place("redis.example", 6379), history_days=90, log=logging.getLogger("test"))
    assert backend.is_expected(error) is expected


# The spool and claims (see test_redis_spool.py, test_redis_claims.py) ---------------------------------------


async def test_a_save_may_mix_all_that_is_written(place: Place, redis_server: RedisServer) -> None:
    async with opened(place) as (store, _), opened(place) as (other, _):
        news: list[SpoolNews] = []
        other.backend.spool.on_news = news.append
        assert await other.backend.spool.entries() == []
        await store.save([a_record("sales")], ["gone"], [a_change("sales")], [kept("01"), kept("02", b"x" * 300_000)])
        await until(lambda: sum(len(one.entries) for one in news) == 2)
        assert await store.history("sales", 9) == [a_change("sales")]
        await store.save([], [], [], [Removed("01"), Removed("02")])
        await until(lambda: sum(len(one.removed) for one in news) == 2)
    assert await sessions_in(place) == ["sales"]
    with redis_server.client() as client:
        assert list(client.scan_iter(f"{place.prefix}spool*")) == []


async def test_a_claim_that_is_given_up_is_told_to_the_others_and_not_to_who_gave_it_up(place: Place) -> None:
    async with opened(place) as (store, _), opened(place) as (other, _):
        told: list[str] = []
        for number, one in enumerate((store, other)):
            one.backend.claims.listen(partial(lambda number, name: told.append(f"{name} {number}"), number))
        assert await store.backend.claims.claim("alerts") is not None
        await store.backend.claims.release("alerts")
        await other.backend.claims.claim("after that")
        await other.backend.claims.release("after that")
        await until(lambda: "after that 0" in told)
        await until(lambda: "alerts 1" in told)
        assert sorted(told) == ["after that 0", "alerts 1"]


async def test_a_claim_that_meets_another_memory_has_all_read_anew(place: Place, redis_server: RedisServer) -> None:
    async with opened(place, report_every=3600.0) as (store, _):
        await put(store, "sales")
        with redis_server.client() as client:
            client.delete(f"{place.prefix}epoch", f"{place.prefix}records")
            for _ in range(2):
                with pytest.raises(StoreError, match="the server lost its data"):
                    await store.backend.claims.claim("alerts")
            await until(lambda: bool(client.exists(f"{place.prefix}records")))
        assert await sessions_in(place) == ["sales"]


async def test_a_batch_of_entries_alone_leaves_the_pruning_to_upkeep(place: Place, redis_server: RedisServer) -> None:
    async with opened(place, history_days=1, prune_every=0.05, report_every=0.05) as (store, _):
        await store.save([], [], [a_change("old", at=NOW)])
        with redis_server.client() as client:
            client.zadd(f"{place.prefix}history", {"older": NOW - 2 * DAY})
            while client.zcard(f"{place.prefix}history") > 1:
                await store.save([], [], [], [kept("01")])


async def test_a_backend_that_nobody_listens_to_goes_on(place: Place) -> None:
    backend = a_backend(place)
    await backend.open(Backlog(lambda: NOW))
    backend.on_others = backend.on_due = None
    async with opened(place) as (store, _):
        await put(store, "sales")
    await until(lambda: backend.sharing.received == 1)
    assert backend.due_at() > 0.0
    backend._memory_lost()
    assert backend.due_at() == 0.0
    await backend.close(Batch())


async def test_what_fails_while_the_server_is_reached_again_leaves_no_connection(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = a_backend(place)
    await backend.open(Backlog(lambda: NOW))
    backend._memory_lost()

    async def refused(*_: Any) -> None:
        raise redis.exceptions.ConnectionError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(Keyspace, "announce", refused)
        with pytest.raises(redis.exceptions.ConnectionError):
            await backend.prepare(Backlog(lambda: NOW))
    assert backend._attachment.keys is None
    await backend.prepare(Backlog(lambda: NOW))
    assert await backend.claims.claim("alerts") is not None
    await backend.close(Batch())


# Being where the server is ----------------------------------------------------------------------------------


class Ahead(SameTime):
    """The clock of a server that is five minutes ahead of this machine."""

    @property
    def offset(self) -> float:
        return 300.0


class Alone:
    """A backend that a test drives by itself, with what it told."""

    def __init__(self, place: Place, **options: Any) -> None:
        self.backend = a_backend(place, **options)
        self.backlog = Backlog(lambda: NOW)
        self.records: list[Record] = []
        self.forgotten: list[Dropped] = []
        self.backend.on_others = self._take

    async def __aenter__(self) -> "Alone":
        await self.backend.open(self.backlog)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.backend.close(Batch())

    def _take(self, records: list[Record], forgotten: list[Dropped]) -> None:
        self.records += records
        self.forgotten += forgotten

    async def cut_off(self) -> None:
        """Hear no more of what others write, until it is reached again."""
        await self.backend._follower.stop()
        self.backend._give_up(LostError("cut"))

    async def reached(self) -> Reattached:
        """Reach the server again."""
        reattached = await self.backend.prepare(self.backlog)
        assert reattached is not None
        return reattached

    async def write(self, *records: Record, changes: Sequence[Change] = (), forgotten: Sequence[str] = ()) -> None:
        self.backlog.add(records, forgotten, changes)
        await self.backend.write(self.backlog.begin_write())
        self.backlog.committed()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All commits that are written."""
    commits: list[Any] = []
    write = Keyspace.write

    async def noted(self: Keyspace, commit: Any) -> Any:
        commits.append(commit)
        return await write(self, commit)

    monkeypatch.setattr(Keyspace, "write", noted)
    return commits


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long the backend lets others work, each time."""
    noted: list[float] = []

    async def sleep(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(redis_module, "asyncio", SimpleNamespace(sleep=sleep, timeout=asyncio.timeout))
    return noted


def words(commands: list[Command]) -> list[object]:
    """The first word of each."""
    return [command[0] for command in commands]


def followers() -> int:
    """How many tasks follow a stream of changes."""
    return sum(task.get_name() == "statusproxy-redis-follower" for task in asyncio.all_tasks())


async def test_after_a_cut_the_stream_goes_on_from_where_it_was_and_nothing_is_read_again(
    place: Place, redis_server: RedisServer, sent: list[Command]
) -> None:
    async with opened(place) as (other, _):
        await put(other, "before")
        async with Alone(place) as one:
            await one.cut_off()
            sent.clear()
            assert await one.reached() == Reattached([])
            await put(other, "a")
            await until(lambda: one.records == [a_record("a")])
            with redis_server.client() as client:
                client.xtrim(f"{place.prefix}changes", maxlen=1, approximate=False)
            await one.cut_off()
            await put(other, "b")
            await one.reached()
            await until(lambda: one.records == [a_record("a"), a_record("b")])
            assert "HSCAN" not in words(sent)
            assert one.backend.due_at() > 0.0
            assert await one.backend.prepare(one.backlog) is None
            assert followers() == 2


async def test_what_the_stream_has_outgrown_meanwhile_is_read_and_told(place: Place, redis_server: RedisServer) -> None:
    async with opened(place) as (other, _):
        await put(other, "before")
        async with Alone(place) as one:
            await one.cut_off()
            await put(other, "a", "b")
            with redis_server.client() as client:
                client.xtrim(f"{place.prefix}changes", maxlen=1, approximate=False)
            await one.reached()
            assert sorted(record.session for record in one.records) == ["a", "b"]


async def test_the_stream_is_followed_from_where_all_was_read(
    place: Place, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    start = Follower.start

    def noted(self: Follower, place: Place, begin: Any) -> None:
        begun.append(begin)
        start(self, place, begin)

    async with opened(place) as (store, _):
        await put(store, "a", "b")
    monkeypatch.setattr(Follower, "start", noted)
    async with Alone(place):
        pass
    with redis_server.client() as client:
        newest: Any = client.xrevrange(f"{place.prefix}changes", count=1)
    ((last, _),) = newest
    assert begun == [position(last)]


async def test_what_is_let_go_of_is_closed(place: Place) -> None:
    async with Alone(place) as one:
        assert await one.backend.claims.claim("alerts") is not None
        side = one.backend._side._link
        assert side is not None
        await one.backend._detach()
        assert (side._connection.is_connected, followers()) == (False, 0)
        await one.reached()
        folder = one.backend.spool.folder
        assert folder.is_dir(), "large bodies find their place"
        assert followers() == 1
    assert followers() == 0
    assert not folder.exists()


async def test_what_an_earlier_process_could_not_write_is_part_of_what_is_there_at_the_start(place: Place) -> None:
    async with opened(place) as (store, _):
        await put(store, "a", "gone")
    backlog = Backlog(lambda: NOW)
    backlog.replay([a_record("a", alive_at=NOW + 5), Dropped("gone", NOW)])
    backend = a_backend(place)
    assert await backend.open(backlog) == [a_record("a", alive_at=NOW + 5)]
    await backend.close(Batch())


async def test_much_is_taken_in_and_given_back_in_steps(
    place: Place, redis_server: RedisServer, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    names = sorted(f"s{number}" for number in range(450))
    gone = {f"gone{number}": NOW + 300 for number in range(450)}
    async with opened(place) as (store, _):
        await put(store, *names)
    with redis_server.client() as client:
        client.zadd(f"{place.prefix}forgotten", gone)
        pauses.clear()
        async with Alone(place, server_clock=Ahead()) as one:
            assert sorted(one.forgotten, key=lambda each: each.session) == [
                Dropped(session, NOW) for session in sorted(gone)
            ]
            assert (len(pauses) >= 4, any(pauses)) == (True, False)
            await one.cut_off()
            client.delete(*client.scan_iter(f"{place.prefix}*"))
            pauses.clear()
            missing = (await one.reached()).missing
            assert sorted(record.session for record in missing) == names
            assert (len(pauses) >= 2, any(pauses)) == (True, False)
            assert f"state: {one.backend.name} lacked 450 sessions; written again from here" in caplog.text
            await one.cut_off()
            assert await one.reached() == Reattached([])
    assert caplog.text.count(" lacked ") == 1


async def test_of_the_spool_what_a_server_lost_is_told_as_lost(place: Place, redis_server: RedisServer) -> None:
    async with opened(place) as (store, _):
        news: list[SpoolNews] = []
        store.backend.spool.on_news = news.append
        assert await store.backend.spool.entries() == []
        await store.save([], [], [], [kept("01")])
        with redis_server.client() as client:
            client.delete(*client.scan_iter(f"{place.prefix}*"))
        await put(store, "sales")
        assert [one.lost for one in news if one.lost] == [["01"]]
        assert [one.removed for one in news if one.removed] == []


async def test_the_outbox_can_be_written_once_the_server_is_reached(place: Place) -> None:
    async with opened(place) as (store, _):
        assert store.outbox is not None
        assert await store.outbox.write(b"told", 0) == 1
        assert await store.outbox.read() == OutboxDocument(1, b"told")


async def test_the_history_is_read_page_by_page(place: Place) -> None:
    async with opened(place) as (store, _):
        await store.save([], [], [a_change("sales"), a_change("support", at=NOW + 1)])
        pages = [page async for page in store.history_pages(None, None)]
        assert [change.session for page in pages for change in page] == ["support", "sales"]


# Told in the system's time ----------------------------------------------------------------------------------


async def test_what_others_forget_is_told_in_the_systems_time(place: Place, redis_server: RedisServer) -> None:
    async with Alone(place, server_clock=Ahead()) as one:
        async with opened(place, server_clock=Ahead()) as (other, _):
            await other.save([], ["sales"], [])
            await until(lambda: one.forgotten == [Dropped("sales", NOW)])
        with redis_server.client() as client:
            client.zadd(f"{place.prefix}forgotten", {"support": NOW + 305})
        await one.write(a_record("support"))
        assert one.forgotten[1:] == [Dropped("support", NOW + 5)]


async def test_what_is_old_by_the_servers_clock_goes(place: Place, redis_server: RedisServer) -> None:
    async with Alone(place, server_clock=Ahead(), history_days=1) as one:
        with redis_server.client() as client:
            line, gone, border = f"{place.prefix}history", f"{place.prefix}forgotten", NOW + 300 - DAY
            client.zadd(line, {"old": border - 1, "new": border + 1})
            client.zadd(gone, {"old": border - 1, "new": border + 1})
            await one.write(forgotten=["sales"], changes=[a_change("sales")])
            assert client.zrange(line, 0, 0) == [b"new"]
            assert client.zrange(gone, 0, -1, withscores=True) == [(b"new", border + 1), (b"sales", NOW + 300)]


async def test_the_servers_clock_is_asked_for_when_it_is_reached_and_once_at_each_look(
    place: Place, sent: list[Command]
) -> None:
    async with Alone(place) as one:
        assert words(sent).count("TIME") >= 1
        sent.clear()
        await one.backend.upkeep()
        assert words(sent).count("TIME") == 1


# Writing ----------------------------------------------------------------------------------------------------


async def test_rows_that_vanished_are_all_put_back_by_a_write_that_meets_one(
    place: Place, redis_server: RedisServer
) -> None:
    async with opened(place, report_every=3600.0) as (store, _):
        await put(store, "a", "b")
        with redis_server.client() as client:
            client.delete(f"{place.prefix}records")
        await store.save([a_record("a", heard_at=NOW + 1)], [], [])
    assert await sessions_in(place) == ["a", "b"]


async def test_what_this_one_wrote_is_known_before_the_stream_tells_it(place: Place) -> None:
    released = a_record("a", verdict=SignalKind.CONNECTED, released=Release.EXPIRED, released_at=NOW)
    change = Change("a", "released", "expired", NOW, NOW)
    async with Alone(place) as one:
        await one.backend._follower.stop()
        await one.write(released)
        await one.write(changes=[change])
        assert await one.backend.history(None, 9, []) == [change], "it is its own, and not told by another"
        await one.write(a_record("a", heard_at=NOW + 1))
        assert one.backend.sharing.conflicts == 0


async def test_a_large_body_is_on_the_server_before_its_entry_is_written(place: Place) -> None:
    async with Alone(place) as one:
        await one.backend.stage([kept("01", b"x" * 300_000)])
        assert one.backend.spool.contents.uploaded == {"01": 300_000}


async def test_a_batch_of_nothing_asks_whether_the_server_takes_writes_and_one_of_entries_does_not(
    place: Place, redis_server: RedisServer, written: list[Any]
) -> None:
    async with Alone(place) as one:
        await one.backend.write(Batch(spooled={"01": kept("01")}))
        assert written == []
        await one.backend.write(Batch())
        assert len(written) == 1
        with redis_server.client() as client:
            client.delete(f"{place.prefix}epoch")
        with pytest.raises(LostError, match="the server lost its data"):
            await one.backend.write(Batch())


async def test_looks_are_made_every_three_seconds_and_old_history_is_looked_for_once_a_day(
    place: Place, monkeypatch: pytest.MonkeyPatch, written: list[Any]
) -> None:
    even = 1_000.0
    monkeypatch.setattr(redis_module, "time", SimpleNamespace(monotonic=lambda: even))
    async with Alone(place) as one:
        for _ in range(3):
            await one.backend.upkeep()
            assert (one.backend.due_at(), len(written)) == (even + 3, 1)
            even += 3
        even += DAY
        await one.backend.upkeep()
    assert len(written) == 2


async def test_a_look_that_finds_rows_gone_is_a_loss(place: Place, redis_server: RedisServer) -> None:
    async with Alone(place) as one:
        await one.write(a_record("a"))
        with redis_server.client() as client:
            client.delete(f"{place.prefix}records")
        with pytest.raises(LostError, match="the server lost its data"):
            await one.backend.upkeep()
