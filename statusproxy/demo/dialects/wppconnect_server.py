"""wppconnect-server: one answer about each session, and words that go stale when a browser dies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from statusproxy.demo.dialect import Dialect, Does, Events, Occasion, Route, State, Watched
from statusproxy.demo.dialects.answers import one, says


def _find(*words: str, named: bool = True) -> Events:
    def events(occasion: Occasion) -> Sequence[Any]:
        session = {"session": occasion.session.id} if named else {}
        return [{"event": "status-find", "status": word, **session} for word in words]

    return events


_WPP_START: Final = Route(
    "POST",
    "/api/{session}/start-session",
    one(lambda seen: {"status": seen.word, "qrcode": seen.code, "urlcode": "", "version": "2.10.4"}),
    Does.START,
)

WPPCONNECT: Final = Dialect(
    name="wppconnect-server",
    title="wppconnect-server",
    stale="When a session's browser dies, status-session still says CONNECTED. The proxy corrects it.",
    loss="The browser of {session!r} dies",
    watched=Watched(
        Route(
            "GET",
            "/api/{session}/status-session",
            one(lambda seen: {"status": seen.word, "qrcode": seen.code, "urlcode": "", "version": "2.10.4"}),
        ),
        "status",
        None,
    ),
    shows={
        State.CONNECTED: "CONNECTED",
        State.LOST: "CONNECTED",
        State.CLOSED: "CLOSED",
        State.SCANNING: "QRCODE",
    },
    truth="CLOSED",
    events={
        State.LOST: _find("browserClose"),
        State.CLOSED: lambda occasion: [
            *_find("browserClose")(occasion),
            {"event": "closesession", "session": occasion.session.id, "message": "Session: closed", "connected": False},
        ],
        # If a session was closed and started again in one process, the events about it lack its name.
        State.CONNECTED: _find("qrReadSuccess", "inChat", named=False),
    },
    others=(
        # Asks the browser, and is right also where status-session is stale.
        Route(
            "GET",
            "/api/{session}/check-connection-session",
            one(
                lambda seen: {
                    "status": seen.is_connected,
                    "message": "Connected" if seen.is_connected else "Disconnected",
                }
            ),
        ),
    ),
    tap="/v1/webhooks/receive/{session}",
    webhook="/v1/webhooks/receive/{session}",
    names=Route("GET", "/api/{secret}/show-all-sessions", lambda seen: {"response": [one.id for one in seen]}),
    refusal={"response": False, "message": "The token is incorrect"},
    starts_in_vain=_WPP_START,
    reconnect=(
        Route(
            "POST",
            "/api/{session}/close-session",
            says({"status": True, "message": "Session successfully closed"}),
            Does.CLOSE,
        ),
        _WPP_START,
        Route(
            "GET",
            "/api/{session}/qrcode-session",
            one(lambda seen: {"status": seen.word, "qrcode": seen.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)
