"""The command health: whether the running proxy serves, and with --ready what is missing."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from click.testing import Result

from statusproxy import __version__
from statusproxy.admin import client as admin_client
from statusproxy.cli import health as command
from statusproxy.config import layers
from tests.cli.calling import asking, call, written
from tests.ports import free_port
from tests.proxy.harness import Running, running

READY = "ready: the store accepts writes, and the gateway accepts connections"


def said(result: Result) -> tuple[int, str, str]:
    """The exit code and both outputs."""
    return result.exit_code, result.stdout, result.stderr


def where(proxy: Running) -> str:
    """The proxy's admin listener."""
    return str(proxy.server.settings.admin.listen)


def serving(address: str) -> str:
    """The line of a proxy that serves."""
    return f"serving: statusproxy {__version__} answers at {address}"


async def test_a_proxy_that_serves_is_healthy_and_needs_no_token(proxy: Running, tmp_path: Path) -> None:
    line = serving(where(proxy)) + "\n"
    assert said(await asking(tmp_path, "health")) == (0, line, "")
    assert said(await asyncio.to_thread(call, "health", "--admin", where(proxy))) == (0, line, "")


async def test_a_ready_proxy_says_so(proxy: Running, tmp_path: Path) -> None:
    assert said(await asking(tmp_path, "health", "--ready")) == (0, READY + "\n", "")


async def test_the_answer_is_given_as_json(proxy: Running, tmp_path: Path) -> None:
    assert json.loads((await asking(tmp_path, "health", "--json")).stdout) == {"status": "ok", "version": __version__}
    ready = await asking(tmp_path, "health", "--ready", "--json")
    assert json.loads(ready.stdout) == {"status": "ok", "store": "ok", "gateway": "ok"}


async def test_a_gateway_that_is_down_is_unready_and_not_unhealthy(tmp_path: Path) -> None:
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    async with running(tmp_path, f"http://127.0.0.1:{free_port()}", admin=admin) as proxy:
        assert said(await asking(tmp_path, "health")) == (0, serving(where(proxy)) + "\n", "")
        code, out, why = said(await asking(tmp_path, "health", "--ready"))
        assert (code, out) == (1, "")
        assert why.startswith("not ready: gateway: ")
        assert "store" not in why
        result = await asking(tmp_path, "health", "--ready", "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"], result.stderr) == (1, "error", why)


async def test_a_store_that_accepts_no_writes_is_named(
    proxy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def works() -> bool:
        return False

    monkeypatch.setattr(proxy.server.registry, "works", works)
    code, out, why = said(await asking(tmp_path, "health", "--ready"))
    assert (code, out) == (1, "")
    assert why.startswith("not ready: store: ")
    assert "gateway" not in why


async def test_a_proxy_about_to_stop_is_unready_and_serves(proxy: Running, tmp_path: Path) -> None:
    proxy.server.proxy.draining = True
    assert (await asking(tmp_path, "health")).exit_code == 0
    line = "not ready: draining: the proxy is about to stop\n"
    assert said(await asking(tmp_path, "health", "--ready")) == (1, "", line)


def test_damage_to_the_stored_state_is_told_and_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"status": "degraded", "store": "ok", "gateway": "ok", "damage": ["one row was lost"]}
    monkeypatch.setattr(admin_client, "ask", lambda *_, **__: answer)
    line = f"{READY}; the stored state was damaged: see `statusproxy state show`\n"
    assert said(call("health", "--ready", "--admin", "127.0.0.1:1")) == (0, line, "")


def test_a_status_that_is_not_ok_is_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_client, "ask", lambda *_, **__: {"status": "odd", "version": "9"})
    assert call("health", "--admin", "127.0.0.1:1").exit_code == 1


def test_a_proxy_that_does_not_run_is_unhealthy(tmp_path: Path) -> None:
    file = written(tmp_path, f"gateway: http://127.0.0.1:3000\nadmin: {{listen: '127.0.0.1:{free_port()}'}}")
    code, out, why = said(call("health", "--config", file))
    assert (code, out) == (1, "")
    assert "does not answer (connection refused); is statusproxy running" in why


def test_a_proxy_that_answers_too_late_is_unhealthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        code, _, why = said(call("health", "--admin", address, "--timeout", "0.01"))
    assert code == 1
    assert "no answer in time" in why


def test_the_port_of_the_gateway_or_of_the_clients_is_told_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its own words would not tell that the wrong one was asked.
    def gateway(*_: object, **__: object) -> None:
        raise admin_client.AdminError("Route not found", 404)

    monkeypatch.setattr(admin_client, "ask", gateway)
    line = "what answers at 127.0.0.1:1 is not statusproxy's admin listener (it answered 404)\n"
    assert said(call("health", "--admin", "127.0.0.1:1")) == (1, "", line)


async def test_a_configuration_that_was_broken_meanwhile_does_not_make_it_unhealthy(
    proxy: Running, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"{file.read_text()}\ngatewy: x\n")
    code, line, why = said(await asking(tmp_path, "health"))
    assert (code, why) == (0, "")
    assert line.startswith(f"{serving(where(proxy))}; but a restart would fail: {file}:")
    assert "gatewy" in line
    code, line, why = said(await asking(tmp_path, "health", "--ready"))
    assert (code, line) == (1, "")
    assert why.startswith(f"{file}:")
    assert why.endswith("; and the admin token is missing or wrong\n")


@pytest.mark.parametrize("text", ["gateway: [", "gatewy: x", "gatewy: x\nadmin: null", "gatewy: x\nadmin: {token: x}"])
async def test_where_a_broken_configuration_has_no_address_the_default_one_is_asked(
    text: str, proxy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "DEFAULT_ADMIN", where(proxy))
    (tmp_path / "config.yaml").write_text(text)
    assert (await asking(tmp_path, "health")).exit_code == 0


async def test_a_proxy_that_was_started_without_a_file_is_found(
    proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "DEFAULT_ADMIN", where(proxy))
    monkeypatch.setattr(layers, "SEARCHED", ())
    monkeypatch.delenv("STATUSPROXY_CONFIG", raising=False)
    assert said(await asyncio.to_thread(call, "health")) == (0, serving(where(proxy)) + "\n", "")


def test_an_admin_listener_that_is_off_is_told(tmp_path: Path) -> None:
    code, _, why = said(call("health", "--config", written(tmp_path, "gateway: http://127.0.0.1:3000\nadmin: null")))
    assert (code, "turned off" in why) == (1, True)


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    assert call("health", "--admin", "127.0.0.1:1", "--timeout", seconds).exit_code == 2
