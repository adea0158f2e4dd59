"""Stand-ins for gateways that answer as the real ones do, each behind its own secret."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from statusproxy.detection.catalogue import Gateway, shipped
from tests.stand_ins.served import everything, served

SECRET = "planted-s3cret"


def of(preset: str) -> Gateway:
    """One of them."""
    return next(each for each in shipped() if each.preset == preset)


@dataclass
class Kind:
    """One route of a gateway, the header that it wants (name, value), its answer with sessions and without."""

    route: str
    header: tuple[str, str] | None
    sessions: Any
    empty: Any
    refusal: Any = None
    """Its answer to a wrong secret in the path."""


KINDS: Mapping[str, Kind] = {
    "gateway-wrapper": Kind(
        "/api/channels",
        ("X-Gateway-Secret", SECRET),
        {"success": True, "channels": [{"id": "sales", "name": "sales", "status": "connected"}]},
        {"success": True, "channels": []},
    ),
    "wppconnect-server": Kind(
        f"/api/{SECRET}/show-all-sessions",
        None,
        {"response": ["sales", "b"]},
        {"response": []},
        {"response": False, "message": "The token is incorrect"},
    ),
    "evolution-v2": Kind(
        "/instance/fetchInstances",
        ("apikey", SECRET),
        [{"id": "1b2c", "name": "sales", "connectionStatus": "open", "ownerJid": "x@s.whatsapp.net", "token": "t"}],
        [],
    ),
    "evolution-v1": Kind(
        "/instance/fetchInstances",
        ("apikey", SECRET),
        [{"instance": {"instanceName": "sales", "status": "open"}}],
        [],
    ),
    "waha": Kind(
        "/api/sessions",
        ("X-Api-Key", SECRET),
        [{"name": "sales", "status": "WORKING", "config": {}}, {"name": "b", "status": "FAILED"}],
        [],
    ),
    "wwebjs-api": Kind(
        "/session/getSessions",
        ("x-api-key", SECRET),
        {"success": True, "result": ["sales"]},
        {"success": True, "result": []},
    ),
    "wuzapi": Kind(
        "/admin/users",
        ("Authorization", SECRET),
        {
            "code": 200,
            "data": [{"id": "1", "name": "sales", "connected": True, "loggedIn": True, "token": "t"}],
            "success": True,
        },
        {"code": 200, "data": [], "success": True},
    ),
    "evolution-go": Kind(
        "/instance/all",
        ("apikey", SECRET),
        {"message": "success", "data": [{"id": "1", "name": "sales", "connected": True, "token": "t"}]},
        {"message": "success", "data": []},
    ),
    "openwa": Kind("/api/sessions", ("X-Api-Key", SECRET), [{"id": "s1", "name": "sales", "status": "ready"}], []),
    "baileys-api": Kind("/sessions", ("x-api-key", SECRET), [{"id": "sales", "status": "connected"}], []),
    "gowa": Kind(
        "/devices",
        None,
        {"results": [{"id": "d", "jid": "x@s.whatsapp.net", "state": "logged_in"}]},
        {"results": []},
    ),
}


@dataclass
class StandIn:
    """A gateway that is running, and what it was asked."""

    url: str
    asked: list[tuple[str, str]] = field(default_factory=list)


@asynccontextmanager
async def standing_in(kind: Kind, *, empty: bool = False, open_: bool = False) -> AsyncIterator[StandIn]:
    """A gateway of this kind; with `open_` it wants no secret."""

    async def answer(request: web.Request) -> web.Response:
        stand_in.asked.append((request.method, request.path))
        if kind.header is not None and not open_ and request.headers.get(kind.header[0]) != kind.header[1]:
            return web.json_response({"error": "Unauthorized"}, status=401)
        if (
            kind.refusal is not None
            and request.path.endswith(kind.route.rpartition("/")[2])
            and request.path != kind.route
        ):
            return web.json_response(kind.refusal, status=400)
        if request.path != kind.route:
            return web.json_response({"error": "Not Found"}, status=404)
        return web.json_response(kind.empty if empty else kind.sessions)

    async with served(everything(answer)) as url:
        stand_in = StandIn(url)
        yield stand_in
