"""The sender's proof of one webhook: what its configuration asks for, and whether the request brings it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from typing import Final

from statusproxy.config.settings import Webhook
from statusproxy.proxy.sender_auth import SenderPolicy
from statusproxy.status.fields import parse

NONE_ASKED: Final = "none asked"
NOT_CHECKED: Final = "not checked"
HOLDS: Final = "holds"

_ADDRESS: Final = "127.0.0.1"
_ANYWHERE: Final = (ip_network("127.0.0.0/8"),)
"""The sender's address is not known here; it counts as one of `from`."""


def proof(
    webhook: Webhook,
    policy: SenderPolicy,
    given: Sequence[tuple[str, str]],
    captured: Sequence[tuple[str, str]],
    body: bytes,
) -> str:
    """Whether the sender's proof holds: one of the words above, or what is wrong with it.

    The headers that are `given` come before those that were `captured` with the event. A capture may leave secrets out,
    so that without any given one nothing is missing in it. What a proof may depend on beside them is the time now.
    """
    if policy.proves_nothing:
        return NONE_ASKED
    headers = (*given, *captured)
    fields = {name.casefold() for name, _ in headers}
    missing = [name for name in _asked(webhook) if name.casefold() not in fields]
    if missing and not given:
        return NOT_CHECKED
    if missing:
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    sent_headers = [(name.encode("latin-1", "replace"), value.encode("utf-8", "replace")) for name, value in headers]
    doubt: str | None = None
    for sent in _as_sent(body):
        verification = replace(policy, from_=_ANYWHERE).verify(_ADDRESS, sent_headers)
        verification.feed(sent)
        doubt = verification.doubt()
        if doubt is None:
            break
    if doubt is None and policy.token is not None and not policy.token.stands_in(body):
        doubt = "token"
    return HOLDS if doubt is None else _WRONG[doubt]


_WRONG: Final = {
    "secret": "wrong secret",
    "jwt": "the JSON Web Token is not signed with the secret, or has expired",
    "signature": "wrong signature",
    "token": "the token in the body is wrong or missing",
}


def _asked(webhook: Webhook) -> list[str]:
    """The headers that carry what is asked for."""
    return [asked.header for asked in (webhook.secret, webhook.jwt, webhook.hmac) if asked is not None]


def _as_sent(body: bytes) -> Iterator[bytes]:
    """A body as it may have been sent: a file may end in a line break, a capture may space its JSON otherwise."""
    yield body
    stripped = body.rstrip(b"\r\n")
    if stripped != body:
        yield stripped
    try:
        yield json.dumps(parse(body), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return
