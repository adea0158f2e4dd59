"""Prometheus' own programs, and why a test is skipped without them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent.parent
KIT: Final = ROOT / "monitoring"

needs_prometheus = pytest.mark.skipif(
    shutil.which("promtool") is None or shutil.which("prometheus") is None,
    reason="Prometheus is missing: bash tests/install-peers.sh installs it",
)


def promtool(*arguments: str | Path, given: str | None = None) -> tuple[int, str]:
    """Run promtool: its exit code and all that it printed. `given` is its standard input."""
    command = ["promtool", *map(str, arguments)]
    rarely = os.environ | {"GOGC": "400"}  # it frees memory often, which takes a fifth of its time
    done = subprocess.run(command, capture_output=True, text=True, input=given, env=rarely, check=False)
    return done.returncode, done.stdout + done.stderr
