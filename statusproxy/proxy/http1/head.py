"""Header fields as raw bytes: which are hop-by-hop, what a proxy adds, how a head is written (RFC 9110 §7.6)."""

from collections.abc import Iterable, Sequence
from typing import Final

Header = tuple[bytes, bytes]
Headers = Sequence[Header]

#: Fields that belong to one connection only (RFC 9110 §7.6.1, RFC 9112 §9.6). `Trailer` is not among them:
#: an answer's trailers are carried on, so their announcement stays true; a request's are not (see `REQUEST_ONLY`).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"transfer-encoding",
        b"upgrade",
    }
)

#: Dropped from requests besides: the client side of this proxy cannot carry a request's trailers.
REQUEST_ONLY: Final = frozenset({b"trailer"})

#: Fields by which callers and senders of webhooks prove who they are, as the presets and `config.yaml` name them. They
#: are a list and no setting: a head is parsed before it is known which route, and so which setting, it is for. Another
#: name does no harm: a receiver that asks for that proof refuses a request from which `Connection` removed it.
CREDENTIALS: Final = frozenset(
    {
        b"authorization",
        b"cookie",
        b"x-api-key",
        b"x-gateway-secret",
        b"x-hmac-signature",
        b"x-hub-signature-256",
        b"x-openwa-signature",
        b"x-signature",
        b"x-webhook-hmac",
        b"x-webhook-secret",
    }
)

#: What a sender may name in `Connection` without our dropping it: naming these there would change what the
#: message means to the next hop, or hide who sent it, which is an attack and never a need.
NEVER_HIDDEN: Final = CREDENTIALS | frozenset(
    {
        b"accept",
        b"cache-control",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"date",
        b"etag",
        b"expect",
        b"forwarded",
        b"host",
        b"location",
        b"origin",
        b"range",
        b"set-cookie",
        b"user-agent",
        b"vary",
        b"via",
        b"www-authenticate",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-real-ip",
        b"x-request-id",
    }
)

#: The name this proxy signs `Via` with (RFC 9110 §7.6.3 allows a pseudonym for the host).
PSEUDONYM: Final = b"statusproxy"


def values(headers: Headers, name: bytes) -> list[bytes]:
    """Every value of the field `name` (lower case), in order."""
    return [value for key, value in headers if key.lower() == name]


def first(headers: Headers, name: bytes) -> bytes | None:
    """The first value of the field `name` (lower case), or None where it is absent."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return None


def members(lines: Iterable[bytes]) -> list[bytes]:
    """The members of a comma-separated list over all `lines` of its field, empty ones left out (RFC 9110 §5.6.1).

    A head may hold 32 000 commas, so there is no loop of Python's over them: that would take ten times as long.
    """
    return list(filter(None, map(bytes.strip, b",".join(lines).split(b","))))


def tokens(headers: Headers, name: bytes) -> list[bytes]:
    """The comma-separated members of the field `name`, lower-cased, over all its lines (RFC 9110 §5.6.1)."""
    return members(map(bytes.lower, values(headers, name)))


def connection_options(headers: Headers) -> frozenset[bytes]:
    """The options of `Connection`, lower-cased (RFC 9110 §7.6.1)."""
    return frozenset(tokens(headers, b"connection"))


def end_to_end(headers: Headers, dropped: frozenset[bytes]) -> list[Header]:
    """`headers` without the names in `dropped` and without all that `Connection` names, order and repeats kept."""
    named: frozenset[bytes] = frozenset()
    for key, value in headers:
        if key.lower() == b"connection":
            lowered = value.lower()
            # The three options that are everyday say nothing about other fields: no set need be built.
            if lowered not in _EVERYDAY_OPTIONS:
                named = connection_options(headers) - NEVER_HIDDEN
                break
    gone = dropped | named if named else dropped
    return [header for header in headers if header[0].lower() not in gone]


_EVERYDAY_OPTIONS: Final = frozenset({b"keep-alive", b"close", b"upgrade"})


#: Well-known fields of every head: those that are not forwarded, and those that are.
_DROPPED: Final = HOP_BY_HOP | {b"via"}
_FORWARDED: Final = frozenset({b"content-length", b"x-request-id", b"content-encoding"})

#: Fields of an answer that describe its body: untrue of one that was changed.
UNTRUE: Final = frozenset(
    {
        b"accept-ranges",
        b"content-digest",
        b"content-encoding",
        b"content-length",
        b"content-md5",
        b"digest",
        b"etag",
        b"last-modified",
        b"repr-digest",
        b"signature",
        b"signature-input",
    }
)

Roles = dict[bytes, bool]
"""The well-known fields by their lower-cased names; True where the field is forwarded as well."""

REQUEST_ROLES: Final[Roles] = {
    **dict.fromkeys(_DROPPED | REQUEST_ONLY, False),
    **dict.fromkeys(_FORWARDED, True),
    **dict.fromkeys(
        (
            b"accept-encoding",
            b"expect",
            b"forwarded",
            b"host",
            b"if-none-match",
            b"sec-websocket-key",
            b"x-forwarded-for",
            b"x-forwarded-host",
            b"x-forwarded-port",
            b"x-forwarded-proto",
            b"x-real-ip",
        ),
        True,
    ),
}
ANSWER_ROLES: Final[Roles] = {
    **dict.fromkeys(UNTRUE | {b"vary"}, True),
    **dict.fromkeys(_DROPPED, False),
    **dict.fromkeys(_FORWARDED, True),
}

WellKnown = dict[bytes, list[bytes]]
"""The values of a head's well-known fields, in order, by lower-cased name."""


def classify_fields(headers: Headers, roles: Roles) -> tuple[list[Header], WellKnown]:
    """A head's end-to-end fields, in order, and the values of its well-known fields (`roles`), in one pass.

    `Via` is not forwarded: the proxy writes its own. Nor is what `Connection` names.
    """
    forwarded: list[Header] = []
    well_known: WellKnown = {}
    for header in headers:
        name = header[0].lower()
        stays = roles.get(name)
        if stays is not None:
            well_known.setdefault(name, []).append(header[1])
            if not stays:
                continue
        forwarded.append(header)
    options = well_known.get(b"connection")
    if options is not None and (len(options) > 1 or options[0].lower() not in _EVERYDAY_OPTIONS):
        named = connection_options(headers) - NEVER_HIDDEN
        forwarded = [header for header in forwarded if header[0].lower() not in named]
    return forwarded, well_known


def write_head(start_line: bytes, headers: Iterable[Header]) -> bytes:
    """A message head as it goes on the wire: start line, fields, the empty line."""
    lines = [start_line]
    lines += [name + b": " + value for name, value in headers]
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def via(before: Sequence[bytes] | None, version: tuple[int, int]) -> Header:
    """The `Via` field with this hop appended to those `before`, for a message that came as HTTP `version`.

    One field lists all hops in order (RFC 9110 §7.6.3).
    """
    hop = _HOPS.get(version) or b"%d.%d %b" % (*version, PSEUDONYM)
    return (b"Via", b", ".join([*before, hop]) if before else hop)


def own_hops(before: Sequence[bytes]) -> int:
    """How many of the hops that a message's `Via` names are statusproxies (RFC 9110 §7.6.3).

    A hop is the protocol, who received the message, and perhaps a comment. Names have no case. Each hop is appended, so
    the last `_MOST_HOPS` are enough to find a loop.
    """
    hops = b",".join(before).lower().rsplit(b",", _MOST_HOPS)[-_MOST_HOPS:]
    return sum(hop.split(None, 2)[1:2] == [PSEUDONYM] for hop in hops)


#: Hops that are read. More proxies never stand behind one another.
_MOST_HOPS: Final = 256

#: This hop, by the version of HTTP that a message came in.
_HOPS: Final = {(1, 0): b"1.0 " + PSEUDONYM, (1, 1): b"1.1 " + PSEUDONYM}
