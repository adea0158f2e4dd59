"""A cache of prepared heads: a head that comes again byte for byte is prepared once.

Clients that poll repeat themselves: the parser gives the same `RequestHead` for the same bytes, and what was prepared
from it stays with it. Heads that differ in their own id alone share a `HeadPattern`, which keeps it for all of them. An
id of ours differs from one request to the next, and so stands at the end.
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
    keeper = head.pattern or head
    prepared = cast("PreparedHead | None", keeper.attachment) if remembered else None
    if prepared is None or prepared.prepared_for != prepared_for:
        prepared = prepare(head, forwarded, peer, site, pool, keep_id=keep_id, **options)
        prepared.prepared_for = prepared_for
        if remembered:
            keeper.attachment = prepared
    elif keeper is not head:
        prepared = prepared.with_id(head.well_known[b"x-request-id"][0])
    return prepared
