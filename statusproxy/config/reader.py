"""Typed reading of configuration: from a node of the file to a value, or to one ConfigError that names the fix.

The type of a struct's field names how it is read and how it is shown again: `Annotated[float, duration()]`. A
`Form` is that pair. Structs, lists of structs, `Literal`, `bool` and `… | None` need no form of their own.
"""

import math
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from statusproxy.config import addresses, units
from statusproxy.config.errors import ConfigError, did_you_mean, quote
from statusproxy.config.yaml_tree import Entries, Items, Kind, Mark, Node, Scalar, child_key

T = TypeVar("T")

MASK = "********"
"""What stands for a secret wherever settings are shown."""

_CONTROL = frozenset(map(chr, [*range(32), 127]))


class Spot(msgspec.Struct, frozen=True):
    """One place in the configuration: a node, its key path, and where it is written."""

    node: Node
    key: str
    mark: Mark
    hidden: bool = False  # a secret may stand here: errors never repeat the value

    @property
    def is_null(self) -> bool:
        """Nothing is written here: `null`, `~`, no value at all, or a variable that is one of these."""
        if not isinstance(self.node, Scalar) or self.node.kind is not Kind.NULL:
            return False
        # A secret from the environment is text, even one spelt "null". An empty one is a mistake, unless `${VAR:-}`.
        return not (self.hidden and self.node.substituted and not (self.node.may_be_empty and not self.node.text))

    @property
    def is_from_command_line(self) -> bool:
        """An option says it, not the file."""
        return self.mark.line is None and self.mark.source.startswith("--")

    def error(self, problem: str) -> ConfigError:
        """The error that `problem` is about this place."""
        where = f"{self.mark}: " if self.is_from_command_line or not self.key else f"{self.mark}: {self.key}: "
        return ConfigError(where + problem)

    def found(self, rest: str) -> ConfigError:
        """The error `found …; rest`."""
        return self.error(f"found {self.describe()}; {rest}")

    def describe(self) -> str:
        """What stands here, in words that never give away a secret."""
        if isinstance(self.node, Items):
            return "a list"
        if isinstance(self.node, Entries):
            return "a mapping"
        if self.is_null:
            return "nothing (null)"
        is_text = self.node.kind is Kind.TEXT
        if self.hidden:
            return "a text" if is_text else "a value"
        return quote(addresses.conceal(self.node.text, MASK)) if is_text else self.node.text[:40]

    def unknown_key(self, name: str, entry: "Spot", known: Collection[str], *, guarded: bool = False) -> ConfigError:
        """The error about a key that this mapping does not have. The key is repeated where it cannot be a secret.

        It may be one where secrets belong (`guarded`), and in braces, where a comma in a value without quotes has cut
        it: `{value: abc,def}` has a key `def`.
        """
        cut = entry.mark.in_braces and entry.is_null
        hint = "; put quotes around a value that holds a comma" if cut else did_you_mean(name, known)
        where = msgspec.structs.replace(self, mark=entry.mark) if guarded or entry.mark.in_braces else entry
        return where.error(f"unknown key{hint} (known: {', '.join(known)})")

    def text(self, allowed: str = "text") -> str:
        """The text that stands here; a number counts as the text it is written as."""
        if isinstance(self.node, Scalar):
            if self.node.kind in (Kind.TEXT, Kind.INT, Kind.FLOAT):
                return self.node.text
            if self.node.substituted:
                return self.node.text
            if self.node.kind is Kind.BOOL:
                raise self.found(f'allowed: {allowed}; if it is a word, write it in quotes: "{self.node.text}"')
        raise self.found(f"allowed: {allowed}")

    def items(self, allowed: str, *, at_least: int = 0) -> list["Spot"]:
        """The places of a list's items."""
        if not isinstance(self.node, Items):
            fix = "; write [] for none, or remove the line" if self.is_null and not at_least else ""
            raise self.found(f"allowed: {allowed}{fix}")
        return [
            Spot(node, f"{self.key}[{index}]", mark, self.hidden) for index, (mark, node) in enumerate(self.node.nodes)
        ]

    def entries(self, allowed: str) -> dict[str, "Spot"]:
        """The places of a mapping's values, by key."""
        if not isinstance(self.node, Entries):
            fix = "; write {} for none, or remove the line" if self.is_null else ""
            raise self.found(f"allowed: {allowed}{fix}")
        return {
            name: Spot(node, child_key(self.key, name), mark, self.hidden)
            for name, (mark, node) in self.node.nodes.items()
        }


class Form(msgspec.Struct, Generic[T], frozen=True):
    """How a setting of one kind is read from the file, and shown as what YAML can say."""

    read: Callable[[Spot], T]
    show: Callable[[T], Any]
    secret: bool = False
    private: bool = False  # no secret, but one may stand in it, or in its place: errors never repeat it
    holds_secrets: bool = False  # a key in it, or below, is one of the two
    keys: frozenset[str] = frozenset()  # those that it has, and those below, but for keys of the user's choice

    @property
    def guarded(self) -> bool:
        """Whether errors repeat nothing of what stands in its place: a secret may."""
        return self.secret or self.private or self.holds_secrets


def parsed(
    parse: Callable[[str], T],
    show: Callable[[T], Any] = str,
    *,
    allowed: str = "text",
    reveal: Callable[[str], str] | None = None,
    private: bool = False,
) -> Form[T]:
    """The form of a text that `parse` understands; its ValueError ends the sentence `found "…"; `.

    `reveal` gives the text as an error may repeat it, in any place; without it errors repeat it where they may.
    """

    def read(spot: Spot) -> T:
        text = spot.text(allowed)
        try:
            return parse(text)
        except ValueError as error:
            if reveal is not None:
                shown = Scalar(reveal(text), spot.node.kind if isinstance(spot.node, Scalar) else Kind.TEXT)
                spot = msgspec.structs.replace(spot, node=shown, hidden=False)
            raise spot.found(str(error)) from None

    return Form(read, show, private=private)


def same(value: T) -> T:
    """Show a value as itself."""
    return value


def text(*, empty: bool = False, private: bool = False) -> Form[str]:
    """A text, of at least one character unless `empty`."""

    def read(spot: Spot) -> str:
        value = spot.text()
        if not value.strip() and not empty:
            raise spot.found("allowed: a text that is not empty")
        return value

    return Form(read, same, private=private)


def secret() -> Form[str]:
    """A text that is never shown, neither in the effective settings nor in an error."""

    def read(spot: Spot) -> str:
        spot = msgspec.structs.replace(spot, hidden=True)
        value = spot.text("text")
        if not value:
            raise spot.error("found an empty secret; allowed: a text that others cannot guess")
        if not _CONTROL.isdisjoint(value):
            raise spot.error("found a line break or another control character in it; allowed: one line of text")
        return value

    return Form(read, lambda _: MASK, secret=True)


def duration(at_least: float = 0.001) -> Form[float]:
    """Seconds, written as `60`, `60s`, `500ms`, `2m`, `1h`, `1d`."""

    def parse(value: str) -> float:
        seconds = units.parse_duration(value)
        if seconds < at_least:
            raise ValueError(f"allowed: at least {units.format_duration(at_least)}")
        return seconds

    return parsed(parse, units.format_duration, allowed=units.DURATION_ALLOWED)


def size(at_least: int = 1, at_most: int = 2**50) -> Form[int]:
    """Bytes, written as `1048576`, `1MiB`, `10MB`, `64k`."""

    def parse(value: str) -> int:
        count = units.parse_size(value)
        if not at_least <= count <= at_most:
            raise ValueError(f"allowed: {units.format_size(at_least)} to {units.format_size(at_most)}")
        return count

    return parsed(parse, units.format_size, allowed=units.SIZE_ALLOWED)


def count(at_least: int = 1, at_most: int = 1_000_000) -> Form[int]:
    """A whole number within bounds."""
    allowed = f"a whole number from {at_least} to {at_most}"

    def read(spot: Spot) -> int:
        node = spot.node
        if not isinstance(node, Scalar) or node.kind is not Kind.INT or len(node.text) > 12:
            raise spot.found(f"allowed: {allowed}")
        number = int(node.text)
        if not at_least <= number <= at_most:
            raise spot.found(f"allowed: {allowed}")
        return number

    return Form(read, same)


def texts(item: Form[T], *, allowed: str = "text", at_least: int = 0) -> Form[tuple[T, ...]]:
    """A list of texts of one form; a single one may stand without the list's brackets."""

    def read(spot: Spot) -> tuple[T, ...]:
        if isinstance(spot.node, Scalar) and not spot.is_null:
            return (item.read(spot),)
        spots = spot.items(f"{allowed}; or a list of them", at_least=at_least)
        if len(spots) < at_least:
            raise spot.error("found an empty list; allowed: at least one entry")
        return tuple(item.read(each) for each in spots)

    return Form(read, lambda values: [item.show(value) for value in values])


def mapping(
    value: Form[T], allowed: str, *, at_least: int = 0, check_name: Callable[[str], str] = str
) -> Form[Mapping[str, T]]:
    """A mapping with keys of the user's choice; `check_name` refuses one with a ValueError, as `parsed` takes it."""

    def read(spot: Spot) -> dict[str, T]:
        entries = spot.entries(allowed)
        if len(entries) < at_least:
            raise spot.found(f"allowed: {allowed}, with at least one entry")
        for name, entry in entries.items():
            if not name.strip():
                raise entry.error("found an empty key; allowed: a text that is not empty")
            try:
                check_name(name)
            except ValueError as error:
                raise entry.error(str(error)) from None
        return {name: value.read(entry) for name, entry in entries.items()}

    return Form(read, lambda values: {name: value.show(each) for name, each in values.items()})


def switches(names: Sequence[str]) -> Form[Mapping[str, bool]]:
    """A mapping that switches named things off or on; what it leaves out is on."""

    def read(spot: Spot) -> dict[str, bool]:
        entries = spot.entries(f"a mapping of {', '.join(names)} to true or false")
        for name, entry in entries.items():
            if name not in names:
                raise spot.unknown_key(name, entry, names)
        return {name: _boolean(entries[name]) if name in entries else True for name in names}

    return Form(read, dict, keys=frozenset(names))


JsonScalar = str | int | float | bool | None


def _json_scalar(spot: Spot) -> JsonScalar:
    node = spot.node
    if not isinstance(node, Scalar):
        raise spot.found("allowed: a text, a number, true, false or null")
    match node.kind:
        case Kind.NULL:
            return None
        case Kind.BOOL:
            return node.text.lower() == "true"
        case Kind.INT if len(node.text) <= 15:
            return int(node.text)
        case Kind.FLOAT if len(node.text) <= 30 and math.isfinite(float(node.text)):
            return float(node.text)
        case Kind.TEXT:
            return node.text
    raise spot.found("allowed: a number that JSON readers agree on, of at most 15 digits")


JSON_SCALAR: Form[JsonScalar] = Form(_json_scalar, same)


def _boolean(spot: Spot, *words: str) -> bool:
    allowed = ", ".join(("true", "false", *words))
    if isinstance(spot.node, Scalar):
        if spot.node.kind is Kind.BOOL:
            return spot.node.text.lower() == "true"
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(spot.node.text.lower())
        if meant:
            raise spot.found(f'allowed: {allowed}; did you mean "{meant}"?')
        raise spot.found(f"allowed: {allowed}{did_you_mean(spot.node.text, words)}")
    raise spot.found(f"allowed: {allowed}")


def boolean_or(*words: str) -> Form[bool | str]:
    """True, false, or one of some words that say more."""

    def read(spot: Spot) -> bool | str:
        node = spot.node
        return node.text if isinstance(node, Scalar) and node.text in words else _boolean(spot, *words)

    return Form(read, same)


def _choice(words: tuple[str, ...]) -> Form[str]:
    def read(spot: Spot) -> str:
        allowed = f"allowed: {', '.join(words)}"
        word = spot.node.text if isinstance(spot.node, Scalar) else ""
        if word not in words:
            raise spot.found(allowed + did_you_mean(word, words))
        return word

    return Form(read, same)


def _optional(form: Form[T]) -> Form[T | None]:
    def read(spot: Spot) -> T | None:
        if form.secret:
            spot = msgspec.structs.replace(spot, hidden=True)
            if isinstance(spot.node, Scalar) and spot.node == Scalar("", Kind.NULL):
                # `token: #abc` is a comment and `token: &abc` a name: nobody may take these for a password.
                raise spot.error(
                    "found nothing; write null for none, or put quotes around a value that begins with # or &"
                )
        return None if spot.is_null else form.read(spot)

    def show(value: T | None) -> Any:
        return None if value is None else form.show(value)

    return Form(read, show, form.secret, form.private, form.holds_secrets, form.keys)


def _structs(form: Form[T]) -> Form[tuple[T, ...]]:
    def read(spot: Spot) -> tuple[T, ...]:
        items = msgspec.structs.replace(spot, hidden=spot.hidden or form.guarded).items("a list")
        return tuple(form.read(msgspec.structs.replace(each, hidden=spot.hidden)) for each in items)

    return Form(read, lambda values: [form.show(value) for value in values], holds_secrets=form.guarded, keys=form.keys)


class Block(msgspec.Struct, frozen=True):
    """A block that has been read, for the checks that look at several of its keys at once."""

    spot: Spot
    entries: Mapping[str, Spot]

    def at(self, name: str, *further: str) -> Spot:
        """The place of a key, or as near to it as the file comes where the key is not written."""
        spot = self.entries.get(name, self.spot)
        for name in further:
            if not isinstance(spot.node, Entries) or name not in spot.node.nodes:
                break
            spot = spot.entries("a mapping")[name]
        return spot


Check = Callable[[Any, Block], None]
"""A check of a block: it gets the struct and the block as written, and raises ConfigError for the first mistake."""

NO_CHECKS: Mapping[type[msgspec.Struct], Check] = {}


def form_of(hint: Any, checks: Mapping[type[msgspec.Struct], Check] = NO_CHECKS) -> Form[Any]:
    """The form that a field's type stands for; `checks` as for `struct`."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        form: Form[Any] = next(extra for extra in arguments[1:] if isinstance(extra, Form))
        return form
    if origin in (typing.Union, types.UnionType):
        (inner,) = (each for each in arguments if each is not type(None))
        return _optional(form_of(inner, checks))
    if origin is Literal:
        return _choice(arguments)
    if origin is tuple:
        return _structs(form_of(arguments[0], checks))
    if hint is bool:
        return Form(_boolean, same)
    return struct(hint, checks)


class _Field(NamedTuple):
    """One key of a block: the struct's attribute, its form, and whether the key must be there."""

    attribute: str
    form: Form[Any]
    required: bool


def struct(kind: type[msgspec.Struct], checks: Mapping[type[msgspec.Struct], Check] = NO_CHECKS) -> Form[Any]:
    """The form of a block: a mapping with the fields of `kind` as its keys.

    Class variables of `kind` say more: `REQUIRED` has, for a key that must be there, what to write; `NULL` has the
    values that `null` in the block's place stands for. `checks` has for each struct, in any depth, what is called
    once its block is read.
    """
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {
        field.encode_name: _Field(field.name, form_of(hints[field.name], checks), field.required)
        for field in msgspec.structs.fields(kind)
    }
    own_secret = any(field.form.secret or field.form.private for field in fields.values())
    holds_secrets = any(field.form.guarded for field in fields.values())
    null: Mapping[str, Any] | None = getattr(kind, "NULL", None)
    known = ", ".join(fields)

    def read(spot: Spot) -> msgspec.Struct:
        if null is not None and spot.is_null:
            return kind(**null)
        # A secret put where its block belongs (`secret: hunter2`) is not to be repeated.
        block = msgspec.structs.replace(spot, hidden=spot.hidden or holds_secrets)
        # Beside a secret no value is repeated either: the two may have been swapped.
        hidden = spot.hidden or own_secret
        entries = {
            name: msgspec.structs.replace(entry, hidden=hidden)
            for name, entry in block.entries(f"a mapping of {known}").items()
        }
        for name, entry in entries.items():
            if name not in fields:
                raise spot.unknown_key(name, entry, fields, guarded=hidden)
        for name, field in fields.items():
            if field.required and name not in entries:
                where = child_key(spot.key, name)
                raise ConfigError(f"{spot.mark}: {where}: missing; {_missing(kind, name)}")
        value = kind(
            **{field.attribute: field.form.read(entries[name]) for name, field in fields.items() if name in entries}
        )
        if kind in checks:
            checks[kind](value, Block(spot, entries))
        return value

    def show(value: msgspec.Struct) -> dict[str, Any]:
        return {name: field.form.show(getattr(value, field.attribute)) for name, field in fields.items()}

    keys = frozenset(fields).union(*(field.form.keys for field in fields.values()))
    return Form(read, show, holds_secrets=holds_secrets, keys=keys)


def _missing(kind: type[msgspec.Struct], name: str) -> str:
    """What is allowed for a key that has to be there and is not."""
    hints: Mapping[str, str] = getattr(kind, "REQUIRED", {})
    return hints.get(name, "it has no default")
