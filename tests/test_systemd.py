"""systemd's protocols, over real sockets and with real descriptors."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from statusproxy import systemd
from statusproxy.config.addresses import Address, parse_address


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which systemd listens for a service's notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


# ---- notify ----


def test_states_reach_systemd_as_lines_of_one_datagram(manager: socket.socket) -> None:
    assert systemd.notify("READY=1", "STATUS=Serving")
    assert manager.recv(4096) == b"READY=1\nSTATUS=Serving"


def test_an_abstract_notification_socket_serves_too(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"statusproxy-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + name)
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        assert systemd.notify("WATCHDOG=1")
        assert listening.recv(4096) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")


def test_a_systemd_that_does_not_listen_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.notify("READY=1")


def test_a_manager_that_does_not_read_holds_nothing_up(manager: socket.socket) -> None:
    # In a process of its own: a call that waits would hold up the tests as well.
    fill = "from statusproxy import systemd\nwhile systemd.notify('WATCHDOG=1'): pass\nprint('full')"
    done = subprocess.run([sys.executable, "-c", fill], capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout == "full\n"
    assert manager.recv(4096) == b"WATCHDOG=1"


def test_the_end_of_a_start_waits_for_a_manager_that_is_busy(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    while systemd.notify("WATCHDOG=1"):
        pass
    begun = threading.Event()

    class Seen(socket.socket):
        def sendall(self, *data: Any) -> None:
            begun.set()
            super().sendall(*data)

    monkeypatch.setattr("statusproxy.systemd.socket.socket", Seen)
    monkeypatch.setattr(systemd, "_READY_WITHIN", 30.0)
    with ThreadPoolExecutor() as threads:
        told = threads.submit(systemd.notify, "READY=1")
        assert begun.wait(30)
        while manager.recv(4096) != b"READY=1":
            pass
        assert told.result()


def test_a_status_is_one_line() -> None:
    assert systemd.status("config.yaml:3: gateway:\n  found 7") == "STATUS=config.yaml:3: gateway: found 7"


def test_a_status_holds_nothing_that_a_terminal_would_obey_and_can_always_be_sent(manager: socket.socket) -> None:
    assert systemd.notify(systemd.status("why: \x1b[31m\u202e\udc80"))
    assert manager.recv(4096) == rb"STATUS=why: \x1b[31m\u202e\udc80"


def test_a_long_status_is_cut() -> None:
    line = systemd.status("x" * 5000)
    assert len(line) < 500
    assert line.endswith("x…")


def test_more_time_is_asked_for_in_microseconds() -> None:
    assert systemd.more_time(45.5) == "EXTEND_TIMEOUT_USEC=45500000"


# ---- watchdog ----


def test_the_watchdog_is_fed_twice_in_the_time_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert systemd.watchdog_interval() == 15.0


@pytest.mark.parametrize(("allowed", "process"), [("", None), ("soon", None), ("30000000", "1")])
def test_no_watchdog_is_fed_where_none_waits_for_this_process(
    allowed: str, process: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", allowed)
    monkeypatch.setenv("WATCHDOG_PID", process or str(os.getpid()))
    assert systemd.watchdog_interval() is None


# ---- inherited sockets ----

#: Puts two listening sockets at 3 and 4, as systemd does, and shows what the service makes of them.
_ACTIVATED = """
import os, socket, sys
first, second = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
ports = [first.getsockname()[1], second.getsockname()[1]]
high = [os.dup(first.fileno()), os.dup(second.fileno())]
first.close(); second.close()
for target, source in zip((3, 4), (os.dup2(fd, 50 + i) for i, fd in enumerate(high))):
    os.dup2(source, target)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=sys.argv[1] or str(os.getpid()), LISTEN_FDNAMES=sys.argv[2])
from statusproxy import systemd
found = systemd.inherited_sockets()
print([(name, ports.index(sock.getsockname()[1]), os.get_inheritable(sock.fileno())) for name, sock in found])
print(sorted(name for name in os.environ if name.startswith("LISTEN_")), systemd.inherited_sockets())
"""


def activated(pid: str, names: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _ACTIVATED, pid, names], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.splitlines()


def test_inherited_sockets_come_in_order_with_their_names() -> None:
    assert activated("", "http:admin")[0] == "[('http', 0, False), ('admin', 1, False)]"


def test_a_socket_without_a_name_has_an_empty_one() -> None:
    assert activated("", "http")[0] == "[('http', 0, False), ('', 1, False)]"


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    assert activated("1", "http:admin")[0] == "[]"


def test_sockets_are_taken_once_and_no_child_finds_them() -> None:
    assert activated("", "http:admin")[1] == "[] []"


def test_no_sockets_are_found_where_systemd_passed_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        monkeypatch.delenv(name, raising=False)
    assert systemd.inherited_sockets() == []


def missing(listen: list[str], *sockets: socket.socket) -> list[str]:
    addresses: list[Address] = [parse_address(text) for text in listen]
    return [str(address) for address in systemd.not_inherited(addresses, sockets)]


def test_an_address_that_systemd_opened_is_not_opened_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port = opened.getsockname()[1]
        assert missing([f"127.0.0.1:{port}", f"localhost:{port}"], opened) == []


def test_an_address_that_systemd_did_not_open_is_missing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port = opened.getsockname()[1]
        assert missing([f"127.0.0.2:{port}", f"0.0.0.0:{port}"], opened) == [f"127.0.0.2:{port}", f"0.0.0.0:{port}"]


def test_a_socket_on_every_interface_serves_each_address_of_its_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as opened:
        port = opened.getsockname()[1]
        assert missing([f"127.0.0.2:{port}", f":{port}", f"[::]:{port}"], opened) == []


def test_a_unix_socket_is_known_by_its_path(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "here"))
        assert missing([f"unix:{tmp_path}/here", f"unix:{tmp_path}/there"], opened) == [f"unix:{tmp_path}/there"]


def test_without_systemd_every_address_is_missing() -> None:
    assert missing(["127.0.0.1:8090"]) == ["127.0.0.1:8090"]


# ---- secrets ----


def test_a_credential_is_a_variable_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "ADMIN_TOKEN").write_text("sësame\n", encoding="utf-8")
    assert systemd.environment({"CREDENTIALS_DIRECTORY": str(tmp_path)})["ADMIN_TOKEN"] == "sësame"


def test_the_name_that_systemd_puts_before_a_folders_files_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "secrets_HMAC_SECRET").write_text("x")
    assert systemd.environment({"CREDENTIALS_DIRECTORY": str(tmp_path)})["HMAC_SECRET"] == "x"


def test_the_environment_beats_a_credential(tmp_path: Path) -> None:
    (tmp_path / "TOKEN").write_text("file")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "TOKEN": "own"}
    assert systemd.environment(environ)["TOKEN"] == "own"


def test_only_the_last_line_end_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "KEY").write_bytes(b" a\n\r\n")
    assert systemd.environment({"CREDENTIALS_DIRECTORY": str(tmp_path)})["KEY"] == " a\n"


def test_files_that_can_be_no_variable_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "secrets_tls.key").write_text("x")
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe")
    (tmp_path / "FOLDER").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert systemd.environment(environ) == environ


def test_without_credentials_the_environment_is_all() -> None:
    assert systemd.environment({"A": "1"}) == {"A": "1"}
    assert systemd.environment({"CREDENTIALS_DIRECTORY": "/nonexistent"}) == {"CREDENTIALS_DIRECTORY": "/nonexistent"}


def test_the_installed_services_state_is_found_from_a_shell() -> None:
    installed = Path("/etc/statusproxy/config.yaml")
    assert systemd.with_state_directory({"A": "b"}, installed) == {"A": "b", "STATE_DIRECTORY": "/var/lib/statusproxy"}
    for environ, source in (({"STATE_DIRECTORY": "/x"}, installed), ({}, Path("/srv/config.yaml")), ({}, None)):
        assert systemd.with_state_directory(environ, source) == environ


@pytest.mark.slow
def test_the_descriptors_that_systemd_names_become_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        given = os.dup(opened.fileno())
        os.set_inheritable(given, True)
        monkeypatch.setattr(systemd, "_FIRST_FD", given)
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_FDNAMES", "admin")
        ((name, sock),) = systemd.inherited_sockets()
        with sock:
            assert (name, sock.getsockname(), os.get_inheritable(given)) == ("admin", opened.getsockname(), False)
        assert "LISTEN_FDS" not in os.environ
