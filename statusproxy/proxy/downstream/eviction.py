"""Which clients' connections may be closed, to make room or at the end, without losing a byte or a request."""

import asyncio
import select

from statusproxy.proxy.downstream.connection import HEAD, SERVING, TUNNEL, ClientConnection


def is_idle(client: ClientConnection) -> bool:
    """Whether the client was answered, to the last byte, and has not begun to ask for more."""
    return client.used and client.state not in {HEAD, SERVING, TUNNEL} and not client.unsent


def may_evict(client: ClientConnection) -> bool:
    """Whether nothing is lost by closing this connection now: no byte of an answer, and none that came unread.

    For one that has no request under way.
    """
    transport = client.transport
    if transport is None:
        return True
    return not (client.unsent or client.reader.waits) and (client.state is HEAD or not _readable(transport))


def _readable(transport: asyncio.BaseTransport) -> bool:
    """Whether the kernel holds bytes for us, or the client's end."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))
