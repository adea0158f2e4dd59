"""Containers without a registry, and out of this host's way: podman in a network, mounts and processes of its own.

The base of the image is the root of the machines (`tests/systemd/roots.py`): a Debian with Python.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.systemd import roots

CHECKOUT: Final = roots.CHECKOUT
BASE: Final = "localhost/base:latest"
IMAGE: Final = "localhost/statusproxy"

_TOOLS: Final = ("podman", "buildah", "runc", "mmdebstrap", "unshare", "nsenter", "ip", "iptables", "curl")

#: Seconds that one command may take; the build is the longest.
_PATIENCE: Final = 600.0

#: The first process collects those that have lost their parent, as podman's monitors of containers do. /run is in
#: memory, and of this place alone: podman and netavark keep there what is of one network and one tree of processes. The
#: images are there too, as they are read and written much. (A path as long as pytest's makes podman wait for 20 s.)
_FIRST: Final = """
mount -t tmpfs run /run && ip link set lo up && echo ready || exit
while :; do sleep 3600 & wait $!; done
"""

#: No registry is ever asked, no limit is raised that this host may not raise.
_CONTAINERS: Final = """
[containers]
default_ulimits = []
[network]
network_config_dir = "{folder}/networks"
[engine]
cgroup_manager = "cgroupfs"
pull_policy = "never"
runtime = "runc"
"""
_STORAGE: Final = """
[storage]
driver = "{driver}"
graphroot = "/run/images/{driver}"
runroot = "/run/images/{driver}-run"
"""
_NO_INDEX: Final = "[global]\nno-index = true\nfind-links = /wheels\n"


class CannotRunError(Exception):
    """No container can be run here."""


def lacking() -> str | None:
    """Why no container can be had here and what to do, or None."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} missing: bash tests/install-peers.sh"
    if os.geteuid() != 0:
        return "a network of its own needs root"
    return None


class Containers:
    """A place to build images and run containers; `run` runs a command there."""

    def __init__(self, folder: Path, first: int) -> None:
        """`first` is the first process of the place."""
        self._folder = folder
        self._first = first
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "containers.conf").write_text(_CONTAINERS.format(folder=folder), encoding="utf-8")
        self._store("overlay")

    def command(self, *command: str) -> list[str]:
        """The command that runs this one there."""
        return ["nsenter", f"--target={self._first}", "-m", "-n", "-p", f"--wd={CHECKOUT}", *command]

    def run(self, *command: str, expect: int = 0, **more: str) -> str:
        """Run a command there and give what it printed; `more` goes into its environment."""
        done = subprocess.run(
            self.command(*command),
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        assert done.returncode == expect, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def once(self, *arguments: str, expect: int = 0) -> str:
        """Run a container to its end and give what it printed, on both outputs.

        That is read from its log. On a busy machine, `podman run` printed nothing of it once, with exit code 0.
        """
        name = self.run("podman", "run", "--detach", *arguments).strip()
        try:
            code = int(self.run("podman", "wait", name))
            said = self.run("sh", "-c", 'podman logs "$0" 2>&1', name)
        finally:
            self.run("podman", "rm", "--force", name)
        assert code == expect, f"{arguments}: exit code {code}\n{said}"
        return said

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command there, with pipes to it."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self.command(*command), env=self.environment, stdin=pipe, stdout=pipe, text=True)

    def get(self, url: str, *options: str) -> tuple[int, str]:
        """What curl gets there: the status, 0 without an answer, and the body."""
        asked = self.command("curl", "--silent", "--write-out", "\n%{http_code}", *options, url)
        said = subprocess.run(asked, capture_output=True, text=True, timeout=_PATIENCE, check=False).stdout
        body, _, status = said.rpartition("\n")
        return int(status), body

    def bring_base(self) -> None:
        """Import the base, and run it. CannotRunError where that cannot be done here."""
        try:
            try:
                self._import()
            except AssertionError:
                self._store("vfs")  # works everywhere, and is slow: a copy for each layer
                self._import()
        except AssertionError as error:
            raise CannotRunError(f"no container can be run here: {error}") from None

    def build(self) -> None:
        """Build the image as `make image` does, from the base, which its digest pins, and the wheels."""
        pip = self._folder / "pip.conf"
        pip.write_text(_NO_INDEX, encoding="utf-8")
        mounts = [f"--volume={roots.wheels()}:/wheels:ro", f"--volume={pip}:/etc/pip.conf:ro"]
        script = str(CHECKOUT / "packaging" / "container" / "build.sh")
        command = (script, "--isolation=chroot", *mounts)
        self.run(*command, ENGINE="buildah", IMAGE=IMAGE, PYTHON_IMAGE=BASE, PYTHON_DIGEST=self.digest(BASE))

    def digest(self, image: str) -> str:
        """By which an image can be named so that it is always this one."""
        return self.run("podman", "image", "inspect", "--format={{.Digest}}", image).strip()

    def _import(self) -> None:
        self.run("podman", "import", "--quiet", str(roots.root_archive()), BASE)
        self.run("podman", "run", "--rm", "--read-only", "--cap-drop=ALL", BASE, "/bin/true")

    def _store(self, driver: str) -> None:
        (self._folder / "storage.conf").write_text(_STORAGE.format(driver=driver), encoding="utf-8")


@contextlib.contextmanager
def containers(folder: Path) -> Iterator[Containers]:
    """A place for containers, set up by files in the folder; all that runs in it ends with it."""
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", _FIRST]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as outer:
        try:
            assert outer.stdout is not None
            if outer.stdout.readline() != "ready\n":
                raise CannotRunError("no network and processes of its own can be made here")
            (child,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii").split()
            place = Containers(folder, int(child))
            try:
                yield place
            finally:
                # What runs when its processes are ended leaves its control groups.
                with contextlib.suppress(AssertionError):
                    place.run("podman", "rm", "--all", "--force", "--time=0")
        finally:
            outer.kill()
