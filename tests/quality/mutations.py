"""Mutants of a source file: one small change each, of a kind that a user could notice.

Left out is what no one notices by what the program does: docstrings, annotations, decorators, log lines, the words of
exceptions, assertions, `__slots__`, `__all__` and `__repr__`, bounds from 16 on (one more byte or entry), whether such
a bound itself is within, and lines marked `pragma: no cover`.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

#: The outermost function that holds a change: its qualified name and first line, as its code object has them.
Where: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change. `number` is its place among all those of the file."""

    number: int
    line: int
    first_line: int
    """Where it is reached: of a jump, which may be merged into the test before it, that test."""
    last_line: int
    kind: str
    before: str
    after: str
    function: Where | None
    """None: outside any function, so that the module must be imported again."""

    def __str__(self) -> str:
        return f"{self.line}: {self.kind}: {_short(self.before)} -> {_short(self.after)}"


@dataclass(frozen=True, slots=True)
class _Site:
    """Where a node hangs, and what takes its place."""

    kind: str
    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST
    function: Where | None

    @property
    def old(self) -> ast.AST:
        held = getattr(self.parent, self.field)
        return held if self.index is None else held[self.index]  # type: ignore[no-any-return]

    def put(self) -> None:
        new = ast.fix_missing_locations(ast.copy_location(self.new, self.old))
        if self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


def mutations(text: str) -> list[Mutation]:
    """All mutations of a source file, in a fixed order."""
    lines, tree = text.splitlines(), ast.parse(text)
    bounds = _bounds(tree)
    found = []
    for number, site in enumerate(_sites(tree)):
        old: Any = site.old
        if "pragma: no cover" not in lines[old.lineno - 1] and not _is_bound_within(site, bounds):
            before, after = ast.unparse(old), ast.unparse(site.new)
            first = (
                getattr(site.parent, "lineno", old.lineno) if isinstance(old, ast.Break | ast.Continue) else old.lineno
            )
            found.append(Mutation(number, old.lineno, first, old.end_lineno, site.kind, before, after, site.function))
    return found


def mutate(text: str, number: int) -> ast.Module:
    """The tree of a source file with the mutation of that number."""
    tree = ast.parse(text)
    for place, site in enumerate(_sites(tree)):
        if place == number:
            site.put()
            return tree
    raise ValueError(f"there is no mutation {number}")


_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_LOGS = ("log", "_log", "logger")
_LEVELS = ("debug", "info", "warning", "error", "exception", "critical", "log")
_UNNOTICED_NAMES = ("__slots__", "__all__", "log")
_UNNOTICED_FUNCTIONS = ("__repr__", "__str__")


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _below(tree, None, ())


def _below(node: ast.AST, function: Where | None, names: tuple[str, ...]) -> Iterator[_Site]:
    """The sites in what hangs on `node`, within `function` (None: at import), `names` leading to it."""
    for name, value in ast.iter_fields(node):
        if _unnoticed_field(node, name):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if not isinstance(child, ast.AST) or _unnoticed(node, child):
                continue
            for kind, new in _replacements(node, child, function):
                yield _Site(kind, node, name, index, new, function)
            if isinstance(child, ast.ClassDef):
                yield from _below(child, function, (*names, child.name))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and function is None:
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                yield from _below(child.args, None, names)
                within = ast.Module(body=child.body, type_ignores=[])
                # The list itself is shared, so that a statement put there stands in the function.
                yield from _below(within, (".".join((*names, child.name)), first), ())
            else:
                yield from _below(child, function, names)


def _unnoticed_field(node: ast.AST, name: str) -> bool:
    if name in ("annotation", "returns", "decorator_list", "type_params", "format_spec", "ctx"):
        return True
    return isinstance(node, ast.ClassDef) and name in ("bases", "keywords")


def _unnoticed(parent: ast.AST, node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return True
        case ast.Expr(value=ast.Call(func=function)):
            return _logs(function)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in _UNNOTICED_NAMES or _is_type(node) or (name.isupper() and _is_bound(node.value))
        case ast.FunctionDef(name=name):
            return name in _UNNOTICED_FUNCTIONS
        case ast.Constant(value=str()):
            return isinstance(parent, ast.Call) and (_raised(parent) or _names_a_coding(parent))
    return False


def _is_bound(value: ast.expr | None) -> bool:
    """A number, perhaps written as a product: one more or less of so many bytes, entries or seconds is not noticed."""
    match value:
        case ast.Constant(value=int(number)):
            return number >= 16
        case ast.BinOp(left=left, op=ast.Mult() | ast.LShift(), right=ast.Constant(value=int())):
            return isinstance(left, ast.Constant) or _is_bound(left)
    return False


def _bounds(tree: ast.Module) -> set[str]:
    """The names that a file gives to bounds."""
    given: dict[str, ast.expr | None] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name.isupper():
                given[name] = node.value
    return {name for name, value in given.items() if _is_bound(value)}


def _is_bound_within(site: _Site, bounds: Container[str]) -> bool:
    """Whether a change is whether a bound itself is within it: again one more byte or entry."""
    match site.old, site.new:
        case ast.Compare(left=left, ops=ops, comparators=others), ast.Compare(ops=changed):
            values = [left, *others]
            for place, (before, after) in enumerate(zip(ops, changed, strict=True)):
                if type(before) is not type(after) and isinstance(before, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                    return any(isinstance(one, ast.Name) and one.id in bounds for one in values[place : place + 2])
    return False


def _is_type(node: ast.AST) -> bool:
    """A name for a type: `X: TypeAlias = ...`, `T = TypeVar(...)`, `Entry = A | B | None`."""
    match node:
        case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
            return True
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "NewType" | "ParamSpec"))):
            return True
        case ast.Assign(value=ast.BinOp(op=ast.BitOr(), right=ast.Constant(value=None) | ast.Name())):
            return True
    return False


def _logs(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=level):
            return name in _LOGS and level in _LEVELS
    return False


def _raised(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    return name.endswith(("Error", "Exception", "Warning")) or name == "error"


def _names_a_coding(call: ast.Call) -> bool:
    """A coding is found by its letters and digits alone: `utf-8?` is UTF-8."""
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("encode", "decode")


def _replacements(parent: ast.AST, node: ast.AST, function: Where | None) -> Iterator[tuple[str, ast.AST]]:
    """The changes of one node, by kind."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            for place, op in enumerate(ops):
                changed = [*ops[:place], _COMPARISONS[type(op)](), *ops[place + 1 :]]
                yield "comparison", ast.Compare(left, changed, others)
        case ast.BoolOp(op=op, values=values):
            yield "boolean", ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", operand
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC and not _text(left) | _text(right):
            if function is not None or not isinstance(op, ast.BitOr):
                yield "arithmetic", ast.BinOp(left, _ARITHMETIC[type(op)](), right)
        case ast.Constant(value=value):
            yield from (("constant", ast.Constant(other)) for other in _other_constants(value))
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant | ast.JoinedStr):
            yield "return value", ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom()):
            yield "statement removed", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield "statement removed", ast.Pass()
        case ast.Continue() | ast.Break():
            yield "statement removed", ast.Pass()
    if isinstance(parent, ast.If | ast.While | ast.IfExp) and node is parent.test and not _changed_itself(node):
        yield "condition swapped", ast.UnaryOp(ast.Not(), parent.test)


def _changed_itself(test: ast.AST) -> bool:
    """Whether a condition is of a kind that is changed already."""
    return isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant)


def _text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _other_constants(value: object) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case int() | float():
            yield value + 1
        case str() if value:
            yield value + "?"
        case bytes() if value:
            yield value + b"?"


def _short(text: str, limit: int = 70) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
