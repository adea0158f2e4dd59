"""The routes of the stand-in gateway: those of the first real gateway, and `/demo/…` for people with curl."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import web

from statusproxy.demo.engine import Line
from statusproxy.demo.express import express_answer, json_answer, json_body, number

if TYPE_CHECKING:
    from statusproxy.demo.gateway import StandInGateway

Answer = Callable[..., Awaitable[web.StreamResponse]]
"""Answers a request: the gateway, the request, and the values of the path's parameters."""

_CHUNK: Final = bytes(range(256)) * 256


class Route(NamedTuple):
    """A method, the segments of a path (a leading ":" takes any one segment), and what answers there."""

    method: str
    pattern: tuple[str, ...]
    answer: Answer

    @property
    def wants_secret(self) -> bool:
        """Whether the gateway's secret has to be sent."""
        return self.pattern[:1] == ("api",) and self.pattern != ("api", "health")


async def _list(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    channels = [await gateway.channel(session) for session in gateway.engine.sessions()]
    return json_answer(request, {"success": True, "channels": channels, "total": len(channels)})


async def _channel(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    return json_answer(request, {"success": True, "channel": await gateway.channel(session)})


async def _available(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    sessions = [await gateway.channel(session) for session in gateway.engine.sessions()]
    return json_answer(request, {"success": True, "sessions": sessions})


async def _create(gateway: StandInGateway, request: web.BaseRequest, session: str | None = None) -> web.Response:
    if session is None:
        session = (await json_body(request)).get("channel")
    if not isinstance(session, str) or not session:
        return json_answer(request, {"success": False, "error": "channel is required"}, 400)
    gateway.engine.create(session)
    return json_answer(request, {"success": True, "channel": {"id": session, "name": session}}, 201)


async def _delete(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    gateway.engine.delete(session)
    return json_answer(request, {"success": True, "message": "Channel deleted"})


async def _qr(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    answer, events = gateway.engine.qr(session)
    await gateway.post_all(events)
    return json_answer(request, {"success": True, "qr": answer.code, "status": answer.status})


async def _send(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    body = await json_body(request)
    session = body.get("channel")
    if not isinstance(session, str):
        return json_answer(request, {"success": False, "error": "channel is required"}, 400)
    if gateway.engine.line(session) is not Line.LINKED:
        return json_answer(request, {"success": False, "error": f"Session {session} is disconnected"}, 500)
    gateway.counts["sent"] += 1
    message_id = f"true_5500000000000@c.us_{gateway.counts['sent']:08X}"
    return json_answer(request, {"success": True, "messageId": message_id})


async def _media(
    gateway: StandInGateway, request: web.BaseRequest, session: str, message_id: str
) -> web.StreamResponse:
    gateway.engine.line(session)
    size = number(request, "bytes", 65_536)
    response = web.StreamResponse(headers={"Content-Type": "image/jpeg", "X-Powered-By": "Express"})
    response.content_length = size
    await response.prepare(request)
    if request.method != "HEAD":
        for start in range(0, size, len(_CHUNK)):
            await response.write(_CHUNK[: size - start])
    await response.write_eof()
    return response


async def _set_webhook(gateway: StandInGateway, request: web.BaseRequest, session: str | None = None) -> web.Response:
    body = await json_body(request)
    url, secret = body.get("url"), body.get("secret")
    if not isinstance(url, str):
        return json_answer(request, {"success": False, "error": "url is required"}, 400)
    gateway.outbox.url, gateway.outbox.secret = url, secret if isinstance(secret, str) else None
    return json_answer(request, {"success": True, "webhook": {"url": url}})


async def _contact(gateway: StandInGateway, request: web.BaseRequest, session: str, contact: str) -> web.Response:
    return json_answer(request, {"success": True, "session": session, "lid": f"{contact}@lid"})


async def _health(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    return json_answer(request, {"status": "ok"})


async def _page(gateway: StandInGateway, request: web.BaseRequest, _page: str = "") -> web.Response:
    # The real page prints the secret too, so that a log of bodies would contain it.
    text = f"<!DOCTYPE html><title>Sessões</title><p>secret: {gateway.secret or 'none'}</p>\n"
    return express_answer(request, text.encode(), "text/html; charset=utf-8", 200)


async def _receive(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    gateway.receive(await json_body(request))
    return json_answer(request, {"success": True, "received": True})


# Control over HTTP, for people with curl


async def _demo_unlink(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    word = request.query.get("word", "disconnectedMobile")
    await gateway.unlink(session, word)
    return json_answer(request, {"unlinked": session, "engine_posted": f"status-find {word}"})


async def _demo_scan(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    await gateway.scan(session, silent="silent" in request.query)
    return json_answer(request, {"session": session, "really": gateway.engine.line(session)})


async def _demo_presence(gateway: StandInGateway, request: web.BaseRequest, session: str) -> web.Response:
    gateway.engine.line(session)
    contacts = number(request, "contacts", 40)
    await gateway.contacts_move(session, contacts)
    return json_answer(request, {"session": session, "presence_events": 2 * contacts})


async def _demo_restart(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    gateway.restart()
    return json_answer(request, {"restarting": True})


async def _demo_truth(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    return json_answer(request, {session: gateway.engine.line(session) for session in gateway.engine.sessions()})


async def _demo_hub_inbox(gateway: StandInGateway, request: web.BaseRequest) -> web.Response:
    gateway.hub_inbox.append(await json_body(request))
    gateway.counts["hub_inbox"] += 1
    return json_answer(request, {"success": True})


ROUTES: Final[Sequence[Route]] = tuple(
    Route(method, tuple(segment for segment in path.split("/") if segment), answer)
    for method, path, answer in (
        ("GET", "/api/channels", _list),
        ("POST", "/api/channels", _create),
        ("GET", "/api/channels/:session", _channel),
        ("DELETE", "/api/channels/:session", _delete),
        ("POST", "/api/channels/:session/start-session", _create),
        ("GET", "/api/channels/:session/qr", _qr),
        ("POST", "/api/channels/:session/webhook", _set_webhook),
        ("GET", "/api/available-sessions", _available),
        ("POST", "/api/messages", _send),
        ("GET", "/api/media/:session/:message", _media),
        ("POST", "/api/webhooks", _set_webhook),
        ("GET", "/api/:session/contact/pn-lid/:contact", _contact),
        ("GET", "/api/health", _health),
        ("GET", "/health", _health),
        ("POST", "/v1/webhooks/receive", _receive),
        ("GET", "/", _page),
        ("GET", "/ui", _page),
        ("GET", "/ui/:page", _page),
        ("POST", "/demo/unlink/:session", _demo_unlink),
        ("POST", "/demo/scan/:session", _demo_scan),
        ("POST", "/demo/presence/:session", _demo_presence),
        ("POST", "/demo/restart", _demo_restart),
        ("GET", "/demo/truth", _demo_truth),
        ("POST", "/demo/hub-inbox", _demo_hub_inbox),
    )
)
"""The first that fits serves."""
