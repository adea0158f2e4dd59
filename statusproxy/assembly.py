"""Settings made into objects, for start and reload alike: the one file that knows every room.

`plan` works out what settings come to in each room and changes nothing; it fails where they cannot be used. `assemble`
makes the rooms at the start, `apply` puts a plan in force: at the start and at each reload. So a setting that `apply`
knows is in force after both. What only `assemble` looks at waits for a restart (`config.restart`).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from statusproxy.admin.listener import AdminListener
from statusproxy.config.addresses import Target, parse_gateway, parse_target
from statusproxy.config.packages import missing_for_alerts, missing_for_webhooks
from statusproxy.config.settings import Settings, Webhook
from statusproxy.config.templates import BELOW, SESSION
from statusproxy.observe.exchange_report import Report, RouteKind
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.metrics import Metrics
from statusproxy.proxy.bearer_jwt import BearerJwt
from statusproxy.proxy.body_token import BodyToken
from statusproxy.proxy.client_address import Trust
from statusproxy.proxy.downstream.descriptors import Reserve, allowed
from statusproxy.proxy.downstream.limits import ClientLimits
from statusproxy.proxy.downstream.server import ClientServer
from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.http1.request_parser import HeadLimits
from statusproxy.proxy.redelivery import Redelivery
from statusproxy.proxy.request_id import new_request_id
from statusproxy.proxy.routes import Route, RouteTable
from statusproxy.proxy.sender_auth import SenderPolicy, SharedSecret, Signature
from statusproxy.proxy.site import ChannelsEntry, CreateEntry, Entry, Limits, Site, Timeouts, WebhookTarget
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.registry.registry import SessionRegistry
from statusproxy.spool.delivery import Delivery
from statusproxy.spool.schedule import SpoolRules
from statusproxy.spool.spool import Spool
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.fields import fold_word
from statusproxy.status.model import SessionRules
from statusproxy.status.qr import CONNECTED_WORDS
from statusproxy.status.signals import SignalRules
from statusproxy.store import open_store
from statusproxy.store.owner import boot_id
from statusproxy.tls import gateway_context

log = logging.getLogger("statusproxy")

_WEB_PORTS: Final = frozenset({80, 443})
_POSTED: Final = frozenset({"POST", "PUT", "PATCH"})
_READ: Final = frozenset({"GET", "HEAD"})
_OTHERS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


class Plan(msgspec.Struct, frozen=True):
    """What settings come to in each room; nothing of it is in force yet."""

    settings: Settings
    site: Site
    signal_rules: SignalRules
    session_rules: SessionRules
    spool_rules: SpoolRules
    head_limits: HeadLimits
    client_limits: ClientLimits


class Rooms(msgspec.Struct, frozen=True):
    """The parts that serve; made once, at the start."""

    registry: SessionRegistry
    proxy: Proxy
    clients: ClientServer
    admin: AdminListener
    spool: Spool | None
    """Events that were not taken; None where the state keeps none. It is there for any paths, so that a reload
    can switch it on."""
    delivery: Delivery | None
    """Delivers them, once it is started."""


def plan(settings: Settings, earlier: Site | None = None) -> Plan:
    """The plan for `settings`; `earlier` is the site that serves now, for `build_site`.

    Raises `OSError` or `ssl.SSLError` where a certificate file cannot be used, and `ValueError` where a package is
    missing that the settings need.
    """
    missing = missing_for_webhooks(settings.webhooks) or missing_for_alerts(settings.alerts)
    if missing is not None:
        raise ValueError(missing)
    return Plan(
        settings=settings,
        site=build_site(settings, earlier),
        signal_rules=settings.signal_rules(),
        session_rules=settings.session_rules(),
        spool_rules=spool_rules(settings),
        head_limits=_head_limits(settings),
        client_limits=_client_limits(settings),
    )


async def assemble(
    planned: Plan,
    metrics: Metrics,
    exposition: Exposition,
    clock: Callable[[], float],
    report: Callable[[Report], None],
    given: Sequence[str] = (),
) -> Rooms:
    """Open the store and make the rooms, with the plan in force. Raises `StoreError` or `ValueError`.

    `clock` gives epoch seconds; `report` is called with the report of each exchange; `given` are the keys that the
    command line sets.
    """
    settings = planned.settings
    store = open_store(settings.state.url, settings.sessions.history_days, journal=settings.state.journal)
    registry = SessionRegistry(
        planned.signal_rules,
        planned.session_rules,
        store,
        metrics,
        clock,
        boot=(boot_id() or "") if clock is time.time else None,
        history_days=settings.sessions.history_days,
    )
    await registry.open()
    proxy = Proxy(planned.site, registry, report)
    spool = delivery = None
    if store.spool is not None:
        proxy.spool = spool = Spool(store, registry.clock, planned.spool_rules, metrics.spool)
        await spool.open()
        delivery = Delivery(spool, registry.clock, Redelivery(proxy).send, store.claims)
    reserve = Reserve(allowed(), settings.limits.upstream_connections)
    asyncio.get_running_loop().set_exception_handler(reserve.handle_exception)
    clients = ClientServer(
        proxy.handle,
        language=settings.language,
        new_request_id=new_request_id,
        refused=metrics.refused,
        limits=planned.client_limits,
        head_limits=planned.head_limits,
        reserve=reserve,
    )
    admin = AdminListener(registry, exposition, proxy, settings, spool)
    admin.answers.given = given
    rooms = Rooms(registry, proxy, clients, admin, spool, delivery)
    apply(planned, rooms, before=settings)
    return rooms


def apply(planned: Plan, rooms: Rooms, *, before: Settings, waiting: Sequence[str] = ()) -> None:
    """Apply a plan from the next request on, in place of the settings `before`. It cannot fail.

    `waiting` are the keys that were changed in the file and wait for a restart. Pools that serve no more are closed.
    """
    settings = planned.settings
    if settings.log.level != before.log.level:
        log.setLevel(settings.log.level.upper())
    earlier, rooms.proxy.site = rooms.proxy.site, planned.site
    for name, pool in earlier.pools.items():
        if planned.site.pools.get(name) is not pool:
            pool.close()
    list_rule = settings.channels[0].rule() if settings.channels else None
    rooms.registry.configure(planned.signal_rules, planned.session_rules, list_rule)
    if rooms.spool is not None:
        rooms.spool.configure(planned.spool_rules)
    if (settings.webhooks, settings.trusted_proxies) != (before.webhooks, before.trusted_proxies):
        rooms.registry.webhooks.trust_changed()
    rooms.clients.language = settings.language
    rooms.clients.limits = planned.client_limits
    rooms.clients.head_limits.change_to(planned.head_limits)
    rooms.clients.reserve.configure(settings.limits.upstream_connections)
    rooms.admin.configure(settings, waiting)


def build_site(settings: Settings, earlier: Site | None = None) -> Site:
    """The site for `settings`; what still fits is kept of an earlier one.

    Kept are its pools, with their open connections, and its rules for lists, with what reads them. The registry knows
    by a rule's identity which of the gateway's answers replaces which.

    Raises `OSError` or `ssl.SSLError` where a certificate file cannot be used.
    """
    pools = _Pools(_upstream_limits(settings), {} if earlier is None else earlier.pools)
    gateway = pools.to(f"gateway {settings.gateway}", _origin(parse_gateway(settings.gateway), settings))
    webhooks = {webhook.path: _webhook_target(webhook, pools.to) for webhook in settings.webhooks}
    rules = _list_rules(settings, {} if earlier is None else earlier.rules)
    return Site(
        pool=gateway,
        routes=RouteTable(_routes(settings, webhooks, rules), settings.session_cut()),
        trust=Trust(settings.trusted_proxies),
        at_web_port=any(address.port in _WEB_PORTS for address in settings.listen),
        language=settings.language,
        host=settings.host,
        timeouts=Timeouts(
            request_body=settings.timeouts.request_body,
            response_body=settings.timeouts.response_body,
            upgrade_idle=settings.timeouts.upgrade_idle,
            min_rate_grace=settings.timeouts.min_rate_grace,
        ),
        limits=Limits(
            body=settings.limits.body,
            corrected=settings.limits.corrected,
            tap=settings.limits.tap,
            min_rate=settings.limits.min_rate,
        ),
        pools=pools.built,
        webhooks=webhooks,
        rules=rules,
    )


class _Pools:
    """The pools of one site, by name: those of an earlier one that still fit, and new ones."""

    def __init__(self, limits: UpstreamLimits, earlier: Mapping[str, Pool]) -> None:
        self._limits = limits
        self._earlier = earlier
        self.built: dict[str, Pool] = {}

    def to(self, name: str, origin: Origin) -> Pool:
        """The pool of this name, the same at each call."""
        if name not in self.built:
            old = self._earlier.get(name)
            # Two TLS contexts are never equal: with TLS the files may have changed, so the pool is made again.
            fits = old is not None and not old.closed and (old.origin, old.limits) == (origin, self._limits)
            self.built[name] = old if old is not None and fits else Pool(origin, self._limits)
        return self.built[name]


def _list_rules(settings: Settings, earlier: Mapping[str, ChannelRule]) -> dict[str, ChannelRule]:
    """The rules of the corrected routes by the routes' paths; an equal one of `earlier` in place of a new one."""
    rules: dict[str, ChannelRule] = {}
    for channels in settings.channels:
        rule, old = channels.rule(), earlier.get(channels.path)
        rules[channels.path] = old if old is not None and old == rule else rule
    return rules


def _routes(
    settings: Settings, webhooks: Mapping[str, WebhookTarget], rules: Mapping[str, ChannelRule]
) -> list[Route[Entry]]:
    """Every watched route; the first that fits a request wins."""
    routes: list[Route[Entry]] = []
    for webhook in settings.webhooks:
        routes += [Route(RouteKind.PASS, _POSTED | _OTHERS, path, None) for path in webhook.except_]
        routes.append(Route(RouteKind.WEBHOOK, _POSTED, webhook.path, webhooks[webhook.path]))
        if not webhook.forward:
            routes.append(Route(RouteKind.NOT_FOUND, _OTHERS, webhook.path, None))
    for channels in settings.channels:
        entry = ChannelsEntry(rules[channels.path], channels.share)
        routes.append(Route(RouteKind.CHANNELS, _READ, channels.path, entry))
    connected = frozenset(fold_word(word) for channels in settings.channels for word in channels.connected)
    create = CreateEntry(settings.reconnect.body, connected | CONNECTED_WORDS, settings.dialect.qr)
    for key, written in settings.reconnect.routes().items():
        kind = RouteKind[key.upper()]
        for line in written:
            method, _, path = line.partition(" ")
            routes.append(
                Route(kind, frozenset({method.upper()}), path.strip(), create if kind is RouteKind.CREATE else None)
            )
    return routes


def spool_rules(settings: Settings) -> SpoolRules:
    """How much the spool keeps, for how long, and when it delivers."""
    spool = settings.spool
    return SpoolRules(
        max_bytes=spool.max_bytes,
        max_entries=spool.max_entries,
        max_age=spool.max_age,
        resend=spool.unknown == "resend",
        schedule=spool.schedule,
    )


def sender_policy(webhook: Webhook) -> SenderPolicy:
    """What a webhook's path asks of its sender."""
    return SenderPolicy(
        from_=webhook.from_,
        secret=SharedSecret(webhook.secret.header.lower().encode(), webhook.secret.value.encode())
        if webhook.secret is not None
        else None,
        hmac=Signature(
            header=webhook.hmac.header.lower().encode(),
            secret=webhook.hmac.secret.encode(),
            algorithm=webhook.hmac.algorithm,
            prefix=webhook.hmac.prefix.encode(),
            encoding=webhook.hmac.encoding,
        )
        if webhook.hmac is not None
        else None,
        jwt=BearerJwt(webhook.jwt.header.lower().encode(), webhook.jwt.secret.encode())
        if webhook.jwt is not None
        else None,
        token=BodyToken(webhook.token.field, webhook.token.value.encode()) if webhook.token is not None else None,
    )


def _webhook_target(webhook: Webhook, pool: Callable[[str, Origin], Pool]) -> WebhookTarget:
    senders = sender_policy(webhook)
    if webhook.forward_to is None:
        return WebhookTarget(senders, forward=webhook.forward, path=webhook.path, spool=webhook.spool)
    target = parse_target(webhook.forward_to)
    origin = Origin(
        host=target.host,
        port=target.port,
        tls=ssl.create_default_context() if target.scheme == "https" else None,
    )
    name = f"hub {target.scheme}://{target.authority}"
    request_target = (target.path + target.query).encode() or b"/"
    segments = webhook.path.split("/")
    return WebhookTarget(
        senders,
        pool=pool(name, origin),
        target=request_target,
        path=webhook.path,
        session_at=segments.index(SESSION) if SESSION.encode() in request_target else None,
        below_at=segments.index(BELOW) if target.path.endswith(f"/{BELOW}") else None,
        receiver=name,
        spool=webhook.spool,
    )


def _origin(target: Target, settings: Settings) -> Origin:
    return Origin(
        host=target.host,
        port=target.port,
        unix=target.unix,
        tls=gateway_context(settings.gateway_tls) if target.scheme == "https" else None,
        server_name=settings.gateway_tls.server_name,
        base_path=target.path.rstrip("/").encode(),
    )


def _upstream_limits(settings: Settings) -> UpstreamLimits:
    """What exchanges with the gateway, and with each other receiver, may take."""
    limits, timeouts = settings.limits, settings.timeouts
    places = limits.upstream_connections
    return UpstreamLimits(
        connect=timeouts.connect,
        response_head=timeouts.response_head,
        response_body=timeouts.response_body,
        head=limits.head,
        upstream_connections=places,
        upstream_idle=limits.upstream_idle,
        reserved=places // 8 if limits.reserved is None else limits.reserved,
        # Three quarters: most sites have one hub, and others still find places.
        per_client=(3 * places + 3) // 4 if limits.per_client is None else limits.per_client,
    )


def _client_limits(settings: Settings) -> ClientLimits:
    """What all clients and each of their connections may take."""
    return ClientLimits(
        request_head=settings.timeouts.request_head,
        response_body=settings.timeouts.response_body,
        keep_alive=settings.timeouts.keep_alive,
        connections=settings.limits.connections,
    )


def _head_limits(settings: Settings) -> HeadLimits:
    """What requests' heads may hold."""
    return HeadLimits(
        target=settings.limits.target,
        head=settings.limits.head,
        headers=settings.limits.headers,
        underscores_in_headers=settings.underscores_in_headers,
    )
