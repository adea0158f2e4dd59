"""systemd's side of the service: readiness, status, watchdog, inherited sockets (sd_notify(3), sd_listen_fds(3)).

Every function is harmless where systemd is not there.
"""

import os
import socket
from typing import Final

#: The first file descriptor that systemd passes on (SD_LISTEN_FDS_START).
_FIRST_FD: Final = 3


def notify(*states: str) -> bool:
    """Tell systemd `states` such as `READY=1`; False where nobody listens.

    One datagram to the socket that `NOTIFY_SOCKET` names: that is the whole protocol, hence no library.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(address)
            sender.sendall("\n".join(states).encode())
    except OSError:
        return False
    return True


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
