"""Colours: on a real terminal only, and not against its user's word."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
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


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "coloured"), [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                                   ({"TERM": "xterm", "NO_COLOR": "1"}, False)])  # fmt: skip
def test_the_doctor_and_the_story_keep_to_it(setting: dict[str, str], coloured: bool, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway: [\n")
    environ = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")} | setting
    story = "from statusproxy.demo.stage import Stage, speak; Stage(speak).title('title')"
    for command in (
        [sys.executable, "-m", "statusproxy", "doctor", "-c", str(tmp_path / "config.yaml")],
        [sys.executable, "-c", story],
    ):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environ)
        ended = threading.Thread(target=_mark_the_end, args=(process, theirs))
        ended.start()
        text = _read(ours)
        ended.join()
        os.close(ours)
        os.close(theirs)
        assert b"Traceback" not in text, text
        assert (b"\x1b[" in text) is coloured, text


#: What follows a program's last output. A terminal whose last writer closes it may lose what was not read yet, so the
#: test keeps it open and has a mark of its own.
_END = b"\0end"


def _mark_the_end(process: subprocess.Popen[bytes], terminal: int) -> None:
    process.wait()
    os.write(terminal, _END)


def _read(terminal: int) -> bytes:
    text = b""
    while not text.endswith(_END):
        text += os.read(terminal, 4096)
    return text
