"""The division of the tests among the commands that `make test` runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_of_the_domain_make_code_runs_what_is_not_a_quick_example() -> None:
    assert re.search(r"^status:.*\n\t.* --part status ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = ["tests/status/test_pieces.py", "tests/status/simulation/test_simulation.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--part", "code", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    collected = {re.split(r"::|\[", line)[1] for line in done.stdout.splitlines() if "test_pieces.py::" in line}
    assert collected == {
        "test_every_byte_is_in_the_frame_or_in_a_piece",  # a property
        "test_a_step_looks_at_a_bounded_part_however_long_the_list",  # slow
    }
    assert "simulation/test_simulation.py::" in done.stdout
