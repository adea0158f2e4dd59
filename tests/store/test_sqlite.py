"""The SQLite store: durable, one commit for many, and no change lost whatever the disk does."""

# ruff: noqa: ASYNC240 - looking at files is what these tests are for

import asyncio
import logging
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from statusproxy.config.state_url import SqliteFile
from statusproxy.status.model import Record
from statusproxy.store import sqlite as sqlite_module
from statusproxy.store import upkeep as upkeep_module
from statusproxy.store.backlog import Backlog, Batch, Entry
from statusproxy.store.base import PAGE, StoreOptions
from statusproxy.store.database import SCHEMA, Database
from statusproxy.store.errors import NotAttachedError, StoreError, StoreInUseError
from statusproxy.store.sqlite import SqliteBackend, make_store
from statusproxy.store.upkeep import Check, UpkeepTiming
from tests.waiting import until

from .crashing import killed_at_each_step
from .damaged import SESSIONS, damage_page, filled, noise, pages, readable, rows_by_page
from .samples import DAY, NOW, QUICK, Connections, SqliteStore, a_change, a_record, caught_up, put, sqlite_store

ASIDE = "state.db.unreadable-20260115T190706Z"


@asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[tuple[SqliteStore, list[Record]]]:
    store = sqlite_store(path, **options)
    records = await store.open()
    try:
        yield store, records
    finally:
        await store.close()


async def sessions_in(path: Path) -> list[str]:
    async with opened(path) as (_, records):
        return sorted(record.session for record in records)


class Gate:
    """Holds the writer at its next write until it is let through, as a slow disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reached = threading.Event()
        self._free = threading.Event()
        write = Database.write

        def held(*arguments: Any) -> list[str]:
            self._reached.set()
            self._free.wait()
            return write(*arguments)

        monkeypatch.setattr(Database, "write", held)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 60)

    def open(self) -> None:
        self._free.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


class FaultyDisk:
    """Makes each write raise while `error` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.attempts = 0
        write = Database.write

        def faulty(*arguments: Any) -> list[str]:
            self.attempts += 1
            if self.error is not None:
                raise self.error
            return write(*arguments)

        monkeypatch.setattr(Database, "write", faulty)

    def breaks(self, code: int, text: str = "disk I/O error") -> None:
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        error.sqlite_errorname = "SQLITE_…"
        self.error = error

    def heals(self) -> None:
        self.error = None


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FaultyDisk:
    return FaultyDisk(monkeypatch)


@contextmanager
def child(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that runs a script and reports on its standard output."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        try:
            yield process
        finally:
            process.kill()


async def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


# Durable ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_what_was_saved_survives_kill_9(path: Path) -> None:
    script = """
        import asyncio, sys
        from pathlib import Path
        from tests.store.samples import a_change, a_record, sqlite_store

        async def main():
            store = sqlite_store(Path(sys.argv[1]))
            await store.open()
            await store.save([a_record("sales")], [], [a_change("sales")])
            print("saved", flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """
    with child(script, path) as process:
        assert await said(process) == "saved"
        process.send_signal(signal.SIGKILL)
        process.wait()
    async with opened(path) as (store, records):
        assert records == [a_record("sales")]
        assert await store.history(None, 9) == [a_change("sales")]


async def test_a_save_returns_only_after_its_commit(store: SqliteStore, path: Path) -> None:
    await put(store, "sales")
    with closing(sqlite3.connect(path)) as other:  # reading beside the proxy is allowed
        assert other.execute("SELECT session FROM records").fetchall() == [("sales",)]


async def test_a_burst_of_saves_shares_a_few_commits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    monkeypatch.setattr(Database, "prune", lambda *_: False)  # has a transaction of its own
    async with opened(path) as (store, _):
        before = statements.count("COMMIT")
        await asyncio.gather(*(put(store, f"s{number}") for number in range(200)))
        # 2 as a rule: the first few that the writer sees at once, and all that came meanwhile.
        assert statements.count("COMMIT") - before == store.backend.commits <= 20
    assert len(await sessions_in(path)) == 200


async def test_the_event_loop_runs_on_while_the_disk_is_slow(store: SqliteStore, gate: Gate) -> None:
    waiting = [asyncio.ensure_future(put(store, f"s{number}")) for number in range(3)]
    await gate.reached()
    for _ in range(100):
        await asyncio.sleep(0)  # would hang here if anything waited for the writer
    assert not any(task.done() for task in waiting)
    gate.open()
    await asyncio.gather(*waiting)


async def test_a_disk_that_never_answers_holds_nobody_for_ever(
    path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is answered before the test says so: these limits are only waited for.
    monkeypatch.setattr(sqlite_module, "_CLOSE_LIMIT", 0.01)
    store = sqlite_store(path, timing=replace(QUICK, save_limit=0.05, close_limit=0.01))  # only waited for
    await store.open()
    with pytest.raises(StoreError, match="no answer"):
        await put(store, "sales")
    await until(lambda: "not answered" in (store.error or ""))  # counts from when the writer took it
    with pytest.raises(StoreError, match="not answered"):
        await put(store, "support")
    await store.close()  # bounded, too
    gate.open()

    async def let_go() -> bool:
        try:
            return await sessions_in(path) == ["sales", "support"]
        except StoreInUseError:
            return False

    await until(let_go)


# Closing ---------------------------------------------------------------------------------------------------


async def test_closing_ends_both_threads(path: Path) -> None:
    before = set(threading.enumerate())  # what an earlier test left is none of this store's
    async with opened(path):
        threads = [
            thread
            for thread in threading.enumerate()
            if thread not in before and thread.name in {"statusproxy-store", "statusproxy-check"}
        ]
        assert {thread.name for thread in threads} >= {"statusproxy-store", "statusproxy-check"}
    for thread in threads:
        await asyncio.to_thread(thread.join, 60)
    assert not any(thread.is_alive() for thread in threads)


def test_the_times_and_the_days_are_those_that_are_documented() -> None:
    assert sqlite_module._CLOSE_LIMIT == 5
    assert signature(sqlite_module.SqliteBackend).parameters["lock_wait"].default == 5
    assert signature(sqlite_module.sqlite_store).parameters["history_days"].default == 90


async def test_after_closing_all_is_in_one_file(path: Path) -> None:
    async with opened(path) as (store, _):
        await put(store, "sales")
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]


async def test_a_store_that_was_never_opened_takes_nothing_and_can_be_closed(path: Path) -> None:
    store = sqlite_store(path)
    with pytest.raises(StoreError, match="not open yet"):
        await put(store, "sales")
    await store.close()
    assert not path.exists()


async def test_an_open_that_is_cancelled_leaves_no_lock(path: Path) -> None:
    opening = asyncio.ensure_future(sqlite_store(path).open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await sessions_in(path) == []


# Two on one file -------------------------------------------------------------------------------------------


async def test_a_second_process_is_refused_and_the_first_undisturbed(path: Path, store: SqliteStore) -> None:
    second = sqlite_store(path)
    with pytest.raises(StoreInUseError, match=rf"process {os.getpid()}.*two writers.*state\.url of its own"):
        await second.open()
    assert not second.healthy
    await put(store, "sales")
    assert store.healthy


async def test_a_successor_waits_for_its_predecessor_to_leave(path: Path, store: SqliteStore) -> None:
    await put(store, "sales")
    successor = sqlite_store(path, lock_wait=10)
    opening = asyncio.ensure_future(successor.open())
    await asyncio.sleep(0)
    await store.close()
    assert await opening == [a_record("sales")]
    await successor.close()


async def test_a_program_that_holds_the_write_lock_is_an_error_that_passes(
    path: Path, store: SqliteStore, connections: Connections
) -> None:
    connections.set_up("busy_timeout = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another program"):
            await put(store, "sales")
        other.execute("ROLLBACK")
    await until(lambda: caught_up(store))
    await store.close()
    assert await sessions_in(path) == ["sales"]


# Setting aside ---------------------------------------------------------------------------------------------


def _garbage(path: Path) -> None:
    path.write_bytes(b"\x00garbage" * 4000)


def _cut_short(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE filler AS SELECT randomblob(90000)")
        connection.commit()
    os.truncate(path, 9000)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_text("of somebody")


@pytest.mark.parametrize("damage", [_garbage, _cut_short, _newer, _directory])
async def test_what_cannot_be_used_is_set_aside_and_the_store_begins_anew(
    path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as (store, _):
        await put(store, "sales")
    damage(path)
    before = path.read_bytes() if path.is_file() else None
    async with opened(path) as (store, records):
        assert [record.session for record in records] == (["sales"] if damage is _cut_short else [])
        assert store.healthy
        await put(store, "support")
        (told,) = store.damage
    aside = path.parent / ASIDE
    assert told.set_aside == str(aside)
    assert (aside.read_bytes() if aside.is_file() else None) == before
    assert caplog.records[0].levelname == "ERROR"
    assert f"it is kept as {aside}" in caplog.text
    assert "support" in await sessions_in(path)


async def test_a_zero_byte_file_is_new_and_worth_no_word(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.touch()
    assert await sessions_in(path) == []
    assert caplog.records == []


async def test_a_rejected_row_is_told_by_its_session_only(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(path) as (store, _):
        await put(store, "sales", "support")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("""UPDATE records SET payload = '{"secret":"hunter2"}' WHERE session = 'sales'""")
    assert await sessions_in(path) == ["support"]
    assert "the row of session 'sales'" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_database_that_breaks_in_use_is_replaced_by_all_that_is_known(
    path: Path, connections: Connections
) -> None:
    async with opened(path) as (store, _):
        await put(store, "before")
        connections.set_up("wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)  # leaves the first page, so that nothing shows before the tables are touched
            file.write(b"\xa5" * (size - 4096))
        connections.set_up("shrink_memory")
        await put(store, "after")
        assert store.healthy
    assert (path.parent / ASIDE).exists()
    assert await sessions_in(path) == ["after", "before"]


async def test_a_database_that_breaks_again_and_again_is_a_sick_disk(path: Path, disk: FaultyDisk) -> None:
    async with opened(path) as (store, _):
        disk.breaks(sqlite3.SQLITE_CORRUPT, "database disk image is malformed")
        with pytest.raises(StoreError, match="corrupt"):
            await put(store, "sales")
        await until(lambda: disk.attempts > 10)
        asides = [file for file in path.parent.iterdir() if file.name.partition(".unreadable-")[2].isalnum()]
        assert len(asides) <= 5
        disk.heals()
        await until(lambda: caught_up(store))
    assert await sessions_in(path) == ["sales"]


async def test_a_deleted_database_is_written_anew_with_all_that_is_known(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path) as (store, _):
        await put(store, "before")
        for file in path.parent.iterdir():
            file.unlink()
        await store.save([a_record("after")], [], [a_change("after")])
        assert await store.history(None, 9) == [a_change("after")]
        with pytest.raises(StoreInUseError):
            await sqlite_store(path).open()
    assert "was deleted or replaced" in caplog.text
    assert await sessions_in(path) == ["after", "before"]


async def test_a_backup_put_in_its_place_is_kept_and_told(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path / "backup.db") as (backup, _):
        await put(backup, "of the backup")
    async with opened(path) as (store, _):
        await put(store, "before")
        (tmp_path / "backup.db").replace(path)
        await put(store, "after")
    assert "has 1 session that is not known here" in caplog.text
    assert await sessions_in(path) == ["after", "before", "of the backup"]


# Damage ----------------------------------------------------------------------------------------------------


async def settled(store: SqliteStore) -> None:
    """Wait until the history of every damaged file has been read."""
    await until(lambda: not any(damage.pending for damage in store.damage))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.8])
@pytest.mark.slow
async def test_a_start_with_a_damaged_page_saves_all_else_and_tells_until_it_is_acknowledged(
    path: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    filled(path)
    on, total = rows_by_page(path), pages(path)
    number = 1 + int(total * share)
    damage_page(path, number, noise)
    async with opened(path) as (store, records):
        assert set(SESSIONS) - {record.session for record in records} <= on[number].sessions
        await settled(store)
        assert len(await store.history(None, 9999)) >= 2 * len(SESSIONS) - len(on[number].changes)
        (damage,) = store.damage
        assert (damage.sessions, damage.set_aside) == (len(records), str(path.parent / ASIDE))
        assert store.repairs["damaged"] == 1
        await store.save([], [], [a_change("new", at=NOW + 99)])
    assert "it is kept as" in caplog.text
    async with opened(path) as (store, again):
        assert len(again) == len(records)
        assert (await store.history(None, 1))[0].session == "new"
        assert [(each.sessions, each.changes, each.cause) for each in store.damage] == [
            (len(records), len(await store.history(None, 9999)) - 1, damage.cause)
        ]
        assert await store.acknowledge() == 1
        assert (list(store.damage), await store.acknowledge()) == ([], 0)
    async with opened(path) as (store, _):
        assert list(store.damage) == []


@pytest.mark.slow
@pytest.mark.divisible
async def test_killed_at_any_step_of_the_repair_no_session_is_forgotten(path: Path) -> None:
    imports = """
        import asyncio
        from tests.store.samples import sqlite_store
        from tests.waiting import until

        async def main():
            store = sqlite_store(Path(sys.argv[1]))
            await store.open()
            await until(lambda: not any(damage.pending for damage in store.damage))
            await store.close()
    """
    filled(path)
    number, lost = next((number, rows.sessions) for number, rows in rows_by_page(path).items() if rows.sessions)
    damage_page(path, number, noise)
    damaged, kills = path.read_bytes(), 0
    for _ in killed_at_each_step(imports, "asyncio.run(main())", path):
        kills += 1
        async with opened(path) as (store, records):
            assert {record.session for record in records} >= set(SESSIONS) - lost
            assert store.damage
            await settled(store)
            assert len(await store.history(None, 9999)) == 2 * len(SESSIONS)
        assert any(file.read_bytes() == damaged for file in path.parent.iterdir() if file.name.startswith(ASIDE))
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(damaged)
    assert kills > 10


async def test_damage_that_a_question_meets_is_repaired_before_it_is_answered(
    path: Path, connections: Connections
) -> None:
    filled(path)
    damaged = next(number for number, rows in rows_by_page(path).items() if len(rows.changes) > 5)
    async with opened(path) as (store, records):
        connections.set_up("cache_size = 1")
        damage_page(path, damaged, noise)
        changes = await store.history(None, 9999)
        assert store.healthy
        assert [each.sessions for each in store.damage] == [len(records)] == [len(SESSIONS)]
        await settled(store)
        assert len(changes) <= len(await store.history(None, 9999)) < 2 * len(SESSIONS)


@pytest.mark.slow
async def test_damage_that_nothing_meets_is_found_by_the_check(path: Path) -> None:
    filled(path)
    async with opened(path, upkeep=UpkeepTiming(check_every=0.01)) as (store, _):
        damage_page(path, 4, noise)
        await until(lambda: bool(store.damage))
        assert store.healthy
        await settled(store)
    assert await sessions_in(path) == sorted(SESSIONS)


async def test_a_backend_finds_damage_without_a_writer_too(path: Path) -> None:
    filled(path)
    values: dict[str, Any] = {
        "history_days": 90,
        "log": logging.getLogger("test"),
        "clock": lambda: NOW,
        "lock_wait": 0.0,
    }
    backend = SqliteBackend(path, upkeep=UpkeepTiming(check_every=0.01), **values)
    await backend.open(Backlog(lambda: NOW))
    assert backend.due_at() > 0
    damage_page(path, 4, noise)
    await until(lambda: backend.due_at() == 0)
    await backend.upkeep()
    assert len(backend.damage) == 1
    await backend.close(Batch())


def a_backend(path: Path, **timing: float) -> SqliteBackend:
    return SqliteBackend(
        path, history_days=90, log=logging.getLogger("test"), lock_wait=0.0, upkeep=UpkeepTiming(**timing)
    )


@pytest.mark.parametrize("heard", [False, True])
async def test_damage_that_the_check_found_is_told_at_once_to_whoever_wants_to_know(
    path: Path, heard: bool, caplog: pytest.LogCaptureFixture
) -> None:
    filled(path)
    backend, rings = a_backend(path, check_every=0.01), list[float]()
    if heard:
        backend.on_due = lambda: rings.append(backend.due_at())
    await backend.open(Backlog(lambda: NOW))
    damage_page(path, 4, noise)
    await until(lambda: backend.due_at() == 0)
    assert rings[:1] == ([0] if heard else [])
    await backend.close(Batch())
    assert caplog.messages == []


@pytest.mark.parametrize("heard", [False, True])
async def test_a_question_that_finds_no_open_file_has_it_opened_soon(path: Path, heard: bool) -> None:
    backend, rings = a_backend(path), list[float]()
    if heard:
        backend.on_due = lambda: rings.append(backend.due_at())
    with pytest.raises(NotAttachedError):
        await backend.history(None, 9, [])
    assert rings == ([0] if heard else [])
    await backend.open(Backlog(lambda: NOW))
    assert await backend.history(None, 9, []) == []
    assert rings == ([0] if heard else [])
    await backend.close(Batch())


async def test_what_goes_wrong_with_spool_or_outbox_is_told_as_an_error_of_the_store(path: Path) -> None:
    path.mkdir()
    backend = a_backend(path)
    for question in (backend.spool.entries, backend.outbox.read):
        with pytest.raises(StoreError, match=f"^input/output error: {path}: disk I/O error"):
            await question()
    await backend.close(Batch())


async def test_pages_of_history_go_on_where_the_last_one_ended_with_what_waits_on_the_first(path: Path) -> None:
    backend = a_backend(path)
    await backend.open(Backlog(lambda: NOW))
    await backend.write(Batch({}, [Entry(a_change("sales", at=NOW + n)) for n in range(PAGE + 1)]))
    waiting = [Entry(a_change("sales", at=NOW + PAGE + 1))]
    pages = [[change.at - NOW for change in page] async for page in backend.history_pages(None, NOW, waiting)]
    assert pages == [[PAGE + 1, *range(PAGE, 0, -1)], [0]]
    await backend.close(Batch())


@pytest.mark.parametrize("written", [False, True])
async def test_the_check_begins_for_a_file_that_can_only_be_read_too(
    path: Path, written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Check] = []

    def start(check: Check) -> None:
        started.append(check)

    monkeypatch.setattr(Check, "start", start)
    backend = SqliteBackend(path, history_days=90, log=logging.getLogger("test"), lock_wait=0.0)
    assert await (backend.open(Backlog(lambda: NOW)) if written else backend.read()) == []
    assert len(started) == 1
    await backend.close(Batch())


async def test_a_closed_store_says_so_where_its_spool_is_asked_for(path: Path) -> None:
    async with opened(path) as (store, _):
        assert store.spool is not None
        assert await store.spool.entries() == []
    with pytest.raises(StoreError, match=f"^the state in {path} is closed$"):
        await store.spool.entries()


async def test_an_error_of_the_disk_needs_no_traceback_and_one_of_the_code_does(path: Path) -> None:
    backend = SqliteBackend(path, history_days=90, log=logging.getLogger("test"))
    expected = [sqlite3.OperationalError("no"), OSError(5, "no"), StoreError("no"), TypeError("no")]
    assert [backend.is_expected(error) for error in expected] == [True, True, True, False]


async def test_the_store_that_a_url_names_lies_in_the_state_directory(path: Path) -> None:
    options = StoreOptions(history_days=7, environ={"STATE_DIRECTORY": str(path.parent)})
    store = make_store(SqliteFile(path.name), options)
    assert store.backend.name == str(path)
    assert await store.open() == []
    assert path.exists()
    await store.close()


async def test_a_repair_that_has_no_room_leaves_the_damaged_file_and_what_is_read_of_it(path: Path) -> None:
    filled(path)
    damage_page(path, 5, noise)
    damaged = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = sqlite_store(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        records = await store.open()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(records) >= len(SESSIONS) - 10
    assert path.read_bytes() == damaged
    await until(lambda: caught_up(store))
    assert store.damage
    await store.close()
    assert await sessions_in(path) == sorted(record.session for record in records)


async def test_a_rejected_row_is_told_until_it_is_acknowledged(path: Path) -> None:
    async with opened(path) as (store, _):
        await put(store, "sales", "support")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE records SET payload = '{' WHERE session = 'sales'")
    for _ in range(2):
        async with opened(path) as (store, _):
            assert ["rejected" in str(damage) for damage in store.damage] == [True]


# Files that vanish -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("endings", [["-wal"], ["-shm"], ["-wal", "-shm"], [""], ["", "-wal", "-shm"], ["", ".lock"]])
async def test_files_deleted_at_rest_are_noticed_and_nothing_is_lost_by_a_kill(path: Path, endings: list[str]) -> None:
    script = """
        import asyncio, sys
        from pathlib import Path
        from statusproxy.store.upkeep import UpkeepTiming
        from tests.store.samples import a_change, a_record, sqlite_store
        from tests.waiting import until

        async def main():
            store = sqlite_store(Path(sys.argv[1]), upkeep=UpkeepTiming(watch_every=0.01, rest=3600))
            await store.open()
            await store.save([a_record("sales")], [], [a_change("sales")])
            print("saved", flush=True)
            await until(lambda: store.repairs["deleted"] > 0 and store.healthy)
            await store.history(None, 1)
            print("repaired", flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """
    with child(script, path) as process:
        assert await said(process) == "saved"
        for ending in endings:
            Path(f"{path}{ending}").unlink()
        assert await said(process) == "repaired"
        process.send_signal(signal.SIGKILL)
        process.wait()
    async with opened(path) as (store, records):
        assert records == [a_record("sales")]
        assert await store.history(None, 9) == [a_change("sales")]


@pytest.mark.parametrize("ending", ["-wal", ""])
async def test_nobody_is_answered_for_what_was_written_into_files_just_deleted(
    path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Database.write
    left = [ending]

    def deleted_meanwhile(database: Database, *arguments: Any) -> list[str]:
        refused = write(database, *arguments)
        if left:
            Path(f"{path}{left.pop()}").unlink()
        return refused

    async with opened(path) as (store, _):
        await put(store, "before")
        monkeypatch.setattr(Database, "write", deleted_meanwhile)
        await store.save([a_record("sales")], [], [a_change("sales")])
        crashed = [(name, Path(f"{path}{name}").read_bytes()) for name in ("", "-wal")]
    for name, content in crashed:
        Path(f"{path}{name}").write_bytes(content)
    async with opened(path) as (store, records):
        assert sorted(record.session for record in records) == ["before", "sales"]
        assert await store.history(None, 9) == [a_change("sales")]


def in_the_file_alone(path: Path) -> set[str]:
    """The sessions in the database file without its log."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as reader:
        return {session for (session,) in reader.execute("SELECT session FROM records")}
    return set()


async def test_after_a_rest_the_database_file_alone_is_whole(path: Path, tmp_path: Path) -> None:
    async with opened(path, upkeep=UpkeepTiming(rest=0.01)) as (store, _):
        await store.save([a_record("sales")], [], [a_change("sales")])
        await until(lambda: in_the_file_alone(path) == {"sales"})
        (tmp_path / "copy.db").write_bytes(path.read_bytes())
        assert not [each for each in store.repairs.values() if each]
    assert await sessions_in(tmp_path / "copy.db") == ["sales"]


async def test_the_rest_comes_well_within_half_a_minute_and_not_with_every_commit() -> None:
    assert 1 <= UpkeepTiming().rest <= 15


async def test_a_reader_does_not_hold_the_checkpoint_up_and_it_is_made_afterwards(path: Path) -> None:
    async with opened(path, upkeep=UpkeepTiming(rest=0.01)) as (store, _):
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM records").fetchall()
            await put(store, "sales")
            await put(store, "support")
            assert store.healthy
        await until(lambda: in_the_file_alone(path) == {"sales", "support"})


async def test_a_replaced_database_is_used_and_what_it_replaced_is_kept(path: Path, tmp_path: Path) -> None:
    filled(tmp_path / "backup.db", ["of the backup"])
    async with opened(path) as (store, _):
        await store.save([a_record("before")], [], [a_change("before")])
        (tmp_path / "backup.db").replace(path)
        await put(store, "after")
        assert store.repairs["replaced"] == 1
    (kept,) = (file for file in path.parent.iterdir() if ".replaced-" in file.name)
    assert readable(kept).sessions >= {"before"}
    assert await sessions_in(path) == ["after", "before", "of the backup"]


async def test_with_its_lock_file_deleted_a_second_proxy_is_still_refused(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path, upkeep=UpkeepTiming(watch_every=0.01)) as (store, _):
        await put(store, "before")
        Path(f"{path}.lock").unlink()
        with pytest.raises(StoreInUseError, match="two writers"):
            await sqlite_store(path).open()
        await put(store, "after")
        await until(lambda: "it was made again" in caplog.text)
        with pytest.raises(StoreInUseError, match=f"process {os.getpid()}"):
            await sqlite_store(path).open()
    assert "the lock file of" in caplog.text
    assert await sessions_in(path) == ["after", "before"]


async def test_a_proxy_whose_files_another_took_over_stops_writing_and_catches_up_later(path: Path) -> None:
    async with opened(path, upkeep=UpkeepTiming(watch_every=3600)) as (first, _):
        await put(first, "before")
        for file in path.parent.iterdir():
            file.unlink()
        async with opened(path) as (second, records):
            assert records == []
            await put(second, "of the second")
            with pytest.raises(StoreError, match=r"in use: .*two writers"):
                await put(first, "meanwhile")
            assert not first.healthy
            await put(second, "more")
        await until(lambda: caught_up(first))
    assert await sessions_in(path) == ["before", "meanwhile", "more", "of the second"]


# Errors ----------------------------------------------------------------------------------------------------


async def test_a_full_disk_loses_nothing(
    path: Path, store: SqliteStore, connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    await put(store, "before")
    connections.set_up("max_page_count = 1")  # SQLite then refuses to grow: SQLITE_FULL, as on a full disk
    with pytest.raises(StoreError, match=f"^disk full: {path}: .*free some space.*kept in memory"):
        await store.save([a_record("big", event="x" * 20_000)], [], [a_change("big")])
    assert not store.healthy
    assert store.error is not None
    assert store.error.startswith("disk full: ")
    with pytest.raises(StoreError, match="disk full"):  # at once: no webhook waits for a full disk
        await store.save([a_record("sales", event="newest")], ["before"], [a_change("sales", at=NOW + 1)])
    assert [c.session for c in await store.history(None, 9)] == ["sales", "big"]
    assert store.backlog == 5
    connections.set_up("max_page_count = 10000")
    await until(lambda: caught_up(store))
    assert [c.session for c in await store.history(None, 9)] == ["sales", "big"]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "all waiting changes are saved" in caplog.text
    await store.close()
    async with opened(path) as (_, records):
        assert {record.session: record.event for record in records} == {"big": "x" * 20_000, "sales": "newest"}


@pytest.mark.slow
async def test_a_process_that_may_not_write_goes_on_and_catches_up(path: Path) -> None:
    script = """
        import asyncio, resource, sys
        from pathlib import Path
        from statusproxy.store import StoreError
        from tests.store.samples import a_record, put, sqlite_store
        from tests.waiting import until

        async def main():
            store = sqlite_store(Path(sys.argv[1]))
            await store.open()
            await put(store, "before")
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))  # every write now fails in the kernel
            try:
                await put(store, "kept")
            except StoreError as error:
                print(error, flush=True)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            await until(lambda: store.healthy)
            await store.close()

        asyncio.run(main())
    """
    with child(script, path) as process:
        assert str(path) in await said(process)
        assert await asyncio.to_thread(process.wait) == 0
    assert await sessions_in(path) == ["before", "kept"]


async def test_a_restart_while_the_disk_fails_still_reads_what_is_on_disk(path: Path) -> None:
    async with opened(path) as (store, _):
        await put(store, "sales")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = sqlite_store(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        records = await store.open()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [record.session for record in records] == ["sales"]
    await until(lambda: caught_up(store))
    await put(store, "support")
    await store.close()
    assert await sessions_in(path) == ["sales", "support"]


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every user can reach; pytest's own lie beneath one that only its user can, however deep."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user that can become another one")
@pytest.mark.slow
async def test_a_file_that_may_only_be_read_is_read_and_told(public_directory: Path) -> None:
    path = public_directory / "state.db"
    async with opened(path) as (store, _):
        await put(store, "sales")
    script = """
        import asyncio, os, sys
        from pathlib import Path
        from statusproxy.store import StoreError
        from tests.store.samples import put, sqlite_store

        async def main():
            os.setuid(65534)
            store = sqlite_store(Path(sys.argv[1]))
            records = await store.open()
            print([record.session for record in records], store.error, flush=True)
            try:
                await put(store, "support")
            except StoreError as error:
                print(error, flush=True)
            await store.close()

        asyncio.run(main())
    """
    path.chmod(0o444)
    with child(script, path) as process:
        first = await said(process)
        assert first.startswith(f"['sales'] permission denied: {path}: ")
        assert (await said(process)).startswith("permission denied: ")


async def test_a_directory_that_cannot_be_made_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    async with opened(tmp_path / "a" / "state.db") as (store, records):
        assert records == []
        assert store.error is not None
        assert store.error.startswith("cannot be opened: ")
        with pytest.raises(StoreError):
            await put(store, "sales")
        with pytest.raises(StoreError):
            await store.history(None, 9)
        (tmp_path / "a").unlink()
        await until(lambda: caught_up(store))
    assert await sessions_in(tmp_path / "a" / "state.db") == ["sales"]


async def test_a_row_that_cannot_be_encoded_is_named_and_left_out(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.save([a_record("bad", event=object())], [], [])
    assert "a row of session 'bad' could not be encoded" in caplog.text
    assert store.healthy


async def test_a_question_that_fails_is_told_to_the_one_who_asked(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "history", lambda *_: 1 / 0)
    with pytest.raises(StoreError, match="division by zero"):
        await store.history(None, 9)
    await put(store, "sales")


# History ---------------------------------------------------------------------------------------------------


async def test_history_is_pruned_while_it_runs_in_steps(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep_module, "_PRUNE_ROWS", 2)
    now = NOW
    timing = UpkeepTiming(prune_every=0.01)
    async with opened(path, clock=lambda: now, upkeep=timing, history_days=90) as (store, _):
        await store.save([], [], [a_change("sales", at=NOW + number * DAY) for number in range(10)])
        now += 95 * DAY
        while len(found := await store.history(None, 99)) > 5:
            pass
        assert [change.at for change in found] == [NOW + number * DAY for number in (9, 8, 7, 6, 5)]


async def test_pruning_that_fails_is_no_error(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*arguments: Any) -> bool:
        raise sqlite3.OperationalError("no")

    monkeypatch.setattr(Database, "prune", failing)
    async with opened(path, history_days=None) as (store, _):
        await until(lambda: bool(caplog.records))
        assert store.healthy
    assert caplog.records[0].levelno == logging.WARNING
