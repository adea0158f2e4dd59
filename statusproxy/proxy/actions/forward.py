"""The action of all other routes: requests forwarded untouched, and their answers streamed back untouched."""

from typing import Final

from statusproxy.proxy.actions import answers, tunnel
from statusproxy.proxy.actions.observe import observe
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import Headers, first, tokens
from statusproxy.proxy.response_head import response_fields
from statusproxy.proxy.upstream.answer_body import AnswerBody

#: Protocols that are not switched to: requests inside such a tunnel would not be watched or corrected.
_HTTP: Final = frozenset({b"h2c", b"h2", b"http"})

_JSON: Final = b"application/json"

#: Bytes of an answer that is held to learn from it.
_LEARNED: Final = 128 * 1024


async def serve(exchange: Exchange) -> None:
    """Forward the request, and stream the answer or open the tunnel that it asked for."""
    request, pool = exchange.request, exchange.site.pool
    upgrade = request.message.upgrade and may_upgrade(request.headers)
    head = await exchange.send(pool, exchange.prepare(pool, upgrade=upgrade))
    body = exchange.call.body
    if body is None:
        await tunnel.serve(exchange, head)
    elif exchange.registry.learning.on and _may_list_sessions(request.method, head):
        await _pass_learned(exchange, head, body)
    else:
        await exchange.response.stream(head, body)


def _may_list_sessions(method: str, head: ResponseHead) -> bool:
    return method == "GET" and head.status == 200 and (first(head.headers, b"content-type") or b"").startswith(_JSON)


async def _pass_learned(exchange: Exchange, head: ResponseHead, body: AnswerBody) -> None:
    """Pass on an answer, and learn from it; one that is too long or cannot be decoded just passes."""
    whole = await body.collect(_LEARNED)
    if whole is None:
        await exchange.response.stream(head, body)
        return
    fields, well_known = response_fields(head, exchange.request_id.encode())
    text, _ = await answers.decode(exchange, head.status, well_known, whole, _LEARNED)
    if text is not None:
        learning, path = exchange.registry.learning, exchange.target.partition(b"?")[0].decode("latin-1")
        await observe(exchange, "learning", lambda: learning.answer(text, path))
    await exchange.response.answer(head.status, head.reason, fields, whole)


def may_upgrade(headers: Headers) -> bool:
    """Whether the protocols that `Upgrade` offers may be spoken past us (RFC 9110 §7.8)."""
    return not any(offered.partition(b"/")[0] in _HTTP for offered in tokens(headers, b"upgrade"))
