"""The stand-in gateway that speaks a dialect: it shows what that gateway would show, stale words included."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiohttp import web

from statusproxy.demo.dialect import Dialect, Does, Occasion, Route, Seen, State
from statusproxy.demo.engine import picture
from statusproxy.demo.loopback import LoopbackServer

HUB_INBOX: Final = "/demo/hub-inbox"
"""Where the proxy passes the events on: the hub, as far as the demonstration has one."""

_NO_SECRET: Final = "-"  # noqa: S105 - no secret
"""What `init` writes into a path in place of the secret, to see how it is refused. Any other is taken here."""


class DialectGateway(LoopbackServer):
    """A gateway on a loopback port, whose sessions come to any state that `put` names.

    Over HTTP, `/demo/…` has the same controls for people with curl.
    """

    def __init__(self, dialect: Dialect, sessions: Sequence[str]) -> None:
        super().__init__()
        self.dialect = dialect
        self.states = dict.fromkeys(sessions, State.CONNECTED)
        """Where each session really stands, by its name."""
        self.proxy_url: str | None = None
        """The proxy that the events are posted to; None: they are posted nowhere."""
        self.posted = 0
        """How many events were posted."""
        self.counts: Counter[str] = Counter()
        """What arrived: `hub`, events at the hub."""
        self._losses: dict[str, list[Any]] = {}
        self._codes: Counter[str] = Counter()
        self._occasions = 0
        self._at = 0.0

    # What happens to a session

    async def put(self, name: str, state: State) -> None:
        """Put a session into a state, and post the gateway's events about it. KeyError if there is no such session."""
        changed = self.states[name] is not state
        self.states[name] = state
        self._codes[name] += changed and state is State.SCANNING
        self._occasions += 1
        tell = self.dialect.events.get(state)
        if tell is None:
            return
        # No two in one millisecond: some gateways' times tell no finer.
        self._at = max(time.time(), self._at + 0.002)
        events = list(tell(Occasion(self.seen(name), self._at, self._occasions)))
        if state in (State.LOST, State.CLOSED):
            self._losses[name] = events
        await self._post(name, events)

    async def drop(self, name: str) -> None:
        """The connection drops."""
        await self.put(name, State.RECONNECTING)

    async def lose(self, name: str) -> None:
        """The session is lost, in this gateway's way."""
        await self.put(name, self.dialect.lost)

    async def scan(self, name: str) -> None:
        """Someone scans the QR code, or the connection comes back by itself."""
        await self.put(name, State.CONNECTED)

    async def send_again(self, name: str) -> None:
        """The events of the session's last loss arrive again, unchanged."""
        await self._post(name, self._losses.get(name, []))

    def seen(self, name: str) -> Seen:
        """A session as the gateway shows it."""
        state = self.states[name]
        code = picture(name, self._codes[name]) if state is State.SCANNING else None
        session = self.dialect.ids.get(name, name)
        is_connected = state is State.CONNECTED
        return Seen(session, name, f"token-of-{name}", self.dialect.shows.get(state), code, is_connected)

    async def _post(self, name: str, events: Sequence[Any]) -> None:
        client = self.client
        if self.proxy_url is None:
            return
        seen = self.seen(name)
        url = self.proxy_url + self.dialect.webhook.format(session=quote(seen.id))
        for event in events:
            self.posted += 1
            await self._post_one(client, url, event, seen)

    async def _post_one(self, client: aiohttp.ClientSession, url: str, event: Any, seen: Seen) -> None:
        form, body = None, event
        if self.dialect.form is not None:
            named = {"userID": seen.id, "instanceName": seen.name}
            form, body = {self.dialect.form: json.dumps(event), "token": seen.token, **named}, None
        try:
            async with client.post(url, json=body, data=form) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError):
            self.counts["undelivered"] += 1

    # What it answers

    def runner(self) -> web.AppRunner:
        """A server with the routes of this gateway, and those for people."""
        return web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.5)

    def _application(self) -> web.Application:
        application = web.Application()
        for route in dict.fromkeys(self.dialect.routes):
            application.router.add_route(route.method, route.path, self._answering(route))
        application.router.add_get("/health", _healthy)
        application.router.add_get("/demo/truth", self._truth)
        application.router.add_post(HUB_INBOX, self._hub)
        application.router.add_post(HUB_INBOX + "/{rest:.*}", self._hub)
        for what, does in {"drop": self.drop, "lose": self.lose, "scan": self.scan}.items():
            application.router.add_post(f"/demo/{what}/{{name}}", self._controlled(does))
        return application

    def _answering(self, route: Route) -> Any:
        async def answer(request: web.Request) -> web.Response:
            if request.match_info.get("secret") == _NO_SECRET:
                return web.json_response(self.dialect.refusal, status=400)
            if route is self.dialect.names:
                return web.json_response(route.answer([self.seen(name) for name in self.states]))
            if route is self.dialect.watched.route and self.dialect.watched.entries is not None:
                listed = [self.seen(name) for name, state in self.states.items() if state in self.dialect.shows]
                return web.json_response(route.answer(listed))
            name = await self._asked_for(request, route)
            if name is None:
                return web.json_response({"error": "no such session"}, status=404)
            await self._do(name, route.does)
            return web.json_response(route.answer([self.seen(name)]))

        return answer

    async def _do(self, name: str, does: Does) -> None:
        if does is Does.CLOSE:
            await self.put(name, State.CLOSED)
        elif does is Does.START and self.states[name] is not State.SCANNING and not self._takes_for_connected(name):
            await self.put(name, State.SCANNING)

    def _takes_for_connected(self, name: str) -> bool:
        return bool(self.seen(name).word == self.dialect.shows[State.CONNECTED])

    async def _asked_for(self, request: web.Request, route: Route) -> str | None:
        """The name of the session that a request is about."""
        given = request.match_info.get("session")
        if route.body is not None:
            document = await request.json()
            given = document.get(route.body) if isinstance(document, Mapping) else None
        token = request.headers.get(self.dialect.header or "")
        for name in self.states:
            seen = self.seen(name)
            if given == seen.id or (given is None and token == seen.token):
                return name
        return None

    def _controlled(self, does: Any) -> Any:
        async def control(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            if name not in self.states:
                return web.json_response({"error": "no such session"}, status=404)
            await does(name)
            return web.json_response({"session": name, "really": self.states[name]})

        return control

    async def _truth(self, _: web.Request) -> web.Response:
        return web.json_response(self.states)

    async def _hub(self, request: web.Request) -> web.Response:
        await request.read()
        self.counts["hub"] += 1
        return web.json_response({"success": True})


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
