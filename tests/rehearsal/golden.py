"""Golden runs of `statusproxy try`: a file with the command, what it prints, and its exit code.

The file begins with `$ statusproxy try …`, which is run in the file's folder; the output follows, and the last line is
`[exit code N]`. `.venv/bin/python -m tests.rehearsal.golden FOLDER…` writes the outputs again: look at the difference.
"""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from statusproxy.cli.commands import main

_PROMPT: Final = "$ statusproxy "


def goldens(folder: Path) -> list[Path]:
    """The golden runs of a folder and below, in the order of their names."""
    return sorted(file for file in folder.rglob("*.golden"))


def promised(file: Path) -> str:
    """What a file holds."""
    return file.read_text("utf-8")


def played(file: Path) -> str:
    """What a file should hold: its command, run now, and what that prints."""
    command = promised(file).partition("\n")[0]
    assert command.startswith(_PROMPT), f"{file}: the first line is a command"
    with contextlib.chdir(file.parent):
        done = CliRunner().invoke(main, shlex.split(command.removeprefix(_PROMPT)), prog_name="statusproxy")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return f"{command}\n{done.output}[exit code {done.exit_code}]\n"


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        for golden in goldens(Path(argument)):
            golden.write_text(played(golden), "utf-8")
