"""All entries read from Redis: whole, in steps, and what cannot be read set aside."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
import redis
import redis.exceptions

from statusproxy.store.redis_link import Asks, Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool_read import in_order, put_in, rows
from statusproxy.store.redis_spool_rows import write_entry
from statusproxy.store.spooled import Entry

from .samples import NOW, an_entry


async def all_rows(link: Asks, names: Names, rejected: list[str]) -> tuple[dict[str, tuple[bytes, Entry]], int]:
    """All of them, and how many came at a time at most."""
    found: dict[str, tuple[bytes, Entry]] = {}
    most = 0
    async for some in rows(link, names, NOW, rejected):
        found |= some
        most = max(most, len(some))
    return found, most


async def test_all_are_read_some_at_a_time(link: Link, names: Names, client: "redis.Redis") -> None:
    entries = {f"{number:04}": an_entry(f"{number:04}") for number in range(1500)}
    client.hset(names.spool, mapping={id_: write_entry(entry) for id_, entry in entries.items()})
    rejected: list[str] = []
    found, most = await all_rows(link, names, rejected)
    assert found == {id_: (write_entry(entry), entry) for id_, entry in entries.items()}
    assert most < 600, "a few milliseconds at a time"
    assert rejected == []


async def test_what_cannot_be_read_is_set_aside(link: Link, names: Names, client: "redis.Redis") -> None:
    other = write_entry(an_entry("02"))
    broken = {b"01": b"{", b"03": other, b"a/b": other, b"\xff": other}
    client.hset(names.spool, mapping=broken | {b"02": other})  # type: ignore[arg-type]
    rejected: list[str] = []
    assert set((await all_rows(link, names, rejected))[0]) == {"02"}
    assert sorted(rejected) == ["01", "03", "a/b", "\ufffd"]
    assert client.hgetall(names.spool) == {b"02": other}
    stamp = b"20260115T190706Z spool "
    assert client.hgetall(names.rejected) == {stamp + id_: row for id_, row in broken.items()}


async def test_what_another_proxy_set_aside_meanwhile_is_told_there(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    class Late:
        async def ask(self, *commands: Any) -> list[Any]:
            if commands[0][0] == "EVALSHA":
                client.delete(names.spool)
            return await link.ask(*commands)

    client.hset(names.spool, "01", "{")
    rejected: list[str] = []
    await all_rows(Late(), names, rejected)
    assert rejected == []


async def test_a_key_of_another_kind_is_told(link: Link, names: Names, client: "redis.Redis") -> None:
    client.set(names.spool, "mine")
    with pytest.raises(redis.exceptions.ResponseError, match="wrong kind"):
        await all_rows(link, names, [])


def pauses(work: Coroutine[Any, Any, object]) -> int:
    """How often it lets others run until it is done; it waits for nothing."""
    count = 0
    with suppress(StopIteration):
        while True:
            assert work.send(None) is None, "it goes on at once"
            count += 1
    return count


@pytest.mark.parametrize("count", [0, 1, 1000, 2500])
async def test_entries_are_given_in_the_order_of_their_ids(count: int) -> None:
    entries = [an_entry(f"{(number * 7919) % 10007:05}") for number in range(count)]
    ordered = await in_order(iter(entries))
    assert ordered == sorted(entries, key=lambda entry: entry.id)


def test_many_entries_are_put_in_order_in_steps_that_let_others_run() -> None:
    entries = [an_entry(f"{number:05}") for number in range(5000)]
    assert 9 <= pauses(in_order(entries)) <= 12, "some for sorting, as many for merging"


def test_many_news_are_put_in_in_steps_that_let_others_run() -> None:
    entries = [an_entry(f"{number:05}") for number in range(1000)]
    assert 9 <= pauses(put_in(entries, dict.fromkeys((entry.id for entry in entries), None))) <= 20
    assert entries == []


async def test_news_are_put_into_the_order_until_none_is_left() -> None:
    entries = [an_entry(f"{number:03}") for number in range(0, 400, 2)]
    news: dict[str, Entry | None] = {f"{number:03}": None for number in range(0, 300, 4)}
    news |= {f"{number:03}": an_entry(f"{number:03}", attempts=1) for number in range(1, 400, 3)}
    expected = {entry.id: entry for entry in entries} | {id_: entry for id_, entry in news.items() if entry is not None}
    for id_, entry in news.items():
        if entry is None:
            expected.pop(id_, None)
    putting = asyncio.ensure_future(put_in(entries, news))
    await asyncio.sleep(0)
    assert 0 < len(news) < 200, "in steps"
    news["999"] = an_entry("999")
    news["998"] = None
    await putting
    assert news == {}
    assert entries == [*(expected[id_] for id_ in sorted(expected)), an_entry("999")]
