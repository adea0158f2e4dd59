"""Stand-ins for gateways whose list and events come from the same variable, written from their facts.

One stand-in serves them all: a `Facts` says how one gateway spells its events, its answers and its routes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from aiohttp import FormData, web

from tests.pictures import CODE, PNG_BASE64, PNG_URL

What = Literal["lost", "dropped", "back", "message", "own"]
"""What happened to a session: its connection is lost for good, or is being made again, or stands; or a message came."""

Members = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """How one gateway spells what happens. `{id}` in a route stands for the session's id."""

    preset: str
    packing: str = "json"
    hook: str
    """Where its events are posted."""
    event: Callable[[What, float], Any]
    """The event of something that happens to the session `sales`, at a time."""
    route: str
    """The list; where that cannot be corrected, one session's answer."""
    whole: Callable[[list[Members]], Any]
    """The list's answer, of the sessions' objects."""
    up: Members
    """What a connected session's object says."""
    down: Members
    """What it reads once the connection is lost."""
    known: Members
    """What it says once the gateway knows."""
    single: str | None = None
    one: Callable[[Members], Any] = lambda members: members
    """A single session's answer."""
    dropped: Members | None = None
    """What it reads when a new connection takes too long; None where no event says that it is being made."""
    id_member: str | None = "id"
    sales: str = "sales"
    """The id of the session `sales`."""
    qr: tuple[str, Any] | None = None
    """The QR route and its answer."""
    delete: tuple[str, str, Any]
    """Method, route and answer; an answer of None has no body."""

    def __str__(self) -> str:
        return self.preset if self.packing == "json" else f"{self.preset}-{self.packing}"


def _waha(what: What, at: float) -> Any:
    said = {"id": f"evt_{at}_{what}", "timestamp": int(at * 1000), "session": "sales", "engine": "NOWEB"}
    word = {"lost": "SCAN_QR_CODE", "dropped": "STARTING", "back": "WORKING"}.get(what)
    if word is not None:
        return said | {"event": "session.status", "payload": {"name": "sales", "status": word}}
    return said | {"event": "message.any", "payload": {"fromMe": what == "own", "body": "example"}}


def _wwebjs(what: What, at: float) -> Any:
    kind, data = {
        "lost": ("disconnected", {"reason": "LOGOUT"}),
        "dropped": ("change_state", {"state": "OPENING"}),
        "back": ("ready", None),
        "message": ("message", {"message": {"fromMe": False, "body": "example"}}),
        "own": ("message_create", {"message": {"fromMe": True, "body": "example"}}),
    }[what]
    return {"dataType": kind, "sessionId": "sales"} | ({} if data is None else {"data": data})


_WHATSMEOW: Final = {
    "lost": "LoggedOut", "dropped": "Disconnected", "back": "Connected", "message": "Message", "own": "Message",
}  # fmt: skip


def _wuzapi(what: What, at: float) -> Any:
    event = {"Info": {"IsFromMe": what == "own"}} if what in {"message", "own"} else {}
    return {"type": _WHATSMEOW[what], "event": event, "userID": "1", "instanceName": "sales"}


def _wuzapi_form(what: What, at: float) -> Any:
    event = _wuzapi(what, at)
    said = {"jsonData": json.dumps({"type": event["type"], "event": event["event"]})}
    return FormData({"instanceName": "sales", **said, "userID": event["userID"], "token": "example-secret"})


_INSTANCE: Final = "0b7c2a52-0000-4000-8000-000000000001"


def _evolution_go(what: What, at: float) -> Any:
    data = {"Info": {"IsFromMe": what == "own"}} if what in {"message", "own"} else {}
    named = {"instanceId": _INSTANCE, "instanceName": "sales", "instanceToken": "example-secret"}
    return {"event": _WHATSMEOW[what], "data": data, **named}


def _openwa(what: What, at: float) -> Any:
    said = {"timestamp": at * 1000, "sessionId": "s1", "idempotencyKey": f"key_{at}_{what}"}
    word = {"lost": "qr_ready", "dropped": "initializing", "back": "ready"}.get(what)
    if word is not None:
        return said | {"event": "session.status", "data": {"sessionId": "s1", "status": word}}
    return said | {"event": "message.received", "data": {"fromMe": what == "own", "body": "example"}}


def _baileys(what: What, at: float) -> Any:
    word = {"lost": "disconected", "dropped": "pulling_wa_data", "back": "connected"}.get(what)
    if word is not None:
        return {"sessionId": "sales", "event": "connection.update", "data": {"status": word}, "status": "success"}
    data = {"messages": [{"key": {"fromMe": what == "own", "id": "AAA1"}}], "type": "notify"}
    return {"sessionId": "sales", "event": "messages.upsert", "data": data, "status": "success"}


def _data(members: Any) -> Any:
    return {"code": 200, "data": members, "success": True}


def _message(members: Any) -> Any:
    return {"message": "success", "data": members}


_ALL: Final = (
    Facts(
        preset="waha",
        hook="/webhook/waha",
        event=_waha,
        route="/api/sessions",
        single="/api/sessions/{id}",
        whole=list,
        id_member="name",
        up={"status": "WORKING"},
        down={"status": "SCAN_QR_CODE"},
        dropped={"status": "STARTING"},
        known={"status": "STOPPED"},
        qr=("/api/{id}/auth/qr", {"mimetype": "image/png", "data": PNG_BASE64}),
        delete=("DELETE", "/api/sessions/{id}", None),
    ),
    Facts(
        preset="wwebjs-api",
        hook="/webhook/wwebjs",
        event=_wwebjs,
        route="/session/status/{id}",
        whole=lambda sessions: sessions[0],
        id_member=None,
        up={"success": True, "state": "CONNECTED", "message": "session_connected"},
        down={"success": False, "state": None, "message": "session_not_connected"},
        known={"success": False, "state": None, "message": "browser tab closed"},
        qr=("/session/qr/{id}", {"success": True, "qr": CODE}),
        delete=("GET", "/session/terminate/{id}", {"success": True, "message": "Logged out successfully"}),
    ),
    Facts(
        preset="wuzapi",
        hook="/webhook/wuzapi",
        event=_wuzapi,
        route="/admin/users",
        single="/session/status",
        whole=_data,
        one=_data,
        sales="1",
        up={"connected": True, "loggedIn": True},
        down={"connected": False, "loggedIn": False},
        dropped={"connected": False, "loggedIn": False},
        known={"connected": False, "loggedIn": True},
        delete=("DELETE", "/admin/users/{id}", _data({"id": "1", "details": "User deleted successfully"})),
    ),
    Facts(
        preset="evolution-go",
        hook="/webhook/evolution-go",
        event=_evolution_go,
        route="/instance/all",
        single="/instance/info/{id}",
        whole=_message,
        one=_message,
        sales=_INSTANCE,
        up={"connected": True},
        down={"connected": False},
        dropped={"connected": False},
        known={"connected": False},
        delete=("DELETE", "/instance/delete/{id}", {"message": "success"}),
    ),
    Facts(
        preset="openwa",
        hook="/webhook/openwa",
        event=_openwa,
        route="/api/sessions",
        single="/api/sessions/{id}",
        whole=list,
        sales="s1",
        up={"status": "ready"},
        down={"status": "qr_ready"},
        dropped={"status": "initializing"},
        known={"status": "disconnected"},
        qr=("/api/sessions/{id}/qr", {"qrCode": PNG_URL, "status": "qr_ready"}),
        delete=("DELETE", "/api/sessions/{id}", None),
    ),
    Facts(
        preset="baileys-api",
        hook="/webhook/baileys",
        event=_baileys,
        route="/sessions",
        single="/sessions/{id}/status",
        whole=list,
        up={"status": "connected"},
        down={"status": "disconected"},
        known={"status": "wait_for_qrcode_auth"},
        delete=("DELETE", "/sessions/{id}", {"message": "Session deleted"}),
    ),
)


_WUZAPI: Final = next(facts for facts in _ALL if facts.preset == "wuzapi")

ALL: Final = (*_ALL, replace(_WUZAPI, event=_wuzapi_form, packing="form"))
"""All of them; wuzapi once for each of its ways to pack events."""


@dataclass
class Gateway:
    """A gateway with two sessions. `sales` says what the test lets it say; the other is always connected."""

    facts: Facts
    says: Members = field(default_factory=dict)
    """What `sales` says of itself."""
    inbox: list[tuple[str, bytes]] = field(default_factory=list)
    """What arrived at the hub, which this server is as well: paths and bodies."""
    own: list[str] = field(default_factory=list)
    """What arrived at the gateway's own route below `/webhook`: methods."""

    def __post_init__(self) -> None:
        self.says = self.facts.up

    def routes(self) -> list[web.RouteDef]:
        """Its HTTP interface, and the hub's."""
        facts, method, deleted = self.facts, self.facts.delete[0], self.facts.delete[1]
        found = [
            web.get(facts.route, self._list),
            web.route(method, deleted, self._delete),
            web.post("/hub{rest:.*}", self._hub),
            web.route("*", "/webhook", self._own),
        ]
        if facts.single is not None:
            found.append(web.get(facts.single, self._single))
        if facts.qr is not None:
            found.append(web.get(facts.qr[0], self._qr))
        return found

    def _object(self, session: str, members: Members) -> Members:
        named = {} if self.facts.id_member is None else {self.facts.id_member: session}
        return {**named, "token": "example-secret", **members}

    async def _list(self, request: web.Request) -> web.Response:
        sessions = [self._object(self.facts.sales, self.says), self._object("support", self.facts.up)]
        return web.json_response(self.facts.whole(sessions))

    async def _single(self, request: web.Request) -> web.Response:
        return web.json_response(self.facts.one(self._object(self.facts.sales, self.says)))

    async def _qr(self, request: web.Request) -> web.Response:
        assert self.facts.qr is not None
        return web.json_response(self.facts.qr[1])

    async def _delete(self, request: web.Request) -> web.Response:
        answer = self.facts.delete[2]
        return web.Response(status=204) if answer is None else web.json_response(answer)

    async def _hub(self, request: web.Request) -> web.Response:
        self.inbox.append((request.path, await request.read()))
        return web.Response(status=204)

    async def _own(self, request: web.Request) -> web.Response:
        self.own.append(request.method)
        return web.json_response({"success": True})
