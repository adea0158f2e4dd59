"""The domain knows the standard library and msgspec only, what is pure stays so, and files and classes stay small.

The other directions of imports are import-linter's (pyproject.toml).
"""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

import statusproxy

ROOT = Path(statusproxy.__file__).parent
STANDARD = sys.stdlib_module_names


@cache
def imports(room: str) -> frozenset[str]:
    """Every module that the files of a room import, wherever in the file."""
    found: set[str] = set()
    for file in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}: relative imports hide what is known"
                base = node.module or ""
                found |= {f"{base}.{alias.name}" for alias in node.names} if base == "statusproxy" else {base}
    return frozenset(found)


@pytest.mark.slow
def test_the_domain_imports_the_standard_library_and_msgspec_only() -> None:
    foreign = {name for name in imports("status") if not name.startswith("statusproxy.status")}
    assert {name.partition(".")[0] for name in foreign} - STANDARD == {"msgspec"}


@pytest.mark.parametrize("room", ["status", "proxy/http1"])
def test_the_domain_and_the_grammar_of_http_have_no_input_no_output_and_no_clock(room: str) -> None:
    used = {name.partition(".")[0] for name in imports(room)}
    assert used & {
        "asyncio", "email", "http", "logging", "os", "pathlib", "select", "selectors", "signal", "socket", "ssl",
        "subprocess", "threading", "time",
    } == set()  # fmt: skip


def test_the_grammar_of_http_knows_nothing_of_who_uses_it() -> None:
    foreign = {name for name in imports("proxy/http1") if name.startswith("statusproxy.")}
    assert {name for name in foreign if not name.startswith("statusproxy.proxy.http1")} == set()


#: Lines of the longest class and of the longest file.
LONGEST_CLASS = 300
LONGEST_FILE = 460

#: Lines under which the file stays that every request goes through, so that it is read in one sitting.
EXCHANGE = 250

#: Files that are one long list each: the doctor's words.
LISTS = {"doctor/words/en.py", "doctor/words/pt_br.py"}


@pytest.mark.slow
def test_no_class_and_no_file_is_too_long_to_be_one_idea() -> None:
    long: list[tuple[str, int]] = []
    for file in ROOT.rglob("*.py"):
        text, name = file.read_text(), str(file.relative_to(ROOT))
        if (lines := text.count("\n")) > LONGEST_FILE and name not in LISTS:
            long.append((name, lines))
        if lines <= LONGEST_CLASS:  # no class in it is longer; to parse all files takes a second
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                long += [(f"{name}: {node.name}", lines)] * (lines > LONGEST_CLASS)
    assert not long


def test_the_exchange_says_what_happens_to_a_request_and_leaves_the_how_to_others() -> None:
    assert (ROOT / "proxy/exchange.py").read_text().count("\n") < EXCHANGE
