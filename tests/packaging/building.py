"""Building the wheel and the source distribution, with the pinned tools of this environment and no index."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT

#: Seconds since the epoch that the files of all archives have: hatchling takes them from the environment.
MOMENT = "1790000000"


def build(source: Path, folder: Path, *options: str) -> None:
    """`python -m build` of a source folder. Without options: the source distribution, and of it the wheel."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": MOMENT}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), *options, str(source)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment as a program."""
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT)
