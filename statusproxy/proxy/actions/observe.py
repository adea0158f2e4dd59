"""Has the registry take in what passed. An error of our own there is logged and counted, and costs no answer."""

import logging
from collections.abc import Awaitable, Callable

from statusproxy.proxy.exchange import Exchange

log = logging.getLogger("statusproxy.proxy")


async def observe(exchange: Exchange, what: str, take_in: Callable[[], Awaitable[None] | None]) -> None:
    """Call `take_in`, and wait until what it changed is durable, where it gives something to await.

    `what` names the kind of answer for the log and the metric, as `registry.unreadable` does.
    """
    try:
        durable = take_in()
    except Exception as error:  # noqa: BLE001 - the answer passes after any error
        failed(exchange, what, error)
        return
    if durable is not None:
        await exchange.settle(durable)


def failed(exchange: Exchange, what: str, error: Exception) -> None:
    """Log and count an error of our own. What was looked at passes as it came."""
    log.error("an answer could not be looked at: %s", what, exc_info=error, extra={"request_id": exchange.request_id})
    exchange.registry.unreadable(what, "internal")
