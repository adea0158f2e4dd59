"""What one block sets, the next still has; and a page that promises what does not happen fails by name and line."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import Step
from tests.docs.shell import PageError, Shell, lacks_index


def bash(script: str) -> tuple[int, str]:
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(bash, str(tmp_path / "shell"), str(tmp_path), "typed\n")


def step(command: str, prints: str | None = None) -> Step:
    return Step(command, prints, 7, ("Page",))


def test_variables_functions_and_the_folder_last(shell: Shell, tmp_path: Path) -> None:
    shell.paste("page.md", step('mkdir below\ncd below\nNAME="two words"\ngreet() { echo "hello, $NAME"; }\n'))
    assert shell.paste("page.md", step("greet; pwd\n")) == f"hello, two words\n{tmp_path}/below\n"


def test_variables_do_not_leak_into_programs(shell: Shell) -> None:
    shell.paste("page.md", step("NAME=secret\n"))
    shell.paste("page.md", step("env | grep -c ^NAME= || true\n", "0\n"))


def test_what_is_asked_for_is_typed(shell: Shell) -> None:
    shell.paste("page.md", step("read -rs ANSWER\n"))
    shell.paste("page.md", step('echo "$ANSWER"\n', "typed\n"))


@pytest.mark.parametrize(("command", "prints"), [("false\n", None), ("echo a\n", "b\n")])
def test_a_broken_promise_names_the_page_and_the_line(shell: Shell, command: str, prints: str | None) -> None:
    with pytest.raises(PageError, match=r"page\.md:7"):
        shell.paste("page.md", step(command, prints))


@pytest.mark.parametrize(
    ("said", "unreachable"),
    [
        ("after connection broken by 'NewConnectionError('<…>: Failed to establish a new connection: …')'", True),
        ("after connection broken by 'ConnectTimeoutError(<…>, 'Connection to packages.example timed out.')'", True),
        ("after connection broken by 'ProxyError('Cannot connect to proxy.', …)'", True),
        ("cause: error sending request for url (https://packages.example/six/)", True),
        ("ERROR: No matching distribution found for six==99", False),
        (
            'HTTPSConnectionPool(…): … (Caused by SSLError("Can\'t connect to HTTPS URL because the SSL module …"))',
            False,
        ),
    ],
    ids=["no network", "silent", "no proxy", "uv", "no such version", "no TLS"],
)
def test_an_index_that_cannot_be_reached_is_told_from_what_is_not_there(said: str, unreachable: bool) -> None:
    assert lacks_index(said) is unreachable
