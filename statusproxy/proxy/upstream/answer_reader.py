"""One exchange's answer on its way in: parsed as it comes, held for its reader, awaited no longer than allowed.

It knows no transport. The connection feeds it, and asks it whether the gateway has to wait (`congested`).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from statusproxy.observe.network_errors import in_words
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.refusals import RefusedError
from statusproxy.proxy.http1.response_parser import ResponseParser
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.limits import UpstreamLimits

#: Bytes of an answer's body held before the gateway is told to wait (TCP back-pressure).
HIGH_WATER: Final = 512 * 1024

#: Room for an answer's heads, in times `limits.head`: gateways set cookies and policies that clients do not send.
_HEADS: Final = 2

#: Bytes of a body's piece that is passed on alone; smaller ones that have come meanwhile go along with it.
_WORTH_A_WRITE: Final = 64 * 1024


class AnswerReader:
    """Reads one exchange's answer. A new one is made for each exchange, so that no state is carried over."""

    __slots__ = (
        "_deadline",
        "_informational",
        "_limits",
        "_loop",
        "_taken",
        "_waiter",
        "answered",
        "error",
        "parser",
        "whole",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: UpstreamLimits,
        head_only: bool,
        informational: Callable[[ResponseHead], None] | None,
        taken: Callable[[], None],
    ) -> None:
        """`head_only` for HEAD, whose answer has no body; `informational` is called with each 1xx
        answer before the final one (RFC 9110 §15.2), `taken` after each piece that was read."""
        self._loop = loop
        self._limits = limits
        self.parser = ResponseParser(limits.head * _HEADS, head_only)
        """What has come of the answer, and whether that is all."""
        self._informational = informational
        self._taken = taken
        self._waiter: asyncio.Future[None] | None = None
        self._deadline: float | None = None  # of the wait under way, by the loop's clock
        self.error: UpstreamError | None = None
        """Why the exchange failed, once it has."""
        self.answered = False
        """Whether any byte of an answer came."""
        self.whole: Callable[[], None] | None = None
        """Called when the answer's last byte has come."""

    # ---- for the exchange ----

    async def head(self) -> ResponseHead:
        """The final answer's head. Raises `UpstreamError`."""
        parser = self.parser
        while parser.head is None:
            if self.error is not None:
                raise self.error
            await self._wait(self._limits.response_head)
        return parser.head

    async def read(self) -> bytes:
        """What came of the body since the last call, at least a byte; b"" at its end. Raises `UpstreamError`."""
        parser = self.parser
        while not parser.body:
            if self.error is not None:
                raise self.error
            if parser.complete:
                return b""
            await self._wait(self._limits.response_body)
        data = parser.body.take(_WORTH_A_WRITE)
        self._taken()
        return data

    def ready(self) -> bytes | None:
        """The rest of the body if all of it is here, without waiting; None while any of it is to come."""
        return self.parser.body.take_all() if self.parser.complete and self.error is None else None

    def take_early(self) -> bytes:
        """What came behind the head of an answer that switches protocols."""
        return self.parser.body.take_all()

    @property
    def complete(self) -> bool:
        """Whether the answer's last byte is here."""
        return self.parser.complete

    # ---- for the connection ----

    def feed(self, data: bytes) -> None:
        """Take what came; afterwards `error` says whether it is no answer."""
        self.answered = True
        parser = self.parser
        try:
            parser.feed(data)
        except RefusedError as refused:
            self._refuse(refused)
        if parser.interim:
            self._pass_interim()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def go_on(self) -> None:
        """Parse the next of what came and was too much work for one turn of the loop (`pending`)."""
        try:
            self.parser.go_on()
        except RefusedError as refused:
            self._refuse(refused)
        self.wake()

    @property
    def congested(self) -> bool:
        """Whether the gateway has to wait: enough is held. Never once the answer is whole."""
        parser = self.parser
        return not parser.complete and (parser.body.held > HIGH_WATER or parser.pending)

    @property
    def waited_for(self) -> bool:
        """Whether a reader waits for more of the answer now."""
        return self._waiter is not None

    def fail(self, error: UpstreamError) -> None:
        """The exchange has failed, unless its answer is whole: the one who waits learns it."""
        if self.error is None and not self.parser.complete:
            self.error = error
        self.wake()

    def finish(self, exc: Exception | None) -> None:
        """The connection is lost by `exc` (None: in order) and all data was parsed: see whether the answer is whole."""
        parser = self.parser
        if exc is None and parser.until_close:
            parser.complete = True
        elif not parser.complete:
            code = "gateway_closed" if parser.head is None else "gateway_bad_answer"
            self.fail(UpstreamError(code, in_words(exc) if exc else "", answered=self.answered))
        self.wake()
        if parser.complete and self.whole is not None:
            self.whole()

    def overdue(self, now: float, *, request_done: bool) -> bool:
        """Whether what is waited for should have come by `now`.

        While the request is still on its way its own limits watch over that, and the answer's time begins again.
        """
        if self._deadline is None or now < self._deadline:
            return False
        if not request_done and self.parser.head is None:
            self._deadline = now + (self._limits.response_head or 0.0)
            return False
        return True

    def reusable(self) -> bool:
        """Whether another exchange may follow, as far as this answer says; it is not read any further."""
        parser, error = self.parser, self.error
        self.error = None  # its traceback holds the exchange, and a frame of ours that holds us
        self.whole = self._informational = None
        if not parser.complete:
            parser.let_go()
            return False
        head = parser.head
        return not parser.behind and error is None and head is not None and head.keep_alive and not self.waited_for

    def wake(self) -> None:
        """Have the one who waits look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self, limit: float | None) -> None:
        self._waiter = self._loop.create_future()
        if limit is not None:
            self._deadline = self._loop.time() + limit
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._deadline = None

    def _refuse(self, refused: RefusedError) -> None:
        self.fail(UpstreamError("gateway_bad_answer", str(refused), answered=True))

    def _pass_interim(self) -> None:
        interim, self.parser.interim = self.parser.interim, []
        if self._informational is not None:
            for head in interim:
                self._informational(head)
