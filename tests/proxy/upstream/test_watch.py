"""The gateway's absence and its return are told: in the log, and in systemd's status."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from statusproxy.observe.logs import NOTICE
from statusproxy.proxy.upstream import watch
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.watch import GatewayWatch
from tests.proxy.harness import Origin, get, never_accepting, running, until
from tests.proxy.held_origin import Held


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PAUSE", 0.01)


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


@pytest.mark.usefixtures("impatient")
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


@pytest.mark.usefixtures("impatient")
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


@pytest.mark.usefixtures("impatient")
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


class Gateway:
    """An address that connects or fails as the test says, and the watch over it; pauses end when the test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: UpstreamError | None = None
        self.looks: list[float | None] = []
        """For each, the seconds that it may take."""
        self.closed = 0
        self.pauses: list[float] = []
        self.told: list[str | None] = []
        self.watch = GatewayWatch(
            lambda: _as_address(self), lambda: "http://gateway.example", lambda: self.told.append(self.watch.error)
        )
        self._over = asyncio.Event()
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._pause)

    async def connect(self, make: Callable[[], asyncio.Protocol], limit: float | None) -> asyncio.Protocol:
        self.looks.append(limit)
        if self.error is not None:
            raise self.error
        protocol = make()
        protocol.connection_made(_as_transport(self))
        return protocol

    def abort(self) -> None:
        self.closed += 1

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._over.clear()
        await self._over.wait()

    async def turns(self) -> None:
        """Let the watch come to where it waits."""
        for _ in range(5):
            await self._sleep(0)

    async def pause_over(self) -> None:
        self._over.set()
        await self.turns()


async def test_it_is_tried_until_it_answers_and_from_then_on_only_when_a_request_could_not_reach_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(monkeypatch)
    gateway.error = UpstreamError("gateway_unreachable", "connection refused")
    gateway.watch.start()
    await gateway.turns()
    assert (len(gateway.looks), gateway.pauses, gateway.told) == (1, [3.0], ["connection refused"])
    await gateway.pause_over()
    assert len(gateway.looks) == 2
    gateway.error = None
    await gateway.pause_over()
    assert (len(gateway.looks), gateway.told) == (3, ["connection refused", None])
    await gateway.pause_over()
    assert len(gateway.looks) == 3, "it answers"
    gateway.watch.failed()
    await gateway.turns()
    assert len(gateway.looks) == 4
    await gateway.pause_over()
    assert len(gateway.looks) == 4, "one look for one failure"
    for _ in range(2):
        gateway.watch.failed()
        await gateway.turns()
    assert len(gateway.looks) == 5, "not two within a pause"
    await gateway.pause_over()
    assert len(gateway.looks) == 6
    gateway.watch.close()
    await gateway.turns()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert (gateway.looks, gateway.closed, gateway.pauses) == ([5.0] * 6, 4, [3.0] * 6)
    assert about(caplog) == [
        (
            logging.WARNING,
            "the gateway http://gateway.example cannot be reached: connection refused; it is tried again every 3 s",
        ),
        (NOTICE, "the gateway http://gateway.example can be reached"),
    ]


@pytest.mark.parametrize(
    ("code", "detail", "why"),
    [
        ("gateway_unreachable", "connection refused", "connection refused"),
        ("gateway_name_unknown", "name not known: gateway", "name not known: gateway"),
        ("gateway_tls_failed", "no TLS", "no TLS"),
        ("gateway_connect_slow", "", "no answer in time"),
    ],
)
async def test_each_failure_to_connect_is_told_in_its_words(
    monkeypatch: pytest.MonkeyPatch, code: str, detail: str, why: str
) -> None:
    gateway = Gateway(monkeypatch)
    gateway.error = UpstreamError(code, detail)
    gateway.watch.start()
    await gateway.turns()
    assert (gateway.watch.error, gateway.looks) == (why, [5.0])
    gateway.watch.close()


async def test_a_gateway_whose_every_place_is_taken_can_be_reached(tmp_path: Path) -> None:
    origin = Origin()
    await origin.start()
    held = Held(origin)
    async with running(tmp_path, origin.url, limits={"upstream_connections": 1}) as proxy:
        waiting = asyncio.create_task(proxy.ask(get()))
        await held.came()
        proxy.server.gateway_watch.start()
        await until(lambda: proxy.server.gateway_watch.looked)
        assert proxy.server.gateway_watch.error is None
        held.let_go.set()
        assert (await waiting).status == 200
    await origin.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_pool_full_of_attempts_that_get_no_answer_is_no_sign_that_it_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.3)
    with never_accepting() as port:
        url = f"http://127.0.0.1:{port}"
        limits = {"upstream_connections": 1}
        timeouts = {"connect": "0.1s"}  # only waited for
        async with running(tmp_path, url, limits=limits, timeouts=timeouts) as proxy:
            proxy.server.gateway_watch.start()
            await until(lambda: proxy.server.gateway_watch.error is not None)
            for _ in range(8):
                answers = await asyncio.gather(*(proxy.ask(get()) for _ in range(4)))
                assert {answer.status for answer in answers} == {503, 504}
    assert about(caplog) == [
        (logging.WARNING, f"the gateway {url} cannot be reached: no answer in time; it is tried again every 0 s")
    ]


async def test_another_reason_is_passed_on_and_not_logged_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = Gateway(monkeypatch)
    gateway.error = UpstreamError("gateway_unreachable", "connection refused")
    gateway.watch.start()
    await gateway.turns()
    await gateway.pause_over()
    gateway.error = UpstreamError("gateway_unreachable", "no route to host")
    await gateway.pause_over()
    gateway.watch.close()
    assert (len(gateway.looks), gateway.told) == (3, ["connection refused", "no route to host"])
    assert len(about(caplog)) == 1


async def test_who_must_know_has_it_looked_at_soon_though_nothing_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(monkeypatch)
    gateway.watch.start()
    await gateway.turns()
    await gateway.pause_over()
    assert len(gateway.looks) == 1
    gateway.watch.look_soon()
    await gateway.turns()
    assert len(gateway.looks) == 2
    gateway.watch.close()


def test_a_watch_that_was_never_started_can_be_closed() -> None:
    GatewayWatch(lambda: _as_address(None), lambda: "http://gateway.example", lambda: None).close()


def _as_address(gateway: object) -> Address:
    return gateway  # type: ignore[return-value]


def _as_transport(gateway: object) -> asyncio.Transport:
    return gateway  # type: ignore[return-value]
