"""The settings in the form that exchanges use: one frozen value, replaced whole by a reload."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from statusproxy.proxy.client_address import Trust
from statusproxy.proxy.problems import Language
from statusproxy.proxy.routes import RouteTable
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.status.channels import ChannelRule


class WebhookTarget(msgspec.Struct, frozen=True):
    """Where one watched path's requests go, and which senders are trusted there."""

    senders: SenderPolicy
    pool: Pool | None = None
    """Another receiver than the gateway; None means the gateway, where `forward` is True."""
    target: bytes | None = None
    """The other receiver's request target, in place of the one that came."""
    forward: bool = True
    """False: answered by the proxy itself; nothing is forwarded."""
    path: str = ""
    """The watched path as configured. With the sender's address it tells whose clock the events' own times are of."""
    session_at: int | None = None
    """Which segment of the path replaces `{session}` in `target`; None where nothing does."""
    below_at: int | None = None
    """From which segment on the path replaces `/**` in `target`; None where it does not."""
    receiver: str = "gateway"
    """Who gets the events, for the spool: the gateway, or the name of another receiver's pool."""
    spool: bool = False
    """Whether events that the receiver does not take are kept, and delivered later."""


class ChannelsEntry(msgspec.Struct, frozen=True):
    """One corrected route."""

    rule: ChannelRule
    share: bool = False


class CreateEntry(msgspec.Struct, frozen=True):
    """A route that creates or starts a session; its id stands in the path, or in the body under one of `body`."""

    body: tuple[str, ...] = ("channel",)
    connected: frozenset[str] = frozenset({"connected", "open"})
    """Words (folded) by which an answer claims that the session is connected: then it is evidence of nothing."""
    qr: tuple[str, ...] = ()
    """Members of an answer that may hold a QR code: that counts more than the words."""


Entry = WebhookTarget | ChannelsEntry | CreateEntry | None


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds; None means no limit."""

    request_body: float | None = 60.0
    response_body: float | None = 300.0
    upgrade_idle: float | None = 3600.0
    min_rate_grace: float = 5.0
    """Waiting for a peer before its minimum rate is asked for."""


class Limits(msgspec.Struct, frozen=True):
    """Bytes; None means no limit."""

    body: int | None = None
    corrected: int = 32 * 1024 * 1024
    tap: int = 1024 * 1024
    min_rate: int | None = 240
    """Bytes per second that a client must send or read on average while it is waited for (`min_rate.Pace`)."""


class Site(msgspec.Struct, frozen=True):
    """The site's settings in the form the exchanges use."""

    pool: Pool
    routes: RouteTable[Entry]
    trust: Trust
    language: Language = "en"
    host: Literal["preserve", "gateway"] = "preserve"
    timeouts: Timeouts = msgspec.field(default_factory=Timeouts)
    limits: Limits = msgspec.field(default_factory=Limits)
    at_web_port: bool = False
    """We listen on port 80 or 443 ourselves, so that clients ask for our name without a port."""
    pools: Mapping[str, Pool] = msgspec.field(default_factory=dict)
    """Every pool by its origin's name, for reload and shutdown."""
    webhooks: Mapping[str, WebhookTarget] = msgspec.field(default_factory=dict)
    """The watched paths by the paths as configured, for what the spool holds of them."""
    rules: Mapping[str, ChannelRule] = msgspec.field(default_factory=dict)
    """The corrected routes' rules by the routes' paths, for reload."""
