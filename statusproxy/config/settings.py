"""Every setting of the proxy, typed and validated: `load` reads them, `dump` shows them.

The structs below are the configuration file: their fields are its keys, in its order, and each field's type says
how it is read and shown. Values that a preset supplies (webhooks, events, channels, reconnect, language) are
empty here.
"""

import ipaddress
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from statusproxy.config import addresses, certificates, paths, state_url
from statusproxy.config import dump as config_dump
from statusproxy.config import effect as config_effect
from statusproxy.config import layers as config_layers
from statusproxy.config.addresses import Address, Network
from statusproxy.config.errors import ConfigError
from statusproxy.config.layers import DEFAULT_PRESET, find_file, preset_names
from statusproxy.config.modes import socket_mode
from statusproxy.config.reader import (
    JSON_SCALAR,
    MASK,
    Block,
    Form,
    JsonScalar,
    Spot,
    boolean_or,
    count,
    duration,
    mapping,
    parsed,
    same,
    secret,
    size,
    struct,
    switches,
    text,
    texts,
)
from statusproxy.config.yaml_tree import Items
from statusproxy.status import dialect as status_dialect
from statusproxy.status.channels import ChannelRule
from statusproxy.status.fields import fold_word, parse_path
from statusproxy.status.model import Release, SessionRules
from statusproxy.status.signals import EventRule, Kind, SignalRules

#: The end of an error that an option of the command line helps against, where the command has it.
OR_GATEWAY: Final = ", or give --gateway"

__all__ = ["OR_GATEWAY", "Address", "ConfigError", "Settings", "dump", "find_file", "load", "loads", "preset_names"]

PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",  # RFC 1918, as the two below
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # link-local, RFC 3927
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local, RFC 4291
    )
)


_TEXT = text()


def _read_word(spot: Spot) -> str:
    _TEXT.read(spot)
    return parsed(config_effect.check_word).read(spot)


_WORD = Form(_read_word, same)
Words = Annotated[tuple[str, ...], texts(_WORD)]
SomeWords = Annotated[tuple[str, ...], texts(_WORD, at_least=1)]
Fields = Annotated[tuple[str, ...], texts(parsed(config_effect.check_named_field))]
SomeFields = Annotated[tuple[str, ...], texts(parsed(config_effect.check_named_field), at_least=1)]
Members = Annotated[tuple[str, ...], texts(parsed(config_effect.check_member))]
SomeMembers = Annotated[tuple[str, ...], texts(parsed(config_effect.check_member), at_least=1)]
ListFields = Annotated[tuple[str, ...], texts(parsed(config_effect.check_field_path), at_least=1)]
Networks = Annotated[tuple[Network, ...], texts(parsed(addresses.parse_network), allowed=addresses.NETWORK_ALLOWED)]
Routes = Annotated[tuple[str, ...], texts(parsed(paths.check_route), allowed=paths.ROUTE_ALLOWED)]
SessionRoutes = Annotated[
    tuple[str, ...],
    texts(parsed(paths.check_session_route), allowed=paths.ROUTE_ALLOWED),
]
HeaderName = Annotated[str, parsed(paths.check_header_name)]
SecretText = Annotated[str, secret()]
Text = Annotated[str, text()]
FilePath = Annotated[str, parsed(addresses.check_path)]
PemFile = Annotated[str, text(private=True)]  # the key itself may have been written in place of its path
Time = Annotated[float, duration()]


def _url(parse: Callable[[str], object], allowed: str) -> Form[str]:
    """An address kept as text, in the one spelling that `parse` gives it; never shown with a password."""
    return parsed(
        lambda value: str(parse(value)),
        lambda value: addresses.mask_query(value, MASK),
        allowed=allowed,
        reveal=lambda value: addresses.conceal_url(value, MASK),
    )


def _check_state_url(text: str) -> str:
    state_url.parse_state_url(text)
    return text


StateUrl = Annotated[
    str,
    parsed(
        _check_state_url,
        lambda value: state_url.mask_state_url(value, MASK),
        allowed=state_url.STATE_ALLOWED,
        reveal=lambda value: state_url.reveal_state_url(value, MASK),
        private=True,
    ),
]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A block of the file. Its `repr` masks secrets, for what is printed in haste ends in a log."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({struct(type(self)).show(self)})"


class Secret(Section, frozen=True, kw_only=True):
    """A header that a webhook's sender must send with this very value."""

    header: HeaderName
    value: SecretText

    def check(self, block: Block) -> None:
        """A header can carry it: white space around a field's value is dropped (RFC 9110 §5.5)."""
        if self.value != self.value.strip(" "):
            raise block.at("value").error(
                "found a space at the beginning or the end, which no header carries, so that no event is ever trusted; "
                "allowed: a secret without it"
            )


class Hmac(Section, frozen=True, kw_only=True):
    """A header in which a webhook's sender signs the body."""

    header: HeaderName
    secret: SecretText
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    prefix: Annotated[str, text(empty=True)] = ""  # what stands before the digest, such as "sha256="
    encoding: Literal["hex", "base64"] = "hex"


class Webhook(Section, frozen=True, kw_only=True):
    """A path on which events come by, where they go on to, and whose word is believed.

    `{session}` in the path names the session of events that name none themselves. The same in the path of
    `forward_to` is replaced by what stood there, byte for byte.
    """

    REQUIRED: ClassVar[Mapping[str, str]] = {"path": "write the path that events are posted to"}

    path: Annotated[str, parsed(paths.check_template, same)]
    forward_to: Annotated[str, _url(addresses.parse_target, addresses.TARGET_ALLOWED)] | None = None
    forward: bool = True
    from_: Networks = msgspec.field(name="from", default=PRIVATE_NETWORKS)
    secret: Secret | None = None
    hmac: Hmac | None = None

    def check(self, block: Block) -> None:
        """A tap has nowhere to forward to; only a session that came can be passed on; and some event can be trusted."""
        if self.forward_to is not None:
            self._check_placeholder(self.forward_to, block)
        if self.forward_to is not None and not self.forward:
            raise block.at("forward").error(
                "found false beside forward_to; allowed: forward_to (events go there) or forward: false (a tap)"
            )
        if not self.from_ and self.forward_to is None:
            raise block.at("from").error(
                "found an empty list, so that no event here is ever trusted; allowed: networks of the senders, "
                "or no from for private networks"
            )
        headers = [each.header.casefold() for each in (self.secret, self.hmac) if each is not None]
        if len(headers) > len(set(headers)):
            raise block.at("hmac", "header").error(
                "found the header of secret, which cannot hold both, so that no event is ever trusted; "
                "allowed: another header"
            )

    def _check_placeholder(self, forward_to: str, block: Block) -> None:
        path = addresses.parse_target(forward_to).path
        if paths.SESSION not in forward_to:
            return
        if path.split("/").count(paths.SESSION) != 1 or forward_to.count(paths.SESSION) != 1:
            raise block.at("forward_to").error(f"allowed: {paths.SESSION} once, as a whole segment of the path")
        if paths.SESSION not in self.path:
            raise block.at("forward_to").error(
                f"{paths.SESSION} stands here, but not in path; allowed: in both, or in path alone"
            )


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
    means: Literal["disconnected", "connected", "alive"] | None = None
    unless: Words = ()

    def check(self, block: Block) -> None:
        """A rule speaks by its words or by its name, and by one of them only."""
        speaks_by_words = bool(self.state and (self.disconnected or self.connected))
        if self.means is None and not speaks_by_words:
            raise block.spot.error(
                "this rule can never say anything; allowed: means, or state with disconnected or connected"
            )
        if self.means is not None and (self.state or self.disconnected or self.connected):
            raise block.at("means").error(
                "found beside state, disconnected or connected; allowed: means alone, or those without means"
            )
        both = _folded(self.disconnected) & _folded(self.connected)
        if both:
            raise block.at("connected").error(f"found {min(both)} in disconnected too; allowed: each word once")
        silent = _folded(self.event) & _folded(self.unless)
        if silent:
            raise block.at("unless").error(
                f"found {min(silent)}, which event lists too, so that the rule never says anything about it; "
                "allowed: events other than the rule's own"
            )

    def rule(self) -> EventRule:
        """The rule as the domain wants it, its names and words folded."""
        return EventRule(
            event=_folded(self.event),
            session=tuple(map(parse_path, self.session)),
            state=tuple(map(parse_path, self.state)),
            disconnected=_folded(self.disconnected),
            connected=_folded(self.connected),
            means=None if self.means is None else Kind(self.means),
            unless=_folded(self.unless),
        )


class Dialect(Section, frozen=True, kw_only=True):
    """Where this gateway's events and answers name things."""

    event: SomeFields = ("event",)  # the event's name
    time: Fields = ("timestamp", "raw.payload.t")  # when it happened
    event_id: Fields = ("event_id",)  # what is the same in a repeated delivery
    own: Fields = ()  # what is true in messages of the session's own making, beside the marks of all known gateways
    presence: Members = status_dialect.PRESENCE_MARKS  # what only events about a contact or chat have
    qr: SomeMembers = status_dialect.QR_MEMBERS  # what holds the code in the QR route's answer

    def value(self) -> status_dialect.Dialect:
        """The dialect as the domain wants it."""
        return status_dialect.Dialect(
            event=tuple(map(parse_path, self.event)),
            time=tuple(map(parse_path, self.time)),
            event_id=tuple(map(parse_path, self.event_id)),
            own=(*status_dialect.OWN, *map(parse_path, self.own)),
            presence=self.presence,
            qr=self.qr,
        )


class Sessions(Section, frozen=True, kw_only=True):
    """How sessions are kept in mind and when an override ends."""

    aliases: Annotated[Mapping[str, str], mapping(_TEXT, "a mapping of event id to channel id")] = {}
    alive_grace: Annotated[float, duration(at_least=0)] = 60.0
    max_age: Time | None = None
    max_sessions: Annotated[int, count()] = 10_000
    releases: Annotated[Mapping[str, bool], switches([release.value for release in Release])] = msgspec.field(
        default_factory=lambda: {release.value: True for release in Release}
    )
    history_days: Annotated[int, count(at_most=36_500)] | None = 90

    def check(self, block: Block) -> None:
        """Each alias leads elsewhere, and a bound in time has its release."""
        for event, channel in self.aliases.items():
            if event == channel:
                raise block.at("aliases", event).error(
                    "found an alias of an id onto itself; allowed: event id: channel id, where they differ"
                )
        if self.max_age is not None and not self.releases[Release.EXPIRED.value]:
            raise block.at("max_age").error(
                "found beside releases.expired: false, so that nothing ever expires; allowed: one of the two"
            )

    def rules(self) -> SessionRules:
        """The rules as the domain wants them."""
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
        "list": 'write the fields that may hold the channels, such as [channels, data, ""]',
        "id": "write the fields that may hold a channel's id, such as [id, name]",
        "set": "write what a disconnected channel reads, such as {status: disconnected}",
    }

    path: Annotated[str, parsed(paths.check_template, same)]
    list: ListFields
    id: SomeFields
    set: Annotated[
        Mapping[str, JsonScalar],
        mapping(
            JSON_SCALAR,
            "a mapping such as {status: disconnected}",
            at_least=1,
            check_name=config_effect.check_set_name,
        ),
    ]
    keep: Words = ()
    connected: SomeWords = ("connected", "open")
    share: bool = False

    def check(self, block: Block) -> None:
        """What counts as connected cannot be kept, or nothing would ever be corrected."""
        both = _folded(self.keep) & _folded(self.connected)
        if both:
            raise block.at("keep").error(
                f"found {min(both)}, which connected lists too; allowed: words that tell more than disconnected"
            )
        connected = _folded(self.connected)
        for name, value in self.set.items():
            try:
                config_effect.check_set_value(value)
            except ValueError as error:
                raise block.at("set", name).found(str(error)) from None
            if isinstance(value, str) and fold_word(value) in connected:
                raise block.at("set", name).found(
                    "connected lists this word too, so that a lost session would read connected; allowed: another word"
                )

    def rule(self) -> ChannelRule:
        """The rule as the domain wants it, its words folded."""
        return ChannelRule(
            list=tuple(map(parse_path, self.list)),
            id=tuple(map(parse_path, self.id)),
            set=dict(self.set),
            keep=_folded(self.keep),
            connected=_folded(self.connected),
            source=self.path,
        )


class Reconnect(Section, frozen=True, kw_only=True):
    """Requests that show, in passing, that the gateway has caught up. Each route is `METHOD /path`."""

    delete: SessionRoutes = ()
    create: Routes = ()
    qr: SessionRoutes = ()
    body: Fields = ("channel",)  # where the body of a `create` names the session, when its path does not

    def check(self, block: Block) -> None:
        """Each `create` names its session somewhere."""
        for route in self.create:
            if paths.SESSION not in route and not self.body:
                raise block.at("body").error(
                    f'found an empty list, and "{route}" has no {paths.SESSION}; allowed: one of the two'
                )


class State(Section, frozen=True, kw_only=True):
    """Where the map of sessions survives a restart."""

    url: StateUrl = "sqlite:///state.db"
    journal: FilePath | None = "."  # a directory, for what a server's store does not take


class Admin(Section, frozen=True, kw_only=True):
    """The second, private listener; `listen: null` turns it off."""

    listen: Annotated[Address, parsed(addresses.parse_address, allowed=addresses.LISTEN_ALLOWED)] | None = Address(
        "127.0.0.1", addresses.ADMIN_PORT
    )
    token: SecretText | None = None

    def check(self, block: Block) -> None:
        """What others can reach wants a token, and a header can carry it (RFC 9110 §5.5)."""
        if self.token is not None and self.token.endswith(" "):
            raise block.at("token").error(
                "found a space at the end, which no header carries, so that nobody is let in; "
                "allowed: a token without it"
            )
        if self.listen is not None and not self.listen.is_private and self.token is None:
            raise block.at("listen").error(
                f'found "{self.listen}", which other machines may reach, and no admin.token; session states and the '
                "release button are private: write 127.0.0.1 or unix:/path, or set admin.token"
            )


def _read_admin(spot: Spot) -> Admin:
    """`admin: null` is the short way to turn the whole listener off."""
    admin: Admin = Admin(listen=None) if spot.is_null else _ADMIN.read(spot)
    return admin


_ADMIN = struct(Admin)


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

    def check(self, block: Block) -> None:
        """Ordinary requests have places too."""
        if self.reserved is not None and self.reserved >= self.upstream_connections:
            raise block.at("reserved").error(
                f"found {self.reserved}, and upstream_connections is {self.upstream_connections}; "
                "allowed: fewer than that, so that other requests have places too"
            )

    @property
    def places_reserved(self) -> int:
        """Connections to the gateway that are kept for webhooks and corrected lists."""
        return self.upstream_connections // 8 if self.reserved is None else self.reserved

    @property
    def places_per_client(self) -> int:
        """Connections to the gateway that one client address may hold at a time.

        Three quarters: most sites have one hub, and others still find places.
        """
        return (3 * self.upstream_connections + 3) // 4 if self.per_client is None else self.per_client


class Tls(Section, frozen=True, kw_only=True):
    """The certificate that the proxied port shows."""

    REQUIRED: ClassVar[Mapping[str, str]] = {
        "certificate": "write the path of the PEM file that holds the certificate and its chain",
        "key": "write the path of the PEM file that holds the certificate's private key",
    }

    certificate: PemFile
    key: PemFile

    def check(self, block: Block) -> None:
        """Both files can be read and belong together."""
        _check_pair(block, self.certificate, self.key)


class GatewayTls(Section, frozen=True, kw_only=True):
    """How an `https:` gateway is trusted, and what it is shown."""

    ca: PemFile | None = None
    certificate: PemFile | None = None
    key: PemFile | None = None
    server_name: Annotated[str, parsed(addresses.check_host)] | None = None
    verify: bool = True

    def check(self, block: Block) -> None:
        """The files can be read, and a client certificate has its key."""
        if self.ca is not None:
            try:
                certificates.check_authorities(self.ca)
            except certificates.CertificateError as error:
                raise block.at("ca").error(str(error)) from None
        if self.certificate is not None and self.key is not None:
            _check_pair(block, self.certificate, self.key)
        elif self.certificate is not None:
            raise block.at("certificate").error("found without gateway_tls.key; allowed: both, or neither")
        elif self.key is not None:
            raise block.at("key").error("found without gateway_tls.certificate; allowed: both, or neither")


class Log(Section, frozen=True, kw_only=True):
    """What is logged, and how.

    `auto` is text on a terminal, `message key=value` in systemd's journal, and JSON lines elsewhere.
    """

    format: Literal["auto", "text", "json"] = "auto"
    level: Literal["debug", "info", "notice", "warning", "error"] = "info"
    access: Annotated[bool | str, boolean_or("json", "combined")] = False


class Settings(Section, frozen=True, kw_only=True):
    """All settings. Two are equal when all their values are."""

    REQUIRED: ClassVar[Mapping[str, str]] = {"gateway": f"write {addresses.GATEWAY_ALLOWED}{OR_GATEWAY}"}

    listen: Annotated[
        tuple[Address, ...],
        texts(
            parsed(addresses.parse_address, allowed=addresses.LISTEN_ALLOWED),
            allowed=addresses.LISTEN_ALLOWED,
            at_least=1,
        ),
    ] = (Address("0.0.0.0", 8090),)
    listen_mode: Annotated[int, socket_mode()] = 0o666  # of `unix:` sockets; nginx makes its own so
    gateway: Annotated[str, _url(addresses.parse_gateway, addresses.GATEWAY_ALLOWED)]
    preset: Text | None = DEFAULT_PRESET
    preset_without: Words = ()  # paths and events of the preset that are left out (`config_overlay`)
    host: Literal["preserve", "gateway"] = "preserve"
    language: Literal["en", "pt-BR"] = "en"
    webhooks: tuple[Webhook, ...] = ()
    events: tuple[Event, ...] = ()
    presence: Literal["ignore", "trust"] = "ignore"
    dialect: Dialect = Dialect()
    sessions: Sessions = Sessions()
    channels: tuple[Channels, ...] = ()
    reconnect: Reconnect = Reconnect()
    trusted_proxies: Networks = PRIVATE_NETWORKS
    underscores_in_headers: Literal["pass", "drop"] = "pass"
    state: State = State()
    admin: Annotated[Admin, msgspec.structs.replace(_ADMIN, read=_read_admin)] = Admin()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    tls: Tls | None = None
    gateway_tls: GatewayTls = GatewayTls()
    log: Log = Log()

    def check(self, block: Block) -> None:
        """No path and no address serves two purposes, and nothing is written that cannot have an effect."""
        _check_once(block, "webhooks", [webhook.path for webhook in self.webhooks])
        _check_once(block, "channels", [channels.path for channels in self.channels])
        if self.underscores_in_headers == "drop":
            _check_no_underscores(block, self.webhooks)
        for index, address in enumerate(self.listen):
            for other in self.listen[:index]:
                if address == other:
                    raise block.at("listen").error(f'found "{address}" twice; allowed: each address once')
                if address.clashes_with(other):
                    raise block.at("listen").error(f'found "{other}" and "{address}", of which only one can be opened')
            if self.admin.listen is not None and self.admin.listen.clashes_with(address):
                raise block.at("admin", "listen").error(
                    f'admin.listen "{self.admin.listen}" and listen "{address}" are the same port; '
                    "give admin.listen another"
                )
        _check_reached(block, self)
        _check_gateway(block, self)

    def signal_rules(self) -> SignalRules:
        """How webhooks are read, as the domain wants it."""
        return SignalRules(
            rules=tuple(event.rule() for event in self.events),
            presence_trusted=self.presence == "trust",
            dialect=self.dialect.value(),
        )

    def session_rules(self) -> SessionRules:
        """How sessions are kept in mind, as the domain wants it."""
        return self.sessions.rules()


_ROOT = struct(Settings)


def load(
    path: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, str | Sequence[str]] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    listen: Sequence[str] | None = None,
    gateway: str | None = None,
) -> Settings:
    """Read the settings from a file, its preset, and what the command line says.

    `path` names the file; without it `find_file` looks for one, and where there is none the defaults serve (the
    gateway must then come from the command line). `listen` and `gateway`, and any key path of `overrides` (such
    as `{"log.format": "json"}`), beat the file. `environ` fills in `${VAR}`; it defaults to the process's own.
    Raises ConfigError for the first mistake found.
    """
    environ = os.environ if environ is None else environ
    file = Path(path) if path is not None else find_file(environ)
    given: dict[str, str | Sequence[str]] = dict(overrides or {})
    if listen:
        given["listen"] = listen
    if gateway is not None:
        given["gateway"] = gateway
    if file is not None:
        return _settings(config_layers.read_file(file, environ, _ROOT.keys), given)
    if "gateway" not in given:
        searched = ", ".join(map(str, config_layers.SEARCHED))
        raise ConfigError(
            f"no configuration file found (looked at ${config_layers.FILE_VARIABLE}, {searched}); write one{OR_GATEWAY}"
        )
    return _settings(config_layers.NOTHING, given)


def loads(text: str, environ: Mapping[str, str] | None = None, source: str = "config.yaml") -> Settings:
    """Read the settings from the text of a configuration file; `source` names it in errors."""
    return _settings(config_layers.read_text(text, source, environ or {}, _ROOT.keys), {})


def dump(settings: Settings) -> str:
    """The effective settings as YAML, secrets masked.

    Loaded again they are equal but for the masked values: every entry is written out, so no preset adds to them.
    """
    return config_dump.to_yaml(_ROOT.show(settings))


def _settings(written: config_layers.Layer, given: Mapping[str, str | Sequence[str]]) -> Settings:
    mark, entries = config_layers.with_preset(config_layers.with_overrides(written, given))
    settings: Settings = _ROOT.read(Spot(entries, "", mark))
    return settings


def _folded(words: Sequence[str]) -> frozenset[str]:
    return frozenset(map(fold_word, words))


def _check_once(block: Block, name: str, written: Sequence[str]) -> None:
    """No two entries of a list have the same path, as a gateway tells paths apart."""
    seen: dict[str, int] = {}
    for index, path in enumerate(written):
        first = seen.setdefault(paths.fold_path(path), index)
        if first != index:
            entry = block.at(name).items("a list")[index].entries("a mapping")["path"]
            raise entry.found(f"{name}[{first}] has the same path; allowed: each path once")


def _check_gateway(block: Block, settings: Settings) -> None:
    """The gateway is not this proxy itself, and TLS is set up for one that speaks it."""
    gateway = addresses.parse_gateway(settings.gateway)
    spot = block.at("gateway")
    if config_effect.leads_back(gateway, settings.listen):
        raise spot.found("listen has it too, so that requests would come back here; allowed: the gateway's own address")
    files = settings.gateway_tls
    written = [name for name in ("ca", "certificate", "key", "server_name") if getattr(files, name) is not None]
    if written and gateway.scheme != "https" and not spot.is_from_command_line:
        raise block.at("gateway_tls", written[0]).error(
            "found beside a gateway that is no https:// one, so that it has no effect; allowed: gateway: https://…, or "
            f"no gateway_tls.{written[0]}"
        )


def _check_reached(block: Block, settings: Settings) -> None:
    """Each route that the user wrote gets requests: none before it takes them all. In the order in which they serve."""
    places: list[tuple[str, int, str]] = []
    reach: list[config_effect.Reach] = []
    for index, webhook in enumerate(settings.webhooks):
        places.append(("webhooks", index, f"webhooks[{index}]"))
        reach.append((_POSTED if webhook.forward else _EVERY, webhook.path))
    for index, channels in enumerate(settings.channels):
        places.append(("channels", index, f"channels[{index}]"))
        reach.append((_READ, channels.path))
    for name in ("delete", "create", "qr"):
        for index, route in enumerate(getattr(settings.reconnect, name)):
            method, _, path = route.partition(" ")
            places.append((name, index, f"reconnect.{name}"))
            reach.append((frozenset({method}), path))
    for late, early in config_effect.never_reached(reach):
        name, index, _ = places[late]
        spot = block.at(name) if name in ("webhooks", "channels") else block.at("reconnect", name)
        if isinstance(spot.node, Items):
            spot = spot.items("a list")[index]
        # What a preset brings is not the user's to correct.
        if spot.mark.source == block.spot.mark.source:
            raise spot.error(
                f"it gets no request, since {places[early][2]} takes them first; allowed: routes that differ"
            )


_POSTED = frozenset({"POST", "PUT", "PATCH"})
_READ = frozenset({"GET", "HEAD"})
_EVERY = _POSTED | _READ | {"DELETE", "OPTIONS", "TRACE"}


def _check_no_underscores(block: Block, webhooks: Sequence[Webhook]) -> None:
    """No webhook asks its sender for a field that `underscores_in_headers: drop` removes."""
    for index, webhook in enumerate(webhooks):
        for name, asked in (("secret", webhook.secret), ("hmac", webhook.hmac)):
            if asked is None or "_" not in asked.header:
                continue
            entry = block.at("webhooks").items("a list")[index].entries("a mapping")[name].entries("a mapping")
            raise entry["header"].error(
                "found a name with _; underscores_in_headers: drop removes this field, so no event would be trusted; "
                "allowed: a name without _, or underscores_in_headers: pass"
            )


def _check_pair(block: Block, certificate: str, key: str) -> None:
    try:
        certificates.check_pair(certificate, key)
    except certificates.CertificateError as error:
        raise block.at(error.file).error(str(error)) from None
