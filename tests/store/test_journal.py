"""A journal is on disk when `sync` returns, stays within its bound, and is gone when the server has all of it."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.store import journal as module
from statusproxy.store.backlog import Entry, Item
from statusproxy.store.journal import Journal, JournalError
from statusproxy.store.journal_file import JournalFile, encode_items

from .samples import a_change, a_record

PLACE = "redis at redis.example:6379/0, keys statusproxy:*"


class Keeper:
    """A journal, and what its store would say that the server lacks."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.lacking: list[Item] = []
        self.journal = Journal(folder, PLACE, lambda: self.lacking, **options)

    def add(self, *items: Item) -> None:
        self.lacking += items
        self.journal.add(items)


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[tuple[Keeper, list[Item]]]:
    keeper = Keeper(folder, **options)
    found = await keeper.journal.open()
    try:
        yield keeper, found.items
    finally:
        await keeper.journal.close()


async def found_in(folder: Path) -> list[Item]:
    async with opened(folder) as (_, items):
        return items


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[Keeper]:
    async with opened(tmp_path) as (keeper, _):
        yield keeper


async def on_disk(keeper: Keeper, folder: Path) -> list[Item]:
    """What another process would find if this one ended now."""
    copy = folder / "copy"
    copy.mkdir()
    if keeper.journal.path.exists():
        (copy / keeper.journal.path.name).write_bytes(keeper.journal.path.read_bytes())
    return await found_in(copy)


async def test_what_was_added_is_on_disk_when_sync_returns(keeper: Keeper, tmp_path: Path) -> None:
    keeper.add(a_record("a"), Entry(a_change("a"), 1))
    keeper.add(a_record("b"))
    await keeper.journal.sync()
    assert await on_disk(keeper, tmp_path) == [a_record("a"), a_record("b"), Entry(a_change("a"), 1)]


async def test_what_is_added_is_counted_by_calls_that_add_something(keeper: Keeper) -> None:
    assert keeper.journal.added == 0
    keeper.add(a_record("a"), a_record("b"))
    keeper.add()
    assert keeper.journal.added == 1
    keeper.add(a_record("c"))
    assert keeper.journal.added == 2


async def test_nothing_is_written_while_nothing_waits(keeper: Keeper) -> None:
    keeper.journal.add([])
    await keeper.journal.sync()
    assert not keeper.journal.path.exists()
    await keeper.journal.clear(keeper.journal.added)
    assert not keeper.journal.holds
    assert not keeper.journal.path.exists()


async def test_those_who_wait_at_the_same_time_share_a_sync_of_the_disk(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    sync = os.fdatasync

    def count(handle: int) -> None:
        syncs.append(handle)
        sync(handle)

    monkeypatch.setattr(os, "fdatasync", count)
    waiting = []
    for number in range(100):
        keeper.add(a_record(str(number)))
        waiting.append(asyncio.ensure_future(keeper.journal.sync()))
    await asyncio.gather(*waiting)
    assert 1 <= len(syncs) <= 2


async def test_a_caller_that_leaves_disturbs_nobody(keeper: Keeper, tmp_path: Path) -> None:
    keeper.add(a_record("a"))
    leaving, staying = (asyncio.ensure_future(keeper.journal.sync()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    assert await on_disk(keeper, tmp_path) == [a_record("a")]


async def test_a_slow_disk_does_not_hold_the_event_loop(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    sync = os.fdatasync

    def slow(handle: int) -> None:
        go.wait()
        sync(handle)

    monkeypatch.setattr(os, "fdatasync", slow)
    keeper.add(a_record("a"))
    waiting = asyncio.ensure_future(keeper.journal.sync())
    for _ in range(100):  # the loop turns
        await asyncio.sleep(0)
    assert not waiting.done()
    go.set()
    await waiting


async def test_it_goes_when_the_server_has_all_of_it(keeper: Keeper) -> None:
    keeper.add(a_record("a"))
    await keeper.journal.sync()
    assert keeper.journal.path.exists()
    await keeper.journal.clear(keeper.journal.added)
    assert not keeper.journal.holds
    assert not keeper.journal.path.exists()


async def test_it_stays_while_something_has_come_since(keeper: Keeper, tmp_path: Path) -> None:
    keeper.add(a_record("a"))
    mark = keeper.journal.added
    keeper.add(a_record("b"))
    await keeper.journal.sync()
    await keeper.journal.clear(mark)
    assert keeper.journal.holds
    assert await on_disk(keeper, tmp_path) == [a_record("a"), a_record("b")]


async def test_what_comes_while_it_is_being_removed_is_kept(keeper: Keeper, tmp_path: Path) -> None:
    keeper.add(a_record("a"))
    await keeper.journal.sync()
    clearing = asyncio.ensure_future(keeper.journal.clear(keeper.journal.added))
    await asyncio.sleep(0)
    keeper.lacking.clear()
    keeper.add(a_record("b"))
    await asyncio.gather(clearing, keeper.journal.sync())
    assert keeper.journal.holds
    assert await on_disk(keeper, tmp_path) == [a_record("b")]


async def test_what_was_confirmed_before_it_was_written_is_not_written_later(keeper: Keeper, tmp_path: Path) -> None:
    keeper.add(a_record("a"))
    await keeper.journal.clear(keeper.journal.added)
    await keeper.journal.sync()
    assert not keeper.journal.path.exists()
    keeper.lacking.clear()
    keeper.add(a_record("b"))
    await keeper.journal.sync()
    assert await on_disk(keeper, tmp_path) == [a_record("b")]


async def test_what_an_earlier_process_left_counts_as_held_until_the_server_has_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (keeper, _):
        keeper.add(a_record("a"))
        await keeper.journal.sync()
    async with opened(tmp_path) as (keeper, items):
        assert items == [a_record("a")]
        assert keeper.journal.holds
        await keeper.journal.clear(keeper.journal.added)
    assert await found_in(tmp_path) == []


# ---- bounds ----


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALL", 2_000)


@pytest.mark.usefixtures("small")
@pytest.mark.slow
async def test_a_session_that_changes_again_and_again_takes_no_more_room(tmp_path: Path) -> None:
    async with opened(tmp_path) as (keeper, _):
        for number in range(500):
            keeper.lacking.clear()
            keeper.add(a_record("a", heard_at=float(number)))
            await keeper.journal.sync()
            assert keeper.journal.path.stat().st_size < 3_000
    assert (await found_in(tmp_path))[-1] == a_record("a", heard_at=499.0)


@pytest.mark.usefixtures("small")
async def test_it_is_rewritten_when_it_has_grown_to_twice_what_matters_and_small_again_once_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, renamed = os.rename, list[object]()

    def noted(*names: Any) -> None:
        renamed.append(names)
        rename(*names)

    monkeypatch.setattr(os, "rename", noted)
    async with opened(tmp_path) as (keeper, _):
        keeper.add(*(a_record(str(number)) for number in range(50)))
        await keeper.journal.sync()
        live = keeper.journal.path.stat().st_size
        sizes = []
        for _ in range(120):
            keeper.journal.add([a_record("0")])
            await keeper.journal.sync()
            sizes.append(keeper.journal.path.stat().st_size)
        assert 2 <= len(renamed) <= 4
        assert 1.9 * live < max(sizes) < 2.1 * live
        await keeper.journal.clear(keeper.journal.added)
        keeper.lacking[:] = [a_record("0")]
        for _ in range(50):
            keeper.journal.add([a_record("0")])
            await keeper.journal.sync()
            assert keeper.journal.path.stat().st_size < 3_000


@pytest.mark.usefixtures("small")
@pytest.mark.slow
async def test_beyond_its_limit_the_oldest_of_the_history_go_and_no_session_does(tmp_path: Path) -> None:
    async with opened(tmp_path, limit=20_000) as (keeper, _):
        for number in range(20):
            keeper.add(a_record(str(number)))
        for number in range(500):
            keeper.add(Entry(a_change("a", at=float(number)), number))
            await keeper.journal.sync()
            assert keeper.journal.path.stat().st_size <= 20_000
    items = await found_in(tmp_path)
    assert {item.session for item in items if not isinstance(item, Entry)} == set(map(str, range(20)))
    numbers = [item.number for item in items if isinstance(item, Entry)]
    assert numbers == list(range(numbers[0], 500))
    assert numbers[0] > 0
    assert [name for name in os.listdir(tmp_path) if "unreadable" in name] == []  # cut at the end of a line


@pytest.mark.usefixtures("small")
async def test_what_is_rewritten_beyond_its_limit_takes_half_of_it_to_grow_from(tmp_path: Path) -> None:
    async with opened(tmp_path, limit=20_000) as (keeper, _):
        keeper.add(*(a_record(str(number)) for number in range(20)))
        keeper.add(*(Entry(a_change("a", at=float(number)), number) for number in range(500)))
        await keeper.journal.sync()
        line = len(b"".join(encode_items(keeper.lacking[-1:])))
        assert 10_000 - line < keeper.journal.path.stat().st_size - len(place_line(keeper)) <= 10_000


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("less", "dropped"), [(0, 0), (1, 1), ("a line", 1), ("a line and a byte", 2)])
async def test_what_is_rewritten_keeps_as_many_of_the_newest_changes_as_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, less: int | str, dropped: int
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    items: list[Item] = [a_record("a"), *(Entry(a_change("a"), number) for number in range(5))]
    states, changes = encode_items(items)
    line = len(changes) // 5
    missing = {"a line": line, "a line and a byte": line + 1}.get(str(less)) or int(less)
    async with opened(tmp_path, limit=2 * (len(states) + len(changes) - missing)) as (keeper, _):
        keeper.add(*items)
        with monkeypatch.context() as patch:
            failing(patch, "pwrite")
            with pytest.raises(JournalError):
                await keeper.journal.sync()
        await keeper.journal.sync()
    assert await found_in(tmp_path) == [items[0], *items[1 + dropped :]]


async def test_what_comes_while_the_file_is_being_removed_is_written_after_that(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, order = threading.Event(), threading.Event(), list[str]()
    remove, append = JournalFile.remove, JournalFile.append

    def slow(file: JournalFile) -> None:
        begun.set()
        go.wait()
        remove(file)
        order.append("removed")

    def noted(file: JournalFile, data: bytes) -> None:
        order.append("appended")
        append(file, data)

    monkeypatch.setattr(JournalFile, "remove", slow)
    monkeypatch.setattr(JournalFile, "append", noted)
    keeper.add(a_record("a"))
    await keeper.journal.sync()
    clearing = asyncio.ensure_future(keeper.journal.clear(keeper.journal.added))
    assert await asyncio.to_thread(begun.wait, 60)
    keeper.lacking.clear()
    keeper.add(a_record("b"))
    writing = asyncio.ensure_future(keeper.journal.sync())
    for _ in range(100):  # the loop turns
        await asyncio.sleep(0)
    go.set()
    await asyncio.gather(clearing, writing)
    assert order == ["appended", "removed", "appended"]


def place_line(keeper: Keeper) -> bytes:
    return keeper.journal.path.read_bytes().partition(b"\n")[0] + b"\n"


def test_the_bounds_suit_a_disk() -> None:
    assert (module.LIMIT, module._SMALL) == (134_217_728, 4_194_304)


@pytest.mark.usefixtures("small")
async def test_sessions_that_alone_are_too_many_are_told(tmp_path: Path) -> None:
    async with opened(tmp_path, limit=4_000) as (keeper, _):
        keeper.add(*(a_record(str(number)) for number in range(100)))
        with pytest.raises(JournalError, match=r"full: .*the sessions alone"):
            await keeper.journal.sync()


# ---- a disk that fails ----


def failing(patch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    patch.setattr(os, name, refuse)


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync"])
async def test_after_a_failure_all_that_waits_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    async with opened(tmp_path) as (keeper, _):
        keeper.add(a_record("a"))
        if call != "fsync":
            await keeper.journal.sync()
        keeper.add(a_record("b"))
        with monkeypatch.context() as patch:
            failing(patch, call)
            with pytest.raises(JournalError, match=r"input/output error: .*\.journal"):
                await keeper.journal.sync()
        keeper.add(a_record("c"))
        await keeper.journal.sync()
        assert await on_disk(keeper, tmp_path) == [a_record("a"), a_record("b"), a_record("c")]


async def test_once_all_was_written_anew_what_comes_is_added_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    async with opened(tmp_path) as (keeper, _):
        keeper.add(a_record("a"))
        with monkeypatch.context() as patch:
            failing(patch, "pwrite")
            with pytest.raises(JournalError):
                await keeper.journal.sync()
        await keeper.journal.sync()
        keeper.add(a_record("b"))
        failing(monkeypatch, "rename")  # nothing can be written anew
        await keeper.journal.sync()
        assert await on_disk(keeper, tmp_path) == [a_record("a"), a_record("b")]


@pytest.mark.parametrize("method", ["sync", "probe"])
async def test_a_disk_that_failed_just_now_is_not_tried_again_at_once(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    now = 1_000.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    if method == "sync":
        keeper.add(a_record("a"))
    use = getattr(keeper.journal, method)
    with monkeypatch.context() as patch:
        failing(patch, "pwrite")
        with pytest.raises(JournalError, match="input/output error"):
            await use()
    now = 1_004.5
    with pytest.raises(JournalError, match="input/output error"):
        await use()  # though it would work
    now = 1_005.0
    await use()
    keeper.add(a_record("b"))
    await keeper.journal.sync()


async def test_before_it_is_open_and_once_it_is_closed_nothing_can_be_written(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    keeper.add(a_record("a"))
    with pytest.raises(JournalError, match=f"not open: {keeper.journal.path}"):
        await keeper.journal.sync()
    before = set(threading.enumerate())  # what an earlier test left is none of this journal's
    await keeper.journal.open()
    (thread,) = (each for each in threading.enumerate() if each not in before and "journal" in each.name)
    await keeper.journal.close()
    thread.join(60)
    assert not thread.is_alive()
    keeper.add(a_record("b"))
    with pytest.raises(JournalError, match=f"not open: {keeper.journal.path}"):
        await keeper.journal.sync()
    await keeper.journal.close()


async def test_a_failure_that_nobody_waits_for_any_more_is_told_to_the_next(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gc.collect()  # what an earlier test left is told before this one begins
    caplog.clear()
    keeper.add(a_record("a"))
    with monkeypatch.context() as patch:
        failing(patch, "pwrite")
        leaving = asyncio.ensure_future(keeper.journal.sync())
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(JournalError):
            await keeper.journal.sync()
    gc.collect()
    assert caplog.messages == []


async def test_a_write_that_is_cancelled_with_all_else_is_no_error_in_the_log(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    keeper.add(a_record("a"))
    syncing = asyncio.ensure_future(keeper.journal.sync())
    await asyncio.sleep(0)
    assert keeper.journal._writing is not None
    keeper.journal._writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    assert caplog.messages == []


async def test_one_that_cannot_be_removed_is_removed_by_the_next_call(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper.add(a_record("a"))
    await keeper.journal.sync()
    with monkeypatch.context() as patch:
        failing(patch, "unlink")
        with pytest.raises(JournalError):
            await keeper.journal.clear(keeper.journal.added)
        assert keeper.journal.holds
    await keeper.journal.clear(keeper.journal.added)
    assert not keeper.journal.path.exists()


async def test_one_that_could_not_be_removed_is_replaced_by_what_comes(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)
    keeper.add(a_record("a"), a_record("a longer one"))
    await keeper.journal.sync()
    with monkeypatch.context() as patch:
        failing(patch, "unlink")
        with pytest.raises(JournalError):
            await keeper.journal.clear(keeper.journal.added)
    keeper.lacking.clear()
    keeper.add(a_record("b"))
    await keeper.journal.sync()
    assert await on_disk(keeper, tmp_path) == [a_record("b")]


async def test_a_probe_tells_whether_it_could_be_written_and_leaves_nothing(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keeper.journal.probe()
    assert not keeper.journal.path.exists()
    failing(monkeypatch, "fsync")
    with pytest.raises(JournalError):
        await keeper.journal.probe()
    assert not keeper.journal.path.exists()


async def test_closing_waits_for_a_write_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    append: Callable[[JournalFile, bytes], None] = JournalFile.append

    def slow(file: JournalFile, data: bytes) -> None:
        begun.set()
        go.wait()
        append(file, data)

    monkeypatch.setattr(JournalFile, "append", slow)
    async with opened(tmp_path) as (keeper, _):
        keeper.add(a_record("a"))
        syncing = asyncio.ensure_future(keeper.journal.sync())
        assert await asyncio.to_thread(begun.wait, 60)
        closing = asyncio.ensure_future(keeper.journal.close())
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(syncing, closing)
    assert await found_in(tmp_path) == [a_record("a")]


async def test_closing_waits_for_a_write_that_has_not_begun(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with opened(tmp_path) as (keeper, _):
        keeper.add(a_record("a"))
        syncing = asyncio.ensure_future(keeper.journal.sync())
        await asyncio.sleep(0)
        await keeper.journal.close()
        await syncing
    assert len(os.listdir("/proc/self/fd")) == before
    assert await found_in(tmp_path) == [a_record("a")]


async def test_what_is_added_while_a_write_ends_is_written_by_the_next(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_thread = keeper.journal._in_thread
    written, go = asyncio.Event(), asyncio.Event()

    async def held(do: Any) -> Any:
        done = await in_thread(do)
        written.set()
        await go.wait()
        return done

    async def late() -> None:
        await go.wait()  # in the same turn of the loop, right behind the end of the write
        keeper.add(a_record("b"))
        await keeper.journal.sync()

    monkeypatch.setattr(keeper.journal, "_in_thread", held)
    keeper.add(a_record("a"))
    first = asyncio.create_task(keeper.journal.sync())
    await written.wait()
    second = asyncio.create_task(late())
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, second)
    assert await on_disk(keeper, tmp_path) == [a_record("a"), a_record("b")]
