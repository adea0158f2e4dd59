"""YAML text -> a tree of nodes that know their lines, with `${VAR}` filled in from the environment.

libyaml composes the tree, or PyYAML (neither constructs objects); what a plain scalar means is decided here after
YAML 1.2, so that `on`, `no` and `12:30` stay the words they look like. Variables are filled in after parsing,
so that no value of the environment changes the structure of the file.

Errors repeat neither values nor keys that are no setting's name: a secret may stand there.
"""

import contextlib
import re
from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec
import yaml
from yaml.resolver import Resolver

from statusproxy.config.errors import ConfigError, quote
from statusproxy.config.syntax import describe

_PLAIN = "plain"
_MERGE = "merge"
_TEXT = "tag:yaml.org,2002:str"
_TAGS = frozenset({_PLAIN, _MERGE, _TEXT, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"})

_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\{[^}]*\}?))")
"""`$$`, `${VAR}`, `${VAR:-default}`, or a `${` that is none of them; any other `$` is just a dollar."""

# In brackets YAML takes `{` for the start of a mapping, yet `[POST /api/{session}/start]` and `[${HOST}]` can only
# mean one thing. Their braces are carried past the parser as characters that it does not know, and put back after.
_BRACES = re.compile(r"\$\{[^{}\n]*\}|\{session\}")
_STAND_INS = str.maketrans({"{": "\uf8d0", "}": "\uf8d1"})
_STOOD_FOR = str.maketrans({"\uf8d0": "{", "\uf8d1": "}"})

#: What libyaml and PyYAML do not read alike: tabs, rare line breaks, marks of byte order, half surrogate pairs, keys
#: behind a question mark, and a comment right behind the head of a block of text.
_READ_OTHERWISE = re.compile("[\t\x85\u2028\u2029\ufeff\ud800-\udfff]|^[ ?-]*[?]|[|>][-+0-9]*#", re.MULTILINE)

#: No document is nested deeper than its longest line has characters and it has brackets. libyaml's composer calls
#: itself for each level, and no one counts how often: the process ends where its stack does.
_DEEP = 2_000

_PLAIN_KEY = re.compile(r"[\w-]+|<<|…")

#: A variable without the braces that would have it filled in. In capitals, as variables are: a password may begin
#: with a dollar too.
_BARE_VARIABLE = re.compile(r"\$[A-Z_][A-Z0-9_]+")

#: The names that an error may repeat. Other names in `${…}` may be part of a password.
_SURELY_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


_TAG = "found a tag (a value that begins with !); allowed: plain YAML without tags, or quotes around the value"


class Mark(msgspec.Struct, frozen=True):
    """Where a value was written: a file and a line of it, or a command-line option."""

    source: str
    line: int | None = None
    in_braces: bool = False  # a key of a `{…}`: it may be the rest of a value that a comma has cut

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class Kind(StrEnum):
    """What a scalar is; the values are the words that errors use."""

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"


class Scalar(msgspec.Struct, frozen=True):
    """One value as it is written, and what it is."""

    text: str
    kind: Kind = Kind.TEXT
    substituted: bool = False  # all of it came out of one ${VAR}: it may be text, also where it looks like a number
    may_be_empty: bool = False  # it was written ${VAR:-}: that nothing stands here is what the user said


class Items(msgspec.Struct, frozen=True):
    """A list: each node with its mark."""

    nodes: tuple[tuple[Mark, "Node"], ...]


class Entries(msgspec.Struct, frozen=True):
    """A mapping: each key's node with the mark of the key."""

    nodes: dict[str, tuple[Mark, "Node"]]
    meant: str | None = None  # the entry of the preset that may have been meant, where this one changes none


Node = Scalar | Items | Entries


def child_key(key: str, child: str) -> str:
    """The key path of `child` under `key`: `sessions.aliases["a.b"]`."""
    if not _PLAIN_KEY.fullmatch(child):
        return f"{key}[{quote(child)}]"
    return f"{key}.{child}" if key else child


def parse(
    text: str,
    source: str,
    environ: Mapping[str, str] | None,
    keys: Collection[str] | None = None,
) -> tuple[Mark, Node]:
    """Read one YAML document and fill in its variables.

    `source` names the text in errors; without an `environ` dollars are left alone. `keys` are those that an error may
    repeat (None: any); others are shown as `…`. An empty document is an empty mapping. Raises ConfigError for what is
    not YAML, for duplicate keys, for tags, and for an unset variable.
    """
    stand_in = re.search("[\uf8d0\uf8d1]", text)
    if stand_in:
        raise _unwritable(ord(stand_in[0]), text, stand_in.start(), source)
    try:
        root = _compose(_BRACES.sub(_carry, text))
        if root is None:
            return Mark(source, 1), Entries({})
        return Mark(source, _line(root)), _Builder(source, environ, keys).build(root, "", _line(root))
    except yaml.reader.ReaderError as error:
        raise _unwritable(error.character, text, error.position, source) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Mark(source, mark.line + 1 if mark is not None else None)
        raise ConfigError(f"{where}: not YAML: {describe(error, text)}") from None
    except RecursionError:
        raise ConfigError(f"{source}: not YAML that can be read: nested too deep") from None


def _compose(text: str) -> yaml.Node | None:
    """The document's nodes, by libyaml where it reads the same as PyYAML; of an error PyYAML says more."""
    deepest = max(map(len, text.split("\n"))) + text.count("[") + text.count("{")
    if deepest < _DEEP and not _READ_OTHERWISE.search(text):
        with contextlib.suppress(yaml.YAMLError):
            return yaml.compose(text, Loader=_QuickLoader)
    return yaml.compose(text, Loader=_Loader)


def resolve(text: str) -> Kind:
    """What a plain scalar is, by the core schema of YAML 1.2 less its octal, hexadecimal and infinite numbers."""
    if _NULL.fullmatch(text):
        return Kind.NULL
    if _BOOL.fullmatch(text):
        return Kind.BOOL
    if _INT.fullmatch(text):
        return Kind.INT
    if _FLOAT.fullmatch(text):
        return Kind.FLOAT
    return Kind.TEXT


class _Resolver(Resolver):
    """Leaves to us what a plain scalar means."""

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: tuple[bool, bool] | bool) -> str:
        """Give the tag of a node that has none written."""
        if kind is yaml.ScalarNode and isinstance(implicit, tuple) and implicit[0]:
            return _MERGE if value == "<<" else _PLAIN
        return str(super().resolve(kind, value, implicit))  # type: ignore[no-untyped-call]


class _Loader(_Resolver, yaml.SafeLoader):
    """PyYAML's composer."""


class _QuickLoader(_Resolver, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's, ten times as fast: a running proxy reads its file anew between two requests."""


class _Builder:
    """Turns PyYAML's nodes into ours. An anchor's node is built once and shared by its aliases."""

    def __init__(self, source: str, environ: Mapping[str, str] | None, keys: Collection[str] | None) -> None:
        self._source = source
        self._environ = environ
        self._keys = keys
        self._built: dict[int, Node] = {}
        self._open: set[int] = set()

    def build(self, node: yaml.Node, key: str, line: int) -> Node:
        built = self._built.get(id(node))
        if built is not None:
            return built
        if id(node) in self._open:
            raise self._error(line, key, "this anchor contains itself; allowed: an anchor without a cycle")
        if node.tag not in _TAGS:
            raise self._error(line, key, f"{_TAG}")
        self._open.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            built = self._scalar(node, key, line)
        elif isinstance(node, yaml.SequenceNode):
            built = Items(
                tuple(
                    (Mark(self._source, _line(item)), self.build(item, f"{key}[{index}]", _line(item)))
                    for index, item in enumerate(node.value)
                )
            )
        else:
            built = Entries(self._entries(node, key))
        self._open.discard(id(node))
        self._built[id(node)] = built
        return built

    def _entries(self, node: yaml.Node, key: str) -> dict[str, tuple[Mark, Node]]:
        merged: dict[str, tuple[Mark, Node]] = {}
        own: dict[str, tuple[Mark, Node]] = {}
        in_braces = isinstance(node, yaml.MappingNode) and bool(node.flow_style)
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(line, key, "found a list or a mapping as a key; allowed: a word")
            if key_node.tag == _MERGE:
                for name, entry in self._merge(value_node, key, line).items():
                    merged.setdefault(name, entry)
                continue
            name = _restore(key_node.value)
            child = child_key(key, name if self._keys is None or name in self._keys else "…")
            self._check_text(name, key, line)
            if name in own:
                first = own[name][0].line
                raise self._error(line, child, f"found twice, first in line {first}; allowed: each key once")
            own[name] = (Mark(self._source, line, in_braces), self.build(value_node, child, line))
        return merged | own

    def _merge(self, node: yaml.Node, key: str, line: int) -> dict[str, tuple[Mark, Node]]:
        """What `<<: *anchor` or `<<: [*one, *two]` brings in; of several the first that has a key wins."""
        found = self.build(node, child_key(key, "<<"), line)
        sources = [source for _, source in found.nodes] if isinstance(found, Items) else [found]
        merged: dict[str, tuple[Mark, Node]] = {}
        for source in sources:
            if not isinstance(source, Entries):
                raise self._error(line, child_key(key, "<<"), "found no mapping; allowed: an alias of a mapping")
            merged = source.nodes | merged
        return merged

    def _scalar(self, node: yaml.ScalarNode, key: str, line: int) -> Scalar:
        written = _restore(node.value)
        self._check_text(written, key, line)
        kind = resolve(written) if node.tag == _PLAIN else Kind.TEXT
        if kind is not Kind.TEXT or self._environ is None or "$" not in written:
            return Scalar(written, kind)
        environ = self._environ
        if _BARE_VARIABLE.fullmatch(written):
            raise self._error(
                line, key, "found $ and a name without braces; allowed: ${VAR} for a variable, or $$ for a dollar"
            )

        def fill(match: re.Match[str]) -> str:
            dollar, name, default, odd = match.groups()
            if dollar:
                return "$"
            if odd:
                raise self._error(
                    line,
                    key,
                    "found ${ without a variable's name and }; allowed: ${VAR}, ${VAR:-default}, or $$ for a dollar",
                )
            value = environ.get(name)
            if default is not None:
                return value or default
            if value is None:
                problem = (
                    f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
                    if _SURELY_VARIABLE.fullmatch(name)
                    else "the environment variable in ${…} is not set; set it, or write $$ for a dollar"
                )
                raise self._error(line, key, problem)
            return value

        text = _VARIABLE.sub(fill, written)
        self._check_text(text, key, line)
        whole = _VARIABLE.fullmatch(written)
        if whole and whole[2]:
            return Scalar(text, resolve(text), substituted=True, may_be_empty=whole[3] == "")
        return Scalar(text)

    def _check_text(self, text: str, key: str, line: int) -> None:
        """Refuse half a surrogate pair (YAML's "\\ud800", or a byte of the environment): nothing can write it out."""
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self._error(line, key, "found text that is not Unicode; allowed: UTF-8") from None

    def _error(self, line: int, key: str, problem: str) -> ConfigError:
        where = f"{key}: " if key else ""
        return ConfigError(f"{Mark(self._source, line)}: {where}{problem}")


def _unwritable(character: int, text: str, position: int, source: str) -> ConfigError:
    mark = Mark(source, text.count("\n", 0, position) + 1)
    return ConfigError(f"{mark}: not YAML: found the character U+{character:04X}, which is not allowed in it")


def _carry(match: re.Match[str]) -> str:
    return match[0].translate(_STAND_INS)


def _restore(text: str) -> str:
    return text.translate(_STOOD_FOR)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
