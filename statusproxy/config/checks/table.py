"""The check of each block of the configuration: the one table.

A check gets a block as its struct and as it is written, and raises the ConfigError for the first mistake. It also
refuses what can have no effect. `blocks.struct` calls it once the block is read.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from statusproxy.config.alerts import Alerts, AlertTarget
from statusproxy.config.blocks import Check
from statusproxy.config.checks.alerts import check_alert_target, check_alerts, check_alerts_elsewhere
from statusproxy.config.checks.gateway import check_gateway, check_limits
from statusproxy.config.checks.listeners import check_addresses, check_admin
from statusproxy.config.checks.routes import check_once, check_reached
from statusproxy.config.checks.sessions import check_channels, check_event, check_reconnect, check_sessions
from statusproxy.config.checks.tls import check_gateway_tls, check_tls
from statusproxy.config.checks.webhooks import (
    check_jwt,
    check_no_underscores,
    check_receivers,
    check_secret,
    check_token,
    check_webhook,
)
from statusproxy.config.settings import (
    Admin,
    Channels,
    Event,
    GatewayTls,
    Jwt,
    Limits,
    Reconnect,
    Secret,
    Sessions,
    Settings,
    Tls,
    Token,
    Webhook,
)
from statusproxy.config.spot import Block


def check_settings(settings: Settings, block: Block) -> None:
    """The checks that look at several blocks; the first mistake in this order is the one reported."""
    check_once(block, "webhooks", [webhook.path for webhook in settings.webhooks])
    check_once(block, "channels", [channels.path for channels in settings.channels])
    if settings.underscores_in_headers == "drop":
        check_no_underscores(block, settings.webhooks)
    check_addresses(block, settings)
    check_reached(block, settings)
    check_gateway(block, settings)
    check_receivers(block, settings)
    check_alerts_elsewhere(block, settings)


#: The check of each block that has one.
CHECKS: Final[Mapping[type[msgspec.Struct], Check]] = {
    Secret: check_secret,
    Jwt: check_jwt,
    Token: check_token,
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
    AlertTarget: check_alert_target,
    Alerts: check_alerts,
}
