"""Checks of `alerts`: each target is one place to send to, none is this proxy itself, and something is sent."""

from typing import Final

from statusproxy.config.addresses import parse_target
from statusproxy.config.alerts import Alerts, AlertTarget, decoded_secret
from statusproxy.config.effect import leads_back
from statusproxy.config.settings import Settings
from statusproxy.config.spot import Block, Spot
from statusproxy.config.units import format_duration

_ONE: Final = "allowed: webhook (a URL that takes JSON) or apprise (a URL of Apprise), one of the two"


def check_alert_target(target: AlertTarget, block: Block) -> None:
    """Refuse a target that is no address or two, and a secret that signs nothing or cannot be read."""
    if target.webhook is not None and target.apprise is not None:
        raise block.at("apprise").error(f"found beside webhook; {_ONE}")
    if target.webhook is None and target.apprise is None:
        raise block.spot.error(f"found neither webhook nor apprise; {_ONE}")
    if target.secret is None:
        return
    if target.webhook is None:
        raise block.at("secret").error(
            "found beside apprise, which signs nothing; allowed: with webhook (what Apprise sends with is in its URL)"
        )
    try:
        decoded_secret(target.secret)
    except ValueError:
        raise block.at("secret").error(
            "found no base64 after whsec_; allowed: whsec_ and the key in base64, or a text that does not begin with "
            "whsec_"
        ) from None


def check_alerts(alerts: Alerts, block: Block) -> None:
    """Refuse a block by which nobody is told, a target twice, and reminders that grouping would hold back."""
    if not alerts.to and alerts.heartbeat is None:
        raise block.at("to").error(
            "found no target, so nobody is told; allowed: a list such as [{webhook: https://hub.example/alerts}]; "
            "for no alerts remove the block alerts"
        )
    if alerts.remind is not None and alerts.remind < alerts.group:
        raise block.at("remind").found(
            f"allowed: at least group ({format_duration(alerts.group)}), the shortest time between two messages; or "
            "null for no reminder"
        )
    first: dict[str, int] = {}
    for index, target in enumerate(alerts.to):
        known = first.setdefault(target.id, index)
        if known != index:
            raise _target(block, index).error(f"found the address of to[{known}]; allowed: each address once")


def check_alerts_elsewhere(block: Block, settings: Settings) -> None:
    """Refuse a target or heartbeat that is this proxy itself."""
    if settings.alerts is None:
        return
    alerts = block.at("alerts").entries("a mapping")
    for index, target in enumerate(settings.alerts.to):
        if target.webhook is not None:
            _check_elsewhere(
                alerts["to"].items("a list")[index].entries("a mapping")["webhook"], target.webhook, settings
            )
    if settings.alerts.heartbeat is not None:
        _check_elsewhere(alerts["heartbeat"], settings.alerts.heartbeat, settings)


def _check_elsewhere(spot: Spot, url: str, settings: Settings) -> None:
    listen = [*settings.listen, *([] if settings.admin.listen is None else [settings.admin.listen])]
    if leads_back(parse_target(url), listen):
        raise spot.error(
            "found an address of this proxy itself, which accepts no alerts; allowed: the address of the receiver"
        )


def _target(block: Block, index: int) -> Spot:
    return block.at("to").items("a list")[index]
