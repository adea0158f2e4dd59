"""One request to the gateway and its answer: the connection it has, when it may be repeated, how long it took."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.upstream.answer_body import AnswerBody, Room
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool

#: Methods whose request may be repeated when it met a dying connection (RFC 9110 §9.2.2).
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

#: Methods whose request is given up when the client has gone: no one wants the answer, nothing is lost.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class WithheldError(Exception):
    """Nothing was sent, since it may not go any more."""


class Body(Protocol):
    """What a call asks of the body it sends (`downstream.request_body.Upload`)."""

    whole: bool
    """Whether all of it has been read."""

    @property
    def unread(self) -> bool:
        """Whether a part of it has not come yet."""

    async def begin(self) -> bytes:
        """The part to send together with the head."""

    async def wait(self) -> bytes:
        """There is no connection yet, and it may be long until there is one; give more to send."""

    async def waited(self) -> bytes:
        """That is over: there is a connection, or there will be none; give more to send."""

    def carry(self, connection: UpstreamConnection) -> None:
        """Carry the rest as it comes."""

    async def end(self) -> None:
        """It was sent whole."""


class Followed(Protocol):
    """A call whose answer other clients may wait for as well (`coalescing.SharedCall`)."""

    followers: int


class Call:
    """One exchange's call to the gateway. Use: `await send()`, read `body`, `close()`."""

    __slots__ = ("_connection", "_gone", "_method", "_request_body", "_room", "body", "seconds", "shared")

    def __init__(self, method: str, request_body: Body | None, room: Room) -> None:
        """`method` is the client's, which decides what may be repeated and what given up."""
        self._method = method
        self._request_body = request_body
        self._room = room
        self._connection: UpstreamConnection | None = None
        self._gone = False  # the client has left
        self.body: AnswerBody | None = None
        """The body of the final answer, from its head on; None where the protocol was switched."""
        self.seconds: float | None = None
        """From sending the request to the head of the answer; None where nothing was answered."""
        self.shared: Followed | None = None
        """Set while this call is made for others too."""

    @property
    def connection(self) -> UpstreamConnection | None:
        """The connection to the gateway, while the call has one."""
        return self._connection

    async def send(
        self,
        pool: Pool,
        head: bytes,
        *,
        client: str,
        reserved: bool,
        interim: Callable[[ResponseHead], None] | None,
        upgrade: bool = False,
        method: str | None = None,
        may_go: Callable[[], bool] | None = None,
    ) -> ResponseHead:
        """Send the request and wait for the answer's head. Raises `UpstreamError`; `ConnectionError` where the client
        has gone meanwhile and the request is not worth sending; `WithheldError` where `may_go`, asked right before the
        first byte, says no.

        A request that meets a connection the gateway was closing is sent once more on a fresh one, if not a byte of
        an answer came and a repeat is harmless. Never a POST, which may have arrived: a customer would get the
        message twice.

        `client` and `reserved` are for the pool's accounts (`Pool.take`); `interim` is called with each 1xx answer;
        `upgrade` tells that a 101 was asked for; `method` is the one sent, where that is not the client's.
        """
        body = self._request_body
        whole = True
        if body is not None:
            head += await body.begin()
            whole = body.whole
        repeatable = whole and self._method in IDEMPOTENT
        sent_at = time.perf_counter()
        fresh = False
        while True:
            connection = None if fresh else pool.take(probe=not repeatable, client=client, reserved=reserved)
            if connection is None:
                if body is not None:
                    head += await body.wait()
                try:
                    connection = await pool.acquire(fresh=fresh, probe=not repeatable, client=client, reserved=reserved)
                finally:
                    if body is not None:
                        head += await body.waited()
                        whole = body.whole
            if self._gone and self._unwanted(whole or body is None or not body.unread):
                pool.release(connection)
                raise ConnectionResetError
            if may_go is not None and not may_go():
                pool.release(connection)
                raise WithheldError
            self._connection = connection
            connection.begin(head_only=(method or self._method) == "HEAD", informational=interim)
            connection.write(head, last=whole)
            if body is not None:
                if whole:
                    await body.end()
                else:
                    body.carry(connection)  # at most once: such a request is never repeated
            try:
                answer = await connection.head()
            except UpstreamError as error:
                dying = error.code == "gateway_closed" and not error.answered and connection.used > 1
                if fresh or self._gone or not (dying and repeatable):
                    raise
                fresh = True
                continue
            self.seconds = time.perf_counter() - sent_at
            if answer.status != 101:
                self.body = AnswerBody(connection, self._release, self._room)
            elif not upgrade:
                raise UpstreamError(
                    "gateway_bad_answer", "101 to a request that did not ask for an upgrade", answered=True
                )
            return answer

    def client_left(self) -> None:
        """The client has gone: a request that changes nothing is given up, any other is carried to its end.

        A request can be carried to its end only if its body has come whole. It may still be on its way to the gateway.
        """
        self._gone = True
        connection, body = self._connection, self._request_body
        if connection is None or connection.complete:
            return
        if self._unwanted(body is None or not body.unread):
            connection.give_up(UpstreamError("client_gone"))

    def close(self) -> None:
        """Leave nothing behind: no place in the pool, no room taken."""
        body, self.body = self.body, None  # it knows us: both would stay in memory until a collection
        if body is not None and (self._connection is not None or body.room_taken):
            body.close()
        self._release()

    def _unwanted(self, whole: bool) -> bool:
        """Whether no one wants the answer, now that the client has gone; `whole`: the request's body is here."""
        if self.shared is not None and self.shared.followers:
            return False
        return self._method in SAFE or not whole

    def _release(self) -> None:
        """Give the connection back, as soon as nothing more is to come of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pool.release(connection)
