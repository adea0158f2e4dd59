"""aiohttp is used by its public names only: its private ones change without notice, between two patch releases."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

import statusproxy

ROOT = Path(statusproxy.__file__).parent

#: Modules of aiohttp that its documentation names. What the others define is public only where one of these has it.
PUBLIC_MODULES = frozenset({"aiohttp", "aiohttp.web", "aiohttp.abc", "aiohttp.test_utils"})


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


class _Names(ast.NodeVisitor):
    """Finds what a file uses of aiohttp that is not public.

    Followed are names that are imported from aiohttp, `self` in classes that derive from one of its classes, and
    variables and attributes that are annotated with, or made from, such a name.
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._theirs: dict[str, object] = {}  # names in this file that are aiohttp's, and what they are
        self._values: set[str] = set()  # names and attributes whose value is of one of its types

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

    # ---- what is of aiohttp ----

    def _what(self, node: ast.AST) -> object | None:
        """The object of aiohttp that an expression names, if it is one."""
        if isinstance(node, ast.Name):
            return self._theirs.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._what(node.value)
            return getattr(owner, node.attr, None) if owner is not None else None
        return None

    def _mentions(self, node: ast.AST | None) -> bool:
        """Whether an annotation or a value names a thing of aiohttp's anywhere."""
        return node is not None and any(
            isinstance(part, ast.Name | ast.Attribute) and self._what(part) is not None for part in ast.walk(node)
        )

    def _note(self, target: ast.AST, source: ast.AST | None) -> None:
        made = isinstance(source, ast.Call) and self._what(source.func) is not None
        if made or (not isinstance(source, ast.Call) and self._mentions(source)):
            self._values.add(ast.unparse(target))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._note(node.target, node.annotation)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._note(target, node.value)
        self.generic_visit(node)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._note(node.optional_vars, node.context_expr)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        if self._mentions(node.annotation):
            self._values.add(node.arg)

    # ---- classes and attributes ----

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        bases = [base for base in map(self._what, node.bases) if inspect.isclass(base)]
        if not bases:
            self.generic_visit(node)
            return
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

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if is_private(node.attr) and (
            self._what(node.value) is not None
            or ast.unparse(node.value) in self._values
            or (isinstance(node.value, ast.Call) and self._what(node.value.func) is not None)
        ):
            self._tell(node, ast.unparse(node))
        self.generic_visit(node)


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
    """What a file uses of aiohttp that is not public."""
    names = _Names()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.visit(node)
    if not names._theirs:
        return list(dict.fromkeys(names.found))  # without a name of theirs nothing else can be theirs
    # What is of aiohttp is known before it is looked at: methods use what others set.
    first = _Names()
    first._theirs = names._theirs
    first.visit(tree)
    names._values = first._values
    names.found.clear()
    names.visit(tree)
    return list(dict.fromkeys(names.found))


def files() -> Iterator[Path]:
    yield from sorted(ROOT.rglob("*.py"))


def test_no_private_name_of_aiohttp_is_used() -> None:
    found = {str(file.relative_to(ROOT)): private_uses(file.read_text()) for file in files()}
    assert {file: uses for file, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "import aiohttp.web_protocol",
        "from aiohttp import web_protocol",
        "from aiohttp import helpers",
        "from aiohttp.web_protocol import RequestHandler",
        "from aiohttp.web import _ErrInfo",
        "from aiohttp import web\nweb._run_app",
        "import aiohttp\naiohttp.web.Server._make_request",
        "from aiohttp import web\nclass A(web.Server):\n    def f(self): return self._connections",
        "from aiohttp import web\nclass A(web.Server):\n    def f(self): super()._make_request()",
        "from aiohttp import web\nclass A(web.Server):\n    def __init__(self): self._loop = 1",
        "from aiohttp import web\nclass A(web.Server):\n    def _make_request(self): pass",
        "from aiohttp.web import Server as S\nclass A(S):\n    def f(self): return self._kwargs",
        "from aiohttp import web\ndef f(request: web.Request): return request._task",
        "from aiohttp import web\ndef f(request: 'int | None', x: web.Request | None): return x._task",
        "from aiohttp import web\nrunner = web.AppRunner(None)\nrunner._server",
        (
            "from aiohttp import web\nclass A:\n    def f(self): self._r._server\n"
            "    def g(self): self._r: web.AppRunner | None = None"
        ),
        "import aiohttp\nasync def f():\n    async with aiohttp.ClientSession() as one:\n        one._connector",
        "import aiohttp\naiohttp.ClientSession()._connector",
    ],
)
def test_a_private_name_is_found(planted: str) -> None:
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
        "import asyncio\nasyncio._private",
    ],
)
def test_public_names_and_our_own_are_left_alone(fine: str) -> None:
    assert private_uses(fine) == []


def test_the_servers_names_are_read_from_its_source() -> None:
    """Attributes that are set in methods count as well; else a clash with one would go unseen."""
    assert {"_connections", "_loop", "_kwargs", "_make_request", "shutdown"} <= _all_names(aiohttp.web.Server)
