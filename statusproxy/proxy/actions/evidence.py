"""Routes whose answer shows whether the gateway has noticed a lost session: its QR code, creation and deletion.

The answer passes untouched; what it shows is told to the registry before the client gets it.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from statusproxy.proxy.actions import answers
from statusproxy.proxy.actions.observe import observe
from statusproxy.proxy.body_copy import BodyCopy
from statusproxy.proxy.exchange import Exchange
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.http1.head import first
from statusproxy.proxy.response_head import response_fields
from statusproxy.proxy.site import CreateEntry
from statusproxy.status.created import proves_deletion, proves_start

#: Bytes of an answer or a create request that are looked at, coded or not.
_LOOKED_AT: Final = 256 * 1024

#: Bytes that a create request may decode to. What is beyond `_LOOKED_AT` of it must be the insides of long strings.
_DECODED: Final = 4 * 1024 * 1024

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


async def serve_qr(exchange: Exchange) -> None:
    """Pass on a request for a session's QR code; the answer says whether the session waits for one."""
    head, session, registry = await _send(exchange), exchange.match.session, exchange.registry
    shows = session is not None and _succeeded(head) and exchange.request.method != "HEAD"  # HEAD's shows nothing
    if session is None or not shows or not registry.has_overrides:
        await _stream(exchange, head)
        return
    body = await answers.collect(exchange, _LOOKED_AT)
    if body is None:
        await _stream(exchange, head)
        return
    kind = first(head.headers, b"content-type") or b""
    fields, well_known = response_fields(head, exchange.request_id.encode())
    text, failure = await answers.decode(exchange, head.status, well_known, body, _LOOKED_AT)
    if text is not None:
        image = kind.lower().startswith(b"image/")
        await observe(exchange, "qr", lambda: registry.watched.qr_answered(session, text, image, exchange.asked_at))
    elif failure is not None:
        registry.unreadable("qr", failure)
    await exchange.response.answer(head.status, head.reason, fields, body)


async def serve_create(exchange: Exchange) -> None:
    """Pass on a request that creates or starts a session.

    The gateway has caught up with it then, if its answer does not say that nothing was done.
    """
    registry, session, entry = exchange.registry, exchange.match.session, exchange.match.entry
    assert isinstance(entry, CreateEntry)
    copy: BodyCopy | None = None
    if session is None and exchange.body is not None:
        coding = b",".join(exchange.well_known.get(b"content-encoding", ()))
        copy = BodyCopy(exchange.shared.runner, _LOOKED_AT, coding, decoded_limit=_DECODED, late=True)
        exchange.body.observe(copy)
    head = await _send(exchange)
    if not _succeeded(head):
        await _stream(exchange, head)
        return
    if session is None:
        session, failure = await _session_in_body(copy, entry)
        if failure is not None:
            registry.unreadable("create", failure)
    if session is None or not registry.has_overrides:
        await _stream(exchange, head)
        return
    proves = partial(proves_start, connected=entry.connected, qr=entry.qr)
    await _pass_outcome(exchange, head, session, proves, registry.watched.created)


async def serve_delete(exchange: Exchange) -> None:
    """Pass on a request that deletes a session, which is forgotten if the answer does not say that it was not done."""
    head, session = await _send(exchange), exchange.match.session
    if session is None or not _succeeded(head):
        await _stream(exchange, head)
        return
    await _pass_outcome(exchange, head, session, proves_deletion, exchange.registry.watched.deleted)


async def _pass_outcome(
    exchange: Exchange,
    head: ResponseHead,
    session: str,
    proves: Callable[[bytes], bool],
    conclude: Callable[[str, float], Awaitable[None] | None],
) -> None:
    """Pass on the 2xx answer to a create, start or delete; where it `proves` that this was done, `conclude` is told.

    An answer that is too large or cannot be decoded proves nothing.
    """
    body = await answers.collect(exchange, _LOOKED_AT)
    if body is None:
        await _stream(exchange, head)
        return
    fields, well_known = response_fields(head, exchange.request_id.encode())
    text, failure = await answers.decode(exchange, head.status, well_known, body, _LOOKED_AT)
    what = exchange.match.kind.name.lower()
    if failure is not None and failure != "empty":
        exchange.registry.unreadable(what, failure)
    else:
        await observe(exchange, what, lambda: conclude(session, exchange.asked_at) if proves(text or b"") else None)
    await exchange.response.answer(head.status, head.reason, fields, body)


async def _session_in_body(copy: BodyCopy | None, entry: CreateEntry) -> tuple[str | None, str | None]:
    """The session that a create request names in its body; None with the reason where it names none."""
    text = b"" if copy is None else await copy.result()
    if text is None:
        return None, copy.failure if copy is not None else None
    try:
        document = _decode_object(text)
        for key in entry.body:
            if key in document:
                name = msgspec.json.decode(document[key])
                if isinstance(name, str) and name.strip():
                    return name, None
    except RecursionError:
        return None, "too-deep"
    except (msgspec.DecodeError, ValueError):
        return None, "not-json"
    return None, "no-session"


def _succeeded(head: ResponseHead) -> bool:
    return 200 <= head.status < 300


async def _send(exchange: Exchange) -> ResponseHead:
    pool = exchange.site.pool
    return await exchange.send(pool, exchange.prepare(pool))


async def _stream(exchange: Exchange, head: ResponseHead) -> None:
    assert exchange.call.body is not None
    await exchange.response.stream(head, exchange.call.body)
