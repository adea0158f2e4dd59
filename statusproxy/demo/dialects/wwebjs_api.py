"""wwebjs-api: no list; one answer about each session, and several events for one change."""

from __future__ import annotations

from typing import Any, Final

from statusproxy.demo.dialect import Dialect, Does, Events, Route, State, Watched
from statusproxy.demo.dialects.answers import one, says
from statusproxy.demo.dialects.phrases import UNLINKED


def _wwebjs(*events: tuple[str, Any]) -> Events:
    return lambda occasion: [
        {"dataType": kind, "data": data, "sessionId": occasion.session.id} for kind, data in events
    ]


WWEBJS: Final = Dialect(
    name="wwebjs-api",
    title="wwebjs-api",
    stale="Its list has no states, and /session/status asks the page itself, so it is rarely stale. The proxy adds the "
    "history of each loss; its correction is a safety net.",
    loss=UNLINKED,
    watched=Watched(
        Route(
            "GET",
            "/session/status/{session}",
            one(
                lambda seen: {
                    "success": seen.word == "CONNECTED",
                    "state": seen.word,
                    "message": "session_connected" if seen.word == "CONNECTED" else "session_not_connected",
                }
            ),
        ),
        "state",
        None,
    ),
    shows={
        State.CONNECTED: "CONNECTED",
        State.RECONNECTING: "TIMEOUT",
        State.LOST: None,
        State.CLOSED: None,
        State.SCANNING: None,
    },
    truth="null",
    events={
        State.RECONNECTING: _wwebjs(("change_state", {"state": "TIMEOUT"})),
        State.LOST: _wwebjs(("change_state", {"state": "UNPAIRED"}), ("disconnected", {"reason": "LOGOUT"})),
        State.CONNECTED: _wwebjs(("authenticated", {}), ("change_state", {"state": "CONNECTED"}), ("ready", {})),
    },
    tap="/webhook/**",
    webhook="/webhook/wwebjs",
    drops=True,
    names=Route("GET", "/session/getSessions", lambda seen: {"success": True, "result": [one.id for one in seen]}),
    reconnect=(
        Route(
            "GET",
            "/session/start/{session}",
            says({"success": True, "message": "Session initiated successfully"}),
            Does.START,
        ),
        Route(
            "GET",
            "/session/qr/{session}",
            one(lambda seen: {"success": seen.code is not None, "qr": seen.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)
