"""The commands of the service: run, check."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from statusproxy.cli.commands import main
from statusproxy.server import StartError
from tests.cli.calling import call, written
from tests.ports import free_port
from tests.proxy.harness import PATIENCE


def test_check_prints_settings_that_can_be_loaded_again(tmp_path: Path) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\n")
    first = call("check", "--config", file)
    assert (first.exit_code, first.stderr) == (0, "")
    document = yaml.safe_load(first.stdout)
    assert document["gateway"] == "http://127.0.0.1:3000"
    assert {"listen", "webhooks", "events", "channels", "reconnect", "state", "admin"} <= document.keys()
    again = call("check", "-c", written(tmp_path, first.stdout))
    assert again.stdout == first.stdout


def test_check_prints_settings_and_warnings_as_json(tmp_path: Path) -> None:
    text = "gateway: http://127.0.0.1:3000\nadmin: {token: hunter2}\n"
    file = written(tmp_path, text + "channels: [{path: /a, list: [x]}, {path: /b, list: [x]}]\n")
    result = call("check", "--config", file, "--json")
    assert (result.exit_code, result.stderr, "hunter2" in result.stdout) == (0, "", False)
    document = json.loads(result.stdout)
    assert document["settings"] == yaml.safe_load(call("check", "--config", file).stdout)
    assert [warning.partition(":")[0] for warning in document["warnings"]] == ["channels"] * 2


def test_what_check_refuses_is_told_as_text_beside_no_json(tmp_path: Path) -> None:
    result = call("check", "--config", written(tmp_path, "gatewy: x\n"), "--json")
    assert (result.exit_code, result.stdout, "gatewy" in result.stderr) == (2, "", True)


def test_check_masks_every_secret(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        """
        gateway: http://127.0.0.1:3000
        webhooks:
          - {path: /a, secret: {header: X-Secret, value: planted-1}}
          - {path: /b, hmac: {header: X-Signature, secret: planted-2}}
          - {path: /d, jwt: {secret: planted-6}, token: {field: apikey, value: planted-7}}
          - {path: /c, forward_to: "https://user:planted-3@hub.example/hook?token=planted-4"}
        admin: {listen: "127.0.0.1:8091", token: "${TOKEN}"}
        state: {url: "memory:"}
        """,
    )
    result = call("check", "-c", file, TOKEN="planted-5")
    if result.exit_code == 2:  # credentials in a URL may be refused altogether
        assert "planted" not in result.stderr
        file.write_text(file.read_text().replace("user:planted-3@", ""))
        result = call("check", "-c", file, TOKEN="planted-5")
    assert result.exit_code == 0, result.stderr
    assert "planted" not in result.stdout
    assert result.stdout.count("***") >= 5
    assert "planted" not in result.stderr


def test_the_environment_names_the_file_and_the_command_line_beats_it(tmp_path: Path) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\n")
    result = call("check", "--gateway", "http://gateway.example:3001", STATUSPROXY_CONFIG=str(file))
    assert yaml.safe_load(result.stdout)["gateway"] == "http://gateway.example:3001"


def test_check_refuses_a_state_whose_package_is_missing_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\nstate: {url: 'redis://:planted-6@redis.example/0'}\n")
    assert call("check", "-c", file).exit_code == 0
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = call("check", "-c", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{file}: state.url: a state in Redis needs the packages hiredis and redis, ")
    assert "-m pip install 'hiredis>=3.5' 'redis<9,>=8.1'" in result.stderr
    assert "planted-6" not in result.stderr


def test_check_refuses_a_proof_whose_package_is_missing_and_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\nwebhooks: [{path: /a, jwt: {secret: planted-8}}]\n")
    assert call("check", "-c", file).exit_code == 0
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = call("check", "-c", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{file}: webhooks[0].jwt: a JSON Web Token needs the package pyjwt")
    assert "planted-8" not in result.stderr


@pytest.mark.slow
def test_check_refuses_a_target_of_apprise_where_its_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "gateway: http://127.0.0.1:3000\nalerts: {to: [{apprise: 'tgram://planted-9/x'}]}\n"
    file = written(tmp_path, text)
    shown = call("check", "-c", file)
    assert (shown.exit_code, "tgram://********" in shown.stdout) == (0, True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    result = call("check", "-c", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{file}: alerts.to[0].apprise: a target of Apprise needs the package apprise")
    assert "planted-9" not in shown.stdout + result.stderr


@pytest.mark.slow
def test_check_warns_of_a_target_that_apprise_does_not_know_and_repeats_no_secret(tmp_path: Path) -> None:
    pytest.importorskip("apprise")
    known, none = "    - apprise: json://127.0.0.1:9/t0k3n\n", "    - apprise: nosuch://t0k3n/1\n"
    file = written(tmp_path, f"gateway: http://127.0.0.1:3000\nalerts:\n  to:\n{known}{none}")
    result = call("check", "--config", file)
    assert (result.exit_code, result.stderr) == (
        0,
        (
            "warning: alerts.to[1].apprise: no message will arrive there "
            "(Apprise: Apprise does not know this kind of URL); "
            "compare it with the service's form on https://appriseit.com/services/\n"
        ),
    )
    assert "t0k3n" not in result.stdout


def test_a_certificate_that_cannot_be_used_is_told_by_check_already(tmp_path: Path) -> None:
    text = f"gateway: http://127.0.0.1:1\ntls: {{certificate: {tmp_path}/none.pem, key: {tmp_path}/none.key}}"
    result = call("check", "--config", written(tmp_path, text))
    assert result.exit_code == 2
    assert "tls.certificate: the file cannot be read: No such file or directory" in result.stderr


def test_check_warns_where_two_routes_may_draw_on_two_sources(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://127.0.0.1:3000\n")
    assert CliRunner().invoke(main, ["check", "--config", str(file)]).stderr == ""
    file.write_text("gateway: http://127.0.0.1:3000\nchannels: [{path: /a, list: [x]}, {path: /b, list: [x]}]\n")
    # The preset's own routes stay beside these two.
    result = CliRunner().invoke(main, ["check", "--config", str(file)])
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: channels: /a and /b, /api/channels, ")
    assert "may show the same sessions from different sources" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("form", "begins"), [("json", "{"), ("auto", "{"), ("text", None)])
async def test_run_logs_in_the_form_asked_for(form: str, begins: str | None, tmp_path: Path) -> None:
    file = written(tmp_path, f"gateway: http://127.0.0.1:9\nadmin: null\nstate: {{url: 'sqlite:///{tmp_path}/s.db'}}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusproxy", "run", "-c", str(file), "--listen", f"127.0.0.1:{free_port()}",
        "--log-format", form, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    async with asyncio.timeout(PATIENCE):
        while b"listening on" not in (line := await process.stderr.readline()):
            assert line
            lines.append(line.decode())
        process.terminate()
        output, rest = await process.communicate()
    lines += [line.decode(), *rest.decode().splitlines()]
    assert (process.returncode, output) == (0, b"")
    for each in lines:
        if begins:
            assert {"time", "level", "logger", "message"} <= json.loads(each).keys()
        else:
            assert not each.startswith("{")


@pytest.mark.slow
@pytest.mark.skipif(Path("/etc/statusproxy/config.yaml").exists(), reason="this host is configured")
async def test_run_without_a_gateway_says_what_to_do(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("STATUSPROXY")}
    script = f"import os, sys; os.chdir({str(tmp_path)!r}); from statusproxy.cli.commands import main; main(['run'])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    _, trouble = await process.communicate()
    assert process.returncode == 2
    assert b"--gateway" in trouble
    assert len(trouble.splitlines()) == 1


def test_an_error_on_asyncio_s_own_loop_is_not_told_as_a_missing_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    from statusproxy.cli.service import _run_loop

    async def fail() -> None:
        raise RuntimeError("the real error")

    monkeypatch.setitem(sys.modules, "uvloop", None)  # as where it is not installed
    with pytest.raises(RuntimeError, match="the real error") as raised:
        _run_loop(fail())
    assert raised.value.__context__ is None


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the logging of the tests as it is."""
    for name in ("set_up", "take_over", "flush"):
        monkeypatch.setattr(f"statusproxy.observe.logs.{name}", lambda *_: None)


@pytest.mark.usefixtures("quiet")
def test_run_serves_by_the_file_and_names_what_the_command_line_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[Any, ...]] = []

    async def serve(settings: Any, read: Any, given: Any) -> None:
        admin = str(settings.admin.listen)
        served.append((settings.gateway, settings.log.format, admin, read() == settings, given))

    monkeypatch.setattr("statusproxy.server.serve", serve)
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://gw.example")
    done = CliRunner().invoke(
        main,
        [
            *("run", "-c", str(file), "--log-format", "json"),
            *("--gateway", "http://other.example", "--admin-listen", "127.0.0.1:18092"),
        ],
    )
    assert (done.exit_code, done.output) == (0, "")
    given = ["admin.listen", "log.format", "gateway"]
    assert served == [("http://other.example", "json", "127.0.0.1:18092", True, given)]


@pytest.mark.usefixtures("quiet")
def test_a_start_that_fails_is_one_line_and_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(*_: object) -> None:
        raise StartError("the port is taken")

    monkeypatch.setattr("statusproxy.server.serve", serve)
    done = CliRunner().invoke(main, ["run", "--gateway", "http://gw.example"], env={"STATUSPROXY_CONFIG": None})
    assert (done.exit_code, done.stderr) == (1, "statusproxy cannot start: the port is taken\n")
