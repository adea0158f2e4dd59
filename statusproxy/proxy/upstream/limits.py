"""The limits of a pool and its connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Times in seconds (None: no limit), sizes in bytes and numbers of things for a pool's connections."""

    connect: float | None = 5.0
    response_head: float | None = 120.0
    response_body: float | None = 300.0
    head_bytes: int = 64 * 1024
    """Of an answer's heads, interim ones included, and again of its trailers."""
    connections: int = 512
    idle: int = 64
    reserved: int = 64
    """Of `connections`: kept for webhooks and corrected lists."""
    per_client: int = 256
    """Of `connections`: what one client address may hold at a time."""
