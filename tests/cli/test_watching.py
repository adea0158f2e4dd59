"""Watching the sessions: on a terminal, in a pipe, while the proxy is away, and to the end."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import NoReturn

import pytest

from statusproxy.admin import client as admin_client
from statusproxy.admin.client import AdminError
from statusproxy.admin.messages import Session, Sessions
from statusproxy.admin.watch import ENTER, LEAVE
from statusproxy.cli import watching
from statusproxy.cli.watching import Ask, draw, print_changes
from tests.cli.calling import call

UP, DOWN = Session(session="sales", shows="gateway"), Session(session="sales", shows="disconnected", shown_at="x")


def told(*answers: Sessions | str) -> Ask:
    """Gives these answers, one after the other; a text is an error."""
    left = list(answers)

    def ask() -> Sessions:
        answer = left.pop(0)
        if isinstance(answer, str):
            raise AdminError(answer)
        return answer

    return ask


class EndedError(Exception):
    """Ctrl-C, at some pause."""


class Pause:
    """Ends watching at the last of so many pauses."""

    def __init__(self, pauses: int) -> None:
        self._left = pauses

    def __call__(self, seconds: float) -> None:
        assert seconds == watching.EVERY
        self._left -= 1
        if not self._left:
            raise EndedError


def both(*sessions: Iterable[Session]) -> list[Sessions]:
    return [Sessions(now="2026-01-15T12:00:00.000Z", sessions=list(each)) for each in sessions]


def test_into_a_pipe_goes_each_session_then_each_change_and_on_stderr_whether_it_is_live(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two, three = both([UP], [DOWN], [])
    with pytest.raises(EndedError):
        print_changes(told(one, one, "no answer", "no answer", two, three), Pause(6))
    said = capsys.readouterr()
    assert [line.split("  ")[1:] for line in said.out.splitlines()] == [
        ["sales", "as gateway says"],
        ["sales", "disconnected"],
        ["sales", "gone"],
    ]
    assert said.err == "not live: no answer\nlive again\n"


def test_channels_of_the_list_are_not_gone_until_a_list_passes_again(capsys: pytest.CaptureFixture[str]) -> None:
    listed = Sessions(sessions=[UP, Session(session="front", shows="gateway", listed=True)], list_seen_at="x")
    started, seen = Sessions(sessions=[UP]), Sessions(sessions=[UP], list_seen_at="x")
    with pytest.raises(EndedError):
        print_changes(told(listed, "no answer", started, listed, started, seen), Pause(6))
    said = [line.split("  ")[1:] for line in capsys.readouterr().out.splitlines()]
    assert said == [["sales", "as gateway says"], ["front", "as gateway says"], ["front", "gone"]]


def test_as_json_each_line_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EndedError):
        print_changes(told(*both([UP], [])), Pause(2), as_json=True)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["session"], first["shows"], first["at"]) == ("sales", "gateway", "2026-01-15T12:00:00.000Z")
    assert second == {"session": "sales", "at": "2026-01-15T12:00:00.000Z", "gone": True}


def test_a_terminal_is_drawn_on_and_left_as_it_was_with_the_last_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EndedError):
        draw(told(*both([UP]), "no answer"), Pause(2))
    said = capsys.readouterr().out
    assert said.startswith(f"{ENTER}\x1b[HLive, ")
    drawn, left = said.split(LEAVE)
    assert drawn.count("\x1b[H") == 2
    assert (left.startswith("NOT LIVE, as of "), "as gateway says" in left, "\x1b" in left) == (
        True, True, False,
    )  # fmt: skip


def test_a_refused_token_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise AdminError("the admin token is missing or wrong", 401)

    monkeypatch.setattr(admin_client, "ask", refused)
    result = call("sessions", "--watch", "--admin", "127.0.0.1:9")
    assert (result.exit_code, result.output) == (1, "the admin token is missing or wrong\n")


class Proxy(BaseHTTPRequestHandler):
    """Knows one session."""

    def do_GET(self) -> None:
        body = b'{"now": null, "sessions": [{"session": "sales", "shows": "gateway"}]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_terminal", "number", "code"),
    [(True, signal.SIGINT, 130), (True, signal.SIGTERM, 143), (False, signal.SIGINT, 130)],
)
def test_a_signal_ends_it_with_a_shell_s_code(on_terminal: bool, number: int, code: int, tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, "-m", "statusproxy", "sessions", "--watch", "--admin"]
        ours, theirs = pty.openpty() if on_terminal else os.pipe()
        with subprocess.Popen(
            [*command, f"http://127.0.0.1:{server.server_port}"], stdout=theirs, env={**os.environ, "TERM": "xterm"}
        ) as process:
            os.close(theirs)
            said = b""
            while b"as gateway says" not in said:
                said += os.read(ours, 4096)
            process.send_signal(number)
            rest = b""
            try:
                while piece := os.read(ours, 4096):
                    rest += piece
            except OSError:  # a terminal without anyone at its other end (EIO)
                pass
        os.close(ours)
        server.shutdown()
    assert process.returncode == code
    assert (LEAVE.encode() in rest, said.startswith(ENTER.encode())) == (on_terminal, on_terminal)
