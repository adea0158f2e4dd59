"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result, _NamedTextIOWrapper

from statusproxy import __version__
from statusproxy.admin import client as admin_client
from statusproxy.admin.client import AdminError
from statusproxy.admin.listener import AdminListener
from statusproxy.cli import main
from statusproxy.config.load import load
from statusproxy.demo.dialect import Dialect
from statusproxy.demo.events import status_find
from statusproxy.demo.gateway import StandInGateway
from statusproxy.server import StartError
from statusproxy.spool.spool import Spool
from statusproxy.store.spooled import State
from tests.admin.shelf import Shelf, entry, spool_of
from tests.integration.stage import INBOUND, tell
from tests.peers.processes import run
from tests.ports import free_port
from tests.proxy.harness import PATIENCE, Running, running
from tests.store.damaged import damage_page, filled, noise, readable


def call(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)), env=environment, prog_name="statusproxy")


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text)
    return file


def test_it_tells_its_version() -> None:
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"statusproxy {__version__}\n")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["-h"], ["run", "-h"], ["check", "-h"], ["try", "-h"], ["sessions", "-h"]]
)
def test_it_helps(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: statusproxy")


# check


def test_check_prints_settings_that_can_be_loaded_again(tmp_path: Path) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\n")
    first = call("check", "--config", file)
    assert (first.exit_code, first.stderr) == (0, "")
    document = yaml.safe_load(first.stdout)
    assert document["gateway"] == "http://127.0.0.1:3000"
    assert {"listen", "webhooks", "events", "channels", "reconnect", "state", "admin"} <= document.keys()
    again = call("check", "-c", written(tmp_path, first.stdout))
    assert again.stdout == first.stdout


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
    assert result.stderr.startswith(f"{file}: state.url: a state in Redis needs the package redis")
    assert "-m pip install 'redis<9,>=8.1'" in result.stderr
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


@pytest.mark.parametrize("command", ["check", "run", "sessions"])
@pytest.mark.parametrize(
    ("text", "says"),
    [("gatway: http://127.0.0.1:3000", 'did you mean "gateway"?'), ("gateway: [", "config.yaml"),
     ("gateway: http://127.0.0.1:3000\nlimits: {head: much}", "limits.head")],
)  # fmt: skip
def test_a_broken_configuration_is_one_line_and_exit_code_2(command: str, text: str, says: str, tmp_path: Path) -> None:
    result = call(command, "--config", written(tmp_path, text))
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert says in line
    assert "config.yaml" in line


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path) -> None:
    result = call("check", "--config", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml" in result.stderr


def test_a_certificate_that_cannot_be_used_is_told_by_check_already(tmp_path: Path) -> None:
    text = f"gateway: http://127.0.0.1:1\ntls: {{certificate: {tmp_path}/none.pem, key: {tmp_path}/none.key}}"
    result = call("check", "--config", written(tmp_path, text))
    assert result.exit_code == 2
    assert "tls.certificate: the file cannot be read: No such file or directory" in result.stderr


# run


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
    script = f"import os, sys; os.chdir({str(tmp_path)!r}); from statusproxy.cli import main; main(['run'])"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stderr=asyncio.subprocess.PIPE,
        env={**environment, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )  # fmt: skip
    _, trouble = await process.communicate()
    assert process.returncode == 2
    assert b"--gateway" in trouble
    assert len(trouble.splitlines()) == 1


# sessions, history and release


# try


@pytest.fixture
def event(tmp_path: Path) -> Path:
    """A file with an event that says a phone was unlinked."""
    file = tmp_path / "event.json"
    file.write_text('{"event":"status-find","session":"sales","status":"disconnectedMobile"}')
    return file


def test_try_needs_no_gateway_with_a_preset_and_ends_with_its_code(event: Path, tmp_path: Path) -> None:
    (tmp_path / "unknown.json").write_text('{"type":"LoggedOut"}')
    known = call("try", "--preset", "gateway-wrapper", "--event", event, "--at", "2026-01-15T19:07:10Z")
    unknown = call("try", "--preset", "gateway-wrapper", "--event", tmp_path / "unknown.json")
    assert (known.exit_code, unknown.exit_code) == (0, 1)
    assert "verdict applied" in known.stdout
    assert "this body has `type: LoggedOut`" in unknown.stdout


def test_try_takes_a_file_s_configuration_and_a_preset_in_place_of_the_file_s(event: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: /events}]\n")
    alone = call("try", "--event", event, "--json", STATUSPROXY_CONFIG=str(file))
    with_preset = call("try", "--config", file, "--preset", "gateway-wrapper", "--event", event, "--json")
    assert [json.loads(one.stdout)["events"][0]["verdict"] for one in (alone, with_preset)] == ["unmatched", "applied"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to try: give --event, --list or --qr"),
        (["--preset", "gateway-wraper"], '--preset: found "gateway-wraper"; allowed: '),
        (["--preset", "./mine.yaml"], "mine.yaml"),
        (["--event", "none.json"], "none.json: cannot be read: No such file or directory"),
        (["--header", "example-secret"], "write NAME:VALUE"),
        (["--at", "noon"], "write ISO 8601 with a zone"),
        (["--wait", "long"], "a duration such as"),
    ],
)
def test_what_try_cannot_use_is_exit_code_2(arguments: list[str], says: str, event: Path) -> None:
    more = [] if not arguments or "--event" in arguments else ["--event", str(event)]
    preset = [] if "--preset" in arguments else ["--preset", "gateway-wrapper"]
    result = call("try", *preset, *more, *arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert "example-secret" not in result.output


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Running]:
    admin = {"listen": f"127.0.0.1:{free_port()}", "token": "s3cret"}
    async with (
        StandInGateway(sessions=("sales", "Front Desk")) as gateway,
        running(tmp_path, gateway.base_url, admin=admin) as proxy,
    ):
        yield proxy


@pytest.mark.parametrize("command", ["history", "release", "forget"])
def test_an_empty_text_is_no_sessions_id(command: str) -> None:
    done = call(command, "")
    assert done.exit_code == 2
    assert "an empty text is no session's id" in done.stderr


async def asking(proxy: Running, tmp_path: Path, *arguments: str) -> Result:
    return await asyncio.to_thread(call, *arguments, "--config", tmp_path / "config.yaml")


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


async def test_sessions_shows_what_is_known_and_release_ends_a_correction(proxy: Running, tmp_path: Path) -> None:
    result = await asking(proxy, tmp_path, "sessions")
    assert result.exit_code == 0
    assert "No session is known yet" in result.stdout
    await tell(proxy.url + INBOUND, status_find("Front Desk", "browserClose"), status_find("sales", "inChat"))
    result = await asking(proxy, tmp_path, "sessions")
    assert result.exit_code == 0
    head, first, second = result.stdout.rstrip().splitlines()[:3]
    assert head.split()[:2] == ["SESSION", "SHOWN"]
    assert first.startswith("Front Desk  will be disconnected")
    assert "status-find browserClose" in first
    assert second.startswith("sales")
    document = json.loads((await asking(proxy, tmp_path, "sessions", "--json")).stdout)
    assert [one["session"] for one in document["sessions"]] == ["Front Desk", "sales"]

    result = await asking(proxy, tmp_path, "release", "Front Desk")
    assert (result.exit_code, result.stdout.startswith("Front Desk: released")) == (0, True)
    assert not proxy.server.registry.has_overrides
    result = await asking(proxy, tmp_path, "release", "Front Desk")
    assert (result.exit_code, result.stdout.startswith("Front Desk: nothing to release")) == (0, True)
    result = await asking(proxy, tmp_path, "release", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nobody" in result.stderr

    result = await asking(proxy, tmp_path, "history")
    assert result.exit_code == 0
    assert [word for line in result.stdout.splitlines() for word in ("lost", "released by hand") if word in line] == [
        "released by hand",
        "lost",
    ]
    one = json.loads((await asking(proxy, tmp_path, "history", "Front Desk", "--json")).stdout)
    assert [change["change"] for change in one["history"]] == ["released", "started"]


async def test_a_session_that_nobody_knows_is_an_error_with_the_ids_that_are_like_it(
    proxy: Running, tmp_path: Path
) -> None:
    await tell(proxy.url + INBOUND, status_find("Front Desk", "inChat"), status_find("sales", "inChat"))
    for command in ("history", "release"):
        result = await asking(proxy, tmp_path, command, "front-desk")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("no session 'front-desk' is known")
        assert result.stderr.endswith('; did you mean "Front Desk"?\n')
        result = await asking(proxy, tmp_path, command, "marketing\x1b[31m")
        assert "did you mean" not in result.stderr
        assert result.stderr[:-1].isprintable()
    result = await asking(proxy, tmp_path, "history", "sales")
    assert (result.exit_code, result.stdout) == (0, "sales was not lost in the time that is kept.\n")


async def test_the_ids_are_shown_in_the_order_in_which_people_count(proxy: Running, tmp_path: Path) -> None:
    ids = ["unit 10", "unit 9", "Unit 2", "unit 1"]
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ids))
    _, *lines = (await asking(proxy, tmp_path, "sessions")).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["unit 1", "Unit 2", "unit 9", "unit 10"]


async def test_an_id_reaches_no_terminal_as_a_command_and_stays_itself_in_json(proxy: Running, tmp_path: Path) -> None:
    session = "a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b"
    await tell(proxy.url + INBOUND, status_find(session, "browserClose"))
    for command in (["sessions"], ["history"], ["history", session], ["release", session]):
        result = await asking(proxy, tmp_path, *command)
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.stdout.split("\n"))
        assert r"a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b" in result.stdout
        if command != ["release", session]:
            result = await asking(proxy, tmp_path, *command, "--json")
            assert all(line.isprintable() for line in result.stdout.split("\n"))
            (one,) = next(value for value in json.loads(result.stdout).values() if isinstance(value, list))
            assert one["session"] == session


async def test_webhooks_of_which_none_is_trusted_are_said(tmp_path: Path) -> None:
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    hooks = [{"path": INBOUND, "forward": False, "from": ["192.0.2.0/24"]}]
    async with running(tmp_path, "http://127.0.0.1:9", admin=admin, webhooks=hooks) as proxy:
        await tell(proxy.url + INBOUND, *[status_find("sales", "browserClose")] * 6)
        result = await asking(proxy, tmp_path, "sessions")
    assert result.stdout.startswith(
        "No session is known yet: 6 webhooks came since the start, none trusted (network: 6)."
    )


@pytest.mark.parametrize(
    ("command", "ends"),
    [("sessions", "write one, or give --admin"), ("history", "write one, or give --admin"),
     ("release x", "write one, or give --admin"), ("state show", "write one, or give --admin"),
     ("try --qr x", "write one, or give --preset"),
     ("backup x", "write one"), ("check", "write one, or give --gateway"), ("run", "write one, or give --gateway")],
)  # fmt: skip
@pytest.mark.skipif(Path("/etc/statusproxy/config.yaml").exists(), reason="this host is configured")
def test_no_command_advises_an_option_that_it_lacks(
    command: str, ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STATUSPROXY_CONFIG", raising=False)
    result = call(*command.split())
    assert result.exit_code == 2
    assert result.stderr.endswith(f"; {ends}\n")
    result = call(*command.split(), "-c", written(tmp_path, "language: en"))
    assert result.exit_code == 2
    assert ("--gateway" in result.stderr) == (command in ("check", "run"))


async def test_white_space_at_the_edge_of_an_id_shows_in_what_was_done(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("SALES ", "browserClose"))
    for command, done in (("release", "released"), ("release", "nothing to release"), ("forget", "forgotten")):
        result = await asking(proxy, tmp_path, command, "SALES ")
        assert result.stdout.startswith(f'"SALES ": {done}')


async def test_forget_removes_sessions_and_ends_their_corrections(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("Front Desk", "browserClose"), status_find("sales", "inChat"))
    result = await asking(proxy, tmp_path, "forget", "frontdesk", "sales")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "frontdesk: forgotten (known as Front Desk); the list shows again what the gateway says",
        "sales: forgotten",
    ]
    assert proxy.server.registry.records() == []
    result = await asking(proxy, tmp_path, "forget", "sales")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no session 'sales' is known" in result.stderr


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


@pytest.mark.slow
async def test_the_module_is_the_program() -> None:
    code, output, _ = await run((sys.executable, "-m", "statusproxy", "--version"))
    assert (code, output.decode()) == (0, f"statusproxy {__version__}\n")


def test_an_error_on_asyncio_s_own_loop_is_not_told_as_a_missing_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    from statusproxy.cli import _run_loop

    async def fail() -> None:
        raise RuntimeError("the real error")

    monkeypatch.setitem(sys.modules, "uvloop", None)  # as where it is not installed
    with pytest.raises(RuntimeError, match="the real error") as raised:
        _run_loop(fail())
    assert raised.value.__context__ is None


# state and backup


@pytest.fixture
async def damaged(tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy that started with a damaged state."""
    state = tmp_path / "state.db"
    filled(state)
    damage_page(state, 5, noise)
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    async with (
        StandInGateway(sessions=("sales",)) as gateway,
        running(tmp_path, gateway.base_url, admin=admin, state={"url": f"sqlite:///{state}"}) as proxy,
    ):
        yield proxy


async def test_damage_is_shown_until_it_is_acknowledged(damaged: Running, tmp_path: Path) -> None:
    result = await asking(damaged, tmp_path, "state", "show")
    assert result.exit_code == 1
    assert "sessions and" in result.stdout
    assert len(json.loads((await asking(damaged, tmp_path, "state", "show", "--json")).stdout)["damage"]) == 1
    result = await asking(damaged, tmp_path, "state", "acknowledge")
    assert (result.exit_code, result.stdout) == (0, "1 acknowledged\n")
    result = await asking(damaged, tmp_path, "state", "acknowledge")
    assert (result.exit_code, result.stdout) == (0, "nothing to acknowledge: no damage is known\n")
    result = await asking(damaged, tmp_path, "state", "show")
    assert (result.exit_code, result.stdout) == (0, "The state can be written.\n")


async def test_a_backup_of_a_running_proxy_can_be_started_from(damaged: Running, tmp_path: Path) -> None:
    await tell(damaged.url + INBOUND, status_find("Front Desk", "browserClose"))
    copy = tmp_path / "copy.db"
    result = await asking(damaged, tmp_path, "backup", str(copy))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{copy}: ")
    assert copy.stat().st_mode & 0o777 == 0o600
    result = await asking(damaged, tmp_path, "backup", str(copy))
    assert (result.exit_code, "--force" in result.stderr) == (1, True)
    assert (await asking(damaged, tmp_path, "backup", "--force", str(copy))).exit_code == 0
    assert "Front Desk" in readable(copy).sessions


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("memory:", "in memory only"),
        ("redis://:hunter2@127.0.0.1:6380/3", "redis-cli -h 127.0.0.1 -p 6380 --rdb FILE"),
        ("sqlite:///none.db", "there is no state in"),
    ],
)
def test_where_there_is_no_file_to_copy_a_backup_says_what_to_do(url: str, says: str, tmp_path: Path) -> None:
    file = written(tmp_path, f"gateway: http://127.0.0.1:9\nstate: {{url: '{url}'}}")
    result = call("backup", tmp_path / "copy.db", "-c", file, STATE_DIRECTORY=str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert says in result.stderr
    assert "hunter2" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "copy.db").exists()


# Commands in this process


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the logging of the tests as it is."""
    for name in ("set_up", "take_over", "flush"):
        monkeypatch.setattr(f"statusproxy.cli.logs.{name}", lambda *_: None)


@pytest.mark.usefixtures("quiet")
def test_run_serves_by_the_file_and_names_what_the_command_line_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[Any, ...]] = []

    async def serve(settings: Any, read: Any, given: Any) -> None:
        served.append((settings.gateway, settings.log.format, read() == settings, given))

    monkeypatch.setattr("statusproxy.server.serve", serve)
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://gw.example")
    done = CliRunner().invoke(
        main, ["run", "-c", str(file), "--log-format", "json", "--gateway", "http://other.example"]
    )
    assert (done.exit_code, done.output) == (0, "")
    assert served == [("http://other.example", "json", True, ["log.format", "gateway"])]


@pytest.mark.usefixtures("quiet")
def test_a_start_that_fails_is_one_line_and_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(*_: object) -> None:
        raise StartError("the port is taken")

    monkeypatch.setattr("statusproxy.server.serve", serve)
    done = CliRunner().invoke(main, ["run", "--gateway", "http://gw.example"], env={"STATUSPROXY_CONFIG": None})
    assert (done.exit_code, done.stderr) == (1, "statusproxy cannot start: the port is taken\n")


@pytest.mark.parametrize(("arguments", "held", "code"), [([], True, 0), ([], False, 1), (["--serve"], True, 0)])
def test_the_demonstration_is_played_or_kept_up(
    arguments: list[str], held: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def play() -> bool:
        done.append("play")
        return held

    async def serve() -> bool:
        done.append("serve")
        return held

    monkeypatch.setattr("statusproxy.demo.story.play", play)
    monkeypatch.setattr("statusproxy.demo.story.serve", serve)
    assert CliRunner().invoke(main, ["demo", *arguments]).exit_code == code
    assert done == (["serve"] if arguments else ["play"])


@pytest.mark.parametrize(("arguments", "held", "code"), [([], True, 0), ([], False, 1), (["--serve"], True, 0)])
def test_the_demonstration_stands_in_for_the_gateway_that_is_named(
    arguments: list[str], held: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    async def play(dialect: Dialect) -> bool:
        done.append(("play", dialect.name))
        return held

    async def serve(dialect: Dialect) -> bool:
        done.append(("serve", dialect.name))
        return held

    monkeypatch.setattr("statusproxy.demo.dialect_story.play", play)
    monkeypatch.setattr("statusproxy.demo.dialect_story.serve", serve)
    assert CliRunner().invoke(main, ["demo", "--gateway", "waha", *arguments]).exit_code == code
    assert done == [("serve" if arguments else "play", "waha")]


@pytest.mark.parametrize(
    ("name", "said"),
    [("evolution", "there is no gateway 'evolution' here; known are baileys-api, "), ("gowa", "GOWA sends no event")],
)
def test_a_gateway_without_a_story_is_a_mistake_of_the_command_line(name: str, said: str) -> None:
    done = CliRunner().invoke(main, ["demo", "--gateway", name])
    assert done.exit_code == 2
    assert f"Invalid value for --gateway: {said}" in done.stderr


def test_the_doctor_prints_its_report_and_ends_with_its_code(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gatewy: x")
    done = CliRunner().invoke(main, ["doctor", "-c", str(file), "--language", "en", "--json"])
    assert (done.exit_code, json.loads(done.output)["status"]) == (2, "problem")


def test_a_header_that_is_none_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("gateway: http://gw.example")
    done = CliRunner().invoke(main, ["doctor", "-c", str(file), "--secret-header", "X Y"])
    assert done.exit_code == 2
    assert "allowed: a header's name" in done.stderr


# learn and init

ODD_EVENT = '{"what": "linkState", "box": {"ref": "sales"}, "info": {"phase": "down"}}\n'
ODD_LIST = '{"boxes": [{"box": "sales", "phase": "up"}]}'


def test_learn_drafts_a_preset_from_captured_files(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(ODD_EVENT)
    (tmp_path / "list.json").write_text(ODD_LIST)
    captured = ("--from", tmp_path / "events.jsonl", "--path", "/hook")
    result = call("learn", *captured, "--list", tmp_path / "list.json", "--route", "/api/boxes")
    assert (result.exit_code, result.stderr) == (0, "")
    document = yaml.safe_load(result.stdout)
    assert document["events"] == [
        {"event": "linkState", "session": ["box.ref"], "state": ["info.phase"], "disconnected": ["down"]}
    ]
    assert document["channels"][0]["set"] == {"phase": "down"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "FILE"], "no event can be read in it"),
        (["--list", "FILE"], "write one --route for each --list"),
        (["--from", "FILE", "--show"], "--show and --stop ask a running proxy"),
        (["--show", "--stop"], "cannot be given together"),
        (["--minutes", "0"], "0 is not in the range"),
    ],
)
def test_learn_refuses_what_it_cannot_do(arguments: list[str], said: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    result = call("learn", *(str(file) if each == "FILE" else each for each in arguments))
    assert result.exit_code == 2
    assert said in result.stderr


async def test_learn_asks_the_running_proxy(proxy: Running, tmp_path: Path) -> None:
    begun = await asking(proxy, tmp_path, "learn", "--minutes", "5")
    assert (begun.exit_code, begun.stdout.splitlines()[-1]) == (0, "Then: statusproxy learn --show > mine.yaml")
    shown = await asking(proxy, tmp_path, "learn", "--show")
    assert shown.stdout.startswith("# A draft preset, made by `statusproxy learn` from 0 events and 0 answers.\n")
    assert shown.stderr.startswith("Learning until ")
    stopped = await asking(proxy, tmp_path, "learn", "--stop")
    assert stopped.stdout.startswith("Learning is off; 0 events")
    again = await asking(proxy, tmp_path, "learn", "--show")
    assert (again.exit_code, again.stderr) == (
        1,
        "nothing was learned: learning was not started, or it was stopped\n",
    )


def test_init_says_why_no_file_was_written(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    output.write_text("mine\n")
    result = call("init", "--gateway", "http://127.0.0.1:9", "--output", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{output} is there already, and is never overwritten; give another file with --output\n"


def test_init_writes_a_configuration_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def init(gateway: str, output: Path, **_: Any) -> str:
        return f"The gateway answers as X.\n{output} is written for {gateway}."

    monkeypatch.setattr("statusproxy.detection.command.init", init)
    result = call("init", "--gateway", "http://127.0.0.1:9", "-o", "a.yaml")
    assert (result.exit_code, result.stdout) == (
        0,
        "The gateway answers as X.\na.yaml is written for http://127.0.0.1:9.\n",
    )


# spool


@pytest.fixture
async def kept(proxy: Running) -> AsyncIterator[tuple[Spool, str]]:
    """A spool with entries, and the admin listener that serves it."""
    spool = await spool_of(Shelf(entry(1), entry(2, state=State.UNKNOWN), entry(3, state=State.DEAD)))
    server = proxy.server
    settings = load(os.devnull, {"admin.listen": "127.0.0.1:0"}, {}, gateway="http://127.0.0.1:1")
    listener = AdminListener(server.registry, server.exposition, server.proxy, settings, spool)
    await listener.start()
    yield spool, listener.addresses[0]
    await listener.stop()


async def spooled(where: str, *arguments: str) -> Result:
    return await asyncio.to_thread(call, "spool", *arguments, "--admin", where)


async def test_kept_events_are_listed_and_shown_and_bodies_only_on_demand(kept: tuple[Spool, str]) -> None:
    _, where = kept
    listed = await spooled(where, "list")
    assert (listed.exit_code, listed.stdout.splitlines()[0].partition(" since")[0]) == (0, "1 waiting")
    chosen = json.loads((await spooled(where, "list", "--json", "--state", "dead", "--newest")).stdout)
    assert [each["id"] for each in chosen["entries"]] == ["000003"]
    assert "body" not in json.dumps(chosen)
    shown = await spooled(where, "show", "000002")
    assert (shown.exit_code, "state     unknown" in shown.stdout, "planted" in shown.stdout) == (0, True, False)
    assert json.loads((await spooled(where, "show", "000002", "--json")).stdout)["entry"]["id"] == "000002"
    assert (await spooled(where, "show", "000002", "--body")).stdout_bytes == b'{"a":1}'
    gone = await spooled(where, "show", "9", "--body")
    assert (gone.exit_code, gone.stdout, gone.stderr) == (1, "", "no event '9' is kept; it may have been delivered\n")


async def test_kept_events_are_replayed_and_dropped(kept: tuple[Spool, str]) -> None:
    spool, where = kept
    assert (await spooled(where, "replay", "000002")).stdout == "000002: to be delivered now\n"
    assert (await spooled(where, "replay", "--state", "dead")).stdout == "1 event: to be delivered now\n"
    assert (await spooled(where, "drop", "000002")).stdout == "000002: dropped\n"
    assert (await spooled(where, "drop", "--state", "unknown")).stdout == "none\n"
    assert (await spooled(where, "drop", "--session", "sales", "--yes")).stdout == "2 events: dropped\n"
    assert spool.totals.entries == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["drop"], "say which events: ids, --state or --session"), (["replay", "1", "--state", "dead"], "not both")],
)
def test_events_must_be_chosen_in_one_way(arguments: list[str], says: str) -> None:
    done = call("spool", *arguments)
    assert (done.exit_code, says in done.stderr) == (2, True)


def test_on_a_terminal_dropping_is_asked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)
    asked: list[str] = []

    def ask(*said: str) -> dict[str, int]:
        asked.append(said[2])
        return {"changed": 2}

    monkeypatch.setattr(admin_client, "ask", ask)
    arguments = ["spool", "drop", "--state", "dead", "--session", "sales", "--admin", "127.0.0.1:1"]
    refused = CliRunner().invoke(main, arguments, input="n\n")
    assert (refused.exit_code, asked) == (1, [])
    assert "Drop for good: state dead and session sales." in refused.stderr
    agreed = CliRunner().invoke(main, arguments, input="y\n")
    assert (agreed.exit_code, asked) == (0, ["/spool?state=dead&session=sales"])


def test_what_steers_a_terminal_reaches_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)
    monkeypatch.setattr(admin_client, "download", lambda *_: iter([b"a\x1b[2J"]))
    done = CliRunner().invoke(main, ["spool", "show", "1", "--body", "--admin", "127.0.0.1:1"])
    assert done.stdout == "a\\x1b[2J\n"
