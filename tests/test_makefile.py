"""The Makefile: what its targets ask for."""

import os
import re
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parent.parent / "Makefile"

#: Each target with its recipe, by the recipe's use of a revision to compare with.
_COMPARING = re.findall(r"^([\w-]+):.*\n(?:\t.*\n)*\t.*\$\(BEFORE\)\n", MAKEFILE.read_text(), re.MULTILINE)


def test_the_targets_that_compare_are_found() -> None:
    assert {"bench-before", "bench-units", "bench-instructions", "upgrade"} <= set(_COMPARING)


@pytest.mark.parametrize("target", _COMPARING)
def test_a_target_that_needs_a_revision_says_so_before_it_installs_anything(target: str, tmp_path: Path) -> None:
    command = ["make", "--file", str(MAKEFILE), "--no-print-directory", target, "BEFORE="]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make test`
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("BEFORE=REF is missing, for example BEFORE=HEAD~1\n")
    assert (done.stdout, list(tmp_path.iterdir())) == ("", [])
