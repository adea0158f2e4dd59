"""The action of all other routes: requests forwarded untouched, and their answers streamed back untouched."""

from typing import TYPE_CHECKING, Final

from statusproxy.proxy.actions import tunnel
from statusproxy.proxy.http1.head import Headers, values

if TYPE_CHECKING:
    from statusproxy.proxy.exchange import Exchange

#: Protocols that are not switched to: requests inside such a tunnel would not be watched or corrected.
_HTTP: Final = frozenset({b"h2c", b"h2", b"http"})


async def serve(exchange: "Exchange") -> None:
    """Forward the request, and stream the answer or open the tunnel that it asked for."""
    request, pool = exchange.request, exchange.site.pool
    upgrade = request.message.upgrade and may_upgrade(request.headers)
    head = await exchange.send(pool, exchange.prepare(pool, upgrade=upgrade))
    body = exchange.call.body
    if body is None:
        await tunnel.serve(exchange, head)
    else:
        await exchange.response.stream(head, body)


def may_upgrade(headers: Headers) -> bool:
    """Whether the protocols that `Upgrade` offers may be spoken past us (RFC 9110 §7.8)."""
    offered = b",".join(values(headers, b"upgrade")).lower()
    return not any(part.strip().partition(b"/")[0] in _HTTP for part in offered.split(b","))
