"""Flow control of one client's connection: when it is read, and when it takes what is written."""

import asyncio
import enum
from collections.abc import Callable


class Hold(enum.Enum):
    """A reason not to read from a client."""

    BODY = enum.auto()
    """Enough of a request's body waits for its reader."""
    AHEAD = enum.auto()
    """Enough has come behind the request that is being served."""
    TURN = enum.auto()
    """What has come already is read on in a later turn of the loop (`loop_budget.py`)."""
    TUNNEL = enum.auto()
    """The gateway accepts no more of a tunnel."""


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


class FlowControl(asyncio.Protocol):
    """The part of a client's connection that pauses and resumes: its reading for a tunnel, and those who write to it.

    A class derived from it sets `transport`, and calls `writing_lost` when the connection is lost.
    """

    __slots__ = ("_drained", "holds", "transport", "was_reset", "writable", "writing_paused")

    def __init__(self, holds: ReadingHolds) -> None:
        self.holds = holds
        """Why the client is not read now."""
        self.transport: asyncio.Transport | None = None
        """None before the connection has a place, and once it was closed or lost."""
        self.was_reset = False
        """Whether the client broke the connection off, and did not end it in order."""
        self.writable: Callable[[], None] | None = None
        """Called when the client takes more after it did not."""
        self.writing_paused = False
        """Whether the client accepts no more now."""
        self._drained: asyncio.Future[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the client is there, and has a place."""
        return self.transport is not None

    @property
    def unsent(self) -> bool:
        """Whether bytes wait here for the client to take them."""
        return self.transport is not None and self.transport.get_write_buffer_size() > 0

    def hold(self) -> None:
        """Stop reading from the client until `go_on`: the other side of its tunnel accepts no more."""
        self.holds.add(Hold.TUNNEL)

    def go_on(self) -> None:
        """Read from the client again."""
        self.holds.remove(Hold.TUNNEL)

    async def drain(self) -> None:
        """Wait until the client takes more. Raises `ConnectionError` when it has gone."""
        if not self.connected:
            raise ConnectionResetError("the client has gone")
        if self.writing_paused:
            if self._drained is None or self._drained.done():
                self._drained = asyncio.get_running_loop().create_future()
            await self._drained
            if self.was_reset:
                raise ConnectionResetError("the client has gone")

    def pause_writing(self) -> None:
        """Called by asyncio: the client is behind."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """Called by asyncio: the client has caught up."""
        self.writing_paused = False
        self._wake_writer()
        if self.writable is not None:
            self.writable()

    def writing_lost(self, *, was_reset: bool) -> None:
        """Nothing can be written any more."""
        self.transport = None
        self.was_reset = was_reset
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
