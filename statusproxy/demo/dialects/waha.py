"""WAHA: events that carry ids and times, and may come again."""

from __future__ import annotations

from typing import Final

from statusproxy.demo.dialect import Dialect, Does, Events, Route, State, Watched
from statusproxy.demo.dialects.answers import each, one
from statusproxy.demo.dialects.phrases import RARELY_STALE, UNLINKED


def _waha(*words: str) -> Events:
    return lambda occasion: [
        {
            "id": f"evt_{occasion.serial}_{number}",
            "timestamp": round(occasion.at * 1000),
            "event": "session.status",
            "session": occasion.session.name,
            "payload": {"name": occasion.session.name, "status": word},
            "engine": "NOWEB",
        }
        for number, word in enumerate(words)
    ]


WAHA: Final = Dialect(
    name="waha",
    title="WAHA",
    stale=RARELY_STALE,
    loss=UNLINKED,
    watched=Watched(
        Route("GET", "/api/sessions", each(lambda seen: {"name": seen.name, "status": seen.word, "me": None})), "status"
    ),
    shows={
        State.CONNECTED: "WORKING",
        State.RECONNECTING: "STARTING",
        State.LOST: "FAILED",
        State.CLOSED: "STOPPED",
        State.SCANNING: "SCAN_QR_CODE",
    },
    truth="FAILED",
    events={
        State.RECONNECTING: _waha("STARTING"),
        State.LOST: _waha("FAILED"),
        State.SCANNING: _waha("STARTING", "SCAN_QR_CODE"),
        State.CONNECTED: _waha("WORKING"),
    },
    tap="/webhook/**",
    webhook="/webhook/waha",
    drops=True,
    sends_again=True,
    reconnect=(
        Route(
            "POST",
            "/api/sessions/{session}/restart",
            one(lambda seen: {"name": seen.name, "status": "STARTING"}),
            Does.START,
        ),
        Route(
            "GET",
            "/api/{session}/auth/qr",
            one(lambda seen: {"mimetype": "image/png", "data": seen.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)
