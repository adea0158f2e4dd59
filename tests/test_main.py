"""The command's first moments: the service's start holds SIGHUP before it imports anything slow; imports are quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: Runs the command with a stand-in for what is slow to import, which says what is held and collected by then.
WATCHED = """
import gc, signal, sys, types
from statusproxy.__main__ import main
assert "statusproxy.cli" not in sys.modules and "click" not in sys.modules
stand_in = types.ModuleType("statusproxy.cli")
stand_in.main = lambda: print({what})
sys.modules["statusproxy.cli"] = stand_in
import statusproxy
statusproxy.cli = stand_in
main()
"""


def told(what: str, command: str) -> str:
    """What the command line finds when the command has imported it."""
    script = WATCHED.replace("{what}", what)
    done = subprocess.run([sys.executable, "-c", script, command], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "held"), [("run", "True"), ("doctor", "False"), ("sessions", "False")])
def test_only_the_service_holds_sighup_and_from_its_first_line_on(command: str, held: str) -> None:
    assert told("signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, [])", command) == held


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "sessions"])
def test_modules_are_imported_without_looking_for_garbage_which_is_looked_for_later(command: str) -> None:
    assert told("gc.isenabled(), gc.get_freeze_count() > 0", command) == "True True"
