"""A transport that a test drives: what was written to it, whether it is read, how it ended."""

import asyncio
import socket
from typing import Any


class FakeTransport(asyncio.Transport):
    """Its socket is one end of a pair, whose other end is the test's to write to."""

    def __init__(self, *, sock: socket.socket | None = None, tls: object = None) -> None:
        super().__init__({"socket": sock, "sslcontext": tls})
        self.written = b""
        self._reading = True
        self.ended = ""
        """How it was ended: "closed" or "aborted"; "" while it was not."""
        self.buffered = 0
        """Bytes that the other side has not taken."""

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def pause_reading(self) -> None:
        assert self._reading
        self._reading = False

    def resume_reading(self) -> None:
        assert not self._reading
        self._reading = True

    def is_reading(self) -> bool:
        return self._reading

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"
