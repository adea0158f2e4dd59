"""A Debian of its own, booted by systemd-nspawn, for what only a real systemd can show.

Each machine is a fresh copy of a file system that is made once (`roots`).
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tests.systemd.cgroups import entering, own_groups
from tests.systemd.roots import PACKAGES, in_memory, root_archive

TOOLS: Final = ("systemd-nspawn", "mmdebstrap", "nsenter")

#: Unpacks the archive "$2" into the folder "$1", and becomes the command behind them.
_UNPACK: Final = 'tar -xf "$2" -C "$1" && shift 2 && exec "$@"'

_BOOT_WITHIN: Final = 600.0
_STOP_WITHIN: Final = 60.0


def processor_seconds() -> float:
    """What the ended children of this process have computed: the commands in machines, but not their services."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class BootError(Exception):
    """The machine did not come up: nspawn cannot do its work here."""


def lacking() -> str | None:
    """Why no machine can be had here and what to do, or None."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing: bash tests/install-peers.sh (mmdebstrap, systemd-container)"
    if os.geteuid() != 0:
        return "booting a machine needs root"
    return None


class Machine:
    """A running machine; commands run inside it as root."""

    def __init__(
        self, folder: Path, log: Path, *, read_only: dict[str, Path], packages: Sequence[str] = PACKAGES
    ) -> None:
        """`read_only` names folders of this host that show inside, by their path there; `packages` are Debian's."""
        self._packages = packages
        self._folder = folder / "root"
        self.log = log
        self._read_only = read_only
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._groups = contextlib.ExitStack()
        self._began = time.monotonic()

    def note(self, text: str) -> None:
        """Write to the log what happens, with the seconds since the beginning."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"[{time.monotonic() - self._began:6.1f} s] {text.rstrip()}\n")

    def __enter__(self) -> Self:
        self._folder.mkdir()
        binds = [f"--bind-ro={outside}:{inside}" for inside, outside in self._read_only.items()]
        with self.log.with_suffix(".console").open("wb") as console:
            command = [*in_memory(self._folder, _UNPACK), str(root_archive(self._packages))]
            command += ["systemd-nspawn", "--quiet", f"--directory={self._folder}", "--boot", "--register=no"]
            command += ["--keep-unit", "--private-network", "--link-journal=no", "--resolv-conf=off", *binds]
            groups = self._groups.enter_context(own_groups(f"statusproxy-test-{os.getpid()}-{id(self):x}"))
            self._nspawn = subprocess.Popen(
                entering(groups, command),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        try:
            self._wait_for_boot()
        except BaseException:
            self._stop()
            raise
        self.note("booted")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def start(self, command: Sequence[str], **more: str) -> subprocess.Popen[str]:
        """Start a command inside, its output on a pipe; `more` goes into its environment."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        return subprocess.Popen(
            ["nsenter", f"--target={self._init}", "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", *command],
            env=environment | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, *, expect: int | None = 0, timeout: float = 600, quiet: bool = False) -> str:
        """Run a shell command inside and give what it said; `expect` is the exit code that it must have.

        `quiet` keeps a long output out of the log.
        """
        began, computed = time.monotonic(), processor_seconds()
        running = self.start(["/bin/sh", "-c", command])
        try:
            said, _ = running.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            running.kill()
            said, _ = running.communicate()
            self.note(f"$ {command}\n{said}(still running after {timeout} s)")
            raise
        shown = f"({len(said.splitlines())} lines)" if quiet else said
        took = f"{time.monotonic() - began:.1f} s, {processor_seconds() - computed:.1f} s of processor time"
        self.note(f"$ {command}   -> {running.returncode}, {took}\n{shown}")
        if expect is not None and running.returncode != expect:
            raise AssertionError(f"{command}: exit code {running.returncode}\n{said}\n{self._journal()}")
        return said

    def fetch(self, path: str, folder: Path) -> Path:
        """A copy of one of its files, in this folder of the host's."""
        return Path(shutil.copy(f"/proc/{self._init}/root{path}", folder))

    def _journal(self) -> str:
        """The journal's last lines, so that a failure that comes once in a hundred runs can be understood."""
        asked = self.start(["journalctl", "--no-pager", "--output=short-precise", "--lines=60"])
        said, _ = asked.communicate(timeout=600)
        self.note(said)
        return said

    def _wait_for_boot(self) -> None:
        assert self._nspawn is not None
        end = time.monotonic() + _BOOT_WITHIN
        said = ""
        while time.monotonic() < end:
            if self._nspawn.poll() is not None:
                break
            self._init = self._init or self._find_init()
            if self._init:
                waiting = self.start(["systemctl", "is-system-running", "--wait"])
                said, _ = waiting.communicate(timeout=_BOOT_WITHIN)
                if said.strip() in ("running", "degraded"):
                    return
            time.sleep(0.1)
        console = self.log.with_suffix(".console").read_text(encoding="utf-8", errors="replace")
        raise BootError(f"systemd-nspawn boots nothing here: {said} {console[-500:]}")

    def _find_init(self) -> int:
        assert self._nspawn is not None
        pid = self._nspawn.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            for child in children:
                # PID 1 of the machine, once nspawn's helper has become it.
                status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == "1" and Path(f"/proc/{child}/comm").read_text(encoding="ascii").strip() == "systemd":
                    return int(child)
        except (OSError, StopIteration):
            pass
        return 0

    def _stop(self) -> None:
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGTERM)
            try:
                self._nspawn.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        self._groups.close()
        shutil.rmtree(self._folder, ignore_errors=True)
