"""The one write to the keys: all of it or nothing, only in place of what the writer knows, and told in the stream."""

import hashlib
from typing import Any

import pytest
import redis
import redis.exceptions

from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import Commit, Conflict, Done, EpochError, Proposal, run, set_aside


@pytest.fixture
def client(client: "redis.Redis", names: Names) -> "redis.Redis":
    client.set(names.epoch, "e")
    return client


def commit(*rows: Proposal, **more: Any) -> Commit:
    return Commit(b"e", b"me", rows, **({"keep": 9} | more))


def a_row(session: str = "a", expected: str = "", row: str = "1", at: float = 10.0) -> Proposal:
    return Proposal(session.encode(), expected.encode(), row.encode(), at)


def entries(client: Any, names: Names) -> list[dict[bytes, bytes]]:
    return [members for _, members in client.xrange(names.changes)]


def last(client: Any, names: Names) -> bytes:
    id_: bytes = client.xrevrange(names.changes, count=1)[0][0]
    return id_


async def test_rows_and_history_are_written_and_told_at_one_instant(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    written = commit(a_row(), a_row("b", row="2"), history=[(5.5, b"x"), (float("nan"), b"y")])
    done, after = await run(link, names, written, ("PING",))
    assert after == [b"PONG"]
    assert client.hgetall(names.records) == {b"a": b"1", b"b": b"2"}
    assert client.zrange(names.history, 0, -1, withscores=True) == [(b"y", 0.0), (b"x", 5.5)]
    assert entries(client, names) == [{b"w": b"me", b"s": b"a", b"r": b"1"}, {b"w": b"me", b"s": b"b", b"r": b"2"}]
    assert done == Done(last(client, names))
    assert (await run(link, names, commit()))[0] == Done(b"")


@pytest.mark.parametrize("stands", ["", "1", "3"])
async def test_where_another_row_stands_nothing_is_written_and_it_is_told(
    link: Link, names: Names, client: "redis.Redis", stands: str
) -> None:
    if stands:
        client.hset(names.records, "a", stands)
    refused = commit(a_row("b"), a_row("a", expected="2"), history=[(1.0, b"x")])
    assert (await run(link, names, refused))[0] == Conflict([(b"a", stands.encode(), None)])
    assert client.hexists(names.records, "b") is False
    assert not client.exists(names.history, names.changes)


async def test_all_rows_that_stand_in_the_way_are_told(link: Link, names: Names, client: "redis.Redis") -> None:
    client.hset(names.records, mapping={"a": "3", "c": "4"})
    client.zadd(names.forgotten, {"c": 12.5})
    refused = commit(a_row("a", expected="2"), a_row("b"), a_row("c"))
    found, _ = await run(link, names, refused)
    assert found == Conflict([(b"a", b"3", None), (b"c", b"4", 12.5)])


@pytest.mark.parametrize(("heard_at", "refused"), [(9.5, True), (10.0, True), (10.5, False), (float("-inf"), True)])
async def test_a_session_that_was_forgotten_later_than_it_was_heard_of_is_not_written(
    link: Link, names: Names, client: "redis.Redis", heard_at: float, refused: bool
) -> None:
    assert isinstance((await run(link, names, commit(a_row())))[0], Done)
    assert isinstance((await run(link, names, commit(a_row(expected="1", row="", at=10.0))))[0], Done)
    assert entries(client, names)[-1] == {b"w": b"me", b"s": b"a", b"f": b"10.0"}
    assert not client.exists(names.records)
    found, _ = await run(link, names, commit(a_row(at=heard_at)))
    assert (found == Conflict([(b"a", b"", 10.0)])) is refused
    again, _ = await run(link, names, commit(a_row(expected="" if refused else "1", row="", at=3.0)))
    assert isinstance(again, Done)
    assert client.zscore(names.forgotten, "a") == 10.0, "the later of the two counts"


async def test_without_a_time_at_which_it_was_heard_of_a_session_stays_forgotten(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    client.zadd(names.forgotten, {"a": 0.5})
    found, _ = await run(link, names, commit(a_row(at=float("-inf"))))
    assert found == Conflict([(b"a", b"", 0.5)])


async def test_a_commit_that_says_nothing_of_it_keeps_no_history_and_all_that_was_forgotten(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    await run(link, names, Commit(b"e", b"me", [a_row("x", row="", at=0.5)], [(1.0, b"line")]))
    assert not client.exists(names.history)
    assert client.zscore(names.forgotten, "x") == 0.5


@pytest.mark.slow
async def test_what_is_old_goes(link: Link, names: Names, client: "redis.Redis") -> None:
    lines = [(float(n), b"%d" % n) for n in range(6)]
    await run(link, names, commit(a_row("x", row="", at=3.0), a_row("y", row="", at=4.0), history=lines, keep=4))
    assert client.zrange(names.history, 0, -1) == [b"2", b"3", b"4", b"5"]
    await run(link, names, commit(before=4.0, forgotten_before=3.0))
    assert client.zrange(names.history, 0, -1) == [b"4", b"5"]
    assert client.zrange(names.forgotten, 0, -1) == [b"y"]
    for number in range(300):
        await run(link, names, commit(a_row(f"s{number}"), stream_length=10))
    assert 10 <= client.xlen(names.changes) < 200


@pytest.mark.parametrize("epoch", [None, "another"])
async def test_a_server_that_lost_its_memory_is_not_written(
    link: Link, names: Names, client: "redis.Redis", epoch: str | None
) -> None:
    client.delete(names.epoch)
    if epoch:
        client.set(names.epoch, epoch)
    with pytest.raises(EpochError):
        await run(link, names, commit(a_row()))
    assert not client.exists(names.records)


@pytest.mark.parametrize("key", ["records", "forgotten", "history", "changes"])
async def test_a_key_of_another_kind_keeps_all_from_being_written(
    link: Link, names: Names, client: "redis.Redis", key: str
) -> None:
    client.set(getattr(names, key), "not ours")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await run(link, names, commit(a_row(), history=[(1.0, b"x")]))
    assert client.exists(names.records, names.forgotten, names.history, names.changes) == 1


async def test_a_server_that_does_not_know_the_script_is_given_it(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    for _ in range(2):
        client.script_flush()
        await run(link, names, commit(history=[(1.0, b"x")]))
    assert client.zcard(names.history) == 1


async def test_a_machine_that_forbids_weak_digests_for_security_may_name_the_script(
    link: Link, names: Names, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha1

    def strict(data: bytes, *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("unsupported hash type")
        return digest(data, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "sha1", strict)
    assert isinstance((await run(link, names, commit(a_row())))[0], Done)


async def test_a_row_that_the_server_does_not_move_is_not_said_to_be(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    client.hset(names.records, "a", "broken")
    client.set(names.rejected, "foreign")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await set_aside(link, names, names.records, b"a", b"broken", b"then a")
    assert client.hgetall(names.records) == {b"a": b"broken"}


async def test_a_row_is_set_aside_only_as_long_as_it_stands_there(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    client.hset(names.records, "a", "broken")
    assert not await set_aside(link, names, names.records, b"a", b"another", b"then a")
    assert client.hgetall(names.records) == {b"a": b"broken"}
    assert await set_aside(link, names, names.records, b"a", b"broken", b"then a")
    assert not client.exists(names.records)
    assert client.hgetall(names.rejected) == {b"then a": b"broken"}
