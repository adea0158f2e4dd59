"""Leaves the content of long strings out of JSON, piece by piece.

Webhooks carry media as base64 inside their JSON, tens of megabytes in one string, while all that says anything about a
session is short. What remains is still JSON, with the same keys and the same short values.

The work is done by searches over whole blocks, never by a loop over characters, escapes or short strings: a block
costs about the same for any content.
"""

from typing import Final

#: A string longer than this, in bytes between its quotes, is shortened. No field that a rule reads (ids, states,
#: times) comes near it.
LONG_STRING: Final = 4096

#: The longest escape is `\uXXXX`: one that a cut would divide begins at most so many bytes before the cut.
_ESCAPE_BEGINS: Final = 5

#: The longest character of UTF-8 has three bytes behind its first.
_CONTINUATIONS: Final = 3

_BACKSLASH: Final = ord("\\")
_U: Final = ord("u")


class Elider:
    """Shortens long strings. The pieces that `feed` gives, and `end` at the end, make up the shortened document.

    However a document is divided into blocks, the result is the same. Anything may be fed: what is not JSON gives
    something that is not JSON either.
    """

    __slots__ = ("_dropping", "_inside", "_open")

    def __init__(self) -> None:
        self._inside = False  # the input so far ends inside a string …
        self._dropping = False  # … that is known to be long: the rest of its inside is left out
        self._open = b""  # what is held back: the inside of a string not known to be long, or half an escape

    def feed(self, block: bytes) -> bytes:
        """Take the next block (64 KiB is a good size), and give what is certain of the shortened document."""
        data = self._open + block if self._open else block
        if self._dropping and b'"' not in data:
            self._open = b"\\" if _ends_in_half_a_pair(data) else b""
            return b""
        marks = _without_escapes(data)
        half = b""
        if marks.endswith(b"\\"):  # the escape goes on in the next block
            half = b"\\"
            data, marks = data[:-1], marks[:-1]
        given, held = self._shorten(data, marks)
        self._open = held + half
        return given

    def end(self) -> bytes:
        """The rest that was held back: the document ended inside a string, and so was not JSON."""
        held, self._open = self._open, b""
        return held

    def _shorten(self, data: bytes, marks: bytes) -> tuple[bytes, bytes]:
        """The certain part of `data`, shortened, and the part to hold back. `marks` has no quotes but delimiters."""
        end = len(data)
        at = counted = start = 0  # given up to here, quotes counted up to here, behind or at the last quote known
        if self._dropping:
            at = counted = start = marks.find(b'"')
            if at < 0:
                return b"", b""
            self._dropping = False
        pieces: list[bytes] = []
        while True:
            # The last quote within reach, not the next one: no string before it can be long.
            quote = marks.rfind(b'"', start, start + LONG_STRING + 1)
            if quote >= 0:
                start = quote + 1
                continue
            if end - start <= LONG_STRING:
                break
            self._inside ^= marks.count(b'"', counted, start) % 2 == 1
            stop = marks.find(b'"', start + LONG_STRING)
            counted = stop if stop >= 0 else end
            if self._inside:
                pieces.append(data[at : _cut(data, start)])
                at = counted
            if stop < 0:
                self._dropping = self._inside
                pieces.append(data[at:])
                return b"".join(pieces), b""
            start = stop
        self._inside ^= marks.count(b'"', counted, start) % 2 == 1
        held = start if self._inside else end
        pieces.append(data[at:held])
        return b"".join(pieces), data[held:]


def _without_escapes(data: bytes) -> bytes:
    """`data` with each escaped backslash and quote replaced by as many other bytes.

    Every quote left delimits a string, and a backslash at the very end begins an escape.
    """
    if b"\\" not in data:
        return data
    return data.replace(rb"\\", b"..").replace(rb"\"", b"..")


def _ends_in_half_a_pair(inside: bytes) -> bool:
    """Whether the last backslash at the end of a string's `inside` begins an escape, and does not end one."""
    return (len(inside) - len(inside.rstrip(b"\\"))) % 2 == 1


def _cut(data: bytes, start: int) -> int:
    """Where the long string whose inside begins at `start` is cut: behind a whole escape or character."""
    cut = start + LONG_STRING
    at = data.find(b"\\", cut - _ESCAPE_BEGINS, cut)
    if at >= 0:
        if _ends_in_half_a_pair(data[start:at]):
            at += 1  # it is the second of a pair, and begins nothing
        while at < cut:
            size = 1 if data[at] != _BACKSLASH else 6 if data[at + 1] == _U else 2
            if at + size > cut:
                return at
            at += size
    for _ in range(_CONTINUATIONS):
        if data[cut] & 0xC0 != 0x80:
            break
        cut -= 1
    return cut
