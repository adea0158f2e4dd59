"""A changed configuration under load: no request is lost, a broken file changes nothing, and no key is forgotten."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Awaitable, Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest

from statusproxy.admin import client
from statusproxy.admin.messages import SelfReport, read
from statusproxy.assembly import spool_rules
from statusproxy.config.load import dump
from statusproxy.config.restart import AT_START
from statusproxy.config.settings import Settings
from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from statusproxy.doctor.looks import running
from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy.downstream.connection import ConnectionState
from statusproxy.proxy.downstream.descriptors import Reserve, allowed
from statusproxy.server import Server
from tests.certificates import make_certificate
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Origin, answer, get, until
from tests.proxy.loop_clock import LoopClock
from tests.test_server import LIST, Program, Site, program, serving

_BLOCKS = ("sessions", "spool", "admin", "timeouts", "limits", "log")


class Probe(NamedTuple):
    """How a reload of one key is watched: the new value, what the running parts go by, and what they should go by."""

    new: Any
    live: Callable[[Server], Any]
    meant: Callable[[Settings], Any]
    beside: dict[str, Any] | None = None
    """Settings without which the key can do nothing."""


def kind(method: str, target: bytes) -> Callable[[Server], RouteKind]:
    """What a request is to the running proxy."""
    return lambda server: server.proxy.site.routes.match(method, target).kind


def pool(server: Server) -> Any:
    return server.proxy.site.pool


def at_start(new: Any, live: Callable[[Server], Any] = lambda _: None) -> Probe:
    """A key that waits: whatever `live` gives stays as it was."""
    return Probe(new, live, lambda _: None)


def rule(name: str, new: Any) -> Probe:
    """A key of `sessions` that the session map goes by."""

    def live(server: Server) -> Any:
        return getattr(server.registry.sessions.rules, name)

    def meant(settings: Settings) -> Any:
        return getattr(settings.session_rules(), name)

    return Probe(new, live, meant)


def spool(name: str, new: Any, field: str | None = None) -> Probe:
    """A key of `spool` that the spool goes by."""

    def live(server: Server) -> Any:
        assert server.rooms.spool is not None
        return getattr(server.rooms.spool.rules, field or name)

    def meant(settings: Settings) -> Any:
        return getattr(spool_rules(settings), field or name)

    return Probe(new, live, meant)


#: Every key of the configuration. A new key needs a row; one that is left out fails the test below.
PROBES: dict[str, Probe] = {
    "listen": at_start("127.0.0.1:1", lambda server: list(server.addresses)),
    "listen_mode": at_start("0600"),
    "gateway": Probe(
        "http://gateway.example:81", lambda server: pool(server).origin.authority.decode(),
        lambda settings: settings.gateway.removeprefix("http://"),
    ),
    "preset": Probe(
        None, kind("POST", b"/v1/webhooks/receive"),
        lambda settings: RouteKind.PASS if settings.preset is None else RouteKind.WEBHOOK,
    ),
    "preset_without": Probe(
        ["/v1/webhooks/receive"], kind("POST", b"/v1/webhooks/receive"),
        lambda settings: RouteKind.PASS if settings.preset_without else RouteKind.WEBHOOK,
    ),
    "host": Probe("gateway", lambda server: server.proxy.site.host, attrgetter("host")),
    "language": Probe(
        "pt-BR", lambda server: {server.proxy.site.language, server.clients.language},
        lambda settings: {settings.language},
    ),
    "webhooks": Probe(
        [{"path": "/in"}], kind("POST", b"/in"),
        lambda settings: RouteKind.WEBHOOK if settings.webhooks[0].path == "/in" else RouteKind.PASS,
    ),
    "events": Probe(
        [{"event": "gone", "session": "id", "means": "disconnected"}],
        lambda server: server.registry._intake.rules.rules, lambda settings: settings.signal_rules().rules,
    ),
    "dialect": Probe(
        {"own": ["meta.outgoing"]}, lambda server: server.registry._intake.rules.dialect,
        lambda settings: settings.signal_rules().dialect,
    ),
    "presence": Probe(
        "trust", lambda server: server.registry._intake.rules.presence_trusted,
        lambda settings: settings.presence == "trust",
    ),
    "channels": Probe(
        [{"path": "/list", "list": ["all"]}], kind("GET", b"/list"),
        lambda settings: RouteKind.CHANNELS if settings.channels[0].path == "/list" else RouteKind.PASS,
    ),
    "reconnect": Probe(
        {"delete": "DELETE /v2/{session}"}, kind("DELETE", b"/v2/sales"),
        lambda settings: RouteKind.DELETE if "DELETE /v2/{session}" in settings.reconnect.delete else RouteKind.PASS,
    ),
    "trusted_proxies": Probe(
        ["10.99.0.0/16"], lambda server: server.proxy.site.trust.is_trusted("192.168.0.1"),
        lambda settings: len(settings.trusted_proxies) > 1,
    ),
    "underscores_in_headers": Probe(
        "drop", lambda server: server.clients.head_limits.underscores_in_headers,
        attrgetter("underscores_in_headers"),
    ),
    "state": at_start({"url": "sqlite:///other.db"}, lambda server: type(server.registry.store)),
    "admin.listen": at_start("127.0.0.1:1", lambda server: list(server.admin.addresses)),
    "admin.token": Probe("fresh", lambda server: server.admin.answers.settings.admin.token, attrgetter("admin.token")),
    "tls": at_start({"certificate": "{}/certificate.pem", "key": "{}/key.pem"}, lambda server: server._tls),
    "gateway_tls": Probe(
        {"server_name": "other.example"}, lambda server: pool(server).origin.server_name,
        attrgetter("gateway_tls.server_name"), {"gateway": "https://127.0.0.1:9"},
    ),
    "log.format": at_start("json"),
    "log.level": Probe(
        "error", lambda _: logging.getLogger("statusproxy").level == logging.ERROR,
        lambda settings: settings.log.level == "error",
    ),
    "log.access": Probe("combined", lambda server: server.settings.log.access, attrgetter("log.access")),
    "timeouts.connect": Probe("7s", lambda server: pool(server).limits.connect, attrgetter("timeouts.connect")),
    "timeouts.request_head": Probe(
        "7s", lambda server: server.clients.limits.request_head, attrgetter("timeouts.request_head")
    ),
    "timeouts.request_body": Probe(
        "7s", lambda server: server.proxy.site.timeouts.request_body, attrgetter("timeouts.request_body")
    ),
    "timeouts.response_head": Probe(
        "7s", lambda server: pool(server).limits.response_head, attrgetter("timeouts.response_head")
    ),
    "timeouts.response_body": Probe(
        "7s",
        lambda server: {
            pool(server).limits.response_body,
            server.clients.limits.response_body,
            server.proxy.site.timeouts.response_body,
        },
        lambda settings: {settings.timeouts.response_body},
    ),
    "timeouts.keep_alive": at_start("7s"),
    "timeouts.upgrade_idle": Probe(
        "7s", lambda server: server.proxy.site.timeouts.upgrade_idle, attrgetter("timeouts.upgrade_idle")
    ),
    "timeouts.drain_notice": Probe(
        "7s", lambda server: server.settings.timeouts.drain_notice, attrgetter("timeouts.drain_notice")
    ),
    "timeouts.drain": Probe("7s", lambda server: server.settings.timeouts.drain, attrgetter("timeouts.drain")),
    "limits.head": Probe(
        "16KiB", lambda server: (server.clients.head_limits.head, pool(server).limits.head),
        lambda settings: (settings.limits.head, settings.limits.head),
    ),
    "limits.headers": Probe(99, lambda server: server.clients.head_limits.headers, attrgetter("limits.headers")),
    "limits.target": Probe(999, lambda server: server.clients.head_limits.target, attrgetter("limits.target")),
    "limits.corrected": Probe(
        "1MiB", lambda server: server.proxy.site.limits.corrected, attrgetter("limits.corrected")
    ),
    "limits.tap": Probe("2MiB", lambda server: server.proxy.site.limits.tap, attrgetter("limits.tap")),
    "limits.connections": Probe(99, lambda server: server.clients.limits.connections, attrgetter("limits.connections")),
    "limits.upstream_connections": Probe(
        99, lambda server: (pool(server).limits.upstream_connections, server.clients.reserve.refused_at_once),
        lambda settings: (
            settings.limits.upstream_connections,
            Reserve(allowed(), settings.limits.upstream_connections).refused_at_once,
        ),
    ),
    "limits.min_rate": Probe(99, lambda server: server.proxy.site.limits.min_rate, attrgetter("limits.min_rate")),
    "timeouts.min_rate_grace": Probe(
        "7s", lambda server: server.proxy.site.timeouts.min_rate_grace, attrgetter("timeouts.min_rate_grace")
    ),
    "limits.reserved": Probe(9, lambda server: pool(server).limits.reserved, attrgetter("limits.reserved")),
    "limits.per_client": Probe(9, lambda server: pool(server).limits.per_client, attrgetter("limits.per_client")),
    "limits.upstream_idle": Probe(
        9, lambda server: pool(server).limits.upstream_idle, attrgetter("limits.upstream_idle")
    ),
    "limits.body": Probe("1MiB", lambda server: server.proxy.site.limits.body, attrgetter("limits.body")),
    "spool.max_bytes": spool("max_bytes", "1MiB"),
    "spool.max_entries": spool("max_entries", 99),
    "spool.max_age": spool("max_age", "7h"),
    "spool.unknown": spool("unknown", "resend", "resend"),
    "spool.schedule": spool("schedule", ["7s"]),
    "alerts": Probe(
        {"heartbeat": "http://kuma.example/key"}, lambda server: server.settings.alerts, attrgetter("alerts")
    ),
    "sessions.history_days": at_start(7),
    "sessions.aliases": rule("aliases", {"verkauf": "sales"}),
    "sessions.alive_grace": rule("alive_grace", "7s"),
    "sessions.max_age": rule("max_age", "7d"),
    "sessions.max_sessions": rule("max_sessions", 99),
    "sessions.releases": rule("releases", {"alive": False}),
}  # fmt: skip


def test_every_key_has_its_probe_and_the_list_of_what_waits_names_keys_only() -> None:
    keys: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        inner = msgspec.structs.fields(type(field.default)) if field.name in _BLOCKS else ()
        keys |= {f"{field.name}.{one.encode_name}" for one in inner} or {field.name}
    assert keys == set(PROBES)
    assert set(AT_START) <= keys


@pytest.mark.parametrize("key", PROBES)
@pytest.mark.slow
async def test_after_a_reload_the_new_value_is_in_force_everywhere_or_the_old_one_is(
    key: str, tmp_path: Path, origin: Origin
) -> None:
    new, live, meant, beside = PROBES[key]
    if key == "tls":
        make_certificate(tmp_path)
        new = {name: path.format(tmp_path) for name, path in new.items()}
    level = logging.getLogger("statusproxy").level
    try:
        if key.startswith("spool."):
            beside = {"state": {"url": f"sqlite:///{tmp_path}/state.db"}}
        base = {"admin": {"listen": "127.0.0.1:0"}, "log": {"level": "info"}, **(beside or {})}
        async with serving(tmp_path, origin, **base) as site:
            server, before, stood = site.server, site.server.settings, live(site.server)
            block, _, name = key.rpartition(".")
            change = {block: {**site.keys.get(block, {}), name: new}} if block else {key: new}
            assert await site.reload(**change)
            wanted, value = site.read(), attrgetter(key)
            assert value(wanted) != value(before), "the probe changes nothing"
            if key in AT_START:
                assert value(server.settings) == value(before)
                assert server.waiting == (key,)
                assert live(server) == stood
            else:
                assert value(server.settings) == value(wanted)
                assert server.waiting == ()
                assert live(server) == meant(wanted) != meant(before)
            # What is said is what is in force, and the doctor, who reads the file, names the rest.
            token = server.settings.admin.token
            report = await asyncio.to_thread(client.ask, server.admin.addresses[0], "GET", "/doctor", token)
            assert report["settings"] == dump(server.settings)
            findings = running._judge(read(report, SelfReport), wanted)
            pending = [finding for finding in findings if finding.code.endswith("-pending")]
            if key in AT_START:
                (found,) = pending
                assert found.code == "proxy.restart-pending"
                assert found.facts["keys"].partition(".")[0] == key.partition(".")[0]
            else:
                assert pending == []
    finally:
        logging.getLogger("statusproxy").setLevel(level)


# The admin listener keeps its door shut


@pytest.mark.parametrize("listen", ["127.0.0.1:{port}", "unix:{folder}/admin.sock", "0.0.0.0:{port}", None])
async def test_an_admin_listener_that_others_reach_keeps_its_token_until_the_restart(
    listen: str | None, tmp_path: Path, origin: Origin
) -> None:
    port, token = free_port(host="0.0.0.0"), "right-token-0123"
    async with serving(tmp_path, origin, admin={"listen": f"0.0.0.0:{port}", "token": token}) as site:
        elsewhere = listen and listen.format(port=free_port(), folder=tmp_path)
        fresh = {"token": "new-token-4567"} if listen and listen.startswith("0.0.0.0") else {}
        assert await site.reload(admin={"listen": elsewhere, **fresh})
        token = fresh.get("token", token)
        open_one = f"127.0.0.1:{port}"
        with pytest.raises(client.AdminError, match="token is missing or wrong"):
            await asyncio.to_thread(client.ask, open_one, "GET", "/sessions")
        report = await asyncio.to_thread(client.ask, open_one, "GET", "/doctor", token)
        assert report["waiting"] == ["admin.listen"] + ([] if fresh else ["admin.token"])
        assert f"listen: 0.0.0.0:{port}" in report["settings"]
        findings = running._judge(read(report, SelfReport), site.read())
        (pending,) = [each for each in findings if each.code == "proxy.restart-pending"]
        assert pending.facts["keys"] == ", ".join(report["waiting"])


async def test_an_admin_listener_that_nobody_else_reaches_may_lose_its_token(tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin, admin={"listen": "127.0.0.1:0", "token": "right-token-0123"}) as site:
        assert await site.reload(admin={"listen": "127.0.0.1:0"})
        assert await asyncio.to_thread(client.ask, site.server.admin.addresses[0], "GET", "/sessions")


async def test_switching_tls_off_neither_opens_the_port_nor_needs_the_files_any_more(
    tmp_path: Path, origin: Origin
) -> None:
    make_certificate(tmp_path)
    files = {"certificate": f"{tmp_path}/certificate.pem", "key": f"{tmp_path}/key.pem"}
    async with serving(tmp_path, origin, tls=files) as site:
        for file in files.values():
            Path(file).unlink()  # noqa: ASYNC240 - a small file of this test's own
        assert await site.reload(tls=None)
        assert site.server.waiting == ("tls",)
        assert site.server.settings.tls is not None
        wire = await site.connect()
        await wire.send(get("/in-clear"))
        assert not (await wire.rest()).startswith(b"HTTP/")
        await wire.close()


async def reload(proxy: Program, reply: bytes) -> None:
    proxy.process.send_signal(signal.SIGHUP)
    proxy.said = b""
    await proxy.until(reply)


@pytest.mark.slow
async def test_a_reload_that_would_lead_back_to_the_listener_in_force_is_refused(
    tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    origin.answer = answer(b"{}")
    port = free_port()
    async with serving(tmp_path, origin, listen=f"127.0.0.1:{port}") as site:
        before = site.server.settings
        assert not await site.reload(listen=f"127.0.0.1:{free_port()}", gateway=f"http://127.0.0.1:{port}")
        assert site.server.settings is before
        assert site.server.waiting == ()
        assert (await site.ask(get("/health"))).status == 200
    (error,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert error.startswith("the configuration was not changed: gateway: it leads back to this proxy: ")


async def test_a_reload_by_which_there_are_too_few_files_is_warned_of(
    tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, origin, limits={"connections": 10}) as site:
        assert await site.reload(limits={"connections": allowed()})
        assert await site.reload(language="pt-BR")
    assert [line.partition(" is ")[0] for line in caplog.messages if "limit of" in line] == ["the limit of open files"]


async def test_no_request_is_lost_while_the_configuration_changes_under_load(tmp_path: Path, origin: Origin) -> None:
    done = asyncio.Event()
    statuses: list[int] = []
    async with StandInGateway(slow=0.001) as first, StandInGateway(slow=0.001) as second:
        async with program(tmp_path, origin, gateway=first.base_url) as proxy:
            url = f"http://127.0.0.1:{proxy.site.keys['listen'].rpartition(':')[2]}"

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
                text = proxy.site.file.read_text()
                if turn % 3 == 2:
                    proxy.site.file.write_text("gateway: [")
                    await reload(proxy, b"the configuration was not changed")
                    assert b"config.yaml:" in proxy.said  # the reason, by file and line
                    proxy.site.file.write_text(text)
                else:
                    proxy.site.write(
                        gateway=(first, second)[turn % 2].base_url,
                        webhooks=[{"path": "/v1/webhooks/receive"}, {"path": f"/turn/{turn}", "forward": False}],
                        presence=("ignore", "trust")[turn % 2],
                        limits={"upstream_idle": turn + 1},
                    )
                    await reload(proxy, b"configuration reloaded")
                await until(lambda seen=seen: len(statuses) >= seen + 25)
            done.set()
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*clients)  # a lost connection would raise here
            assert (await proxy.site.ask(get("/turn/10", method="POST", body=b"{}"))).status == 204
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
    assert await site.reload(webhooks=[{"path": "/v1/webhooks/receive", "from": ["10.99.0.0/16"]}])
    await tell(site, LOST)
    assert not await is_lost(site)


async def _webhook_secret(site: Site) -> None:
    secret = {"header": "X-Webhook-Secret", "value": "right"}
    assert await site.reload(webhooks=[{"path": "/v1/webhooks/receive", "secret": secret}])
    await tell(site, LOST)
    assert not await is_lost(site)
    await tell(site, LOST, "X-Webhook-Secret: right")
    assert await is_lost(site)


async def _presence(site: Site) -> None:
    await tell(site, PRESENCE)
    assert not await is_lost(site)
    assert await site.reload(presence="trust")
    await tell(site, PRESENCE)
    assert await is_lost(site)


async def _aliases(site: Site) -> None:
    await tell(site, LOST.replace(b"sales", b"verkauf"))
    assert not await is_lost(site)
    assert await site.reload(sessions={"aliases": {"verkauf": "sales"}})
    assert await is_lost(site)


async def _max_age(site: Site) -> None:
    await tell(site, LOST)
    assert await is_lost(site)
    assert await site.reload(sessions={"max_age": "1ms"})  # only waited for

    async def is_back() -> bool:
        return not await is_lost(site)

    await until(is_back)


async def _releases(site: Site) -> None:
    assert await site.reload(sessions={"releases": {"connected-event": False}})
    await tell(site, LOST)
    await tell(site, LOST.replace(b"browserClose", b"inChat"))
    assert await is_lost(site)


async def _reconnect(site: Site) -> None:
    await tell(site, LOST)
    assert await site.reload(reconnect={"delete": "DELETE /v2/{session}"})
    await site.ask(get("/v2/sales", method="DELETE"))
    assert not await is_lost(site)


async def _trusted_proxies(site: Site) -> None:
    assert await site.reload(trusted_proxies=["10.99.0.0/16"])
    # The peer is no proxy of ours any more: it counts itself, whatever address it claims to speak for.
    await tell(site, LOST, "X-Forwarded-For: 203.0.113.9")
    assert await is_lost(site)
    assert list(site.server.proxy.site.trust.strangers) == ["127.0.0.1"]


async def _language(site: Site) -> None:
    assert await site.reload(language="pt-BR", gateway="http://127.0.0.1:9")
    reply = await site.ask(get("/x"))
    assert reply.status == 502
    assert "não" in json.loads(reply.body)["error"]


async def _host(site: Site) -> None:
    assert await site.reload(host="gateway")
    await site.ask(get("/x"))
    assert site.origin.requests[-1].get("Host") == f"127.0.0.1:{site.origin.port}".encode()


async def _body_limit(site: Site) -> None:
    assert await site.reload(limits={"body": 10})
    assert (await site.ask(get("/x", method="POST", body=b"x" * 11))).status == 413


async def _target_limit(site: Site) -> None:
    assert await site.reload(limits={"target": 256})
    assert (await site.ask(get("/" + "x" * 300))).status == 414


async def _head_limit(site: Site) -> None:
    assert await site.reload(limits={"headers": 8})
    assert (await site.ask(get("/", *(f"X-{number}: 1" for number in range(20))))).status == 431


async def _tap_limit(site: Site) -> None:
    assert await site.reload(limits={"tap": 1024})
    padded = LOST[:-1] + b',"list":[' + b"1," * 2000 + b"1]}"
    await tell(site, padded)
    assert not await is_lost(site)


async def _corrected_limit(site: Site) -> None:
    await tell(site, LOST)
    assert await site.reload(limits={"corrected": 1024})
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
    assert await site.reload(limits=limits, timeouts={"connect": "5s"})

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
    asking = asyncio.create_task(site.ask(second))
    await until(lambda: asking.done() or pool(site.server).waiting == 1)
    if not asking.done():
        await LoopClock(asyncio.get_running_loop()).move(6)
    status = (await asking).status
    await wire.close()
    return status


async def _response_head(site: Site) -> None:
    assert await site.reload(timeouts={"response_head": "50ms"})  # only waited for

    async def mute(wire: Any) -> None:
        await site.origin.take(wire)
        await asyncio.Event().wait()

    site.origin.script = mute
    assert (await site.ask(get("/x"))).status == 504


async def _request_body(site: Site) -> None:
    assert await site.reload(timeouts={"request_body": "20ms"})  # only waited for
    wire = await site.connect()
    await wire.send(b"POST /x HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 5\r\n\r\nx")
    assert (await wire.message()).status == 408
    await wire.close()


async def _min_rate(site: Site) -> None:
    assert await site.reload(limits={"min_rate": 1_000_000}, timeouts={"min_rate_grace": "20ms"})  # only waited for
    wire = await site.connect()
    await wire.send(b"POST /x HTTP/1.1\r\nHost: proxy.example\r\nContent-Length: 5\r\n\r\nx")
    assert (await wire.message()).status == 408
    await wire.close()


async def _request_head(site: Site) -> None:
    assert await site.reload(timeouts={"request_head": "5s"})
    wire = await site.connect()
    await wire.send(b"GET / HT")
    await until(lambda: any(connection.state is ConnectionState.HEAD for connection in site.server.clients.connections))
    await LoopClock(asyncio.get_running_loop()).move(6)
    assert (await wire.message()).status == 408
    await wire.close()


async def _log(site: Site) -> None:
    assert await site.reload(log={"level": "error", "access": "combined"})
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
