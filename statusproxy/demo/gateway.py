"""The stand-in gateway: an HTTP service that behaves, and lies, like the first real one (built on Express).

It answers the whole HTTP interface of that gateway (`routes`) in Express's manner (`express`), receives the engine's
webhooks, sends its own events on to the hub's URL (`outbox`), and asks the engine for each session in turn, so that
its list is as slow and as stale as the real one's. A person's controls over a phone (`unlink`, `scan`) and an
operator's over the gateway (`restart`) are methods here, and can be reached over HTTP under `/demo/…`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from statusproxy.demo.engine import Dialog, Engine
from statusproxy.demo.events import NormalisedEvent, RawEvent, normalise, presence
from statusproxy.demo.express import KEEP_ALIVE, BadBodyError, Json, json_answer, match
from statusproxy.demo.loopback import LoopbackServer
from statusproxy.demo.outbox import Outbox
from statusproxy.demo.routes import ROUTES

STATUS_WORDS: Final[Mapping[str, str]] = {
    "CONNECTED": "connected",
    "QRCODE": "qr_required",
    "INITIALIZING": "unknown",
}
"""What the gateway makes of the engine's answer."""

_REMEMBERED: Final = 1000


class StandInGateway(LoopbackServer):
    """A gateway on a loopback port, with an engine behind it whose phones can be unlinked and scanned.

    `sessions` are linked from the start, those in `waiting` wait for a QR code; `dialogs` names the
    sessions that reconnect in a particular way (see `Dialog`). `slow` is the time in seconds that asking
    the engine for one session takes. With `secret`, everything under `/api/` wants it as
    `X-Gateway-Secret`.
    """

    def __init__(
        self,
        *,
        sessions: Sequence[str] = ("sales", "support", "Front Desk"),
        waiting: Sequence[str] = (),
        dialogs: Mapping[str, Dialog] | None = None,
        secret: str | None = None,
        slow: float = 0.0,
    ) -> None:
        super().__init__()
        self.engine = Engine(dialogs or {})
        for session in sessions:
            self.engine.link(session)
        for session in waiting:
            self.engine.wait_for_qr(session)
        self.secret = secret
        self.slow = slow
        self.engine_webhook: str | None = None
        """Where the engine posts its raw events: the gateway itself, until a proxy is put in between."""
        self.received: deque[RawEvent] = deque(maxlen=_REMEMBERED)
        """The last raw events that arrived at `/v1/webhooks/receive`."""
        self.hub_inbox: deque[NormalisedEvent] = deque(maxlen=_REMEMBERED)
        """The last normalised events that arrived at `/demo/hub-inbox`, the end of the outbound leg here."""
        self.counts: Counter[str] = Counter()
        """What happened: requests, received, delivered, undelivered, hub_inbox, sent, lost_events."""
        self.outbox = Outbox(self.counts)
        """The normalised events on their way to the hub."""
        self._restarting = 0
        self._serial = 0

    # Life

    def runner(self) -> web.ServerRunner:
        """A server that answers as Express does."""
        server = web.Server(self._handle, keepalive_timeout=KEEP_ALIVE, access_log=None)
        return web.ServerRunner(server, shutdown_timeout=0.5)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen (0: on a free port) and return the base URL; the engine posts here, and the outbox delivers."""
        await super().start(host, port)
        self.engine_webhook = self.engine_webhook or f"{self.base_url}/v1/webhooks/receive"
        self.outbox.start(self.client)
        return self.base_url

    async def stop(self) -> None:
        """Close everything; what still waits in the outbox is dropped."""
        await self.outbox.stop()
        await super().stop()

    # What a person can do to a phone, and an operator to the gateway

    async def unlink(self, session: str, word: str = "disconnectedMobile", *, silent: bool = False) -> None:
        """Unlink the phone: the engine posts `word` (unless `silent`), and the gateway keeps lying."""
        events = self.engine.unlink(session, word)
        if not silent:
            await self.post_all(events)

    async def scan(self, session: str, *, silent: bool = False) -> None:
        """Scan the waiting QR code. `silent`: the engine's word about it gets lost on the way."""
        events = self.engine.scan(session)
        if not silent:
            await self.post_all(events)

    def restart(self, answers: int | None = None) -> None:
        """The gateway starts again: `unknown` for its next answers (one list's worth), then as stale as
        before.
        """
        self._restarting = len(self.engine.sessions()) if answers is None else answers

    async def contacts_move(self, session: str, contacts: int = 40, moves: int = 1) -> None:
        """Each of so many contacts goes offline and online, `moves` times: a burst of presence events."""
        events = [
            presence(session, f"55000000{1000 + contact}@c.us", state, time.time())
            for _ in range(moves)
            for contact in range(contacts)
            for state in ("unavailable", "available")
        ]
        await self.post_all(events, at_once=16)

    async def post_all(self, events: Sequence[RawEvent], at_once: int = 1) -> None:
        """The engine posts these events, `at_once` of them together, each only once."""
        for start in range(0, len(events), at_once):
            await asyncio.gather(*(self._post_raw(event) for event in events[start : start + at_once]))

    async def settled(self, within: float = 60.0) -> bool:
        """Wait until the outbox is empty. True if it is; False if no event left its queue for `within` seconds."""
        return await self.outbox.settled(within)

    async def _post_raw(self, event: RawEvent) -> None:
        client, url = self.client, self.engine_webhook
        assert url is not None, "it has one once it was started"
        try:
            async with client.post(url, json=event) as answer:
                await answer.read()  # and ignored, like everything a webhook is answered
        except (aiohttp.ClientError, TimeoutError):
            self.counts["lost_events"] += 1

    # What the routes ask of it

    def may(self, request: web.BaseRequest) -> bool:
        """Whether the request carries the gateway's secret, where there is one."""
        return self.secret is None or request.headers.get("X-Gateway-Secret") == self.secret

    async def channel(self, session: str) -> Json:
        """One channel of the list. Asks the engine, which takes `slow` seconds. KeyError if the session is unknown."""
        if self.slow:
            await asyncio.sleep(self.slow)
        status = STATUS_WORDS[self.engine.check(session)]
        if self._restarting > 0:
            self._restarting -= 1
            status = "unknown"
        return {"id": session, "name": session, "status": status}

    def receive(self, event: RawEvent) -> None:
        """Take an event of the engine. The gateway learns nothing about the session from it: hence the stale word."""
        self.received.append(event)
        self.counts["received"] += 1
        self._serial += 1
        normalised = normalise(event, time.time(), f"e-{self._serial:08d}")
        if normalised is not None:
            self.outbox.put(normalised)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.counts["requests"] += 1
        segments = [unquote(segment) for segment in request.rel_url.raw_path.split("/") if segment]
        # Express answers HEAD with the route of GET.
        method = "GET" if request.method == "HEAD" else request.method
        for route in ROUTES:
            parameters = match(route.pattern, segments)
            if parameters is None or method != route.method:
                continue
            if route.wants_secret and not self.may(request):
                return json_answer(request, {"success": False, "error": "Unauthorized"}, 401)
            try:
                return await route.answer(self, request, *parameters)
            except KeyError:
                return json_answer(request, {"success": False, "error": "Channel not found"}, 404)
            except BadBodyError as error:
                return json_answer(request, {"success": False, "error": str(error)}, error.status)
        return json_answer(request, {"success": False, "error": "Route not found"}, 404)
