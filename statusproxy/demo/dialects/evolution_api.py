"""Evolution API, versions 1 and 2: a list that reads open while a session reconnects for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from statusproxy.demo.dialect import Dialect, Does, Events, Occasion, Route, Seen, State, Watched
from statusproxy.demo.dialects.answers import each, one, says
from statusproxy.demo.events import iso_time


def _evolution(event: str, data: Any, occasion: Occasion) -> dict[str, Any]:
    return {
        "event": event,
        "instance": occasion.session.name,
        "data": {"instance": occasion.session.name, **data},
        # Local time, three hours behind, that claims to be UTC.
        "date_time": iso_time(occasion.at - 3 * 3600),
        "server_url": "http://evolution.example",
        "apikey": None,
    }


def _updates(*states: tuple[str, int]) -> Events:
    return lambda occasion: [
        _evolution("connection.update", {"state": state, "statusReason": reason}, occasion) for state, reason in states
    ]


def _evolution_api(
    name: str, title: str, entry: Callable[[Seen], Any], word: str, label: str, *, sends_again: bool
) -> Dialect:
    return Dialect(
        name=name,
        title=title,
        stale="A session that reconnects for ever reads open in its list. After the grace period (90 s by default, "
        "1 s here) the proxy's list reads connecting.",
        loss="{session!r} loses its connection, and reconnects for ever",
        lost=State.RECONNECTING,
        watched=Watched(Route("GET", "/instance/fetchInstances", each(entry)), word, "", label),
        shows={
            State.CONNECTED: "open",
            State.RECONNECTING: "open",
            State.CLOSED: "close",
            State.SCANNING: "connecting",
        },
        truth="connecting",
        events={
            State.RECONNECTING: _updates(("connecting", 200), ("connecting", 200)),
            State.CLOSED: _updates(("close", 401)),
            State.SCANNING: lambda occasion: [
                _evolution("qrcode.updated", {"qrcode": {"base64": occasion.session.code}}, occasion)
            ],
            State.CONNECTED: _updates(("open", 200)),
        },
        tap="/webhook/**",
        webhook="/webhook",
        drops=True,
        grace="1s",
        graced="connection.update",
        sends_again=sends_again,
        reconnect=(
            Route(
                "DELETE",
                "/instance/logout/{session}",
                says({"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}}),
                Does.CLOSE,
            ),
            Route(
                "GET",
                "/instance/connect/{session}",
                one(lambda seen: {"pairingCode": None, "code": "2@example", "base64": seen.code, "count": 1}),
                Does.START,
                shows_code=True,
            ),
        ),
    )


EVOLUTION_V2: Final = _evolution_api(
    "evolution-v2",
    "Evolution API v2",
    lambda seen: {"id": f"i-{seen.id}", "name": seen.name, "connectionStatus": seen.word, "token": seen.token},
    "connectionStatus",
    "name",
    sends_again=True,
)
EVOLUTION_V1: Final = _evolution_api(
    "evolution-v1",
    "Evolution API v1",
    lambda seen: {"instance": {"instanceName": seen.name, "status": seen.word}},
    "instance.status",
    "instance.instanceName",
    sends_again=False,
)
