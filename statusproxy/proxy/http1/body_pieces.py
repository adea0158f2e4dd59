"""A queue of body pieces that were received and not read yet, and the memory that they take."""

from collections.abc import Iterator
from typing import Final

#: Bytes that a held piece costs besides its data. Single bytes must not fill the memory with objects.
_PIECE: Final = 64


class BodyPieces:
    """First in, first out."""

    __slots__ = ("_pieces", "held")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0
        """Bytes in memory, small pieces counted with what they cost."""

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def add(self, data: bytes) -> None:
        """Hold a piece."""
        self._pieces.append(data)
        self.held += len(data) + _PIECE

    def take(self, most: int) -> bytes:
        """The next piece (there must be one); small ones are joined, up to `most` bytes and a piece."""
        pieces = self._pieces
        if len(pieces) > 1 and len(pieces[0]) < most:
            size = count = 0
            while count < len(pieces) and size < most:
                size += len(pieces[count])
                count += 1
            pieces[:count] = [b"".join(pieces[:count])]
            self.held -= _PIECE * (count - 1)
        data = pieces.pop(0)
        self.held -= len(data) + _PIECE
        return data

    def take_all(self) -> bytes:
        """All that is here."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.held = 0
        return data
