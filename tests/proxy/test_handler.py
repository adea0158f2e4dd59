"""The handler of all requests: what is under way, and which settings hold for it."""

import asyncio
import dataclasses
import threading
from pathlib import Path

import pytest

from tests.proxy.harness import PATIENCE, Origin, Running, Wire, answer, get, reports, running, until


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


async def test_a_replaced_site_holds_for_the_exchanges_that_begin_afterwards(origin: Origin, proxy: Running) -> None:
    async def script(wire: Wire) -> None:
        await origin.take(wire)
        proxy.server.proxy.site = dataclasses.replace(proxy.server.proxy.site, language="pt-BR")
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


async def test_the_exchanges_share_calls_and_forms_of_answers(origin: Origin, proxy: Running) -> None:
    handler = proxy.server.proxy
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=b'{"event":"closesession","session":"sales"}'))
    origin.answer = answer(b'{"channels":[{"id":"sales","status":"connected"}]}')
    tags = [(await proxy.ask(get("/api/channels"))).get("ETag") for _ in range(2)]
    assert tags == [await handler.renditions.tag(b'{"channels":[{"id":"sales","status":"disconnected"}]}')] * 2
    assert len(handler.shared_calls) == 0


async def test_the_threads_for_large_bodies_end_with_the_proxy(origin: Origin, tmp_path: Path) -> None:
    async with running(tmp_path, origin.url) as proxy:
        disk = proxy.server.proxy.disk
        threads = {await asyncio.get_running_loop().run_in_executor(disk, threading.current_thread)}
    assert all("statusproxy-spool" in thread.name for thread in threads)
    for thread in threads:
        await asyncio.to_thread(thread.join, PATIENCE)
        assert not thread.is_alive()
    with pytest.raises(RuntimeError):
        disk.submit(print)
