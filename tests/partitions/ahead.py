"""The program on a host whose clock is ahead: `python tests/partitions/ahead.py SECONDS run --config FILE`.

Its wall clock is moved before anything of it is imported; the monotonic clock is the machine's.
"""

from __future__ import annotations

import runpy
import sys
import time


def main() -> None:
    """Move the clock, and be the command."""
    seconds, right = float(sys.argv.pop(1)), time.time
    time.time = lambda: right() + seconds
    runpy.run_module("statusproxy", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
