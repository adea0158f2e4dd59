"""The table of actions: which one serves which kind of route."""

from collections.abc import Mapping
from typing import Final

from statusproxy.observe.exchange_report import Kind
from statusproxy.proxy.actions import channel_list, evidence, forward, webhook
from statusproxy.proxy.exchange import Action

ACTIONS: Final[Mapping[Kind, Action]] = {
    Kind.PASS: forward.serve,
    Kind.WEBHOOK: webhook.serve,
    Kind.NOT_FOUND: webhook.refuse,
    Kind.CHANNELS: channel_list.serve,
    Kind.QR: evidence.serve_qr,
    Kind.CREATE: evidence.serve_create,
    Kind.DELETE: evidence.serve_delete,
}
