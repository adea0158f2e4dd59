"""What the 2xx answer to a create, start or delete request proves: that the gateway did it, or nothing.

Gateways answer 200 to what they refused (`{"success":false}`), and wppconnect-server answers 200 with CONNECTED to a
start of a session whose browser has died, and does nothing. An override that such an answer ends hides a dead
session, while one that lasts a little longer ends by the session's next event. So in doubt an answer proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

from statusproxy.status.answer_claims import took_effect
from statusproxy.status.fields import LENIENT_AT_ONCE, parse
from statusproxy.status.many_members import has_many
from statusproxy.status.qr import CONNECTED_WORDS, Answer, shown_by

LONGEST: Final = 64 * 1024
"""Bytes of an answer without a code that is read. Real ones have some hundred."""

LONGEST_TEXT: Final = 256
"""Bytes of an answer in plain text that is read. A longer one is a page."""


def proves_start(body: bytes, connected: Set[str], qr: Sequence[str]) -> bool:
    """Whether the answer shows that the session was created or started again; `connected` holds folded words.

    `qr` names the members that may hold a QR code (`Dialect.qr`); a code counts, unless the answer claims
    beside a picture that the session is connected. Never raises.
    """
    body = body.strip()
    document = _read(body)
    return shown_by(document, qr, connected) is Answer.CODE or _proves(body, document, connected, lists_others=False)


def proves_deletion(body: bytes) -> bool:
    """Whether the answer shows that the session was deleted; it may list the sessions that are left. Never raises."""
    body = body.strip()
    return len(body) <= LONGEST and _proves(body, _read(body), CONNECTED_WORDS, lists_others=True)


def _read(body: bytes) -> object:
    """What an answer holds: JSON, or plain text. None where it is neither, has tens of thousands of members, or is too
    long for the slow decoder."""
    try:
        return None if has_many(body) else parse(body, LENIENT_AT_ONCE)
    except (ValueError, RecursionError):
        return body.decode(errors="replace") if _is_plain(body) else None


def _proves(body: bytes, document: object, connected: Set[str], *, lists_others: bool) -> bool:
    if not body:
        return True  # the status says it all
    if document is None or len(body) > LONGEST:
        return False
    return took_effect(document, connected, lists_others=lists_others)


def _is_plain(body: bytes) -> bool:
    """Whether it is a short text, no page and no broken JSON."""
    return len(body) <= LONGEST_TEXT and body[:1] not in b'<{["'
