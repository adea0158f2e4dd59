"""The answer to one request, from the head to the last byte.

How far it has come and what may happen then is a table (`response_state`): `Response` changes its state by a step of
that table or not at all, and writes nothing but with a step that is a write.

While an exchange is under way nothing else writes to its client, except for the bytes of the tunnel behind a 101
(`actions.tunnel`). Outside an exchange two other modules answer: `connection` refuses what cannot be a request, a head
that comes too slowly, and a client that must give up its place in the middle of a head; `unplaced` refuses a client
that gets no place.
"""

import logging
from typing import Final, Protocol

from statusproxy.proxy.date_field import date_now
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.downstream.response_state import (
    ANSWERABLE,
    BREAK_OFF,
    DONE,
    END,
    GONE,
    HEAD,
    HEAD_SENT,
    INTERIM,
    LEAVE,
    NEW,
    PART,
    STOP,
    SWITCH,
    WHOLE,
    ResponseState,
    Step,
)
from statusproxy.proxy.downstream.slow_reader import SlowReader
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.framing import LAST_CHUNK, chunk, last_chunk
from statusproxy.proxy.http1.head import Header, write_head
from statusproxy.proxy.min_rate import Pace
from statusproxy.proxy.problems import PROBLEMS, Hop, error_answer
from statusproxy.proxy.reset import reset
from statusproxy.proxy.response_head import (
    interim_fields,
    prepared_answer,
    response_fields,
    trailer_fields,
)
from statusproxy.proxy.site import Site
from statusproxy.proxy.upstream.answer_body import SMALL, AnswerBody
from statusproxy.proxy.upstream.errors import UpstreamError

log = logging.getLogger("statusproxy.proxy")

#: Bytes of a whole answer that are handed over at once. The loop copies what the client does not take, or encrypts it.
_ONE_COPY: Final = 512 * 1024

#: The status that is reported where the client left before its answer was whole, as nginx does; it is never sent.
CLIENT_GONE: Final = PROBLEMS["client_gone"].status


class AnsweredTwiceError(RuntimeError):
    """A second answer was about to be sent to a request that has one already: an error of the program's own.

    Nothing of the second answer is sent: the client would treat it as the answer to its next request. The exchange
    fails with this as with any error of its own (`Response.error`): a first answer that is complete stays so and its
    connection ends; an incomplete one is aborted, since the exchange that began it does not go on.
    """


class Service(Protocol):
    """The part of the proxy that an answer depends on."""

    draining: bool
    """The proxy is about to stop: no connection goes on after its answer."""


class Response:
    """The answer to one request."""

    __slots__ = (
        "_connection",
        "_reader",
        "_request",
        "_request_id",
        "_service",
        "_site",
        "_state",
        "close",
        "problem",
        "sent",
        "status",
    )

    def __init__(self, request: ClientRequest, request_id: str, site: Site, service: Service) -> None:
        self._request = request
        self._connection = request.connection
        self._request_id = request_id
        self._site = site
        self._service = service
        self._reader: SlowReader | None = None  # from the first time that the client accepts no more
        self._state = NEW
        self.status = 0
        """The status of the final answer; 0 while there is none."""
        self.sent = 0
        """Bytes written, the gateway's interim answers not counted."""
        self.close = not request.keep_alive
        """Whether the client's connection ends with this answer."""
        self.problem: str | None = None
        """The code of what went wrong (`problems.PROBLEMS`), if anything did."""

    @property
    def state(self) -> ResponseState:
        """How far it has come."""
        return self._state

    @property
    def keeps_connection(self) -> bool:
        """Whether the client's connection may go on after this answer."""
        return not self.close and self._state is DONE

    @property
    def reported_status(self) -> int:
        """The status for the access log: 499 where the client left."""
        return CLIENT_GONE if self._state is GONE else self.status

    # ---- answers ----

    def interim(self, head: ResponseHead) -> bool:
        """Pass on a 1xx answer at once (RFC 9110 §15.2); False where it may not be: HTTP/1.0 knows none."""
        if self._request.version < (1, 1) or not self._move(INTERIM):
            return False
        return self._put(write_head(b"HTTP/1.1 %d %b" % (head.status, head.reason), interim_fields(head)))

    async def permit(self) -> None:
        """Tell a client that waits for it to send its body, where the gateway does not (RFC 9110 §10.1.1)."""
        if self._write(INTERIM, b"HTTP/1.1 100 Continue\r\n\r\n"):
            await self._wait()

    async def stream(self, head: ResponseHead, body: AnswerBody) -> None:
        """Send the gateway's answer as it comes. If the gateway aborts it, it is aborted here too."""
        self._expect_none()
        request = self._request
        prepared = prepared_answer(head)
        wire = prepared.wire
        if b"x-request-id" not in prepared.well_known:
            wire += b"X-Request-Id: %b\r\n" % self._request_id.encode()
        bodiless = request.method == "HEAD" or head.status in {204, 304}
        chunked = False
        self._close_if_early()
        if not bodiless and b"content-length" not in prepared.well_known:
            chunked = request.version >= (1, 1)
            if chunked:
                wire += b"Transfer-Encoding: chunked\r\n"
            else:
                self.close = True  # the end of the connection is the end of the body
        wire += self._own_end()
        self.status = head.status
        if bodiless:
            if self._write(WHOLE, wire):
                await self._wait()
            return
        data = body.ready()
        if data is not None and len(data) <= SMALL:
            if chunked:
                data = (chunk(data) if data else b"") + _last_chunk(body)
            if self._write(WHOLE, wire + data):
                await self._wait()
            return
        if self._write(HEAD, wire):
            await self._wait()
        try:
            if data is None:
                data = await body.read()
            while data:
                if self._write(PART, chunk(data) if chunked else data):
                    await self._wait()
                data = await body.read()
        except UpstreamError as error:
            self.break_off(error)
            return
        if chunked and self._write(PART, _last_chunk(body)):
            await self._wait()
        self._end()

    async def answer(self, status: int, reason: bytes, fields: list[Header], body: bytes) -> None:
        """Send a whole answer: a small one in one write, a large one at the client's pace.

        `fields` are all but those about framing: there is no `Content-Length` among them.
        """
        self._expect_none()
        bodiless = status in {204, 304}
        self._close_if_early()
        if not bodiless:
            fields = [*fields, (b"Content-Length", b"%d" % len(body))]  # not appended: they may be remembered
        wire = self._head(status, reason, fields)
        if bodiless or self._request.method == "HEAD":
            if self._write(WHOLE, wire):
                await self._wait()
        elif len(body) <= _ONE_COPY:
            if self._write(WHOLE, wire + body):
                await self._wait()
        else:
            if self._write(HEAD, wire):
                await self._wait()
            for at in range(0, len(body), _ONE_COPY):
                if self._write(PART, body[at : at + _ONE_COPY]):
                    await self._wait()
            self._end()

    async def no_content(self, *fields: Header) -> None:
        """Send a 204 of our own; the rest of an unwanted body may still be coming."""
        self._expect_none()
        own = [*fields, (b"X-Request-Id", self._request_id.encode()), date_now()]
        if self._write(WHOLE, self._head(204, b"No Content", own)):
            await self._wait()

    async def switch(self, head: ResponseHead) -> None:
        """Send a 101. What follows are a tunnel's bytes, and no answer of HTTP's (RFC 9110 §7.8)."""
        self._expect_none()
        fields, _ = response_fields(head, self._request_id.encode())
        fields.append((b"Connection", b"Upgrade"))
        fields += [(name, value) for name, value in head.headers if name.lower() == b"upgrade"]
        self.close = True
        self.status = head.status
        if self._write(SWITCH, write_head(b"HTTP/1.1 101 %b" % head.reason, fields)):
            await self._wait()

    def tunnel_ended(self, sent: int, problem: str | None) -> None:
        """The tunnel behind a 101 has ended, after `sent` bytes to the client; `problem` says what broke it off."""
        self.sent += sent
        self.problem = problem
        self._move(END)

    async def error(self, code: str, detail: str = "", hop: Hop | None = None) -> None:
        """Answer for a problem; where an answer was begun already, break that off.

        `hop` names another failing hop than the table of problems does.
        """
        self.problem = code
        if self._state is GONE:
            return
        self._close_if_early()
        if self._state is HEAD_SENT:
            self.break_off(UpstreamError(code, detail))
        if self._state is not NEW:
            self.close = True
            return
        problem = PROBLEMS[code]
        self.status = problem.status
        self.close = self.close or self._service.draining
        answer = error_answer(
            problem,
            self._request_id,
            self._site.language,
            close=self.close,
            head_only=self._request.method == "HEAD",
            hop=hop,
        )
        if self._write(WHOLE, answer):
            await self._wait()

    # ---- ends ----

    def break_off(self, error: UpstreamError) -> None:
        """Abort an answer that cannot be completed, so that the client does not treat it as complete."""
        if not self._move(BREAK_OFF):
            return  # the client has gone, and this is why the answer is aborted
        self.problem = error.code
        self.close = True
        by_client = PROBLEMS[error.code].hop == "client"
        log.log(
            logging.INFO if by_client else logging.WARNING,
            "the client aborted its request: %s" if by_client else "the gateway aborted its answer: %s",
            error,
            extra={"request_id": self._request_id, "code": error.code},
        )
        transport = self._connection.transport
        if transport is not None:
            reset(transport)

    def client_left(self) -> None:
        """The client has gone: nothing more is written. An aborted answer stays aborted."""
        self._move(LEAVE)

    def cut_off(self) -> None:
        """The proxy stops in the middle of the exchange."""
        self._move(STOP)
        self.status = 0

    # ---- writing ----

    def _head(self, status: int, reason: bytes, fields: list[Header]) -> bytes:
        """The final answer's head."""
        self.status = status
        return write_head(b"HTTP/1.1 %d %b" % (status, reason), fields)[:-2] + self._own_end()

    def _own_end(self) -> bytes:
        """The end of the final answer's head, with what this connection's own state asks for (RFC 9112 §9)."""
        if self.close or self._service.draining:
            self.close = True
            return b"Connection: close\r\n\r\n"
        return b"\r\n" if self._request.version >= (1, 1) else b"Connection: keep-alive\r\n\r\n"

    def _close_if_early(self) -> None:
        """Answered early: what is still coming of the request is not worth waiting for."""
        if not self._request.content.is_eof():
            self.close = True

    def _expect_none(self) -> None:
        """Raise `AnsweredTwiceError` where an answer was begun already."""
        if self._state not in ANSWERABLE:
            raise AnsweredTwiceError(f"a second answer, while the first is {self._state.name}")

    def _move(self, step: Step) -> bool:
        """Take a step, which alone changes the state; False where the table does not allow it now."""
        if self._state not in step.sources:
            return False
        self._state = step.target
        return True

    def _write(self, step: Step, data: bytes) -> bool:
        """Write to the client with a step, if that is allowed; `_wait` is due where this is True: the client takes no
        more."""
        if not self._move(step):
            return False
        connection = self._connection
        if step is HEAD:
            connection.unfinished = True
        if not self._put(data):
            self._lose_client()
            return False
        self.sent += len(data)
        return connection.writing_paused

    def _put(self, data: bytes) -> bool:
        """Give bytes to the transport, behind a step that allows it; False where the client has gone."""
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        return True

    def _end(self) -> None:
        """The answer whose head was written first is whole."""
        self._move(END)
        self._connection.unfinished = False

    async def _wait(self) -> None:
        """Wait until the client takes more, as long as it is not too slow."""
        if self._reader is None:
            limits, times = self._site.limits, self._site.timeouts
            pace = None if limits.min_rate is None else Pace(limits.min_rate, times.min_rate_grace)
            self._reader = SlowReader(self._connection, pace, times.response_body)
        try:
            await self._reader.wait()
        except ConnectionError:
            self._lose_client()
        if self._reader.stopped:
            self.problem = "client_stopped_reading"
            self._lose_client()

    def _lose_client(self) -> None:
        """Found out here that the client has gone: the exchange learns it as if its connection had told it."""
        self.client_left()
        gone = self._connection.gone
        if gone is not None:
            gone()


def _last_chunk(body: AnswerBody) -> bytes:
    """The end of a chunked body, with the gateway's trailers (RFC 9112 §7.1.2)."""
    return last_chunk(trailer_fields(body.trailers)) if body.trailers else LAST_CHUNK
