"""The files of large bodies: in their place before the commit, gone after it."""

import os
from pathlib import Path
from zlib import crc32

import pytest

from statusproxy.store.spool_files import SpoolFiles, checksum_of, spool_folder
from statusproxy.store.spooled import Moved, Removed, SpoolOp

from .samples import a_body, an_entry, kept


@pytest.fixture
def files(path: Path) -> SpoolFiles:
    files = SpoolFiles(spool_folder(path))
    files.folder.mkdir(0o700)
    return files


def left(files: SpoolFiles) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in files.folder.iterdir()}


def test_they_lie_beside_the_state(files: SpoolFiles, path: Path) -> None:
    assert files.folder == path.parent / "state.db.spool"


def test_without_a_folder_there_is_nothing_to_sweep_or_remove(files: SpoolFiles) -> None:
    files.folder.rmdir()
    assert files.sweep([]) == 0
    files.remove([Removed("a")])
    assert files.file("a") is None
    assert not files.folder.exists()


def test_a_body_is_moved_to_its_place_once_synced_and_moving_it_again_does_no_harm(
    files: SpoolFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = a_body(files.folder, b"large")
    part.chmod(0o644)
    synced: list[str] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    ops: list[SpoolOp] = [kept("a", part), kept("small"), Moved(an_entry("b")), Removed("c")]
    assert files.keep(ops) == []
    assert synced == ["part", "state.db.spool"]
    assert files.keep(ops) == []
    assert left(files) == {"a": b"large"}
    assert files.file("a") == files.folder / "a"
    assert files.folder.joinpath("a").stat().st_mode & 0o777 == 0o600
    assert files.file("b") is None


def test_small_bodies_cost_no_look_at_the_disk(path: Path) -> None:
    assert SpoolFiles(spool_folder(path)).keep([kept("a")]) == []


def test_the_ids_of_bodies_that_are_gone_are_told(files: SpoolFiles) -> None:
    part = a_body(files.folder, b"large")
    assert files.keep([kept("a", files.folder / "no"), kept("b", part)]) == ["a"]
    assert left(files) == {"b": b"large"}


def test_a_link_in_a_bodys_place_is_not_followed(files: SpoolFiles, path: Path) -> None:
    precious = path.with_name("precious")
    precious.write_bytes(b"precious")
    precious.chmod(0o644)
    (files.folder / "part").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic"):
        files.keep([kept("a", files.folder / "part")])
    assert precious.stat().st_mode & 0o777 == 0o644
    assert os.listdir(files.folder) == ["part"]


def test_a_removed_entrys_files_go_wherever_they_are(files: SpoolFiles) -> None:
    for name in ("a", "b", "part", "c"):
        a_body(files.folder, b"", name)
    files.remove([Removed("a"), Removed("b", files.folder / "part"), Removed("none"), Moved(an_entry("c"))])
    assert left(files) == {"c": b""}


def test_one_that_cannot_be_removed_keeps_no_other(files: SpoolFiles) -> None:
    files.folder.joinpath("a").mkdir()
    a_body(files.folder, b"", "b")
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        files.remove([Removed("a"), Removed("b")])
    assert [file.name for file in files.folder.iterdir()] == ["a"]


def test_what_belongs_to_no_entry_is_swept_away_and_directories_stay(files: SpoolFiles) -> None:
    for name in ("a", "b", "part"):
        a_body(files.folder, b"", name)
    files.folder.joinpath("folder").mkdir()
    assert files.sweep({"a", "x"}) == 2
    assert sorted(os.listdir(files.folder)) == ["a", "folder"]


def test_a_link_to_a_directory_is_swept_away_and_what_it_leads_to_stays(files: SpoolFiles, path: Path) -> None:
    folder = path.with_name("folder")
    a_body(folder, b"mine", "file")
    (files.folder / "link").symlink_to(folder)
    assert files.sweep([]) == 1
    assert os.listdir(files.folder) == []
    assert (folder / "file").read_bytes() == b"mine"


def test_they_go_with_a_state_that_is_set_aside(files: SpoolFiles, path: Path) -> None:
    a_body(files.folder, b"large", "a")
    aside = path.with_name("state.db.aside")
    files.set_aside(aside)
    files.set_aside(aside)
    assert (spool_folder(aside) / "a").read_bytes() == b"large"
    assert not files.folder.exists()


def test_the_checksum_of_a_file_is_that_of_its_bytes(path: Path) -> None:
    data = os.urandom(600_000)
    path.write_bytes(data)
    assert checksum_of(path) == checksum_of(data) == crc32(data)
    path.write_bytes(data[:-1])
    assert checksum_of(path) != crc32(data)
