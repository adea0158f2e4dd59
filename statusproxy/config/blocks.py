"""The form of a block of the file, made from the struct whose fields are its keys.

The type of a field names how it is read and shown: `Annotated[float, duration()]`. Structs, lists of structs,
`Literal`, `bool` and `… | None` need no form of their own.
"""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from statusproxy.config.errors import ConfigError, quote
from statusproxy.config.forms import Form, boolean, choice, same
from statusproxy.config.spot import Block, Spot
from statusproxy.config.yaml_tree import Entries, Kind, Scalar, child_key

T = TypeVar("T")

Check = Callable[[Any, Block], None]
"""A check of a block: it gets the struct and the block as written, and raises ConfigError for the first mistake."""

NO_CHECKS: Mapping[type[msgspec.Struct], Check] = {}


def _optional(form: Form[T]) -> Form[T | None]:
    def read(spot: Spot) -> T | None:
        if form.secret:
            spot = msgspec.structs.replace(spot, hidden=True)
            if isinstance(spot.node, Scalar) and spot.node == Scalar("", Kind.NULL):
                # `token: #abc` is a comment and `token: &abc` a name: neither is a password.
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
        return choice(arguments)
    if origin is tuple:
        return _structs(form_of(arguments[0], checks))
    if hint is bool:
        return Form(boolean, same)
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
                # At the top of the file only blocks stand, and their names help to find a block set in too little.
                inner = holds_secrets and bool(spot.key)
                raise spot.unknown_key(name, entry, fields, guarded=hidden, holds_secrets=inner)
        # What is written is read first: a mistake in a path is why nothing of the preset was found for it.
        values = {field.attribute: field.form.read(entries[name]) for name, field in fields.items() if name in entries}
        for name, field in fields.items():
            if field.required and name not in entries:
                where = child_key(spot.key, name)
                raise ConfigError(f"{spot.mark}: {where}: missing; {_missing(kind, name)}{_meant(spot)}")
        value = kind(**values)
        if kind in checks:
            checks[kind](value, Block(spot, entries))
        return value

    def show(value: msgspec.Struct) -> dict[str, Any]:
        return {name: field.form.show(getattr(value, field.attribute)) for name, field in fields.items()}

    keys = frozenset(fields).union(*(field.form.keys for field in fields.values()))
    return Form(read, show, holds_secrets=holds_secrets, keys=keys)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A block of the file: its fields are the keys. Its `repr` masks secrets, since it may end in a log."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({struct(type(self)).show(self)})"


def _meant(spot: Spot) -> str:
    """The entry of the preset that was meant to be changed, perhaps: the tail of a message."""
    meant = spot.node.meant if isinstance(spot.node, Entries) else None
    return "" if meant is None else f"; or did you mean {quote(meant)} of the preset?"


def _missing(kind: type[msgspec.Struct], name: str) -> str:
    """What is allowed for a required key that is missing."""
    hints: Mapping[str, str] = getattr(kind, "REQUIRED", {})
    return hints.get(name, "it has no default")
