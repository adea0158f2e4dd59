"""Webhooks: forwarded to the gateway or to another receiver, or answered here (a tap), and read by the registry."""

import contextlib
import logging

from statusproxy.proxy.actions import spooled_webhook
from statusproxy.proxy.actions.arrival import read_to_end, settle, unsettled
from statusproxy.proxy.body_copy import BodyCopy
from statusproxy.proxy.client_address import NAMING, REWRITTEN
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.problems import PROBLEMS
from statusproxy.proxy.request_head import PreparedHead
from statusproxy.proxy.routes import raw_below, raw_segment
from statusproxy.proxy.sender_auth import Verification
from statusproxy.proxy.site import WebhookTarget
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool

log = logging.getLogger("statusproxy.proxy")


class Event:
    """What one webhook says: the copy of its body, and whether its sender is trusted."""

    __slots__ = ("_copy", "_exchange", "_target", "_verification", "text", "trusted")

    def __init__(self, exchange: Exchange, target: WebhookTarget) -> None:
        if not REWRITTEN.isdisjoint(exchange.well_known):
            exchange.client = exchange.site.trust.client(exchange.request.connection.peer, exchange.request.headers)
        self._exchange = exchange
        self._target = target
        self._verification = verification = target.senders.verify(exchange.client, exchange.request.headers)
        # Nothing is decoded or kept for a sender that is not trusted anyway.
        limit, codings = exchange.site.limits.tap, exchange.well_known.get(b"content-encoding", ())
        if not verification.open:
            limit, codings = 0, ()
        self._copy = BodyCopy(exchange.shared.runner, limit, b",".join(codings) if codings else None)
        self.trusted = False
        """Whether its sender is trusted; known once it was read."""
        self.text: bytes | None = None
        """The copy, decoded, of a trusted sender's body; None where it cannot be read."""

    @property
    def may_be_trusted(self) -> bool:
        """Whether its sender may still turn out to be trusted."""
        return self._verification.open

    @property
    def observers(self) -> tuple[BodyCopy, Verification] | tuple[BodyCopy]:
        """Who must be given the body."""
        verification = self._verification
        return (self._copy, verification) if verification.needs_body else (self._copy,)

    async def read(self) -> None:
        """The body has arrived to its last byte: from here on it counts. Never raises."""
        exchange, registry = self._exchange, self._exchange.registry
        try:
            doubt = self._verification.doubt()
            if doubt is not None:
                registry.doubt(exchange.client, doubt)
                return
            text = self._copy.ready
            if text is None:
                text = await self._copy.result()
            token = self._verification.token
            if text is None:
                self.trusted = token is None
                registry.unreadable("webhook", self._copy.failure or "")
            elif token is not None and not token.stands_in(text):
                registry.doubt(exchange.client, "token")
            else:
                self.trusted, self.text = True, text
                exchange.durable = registry.hear(
                    text, exchange.client, self._target.path, exchange.match.session, self._is_by_address()
                )
                if registry.learning.on:
                    registry.learning.event(text, self._target.path)
        except Exception:
            log.exception("a webhook could not be read", extra={"request_id": exchange.request_id})
            registry.unreadable("webhook", "internal")

    def _is_by_address(self) -> bool:
        """Whether the sender is trusted for its address alone, and its request names no other client."""
        return self._target.senders.proves_nothing and NAMING.isdisjoint(self._exchange.well_known)


async def serve(exchange: Exchange) -> None:
    """Forward a webhook, or answer it here, and have the registry read it once its body is whole."""
    target, body = exchange.match.entry, exchange.body
    assert isinstance(target, WebhookTarget)
    event = Event(exchange, target)
    if target.spool and exchange.shared.spool is not None and event.may_be_trusted:
        await spooled_webhook.serve(exchange, exchange.shared.spool, event, *_receiver(exchange, target))
        return
    if body is None:
        await event.read()
    else:
        body.observe(*event.observers, on_whole=event.read)
    if not target.forward:
        exchange.prepare(exchange.site.pool)  # not sent: looks for what a proxy in front left out
        await read_to_end(exchange)
        await exchange.settle()
        await exchange.response.no_content()
        return
    pool, prepared = _receiver(exchange, target)
    try:
        head = await exchange.send(pool, prepared)
    except UpstreamError as error:
        # The engine never sends an event twice: what it says counts even when no one takes it.
        if PROBLEMS[error.code].hop != "client":
            with contextlib.suppress(UpstreamError, ConnectionError):
                await read_to_end(exchange)
        await settle(exchange)
        raise
    if unsettled(exchange):
        await settle(exchange)
    assert exchange.call.body is not None
    await exchange.response.stream(head, exchange.call.body)


def _receiver(exchange: Exchange, target: WebhookTarget) -> tuple[Pool, PreparedHead]:
    """Where an event goes, and with which head."""
    pool = target.pool or exchange.site.pool
    if target.pool is not None:
        exchange.hop = "hub"
    return pool, exchange.prepare(pool, target=request_target(target, exchange.target))


async def refuse(exchange: Exchange) -> None:
    """Answer a request for a tap's address that is not an event."""
    await exchange.fail("tap_not_found")


def request_target(target: WebhookTarget, came: bytes) -> bytes | None:
    """The request target at another receiver: its own path, with the query that `came`; None for all of that."""
    path = target.target
    if path is None:
        return None
    path, mark, query = path.partition(b"?")
    if target.below_at is not None:
        path = path.removesuffix(b"/**")
    if target.session_at is not None:
        path = path.replace(b"{session}", raw_segment(came, target.session_at), 1)
    if target.below_at is not None:
        path = path + raw_below(came, target.below_at) or b"/"
    _, more, came_query = came.partition(b"?")
    return path + mark + query + (b"&" if mark else b"?") + came_query if more else path + mark + query
