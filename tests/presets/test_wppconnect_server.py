"""The preset `wppconnect-server`: what it reads, what it corrects, and its story before a server that lies its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.config.load import loads
from statusproxy.status.created import proves_deletion, proves_start
from tests.ports import free_port
from tests.presets.stage import Caller, Clock, assert_told, proxied
from tests.presets.wppconnect_server import Session, WppconnectServer
from tests.proxy.harness import running_by
from tests.rehearsal.golden import goldens
from tests.stand_ins.served import served

PRESET = "wppconnect-server"
SETTINGS = loads(f"gateway: http://127.0.0.1:21465\npreset: {PRESET}")
CONNECTED = frozenset({"connected"})
HOOK = "/v1/webhooks/receive"

#: As it stands in a path: the id and the session's token.
TOKEN = "pixel:$2b$10$example"


@pytest.mark.parametrize("file", goldens(Path(__file__).parent / PRESET), ids=lambda file: file.stem)
def test_what_try_makes_of_its_traffic(file: Path) -> None:
    assert_told(file)


@pytest.mark.parametrize(
    ("answer", "proves"),
    [("status", False), ("started", True), ("status-qrcode", True), ("guarded", False), ("no-qrcode", False)],
)
def test_which_answers_to_a_start_prove_that_it_began(answer: str, proves: bool) -> None:
    assert proves_start(body(answer), CONNECTED, SETTINGS.dialect.qr) is proves


@pytest.mark.parametrize(("answer", "proves"), [("closed", True), ("guarded", False)])
def test_which_answers_to_a_close_prove_it(answer: str, proves: bool) -> None:
    assert proves_deletion(body(answer)) is proves


def body(name: str) -> bytes:
    """An answer of the server."""
    return (Path(__file__).parent / PRESET / f"{name}.json").read_bytes()


async def words(hub: Caller, name: str = "pixel") -> tuple[str, bool]:
    """What the two single answers say of a session."""
    status = (await hub.get(f"/api/{name}/status-session"))["status"]
    check = await hub.get(f"/api/{name}/check-connection-session")
    assert check["message"] == ("Connected" if check["status"] else "Disconnected")
    return status, check["status"]


@pytest.mark.parametrize("name", ["pixel", TOKEN])
async def test_a_session_whose_browser_died_reads_closed_with_the_token_in_the_path_or_not(
    tmp_path: Path, name: str
) -> None:
    gateway = WppconnectServer()
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, Clock()) as hub:
        await hub.tell(HOOK, *gateway.kill_browser("pixel"))
        gateway.sessions["pixel"].browser = True  # as it is seen while the browser dies
        assert await words(hub, name) == ("CLOSED", False)
        assert await words(hub, "support") == ("CONNECTED", True)


@pytest.mark.parametrize("name", ["pixel", TOKEN])
async def test_a_start_that_answers_connected_proves_nothing_and_one_after_a_close_does(
    tmp_path: Path, name: str
) -> None:
    gateway = WppconnectServer()
    clock = Clock()
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.kill_browser("pixel"))
        clock.move(10)
        status, started = await hub.ask("POST", f"/api/{name}/start-session", {})
        assert (status, started["status"]) == (200, "CONNECTED")
        clock.move(10)
        assert await words(hub, name) == ("CLOSED", False)

        assert (await hub.ask("POST", f"/api/{name}/close-session", {}))[0] == 200
        clock.move(10)
        assert (await hub.ask("POST", f"/api/{name}/start-session", {}))[1]["status"] == "INITIALIZING"
        clock.move(10)
        assert (await words(hub, name))[0] == "QRCODE"
        gateway.scan("pixel")
        clock.move(10)
        assert await words(hub, name) == ("CONNECTED", True)


async def test_events_without_the_session_are_heard_at_the_sessions_own_url_alone(tmp_path: Path) -> None:
    gateway = WppconnectServer()
    clock = Clock()
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.kill_browser("pixel"))
        clock.move(10)
        back = gateway.scan("pixel")
        await hub.tell(HOOK, *back)
        assert await words(hub) == ("CLOSED", False)
        await hub.tell(f"{HOOK}/pixel", *back)
        assert await words(hub) == ("CONNECTED", True)


async def test_after_an_unlinked_phone_the_code_shows_that_the_server_knows(tmp_path: Path) -> None:
    gateway = WppconnectServer()
    clock = Clock()
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.unlink("pixel"))
        gateway.sessions["pixel"] = Session("QRCODE")
        clock.move(10)
        await hub.code("/api/pixel/qrcode-session")
        gateway.scan("pixel")
        clock.move(10)
        assert await words(hub) == ("CONNECTED", True)


async def test_a_restart_of_the_proxy_keeps_what_was_lost_and_own_messages_and_contacts_change_nothing(
    tmp_path: Path,
) -> None:
    gateway = WppconnectServer()
    clock = Clock()
    noise = [
        {"event": "onselfmessage", "session": "pixel", "id": "true_5511988880000@c.us_3EB0EXAMPLE", "fromMe": True},
        {"event": "onmessage", "session": "pixel", "id": "true_5511988880000@c.us_3EB0EXAMPLE", "fromMe": True},
        {"event": "onack", "session": "pixel", "ack": 1, "id": {"fromMe": True}},
        {"event": "onpresencechanged", "session": "pixel", "id": "5511988880000@c.us", "isOnline": True},
        {"event": "status-find", "session": "pixel", "status": "qrReadSuccess"},
    ]
    async with served(*gateway.routes()) as url:
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            await hub.tell(HOOK, *gateway.kill_browser("pixel"))
        clock.move(600)
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            await hub.tell(HOOK, *noise)
            assert await words(hub) == ("CLOSED", False)
            message = {"event": "onmessage", "session": "pixel", "fromMe": False, "id": "false_5511988880000@c.us_3EB0"}
            await hub.tell(HOOK, message)
            assert (await words(hub))[0] == "CONNECTED"


async def test_a_token_beside_the_session_in_a_webhooks_path_or_body_is_shown_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = WppconnectServer()
    caplog.set_level("DEBUG")
    port = free_port()
    lost = {"event": "status-find", "status": "browserClose"}
    settings: dict[str, Any] = {
        "preset": PRESET,
        "admin": {"listen": f"127.0.0.1:{port}"},
        "log": {"access": True},
        "state": {"url": f"sqlite:///{tmp_path / 'state.db'}"},
        "webhooks": [
            {"path": f"{HOOK}/{{session}}", "forward": True, "forward_to": "http://127.0.0.1:1/x", "spool": True}
        ],
    }
    async with (
        served(*gateway.routes()) as url,
        running_by(Clock(), tmp_path, url, **settings) as proxy,
        aiohttp.ClientSession() as client,
    ):
        for path, named in (("pixel:$2b$10$example", {}), ("x", {"session": "support:$2b$10$example"})):
            async with client.post(f"{proxy.url}{HOOK}/{path}", json=lost | named) as kept:
                assert kept.status == 202
        assert {record.session for record in proxy.server.registry.sessions.records()} == {"pixel", "support"}
        shown = caplog.text
        for route in ("sessions", "history", "metrics", "spool"):
            async with client.get(f"http://127.0.0.1:{port}/{route}") as answer:
                assert answer.status == 200
                shown += await answer.text()
    assert "pixel" in shown
    assert "2b$" not in shown
