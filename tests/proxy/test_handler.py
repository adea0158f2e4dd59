"""The handler of all requests: what is under way, and which settings hold for it."""

from msgspec import structs

from tests.proxy.harness import Origin, Running, Wire, answer, get, reports, until


async def test_each_exchange_is_counted_while_it_is_under_way_and_reported_when_it_is_over(
    origin: Origin, proxy: Running
) -> None:
    origin.script = Wire.ended  # type: ignore[assignment]
    seen = reports(proxy)
    clients = [await proxy.connect() for _ in range(3)]
    for client in clients:
        await client.send(get())
    await until(lambda: proxy.server.proxy.in_flight == 3)
    assert seen == []
    clients[0].reset()
    await until(lambda: proxy.server.proxy.in_flight == 2)
    assert len(seen) == 1


async def test_a_gateway_is_tried_by_a_connection_that_gives_its_place_back(origin: Origin, proxy: Running) -> None:
    handler = proxy.server.proxy
    assert await handler.gateway_error() is None
    await until(lambda: handler.site.pool.in_use == 0)
    await origin.stop()
    assert (await handler.gateway_error() or "").startswith("gateway_unreachable: ")


async def test_a_gateway_is_tried_by_a_new_connection_though_one_is_idle(origin: Origin, proxy: Running) -> None:
    """The idle one would not show that no other can be had."""
    await proxy.ask(get())
    await until(lambda: proxy.server.proxy.site.pool.idle == 1)
    assert await proxy.server.proxy.gateway_error() is None
    await until(lambda: origin.connections == 2)
    assert proxy.server.proxy.site.pool.opened == 2


async def test_a_replaced_site_holds_for_the_exchanges_that_begin_afterwards(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        proxy.server.proxy.site = structs.replace(proxy.server.proxy.site, language="pt-BR")
        await wire.send(b"nonsense\r\n\r\n")

    origin.script = script
    assert b"The gateway's answer is not valid HTTP" in (await proxy.ask(get())).body
    assert "A resposta do gateway não é HTTP válido" in (await proxy.ask(get())).body.decode()


async def test_while_it_drains_every_answer_ends_its_connection(origin: Origin, proxy: Running) -> None:
    origin.answer = answer(b"ok")
    client = await proxy.connect()
    await client.send(get())
    assert (await client.message()).get("Connection") is None
    proxy.server.proxy.draining = True
    await client.send(get())
    assert (await client.message()).get("Connection") == b"close"
    assert await client.ended()
