"""The gateway's absence and its return are told: in the log, and in systemd's status."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.observe.logs import NOTICE
from statusproxy.proxy.upstream import watch
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.pool import Pool
from statusproxy.proxy.upstream.watch import GatewayWatch
from tests.proxy.harness import Origin, get, running, until


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.01)
    caplog.set_level(logging.INFO, "statusproxy")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket on which systemd listens for a service's notifications."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def about(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(one.levelno, one.getMessage()) for one in caplog.records if "the gateway http" in one.getMessage()]


async def test_a_gateway_that_is_down_at_start_is_told_and_so_is_its_return(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, manager: socket.socket
) -> None:
    origin = Origin()
    await origin.start()
    url = origin.url
    await origin.stop()
    async with running(tmp_path, url) as proxy:
        proxy.server.gateway_watch.start()
        status = (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()
        assert status.startswith(f"STATUS=Serving {url} on ")
        assert status.endswith("; the gateway cannot be reached: connection refused")
        assert about(caplog) == [
            (logging.WARNING, f"the gateway {url} cannot be reached: connection refused; it is tried again every 0 s")
        ]
        await origin.start()
        status = (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()
        assert status.startswith("STATUS=Serving ")
        assert "cannot be reached" not in status
        assert about(caplog)[1:] == [(NOTICE, f"the gateway {url} can be reached")]
    await origin.stop()


async def test_a_gateway_that_goes_down_later_is_told_by_the_first_request_that_meets_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin()
    await origin.start()
    async with running(tmp_path, origin.url) as proxy:
        proxy.server.gateway_watch.start()
        assert (await proxy.ask(get())).status == 200
        await origin.stop()
        assert about(caplog) == []
        assert (await proxy.ask(get())).status == 502
        await until(lambda: bool(about(caplog)))
        await origin.start()
        await until(lambda: len(about(caplog)) == 2)
    assert [level for level, _ in about(caplog)] == [logging.WARNING, NOTICE]
    await origin.stop()


async def test_a_gateway_that_works_is_asked_once_and_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    origin = Origin()
    await origin.start()
    async with running(tmp_path, origin.url) as proxy:
        proxy.server.gateway_watch.start()
        for _ in range(3):
            assert (await proxy.ask(get())).status == 200
        assert origin.connections <= 2
    assert about(caplog) == []
    await origin.stop()


async def test_a_full_pool_does_not_mean_that_the_gateway_is_gone() -> None:
    class Full:
        async def acquire(self, *, fresh: bool) -> None:
            raise UpstreamError("overloaded", "no upstream connection is free")

    watch = GatewayWatch(lambda: _as_pool(Full()), lambda: "http://gateway.example", lambda: None)
    assert await watch._look() is None


async def test_a_gateway_that_does_not_answer_in_time_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        async def acquire(self, *, fresh: bool) -> None:
            await asyncio.Event().wait()

    monkeypatch.setattr(watch, "PATIENCE", 0.0)
    look = GatewayWatch(lambda: _as_pool(Slow()), lambda: "http://gateway.example", lambda: None)
    assert await look._look() == "no answer in time"


def test_another_reason_is_passed_on_and_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    told: list[str | None] = []
    look = GatewayWatch(lambda: _as_pool(None), lambda: "http://gateway.example", lambda: told.append(look.error))
    for trouble in ("connection refused", "connection refused", "no route to host"):
        look._note(trouble)
    assert told == ["connection refused", "no route to host"]
    assert len(about(caplog)) == 1


def test_a_watch_that_was_never_started_can_be_closed() -> None:
    GatewayWatch(lambda: _as_pool(None), lambda: "http://gateway.example", lambda: None).close()


def _as_pool(pool: object) -> Pool:
    return pool  # type: ignore[return-value]
