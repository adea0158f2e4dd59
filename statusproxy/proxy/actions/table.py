"""The table of actions: which one serves which kind of route."""

from collections.abc import Mapping
from typing import Final

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy.actions import channel_list, evidence, forward, webhook
from statusproxy.proxy.exchange import Action

ACTIONS: Final[Mapping[RouteKind, Action]] = {
    RouteKind.PASS: forward.serve,
    RouteKind.WEBHOOK: webhook.serve,
    RouteKind.NOT_FOUND: webhook.refuse,
    RouteKind.CHANNELS: channel_list.serve,
    RouteKind.QR: evidence.serve_qr,
    RouteKind.CREATE: evidence.serve_create,
    RouteKind.DELETE: evidence.serve_delete,
}
