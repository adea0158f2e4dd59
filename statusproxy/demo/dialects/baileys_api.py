"""baileys-api: a list that a deleted session leaves."""

from __future__ import annotations

from typing import Final

from statusproxy.demo.dialect import Dialect, Does, Events, Route, State, Watched
from statusproxy.demo.dialects.answers import each, one, says
from statusproxy.demo.dialects.phrases import RARELY_STALE


def _baileys(word: str) -> Events:
    return lambda occasion: [
        {
            "sessionId": occasion.session.id,
            "event": "connection.update",
            "data": {"status": word},
            "status": "success",  # of the call, not of the connection
        }
    ]


BAILEYS: Final = Dialect(
    name="baileys-api",
    title="baileys-api",
    stale=RARELY_STALE + " It spells its word disconected.",
    loss="{session!r} loses its connection",
    watched=Watched(
        Route("GET", "/sessions", each(lambda seen: {"id": seen.id, "status": seen.word})), "status", "", "id"
    ),
    shows={
        State.CONNECTED: "connected",
        State.LOST: "disconected",
        # A session that was deleted leaves the list.
        State.SCANNING: "wait_for_qrcode_auth",
    },
    truth="disconected",
    events={
        State.LOST: _baileys("disconected"),
        State.SCANNING: _baileys("wait_for_qrcode_auth"),
        State.CONNECTED: _baileys("connected"),
    },
    tap="/webhook/**",
    webhook="/webhook/baileys",
    reconnect=(
        Route("DELETE", "/sessions/{session}", says({"message": "Session deleted"}), Does.CLOSE),
        Route("POST", "/sessions/add", one(lambda seen: {"qr": seen.code}), Does.START, "sessionId", shows_code=True),
    ),
)
