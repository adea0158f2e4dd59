"""Contents on the way to Redis and back: sound or none, and files only for as long as they are of use."""

import asyncio
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import redis
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store import redis_contents as redis_contents_module
from statusproxy.store.errors import StoreError
from statusproxy.store.redis_contents import Found, RedisContents
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_side_link import SideLink
from statusproxy.store.redis_spool_rows import write_entry
from statusproxy.store.spooled import Content, Moved, Removed

from .samples import a_body, an_entry, kept

LOG = logging.getLogger("statusproxy.store")
DATA = os.urandom(600_000)


@pytest.fixture
def client(client: "redis.Redis", names: Names) -> "redis.Redis":
    client.set(names.epoch, "e")
    return client


@pytest.fixture
async def side(place: Place) -> AsyncIterator[SideLink]:
    side = SideLink(place, 9)
    yield side
    await side.close()


@pytest.fixture
async def contents(place: Place, side: SideLink, tmp_path: Path) -> AsyncIterator[RedisContents]:
    contents = RedisContents(place, side, tmp_path / "journal", 9, LOG)
    await contents.open()
    yield contents
    await contents.close()


def put(client: "redis.Redis", names: Names, id_: str, body: bytes | None, **fields: Any) -> None:
    """An entry as it stands there; a large body is under a key of its own."""
    client.hset(names.spool, id_, write_entry(an_entry(id_, **fields)))
    client.hset(names.spool_contents, f"{id_}:h", b"head")
    if body is None:
        client.set(names.body(id_), DATA)
    else:
        client.hset(names.spool_contents, f"{id_}:b", body)


async def removed(contents: RedisContents) -> list[Path]:
    """The files in the directory, once those that are to be removed are."""
    if contents._removing:
        await asyncio.wait(contents._removing)
    assert not contents._removing, "what is done is not remembered"
    return sorted(contents.folder.iterdir())


def before_it_is_read(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something when a large body is asked for, just before the server answers."""
    ask = Link.ask

    async def asked(self: Link, *commands: Any) -> list[Any]:
        if commands[0][0] == "GETRANGE":
            action()
        return await ask(self, *commands)

    monkeypatch.setattr(Link, "ask", asked)


# The directory ---------------------------------------------------------------------------------------------


async def test_files_lie_in_a_directory_of_this_process_which_goes_at_the_end(
    place: Place, side: SideLink, tmp_path: Path
) -> None:
    contents = RedisContents(place, side, tmp_path, 9, LOG)
    assert contents.folder == tmp_path / "statusproxy-spool-none", "nothing is there before it is opened"
    await contents.open()
    body = a_body(contents.folder, b"x")
    assert contents.folder.parent == tmp_path
    contents.remove(body)
    await contents.close()
    assert os.listdir(tmp_path) == []
    await contents.close()


async def test_without_a_journal_it_lies_where_temporary_files_do(
    place: Place, side: SideLink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    contents = RedisContents(place, side, None, 9, LOG)
    await contents.open()
    assert contents.folder.parent == tmp_path
    await contents.close()


async def test_where_none_can_be_made_that_is_told_and_the_rest_works(
    place: Place, side: SideLink, names: Names, client: "redis.Redis", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    contents = RedisContents(place, side, tmp_path / "file", 9, LOG)
    await contents.open()
    assert f"state: no event with a large body can be kept: cannot be opened: {tmp_path}/file: File exists" in (
        caplog.text
    )
    put(client, names, "01", b"small")
    assert await contents.find("01") == Found(b"e", True, Content(b"head", b"small"))
    put(client, names, "02", None)
    with pytest.raises(StoreError, match=r"^cannot be opened: .*Not a directory; check that its directory exists"):
        await contents.find("02")
    await contents.close()


# There -----------------------------------------------------------------------------------------------------


async def test_large_bodies_of_new_entries_are_uploaded_and_nothing_else(
    contents: RedisContents, names: Names, client: "redis.Redis"
) -> None:
    body = a_body(contents.folder, DATA)
    await contents.stage(
        [kept("01", b"small"), kept("02", body), Moved(an_entry("03")), Removed("04"), kept("05", DATA)]
    )
    assert [client.get(names.upload(f"0{number}")) for number in range(1, 6)] == [None, DATA, None, None, DATA]
    assert contents.uploaded == {"02": len(DATA), "05": len(DATA)}
    assert body.exists(), "until its entry is written"


async def test_where_one_does_not_get_there_its_file_goes(
    contents: RedisContents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_body(contents.folder, DATA, "1"), a_body(contents.folder, DATA, "2")

    async def losing(self: Link, *commands: Any) -> list[Any]:
        raise redis.exceptions.ConnectionError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(Link, "ask", losing)
        with pytest.raises(StoreError, match=r"^no connection: .*cut"):
            await contents.stage([kept("01", first), kept("02", second)])
    assert await removed(contents) == []
    assert contents.uploaded == {}
    with pytest.raises(StoreError, match=rf"^cannot be opened: {contents.folder}/gone: No such file"):
        await contents.stage([kept("03", contents.folder / "gone")])


async def test_one_that_is_given_up_leaves_no_file(contents: RedisContents, monkeypatch: pytest.MonkeyPatch) -> None:
    body = a_body(contents.folder, DATA)
    asked = asyncio.Event()

    async def silent(self: Link, *commands: Any) -> list[Any]:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(Link, "ask", silent)
    staging = asyncio.ensure_future(contents.stage([kept("01", body)]))
    await asked.wait()
    staging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await staging
    assert await removed(contents) == []


async def test_a_body_that_takes_too_long_is_given_up(contents: RedisContents, monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(self: Link, *commands: Any) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(redis_contents_module, "_BODY_SECONDS", 0.01)
    monkeypatch.setattr(Link, "ask", silent)
    with pytest.raises(StoreError, match=r"^no answer: "):
        await contents.stage([kept("01", DATA)])


async def test_files_of_what_is_written_or_gone_are_removed(contents: RedisContents) -> None:
    bodies = [a_body(contents.folder, b"x", name) for name in "abc"]
    contents.uploaded |= {"01": 1, "02": 1, "03": 1}
    contents.discard([kept("01", bodies[0]), Removed("02", bodies[1]), kept("04", b"small"), Removed("05")])
    contents.discard([Moved(an_entry("03"))])
    assert await removed(contents) == [bodies[2]]
    assert contents.uploaded == {"03": 1}
    contents.discard([Removed("02", bodies[1])])  # it is gone already
    assert await removed(contents) == [bodies[2]]


# And back --------------------------------------------------------------------------------------------------


async def test_a_content_is_what_was_kept(contents: RedisContents, names: Names, client: "redis.Redis") -> None:
    put(client, names, "01", b"small", checksum=crc32(b"small"))
    put(client, names, "02", None, checksum=crc32(DATA))
    assert await contents.find("01") == Found(b"e", True, Content(b"head", b"small"))
    epoch, there, content = await contents.find("02")
    assert (epoch, there) == (b"e", True)
    assert content is not None
    assert content.head == b"head"
    assert isinstance(content.body, Path)
    assert content.body.parent == contents.folder
    assert content.body.read_bytes() == DATA
    contents.remove(content.body)
    contents.remove(b"small")
    assert await removed(contents) == []


async def test_an_entry_that_is_not_there_has_none(contents: RedisContents, client: "redis.Redis") -> None:
    assert await contents.find("01") == Found(b"e", False, None)
    assert (await contents.find("01")).epoch == b"e"


@pytest.mark.parametrize("body", [b"small", None])
async def test_a_content_whose_entry_is_gone_is_none(
    contents: RedisContents, names: Names, client: "redis.Redis", body: bytes | None
) -> None:
    put(client, names, "01", body)
    client.delete(names.spool)
    assert await contents.find("01") == Found(b"e", False, None)
    assert await removed(contents) == []


async def test_an_entry_whose_content_is_gone_is_there_without(
    contents: RedisContents, names: Names, client: "redis.Redis"
) -> None:
    put(client, names, "01", b"small")
    put(client, names, "02", None)
    client.delete(names.spool_contents, names.epoch)
    assert await contents.find("01") == Found(None, True, None)
    client.hset(names.spool_contents, "02:h", "head")
    client.delete(names.body("02"))
    assert await contents.find("02") == Found(None, True, None)


async def test_an_entry_that_goes_while_its_body_is_read_is_not_there(
    contents: RedisContents, names: Names, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, names, "01", None)
    before_it_is_read(monkeypatch, lambda: client.delete(names.spool, names.spool_contents, names.body("01")))
    assert await contents.find("01") == Found(b"e", False, None)
    assert await removed(contents) == []


@pytest.mark.parametrize("body", [b"small", None])
async def test_a_damaged_body_is_none_and_told(
    contents: RedisContents, names: Names, client: "redis.Redis", caplog: pytest.LogCaptureFixture, body: bytes | None
) -> None:
    put(client, names, "01", body, checksum=7)
    assert await contents.find("01") == Found(b"e", True, None)
    assert "state: the body of the spool's event 01 is damaged" in caplog.text
    assert await removed(contents) == []


async def test_a_row_that_is_another_kind_by_the_time_its_body_is_gone_is_told(
    contents: RedisContents, names: Names, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, names, "01", None)

    def replace() -> None:
        client.delete(names.body("01"), names.spool)
        client.set(names.spool, "foreign")

    before_it_is_read(monkeypatch, replace)
    with pytest.raises(StoreError, match="wrong kind"):
        await contents.find("01")


async def test_a_large_body_leaves_no_connection(
    contents: RedisContents, names: Names, client: "redis.Redis", links: list[Link]
) -> None:
    put(client, names, "01", None)
    await contents.find("none")  # the connection for short questions
    assert (await contents.find("01")).there
    await contents.stage([kept("02", DATA)])
    assert [one._connection.is_connected for one in links] == [True, False, False]


async def test_a_row_that_cannot_be_read_is_none(contents: RedisContents, names: Names, client: "redis.Redis") -> None:
    put(client, names, "01", b"small")
    client.hset(names.spool, "01", "{")
    assert await contents.find("01") == Found(b"e", True, None)


async def test_a_server_that_cannot_be_asked_is_told(
    contents: RedisContents, names: Names, client: "redis.Redis", side: SideLink
) -> None:
    client.set(names.spool_contents, "mine")
    with pytest.raises(StoreError, match=r"^cannot be written: redis at "):
        await contents.find("01")
    client.delete(names.spool_contents)
    client.hset(names.spool_contents, "01:h", "head")
    client.hset(names.spool, "01", write_entry(an_entry("01")))
    client.hset(names.body("01"), "a", "b")
    with pytest.raises(StoreError, match="wrong kind"):
        await contents.find("01")
    await side.close()
    with pytest.raises(StoreError, match=r"closed$"):
        await contents.find("01")
