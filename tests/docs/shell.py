"""A shell into which the blocks of a page are pasted one after the other: what one sets, the next still has."""

import re
from collections.abc import Callable
from typing import Final

from tests.docs.pages import Step, matches

#: Runs a script with bash; gives its exit code and what it printed.
Bash = Callable[[str], tuple[int, str]]

#: What pip, pipx and uv say where no index of packages can be reached. A package that is not there is an error of ours.
_UNREACHABLE: Final = re.compile(
    r"Connection\w*Error|ConnectTimeout|ReadTimeout|ProxyError|Failed to connect|name resolution|error sending request"
)

#: What is left in the shell by one block is written down for the next one: folder, variables (except those that bash
#: itself holds fast), functions.
_SESSION: Final = """
exec <{folder}/typed
. {folder}/session 2>/dev/null
{command}
code=$?
{{ printf 'cd %q\\n' "$PWD"; declare -p | grep -v '^declare -[a-zA-Z]*r'; declare -f; }} >{folder}/session
exit $code
"""


def lacks_index(said: str) -> bool:
    """Whether a command failed, by what it said, since no index of packages can be reached."""
    return _UNREACHABLE.search(said) is not None


class PageError(AssertionError):
    """A page promises what does not happen."""


class Shell:
    """Pastes steps; `folder` is where it keeps itself, `typed` what is typed where a block asks for something."""

    def __init__(self, bash: Bash, folder: str, cwd: str, typed: str = "") -> None:
        self._bash = bash
        self._folder = folder
        code, said = bash(
            f"mkdir -p {folder} && printf %s '{typed}' >{folder}/typed && printf 'cd %q\\n' {cwd} >{folder}/session"
        )
        if code:
            raise RuntimeError(said)

    def paste(self, page: str, step: Step) -> str:
        """Run a step; it must succeed and print what the page promises."""
        code, said = self._bash(_SESSION.format(folder=self._folder, command=step.command))
        where = f"{page}:{step.line}\n$ {step.command.rstrip()}"
        if code:
            raise PageError(f"{where}\nexit code {code}\n{said}")
        if step.prints is not None and not matches(step.prints, said):
            raise PageError(f"{where}\n--- promised\n{step.prints}--- printed\n{said}")
        return said
