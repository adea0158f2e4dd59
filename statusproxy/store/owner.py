"""The owner of a shared state: a mark from which another process can tell whether the owner is dead.

Where the kernel's own locks do not reach (a server's keys), a lock is a value that expires. This is that value:
it names the process, so that a refusal can name it too, and so that a proxy that was killed and started again on
the same machine need not wait for its own old mark to expire.
"""

import os
import socket
import uuid
from contextlib import suppress

import msgspec

__all__ = ["Owner", "boot_id"]

_START_FIELD = 19  # `starttime` in /proc/PID/stat, counted from behind the name (proc(5))


class Owner(msgspec.Struct, frozen=True):
    """A process, told from all others by `id`; the rest is for people, and for `is_gone`."""

    id: str
    host: str = ""
    pid: int = 0
    place: str | None = None
    """Where `pid` means something: this boot of this kernel, and the namespace of process ids."""
    started: str | None = None
    """When the process started, in ticks since that boot: tells it from a later one with the same `pid`."""

    @classmethod
    def new(cls) -> "Owner":
        """A mark of this process, another one with each call."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid(), _place(), _started(os.getpid()))

    @classmethod
    def decode(cls, text: bytes) -> "Owner":
        """The owner that a mark names. Any mark names one, if perhaps one that is not known."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return cls(id=repr(text[:80]))

    def encode(self) -> bytes:
        """The mark as one line of JSON."""
        return msgspec.json.encode(self)

    def is_gone(self) -> bool:
        """Whether that process has ended for certain. False where it cannot be known from here."""
        if self.place is None or self.place != _place() or self.pid <= 0:
            return False
        try:
            os.kill(self.pid, 0)  # asks only; unlike /proc it shows the processes of other users everywhere
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            pass
        started = _started(self.pid)
        return started is not None and self.started is not None and started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.pid > 0 else self.id


def boot_id() -> str | None:
    """What names this boot of this kernel (random(4)); `None` where it cannot be known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _place() -> str | None:
    boot = boot_id()
    try:
        return f"{boot} {os.readlink('/proc/self/ns/pid')}" if boot is not None else None
    except OSError:
        return None


def _started(pid: int) -> str | None:
    with suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        # The name stands in parentheses and may hold any character, these included.
        return file.read().rpartition(b")")[2].split()[_START_FIELD].decode("ascii")
    return None
