"""No test sleeps until something may have happened, nor takes for proof what did not happen within a moment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]

#: What may let time pass: the two waits that all tests share, the clock that has the kernel deliver, and what is no
#: test but a program, or a trial that measures.
MAY_SLEEP = (
    "waiting.py", "proxy/loop_clock.py", "docs/vps/engine.py", "stand_ins/load.py", "systemd/machine.py",
    "faults/", "kills/", "partitions/", "soak/", "upgrade/",
)  # fmt: skip

#: Seconds that a limit has at least which only a failed test reaches.
GENEROUS = 5.0


#: What a file has that waits at all.
WAITS = re.compile(r"(asyncio|time)\.sleep\((?!0\))|asyncio\.(wait_for|timeout|wait)\(")


def waits(tree: ast.AST) -> Iterator[int]:
    """The lines that sleep, or that wait for less than is generous. A turn of the loop, `sleep(0)`, is no sleep."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Attribute(value=ast.Name(id="asyncio" | "time"), attr="sleep"):
                if not (isinstance(node.args[0], ast.Constant) and node.args[0].value == 0):
                    yield node.lineno
            case ast.Attribute(value=ast.Name(id="asyncio"), attr="wait_for" | "timeout" | "wait"):
                given = [*node.args[0 if node.func.attr == "timeout" else 1 :], *(one.value for one in node.keywords)]
                if any(_seconds(one) < GENEROUS for one in given):
                    yield node.lineno


def _seconds(value: ast.expr) -> float:
    match value:
        case ast.Constant(value=int() | float() as seconds):
            return seconds
    return GENEROUS  # a name: the constant that it stands for has one of its own


def test_no_test_waits_by_the_clock() -> None:
    found = [
        f"{name}:{line}"
        for file in sorted(TESTS.rglob("*.py"))
        if not (name := str(file.relative_to(TESTS))).startswith(MAY_SLEEP)
        if WAITS.search(text := file.read_text())  # to parse all files takes seconds
        for line in waits(ast.parse(text))
    ]
    assert found == []


def test_a_sleep_and_a_short_wait_are_found_and_a_turn_of_the_loop_is_none() -> None:
    text = """
asyncio.sleep(0.1)
time.sleep(some)
asyncio.wait_for(it, 0.3)
asyncio.wait([it], timeout=1)
asyncio.sleep(0)
asyncio.wait_for(it, PATIENCE)
asyncio.timeout(None)
asyncio.timeout(60)
"""
    assert list(waits(ast.parse(text))) == [2, 3, 4, 5]
