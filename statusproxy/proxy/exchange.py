"""One exchange: route it, stream it, watch or correct it on the way, and answer for what fails."""

import asyncio
import contextlib
import logging
import random
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.proxy import conditional
from statusproxy.proxy.actions.tunnel import Tunnel
from statusproxy.proxy.body_copy import Tap
from statusproxy.proxy.client_address import SAID
from statusproxy.proxy.coalescing import Flight, Flights, Landing
from statusproxy.proxy.codings import decoding, is_wide
from statusproxy.proxy.decoders import CodingError
from statusproxy.proxy.downstream.connection import ClientRequest
from statusproxy.proxy.downstream.request_body import LAST_CHUNK, Upload, chunk, read_whole
from statusproxy.proxy.downstream.slow_reader import SlowReader
from statusproxy.proxy.http1.head import (
    ANSWER_ROLES,
    HOP_BY_HOP,
    Header,
    Noted,
    date_now,
    end_to_end,
    first,
    lower,
    sort_out,
    values,
    via,
    write_head,
)
from statusproxy.proxy.http1.response_parser import ResponseHead
from statusproxy.proxy.min_rate import Pace
from statusproxy.proxy.ports import RegistryPort
from statusproxy.proxy.problems import ALLOW, PROBLEMS, Hop, error_answer
from statusproxy.proxy.renditions import Renditions
from statusproxy.proxy.request_head import Onward, onward
from statusproxy.proxy.reset import reset
from statusproxy.proxy.routes import Match, raw_segment
from statusproxy.proxy.sender_auth import Verification
from statusproxy.proxy.site import ChannelsEntry, CreateEntry, Entry, Site, WebhookTarget
from statusproxy.proxy.steps import Workshop
from statusproxy.proxy.upstream.answer_body import SMALL, AnswerBody, Room
from statusproxy.proxy.upstream.connection import UpstreamConnection, UpstreamError
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.status.created import proves_deletion, proves_start

log = logging.getLogger("statusproxy.proxy")

#: Methods whose request may be repeated when it met a dying connection (RFC 9110 §9.2.2).
IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})

#: Methods whose request is given up when the client has gone: nobody wants the answer, nothing is lost.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

#: Methods that `Max-Forwards` bounds, and digits beyond which its number is only "many".
_HOPS_COUNTED: Final = frozenset({"OPTIONS", "TRACE"})
_MANY_DIGITS: Final = 9

#: Bytes of whole answers that may wait for slow clients without a place at the gateway: as many as 256 connections held
#: at most when each answer kept its own (`upstream.HIGH_WATER`).
_ROOM: Final = 128 * 1024 * 1024

#: Bytes of a whole answer that are handed over at once. The loop copies what the client does not take, or encrypts it.
_ONE_COPY: Final = 512 * 1024

#: Bytes of a QR answer or a create request that are looked at, coded or not.
_GLANCE: Final = 256 * 1024

#: Bytes that a create request may decode to. What is beyond `_GLANCE` of it must be the insides of long strings.
_GLANCE_DECODED: Final = 4 * 1024 * 1024

#: Bytes of a list, some hundred channels, from which on it is corrected step by step.
_LONG_LIST: Final = 16 * 1024

#: A request id as it may be passed on and logged: printable, short; others are replaced.
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")

#: Dropped from interim answers: a 1xx has no body, so it may not announce one (RFC 9110 §8.6).
_NOT_IN_1XX: Final = HOP_BY_HOP | {b"content-length"}

#: The status that is reported where the client left before its answer was whole, as nginx does; it is never sent.
_CLIENT_GONE: Final = PROBLEMS["client_gone"].status

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


_random_bits = random.Random(secrets.randbits(128)).getrandbits  # noqa: S311 - an id to find, not to guess


def new_request_id() -> str:
    """A fresh request id: 16 hexadecimal digits."""
    return f"{_random_bits(64):016x}"


class _BrokenOffError(Exception):
    """The answer was begun and cannot be completed; its connection has been reset."""


class Proxy:
    """The handler of all clients' requests; `site` may be replaced at any time, for the exchanges after."""

    def __init__(self, site: Site, knowledge: RegistryPort, report: Callable[[Report], None]) -> None:
        self.site = site
        self.knowledge = knowledge
        self.report = report
        self.draining = False
        self.in_flight = 0
        self.workshop = Workshop()
        self.renditions = Renditions(self.workshop)
        self.flights = Flights()
        self.room = Room(_ROOM)

    async def handle(self, request: ClientRequest) -> bool:
        """Serve one request, and tell whether its connection may go on; never raises but for cancellation."""
        exchange = Exchange(self, request)
        self.in_flight += 1
        try:
            return await exchange.run()
        finally:
            self.in_flight -= 1


class Exchange:
    """One request and its answer."""

    __slots__ = (
        "_answer_body",
        "_asked_at",
        "_client",
        "_close",
        "_connection",
        "_corrected",
        "_durable",
        "_flight",
        "_followed",
        "_gone",
        "_hop",
        "_id_usable",
        "_kept",
        "_knowledge",
        "_match",
        "_noted",
        "_problem",
        "_proxy",
        "_reader",
        "_received",
        "_request",
        "_request_id",
        "_sent",
        "_sent_at",
        "_site",
        "_started",
        "_status",
        "_tap",
        "_target",
        "_upload",
        "_upstream_seconds",
        "_verification",
    )

    def __init__(self, proxy: Proxy, request: ClientRequest) -> None:
        self._proxy = proxy
        self._site = proxy.site
        self._knowledge = proxy.knowledge
        self._request = request
        self._started = time.perf_counter()
        self._asked_at = proxy.knowledge.now()
        self._target = request.target
        self._kept, self._noted = request.message.kept, request.message.noted
        said = self._noted.get(b"x-request-id")
        usable = said is not None and len(said) == 1 and _REQUEST_ID.fullmatch(said[0]) is not None
        self._request_id = said[0].decode("ascii") if said is not None and usable else new_request_id()
        self._id_usable = usable
        self._close = proxy.draining or not request.keep_alive
        self._connection: UpstreamConnection | None = None
        self._upload: Upload | None = None  # from the moment that anything of the body is asked for
        self._answer_body: AnswerBody | None = None
        self._reader: SlowReader | None = None  # from the first time that the client takes no more
        self._tap: Tap | None = None
        self._verification: Verification | None = None
        self._durable: Awaitable[None] | None = None
        self._match: Match[Entry] = Match(Kind.PASS)
        self._client = request.connection.peer.address
        self._flight: Flight | None = None  # the call this exchange makes for others too
        self._followed = False
        self._gone = False
        self._hop: Hop = "gateway"
        self._status = 0
        self._problem: str | None = None
        self._received = self._sent = 0
        self._sent_at = 0.0
        self._upstream_seconds: float | None = None
        self._corrected = 0

    async def run(self) -> bool:
        """The exchange from its first line to its last byte; whether the client's connection may go on."""
        connection = self._request.connection
        connection.gone = self._client_gone
        try:
            await self._serve()
        except UpstreamError as error:
            await self._fail(error.code, str(error))
        except ConnectionError:
            self._gone = True
        except _BrokenOffError:
            pass  # told already
        except asyncio.CancelledError:
            self._status, self._gone = 0, False
            raise
        except Exception:
            log.exception("exchange failed inside the proxy", extra={"request_id": self._request_id})
            await self._fail("internal")
        finally:
            connection.gone = None
            try:
                await self._tidy()
            finally:
                self._proxy.report(self._summary())
        return not self._close and not self._gone

    async def _serve(self) -> None:
        request = self._request
        refusal = self._refusal()
        if refusal is not None:
            self._close = True
            await self._fail(refusal)
            return
        if request.method in _HOPS_COUNTED and await self._last_hop():
            return
        self._match = match = self._site.routes.match(request.method, self._target)
        if match.kind is Kind.PASS:
            await self._pass_on(self._site.pool)
        elif match.kind is Kind.WEBHOOK:
            await self._watch(match)
        elif match.kind is Kind.NOT_FOUND:
            await self._fail("tap_not_found")
        elif match.kind is Kind.CHANNELS:
            await self._correct(match)
        else:
            await self._observe(match)

    def _refusal(self) -> str | None:
        """The code of the problem for which a request is not forwarded at all, or None."""
        request, limits = self._request, self._site.limits
        if request.method == "CONNECT":
            return "method_not_allowed"
        if limits.body is not None:
            length = self._noted.get(b"content-length")
            if length is not None and int(length[0]) > limits.body:
                return "body_too_large"
        return None

    async def _last_hop(self) -> bool:
        """Answer OPTIONS and TRACE that may travel no further; let others travel one hop less (RFC 9110 §7.6.2)."""
        said = values(self._kept, b"max-forwards")
        if len(said) != 1 or not said[0].isdigit():
            return False
        left = int(said[0]) if len(said[0]) <= _MANY_DIGITS else 10**_MANY_DIGITS
        if left:
            one_less = b"%d" % (left - 1)
            self._kept = [(n, one_less if lower(n) == b"max-forwards" else value) for n, value in self._kept]
            return False
        if self._request.method == "OPTIONS":
            await self._answer(204, b"No Content", [(b"Allow", ALLOW)], b"")
        else:
            # A reflection would show fields that hops before us added, secrets among them.
            await self._fail("method_not_allowed")
        return True

    # ---- the ways of serving ----

    async def _pass_on(self, pool: Pool, target: bytes | None = None) -> None:
        """Forward the request and stream the answer, both untouched."""
        upgrade = self._request.message.upgrade and self._match.kind is Kind.PASS and self._may_upgrade()
        head = await self._send(pool, self._onward(pool, target=target, upgrade=upgrade))
        if upgrade and head.status == 101:
            await self._tunnel(head)
        else:
            await self._stream(head)

    async def _watch(self, match: Match[Entry]) -> None:
        """Forward a webhook, or answer a tap, and hear what it says once its body is whole."""
        entry = match.entry
        assert isinstance(entry, WebhookTarget)
        if not SAID.isdisjoint(self._noted):
            self._client = self._site.trust.client(self._request.connection.peer, self._request.headers)
        self._verification = entry.senders.verify(self._client, self._request.headers)
        # Nothing is unfolded or kept for a sender that is not believed anyway.
        believable = self._verification.open
        coding = b",".join(self._noted.get(b"content-encoding", ())) if believable else None
        self._tap = Tap(self._site.limits.tap if believable else 0, coding)
        if entry.tap:
            self._onward(self._site.pool)  # not sent; looks for what a proxy in front left out
            await self._read_to_end()
            await self._settle()
            await self._answer(204, b"No Content", [], b"")
            return
        pool = entry.pool or self._site.pool
        if entry.pool is not None:
            self._hop = "hub"
        try:
            await self._pass_on(pool, self._elsewhere(entry))
        except UpstreamError as error:
            # The engine never sends an event twice: what it says counts even when nobody takes it.
            if PROBLEMS[error.code].hop != "client":
                with contextlib.suppress(UpstreamError, ConnectionError):
                    await self._read_to_end()
            await self._settle()
            raise

    async def _correct(self, match: Match[Entry]) -> None:
        """Answer a channel list as it must read."""
        entry, request = match.entry, self._request
        assert isinstance(entry, ChannelsEntry)
        # HEAD must agree with GET, whose body decides: so the gateway is asked for that.
        asking = self._onward(self._site.pool, method="GET", listing=True)
        landing = await self._share(asking) if entry.share and not request.has_body else await self._list(asking)
        head, body = landing.head, landing.body
        if body is None:
            await self._stream(head)
            return
        fields, noted = self._answer_fields(head)
        text, why = await self._unfold(head, noted, body, self._site.limits.corrected)
        if text is None:
            if why:
                self._knowledge.unreadable("channels", why)
            await self._answer(head.status, head.reason, fields, body, head)
            return
        if len(text) > _LONG_LIST:
            correction, self._durable = await self._knowledge.correct_in_steps(
                text, entry.rule, self._asked_at, match.session
            )
        else:
            correction, self._durable = self._knowledge.correct(text, entry.rule, self._asked_at, match.session)
        await self._settle()
        if correction.failure is not None:
            self._knowledge.unreadable("channels", correction.failure)
        changed = correction.body is not text
        self._corrected = len(correction.corrected)
        answer = conditional.represent(
            self._noted,
            head.status,
            head.reason,
            fields,
            noted,
            correction.body if changed else body,
            await self._proxy.renditions.tag(correction.body) if changed else None,
        )
        wire_body = await self._proxy.renditions.gzip(answer.body) if answer.gzip else answer.body
        await self._answer(answer.status, answer.reason, answer.headers, wire_body, head)

    async def _list(self, asking: Onward) -> Landing:
        """Ask the gateway for the list; a body too large to be held is still to be streamed when this returns."""
        head = await self._send(self._site.pool, asking, "GET")
        return Landing(head, await self._collect(self._site.limits.corrected))

    async def _share(self, asking: Onward) -> Landing:
        """Join the call that asks the gateway the same already, or make it and share it."""
        flights, version = self._proxy.flights, self._knowledge.version
        key = asking.alike
        flight = flights.find(key, version)
        if flight is not None:
            # What the answer says was asked for then, not now: that decides whether it is fresh.
            asked_at = flight.asked_at
            try:
                landing = await flight.follow()
            except UpstreamError as error:
                if PROBLEMS[error.code].hop == "gateway":
                    raise
                # What failed was the other client's: it left, or its share of the places was used up.
                return await (self._share(asking) if error.code == "client_gone" else self._list(asking))
            if landing.body is not None:
                self._asked_at, self._followed = asked_at, True
                return landing
            return await self._list(asking)
        self._flight = flight = flights.start(key, self._asked_at, version)
        try:
            landing = await self._list(asking)
        except BaseException as error:
            failed = isinstance(error, UpstreamError)
            flights.end(key, flight, error if failed else UpstreamError("client_gone", "the call was given up"))
            raise
        finally:
            self._flight = None
        flights.end(key, flight, landing)
        return landing

    async def _observe(self, match: Match[Entry]) -> None:
        """Pass on a request whose answer shows whether the gateway has caught up, and draw the conclusion."""
        knowledge, session = self._knowledge, match.session
        if match.kind is Kind.CREATE and session is None:
            coding = b",".join(self._noted.get(b"content-encoding", ()))
            self._tap = Tap(_GLANCE, coding, decoded_limit=_GLANCE_DECODED, late=True)
        head = await self._send(self._site.pool, self._onward(self._site.pool))
        if 200 <= head.status < 300:
            if match.kind is Kind.DELETE and session is not None:
                await self._observe_delete(head, session)
                return
            if match.kind is Kind.CREATE:
                session = session if session is not None else await self._named_in_body(match)
                if session is not None and knowledge.has_overrides:
                    await self._observe_create(head, session, match)
                    return
            elif self._shows_qr(match) and session is not None and knowledge.wants_qr(session):
                await self._observe_qr(head, session)
                return
            await self._settle()
        await self._stream(head)

    def _shows_qr(self, match: Match[Entry]) -> bool:
        """Whether the answer has a body that shows what the QR route says; HEAD's has none."""
        return match.kind is Kind.QR and self._request.method != "HEAD"

    async def _observe_qr(self, head: ResponseHead, session: str) -> None:
        body = await self._collect(_GLANCE)
        if body is None:
            await self._stream(head)
            return
        kind = first(head.headers, b"content-type") or b""
        fields, noted = self._answer_fields(head)
        text, why = await self._unfold(head, noted, body, _GLANCE)
        if text is not None:
            image = kind.lower().startswith(b"image/")
            self._durable = self._knowledge.qr_answered(session, text, image, self._asked_at)
            await self._settle()
        elif why:
            self._knowledge.unreadable("qr", why)
        await self._answer(head.status, head.reason, fields, body, head)

    async def _observe_create(self, head: ResponseHead, session: str, match: Match[Entry]) -> None:
        """Conclude that the gateway has caught up, if its answer does not say that nothing was done."""
        entry = match.entry
        words = entry.connected if isinstance(entry, CreateEntry) else frozenset()

        def conclude(text: bytes) -> None:
            if proves_start(text, words):
                self._durable = self._knowledge.created(session, self._asked_at)

        await self._observe_deed(head, "create", conclude)

    async def _observe_delete(self, head: ResponseHead, session: str) -> None:
        """Conclude that the session was deleted, if the answer does not say that it was not."""

        def conclude(text: bytes) -> None:
            if proves_deletion(text):
                self._durable = self._knowledge.deleted(session, self._asked_at)

        await self._observe_deed(head, "delete", conclude)

    async def _observe_deed(self, head: ResponseHead, what: str, conclude: Callable[[bytes], None]) -> None:
        """Pass on the 2xx answer to a create, start or delete, and have `conclude` read it, decoded.

        What is too large or cannot be decoded proves nothing.
        """
        body = await self._collect(_GLANCE)
        if body is None:
            await self._stream(head)
            return
        fields, noted = self._answer_fields(head)
        text, why = await self._unfold(head, noted, body, _GLANCE)
        if text is None and why not in ("", "empty"):
            self._knowledge.unreadable(what, why)
        else:
            conclude(text or b"")
        await self._settle()
        await self._answer(head.status, head.reason, fields, body, head)

    async def _tunnel(self, head: ResponseHead) -> None:
        connection, request = self._connection, self._request
        assert connection is not None
        self._close = True
        self._status = head.status
        fields, _ = self._answer_fields(head)
        fields.append((b"Connection", b"Upgrade"))
        fields += [(name, value) for name, value in head.headers if lower(name) == b"upgrade"]
        await self._write(write_head(b"HTTP/1.1 101 %b" % head.reason, fields))
        request.connection.gone = None  # the tunnel looks after both its sides
        tunnel = Tunnel(request.connection, connection, self._site.timeouts.upgrade_idle)
        await tunnel.run(self._upload.carried if self._upload is not None else None)
        self._problem = tunnel.broken
        self._received += tunnel.bytes_up
        self._sent += tunnel.bytes_down

    # ---- the request's way ----

    def _may_upgrade(self) -> bool:
        """Whether the protocol asked for may be spoken past us.

        Not HTTP/2: requests inside such a tunnel would pass by the correction and the watching.
        """
        offered = b",".join(values(self._request.headers, b"upgrade")).lower()
        return not any(part.strip().partition(b"/")[0] in {b"h2c", b"h2", b"http"} for part in offered.split(b","))

    def _onward(
        self,
        pool: Pool,
        *,
        target: bytes | None = None,
        method: str | None = None,
        listing: bool = False,
        upgrade: bool = False,
    ) -> Onward:
        """The request's head as the next hop gets it."""
        request = self._request
        made = onward(
            request.message,
            self._kept,
            request.connection.peer,
            self._site,
            pool,
            keep_id=self._id_usable,
            target=target,
            method=method,
            listing=listing,
            upgrade=upgrade,
        )
        self._client = made.client
        for what in made.left_out:
            self._knowledge.left_out(what, request.connection.peer.address, webhook=self._match.kind is Kind.WEBHOOK)
        return made

    async def _send(self, pool: Pool, asking: Onward, method: str | None = None) -> ResponseHead:
        """Send the request and wait for the answer's head.

        A request that meets a connection the gateway was closing is sent once more on a fresh one, if not a byte of
        an answer came and a repeat is harmless. Never a POST, which may have arrived: a customer would get the
        message twice.
        """
        request = self._request
        wire = asking.wire + (b"\r\n" if self._id_usable else b"X-Request-Id: %b\r\n\r\n" % self._request_id.encode())
        upload: Upload | None = None
        if request.has_body:
            if request.content.is_eof():
                body = read_whole(request.content, self._site.limits.body)
                self._received += len(body)
                self._took(body)
                wire += (chunk(body) if body else b"") + LAST_CHUNK if request.message.chunked else body
            else:
                upload = self._begin_upload()
                wire += await upload.begin()
        whole = upload is None or upload.whole
        repeatable = whole and request.method in IDEMPOTENT
        kind = self._match.kind
        reserved = kind is Kind.WEBHOOK or kind is Kind.CHANNELS  # what `limits.reserved` keeps places for
        self._sent_at = time.perf_counter()
        fresh = False
        while True:
            connection = None if fresh else pool.take(probe=not repeatable, client=asking.client, reserved=reserved)
            if connection is None:
                connection = await pool.acquire(
                    fresh=fresh, probe=not repeatable, client=asking.client, reserved=reserved
                )
            if self._gone and (request.method in SAFE or not whole) and not self._awaited_by_others:
                pool.release(connection)
                raise ConnectionResetError
            self._connection = connection
            connection.begin(head_only=(method or request.method) == "HEAD", informational=self._informational)
            connection.write(wire)
            if upload is None or whole:
                connection.request_done = True
                await self._body_whole()
            elif upload.carried is None:
                upload.carry(connection, self._body_whole)
            try:
                head = await connection.head()
            except UpstreamError as error:
                repeat = error.code == "gateway_closed" and not error.answered and repeatable
                if not (repeat and not fresh and connection.used > 1) or self._gone:
                    raise
                fresh = True
                continue
            self._upstream_seconds = time.perf_counter() - self._sent_at
            if head.status != 101:
                self._answer_body = AnswerBody(connection, self._release, self._proxy.room)
            elif not asking.upgrade:
                raise UpstreamError("gateway_bad_answer", "101 to a request that asked for no upgrade", answered=True)
            return head

    def _begin_upload(self) -> Upload:
        """What carries a body that is still coming."""
        if self._upload is None:
            request = self._request
            expected = self._noted.get(b"expect", ()) if request.version >= (1, 1) else ()
            self._upload = Upload(
                request,
                self._site,
                self._took if self._tap is not None else None,
                self._behind,
                at_once=b"100-continue" in [value.lower() for value in expected],
            )
        return self._upload

    async def _read_to_end(self) -> None:
        """Read the rest of a webhook's body, which nobody else reads any more. Raises `UpstreamError`."""
        if self._request.has_body:
            upload = self._begin_upload()
            if upload.withheld and upload.unread:
                await self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
                upload.permitted()
            if upload.carried is not None:
                await asyncio.wait([upload.carried])
                return
            await upload.finish()
        await self._body_whole()

    def _took(self, data: bytes) -> None:
        """A piece of the body of a request that is watched."""
        if self._tap is not None:
            self._tap.feed(data)
        if self._verification is not None:
            self._verification.update(data)

    def _behind(self) -> Awaitable[None] | None:
        """The work that the copy of the body is behind with."""
        tap = self._tap
        return tap.catch_up(self._proxy.workshop) if tap is not None and tap.behind else None

    async def _body_whole(self) -> None:
        """The request's body has arrived to its last byte: what a webhook says counts from here on."""
        tap, case, knowledge = self._tap, self._verification, self._knowledge
        if tap is None or case is None:
            return
        self._verification = None  # heard once
        try:
            doubt = case.doubt()
            if doubt is not None:
                knowledge.doubt(self._client, doubt)
                return
            copy = await tap.copy(self._proxy.workshop)
            if copy is None:
                knowledge.unreadable("webhook", tap.failure or "empty")
            else:
                entry, session = self._match.entry, self._match.session
                sender = entry.sender if isinstance(entry, WebhookTarget) else ""
                self._durable = knowledge.hear(copy, self._client, sender, session)
        except Exception:
            log.exception("a webhook could not be read", extra={"request_id": self._request_id})
            knowledge.unreadable("webhook", "internal")

    async def _named_in_body(self, match: Match[Entry]) -> str | None:
        """The session that a create request names in its body."""
        tap, entry = self._tap, match.entry
        if tap is None or not isinstance(entry, CreateEntry):
            return None
        copy = await tap.copy(self._proxy.workshop)
        why = tap.failure
        if copy is not None:
            try:
                document = _decode_object(copy)
                for key in entry.keys:
                    if key in document:
                        name = msgspec.json.decode(document[key])
                        if isinstance(name, str) and name.strip():
                            return name
                why = "no-session"
            except (msgspec.DecodeError, ValueError, RecursionError):
                why = "not-json"
        self._knowledge.unreadable("create", why or "empty")
        return None

    def _elsewhere(self, entry: WebhookTarget) -> bytes | None:
        """The target at another receiver: its own path, with the query that came."""
        target = entry.target
        if target is None:
            return None
        if entry.session_at is not None:
            target = target.replace(b"{session}", raw_segment(self._target, entry.session_at), 1)
        query = self._target.partition(b"?")
        if not query[1]:
            return target
        return target + (b"&" if b"?" in target else b"?") + query[2]

    # ---- the answer's way ----

    def _answer_fields(self, head: ResponseHead) -> tuple[list[Header], Noted]:
        """The answer's fields as the client gets them but for the framing, and those noted on the way."""
        fields, noted = sort_out(head.headers, ANSWER_ROLES)
        fields.append(via(noted.get(b"via"), head.version))
        if self._followed and b"x-request-id" in noted:
            del noted[b"x-request-id"]  # the gateway gave back the id of the request that made the call
            fields = [header for header in fields if lower(header[0]) != b"x-request-id"]
        if b"x-request-id" not in noted:
            fields.append((b"X-Request-Id", self._request_id.encode()))
        if b"content-length" in noted and (head.status < 200 or head.status == 204):
            del noted[b"content-length"]  # such an answer may not have one (RFC 9110 §8.6)
            fields = [header for header in fields if lower(header[0]) != b"content-length"]
        return fields, noted

    async def _stream(self, head: ResponseHead) -> None:
        """Send the client the answer as it comes."""
        await self._settle()
        answer, request = self._answer_body, self._request
        assert answer is not None
        fields, noted = self._answer_fields(head)
        bodiless = request.method == "HEAD" or head.status in {204, 304}
        has_length = b"content-length" in noted
        chunked = False
        if not bodiless and not has_length:
            chunked = request.version >= (1, 1)
            if chunked:
                fields.append((b"Transfer-Encoding", b"chunked"))
            else:
                self._close = True
        self._finish_fields(fields)
        self._status = head.status
        wire = write_head(b"HTTP/1.1 %d %b" % (head.status, head.reason), fields)
        if bodiless:
            await self._write(wire)
            return
        data = answer.ready()
        if data is not None and len(data) <= SMALL:
            if chunked:
                data = (chunk(data) if data else b"") + self._last_chunk(answer)
            await self._write(wire + data)
            return
        request.connection.unfinished = True
        await self._write(wire)
        if data is None:
            data = await self._body_piece(answer)
        while data:
            await self._write(chunk(data) if chunked else data)
            data = await self._body_piece(answer)
        if chunked:
            await self._write(self._last_chunk(answer))
        request.connection.unfinished = False

    async def _body_piece(self, answer: AnswerBody) -> bytes:
        try:
            return await answer.read()
        except UpstreamError as error:
            if self._gone:
                raise ConnectionResetError from error  # given up for that very reason
            self._break_off(error)
            raise _BrokenOffError from error

    def _break_off(self, error: UpstreamError) -> None:
        """End an answer that cannot be completed so that the client cannot take it for whole."""
        self._problem = error.code
        self._close = True
        by_client = PROBLEMS[error.code].hop == "client"
        log.log(
            logging.INFO if by_client else logging.WARNING,
            "the client broke off its request: %s" if by_client else "the gateway broke off its answer: %s",
            error,
            extra={"request_id": self._request_id, "code": error.code},
        )
        transport = self._request.connection.transport
        if transport is not None:
            reset(transport)

    async def _collect(self, limit: int) -> bytes | None:
        """The answer's whole body; None where it is beyond `limit` bytes, so that it can only be streamed untouched."""
        assert self._answer_body is not None
        body = await self._answer_body.collect(limit)
        if body is None:
            self._knowledge.unreadable(self._match.kind.name.lower(), "too-large")
        return body

    async def _unfold(self, head: ResponseHead, noted: Noted, body: bytes, limit: int) -> tuple[bytes | None, str]:
        """The body to look at, decoded; None with the reason (or "" where there is nothing wrong) where not.

        `limit`: the most bytes it may have, decoded.
        """
        if not 200 <= head.status < 300 or head.status == 204:
            return None, ""
        if head.status == 206:
            return None, "partial"
        if not body:
            return None, "empty"
        coding = b",".join(noted.get(b"content-encoding", ()))
        if not coding:
            return body, ""
        try:
            return await self._proxy.workshop.run(decoding(body, coding, limit), wide=is_wide(coding)), ""
        except CodingError as error:
            return None, str(error)
        except Exception:
            log.exception("an answer could not be decoded", extra={"request_id": self._request_id})
            return None, "internal"

    async def _answer(
        self, status: int, reason: bytes, fields: list[Header], body: bytes, head: ResponseHead | None = None
    ) -> None:
        """Send a whole answer: a small one in one write, a large one at the client's pace."""
        request = self._request
        bodiless = status in {204, 304}
        fields = [header for header in fields if lower(header[0]) != b"content-length"]
        if not bodiless:
            fields.append((b"Content-Length", b"%d" % len(body)))
        if head is None:
            fields += [(b"X-Request-Id", self._request_id.encode()), date_now()]
        self._finish_fields(fields)
        self._status = status
        wire = write_head(b"HTTP/1.1 %d %b" % (status, reason), fields)
        if request.method == "HEAD" or bodiless:
            await self._write(wire)
        elif len(body) <= _ONE_COPY:
            await self._write(wire + body)
        else:
            request.connection.unfinished = True
            await self._write(wire)
            for at in range(0, len(body), _ONE_COPY):
                await self._write(body[at : at + _ONE_COPY])
            request.connection.unfinished = False

    def _finish_fields(self, fields: list[Header]) -> None:
        """Add what this connection's own state asks for (RFC 9112 §9)."""
        if self._upload is not None and self._upload.unread:
            self._close = True  # answered early: what is still coming of the request is not worth waiting for
        if self._close or self._proxy.draining:
            self._close = True
            fields.append((b"Connection", b"close"))
        elif self._request.version < (1, 1):
            fields.append((b"Connection", b"keep-alive"))

    def _last_chunk(self, answer: AnswerBody) -> bytes:
        """The end of a chunked body, with the gateway's trailers (RFC 9112 §7.1.2)."""
        if not answer.trailers:
            return LAST_CHUNK
        fields = end_to_end(answer.trailers, HOP_BY_HOP | {b"content-length", b"trailer", b"host"})
        return b"0\r\n" + b"".join([name + b": " + value + b"\r\n" for name, value in fields]) + b"\r\n"

    def _informational(self, head: ResponseHead) -> None:
        """Pass on a 1xx answer at once (RFC 9110 §15.2); HTTP/1.0 knows none."""
        transport = self._request.connection.transport
        if self._request.version < (1, 1) or transport is None or self._status or self._match.kind is Kind.CHANNELS:
            return
        if head.status == 100 and self._upload is not None:
            self._upload.permitted()
        fields = end_to_end(head.headers, _NOT_IN_1XX)
        transport.write(write_head(b"HTTP/1.1 %d %b" % (head.status, head.reason), fields))

    async def _fail(self, code: str, detail: str = "") -> None:
        """Answer for a failure, unless an answer is under way already."""
        self._problem = code
        problem = PROBLEMS[code]
        if self._gone:
            return
        level = logging.WARNING if problem.status >= 500 else logging.INFO
        log.log(
            level,
            "request failed: %s",
            detail or code,
            extra={
                "request_id": self._request_id,
                "code": code,
                "status": problem.status,
                "method": self._request.method,
                "client": self._client,
            },
        )
        if self._request.has_body and not self._request.content.is_eof():
            self._close = True
        if self._status:
            self._break_off(UpstreamError(code, detail))
            return
        self._status = problem.status
        self._close = self._close or self._proxy.draining
        answer = error_answer(
            problem,
            self._request_id,
            self._site.language,
            close=self._close,
            head_only=self._request.method == "HEAD",
            hop=self._hop if problem.hop == "gateway" else None,
        )
        try:
            await self._write(answer)
        except ConnectionError:
            self._gone = True

    async def _write(self, data: bytes) -> None:
        """Write to the client, waiting while it takes no more; nothing once it has gone."""
        if self._gone:
            return
        connection = self._request.connection
        transport = connection.transport
        if transport is None or transport.is_closing():
            self._client_gone()
            return
        self._sent += len(data)
        transport.write(data)
        if not connection.writing_paused:
            return
        if self._reader is None:
            limits, times = self._site.limits, self._site.timeouts
            pace = None if limits.min_rate is None else Pace(limits.min_rate, times.min_rate_grace)
            self._reader = SlowReader(connection, pace, times.write)
        try:
            await self._reader.wait()
        except ConnectionError:
            self._client_gone()
        if self._reader.stopped:
            self._problem = "client_stopped_reading"
            self._client_gone()

    async def _settle(self) -> None:
        """Wait until what this exchange changed is on disk; trouble there never costs the answer."""
        upload = self._upload
        if self._match.kind is Kind.WEBHOOK and upload is not None and upload.carried and not upload.withheld:
            await asyncio.wait([upload.carried])
        durable, self._durable = self._durable, None
        if durable is not None:
            try:
                await durable
            except Exception:
                log.exception("a change could not be made durable", extra={"request_id": self._request_id})

    # ---- the end ----

    @property
    def _awaited_by_others(self) -> bool:
        """Whether other clients wait for the call this exchange makes."""
        return self._flight is not None and self._flight.followers > 0

    def _client_gone(self) -> None:
        """The client has left: a request that changes nothing is given up, any other is carried to its end.

        To its end it can be carried only if its body has come whole; it may still be on its way to the gateway.
        """
        self._gone = True
        connection = self._connection
        if connection is None or connection.complete or self._awaited_by_others:
            return
        if self._request.method in SAFE or not self._request.content.is_eof():
            connection.give_up(UpstreamError("client_gone"))

    async def _tidy(self) -> None:
        """Leave nothing behind: no task, no place in the pool, no room taken."""
        try:
            if self._upload is not None:
                await self._upload.stop()
        finally:
            if self._answer_body is not None and (self._connection is not None or self._answer_body.room_taken):
                self._answer_body.close()
            self._answer_body = None  # it knows us: both would stay in memory until a collection
            if self._connection is not None:
                self._release()

    def _release(self) -> None:
        """Give the connection to the gateway back, as soon as nothing more is to come of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pool.release(connection)

    def _summary(self) -> Report:
        if self._gone:
            self._problem = self._problem or "client_gone"
            stopped = self._problem == "client_stopped_reading"
            log.info(
                "the client read its answer too slowly" if stopped else "the client left before its answer was whole",
                extra={"request_id": self._request_id, "code": self._problem, "client": self._client},
            )
        upload = self._upload
        return Report(
            kind=self._match.kind,
            method=self._request.method,
            status=_CLIENT_GONE if self._gone else self._status,
            seconds=time.perf_counter() - self._started,
            upstream_seconds=self._upstream_seconds,
            received=self._received + (upload.received if upload is not None else 0),
            sent=self._sent,
            request_id=self._request_id,
            client=self._client,
            target=self._target,
            problem=self._problem,
            corrected=self._corrected,
            template=self._match.template,
        )
