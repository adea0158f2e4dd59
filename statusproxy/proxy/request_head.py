"""A request's head as the next hop gets it (RFC 9110 §7.6)."""

from typing import TypedDict

from statusproxy.proxy import conditional
from statusproxy.proxy.client_address import REWRITTEN, Peer, introduce
from statusproxy.proxy.front_proxy import left_out
from statusproxy.proxy.http1.authority import absolute
from statusproxy.proxy.http1.head import Header, WellKnown, via, write_head
from statusproxy.proxy.http1.request_parser import RequestHead
from statusproxy.proxy.site import Site
from statusproxy.proxy.upstream.pool import Pool


class PreparedHead:
    """What the next hop is sent before the body. No one changes it: one may stand for many requests (`head_cache`)."""

    __slots__ = ("around_id", "client", "left_out", "prepared_for", "upgrade", "wire", "without_id")

    def __init__(self, wire: bytes, without_id: bytes, client: str, upgrade: bool, left_out: tuple[str, ...]) -> None:
        self.wire = wire
        """Request line and fields, without the empty line, and without an id where the request brought none."""
        self.without_id = without_id
        """The same without any id: equal where two requests ask the same with the same credentials."""
        self.client = client
        """The real client's address."""
        self.upgrade = upgrade
        """Whether it asks for another protocol."""
        self.left_out = left_out
        """What a proxy in front should have passed on, and did not (`front_proxy`)."""
        self.around_id: tuple[bytes, bytes] | None = None
        """What of `wire` stands before and behind the value of the request's own id; None where it has none."""
        self.prepared_for: tuple[object, ...] = ()
        """All that it depends on besides the request's own bytes (`head_cache`)."""

    def with_id(self, request_id: bytes) -> "PreparedHead":
        """The same for a request that differs in its own id alone."""
        assert self.around_id is not None
        before, behind = self.around_id
        return PreparedHead(before + request_id + behind, self.without_id, self.client, self.upgrade, self.left_out)


class HeadOptions(TypedDict, total=False):
    """How a head differs from the request's own, as keyword arguments of `prepare`."""

    target: bytes | None
    method: str | None
    listing: bool
    upgrade: bool


def prepare(
    head: RequestHead,
    forwarded: list[Header],
    peer: Peer,
    site: Site,
    pool: Pool,
    *,
    keep_id: bool,
    target: bytes | None = None,
    method: str | None = None,
    listing: bool = False,
    upgrade: bool = False,
) -> PreparedHead:
    """The head for the next hop in `pool`; `forwarded` are the request's fields to carry on.

    `target` and `method` replace the request's own; `listing` asks as a corrected route must (`conditional.ask`);
    `keep_id` tells whether the request's own id may be carried on.
    """
    well_known = head.well_known
    if b"x-request-id" in well_known and not keep_id:
        forwarded = [header for header in forwarded if header[0].lower() != b"x-request-id"]
    fields, client = _fields(head, forwarded.copy(), well_known, peer, site, pool)
    if head.chunked:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if upgrade:
        fields.append((b"Connection", b"Upgrade"))
        fields += [(name, value) for name, value in head.headers if name.lower() == b"upgrade"]
    if listing:
        fields = conditional.ask(fields)
    start = _request_line(method or head.method, target or head.target, pool)
    wire = without_id = write_head(start, fields)[:-2]
    around_id = None
    if keep_id:
        for name, value in fields:
            if name.lower() == b"x-request-id":
                before, _, behind = wire.partition(b"\r\n%b: %b\r\n" % (name, value))
                without_id = before + b"\r\n" + behind
                around_id = before + b"\r\n%b: " % name, b"\r\n" + behind
    missing = left_out(head, peer, site.trust, at_web_port=site.at_web_port)
    prepared = PreparedHead(wire, without_id, client, upgrade, missing)
    prepared.around_id = around_id
    return prepared


def _fields(
    head: RequestHead, fields: list[Header], well_known: WellKnown, peer: Peer, site: Site, pool: Pool
) -> tuple[list[Header], str]:
    """The request's own fields and those that tell who asks, and the real client's address."""
    authority = _authority(head.target)
    hosts = well_known.get(b"host")
    host = authority if authority is not None else hosts[0] if hosts else b""
    if REWRITTEN.isdisjoint(well_known):
        client = peer.address
        fields += introduce(peer.address, peer.secure, host)
    else:
        client = site.trust.client(peer, head.headers)
        fields = site.trust.forward(peer, client, host, fields)
    replaced = pool.origin.authority if site.host == "gateway" or pool is not site.pool else authority
    if replaced is not None or not hosts:
        fields = [
            (b"Host", replaced or pool.origin.authority),
            *(header for header in fields if header[0].lower() != b"host"),
        ]
    fields.append(via(well_known.get(b"via"), head.version))
    if b"expect" in well_known and head.version < (1, 1):
        fields = [header for header in fields if header[0].lower() != b"expect"]
    return fields, client


def _authority(target: bytes) -> bytes | None:
    """The host that an absolute-form target names, which beats `Host` (RFC 9112 §3.2.2)."""
    if target.startswith(b"/"):
        return None
    parts = absolute(target)
    return parts.authority if parts is not None else None


def _request_line(method: str, target: bytes, pool: Pool) -> bytes:
    """The request line for the gateway: origin-form or `*`, every byte of path and query as it came.

    `OPTIONS http://a.example` asks about the server itself, and becomes `*` (RFC 9112 §3.2.4).
    """
    if not target.startswith(b"/"):
        parts = absolute(target)
        if parts is not None:
            whole_server = method == "OPTIONS" and not parts.path
            target = b"*" if whole_server else parts.path if parts.path.startswith(b"/") else b"/" + parts.path
    base = pool.origin.base_path
    return b"%b %b%b HTTP/1.1" % (method.encode(), base if target != b"*" else b"", target)
