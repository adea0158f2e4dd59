"""A bounded copy of a request's body that streams by, for reading it without delaying it.

The copy is whole as long as it is small. Past the bound, the insides of long strings are left out of it (`elision`),
so that memory stays flat however much media an event carries; a form, which has no such strings, is not copied then.
A coded body is decoded for the copy, in steps.
"""

import logging
import re
from collections.abc import Awaitable
from typing import Final

from statusproxy.proxy.codings import layers
from statusproxy.proxy.decoders import WIDE, CodingError, Decoder
from statusproxy.proxy.elision import Elider
from statusproxy.proxy.steps import StepRunner, Steps

log = logging.getLogger("statusproxy.proxy")

#: Bytes that a coded webhook may decode to before it is given up: well above the largest that the gateway takes
#: (10 MB), and a stop for decompression bombs.
DECODED_LIMIT: Final = 64 * 1024 * 1024

#: Bytes that are shortened in one step: at most 0.6 ms, and usually a hundredth of that.
_BLOCK: Final = 64 * 1024

#: How a form begins (application/x-www-form-urlencoded), and no JSON does.
_FORM: Final = re.compile(rb'[^&="{\[\s]{1,512}=')

_NOTHING: Final = bytearray()  # never changed


class BodyCopy:
    """Takes a copy of a body piece by piece: an observer of the request's body (`downstream.request_body`).

    `feed` only stores the piece. What `catch_up` gives does the work without blocking the event loop, and must be
    awaited after each piece. Neither raises. For a body that cannot be copied, `failure` is set and the rest of the
    body is ignored:

    - `too-large`: the copy, the coded body that waits to be decoded, or the decoded body is beyond its bound;
    - `coding`: a coding that is unknown or not installed, or several over one another;
    - `broken-coding`: not in its coding, cut short, or something stands behind it; `too-many-members` of it;
    - `internal`: an error of our own, which is logged.
    """

    __slots__ = ("_coded", "_copy", "_decoder", "_elider", "_late", "_limit", "_runner", "_waiting", "_wide", "failure")

    def __init__(
        self,
        runner: StepRunner,
        limit: int,
        coding: bytes | None = None,
        *,
        decoded_limit: int = DECODED_LIMIT,
        late: bool = False,
    ) -> None:
        """`limit`: bytes of the copy; 0 for none. `coding`: the body's `Content-Encoding`. `decoded_limit`: bytes that
        a coded body may decode to. `runner` does the long work.

        `late` keeps a coded body as it came, at most `limit` bytes of it, and decodes it in `result` only: for bodies
        that perhaps need not be read. Codings with large windows are always decoded late, so that few of those
        windows are open at a time.
        """
        self.failure: str | None = None if limit > 0 else "too-large"
        self._runner = runner
        self._limit = limit
        self._copy: bytes | bytearray = b""
        self._coded: bytes | bytearray = b""  # to be decoded
        self._elider: Elider | None = None
        self._waiting = _NOTHING  # decoded, to be shortened
        self._decoder: Decoder | None = None
        self._late = self._wide = False
        if coding:
            self._decode_from(coding, decoded_limit, late)

    def _decode_from(self, coding: bytes, decoded_limit: int, late: bool) -> None:
        names = layers(coding)
        if not names:
            return
        self._wide = not WIDE.isdisjoint(names)
        self._late = late or self._wide
        try:
            if len(names) > 1:
                raise CodingError("unknown-coding")
            self._decoder = Decoder(names[0], decoded_limit)
        except CodingError:
            self.failure = "coding"

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, in the coding it travels in."""
        if self.failure is not None:
            return
        if self._decoder is None:
            self._take(data)
            return
        self._coded = _longer(self._coded, data)
        if self._late and len(self._coded) > self._limit:
            self._fail("too-large")

    def catch_up(self) -> Awaitable[None] | None:
        """The work left to do for what was fed so far; None if there is none."""
        if self.failure is not None:
            return None
        if len(self._waiting) >= _BLOCK or (self._coded and not self._late):
            return self._work(self._steps())
        return None

    @property
    def ready(self) -> bytes | None:
        """The copy of a body that has ended, where it takes no work: the usual, small and not coded. Else None."""
        if self.failure is None and self._decoder is None and self._elider is None:
            return bytes(self._copy)
        return None

    async def result(self) -> bytes | None:
        """The copy, once the body has ended; None if there is none, and `failure` says why."""
        ready = self.ready
        if ready is not None:
            return ready
        if self.failure is None:
            await self._work(self._last_steps())
        return None if self.failure is not None else bytes(self._copy)

    def _fail(self, why: str) -> None:
        self.failure = why
        self._copy, self._coded, self._waiting = b"", b"", _NOTHING
        self._decoder = self._elider = None

    async def _work(self, steps: Steps[None]) -> None:
        try:
            await self._runner.run(steps, wide=self._wide)
        except CodingError as error:
            self._fail(str(error))
        except Exception:  # the request goes on all the same
            log.exception("the copy of a body could not be made")
            self._fail("internal")

    def _steps(self) -> Steps[None]:
        """Decode what is there, and shorten whole blocks of it."""
        decoder, coded = self._decoder, self._coded
        if decoder is not None and coded:
            self._coded = b""
            decoder.feed(bytes(coded))
            del coded
            while decoder.behind and self.failure is None:
                self._take(decoder.step())
                yield
                yield from self._shorten_blocks()
        yield from self._shorten_blocks()

    def _last_steps(self) -> Steps[None]:
        """The same, and come to an end."""
        yield from self._steps()
        if self._decoder is not None:
            self._decoder.end()
            self._decoder = None
        elider, self._elider = self._elider, None
        if elider is not None:
            self._append(elider.feed(bytes(self._waiting)) + elider.end())

    def _take(self, data: bytes) -> None:
        """The next piece of the body, decoded."""
        if self._elider is not None:
            self._waiting += data
            return
        self._copy = _longer(self._copy, data)
        if len(self._copy) > self._limit:
            if _FORM.match(self._copy):
                self._fail("too-large")
                return
            self._elider = Elider()
            self._waiting, self._copy = bytearray(self._copy), b""

    def _shorten_blocks(self) -> Steps[None]:
        while self._elider is not None and len(self._waiting) >= _BLOCK:
            with memoryview(self._waiting) as waiting:
                block = bytes(waiting[:_BLOCK])
            del self._waiting[:_BLOCK]
            self._append(self._elider.feed(block))
            yield

    def _append(self, shortened: bytes) -> None:
        self._copy = _longer(self._copy, shortened)
        if len(self._copy) > self._limit:
            self._fail("too-large")


def _longer(data: bytes | bytearray, more: bytes) -> bytes | bytearray:
    """`data` with more behind it; the usual body comes in one piece, which is not copied."""
    if not data:
        return more
    if isinstance(data, bytes):
        data = bytearray(data)
    data += more
    return data
