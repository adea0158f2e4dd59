"""The settings of the proxy as structs: the blocks of the configuration file.

The fields of a struct are the keys of its block, in the file's order. The type of a field says how it is read and
shown (`schema`, `blocks`). `checks` looks at several values at once, `load` reads a file into `Settings`. Values that
a preset supplies (webhooks, events, channels, reconnect, language) are empty here.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from statusproxy.config.addresses import (
    ADMIN_PORT,
    GATEWAY_ALLOWED,
    LISTEN_ALLOWED,
    TARGET_ALLOWED,
    Address,
    check_host,
    mask_url,
    parse_address,
    parse_gateway,
    parse_target,
)
from statusproxy.config.alerts import Alerts
from statusproxy.config.blocks import Section
from statusproxy.config.dialect import Dialect
from statusproxy.config.effect import check_set_name, check_set_word
from statusproxy.config.forms import (
    SetValue,
    boolean_or,
    count,
    duration,
    mapping,
    parsed,
    same,
    set_value,
    size,
    switches,
    text,
    texts,
)
from statusproxy.config.layers import DEFAULT_PRESET
from statusproxy.config.modes import socket_mode
from statusproxy.config.paths import check_template, check_webhook_path
from statusproxy.config.schema import (
    PRIVATE_NETWORKS,
    Field,
    Fields,
    FilePath,
    HeaderName,
    LeftOut,
    ListFields,
    Networks,
    Paths,
    PemFile,
    Routes,
    SecretText,
    SessionRoutes,
    SomeFields,
    SomeWords,
    StateUrl,
    Text,
    Time,
    Words,
    url,
)
from statusproxy.config.spot import MASK
from statusproxy.config.templates import common_cut, source_of
from statusproxy.config.units import DURATION_ALLOWED
from statusproxy.status.channels import ChannelRule
from statusproxy.status.fields import BOOLEANS, fold_word, parse_path
from statusproxy.status.model import Release, SessionRules
from statusproxy.status.session_cut import Cut
from statusproxy.status.set_values import by_word
from statusproxy.status.signals import GRACE, EventRule, SignalKind, SignalRules

#: The end of an error that an option of the command line helps against, where the command has it.
OR_GATEWAY: Final = ", or give --gateway"


class Secret(Section, frozen=True, kw_only=True):
    """A header that a webhook's sender must send with this very value."""

    header: HeaderName
    value: SecretText


class Hmac(Section, frozen=True, kw_only=True):
    """A header in which a webhook's sender signs the body."""

    header: HeaderName
    secret: SecretText
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    prefix: Annotated[str, text(empty=True)] = ""  # what stands before the digest, such as "sha256="
    encoding: Literal["hex", "base64"] = "hex"


class Jwt(Section, frozen=True, kw_only=True):
    """A header in which a webhook's sender sends a JSON Web Token, signed with HS256; with or without `Bearer`."""

    header: HeaderName = "Authorization"
    secret: SecretText


class Token(Section, frozen=True, kw_only=True):
    """A member of the body that a webhook's sender must fill in with this very value."""

    field: Field
    value: SecretText


class Webhook(Section, frozen=True, kw_only=True):
    """A path on which events come by, where they go on to, and whose events are trusted.

    `/**` at the end of the path stands for that path and everything below; at the end of the path of `forward_to` it is
    replaced by what was below. `{session}` in the path names the session of events that name none themselves. The same
    in the path of `forward_to` is replaced by what stood there, byte for byte.
    """

    REQUIRED: ClassVar[Mapping[str, str]] = {"path": "write the path that events are posted to"}

    path: Annotated[str, parsed(check_webhook_path, same)]
    forward_to: Annotated[str, url(parse_target, TARGET_ALLOWED)] | None = None
    forward: bool = True
    except_: Paths = msgspec.field(name="except", default=())  # below it, but the gateway's own
    from_: Networks = msgspec.field(name="from", default=PRIVATE_NETWORKS)
    secret: Secret | None = None
    hmac: Hmac | None = None
    jwt: Jwt | None = None
    token: Token | None = None
    spool: bool = False  # keep what the receiver does not take, and deliver it later

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret of each proof that a sender is asked for; none where its address is all that counts."""
        found = (
            self.secret and self.secret.value,
            self.hmac and self.hmac.secret,
            self.jwt and self.jwt.secret,
            self.token and self.token.value,
        )
        return tuple(each for each in found if each)


class Event(Section, frozen=True, kw_only=True):
    """A rule: which events it is about, where they name session and state, and what that says."""

    REQUIRED: ClassVar[Mapping[str, str]] = {
        "event": "write the name of the event, or a list of names",
        "session": "write the fields that may name the session, such as [session.id, session]",
    }

    event: SomeWords
    session: SomeFields
    state: Fields = ()
    disconnected: Words = ()
    connected: Words = ()
    transient: Words = ()  # count once they have lasted `grace`
    grace: Time | None = None  # `signals.GRACE` where the rule knows a transient state
    means: Literal["disconnected", "connected", "alive", "transient"] | None = None
    unless: Words = ()

    def __post_init__(self) -> None:
        """Fill in the default of `grace`, so that what is shown is what is in force."""
        if self.grace is None and self.is_transient:
            msgspec.structs.force_setattr(self, "grace", GRACE)

    @property
    def is_transient(self) -> bool:
        """Whether the rule knows a transient state."""
        return bool(self.transient) or self.means == "transient"

    def rule(self) -> EventRule:
        """The rule in the form that `status` reads, its names and words folded."""
        return EventRule(
            event=folded(self.event),
            session=tuple(map(parse_path, self.session)),
            state=tuple(map(parse_path, self.state)),
            disconnected=folded(self.disconnected),
            connected=folded(self.connected),
            transient=folded(self.transient),
            grace=GRACE if self.grace is None else self.grace,
            means=None if self.means is None else SignalKind(self.means),
            unless=folded(self.unless),
        )


class Sessions(Section, frozen=True, kw_only=True):
    """How sessions are remembered, and when an override ends."""

    aliases: Annotated[Mapping[str, str], mapping(text(), "a mapping of event id to channel id")] = {}
    alive_grace: Annotated[float, duration(at_least=0)] = 60.0
    max_age: Time | None = None
    max_sessions: Annotated[int, count()] = 10_000
    releases: Annotated[Mapping[str, bool], switches([release.value for release in Release])] = msgspec.field(
        default_factory=lambda: {release.value: True for release in Release}
    )
    history_days: Annotated[int, count(at_most=36_500)] | None = 90

    def rules(self) -> SessionRules:
        """The rules in the form that `status` reads."""
        return SessionRules(
            aliases=dict(self.aliases),
            alive_grace=self.alive_grace,
            max_age=self.max_age,
            max_sessions=self.max_sessions,
            releases=frozenset(Release(name) for name, on in self.releases.items() if on),
        )


class Channels(Section, frozen=True, kw_only=True):
    """A route whose answer is corrected, where the channels stand in it, and what is written there."""

    REQUIRED: ClassVar[Mapping[str, str]] = {
        "path": "write the route's path, such as /api/channels",
        "list": 'write the fields that may hold the channels, such as [channels, data, ""]; one channel: [""]',
        "id": "write the fields that may hold a channel's id, such as [id, name]",
        "set": "write what a disconnected channel reads, such as {status: disconnected}",
    }

    path: Annotated[str, parsed(check_template, same)]
    list: ListFields
    id: SomeFields
    set: Annotated[
        Mapping[str, SetValue],
        mapping(
            set_value(check_set_word),
            "a mapping such as {status: disconnected}",
            at_least=1,
            check_name=check_set_name,
        ),
    ]
    keep: Words = ()
    connected: SomeWords = ("connected", "open")
    one: bool = False  # the answer is about one channel, which it names itself
    share: bool = False

    def rule(self) -> ChannelRule:
        """The rule in the form that `status` reads, its words folded."""
        return ChannelRule(
            list=tuple(map(parse_path, self.list)),
            id=tuple(map(parse_path, self.id)),
            set={name: by_word(value) for name, value in self.set.items()},
            keep=folded(self.keep),
            connected=folded(self.connected),
            one=self.one,
            source=source_of(self.path),
        )


class Reconnect(Section, frozen=True, kw_only=True):
    """Requests that show, in passing, that the gateway has caught up. Each route is `METHOD /path`."""

    delete: SessionRoutes = ()
    create: Routes = ()
    qr: SessionRoutes = ()
    body: Fields = ("channel",)  # where the body of a `create` names the session, when its path does not

    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """The watched routes by the key that holds them, in serving order: every key but `body`."""
        return {key: getattr(self, key) for key in self.__struct_fields__ if key != "body"}


class State(Section, frozen=True, kw_only=True):
    """Where the map of sessions survives a restart."""

    url: StateUrl = "sqlite:///state.db"
    journal: FilePath | None = "."  # a directory, for what a server's store does not take


class Spool(Section, frozen=True, kw_only=True):
    """How much is kept of the events that a receiver did not take, for how long, and when they are tried again."""

    max_bytes: Annotated[int, size(1024)] = 256 * 1024**2  # less on a server (`load`)
    max_entries: Annotated[int, count()] = 100_000
    max_age: Time = 86_400.0
    unknown: Literal["hold", "resend"] = "hold"  # what was sent and not answered: may have arrived
    schedule: Annotated[
        tuple[float, ...],
        texts(duration(), allowed=DURATION_ALLOWED, at_least=1),
    ] = (1.0, 5.0, 30.0, 120.0, 600.0)  # the last repeats


class Admin(Section, frozen=True, kw_only=True):
    """The second, private listener; `listen: null` turns it off, and `admin: null` does."""

    NULL: ClassVar[Mapping[str, None]] = {"listen": None}

    listen: Annotated[Address, parsed(parse_address, allowed=LISTEN_ALLOWED)] | None = Address("127.0.0.1", ADMIN_PORT)
    token: SecretText | None = None


class Timeouts(Section, frozen=True, kw_only=True):
    """How long each step may take, in seconds; None is no limit."""

    connect: Time = 5.0
    request_head: Time = 30.0
    request_body: Time = 60.0  # between two pieces of it
    response_head: Time | None = 120.0  # lists have been seen to take 90 s
    response_body: Time | None = 300.0  # between two pieces of it
    keep_alive: Time = 75.0
    upgrade_idle: Time | None = 3600.0
    min_rate_grace: Time = 5.0  # of waiting for a client, before limits.min_rate is asked of it
    drain_notice: Annotated[float, duration(at_least=0)] = 0.0  # of a stop, to a load balancer
    drain: Annotated[float, duration(at_least=0)] = 30.0


class Limits(Section, frozen=True, kw_only=True):
    """How much of each thing is taken: bytes, or a number of things."""

    head: Annotated[int, size(1024, 1024**2)] = 32 * 1024
    headers: Annotated[int, count(8, 10_000)] = 128
    target: Annotated[int, size(256, 1024**2)] = 16 * 1024
    corrected: Annotated[int, size(1024, 1024**3)] = 32 * 1024**2
    tap: Annotated[int, size(1024, 1024**3)] = 1024**2
    connections: Annotated[int, count()] = 4096
    upstream_connections: Annotated[int, count()] = 512
    upstream_idle: Annotated[int, count(at_least=0)] = 64
    reserved: Annotated[int, count(at_least=0)] | None = None  # an eighth of upstream_connections
    per_client: Annotated[int, count()] | None = None  # three quarters of upstream_connections
    body: Annotated[int, size()] | None = None
    min_rate: Annotated[int, size(1, 1024**2)] | None = 240  # bytes per second a client must send or read


class Tls(Section, frozen=True, kw_only=True):
    """The certificate that the proxied port shows."""

    REQUIRED: ClassVar[Mapping[str, str]] = {
        "certificate": "write the path of the PEM file that holds the certificate and its chain",
        "key": "write the path of the PEM file that holds the certificate's private key",
    }

    certificate: PemFile
    key: PemFile


class GatewayTls(Section, frozen=True, kw_only=True):
    """How an `https:` gateway is trusted, and what it is shown."""

    ca: PemFile | None = None
    certificate: PemFile | None = None
    key: PemFile | None = None
    server_name: Annotated[str, parsed(check_host)] | None = None
    verify: bool = True


class Log(Section, frozen=True, kw_only=True):
    """What is logged, and how.

    `auto` is text on a terminal, `message key=value` in systemd's journal, and JSON lines elsewhere.
    """

    format: Literal["auto", "text", "json"] = "auto"
    level: Literal["debug", "info", "notice", "warning", "error"] = "info"
    access: Annotated[bool | str, boolean_or("json", "combined")] = False


class Settings(Section, frozen=True, kw_only=True):
    """All settings. Two are equal when all their values are."""

    REQUIRED: ClassVar[Mapping[str, str]] = {"gateway": f"write {GATEWAY_ALLOWED}{OR_GATEWAY}"}

    listen: Annotated[
        tuple[Address, ...],
        texts(
            parsed(parse_address, allowed=LISTEN_ALLOWED),
            allowed=LISTEN_ALLOWED,
            at_least=1,
        ),
    ] = (Address("127.0.0.1", 8090),)  # this machine only
    listen_mode: Annotated[int, socket_mode()] = 0o666  # of `unix:` sockets; nginx makes its own so
    gateway: Annotated[str, url(parse_gateway, GATEWAY_ALLOWED)]
    preset: Text | None = DEFAULT_PRESET
    preset_without: LeftOut = ()  # paths and events of the preset that are left out (`overlay`)
    host: Literal["preserve", "gateway"] = "preserve"
    language: Literal["en", "pt-BR"] = "en"
    webhooks: tuple[Webhook, ...] = ()
    events: tuple[Event, ...] = ()
    presence: Literal["ignore", "trust"] = "ignore"
    dialect: Dialect
    sessions: Sessions = Sessions()
    channels: tuple[Channels, ...] = ()
    reconnect: Reconnect = Reconnect()
    trusted_proxies: Networks = PRIVATE_NETWORKS
    underscores_in_headers: Literal["pass", "drop"] = "pass"
    state: State = State()
    spool: Spool = Spool()
    alerts: Alerts | None = None  # nobody is told
    admin: Admin = Admin()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    tls: Tls | None = None
    gateway_tls: GatewayTls = GatewayTls()
    log: Log = Log()

    @property
    def gateway_shown(self) -> str:
        """The gateway's address as people, logs and labels get it: a base path may hold a token."""
        return mask_url(self.gateway, MASK)

    def signal_rules(self) -> SignalRules:
        """How webhooks are read, in the form that `status` reads."""
        rules = tuple(event.rule() for event in self.events)
        names = folded([name for event in self.events for name in event.event])
        dialect = self.dialect.value(boolean_names=bool(names & BOOLEANS))
        return SignalRules(rules, self.presence == "trust", dialect, self.session_cut())

    def session_cut(self) -> Cut | None:
        """How an id is cut from a token beside it, as the paths say; it holds also where no path says it."""
        paths = [*(one.path for one in self.webhooks), *(one.path for one in self.channels)]
        return common_cut([*paths, *chain.from_iterable(self.reconnect.routes().values())])

    def session_rules(self) -> SessionRules:
        """How sessions are remembered, in the form that `status` reads."""
        return self.sessions.rules()


def folded(words: Sequence[str]) -> frozenset[str]:
    """Words as they are compared (`fields.fold_word`)."""
    return frozenset(map(fold_word, words))
