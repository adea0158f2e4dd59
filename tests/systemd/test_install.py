"""install.sh as far as it can be seen without a machine to install on; test_installed.py has one."""

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.systemd.machine import CHECKOUT

INSTALL = CHECKOUT / "systemd" / "install.sh"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(INSTALL), *arguments], capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is missing: apt-get install shellcheck")
def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(["shellcheck", str(INSTALL)], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout == ""
    assert done.returncode == 0


def test_help_tells_every_use() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--wheels", "--rollback", "--uninstall", "--purge"):
        assert word in done.stdout


def test_an_unknown_word_is_refused() -> None:
    done = run("--force")
    assert done.returncode == 1
    assert "unknown: --force" in done.stderr


def test_purging_without_uninstalling_is_refused() -> None:
    done = run("--purge")
    assert done.returncode == 1
    assert "--purge needs --uninstall" in done.stderr


@pytest.mark.parametrize("arguments", [["--rollback"], ["--uninstall", "--purge"], ["--wheels", "/srv/my wheels"], []])
def test_without_root_it_names_the_whole_command_to_paste(arguments: list[str], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    folder = Path(tempfile.mkdtemp(prefix="statusproxy of a user "))
    try:
        folder.chmod(0o755)
        installer = Path(shutil.copy(INSTALL, folder))
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "bash", installer.name, *arguments],
            cwd=folder, env={**os.environ, "PYTHON": "/usr/bin/python3"}, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder)
    assert done.returncode == 1
    _, command = done.stderr.splitlines()
    said = shlex.split(command.removeprefix("  run: "))
    assert said == ["sudo", "PYTHON=/usr/bin/python3", str(installer), *arguments]


def test_the_installer_is_executable(tmp_path: Path) -> None:
    assert INSTALL.stat().st_mode & 0o111 == 0o111
