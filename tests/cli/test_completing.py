"""Completion: the plain ids of the running proxy, and nothing where it does not answer."""

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from statusproxy.cli.commands import main
from statusproxy.cli.completing import session_ids
from statusproxy.cli.sessions import forget
from statusproxy.demo.events import status_find
from tests.cli.calling import call, written
from tests.integration.stage import INBOUND, tell
from tests.proxy.harness import Running

#: Ids that a shell would read as more than a word, outside of quotes or within one kind of them, or as an option.
HOSTILE = (
    "x$(touch hacked)", "x`touch hacked`", "x;touch hacked;", "x';touch hacked;'", 'x";touch hacked;"',
    "x\ntouch hacked", "x|touch hacked", "x&touch hacked&", "x!touch", "x*", "x{a,b}", "~root", "-x", "--all", "x\\",
    "x y", "x,y", "x\u202ey", "xé",
)  # fmt: skip

#: Keys typed into bash, and the line that they leave.
TAB, LEFT = "\t", "\x02"
TYPED = [
    ("statusproxy sessi" + TAB, "statusproxy sessions "),
    ("statusproxy sessions --wa" + TAB, "statusproxy sessions --watch "),
    ("statusproxy release " + TAB, "statusproxy release sales "),
    ("statusproxy release s" + TAB, "statusproxy release sales "),
    ('statusproxy release "s' + TAB, 'statusproxy release "sales" '),
    ("statusproxy release 's" + TAB, "statusproxy release 'sales' "),
    ("statusproxy release x" + TAB, "statusproxy release x"),
    ('statusproxy release "x' + TAB, 'statusproxy release "x'),
    ("statusproxy release 'x" + TAB, "statusproxy release 'x"),
    ("statusproxy release $'x" + TAB, "statusproxy release $'x"),
    ("statusproxy release F" + TAB, "statusproxy release F"),
    ("statusproxy release s 'a b'" + LEFT * 6 + TAB, "statusproxy release sales 'a b'"),
    ("statusproxy release x 'a b'" + LEFT * 6 + TAB, "statusproxy release x 'a b'"),
    ("statusproxy release 'x \"a" + LEFT * 3 + TAB, "statusproxy release 'x \"a"),
    ("statusproxy release \"x 'a" + LEFT * 3 + TAB, "statusproxy release \"x 'a"),
]


def candidates(incomplete: str, **params: object) -> list[str]:
    context = click.Context(forget)
    context.params = params
    return [item.value for item in session_ids(context, context.command.params[0], incomplete)]


def typed_into_bash(folder: Path, lines: list[str]) -> list[str]:
    """What stands on the line of an interactive bash after each of these was typed. No line is run."""
    reading, writing = os.pipe()
    ours, theirs = pty.openpty()
    # Ctrl-X q tells the line and empties it.
    (folder / "bashrc").write_text(
        f"""
        source <(statusproxy completion bash)
        bind 'set enable-bracketed-paste off'
        bind -x '"\\C-xq": printf "%s\\n" "$READLINE_LINE" >&{writing}; READLINE_LINE='
        """,
        encoding="utf-8",
    )
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STATUSPROXY_CONFIG": str(folder / "config.yaml"), "HISTFILE": "", "INPUTRC": "/dev/null",
        "TERM": "dumb", "LANG": "C.UTF-8",
    }  # fmt: skip
    bash = subprocess.Popen(
        ["bash", "--rcfile", str(folder / "bashrc"), "-i"],
        stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(writing,), cwd=folder,
        env=environ, start_new_session=True,
    )  # fmt: skip
    os.close(writing)
    os.close(theirs)
    try:
        with os.fdopen(reading, encoding="utf-8") as told:
            left = []
            for keys in ["", *lines]:  # the first one waits for bash
                os.write(ours, f"{keys}\x18q".encode())
                left.append(told.readline().removesuffix("\n"))
        return left[1:]
    finally:
        bash.kill()
        bash.wait()
        os.close(ours)


async def test_plain_ids_that_begin_so_and_are_not_given_yet_are_candidates(proxy: Running, tmp_path: Path) -> None:
    ids = ("sales", "support", "5511", "a_b.c:d+e-f@g", "Front Desk", *HOSTILE)
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ids))
    config = tmp_path / "config.yaml"
    assert await asyncio.to_thread(candidates, "s", config=config) == ["sales", "support"]
    rest = ["5511", "a_b.c:d+e-f@g", "support"]
    assert await asyncio.to_thread(candidates, "", config=config, sessions=("sales",)) == rest


async def test_each_command_about_sessions_completes_their_ids(
    proxy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "inChat"))
    monkeypatch.setenv("STATUSPROXY_CONFIG", str(tmp_path / "config.yaml"))
    complete = ShellComplete(main, {}, "statusproxy", "_X").get_completions
    for command in ("history", "uptime", "release", "forget", "spool list --session"):
        found = await asyncio.to_thread(complete, command.split(), "sa")
        assert (command, [item.value for item in found]) == (command, ["sales"])


def test_where_the_proxy_does_not_answer_there_is_no_candidate_and_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert candidates("", admin="127.0.0.1:9") == []
    assert candidates("", config=written(tmp_path, "gatewy: x\n")) == []
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_the_program(shell: str) -> None:
    result = call("completion", shell)
    assert (result.exit_code, f"_STATUSPROXY_COMPLETE={shell}_complete" in result.stdout) == (0, True)


@pytest.mark.slow
async def test_a_real_bash_inserts_no_more_than_a_plain_id_whatever_stands_on_the_line(
    proxy: Running, tmp_path: Path
) -> None:
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ("sales", "Front Desk", *HOSTILE)))
    lines = await asyncio.to_thread(typed_into_bash, tmp_path, [keys for keys, _ in TYPED])
    assert dict(zip((keys for keys, _ in TYPED), lines, strict=True)) == dict(TYPED)
    assert not await asyncio.to_thread((tmp_path / "hacked").exists)
