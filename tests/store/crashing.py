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
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "shutil.copyfile",
    "sqlite3.connect",
)

# A process imports once. For each line on its standard input, how many steps to let pass, it forks one that runs the
# script and is killed, and prints how that one ended.
_PROGRAM = f"""
import os, signal, sys
from pathlib import Path
{{imports}}

def run(left):
    def count(event, arguments):
        nonlocal left
        if event in {_STEPS!r} or event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    exec(compile({{script!r}}, "script", "exec"), globals())

for line in sys.stdin:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        run(int(line))
        sys.exit()
"""


def killed_at_each_step(imports: str, script: str, *arguments: object) -> Iterator[int]:
    """Run `script` again and again, killed one step later each time; yields after each kill. Ends when it ran through.

    What it works on has to be made anew by the caller between two kills, where that matters.
    """
    program = _PROGRAM.format(imports=textwrap.dedent(imports), script=textwrap.dedent(script))
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for step in range(200):
            process.stdin.write(f"{step}\n")
            process.stdin.flush()
            ended = int(process.stdout.readline())
            if ended == -SIGKILL:
                yield step
                continue
            assert ended == 0, "the script failed; why stands in the test's standard error"
            return
    raise AssertionError("it never came to its end")
