"""The room's promise: bytes in, values out. Nothing in it can reach a socket, a loop, or another room of the proxy."""

import ast
from pathlib import Path

import pytest

from statusproxy.proxy import http1

ROOM = Path(http1.__file__).parent

FORBIDDEN = {
    "asyncio",
    "concurrent",
    "multiprocessing",
    "os",
    "select",
    "selectors",
    "socket",
    "ssl",
    "threading",
    "time",
}


def imported(file: Path) -> set[str]:
    """Full names of all that a file imports, also where only a type checker does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.stem)
def test_a_file_of_the_room_does_no_input_or_output_and_knows_no_other_room(file: Path) -> None:
    names = imported(file)
    assert not {name for name in names if name.partition(".")[0] in FORBIDDEN}
    ours = {name for name in names if name.startswith("statusproxy")}
    assert not {name for name in ours if not name.startswith("statusproxy.proxy.http1")}
