"""What the proxy needs to know to serve: one frozen value, replaced whole when the configuration is read again."""

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from statusproxy.proxy.belief import Judge
from statusproxy.proxy.errors import Language
from statusproxy.proxy.forwarded import Trust
from statusproxy.proxy.pool import Pool
from statusproxy.proxy.routes import Kind, RouteTable, path_of
from statusproxy.status.channels import ChannelRule, Correction


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where one watched path's requests go, and who is believed there."""

    judge: Judge
    pool: Pool | None = None
    """Another receiver than the gateway; None with `tap` False means the gateway."""
    target: bytes | None = None
    """The other receiver's request target, in place of the one that came."""
    tap: bool = False
    """Answered by the proxy itself; nothing is forwarded."""
    sender: str = ""
    """The path as configured: who keeps the clock of these events' own times."""
    session_at: int | None = None
    """Which segment of the path replaces `{session}` in `target`; None where nothing does."""


@dataclass(frozen=True, slots=True)
class ChannelsEntry:
    """One corrected route."""

    rule: ChannelRule
    share: bool = False


@dataclass(frozen=True, slots=True)
class CreateEntry:
    """A route that creates or starts a session; the id stands in the path, or in the body under one of `keys`."""

    keys: tuple[str, ...] = ("channel",)
    connected: frozenset[str] = frozenset({"connected", "open"})
    """Words (folded) by which an answer claims that the session is connected: then it is evidence of nothing."""


Entry = WebhookTarget | ChannelsEntry | CreateEntry | None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; None means no limit."""

    request_body: float | None = 60.0
    write: float | None = 300.0
    upgrade_idle: float | None = 3600.0
    min_rate_grace: float = 5.0
    """Waiting for a peer before its minimum rate is asked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes; None means no limit."""

    body: int | None = None
    corrected: int = 32 * 1024 * 1024
    tap: int = 1024 * 1024
    min_rate: int | None = 240
    """Bytes per second that a client must send or read on average while it is waited for (`min_rate.Pace`)."""


class Knowledge(Protocol):
    """What the proxy asks of, and tells to, the keeper of the session map."""

    @property
    def has_overrides(self) -> bool:
        """Whether any correction is in force."""

    @property
    def version(self) -> int:
        """Counts the changes of what is to be shown."""

    def now(self) -> float:
        """The time, epoch seconds, never the same twice; it goes back only where the clock was wrong by minutes."""

    def hear(
        self, body: bytes, source: str, sender: str = "", path_session: str | None = None
    ) -> Awaitable[None] | None:
        """A webhook's body arrived whole. What it says holds at once; await the result for it to be durable.

        `sender` names whose clock its own time is of, `path_session` the session in its path, where there is one.
        """

    def doubt(self, source: str, why: str) -> None:
        """A webhook came from a sender that is not believed, and why not."""

    def correct(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A channel list as it must read now, given when it was asked for; await the second part if there is one."""

    async def correct_in_steps(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None
    ) -> tuple[Correction, Awaitable[None] | None]:
        """The same for a long list: others have their turn meanwhile. It reads as it must when this returns."""

    def wants_qr(self, session: str) -> bool:
        """Whether the answer of the QR route tells anything new about this session."""

    def qr_answered(self, session: str, body: bytes, image: bool, asked_at: float) -> Awaitable[None] | None:
        """The QR route answered 2xx."""

    def created(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was created or started through the proxy, and the answer did not claim that it is connected."""

    def deleted(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was deleted through the proxy."""

    def left_out(self, what: str, peer: str, *, webhook: bool) -> None:
        """A request lacked what a proxy in front should have passed on (`front_proxy`)."""

    def unreadable(self, what: str, why: str) -> None:
        """Something could not be watched or corrected and passed as it came: counted and logged."""


@dataclass(frozen=True, slots=True)
class Site:
    """The site's settings in the form the exchanges use."""

    pool: Pool
    routes: RouteTable[Entry]
    trust: Trust
    language: Language = "en"
    host: Literal["preserve", "gateway"] = "preserve"
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    at_web_port: bool = False
    """We listen on port 80 or 443 ourselves, so that clients ask for our name without a port."""
    pools: Mapping[str, Pool] = field(default_factory=dict)
    """Every pool by its origin's name, for reload and shutdown."""


#: A first segment of a path that says nothing of anybody: a word, or an interface's version.
_PLAIN: Final = re.compile(rb"[A-Za-z][A-Za-z_-]{0,31}|[vV][0-9]{1,2}|")


@dataclass(slots=True)
class Report:
    """One finished exchange, for the log and the metrics: never a body, a field's value or a query."""

    kind: Kind
    method: str
    status: int
    """What the client was sent; 499 where it left before its answer was whole, 0 where a stop cut the exchange off."""
    seconds: float
    upstream_seconds: float | None
    """From sending the request to the head of the answer; None when nothing was sent."""
    received: int
    sent: int
    request_id: str
    client: str
    target: bytes
    problem: str | None
    corrected: int
    template: str | None = None
    """The path of the route that served it, as configured; None where the request was only passed on."""

    @property
    def path(self) -> str:
        """As much of the path as may be logged: the route's template, else the first segment where it is a word.

        Anything else may be the id or number of a person, or a token: also a word, which a secret may be as well.
        """
        if self.template is not None:
            return self.template
        first, slash, rest = path_of(self.target).removeprefix(b"/").partition(b"/")
        shown = first.decode("ascii") if _PLAIN.fullmatch(first) else "…"
        return f"/{shown}" + ("/…" if rest else slash.decode())
