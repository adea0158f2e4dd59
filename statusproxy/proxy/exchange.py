"""One exchange: what belongs to a request and its answer, from the first line to the report.

refuse -> route -> action -> report. What each kind of route needs is in `actions/`; the answer is written by
`downstream.response`, the body read by `downstream.request_body`, the gateway called by `upstream.call`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Unpack

from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.downstream.request_body import Upload
from statusproxy.proxy.downstream.response import Response
from statusproxy.proxy.downstream.response_state import GONE
from statusproxy.proxy.head_cache import prepared_head
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.max_forwards import BOUNDED, one_hop_less
from statusproxy.proxy.problems import ALLOW, FOR_SENDERS, PROBLEMS, Hop
from statusproxy.proxy.refusal import refusal
from statusproxy.proxy.request_head import HeadOptions, PreparedHead
from statusproxy.proxy.request_id import new_request_id, usable_id
from statusproxy.proxy.routes import Match
from statusproxy.proxy.shared import Shared
from statusproxy.proxy.site import Entry
from statusproxy.proxy.upstream.call import Body, Call
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool

log = logging.getLogger("statusproxy.proxy")

Action = Callable[["Exchange"], Awaitable[None]]
"""Serves one exchange: sends what the gateway is to get, and answers the client. Raises `UpstreamError` where the call
to the gateway fails, and `ConnectionError` where the client has gone."""

# Bound once: a look-up in an `Enum` costs more than one in a module.
_WEBHOOK, _CHANNELS, _PASS = RouteKind.WEBHOOK, RouteKind.CHANNELS, RouteKind.PASS

_NO_ROUTE: Final[Match[Entry]] = Match(_PASS)


class Exchange:
    """One request and its answer. The actions use its public attributes and methods, and set only what says so."""

    __slots__ = (
        "_actions",
        "_fields",
        "_keep_id",
        "_started",
        "asked_at",
        "body",
        "call",
        "client",
        "corrected",
        "durable",
        "hop",
        "match",
        "registry",
        "request",
        "request_id",
        "response",
        "shared",
        "site",
        "target",
        "tunnel_received",
        "well_known",
    )

    def __init__(self, shared: Shared, request: ClientRequest, actions: Mapping[RouteKind, Action]) -> None:
        """`actions` serve the exchange, each the routes of its kind (`actions.table`)."""
        self.shared, self.registry = shared, shared.registry
        self._actions = actions
        self.site = site = shared.site
        self.request = request
        self._started = time.perf_counter()
        self.asked_at = 0.0
        """When the gateway was asked for what is answered (epoch seconds), where anything depends on that: not for what
        is only passed on. Set by `channel_list` for a shared call."""
        self.target = request.target
        self._fields, self.well_known = request.message.forwarded, request.message.well_known
        said = usable_id(self.well_known.get(b"x-request-id"))
        self._keep_id = said is not None
        self.request_id = said or new_request_id()
        self.client = request.connection.peer.address
        """The client's address; the real one behind trusted proxies from `prepare` on. Set by `webhook` before."""
        self.match = _NO_ROUTE
        self.hop: Hop = "gateway"
        """Who is to blame where the call fails. Set by `webhook` before it sends to another receiver."""
        self.body = Upload(request, site) if request.has_body else None
        self.call = Call(request.method, self.body, shared.room)
        self.response = Response(request, self.request_id, site, shared)
        self.durable: Awaitable[None] | None = None
        """What the registry has yet to make durable (`settle`). Set by `webhook` once the body has been read."""
        self.corrected = 0
        """Channels whose status was corrected. Set by `channel_list` before it answers."""
        self.tunnel_received = 0
        """Bytes that the client sent through a tunnel. Set by `tunnel` when that has ended."""

    async def run(self) -> bool:
        """The exchange from its first line to its last byte; whether the client's connection may go on."""
        connection, response, shared = self.request.connection, self.response, self.shared
        connection.gone = self.client_left
        shared.in_flight += 1
        try:
            method = self.request.method
            code = refusal(method, self.well_known, self.site.limits.body)
            if code is not None:
                response.close = True
                await self.fail(code)
            elif method not in BOUNDED or not await self._last_hop():
                await self._route()(self)
        except UpstreamError as error:
            await self.fail(error.code, str(error))
        except ConnectionError:
            response.client_left()
        except asyncio.CancelledError:
            response.cut_off()
            raise
        except Exception:
            log.exception("exchange failed inside the proxy", extra={"request_id": self.request_id})
            await self.fail("internal")
        finally:
            connection.gone = None
            try:
                if self.body is not None:
                    await self.body.stop()
            finally:
                self.call.close()
                shared.in_flight -= 1
                shared.report(self._summary())
        return response.keeps_connection

    def _route(self) -> Action:
        """The action that serves this exchange."""
        self.match = match = self.site.routes.match(self.request.method, self.target)
        if match.kind is not _PASS:
            self.asked_at = self.registry.now()
        return self._actions[match.kind]

    async def _last_hop(self) -> bool:
        """Answer a request that may travel no further (`max_forwards`); False where it may."""
        fields = one_hop_less(self._fields)
        if fields is not None:
            self._fields = fields
            return False
        if self.request.method == "OPTIONS":
            await self.response.no_content((b"Allow", ALLOW))
        else:
            # A reflection would show fields that hops before us added, secrets among them.
            await self.fail("method_not_allowed")
        return True

    # ---- what the actions use ----

    def prepare(self, pool: Pool, **options: Unpack[HeadOptions]) -> PreparedHead:
        """The request's head as the next hop in `pool` gets it (`request_head.prepare`)."""
        peer = self.request.connection.peer
        head = prepared_head(
            self.request.message, self._fields, peer, self.site, pool, keep_id=self._keep_id, **options
        )
        self.client = head.client
        for what in head.left_out:
            self.registry.left_out(what, peer.address, webhook=self.match.kind is _WEBHOOK)
        return head

    def send(
        self, pool: Pool, head: PreparedHead, *, method: str | None = None, pass_interim: bool = True
    ) -> Coroutine[Any, Any, ResponseHead]:
        """Send the request and wait for the answer's head (`Call.send`); interim answers go to the client at once."""
        kind = self.match.kind
        return self.call.send(
            pool,
            head.wire + (b"\r\n" if self._keep_id else b"X-Request-Id: %b\r\n\r\n" % self.request_id.encode()),
            client=head.client,
            reserved=kind is _WEBHOOK or kind is _CHANNELS,  # what `limits.reserved` keeps places for
            interim=self._interim if pass_interim else None,
            upgrade=head.upgrade,
            method=method,
        )

    def whole_head(self, head: PreparedHead) -> bytes:
        """The head with the request's id, as `send` sends it, without the empty line at its end."""
        return head.wire + (b"" if self._keep_id else b"X-Request-Id: %b\r\n" % self.request_id.encode())

    def send_instead(self, body: Body | None) -> None:
        """Have `send` take `body` in place of the one that comes from the client; not once it was called."""
        self.call = Call(self.request.method, body, self.shared.room)

    async def settle(self, durable: Awaitable[None] | None = None) -> None:
        """Wait until what this exchange changed is on disk (`durable`, or the attribute of this name); an error there
        never costs the answer."""
        if durable is None:
            durable, self.durable = self.durable, None
        if durable is not None:
            try:
                await durable
            except Exception:
                log.exception("a change could not be made durable", extra={"request_id": self.request_id})

    async def fail(self, code: str, detail: str = "") -> None:
        """Log a failure and answer for it."""
        if self.match.kind is _WEBHOOK:
            code = FOR_SENDERS.get(code, code)
        problem = PROBLEMS[code]
        if self.response.state is not GONE:
            log.log(
                logging.WARNING if problem.status >= 500 else logging.INFO,
                "request failed: %s",
                detail or code,
                extra={
                    "request_id": self.request_id,
                    "code": code,
                    "status": problem.status,
                    "method": self.request.method,
                    "client": self.client,
                },
            )
        await self.response.error(code, detail, self.hop if problem.hop == "gateway" else None)

    def client_left(self) -> None:
        """The client has gone: nothing is written any more, and a call that only it wanted is given up."""
        self.response.client_left()
        self.call.client_left()

    def _interim(self, head: ResponseHead) -> None:
        """The gateway gave an interim answer."""
        if self.response.interim(head) and head.status == 100 and self.body is not None:
            self.body.permitted()

    def _summary(self) -> Report:
        response, body = self.response, self.body
        if response.state is GONE:
            response.problem = response.problem or "client_gone"
            stopped = response.problem == "client_stopped_reading"
            log.info(
                "the client read its answer too slowly"
                if stopped
                else "the client left before its answer was complete",
                extra={"request_id": self.request_id, "code": response.problem, "client": self.client},
            )
        match, received = self.match, self.tunnel_received + (body.received if body is not None else 0)
        seconds = time.perf_counter() - self._started
        return Report(  # by position: names would cost more than the rest
            match.kind, self.request.method, response.reported_status, seconds, self.call.seconds, received,
            response.sent, self.request_id, self.client, self.target, response.problem, self.corrected, match.template,
        )  # fmt: skip
