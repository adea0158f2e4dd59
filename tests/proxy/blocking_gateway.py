"""A gateway on blocking sockets in threads of its own: it bursts while the proxy's loop is busy, as a real one does."""

import contextlib
import fcntl
import socket
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.waiting import wait_until


@dataclass
class Peer:
    """One connection, as the gateway's script sees it."""

    sock: socket.socket
    burst: threading.Event
    """Set when the script has handed all it had to say to the kernel."""
    unread: bytes = b""

    def head(self) -> bytes:
        """The next request's head; b"" at the end of the connection."""
        while b"\r\n\r\n" not in self.unread:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self.unread += data
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        return head

    def body(self, head: bytes) -> bytes:
        """The body that belongs to `head`, its framing undone."""
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"Transfer-Encoding" in fields:
            body = b""
            while size := int(self._line(), 16):
                body += self._exactly(size + 2)[:-2]
            self._line()
            return body
        return self._exactly(int(fields.get(b"Content-Length", b"0")))

    def send(self, data: bytes) -> None:
        """Send `data`, and tell when the kernel has all of it."""
        self.sock.sendall(data)
        self.burst.set()

    def arrived(self) -> None:
        """Wait until the other side's kernel has all that was sent: a connection that ends before may lose it."""
        wait_until(lambda: not unsent(self.sock), "the other side's kernel has it")

    def reset(self) -> None:
        """Break the connection off."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def _line(self) -> bytes:
        while b"\r\n" not in self.unread:
            self.unread += self._more()
        line, _, self.unread = self.unread.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        while len(self.unread) < size:
            self.unread += self._more()
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    def _more(self) -> bytes:
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError
        return data


@dataclass
class BlockingGateway:
    """Runs `script` for each connection, in a thread of its own."""

    script: Callable[[Peer], None]
    burst: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    port: int = 0


def unsent(sock: socket.socket) -> int:
    """Bytes that the other side's kernel has not acknowledged (tcp(7), `SIOCOUTQ`)."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0])


@contextlib.contextmanager
def blocking_gateway(script: Callable[[Peer], None]) -> Iterator[BlockingGateway]:
    """A gateway that listens on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    gateway = BlockingGateway(script, port=listener.getsockname()[1])
    peers: list[socket.socket] = []

    def serve(peer: Peer) -> None:
        with contextlib.suppress(OSError), peer.sock:
            gateway.script(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                gateway.connections += 1
                peers.append(sock)
                threading.Thread(target=serve, args=(Peer(sock, gateway.burst),), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield gateway
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in peers:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        accepting.join()
