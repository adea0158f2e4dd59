"""A changed configuration under load: no request is lost, a broken file changes nothing, and no key is forgotten."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from statusproxy.config import Settings
from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from statusproxy.server import _AT_START
from tests.proxy.harness import PATIENCE, Origin, answer, get
from tests.test_server import LIST, Program, Site, program, serving

#: Keys whose change is served by from the next request on. Each new key must be put here, with a case below that
#: proves it, or into `server._AT_START`.
APPLIED = {
    "gateway", "preset", "host", "language", "webhooks", "events", "presence", "dialect", "sessions.aliases",
    "sessions.alive_grace", "sessions.max_age", "sessions.max_sessions", "sessions.releases", "channels", "reconnect",
    "trusted_proxies", "underscores_in_headers", "admin.token", "timeouts.connect", "timeouts.request_head",
    "timeouts.request_body", "timeouts.min_rate_grace", "limits.min_rate",
    "timeouts.response_head", "timeouts.response_body", "timeouts.upgrade_idle", "timeouts.drain", "limits.head",
    "limits.headers", "limits.target", "limits.corrected", "limits.tap", "limits.connections",
    "limits.upstream_connections", "limits.upstream_idle", "limits.reserved", "limits.per_client", "limits.body",
    "gateway_tls", "log.level", "log.access",
}  # fmt: skip

_BLOCKS = ("sessions", "admin", "timeouts", "limits", "log")


def test_every_key_is_applied_or_said_to_wait() -> None:
    keys: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        inner = msgspec.structs.fields(type(field.default)) if field.name in _BLOCKS else ()
        keys |= {f"{field.name}.{one.encode_name}" for one in inner} or {field.name}
    assert keys == APPLIED | set(_AT_START)
    assert APPLIED.isdisjoint(_AT_START)


async def reload(running: Program, reply: bytes) -> None:
    running.process.send_signal(signal.SIGHUP)
    running.said = b""
    await running.until(reply)


async def test_no_request_is_lost_while_the_configuration_changes_under_load(tmp_path: Path, origin: Origin) -> None:
    done = asyncio.Event()
    statuses: list[int] = []
    async with StandInGateway(slow=0.001) as first, StandInGateway(slow=0.001) as second:
        async with program(tmp_path, origin, gateway=first.base_url) as running:
            url = f"http://127.0.0.1:{running.site.keys['listen'].rpartition(':')[2]}"

            async def client(number: int) -> None:
                async with aiohttp.ClientSession() as session:
                    while not done.is_set():
                        for path in ("/api/channels", "/health", f"/api/media/sales/{number}?bytes=100000"):
                            async with session.get(url + path) as reply:
                                await reply.read()
                                statuses.append(reply.status)
                        event = status_find("sales", "inChat")
                        async with session.post(f"{url}/v1/webhooks/receive", json=event) as reply:
                            await reply.read()
                            statuses.append(reply.status)

            clients = [asyncio.create_task(client(number)) for number in range(6)]
            for turn in range(12):
                seen = len(statuses)
                text = running.site.file.read_text()
                if turn % 3 == 2:
                    running.site.file.write_text("gateway: [")
                    await reload(running, b"the configuration was not changed")
                    assert b"config.yaml:" in running.said  # the reason, by file and line
                    running.site.file.write_text(text)
                else:
                    running.site.write(
                        gateway=(first, second)[turn % 2].base_url,
                        webhooks=[{"path": "/v1/webhooks/receive"}, {"path": f"/turn/{turn}", "forward": False}],
                        presence=("ignore", "trust")[turn % 2],
                        limits={"upstream_idle": turn + 1},
                    )
                    await reload(running, b"configuration reloaded")
                async with asyncio.timeout(PATIENCE):
                    while len(statuses) < seen + 25:  # noqa: ASYNC110 - traffic goes on under the new settings
                        await asyncio.sleep(0.002)
            done.set()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*clients)  # a lost connection would raise here
            assert (await running.site.ask(get("/turn/10", method="POST", body=b"{}"))).status == 204
        assert set(statuses) == {200}
        assert min(first.counts["requests"], second.counts["requests"]) > 50


# Each thing takes effect from the next request on


Case = Callable[[Site], Awaitable[None]]

LOST = json.dumps(status_find("sales", "browserClose")).encode()
PRESENCE = json.dumps(
    {"event": "connection.update", "session": "sales", "state": "unavailable", "isOnline": False}
).encode()


async def tell(site: Site, body: bytes, *fields: str, path: str = "/v1/webhooks/receive") -> int:
    return (await site.ask(get(path, *fields, method="POST", body=body))).status


async def is_lost(site: Site) -> bool:
    site.origin.answer = answer(json.dumps(LIST).encode(), "Content-Type: application/json")
    return b'"disconnected"' in (await site.ask(get("/api/channels"))).body


async def _webhook_networks(site: Site) -> None:
    assert site.reload(webhooks=[{"path": "/v1/webhooks/receive", "from": ["10.99.0.0/16"]}])
    await tell(site, LOST)
    assert not await is_lost(site)


async def _webhook_secret(site: Site) -> None:
    secret = {"header": "X-Webhook-Secret", "value": "right"}
    assert site.reload(webhooks=[{"path": "/v1/webhooks/receive", "secret": secret}])
    await tell(site, LOST)
    assert not await is_lost(site)
    await tell(site, LOST, "X-Webhook-Secret: right")
    assert await is_lost(site)


async def _presence(site: Site) -> None:
    await tell(site, PRESENCE)
    assert not await is_lost(site)
    assert site.reload(presence="trust")
    await tell(site, PRESENCE)
    assert await is_lost(site)


async def _aliases(site: Site) -> None:
    await tell(site, LOST.replace(b"sales", b"verkauf"))
    assert not await is_lost(site)
    assert site.reload(sessions={"aliases": {"verkauf": "sales"}})
    assert await is_lost(site)


async def _max_age(site: Site) -> None:
    await tell(site, LOST)
    assert await is_lost(site)
    assert site.reload(sessions={"max_age": "1ms"})
    await asyncio.sleep(0.005)  # the age itself, not a wait for something to happen
    assert not await is_lost(site)


async def _releases(site: Site) -> None:
    assert site.reload(sessions={"releases": {"connected-event": False}})
    await tell(site, LOST)
    await tell(site, LOST.replace(b"browserClose", b"inChat"))
    assert await is_lost(site)


async def _reconnect(site: Site) -> None:
    await tell(site, LOST)
    assert site.reload(reconnect={"delete": "DELETE /v2/{session}"})
    await site.ask(get("/v2/sales", method="DELETE"))
    assert not await is_lost(site)


async def _trusted_proxies(site: Site) -> None:
    assert site.reload(trusted_proxies=["10.99.0.0/16"])
    # The peer is no proxy of ours any more: it counts itself, whatever address it claims to speak for.
    await tell(site, LOST, "X-Forwarded-For: 203.0.113.9")
    assert await is_lost(site)
    assert list(site.server.proxy.site.trust.strangers) == ["127.0.0.1"]


async def _language(site: Site) -> None:
    assert site.reload(language="pt-BR", gateway="http://127.0.0.1:9")
    reply = await site.ask(get("/x"))
    assert reply.status == 502
    assert "não" in json.loads(reply.body)["error"]


async def _host(site: Site) -> None:
    assert site.reload(host="gateway")
    await site.ask(get("/x"))
    assert site.origin.requests[-1].get("Host") == f"127.0.0.1:{site.origin.port}".encode()


async def _body_limit(site: Site) -> None:
    assert site.reload(limits={"body": 10})
    assert (await site.ask(get("/x", method="POST", body=b"x" * 11))).status == 413


async def _target_limit(site: Site) -> None:
    assert site.reload(limits={"target": 256})
    assert (await site.ask(get("/" + "x" * 300))).status == 414


async def _head_limit(site: Site) -> None:
    assert site.reload(limits={"headers": 8})
    assert (await site.ask(get("/", *(f"X-{number}: 1" for number in range(20))))).status == 431


async def _tap_limit(site: Site) -> None:
    assert site.reload(limits={"tap": 1024})
    padded = LOST[:-1] + b',"list":[' + b"1," * 2000 + b"1]}"
    await tell(site, padded)
    assert not await is_lost(site)


async def _corrected_limit(site: Site) -> None:
    await tell(site, LOST)
    assert site.reload(limits={"corrected": 1024})
    longer = {**LIST, "more": "x" * 2000}
    site.origin.answer = answer(json.dumps(longer).encode(), "Content-Type: application/json")
    assert b'"disconnected"' not in (await site.ask(get("/api/channels"))).body


async def _per_client(site: Site) -> None:
    limits = {"upstream_connections": 4, "reserved": 0, "per_client": 1}
    assert await _second_beside_one_that_hangs(site, limits, get("/x")) == 503
    assert await _second_beside_one_that_hangs(site, {**limits, "per_client": 2}, get("/x")) == 200


async def _reserved(site: Site) -> None:
    limits = {"upstream_connections": 2, "reserved": 1, "per_client": 2}
    assert await _second_beside_one_that_hangs(site, limits, get("/x")) == 503
    event = get("/v1/webhooks/receive", method="POST", body=b"{}")
    assert await _second_beside_one_that_hangs(site, limits, event) == 200


async def _second_beside_one_that_hangs(site: Site, limits: dict[str, int], second: bytes) -> int:
    assert site.reload(limits=limits, timeouts={"connect": "200ms"})

    async def script(wire: Any) -> None:
        request = await site.origin.take(wire)
        if request.target == b"/hangs":
            await asyncio.Event().wait()
        await wire.send(answer(b"ok"))

    site.origin.script = script
    before = len(site.origin.requests)
    wire = await site.connect()
    await wire.send(get("/hangs"))
    await site.origin.received(before + 1)
    status = (await site.ask(second)).status
    await wire.close()
    return status


async def _response_head(site: Site) -> None:
    assert site.reload(timeouts={"response_head": "50ms"})

    async def mute(wire: Any) -> None:
        await site.origin.take(wire)
        await asyncio.Event().wait()

    site.origin.script = mute
    assert (await site.ask(get("/x"))).status == 504


async def _request_body(site: Site) -> None:
    assert site.reload(timeouts={"request_body": "20ms"})
    wire = await site.connect()
    await wire.send(b"POST /x HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 5\r\n\r\nx")
    assert (await wire.message()).status == 408
    await wire.close()


async def _min_rate(site: Site) -> None:
    assert site.reload(limits={"min_rate": 1_000_000}, timeouts={"min_rate_grace": "20ms"})
    wire = await site.connect()
    await wire.send(b"POST /x HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 5\r\n\r\nx")
    assert (await wire.message()).status == 408
    await wire.close()


async def _request_head(site: Site) -> None:
    assert site.reload(timeouts={"request_head": "50ms"})
    wire = await site.connect()
    await wire.send(b"GET / HT")
    assert (await wire.message()).status == 408
    await wire.close()


async def _log(site: Site) -> None:
    assert site.reload(log={"level": "error", "access": "combined"})
    assert logging.getLogger("statusproxy").level == logging.ERROR
    logging.getLogger("statusproxy").setLevel(logging.NOTSET)
    assert site.server.settings.log.access == "combined"


CASES = [
    _webhook_networks, _webhook_secret, _presence, _aliases, _max_age, _releases, _reconnect, _trusted_proxies,
    _language, _host, _body_limit, _target_limit, _head_limit, _tap_limit, _corrected_limit, _response_head,
    _request_body, _min_rate, _request_head, _log, _per_client, _reserved,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))
async def test_it_holds_from_the_next_request_on(case: Case, tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin) as site:
        await case(site)


@pytest.fixture
async def origin() -> Any:
    origin = Origin()
    await origin.start()
    yield origin
    await origin.stop()
