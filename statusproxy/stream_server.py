"""Servers of the event loop on a socket that is bound already, and the kernel's queue of those who connect to one."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["listen", "on_socket"]


async def on_socket(factory: Callable[[], asyncio.Protocol], sock: socket.socket, **options: Any) -> asyncio.Server:
    """A server on a bound socket of any family; `options` are those of asyncio's `create_server`.

    The file of a Unix socket stays when the server closes: it may be systemd's, which outlives us.
    """
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    if sock.family != socket.AF_UNIX:
        return await loop.create_server(factory, sock=sock, **options)
    # Python 3.13 and newer would remove the file.
    keep: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
    return await loop.create_unix_server(factory, sock=sock, **options, **keep)


def listen(server: asyncio.Server, backlog: int) -> None:
    """Have the kernel queue up to `backlog` connections, until the server accepts them.

    Call it before `start_serving`: two processes can be bound to an address on which no process listens yet. The
    kernel then refuses to let the second one listen, which uvloop only logs, while this raises `OSError`. Call it
    again afterwards if the queue must be longer than the number of connections that the event loop accepts in one
    turn: asyncio takes one number for both.
    """
    for sock in server.sockets:
        with socket.socket(fileno=os.dup(sock.fileno())) as same:
            same.listen(backlog)
