"""What all exchanges share."""

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from statusproxy.observe.exchange_report import Report
from statusproxy.proxy.shared import Shared
from tests.proxy.harness import PATIENCE, Origin, Running, answer, get, running


def test_at_first_nothing_is_under_way_and_nothing_can_be_kept() -> None:
    site, registry, reports = cast(Any, object()), cast(Any, object()), list[Report]()
    shared = Shared(site, registry, reports.append)
    assert (shared.site, shared.registry, shared.report) == (site, registry, reports.append)
    assert (shared.draining, shared.in_flight, shared.spool, len(shared.shared_calls)) == (False, 0, None, 0)
    assert (shared.copies.needed, shared.copies.spooled) == (0, 0)


def test_large_bodies_go_to_the_disk_in_threads_with_a_name() -> None:
    shared = Shared(cast(Any, object()), cast(Any, object()), list[Report]().append)
    assert shared.disk.submit(lambda: threading.current_thread().name).result() == "statusproxy-spool_0"
    shared.disk.shutdown()


def test_two_large_bodies_are_written_or_read_at_a_time_and_the_end_waits_for_none() -> None:
    shared, let_go = Shared(cast(Any, object()), cast(Any, object()), list[Report]().append), threading.Event()
    before = {*threading.enumerate()}
    under_way = [shared.disk.submit(let_go.wait, PATIENCE) for _ in range(3)]
    threads = {*threading.enumerate()} - before
    shared.close()
    assert (len(threads), [each.done() for each in under_way]) == (2, [False] * 3)
    let_go.set()
    assert all(each.result() for each in under_way)


def test_whole_answers_that_wait_for_slow_clients_have_one_bound_together() -> None:
    room = Shared(cast(Any, object()), cast(Any, object()), list[Report]().append).room
    assert room.take(128 * 1024 * 1024)
    assert not room.take(1)


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
