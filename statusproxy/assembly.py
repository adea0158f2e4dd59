"""From settings to what the rooms work with: routes, pools, sender policies, limits."""

import ssl
from collections.abc import Callable, Mapping

from statusproxy.config import addresses
from statusproxy.config.paths import SESSION
from statusproxy.config.settings import Settings, Tls, Webhook
from statusproxy.observe.exchange_report import Kind
from statusproxy.proxy.client_address import Trust
from statusproxy.proxy.http1.request_parser import HeadLimits
from statusproxy.proxy.routes import Route, RouteTable
from statusproxy.proxy.sender_auth import SenderPolicy, SharedSecret, Signature
from statusproxy.proxy.site import ChannelsEntry, CreateEntry, Entry, Limits, Site, Timeouts, WebhookTarget
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.status.fields import fold_word
from statusproxy.status.qr import CONNECTED_WORDS

#: Room for the answer's head beyond what requests get: gateways set cookies and policies that clients do not send.
_ANSWER_HEAD = 2


def build_site(settings: Settings, pools: Mapping[str, Pool] | None = None) -> Site:
    """The site for `settings`; pools of an earlier site that still fit are kept, with their open connections.

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
        earlier = (pools or {}).get(name)
        if name not in built:
            fits = earlier is not None and not earlier.closed and (earlier.origin, earlier.limits) == (origin, limits)
            # Two TLS contexts are never equal: with TLS the files may have changed, so that the pool is made anew.
            built[name] = earlier if earlier is not None and fits else Pool(origin, limits)
        return built[name]

    gateway = pool(f"gateway {settings.gateway}", _origin(addresses.parse_gateway(settings.gateway), settings))
    routes: list[Route[Entry]] = []
    for webhook in settings.webhooks:
        routes.append(Route(Kind.WEBHOOK, _WATCHED, webhook.path, _webhook_target(webhook, pool)))
        if not webhook.forward:
            others = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})
            routes.append(Route(Kind.NOT_FOUND, others, webhook.path, None))
    routes += [
        Route(Kind.CHANNELS, _READ, channels.path, ChannelsEntry(channels.rule(), channels.share))
        for channels in settings.channels
    ]
    connected = frozenset(fold_word(word) for channels in settings.channels for word in channels.connected)
    create = CreateEntry(settings.reconnect.body, connected | CONNECTED_WORDS)
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
        routes=RouteTable(routes),
        trust=Trust(settings.trusted_proxies),
        at_web_port=any(address.port in _WEB_PORTS for address in settings.listen),
        language=settings.language,
        host=settings.host,
        timeouts=Timeouts(
            request_body=settings.timeouts.request_body,
            write=settings.timeouts.response_body,
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
    )


_WEB_PORTS = frozenset({80, 443})
_WATCHED = frozenset({"POST", "PUT", "PATCH"})
_READ = frozenset({"GET", "HEAD"})


def _webhook_target(webhook: Webhook, pool: Callable[[str, Origin], Pool]) -> WebhookTarget:
    senders = SenderPolicy(
        networks=webhook.from_,
        secret=SharedSecret(webhook.secret.header.lower().encode(), webhook.secret.value.encode())
        if webhook.secret is not None
        else None,
        signature=Signature(
            header=webhook.hmac.header.lower().encode(),
            secret=webhook.hmac.secret.encode(),
            algorithm=webhook.hmac.algorithm,
            prefix=webhook.hmac.prefix.encode(),
            encoding=webhook.hmac.encoding,
        )
        if webhook.hmac is not None
        else None,
    )
    if webhook.forward_to is None:
        return WebhookTarget(senders, tap=not webhook.forward, sender=webhook.path)
    target = addresses.parse_target(webhook.forward_to)
    origin = Origin(
        host=target.host,
        port=target.port,
        unix=target.unix,
        tls=ssl.create_default_context() if target.scheme == "https" else None,
    )
    name = f"hub {target.scheme} {target.authority} {target.unix or ''}"
    onward = (target.path + target.query).encode() or b"/"
    segments = webhook.path.split("/")
    place = segments.index(SESSION) if SESSION.encode() in onward else None
    return WebhookTarget(senders, pool=pool(name, origin), target=onward, sender=webhook.path, session_at=place)


def _origin(target: addresses.Target, settings: Settings) -> Origin:
    files = settings.gateway_tls
    context = None
    if target.scheme == "https":
        context = ssl.create_default_context(cafile=files.ca)
        if not files.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if files.certificate is not None:
            context.load_cert_chain(files.certificate, files.key, password=_nobody_to_ask)
    return Origin(
        host=target.host,
        port=target.port,
        unix=target.unix,
        tls=context,
        server_name=files.server_name,
        base_path=target.path.rstrip("/").encode(),
    )


def head_limits(settings: Settings) -> HeadLimits:
    """What requests' heads may hold."""
    return HeadLimits(
        target=settings.limits.target,
        head=settings.limits.head,
        fields=settings.limits.headers,
        drop_underscores=settings.underscores_in_headers == "drop",
    )


def server_tls(settings: Settings) -> ssl.SSLContext | None:
    """The context for TLS on our own port: TLS 1.2 or newer, modern ciphers; None where it is not configured."""
    if settings.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, settings.tls)
    return context


def load_certificate(context: ssl.SSLContext, files: Tls) -> None:
    """Have `context` show the certificate in `files` from the next connection on. Raises `OSError`."""
    context.load_cert_chain(files.certificate, files.key, password=_nobody_to_ask)


def _nobody_to_ask() -> bytes:
    """The password of an encrypted key: a service must not stop to ask for one at its terminal."""
    return b""
