"""Carries the rest of a request's body to the gateway: from its source, framed, at the pace of the slower side."""

import asyncio
import logging
from typing import Protocol

from statusproxy.proxy.http1.framing import framed
from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError

log = logging.getLogger("statusproxy.proxy")


class Source(Protocol):
    """Where a body comes from."""

    whole: bool
    """Whether all of it has been read."""

    @property
    def watched(self) -> bool:
        """Whether it is read to its end also where the gateway accepts no more of it."""

    async def read(self) -> bytes:
        """The next piece. Raises `UpstreamError` if there is none, `ConnectionError` if the client has gone."""

    async def passed(self) -> None:
        """The piece was handed over: called before the next one is read."""

    async def end(self) -> None:
        """The body was read whole, and all that the gateway takes of it was handed over."""


async def pump(source: Source, connection: UpstreamConnection, *, chunked: bool, patience: float | None) -> None:
    """Carry what is left of a body. Where it cannot become whole, the request is given up.

    `chunked`: the head says that it comes in chunks. `patience`: seconds that the gateway may take for a piece; None
    for no limit.
    """
    try:
        while not source.whole:
            if _over(connection) and not source.watched:
                return
            data = await source.read()
            if _over(connection):
                await source.passed()
                continue
            whole = source.whole
            connection.write(framed(data, chunked=chunked, last=whole), last=whole)
            await source.passed()
            if connection.writing_paused and not whole:
                await _taken(connection, patience)
    except UpstreamError as error:
        _give_up(source, connection, error)
    except ConnectionError as error:
        _give_up(source, connection, UpstreamError("client_gone", str(error)))
    except Exception:
        log.exception("a request's body could not be forwarded")
        _give_up(source, connection, UpstreamError("internal"))
    else:
        await source.end()


async def stop(pump: asyncio.Task[None]) -> None:
    """End a task that runs `pump`. Its source can be read by another after this."""
    if not pump.done():
        pump.cancel()
        await asyncio.wait([pump])


def _over(connection: UpstreamConnection) -> bool:
    """Whether the gateway accepts no more of this request: it has answered, or is lost."""
    return connection.closed or connection.complete


def _give_up(source: Source, connection: UpstreamConnection, error: UpstreamError) -> None:
    """The request stays incomplete. Once it is complete the connection may serve another exchange already."""
    if not source.whole:
        connection.give_up(error)


async def _taken(connection: UpstreamConnection, patience: float | None) -> None:
    """Wait until the gateway takes more; give it up when it does not."""
    try:
        async with asyncio.timeout(patience):
            await connection.drain()
    except TimeoutError:
        connection.give_up(UpstreamError("gateway_timeout", "the gateway stopped reading the request"))
