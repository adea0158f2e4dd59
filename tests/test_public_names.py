"""aiohttp is used by its public names only: its private ones change without notice, between two patch releases.

That nothing reaches into another object is ruff's rule SLF001, which is on for the whole program. What it does not
see is looked for here: private modules, names given as text, and a subclass that uses or takes a name of its base.
"""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

import statusproxy

ROOT = Path(statusproxy.__file__).parent

#: Modules of aiohttp that its documentation names. What the others define is public only where one of these has it.
PUBLIC_MODULES = frozenset({"aiohttp", "aiohttp.web", "aiohttp.abc", "aiohttp.test_utils"})

#: Functions that take the name of an attribute as text.
BY_TEXT = frozenset({"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller"})

#: Without one of these words a file can have no use of either kind.
WORDS = re.compile("|".join(["aiohttp", *sorted(BY_TEXT)]))


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


class _Names(ast.NodeVisitor):
    """Finds what a file uses of aiohttp that is not public, and private names that are given as text."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._theirs: dict[str, object] = {}  # names in this file that are aiohttp's, and what they are

    def _tell(self, node: ast.AST, what: str) -> None:
        self.found.append(f"line {getattr(node, 'lineno', 0)}: {what}")

    # ---- imports ----

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.partition(".")[0] != "aiohttp":
                continue
            if alias.name not in PUBLIC_MODULES:
                self._tell(node, f"import {alias.name}")
            else:
                top = alias.name if alias.asname else "aiohttp"
                self._theirs[alias.asname or "aiohttp"] = importlib.import_module(top)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module.partition(".")[0] != "aiohttp":
            return
        for alias in node.names:
            if module not in PUBLIC_MODULES or is_private(alias.name) or f"{module}.{alias.name}" in _hidden(module):
                self._tell(node, f"from {module} import {alias.name}")
            else:
                self._theirs[alias.asname or alias.name] = getattr(importlib.import_module(module), alias.name)

    def _what(self, node: ast.AST) -> object | None:
        """The object of aiohttp that an expression names, if it is one."""
        if isinstance(node, ast.Name):
            return self._theirs.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._what(node.value)
            return getattr(owner, node.attr, None) if owner is not None else None
        return None

    # ---- names as text, and subclasses ----

    def visit_Call(self, node: ast.Call) -> None:
        if _last_name(node.func) in BY_TEXT:
            for argument in node.args:
                match argument:
                    case ast.Constant(value=str() as text) if any(map(is_private, text.split("."))):
                        self._tell(node, ast.unparse(node))
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [base for base in map(self._what, node.bases) if inspect.isclass(base)]
        if bases:
            ours = _defined(node)
            for name in sorted(ours):
                if is_private(name) and any(name in _all_names(base) for base in bases):
                    self._tell(node, f"{node.name}.{name} is a name of {bases[0].__name__}'s own")
            for part in ast.walk(node):
                if (
                    isinstance(part, ast.Attribute)
                    and is_private(part.attr)
                    and part.attr not in ours
                    and (ast.unparse(part.value) in {"self", "cls", "super()"})
                ):
                    self._tell(part, ast.unparse(part))
        self.generic_visit(node)


def _last_name(node: ast.expr) -> str | None:
    """The name by which something is called, whatever it is an attribute of."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _hidden(module: str) -> set[str]:
    """Modules below one that are no public ones, as `from … import` could name them."""
    held = vars(importlib.import_module(module)).items()
    return {f"{module}.{name}" for name, value in held if inspect.ismodule(value)} - PUBLIC_MODULES


def _defined(node: ast.ClassDef) -> set[str]:
    """The names that a class gives its instances itself: methods, slots, and what it sets on `self`."""
    names = {part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)}
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) and ast.unparse(part.value) == "self":
            names.add(part.attr)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
    return names


def _all_names(base: type) -> set[str]:
    """Every name that a class of aiohttp and its instances have, as far as its source tells."""
    names: set[str] = set()
    for each in base.__mro__[:-1]:
        names |= set(vars(each))
        if each.__module__.partition(".")[0] == "aiohttp":
            (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(each))).body
            assert isinstance(tree, ast.ClassDef)
            names |= _defined(tree)
    return names


def private_uses(source: str) -> list[str]:
    """What a file uses that is not public, and that ruff does not see."""
    if WORDS.search(source) is None:  # to parse all files takes a second
        return []
    names = _Names()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):  # an import in a function, below its use, counts as well
            names.visit(node)
    names.found.clear()
    names.visit(tree)
    return list(dict.fromkeys(names.found))


def accessed(source: str) -> str:
    """What ruff, as it is set for the program, says of a file there that is this."""
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "--stdin-filename",
         ROOT / "planted.py", "-"],
        input=source, capture_output=True, text=True, check=False, cwd=ROOT.parent, timeout=60,
    )  # fmt: skip
    return ruff.stdout


def files() -> Iterator[Path]:
    yield from sorted(ROOT.rglob("*.py"))


@pytest.mark.slow
def test_no_private_name_of_aiohttp_is_used() -> None:
    found = {str(file.relative_to(ROOT)): private_uses(file.read_text()) for file in files()}
    assert {file: uses for file, uses in found.items() if uses} == {}


def test_no_file_is_exempt_from_the_rule_about_private_names() -> None:
    assert [str(file) for file in files() if "SLF001" in file.read_text() or "ruff: noqa\n" in file.read_text()] == []


def test_ruff_finds_each_private_name_of_another_object() -> None:
    planted = [
        "request.app._state",
        "request.protocol._manager",
        "web._run_app",
        "aiohttp.web.Server._make_request",
        "def f(request): return request._task",
        "class A:\n    def f(self): self._r = runner\n    def g(self): return self._r._server",
        "class A:\n    def f(self): return self._r.server._kwargs",
        "for c in runner.sites: c._x",
        "async def f(s):\n    a = await s.get('')\n    return a._body",
        "async def f(s):\n    async with s.get('') as a: return a._body",
        "aiohttp.ClientSession()._connector",
    ]
    source, lines = "", []
    for each in planted:
        source += f"{each}\n"
        lines.append(source.count("\n"))
    said = accessed(source)
    assert [line for line in lines if f"planted.py:{line}:" not in said.replace("\\", "/")] == []
    assert said.count("SLF001") == len(planted)


@pytest.mark.parametrize(
    "planted",
    [
        "import aiohttp.web_protocol",
        "from aiohttp import web_protocol",
        "from aiohttp import helpers",
        "from aiohttp.web_protocol import RequestHandler",
        "from aiohttp.web import _ErrInfo",
        "def f():\n    from aiohttp import web_protocol",
        "getattr(request, '_task')",
        "setattr(request, '_task', None)",
        "operator.attrgetter('app._state')(request)",
        "from aiohttp import web\nclass A(web.Server):\n    def f(self): return self._connections",
        "from aiohttp import web\nclass A(web.Server):\n    def f(self): super()._make_request()",
        "from aiohttp import web\nclass A(web.Server):\n    def __init__(self): self._loop = 1",
        "from aiohttp import web\nclass A(web.Server):\n    def _make_request(self): pass",
        "from aiohttp.web import Server as S\nclass A(S):\n    def f(self): return self._kwargs",
    ],
)
def test_a_private_name_that_ruff_does_not_see_is_found(planted: str) -> None:
    assert private_uses(planted)


@pytest.mark.parametrize(
    "fine",
    [
        (
            "from aiohttp import web\nclass A(web.Server):\n    def f(self): self._mine = self.requests_count\n"
            "    def g(self): return self._mine"
        ),
        "from aiohttp import web\nclass A(web.Server):\n    def __init__(self): super().__init__(None)",
        "import aiohttp\nfrom aiohttp import ClientTimeout, web\nweb.Application(); aiohttp.ClientSession.get",
        "class A:\n    def f(self): return self._loop",
        "getattr(error, 'os_error', '')",
    ],
)
def test_public_names_and_our_own_are_left_alone(fine: str) -> None:
    assert private_uses(fine) == []


def test_the_servers_names_are_read_from_its_source() -> None:
    """Attributes that are set in methods count as well; else a clash with one would go unseen."""
    assert {"_connections", "_loop", "_kwargs", "_make_request", "shutdown"} <= _all_names(aiohttp.web.Server)
