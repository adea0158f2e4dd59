"""The spool in the SQLite store: durable with the state, whatever happens to its files."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path
from zlib import crc32

import pytest

from statusproxy.store.database import Database
from statusproxy.store.errors import StoreError
from statusproxy.store.spool_files import SpoolFiles, spool_folder
from statusproxy.store.spooled import Content, Entry, Moved, Removed, SpoolOp, SpoolReader
from statusproxy.store.sqlite_spool import KnownSpool
from tests.waiting import until

from .crashing import killed_at_each_step
from .samples import NOW, SqliteStore, a_body, a_record, an_entry, caught_up, kept, sqlite_store


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    store = await opened(path)
    await spool(store).entries()
    yield store
    await store.close()


async def opened(path: Path) -> SqliteStore:
    store = sqlite_store(path)
    await store.open()
    return store


def spool(store: SqliteStore) -> SpoolReader:
    assert store.spool is not None
    return store.spool


async def save(store: SqliteStore, *ops: SpoolOp) -> None:
    await store.save([], [], [], ops)


async def entries(path: Path) -> list[Entry]:
    store = await opened(path)
    try:
        return await spool(store).entries()
    finally:
        await store.close()


def large(store: SqliteStore, data: bytes = b"large") -> Path:
    return a_body(spool(store).folder, data)


async def test_without_large_bodies_there_is_no_folder(path: Path) -> None:
    store = await opened(path)
    await store.save([a_record("a")], [], [])
    assert await spool(store).entries() == []
    await save(store, kept("a"), kept("b"))
    await save(store, Removed("b"))
    await store.close()
    assert spool(store).folder == spool_folder(path)
    assert not spool(store).folder.exists()


async def test_an_entry_and_the_change_of_its_session_are_one_commit(store: SqliteStore) -> None:
    await store.save([a_record("Sales")], [], [], [kept("a", b"body"), kept("b", large(store))])
    assert store.backend.commits == 1
    assert await spool(store).content("a") == Content(b"POST /a HTTP/1.1\r\n", b"body")
    assert await spool(store).content("b") == Content(b"POST /b HTTP/1.1\r\n", spool(store).folder / "b")
    assert await spool(store).content("c") is None
    assert os.listdir(spool(store).folder) == ["b"]


async def test_a_file_is_the_entrys_own_and_nobody_else_changes_anything(store: SqliteStore) -> None:
    assert (spool(store).ahead, spool(store).on_news, store.claims) == (0.0, None, None)
    await save(store, kept("a", large(store)))
    content = await spool(store).content("a")
    assert content is not None
    spool(store).release(content)
    assert os.listdir(spool(store).folder) == ["a"]


async def test_what_is_delivered_is_gone_with_its_file(store: SqliteStore) -> None:
    await save(store, kept("a"), kept("b", large(store)))
    await save(store, Removed("a"), Removed("b"))
    assert os.listdir(spool(store).folder) == []
    assert await spool(store).entries() == []


async def test_a_body_that_never_came_to_its_place_goes_with_its_entry(store: SqliteStore) -> None:
    part = large(store)
    await asyncio.gather(save(store, kept("b", part)), save(store, Removed("b")))
    assert os.listdir(spool(store).folder) == []


async def test_after_a_restart_files_without_an_entry_are_removed(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await save(store, kept("b", large(store)))
    large(store, b"never kept")
    await store.close()
    assert await entries(path) == [an_entry("b", filed=True)]
    assert os.listdir(spool_folder(path)) == ["b"]
    assert "1 file in" in caplog.text


async def test_an_entry_whose_file_is_missing_has_no_content(store: SqliteStore) -> None:
    await save(store, kept("b", large(store)))
    (spool(store).folder / "b").unlink()
    assert await spool(store).content("b") is None


async def test_an_event_whose_body_is_gone_is_refused_and_keeps_nothing_else(store: SqliteStore, path: Path) -> None:
    missing = spool(store).folder / "gone"
    with pytest.raises(StoreError, match="the bodies of 1 event of the spool are gone"):
        await store.save([a_record("Sales")], [], [], [kept("a"), kept("b", missing)])
    await until(lambda: caught_up(store))
    await store.close()
    assert await entries(path) == [an_entry("a")]


async def test_a_file_that_cannot_be_synced_fails_the_save_and_is_tried_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, left = SpoolFiles.keep, [1]

    def refuse(files: SpoolFiles, ops: object) -> list[str]:
        if left:
            left.pop()
            raise OSError(28, "No space left on device")
        return keep(files, ops)  # type: ignore[arg-type]

    monkeypatch.setattr(SpoolFiles, "keep", refuse)
    with pytest.raises(StoreError, match="disk full"):
        await save(store, kept("b", large(store)))
    await until(lambda: caught_up(store))
    assert [entry.id for entry in await spool(store).entries()] == ["b"]


async def test_a_failed_save_keeps_its_ops_and_later_ones_join_them(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = Database.write, [True]

    def refuse(database: Database, *batch: object) -> list[str]:
        if full:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return write(database, *batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "write", refuse)
    tries: list[list[SpoolOp]] = [[kept("a"), kept("b")], [Moved(an_entry("a", attempts=2)), Removed("b")]]
    for ops in tries:
        with pytest.raises(StoreError, match="disk full"):
            await store.save([], [], [], ops)
    full.clear()
    await until(lambda: caught_up(store))
    assert await spool(store).entries() == [an_entry("a", attempts=2)]


async def test_rows_that_cannot_be_read_are_told_as_damage_and_the_others_go_on(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await save(store, kept("a"), kept("b", b"personal"))
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE spool SET entry = 'personal' WHERE id = 'b'")
    store = await opened(path)
    assert await spool(store).entries() == [an_entry("a")]
    (damage,) = store.damage
    assert (damage.cause, damage.spooled) == ("damaged in 1 row of the spool (kept in the table `rejected`)", 1)
    assert "the row of the spool's event 'b'" in caplog.text
    assert "personal" not in caplog.text
    assert await store.acknowledge() == 1
    await store.close()


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
async def test_files_deleted_under_it_cost_no_entry(store: SqliteStore, path: Path, ending: str) -> None:
    await save(store, kept("a", b"body"), kept("b", large(store)))
    os.unlink(f"{path}{ending}")
    await save(store, kept("c"), Moved(an_entry("a", attempts=1)))
    assert [entry.id for entry in await spool(store).entries()] == ["a", "b", "c"]
    assert (await spool(store).content("a") or Content(b"", b"")).body == b"body"
    await store.close()
    assert await entries(path) == [an_entry("a", attempts=1), an_entry("b", filed=True), an_entry("c")]


async def test_a_log_deleted_while_another_program_reads_costs_no_entry(store: SqliteStore, path: Path) -> None:
    await store.save([a_record("a")], [], [])
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        await save(store, kept("a", b"body"))
        os.unlink(f"{path}-wal")
        await store.save([a_record("b")], [], [])
    assert (await spool(store).content("a") or Content(b"", b"")).body == b"body"
    assert not list(path.parent.glob("*.rescued-*"))


async def test_a_database_put_in_its_place_gets_what_was_there_and_keeps_its_own(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other, _ = Database.open(path.with_name("other.db"), NOW)
    other.write({}, [], {op.id: op for op in (kept("a"), kept("own"))})
    other.close()
    await save(store, kept("a", attempts=3), kept("b", b"body"), kept("f", large(store)))
    os.replace(path.with_name("other.db"), path)
    await save(store, kept("c"))
    assert "2 events of the spool were recovered" in caplog.text
    assert (await spool(store).content("b") or Content(b"", b"")).body == b"body"
    assert await spool(store).entries() == [
        an_entry("a", attempts=3), an_entry("b"), an_entry("c"), an_entry("f", filed=True), an_entry("own"),
    ]  # fmt: skip


async def test_a_rescued_copy_that_cannot_be_read_is_told_and_the_rest_goes_on(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object, target: Path) -> None:
        target.write_bytes(b"no database, " * 500)

    await save(store, kept("a"))
    other, _ = Database.open(path.with_name("other.db"), NOW)
    other.close()
    monkeypatch.setattr(Database, "copy_to", broken)
    os.replace(path.with_name("other.db"), path)
    await save(store, kept("c"))
    assert "could not be recovered: corrupt" in caplog.text
    assert await spool(store).content("a") is None
    assert await spool(store).content("c") is not None


async def test_a_damaged_file_is_rebuilt_with_the_entries_that_are_whole(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await save(store, kept("a", b"x" * 9000), kept("f", large(store)), kept("gone"))
    await save(store, Removed("gone"), Moved(an_entry("a", attempts=1)))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'records'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    store = await opened(path)
    assert "2 events of the spool were saved" in caplog.text
    assert await spool(store).entries() == [an_entry("a", attempts=1), an_entry("f", filed=True)]
    assert await spool(store).content("a") == Content(b"POST /a HTTP/1.1\r\n", b"x" * 9000)
    assert await spool(store).content("f") == Content(b"POST /f HTTP/1.1\r\n", spool(store).folder / "f")
    await store.close()


async def test_the_bodies_go_with_a_file_of_a_newer_version(store: SqliteStore, path: Path) -> None:
    await save(store, kept("f", large(store)))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert await entries(path) == []
    (aside,) = path.parent.glob("*.unreadable-*.spool")
    assert (aside / "f").read_bytes() == b"large"


async def test_a_file_that_cannot_be_written_is_read_all_the_same(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(store, kept("a", b"body"))
    await store.close()

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Database, "open", refuse)
    store = await opened(path)
    assert not store.healthy
    assert await spool(store).entries() == [an_entry("a")]
    assert await spool(store).content("a") == Content(b"POST /a HTTP/1.1\r\n", b"body")
    await store.close()


async def test_a_store_that_cannot_be_read_says_why(path: Path) -> None:
    os.mkdir(path)
    store = sqlite_store(path)
    with pytest.raises(StoreError):
        await spool(store).entries()


async def test_a_closed_store_says_so(store: SqliteStore) -> None:
    await store.close()
    with pytest.raises(StoreError, match="is closed"):
        await spool(store).entries()
    with pytest.raises(StoreError, match="is closed"):
        await spool(store).content("a")


async def test_what_was_written_before_the_entries_were_read_is_among_them(path: Path) -> None:
    store = await opened(path)
    await save(store, kept("a"), Moved(an_entry("never")))
    assert await spool(store).entries() == [an_entry("a")]
    await store.close()


def test_what_is_known_of_the_entries_is_what_the_commits_left(path: Path) -> None:
    known = KnownSpool(SpoolFiles(spool_folder(path)), logging.getLogger("test"))
    known.committed({"a": kept("a")})
    assert known.entries is None, "not before they were read"
    known.learned([an_entry("a"), an_entry("b")])
    moved = an_entry("a", attempts=2)
    ops: list[SpoolOp] = [Moved(moved), Removed("b"), kept("c"), Moved(an_entry("never")), Removed("nor that")]
    known.committed({op.id: op for op in ops})
    assert known.entries == {"a": moved, "c": an_entry("c")}


async def test_something_in_the_folders_place_costs_no_start(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool_folder(path).write_text("in the way")
    store = sqlite_store(path)
    await store.open()
    assert await spool(store).entries() == []
    assert "the spool's files cannot be looked at" in caplog.text
    await store.close()


@pytest.mark.parametrize("torn", [b"", b"larg", b"larger", b"lARGE"])
async def test_a_body_that_was_damaged_on_disk_is_not_given(
    store: SqliteStore, caplog: pytest.LogCaptureFixture, torn: bytes
) -> None:
    await spool(store).entries()
    await save(store, kept("f", large(store), checksum=crc32(b"large")), kept("r", b"row", checksum=crc32(b"raw")))
    assert await spool(store).content("r") is None
    content = await spool(store).content("f")
    assert content is not None
    assert isinstance(content.body, Path)
    content.body.write_bytes(torn)
    assert await spool(store).content("f") is None
    assert [record.getMessage() for record in caplog.records] == [
        "state: the body of the spool's event r is damaged", "state: the body of the spool's event f is damaged",
    ]  # fmt: skip


async def test_an_event_of_an_earlier_version_has_no_checksum_and_is_given(store: SqliteStore) -> None:
    await spool(store).entries()
    await save(store, kept("r", b"row"))
    assert await spool(store).content("r") == Content(b"POST /r HTTP/1.1\r\n", b"row")


async def test_a_file_that_cannot_be_removed_costs_no_save(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    await save(store, kept("a"))
    (spool(store).folder / "a").mkdir(parents=True)
    await save(store, Removed("a"))
    assert "could not be removed now" in caplog.text
    assert await spool(store).entries() == []


_CRASH = """
async def main(path, told):
    store = sqlite_store(path)
    await store.open()
    await store.spool.entries()
    def tell(word):
        os.write(told, word.encode() + b"\\n")
    store.spool.folder.mkdir(0o700, exist_ok=True)
    for n in range(3):
        file = store.spool.folder / f"part{n}"
        file.write_bytes(b"large %d" % n)
        await store.save([a_record(f"s{n}")], [], [], [kept(f"f{n}", file), kept(f"k{n}", b"small")])
        tell(f"+f{n}")
        tell(f"+k{n}")
        if n:
            tell(f"-f{n - 1}")
            await store.save([], [], [], [Removed(f"f{n - 1}")])
            tell(f"!f{n - 1}")
    await store.close()

asyncio.run(main(Path(sys.argv[1]), os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)))
"""


@pytest.mark.slow
async def test_killed_at_any_step_every_save_that_returned_is_there(tmp_path: Path) -> None:
    imports = """
    import asyncio
    from tests.store.samples import a_record, kept, sqlite_store
    from statusproxy.store.spooled import Removed
    """
    path, told = tmp_path / "state.db", tmp_path / "told"
    told.touch()
    kills = 0
    for _ in killed_at_each_step(imports, _CRASH, path, told):
        kills += 1
        words = told.read_text().split()
        kept_ids, going, gone = ({word[1:] for word in words if word[0] == sign} for sign in "+-!")
        store = await opened(path)
        found = {entry.id for entry in await spool(store).entries()}
        assert kept_ids - going <= found
        assert not found & gone
        for id_ in found:
            content = await spool(store).content(id_)
            assert content is not None
            body = content.body.read_bytes() if isinstance(content.body, Path) else content.body
            assert body == (b"large %b" % id_[1:].encode() if id_[0] == "f" else b"small")
        files = os.listdir(spool(store).folder) if spool(store).folder.exists() else []
        assert set(files) == {id_ for id_ in found if id_[0] == "f"}
        await store.close()
        for file in (*spool_folder(path).glob("*"), *path.parent.glob("state.db*")):
            with suppress(IsADirectoryError):
                file.unlink()
        told.write_text("")
    assert kills > 10
