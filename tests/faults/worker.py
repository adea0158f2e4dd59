"""Runs one function of this package in a process of its own: arguments as JSON in, its result as JSON out.

    python -m tests.faults.worker tests.faults.attacks:empty_lines < arguments.json

It says that it is ready before it reads the arguments: so its start is over before anything is measured.

A process of its own, so that an attacker's work is not charged to who measures. It is made a little less urgent than
the rest: on two cores the attacker must not win by taking the processor from the proxy.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests import forks

ROOT: Final = Path(__file__).parents[2]

#: How much less urgent than the others an attacker runs: see nice(2).
_NICENESS: Final = 5

#: What it says when it waits for its arguments.
_READY: Final = b"ready\n"


class Worker:
    """A function in another process: it is at work from `begin` on."""

    def __init__(self, function: Callable[..., Any]) -> None:
        name = f"{function.__module__}:{function.__qualname__}"
        self._process = forks.start(
            "tests.faults.worker", name, folder=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ready(self) -> None:
        """Wait until it can begin at once. RuntimeError where it cannot."""
        assert self._process.stdout is not None
        if self._process.stdout.readline() != _READY:
            raise RuntimeError(f"the attack did not start: exit code {self._process.wait()}")

    def begin(self, **arguments: Any) -> None:
        """Call the function with these arguments."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(arguments).encode())
        self._process.stdin.close()
        self._process.stdin = None

    def running(self) -> bool:
        """Whether it is still at work."""
        return self._process.poll() is None

    def result(self, patience: float) -> Any:
        """What the function gave. RuntimeError where it raised, or did not end within `patience` seconds."""
        try:
            said, _ = self._process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.stop()
            raise RuntimeError(f"the attack did not end within {patience:.0f} s") from None
        code = self._process.wait()
        if code:
            raise RuntimeError(f"the attack failed with exit code {code}")
        return json.loads(said)

    def stop(self) -> None:
        """End it now, if it has not ended."""
        if self.running():
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(ValueError, OSError):
                    stream.close()


@contextlib.contextmanager
def working(function: Callable[..., Any]) -> Iterator[Worker]:
    """`function` in another process, which is ended at the end."""
    worker = Worker(function)
    try:
        yield worker
    finally:
        worker.stop()


def main(name: str) -> None:
    """Run what `name` names with the arguments on standard input."""
    module, _, function = name.partition(":")
    os.nice(_NICENESS)
    work = getattr(importlib.import_module(module), function)
    sys.stdout.write(_READY.decode())
    sys.stdout.flush()
    result = work(**json.load(sys.stdin))
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
