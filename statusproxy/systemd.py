"""systemd's side of the service: readiness, status, watchdog, inherited sockets, secrets.

The protocols are those of sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3) and systemd.exec(5) ("Credentials").
Every function is harmless where systemd is not there.
"""

import os
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from statusproxy.config.addresses import Address
from statusproxy.observe.visible import visible

#: The first file descriptor that systemd passes on (SD_LISTEN_FDS_START).
_FIRST_FD: Final = 3

#: How long a status line may be: `systemctl status` shows one line, and a datagram has its limit.
_STATUS_LENGTH: Final = 400

#: The end of a start or reload, and the seconds that a busy systemd has to take it.
_READY: Final = "READY=1"
_READY_WITHIN: Final = 1.0

#: The unit loads a folder of secrets under this name (`LoadCredential=secrets:…`): systemd puts it before each file's.
_CREDENTIAL_PREFIX: Final = "secrets_"

#: Where the installed service has its configuration, and keeps its state.
_INSTALLED: Final = Path("/etc/statusproxy")
_STATE_DIRECTORY: Final = Path("/var/lib/statusproxy")

#: What can stand in `${…}`.
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Addresses that stand for every interface.
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})


def notify(*states: str) -> bool:
    """Tell systemd `states` such as `READY=1`; False where systemd does not listen.

    One datagram to the socket that `NOTIFY_SOCKET` names: that is the whole protocol, so no library is needed.
    It does not wait where the socket's queue is full, since its owner does not read: the datagram is lost, and this is
    False. Only `READY=1` may take up to a second: without it the start or the reload fails.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_READY_WITHIN if _READY in states else 0.0)
            sender.connect(address)
            sender.sendall("\n".join(states).encode())
    except OSError:
        return False
    return True


def status(text: str) -> str:
    """A `STATUS=` line for `notify`: one line, of bounded length."""
    line = visible(" ".join(text.split()))
    return "STATUS=" + (line if len(line) <= _STATUS_LENGTH else line[: _STATUS_LENGTH - 1] + "…")


def more_time(seconds: float) -> str:
    """An `EXTEND_TIMEOUT_USEC=` line for `notify`: this start, stop or reload may take that long from now on."""
    return f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}"


def watchdog_interval() -> float | None:
    """Seconds between two signs of life that systemd wants (half of what it allows); None where it wants none."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    if not allowed.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(allowed) / 2_000_000


def inherited_sockets() -> list[tuple[str, socket.socket]]:
    """The listening sockets systemd opened for us, each with its `FileDescriptorName` ("" where it has none).

    Taken once: the variables are removed, so that no child process mistakes the sockets for its own.
    """
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for index in range(int(count)):
        descriptor = _FIRST_FD + index
        os.set_inheritable(descriptor, False)
        name = names[index] if index < len(names) else ""
        found.append((name, socket.socket(fileno=descriptor)))
    return found


def not_inherited(listen: Iterable[Address], sockets: Iterable[socket.socket]) -> list[Address]:
    """Those of the configured addresses on which no inherited socket listens.

    A socket on every interface serves each address with its port. Names other than localhost are not looked up.
    """
    names = [sock.getsockname() for sock in sockets]
    paths = {name for name in names if isinstance(name, str)}
    places = {(name[0], name[1]) for name in names if isinstance(name, tuple)}
    everywhere = {port for host, port in places if host in _EVERYWHERE}
    missing = []
    for address in listen:
        host = "127.0.0.1" if address.host == "localhost" else address.host
        if address.unix is not None:
            found = address.unix in paths
        elif host in _EVERYWHERE:
            found = address.port in everywhere
        else:
            found = (host, address.port) in places or address.port in everywhere
        if not found:
            missing.append(address)
    return missing


def with_state_directory(environ: Mapping[str, str], source: Path | None) -> Mapping[str, str]:
    """The environment as the service has it, where its own configuration `source` is used from a shell."""
    if "STATE_DIRECTORY" not in environ and source is not None and source.parent == _INSTALLED:
        return {**environ, "STATE_DIRECTORY": str(_STATE_DIRECTORY)}
    return environ


def environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for the configuration's `${VAR}`: the process's own and systemd's credentials.

    A credential is a file in `CREDENTIALS_DIRECTORY`; its text, less one line end, is the value of the variable of its
    name. The environment wins where both have a name. A file that cannot be read, or holds no text, is ignored:
    the configuration then says which variable is missing.
    """
    found: dict[str, str] = {}
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        try:
            files = sorted(Path(folder).iterdir())
        except OSError:
            files = []
        for file in files:
            name = file.name.removeprefix(_CREDENTIAL_PREFIX)
            if not _VARIABLE.fullmatch(name):
                continue
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            found[name] = text.removesuffix("\n").removesuffix("\r")
    return found | dict(environ)
