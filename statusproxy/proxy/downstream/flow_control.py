"""When a client's transport is read: it is paused for as long as there is any reason to."""

import asyncio
import enum


class Hold(enum.Enum):
    """A reason not to read from a client."""

    BODY = enum.auto()
    """Enough of a request's body waits for its reader."""
    AHEAD = enum.auto()
    """Enough has come behind the request that is being served."""
    TURN = enum.auto()
    """What has come already is read on in a later turn of the loop (`turns.py`)."""
    TUNNEL = enum.auto()
    """The gateway takes no more of a tunnel."""


class ReadingHolds:
    """All reasons for which a client is not read now; the only caller of its transport's `pause_reading`."""

    __slots__ = ("_holds", "transport")

    def __init__(self) -> None:
        self._holds: set[Hold] = set()
        self.transport: asyncio.Transport | None = None
        """The client's transport, while there is one. Set by the connection."""

    def __contains__(self, hold: Hold) -> bool:
        return hold in self._holds

    def __bool__(self) -> bool:
        """Whether the client is not read."""
        return bool(self._holds)

    def add(self, hold: Hold) -> None:
        """Read no more. Without effect where that was said already."""
        if not self._holds and self.transport is not None:
            self.transport.pause_reading()
        self._holds.add(hold)

    def remove(self, hold: Hold) -> None:
        """Read again, unless there is another reason not to. Without effect where there was no such reason."""
        if hold in self._holds:
            self._holds.remove(hold)
            if not self._holds and self.transport is not None:
                self.transport.resume_reading()
