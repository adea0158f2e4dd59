"""Finds the process that listens at an address, as far as Linux's /proc shows it to this user.

The standard library alone: the installer runs this before the dependencies are there.
"""

import os
from pathlib import Path


def port_owner(port: int, unix: str | None = None) -> tuple[str, int] | None:
    """The name and id of a process that listens on a TCP port, or on the Unix socket `unix`; None if not visible.

    Of several processes that share the socket it is the one with the lowest id: systemd before the service that it
    handed the socket to.
    """
    inodes = _listening(port, unix)
    processes = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()) if inodes else []
    for process in processes:
        folder = Path("/proc", str(process))
        try:
            if any(_target(link) in inodes for link in (folder / "fd").iterdir()):
                return (folder / "comm").read_text().strip(), process
        except OSError:
            continue  # gone, or another user's
    return None


def _target(link: Path) -> str:
    """What a descriptor's link shows; "" where it was closed meanwhile: a busy process opens and closes many."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _listening(port: int, unix: str | None) -> set[str]:
    """What the file descriptors of the sockets that listen there link to."""
    inodes: set[str] = set()
    if unix is not None:
        for line in _lines("/proc/net/unix"):
            columns = line.split()
            if columns[-1] == unix:
                inodes.add(f"socket:[{columns[6]}]")
        return inodes
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _lines(table):
            columns = line.split()
            if columns[3] == "0A" and int(columns[1].rpartition(":")[2], 16) == port:  # TCP_LISTEN
                inodes.add(f"socket:[{columns[9]}]")
    return inodes


def _lines(table: str) -> list[str]:
    try:
        return Path(table).read_text().splitlines()[1:]
    except OSError:
        return []
