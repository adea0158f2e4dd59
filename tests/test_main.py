"""The command's first moments: the service's start holds SIGHUP before it imports anything slow; imports are quick."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy import __main__ as program
from statusproxy import __version__
from statusproxy.cli import commands
from tests.peers.processes import run

#: Runs the command with a stand-in for what is slow to import, which says what is held and collected by then.
WATCHED = """
import gc, signal, sys, types
from statusproxy.__main__ import main
assert "statusproxy.cli" not in sys.modules and "click" not in sys.modules
stand_in = types.ModuleType("statusproxy.cli.commands")
stand_in.main = lambda: print({what})
sys.modules["statusproxy.cli.commands"] = stand_in
import statusproxy.cli
statusproxy.cli.commands = stand_in
main()
"""


def told(what: str, command: str, first: str = "") -> str:
    """What the command line finds when the command has imported it; `first` runs before."""
    script = first + WATCHED.replace("{what}", what)
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


@pytest.mark.slow
@pytest.mark.parametrize(("command", "there"), [("run", "True"), ("sessions", "False")])
def test_the_service_needs_no_file_of_a_coding_s_library_later_on(command: str, there: str) -> None:
    assert told("'brotli' in sys.modules", command) == there


#: Counts the contexts that are made, and notes which file of trusted certificates each of them reads.
CONTEXTS = """
import os, ssl
read = []
made = ssl.create_default_context
def create(*given, **named):
    read.append(os.environ.get("SSL_CERT_FILE"))
    return made(*given, **named)
ssl.create_default_context = create
"""


@pytest.mark.slow
@pytest.mark.parametrize("before", ["mine.pem", None])
def test_the_service_reads_no_certificates_that_only_requests_of_aiohttp_s_client_need(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if before is not None:
        monkeypatch.setenv("SSL_CERT_FILE", before)
    found = told("*{*read, os.devnull}, os.environ.get('SSL_CERT_FILE')", "run", CONTEXTS)
    assert found == f"{os.devnull} {before}"


#: What only other commands, other settings or mistakes need. Each cost a start some milliseconds, or hundreds of KiB.
UNNEEDED = frozenset({
    "apprise", "difflib", "importlib.metadata", "jwt", "redis", "statusproxy.alerts", "statusproxy.captures",
    "statusproxy.demo", "statusproxy.detection", "statusproxy.doctor", "statusproxy.learning.draft",
    "statusproxy.learning.observation", "statusproxy.learning.unpack", "statusproxy.rehearsal", "xml", "zipfile",
})  # fmt: skip

#: Serves as the command does; when it is ready, prints what is imported, and ends.
READY = """
import sys
from statusproxy import systemd
def notify(*lines):
    if "READY=1" in lines:
        print(*sorted(sys.modules))
        raise SystemExit
systemd.notify = notify
from statusproxy.__main__ import main
main()
"""


@pytest.mark.slow
def test_what_an_ordinary_service_does_not_need_is_not_imported_when_it_is_ready(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"listen: 127.0.0.1:0\ngateway: http://127.0.0.1:1\nadmin: {{listen: 127.0.0.1:0}}\n"
        f"state: {{url: 'sqlite:///{tmp_path}/state.db'}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", READY, "run", "--config", str(file)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    imported = set(done.stdout.split())
    assert {"aiohttp", "sqlite3", "statusproxy.admin.listener"} <= imported, done.stderr
    assert imported & UNNEEDED == set()


@pytest.fixture
def unblocked() -> Iterator[None]:
    """SIGHUP as it is now, again after the test."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@pytest.mark.usefixtures("unblocked")
@pytest.mark.parametrize(("arguments", "held"), [([], False), (["sessions", "run"], False), (["run", "-c", "x"], True)])
def test_the_command_line_finds_sighup_blocked_where_it_is_to_serve(
    arguments: list[str], held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []
    monkeypatch.setattr(
        commands, "main", lambda: found.append(signal.SIGHUP in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    )
    monkeypatch.setattr(sys, "argv", ["statusproxy", *arguments])
    runpy.run_path(program.__file__, run_name="__main__")
    assert found == [held]


@pytest.mark.slow
async def test_the_module_is_the_program() -> None:
    code, output, _ = await run((sys.executable, "-m", "statusproxy", "--version"))
    assert (code, output.decode()) == (0, f"statusproxy {__version__}\n")
