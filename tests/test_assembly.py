"""What the settings say is what the rooms work with."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from statusproxy.assembly import Rooms, apply, assemble, build_site, plan
from statusproxy.config.load import loads
from statusproxy.config.settings import Settings
from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.metrics import Metrics
from statusproxy.proxy.site import ChannelsEntry, CreateEntry, Site, WebhookTarget
from statusproxy.spool.schedule import SpoolRules
from statusproxy.status.channel_list import ChannelRule
from statusproxy.store import StoreError, file_lock
from tests.hand_clock import HandClock
from tests.known_dialect import KNOWN

GATEWAY = "http://127.0.0.1:3000"


def settings(more: str = "", gateway: str = GATEWAY) -> Settings:
    return loads(f"gateway: {gateway}\n{more}")


def site(more: str = "", gateway: str = GATEWAY) -> Site:
    return build_site(settings(more, gateway))


def target(built: Site, path: bytes) -> WebhookTarget:
    entry = built.routes.match("POST", path).entry
    assert isinstance(entry, WebhookTarget)
    return entry


@pytest.mark.parametrize(
    ("method", "path", "kind", "session"),
    [
        ("POST", "/v1/webhooks/receive", RouteKind.WEBHOOK, None),
        ("PUT", "/v1/webhooks/receive/?x=1", RouteKind.WEBHOOK, None),
        ("GET", "/v1/webhooks/receive", RouteKind.PASS, None),
        ("GET", "/api/channels", RouteKind.CHANNELS, None),
        ("HEAD", "/API/Channels/", RouteKind.CHANNELS, None),
        ("GET", "/api/channels/Sales%20Team", RouteKind.CHANNELS, "Sales Team"),
        ("GET", "/api/available-sessions", RouteKind.CHANNELS, None),
        ("POST", "/api/channels", RouteKind.CREATE, None),
        ("POST", "/api/channels/sales/start-session", RouteKind.CREATE, "sales"),
        ("DELETE", "/api/channels/sales", RouteKind.DELETE, "sales"),
        ("GET", "/api/channels/sales/qr", RouteKind.QR, "sales"),
        ("POST", "/api/messages", RouteKind.PASS, None),
        ("GET", "/", RouteKind.PASS, None),
        ("GET", "/api/media/sales/m1", RouteKind.PASS, None),
    ],
)
def test_the_presets_routes_are_what_the_gateways_interface_means(
    method: str, path: str, kind: RouteKind, session: str | None
) -> None:
    match = site().routes.match(method, path.encode())
    assert (match.kind, match.session) == (kind, session)


def test_a_route_carries_its_rule() -> None:
    routes = site("reconnect: {create: [POST /api/channels], body: [channel, id]}").routes
    shared, alone = (routes.match("GET", path).entry for path in (b"/api/channels", b"/api/channels/sales"))
    assert isinstance(shared, ChannelsEntry)
    assert isinstance(alone, ChannelsEntry)
    assert (shared.share, alone.share) == (True, False)
    assert shared.rule.set["status"] == "disconnected"
    assert alone.rule.keep == shared.rule.keep
    assert routes.match("POST", b"/api/channels").entry == CreateEntry(("channel", "id"), qr=KNOWN.qr)


def test_a_tap_answers_events_itself_and_serves_nothing_else() -> None:
    built = site("webhooks: [{path: /tap, forward: false}]")
    assert not target(built, b"/tap").forward
    assert target(built, b"/tap").pool is None
    for method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        assert built.routes.match(method, b"/tap").kind is RouteKind.NOT_FOUND


def test_a_tap_leaves_the_gateway_its_own_paths_below() -> None:
    built = site("webhooks: [{path: /webhook/**, forward: false, except: ['/webhook/set/{session}']}]")
    for method in ("GET", "POST", "DELETE"):
        assert built.routes.match(method, b"/webhook/set/sales").kind is RouteKind.PASS
    assert built.routes.match("POST", b"/webhook/set").kind is RouteKind.WEBHOOK


def test_a_webhook_for_elsewhere_goes_to_its_own_target() -> None:
    built = site(
        """
webhooks:
  - {path: /a, forward_to: "http://hub.example/api/hook?k=v"}
  - {path: /b, forward_to: "http://hub.example/other"}
  - {path: /c, forward_to: "https://hub.example"}
  - {path: /d}
"""
    )
    first, second, third, fourth = (target(built, path) for path in (b"/a", b"/b", b"/c", b"/d"))
    assert (first.target, second.target, third.target, fourth.target) == (b"/api/hook?k=v", b"/other", b"/", None)
    assert first.pool is second.pool, "one receiver, one pool"
    assert first.pool is not None
    assert third.pool is not None
    assert fourth.pool is None
    assert (first.pool.origin.host, first.pool.origin.port, first.pool.origin.tls) == ("hub.example", 80, None)
    context = third.pool.origin.tls
    assert third.pool.origin.port == 443
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_settings_that_need_a_package_which_is_missing_cannot_be_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"^webhooks\[0\].jwt: a JSON Web Token needs the package pyjwt, "):
        plan(settings("webhooks: [{path: /a, jwt: {secret: abc}}]"))
    with pytest.raises(ValueError, match=r"^alerts.to\[0\].apprise: a target of Apprise needs the package apprise, "):
        plan(settings("alerts: {to: [{apprise: 'ntfy://ntfy.example/x'}]}"))
    assert plan(settings()).settings.webhooks


def test_who_is_believed_is_as_configured() -> None:
    senders = target(
        site(
            """
webhooks:
  - path: /a
    from: [10.1.0.0/16]
    secret: {header: X-Webhook-Secret, value: abc}
    hmac: {header: X-Signature, secret: def, algorithm: sha512, prefix: "sha512=", encoding: base64}
    jwt: {secret: "0123456789abcdef0123456789abcdef"}
    token: {field: data.apikey, value: ghi}
"""
        ),
        b"/a",
    ).senders
    assert [str(network) for network in senders.from_] == ["10.1.0.0/16"]
    assert senders.secret is not None
    assert (senders.secret.header, senders.secret.value) == (b"x-webhook-secret", b"abc")
    assert senders.hmac is not None
    assert (senders.hmac.header, senders.hmac.prefix) == (b"x-signature", b"sha512=")
    assert (senders.hmac.algorithm, senders.hmac.encoding) == ("sha512", "base64")
    assert senders.jwt is not None
    assert (senders.jwt.header, len(senders.jwt.secret)) == (b"authorization", 32)
    assert senders.token is not None
    assert (senders.token.path, senders.token.value) == (("data", "apikey"), b"ghi")
    plain = target(site(), b"/v1/webhooks/receive").senders
    assert (plain.secret, plain.hmac, plain.jwt, plain.token) == (None, None, None, None)
    assert plain.from_


@pytest.mark.parametrize(
    ("gateway", "host", "port", "unix", "base", "secure"),
    [
        ("http://gateway.example", "gateway.example", 80, None, b"", False),
        ("http://gateway.example:3000/base/", "gateway.example", 3000, None, b"/base", False),
        ("https://gateway.example/x", "gateway.example", 443, None, b"/x", True),
        ("http://[::1]:3000", "::1", 3000, None, b"", False),
        ("unix:/run/gateway.sock", "", None, "/run/gateway.sock", b"", False),
    ],
)
def test_the_gateways_address_is_taken_apart(
    gateway: str, host: str, port: int | None, unix: str | None, base: bytes, secure: bool
) -> None:
    origin = site(gateway=gateway).pool.origin
    if unix is None:
        assert (origin.host, origin.port) == (host, port)
    assert (origin.unix, origin.base_path, origin.tls is not None) == (unix, base, secure)


@pytest.mark.slow
def test_an_https_gateway_is_trusted_as_configured() -> None:
    checked = site(gateway="https://gateway.example").pool.origin.tls
    assert checked is not None
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = site("gateway_tls: {verify: false, server_name: inner.example}", "https://gateway.example").pool.origin
    assert loose.tls is not None
    assert (loose.tls.verify_mode, loose.tls.check_hostname) == (ssl.CERT_NONE, False)
    assert loose.server_name == "inner.example"


def test_times_and_sizes_reach_where_they_are_used() -> None:
    built = site(
        """
timeouts: {connect: 7s, response_head: 2s, response_body: 3s, request_body: 4s, upgrade_idle: 5s, min_rate_grace: 6s}
limits: {head: 10k, headers: 9, body: 1MB, corrected: 2MB, tap: 3k, upstream_connections: 8, upstream_idle: 5,
  reserved: 2, per_client: 3, min_rate: 512}
host: gateway
language: en
"""
    )
    limits = built.pool.limits
    assert (limits.connect, limits.response_head, limits.response_body) == (7.0, 2.0, 3.0)
    assert (limits.head, limits.upstream_connections, limits.upstream_idle) == (10_240, 8, 5)
    assert (limits.reserved, limits.per_client) == (2, 3)
    assert (built.timeouts.min_rate_grace, built.limits.min_rate) == (6.0, 512)
    assert (built.timeouts.request_body, built.timeouts.response_body, built.timeouts.upgrade_idle) == (4.0, 3.0, 5.0)
    assert (built.limits.body, built.limits.corrected, built.limits.tap) == (1_000_000, 2_000_000, 3072)
    assert (built.host, built.language) == ("gateway", "en")
    heads = plan(settings("limits: {head: 10k, headers: 9, target: 2k}")).head_limits
    assert (heads.head, heads.headers, heads.target, heads.underscores_in_headers) == (10_240, 9, 2048, "pass")
    assert plan(settings("underscores_in_headers: drop")).head_limits.underscores_in_headers == "drop"


@pytest.mark.parametrize(
    ("limits", "reserved", "per_client"),
    [
        ("{}", 64, 384),
        ("{upstream_connections: 9}", 1, 7),
        ("{upstream_connections: 1}", 0, 1),
        ("{upstream_connections: 8, reserved: 0, per_client: 8}", 0, 8),
        ("{reserved: null, per_client: null}", 64, 384),
    ],
)
def test_an_eighth_of_the_places_is_reserved_and_a_client_has_three_quarters_unless_said_otherwise(
    limits: str, reserved: int, per_client: int
) -> None:
    found = site(f"limits: {limits}").pool.limits
    assert (found.reserved, found.per_client) == (reserved, per_client)


def test_a_pool_that_still_fits_is_kept_with_its_connections() -> None:
    hub = 'webhooks: [{path: /a, forward_to: "http://hub.example/1"}]'
    first = site(hub)
    again = build_site(settings(hub.replace("/1", "/2") + "\nlanguage: en"), first)
    assert again.pool is first.pool
    assert again.pools == first.pools
    moved = build_site(settings(hub, "http://127.0.0.1:3001"), first)
    assert moved.pool is not first.pool
    assert target(moved, b"/a").pool is target(first, b"/a").pool
    slower = build_site(settings("timeouts: {connect: 9s}"), first)
    assert slower.pool is not first.pool


def rule(built: Site, path: bytes) -> ChannelRule:
    entry = built.routes.match("GET", path).entry
    assert isinstance(entry, ChannelsEntry)
    return entry.rule


def test_a_rule_that_did_not_change_is_kept_with_what_reads_by_it() -> None:
    first = site()
    again = build_site(settings("language: pt-BR", "http://127.0.0.1:3001"), first)
    for path in (b"/api/channels", b"/api/channels/sales", b"/api/available-sessions"):
        assert rule(again, path) is rule(first, path)
    lists = "channels: [{path: /api/channels, list: channels, id: id, set: {status: %s}}]"
    other = build_site(settings(lists % "away"), again)
    assert rule(other, b"/api/channels").set == {"status": "away"}
    assert rule(build_site(settings(lists % "gone"), other), b"/api/channels").set == {"status": "gone"}


@pytest.mark.slow
async def test_many_reloads_leave_no_more_rules_behind_than_one() -> None:
    body = b'{"channels":[{"id":"sales","status":"connected"}]}'
    left = []
    async with assembled() as (rooms, before, _):
        for _ in range(4):
            apply(plan(settings(), rooms.proxy.site), rooms, before=before)
            rooms.registry.correct(body, rule(rooms.proxy.site, b"/api/channels"), 1000.0, None)
            gc.collect()
            left.append(sum(type(thing) is ChannelRule for thing in gc.get_objects()))
    assert left == left[:1] * 4


def test_a_site_that_was_replaced_is_freed_at_once() -> None:
    gc.disable()
    try:
        first = site()
        first.routes.match("GET", b"/api/channels")
        assert not first.trust.is_trusted("192.0.2.1")
        again = build_site(settings(), first)
        gc.collect()
        del first
        assert gc.collect() == 0, "nothing of it waited for the collector"
        assert again.rules
    finally:
        gc.enable()


@pytest.mark.slow
def test_a_pool_that_is_closed_or_speaks_tls_is_made_anew() -> None:
    first = site()
    first.pool.abort()
    assert build_site(settings(), first).pool is not first.pool
    secure = site(gateway="https://gateway.example")
    assert build_site(settings(gateway="https://gateway.example"), secure).pool is not secure.pool


def test_a_session_in_a_webhooks_path_is_passed_on_in_its_place() -> None:
    built = site('webhooks: [{path: "/a/{session}/in", forward_to: "http://hub.example/x/{session}?k=v"}]')
    entry = target(built, b"/a/sales/in")
    assert (entry.session_at, entry.target) == (2, b"/x/{session}?k=v")
    assert target(site(), b"/v1/webhooks/receive").session_at is None


def test_what_is_below_a_webhooks_path_is_passed_on_where_the_receivers_url_says_so() -> None:
    for receiver, at in (("/x/**?k=v", 2), ("/x", None)):
        built = site(f'webhooks: [{{path: "/a/**", forward_to: "http://hub.example{receiver}"}}]')
        entry = target(built, b"/a/b/c")
        assert (entry.below_at, entry.target) == (at, receiver.encode())


def test_a_webhook_knows_its_receiver_and_whether_its_events_are_kept() -> None:
    built = site(
        """
webhooks:
  - {path: /a, spool: true}
  - {path: /b, spool: true, forward_to: "http://hub.example/x"}
  - {path: /c}
"""
    )
    entries = [target(built, path) for path in (b"/a", b"/b", b"/c")]
    assert [(entry.receiver, entry.spool) for entry in entries] == [
        ("gateway", True),
        ("hub http://hub.example", True),
        ("gateway", False),
    ]
    assert [built.webhooks[path] for path in ("/a", "/b", "/c")] == entries
    assert built.pools[entries[1].receiver] is entries[1].pool


@asynccontextmanager
async def assembled(more: str = "") -> AsyncIterator[tuple[Rooms, Settings, list[Report]]]:
    """The rooms of a site that keeps its state in memory, its settings, and the reports of its exchanges."""
    reports: list[Report] = []
    known = settings(more if "state:" in more else f"state: {{url: 'memory:'}}\n{more}")
    metrics = Metrics()
    rooms = await assemble(plan(known), metrics, Exposition(metrics), lambda: 1000.0, reports.append, given=["gateway"])
    try:
        yield rooms, known, reports
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
        await rooms.registry.close()


async def test_the_rooms_are_made_with_the_settings_in_force() -> None:
    text = "language: pt-BR\nlimits: {connections: 9, headers: 10}\ntimeouts: {request_head: 7s, response_body: 8s}"
    async with assembled(text) as (rooms, known, _):
        clients = rooms.clients
        assert (clients.language, clients.limits.connections, clients.head_limits.headers) == ("pt-BR", 9, 10)
        assert (clients.limits.request_head, clients.limits.response_body) == (7.0, 8.0)
        assert rooms.proxy.site.language == "pt-BR"
        assert rooms.admin.answers.settings is known
        assert rooms.admin.answers.given == ["gateway"]
        assert rooms.registry.clock.wall() == 1000.0


async def test_another_plan_is_in_force_in_every_room_once_it_is_applied() -> None:
    async with assembled() as (rooms, before, _):
        changed = plan(
            settings(
                "language: pt-BR\nlimits: {connections: 9, headers: 10}\ntimeouts: {request_head: 7s}\n"
                "sessions: {max_sessions: 11}\nadmin: {token: fresh}",
                "http://127.0.0.1:3001",
            ),
            rooms.proxy.site,
        )
        earlier = rooms.proxy.site.pool
        heads = rooms.clients.head_limits
        apply(changed, rooms, before=before, waiting=("listen",))
        assert rooms.proxy.site is changed.site
        assert earlier.closed, "the gateway is another one"
        assert rooms.clients.language == "pt-BR"
        assert (rooms.clients.limits.connections, rooms.clients.limits.request_head) == (9, 7.0)
        assert rooms.clients.head_limits is heads, "connections that are open share it"
        assert heads.headers == 10
        assert rooms.admin.answers.settings.admin.token == "fresh"
        assert rooms.admin.answers.waiting == ("listen",)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ("channels: [{path: /api/channels, set: {status: CLOSED}}]", "CLOSED"),
        ("preset: null\nwebhooks: [{path: /v1}]", None),
    ],
)
async def test_log_lines_go_by_the_rule_of_the_first_list(
    more: str, word: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with assembled(f"events: [{{event: lost, session: s, means: disconnected}}]\n{more}") as (rooms, _, _):
        rooms.registry.hear(b'{"event": "lost", "s": "sales"}', "127.0.0.1")
    (line,) = [line for line in caplog.messages if line.startswith("sales: ")]
    assert line.partition("will be shown as disconnected")[2] == ("" if word is None else f": answers will read {word}")


async def test_a_pool_that_goes_on_serving_stays_open() -> None:
    async with assembled() as (rooms, before, _):
        pool = rooms.proxy.site.pool
        apply(plan(settings("language: pt-BR"), rooms.proxy.site), rooms, before=before)
        assert rooms.proxy.site.pool is pool
        assert not pool.closed


@pytest.mark.parametrize(
    ("more", "kept"),
    [("language: pt-BR", True), ("webhooks: [{path: /other}]", False), ("trusted_proxies: [10.0.0.0/8]", False)],
)
async def test_senders_that_were_refused_are_forgotten_when_others_are_trusted(more: str, kept: bool) -> None:
    async with assembled() as (rooms, before, _):
        rooms.registry.webhooks.untrusted("203.0.113.9", "network", 1000.0)
        apply(plan(settings(more)), rooms, before=before)
        assert bool(rooms.registry.webhooks.report().senders) is kept


async def test_the_log_level_changes_with_the_settings_only() -> None:
    log = logging.getLogger("statusproxy")
    level = log.level
    try:
        async with assembled() as (rooms, before, _):
            assert log.level == level, "the start leaves it as the command line set it up"
            apply(plan(settings("log: {level: error}")), rooms, before=before)
            assert log.level == logging.ERROR
    finally:
        log.setLevel(level)


async def test_a_spool_is_made_where_the_state_keeps_one_whatever_the_paths_say(tmp_path: Path) -> None:
    state = f"state: {{url: 'sqlite:///{tmp_path}/state.db'}}\n"
    async with assembled(f"{state}spool: {{max_entries: 7, unknown: resend}}") as (rooms, before, _):
        assert rooms.spool is not None
        assert rooms.proxy.spool is rooms.spool
        assert rooms.spool.rules == SpoolRules(max_entries=7, resend=True)
        assert rooms.spool.has_room(1)
        apply(plan(settings(f"{state}spool: {{schedule: [3s], max_age: 2h, max_bytes: 2KiB}}")), rooms, before=before)
        assert rooms.spool.rules == SpoolRules(max_age=7200.0, schedule=(3.0,), max_bytes=2048)


async def test_a_state_in_memory_keeps_no_spool() -> None:
    async with assembled() as (rooms, _, _):
        assert (rooms.spool, rooms.delivery, rooms.proxy.spool) == (None, None, None)


async def test_a_state_that_another_service_uses_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "time", HandClock())
    state = f"state: {{url: 'sqlite:///{tmp_path}/state.db'}}"
    async with assembled(state):
        with pytest.raises(StoreError, match="in use"):
            await assemble(plan(settings(state)), Metrics(), Exposition(Metrics()), lambda: 1000.0, lambda _: None)
