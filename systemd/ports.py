"""Which of the addresses that statusproxy is to listen on another program holds. Run by install.sh.

ports.py written CONFIG   what CONFIG says, as lines "KEY ADDRESS"; forms that this cannot read are left out
ports.py taken            of such lines on standard input those that another program holds: "KEY ADDRESS PROGRAM"

`written` runs before anything is installed, so it cannot use the real parser and reads only the usual ways to write
an address. After that, `inquire.py ports` gives the exact lines. Nothing here needs more than the standard library.
"""

import errno
import re
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from statusproxy.doctor.port_owner import port_owner

#: What is in force where the file does not say (`Settings.listen`, `Admin.listen`).
_LISTEN, _ADMIN = "127.0.0.1:8090", "127.0.0.1:8091"

#: An address as it is written in full; anything else (a variable, an alias, a mistake) is left to the real parser.
_ADDRESS = re.compile(r"unix:/\S+|(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):\d{1,5}")
_KEY = re.compile(r"([A-Za-z_]+):(?:\s+(.*))?")
_COMMENT = re.compile(r"(?:^|\s)#.*")

#: Seconds that `systemctl` may take.
_PATIENCE = 10


def written(text: str) -> list[str]:
    """The lines "KEY ADDRESS" for a configuration file's text."""
    values: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (_COMMENT.sub("", each).rstrip() for each in text.splitlines()):
        key = _KEY.fullmatch(line)
        if key is not None:
            lines = values[key[1]] = [key[2] or ""]
        elif line:
            lines.append(line)
    listen = _addresses(values["listen"]) if "listen" in values else [_LISTEN]
    return [f"listen {address}" for address in listen] + [f"admin.listen {each}" for each in _admin(values)]


def _admin(values: dict[str, list[str]]) -> list[str]:
    if "admin" not in values:
        return [_ADMIN]
    first, *rest = values["admin"]
    if first:  # null, or {listen: …}
        inside = re.search(r"\blisten:\s*([^,}]+)", first)
        return _addresses([inside[1]]) if inside else []
    keys = [key for line in rest if (key := _KEY.fullmatch(line.strip()))]
    found = next((key[2] or "" for key in keys if key[1] == "listen"), _ADMIN)
    return _addresses([found])


def _addresses(lines: list[str]) -> list[str]:
    """The addresses of a value: a scalar, `[a, b]`, or a list of `- a` lines; none where one of them is not plain."""
    first, *rest = (line.strip() for line in lines)
    if first.startswith("[") and first.endswith("]") and not rest:
        parts = first[1:-1].split(",")
    elif not first:
        parts = [line.removeprefix("- ") for line in rest]
    else:
        parts = [first, *rest]
    plain = [part.strip().strip("'\"") for part in parts]
    return plain if all(_ADDRESS.fullmatch(each) for each in plain) else []


def taken(lines: Iterable[str]) -> list[str]:
    """The lines "KEY ADDRESS PROGRAM" for those addresses that a program other than the installed service holds."""
    found = []
    for line in lines:
        key, _, address = line.strip().partition(" ")
        if address and (holder := _holder(address)) is not None:
            found.append(f"{key} {address} {holder}")
    return found


def _holder(address: str) -> str | None:
    """The program that holds an address, in words; None where it is free, ours, or cannot be tested."""
    unix = address.removeprefix("unix:") if address.startswith("unix:") else None
    host, _, number = ("", "", "0") if unix else address.rpartition(":")
    port = int(number)
    if not (_is_used_path(unix) if unix else _is_used(host.strip("[]"), port)):
        return None
    owner = port_owner(port, unix)
    if owner is None:
        return "another program"
    name, pid = owner
    unit = _socket_unit(port, unix) if pid == 1 else ""
    if unit == "statusproxy.socket" or _is_service(pid):
        return None
    return f"{name} ({unit})" if unit else f"{name} (pid {pid})"


def _is_used(host: str, port: int) -> bool:
    if not 0 < port < 65536:
        return False
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        return False
    for family, kind, protocol, _, name in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(name)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return True
    return False


def _is_used_path(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _is_service(pid: int) -> bool:
    """Whether a process belongs to the installed service (cgroups(7))."""
    try:
        return "/statusproxy.service" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _socket_unit(port: int, unix: str | None) -> str:
    """The socket unit for which systemd holds an address; "" if it does not say."""
    command = ["systemctl", "list-sockets", "--no-legend", "--no-pager", "--plain", "--full"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE).stdout  # noqa: S603 - constant
    for columns in map(str.split, said.splitlines()):
        if len(columns) >= 2 and (columns[0] == unix or columns[0].rpartition(":")[2] == str(port)):
            return columns[1]
    return ""


def main(action: str, *arguments: str) -> None:
    """Answer one question."""
    if action == "written":
        lines = written(Path(arguments[0]).read_text(encoding="utf-8", errors="replace"))
    elif action == "taken":
        lines = taken(sys.stdin)
    else:
        sys.exit(f"ports.py: unknown: {action}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
