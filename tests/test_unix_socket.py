"""A Unix socket has the mode that was asked for, is never wider, and replaces only what a dead process left."""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from statusproxy import unix_socket

#: One that other users can run, unlike a virtual environment in someone's home.
PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")

MODES = [0o666, 0o660, 0o600, 0o777]
UMASKS = [0o000, 0o022, 0o077, 0o777]


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", UMASKS)
@pytest.mark.parametrize("mode", MODES)
def test_the_mode_is_what_was_asked_for_whatever_the_umask(tmp_path: Path, mode: int, mask: int) -> None:
    path = tmp_path / "a.sock"
    with umask(mask), unix_socket.listen(path, mode, 1):
        assert mode_of(path) == mode


@pytest.mark.parametrize("mask", UMASKS)
@pytest.mark.parametrize("mode", MODES)
def test_the_mode_is_at_no_moment_wider_than_asked_for(
    tmp_path: Path, mode: int, mask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sock"
    seen: list[int] = []
    change = os.chmod

    def look_first(where: Path, to: int) -> None:
        seen.append(mode_of(path))
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(str(path))  # no one can use it yet
        change(where, to)

    monkeypatch.setattr(os, "chmod", look_first)
    with umask(mask), unix_socket.listen(path, mode, 1):
        pass
    assert seen == [mode & ~mask]


def test_the_umask_of_the_process_is_left_alone(tmp_path: Path) -> None:
    with umask(0o027), unix_socket.listen(tmp_path / "a.sock", 0o666, 1):
        (tmp_path / "file").touch()
        assert mode_of(tmp_path / "file") == 0o640


def test_a_socket_that_a_dead_process_left_is_replaced_and_gets_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    os.chmod(path, 0o600)
    with unix_socket.listen(path, 0o666, 1):
        assert mode_of(path) == 0o666
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_socket_is_nobody_elses_as_soon_as_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with unix_socket.listen(path, 0o666, 1), pytest.raises(OSError, match="Address already in use"):
        unix_socket.listen(path, 0o666, 1)


def test_a_socket_that_somebody_serves_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen()
        with pytest.raises(OSError, match="Address already in use"):
            unix_socket.listen(path, 0o666, 1)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="not a socket"):
        unix_socket.listen(path, 0o666, 1)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("removed", [False, True])
def test_a_socket_whose_mode_cannot_be_set_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: bool
) -> None:
    """Nor does it matter when someone else has removed it by then."""
    made: list[socket.socket] = []

    class Noted(socket.socket):
        def bind(self, address: Any) -> None:
            made.append(self)
            super().bind(address)

    def refuse(path: Path, _: int) -> None:
        if removed:
            path.unlink()
        raise PermissionError

    monkeypatch.setattr(socket, "socket", Noted)
    monkeypatch.setattr(os, "chmod", refuse)
    with pytest.raises(PermissionError):
        unix_socket.listen(tmp_path / "a.sock", 0o666, 1)
    assert list(tmp_path.iterdir()) == []
    assert [sock.fileno() for sock in made] == [-1]


@pytest.mark.skipif(os.geteuid() != 0 or PYTHON is None, reason="only root can become another user")
@pytest.mark.parametrize(("mode", "connects"), [(0o666, True), (0o660, False), (unix_socket.PRIVATE, False)])
def test_another_user_can_connect_only_where_the_mode_says_so(mode: int, connects: bool) -> None:
    assert PYTHON is not None
    client = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    with tempfile.TemporaryDirectory() as folder, umask(0o022):  # pytest's own folders are closed to others
        os.chmod(folder, 0o755)
        path = Path(folder, "a.sock")
        with unix_socket.listen(path, mode, 1):
            tried = subprocess.run(
                [PYTHON, "-IS", "-c", client, str(path)],
                user=65534, group=65534, extra_groups=[], check=False, capture_output=True,
            )  # fmt: skip
    assert (tried.returncode == 0) is connects
    assert connects or b"PermissionError" in tried.stderr


def test_a_path_that_cannot_be_bound_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        unix_socket.listen(tmp_path / "no such folder" / "a.sock", 0o666, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have the probe of an existing socket do this in place of connecting; it must have a second to do it."""

    class Probe(socket.socket):
        probed: Callable[[], None]

        def connect(self, _: object) -> None:
            assert self.gettimeout() == 1.0
            type(self).probed()

    def do(probed: Callable[[], None]) -> None:
        Probe.probed = staticmethod(probed)
        monkeypatch.setattr(socket, "socket", Probe)

    return do


def test_a_socket_whose_owner_is_too_busy_to_answer_stays(
    tmp_path: Path, probe: Callable[[Callable[[], None]], None]
) -> None:
    def never() -> None:
        raise TimeoutError

    path = tmp_path / "a.sock"
    with unix_socket.listen(path, 0o666, 1):
        probe(never)
        with pytest.raises(OSError, match="Address already in use"):
            unix_socket.listen(path, 0o666, 1)
        assert path.exists()


def test_a_socket_that_comes_back_while_it_is_looked_at_stays(
    tmp_path: Path, probe: Callable[[Callable[[], None]], None]
) -> None:
    def away() -> None:
        raise FileNotFoundError

    path = tmp_path / "a.sock"
    with unix_socket.listen(path, 0o666, 1):
        probe(away)
        with pytest.raises(OSError, match="Address already in use"):
            unix_socket.listen(path, 0o666, 1)  # bind(2) has the last word
        assert path.exists()


def test_a_dead_socket_that_somebody_else_removes_is_replaced_as_well(
    tmp_path: Path, probe: Callable[[Callable[[], None]], None]
) -> None:
    def removed() -> None:
        path.unlink()
        raise ConnectionRefusedError

    path = tmp_path / "a.sock"
    with unix_socket.listen(path, 0o666, 1):
        probe(removed)
        with unix_socket.listen(path, 0o660, 1):
            assert mode_of(path) == 0o660
