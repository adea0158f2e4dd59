"""Reads a client's bytes as requests and bodies, one request at a time, with back-pressure."""

import asyncio
from collections.abc import Callable
from typing import Final

from statusproxy.proxy.downstream.body_buffer import NO_BODY, BrokenBodyError, RequestBody
from statusproxy.proxy.downstream.flow_control import Hold, ReadingHolds
from statusproxy.proxy.downstream.loop_budget import FREE, LoopBudget
from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import END, SWITCHED, HeadLimits, RequestHead, RequestParser

#: Bytes of a body held while its reader is behind; with more the client is told to wait (TCP back-pressure).
BODY_HELD: Final = 512 * 1024

#: Bytes held that came behind the request being served; with more the client is told to wait.
AHEAD_HELD: Final = 64 * 1024


class RequestReader:
    """Feeds the parser of one connection, and has the client wait where that is ahead of us.

    Either no request is being served: then each piece of data goes to `read`, until that gives one; where too many
    clients ask at the same moment, it is kept, and `read_on` is called in a later turn. Or one is: then data goes to
    `follow`, which reads the request's body and keeps what comes behind it, until `next` is called.
    """

    __slots__ = ("_chunks", "_heads", "_loop", "_parser", "_switched", "body", "holds", "waits")

    def __init__(
        self, limits: HeadLimits, heads: LoopBudget, chunks: LoopBudget, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._parser = RequestParser(limits)
        self._heads = heads
        self._chunks = chunks
        self.waits = False
        """Whether what has come of a head is read in a later turn."""
        self._switched = False  # what is behind the request is not read as HTTP
        self._loop = loop
        self.holds = ReadingHolds()
        self.body: RequestBody = NO_BODY
        """The body of the request that `read` or `next` gave last."""

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete. Empty lines before a request do not begin one."""
        return self._parser.in_head

    @property
    def more(self) -> bool:
        """Whether there is anything behind the request that was served."""
        return self._switched or self._parser.held > 0

    def read(self, data: bytes, later: Callable[[], None]) -> RequestHead | Refusal | None:
        """The request that begins in `data`, behind what was kept, or its refusal.

        None while the head is not complete, or where it has to wait: then `later` is called in a later turn, once.
        Its body is fed as far as it has come.
        """
        heads = self._heads
        if heads.left > 0 and not self.waits:
            heads.spend(1)
            return self._read(data, 1)
        self._keep(data)
        if not self.waits:
            self.waits = True
            heads.wait(later)
        return None

    def read_on(self) -> RequestHead | Refusal | None:
        """What `read` gives for all that it kept: its turn has come, or nothing more will."""
        self.waits = False
        self._heads.spend(1)
        return self.next()

    def _read(self, data: bytes, requests: int) -> RequestHead | Refusal | None:
        """`read` in any case. With `requests` 0 none may begin."""
        parser, chunks = self._parser, self._chunks
        found: RequestHead | Refusal | None
        if requests:
            found = parser.known(data)
            if found is not None:
                length = found.length
                if length:
                    self.body = RequestBody(self, BODY_HELD, self._loop)
                    self.body.feed_data(data[-length:])
                    self.body.feed_eof()
                else:
                    self.body = NO_BODY
                return found
        found = None
        for event in parser.feed(data, requests, max(FREE, chunks.left)):
            if isinstance(event, RequestHead):
                found = event
                self.body = RequestBody(self, BODY_HELD, self._loop) if event.has_body else NO_BODY
            elif isinstance(event, bytes):
                self.body.feed_data(event)
            elif event is END:
                self.body.feed_eof()
            elif event is SWITCHED:
                self._switched = True
            elif found is None and requests:
                return event
            else:
                self.body.set_exception(BrokenBodyError(event.detail))
        if parser.chunks:
            if parser.chunks > FREE:
                chunks.spend(parser.chunks)
            if parser.behind and Hold.TURN not in self.holds:
                self.holds.add(Hold.TURN)
                chunks.wait(self._take_turn)
        return found

    def follow(self, data: bytes) -> None:
        """Read on in the body of the request that is being served; what is behind it is kept."""
        parser = self._parser
        if parser.in_body and not self.holds:
            self._read(data, 0)
            data = b""
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        """Keep what may not be read now. Too much of it, and the client waits."""
        parser = self._parser
        parser.keep(data)
        if not parser.in_body and parser.held > AHEAD_HELD:
            self.holds.add(Hold.AHEAD)

    def next(self) -> RequestHead | Refusal | None:
        """The request behind the one that was served, as `read` gives it.

        An upgrade that the served request asked for was declined, so what came behind it are requests.
        """
        parser = self._parser
        if self._switched:
            self._switched = False
            parser.stay()
        found = self._read(b"", 1)
        # A head that is not whole must go on, however long it is: only the parser bounds it.
        if found is None or parser.in_body or parser.held <= AHEAD_HELD:
            self.holds.remove(Hold.AHEAD)
        return found

    def switch(self) -> bytes:
        """The protocol was switched: what came already of the other one. The caller takes what follows."""
        self.holds.remove(Hold.AHEAD)
        return self._parser.take_rest() if self._switched else b""

    def end(self) -> None:
        """Read no more. A whole body is released, since it and this reader refer to each other."""
        if self.body.is_eof():
            self.body = NO_BODY

    # ---- when the body may go on ----

    def pause_body(self) -> None:
        """Called by the body: its reader is behind."""
        self.holds.add(Hold.BODY)

    def resume_body(self) -> None:
        """Called by the body: its reader has caught up.

        What was kept is read in the loop's next turn. Read at once, the end of the body could come between a piece that
        its reader takes and the reader's look at whether that was the last.
        """
        self._loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not self.body.full:  # it may be the next request's by now
            self._release(Hold.BODY)

    def _take_turn(self) -> None:
        self._release(Hold.TURN)

    def _release(self, hold: Hold) -> None:
        """Read on in what was kept, where nothing else is in the way."""
        holds = self.holds
        holds.remove(hold)
        if self._parser.in_body and Hold.BODY not in holds and Hold.TURN not in holds:
            self._read(b"", 0)
