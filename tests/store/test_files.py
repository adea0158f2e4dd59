"""Where the state lies, and who may read it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.store.files import COMPANIONS, create_private, file_size, make_directory, resolve, sync_directory


@pytest.fixture(params=[0o000, 0o022, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_relative_path_lies_in_systemds_state_directory() -> None:
    assert resolve("state.db", {"STATE_DIRECTORY": "/srv/example/a:/srv/example/b"}) == Path("/srv/example/a/state.db")


def test_a_relative_path_lies_in_the_working_directory_without_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("x/state.db", {}) == tmp_path / "x/state.db"


def test_an_absolute_path_stays() -> None:
    assert resolve("/srv/example/state.db", {"STATE_DIRECTORY": "/srv/other"}) == Path("/srv/example/state.db")


def test_a_link_leads_to_the_file_that_is_locked_and_opened(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert resolve(str(tmp_path / "link.db"), {}) == tmp_path / "real.db"


@pytest.mark.usefixtures("any_umask")
def test_new_directories_are_for_this_user_only(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    assert mode(tmp_path / "a") == 0o700
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_directory_that_is_there_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directory(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_file_in_the_directorys_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "a")


@pytest.mark.usefixtures("any_umask")
def test_a_new_file_is_for_this_user_only(path: Path) -> None:
    assert create_private(path)
    assert mode(path) == 0o600


def test_a_file_that_is_there_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    assert not create_private(path)
    assert path.read_text() == "mine"


def test_a_directory_made_by_another_meanwhile_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir

    def overtaken(directory: Path, mode: int) -> None:
        mkdir(directory, 0o750)
        mkdir(directory, mode)

    monkeypatch.setattr(Path, "mkdir", overtaken)
    make_directory(tmp_path / "a")
    assert mode(tmp_path / "a") == 0o750


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_directories_will_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: raise_(OSError(number, "")))
    sync_directory(path.parent)


def test_a_directory_that_could_not_be_synced_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: raise_(OSError(errno.EIO, "")))
    with pytest.raises(OSError, match="5"):
        sync_directory(path.parent)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was synced, in order."""
    names: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: names.append(Path(f"/proc/self/fd/{handle}").readlink().name))
    return names


def test_what_was_made_lasts_and_no_file_is_left_open(tmp_path: Path, synced: list[str]) -> None:
    before = os.listdir("/proc/self/fd")
    make_directory(tmp_path / "a" / "b")
    assert synced == [tmp_path.name, "a"]
    synced.clear()
    create_private(tmp_path / "a" / "file")
    assert synced == ["file", "a"]
    create_private(tmp_path / "a" / "file")
    assert synced == ["file", "a"]
    assert os.listdir("/proc/self/fd") == before


def test_only_a_directory_is_synced_as_one(path: Path) -> None:
    path.touch()
    with pytest.raises(NotADirectoryError):
        sync_directory(path)


def test_the_files_beside_a_database_are_those_that_sqlite_names() -> None:
    assert COMPANIONS == ("-wal", "-shm")


def raise_(error: Exception) -> None:
    raise error


def test_a_file_that_is_not_there_has_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"four")
    assert (file_size(tmp_path / "there"), file_size(tmp_path / "gone")) == (4, 0)
