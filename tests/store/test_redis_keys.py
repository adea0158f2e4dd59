"""The keys in Redis: what the server promises, what is set aside, what is said when it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
from msgspec.structs import replace

from statusproxy.config.state_url import Place
from statusproxy.store import redis_keys as redis_keys_module
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.owner import Owner
from statusproxy.store.redis_keys import (
    Durability,
    Entry,
    Keyspace,
    Link,
    LostError,
    describe,
    history,
    is_starting,
    may_pass_at_once,
)

from .redis_server import RedisServer, running
from .samples import NOW, a_change, a_record

PLACE = Place("h.example", password="hunter2")
UNKNOWN = redis.exceptions.ResponseError("unknown command 'WAITAOF'")
DENIED = redis.exceptions.NoPermissionError("this user has no permissions", status_code="NOPERM")
OFF = redis.exceptions.ResponseError("WAITAOF cannot be used when numlocal is set but appendonly is disabled.")


class Said(Link):
    """A server that answers the questions about its durability in a given way."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {
            "WAITAOF": [1, 0], "appendonly": [b"appendonly", b"yes"], "appendfsync": [b"appendfsync", b"always"],
            "maxmemory-policy": [b"maxmemory-policy", b"noeviction"], "INFO": b"# Persistence\r\naof_enabled:1\r\n",
        } | {name.replace("_", "-"): answer for name, answer in answers.items()}  # fmt: skip

    async def ask(self, *commands: tuple[str | bytes | int | float, ...]) -> list[Any]:
        names = [str(command[2] if command[0] == "CONFIG" else command[0]) for command in commands]
        return [self._answers.get(name) for name in names]


@pytest.mark.parametrize(
    ("answers", "waits", "caveat"),
    [
        ({}, True, None),
        ({"appendfsync": [b"appendfsync", b"everysec"]}, True, None),
        ({"appendonly": DENIED, "appendfsync": DENIED, "INFO": DENIED}, True, None),
        ({"WAITAOF": UNKNOWN}, False, None),
        ({"WAITAOF": UNKNOWN, "appendfsync": [b"appendfsync", b"everysec"]}, False, "appendfsync is everysec"),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "appendfsync": DENIED}, False, "appendfsync may not be asked for"),
        ({"WAITAOF": UNKNOWN, "appendonly": [], "INFO": DENIED}, False, "may not be asked how durable"),
        ({"appendfsync": [b"appendfsync", b"no"]}, False, "appendfsync is no"),
        ({"WAITAOF": OFF, "appendonly": [b"appendonly", b"no"]}, False, "appendonly is off"),
        ({"WAITAOF": OFF, "appendonly": DENIED, "INFO": DENIED}, False, "appendonly is off"),
        ({"WAITAOF": UNKNOWN, "appendonly": DENIED, "INFO": b"aof_enabled:0\r\n"}, False, "appendonly is off"),
        ({"maxmemory_policy": [b"maxmemory-policy", b"allkeys-lru"]}, True, "allkeys-lru: it may throw the state away"),
    ],
)  # fmt: skip
async def test_what_the_servers_ok_is_worth(answers: dict[str, Any], waits: bool, caveat: str | None) -> None:
    durability = await redis_keys_module._durability(Said(**answers))
    assert durability.waits == waits
    assert len(durability.caveats) == (caveat is not None)
    assert caveat is None or caveat in durability.caveats[0]


async def test_of_a_real_server_with_an_always_synced_log_nothing_is_to_be_said(redis_server: RedisServer) -> None:
    link = await Link.open(redis_server.place, 2)
    assert (await redis_keys_module._durability(link)).caveats == ()
    await link.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.exceptions.AuthenticationError("invalid username-password pair", status_code="WRONGPASS"),
         "login refused: {}: invalid username-password pair; correct the user and password in state.url"),
        (redis.exceptions.AuthenticationError("invalid password"), "login refused: {}: invalid password; correct the"),
        (redis.exceptions.OutOfMemoryError("command not allowed", status_code="OOM"), "memory full: {}: command not"),
        (redis.exceptions.ResponseError("MISCONF Redis is configured to save"), "the server cannot persist: {}: MISC"),
        (redis.exceptions.ConnectionError("Error 111 connecting to h.example"), "no connection: {}: Error 111"),
        (redis.exceptions.TimeoutError("Timeout reading"), "no answer: {}: Timeout reading; see that the server runs"),
        (TimeoutError(), "no answer: {}: nothing came back; see"),
        (OSError("unreachable"), "no connection: {}: unreachable"),
        (redis.exceptions.ResponseError("unknown command 'AUTH', with args beginning with: 'hunter2'"),
         "cannot be written: {}: unknown command 'AUTH'"),
        (StoreError("as it is"), "as it is"),
    ],
)  # fmt: skip
def test_trouble_says_what_where_and_how_to_mend_it(error: Exception, said: str) -> None:
    text = describe(error, PLACE)
    assert text.startswith(said.format("redis at h.example:6379/0, keys statusproxy:*"))
    assert "hunter2" not in text


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
            assert client.type("records") != b"hash" or client.hget("records", "support") is None
            client.flushdb()
    finally:
        await keys.leave()


async def test_a_key_that_is_set_aside_takes_no_other_ones_name(redis_server: RedisServer) -> None:
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


async def test_what_is_not_held_is_not_written(redis_server: RedisServer) -> None:
    keys = await Keyspace.open(Place("127.0.0.1", redis_server.port, database=7), Owner.new(), 9, 2)
    with pytest.raises(LostError, match="held by us no more"):
        await keys.write({}, (), None, 9)
    await keys.leave()


@pytest.mark.parametrize(
    ("error", "at_once", "starting"),
    [
        (LostError("x"), True, False),
        (redis.exceptions.ConnectionError("closed"), True, True),
        (redis.exceptions.BusyLoadingError("loading"), False, True),
        (redis.exceptions.AuthenticationError("no"), False, False),
        (redis.exceptions.TimeoutError("no answer"), False, False),
        (StoreInUseError("x"), False, False),
    ],
)
def test_what_may_pass_soon_is_told_from_what_will_not(error: Exception, at_once: bool, starting: bool) -> None:
    assert (may_pass_at_once(error), is_starting(error)) == (at_once, starting)
