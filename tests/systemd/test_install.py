"""install.sh as far as it can be seen without a machine to install on; test_installed.py has one."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.systemd.roots import CHECKOUT

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


#: What install.sh asks of a machine, as far as an installation that fails comes: the service makes a state and ends.
STAND_INS = """
systemctl() {
  case $1 in
    is-active | is-enabled) return 1 ;;
    restart)
      [ -e /var/lib/statusproxy ] || { mkdir -p "$STATE" && ln -s "$STATE" /var/lib/statusproxy; }
      [ ! -e "$STATE" ] || echo new >"$STATE/state.db"
      return 1
      ;;
    --version) echo "systemd 252 (252)" ;;
  esac
}
timeout() { shift && "$@"; }
find_python() { echo "$REAL_PYTHON"; }
taken() { :; }
report_failure() { :; }
build() {
  mkdir -p "$1/bin" "$1/share/systemd"
  cp "$HERE"/*.* "$1/share/systemd/"
  printf '#!/bin/sh\\nexec "%s" -m statusproxy "$@"\\n' "$REAL_PYTHON" >"$1/bin/statusproxy"
  printf '#!/bin/sh\\nexec "%s" "$@"\\n' "$REAL_PYTHON" >"$1/bin/python"
  chmod +x "$1/bin/statusproxy" "$1/bin/python"
  touch "$1/.complete"
}
GIVEN=()
install ""
"""


def install_on(root: Path, config: str) -> subprocess.CompletedProcess[str]:
    """A first installation that cannot end well, on a machine whose folders are in `root`."""
    for folder in ("etc/statusproxy", "etc/systemd/system", "opt", "usr/local", "var/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc" / "statusproxy" / "config.yaml").write_text(config)
    text = INSTALL.read_text().rpartition("\n# Read whole before it runs")[0] + STAND_INS
    text = re.sub(r"(?<![\w}])/(?=(etc|opt|usr/local|var|run)/)", f"{root}/", text)
    text = re.sub("^HERE=.*", f"HERE={INSTALL.parent}", text, flags=re.MULTILINE)
    script = root / "install.sh"
    script.write_text(text)
    environ = {**os.environ, "REAL_PYTHON": sys.executable, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        ["bash", str(script)], env=environ, capture_output=True, text=True, check=False, timeout=300
    )  # fmt: skip


def files(root: Path) -> dict[str, str]:
    """All that lies below a folder, but for the installer itself."""
    found = (path for path in root.rglob("*") if path.name != "install.sh")
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in found}


#: An installation of one's own, with the state where an own unit, a mount or a restored backup puts it.
OWN = {
    "var/lib/statusproxy/state.db": "precious",
    "etc/systemd/system/statusproxy.service": "[Service]\nExecStart=/opt/statusproxy/bin/statusproxy run\n",
    "opt/statusproxy/bin/statusproxy": "a program of one's own",
    "usr/local/bin/statusproxy": "a command of one's own",
}

REFUSED = "gateway: nonsense\n"
ACCEPTED = "gateway: http://127.0.0.1:3000\nlisten: 127.0.0.1:8090\n"


@pytest.mark.parametrize(
    ("config", "said"), [(REFUSED, "does not accept the configuration"), (ACCEPTED, "does not run here")]
)
def test_a_first_installation_that_fails_removes_only_what_it_has_made(config: str, said: str, tmp_path: Path) -> None:
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = install_on(tmp_path, config)
    assert done.returncode == 1
    assert said in done.stderr
    left = {name: text for name, text in files(tmp_path).items() if text}
    assert left == {**OWN, "etc/statusproxy/config.yaml": config}


@pytest.mark.parametrize("config", [REFUSED, ACCEPTED])
def test_a_first_installation_that_fails_leaves_nothing_but_the_configuration(config: str, tmp_path: Path) -> None:
    install_on(tmp_path, config)
    named = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*statusproxy*")}
    assert named == {"etc/statusproxy"}
    assert [path.name for path in (tmp_path / "etc" / "statusproxy").iterdir()] == ["config.yaml"]
