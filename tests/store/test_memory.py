"""The store in memory, beyond what test_contract.py asks of every store."""

import asyncio

import pytest

from statusproxy.store import memory
from statusproxy.store.backlog import Batch, Entry
from statusproxy.store.base import PAGE
from statusproxy.store.errors import StoreError
from statusproxy.store.memory import MemoryBackend, MemoryOutbox

from .samples import DAY, NOW, a_change, a_record, memory_store


async def test_history_is_kept_for_its_days_and_no_longer() -> None:
    now = NOW
    store = memory_store(MemoryBackend(history_days=1, clock=lambda: now))
    await store.open()
    await store.save([], [], [a_change("sales"), a_change("support", at=NOW + 1)])
    now += DAY
    assert [change.session for change in await store.history(None, 9)] == ["support", "sales"]
    now += 1
    assert [change.session for change in await store.history(None, 9)] == ["support"]
    now += 1
    assert await store.history(None, 9) == []


async def test_without_days_history_is_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_HISTORY_CHANGES", 3)
    store = memory_store(MemoryBackend(history_days=None, clock=lambda: NOW + 999 * DAY))
    await store.open()
    await store.save([], [], [a_change("sales", at=NOW + n) for n in range(5)])
    assert [change.at - NOW for change in await store.history(None, 9)] == [4, 3, 2]


async def test_a_defect_is_told_in_its_own_words_with_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = memory_store()
    await store.open()
    monkeypatch.setattr(store.backend, "_records", None)
    with pytest.raises(StoreError, match=r"^TypeError: .*\(kept in memory, tried again\)$"):
        await store.save([a_record("sales")], [], [])
    assert caplog.records[0].exc_info is not None
    await store.close()


async def test_what_was_forgotten_is_gone_and_what_was_never_seen_no_error() -> None:
    store = memory_store()
    await store.open()
    await store.save([a_record("sales"), a_record("support")], [], [])
    await store.save([], ["sales", "never seen"], [])
    await store.close()
    assert await memory_store(store.backend).open() == [a_record("support")]


async def test_a_change_that_is_kept_and_one_that_waits_count_once_each_the_newest_first() -> None:
    store = memory_store()
    await store.open()
    await store.save([], [], [a_change("sales"), a_change("support")])
    saving = asyncio.ensure_future(store.save([], [], [a_change("late"), a_change("sales", at=NOW + 1)]))
    await asyncio.sleep(0)
    assert [each.session for each in await store.history(None, 9)] == ["sales", "late", "support", "sales"]
    assert [each.at for each in await store.history("sales", 9)] == [NOW + 1, NOW]
    await saving
    assert [each.session for each in await store.history(None, 3)] == ["sales", "late", "support"]


async def test_pages_of_history_are_of_one_or_all_from_a_time_on_and_what_is_too_old_is_on_none() -> None:
    backend = MemoryBackend(history_days=1, clock=lambda: NOW)
    await backend.write(Batch({}, [Entry(a_change("old", at=NOW - DAY - 1))]))
    await backend.write(Batch({}, [Entry(a_change("sales", at=NOW + n)) for n in range(PAGE)]))
    waiting = [Entry(a_change("support", at=NOW + PAGE))]

    async def pages(session: str | None, since: float) -> list[list[float]]:
        found = backend.history_pages(session, since, waiting)
        return [[change.recorded_at - NOW for change in page] async for page in found]

    assert await pages(None, 0.0) == [[*range(PAGE, 0, -1)], [0]]
    assert await pages("support", 0.0) == [[PAGE], []]
    assert await pages("sales", NOW + PAGE - 2) == [[PAGE - 1, PAGE - 2], []]


async def test_what_memory_names_is_a_store_in_memory() -> None:
    store = memory.memory_store()
    assert (await store.open(), store.backend.name) == ([], "memory")
    await store.save([], [], [a_change("sales", at=1.0)])
    assert await store.history(None, 9) == [a_change("sales", at=1.0)]
    await store.close()


async def test_the_outbox_is_replaced_only_by_who_saw_its_newest_version() -> None:
    outbox = MemoryOutbox()
    assert await outbox.read() == (0, b"")
    assert [await outbox.write(b"one", 1), await outbox.write(b"one", 0), await outbox.write(b"two", 0)] == [
        None,
        1,
        None,
    ]
    assert await outbox.read() == (1, b"one")
