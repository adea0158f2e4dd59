"""Checks of `gateway` and the `limits` of connections to it: it is another program, and every request can have one."""

from statusproxy.config.addresses import parse_gateway
from statusproxy.config.effect import leads_back
from statusproxy.config.settings import Limits, Settings
from statusproxy.config.spot import Block


def check_gateway(block: Block, settings: Settings) -> None:
    """Refuse a gateway that is this proxy itself or its admin listener, and TLS settings without TLS to it."""
    gateway = parse_gateway(settings.gateway)
    spot = block.at("gateway")
    if leads_back(gateway, settings.listen):
        raise spot.found(
            "it is in listen too, so requests would come back to this proxy; allowed: the gateway's own address"
        )
    if settings.admin.listen is not None and leads_back(gateway, [settings.admin.listen]):
        raise spot.found("it is admin.listen too; allowed: the gateway's own address, or another admin.listen")
    files = settings.gateway_tls
    written = [name for name in ("ca", "certificate", "key", "server_name") if getattr(files, name) is not None]
    if written and gateway.scheme != "https" and not spot.is_from_command_line:
        raise block.at("gateway_tls", written[0]).error(
            "found with a gateway that is not https://, so it has no effect; allowed: gateway: https://…, or "
            f"no gateway_tls.{written[0]}"
        )


def check_limits(limits: Limits, block: Block) -> None:
    """Refuse a reservation that leaves no place for ordinary requests."""
    if limits.reserved is not None and limits.reserved >= limits.upstream_connections:
        raise block.at("reserved").error(
            f"found {limits.reserved}, and upstream_connections is {limits.upstream_connections}; "
            "allowed: fewer than that, so that other requests have places too"
        )
