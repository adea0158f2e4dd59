"""What `docs/new-gateway.md` tells its reader to run, run; and the draft that it prints, in force."""

import os
import subprocess
import sys
from pathlib import Path

from statusproxy.config.load import loads
from tests.docs.pages import ROOT, matches, steps

PAGE = ROOT / "docs" / "new-gateway.md"
DRAFTED = "A gateway of another kind", "Draft a preset from captures"


def test_the_draft_is_what_the_page_prints_and_a_valid_preset(tmp_path: Path) -> None:
    (step,) = (step for step in steps(PAGE.read_text()) if step.headings == DRAFTED)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", step.command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert step.prints is not None
    assert matches(step.prints, done.stdout)
    drafted = loads(f"gateway: http://gateway.example\npreset: null\n{(tmp_path / 'mine.yaml').read_text()}")
    assert [rule.event for rule in drafted.events] == [("linkState",), ("message",)]
