"""Unix sockets that listen: created at the mode they keep, and a file that a dead process left is replaced."""

import errno
import os
import socket
import stat
from pathlib import Path
from typing import Final

__all__ = ["PRIVATE", "listen"]

#: For this user (and root) only. To connect to a Unix socket is to write to it (unix(7)).
PRIVATE: Final = 0o600

#: Seconds for a probe of an existing socket. A process that does not answer within it is busy, not dead.
_PROBE: Final = 1.0


def listen(path: Path, mode: int, backlog: int) -> socket.socket:
    """A socket that listens at `path` with exactly `mode`, regardless of the umask; `backlog` connections are queued.

    It listens at once: another process would take the file of one that does not for a dead process's. A socket file
    on which no one listens is replaced. Raises `OSError`: EADDRINUSE where someone listens, EEXIST where the file is
    not a socket.
    """
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    bound = False
    try:
        # On Linux the file gets the mode of the socket less the umask, so it is never wider than `mode`. While the
        # missing bits are added no one can connect, for the socket does not listen. (Another umask for this moment
        # would hold for every thread of the process.)
        os.fchmod(sock.fileno(), mode)
        sock.bind(str(path))
        bound = True
        os.chmod(path, mode)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        if bound:
            path.unlink(missing_ok=True)
        raise
    return sock


def _remove_stale(path: Path) -> None:
    """Remove a socket file that a dead process left behind; one that someone serves stays, and bind(2) refuses it."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(errno.EEXIST, "the file exists already and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (FileNotFoundError, TimeoutError):
            pass  # its owner has just removed it, or is too busy to answer, but alive
