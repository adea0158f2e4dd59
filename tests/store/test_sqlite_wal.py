"""Whether a write-ahead log is damaged, and what can still be read of it."""

import shutil
from pathlib import Path

import pytest

from statusproxy.store import sqlite_wal
from statusproxy.store.database import Database, UnusableError
from statusproxy.store.sqlite_wal import Frame, read_wal

from .damaged import PAGE, SESSIONS, flipped, noise, readable
from .samples import NOW, overridden

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
@pytest.mark.parametrize("number", range(1, 120, 9))
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


def test_with_its_header_damaged_every_session_is_still_read(wal: Path, path: Path) -> None:
    spoil(wal, 0, HEADER)
    with pytest.raises(UnusableError, match="damaged"):
        Database.open(path, NOW)
    assert readable(path).sessions == frozenset(SESSIONS)


def test_without_its_database_every_session_is_still_read(wal: Path, path: Path) -> None:
    path.unlink()
    assert readable(path).sessions == frozenset(SESSIONS)


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
