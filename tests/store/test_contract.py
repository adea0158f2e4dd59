"""What the session map may expect of any store (`Store` in statusproxy/store/base.py)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from statusproxy.store import StoreError
from statusproxy.store.base import PAGE, Store
from statusproxy.store.batch_writer import BatchWriter
from statusproxy.store.memory import MemoryBackend
from statusproxy.store.outbox import Outbox
from statusproxy.store.spooled import Moved, Removed
from tests.waiting import until

from .redis_server import RedisServer, redis_store
from .samples import (
    DAY,
    NOW,
    Connections,
    a_change,
    a_record,
    an_entry,
    caught_up,
    kept,
    memory_store,
    overridden,
    sqlite_store,
)


class Bench:
    """A store under test: how it is closed and opened again, as after a restart, and how its writes fail for real."""

    def __init__(
        self, make: Callable[[], BatchWriter[Any]], set_full: Callable[[Store, bool], Awaitable[None]]
    ) -> None:
        self._make = make
        self._set_full = set_full
        self._full = False
        self.store = make()

    async def fill(self) -> None:
        """From here on the store has no room for a write."""
        self._full = True
        await self._set_full(self.store, True)

    async def free(self) -> None:
        """The store has room again."""
        if self._full:
            self._full = False
            await self._set_full(self.store, False)

    async def restarted(self) -> list[object]:
        await self.store.close()
        self.store = self._make()
        return list(await self.store.open())


async def no_failure(store: Store, full: bool) -> None:
    """A write to memory does not fail."""
    raise AssertionError


async def set_disk_full(connections: Connections, store: Store, full: bool) -> None:
    """SQLite refuses to grow as on a full disk; the pragma holds for the store's own connection alone."""
    connections.set_up(f"max_page_count = {1 if full else 10_000}")


async def set_memory_full(server: RedisServer, store: Store, full: bool) -> None:
    """Redis refuses writes beyond its `maxmemory`."""
    with server.client() as client:
        client.config_set("maxmemory", "1" if full else "0")


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def bench(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[Bench]:
    make: Callable[[], BatchWriter[Any]]
    set_full: Callable[[Store, bool], Awaitable[None]] = no_failure
    if request.param == "memory":
        make = partial(memory_store, MemoryBackend(history_days=90, clock=lambda: NOW))
    elif request.param == "sqlite":
        make, set_full = partial(sqlite_store, path), partial(set_disk_full, request.getfixturevalue("connections"))
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        make = partial(redis_store, replace(server.place, prefix=f"{path.parent.name}:"))
        set_full = partial(set_memory_full, server)
    bench = Bench(make, set_full)
    assert await bench.store.open() == []
    yield bench
    await bench.free()
    await bench.store.close()


async def test_a_new_store_is_empty_and_well(bench: Bench) -> None:
    assert (bench.store.healthy, bench.store.error) == (True, None)
    assert await bench.store.history(None, 9) == []


async def test_what_was_saved_is_there_again_in_every_field(bench: Bench) -> None:
    await bench.store.save([overridden("sales"), a_record("support")], [], [a_change("sales")])
    sales = overridden("sales")
    if bench.store.sharing is not None:  # told by the clock that all share
        sales = msgspec.structs.replace(sales, written=None)
    assert sorted(await bench.restarted(), key=str) == sorted([sales, a_record("support")], key=str)
    assert await bench.store.history(None, 9) == [a_change("sales")]


async def test_the_newest_record_of_a_session_wins(bench: Bench) -> None:
    await asyncio.gather(*(bench.store.save([a_record("sales", event=f"e{n}")], [], []) for n in range(20)))
    assert await bench.restarted() == [a_record("sales", event="e19")]


async def test_a_forgotten_session_is_gone_and_its_history_stays(bench: Bench) -> None:
    await bench.store.save([a_record("sales"), a_record("support")], [], [a_change("sales")])
    await bench.store.save([], ["sales", "never seen"], [])
    assert await bench.restarted() == [a_record("support")]
    assert await bench.store.history("sales", 9) == [a_change("sales")]


async def test_a_session_forgotten_and_begun_anew_in_one_call_is_kept(bench: Bench) -> None:
    await bench.store.save([a_record("sales", event="new")], ["sales"], [])
    assert await bench.restarted() == [a_record("sales", event="new")]


async def test_a_session_forgotten_after_a_save_in_the_same_burst_is_gone(bench: Bench) -> None:
    await asyncio.gather(bench.store.save([a_record("sales")], [], []), bench.store.save([], ["sales"], []))
    assert await bench.restarted() == []


async def test_a_save_with_nothing_in_it_is_no_error(bench: Bench) -> None:
    await bench.store.save([], [], [])
    assert await bench.restarted() == []


async def test_history_comes_newest_first_of_one_or_all_up_to_a_limit(bench: Bench) -> None:
    for n in range(6):
        await bench.store.save([], [], [a_change("sales" if n % 2 else "support", at=NOW + n)])
    assert [c.at - NOW for c in await bench.store.history(None, 9)] == [5, 4, 3, 2, 1, 0]
    assert [c.at - NOW for c in await bench.store.history(None, 2)] == [5, 4]
    assert [c.at - NOW for c in await bench.store.history("sales", 2)] == [5, 3]
    assert await bench.store.history("Sales", 9) == []
    assert await bench.store.history("sales", 0) == []


async def paged(store: Store, session: str | None = None, since: float | None = None) -> list[list[float]]:
    """The moments of the changes on each page that has any, from `NOW` on."""
    async with aclosing(store.history_pages(session, since)) as pages:
        return [[change.at - NOW for change in page] async for page in pages if page]


async def test_history_is_read_in_pages_newest_first_of_one_or_all(bench: Bench) -> None:
    changes = [a_change("sales" if n % 2 else "support", at=NOW + n) for n in range(PAGE + 20)]
    await bench.store.save([], [], changes)
    pages = await paged(bench.store)
    assert [at for page in pages for at in page] == list(range(PAGE + 19, -1, -1))
    assert max(map(len, pages)) == PAGE
    assert [at for page in await paged(bench.store, "sales") for at in page] == list(range(PAGE + 19, -1, -2))
    assert await paged(bench.store, "Sales") == []
    assert bench.store.history_rows >= 10_000, "a store keeps at least 10 000 changes (`Store.history_rows`)"


async def test_history_is_read_from_a_time_on_whatever_the_order_of_writing(bench: Bench) -> None:
    for at in (0, 7, 3, 9, 5, 7):
        await bench.store.save([], [], [a_change("sales", at=NOW + at)])
    found = [at for page in await paged(bench.store, since=NOW + 5) for at in page]
    assert sorted(found) == [5, 7, 7, 9]
    assert await paged(bench.store, since=NOW + 10) == []


async def test_many_changes_of_one_moment_are_each_read_once(bench: Bench) -> None:
    same = [a_change(f"s{n}") for n in range(2 * PAGE + 7)]
    await bench.store.save([], [], [*same, a_change("older", at=NOW - 1)])
    async with aclosing(bench.store.history_pages(None, None)) as pages:
        found = [change.session async for page in pages for change in page]
    assert sorted(found) == sorted([*(one.session for one in same), "older"])


async def test_pages_of_history_that_is_left_early_disturb_nothing(bench: Bench) -> None:
    await bench.store.save([], [], [a_change("sales", at=NOW + n) for n in range(PAGE + 1)])
    async with aclosing(bench.store.history_pages(None, None)) as pages:
        assert await anext(pages) is not None
    await bench.store.save([], [], [a_change("sales", at=NOW + PAGE + 1)])
    assert [change.at for change in await bench.store.history(None, 1)] == [NOW + PAGE + 1]


async def test_history_past_its_days_is_pruned(bench: Bench) -> None:
    await bench.store.save([], [], [a_change("sales", at=NOW - 91 * DAY), a_change("sales", at=NOW - 89 * DAY)])
    await bench.restarted()
    await bench.store.save([], [], [])
    assert [c.at for c in await bench.store.history(None, 9)] == [NOW - 89 * DAY]


async def test_a_store_that_is_not_open_says_so(bench: Bench) -> None:
    await bench.store.close()
    await bench.store.close()
    assert not bench.store.healthy
    assert bench.store.error
    with pytest.raises(StoreError):
        await bench.store.save([a_record("sales")], [], [])
    with pytest.raises(StoreError):
        await bench.store.history(None, 9)
    with pytest.raises(StoreError):
        await paged(bench.store)


async def test_the_spool_is_kept_with_the_state_or_refused_as_an_error_of_the_program(bench: Bench) -> None:
    if bench.store.spool is None:
        with pytest.raises(TypeError, match="keeps no spool"):
            await bench.store.save([a_record("sales")], [], [], [kept("a")])
        assert await bench.restarted() == []
        return
    await bench.store.save([a_record("sales")], [], [], [kept("a", b"body"), kept("b"), kept("c")])
    await bench.store.save([], [], [], [Moved(an_entry("a", attempts=2)), Removed("b")])
    assert await bench.restarted() == [a_record("sales")]
    assert await bench.store.spool.entries() == [an_entry("a", attempts=2), an_entry("c")]
    assert await bench.store.spool.content("a") == kept("a", b"body").content
    assert await bench.store.spool.content("b") is None


@pytest.mark.parametrize("bench", ["sqlite", "redis"], indirect=True)  # a write to memory does not fail
async def test_a_write_that_fails_is_reported_kept_and_written_when_the_store_works_again(bench: Bench) -> None:
    sales, support = (a_record(session, event="x" * 20_000) for session in ("sales", "support"))
    await bench.store.save([a_record("before")], [], [])
    await bench.fill()
    for record in (sales, support):  # the first finds out, the second is told at once
        with pytest.raises(StoreError, match=r"full.*tried again"):
            await bench.store.save([record], [], [a_change(record.session)])
    assert not bench.store.healthy
    assert "full" in str(bench.store.error)
    assert await bench.store.history(None, 9) == [a_change("support"), a_change("sales")]
    assert await paged(bench.store) == [[0, 0]]
    assert await paged(bench.store, "sales") == [[0]]
    assert await paged(bench.store, since=NOW + 1) == []
    await bench.free()
    await until(lambda: caught_up(bench.store))
    assert bench.store.error is None
    assert await bench.store.history(None, 9) == [a_change("support"), a_change("sales")]
    left = await bench.restarted()
    assert sorted(left, key=str) == sorted([a_record("before"), sales, support], key=str)
    assert await bench.store.history(None, 9) == [a_change("support"), a_change("sales")]


# The outbox of alerts --------------------------------------------------------------------------------------


@pytest.fixture
def outbox(bench: Bench) -> Outbox:
    """The outbox of the store under test."""
    if bench.store.outbox is None:  # alerts keep it in memory then (`Store.outbox`)
        pytest.skip("this store keeps no outbox")
    return bench.store.outbox


async def test_the_outbox_holds_what_was_written_last_and_counts_the_writes(outbox: Outbox) -> None:
    assert await outbox.read() == (0, b"")
    large = bytes(range(256)) * 4096
    assert [await outbox.write(b"{}", 0), await outbox.write(large, 1)] == [1, 2]
    assert await outbox.read() == (2, large)


async def test_the_outbox_is_replaced_only_by_who_saw_its_newest_version(outbox: Outbox) -> None:
    got = await asyncio.gather(*(outbox.write(b"%d" % number, 0) for number in range(5)))
    assert sorted(got, key=str) == [1, None, None, None, None]
    assert await outbox.read() == (1, b"%d" % got.index(1))


async def test_the_outbox_is_there_after_a_restart(bench: Bench, outbox: Outbox) -> None:
    await outbox.write(b"{}", 0)
    await bench.restarted()
    assert bench.store.outbox is not None
    assert await bench.store.outbox.read() == (1, b"{}")
    assert await bench.store.outbox.write(b"[]", 1) == 2


@pytest.mark.parametrize("bench", ["sqlite", "redis"], indirect=True)  # a write to memory does not fail
async def test_an_outbox_that_cannot_be_written_is_told_and_stays_as_it_was(bench: Bench, outbox: Outbox) -> None:
    await outbox.write(b"before", 0)
    await bench.fill()
    with pytest.raises(StoreError):
        await outbox.write(b"x" * 1_000_000, 1)
    await bench.free()
    assert await outbox.read() == (1, b"before")
    assert await outbox.write(b"after", 1) == 2
