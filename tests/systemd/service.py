"""The installed service as those who use it see it: its list, its clients, and the files of its machine."""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.systemd.machine import Machine
from tests.systemd.roots import CHECKOUT

PROXY: Final = 8090
GATEWAY: Final = 3000

UNLINKED: Final = {"event": "status-find", "session": "sales", "status": "disconnectedMobile"}

MAIN_PID: Final = "systemctl show --property=MainPID --value statusproxy.service"

#: All that may change on a machine without being a trace of ours.
FILES: Final = (
    "find /etc /opt /usr /var/lib /home /root /srv -xdev ! -path '/var/lib/systemd/*' ! -name __pycache__ "
    "! -path '*/__pycache__/*' ! -path '/etc/resolv.conf' -printf '%y %m %u %p %l\\n' | sort"
)


def copy_checkout(target: Path, version: str) -> Path:
    """The checkout under another version's name."""
    target.mkdir(parents=True)
    for name in ("statusproxy", "systemd", "packaging"):
        shutil.copytree(CHECKOUT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt", "config.yaml", "CHANGELOG.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, target / name)
    (target / "README.md").write_text("# statusproxy\n")
    about = target / "statusproxy" / "__init__.py"
    about.write_text(re.sub(r'__version__([^"]*)"[^"]*"', rf'__version__\1"{version}"', about.read_text()))
    return target


def ask(machine: Machine, path: str, body: object = None, port: int = PROXY) -> tuple[int, Any]:
    """A request from inside; its status and JSON."""
    script = (
        "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=20); "
        "c.request(*(('POST', sys.argv[2], sys.argv[3], {'Content-Type': 'application/json'}) if sys.argv[3] "
        "else ('GET', sys.argv[2]))); r = c.getresponse(); print(r.status); print(r.read().decode())"
    )
    sent = "" if body is None else json.dumps(body)
    done = machine.start(["/usr/bin/python3", "-c", script, str(port), path, sent])
    said, _ = done.communicate(timeout=600)
    assert done.returncode == 0, said
    status, _, text = said.partition("\n")
    machine.note(f"{'GET' if body is None else 'POST'} :{port}{path} {sent} -> {status} {text}")
    return int(status), json.loads(text)


def shown(machine: Machine) -> dict[str, str]:
    """What the list says of each session."""
    status, document = ask(machine, "/api/channels")
    assert status == 200, document
    return {channel["id"]: channel["status"] for channel in document["channels"]}


@contextlib.contextmanager
def another_program(machine: Machine, port: int) -> Iterator[None]:
    """A program that is not ours and listens on a port."""
    with machine.start(["/usr/bin/python3", "/stand-ins/gateway.py", str(port), "--total", "7"]):
        try:
            machine.run(f"until ss -Hltn 'sport = :{port}' | grep -q .; do sleep 0.05; done")
            yield
        finally:
            machine.run(f"kill $(ss -Hltnp 'sport = :{port}' | grep -o 'pid=[0-9]*' | cut -d= -f2)")


def main_pid(machine: Machine) -> str:
    return machine.run(MAIN_PID).strip()


@contextlib.contextmanager
def under_load(machine: Machine, *, built: str = "") -> Iterator[None]:
    """Eight clients that ask all the time; at the end, none of them has seen anything but the true list.

    Before a version's environment is built, `built` being its number, they ask more rarely.
    """
    machine.run("rm -f /run/test/enough")
    pattern = [f"/opt/statusproxy/{built}-*/.complete"] if built else []
    clients = machine.start(["/usr/bin/python3", "/stand-ins/load.py", str(PROXY), "8", "/run/test/enough", *pattern])
    try:
        yield
    finally:
        machine.run("touch /run/test/enough")
        said, _ = clients.communicate(timeout=600)
        machine.note(f"the clients saw {said}")
    seen = json.loads(said)["seen"]
    assert set(seen) == {"200 disconnected/connected"}, seen
    assert seen["200 disconnected/connected"] >= 8  # each client, also where the machine is busy
