"""The VPS on which the runbook is walked through: a booted Debian with nginx, stand-in containers and a checkout."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT
from tests.docs.shell import Bash
from tests.systemd import machine as machines
from tests.systemd import roots

#: What is typed where the runbook asks for a secret; the stand-ins know no other.
TYPED: Final = "example-secret\n"

#: Seconds one block may take; an installation is the longest.
_PATIENCE: Final = 600.0

_SELF: Final = ("-c", "user.email=project@statusproxy.example", "-c", "user.name=project", "-c", "gc.auto=0")


class Origin:
    """The repository from which the operators have their checkout."""

    def __init__(self, folder: Path) -> None:
        """Its first commit is the working tree: what is tracked, and what is new and not ignored."""
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        folder.mkdir()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        self._git("init", "--quiet")
        self._git("config", "core.compression", "0")  # all of it is read once
        self._commit()

    def release(self, version: str) -> None:
        """A new version, which differs in its number."""
        about = self.folder / "statusproxy" / "__init__.py"
        text = about.read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith("__version__"))
        about.write_text(text.replace(line, f'__version__ = "{version}"'), encoding="utf-8")
        self._commit()

    def _commit(self) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message=A version")

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *_SELF, *arguments], cwd=self.folder, check=True, capture_output=True)


@contextlib.contextmanager
def vps(folder: Path, log: Path) -> Iterator[tuple[Bash, Origin]]:
    """A machine without statusproxy, and the repository it can be had from; skips where none can be made."""
    reason = machines.lacking()
    if reason is not None:
        pytest.skip(reason)
    try:
        roots.root_archive(roots.VPS)
        wheels = roots.wheels()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"the machine cannot be made here (a Debian mirror and wheels are needed the first time): {error}")
    origin = Origin(folder / "origin")
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    here = Path(__file__).parent
    stand_ins = here.parent / "stand_ins"
    binds = {"/vps": here / "vps", "/stand-ins": stand_ins, "/wheels": wheels, "/origin": origin.folder}
    with contextlib.ExitStack() as running:
        try:
            machine = running.enter_context(machines.Machine(folder, log, read_only=binds, packages=roots.VPS))
        except machines.BootError as error:
            pytest.skip(str(error))
        machine.run("bash /vps/set-up.sh", timeout=_PATIENCE)

        def bash(script: str) -> tuple[int, str]:
            before = machines.processor_seconds()
            with machine.start(["/bin/bash", "-c", script]) as started:
                said, _ = started.communicate(timeout=_PATIENCE)
            took = machines.processor_seconds() - before
            machine.note(f"{script.rstrip()}\n   -> {started.returncode}, {took:.1f} s of processor time\n{said}")
            return started.returncode, said

        yield bash, origin
