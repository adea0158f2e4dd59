"""The README's blocks, and those of its Portuguese twin: run, loaded, or held against the Makefile."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.config.restart import AT_START
from statusproxy.status.signals import Verdict, read
from tests.docs.machine import Origin, vps
from tests.docs.pages import PAGES, ROOT, Step, blocks, steps
from tests.docs.shell import Bash, Shell

README, PORTUGUESE = ROOT / "README.md", ROOT / "docs" / "pt-BR" / "README.md"
LOG = ROOT / "artifacts" / "readme.log"
PIP_CACHE = ROOT / ".pytest_cache" / "pip"

#: The link of a page to a file of this checkout, and the heading in it.
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")

_MAKE = "make "
_RUN = ".venv/bin/statusproxy run "
_INSTALL = "sudo ./systemd/install.sh"
_BY_HAND = (
    "python3 -m venv .venv",
    ".venv/bin/pip install -c constraints.txt -e .",
    ".venv/bin/statusproxy demo",
    ".venv/bin/pip install -c constraints.txt -e '.[test]'",
)
_NO_INDEX = "No matching distribution|Temporary failure in name resolution|Connection"
_CHECKS = ".venv/bin/ruff check . && "


def commands(start: str) -> list[Step]:
    """The README's commands that begin so."""
    return [step for step in steps(README.read_text()) if step.command.startswith(start)]


def test_every_command_is_tried_here() -> None:
    kinds = (_MAKE, _RUN, _INSTALL, *_BY_HAND, _CHECKS)
    assert [step.command for step in steps(README.read_text()) if not step.command.startswith(kinds)] == []
    assert {kind for kind in kinds if commands(kind)} == set(kinds)


def test_both_languages_have_the_same_blocks() -> None:
    english, portuguese = blocks(README.read_text()), blocks(PORTUGUESE.read_text())
    assert [(block.language, block.text) for block in portuguese] == [(block.language, block.text) for block in english]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [(README, r"These wait for a restart: (.*?)\.\s"), (PORTUGUESE, r"Estas esperam um reinício: (.*?)\.\s")],
    ids=["en", "pt-BR"],
)
def test_what_waits_for_a_restart_is_listed_as_the_program_has_it(page: Path, sentence: str) -> None:
    (listed,) = re.findall(sentence, " ".join(page.read_text().split()))
    assert re.findall("`([^`]+)`", listed) == list(AT_START)


@pytest.mark.parametrize("page", PAGES)
def test_every_yaml_block_is_a_valid_configuration(page: str) -> None:
    for block in blocks((ROOT / page).read_text()):
        if block.language == "yaml":
            gateway = "" if re.search("^gateway:", block.text, re.MULTILINE) else "gateway: http://127.0.0.1:3000\n"
            loads(gateway + block.text, source=f"{page}:{block.line}")


@pytest.mark.parametrize(
    "page",
    sorted(
        {*PAGES, "CHANGELOG.md", "CONTRIBUTING.md", *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md"))}
    ),
)
def test_every_link_leads_somewhere(page: str) -> None:
    for path, heading in _LINK.findall((ROOT / page).read_text()):
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        if target.name == "performance.md" and not target.exists():
            pytest.skip("docs/performance.md is not written yet")
        assert target.exists(), f"{page}: {path}"
        if heading:
            assert heading in {anchor(title) for title in re.findall("^#+ (.+)$", target.read_text(), re.MULTILINE)}


def anchor(title: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_every_page_that_is_meant_for_readers_is_linked_from_the_readme() -> None:
    linked = {path for path, _ in _LINK.findall(README.read_text())}
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")}
    assert pages - linked == set()


def test_what_make_is_asked_for_is_a_target() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for page in PAGES for word in re.findall(r"\bmake ([a-z]+)[\n`]", (ROOT / page).read_text())}
    assert {"demo", "test", "bench"} <= named <= targets


def test_the_checks_by_hand_are_those_of_make_test() -> None:
    recipe = (ROOT / "Makefile").read_text()
    (step,) = commands(_CHECKS)
    for part in step.command.split(" && "):
        assert part.replace(".venv/bin/", "$(BIN)/") in recipe


@pytest.mark.parametrize("page", [README, PORTUGUESE], ids=["en", "pt-BR"])
def test_the_event_shown_as_presence_is_read_as_presence(page: Path) -> None:
    (shown,) = re.findall(
        r'^    (\{"event": "connection\.update".*?\}\}\})$', page.read_text(), re.MULTILINE | re.DOTALL
    )
    rules = loads("gateway: http://127.0.0.1:3000\npreset: gateway-wrapper\n").signal_rules()
    reading = read(shown.replace(", …", "").encode(), rules, 1_800_000_000.0)
    assert reading.verdict is Verdict.PRESENCE


@pytest.mark.slow
@pytest.mark.divisible
@pytest.mark.timeout(1800)
def test_the_commands_by_hand_and_those_of_make_work_in_a_fresh_clone(tmp_path: Path) -> None:
    clone, home = Origin(tmp_path / "clone").folder, tmp_path / "home"
    home.mkdir()
    inherited = {name: os.environ[name] for name in os.environ if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    # What pip loads by hand is kept within this checkout, and compiled only where it is used; `make` keeps nothing.
    environment = {**inherited, "HOME": str(home), "PIP_CACHE_DIR": str(PIP_CACHE), "PIP_NO_COMPILE": "1"}

    def bash(script: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1500,
        )
        return done.returncode, done.stdout

    if bash("python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'")[0]:
        pytest.skip("python3 is older than 3.11, or lacks venv")
    demonstrates(bash, clone, home)
    shell = Shell(bash, str(tmp_path / "shell"), str(clone))
    for start in _BY_HAND:
        (step,) = commands(start)
        try:
            said = shell.paste("README.md", step)
        except AssertionError as error:
            if re.search(_NO_INDEX, str(error)):
                pytest.skip("no package index can be reached")
            raise
        if "demo" in start:
            # The number stands in both languages' prose.
            (held,) = re.findall(r"all (\d+) checks held", said)
            assert f"{held} checks in about five seconds" in README.read_text()
            assert f"{held} verificações em cerca de cinco segundos" in PORTUGUESE.read_text()
    code, said = bash(f"make -C {clone} lint")
    assert (code, "All checks passed!" in said) == (0, True), said
    runs(clone)


def demonstrates(bash: Bash, clone: Path, home: Path) -> None:
    """`make demo`, first of all: it installs what the proxy needs, says so meanwhile, and writes nothing elsewhere."""
    code, said = bash(f"make -C {clone} demo")
    if code and re.search(_NO_INDEX, said):
        pytest.skip("no package index can be reached")
    assert (code, "checks held" in said) == (0, True), said
    assert said.index("Installing what") < said.index("Collecting aiohttp") < said.index("checks held")
    installed = {path.name for path in (clone / ".venv").glob("lib/*/site-packages/*")}
    assert {"aiohttp", "msgspec", "uvloop"} <= installed
    assert not installed & {"mypy", "ruff", "selenium", "pytest", "hypothesis", "redis", "apprise"}
    assert not (home / ".cache").exists()


def runs(clone: Path) -> None:
    """`statusproxy run`, on the ports that the README names: in a network of its own."""
    if subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode:
        return  # not root: the ports may be anyone's here
    (step,) = commands(_RUN)
    inside = ["unshare", "--net", "sh", "-c", f"ip link set lo up; exec {step.command}"]
    with subprocess.Popen(inside, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as proxy:
        said = ""
        try:
            assert proxy.stdout is not None
            for line in proxy.stdout:
                said += line
                if "admin on" in line:
                    break
        finally:
            proxy.send_signal(signal.SIGTERM)
    assert "listening on 0.0.0.0:8090, forwarding to http://127.0.0.1:3000" in said
    assert "admin on http://127.0.0.1:8091" in said
    assert proxy.returncode == 0


@pytest.mark.slow
@pytest.mark.divisible
@pytest.mark.timeout(1800)
def test_the_installer_does_what_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (step,) = commands(_INSTALL)
    with vps(tmp_path, LOG, monkeypatch) as (bash, origin):
        installs(bash, origin, step)


def installs(bash: Bash, origin: Origin, step: Step) -> None:
    """Installed, upgraded, taken back, removed: by the options that the page names."""
    shell = Shell(bash, "/run/paste", "/root/statusproxy")

    def say(command: str) -> str:
        return shell.paste("README.md", Step(command, None, step.line, step.headings))

    say("mkdir -p /etc/statusproxy && printf 'gateway: http://172.17.0.1:3000\\n' >/etc/statusproxy/config.yaml")
    assert "config.yaml (kept)" in say(step.command)
    assert "statusproxy 0." in say("statusproxy --version")
    origin.release("9.9.9")
    say(f"git pull --quiet && {step.command}")
    assert "statusproxy 9.9.9" in say("statusproxy --version")
    say(f"{step.command} --rollback")
    assert "statusproxy 0." in say("statusproxy --version")
    say(f"{step.command} --uninstall")
    say("test -f /etc/statusproxy/config.yaml && test ! -e /opt/statusproxy")
    say(f"{step.command} --uninstall --purge")
    say("test ! -e /etc/statusproxy && test ! -e /var/lib/private/statusproxy")
