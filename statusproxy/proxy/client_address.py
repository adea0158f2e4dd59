"""The client's address behind trusted proxies, and the fields that tell it to the gateway (RFC 7239)."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import msgspec

from statusproxy.proxy.forwarded_field import MOST_ELEMENTS, forwarded_for
from statusproxy.proxy.http1.head import Header, values

Network = IPv4Network | IPv6Network
IPAddress = IPv4Address | IPv6Address

#: A peer on a Unix socket has no address: it is on this host, so it counts as loopback.
LOCAL: Final = "127.0.0.1"

#: The fields that tell the gateway who asks: what a sender wrote into them is kept or replaced, as it is trusted.
REWRITTEN: Final = frozenset(
    {
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-real-ip",
        b"forwarded",
    }
)

#: Those that name the client.
NAMING: Final = frozenset({b"x-forwarded-for", b"forwarded", b"x-real-ip"})

#: Peers remembered that speak for others and are not trusted to.
_PEERS: Final = 16

#: Addresses remembered, as text and with what follows from each.
_REMEMBERED: Final = 4096

#: What RFC 7239 §6.2 calls a node that cannot be named: the client behind a `Forwarded` that breaks the grammar, and
#: behind more hops than are read.
_UNKNOWN: Final = "unknown"

#: Characters of an address as text, with port, brackets and zone. Longer text is no address, and is not remembered.
LONGEST_ADDRESS: Final = 64


class Peer(msgspec.Struct, frozen=True):
    """The other end of a client's connection: its address as text, and whether `https` was spoken."""

    address: str
    secure: bool = False


def parse_address(text: str) -> IPAddress | None:
    """The address that `text` (an IP, perhaps with a port, brackets or a zone) names; None where it names none.

    An IPv4 address mapped into IPv6 is given as IPv4, so that a dual-stack listener judges both alike. Text of more
    than `LONGEST_ADDRESS` characters names none, and is not remembered.
    """
    return _parsed(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str) -> IPAddress | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def within(address: IPAddress | None, networks: Sequence[Network]) -> bool:
    """Whether `address` lies in one of `networks`; no address lies in none."""
    return address is not None and any(address in network for network in networks)


def _is_within(networks: Sequence[Network], text: str) -> bool:
    return within(parse_address(text), networks)


class Trust:
    """The networks whose proxies are trusted to name the client that they ask for (`trusted_proxies`)."""

    __slots__ = ("_looked_up", "strangers")

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        # One client makes many requests: its network is looked up once. The memory holds no reference to this object:
        # a reload replaces it, and a cycle would keep it and its memory until a full collection.
        self._looked_up = lru_cache(maxsize=_REMEMBERED)(partial(_is_within, tuple(trusted_proxies)))
        self.strangers: dict[str, None] = {}
        """Peers that speak for others and are not trusted; the first few. A proxy left out of the list shows here."""

    def is_trusted(self, text: str) -> bool:
        """Whether `text` is the address of a trusted proxy."""
        return len(text) <= LONGEST_ADDRESS and self._looked_up(text)

    def client(self, peer: Peer, headers: Sequence[Header]) -> str:
        """The real client's address as text: the nearest hop that is not a trusted proxy.

        Read from the right, as each hop appends to it: what stands left of the first untrusted address may be
        made up. A hop that names no address (`unknown`, `_hidden`) ends the walk and is not trusted itself.
        `X-Forwarded-For`, `Forwarded` and `X-Real-IP` are walked in this order, and the first untrusted hop in any of
        them counts: a proxy that writes only one of them passes on what a client made up in the others.
        A `Forwarded` that breaks the grammar names an unknown client: who wrote which part of it cannot be told. So
        does a field with more than `MOST_ELEMENTS` hops, all of which are trusted as far as they are read.
        """
        if not self.is_trusted(peer.address):
            return peer.address
        farthest = peer.address
        for chain in _chains(headers):
            hop = None
            for hop in chain:
                if not self.is_trusted(hop):
                    return hop
            if hop is not None and farthest == peer.address:
                farthest = hop
        return farthest

    def forward(self, peer: Peer, client: str, host: bytes, headers: list[Header]) -> list[Header]:
        """`headers` with the fields that tell the gateway who asks, put at the end.

        `client` is the real client's address, as the method gives it. A trusted peer's words are kept and extended by
        that peer's own address; an untrusted peer's are replaced. `host` is the `Host` the client asked for.
        `Forwarded` is written only where the sender used it: the `X-Forwarded-*` fields say the same, and this gateway
        reads those. One that breaks the grammar is not carried on: `for=unknown` stands in its place (RFC 7239 §6.2).
        """
        said: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            key = name.lower()
            if key in REWRITTEN:
                said.setdefault(key, []).append(value)
        address = peer.address.encode("ascii", "replace")
        scheme = b"https" if peer.secure else b"http"
        forwarded = b"forwarded" in said
        if said:
            headers = [header for header in headers if header[0].lower() not in REWRITTEN]
            if not self.is_trusted(peer.address):
                said = {}
                if len(self.strangers) < _PEERS:
                    self.strangers[peer.address] = None
        chain = said.get(b"x-forwarded-for", [])
        real = address if client == peer.address else client.encode("latin-1", "replace")
        headers += [
            (b"X-Forwarded-For", b", ".join([*chain, address])),
            (b"X-Real-IP", said.get(b"x-real-ip", [real])[0]),
            (b"X-Forwarded-Proto", said.get(b"x-forwarded-proto", [scheme])[0]),
        ]
        if host or b"x-forwarded-host" in said:
            headers.append((b"X-Forwarded-Host", said.get(b"x-forwarded-host", [host])[0]))
        if b"x-forwarded-port" in said:
            headers.append((b"X-Forwarded-Port", said[b"x-forwarded-port"][0]))
        else:
            headers.append((b"X-Forwarded-Port", _port(host) or (b"443" if peer.secure else b"80")))
        if forwarded:
            node = b'"[%b]"' % address if b":" in address else address
            element = b"for=%b;proto=%b" % (node, scheme)
            if host:
                element += b';host="%b"' % host.replace(b"\\", b"").replace(b'"', b"")
            before = [value for value in said.get(b"forwarded", []) if value]
            if forwarded_for(before) is None:
                before = [b"for=" + _UNKNOWN.encode()]
            headers.append((b"Forwarded", b", ".join([*before, element])))
        return headers


#: Trusts no one.
_NOBODY: Final = Trust(())


@lru_cache(maxsize=_REMEMBERED)
def introduce(address: str, secure: bool, host: bytes) -> tuple[Header, ...]:
    """The fields that `Trust.forward` adds to a request that has none of its own, for any trusted proxies.

    Remembered, as most requests have none. All connections of one client share one entry.
    """
    return tuple(_NOBODY.forward(Peer(address, secure=secure), address, host, []))


def _port(host: bytes) -> bytes:
    port = host.rpartition(b":")[2] if b":" in host else b""
    return port if port.isdigit() else b""


def _chains(headers: Sequence[Header]) -> Iterator[Iterator[str]]:
    """The addresses that the hops before the peer wrote down, nearest first, by each of the fields that tell."""
    yield _hops(part for value in reversed(values(headers, b"x-forwarded-for")) for part in _from_the_right(value))
    said = values(headers, b"forwarded")
    if said:
        nodes = forwarded_for(said)
        yield iter([_UNKNOWN]) if nodes is None else _hops(reversed(nodes))
    yield _hops(reversed(values(headers, b"x-real-ip")))


def _from_the_right(value: bytes) -> Iterator[bytes]:
    """The members of a comma-separated list, last first, without looking at more of it than is asked for."""
    end = len(value)
    while end >= 0:
        comma = value.rfind(b",", 0, end)
        yield value[comma + 1 : end]
        end = comma


def _hops(written: Iterable[bytes]) -> Iterator[str]:
    """The hops as text, empty members of a list left out. Whoever stands behind too many members is unknown."""
    for count, hop in enumerate(map(bytes.strip, written)):
        if count == MOST_ELEMENTS:
            yield _UNKNOWN
            return
        if hop:
            yield hop.decode("latin-1")
