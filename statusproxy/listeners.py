"""The sockets on which clients reach the proxy: those that systemd opened, and our own."""

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final

from statusproxy import stream_server, systemd, unix_socket
from statusproxy.config.addresses import Address
from statusproxy.config.settings import Settings
from statusproxy.observe.network_errors import in_words

log = logging.getLogger("statusproxy")

#: Connections the kernel holds for us until they are accepted, and how many asyncio accepts in one callback. With the
#: first number for both, a rush of clients would keep everyone else waiting, and use up all descriptors at once.
_BACKLOG: Final = 1024
_ACCEPTED_AT_ONCE: Final = 16

#: Seconds between the removal of a socket's file and the last look at its queue: who has found the file has joined it.
_FOUND: Final = 0.05

#: Turns of the event loop in which asyncio makes a connection of what it has accepted; `close` drops what is not made.
_TURNS: Final = 3

#: Seconds for which a queue is emptied at most.
_EMPTYING: Final = 1.0


class Listeners:
    """All that the proxy listens on. `bind` once, `open` once, `close` once."""

    def __init__(self, clients: Callable[[], asyncio.Protocol], settings: Settings, tls: SSLContext | None) -> None:
        """`clients` makes the protocol of each connection; `tls` is None where clients speak in clear.

        The handshake of TLS has the time limit of a request's head, since it takes no place in `limits.connections`.
        """
        self.addresses: list[str] = []
        """Where it listens, as `host:port` or `unix:/path`; kept after `close`."""
        self._clients = clients
        self._settings = settings
        self._servers: list[asyncio.Server] = []
        self._unix_sockets: list[Path] = []  # files of our own making
        self._options: dict[str, Any] = {"ssl": tls, "backlog": _ACCEPTED_AT_ONCE, "start_serving": False}
        if tls is not None:
            self._options["ssl_handshake_timeout"] = settings.timeouts.request_head

    async def bind(self, inherited: Sequence[socket.socket] = ()) -> None:
        """Take the sockets that systemd opened, and each address of `listen` that none of them serves.

        Nobody is accepted before `open`. Raises `OSError` with a whole sentence; what was bound before is then bound
        still.
        """
        for sock in inherited:
            self._servers.append(await stream_server.on_socket(self._clients, sock, **self._options))
        for address in systemd.not_inherited(self._settings.listen, inherited):
            if inherited:
                log.warning(
                    "%s is in `listen`, but not in statusproxy.socket: a restart refuses connections there; "
                    "run install.sh again (Debian package: dpkg-reconfigure statusproxy)",
                    address,
                    extra={"listen": str(address)},
                )
            self._servers.append(await self._bind(address))

    async def open(self) -> None:
        """Accept clients on all that is bound. Raises `OSError` with a whole sentence, before anyone is accepted."""
        for server in self._servers:
            try:
                stream_server.listen(server, _BACKLOG)
            except OSError as error:
                raise _cannot_listen(", ".join(map(_name, server.sockets)), error) from error
        for server in self._servers:
            await server.start_serving()
            stream_server.listen(server, _BACKLOG)
            for sock in server.sockets:
                name = _name(sock)
                self.addresses.append(name)
                log.info(
                    "listening on %s, forwarding to %s", name, self._settings.gateway_shown, extra={"listen": name}
                )
        if _on_loopback(self.addresses):
            log.info(
                "only programs on this machine can connect; `listen` in config.yaml opens it to containers and other "
                "machines, for example `listen: 0.0.0.0:8090`"
            )

    @property
    def is_open(self) -> bool:
        """Whether it accepts connections on any of them."""
        return any(server.is_serving() for server in self._servers)

    async def retire(self) -> None:
        """Accept the clients that have connected already: the kernel resets those that still wait when `close` comes.

        No one new can find a Unix socket whose file is gone, so that there no connection is lost.
        """
        if self._unix_sockets:
            self._remove_files()
            await asyncio.sleep(_FOUND)
        loop = asyncio.get_running_loop()
        end = loop.time() + _EMPTYING
        waiting = select.poll()
        for server in self._servers:
            for sock in server.sockets:
                waiting.register(sock.fileno(), select.POLLIN)
        quiet = 0
        while quiet < _TURNS and loop.time() < end:
            quiet = 0 if waiting.poll(0) else quiet + 1
            await asyncio.sleep(0)

    def close(self) -> None:
        """Accept no more; connections that are open stay. Socket files of our own are removed."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._remove_files()

    def _remove_files(self) -> None:
        for path in self._unix_sockets:
            path.unlink(missing_ok=True)
        self._unix_sockets.clear()

    async def _bind(self, address: Address) -> asyncio.Server:
        try:
            if address.unix is None:
                return await asyncio.get_running_loop().create_server(
                    self._clients, address.host or None, address.port, **self._options
                )
            path = Path(address.unix)
            sock = unix_socket.listen(path, self._settings.listen_mode, _BACKLOG)
            self._unix_sockets.append(path)
            return await stream_server.on_socket(self._clients, sock, **self._options)
        except OSError as error:
            raise _cannot_listen(str(address), error) from error


def _cannot_listen(where: str, error: OSError) -> OSError:
    text = f"cannot listen on {where} (listen): {in_words(error)}"
    if error.errno == errno.EADDRINUSE:
        text += "; is statusproxy running already, or another program there?"
    return OSError(text)


def _on_loopback(addresses: Sequence[str]) -> bool:
    """Whether all of these are loopback's. A Unix socket is chosen on purpose, and does not count."""
    hosts = [name.rpartition(":")[0].strip("[]") for name in addresses if not name.startswith("unix:")]
    return bool(hosts) and all(Address(host).is_private for host in hosts)


def _name(sock: socket.socket) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return f"unix:{name}"
