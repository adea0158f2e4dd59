"""The README's blocks, and those of its Portuguese twin: run, loaded, or held against the Makefile.

So are those of the pages that it leads to first: the configuration, the trial without risk, and the checks by hand.
"""

import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from statusproxy.config.load import loads
from statusproxy.config.restart import AT_START
from statusproxy.status.signals import Verdict, read
from tests.docs.machine import Origin
from tests.docs.network import gateway, own_network
from tests.docs.pages import PAGES, ROOT, TWINS, Step, blocks, steps
from tests.docs.shell import Bash, Shell, lacks_index

README, PORTUGUESE = ROOT / "README.md", ROOT / "docs" / "pt-BR" / "README.md"
CONTRIBUTING, TRIAL = ROOT / "CONTRIBUTING.md", ROOT / "docs" / "try-without-risk.md"
PIP_CACHE = ROOT / ".pytest_cache" / "pip"

#: The link of a page to a file of this checkout, and the heading in it; and to a picture.
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_PICTURE = re.compile(r'(?:src|srcset)="([^"]+)"')

_DEMO = "make demo"
_RUN = "statusproxy run "
_BY_HAND = (
    "python3 -m venv .venv",
    ".venv/bin/pip install -c constraints.txt -e .",
    ".venv/bin/statusproxy demo",
)
_INSTALL_FOR_TESTS = ".venv/bin/pip install -c constraints.txt -e '.[test]'"
_CHECKS = ".venv/bin/ruff check . && "

#: The ways to install: the heading of each in the README, and the page that goes further.
_WAYS = {"Docker Compose": "docker", "Debian package": "debian", "pipx or uv": "python"}


def commands(start: str, page: Path = README) -> list[Step]:
    """A page's commands that begin so."""
    return [step for step in steps(page.read_text()) if step.command.startswith(start)]


def test_every_command_of_the_readme_is_tried_here_or_by_the_page_of_its_way() -> None:
    others = [step for step in steps(README.read_text()) if step.headings[-1] not in _WAYS]
    assert [step.command for step in others] == [_DEMO]


@pytest.mark.parametrize("way", _WAYS)
def test_a_quick_start_is_short_and_its_page_has_each_command_among_those_it_runs(way: str) -> None:
    quick = [step for step in steps(README.read_text()) if step.headings[-1] == way]
    assert 0 < sum(1 + (step.prints or "").count("\n") for step in quick) < 10
    run = steps((ROOT / "docs" / f"{_WAYS[way]}.md").read_text())

    def is_run(step: Step) -> bool:
        # The pages are for root. What runs the proxy is tried with the README itself.
        command = step.command.removeprefix("sudo ")
        return command.startswith(_RUN) or any(
            command in each.command and step.prints in (None, each.prints) for each in run
        )

    assert [step.command for step in quick if not is_run(step)] == []


def test_the_checks_by_hand_are_tried_here() -> None:
    by_hand = [step.command for step in steps(CONTRIBUTING.read_text())]
    assert by_hand[:-1] == [*_BY_HAND, _INSTALL_FOR_TESTS]
    assert by_hand[-1].startswith(_CHECKS)


@pytest.mark.parametrize(("page", "twin"), TWINS.items(), ids=TWINS)
def test_both_languages_have_the_same_blocks(page: str, twin: str) -> None:
    english, portuguese = (blocks((ROOT / each).read_text()) for each in (page, twin))
    assert [(block.language, block.text) for block in portuguese] == [(block.language, block.text) for block in english]


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("docs/configuration.md", r"These wait for a restart: (.*?)\.\s"),
        ("docs/pt-BR/configuration.md", r"Estas esperam um reinício: (.*?)\.\s"),
    ],
)
def test_what_waits_for_a_restart_is_listed_as_the_program_has_it(page: str, sentence: str) -> None:
    (listed,) = re.findall(sentence, " ".join((ROOT / page).read_text().split()))
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
        {
            *PAGES,
            *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
            *(f"docs/{each.name}" for each in (ROOT / "docs").glob("*.md")),
        }
    ),
)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for path, heading in _LINK.findall(text):
        target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert target.exists(), f"{page}: {path}"
        if heading:
            assert heading in {anchor(title) for title in re.findall("^#+ (.+)$", target.read_text(), re.MULTILINE)}
    assert [path for path in _PICTURE.findall(text) if not ((ROOT / page).parent / path).is_file()] == []


def test_the_readme_shows_each_picture_and_no_other_is_kept() -> None:
    shown = {
        ((page.parent / path).resolve()) for page in (README, PORTUGUESE) for path in _PICTURE.findall(page.read_text())
    }
    assert shown == {file for file in (ROOT / "docs" / "pictures").iterdir() if file.suffix != ".sha256"}


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
    (step,) = commands(_CHECKS, CONTRIBUTING)
    for part in step.command.split(" && "):
        assert part.replace(".venv/bin/", "$(BIN)/") in recipe


def test_what_is_installed_for_the_tests_by_hand_is_what_make_has_installed_for_this_one() -> None:
    recipe = (ROOT / "Makefile").read_text()
    defined = dict(re.findall(r"^(tool|install) = (.*)$", recipe, re.MULTILINE))
    assert defined["tool"].endswith("$(BIN)/python -m")
    assert defined["install"].endswith("$(tool) pip install -c constraints.txt")
    assert "@$(install) --quiet uv && $(tool) tests.quick_install -c constraints.txt -e '.[test]'\n" in recipe
    assert _INSTALL_FOR_TESTS.removeprefix(".venv/bin/pip ") == "install -c constraints.txt -e '.[test]'"


def test_each_dependency_of_the_program_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    needed = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(one for extra, some in extras.items() if extra != "test" for one in some),
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text()
    table = {name for cell in re.findall(r"^\| (.*?) \|", page, re.MULTILINE) for name in re.findall(r"[\w.-]+", cell)}
    assert {Requirement(one).name for one in needed} - table == set()


@pytest.mark.parametrize("page", ["docs/corrections.md", "docs/pt-BR/corrections.md"])
def test_the_event_shown_as_presence_is_read_as_presence(page: str) -> None:
    text = (ROOT / page).read_text()
    (shown,) = re.findall(r'^    (\{"event": "connection\.update".*?\}\}\})$', text, re.MULTILINE | re.DOTALL)
    rules = loads("gateway: http://127.0.0.1:3000\npreset: gateway-wrapper\n").signal_rules()
    reading = read(shown.replace(", …", "").encode(), rules, 1_800_000_000.0)
    assert reading.verdict is Verdict.PRESENCE


def clone_s_environment(folder: Path) -> dict[str, str]:
    """That of the commands in a clone, with a home in this folder.

    `python3` is the one that these tests run with. Nothing is taken over from a `make` that runs them, with its own
    PYTHON perhaps: the clone's `make` would use that, and the commands by hand another, in one environment.
    """
    for name in ("home", "bin"):
        (folder / name).mkdir()
    (folder / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    not_taken = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHON", "MAKEFLAGS", "MAKELEVEL"}
    return {
        **{name: value for name, value in os.environ.items() if name not in not_taken},
        "HOME": str(folder / "home"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        # What pip loads by hand is kept within this checkout, and compiled only where it is used (0 is how pip takes a
        # variable of an option that begins with "no"); `make` keeps nothing.
        "PIP_CACHE_DIR": str(PIP_CACHE),
        "PIP_NO_COMPILE": "0",
    }


def test_commands_in_a_clone_use_this_python_and_nothing_of_the_make_that_runs_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", " -- PYTHON=/nowhere/python3")
    monkeypatch.setenv("PYTHON", "/nowhere/python3")
    monkeypatch.setenv("MAKELEVEL", "1")
    (tmp_path / "Makefile").write_text("PYTHON ?= python3\nall:\n\t@$(PYTHON) -c 'import sys; print(sys.version)'\n")
    said = subprocess.check_output(["make"], cwd=tmp_path, env=clone_s_environment(tmp_path), text=True)
    assert said == f"{sys.version}\n"


@pytest.mark.slow
@pytest.mark.divisible
@pytest.mark.timeout(1800)
def test_the_commands_by_hand_and_those_of_make_work_in_a_fresh_clone(tmp_path: Path) -> None:
    clone, environment = Origin(tmp_path / "clone").folder, clone_s_environment(tmp_path)

    def bash(script: str, inside: Sequence[str] = ()) -> tuple[int, str]:
        done = subprocess.run(
            [*inside, "bash", "-c", script],
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
    demonstrates(bash, clone, tmp_path / "home")
    shell = Shell(bash, str(tmp_path / "shell"), str(clone))
    for start in _BY_HAND:
        (step,) = commands(start, CONTRIBUTING)
        try:
            said = shell.paste("CONTRIBUTING.md", step)
        except AssertionError as error:
            if lacks_index(str(error)):
                pytest.skip("no package index can be reached")
            raise
        if "demo" in start:
            # The number stands in both languages' prose.
            (held,) = re.findall(r"all (\d+) checks held", said)
            assert f"{held} checks in about five seconds" in " ".join(README.read_text().split())
            assert f"{held} verificações em cerca de cinco segundos" in " ".join(PORTUGUESE.read_text().split())
    with own_network() as inside:
        if inside is not None:
            runs(inside, clone)
            tries(inside, clone, partial(bash, inside=inside), tmp_path)


def demonstrates(bash: Bash, clone: Path, home: Path) -> None:
    """`make demo`, first of all: it installs what the proxy needs, says so meanwhile, and writes nothing elsewhere."""
    code, said = bash(f"make -C {clone} demo")
    if code and lacks_index(said):
        pytest.skip("no package index can be reached")
    assert (code, "checks held" in said) == (0, True), said
    assert said.index("Installing what") < said.index("Collecting aiohttp") < said.index("checks held")
    installed = {path.name for path in (clone / ".venv").glob("lib/*/site-packages/*")}
    assert {"aiohttp", "msgspec", "uvloop"} <= installed
    assert not installed & {"mypy", "ruff", "selenium", "pytest", "hypothesis", "redis", "apprise"}
    assert not (home / ".cache").exists()


def runs(inside: Sequence[str], clone: Path) -> None:
    """`statusproxy run`, on the ports that the README names."""
    (step,) = commands(_RUN)
    command = [*inside, "sh", "-c", f"exec .venv/bin/{step.command}"]
    with subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as proxy:
        said = ""
        try:
            assert proxy.stdout is not None
            for line in proxy.stdout:
                said += line
                if "admin on" in line:
                    break
        finally:
            proxy.send_signal(signal.SIGTERM)
    assert "listening on 127.0.0.1:8090, forwarding to http://127.0.0.1:3000" in said
    assert "admin on http://127.0.0.1:8091" in said
    assert proxy.returncode == 0


def tries(inside: list[str], clone: Path, bash: Bash, folder: Path) -> None:
    """The trial without risk, beside a gateway that is not changed; its demo was played before."""
    shell = Shell(bash, str(folder / "trial"), str(clone))
    with gateway(inside, 3000, folder / "gateway.log"):
        for step in steps(TRIAL.read_text()):
            if step.command.strip() != _DEMO:
                shell.paste("docs/try-without-risk.md", step)
    assert not (clone / "trial").exists()
