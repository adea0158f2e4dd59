"""OpenWA: sessions by generated ids, events that carry keys and times."""

from __future__ import annotations

from typing import Final

from statusproxy.demo.dialect import SALES, SUPPORT, Dialect, Does, Events, Route, State, Watched
from statusproxy.demo.dialects.answers import each, one
from statusproxy.demo.dialects.phrases import RARELY_STALE, UNLINKED
from statusproxy.demo.events import iso_time


def _openwa(*words: str) -> Events:
    return lambda occasion: [
        {
            "event": "session.status",
            "timestamp": iso_time(occasion.at),
            "sessionId": occasion.session.id,
            "idempotencyKey": f"key_{occasion.serial}_{number}",
            "data": {"sessionId": occasion.session.id, "status": word},
        }
        for number, word in enumerate(words)
    ]


OPENWA: Final = Dialect(
    name="openwa",
    title="OpenWA",
    stale=RARELY_STALE,
    loss=UNLINKED,
    watched=Watched(
        Route("GET", "/api/sessions", each(lambda seen: {"id": seen.id, "name": seen.name, "status": seen.word})),
        "status",
    ),
    shows={
        State.CONNECTED: "ready",
        State.RECONNECTING: "initializing",
        State.LOST: "disconnected",
        State.CLOSED: "created",
        State.SCANNING: "qr_ready",
    },
    truth="disconnected",
    events={
        State.RECONNECTING: _openwa("initializing"),
        State.LOST: _openwa("disconnected"),
        State.SCANNING: _openwa("qr_ready"),
        State.CONNECTED: _openwa("authenticating", "ready"),
    },
    tap="/webhook/**",
    webhook="/webhook/openwa",
    drops=True,
    sends_again=True,
    ids={SALES: "s1", SUPPORT: "s2"},
    reconnect=(
        Route(
            "POST",
            "/api/sessions/{session}/start",
            one(lambda seen: {"id": seen.id, "name": seen.name, "status": seen.word}),
            Does.START,
        ),
        Route(
            "GET",
            "/api/sessions/{session}/qr",
            one(lambda seen: {"qrCode": seen.code, "status": seen.word}),
            Does.START,
            shows_code=True,
        ),
    ),
)
