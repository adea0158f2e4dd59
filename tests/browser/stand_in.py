"""A stand-in for the admin listener: the page's own files, with any sessions and any history that a test wants."""

import asyncio
import json
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from statusproxy.admin import assets
from tests.waiting import PATIENCE

_NAMES: Final = ("sales", "support", "billing", "front-desk", "shop", "clinic", "school", "garage", "bakery", "hotel")

#: Share of the sessions in each state, as in a bad week.
_MIX: Final = (("lost", "reported_down", "needs_qr", "connected", "unknown"), (0.03, 0.02, 0.02, 0.88, 0.05))


def moment(ago: float) -> str:
    """The moment `ago` seconds before now, as the proxy writes it."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def session(name: str, state: str = "connected", **more: Any) -> dict[str, Any]:
    """A report of one session, as the stream has it."""
    lost = state == "lost"
    word = {"reported_down": "disconnected", "needs_qr": "qr_required", "connected": "connected"}.get(state)
    report: dict[str, Any] = {
        "session": name, "channel": name, "shows": "disconnected" if lost else "gateway", "reads": None,
        "shown_at": moment(60) if lost else None, "since": moment(4000) if lost else None,
        "reason": "status-find disconnectedMobile" if lost else None, "word": None, "caught_up": None,
        "last_event": "onmessage", "last_event_at": moment(90), "last_message_at": moment(90), "known": None,
        "gateway_said": "connected" if lost else word, "gateway_said_at": moment(5), "transient": None,
        "transient_word": None, "transient_due": None, "released": None, "released_at": None, "released_by": None,
        "state": state, "listed": state != "unknown", "list_shows": "disconnected" if lost else word,
        "first_heard": moment(80 * 86400), "lost_seconds": 0.0, "losses": 0, "uptime": 1.0, "days": "0" * 90,
    }  # fmt: skip
    if lost:
        report |= {
            "reads": "disconnected",
            "losses": 1,
            "lost_seconds": 4000.0,
            "uptime": 0.9994,
            "days": "0" * 89 + "1",
        }
    if state == "unknown":
        report |= {"last_event": None, "last_event_at": None, "last_message_at": None, "gateway_said": None,
                   "gateway_said_at": None, "uptime": None, "days": ""}  # fmt: skip
    return report | more


def mixed(count: int) -> list[dict[str, Any]]:
    """So many sessions in all states, the same ones each time."""
    chance = random.Random(count)
    reports = []
    for number in range(count):
        name = _NAMES[number % len(_NAMES)] + (f"-{number // len(_NAMES)}" if number >= len(_NAMES) else "")
        state: str = ("lost", "reported_down", "connected")[number % 3] if count < 10 else chance.choices(*_MIX)[0]
        days = ["0"] * 90
        for _ in range(chance.choice((0, 0, 0, 1, 2, 5))):
            days[chance.randrange(90)] = str(chance.choice((1, 1, 1, 2, 4, 9)))
        young = chance.random() < 0.15
        shown = "".join(days)[-chance.randrange(5, 80) if young else 0 :]
        losses = sum(day != "0" for day in shown) + (state == "lost")
        lost = sum(int(day) for day in shown) * 5400.0 + (chance.randrange(200, 90000) if state == "lost" else 0)
        more: dict[str, Any] = {"days": shown, "losses": losses, "lost_seconds": lost,
                                "uptime": max(0.0, 1 - lost / (len(shown) * 86400))}  # fmt: skip
        if state == "lost":
            since = chance.randrange(60, 200000)
            reason = chance.choice(
                ("status-find disconnectedMobile", "status-find browserClose", "status-find serverClose")
            )
            more |= {
                "since": moment(since),
                "reason": reason,
                "alerted_at": moment(since - 60) if since > 100 else None,
            }
        if state == "unknown":
            more = {"listed": chance.random() < 0.5}
        if state == "connected" and losses:
            more |= {
                "reason": "connected-event",
                "released": "connected-event",
                "released_at": moment(chance.randrange(4000, 4000000)),
            }
        if state != "unknown":
            more["last_event_at"] = moment(chance.randrange(1, 9000))
        if number % 4 == 1:
            more["channel"] = f"channel-{number}"
        reports.append(session(name, state, **more))
    return reports


class StandIn:
    """A page's data, and what happens to it."""

    def __init__(self, reports: Sequence[dict[str, Any]]) -> None:
        self.reports = list(reports)
        self.url = ""
        self.doctor: dict[str, Any] = {
            "webhooks": {"last_heard": None, "heard": 900, "gap": 30.0, "paths": [], "senders": []}
        }
        self.heard_at = moment(4)
        self.guidance: dict[str, Any] = {
            "title": "Gateway",
            "url": "",
            "set_url": [],
            "states": {},
            "bring_back": ["POST /api/sessions/{session}/connect", "GET /api/sessions/{session}/qr"],
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: list[web.StreamResponse] = []
        self._stop = asyncio.Event()

    def tell(self, *reports: dict[str, Any]) -> None:
        """Tell every open page of these sessions."""
        assert self._loop is not None
        piece = self._event("sessions", sessions=list(reports))
        asyncio.run_coroutine_threadsafe(self._send(piece), self._loop).result(PATIENCE)

    async def _send(self, piece: bytes) -> None:
        for stream in self._streams:
            with suppress(ConnectionError):  # its page was closed
                await stream.write(piece)

    def _event(self, name: str, **data: Any) -> bytes:
        data |= {"now": moment(0)}
        return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        heard = {"webhook_last_heard": self.heard_at, "started": moment(900000),
                 "webhooks": {"came": 9, "trusted": 9, "untrusted": {}}}  # fmt: skip
        await stream.write(
            self._event(
                "hello", version="1.0", total=len(self.reports), gateway_url="", guidance=self.guidance, **heard
            )
        )
        await stream.write(self._event("health", status="ok", store="ok", gateway="ok"))
        # Before the last of it is written: who has seen all may tell more at once.
        self._streams.append(stream)
        try:
            with suppress(ConnectionError):
                for start in range(0, len(self.reports), 250):
                    await stream.write(self._event("sessions", sessions=self.reports[start : start + 250], **heard))
                while not self._stop.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), 5)
                    await stream.write(self._event("clock", **heard))
        finally:
            self._streams.remove(stream)
        return stream

    async def _doctor(self, request: web.Request) -> web.Response:
        return web.json_response(self.doctor)

    async def _outages(self, request: web.Request) -> web.Response:
        report = next(one for one in self.reports if one["session"] == request.query["session"])
        past = {
            "session": report["session"],
            "reason": "status-find",
            "word": "browserClose",
            "gateway_said": "connected",
        }
        outages = [
            past
            | {
                "since": moment(9e5),
                "until": moment(8.9e5),
                "seconds": 1e4,
                "released": "operator",
                "released_by": "ana",
            },
            past | {"since": moment(4e6), "until": moment(3.9e6), "seconds": 1e5, "released": "connected-event"},
        ]
        if report["state"] == "lost":
            outages.insert(0, past | {"since": report["since"], "until": None, "seconds": 1.0})
        return web.json_response({"outages": outages, "more": False})

    async def _history(self, request: web.Request) -> web.Response:
        again = {"session": request.match_info["session"], "change": "repeated", "reason": "status-find browserClose"}
        return web.json_response({"history": [again | {"at": moment(8.95e5)}]})

    async def _uptime(self, request: web.Request) -> web.Response:
        months = [
            {"month": f"2026-{number:02}", "uptime": 0.999, "lost_seconds": 2678.0, "losses": 1}
            for number in range(11, 7, -1)
        ]
        return web.json_response({"complete": True, "months": months})

    async def serve(self, ready: threading.Event) -> None:
        """Answer until `stop` is called."""
        app = web.Application()
        app.router.add_get("/events", self._events)
        app.router.add_get("/doctor", self._doctor)
        app.router.add_get("/uptime", self._uptime)
        app.router.add_get("/outages", self._outages)
        app.router.add_get("/sessions/{session}/history", self._history)
        app.add_routes(assets.routes())
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._loop = asyncio.get_running_loop()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def stop(self) -> None:
        """End it, from another thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def stand_in(reports: Sequence[dict[str, Any]]) -> Iterator[StandIn]:
    """The stand-in, running in a thread of its own."""
    stands = StandIn(reports)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(stands.serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield stands
    finally:
        stands.stop()
        thread.join(PATIENCE)
