"""Colours: on a real terminal only, and not against its user's word."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from statusproxy.observe.terminal import colours


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({}, True), ({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False),
     ({"NO_COLOR": "0"}, False), ({"NO_COLOR": ""}, True)],
)  # fmt: skip
def test_a_terminal_gets_colours_unless_it_or_its_user_says_no(environ: dict[str, str], wanted: bool) -> None:
    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal, open(ours, "rb"):
        assert colours(terminal, environ) is wanted


def test_a_file_gets_none(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        assert not colours(file, {"TERM": "xterm"})


@pytest.mark.parametrize(("setting", "coloured"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                                   ({"TERM": "xterm", "NO_COLOR": "1"}, False)])  # fmt: skip
def test_the_doctor_and_the_story_keep_to_it(setting: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: [\n")
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")} | setting
    story = "from statusproxy.demo.story import _Stage, speak; _Stage(speak).title('title')"
    for command in (
        [sys.executable, "-m", "statusproxy", "doctor", "-c", str(tmp_path / "config.yaml")],
        [sys.executable, "-c", story],
    ):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environ)
        os.close(theirs)
        text = _read(ours)
        process.wait()
        assert (b"\x1b[" in text) is coloured, text


def _read(terminal: int) -> bytes:
    text = b""
    try:
        while piece := os.read(terminal, 4096):
            text += piece
    except OSError:  # EIO: the other end is closed
        pass
    os.close(terminal)
    return text
