"""The pages about pipx and uv: each block run in an empty home, with the real tools."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from statusproxy import __version__
from tests.docs.pages import ROOT, Step, blocks, matches, steps
from tests.docs.shell import Shell, lacks_index
from tests.packaging.building import build

PAGES = {"en": "docs/python.md", "pt-BR": "docs/pt-BR/python.md"}

#: The parts of systemd that a home in a folder does not have: they note what they are asked for.
_NOTED = ("systemctl", "loginctl")

_UNIT = Path(".config/systemd/user/statusproxy.service")


def page(language: str) -> str:
    return (ROOT / PAGES[language]).read_text()


def test_both_languages_have_the_same_blocks() -> None:
    first, second = ([(block.language, block.text) for block in blocks(page(language))] for language in PAGES)
    assert first == second


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with nothing in it but the tools, a wheel that is made already, and the folder in which the user is."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("pipx", "uv"):
        (tools / name).symlink_to(Path(sys.executable).parent / name)
    for name in (*_NOTED, "make"):
        (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/asked\n')
        (tools / name).chmod(0o755)
    (tmp_path / "home").mkdir()
    build(ROOT, dist(tmp_path), "--wheel")
    return tmp_path


def dist(home: Path) -> Path:
    """Where the wheel lies."""
    folder = home / "checkout" / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def environment(home: Path) -> dict[str, str]:
    """That of a user who has just logged in; only how to reach an index of packages is this machine's."""
    kept = {key: value for key, value in os.environ.items() if re.match("PIP_|UV_|SSL_|.*_proxy$", key, re.IGNORECASE)}
    path = [str(home / "home/.local/bin"), str(home / "tools"), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    return {**kept, "HOME": str(home / "home"), "PATH": ":".join(path), "LANG": "C.UTF-8"}


def shell(home: Path) -> Shell:
    """A shell in the checkout."""

    def bash(script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", script], env=environment(home), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=600, cwd=home,
        )  # fmt: skip
        if done.returncode and lacks_index(done.stdout):
            pytest.skip("no index of packages can be reached")
        return done.returncode, done.stdout

    return Shell(bash, str(home / "paste"), str(home / "checkout"))


@pytest.mark.divisible
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("tool", "other"), [("pipx", "uv"), ("uv", "pipx")])
def test_every_block_does_what_the_page_promises(tool: str, other: str, home: Path) -> None:
    """Once for both languages: their blocks are the same. A user has one of the tools."""
    mine = shell(home)
    command = home / "home/.local/bin/statusproxy"
    for step in steps(page("en")):
        if step.command.startswith("statusproxy health"):
            serves(home, step)
        elif not step.command.startswith(f"{other} "):
            mine.paste(PAGES["en"], step)
        if re.match(rf"{tool} .*install", step.command):
            assert command.exists() == ("uninstall" not in step.command), step.command
    asked = (home / "asked").read_text().splitlines()
    assert asked == [
        "make dist",
        "systemctl --user daemon-reload",
        "systemctl --user enable --now statusproxy",
        "loginctl enable-linger",
        *["systemctl --user restart statusproxy"] * 2,
        "systemctl --user disable --now statusproxy",
    ]
    assert not (home / "home" / _UNIT).exists()
    assert (home / "home/.config/statusproxy/config.yaml").exists()


def serves(home: Path, step: Step) -> None:
    """The unit's own command serves, and is asked as the page says; in a network of its own, for the page's ports."""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return  # not root: the ports may be anyone's here
    unit = dict(re.findall(r"^(\w+)=(.*)$", (home / "home" / _UNIT).read_text(), re.MULTILINE))
    starts = unit["ExecStart"].replace("%h", str(home / "home"))
    name, _, state = unit["Environment"].replace("%h", str(home / "home")).partition("=")
    script = f"""
        ip link set lo up
        {name}={state} {starts} 2>{home}/log & pid=$!
        until {step.command} >/dev/null 2>&1; do kill -0 $pid || exit 9; done
        {step.command} && kill $pid && wait $pid
    """
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script],
        env={**environment(home), "STATUSPROXY_CONFIG": str(home / "home/.config/statusproxy/config.yaml")},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (home / "log").read_text()
    assert step.prints is not None
    assert matches(step.prints, done.stdout)
    assert __version__ in done.stdout
    assert (Path(state) / "state.db").exists()
