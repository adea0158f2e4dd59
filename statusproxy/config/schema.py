"""How a setting of each kind is read and shown: the types of the structs in `settings`.

Each type is `Annotated[…, form]`, where the form (`forms.Form`) reads the value and writes it back.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Annotated

from statusproxy.config import addresses
from statusproxy.config.addresses import Network
from statusproxy.config.effect import check_field_path, check_member, check_named_field, check_word
from statusproxy.config.forms import Form, check_no_mask, choice, duration, mapping, parsed, same, secret, text, texts
from statusproxy.config.paths import (
    ROUTE_ALLOWED,
    TEMPLATE_ALLOWED,
    check_header_name,
    check_route,
    check_session_route,
    check_template,
)
from statusproxy.config.spot import MASK, Spot
from statusproxy.config.state_url import STATE_ALLOWED, mask_state_url, parse_state_url, reveal_state_url
from statusproxy.config.yaml_tree import Kind, Scalar
from statusproxy.status.dialect import Shape
from statusproxy.status.fields import fold_word

PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "::1/128",
        "10.0.0.0/8",  # RFC 1918, as the two below
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # link-local, RFC 3927
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local, RFC 4291
    )
)


_TEXT = text()


def _read_word(spot: Spot) -> str:
    """A word; `true` and `false` are two of them, with or without quotes: events and answers hold them as booleans."""
    if isinstance(spot.node, Scalar) and spot.node.kind is Kind.BOOL:
        return spot.node.text.lower()
    _TEXT.read(spot)
    return parsed(check_word).read(spot)


_WORD = Form(_read_word, same)
Words = Annotated[tuple[str, ...], texts(_WORD)]
SomeWords = Annotated[tuple[str, ...], texts(_WORD, at_least=1)]
LeftOut = Annotated[tuple[str, ...], texts(_TEXT)]
Field = Annotated[str, parsed(check_named_field)]
Fields = Annotated[tuple[str, ...], texts(parsed(check_named_field))]
SomeFields = Annotated[tuple[str, ...], texts(parsed(check_named_field), at_least=1)]
Members = Annotated[tuple[str, ...], texts(parsed(check_member))]
Places = Annotated[tuple[str, ...], texts(parsed(check_field_path))]
SomeMembers = Annotated[tuple[str, ...], texts(parsed(check_member), at_least=1, compared=fold_word)]
ShapeOf = Annotated[
    Mapping[str, str],
    mapping(
        choice(Shape.__struct_fields__), "a mapping such as {ack: filled, message: empty}", check_name=check_named_field
    ),
]
ListFields = Annotated[tuple[str, ...], texts(parsed(check_field_path), at_least=1)]
Networks = Annotated[tuple[Network, ...], texts(parsed(addresses.parse_network), allowed=addresses.NETWORK_ALLOWED)]
Paths = Annotated[tuple[str, ...], texts(parsed(check_template), allowed=TEMPLATE_ALLOWED)]
Routes = Annotated[tuple[str, ...], texts(parsed(check_route), allowed=ROUTE_ALLOWED)]
SessionRoutes = Annotated[
    tuple[str, ...],
    texts(parsed(check_session_route), allowed=ROUTE_ALLOWED),
]
HeaderName = Annotated[str, parsed(check_header_name)]
SecretText = Annotated[str, secret()]
Text = Annotated[str, text()]
FilePath = Annotated[str, parsed(addresses.check_path)]
PemFile = Annotated[str, text(private=True)]  # the key itself may have been written in place of its path
Time = Annotated[float, duration()]


def url(parse: Callable[[str], object], allowed: str) -> Form[str]:
    """An address kept as text, in the one spelling that `parse` gives it; never shown with a password."""
    return parsed(
        lambda value: str(parse(check_no_mask(value))),
        lambda value: addresses.mask_url(value, MASK),
        allowed=allowed,
        reveal=lambda value: addresses.conceal_url(value, MASK),
    )


def _check_state_url(text: str) -> str:
    parse_state_url(check_no_mask(text))
    return text


StateUrl = Annotated[
    str,
    parsed(
        _check_state_url,
        lambda value: mask_state_url(value, MASK),
        allowed=STATE_ALLOWED,
        reveal=lambda value: reveal_state_url(value, MASK),
        private=True,
    ),
]
