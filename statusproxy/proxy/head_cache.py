"""A cache of prepared heads: a head that comes again byte for byte is prepared once.

Clients that poll repeat themselves: the parser gives the same `RequestHead` for the same bytes, and what was prepared
from it stays with it. Only the request's id differs from one to the next, and so stands at the end.
"""

from typing import Unpack, cast

from statusproxy.proxy.client_address import Peer
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.http1.request_parser import RequestHead
from statusproxy.proxy.request_head import HeadOptions, PreparedHead, prepare
from statusproxy.proxy.site import Site
from statusproxy.proxy.upstream.pool import Pool


def prepared_head(
    head: RequestHead,
    forwarded: list[Header],
    peer: Peer,
    site: Site,
    pool: Pool,
    *,
    keep_id: bool,
    **options: Unpack[HeadOptions],
) -> PreparedHead:
    """The result of `request_head.prepare` for the same arguments, cached with the head.

    `keep_id` needs no comparing, as it follows from the head's own bytes. Nothing is cached if `forwarded` is not the
    head's own list of fields.
    """
    remembered = forwarded is head.forwarded
    prepared_for = (site, pool, peer.address, peer.secure, options)
    prepared = cast("PreparedHead | None", head.attachment) if remembered else None
    if prepared is None or prepared.prepared_for != prepared_for:
        prepared = prepare(head, forwarded, peer, site, pool, keep_id=keep_id, **options)
        prepared.prepared_for = prepared_for
        if remembered:
            head.attachment = prepared
    return prepared
