"""Ports for programs that must be told theirs before they start.

A port got by binding to 0 and closing again is anybody's: between the two, another worker's probe or an outgoing
connection may take it. These lie below the range from which the kernel takes such ports (Linux: 32768 and above, see
`net.ipv4.ip_local_port_range` in ip(7)), and each process has a block of them to itself.
"""

import itertools
import socket
from collections.abc import Iterator
from typing import Final

#: The blocks: where the first begins, where the last ends, ports in each.
_FIRST: Final = 12_000
_END: Final = 32_000
_BLOCK: Final = 200


def _claim() -> tuple[socket.socket, range]:
    """A block that no other process has, and the socket that holds it for as long as this process lives.

    The socket is bound to the block's first port and does not listen: the kernel refuses that port to everybody else.
    """
    for first in range(_FIRST, _END, _BLOCK):
        claim = socket.socket()
        try:
            claim.bind(("127.0.0.1", first))
        except OSError:
            claim.close()
            continue
        return claim, range(first + 1, first + _BLOCK)
    raise OSError(f"no block of ports is free between {_FIRST} and {_END}")


class _Ports:
    """Hands out the ports of one block in turn, so that one is used again as late as possible."""

    def __init__(self) -> None:
        self._claim, block = _claim()
        self._next: Iterator[int] = itertools.cycle(block)
        self._count = len(block)

    def free(self, host: str) -> int:
        """The next port that can be bound on `host`."""
        for port in itertools.islice(self._next, self._count):
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family) as probe:
                # As servers do: what an earlier connection left in TIME_WAIT is no reason to refuse.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError:
                    continue
                return port
        raise OSError("no port of this process's block is free")


_mine: list[_Ports] = []


def free_port(host: str = "127.0.0.1") -> int:
    """A port on `host` that no one listens on, and that no one else will be given. OSError if there is none."""
    if not _mine:
        _mine.append(_Ports())
    return _mine[0].free(host)
