"""What the keys of one block must be together: the checks that look at more than one value.

A check gets a block as its struct and as it is written, and raises the ConfigError for the first mistake. Nothing that
can have no effect passes. `CHECKS` names the check of each block; `blocks.struct` calls it once the block is read.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from statusproxy.config.addresses import parse_gateway, parse_target
from statusproxy.config.blocks import Check
from statusproxy.config.certificates import CertificateError, check_authorities, check_pair
from statusproxy.config.effect import Reach, check_set_value, leads_back, never_reached
from statusproxy.config.paths import SESSION, fold_path
from statusproxy.config.settings import (
    Admin,
    Channels,
    Event,
    GatewayTls,
    Limits,
    Reconnect,
    Secret,
    Sessions,
    Settings,
    Tls,
    Webhook,
    folded,
)
from statusproxy.config.spot import Block, Spot
from statusproxy.config.yaml_tree import Items
from statusproxy.status.fields import fold_word
from statusproxy.status.model import Release


def check_secret(secret: Secret, block: Block) -> None:
    """A header can carry it: white space around a field's value is dropped (RFC 9110 §5.5)."""
    if secret.value != secret.value.strip(" "):
        raise block.at("value").error(
            "found a space at the beginning or the end, which no header carries, so that no event is ever trusted; "
            "allowed: a secret without it"
        )


def check_webhook(webhook: Webhook, block: Block) -> None:
    """A tap has nowhere to forward to; only a session that came can be passed on; and some event can be trusted."""
    if webhook.forward_to is not None:
        _check_placeholder(webhook, webhook.forward_to, block)
    if webhook.forward_to is not None and not webhook.forward:
        raise block.at("forward").error(
            "found false beside forward_to; allowed: forward_to (events go there) or forward: false (a tap)"
        )
    if not webhook.forward and fold_path(webhook.path) == f"/{SESSION}":
        raise block.at("path").found(
            "a tap takes every path of one segment here, also those of the gateway; allowed: a name before it, such as "
            f"/tap/{SESSION}"
        )
    if not webhook.from_ and webhook.forward_to is None:
        raise block.at("from").error(
            "found an empty list, so that no event here is ever trusted; allowed: networks of the senders, "
            "or no from for private networks"
        )
    headers = [each.header.casefold() for each in (webhook.secret, webhook.hmac) if each is not None]
    if len(headers) > len(set(headers)):
        raise block.at("hmac", "header").error(
            "found the header of secret, which cannot hold both, so that no event is ever trusted; "
            "allowed: another header"
        )


def _check_placeholder(webhook: Webhook, forward_to: str, block: Block) -> None:
    path = parse_target(forward_to).path
    if SESSION not in forward_to:
        return
    if path.split("/").count(SESSION) != 1 or forward_to.count(SESSION) != 1:
        raise block.at("forward_to").error(f"allowed: {SESSION} once, as a whole segment of the path")
    if SESSION not in webhook.path:
        raise block.at("forward_to").error(
            f"{SESSION} stands here, but not in path; allowed: in both, or in path alone"
        )


def check_event(event: Event, block: Block) -> None:
    """A rule speaks by its words or by its name, and by one of them only."""
    speaks_by_words = bool(event.state and (event.disconnected or event.connected))
    if event.means is None and not speaks_by_words:
        raise block.spot.error(
            "this rule can never say anything; allowed: means, or state with disconnected or connected"
        )
    if event.means is not None and (event.state or event.disconnected or event.connected):
        raise block.at("means").error(
            "found beside state, disconnected or connected; allowed: means alone, or those without means"
        )
    both = folded(event.disconnected) & folded(event.connected)
    if both:
        raise block.at("connected").error(f"found {min(both)} in disconnected too; allowed: each word once")
    silent = folded(event.event) & folded(event.unless)
    if silent:
        raise block.at("unless").error(
            f"found {min(silent)}, which event lists too, so that the rule never says anything about it; "
            "allowed: events other than the rule's own"
        )


def check_sessions(sessions: Sessions, block: Block) -> None:
    """Each alias leads elsewhere, and a bound in time has its release."""
    for event, channel in sessions.aliases.items():
        if event == channel:
            raise block.at("aliases", event).error(
                "found an alias of an id onto itself; allowed: event id: channel id, where they differ"
            )
    if sessions.max_age is not None and not sessions.releases[Release.EXPIRED.value]:
        raise block.at("max_age").error(
            "found beside releases.expired: false, so that nothing ever expires; allowed: one of the two"
        )


def check_channels(channels: Channels, block: Block) -> None:
    """What counts as connected cannot be kept, or nothing would ever be corrected."""
    both = folded(channels.keep) & folded(channels.connected)
    if both:
        raise block.at("keep").error(
            f"found {min(both)}, which connected lists too; allowed: words that tell more than disconnected"
        )
    connected = folded(channels.connected)
    for name, value in channels.set.items():
        if name in channels.id:
            raise block.at("set", name).error(
                "id lists this field too, and a channel's id is never changed; allowed: a field that holds a status"
            )
        try:
            check_set_value(value)
        except ValueError as error:
            raise block.at("set", name).found(str(error)) from None
        if isinstance(value, str) and fold_word(value) in connected:
            raise block.at("set", name).found(
                "connected lists this word too, so that a lost session would read connected; allowed: another word"
            )


def check_reconnect(reconnect: Reconnect, block: Block) -> None:
    """Each `create` names its session somewhere."""
    for route in reconnect.create:
        if SESSION not in route and not reconnect.body:
            raise block.at("body").error(
                f'found an empty list, and "{route}" has no {SESSION}; allowed: one of the two'
            )


def check_admin(admin: Admin, block: Block) -> None:
    """What others can reach wants a token, and a header can carry it (RFC 9110 §5.5)."""
    if admin.token is not None and admin.token.endswith(" "):
        raise block.at("token").error(
            "found a space at the end, which no header carries, so that nobody is let in; allowed: a token without it"
        )
    if admin.listen is not None and not admin.listen.is_private and admin.token is None:
        raise block.at("listen").error(
            f'found "{admin.listen}", which other machines may reach, and no admin.token; session states and the '
            "release button are private: write 127.0.0.1 or unix:/path, or set admin.token"
        )


def check_limits(limits: Limits, block: Block) -> None:
    """Ordinary requests have places too."""
    if limits.reserved is not None and limits.reserved >= limits.upstream_connections:
        raise block.at("reserved").error(
            f"found {limits.reserved}, and upstream_connections is {limits.upstream_connections}; "
            "allowed: fewer than that, so that other requests have places too"
        )


def check_tls(tls: Tls, block: Block) -> None:
    """Both files can be read and belong together."""
    _check_pair(block, tls.certificate, tls.key)


def check_gateway_tls(files: GatewayTls, block: Block) -> None:
    """The files can be read, and a client certificate has its key."""
    if files.ca is not None:
        try:
            check_authorities(files.ca)
        except CertificateError as error:
            raise block.at("ca").error(str(error)) from None
    if files.certificate is not None and files.key is not None:
        _check_pair(block, files.certificate, files.key)
    elif files.certificate is not None:
        raise block.at("certificate").error("found without gateway_tls.key; allowed: both, or neither")
    elif files.key is not None:
        raise block.at("key").error("found without gateway_tls.certificate; allowed: both, or neither")


def check_settings(settings: Settings, block: Block) -> None:
    """No path and no address serves two purposes, and nothing is written that cannot have an effect."""
    _check_once(block, "webhooks", [webhook.path for webhook in settings.webhooks])
    _check_once(block, "channels", [channels.path for channels in settings.channels])
    if settings.underscores_in_headers == "drop":
        _check_no_underscores(block, settings.webhooks)
    for index, address in enumerate(settings.listen):
        for other in settings.listen[:index]:
            if address == other:
                raise block.at("listen").error(f'found "{address}" twice; allowed: each address once')
            if address.clashes_with(other):
                raise block.at("listen").error(f'found "{other}" and "{address}", of which only one can be opened')
        if settings.admin.listen is not None and settings.admin.listen.clashes_with(address):
            raise block.at("admin", "listen").error(
                f'admin.listen "{settings.admin.listen}" and listen "{address}" are the same port; '
                "give admin.listen another"
            )
    _check_reached(block, settings)
    _check_gateway(block, settings)
    _check_receivers(block, settings)


def _check_receivers(block: Block, settings: Settings) -> None:
    """No receiver of webhooks is this proxy itself: they would go round until no connection is left."""
    for index, webhook in enumerate(settings.webhooks):
        if webhook.forward_to is None:
            continue
        receiver = parse_target(webhook.forward_to)
        entry = block.at("webhooks").items("a list")[index].entries("a mapping")["forward_to"]
        if leads_back(receiver, settings.listen):
            raise entry.found("listen has it too, so that events would come back here; allowed: the receiver's address")
        if settings.admin.listen is not None and leads_back(receiver, [settings.admin.listen]):
            raise entry.found("it is admin.listen, which takes no events; allowed: the receiver's address")


def _check_once(block: Block, name: str, written: Sequence[str]) -> None:
    """No two entries of a list have the same path, as a gateway tells paths apart."""
    seen: dict[str, int] = {}
    for index, path in enumerate(written):
        first = seen.setdefault(fold_path(path), index)
        if first != index:
            entry = block.at(name).items("a list")[index].entries("a mapping")["path"]
            raise entry.found(f"{name}[{first}] has the same path; allowed: each path once")


def _check_gateway(block: Block, settings: Settings) -> None:
    """The gateway is not this proxy itself, and TLS is set up for one that speaks it."""
    gateway = parse_gateway(settings.gateway)
    spot = block.at("gateway")
    if leads_back(gateway, settings.listen):
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
    places: list[tuple[str, int, str]] = []  # the key in the file, the index, and what both are called
    reach: list[Reach] = []
    for index, webhook in enumerate(settings.webhooks):
        places.append(("webhooks", index, f"webhooks[{index}]"))
        reach.append((_POSTED if webhook.forward else _EVERY, webhook.path))
    for index, channels in enumerate(settings.channels):
        places.append(("channels", index, f"channels[{index}]"))
        reach.append((_READ, channels.path))
    for key in _ROUTES:
        for index, route in enumerate(attrgetter(key)(settings)):
            method, _, path = route.partition(" ")
            places.append((key, index, key))
            reach.append((frozenset({method}), path))
    left_out = {fold_path(path) for path in settings.preset_without}
    for late, early in never_reached(reach):
        taken, taker = (_place(block, *places[each][:2]) for each in (late, early))
        # What a preset brings is not the user's to correct; what takes its requests is.
        if taken.mark.source == block.spot.mark.source:
            raise taken.error(
                f"it gets no request, since {places[early][2]} takes them first; allowed: routes that differ"
            )
        # A forwarded event's path may take those that only show that a session is back; a tap answers them itself.
        taken_matters = places[late][0] in _BY_PATH or (
            reach[early][0] == _EVERY and fold_path(reach[late][1]) not in left_out
        )
        if taken_matters and taker.mark.source == block.spot.mark.source:
            raise taker.error(_taken_from_preset(places[late][0], reach[late][1], reach[early][1]))


def _place(block: Block, key: str, index: int) -> Spot:
    spot = block.at(*key.split("."))
    return spot.items("a list")[index] if isinstance(spot.node, Items) else spot


def _taken_from_preset(name: str, path: str, taker: str) -> str:
    """What is wrong with a route by which one of the preset gets no request, and what to write."""
    before = f", an entry {path} before this one" if SESSION in taker and name == "webhooks" else ""
    left_out = f"preset_without: [{path}]" if name in _BY_PATH else f"{name} of your own"
    return (
        f"it takes the requests of {path}, which the preset has in {name}; allowed: another path{before}, or {left_out}"
    )


#: Blocks whose entries have a path, by which `preset_without` names them.
_BY_PATH = ("webhooks", "channels")

#: The keys that hold watched routes, written METHOD /path, in the order in which `assembly.build_site` has them.
_ROUTES: Final = ("reconnect.delete", "reconnect.create", "reconnect.qr")

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
        check_pair(certificate, key)
    except CertificateError as error:
        raise block.at(error.file).error(str(error)) from None


#: The check of each block that has one.
CHECKS: Final[Mapping[type[msgspec.Struct], Check]] = {
    Secret: check_secret,
    Webhook: check_webhook,
    Event: check_event,
    Sessions: check_sessions,
    Channels: check_channels,
    Reconnect: check_reconnect,
    Admin: check_admin,
    Limits: check_limits,
    Tls: check_tls,
    GatewayTls: check_gateway_tls,
    Settings: check_settings,
}
