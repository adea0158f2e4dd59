"""The commands around an installation: demo, init, doctor."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from statusproxy.cli.commands import main
from statusproxy.demo.dialect import Dialect
from tests.cli.calling import call, written


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
    ("gateway", "proxy", "posts_to"),
    [
        ([], [], None),
        ([], ["--proxy", "http://proxy.example:8090/"], "http://proxy.example:8090"),
        (["--gateway", "waha"], ["--proxy", "http://proxy.example:8090"], "http://proxy.example:8090"),
    ],
)
def test_the_stand_in_gateway_is_served_alone(
    gateway: list[str], proxy: list[str], posts_to: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []

    async def serve(stand_in: str, host: str, port: int) -> None:
        served.append((stand_in, host, port))

    def made(chosen: Dialect | None, url: str | None) -> tuple[str | None, str | None]:
        return (chosen.name if chosen is not None else None, url)

    monkeypatch.setattr("statusproxy.demo.service.serve", serve)
    monkeypatch.setattr("statusproxy.demo.service.gateway", made)
    done = CliRunner().invoke(main, ["demo", *gateway, "--stand-in", ":3000", *proxy])
    assert done.exit_code == 0
    assert served == [((gateway[1] if gateway else None, posts_to), "0.0.0.0", 3000)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stand-in", "3000"], "Invalid value for --stand-in: found '3000'; allowed: host:port"),
        (["--proxy", "http://proxy.example"], "--proxy goes with --stand-in"),
        (["--serve", "--stand-in", ":3000"], "--serve starts a proxy, --stand-in starts none: give one of the two"),
    ],
)
def test_options_of_the_stand_in_that_make_no_sense_are_refused(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["demo", *arguments])
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_stand_in_that_cannot_listen_says_why() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = CliRunner().invoke(main, ["demo", "--stand-in", address])
    assert done.exit_code == 1
    assert done.stderr.startswith(f"cannot listen on {address}: ")


@pytest.mark.parametrize(
    ("name", "said"),
    [("evolution", "unknown gateway 'evolution'; known: baileys-api, "), ("gowa", "GOWA sends no event")],
)
def test_a_gateway_without_a_story_is_a_mistake_of_the_command_line(name: str, said: str) -> None:
    done = CliRunner().invoke(main, ["demo", "--gateway", name])
    assert done.exit_code == 2
    assert f"Invalid value for --gateway: {said}" in done.stderr


def test_init_says_why_no_file_was_written(tmp_path: Path) -> None:
    output = tmp_path / "config.yaml"
    output.write_text("mine\n")
    result = call("init", "--gateway", "http://127.0.0.1:9", "--output", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{output} exists already, and is never overwritten; give another file with --output\n"


def test_init_writes_a_configuration_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def init(gateway: str, output: Path, **_: Any) -> str:
        return f"The gateway answers like X.\n{output} is written for {gateway}."

    monkeypatch.setattr("statusproxy.detection.command.init", init)
    result = call("init", "--gateway", "http://127.0.0.1:9", "-o", "a.yaml")
    assert (result.exit_code, result.stdout) == (
        0,
        "The gateway answers like X.\na.yaml is written for http://127.0.0.1:9.\n",
    )


def test_init_says_as_json_which_file_and_preset_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def init(*_: object, **__: object) -> str:
        return "The gateway answers like X."

    monkeypatch.setattr("statusproxy.detection.command.init", init)
    file = written(tmp_path, "gateway: http://127.0.0.1:9\npreset: evolution-api\n")
    result = call("init", "--gateway", "http://127.0.0.1:9", "-o", file, "--json")
    assert json.loads(result.stdout) == {
        "file": str(file), "preset": "evolution-api", "text": "The gateway answers like X.",
    }  # fmt: skip


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
