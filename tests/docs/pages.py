"""A page of the documentation as what can be run in it: its fenced blocks, their headings, what they promise.

Three forms: a `console` block has `$ ` lines, each followed by what it prints; a `bash` block is pasted whole, and a
`text` block behind it is what it prints; a `yaml` block is a configuration. `…` in what is printed stands for anything
within a line, and alone on a line for any number of lines.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

#: Each page with its Portuguese twin, which has the same blocks.
TWINS: Final = {
    "README.md": "docs/pt-BR/README.md",
    **{
        f"docs/{name}.md": f"docs/pt-BR/{name}.md"
        for name in (
            "configuration",
            "corrections",
            "operations",
            "runbook",
            "try-without-risk",
            "webhooks",
            "when-an-alert-fires",
        )
    },
}
PAGES: Final = (*TWINS, *TWINS.values())

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_ANYTHING: Final = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its text, its line in the page, and the headings it stands under."""

    language: str
    text: str
    line: int
    headings: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    """Something to run, and what it must print; None where the page does not say."""

    command: str
    prints: str | None
    line: int
    headings: tuple[str, ...]


def blocks(text: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    found = []
    fences = list(_FENCE.finditer(text))
    inside = [(fence.start(), fence.end()) for fence in fences]
    headings = [
        (match.start(), len(match[1]), match[2])
        for match in _HEADING.finditer(text)
        if not any(start < match.start() < end for start, end in inside)
    ]
    for fence in fences:
        path: list[tuple[int, str]] = []
        for at, level, title in headings:
            if at < fence.start():
                path = [(depth, name) for depth, name in path if depth < level] + [(level, title)]
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(fence[1], fence[2], line, tuple(name for _, name in path)))
    return found


def steps(text: str) -> list[Step]:
    """What a page tells its reader to run, in order."""
    found: list[Step] = []
    listed = blocks(text)
    for index, block in enumerate(listed):
        if block.language == "console":
            found.extend(_console(block))
        elif block.language == "bash":
            after = listed[index + 1] if index + 1 < len(listed) else None
            prints = after.text if after is not None and after.language == "text" else None
            found.append(Step(block.text, prints, block.line, block.headings))
    return found


def _console(block: Block) -> Iterator[Step]:
    command: str | None = None
    printed: list[str] = []
    for line in [*block.text.splitlines(), "$ "]:
        if line.startswith("$ "):
            if command is not None:
                yield Step(command, "".join(f"{one}\n" for one in printed) or None, block.line, block.headings)
            command, printed = line[2:], []
        elif command is not None and command.endswith("\\"):
            command += f"\n{line}"
        else:
            printed.append(line)


def matches(promised: str, printed: str) -> bool:
    """Whether what was printed is what the page promises; white space at the ends of lines does not matter."""
    pattern = ""
    for line in promised.rstrip().splitlines():
        if line.strip() == _ANYTHING:
            pattern += r"(?:.*\n)*"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split(_ANYTHING)) + r"[ \t]*\n"
    return re.fullmatch(pattern, printed.rstrip() + "\n") is not None
