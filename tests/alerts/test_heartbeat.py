"""The heartbeat: asked at the start and every minute while all works, its failures told once."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web

from statusproxy.alerts.heartbeat import EVERY, Heartbeat
from statusproxy.alerts.http_client import open_session
from statusproxy.observe.alert_counts import HeartbeatCounts
from statusproxy.observe.logs import NOTICE
from tests.alerts.receiver import Receiver, receiving
from tests.ports import free_port


class Bench:
    """A heartbeat, its monitor, and what the proxy says of itself."""

    def __init__(self, receiver: Receiver, session: ClientSession) -> None:
        self.receiver = receiver
        self.counter = HeartbeatCounts()
        self.broken: str | None = None
        self.error: Exception | None = None
        self.pauses: list[float] = []
        self.go_on = asyncio.Semaphore(0)
        self.waits = asyncio.Semaphore(0)
        self.heartbeat = Heartbeat(
            f"{receiver.url}/api/push/k3y", lambda: session, self._works, self.counter, lambda: 1_800.0, self._sleep
        )

    async def _works(self) -> str | None:
        if self.error is not None:
            raise self.error
        return self.broken

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.waits.release()
        await self.go_on.acquire()

    def counts(self) -> tuple[int, int, int]:
        return self.counter.answered, self.counter.failed, self.counter.withheld


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    session = open_session()
    async with receiving() as receiver:
        yield Bench(receiver, session)
    await session.close()


async def test_the_monitor_is_asked_at_the_start_and_every_minute(bench: Bench) -> None:
    bench.heartbeat.start()
    await bench.waits.acquire()
    assert [(came.method, came.path) for came in bench.receiver.came] == [("GET", "/api/push/k3y")]
    bench.go_on.release()
    await bench.waits.acquire()
    assert (bench.pauses, bench.counts(), bench.counter.last_at) == ([EVERY, EVERY], (2, 0, 0), 1_800.0)
    await bench.heartbeat.close()


async def test_one_that_never_started_is_closed_without_ado(bench: Bench) -> None:
    await bench.heartbeat.close()
    assert bench.counts() == (0, 0, 0)


async def test_while_the_store_or_the_gateway_does_not_answer_the_monitor_is_not_asked(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.broken = "gateway"
    await bench.heartbeat.beat()
    await bench.heartbeat.beat()
    assert bench.receiver.came == []
    assert bench.counts() == (0, 0, 2)
    assert caplog.messages == ["alerts: heartbeat: not sent: the gateway does not answer"]


async def test_a_failure_is_told_once_without_the_url_and_so_is_its_end(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(NOTICE)
    bench.receiver.answer = lambda: web.Response(status=404)
    await bench.heartbeat.beat()
    await bench.heartbeat.beat()
    bench.receiver.answer = lambda: web.Response(body=b"x" * 100_000)
    await bench.heartbeat.beat()
    await bench.heartbeat.beat()
    assert caplog.messages == [
        "alerts: heartbeat: it answered 404",
        "alerts: the heartbeat is answered again",
    ]
    assert (bench.counts(), "k3y" in caplog.text) == ((2, 2, 0), False)


async def test_a_monitor_that_is_not_there_is_a_failure_in_words(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    session = open_session()
    url = f"http://127.0.0.1:{free_port()}/k3y"
    counter = HeartbeatCounts()

    async def works() -> str | None:
        return None

    await Heartbeat(url, lambda: session, works, counter, lambda: 0.0).beat()
    await session.close()
    assert (counter.failed, caplog.messages) == (1, ["alerts: heartbeat: connection refused"])


async def test_a_defect_ends_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.error = RuntimeError("a defect")
    bench.heartbeat.start()
    await bench.waits.acquire()
    bench.error = None
    bench.go_on.release()
    await bench.waits.acquire()
    await bench.heartbeat.close()
    assert bench.counts() == (1, 0, 0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
