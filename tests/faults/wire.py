"""A small blocking HTTP/1.1 client over one socket: it sends bytes as given and tells how a connection ended."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

HOST: Final = "127.0.0.1"

#: Seconds a client waits for a connection or for bytes, unless told otherwise. Longer than any pause that is allowed.
PATIENCE: Final = 15.0

_READ: Final = 256 * 1024

#: Bytes of an answer's head that this client takes: far more than any limit of the proxy.
_LARGEST_HEAD: Final = 4 * 1024 * 1024


class WireError(Exception):
    """The answer did not come whole; the text says how the connection ended."""


@dataclass(frozen=True)
class Answer:
    """One answer: its status, its fields by lower-case name (the last of several counts), its body."""

    status: int
    fields: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def closes(self) -> bool:
        """Whether the connection ends with this answer."""
        return "close" in self.fields.get("connection", "").lower()


def connect(port: int, *, source: str = HOST, patience: float = PATIENCE, read_buffer: int = 0) -> socket.socket:
    """A connection to a loopback port.

    `source` is the address it comes from (any of 127.0.0.0/8), `read_buffer` the kernel's buffer for what arrives, in
    bytes (0: the kernel's own choice).
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(patience)
        if read_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, read_buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source != HOST:
            sock.bind((source, 0))
        sock.connect((HOST, port))
    except BaseException:
        sock.close()
        raise
    return sock


def head(method: str, target: str, fields: Iterable[tuple[str, str]] = (), *, version: str = "1.1") -> bytes:
    """A request's head; `Host` is added."""
    lines = [f"{method} {target} HTTP/{version}", f"Host: {HOST}", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(method: str, target: str, body: bytes = b"", fields: Iterable[tuple[str, str]] = ()) -> bytes:
    """A whole request with `Content-Length`, without it where GET has no body."""
    length = [("Content-Length", str(len(body)))] if body or method != "GET" else []
    return head(method, target, [*fields, *length]) + body


class Client:
    """One connection on which requests follow one another."""

    def __init__(self, port: int, *, source: str = HOST, patience: float = PATIENCE, read_buffer: int = 0) -> None:
        self.sock = connect(port, source=source, patience=patience, read_buffer=read_buffer)
        self._held = b""

    def ask(self, method: str, target: str, body: bytes = b"", fields: Iterable[tuple[str, str]] = ()) -> Answer:
        """Send a request and read its answer. Raises `WireError`, `OSError`."""
        self.send(request(method, target, body, fields))
        return self.answer(bodiless=method == "HEAD")

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def answer(self, *, bodiless: bool = False) -> Answer:
        """The next final answer. Raises `WireError` where it is cut short, `TimeoutError` where nothing comes."""
        while True:
            first, fields = self._head()
            status = int(first.split(b" ", 2)[1])
            if status >= 200 or status == 101:
                break
        if bodiless or status in {101, 204, 304}:
            return Answer(status, fields)
        if "chunked" in fields.get("transfer-encoding", "").lower():
            return Answer(status, fields, self._chunks())
        if "content-length" in fields:
            return Answer(status, fields, self.exactly(int(fields["content-length"])))
        return Answer(status, fields, self.rest())

    def rest(self) -> bytes:
        """Everything up to an orderly end. Raises `WireError` at a reset."""
        pieces = [self._held]
        self._held = b""
        while True:
            try:
                piece = self.sock.recv(_READ)
            except ConnectionError as error:
                raise WireError(f"reset after {sum(map(len, pieces))} bytes") from error
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)

    def close(self) -> None:
        """End the connection."""
        self.sock.close()

    def reset(self) -> None:
        """End the connection with a reset."""
        reset(self.sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _head(self) -> tuple[bytes, dict[str, str]]:
        while b"\r\n\r\n" not in self._held:
            if len(self._held) > _LARGEST_HEAD:
                raise WireError("the answer's head does not end")
            self._held += self._some()
        text, _, self._held = self._held.partition(b"\r\n\r\n")
        first, *lines = text.split(b"\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            fields[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
        return first, fields

    def _line(self) -> bytes:
        while b"\r\n" not in self._held:
            self._held += self._some()
        line, _, self._held = self._held.partition(b"\r\n")
        return line

    def _chunks(self) -> bytes:
        pieces = []
        while size := int(self._line().partition(b";")[0], 16):
            pieces.append(self.exactly(size))
            self._line()
        while self._line():
            pass
        return b"".join(pieces)

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises `WireError` where they do not come."""
        pieces, missing = [self._held[:size]], size - len(self._held)
        self._held = self._held[size:]
        while missing > 0:
            piece = self._some()
            pieces.append(piece[:missing])
            self._held = piece[missing:]
            missing -= len(piece)
        return b"".join(pieces)

    def _some(self) -> bytes:
        try:
            data = self.sock.recv(_READ)
        except ConnectionError as error:
            raise WireError("reset") from error
        if not data:
            raise WireError("closed")
        return data


def reset(sock: socket.socket) -> None:
    """Close a socket so that the peer sees a reset (`SO_LINGER` on, 0 seconds: socket(7))."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def ask(port: int, method: str, target: str, body: bytes = b"", **fields: str) -> Answer:
    """One request on a connection of its own; `fields` name header fields with `_` for `-`."""
    with Client(port) as client:
        named = [(name.replace("_", "-"), value) for name, value in fields.items()]
        return client.ask(method, target, body, [*named, ("Connection", "close")])
