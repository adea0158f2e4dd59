"""What the answer to a create or start request claims: that the session is connected already, or nothing of that.

wppconnect-server answers 200 with CONNECTED to a start of a session whose browser has died, and does nothing. Such an
answer is the stale word itself, so it is no evidence that the gateway knows of the disconnect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Final

from statusproxy.status.dialect import QR_MEMBERS
from statusproxy.status.fields import fold_word, parse
from statusproxy.status.qr import Answer, read

_HOLDERS: Final = ("data", "result", "response", "channel", "session", "instance")
"""Members under which gateways describe the session; one may stand in another."""

_STATUS_FIELDS: Final = ("status", "state", "connection", "connectionStatus")


def claims_connected(body: bytes, connected: Set[str], qr: Sequence[str] = QR_MEMBERS) -> bool:
    """Whether the answer says that the session is connected; `connected` holds the words for it, folded.

    `qr` names the members that may hold a QR code (`Dialect.qr`); a code counts more than words beside it. What is no
    JSON claims nothing. Never raises.
    """
    if read(body, qr) is Answer.CODE:
        return False
    try:
        document = parse(body)
    except (ValueError, RecursionError):
        return False
    return any(_says_connected(holder, connected) for holder in _holders(document, 2))


def _says_connected(holder: dict[str, object], connected: Set[str]) -> bool:
    if holder.get("connected") is True:
        return True
    words = (holder.get(name) for name in _STATUS_FIELDS)
    return any(type(word) is str and fold_word(word) in connected for word in words)


def _holders(value: object, depth: int) -> Iterator[dict[str, object]]:
    if type(value) is not dict:
        return
    yield value
    if depth:
        for name in _HOLDERS:
            yield from _holders(value.get(name), depth - 1)
