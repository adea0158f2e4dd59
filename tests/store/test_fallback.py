"""Where changes are kept while a server does not take them: in a journal, or in memory, and what is said of it."""

# ruff: noqa: ASYNC240 - looking at files is what these tests are for

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from statusproxy.store import journal as journal_module
from statusproxy.store.backlog import Item
from statusproxy.store.fallback import OFF, Fallback, NoJournal
from statusproxy.store.journal import Journal
from statusproxy.store.journal_file import JournalFile, encode_items, file_name

from .samples import a_record
from .still_clock import StillClock

PLACE = "redis at redis.example:6379/0, keys statusproxy:*"
RISK = "in memory only, and lost if this process ends"


def a_fallback(folder: Path | None) -> Fallback:
    waiting: list[Item] = [a_record("a")]
    journal = None if folder is None else Journal(folder, PLACE, lambda: waiting)
    return Fallback(journal, PLACE, logging.getLogger("test"), sync_limit=5)


@pytest.fixture
async def fallback(tmp_path: Path) -> AsyncIterator[Fallback]:
    fallback = a_fallback(tmp_path)
    assert await fallback.open() == []
    yield fallback
    await fallback.close([])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """That of the journal."""
    return tmp_path / file_name(PLACE)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed is tried again at once."""
    monkeypatch.setattr(journal_module, "_PAUSE", 0.0)


def left(folder: Path, *items: Item, place: str = PLACE) -> Path:
    """A journal as an earlier process left it."""
    journal, _ = JournalFile.open(folder, place)
    journal.append(b"".join(encode_items(items)))
    journal.close()
    return journal.path


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def never(*_: object) -> None:
    await asyncio.Event().wait()


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


# Without a journal -----------------------------------------------------------------------------------------


async def test_where_no_journal_is_wanted_changes_are_in_memory(caplog: pytest.LogCaptureFixture) -> None:
    fallback = a_fallback(None)
    assert (fallback.error, fallback.state, fallback.holds, fallback.mark) == (OFF, "off", False, 0)
    assert await fallback.open() == []
    fallback.add([a_record("a")])
    await fallback.confirm(0)
    assert (await fallback.keep(), fallback.where) == ("kept in memory", RISK)
    assert fallback.meanwhile == f"; until then changes are kept {RISK}"
    assert await fallback.close([a_record("a")]) == "lost with this process"
    assert told(caplog) == []


async def test_beside_a_store_that_needs_no_journal_what_waits_is_in_memory() -> None:
    none = NoJournal()
    assert (none.state, none.meanwhile, none.holds, none.mark) == (None, "", False, 0)
    assert await none.open() == []
    none.add([a_record("a")])
    await none.confirm(1)
    assert await none.keep() == "kept in memory"
    assert await none.close([a_record("a")]) == "lost with this process"


async def test_without_a_place_for_it_that_is_said_and_nothing_is_kept_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    fallback = a_fallback(tmp_path / "file" / "state")
    closed, close = list[Path](), Journal.close

    async def noting(journal: Journal) -> None:
        closed.append(journal.path)
        await close(journal)

    monkeypatch.setattr(Journal, "close", noting)
    assert await fallback.open() == []
    assert len(closed) == 1  # its thread ends
    assert fallback.state.startswith(f"cannot be opened: {tmp_path}/file/state/redis-")
    assert told(caplog) == [("ERROR", (
        f"state: changes that {PLACE} does not accept will be kept {RISK}: {fallback.error}; name a writable "
        "directory in state.journal, and restart"
    ))]  # fmt: skip
    assert (fallback.where, await fallback.keep(), fallback.holds) == (RISK, "kept in memory", False)


# With one --------------------------------------------------------------------------------------------------


async def test_what_is_added_is_on_disk_until_the_server_has_it(
    fallback: Fallback, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert (fallback.error, fallback.state, fallback.holds, fallback.mark) == (None, "ok", False, 0)
    assert fallback.meanwhile == f"; until then changes are kept in {path}"
    await fallback.confirm(0)
    fallback.add([a_record("a")])
    assert (fallback.holds, fallback.mark) == (True, 1)
    assert await fallback.keep() == f"kept in {path}"
    assert path.exists()
    await fallback.confirm(0)  # more has come since
    assert path.exists()
    await fallback.confirm(1)
    assert (path.exists(), fallback.holds, told(caplog)) == (False, False, [])


async def test_while_all_is_well_and_nothing_waits_a_success_of_the_server_costs_no_look_at_the_disk(
    fallback: Fallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clear", "probe"):
        monkeypatch.setattr(Journal, name, lambda *_: pytest.fail("the disk is used"))
    await fallback.confirm(0)


async def test_what_an_earlier_process_left_is_taken_up_and_told(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, a_record("a"), a_record("b"))
    fallback = a_fallback(tmp_path)
    assert await fallback.open() == [a_record("a"), a_record("b")]
    assert (fallback.holds, fallback.state, path.exists()) == (True, "ok", True)
    assert told(caplog) == [("WARNING", (
        f"state: {path}: an earlier process left 2 entries that the server may lack; they are written now"
    ))]  # fmt: skip
    await fallback.close([])


async def test_lines_that_cannot_be_read_are_told(tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    left(tmp_path, a_record("a"), a_record("b"))
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"?"'))
    fallback = a_fallback(tmp_path)
    assert await fallback.open() == [a_record("b")]
    (aside,) = tmp_path.glob("*.unreadable-*")
    assert told(caplog)[1:] == [("ERROR", f"state: {path}: 1 line of it cannot be read; it is kept as {aside}")]
    await fallback.close([])


async def test_journals_of_other_servers_are_kept_and_told(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    left(tmp_path, a_record("a"), place="redis at other.example:6379/0, keys a:*").rename(path)
    other = left(tmp_path, a_record("a"), place="redis at other.example:6379/0, keys b:*")
    fallback = a_fallback(tmp_path)
    assert await fallback.open() == []
    (aside,) = tmp_path.glob("*.unreadable-*")
    assert told(caplog) == [
        ("ERROR", f"state: {path}: it belongs to another server; it is kept as {aside}"),
        (
            "WARNING",
            f"state: {other} holds changes for another state.url; a proxy with that url sends them to its server",
        ),
    ]
    await fallback.close([])


# A disk that fails -----------------------------------------------------------------------------------------


async def test_a_disk_that_fails_is_told_once_and_so_is_its_return(
    fallback: Fallback, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        for _ in range(2):
            fallback.add([a_record("a")])
            assert await fallback.keep() == f"kept {RISK}"
        assert fallback.state.startswith(f"disk full: {path}: No space left on device")
        assert (fallback.where, fallback.holds) == (RISK, True)
        assert told(caplog) == [
            ("ERROR", f"state: changes that {PLACE} does not accept are kept {RISK}: {fallback.error}")
        ]
    assert await fallback.keep() == f"kept in {path}"
    assert await fallback.keep() == f"kept in {path}"
    assert (fallback.state, told(caplog)) == ("ok", [("WARNING", f"state: {path} can be written again")])


async def test_a_disk_that_fails_at_the_start_is_told_and_found_well_while_the_server_works(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fallback = a_fallback(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert await fallback.open() == []
        assert fallback.state.startswith("disk full: ")
        await fallback.confirm(fallback.mark)
        assert fallback.state.startswith("disk full: ")
        assert len(told(caplog)) == 1
    await fallback.confirm(fallback.mark)
    assert (fallback.state, told(caplog)) == ("ok", [("WARNING", f"state: {path} can be written again")])
    await fallback.close([])
    assert not path.exists()


async def test_while_something_waits_in_it_a_journal_that_failed_is_not_called_well(
    fallback: Fallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback.add([a_record("a")])
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        await fallback.keep()
    fallback.add([a_record("a")])
    await fallback.confirm(1)
    assert fallback.state.startswith("disk full: ")


@pytest.mark.parametrize(("method", "use"), [
    ("sync", lambda fallback: fallback.keep()), ("clear", lambda fallback: fallback.confirm(1)),
])  # fmt: skip
async def test_a_disk_that_does_not_answer_holds_nobody_for_ever(
    fallback: Fallback, path: Path, monkeypatch: pytest.MonkeyPatch, method: str, use: Callable[[Fallback], Any]
) -> None:
    fallback.add([a_record("a")])
    clock = StillClock(monkeypatch)
    monkeypatch.setattr(Journal, method, never)
    waiting = asyncio.ensure_future(use(fallback))
    await clock.move(4.9)
    assert not waiting.done()
    await clock.move(0.1)
    assert await waiting in (f"kept {RISK}", None)
    assert fallback.state == f"no answer: {path}: the disk takes longer than 5 s"
    monkeypatch.undo()


# The end ---------------------------------------------------------------------------------------------------


async def test_what_is_left_at_the_end_is_there_at_the_next_start(tmp_path: Path, path: Path) -> None:
    fallback = a_fallback(tmp_path)
    await fallback.open()
    assert await fallback.close([a_record("a")]) == f"kept in {path} for the next start"
    assert await fallback.close([a_record("a")]) == "lost with this process"
    again = a_fallback(tmp_path)
    assert await again.open() == [a_record("a")]
    await again.close([])


async def test_what_cannot_be_written_at_the_end_is_lost_and_the_journal_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback = a_fallback(tmp_path)
    await fallback.open()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        assert await fallback.close([a_record("a")]) == "lost with this process"
    again = a_fallback(tmp_path)
    assert (await again.open(), again.state) == ([], "ok")
    await again.close([])


async def test_a_disk_that_does_not_answer_is_not_waited_for_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallback = a_fallback(tmp_path)
    await fallback.open()
    with monkeypatch.context() as patch:
        clock = StillClock(patch)
        patch.setattr(Journal, "sync", never)
        patch.setattr(Journal, "close", never)
        closing = asyncio.ensure_future(fallback.close([a_record("a")]))
        await clock.move(2)
        await clock.move(1.9)
        assert not closing.done()
        await clock.move(0.1)
        assert await closing == "lost with this process"
