"""The store in memory, beyond what test_contract.py asks of every store."""

import pytest

from statusproxy.store import memory
from statusproxy.store.memory import MemoryBackend

from .samples import DAY, NOW, a_change, memory_store


async def test_history_is_pruned_while_it_runs() -> None:
    now = NOW
    store = memory_store(MemoryBackend(history_days=1, clock=lambda: now))
    await store.open()
    await store.save([], [], [a_change("sales")])
    now += 2 * DAY
    await store.save([], [], [])
    assert await store.history(None, 9) == []


async def test_without_days_history_is_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_HISTORY_CHANGES", 3)
    store = memory_store(MemoryBackend(history_days=None, clock=lambda: NOW + 999 * DAY))
    await store.open()
    await store.save([], [], [a_change("sales", at=NOW + n) for n in range(5)])
    assert [change.at - NOW for change in await store.history(None, 9)] == [4, 3, 2]
