"""Starting the proxy for the demonstration, and saying plainly when it does not start."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from statusproxy.demo import proxy as module
from statusproxy.demo.proxy import Proxy, ProxyFailedError, configuration, free_port, free_ports
from tests import ports
from tests.demo.programs import program, serving


def test_a_port_somebody_listens_on_is_replaced_by_a_free_one() -> None:
    wanted = ports.free_port()
    with socket.create_server(("127.0.0.1", wanted)):
        assert free_port(wanted) not in (wanted, 0)
    assert free_port(wanted) == wanted


def test_ports_chosen_together_are_different(monkeypatch: pytest.MonkeyPatch) -> None:
    port, wanted = ports.free_port(), ports.free_port()
    monkeypatch.setattr(module, "_PORTS", [port, wanted])
    assert free_ports(0, wanted) == [port, wanted]
    with pytest.raises(OSError, match="no port"):
        free_ports(0, 0, 0)


def test_where_no_port_is_free_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(module, "_PORTS", range(port, port + 1))
        with pytest.raises(OSError, match=f"no port of 127.0.0.1 is free between {port} and {port}"):
            free_port()


def test_the_configuration_watches_both_legs_and_keeps_the_map_on_disk(tmp_path: Path) -> None:
    settings = configuration("http://127.0.0.1:3000", 8090, 8091, tmp_path / "state.db")
    assert [entry["path"] for entry in settings["webhooks"]] == ["/v1/webhooks/receive", "/hub/webhook"]
    assert settings["state"] == {"url": f"sqlite:///{tmp_path / 'state.db'}"}


def settings(folder: Path) -> dict[str, Any]:
    proxy, admin = free_ports(0, 0)
    return configuration("http://127.0.0.1:3000", proxy, admin, folder / "state.db")


async def test_a_proxy_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    broken = program(tmp_path, f"#!{sys.executable}\nimport sys\nsys.exit('cannot listen')\n")
    with pytest.raises(ProxyFailedError, match="exit code 1\ncannot listen"):
        await Proxy(settings(tmp_path), tmp_path, python=broken).start()


async def test_a_proxy_that_does_not_answer_in_time_is_stopped_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READY_WITHIN", 0.0)
    proxy = Proxy(settings(tmp_path), tmp_path, python=serving(tmp_path), show_log=True)
    with pytest.raises(ProxyFailedError, match="not ready in 0 s"):
        await proxy.start()
    with pytest.raises(RuntimeError, match="not started"):
        assert proxy.pid


async def test_a_proxy_is_ready_once_it_answers_and_can_be_killed_and_started_again(tmp_path: Path) -> None:
    async with Proxy(settings(tmp_path), tmp_path, python=serving(tmp_path)) as proxy:
        first = proxy.pid
        await proxy.kill()
        await proxy.kill()  # there is none any more
        await proxy.start()
        assert proxy.pid != first


async def test_a_proxy_that_answers_that_it_is_not_ready_is_waited_for(tmp_path: Path) -> None:
    python = serving(tmp_path, statuses=(503, 200), answers=2)
    async with Proxy(settings(tmp_path), tmp_path, python=python) as proxy:
        assert await proxy.ended() == 0  # it was asked twice, and ended behind its second answer


async def test_how_a_proxy_ended_by_itself_is_told(tmp_path: Path) -> None:
    proxy = Proxy(settings(tmp_path), tmp_path, python=serving(tmp_path, answers=1))
    await proxy.start()
    assert await proxy.ended() == 0
    await proxy.stop()
    await proxy.stop()


async def test_a_proxy_that_does_not_end_when_asked_to_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STOP_WITHIN", 0.0)
    deaf = serving(tmp_path, before="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    proxy = Proxy(settings(tmp_path), tmp_path, python=deaf)
    await proxy.start()
    process = proxy._process
    await proxy.stop()
    assert process is not None
    assert process.returncode == -signal.SIGKILL


async def test_a_proxy_that_was_not_started_has_no_end(tmp_path: Path) -> None:
    proxy = Proxy(settings(tmp_path), tmp_path)
    assert proxy.command == (sys.executable, "-m", "statusproxy", "run", "--config", str(tmp_path / "config.yaml"))
    with pytest.raises(RuntimeError, match="not started"):
        await proxy.ended()
