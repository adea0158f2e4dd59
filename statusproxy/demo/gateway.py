"""The stand-in gateway: an HTTP service that behaves, and lies, like the first real one (built on Express).

It answers the whole HTTP interface of that gateway in Express's manner (compact JSON, weak ETags, 304,
paths in any case and with a trailing slash), receives the engine's webhooks, sends its own events on to the
hub's URL, and asks the engine for each session in turn, so that its list is as slow and as stale as the
real one's.

Three parts, top to bottom: the object with the controls a person has over a phone (`unlink`, `scan`,
`restart`), the routes, and Express's way of answering. The same controls can be reached over HTTP under
`/demo/…`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import unquote

import aiohttp
from aiohttp import web

from statusproxy.demo.engine import Dialog, Engine, Line
from statusproxy.demo.events import NormalisedEvent, RawEvent, normalise, presence

JSON_LIMIT: Final = 10 * 1024 * 1024
"""The largest JSON body the real gateway's parser takes."""

KEEP_ALIVE: Final = 5.0
"""Node closes an idle connection after this many seconds; a proxy's pool has to live with it."""

OUTBOX_PAUSES: Final = (0.1, 0.4)
"""Seconds between the attempts to deliver an event to the hub. The engine, unlike it, tries only once."""

STATUS_WORDS: Final[Mapping[str, str]] = {
    "CONNECTED": "connected",
    "QRCODE": "qr_required",
    "INITIALIZING": "unknown",
}
"""What the gateway makes of the engine's answer."""

_REMEMBERED: Final = 1000
_CHUNK: Final = bytes(range(256)) * 256

_Json = dict[str, Any]


class StandInGateway:
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
        self.engine = Engine(dialogs or {})
        for session in sessions:
            self.engine.link(session)
        for session in waiting:
            self.engine.wait_for_qr(session)
        self.secret = secret
        self.slow = slow
        self.engine_webhook: str | None = None
        """Where the engine posts its raw events: the gateway itself, until a proxy is put in between."""
        self.outbox_url: str | None = None
        """Where the gateway posts its normalised events (`POST /api/webhooks` sets it)."""
        self.outbox_secret: str | None = None
        self.received: deque[RawEvent] = deque(maxlen=_REMEMBERED)
        """The last raw events that arrived at `/v1/webhooks/receive`."""
        self.hub_inbox: deque[NormalisedEvent] = deque(maxlen=_REMEMBERED)
        """The last normalised events that arrived at `/demo/hub-inbox`, the end of the outbound leg here."""
        self.counts: Counter[str] = Counter()
        """What happened: requests, received, delivered, undelivered, hub_inbox, sent, lost_events."""
        self.base_url = ""
        self._restarting = 0
        self._serial = 0
        self._outbox: asyncio.Queue[NormalisedEvent] = asyncio.Queue()
        self._runner: web.ServerRunner | None = None
        self._client: aiohttp.ClientSession | None = None
        self._postman: asyncio.Task[None] | None = None

    # Life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen (0: on a free port) and return the base URL, without a slash at its end."""
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        server = web.Server(self._handle, keepalive_timeout=KEEP_ALIVE, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.base_url = f"http://{host}:{self._runner.addresses[0][1]}"
        self.engine_webhook = self.engine_webhook or f"{self.base_url}/v1/webhooks/receive"
        self._postman = asyncio.create_task(self._deliver(), name="outbox of the stand-in gateway")
        return self.base_url

    async def stop(self) -> None:
        """Close everything; what still waits in the outbox is dropped."""
        if self._postman is not None:
            self._postman.cancel()
            await asyncio.gather(self._postman, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

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
        """The gateway starts anew: `unknown` for its next answers (one list's worth), then as stale as
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
        """The engine posts these events, `at_once` of them together, each once, whatever becomes of it."""
        for start in range(0, len(events), at_once):
            await asyncio.gather(*(self._post_raw(event) for event in events[start : start + at_once]))

    async def settled(self, within: float = 5.0) -> bool:
        """Wait until the outbox is empty, `within` so many seconds; whether it is."""
        try:
            await asyncio.wait_for(self._outbox.join(), within)
        except TimeoutError:
            return False
        return True

    async def _post_raw(self, event: RawEvent) -> None:
        if self.engine_webhook is None or self._client is None:
            raise RuntimeError("the stand-in gateway is not started")
        try:
            async with self._client.post(self.engine_webhook, json=event) as answer:
                await answer.read()  # and ignored, like everything a webhook is answered
        except (aiohttp.ClientError, TimeoutError):
            self.counts["lost_events"] += 1

    async def _deliver(self) -> None:
        """The outbox: one event after the other, a few attempts each."""
        while True:
            event = await self._outbox.get()
            try:
                self.counts["delivered" if await self._delivered(event) else "undelivered"] += 1
            finally:
                self._outbox.task_done()

    async def _delivered(self, event: NormalisedEvent) -> bool:
        client, url = self._client, self.outbox_url
        if client is None or url is None:
            return False
        headers = {"X-Gateway-Secret": self.outbox_secret} if self.outbox_secret else {}
        for pause in (*OUTBOX_PAUSES, math.inf):
            try:
                async with client.post(url, json=event, headers=headers) as answer:
                    await answer.read()
                    if answer.ok:
                        return True
            except (aiohttp.ClientError, TimeoutError):
                pass
            if pause is not math.inf:
                await asyncio.sleep(pause)
        return False

    # Routes

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.counts["requests"] += 1
        segments = [unquote(segment) for segment in request.rel_url.raw_path.split("/") if segment]
        for method, pattern, answer in _ROUTES:
            parameters = _match(pattern, segments)
            # Express answers HEAD with the route of GET.
            if parameters is None or method != ("GET" if request.method == "HEAD" else request.method):
                continue
            if segments[:1] == ["api"] and pattern != _HEALTH and not self._may(request):
                return _json(request, {"success": False, "error": "Unauthorized"}, 401)
            try:
                return await answer(self, request, *parameters)
            except KeyError:
                return _json(request, {"success": False, "error": "Channel not found"}, 404)
            except _BadBodyError as trouble:
                return _json(request, {"success": False, "error": str(trouble)}, trouble.status)
        return _json(request, {"success": False, "error": "Route not found"}, 404)

    def _may(self, request: web.BaseRequest) -> bool:
        return self.secret is None or request.headers.get("X-Gateway-Secret") == self.secret

    async def _ask(self, session: str) -> _Json:
        """One channel of the list: a question to the engine, as slow as that is."""
        if self.slow:
            await asyncio.sleep(self.slow)
        status = STATUS_WORDS[self.engine.check(session)]
        if self._restarting > 0:
            self._restarting -= 1
            status = "unknown"
        return {"id": session, "name": session, "status": status}

    async def _list(self, request: web.BaseRequest) -> web.Response:
        channels = [await self._ask(session) for session in self.engine.sessions()]
        return _json(request, {"success": True, "channels": channels, "total": len(channels)})

    async def _channel(self, request: web.BaseRequest, session: str) -> web.Response:
        return _json(request, {"success": True, "channel": await self._ask(session)})

    async def _available(self, request: web.BaseRequest) -> web.Response:
        sessions = [await self._ask(session) for session in self.engine.sessions()]
        return _json(request, {"success": True, "sessions": sessions})

    async def _create(self, request: web.BaseRequest, session: str | None = None) -> web.Response:
        if session is None:
            session = (await _body(request)).get("channel")
        if not isinstance(session, str) or not session:
            return _json(request, {"success": False, "error": "channel is required"}, 400)
        self.engine.create(session)
        return _json(request, {"success": True, "channel": {"id": session, "name": session}}, 201)

    async def _delete(self, request: web.BaseRequest, session: str) -> web.Response:
        self.engine.delete(session)
        return _json(request, {"success": True, "message": "Channel deleted"})

    async def _qr(self, request: web.BaseRequest, session: str) -> web.Response:
        answer, events = self.engine.qr(session)
        await self.post_all(events)
        if answer.code is None:
            return _json(request, {"success": True, "qr": None, "status": answer.status})
        return _json(request, {"success": True, "qr": answer.code, "status": answer.status})

    async def _send(self, request: web.BaseRequest) -> web.Response:
        body = await _body(request)
        session = body.get("channel")
        if not isinstance(session, str):
            return _json(request, {"success": False, "error": "channel is required"}, 400)
        if self.engine.line(session) is not Line.LINKED:
            return _json(request, {"success": False, "error": f"Session {session} is disconnected"}, 500)
        self.counts["sent"] += 1
        message_id = f"true_5500000000000@c.us_{self.counts['sent']:08X}"
        return _json(request, {"success": True, "messageId": message_id})

    async def _media(self, request: web.BaseRequest, session: str, message_id: str) -> web.StreamResponse:
        self.engine.line(session)
        size = _number(request, "bytes", 65_536)
        response = web.StreamResponse(headers={"Content-Type": "image/jpeg", "X-Powered-By": "Express"})
        response.content_length = size
        await response.prepare(request)
        if request.method != "HEAD":
            for start in range(0, size, len(_CHUNK)):
                await response.write(_CHUNK[: size - start])
        await response.write_eof()
        return response

    async def _set_webhook(self, request: web.BaseRequest, session: str | None = None) -> web.Response:
        body = await _body(request)
        url, secret = body.get("url"), body.get("secret")
        if not isinstance(url, str):
            return _json(request, {"success": False, "error": "url is required"}, 400)
        self.outbox_url, self.outbox_secret = url, secret if isinstance(secret, str) else None
        return _json(request, {"success": True, "webhook": {"url": url}})

    async def _contact(self, request: web.BaseRequest, session: str, contact: str) -> web.Response:
        return _json(request, {"success": True, "session": session, "lid": f"{contact}@lid"})

    async def _health(self, request: web.BaseRequest) -> web.Response:
        return _json(request, {"status": "ok"})

    async def _page(self, request: web.BaseRequest, _page: str = "") -> web.Response:
        # The real page prints the secret too: whoever logs bodies gives it away.
        text = f"<!DOCTYPE html><title>Sessões</title><p>secret: {self.secret or 'none'}</p>\n"
        return _express(request, text.encode(), "text/html; charset=utf-8", 200)

    async def _receive(self, request: web.BaseRequest) -> web.Response:
        """An event of the engine. The gateway learns nothing about the session from it: hence the stale
        word.
        """
        event = await _body(request)
        self.received.append(event)
        self.counts["received"] += 1
        self._serial += 1
        onward = normalise(event, time.time(), f"e-{self._serial:08d}")
        if onward is not None and self.outbox_url is not None:
            self._outbox.put_nowait(onward)
        return _json(request, {"success": True, "received": True})

    # Control over HTTP, for people with curl

    async def _demo_unlink(self, request: web.BaseRequest, session: str) -> web.Response:
        word = request.query.get("word", "disconnectedMobile")
        await self.unlink(session, word)
        return _json(request, {"unlinked": session, "engine_posted": f"status-find {word}"})

    async def _demo_scan(self, request: web.BaseRequest, session: str) -> web.Response:
        await self.scan(session, silent="silent" in request.query)
        return _json(request, {"session": session, "really": self.engine.line(session)})

    async def _demo_presence(self, request: web.BaseRequest, session: str) -> web.Response:
        self.engine.line(session)
        contacts = _number(request, "contacts", 40)
        await self.contacts_move(session, contacts)
        return _json(request, {"session": session, "presence_events": 2 * contacts})

    async def _demo_restart(self, request: web.BaseRequest) -> web.Response:
        self.restart()
        return _json(request, {"restarting": True})

    async def _demo_truth(self, request: web.BaseRequest) -> web.Response:
        return _json(request, {session: self.engine.line(session) for session in self.engine.sessions()})

    async def _demo_hub_inbox(self, request: web.BaseRequest) -> web.Response:
        self.hub_inbox.append(await _body(request))
        self.counts["hub_inbox"] += 1
        return _json(request, {"success": True})


_Answer = Callable[..., Awaitable[web.StreamResponse]]
_HEALTH: Final = ("api", "health")
# Method, path (a leading ":" takes any one segment), answer. The first that fits serves.
_ROUTES: Final[Sequence[tuple[str, tuple[str, ...], _Answer]]] = tuple(
    (method, tuple(segment for segment in path.split("/") if segment), answer)
    for method, path, answer in (
        ("GET", "/api/channels", StandInGateway._list),
        ("POST", "/api/channels", StandInGateway._create),
        ("GET", "/api/channels/:session", StandInGateway._channel),
        ("DELETE", "/api/channels/:session", StandInGateway._delete),
        ("POST", "/api/channels/:session/start-session", StandInGateway._create),
        ("GET", "/api/channels/:session/qr", StandInGateway._qr),
        ("POST", "/api/channels/:session/webhook", StandInGateway._set_webhook),
        ("GET", "/api/available-sessions", StandInGateway._available),
        ("POST", "/api/messages", StandInGateway._send),
        ("GET", "/api/media/:session/:message", StandInGateway._media),
        ("POST", "/api/webhooks", StandInGateway._set_webhook),
        ("GET", "/api/:session/contact/pn-lid/:contact", StandInGateway._contact),
        ("GET", "/api/health", StandInGateway._health),
        ("GET", "/health", StandInGateway._health),
        ("POST", "/v1/webhooks/receive", StandInGateway._receive),
        ("GET", "/", StandInGateway._page),
        ("GET", "/ui", StandInGateway._page),
        ("GET", "/ui/:page", StandInGateway._page),
        ("POST", "/demo/unlink/:session", StandInGateway._demo_unlink),
        ("POST", "/demo/scan/:session", StandInGateway._demo_scan),
        ("POST", "/demo/presence/:session", StandInGateway._demo_presence),
        ("POST", "/demo/restart", StandInGateway._demo_restart),
        ("GET", "/demo/truth", StandInGateway._demo_truth),
        ("POST", "/demo/hub-inbox", StandInGateway._demo_hub_inbox),
    )
)


def _match(pattern: tuple[str, ...], segments: Sequence[str]) -> list[str] | None:
    """The values of a path's parameters, None where it does not fit; literals in any case, as in Express."""
    if len(pattern) != len(segments):
        return None
    parameters = []
    for wanted, given in zip(pattern, segments, strict=True):
        if wanted.startswith(":"):
            parameters.append(given)
        elif wanted != given.lower():
            return None
    return parameters


# Express's way of answering


class _BadBodyError(Exception):
    """A request body that the gateway's JSON parser refuses, and with which status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _body(request: web.BaseRequest) -> _Json:
    """The request's JSON object; an empty body is an empty object, as `express.json()` leaves it."""
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > JSON_LIMIT:
            raise _BadBodyError(413, "request entity too large")
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise _BadBodyError(400, "invalid JSON") from None
    if not isinstance(document, dict):
        raise _BadBodyError(400, "a JSON object is expected")
    return document


def _number(request: web.BaseRequest, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else default


def _json(request: web.BaseRequest, document: object, status: int = 200) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return _express(request, body, "application/json; charset=utf-8", status)


def _express(request: web.BaseRequest, body: bytes, content_type: str, status: int) -> web.Response:
    """`res.send`: a weak ETag over the body, and 304 where the client has just that."""
    headers = {"X-Powered-By": "Express", "ETag": weak_etag(body), "Keep-Alive": f"timeout={KEEP_ALIVE:.0f}"}
    if status == 200 and request.method in ("GET", "HEAD") and _fresh(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return web.Response(status=status, body=body, headers=headers | {"Content-Type": content_type})


def weak_etag(body: bytes) -> str:
    """Express's default ETag: the length in hexadecimal and 27 characters of the SHA-1 in base64, weak."""
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return f'W/"{len(body):x}-{digest[:27]}"'


def _fresh(request: web.BaseRequest, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (compared weakly), and no fresh answer was asked for."""
    if "no-cache" in request.headers.get("Cache-Control", ""):
        return False
    named = [tag.strip() for tag in ",".join(request.headers.getall("If-None-Match", [])).split(",")]
    return "*" in named or any(tag.removeprefix("W/") == etag.removeprefix("W/") for tag in named if tag)
