"""The room on disk for copies of bodies that are under way to the spool, all of them together.

Until its last byte has come no one knows whether a copy is kept: a signature may turn out wrong. So copies under way
count like events that are kept, or senders that prove nothing could fill the disk. They take room from one another
only: an event is kept as long as there is room beside those that are kept already.
"""

from typing import Final

from statusproxy.proxy.ports import SpoolPort

#: Bytes on disk of bodies that are sent from their copies, all of them together. They need no room in the spool.
NEEDED: Final = 64 * 1024 * 1024


class CopyRoom:
    """What the copies under way have on disk. One for the whole proxy; used from one event loop."""

    __slots__ = ("needed", "spooled")

    def __init__(self) -> None:
        self.spooled = 0
        """Bytes for which the spool has room."""
        self.needed = 0
        """Bytes, at most `NEEDED`, for which it need not have any."""


class Place:
    """What one copy has on disk; `give_back` once it has nothing there any more."""

    __slots__ = ("_copy_needed", "_needed", "_room", "_spool", "_spooled")

    def __init__(self, room: CopyRoom, spool: SpoolPort, *, needed: bool) -> None:
        """`needed`: the body will be sent from the copy."""
        self._room = room
        self._spool = spool
        self._copy_needed = needed
        self._needed = self._spooled = 0

    def take(self, more: int, rest: int) -> bool:
        """Take room for `more` bytes; False if there is none for the `rest` of the body, which these are part of.

        A sender may announce much and send nothing, so only what has come needs room.
        """
        room = self._room
        if self._copy_needed and room.needed + rest <= NEEDED:
            room.needed += more
            self._needed += more
            return True
        if not self._spool.has_room(room.spooled + rest):
            return False
        room.spooled += more
        self._spooled += more
        return True

    def give_back(self) -> None:
        """Give back all that was taken."""
        self._room.needed -= self._needed
        self._room.spooled -= self._spooled
        self._needed = self._spooled = 0
