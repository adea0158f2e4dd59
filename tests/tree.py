"""The tree of the program with a line per file, as docs/architecture.md shows it: each file's own first line.

`.venv/bin/python -m tests.tree` writes it there again; `tests/test_docs.py` fails while it is out of date.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "architecture.md"

_BEGIN: Final = "<!-- tree -->\n"
_END: Final = "<!-- end of tree -->"


def tree() -> str:
    """The tree: a heading and a list per room, the lines of files in the order of their names."""
    package = ROOT / "statusproxy"
    rooms = [package, *sorted(file.parent for file in package.rglob("__init__.py") if file.parent != package)]
    return "".join(_room(room) for room in rooms) + "\n"


def shown(page: str) -> str:
    """The tree that a page shows."""
    return page.partition(_BEGIN)[2].partition(_END)[0]


def _room(room: Path) -> str:
    head = f"\n**`{room.relative_to(ROOT)}/`** {_first_line(room / '__init__.py')}\n"
    lines = [f"- `{file.name}`: {_first_line(file)}\n" for file in _files(room)]
    return "".join([head, "\n", *lines]) if lines else head


def _files(room: Path) -> Iterator[Path]:
    for file in sorted(room.glob("*.py")):
        if file.name != "__init__.py":
            yield file


def _first_line(file: Path) -> str:
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]


if __name__ == "__main__":
    old = PAGE.read_text()
    PAGE.write_text(old.replace(_BEGIN + shown(old) + _END, _BEGIN + tree() + _END))
