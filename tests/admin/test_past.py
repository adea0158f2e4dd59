"""The history of a session that has several spellings."""

from collections.abc import Sequence
from contextlib import aclosing

from statusproxy.admin.past import changes
from statusproxy.status.model import Change
from statusproxy.store.memory import memory_store


async def found(sessions: Sequence[str | None], since: float | None = None, at_most: int = 100) -> list[str]:
    """The reasons of the changes found in a store with lines of three ids, numbered as they were written."""
    store = memory_store()
    await store.open()
    lines = [Change("abc"[n % 3], "started", str(n), float(n), float(n)) for n in range(9)]
    await store.save([], [], lines)
    taken: list[str] = []
    async with aclosing(changes(store, sessions, since)) as each:
        async for change in each:
            taken.append(change.reason)
            if len(taken) == at_most:
                break
    await store.close()
    return taken


async def test_lines_of_several_ids_come_as_one_history_newest_first() -> None:
    assert await found(["a", "c"]) == ["8", "6", "5", "3", "2", "0"]
    assert await found(["c", "nobody", "a"]) == ["8", "6", "5", "3", "2", "0"]


async def test_one_id_has_its_own_lines_and_none_all_lines() -> None:
    assert await found(["b"]) == ["7", "4", "1"]
    assert await found([None]) == list("876543210")
    assert await found(["nobody"]) == []


async def test_only_lines_from_the_time_on_are_given() -> None:
    assert await found(["a", "b"], 4.0) == ["7", "6", "4"]


async def test_who_has_enough_may_stop() -> None:
    assert await found(["a", "b"], at_most=2) == ["7", "6"]
