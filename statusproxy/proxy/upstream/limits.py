"""The limits of a pool and its connections."""

import msgspec


class UpstreamLimits(msgspec.Struct, frozen=True):
    """Times in seconds (None: no limit), sizes in bytes and numbers of things for a pool's connections.

    Each has the name of its key in `timeouts` or `limits`.
    """

    connect: float | None = 5.0
    response_head: float | None = 120.0
    response_body: float | None = 300.0
    head: int = 32 * 1024
    """Of a request's head. An answer's heads may have more and trailers as many again (`answer_reader`)."""
    upstream_connections: int = 512
    upstream_idle: int = 64
    reserved: int = 64
    """Of `upstream_connections`: kept for webhooks and corrected lists."""
    per_client: int = 256
    """Of `upstream_connections`: what one client address may hold at a time."""
