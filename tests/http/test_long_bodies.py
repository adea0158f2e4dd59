"""A body of known length that is longer than one read is taken past the parser, and ends just where it must."""

import os

import pytest

from tests.proxy.harness import OK, Origin, Running, Wire, get

BODY = os.urandom(1_500_000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)


def scripted(origin: Origin, *pieces: bytes, then_close: bool = False) -> None:
    """Have the first request answered with these pieces, and all others with OK."""
    first = True

    async def serve(wire: Wire) -> None:
        nonlocal first
        await origin.take(wire)
        if first:
            first = False
            for piece in pieces:
                await wire.send(piece)
            if then_close:
                return
        else:
            await wire.send(OK)
        await origin.serve(wire)

    origin.script = serve
    origin.answer = OK


@pytest.mark.parametrize("cut", [1, 1000, len(BODY) // 2, len(BODY) - 1])
async def test_it_arrives_as_it_came_and_the_connection_serves_on(cut: int, origin: Origin, proxy: Running) -> None:
    scripted(origin, HEAD + BODY[:cut], BODY[cut:])
    assert (await proxy.ask(get("/media"))).body == BODY
    assert (await proxy.ask(get("/next"))).body == b"ok"
    assert proxy.server.proxy.site.pool.opened == 1


async def test_what_follows_it_reaches_nobody_and_ends_the_connection(origin: Origin, proxy: Running) -> None:
    scripted(origin, HEAD + BODY[:1000], BODY[1000:] + OK)
    assert (await proxy.ask(get("/media"))).body == BODY
    assert (await proxy.ask(get("/next"))).body == b"ok"
    assert proxy.server.proxy.site.pool.opened == 2


async def test_cut_short_it_never_looks_complete(origin: Origin, proxy: Running) -> None:
    scripted(origin, HEAD + BODY[:1000], BODY[1000:-1], then_close=True)
    client = await proxy.connect()
    await client.send(get("/media"))
    head = await client.head()
    assert head.get("Content-Length") == b"%d" % len(BODY)
    received = 0
    try:
        while data := await client.reader.read(65536):
            received += len(data)
    except ConnectionError:
        pass
    assert received < len(BODY)
