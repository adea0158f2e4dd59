"""What was answered for while a real server did not take it survives kill -9 of everybody, and reaches the server."""

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as replace_fields

from statusproxy.status.model import Record
from statusproxy.store import journal as journal_module
from statusproxy.store.backlog import Dropped
from statusproxy.store.errors import StoreError, StoreInUseError
from statusproxy.store.fallback import OFF
from statusproxy.store.journal_file import JournalFile, encode_items, file_name
from statusproxy.store.owner import Owner
from tests import forks
from tests.waiting import until

from .redis_server import LIMIT, RedisServer, RedisStore, redis_store, running
from .samples import NOW, a_change, a_record, caught_up, overridden

pytestmark = [pytest.mark.slow, pytest.mark.divisible]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


class Proxy:
    """A store in a process of its own."""

    def __init__(self, server: RedisServer, folder: Path, limit: float = LIMIT) -> None:
        """`limit`: seconds that it waits for the server."""
        self._process = forks.start(
            "tests.store.saving", str(server.port), str(folder), str(limit),
            folder=Path(__file__).parents[2],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._read() == "open"

    def save(self, session: str) -> str:
        """Have a change saved; what it was answered."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{session}\n".encode())
        self._process.stdin.flush()
        return self._read()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


@asynccontextmanager
async def opened(
    server: RedisServer, folder: Path | None, **options: Any
) -> AsyncIterator[tuple[RedisStore, list[Record]]]:
    store = redis_store(options.pop("place", server.place), journal=folder, **options)
    records = await store.open()
    try:
        yield store, records
    finally:
        await store.close()


def as_told(record: Record) -> Record:
    """A record without the clock that told it: from the server it comes without."""
    return replace_fields(record, written=None)


def journals(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal*")) if folder.exists() else []


def waiting(folder: Path) -> list[Path]:
    return [path for path in journals(folder) if path.suffix != ".lock"]


async def on_the_server(server: RedisServer) -> tuple[list[str], list[str]]:
    """Sessions, and the sessions of the changes, as a proxy without a journal finds them."""
    async with opened(server, None) as (store, records):
        changes = await store.history(None, 99)
    return sorted(record.session for record in records), sorted(change.session for change in changes)


# ---- kill -9 ----


def away(server: RedisServer) -> Callable[[], None]:
    server.stop()
    return server.start


def hanging(server: RedisServer) -> Callable[[], None]:
    server.tell(signal.SIGSTOP)
    return lambda: server.tell(signal.SIGCONT)


def out_of_memory(server: RedisServer) -> Callable[[], None]:
    with server.client() as client:
        client.config_set("maxmemory", "1")

    def again() -> None:
        with server.client() as client:
            client.config_set("maxmemory", "0")

    return again


def a_replica(server: RedisServer) -> Callable[[], None]:
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")

    def again() -> None:
        with server.client() as client:
            client.replicaof("NO", "ONE")

    return again


def another_password(server: RedisServer) -> Callable[[], None]:
    with server.client() as client:
        client.config_set("requirepass", "another")
        client.client_kill_filter(skipme=True)

    def again() -> None:
        with server.client(password="another") as client:
            client.config_set("requirepass", "")

    return again


def loading(server: RedisServer) -> Callable[[], None]:
    with server.client() as client:
        client.mset({f"other:{number}": os.urandom(100) for number in range(2000)})
        client.bgrewriteaof()
        while (
            client.info("persistence")["aof_rewrite_in_progress"] or client.info("persistence")["aof_rewrite_scheduled"]
        ):
            pass
    server.stop()
    # Each key takes 10 ms to load; each kilobyte the server answers who has asked meanwhile: LOADING.
    server.start("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024", until_ready=False)

    def again() -> None:
        server.stop()
        server.start()

    return again


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (away, "no connection"),
        (hanging, "no answer"),
        (out_of_memory, "memory full"),
        (a_replica, "a read-only replica"),
        (another_password, "login refused"),
        (loading, "still loading"),
    ],
)
@pytest.mark.parametrize("server_first", [False, True], ids=["proxy-comes-back-first", "server-comes-back-first"])
async def test_what_was_answered_while_the_server_did_not_take_it_survives_kill_9(
    server: RedisServer,
    folder: Path,
    failure: Callable[[RedisServer], Callable[[], None]],
    says: str,
    server_first: bool,
) -> None:
    proxy = Proxy(server, folder, 2.0 if failure is hanging else LIMIT)
    try:
        assert proxy.save("before") == "answered"
        again = failure(server)
        if failure is loading:
            while says not in proxy.save("?"):  # it went on to try at once
                pass
        for session in ("sales", "support"):
            answer = proxy.save(session)
            assert says in answer
            assert f"kept in {folder}" in answer
    finally:
        proxy.kill()
    if server_first:
        again()
    async with opened(server, folder, answer_limit=1, save_limit=1) as (store, records):  # only waited for
        # Before the first request is answered.
        assert {as_told(overridden("sales")), as_told(overridden("support"))} <= set(map(as_told, records))
        if not server_first:
            again()
        await until(lambda: caught_up(store) and not waiting(folder))
    assert await on_the_server(server) == (["before", "sales", "support"], ["before", "sales", "support"])


async def test_kill_9_again_and_again_loses_nothing_and_doubles_nothing(server: RedisServer, folder: Path) -> None:
    names = []
    server.stop()
    for round_ in range(4):
        proxy = Proxy(server, folder)
        try:
            for number in range(5):
                names.append(f"{round_}.{number}")
                assert f"kept in {folder}" in proxy.save(names[-1])
        finally:
            proxy.kill()
    server.start()
    async with opened(server, folder) as (store, _):
        await until(lambda: caught_up(store) and not waiting(folder))
    assert await on_the_server(server) == (sorted(names), sorted(names))


async def test_a_torn_last_line_costs_nothing_that_was_answered(server: RedisServer, folder: Path) -> None:
    server.stop()
    proxy = Proxy(server, folder)
    try:
        proxy.save("sales")
    finally:
        proxy.kill()
    (path,) = waiting(folder)
    path.write_bytes(path.read_bytes() + b"".join(encode_items([a_record("never answered")]))[:-20])
    async with opened(server, folder) as (_, records):
        assert records == [overridden("sales")]


# ---- with the server's own knowledge ----


def left(server: RedisServer, folder: Path, *items: Any) -> None:
    """A journal as an earlier process left it."""
    journal, _ = JournalFile.open(folder, str(server.place))
    journal.append(b"".join(encode_items(items)))
    journal.close()


async def put(server: RedisServer, *records: Record) -> None:
    async with opened(server, None) as (store, _):
        await store.save(records, [], [])


@pytest.mark.parametrize(
    ("theirs", "journaled", "stands"),
    [
        (a_record("a", known_at=NOW), a_record("a", known_at=NOW + 1, gateway_said="new"), "new"),
        (a_record("a", known_at=NOW + 1, gateway_said="new"), a_record("a", known_at=NOW), "new"),
        # Neither knows more of the connection: who heard of the session last.
        (a_record("a"), a_record("a", heard_at=NOW + 1, gateway_said="new"), "new"),
        (a_record("a", heard_at=NOW + 1, gateway_said="new"), a_record("a"), "new"),
        (a_record("a", gateway_said="zz"), a_record("a", gateway_said="new", gateway_said_at=NOW), "new"),
    ],
)
async def test_of_journal_and_server_the_newer_knowledge_stands(
    server: RedisServer, folder: Path, theirs: Record, journaled: Record, stands: str
) -> None:
    await put(server, theirs)
    left(server, folder, journaled)
    async with opened(server, folder) as (store, records):
        assert [record.gateway_said for record in records] == [stands]
        await until(lambda: not waiting(folder))
        assert store.healthy
    async with opened(server, None) as (_, records):
        assert [record.gateway_said for record in records] == [stands]


@pytest.mark.parametrize(("heard_at", "stays"), [(NOW - 1, False), (NOW + 1, True)])
async def test_a_session_that_was_forgotten_stays_so_unless_it_was_heard_of_since(
    server: RedisServer, folder: Path, heard_at: float, stays: bool
) -> None:
    await put(server, a_record("a", heard_at=heard_at))
    left(server, folder, Dropped("a", NOW))
    async with opened(server, folder) as (_, records):
        assert bool(records) is stays
        await until(lambda: not waiting(folder))
    assert (await on_the_server(server))[0] == (["a"] if stays else [])


async def test_the_later_line_of_a_session_counts(server: RedisServer, folder: Path) -> None:
    left(server, folder, a_record("a"), Dropped("a", NOW), a_record("b"), a_record("b", event="new"), a_record("a"))
    async with opened(server, folder) as (_, records):
        assert {record.session: record.event for record in records} == {"a": "status-find", "b": "new"}


async def test_what_is_heard_after_the_start_replaces_what_the_journal_had(server: RedisServer, folder: Path) -> None:
    left(server, folder, a_record("a"))
    server.stop()
    async with opened(server, folder) as (store, _):
        with pytest.raises(StoreError):
            await store.save([a_record("a", event="new")], [], [])
        server.start()
        await until(lambda: caught_up(store) and not waiting(folder))
    async with opened(server, None) as (_, records):
        assert [record.event for record in records] == ["new"]


# ---- whose, where, and for how long ----


async def test_nothing_is_on_disk_while_the_server_takes_all(server: RedisServer, folder: Path) -> None:
    async with opened(server, folder) as (store, _):
        await store.save([a_record("a")], [], [a_change("a")])
        assert waiting(folder) == []
        assert store.journal == "ok"


async def test_the_journal_goes_when_the_server_has_all_of_it(server: RedisServer, folder: Path) -> None:
    async with opened(server, folder) as (store, _):
        server.stop()
        with pytest.raises(StoreError, match=r"no connection: .*\(kept in .*\.journal, tried again\)"):
            await store.save([a_record("a")], [], [])
        assert f"until then changes are kept in {folder}" in (store.error or "")
        assert len(waiting(folder)) == 1
        server.start()
        await until(lambda: caught_up(store) and not waiting(folder))
        await store.save([a_record("b")], [], [])
        # The file may be gone a moment before the store knows that it is: then this change was added to it as well.
        await until(lambda: not waiting(folder))


async def test_what_waits_at_an_orderly_end_is_there_at_the_next_start(
    server: RedisServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(server, folder) as (store, _):
        server.stop()
        with pytest.raises(StoreError):
            await store.save([a_record("a")], [], [])
    assert "could not be written and are kept in" in caplog.text
    async with opened(server, folder) as (_, records):
        assert [record.session for record in records] == ["a"]


async def test_a_save_that_hangs_at_an_orderly_end_is_on_disk(server: RedisServer, folder: Path) -> None:
    limits = {"answer_limit": 30, "save_limit": 30, "close_limit": 0.05}  # only waited for
    async with opened(server, folder, **limits) as (store, _):
        await store.save([a_record("before")], [], [])
        server.tell(signal.SIGSTOP)
        saving = asyncio.ensure_future(store.save([a_record("a")], [], []))
        await until(lambda: store._backlog.writing.records != {})
        await store.close()
        with pytest.raises(StoreError):
            await saving
    server.stop()
    async with opened(server, folder) as (_, records):
        assert [record.session for record in records] == ["a"]


async def test_two_prefixes_on_one_server_keep_a_journal_each(server: RedisServer, folder: Path) -> None:
    other = replace(server.place, prefix="other:")
    async with opened(server, folder) as (one, _), opened(server, folder, place=other) as (two, _):
        server.stop()
        for store, session in ((one, "a"), (two, "b")):
            with pytest.raises(StoreError):
                await store.save([a_record(session)], [], [])
        assert len(waiting(folder)) == 2
    async with opened(server, folder) as (_, records):
        assert [record.session for record in records] == ["a"]
    async with opened(server, folder, place=other) as (_, records):
        assert [record.session for record in records] == ["b"]


async def test_a_second_proxy_on_the_same_keys_uses_no_journal_and_says_so(
    server: RedisServer, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("statusproxy.store.journal_file._LOCK_WAIT", 0.0)
    server.stop()
    async with opened(server, folder) as (first, _), opened(server, folder) as (second, _):
        with pytest.raises(StoreError, match="kept in memory"):
            await second.save([a_record("a")], [], [])
        assert "in use: " in (second.journal or "")
        assert first.journal == "ok"
    assert "kept in memory only, and lost if this process ends: in use: " in caplog.text


async def test_a_start_that_is_refused_leaves_the_journal_as_it_is(server: RedisServer, folder: Path) -> None:
    left(server, folder, a_record("a"))
    (path,) = waiting(folder)
    before = path.read_bytes()
    with server.client() as client:
        client.set(f"{server.place.prefix}owner", Owner("x", "other.example", 7).encode())
    for _ in range(3):
        with pytest.raises(StoreInUseError):
            await redis_store(server.place, journal=folder).open()
    assert path.read_bytes() == before


@pytest.mark.parametrize("journal", [None, "below a file"])
async def test_without_a_place_for_it_changes_are_in_memory_only_and_that_is_said(
    server: RedisServer, tmp_path: Path, journal: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    folder = None if journal is None else tmp_path / "file" / "state"
    async with opened(server, folder) as (store, _):
        if journal is None:
            assert store.journal == OFF
        else:
            assert "cannot be opened: " in (store.journal or "")
            assert "name a writable directory in state.journal" in caplog.text
        await store.save([a_record("a")], [], [])
        server.stop()
        with pytest.raises(StoreError, match=r"\(kept in memory, tried again\)"):
            await store.save([a_record("b")], [], [])
        assert "until then changes are kept in memory only, and lost if this process ends" in (store.error or "")
        server.start()
        await until(lambda: caught_up(store))
    assert (await on_the_server(server))[0] == ["a", "b"]


async def test_a_disk_that_fails_is_told_once_and_so_is_its_return(
    server: RedisServer, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(journal_module, "_PAUSE", 0.0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with opened(server, folder) as (store, _):
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            server.stop()
            for session in ("a", "b"):
                with pytest.raises(StoreError, match="kept in memory only"):
                    await store.save([a_record(session)], [], [])
            assert "disk full: " in (store.journal or "")
        with pytest.raises(StoreError, match=f"kept in {folder}"):
            await store.save([a_record("c")], [], [])
        assert store.journal == "ok"
        server.start()
        await until(lambda: caught_up(store) and not waiting(folder))
    assert caplog.text.count("kept in memory only, and lost if this process ends: disk full") == 1
    assert caplog.text.count(".journal can be written again") == 1
    assert (await on_the_server(server))[0] == ["a", "b", "c"]


async def test_a_disk_that_fails_at_the_start_is_told_and_found_well_while_the_server_works(
    server: RedisServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_PAUSE", 0.0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        store = redis_store(server.place, journal=folder)
        await store.open()
        assert "disk full: " in (store.journal or "")
    await store.save([a_record("a")], [], [])
    await until(lambda: store.journal == "ok")
    await store.close()
    assert waiting(folder) == []


async def test_a_journal_left_under_another_url_is_named(
    server: RedisServer, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(server.place, prefix="other:")
    server.stop()
    async with opened(server, folder, place=other) as (store, _):
        with pytest.raises(StoreError):
            await store.save([a_record("a")], [], [])
    async with opened(server, folder):
        pass
    assert f"{file_name(str(other))} holds changes for another state.url" in caplog.text
