"""Refuses requests by their heads: CONNECT, loops, and bodies that are announced too large.

What two parsers could read differently is refused before (`http1.refusals`).
"""

from typing import Final

from statusproxy.proxy.http1.head import WellKnown, own_hops

#: Statusproxies that a request may have passed: a site may have some in a row, a loop has no end.
_HOPS: Final = 8


def refusal(method: str, well_known: WellKnown, limit: int | None) -> str | None:
    """The code of the problem for which a request is not forwarded at all, or None; `limit` is that of bodies."""
    if method == "CONNECT":
        return "method_not_allowed"
    via = well_known.get(b"via")
    if via is not None and own_hops(via) >= _HOPS:
        return "loop"
    if limit is not None:
        length = well_known.get(b"content-length")
        if length is not None and int(length[0]) > limit:
            return "body_too_large"
    return None
