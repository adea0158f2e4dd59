"""Before an event is answered: reads its body to the last byte, and waits until what it changed is durable."""

from statusproxy.proxy.exchange import Exchange


async def read_to_end(exchange: Exchange) -> None:
    """Read the rest of the body, if no one else does. Raises `UpstreamError` or `ConnectionError`."""
    body = exchange.body
    if body is None:
        return
    if body.held_back and body.unread:
        await exchange.response.permit()
        body.permitted()
    await body.finish()


def unsettled(exchange: Exchange) -> bool:
    """Whether `settle` has anything to wait for: not where the body came with its head and changed nothing."""
    return exchange.durable is not None or (exchange.body is not None and exchange.body.carried is not None)


async def settle(exchange: Exchange) -> None:
    """Wait until the body has been read, which the gateway's answer may precede, and what it changed is on disk."""
    body = exchange.body
    if body is not None and body.carried is not None and not body.held_back:
        await body.carried_out()
    if exchange.durable is not None:
        await exchange.settle()
