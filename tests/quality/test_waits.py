"""No test sleeps until something may have happened, takes for proof what did not happen within a moment, or gives the
program a limit that a busy machine exceeds by itself."""

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


#: Limits of the program that a test sets. Below `SHORT` seconds a busy machine may exceed them before anything is
#: wrong: a test moves `LoopClock` past a long one instead, or says on the line that the limit is `ONLY_WAITED_FOR`,
#: as nothing else can end what it limits, or that it is `OF_NO_CLOCK` that goes by itself.
LIMITS = re.compile(
    r"patience|grace|alive_grace|min_rate_grace|within|answer_limit|save_limit|close_limit|lock_wait|open_wait"
    r"|connect|request_head|request_body|response_head|response_body|keep_alive|upgrade_idle|drain|drain_notice|max_age"
)
SHORT = 2.0
ONLY_WAITED_FOR = "# only waited for"
OF_NO_CLOCK = "# of no clock"

#: A limit within a text of YAML.
WRITTEN = re.compile(rf"\b(?:{LIMITS.pattern}): *([\d.]+m?s)\b")

#: A file that gives any limit at all: by keyword, or as a member of a mapping or of YAML.
GIVEN = re.compile(rf"\b(?:{LIMITS.pattern})(?:[\"']\s*:|\s*=|: *[\d.]+m?s\b)")

#: What is pure, reads settings only, or is no test but a program.
NOT_TIMED = (*MAY_SLEEP, "status/", "config/", "quality/", "peers/", "docs/", "browser/")


def short_limits(text: str) -> Iterator[int]:
    """The lines that give the program a limit which is shorter than `SHORT`, and do not say why that is safe."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        given: list[tuple[str, ast.expr]] = []
        if isinstance(node, ast.keyword) and node.arg is not None:
            given = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            keys = ((key.value if isinstance(key, ast.Constant) else None, value) for key, value in
                    zip(node.keys, node.values, strict=True))  # fmt: skip
            given = [(key, value) for key, value in keys if isinstance(key, str)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            given = [("grace", ast.copy_location(ast.Constant(each), node)) for each in WRITTEN.findall(node.value)]
        for name, value in given:
            parts = (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)
            if not any(0 < _limit(part) < SHORT for part in parts) or not LIMITS.fullmatch(name):
                continue
            said = " ".join(lines[value.lineno - 1 : value.end_lineno])
            if ONLY_WAITED_FOR not in said and OF_NO_CLOCK not in said:
                yield value.lineno


def _limit(value: ast.expr) -> float:
    match value:
        case ast.Constant(value=bool()):
            return SHORT
        case ast.Constant(value=int() | float() as seconds):
            return seconds
        case ast.Constant(value=str() as text) if found := re.fullmatch(r"([\d.]+)(m?s)", text):
            return float(found[1]) / (1000 if found[2] == "ms" else 1)
    return SHORT


def test_no_test_gives_the_program_a_limit_that_a_busy_machine_exceeds() -> None:
    found = [
        f"{name}:{line}"
        for file in sorted(TESTS.rglob("*.py"))
        if not (name := str(file.relative_to(TESTS))).startswith(NOT_TIMED)
        if GIVEN.search(text := file.read_text())  # to parse all files takes seconds
        for line in dict.fromkeys(short_limits(text))
    ]
    assert found == []


def test_a_short_limit_is_found_wherever_it_is_given() -> None:
    text = """
probe(patience=0.05)
running(timeouts={"drain": "100ms"})
loads("timeouts: {connect: 150ms}")
site(timeouts={"upgrade_idle": "1s" if stalled else "5s"})
probe(patience=0.05)  # only waited for
probe(patience=0.0, keep_alive=True, size=1, within=PATIENCE)
running(timeouts={"drain": "8s"})
"""
    assert sorted(short_limits(text)) == [2, 3, 4, 5]


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
