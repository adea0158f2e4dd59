"""Sends an event that the spool kept to its receiver: head and body as they came, and fields that mark a repeat.

An attempt is a client of its own in the accounts of the receiver's pool, and few are under way at a time, so that live
traffic does not wait for them.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.kept_body import KeptBody
from statusproxy.proxy.outcomes import QUEUED, of_answer, of_error
from statusproxy.proxy.ports import Attempt
from statusproxy.proxy.site import Site, WebhookTarget
from statusproxy.proxy.stored_head import (
    field_names,
    method_of,
    with_base,
    with_fields,
    with_host,
    with_target,
    without,
)
from statusproxy.proxy.upstream.answer_body import AnswerBody
from statusproxy.proxy.upstream.call import Call, WithheldError
from statusproxy.proxy.upstream.errors import UNREACHED, UpstreamError
from statusproxy.proxy.upstream.pool import Pool

log = logging.getLogger("statusproxy.proxy")

#: In whose name the places of a pool are taken: no address of a client.
_CLIENT: Final = "spool"

#: One place in so many is the most that attempts may hold of a pool, except for the first.
_PART: Final = 8

#: Bytes of an answer's body that are read, and seconds that they are waited for, so that its connection can be used
#: again. No one wants them otherwise.
_READ: Final = 64 * 1024
_READ_SECONDS: Final = 5.0

#: The fields that give an event's id to its receiver, unless the sender gave them itself.
_ID_FIELDS: Final = (b"Idempotency-Key", b"webhook-id")

#: The fields that a repeat has not as they came: the whole body is sent at once, and the others are ours.
_REPLACED: Final = frozenset({b"expect", b"x-statusproxy-attempt", b"x-statusproxy-age"})


class Stored(Protocol):
    """What must be known of an event (`store.spooled.Entry`)."""

    @property
    def id(self) -> str:
        """The same at every attempt."""

    @property
    def path(self) -> str:
        """The watched path on which it came, as configured."""

    @property
    def receiver(self) -> str:
        """`gateway`, or the name of another receiver's pool."""

    @property
    def attempts(self) -> int:
        """How often it was sent already."""

    @property
    def framed(self) -> bool:
        """Whether its head says that the body comes in chunks."""

    @property
    def base(self) -> str | None:
        """The base path that its receiver had when it was kept; None where that is not known."""


class Redelivery:
    """Sends events again. One for the whole proxy."""

    def __init__(self, proxy: Proxy, wall: Callable[[], float] = time.time) -> None:
        """`wall` is the system's clock."""
        self._proxy = proxy
        self._wall = wall
        self._places: dict[str, tuple[int, asyncio.Semaphore]] = {}  # by receiver, for its pool's connections

    async def send(
        self, event: Stored, content: tuple[bytes, bytes | Path], age: int, may_go: Callable[[], bool] | None = None
    ) -> Attempt:
        """Send an event, `age` seconds old, to its present receiver. Raises nothing but `CancelledError`.

        `may_go` is asked when all is ready, right before the first byte: where it says no, nothing is sent.
        """
        head, body = content
        site = self._proxy.site
        found = _receiver(site, event, head)
        if found is None:
            return Attempt("failed", detail=f"{event.path} no longer has a receiver")
        pool, head = found
        try:
            async with self._place(event.receiver, pool.limits.upstream_connections):
                return await self._call(pool, _added(head, event, age), event, body, may_go)
        except Exception as error:
            log.error(
                "spool: event %s could not be sent: %s", event.id, getattr(error, "strerror", None) or error,
                exc_info=not isinstance(error, OSError), extra={"id": event.id},
            )  # fmt: skip
            return Attempt("failed", detail="an internal error of the proxy")

    def _place(self, receiver: str, connections: int) -> asyncio.Semaphore:
        size, places = self._places.get(receiver, (0, None))
        if places is None or size != connections:
            places = asyncio.Semaphore(max(1, connections // _PART))
            self._places[receiver] = connections, places
        return places

    async def _call(
        self, pool: Pool, head: bytes, event: Stored, body: bytes | Path, may_go: Callable[[], bool] | None
    ) -> Attempt:
        proxy = self._proxy
        kept = None
        if body != b"" or event.framed:
            patience = proxy.site.timeouts.response_body
            kept = KeptBody(body, framed=event.framed, executor=proxy.disk, patience=patience)
        call = Call(method_of(head), kept, proxy.room)
        try:
            answer = await call.send(pool, head + b"\r\n", client=_CLIENT, reserved=True, interim=None, may_go=may_go)
            attempt = of_answer(answer, self._wall())
            if call.body is not None:
                await _drop(call.body)
            return attempt
        except WithheldError:
            return QUEUED
        except UpstreamError as error:
            if error.code in UNREACHED:
                proxy.unreached()
            return of_error(error) or Attempt("failed", detail=str(error))
        finally:
            if kept is not None:
                await kept.stop()
            call.close()


async def _drop(body: AnswerBody) -> None:
    """Read an answer's body, within bounds. What goes wrong now changes nothing of the answer."""
    try:
        async with asyncio.timeout(_READ_SECONDS):
            await body.collect(_READ)
    except (UpstreamError, TimeoutError):
        pass


def _receiver(site: Site, event: Stored, head: bytes) -> tuple[Pool, bytes] | None:
    """The present receiver's pool, and the head as it gets it; None where there is no receiver any more."""
    pool = site.pool if event.receiver == "gateway" else site.pools.get(event.receiver)
    if pool is None:
        target = site.webhooks.get(event.path)
        if target is None or not target.forward:
            return None
        pool = target.pool or site.pool
        path = _present_target(target, pool)
        if path is None:
            return None
        head = with_target(head, path)
    elif event.base is not None:
        head = with_base(head, event.base.encode(), pool.origin.base_path)
    if site.host == "gateway" or pool is not site.pool:
        head = with_host(head, pool.origin.authority)
    return pool, head


def _present_target(target: WebhookTarget, pool: Pool) -> bytes | None:
    """What to ask another receiver for than the event's first; None where that depends on the path it came on.

    The query is not carried on: a part of it was configured for the first receiver, and may be a secret of that one.
    """
    path = target.path.encode() if target.target is None else target.target
    if b"{" in path or b"*" in path:
        return None
    return pool.origin.base_path + path if target.pool is None else path


def _added(head: bytes, event: Stored, age: int) -> bytes:
    """The head with the fields that only a repeat has."""
    names = field_names(head)
    for name in _REPLACED & names:
        head = without(head, name)
    fields: list[Header] = [(name, event.id.encode()) for name in _ID_FIELDS if name.lower() not in names]
    fields.append((b"X-Statusproxy-Attempt", b"%d" % (event.attempts + 1)))
    fields.append((b"X-Statusproxy-Age", b"%d" % age))
    return with_fields(head, fields)
