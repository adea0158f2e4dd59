"""Large bodies on their way to the server and back: byte for byte, in flat memory, and nothing left where it fails."""

import asyncio
import errno
import gc
import os
import tracemalloc
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import redis
import redis.exceptions

from statusproxy.store.errors import StoreError
from statusproxy.store.redis_bodies import SMALL, BodyGoneError, download, is_large, upload
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.spooled import Body
from tests.proxy.open_files import open_below

DATA = os.urandom(700_001)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(DATA)
    return path


class Counting:
    """A link that notes which commands pass, and may fail at one of them."""

    def __init__(self, link: Link, fail_at: str = "") -> None:
        self.commands: list[str] = []
        self._link = link
        self._fail_at = fail_at

    async def ask(self, *commands: Any) -> list[Any]:
        self.commands += [command[0] for command in commands]
        if self.commands.count(self._fail_at) == 2:
            raise redis.exceptions.ConnectionError("cut")
        return await self._link.ask(*commands)


def test_what_is_more_than_one_command_carries_is_large() -> None:
    assert SMALL == 262_144
    assert [is_large(body) for body in (b"", b"x" * SMALL, b"x" * (SMALL + 1), Path("any"))] == [
        False, False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [bytes, Path])
async def test_a_body_is_on_the_server_byte_for_byte_until_it_expires(
    link: Link, names: Names, client: "redis.Redis", file: Path, kind: type
) -> None:
    counting = Counting(link)
    body: Body = file if kind is Path else DATA
    assert await upload(counting, names, "1", body) == len(DATA)
    assert client.get(names.upload("1")) == DATA
    assert 0 < client.ttl(names.upload("1")) <= 600
    assert counting.commands.count("APPEND") == 3, "in pieces of 256 KiB"


async def test_what_is_there_whole_is_not_brought_again(link: Link, names: Names, client: "redis.Redis") -> None:
    await upload(link, names, "1", DATA)
    client.expire(names.upload("1"), 5)
    counting = Counting(link)
    assert await upload(counting, names, "1", DATA) == len(DATA)
    assert "APPEND" not in counting.commands
    assert client.ttl(names.upload("1")) > 5
    client.rename(names.upload("1"), names.body("1"))
    assert await upload(counting, names, "1", DATA) == len(DATA)
    assert "APPEND" not in counting.commands, "a commit took it over, though its answer was lost"


@pytest.mark.parametrize("left", [b"", DATA[:300_000], DATA + b"more"])
async def test_what_an_earlier_attempt_left_in_part_is_begun_anew(
    link: Link, names: Names, client: "redis.Redis", left: bytes
) -> None:
    client.set(names.upload("1"), left)
    await upload(link, names, "1", DATA)
    assert client.get(names.upload("1")) == DATA


async def test_an_empty_body_is_a_body(link: Link, names: Names, client: "redis.Redis", tmp_path: Path) -> None:
    assert await upload(link, names, "1", b"") == 0
    found = await download(link, names.upload("1"), tmp_path)
    assert found is not None
    assert (found[0].read_bytes(), found[1]) == (b"", 0)


async def test_a_connection_that_is_lost_on_the_way_is_told(link: Link, names: Names, file: Path) -> None:
    with pytest.raises(redis.exceptions.ConnectionError, match="cut"):
        await upload(Counting(link, "APPEND"), names, "1", file)


async def test_a_body_that_expired_on_its_way_is_told(link: Link, names: Names, client: "redis.Redis") -> None:
    class Forgetting(Counting):
        async def ask(self, *commands: Any) -> list[Any]:
            if self.commands.count("APPEND") == 1:
                client.delete(names.upload("1"))
            return await super().ask(*commands)

    with pytest.raises(StoreError, match=r"^the body of the spool's event 1 did not stay on the server$"):
        await upload(Forgetting(link), names, "1", DATA)


async def test_a_file_that_is_cut_on_its_way_is_told(link: Link, names: Names, file: Path) -> None:
    class Cutting(Counting):
        async def ask(self, *commands: Any) -> list[Any]:
            if self.commands.count("APPEND") == 1:
                os.truncate(file, 300_000)
            return await super().ask(*commands)

    with pytest.raises(StoreError, match=r"^the body of the spool's event 1 changed on its way$"):
        await upload(Cutting(link), names, "1", file)


async def test_a_file_that_is_gone_or_a_link_is_told(link: Link, names: Names, tmp_path: Path, file: Path) -> None:
    with pytest.raises(BodyGoneError, match=f"^cannot be opened: {tmp_path}/nowhere: No such file or directory"):
        await upload(link, names, "1", tmp_path / "nowhere")
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(StoreError, match=f"^cannot be opened: {tmp_path}/link: Too many levels of symbolic"):
        await upload(link, names, "1", tmp_path / "link")


async def test_a_body_comes_back_in_a_file_for_this_user_only(
    link: Link, names: Names, client: "redis.Redis", tmp_path: Path
) -> None:
    client.set(names.body("1"), DATA)
    counting = Counting(link)
    found = await download(counting, names.body("1"), tmp_path)
    assert found is not None
    path, sum_ = found
    assert (path.parent, path.read_bytes(), sum_) == (tmp_path, DATA, crc32(DATA))
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_below(tmp_path) == []
    assert counting.commands.count("GETRANGE") == 3


async def test_what_is_not_there_makes_no_file(link: Link, names: Names, tmp_path: Path) -> None:
    assert await download(link, names.body("1"), tmp_path) is None
    assert os.listdir(tmp_path) == []


async def test_what_goes_on_the_way_leaves_no_file(
    link: Link, names: Names, client: "redis.Redis", tmp_path: Path
) -> None:
    class Forgetting(Counting):
        async def ask(self, *commands: Any) -> list[Any]:
            if self.commands.count("GETRANGE") == 1:
                client.delete(names.body("1"))
            return await super().ask(*commands)

    client.set(names.body("1"), DATA)
    assert await download(Forgetting(link), names.body("1"), tmp_path) is None
    client.set(names.body("1"), DATA)
    with pytest.raises(redis.exceptions.ConnectionError):
        await download(Counting(link, "GETRANGE"), names.body("1"), tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_folder_that_is_gone_is_told(link: Link, names: Names, client: "redis.Redis", tmp_path: Path) -> None:
    client.set(names.body("1"), DATA)
    with pytest.raises(BodyGoneError, match=f"^cannot be opened: {tmp_path}/nowhere: No such file or directory"):
        await download(link, names.body("1"), tmp_path / "nowhere")


async def test_a_disk_that_is_full_is_told_as_that(
    link: Link, names: Names, client: "redis.Redis", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.set(names.body("1"), DATA)
    write = os.write

    def full(file: int, data: Any) -> int:
        if len(data) < 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    # Files only: sockets are written with other calls.
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreError, match=rf"^disk full: {tmp_path}/out-\w+: No space left on device"):
        await download(link, names.body("1"), tmp_path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == []


async def test_a_kind_that_is_no_body_is_told(link: Link, names: Names, client: "redis.Redis", tmp_path: Path) -> None:
    for key in (names.body("1"), names.upload("1")):
        client.hset(key, "a", "b")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await download(link, names.body("1"), tmp_path)
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await upload(link, names, "1", DATA)


class Refusing(Counting):
    """A link to a server that refuses one command."""

    def __init__(self, link: Link, refused: str) -> None:
        super().__init__(link)
        self._refused = refused

    async def ask(self, *commands: Any) -> list[Any]:
        if commands[0][0] == self._refused:
            return [redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")]
        return await super().ask(*commands)


@pytest.mark.parametrize("command", ["SET", "APPEND"])
async def test_what_the_server_refuses_of_a_body_is_its_own_error(
    link: Link, names: Names, tmp_path: Path, file: Path, command: str
) -> None:
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        await upload(Refusing(link, command), names, "1", file)
    assert open_below(tmp_path) == []


async def test_what_the_server_does_not_give_is_its_own_error(
    link: Link, names: Names, client: "redis.Redis", tmp_path: Path
) -> None:
    client.set(names.body("1"), DATA)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        await download(Refusing(link, "GETRANGE"), names.body("1"), tmp_path)
    assert (os.listdir(tmp_path), open_below(tmp_path)) == ([], [])


async def test_a_file_that_was_removed_before_its_connection_was_cut_is_no_error_of_its_own(
    link: Link, names: Names, client: "redis.Redis", tmp_path: Path
) -> None:
    class Cut(Counting):
        async def ask(self, *commands: Any) -> list[Any]:
            for name in os.listdir(tmp_path):
                os.unlink(tmp_path / name)
            return await super().ask(*commands)

    client.set(names.body("1"), DATA)
    with pytest.raises(redis.exceptions.ConnectionError, match="cut"):
        await download(Cut(link, "GETRANGE"), names.body("1"), tmp_path)


@pytest.mark.slow
async def test_20_mb_go_there_and_back_in_flat_memory_while_others_go_on(
    link: Link, names: Names, tmp_path: Path
) -> None:
    size = 20_000_000
    file = tmp_path / "large"
    with file.open("wb") as out:
        out.truncate(size)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    gc.collect()
    tracemalloc.start()
    try:
        assert await upload(link, names, "1", file) == size
        found = await download(link, names.upload("1"), tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        beside.cancel()
    assert found is not None
    assert found[0].stat().st_size == size
    assert found[1] == crc32(b"\0" * size)
    assert peak < 5_000_000, "a few pieces of 256 KiB"
    assert turns > 154, "each of the pieces lets others go on"
