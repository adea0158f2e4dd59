"""The page about `statusproxy try`: each block run as it stands there, and each verdict it may print listed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from statusproxy.rehearsal import hearing
from statusproxy.status.signals import Verdict
from tests.docs.pages import ROOT, steps
from tests.docs.shell import Shell

PAGE = ROOT / "docs" / "try.md"


def test_every_block_does_what_the_page_promises(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("STATUSPROXY_CONFIG", None)

    def bash(script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout

    shell = Shell(bash, str(tmp_path / "shell"), str(tmp_path))
    for step in steps(PAGE.read_text()):
        shell.paste("docs/try.md", step)


def test_every_verdict_is_in_its_table() -> None:
    section = PAGE.read_text().partition("## Verdicts")[2]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    listed = {verdict for row in rows for verdict in re.findall("`([^`]+)`", row)}
    others = {hearing.UNTRUSTED, hearing.UNWATCHED, hearing.TOO_LARGE, hearing.TOO_MANY, "applied", "late", "duplicate"}
    assert listed == {verdict.value for verdict in Verdict if verdict not in (Verdict.SIGNAL, Verdict.BATCH)} | others
