"""The limits of clients and their connections."""

import msgspec


class ClientLimits(msgspec.Struct, frozen=True):
    """Times in seconds (None: no limit) and the number of connections, for all clients.

    Each has the name of its key in `timeouts` or `limits`. What a request's head may hold is in `HeadLimits`.
    """

    request_head: float | None = 30.0
    response_body: float | None = 300.0
    keep_alive: float = 75.0
    connections: int = 4096
