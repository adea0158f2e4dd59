"""Who listens: found by port or by path, and no one where no one does."""

import os
import socket
from pathlib import Path

import pytest

from statusproxy.doctor.port_owner import port_owner
from tests.ports import free_port


def me() -> tuple[str, int]:
    return Path("/proc/self/comm").read_text().strip(), os.getpid()


@pytest.mark.slow
def test_the_process_that_listens_on_a_port_is_found() -> None:
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        port = free_port(host)
        with socket.create_server((host, port), family=family):
            assert port_owner(port) == me()
        assert port_owner(port) is None


def test_the_process_that_listens_on_a_unix_socket_is_found(tmp_path: Path) -> None:
    path = str(tmp_path / "it.sock")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(path)
        held.listen()
        assert port_owner(0, path) == me()
    assert port_owner(0, path) is None


def test_descriptors_that_the_listener_closes_meanwhile_hide_it_not(monkeypatch: pytest.MonkeyPatch) -> None:
    readlink = os.readlink

    def closing(link: Path) -> str:
        """Each other descriptor is closed between the list and the look; never a socket that listens."""
        found = readlink(link)
        if not found.startswith("socket:"):
            raise FileNotFoundError
        return found

    with socket.create_server(("127.0.0.1", 0)) as held, Path(os.devnull).open():
        monkeypatch.setattr(os, "readlink", closing)
        assert port_owner(held.getsockname()[1]) == me()


def test_a_connection_from_a_port_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held, socket.create_connection(held.getsockname()) as connection:
        assert port_owner(connection.getsockname()[1]) is None


def test_a_table_that_is_not_there_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert port_owner(80) is None
    assert port_owner(0, "/run/x.sock") is None
