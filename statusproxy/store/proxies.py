"""The proxies that share a state: what each says of itself to the others."""

import os
import socket
import uuid

import msgspec

from statusproxy import __version__

__all__ = ["Proxy", "Sharing"]


class Proxy(msgspec.Struct, frozen=True):
    """A process that shares the state, told from all others by `id`; the rest is for people."""

    id: str
    host: str = ""
    pid: int = 0
    version: str = ""
    started: float = 0.0
    """When it started; epoch seconds, as is `seen`."""
    seen: float = 0.0
    """When it last wrote this. It does so every few seconds."""

    @classmethod
    def new(cls, started: float) -> "Proxy":
        """This process, another one with each call."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), __version__, started, started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, version {self.version}"


class Sharing(msgspec.Struct, frozen=True):
    """Who shares a state with this process, and how often that told something new."""

    me: str
    """This process's `Proxy.id`."""
    proxies: tuple[Proxy, ...] = ()
    """All that were seen within the last seconds, this process among them; in the order of their start."""
    received: int = 0
    """Records and forgotten sessions that came from the others since the start."""
    conflicts: int = 0
    """Writes that were merged with what another had written at the same time."""
