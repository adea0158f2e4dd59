"""The gateways built on whatsmeow, wuzapi and evolution-go: their lists hold a truth value for a word."""

from __future__ import annotations

from typing import Final

from statusproxy.demo.dialect import SALES, SUPPORT, Dialect, Does, Events, Route, State, Watched
from statusproxy.demo.dialects.answers import one, says
from statusproxy.demo.dialects.phrases import RARELY_STALE, UNLINKED

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


WUZAPI: Final = Dialect(
    name="wuzapi",
    title="wuzapi",
    stale=RARELY_STALE,
    loss=UNLINKED,
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
        Route("POST", "/session/connect", says({"code": 200, "data": {}, "success": True}), Does.START),
        Route(
            "GET",
            "/session/qr",
            one(lambda seen: {"code": 200, "data": {"QRCode": seen.code}, "success": True}),
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


EVOLUTION_GO: Final = Dialect(
    name="evolution-go",
    title="evolution-go",
    stale=RARELY_STALE,
    loss=UNLINKED,
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
        Route("POST", "/instance/connect", says({"message": "success", "data": {}}), Does.START),
        Route(
            "GET",
            "/instance/qr",
            one(lambda seen: {"message": "success", "data": {"Qrcode": seen.code, "Code": "2@example"}}),
            Does.START,
            shows_code=True,
        ),
    ),
)
