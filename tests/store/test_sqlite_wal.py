"""Whether a write-ahead log is damaged, and what can still be read of it."""

import os
import shutil
import struct
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from statusproxy.store import sqlite_wal
from statusproxy.store.database import Database, UnusableError
from statusproxy.store.sqlite_wal import Frame, Wal, read_wal

from . import raw_pages
from .damaged import PAGE, SESSIONS, flipped, noise, readable
from .raw_pages import SIZE, a_log, checksum
from .samples import NOW, overridden

# Read before a fixture gives each check all the time in the world.
CHECK_SECONDS = sqlite_wal._CHECK_SECONDS
HEADER, FRAME = 32, 24 + PAGE


@pytest.fixture
def wal(path: Path, tmp_path: Path) -> Path:
    """The log of a process that was killed: nothing of it is in the database file."""
    live = tmp_path / "live.db"
    database, _ = Database.open(live, NOW)
    for session in SESSIONS:
        database.write({session: overridden(session)}, [])
    for ending in ("", "-wal"):
        shutil.copyfile(f"{live}{ending}", f"{path}{ending}")
    database.close()
    return Path(f"{path}-wal")


def frames(wal: Path) -> int:
    return (wal.stat().st_size - HEADER) // FRAME


def spoil(wal: Path, start: int, length: int) -> None:
    data = bytearray(wal.read_bytes())
    data[start : start + length] = flipped(bytes(data[start : start + length]))
    wal.write_bytes(data)


def test_a_sound_log_is_read_to_its_last_commit(wal: Path) -> None:
    found = read_wal(wal)
    assert found is not None
    assert (len(found.frames), found.broken) == (frames(wal), None)
    assert all(frame.sound for frame in found.frames)


@pytest.mark.parametrize("start", [0, 4, 24])
@pytest.mark.parametrize("number", [1, 2, 60, 118])
@pytest.mark.slow
def test_a_damaged_frame_that_others_follow_is_told_and_costs_at_most_its_page(
    wal: Path, path: Path, number: int, start: int
) -> None:
    spoil(wal, HEADER + (number - 1) * FRAME + start, 24 if start < 24 else PAGE)
    found = read_wal(wal)
    assert found is not None
    assert found.broken == number
    with pytest.raises(UnusableError, match=f"its -wal is damaged from frame {number} on"):
        Database.open(path, NOW)
    # A page holds up to nine of these sessions, and every frame that is still sound was a commit.
    assert len(frozenset(SESSIONS) - readable(path).sessions) <= 9


@pytest.mark.slow
def test_with_its_header_damaged_every_session_is_still_read(wal: Path, path: Path) -> None:
    spoil(wal, 0, HEADER)
    with pytest.raises(UnusableError, match="damaged"):
        Database.open(path, NOW)
    assert readable(path).sessions == frozenset(SESSIONS)


def test_without_its_database_every_session_is_still_read(wal: Path, path: Path) -> None:
    path.unlink()
    assert readable(path).sessions == frozenset(SESSIONS)


@pytest.mark.slow
def test_a_torn_end_as_a_power_cut_leaves_it_is_no_damage(wal: Path, path: Path) -> None:
    spoil(wal, HEADER + (frames(wal) - 1) * FRAME + 24, PAGE)
    found = read_wal(wal)
    assert found is not None
    assert found.broken is None
    with wal.open("r+b") as file:
        file.truncate(HEADER + (frames(wal) - 1) * FRAME + 1000)
    found = read_wal(wal)
    assert found is not None
    assert found.broken is None
    assert all(frame.sound for frame in found.frames)


def test_frames_of_an_earlier_round_of_the_log_are_no_damage(wal: Path) -> None:
    data = bytearray(wal.read_bytes())
    places = [HEADER + number * FRAME for number in range(frames(wal))]
    for at in places[-5:]:
        data[at + 8 : at + 16] = b"\x11" * 8  # other salts
    wal.write_bytes(data)
    # How many frames a commit has depends on how large its rows are.
    committed = max(number for number, at in enumerate(places[:-5], 1) if data[at + 4 : at + 8] != bytes(4))
    found = read_wal(wal)
    assert found is not None
    assert (len(found.frames), found.broken) == (committed, None)


# Byte by byte ----------------------------------------------------------------------------------------------

PAGES = [Random(number).randbytes(SIZE) for number in range(6)]
STEP = raw_pages.FRAME + SIZE


def sound(*pages: int) -> list[Frame]:
    return [Frame(page, HEADER + at * STEP + raw_pages.FRAME, True) for at, page in enumerate(pages)]


def found_in(path: Path, log: bytes, page_size: int | None = SIZE) -> Wal | None:
    path.write_bytes(log)
    return read_wal(path, page_size)


def with_salts(log: bytes, *salts: tuple[int, int] | None) -> bytes:
    """The log with other salts in its first frames, and with a header that cannot be read."""
    changed = bytearray(log)
    changed[:4] = b"????"
    for number, each in enumerate(salts):
        if each is not None:
            at = HEADER + number * STEP + 8
            changed[at : at + 8] = struct.pack(">2I", *each)
    return bytes(changed)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("page_size", [None, SIZE, 4096])
def test_a_log_is_read_whole_up_to_its_last_commit(path: Path, big: bool, page_size: int | None) -> None:
    frames = [(3, 0, PAGES[0]), (1, 5, PAGES[1]), (3, 5, PAGES[2]), (4, 0, PAGES[3])]
    before = os.listdir("/proc/self/fd")
    assert found_in(path, a_log(frames, big=big), page_size) == Wal(SIZE, sound(3, 1, 3), None)
    assert found_in(path, a_log(frames[:1], big=big), page_size) is None
    assert found_in(path, a_log([], big=big), page_size) is None
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("size", [512, 1024, 65_536])
def test_pages_of_every_size_are_read(path: Path, size: int) -> None:
    log = a_log([(1, 1, Random(1).randbytes(size))], size=size)
    assert found_in(path, log) == Wal(size, [Frame(1, 56, True)], None)
    assert found_in(path, log[:-40]) is None


@pytest.mark.parametrize("size", [0, 256, 520, 131_072])
def test_a_size_that_no_page_has_makes_the_header_one_that_cannot_be_read(path: Path, size: int) -> None:
    log = bytearray(a_log([(1, 1, PAGES[0])]))
    log[8:12] = struct.pack(">I", size)
    log[24:32] = struct.pack(">2I", *checksum(bytes(log[:24]), (0, 0), "<"))
    assert found_in(path, bytes(log)) == Wal(SIZE, [Frame(1, 56, False)], 1)


def test_a_header_whose_checksum_is_wrong_cannot_be_read(path: Path) -> None:
    log = bytearray(a_log([(1, 1, PAGES[0]), (2, 2, PAGES[1])]))
    log[12] ^= 1
    first, second = sound(1, 2)
    assert found_in(path, bytes(log)) == Wal(SIZE, [first._replace(sound=False), second], 1)


def test_a_page_that_is_damaged_is_told_once_others_follow(path: Path) -> None:
    log = bytearray(a_log([(number + 1, 5, PAGES[number]) for number in range(4)]))
    log[HEADER + STEP + 100] ^= 1
    frames = sound(1, 2, 3, 4)
    frames[1] = frames[1]._replace(sound=False)
    assert found_in(path, bytes(log)) == Wal(SIZE, frames, 2)
    assert found_in(path, bytes(log[: HEADER + 2 * STEP])) == Wal(SIZE, frames[:1], None)
    log[HEADER + 3 * STEP + 100] ^= 1
    assert found_in(path, bytes(log)) == Wal(SIZE, frames[:3], 2)


@pytest.mark.parametrize("at", [0, 8])
def test_a_frame_whose_head_is_damaged_leaves_the_next_one_unknown(path: Path, at: int) -> None:
    log = bytearray(a_log([(number + 1, 5, PAGES[number]) for number in range(4)]))
    log[HEADER + STEP + at : HEADER + STEP + at + 4] = bytes(4)
    first, _, third, fourth = sound(1, 2, 3, 4)
    assert found_in(path, bytes(log)) == Wal(SIZE, [first, third._replace(sound=False), fourth], 2)


@pytest.mark.parametrize(("salts", "read"), [
    ([None], [1]), ([None, None], [1, 2]), ([(1, 0), (1, 0)], [1, 2]), ([(0, 1), (0, 1)], [1, 2]),
    ([(1, 1), (2, 2), (2, 2)], [2, 3]), ([(1, 1), (2, 2), (1, 1)], [1, 3]),
    ([(1, 1), (2, 2), (3, 3)], []), ([(1, 1), (2, 2), (3, 3), (1, 1)], []), ([(0, 0), (0, 0)], []),
    ([(0, 0), (1, 1)], [2]), ([(1, 1), (2, 2)], []),
])  # fmt: skip
def test_without_a_header_the_salts_are_those_that_the_first_frames_share(
    path: Path, salts: list[tuple[int, int] | None], read: list[int]
) -> None:
    log = a_log([(number + 1, 5, PAGES[number]) for number in range(len(salts))])
    found = found_in(path, with_salts(log, *salts))
    assert [frame.page for frame in (found.frames if found else [])] == read


def test_a_frame_without_a_page_names_no_salts(path: Path) -> None:
    log = a_log([(0, 5, PAGES[0]), (2, 5, PAGES[1])])
    found = found_in(path, with_salts(log, (1, 1), (2, 2)))
    assert found is not None
    assert [frame.page for frame in found.frames] == [2]


@pytest.mark.parametrize("missing", [1, 8, 63])
def test_a_last_frame_that_lacks_some_bytes_counts_for_nothing(path: Path, missing: int) -> None:
    log = a_log([(1, 5, PAGES[0]), (2, 5, PAGES[1])])[:-missing]
    assert found_in(path, log) == Wal(SIZE, sound(1), None)
    assert found_in(path, with_salts(log, (1, 1), (2, 2))) == Wal(SIZE, [Frame(1, 56, False)], 1)


def test_what_comes_after_the_time_for_checking_is_taken_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 10.5, 11.0, 11.001, 11.002])
    monkeypatch.setattr(sqlite_wal, "_CHECK_SECONDS", CHECK_SECONDS)
    monkeypatch.setattr(sqlite_wal, "time", SimpleNamespace(monotonic=lambda: next(times)))
    log = bytearray(a_log([(number + 1, 5, PAGES[number]) for number in range(4)]))
    for number in (1, 2):
        log[HEADER + number * STEP + 100] ^= 1
    frames = sound(1, 2, 3, 4)
    frames[1] = frames[1]._replace(sound=False)
    assert found_in(path, bytes(log)) == Wal(SIZE, frames, 2)


def test_a_log_shorter_than_its_header_is_none(path: Path) -> None:
    assert found_in(path, a_log([(1, 1, PAGES[0])])[:31]) is None


def test_an_empty_or_absent_log_is_none(path: Path) -> None:
    wal = Path(f"{path}-wal")
    assert read_wal(wal) is None
    for content in (b"", b"\0" * 100, noise(bytes(20))):
        wal.write_bytes(content)
        assert read_wal(wal) is None


def test_a_log_of_zeros_is_none(path: Path) -> None:
    Path(f"{path}-wal").write_bytes(bytes(HEADER + 4 * FRAME))
    assert read_wal(Path(f"{path}-wal")) is None


def test_a_huge_log_is_checked_for_a_bounded_time(wal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_wal, "_CHECK_SECONDS", -1)
    spoil(wal, HEADER + 24, PAGE)
    found = read_wal(wal)
    assert found is not None
    assert found.frames[0] == Frame(found.frames[0].page, HEADER + 24, sound=True)
