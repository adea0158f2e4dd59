"""What others take of the processors is told apart from what we take ourselves."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from tests.faults.other_work import OtherWork, Standstill, busy, used_by

#: A program that computes for half a second of processor time, and one that starts it.
COMPUTES = "import time\nwhile time.process_time() < 0.5: pass"
STARTS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {COMPUTES!r}])"


def test_what_descendants_used_counts_as_ours_after_their_end_too() -> None:
    before, all_before = used_by(os.getpid()), busy()
    subprocess.run([sys.executable, "-c", STARTS], check=True)
    assert 0.45 <= used_by(os.getpid()) - before <= busy() - all_before + 0.1


def test_our_own_work_is_nobody_elses() -> None:
    others = OtherWork()
    begun = time.process_time()
    while time.process_time() - begun < 0.3:
        pass
    assert used_by(os.getpid()) > 0
    assert 0.0 <= others.cores() <= (os.cpu_count() or 1)


def test_a_process_that_is_not_there_uses_nothing() -> None:
    assert used_by(2**22 + 1) == 0.0


def test_a_thread_that_could_not_go_on_tells_for_how_long() -> None:
    standstill = Standstill()
    # No other thread of this process runs while a pattern is matched.
    begun = time.monotonic()
    re.match(r"(?:a+)+b", "a" * 24)
    took = time.monotonic() - begun
    assert standstill.end() > took / 2
