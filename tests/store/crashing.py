"""Running a piece of code in a process that is killed at one of its steps in the file system, after the other."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

# Each is told by an audit hook before it happens (https://docs.python.org/3/library/audit_events.html).
_STEPS = (
    "os.link",
    "os.rename",
    "os.remove",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "shutil.copyfile",
    "sqlite3.connect",
)

_PRELUDE = f"""
import os, signal, sys
left = int(sys.argv.pop(1))

def count(event, arguments):
    global left
    if event in {_STEPS!r} or event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

from pathlib import Path
{{imports}}
sys.addaudithook(count)
"""


def killed_at_each_step(imports: str, script: str, *arguments: object) -> Iterator[int]:
    """Run `script` again and again, killed one step later each time; yields after each kill. Ends when it ran through.

    What it works on has to be made anew by the caller between two kills, where that matters.
    """
    program = _PRELUDE.format(imports=textwrap.dedent(imports)) + textwrap.dedent(script)
    for step in range(200):
        command = [sys.executable, "-c", program, str(step), *map(str, arguments)]
        result = subprocess.run(
            command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=False
        )
        if result.returncode == -SIGKILL:
            yield step
            continue
        assert result.returncode == 0, result.stderr
        return
    raise AssertionError("it never came to its end")
