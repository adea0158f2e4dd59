"""The table of actions: which one serves which kind of route."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from statusproxy.observe.exchange_report import Kind
from statusproxy.proxy.actions import channel_list, evidence, forward, webhook

if TYPE_CHECKING:
    from statusproxy.proxy.exchange import Exchange

Action = Callable[["Exchange"], Awaitable[None]]
"""Serves one exchange: sends what the gateway is to get, and answers the client. Raises `UpstreamError` where the call
to the gateway fails, and `ConnectionError` where the client has gone."""

ACTIONS: Final[Mapping[Kind, Action]] = {
    Kind.PASS: forward.serve,
    Kind.WEBHOOK: webhook.serve,
    Kind.NOT_FOUND: webhook.refuse,
    Kind.CHANNELS: channel_list.serve,
    Kind.QR: evidence.serve_qr,
    Kind.CREATE: evidence.serve_create,
    Kind.DELETE: evidence.serve_delete,
}
