"""What ports.py reads of a configuration before the real parser is there, and which program it names."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from statusproxy.config.load import loads
from tests.ports import free_port
from tests.systemd.roots import CHECKOUT
from tests.systemd.script import script


@pytest.fixture(scope="module")
def ports() -> ModuleType:
    return script("ports")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listen: 127.0.0.1:8090   # behind nginx\n",
        "listen: ':8090'\n",
        'listen: "[::1]:8090"\nadmin: null\n',
        "listen: [127.0.0.1:8090, '172.17.0.1:8090']\n",
        "listen:\n  - 127.0.0.1:8090  # nginx\n  - unix:/run/statusproxy/http.sock\n",
        "listen:\n- 127.0.0.1:8090\n- 10.0.0.1:8090\nadmin:\n  token: 'listen'\n  listen: 127.0.0.1:9000\n",
        "admin: {listen: 127.0.0.1:9000, token: x}\n",
        "admin:\n  # listen: 1.2.3.4:5\n  token: x\n",
    ],
)
def test_the_usual_forms_are_read_as_the_real_parser_reads_them(ports: ModuleType, text: str) -> None:
    settings = loads(f"gateway: http://127.0.0.1:3000\n{text}")
    exact = [f"listen {address}" for address in settings.listen]
    exact += [f"admin.listen {settings.admin.listen}"] if settings.admin.listen else []
    assert ports.written(f"# a comment\ngateway: http://127.0.0.1:3000\n{text}") == exact


@pytest.mark.parametrize(
    "text",
    [
        "listen: ${LISTEN:-127.0.0.1:8090}\n",
        "listen: &here 127.0.0.1:8090\n",
        "listen: [127.0.0.1:8090,\n  127.0.0.1:8092]\n",
        "listen: not an address\n",
    ],
)
def test_what_only_the_real_parser_can_read_is_left_to_it(ports: ModuleType, text: str) -> None:
    assert ports.written(text) == ["admin.listen 127.0.0.1:8091"]


def test_the_configuration_that_comes_with_the_installer_is_read(ports: ModuleType) -> None:
    text = (CHECKOUT / "config.yaml").read_text()
    assert ports.written(text) == ["listen 127.0.0.1:8090", "admin.listen 127.0.0.1:8091"]


def test_the_program_that_holds_an_address_is_named_with_the_key(ports: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    port = free_port(host="0.0.0.0")
    with socket.create_server(("127.0.0.1", port)), socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        me = f"{Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"
        assert ports.taken([f"listen 0.0.0.0:{port}\n", f"admin.listen unix:{path}\n"]) == [
            f"listen 0.0.0.0:{port} {me}",
            f"admin.listen unix:{path} {me}",
        ]
    assert ports.taken([f"listen 0.0.0.0:{port}\n", f"admin.listen unix:{path}\n", "admin.listen 127.0.0.1:0\n"]) == []


def test_an_address_that_this_machine_does_not_have_yet_is_not_taken(ports: ModuleType) -> None:
    assert ports.taken(["listen 192.0.2.1:8090", "listen no-such-name.invalid:80"]) == []


def test_what_the_installed_service_holds_is_its_own(ports: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        monkeypatch.setattr(ports, "port_owner", lambda *_: ("systemd", 1))
        monkeypatch.setattr(ports, "_socket_unit", lambda *_: "statusproxy.socket")
        assert ports.taken([f"listen 127.0.0.1:{port}"]) == []
        monkeypatch.setattr(ports, "_socket_unit", lambda *_: "cockpit.socket")
        assert ports.taken([f"listen 127.0.0.1:{port}"]) == [f"listen 127.0.0.1:{port} systemd (cockpit.socket)"]


def test_it_runs_before_any_dependency_is_installed(tmp_path: Path) -> None:
    """As install.sh runs it: another Python, which has the source and nothing else."""
    config = tmp_path / "config.yaml"
    config.write_text("gateway: http://127.0.0.1:3000\n")
    done = subprocess.run(
        [sys.executable, "-S", "-B", str(CHECKOUT / "systemd" / "ports.py"), "written", str(config)],
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stdout == "listen 127.0.0.1:8090\nadmin.listen 127.0.0.1:8091\n"
