"""Reading the body of the gateway's answer, where an action looks into it."""

import logging

from statusproxy.proxy.codings import decoding, is_wide
from statusproxy.proxy.decoders import CodingError
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.http1.head import WellKnown

log = logging.getLogger("statusproxy.proxy")


async def collect(exchange: Exchange, limit: int) -> bytes | None:
    """The answer's whole body; None where it has more than `limit` bytes, so that it can only be streamed untouched.

    Raises `UpstreamError`.
    """
    assert exchange.call.body is not None
    body = await exchange.call.body.collect(limit)
    if body is None:
        exchange.registry.unreadable(exchange.match.kind.name.lower(), "too-large")
    return body


async def decode(
    exchange: Exchange, status: int, well_known: WellKnown, body: bytes, limit: int
) -> tuple[bytes | None, str | None]:
    """The text of an answer's `body`, decoded to at most `limit` bytes.

    None where there is no text to look at, with the reason where something is wrong with it: `partial`, `empty`,
    `internal`, or one of `CodingError`'s.
    """
    if not 200 <= status < 300 or status == 204:
        return None, None
    if status == 206:
        return None, "partial"
    if not body:
        return None, "empty"
    coding = b",".join(well_known.get(b"content-encoding", ()))
    if not coding:
        return body, None
    try:
        return await exchange.shared.runner.run(decoding(body, coding, limit), wide=is_wide(coding)), None
    except CodingError as error:
        return None, str(error)
    except Exception:
        log.exception("an answer could not be decoded", extra={"request_id": exchange.request_id})
        return None, "internal"
