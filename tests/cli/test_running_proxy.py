"""Asking the running proxy: what is said where it does not answer, or not as expected."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from statusproxy.admin import client as admin_client
from statusproxy.admin.client import AdminError
from statusproxy.cli import running_proxy
from statusproxy.demo.events import status_find
from tests.cli.calling import asking, call, written
from tests.integration.stage import INBOUND, tell
from tests.ports import free_port
from tests.proxy.harness import Running


async def test_a_session_that_nobody_knows_is_an_error_with_the_ids_that_are_like_it(
    proxy: Running, tmp_path: Path
) -> None:
    await tell(proxy.url + INBOUND, status_find("Front Desk", "inChat"), status_find("sales", "inChat"))
    for command in ("history", "release"):
        result = await asking(tmp_path, command, "front-desk")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("no session 'front-desk' is known")
        assert result.stderr.endswith('; did you mean "Front Desk"?\n')
        result = await asking(tmp_path, command, "marketing\x1b[31m")
        assert "did you mean" not in result.stderr
        assert result.stderr[:-1].isprintable()
    result = await asking(tmp_path, "history", "sales")
    assert (result.exit_code, result.stdout) == (0, "sales was not lost in the period that the history covers.\n")


async def test_the_wrong_token_is_told(proxy: Running, tmp_path: Path) -> None:
    address = str(proxy.server.settings.admin.listen)
    result = await asyncio.to_thread(call, "sessions", "--admin", address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "token" in result.stderr


@pytest.mark.parametrize("answers", [True, False], ids=["another version", "stopped meanwhile"])
def test_ids_like_it_are_named_only_where_the_proxy_still_tells_them(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(_: str, __: str, path: str, *___: object) -> dict[str, Any]:
        if path == "/sessions" and answers:
            return {"of": "another version"}
        raise AdminError("no such session", 404)

    monkeypatch.setattr(admin_client, "ask", ask)
    result = call("history", "sale", "--admin", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("no such session\n")


def test_an_answer_of_another_version_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_client, "ask", lambda *_: {"of": "another version"})
    result = call("sessions", "--admin", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is it another version of statusproxy?" in result.stderr


def test_a_proxy_that_does_not_run_is_told_in_one_line(tmp_path: Path) -> None:
    file = written(tmp_path, f"gateway: http://127.0.0.1:3000\nadmin: {{listen: '127.0.0.1:{free_port()}'}}")
    for command in (["sessions"], ["history"], ["release", "sales"]):
        result = call(*command, "--config", file)
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert "does not answer (connection refused); is statusproxy running" in line


def test_an_admin_listener_that_is_off_cannot_be_asked(tmp_path: Path) -> None:
    result = call("sessions", "--config", written(tmp_path, "gateway: http://127.0.0.1:3000\nadmin: null"))
    assert result.exit_code == 1
    assert "turned off" in result.stderr


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a configuration file, on a machine that has none either."""
    monkeypatch.delenv("STATUSPROXY_CONFIG", raising=False)
    monkeypatch.setattr("statusproxy.config.layers.SEARCHED", (Path("config.yaml"),))
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("nowhere")
async def test_a_proxy_that_was_started_without_a_file_is_asked_without_one(
    proxy: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_proxy, "DEFAULT_ADMIN", str(proxy.server.settings.admin.listen))
    result = await asyncio.to_thread(call, "sessions")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "token" in result.stderr  # this one wants a token: so it was asked


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("command", ["sessions", "history", "release x", "state show"])
def test_without_a_file_and_a_proxy_both_are_told(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_proxy, "DEFAULT_ADMIN", f"127.0.0.1:{free_port()}")
    result = call(*command.split())
    assert result.exit_code == 1
    assert "is statusproxy running" in result.stderr
    assert result.stderr.endswith(
        " (looked at $STATUSPROXY_CONFIG, config.yaml); name it with --config, or give --admin\n"
    )
