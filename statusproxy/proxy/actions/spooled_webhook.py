"""Webhooks on a path with `spool: true`: what their receiver does not take is kept, and delivered later.

| for the receiver | the event |
| --- | --- |
| nothing waits | is streamed to it as any other, and copied beside that |
| something waits, or it is away | is read whole first; then sent from the copy, or kept behind what waits |

Where an event is kept, its sender is answered 202 once that and what the event says are on disk. Where it is not, its
sender is answered as without a spool. An event is kept only if it came whole and its sender is trusted. One that is cut
off when the proxy stops is kept as well, and its sender gets no answer.
"""

import asyncio
import contextlib
import json
import logging
from pathlib import Path
from typing import Final, Protocol

from statusproxy.proxy.actions.arrival import read_to_end, settle
from statusproxy.proxy.date_field import date_now
from statusproxy.proxy.downstream.request_body import BodyObserver
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.kept_body import KeptBody
from statusproxy.proxy.outcomes import NOT_TAKEN, QUEUED, of_answer, of_error
from statusproxy.proxy.ports import Arrived, Attempt, NotKeptError, Parcel, SpoolPort
from statusproxy.proxy.problems import PROBLEMS
from statusproxy.proxy.request_head import PreparedHead
from statusproxy.proxy.site import WebhookTarget
from statusproxy.proxy.spool_copy import SpoolCopy
from statusproxy.proxy.stored_head import without
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool

log = logging.getLogger("statusproxy.proxy")

#: It was sent, and the proxy stopped before an answer came.
_CUT_OFF: Final = Attempt("no-answer", detail="the proxy stopped")

#: Bytes of an event that is read for its session at once, and not when the spool asks: to read 1 MB takes some
#: milliseconds, and hundreds may have no answer yet.
_LONG: Final = 4 * 1024


class Event(Protocol):
    """What the event says, as far as it matters here (`webhook.Event`)."""

    trusted: bool
    text: bytes | None

    @property
    def observers(self) -> tuple[BodyObserver, ...]:
        """Who must be given the body."""

    async def read(self) -> None:
        """The body has arrived to its last byte."""


async def serve(exchange: Exchange, spool: SpoolPort, event: Event, pool: Pool, head: PreparedHead) -> None:
    """Send an event to its receiver in `pool` with `head`, or keep it."""
    webhook = SpooledWebhook(exchange, spool, event, pool, head)
    try:
        await webhook.serve()
    finally:
        webhook.close()


class SpooledWebhook:
    """One event on its way to its receiver or into the spool."""

    __slots__ = (
        "_arrived",
        "_copy",
        "_due",
        "_event",
        "_exchange",
        "_head",
        "_named",
        "_pool",
        "_probing",
        "_quiet",
        "_receiver",
        "_spool",
    )

    def __init__(self, exchange: Exchange, spool: SpoolPort, event: Event, pool: Pool, head: PreparedHead) -> None:
        target = exchange.match.entry
        assert isinstance(target, WebhookTarget)
        self._exchange = exchange
        self._spool = spool
        self._event = event
        self._pool = pool
        self._head = head
        self._receiver = target.receiver
        self._named: tuple[str | None, str | None] | None = None  # session and event, once they are known
        self._arrived: Arrived | None = None  # once it is whole, if its sender is trusted
        self._probing = False  # the spool needs the result of the attempt
        self._due: Attempt | None = QUEUED  # after which it must be kept if it is cut off now; None: it must not
        length = exchange.well_known.get(b"content-length")
        self._quiet = spool.quiet(target.receiver)
        expected = int(length[0]) if length else 0
        shared = exchange.shared
        self._copy = SpoolCopy(spool, shared.disk, shared.copies, expected=expected, needed=not self._quiet)

    async def serve(self) -> None:
        """Send or keep the event, and answer its sender. Raises as `webhook.serve` does."""
        exchange, event, body = self._exchange, self._event, self._exchange.body
        if body is None:
            await self._read()
        else:
            body.observe(*event.observers, self._copy, on_whole=self._read)
        try:
            if self._quiet:
                await self._send(self._head)
            else:
                await read_to_end(exchange)
                await self._send_or_keep()
        except asyncio.CancelledError:
            await self._cut_off()
            raise

    def close(self) -> None:
        """Leave nothing behind; the spool learns where an attempt ended with nothing learned."""
        self._copy.close()
        self._leave()
        if self._probing:
            self._spool.attempted(self._receiver, self.session, QUEUED)

    @property
    def session(self) -> str | None:
        """The session that the event names; None where it names none or several."""
        return self._names()[0]

    async def _read(self) -> None:
        """The body has arrived to its last byte. Never raises."""
        await self._event.read()
        if self._event.trusted:
            self._arrived = self._spool.arrived(self._receiver, self)
            if self._event.text is not None and len(self._event.text) > _LONG:
                self._names()

    def _leave(self) -> None:
        """Those of its session that came later wait no longer for this one."""
        if self._arrived is not None:
            self._spool.left(self._arrived)

    async def _send_or_keep(self) -> None:
        """The event is here, whole: send it, unless it must wait."""
        exchange = self._exchange
        if self._arrived is not None:
            size = len(exchange.whole_head(self._head)) + self._copy.size
            self._probing = self._spool.admit(self._receiver, self.session, size, self._arrived)
            if not self._probing:
                id_ = await self._keep(QUEUED)
                await settle(exchange)
                if id_ is None:
                    raise UpstreamError("not_kept")
                await self._accept(id_)
                return
        content = await self._copy.content()
        if content is None:
            await settle(exchange)
            raise UpstreamError("not_kept", self._copy.failure or "")
        kept = self._kept_body(content)
        exchange.send_instead(kept)
        try:
            # What an `Expect` asks for has been granted by us.
            head = self._head
            if b"expect" in exchange.well_known:
                head = PreparedHead(
                    without(head.wire, b"expect"), head.without_id, head.client, head.upgrade, head.left_out
                )
            await self._send(head)
        finally:
            if kept is not None:
                await kept.stop()

    def _kept_body(self, content: bytes | Path) -> KeptBody | None:
        exchange = self._exchange
        if exchange.body is None:
            return None
        return KeptBody(
            content,
            framed=exchange.request.message.chunked,
            executor=exchange.shared.disk,
            patience=exchange.site.timeouts.response_body,
        )

    async def _send(self, head: PreparedHead) -> None:
        """Send the event. Its sender gets the receiver's answer or, if the event is kept, a 202; else this raises."""
        exchange = self._exchange
        try:
            answer = await exchange.send(self._pool, head)
        except (UpstreamError, ConnectionError) as error:
            await self._fail(error)
            return
        attempt = of_answer(answer, exchange.asked_at)
        self._due = attempt if answer.status in NOT_TAKEN else None
        if self._due is None:
            self._leave()
        if answer.status in NOT_TAKEN:
            with contextlib.suppress(UpstreamError, ConnectionError):
                await read_to_end(exchange)
            id_ = await self._keep(attempt)
            if id_ is not None:
                await settle(exchange)
                await self._accept(id_)
                return
        await settle(exchange)
        if answer.status not in NOT_TAKEN:
            self._tell(attempt)  # now that the body is whole, and its sender known
        assert exchange.call.body is not None
        await exchange.response.stream(answer, exchange.call.body)

    async def _fail(self, error: UpstreamError | ConnectionError) -> None:
        """No answer came: keep the event, or raise `error`."""
        exchange = self._exchange
        if isinstance(error, UpstreamError):
            attempt, by_client = of_error(error), PROBLEMS[error.code].hop == "client"
        else:  # the client has gone before anything was sent
            attempt, by_client = QUEUED, False
        self._due = attempt
        if not by_client:
            with contextlib.suppress(UpstreamError, ConnectionError):
                await read_to_end(exchange)
        id_ = None if attempt is None else await self._keep(attempt)
        await settle(exchange)
        if id_ is None or (attempt is not None and attempt.reason == "no-answer" and not self._spool.resends):
            raise error
        await self._accept(id_)

    async def _cut_off(self) -> None:
        """The proxy stops: keep the event unless it was answered or is kept already."""
        due = self._due
        if due is not None:
            sent = due is QUEUED and self._exchange.call.connection is not None
            await self._keep(_CUT_OFF if sent else due)

    async def _keep(self, attempt: Attempt) -> str | None:
        """Keep the event after `attempt`; give its id once it is on disk, None where it is not kept."""
        exchange, body = self._exchange, self._exchange.body
        whole = body is None or body.whole
        arrived = self._arrived if whole else None
        content = None if arrived is None else await self._copy.content()
        if arrived is None or content is None:
            if arrived is not None:
                self._not_kept(self._copy.failure or "")
            if attempt is not QUEUED:
                self._tell(attempt)
            return None
        head = exchange.whole_head(self._head)
        session, event = self._names()
        target = exchange.match.entry
        assert isinstance(target, WebhookTarget)
        parcel = Parcel(
            path=target.path,
            receiver=self._receiver,
            session=session,
            event=event,
            head=head,
            body=content,
            size=len(head) + self._copy.size,
            framed=exchange.request.message.chunked,
            checksum=self._copy.checksum,
            base=self._pool.origin.base_path.decode(),
        )
        if attempt is not QUEUED:
            self._probing = False  # `keep` tells it
        kept, self._due = True, None
        try:
            return await self._spool.keep(parcel, attempt, arrived)
        except NotKeptError as error:
            kept = False
            self._not_kept(str(error))
            return None
        finally:
            if kept:
                self._copy.hand_over()

    def _not_kept(self, why: str) -> None:
        exchange = self._exchange
        log.warning("an event is not kept: %s", why, extra={"request_id": exchange.request_id, "code": "not_kept"})

    def _tell(self, attempt: Attempt) -> None:
        """Report the result of the attempt to the spool, but only if the event's sender is trusted."""
        if self._event.trusted:
            self._probing = False
            self._spool.attempted(self._receiver, None if attempt.reason == "delivered" else self.session, attempt)

    def _names(self) -> tuple[str | None, str | None]:
        """The session and the event's name."""
        if self._named is None:
            text, path_session = self._event.text, self._exchange.match.session
            self._named = (path_session, None) if text is None else self._exchange.registry.identify(text, path_session)
        return self._named

    async def _accept(self, id_: str) -> None:
        """Answer the sender: the event is on disk."""
        exchange = self._exchange
        fields = [
            date_now(),
            (b"Content-Type", b"application/json; charset=utf-8"),
            (b"Cache-Control", b"no-store"),
            (b"X-Request-Id", exchange.request_id.encode("latin-1", "replace")),
        ]
        body = json.dumps({"spooled": True, "id": id_}, separators=(",", ":")).encode()
        await exchange.response.answer(202, b"Accepted", fields, body)
