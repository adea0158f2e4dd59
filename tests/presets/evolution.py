"""A stand-in for Evolution API, written from its facts: the list from rows, the single state from memory.

What it lies about: a connection that drops leaves the row `open`, and a code that was scanned is shown again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from aiohttp import web

from tests.pictures import CODE


@dataclass
class Instance:
    """One session: its row in the database, its state in memory, and the code that was shown last."""

    row: str = "open"
    memory: str = "open"
    code: str | None = CODE


@dataclass
class Evolution:
    """The instances, and the webhook that was set. `zone` is the offset of its local time, in hours."""

    clock: Callable[[], float]
    version: Literal[1, 2] = 2
    zone: float = -3.0
    instances: dict[str, Instance] = field(default_factory=lambda: {"sales": Instance(), "support": Instance()})
    webhook: dict[str, Any] = field(default_factory=dict)

    # what happens to a session; each gives the events, in the order in which they are sent

    def drop(self, name: str) -> list[dict[str, Any]]:
        """The connection is lost, and is being made again."""
        self.instances[name].memory = "connecting"
        closed = [self.update(name, "close", 428)] if self.version == 1 else []
        return [*closed, self.update(name, "connecting", 200)]

    def reopen(self, name: str) -> list[dict[str, Any]]:
        """The connection stands, or a code was scanned."""
        self.instances[name].row = self.instances[name].memory = "open"
        return [self.update(name, "open", 200)]

    def log_out(self, name: str) -> list[dict[str, Any]]:
        """The phone drops the session."""
        self.instances[name].row = self.instances[name].memory = "close"
        closed = self.event("status.instance", name, {"instance": name, "status": "closed"})
        return [closed, self.event("logout.instance", name, None), self.update(name, "close", 401)]

    def update(self, name: str, state: str, reason: int) -> dict[str, Any]:
        """The event of a state."""
        return self.event("connection.update", name, {"instance": name, "state": state, "statusReason": reason})

    def message(self, name: str, *, own: bool) -> dict[str, Any]:
        """The event of a message."""
        key = {"remoteJid": "5511988880000@s.whatsapp.net", "fromMe": own, "id": "3EB0EXAMPLE01"}
        return self.event("messages.upsert", name, {"key": key, "message": {"conversation": "example"}})

    def event(self, event: str, name: str, data: Any) -> dict[str, Any]:
        """An event as it is sent: its time is local time with a `Z`."""
        local = datetime.fromtimestamp(self.clock(), UTC) + timedelta(hours=self.zone)
        return {
            "event": event,
            "instance": name,
            "data": data,
            "date_time": local.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "server_url": "http://evolution.example",
            "apikey": "example-secret",
        }

    # what it answers

    def routes(self) -> list[web.RouteDef]:
        """Its HTTP interface."""
        return [
            web.get("/instance/fetchInstances", self._list),
            web.get("/instance/connectionState/{name}", self._state),
            web.get("/instance/connect/{name}", self._connect),
            web.post("/instance/create", self._create),
            web.delete("/instance/delete/{name}", self._delete),
            web.post("/webhook/set/{name}", self._set_webhook),
            web.get("/webhook/find/{name}", self._find_webhook),
        ]

    def _shown(self, name: str) -> dict[str, Any]:
        one = self.instances[name]
        if self.version == 1:
            return {"instance": {"instanceName": name, "status": one.row, "apikey": "example-secret"}}
        return {"id": f"id-of-{name}", "name": name, "connectionStatus": one.row, "token": "example-secret"}

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("instanceName")
        if wanted is not None and self.version == 1:
            return web.json_response(self._shown(wanted))
        return web.json_response([self._shown(name) for name in self.instances if wanted in {None, name}])

    async def _state(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = self.instances.get(name)
        state = {} if known is None else {"state": known.memory}
        return web.json_response({"instance": {"instanceName": name, **state}})

    async def _connect(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        one = self.instances[name]
        if one.memory == "open":
            return web.json_response({"instance": {"instanceName": name, "state": "open"}})
        if one.memory == "close":
            one.row = one.memory = "connecting"
            one.code = CODE.replace("2@E", "2@F")
        return web.json_response({"pairingCode": None, "code": one.code, "count": 1})

    async def _create(self, request: web.Request) -> web.Response:
        name = (await request.json())["instanceName"]
        if name in self.instances:
            return web.json_response({"status": 403, "error": "Forbidden"}, status=403)
        self.instances[name] = Instance("connecting", "connecting")
        shown = {"instanceName": name, "status": "connecting"}
        return web.json_response({"instance": shown, "qrcode": {"code": CODE, "count": 1}}, status=201)

    async def _delete(self, request: web.Request) -> web.Response:
        del self.instances[request.match_info["name"]]
        return web.json_response({"status": "SUCCESS", "error": False, "response": {"message": "Instance deleted"}})

    async def _set_webhook(self, request: web.Request) -> web.Response:
        self.webhook = await request.json()
        return web.json_response(self.webhook, status=201)

    async def _find_webhook(self, request: web.Request) -> web.Response:
        return web.json_response(self.webhook)
