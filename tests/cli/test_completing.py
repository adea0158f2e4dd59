"""Completion: the ids of the running proxy, quoted for bash, and nothing where it does not answer."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

from statusproxy.cli.commands import main
from statusproxy.cli.completing import QuotingBash, session_ids
from statusproxy.demo.events import status_find
from tests.cli.calling import call, written
from tests.integration.stage import INBOUND, tell
from tests.proxy.harness import Running

ODD = "$(touch hacked) it's"


def candidates(incomplete: str, **params: object) -> list[str]:
    context = click.Context(main.commands["forget"])
    context.params = params
    return [item.value for item in session_ids(context, context.command.params[0], incomplete)]


async def test_ids_that_begin_so_and_are_not_given_yet_are_candidates(proxy: Running, tmp_path: Path) -> None:
    ids = ("sales", "support", "Front Desk", "-rf", "a\nb", ODD)
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ids))
    config = tmp_path / "config.yaml"
    assert await asyncio.to_thread(candidates, "s", config=config) == ["sales", "support"]
    assert await asyncio.to_thread(candidates, "", config=config, sessions=("sales",)) == [ODD, "Front Desk", "support"]


def test_where_the_proxy_does_not_answer_there_is_no_candidate_and_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert candidates("", admin="127.0.0.1:9") == []
    assert candidates("", config=written(tmp_path, "gatewy: x\n")) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("typed", "value", "told"),
    [
        ("fr", "Front Desk", r"plain,Front\\ Desk"),
        ("", ODD, r"plain,\\$\\(touch\\ hacked\\)\\ it\\'s"),
        ('"fr', "Front Desk", "plain,Front Desk"),
        ('"', ODD, r"plain,\\$(touch hacked) it's"),
        ("'", ODD, r"plain,$(touch hacked) it'\\''s"),
        ("5", "5511@s.whatsapp.net", "plain,5511@s.whatsapp.net"),
    ],
)
def test_bash_gets_one_word(typed: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", f"statusproxy\nrelease\n{typed}")
    assert QuotingBash(main, {}, "statusproxy", "_X").format_completion(CompletionItem(value)) == told
    assert (
        QuotingBash(main, {}, "statusproxy", "_X").format_completion(CompletionItem("a b", type="file")) == "file,a b"
    )


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_the_program(shell: str) -> None:
    result = call("completion", shell)
    assert (result.exit_code, f"_STATUSPROXY_COMPLETE={shell}_complete" in result.stdout) == (0, True)


@pytest.mark.slow
async def test_a_real_bash_completes_commands_options_and_ids(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ("sales", "Front Desk", ODD)))
    program = Path(sys.executable).parent / "statusproxy"
    script = f"""
        source <({program} completion bash)
        complete_line() {{
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _statusproxy_completion "$1"
            printf '%s;' "${{COMPREPLY[@]}}"; echo
        }}
        complete_line {program} sess
        complete_line {program} sessions --wa
        complete_line {program} release Fr
        complete_line {program} release '$'
    """

    def run() -> str:
        environ = {**os.environ, "STATUSPROXY_CONFIG": str(tmp_path / "config.yaml")}
        command = ["bash", "--norc", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environ)
        assert done.stderr == ""
        return done.stdout

    assert (await asyncio.to_thread(run)).splitlines() == [
        "sessions;", "--watch;", r"Front\ Desk;", r"\$\(touch\ hacked\)\ it\'s;",
    ]  # fmt: skip
    assert not await asyncio.to_thread((tmp_path / "hacked").exists)
