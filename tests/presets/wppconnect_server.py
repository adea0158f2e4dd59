"""A stand-in for wppconnect-server, written from what the real one was seen to do (`wppconnect-server/*.jsonl`).

What it lies about: a session whose browser died stays CONNECTED, and starting it answers CONNECTED and does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

PNG: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x01\xf4\x00\x00\x01\xf4" + bytes(16)
"""A picture of 500 by 500 pixels, as far as anybody looks."""


@dataclass
class Session:
    """What was noted of a session, and whether its browser lives."""

    noted: str = "CONNECTED"
    browser: bool = True


@dataclass
class WppconnectServer:
    """The sessions."""

    sessions: dict[str, Session] = field(default_factory=lambda: {"pixel": Session(), "support": Session()})

    # what happens to a session; each gives the events, in the order in which they are sent

    def kill_browser(self, name: str) -> list[dict[str, Any]]:
        """Its Chromium dies."""
        self.sessions[name].browser = False
        return [found(name, "browserClose")]

    def unlink(self, name: str) -> list[dict[str, Any]]:
        """The phone drops it."""
        self.sessions[name] = Session("CLOSED", browser=False)
        return [found(name, "disconnectedMobile"), found(name, "browserClose")]

    def scan(self, name: str) -> list[dict[str, Any]]:
        """The code is scanned, in the process in which the session was closed: the events do not name it."""
        self.sessions[name] = Session()
        return [found(None, "inChat"), found(None, "qrReadSuccess")]

    # what it answers

    def routes(self) -> list[web.RouteDef]:
        """Its HTTP interface."""
        return [
            web.get("/api/{session}/status-session", self._status),
            web.get("/api/{session}/check-connection-session", self._check),
            web.get("/api/{session}/qrcode-session", self._code),
            web.post("/api/{session}/start-session", self._start),
            web.post("/api/{session}/close-session", self._close),
        ]

    def _of(self, request: web.Request) -> Session:
        return self.sessions[request.match_info["session"].partition(":")[0]]

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"status": self._of(request).noted, "qrcode": None, "urlcode": "", "version": "2.10.4"}
        )

    async def _check(self, request: web.Request) -> web.Response:
        lives = self._of(request).browser
        return web.json_response({"status": lives, "message": "Connected" if lives else "Disconnected"})

    async def _code(self, request: web.Request) -> web.Response:
        session = self._of(request)
        if session.noted == "QRCODE":
            return web.Response(body=PNG, content_type="image/png")
        return web.json_response({"status": session.noted, "message": "QRCode is not available..."})

    async def _start(self, request: web.Request) -> web.Response:
        session = self._of(request)
        if session.noted == "CONNECTED":
            return noted("CONNECTED")
        session.noted, session.browser = "QRCODE", True
        return noted("INITIALIZING")

    async def _close(self, request: web.Request) -> web.Response:
        session = self._of(request)
        session.noted, session.browser = "CLOSED", False
        return web.json_response({"status": True, "message": "Session successfully closed"})


def found(name: str | None, word: str) -> dict[str, Any]:
    """The event `status-find`."""
    return {"event": "status-find", **({} if name is None else {"session": name}), "status": word}


def noted(word: str) -> web.Response:
    """The answer of `status-session`."""
    return web.json_response({"status": word, "qrcode": None, "urlcode": "", "version": "2.10.4"})
