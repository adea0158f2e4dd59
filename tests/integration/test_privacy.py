"""A busy and unlucky day of which nothing private is told: not in the log, nor by the admin listener, nor on disk."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from statusproxy.demo.events import ack, message, normalise, presence, qr_code, status_find
from statusproxy.demo.proxy import configuration
from statusproxy.doctor.command import Request, report
from tests.integration.stage import INBOUND, OUTBOUND, QuickProxy
from tests.ports import free_port
from tests.proxy.harness import Message, Origin, Wire, answer, get

PHONE, OTHER_PHONE, GROUP = "5511987654321", "5521912345678", "120363041234567890"
TEXT = "meet me at the old pier"
TOKENS = {
    where: f"{where}-9f3b7c2e51"
    for where in [
        "authorization",
        "cookie",
        "gateway",
        "webhook",
        "query",
        "body",
        "answer",
        "admin",
        "hmac",
        "head",
        "jwt",
        "apikey",
        "form-token",
        "instance-token",
        "path-token",
        "body-token",
    ]
}  # fmt: skip
PLANTED = (PHONE, OTHER_PHONE, GROUP, TEXT, *TOKENS.values(), "c.us", "g.us", "@lid", "@newsletter")

HEADERS = (
    f"Authorization: Bearer {TOKENS['authorization']}",
    f"Cookie: session={TOKENS['cookie']}; phone={PHONE}",
    f"X-Gateway-Secret: {TOKENS['gateway']}",
    f"Referer: https://hub.example/chat/{PHONE}?token={TOKENS['query']}",
    "Content-Type: application/json",
)


def gateway_answer(request: Message) -> bytes:
    """Answers full of what is private, some of them broken."""
    private = {"token": TOKENS["answer"], "phone": PHONE, "text": TEXT}
    target = request.target.partition(b"?")[0]
    whole = answer(json.dumps(private).encode(), "Content-Type: application/json", f"Set-Cookie: {TOKENS['answer']}")
    channels = [{"id": "sales", "status": "connected", **private}]
    match target:
        case b"/health":
            return answer(b"{}")
        case b"/api/channels" if b"broken" in request.target:
            return answer(f'{{"channels": [{{"id": "sales", {PHONE}'.encode(), "Content-Type: application/json")
        case b"/api/channels" if b"gzip" in request.target:
            return answer(TOKENS["answer"].encode(), "Content-Encoding: gzip")
        case b"/api/channels" if request.start.startswith(b"GET"):
            return answer(json.dumps({"channels": channels}).encode(), "Content-Type: application/json")
        case b"/bad-status":
            return f"HTTP/1.1 2oo {TOKENS['answer']} {PHONE}\r\n\r\n".encode()
        case b"/bad-field":
            return f"HTTP/1.1 200 OK\r\n{TOKENS['answer']} {PHONE}\r\n\r\n".encode()
        case b"/bad-chunks":
            return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{TOKENS['answer']}\r\n".encode()
        case b"/bad-length":
            return f"HTTP/1.1 200 OK\r\nContent-Length: {PHONE}x\r\n\r\n".encode()
        case b"/cut":
            return f"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{TOKENS['answer']}".encode()
        case _:
            return whole


class Private(Origin):
    """A gateway that breaks off after each of its broken answers."""

    def __init__(self) -> None:
        super().__init__()
        self.script = self.unlucky

    async def unlucky(self, wire: Wire) -> None:
        while True:
            request = await self.take(wire)
            if request.target.startswith(b"/none"):
                return
            await wire.send(gateway_answer(request))
            if request.target.startswith((b"/bad", b"/cut")):
                return


@pytest.fixture
async def gateway() -> AsyncIterator[Private]:
    gateway = Private()
    await gateway.start()
    yield gateway
    await gateway.stop()


def events() -> list[Any]:
    """Webhooks of every kind, each with something private in it."""
    jid, group = f"{PHONE}@c.us", f"{GROUP}@g.us"
    raws = [
        message("sales", jid, TEXT, 1_768_504_026, 1),
        message("sales", group, TEXT, 1_768_504_027, 2, own=True),
        ack("sales", jid, 3, 1_768_504_028, 3),
        presence("sales", f"{OTHER_PHONE}@c.us", "unavailable", 1_768_504_029),
        qr_code("sales", TOKENS["body"]),
        {"event": "incomingcall", "session": "sales", "id": jid, "peerJid": f"{PHONE}@lid"},
        {**status_find("sales", "disconnectedMobile"), "token": TOKENS["body"], "phone": PHONE},
        {**status_find("sales", "disconnectedMobile"), "timestamp": 1},
    ]
    about_a_chat: list[dict[str, Any]] = [
        {"event": "newsletter", "channel": f"{GROUP}@newsletter", "body": TEXT},
        {"event": "message", "channel": jid, "body": TEXT},
        {"event": "connection.update", "session": {"name": "none"}, "sessionId": f"{PHONE}@s.whatsapp.net",
         "state": "close"},
    ]  # fmt: skip
    normal = [normalise(raw, 1_768_504_030, f"e-{number}") for number, raw in enumerate(raws[:4])]
    # Bodies as Evolution, evolution-go and wuzapi send them: with the secrets of their instances inside.
    secrets = {"apikey": TOKENS["apikey"], "token": TOKENS["body-token"], "instanceToken": TOKENS["instance-token"]}
    lost = {"event": "connection.update", "session": {"id": "sales"}, "connection": {"status": "close"}}
    with_secrets = [
        {**lost, **secrets},
        {**lost, "data": secrets, "session": {"id": "sales", **secrets}},
        {"event": "LoggedOut", "data": secrets, "instanceName": "sales", **secrets},
        {"type": "LoggedOut", "event": secrets, "instanceName": "sales", "token": TOKENS["form-token"]},
    ]
    return [*raws, *about_a_chat, *normal, *with_secrets]


async def requests(proxy: QuickProxy, port: int) -> None:
    """Everything that can go well or wrong with something private in it."""

    async def ask(data: bytes) -> None:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        await wire.send(data)
        if b"Content-Length: 99" in data:
            wire.writer.write_eof()  # no more will come of this body
        await wire.rest()
        await wire.close()

    def private(target: str, method: str = "GET", body: bytes = b"", *more: str) -> bytes:
        return get(target, *HEADERS, "Connection: close", *more, method=method, body=body)

    for event in events():
        for path in (INBOUND, OUTBOUND, "/signed", "/secret", "/jwt", "/token"):
            body = json.dumps(event).encode()
            signed = f"X-Signature: {TOKENS['hmac']}"
            await ask(private(f"{path}?token={TOKENS['query']}", "POST", body, signed))
        form = urlencode({"jsonData": json.dumps(event), "token": TOKENS["form-token"]}).encode()
        for path in (INBOUND, "/token"):
            await ask(private(path, "POST", form, "Content-Type: application/x-www-form-urlencoded"))
    body = json.dumps({"to": PHONE, "text": TEXT, "token": TOKENS["body"]}).encode()
    for webhook in (f'{{"phone": "{PHONE}", '.encode(), b"\x1f\x8b" + PHONE.encode(), gzip.compress(body)[:-9]):
        for coding in ("gzip", "identity", "br"):
            await ask(private(INBOUND, "POST", webhook, f"Content-Encoding: {coding}"))
    query = f"?token={TOKENS['query']}&phone={PHONE}"
    for target in ("/api/channels", f"/api/sales/contact/pn-lid/{PHONE}", f"/api/media/sales/false_{PHONE}%40c.us_AB",
                   f"/{PHONE}@c.us/x", f"/api/{PHONE}", f"/ui/{TOKENS['query']}/x/y", "/api/channels?broken",
                   "/api/channels?gzip", "/api/channels/sales/qr", f"/api/channels/{PHONE}/qr", "/bad-status",
                   "/bad-field", "/bad-chunks", "/bad-length", "/cut", "/none",
                   f"http://{PHONE}@proxy.example/", f"/api/sales:{TOKENS['path-token']}/status-session",
                   f"/api/{TOKENS['path-token']}/show-all-sessions"):  # fmt: skip
        await ask(private(target + (query if "?" not in target else query.replace("?", "&"))))
    await ask(private("/api/messages", "POST", body))
    await ask(private("/api/channels", "POST", body[:-5]))
    await ask(private("/none", "POST", body))
    # What is no HTTP, with something private in each place.
    head = TOKENS["head"]
    for broken in (
        f"GET /{head} {PHONE} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n{head} {PHONE}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Token : {head}\r\n\r\n",
        f"BREW /{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        f"GET / HTTP/{PHONE}\r\nHost: x\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {PHONE}{PHONE}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {head}\r\n\r\n",
        f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{head}\r\n",
        f"POST {INBOUND} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{PHONE}",
        f"GET /{head * 2000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {head * 4000}\r\n\r\n",
        f"GET /{PHONE}#{head} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"CONNECT {PHONE}.example:443 HTTP/1.1\r\nHost: {head}.example\r\n\r\n",
    ):
        await ask(broken.encode())


async def test_nothing_private_is_told_anywhere(gateway: Private, tmp_path: Path) -> None:
    port = free_port()
    settings = configuration(gateway.url, port, free_port(), tmp_path / "state.db") | {
        "log": {"level": "debug", "access": True},
        "webhooks": [
            {"path": INBOUND},
            {"path": OUTBOUND, "forward_to": f"{gateway.url}/hub?token={TOKENS['query']}"},
            {"path": "/signed", "hmac": {"header": "X-Signature", "secret": TOKENS["hmac"] + "!"}},
            {"path": "/jwt", "jwt": {"secret": TOKENS["jwt"]}},
            {"path": "/token", "forward": False, "token": {"field": "apikey", "value": TOKENS["apikey"]}},
            {"path": "/secret", "forward": False, "secret": {"header": "X-Token", "value": TOKENS["webhook"]}},
        ],
    }
    admin_says: dict[str, bytes] = {}
    async with QuickProxy(settings, tmp_path) as proxy:
        await requests(proxy, port)
        await gateway.stop()  # and now there is none
        await requests(proxy, port)
        async with aiohttp.ClientSession() as client:
            for path in (
                "/", "/healthz", "/readyz", "/sessions", "/history", "/metrics", "/sessions/sales/history",
                "/doctor",
            ):  # fmt: skip
                async with client.get(proxy.admin_url + path) as reply:
                    admin_says[path] = await reply.read()
        assert b'"sales"' in admin_says["/sessions"]
        assert b"statusproxy_signals_total" in admin_says["/metrics"]
        assert b'"jwt"' in admin_says["/doctor"]
        assert b'"token"' in admin_says["/doctor"]
        doctor = {"STATUSPROXY_GATEWAY_SECRET": TOKENS["gateway"]}
        for as_json in (False, True):
            text, _ = await report(Request(config=tmp_path / "config.yaml", as_json=as_json), doctor)
            admin_says[f"the doctor, {as_json=}"] = text.encode()
        assert b"webhooks.doubted-jwt" in admin_says["the doctor, as_json=True"]
    log = proxy.log.read_bytes()
    lines = [json.loads(line) for line in log.splitlines()]
    assert len(lines) > 100
    codes = {line.get("code") for line in lines}
    assert {"gateway_bad_answer", "gateway_closed", "gateway_unreachable"} <= codes
    assert not [line for line in lines if "exception" in line]
    places = {"the log": log, **admin_says}
    places["the state"] = (tmp_path / "state.db").read_bytes()
    told = {
        (place, secret)
        for place, text in places.items()
        for secret in PLANTED
        if any(form in text for form in (secret.encode(), base64.b64encode(secret.encode())))
    }
    assert told == set(), [line for line in log.splitlines() if any(secret.encode() in line for _, secret in told)][:9]
