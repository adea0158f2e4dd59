"""A bounded copy of a body that streams by, for reading webhooks without delaying them.

Webhooks carry media as base64 inside their JSON, tens of megabytes in one string, while all that says anything
about a session is short. So the copy is whole as long as it is small; past the bound, the insides of long
strings are left out of the copy. What remains is still JSON, with the same keys, and memory stays flat.
"""

import re
import zlib
from typing import Final

#: A string longer than this, in bytes, is shortened in the copy once the copy outgrows its bound. No field that
#: a rule reads (ids, states, times) comes near it.
LONG_STRING: Final = 4096

#: What a gzip body may unfold to before it is given up, in bytes: well above the largest webhook the gateway takes
#: (10 MB), and a stop for decompression bombs, whose unfolding costs time on the loop.
UNFOLDED_LIMIT: Final = 64 * 1024 * 1024

_UNFOLD_STEP: Final = 256 * 1024

_QUOTE: Final = ord('"')

#: The inside of a string up to its end: runs without quote or backslash, and whole escapes.
_INSIDE: Final = re.compile(rb'[^"\\]*(?:\\(?:[^u]|u.{4})[^"\\]*)*', re.DOTALL)


#: Bytes that go on with a character of UTF-8.
_CONTINUED: Final = re.compile(rb"[\x80-\xbf]*")


class Tap:
    """Takes a copy of a body piece by piece; `limit` bounds the copy in bytes.

    `feed` never raises and never changes what it is given: a body that cannot be copied sets `failure`
    (`too-large`, `bad-gzip`, `coding`) and the rest is ignored.
    """

    __slots__ = (
        "_carry",
        "_eliding",
        "_gunzip",
        "_in_string",
        "_kept",
        "_limit",
        "_pieces",
        "_size",
        "_unfolded",
        "failure",
    )

    def __init__(self, limit: int, coding: bytes | None = None) -> None:
        """`coding`: the body's `Content-Encoding`; gzip and deflate (zlib) are unfolded, others refused."""
        self.failure: str | None = None
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._unfolded = 0
        self._eliding = False
        self._in_string = False  # where the copy stands between two pieces: inside a string, …
        self._kept = 0  # … of which so many bytes are kept, …
        self._carry = b""  # … with the beginning of an escape that the next piece completes
        name = coding.strip().lower() if coding else b"identity"
        self._gunzip: zlib._Decompress | None = None
        if name in {b"gzip", b"x-gzip", b"deflate"}:
            self._gunzip = zlib.decompressobj(wbits=47)  # 32 + 15: the header tells gzip from zlib
        elif name not in {b"identity", b""}:
            self.failure = "coding"

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, in the coding it travels in."""
        if self.failure is not None:
            return
        if self._gunzip is None:
            self._take(data)
            return
        try:
            while data and self.failure is None:
                self._take(self._gunzip.decompress(data, _UNFOLD_STEP))
                data = self._gunzip.unconsumed_tail
                if self._unfolded > UNFOLDED_LIMIT:
                    self._fail("too-large")
        except zlib.error:
            self._fail("bad-gzip")

    def finish(self) -> bytes | None:
        """The copy, once the body has ended; None where there is none, and `failure` says why."""
        if self.failure is None and self._gunzip is not None and not self._gunzip.eof and self._unfolded:
            self._fail("bad-gzip")
        return None if self.failure is not None else b"".join(self._pieces)

    def _fail(self, why: str) -> None:
        self.failure = why
        self._pieces.clear()

    def _take(self, data: bytes) -> None:
        self._unfolded += len(data)
        if self._eliding:
            data = self._elide(data)
        self._pieces.append(data)
        self._size += len(data)
        if self._size <= self._limit:
            return
        if not self._eliding:
            self._eliding = True
            whole = b"".join(self._pieces)
            self._pieces = [self._elide(whole)]
            self._size = len(self._pieces[0])
        if self._size > self._limit:
            self._fail("too-large")

    def _elide(self, data: bytes) -> bytes:
        """`data` without what exceeds `LONG_STRING` in any of its strings, which may span pieces."""
        data, self._carry = self._carry + data, b""
        kept: list[bytes] = []
        at, end = 0, len(data)
        while at < end:
            if not self._in_string:
                quote = data.find(b'"', at)
                if quote < 0:
                    kept.append(data[at:])
                    break
                kept.append(data[at : quote + 1])
                at, self._in_string, self._kept = quote + 1, True, 0
                continue
            stop = _end_of_inside(data, at)
            self._keep(kept, data[at:stop])
            if stop == end:
                break
            if data[stop] == _QUOTE:
                kept.append(b'"')
                at, self._in_string = stop + 1, False
            else:  # an escape that the piece cuts in two
                self._carry = data[stop:]
                break
        return b"".join(kept)

    def _keep(self, kept: list[bytes], inside: bytes) -> None:
        """Keep of `inside`, a part of a string, what that string may still have."""
        if self._kept + len(inside) <= LONG_STRING:
            kept.append(inside)
            self._kept += len(inside)
        elif self._kept <= LONG_STRING:
            # Cut before any escape and behind a whole character, since half of either would not be JSON.
            stop = LONG_STRING - self._kept
            escape = inside.find(b"\\", 0, stop)
            match = _CONTINUED.match(inside, stop)
            end = escape if escape >= 0 else match.end() if match else stop
            kept.append(inside[:end])
            self._kept = LONG_STRING if end == len(inside) else LONG_STRING + 1  # beyond: the rest is left out


def _end_of_inside(data: bytes, at: int) -> int:
    """Where what stands inside a string from `at` on ends: at its quote, at an escape cut in two, or with `data`.

    Megabytes of base64 hold no escape: for them two searches of memory do, which are many times quicker than a match.
    """
    quote = data.find(b'"', at)
    end = len(data) if quote < 0 else quote
    if data.find(b"\\", at, end) < 0:
        return end
    match = _INSIDE.match(data, at)
    return match.end() if match else at
