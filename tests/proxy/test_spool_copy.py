"""The copy of a body for the spool: whole, in memory or in a file, and gone when no one took it."""

import asyncio
import errno
import logging
import os
import stat
import tempfile
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zlib import crc32

import pytest

from statusproxy.proxy import spool_copy
from statusproxy.proxy.copy_room import NEEDED, CopyRoom
from statusproxy.proxy.spool_copy import IN_MEMORY, SpoolCopy
from tests.proxy.fake_spool import FakeSpool
from tests.proxy.harness import PATIENCE, until
from tests.proxy.open_files import open_below


@pytest.fixture
def spool(tmp_path: Path) -> FakeSpool:
    """An empty spool."""
    return FakeSpool(tmp_path)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """The threads that write."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture
async def room(threads: ThreadPoolExecutor) -> AsyncIterator[CopyRoom]:
    """What the copies of a test have on disk: nothing once they are closed, whatever became of them."""
    room = CopyRoom()
    yield room
    threads.shutdown()
    for _ in range(10):  # the results of the threads are told to the loop in its next turns
        await asyncio.sleep(0)
    assert (room.spooled, room.needed) == (0, 0)


class SlowWrite:
    """The next writes wait in their thread until `go_on` is set, and fail then where an error is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError | None = None) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        append = spool_copy._append

        def slow(opened: tuple[int, Path] | None, folder: Path, pieces: list[bytes]) -> tuple[int, Path]:
            self.begun.set()
            self.go_on.wait(PATIENCE)
            if error is not None:
                raise error
            return append(opened, folder, pieces)

        monkeypatch.setattr(spool_copy, "_append", slow)

    async def cut_off(self, copy: SpoolCopy) -> None:
        """Cancel who waits for the copy, while a write waits."""
        waiting = asyncio.ensure_future(copy.content())
        await until(self.begun.is_set)
        waiting.cancel()
        await asyncio.wait([waiting])

    async def end(self, copy: SpoolCopy) -> None:
        """Let the write go on to its end."""
        self.go_on.set()
        assert copy._writing is not None
        await asyncio.wait([copy._writing])


async def feed(copy: SpoolCopy, *pieces: bytes) -> None:
    """Give the copy its pieces as `Upload` does."""
    for piece in pieces:
        copy.feed(piece)
        work = copy.catch_up()
        if work is not None:
            await work


async def test_one_piece_is_held_and_not_copied(spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom) -> None:
    copy, piece = SpoolCopy(spool, threads, room), bytes(IN_MEMORY)
    await feed(copy, piece)
    assert await copy.content() is piece
    assert (copy.size, spool.files) == (IN_MEMORY, [])


async def test_some_pieces_are_joined_once(spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, b"a", b"b", b"c")
    content = await copy.content()
    assert content == b"abc"
    assert await copy.content() is content


async def test_an_empty_body_is_empty(spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom) -> None:
    assert await SpoolCopy(spool, threads, room).content() == b""


async def test_a_large_body_goes_to_a_file_for_this_user_only(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    copy = SpoolCopy(spool, threads, room)
    pieces = [os.urandom(100_000) for _ in range(10)]
    await feed(copy, *pieces)
    path = await copy.content()
    assert isinstance(path, Path)
    assert spool.files == [path]
    assert path.read_bytes() == b"".join(pieces)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    copy.hand_over()
    copy.close()
    await asyncio.wrap_future(threads.submit(int))
    assert path.exists(), "it is another's now"


async def test_what_came_in_one_large_piece_is_written_at_the_end(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    copy, body = SpoolCopy(spool, threads, room), os.urandom(IN_MEMORY + 1)
    copy.feed(body)
    path = await copy.content()
    assert isinstance(path, Path)
    assert path.read_bytes() == body
    copy.close()
    await until(lambda: not spool.files)


async def test_memory_stays_flat(spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom) -> None:
    copy = SpoolCopy(spool, threads, room)
    tracemalloc.start()
    try:
        for number in range(160):
            await feed(copy, bytes([number]) * 65_536)
        assert tracemalloc.get_traced_memory()[1] < 2 * IN_MEMORY + 65_536
    finally:
        tracemalloc.stop()
    path = await copy.content()
    assert isinstance(path, Path)
    assert path.stat().st_size == 160 * 65_536
    copy.close()


async def test_nothing_stays_of_a_copy_that_is_closed(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    copy.close()
    await until(lambda: not spool.files)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert (await copy.content(), copy.failure, spool.files) == (None, "closed", [])


async def test_what_is_closed_where_no_thread_is_left_is_removed_all_the_same(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    threads.shutdown()
    copy.close()
    assert spool.files == []


@pytest.mark.parametrize("large", [1, 2])
async def test_a_copy_closed_while_it_is_written_is_removed_once_that_is_done(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    """The thread must not write to a descriptor that is closed, or another's by then."""
    copy = SpoolCopy(spool, threads, room)
    for _ in range(large - 1):
        await feed(copy, bytes(IN_MEMORY + 1))
    begun, go_on, discarded = threading.Event(), threading.Event(), threading.Event()
    append, discard = spool_copy._append, spool_copy._discard

    def slow(opened: tuple[int, Path] | None, folder: Path, pieces: list[bytes]) -> tuple[int, Path]:
        begun.set()
        go_on.wait()
        return append(opened, folder, pieces)

    def removed(file: int, path: Path | None) -> None:
        assert go_on.is_set()
        discard(file, path)
        discarded.set()

    monkeypatch.setattr(spool_copy, "_append", slow)
    monkeypatch.setattr(spool_copy, "_discard", removed)
    writing = asyncio.ensure_future(feed(copy, bytes(IN_MEMORY + 1)))
    await until(begun.is_set)
    writing.cancel()
    await asyncio.wait([writing])
    copy.close()
    go_on.set()
    await until(discarded.is_set)
    assert spool.files == []


async def test_a_body_for_which_there_is_no_room_is_not_written(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    spool.room = 2 * IN_MEMORY
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY), bytes(IN_MEMORY))
    assert len(spool.files) == 1
    await feed(copy, b"x")
    assert (copy.failure, await copy.content()) == ("no-room", None)
    await until(lambda: not spool.files)


async def test_a_length_for_which_there_is_no_room_is_not_even_begun(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    spool.room = 2 * IN_MEMORY
    copy = SpoolCopy(spool, threads, room, expected=2 * IN_MEMORY + 1)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert (copy.failure, spool.files) == ("no-room", [])


async def test_a_body_that_is_to_be_sent_from_the_copy_needs_no_room(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    spool.room = 0
    copy = SpoolCopy(spool, threads, room, expected=NEEDED, needed=True)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert isinstance(await copy.content(), Path)
    copy.close()
    copy = SpoolCopy(spool, threads, room, expected=NEEDED + 1, needed=True)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert copy.failure == "no-room"


async def test_copies_under_way_count_towards_the_room_of_the_spool(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    """Whose they are is known at their last byte only: those of senders that prove nothing must not fill the disk."""
    spool.room = 5 * IN_MEMORY
    copies = [SpoolCopy(spool, threads, room) for _ in range(4)]
    for copy in copies:
        await feed(copy, bytes(2 * IN_MEMORY))
    assert [copy.failure for copy in copies] == [None, None, "no-room", "no-room"]
    assert sum(file.stat().st_size for file in spool.files) == 4 * IN_MEMORY
    for copy in copies:
        copy.close()
    await until(lambda: room.spooled == 0)
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(5 * IN_MEMORY))
    assert copy.failure is None
    copy.close()


async def test_bodies_that_are_sent_from_their_copies_are_bounded_together(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    spool.room = 0
    room.needed = NEEDED - 3 * IN_MEMORY
    copies = [SpoolCopy(spool, threads, room, needed=True) for _ in range(3)]
    for copy in copies:
        await feed(copy, bytes(2 * IN_MEMORY))
    failures = [copy.failure for copy in copies]
    for copy in copies:
        copy.close()
    room.needed -= NEEDED - 3 * IN_MEMORY
    assert failures == [None, "no-room", "no-room"]


async def test_a_copy_counts_until_its_file_is_gone(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, discard = threading.Event(), spool_copy._discard

    def late(file: int, path: Path | None) -> None:
        go_on.wait()
        discard(file, path)

    monkeypatch.setattr(spool_copy, "_discard", late)
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    copy.close()
    copy.close()
    counted = room.spooled
    go_on.set()
    assert counted == IN_MEMORY + 1
    await until(lambda: (room.spooled, spool.files) == (0, []))


async def test_a_copy_that_is_handed_over_counts_no_more(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    copy.hand_over()
    assert room.spooled == 0
    copy.close()


async def test_a_file_that_was_made_for_a_cancelled_request_is_removed(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is closed some time after the cancellation: the first write may have ended in between."""
    begun, go_on, append = threading.Event(), threading.Event(), spool_copy._append

    def slow(opened: tuple[int, Path] | None, folder: Path, pieces: list[bytes]) -> tuple[int, Path]:
        begun.set()
        go_on.wait()
        return append(opened, folder, pieces)

    monkeypatch.setattr(spool_copy, "_append", slow)
    copy = SpoolCopy(spool, threads, room)
    writing = asyncio.ensure_future(feed(copy, bytes(IN_MEMORY + 1)))
    await until(begun.is_set)
    writing.cancel()
    await asyncio.wait([writing])
    go_on.set()
    assert copy._writing is not None
    await asyncio.wait([copy._writing])
    assert len(spool.files) == 1
    copy.close()
    await until(lambda: spool.files == [])


@pytest.mark.parametrize("written", [0, 1])
async def test_a_full_disk_costs_the_copy_only(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, written: int,
) -> None:  # fmt: skip
    copy = SpoolCopy(spool, threads, room)
    for _ in range(written):
        await feed(copy, bytes(IN_MEMORY + 1))

    def full(_file: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    await feed(copy, bytes(IN_MEMORY + 1), b"more")
    assert (copy.failure, await copy.content()) == ("disk", None)
    await until(lambda: not spool.files)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "an event cannot be copied for the spool: No space left on device")
    ]


async def test_the_folder_is_made_for_the_first_large_body_and_its_name_lasts(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")))
    spool.folder.rmdir()
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY))
    assert not spool.folder.exists()
    await feed(copy, b"more")
    assert (spool.folder.stat().st_mode & 0o777, len(spool.files)) == (0o700, 1)
    assert synced == [str(spool.folder.parent)]
    copy.close()


async def test_a_folder_that_cannot_be_made_costs_the_copy_only(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom
) -> None:
    spool.folder.rmdir()
    spool.folder = spool.folder / "nowhere" / "spool"
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert copy.failure == "disk"
    copy.close()


async def test_a_file_that_cannot_be_removed_costs_nothing(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    tried = threading.Event()

    def refuse(_path: Path, **_: bool) -> None:
        tried.set()
        raise PermissionError

    monkeypatch.setattr(Path, "unlink", refuse)
    copy.close()
    await until(tried.is_set)


@pytest.mark.parametrize(
    "pieces", [[b""], [b"one"], [b"a", b"b"], [os.urandom(IN_MEMORY), b"more", os.urandom(70_000)]]
)
async def test_the_checksum_is_that_of_the_whole_body(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, pieces: list[bytes]
) -> None:
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, *pieces)
    await copy.content()
    assert copy.checksum == crc32(b"".join(pieces))
    copy.close()


@pytest.mark.parametrize("before", [0, IN_MEMORY + 1])
@pytest.mark.parametrize("written", [True, False])
async def test_a_copy_is_whole_also_where_who_had_it_written_was_cancelled(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch, before: int,
    written: bool,
) -> None:  # fmt: skip
    """A stop cuts off a request that waits for the disk, and keeps its event."""
    copy, body = SpoolCopy(spool, threads, room), os.urandom(before + IN_MEMORY + 1)
    await feed(copy, body[:before])
    write = SlowWrite(monkeypatch)
    copy.feed(body[before:])
    await write.cut_off(copy)
    if written:
        await write.end(copy)
    second = asyncio.ensure_future(copy.content())
    await asyncio.sleep(0)
    assert written or not second.done()
    write.go_on.set()
    path = await second
    assert isinstance(path, Path)
    assert path.read_bytes() == body
    copy.close()
    await until(lambda: not spool.files)


async def test_a_write_that_fails_after_its_waiter_was_cancelled_costs_the_copy(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.folder.rmdir()
    spool.folder = spool.folder / "nowhere" / "spool"
    write, copy = SlowWrite(monkeypatch), SpoolCopy(spool, threads, room)
    copy.feed(bytes(IN_MEMORY + 1))
    await write.cut_off(copy)
    write.go_on.set()
    assert (await copy.content(), copy.failure) == (None, "disk")


async def test_a_later_write_that_fails_after_its_waiter_was_cancelled_costs_the_copy_too(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before it is no whole copy."""
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    write = SlowWrite(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    copy.feed(b"the end")
    await write.cut_off(copy)
    await write.end(copy)
    assert (await copy.content(), copy.failure) == (None, "disk")
    await until(lambda: not spool.files)


async def test_a_copy_closed_twice_closes_its_file_once(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The number of a file that was closed may be another's by then."""
    closed: list[int] = []
    discard = spool_copy._discard

    def noted(file: int, path: Path | None) -> None:
        closed.append(file)
        discard(file, path)

    monkeypatch.setattr(spool_copy, "_discard", noted)
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    copy.close()
    copy.close()
    threads.shutdown()
    await until(lambda: room.spooled == 0)
    assert (len(closed), spool.files, caplog.messages) == (1, [], [])


async def test_that_a_copy_cannot_be_removed_is_told(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    discard = spool_copy._discard

    def fail(file: int, path: Path | None) -> None:
        discard(file, path)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(spool_copy, "_discard", fail)
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    copy.close()
    await until(lambda: room.spooled == 0)
    assert caplog.messages == ["a copy for the spool cannot be removed: [Errno 5] Input/output error"]


@pytest.mark.parametrize("expected", [0, 3 * IN_MEMORY])
async def test_a_body_takes_as_much_room_as_it_has_bytes_however_often_it_is_written(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, expected: int
) -> None:
    spool.room = 3 * IN_MEMORY
    copy = SpoolCopy(spool, threads, room, expected=expected)
    await feed(copy, *[bytes(IN_MEMORY)] * 3)
    assert (copy.failure, room.spooled) == (None, 3 * IN_MEMORY)
    copy.close()


async def test_a_folder_that_someone_else_makes_meanwhile_is_used(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two large bodies may be the first at the same moment."""
    make = tempfile.mkstemp
    spool.folder.rmdir()

    def missing(*, prefix: str, dir: Path) -> tuple[int, str]:  # noqa: A002 - the name that the module uses
        if not spool.folder.exists():
            spool.folder.mkdir(0o700)
            raise FileNotFoundError
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkstemp", missing)
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert (copy.failure, len(spool.files)) == (None, 1)
    copy.close()


@pytest.mark.parametrize("end", ["closed", "handed over", "cannot be written"])
async def test_nothing_stays_open_of_a_copy(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    def full(_file: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    spool.folder.rmdir()
    copy = SpoolCopy(spool, threads, room)
    if end == "cannot be written":
        monkeypatch.setattr(os, "write", full)
    await feed(copy, bytes(IN_MEMORY + 1))
    if end == "handed over":
        copy.hand_over()
    copy.close()
    threads.shutdown()
    assert open_below(spool.folder.parent) == []


async def test_where_no_thread_can_be_started_there_is_no_copy(
    spool: FakeSpool, threads: ThreadPoolExecutor, room: CopyRoom, caplog: pytest.LogCaptureFixture
) -> None:
    threads.shutdown()
    copy = SpoolCopy(spool, threads, room)
    await feed(copy, bytes(IN_MEMORY + 1))
    assert (copy.failure, await copy.content(), room.spooled) == ("disk", None, 0)
    (message,) = caplog.messages
    assert message.startswith("an event cannot be copied for the spool: ")
