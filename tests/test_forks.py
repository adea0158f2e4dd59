"""A program that is a fork is like one that was started: its arguments, folder, streams, limits and end."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forks
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

_SAYS = """
import json, os, resource, signal, sys
print(json.dumps({
    "arguments": sys.argv[1:], "folder": os.getcwd(), "environ": dict(os.environ), "given": sys.stdin.read(),
    "limit": resource.getrlimit(resource.RLIMIT_NOFILE)[1], "name": __name__, "pid": os.getpid(),
    "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "open": len(os.listdir("/proc/self/fd")),
}))
sys.exit(3)
"""
_STAYS = 'import time; print("here", flush=True); time.sleep(600)'


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that the fork server finds."""
    monkeypatch.setattr(forks, "_allowed", [])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "says.py").write_text(_SAYS)
    (tmp_path / "stays.py").write_text(_STAYS)
    forks.allow()
    return "says"


def test_arguments_folder_environment_streams_limit_and_exit_code_are_its_own(program: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    process = forks.start(
        program, "a", "b c", folder=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, environ={"ONE": "1"},
        descriptors=77,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"given")
    said = json.loads(process.communicate(timeout=PATIENCE)[0])
    assert said == {
        "arguments": ["a", "b c"], "folder": str(folder), "environ": {"ONE": "1"}, "given": "given", "limit": 77,
        "name": "__main__", "pid": process.pid, "interrupt": True, "open": 4,
    }  # fmt: skip
    assert (process.poll(), process.wait()) == (3, 3)
    process.kill()  # nothing


def test_two_run_side_by_side_and_a_signal_ends_one(program: str, tmp_path: Path) -> None:
    one, other = (forks.start("stays", folder=tmp_path, stdout=subprocess.PIPE) for _ in range(2))
    for process in (one, other):
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    one.terminate()
    assert (one.communicate(timeout=PATIENCE), other.poll()) == ((b"", None), None)
    assert one.poll() == -signal.SIGTERM
    other.kill()
    assert other.communicate(timeout=PATIENCE) == (b"", None)
    assert other.poll() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(5)", 5),
        ("sys.exit('a reason')", 1),
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT),
    ],
)
def test_its_end_is_waited_for_by_its_threads_and_by_what_it_registered(
    program: str, tmp_path: Path, end: str, code: int
) -> None:
    said = """
import atexit, os, signal, sys, threading
atexit.register(print, "registered")
threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()
"""
    (tmp_path / "ends.py").write_text(said + end)
    process = forks.start("ends", folder=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.communicate(timeout=PATIENCE)[0] == b"thread\nregistered\n"
    assert process.poll() == code


def test_what_a_test_program_may_not_import_again_it_has(program: str, tmp_path: Path) -> None:
    (tmp_path / "has.py").write_text('import sys; print("statusproxy.server" in sys.modules)')
    process = forks.start("has", folder=tmp_path, stdout=subprocess.PIPE)
    assert process.communicate(timeout=PATIENCE)[0] == b"True\n"


def test_without_leave_or_with_another_interpreter_it_is_started_as_users_do(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    (tmp_path / "limits.py").write_text("import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])")
    (tmp_path / "has.py").write_text('import sys; print("statusproxy.server" in sys.modules)')
    other = forks.start("has", folder=tmp_path, stdout=subprocess.PIPE, python=str(tmp_path / "python"))
    assert other.communicate()[0] == b"False\n"
    monkeypatch.setattr(forks, "_allowed", [])
    plain = forks.start("limits", folder=tmp_path, stdout=subprocess.PIPE, environ=dict(os.environ), descriptors=77)
    assert plain.communicate()[0] == b"77\n"
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] != 77
