"""Settings made into objects, for start and reload alike: the one file that knows every room.

`plan` works out what settings come to in each room and changes nothing; it fails where they cannot be used. `assemble`
makes the rooms at the start, `apply` puts a plan in force: at the start and at each reload. So a setting that `apply`
knows is in force after both. What only `assemble` looks at waits for a restart (`config.restart`).
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

from statusproxy.admin.listener import AdminListener
from statusproxy.config.addresses import Target, parse_gateway, parse_target
from statusproxy.config.packages import missing_for_webhooks
from statusproxy.config.settings import Settings, Webhook
from statusproxy.config.templates import BELOW, SESSION
from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.metrics import Metrics
from statusproxy.proxy.bearer_jwt import BearerJwt
from statusproxy.proxy.body_token import BodyToken
from statusproxy.proxy.client_address import Trust
from statusproxy.proxy.downstream.descriptors import Reserve, allowed
from statusproxy.proxy.downstream.server import ClientServer
from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.http1.request_parser import HeadLimits
from statusproxy.proxy.problems import Language
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

#: Room for the answer's head beyond what requests get: gateways set cookies and policies that clients do not send.
_ANSWER_HEAD: Final = 2

_WEB_PORTS: Final = frozenset({80, 443})
_POSTED: Final = frozenset({"POST", "PUT", "PATCH"})
_READ: Final = frozenset({"GET", "HEAD"})
_OTHERS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


class ClientValues(TypedDict):
    """What `ClientServer` is made with and a reload changes; the keys are its parameters and its attributes.

    `max_connections` is `limits.connections`; `connections` is what `web.Server` calls the open ones.
    """

    language: Language
    request_head_timeout: float | None
    response_body_timeout: float | None
    max_connections: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What settings come to in each room; nothing of it is in force yet."""

    settings: Settings
    site: Site
    signal_rules: SignalRules
    session_rules: SessionRules
    spool_rules: SpoolRules
    head_limits: HeadLimits
    clients: ClientValues


@dataclass(frozen=True, slots=True)
class Rooms:
    """The parts that serve; made once, at the start."""

    registry: SessionRegistry
    proxy: Proxy
    clients: ClientServer
    admin: AdminListener
    spool: Spool | None
    """Events that were not taken; None where the state keeps none. It is there whatever the paths say, so that a reload
    can switch it on."""
    delivery: Delivery | None
    """Delivers them, once it is started."""


def plan(settings: Settings, earlier: Site | None = None) -> Plan:
    """The plan for `settings`; `earlier` is the site that serves now, for `build_site`.

    Raises `OSError` or `ssl.SSLError` where a certificate file cannot be used, and `ValueError` where a package is
    missing that the settings need.
    """
    missing = missing_for_webhooks(settings.webhooks)
    if missing is not None:
        raise ValueError(missing)
    return Plan(
        settings=settings,
        site=build_site(settings, earlier),
        signal_rules=settings.signal_rules(),
        session_rules=settings.session_rules(),
        spool_rules=spool_rules(settings),
        head_limits=_head_limits(settings),
        clients=ClientValues(
            language=settings.language,
            request_head_timeout=settings.timeouts.request_head,
            response_body_timeout=settings.timeouts.response_body,
            max_connections=settings.limits.connections,
        ),
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

    `clock` gives epoch seconds; `report` is told of each exchange; `given` are the keys that the command line sets.
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
        **planned.clients,
        new_request_id=new_request_id,
        refused=metrics.refused,
        keep_alive=settings.timeouts.keep_alive,
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
    for name, value in planned.clients.items():
        setattr(rooms.clients, name, value)
    rooms.clients.head_limits.change_to(planned.head_limits)
    rooms.admin.configure(settings, waiting)


def build_site(settings: Settings, earlier: Site | None = None) -> Site:
    """The site for `settings`; what still fits is kept of an earlier one.

    Kept are its pools, with their open connections, and its rules for lists, with what reads them. The registry knows
    by a rule's identity which of the gateway's answers replaces which.

    Raises `OSError` or `ssl.SSLError` where a certificate file cannot be used.
    """
    limits = UpstreamLimits(
        connect=settings.timeouts.connect,
        response_head=settings.timeouts.response_head,
        response_body=settings.timeouts.response_body,
        head_bytes=settings.limits.head * _ANSWER_HEAD,
        connections=settings.limits.upstream_connections,
        idle=settings.limits.upstream_idle,
        reserved=settings.limits.places_reserved,
        per_client=settings.limits.places_per_client,
    )
    built: dict[str, Pool] = {}

    def pool(name: str, origin: Origin) -> Pool:
        old = earlier.pools.get(name) if earlier is not None else None
        if name not in built:
            fits = old is not None and not old.closed and (old.origin, old.limits) == (origin, limits)
            # Two TLS contexts are never equal: with TLS the files may have changed, so that the pool is made anew.
            built[name] = old if old is not None and fits else Pool(origin, limits)
        return built[name]

    gateway = pool(f"gateway {settings.gateway}", _origin(parse_gateway(settings.gateway), settings))
    routes: list[Route[Entry]] = []
    webhooks = {webhook.path: _webhook_target(webhook, pool) for webhook in settings.webhooks}
    for webhook in settings.webhooks:
        routes += [Route(Kind.PASS, _POSTED | _OTHERS, path, None) for path in webhook.except_]
        routes.append(Route(Kind.WEBHOOK, _POSTED, webhook.path, webhooks[webhook.path]))
        if not webhook.forward:
            routes.append(Route(Kind.NOT_FOUND, _OTHERS, webhook.path, None))
    rules: dict[str, ChannelRule] = {}
    for channels in settings.channels:
        rule = channels.rule()
        old_rule = earlier.rules.get(channels.path) if earlier is not None else None
        if old_rule is not None and old_rule == rule:
            rule = old_rule
        rules.setdefault(channels.path, rule)  # the first that fits a request wins
        routes.append(Route(Kind.CHANNELS, _READ, channels.path, ChannelsEntry(rule, channels.share)))
    connected = frozenset(fold_word(word) for channels in settings.channels for word in channels.connected)
    create = CreateEntry(settings.reconnect.body, connected | CONNECTED_WORDS, settings.dialect.qr)
    for kind, written, entry in (
        (Kind.DELETE, settings.reconnect.delete, None),
        (Kind.CREATE, settings.reconnect.create, create),
        (Kind.QR, settings.reconnect.qr, None),
    ):
        for line in written:
            method, _, path = line.partition(" ")
            routes.append(Route(kind, frozenset({method.upper()}), path.strip(), entry))
    return Site(
        pool=gateway,
        routes=RouteTable(routes, settings.session_cut()),
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
        pools=built,
        webhooks=webhooks,
        rules=rules,
    )


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
        return WebhookTarget(senders, tap=not webhook.forward, path=webhook.path, spool=webhook.spool)
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


def _head_limits(settings: Settings) -> HeadLimits:
    """What requests' heads may hold."""
    return HeadLimits(
        target=settings.limits.target,
        head=settings.limits.head,
        headers=settings.limits.headers,
        drop_underscores=settings.underscores_in_headers == "drop",
    )
