"""What `docs/new-gateway.md` tells its reader to run, run in the page's order."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, matches, steps

PAGE = ROOT / "docs" / "new-gateway.md"
DRAFTED = "A gateway without a preset", "Draft a preset from captures"


def test_the_draft_is_what_the_page_prints_and_a_valid_preset(tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    drafted = [step for step in steps(PAGE.read_text()) if step.headings == DRAFTED]
    assert len(drafted) == 3
    for step in drafted:
        done = subprocess.run(
            ["bash", "-e", "-c", step.command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert step.prints is not None
        assert matches(step.prints, done.stdout), done.stdout
