"""The gateways that the demonstration can play, beside the first one: one frozen value each.

The shapes are those of the gateways' public sources; ids, numbers and tokens are made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from statusproxy.demo.dialect import Answer, Dialect, Does, Events, Occasion, Route, Seen, State, Watched
from statusproxy.demo.events import iso_time

DEFAULT: Final = "gateway-wrapper"
"""The gateway with a story of its own (`statusproxy.demo.story`)."""

WITHOUT_EVENTS: Final[Mapping[str, str]] = {
    "gowa": "GOWA sends no event about its connections. Nothing would tell the proxy of a loss, so there is no story "
    "to play. The preset gowa passes every answer through unchanged.",
}
"""Gateways that have a preset and no story, and why."""

SALES: Final = "sales"
SUPPORT: Final = "support"

_RARELY: Final = (
    "Its list is rarely stale: list and events come from the same variable. The proxy adds the history of each loss; "
    "its correction is a safety net."
)
_UNLINKED: Final = "Someone unlinks the phone of {session!r}"


class NoStoryError(Exception):
    """There is no gateway of this name, or none whose story can be played; the message says which there are."""


def dialect(name: str) -> Dialect:
    """The gateway of this name. Raises `NoStoryError`."""
    if name in WITHOUT_EVENTS:
        raise NoStoryError(WITHOUT_EVENTS[name])
    if name not in DIALECTS:
        raise NoStoryError(f"there is no gateway {name!r} here; known are {', '.join(known())}")
    return DIALECTS[name]


def known() -> tuple[str, ...]:
    """The names that can be asked for, sorted."""
    return tuple(sorted((DEFAULT, *DIALECTS)))


def _one(make: Callable[[Seen], Any]) -> Answer:
    """An answer about the one session that was asked for."""
    return lambda seen: make(seen[0])


def _each(make: Callable[[Seen], Any]) -> Answer:
    """A list of all sessions."""
    return lambda seen: [make(one) for one in seen]


def _says(document: Any) -> Answer:
    """The same answer for whoever asks."""
    return lambda _: document


# ---- wppconnect-server ----


def _find(*words: str, named: bool = True) -> Events:
    def events(occasion: Occasion) -> Sequence[Any]:
        session = {"session": occasion.session.id} if named else {}
        return [{"event": "status-find", "status": word, **session} for word in words]

    return events


_WPP_START: Final = Route(
    "POST",
    "/api/{session}/start-session",
    _one(lambda one: {"status": one.word, "qrcode": one.code, "urlcode": "", "version": "2.10.4"}),
    Does.START,
)

_WPPCONNECT: Final = Dialect(
    name="wppconnect-server",
    title="wppconnect-server",
    stale="When a session's browser dies, status-session goes on saying CONNECTED. The proxy corrects it.",
    loss="The browser of {session!r} dies",
    watched=Watched(
        Route(
            "GET",
            "/api/{session}/status-session",
            _one(lambda one: {"status": one.word, "qrcode": one.code, "urlcode": "", "version": "2.10.4"}),
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
        # A session that was closed and started again in one process is told of without its name.
        State.CONNECTED: _find("qrReadSuccess", "inChat", named=False),
    },
    tap="/v1/webhooks/receive/{session}",
    webhook="/v1/webhooks/receive/{session}",
    starts_in_vain=_WPP_START,
    reconnect=(
        Route(
            "POST",
            "/api/{session}/close-session",
            _says({"status": True, "message": "Session successfully closed"}),
            Does.CLOSE,
        ),
        _WPP_START,
        Route(
            "GET",
            "/api/{session}/qrcode-session",
            _one(lambda one: {"status": one.word, "qrcode": one.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)


# ---- Evolution API ----


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
        stale="A session that reconnects for ever reads open in its list. Once the grace has passed (90 s by default, "
        "1 s here), the proxy's list reads connecting.",
        loss="{session!r} loses its connection, and reconnects for ever",
        lost=State.RECONNECTING,
        watched=Watched(Route("GET", "/instance/fetchInstances", _each(entry)), word, "", label),
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
                _says({"status": "SUCCESS", "error": False, "response": {"message": "Instance logged out"}}),
                Does.CLOSE,
            ),
            Route(
                "GET",
                "/instance/connect/{session}",
                _one(lambda one: {"pairingCode": None, "code": "2@example", "base64": one.code, "count": 1}),
                Does.START,
                shows_code=True,
            ),
        ),
    )


_EVOLUTION_V2: Final = _evolution_api(
    "evolution-v2",
    "Evolution API v2",
    lambda one: {"id": f"i-{one.id}", "name": one.name, "connectionStatus": one.word, "token": one.token},
    "connectionStatus",
    "name",
    sends_again=True,
)
_EVOLUTION_V1: Final = _evolution_api(
    "evolution-v1",
    "Evolution API v1",
    lambda one: {"instance": {"instanceName": one.name, "status": one.word}},
    "instance.status",
    "instance.instanceName",
    sends_again=False,
)


# ---- built on whatsmeow: wuzapi and evolution-go ----

_WHATSMEOW: Final = {
    State.CONNECTED: True,
    State.RECONNECTING: False,
    State.LOST: False,
    State.CLOSED: False,
    State.SCANNING: False,
}


def _wuzapi(*types: str) -> Events:
    # Which session it is stands in the form, beside this.
    return lambda _: [{"type": kind, "event": {}} for kind in types]


_WUZAPI: Final = Dialect(
    name="wuzapi",
    title="wuzapi",
    stale=_RARELY,
    loss=_UNLINKED,
    watched=Watched(
        Route(
            "GET",
            "/admin/users",
            lambda seen: {
                "code": 200,
                "data": [
                    {"id": one.id, "name": one.name, "connected": one.word, "loggedIn": one.word, "token": one.token}
                    for one in seen
                ],
                "success": True,
            },
        ),
        "connected",
        "data",
    ),
    shows=_WHATSMEOW,
    truth="false",
    events={
        State.RECONNECTING: _wuzapi("Disconnected"),
        State.LOST: _wuzapi("LoggedOut"),
        State.CONNECTED: _wuzapi("Connected"),
    },
    tap="/webhook/**",
    webhook="/webhook/wuzapi",
    drops=True,
    form="jsonData",
    header="token",
    ids={SALES: "1", SUPPORT: "2"},
    reconnect=(
        Route("POST", "/session/connect", _says({"code": 200, "data": {}, "success": True}), Does.START),
        Route(
            "GET",
            "/session/qr",
            _one(lambda one: {"code": 200, "data": {"QRCode": one.code}, "success": True}),
            Does.START,
            shows_code=True,
        ),
    ),
)


def _evolution_go(event: str) -> Events:
    return lambda occasion: [
        {
            "event": event,
            "data": {},
            "instanceId": occasion.session.id,
            "instanceName": occasion.session.name,
            "instanceToken": occasion.session.token,
        }
    ]


_EVOLUTION_GO: Final = Dialect(
    name="evolution-go",
    title="evolution-go",
    stale=_RARELY,
    loss=_UNLINKED,
    watched=Watched(
        Route(
            "GET",
            "/instance/all",
            lambda seen: {
                "message": "success",
                "data": [{"id": one.id, "name": one.name, "connected": one.word, "token": one.token} for one in seen],
            },
        ),
        "connected",
        "data",
    ),
    shows=_WHATSMEOW,
    truth="false",
    events={
        State.RECONNECTING: _evolution_go("Disconnected"),
        State.LOST: _evolution_go("LoggedOut"),
        State.CONNECTED: _evolution_go("Connected"),
    },
    tap="/webhook/**",
    webhook="/webhook/evolution-go",
    drops=True,
    header="apikey",
    ids={SALES: "0b7c2a52-0000-4000-8000-000000000001", SUPPORT: "0b7c2a52-0000-4000-8000-000000000002"},
    reconnect=(
        Route("POST", "/instance/connect", _says({"message": "success", "data": {}}), Does.START),
        Route(
            "GET",
            "/instance/qr",
            _one(lambda one: {"message": "success", "data": {"Qrcode": one.code, "Code": "2@example"}}),
            Does.START,
            shows_code=True,
        ),
    ),
)


# ---- WAHA and OpenWA ----


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


_WAHA: Final = Dialect(
    name="waha",
    title="WAHA",
    stale=_RARELY,
    loss=_UNLINKED,
    watched=Watched(
        Route("GET", "/api/sessions", _each(lambda one: {"name": one.name, "status": one.word, "me": None})), "status"
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
            _one(lambda one: {"name": one.name, "status": "STARTING"}),
            Does.START,
        ),
        Route(
            "GET",
            "/api/{session}/auth/qr",
            _one(lambda one: {"mimetype": "image/png", "data": one.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)


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


_OPENWA: Final = Dialect(
    name="openwa",
    title="OpenWA",
    stale=_RARELY,
    loss=_UNLINKED,
    watched=Watched(
        Route("GET", "/api/sessions", _each(lambda one: {"id": one.id, "name": one.name, "status": one.word})),
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
            _one(lambda one: {"id": one.id, "name": one.name, "status": one.word}),
            Does.START,
        ),
        Route(
            "GET",
            "/api/sessions/{session}/qr",
            _one(lambda one: {"qrCode": one.code, "status": one.word}),
            Does.START,
            shows_code=True,
        ),
    ),
)


# ---- wwebjs-api ----


def _wwebjs(*events: tuple[str, Any]) -> Events:
    return lambda occasion: [
        {"dataType": kind, "data": data, "sessionId": occasion.session.id} for kind, data in events
    ]


_WWEBJS: Final = Dialect(
    name="wwebjs-api",
    title="wwebjs-api",
    stale="Its list has no states, and /session/status asks the page itself, so it is rarely stale. The proxy adds the "
    "history of each loss; its correction is a safety net.",
    loss=_UNLINKED,
    watched=Watched(
        Route(
            "GET",
            "/session/status/{session}",
            _one(
                lambda one: {
                    "success": one.word == "CONNECTED",
                    "state": one.word,
                    "message": "session_connected" if one.word == "CONNECTED" else "session_not_connected",
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
    reconnect=(
        Route(
            "GET",
            "/session/start/{session}",
            _says({"success": True, "message": "Session initiated successfully"}),
            Does.START,
        ),
        Route(
            "GET",
            "/session/qr/{session}",
            _one(lambda one: {"success": one.code is not None, "qr": one.code}),
            Does.START,
            shows_code=True,
        ),
    ),
)


# ---- baileys-api ----


def _baileys(word: str) -> Events:
    return lambda occasion: [
        {
            "sessionId": occasion.session.id,
            "event": "connection.update",
            "data": {"status": word},
            "status": "success",  # of the call, not of the connection
        }
    ]


_BAILEYS: Final = Dialect(
    name="baileys-api",
    title="baileys-api",
    stale=_RARELY + " It spells its word disconected.",
    loss="{session!r} loses its connection",
    watched=Watched(
        Route("GET", "/sessions", _each(lambda one: {"id": one.id, "status": one.word})), "status", "", "id"
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
        Route("DELETE", "/sessions/{session}", _says({"message": "Session deleted"}), Does.CLOSE),
        Route("POST", "/sessions/add", _one(lambda one: {"qr": one.code}), Does.START, "sessionId", shows_code=True),
    ),
)


DIALECTS: Final[Mapping[str, Dialect]] = {
    one.name: one
    for one in (
        _WPPCONNECT,
        _EVOLUTION_V2,
        _EVOLUTION_V1,
        _WAHA,
        _WWEBJS,
        _WUZAPI,
        _EVOLUTION_GO,
        _OPENWA,
        _BAILEYS,
    )
}
"""Each by its name."""
