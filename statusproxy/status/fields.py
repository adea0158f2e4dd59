"""JSON as JavaScript reads it, and the first field of it that is present: paths, lookups, folding.

The gateway and its engine are JavaScript. What `JSON.parse` accepts must be readable here, so the quick
decoder (`msgspec`) is followed by the standard library's where the quick one is stricter than JavaScript.
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, final

import msgspec

from statusproxy.status.many_members import decode_in_steps, has_many
from statusproxy.status.surrogates import NO_CHARACTER, as_utf8, replace_halves

Path = tuple[str, ...]
"""The keys that lead to a field, outermost first; `()` is the document itself."""

LONGEST_TEXT: Final = 512
"""The longest text, in characters, that can be an id, a word or an event's name.

Real ones stay below 100. What is read here is kept for thousands of sessions, written to disk and to the log,
so a sender must not decide how much of it there is.
"""

LENIENT_AT_ONCE: Final = 64 * 1024
"""Bytes of the longest document that `parse_members` reads leniently: the slow decoder takes some 7 ms at most."""

_PATIENT: Final = 4
"""How many times as long as the slow decoder the one takes that reads integers of thousands of digits."""

_FREED: Final = 2_048
"""Objects freed in one step: 0.5 ms."""

DEEPEST: Final = 16
"""Objects in one another that `parse_members` decodes. Paths have a handful of keys."""


class LongError(ValueError):
    """A document that the quick decoder refuses is too long for the slow one."""


@final
class Missing:
    """The type of `MISSING`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What `lookup` gives for a path that leads nowhere (`None` is a value of its own: JSON's `null`)."""


class Array(msgspec.Struct, array_like=True, frozen=True):
    """An array whose elements were left out, except for the first."""

    first: Any = MISSING
    """The first element; `MISSING` where the array is empty."""


TRUE: Final = "true"
FALSE: Final = "false"
"""A boolean as a word, as JSON writes it."""

BOOLEANS: Final = frozenset({TRUE, FALSE})


def parse_path(text: str) -> Path:
    """Read a dotted path of the configuration: `"session.id"` is `("session", "id")`, `""` is `()`."""
    return tuple(text.split(".")) if text else ()


def lookup(document: object, path: Path) -> object:
    """Follow `path` through JSON objects; `MISSING` where a key is absent or its holder is not an object."""
    for key in path:
        if type(document) is not dict or key not in document:
            return MISSING
        document = document[key]
    return document


def usable_text(value: object) -> str | None:
    """Give an id, a word or a name as text, or `None` if `value` cannot be one.

    Usable are strings that hold more than white space, and finite numbers (written as JavaScript writes them).
    Booleans, `null`, objects and arrays are not; nor is a string longer than `LONGEST_TEXT`, or one with half a
    surrogate pair (or what stands for it), which neither a log nor a database can hold. A usable string is given as it
    came, untrimmed.
    """
    if type(value) is str:
        if len(value) > LONGEST_TEXT or not value or value.isspace():
            return None
        if not value.isascii():
            if NO_CHARACTER in value:
                return None
            try:
                value.encode()
            except UnicodeEncodeError:
                return None
        return value
    if type(value) is float and math.isfinite(value):
        # JavaScript has one kind of number: it writes 5.0 as "5", and an exponent from 1e21 on.
        value = int(value) if value.is_integer() and abs(value) < 1e21 else value
        return str(value)
    if type(value) is int:
        # Below 10 ** LONGEST_TEXT in any case, and below the size from which str() refuses.
        return str(value) if value.bit_length() < LONGEST_TEXT else None
    return None


def first_scalar(document: object, paths: Iterable[Path], booleans: bool = False) -> str | None:
    """Give the first of `paths` that is present and usable (see `usable_text`), or `None`.

    With `booleans`, true and false are usable too, as these two words.
    """
    for path in paths:
        value = lookup(document, path)
        if value is MISSING:
            continue
        text = usable_text(value)
        if text is not None:
            return text
        if booleans and type(value) is bool:
            return TRUE if value else FALSE
    return None


def fold_word(text: str) -> str:
    """Fold a status word or an event's name for comparison: trimmed, case-folded."""
    return text.strip().casefold()


def fold_id(text: str) -> str:
    """Fold a session or channel id for comparison: case-folded, all white space dropped; `-` and `_` stay."""
    return "".join(text.casefold().split())


def fold_ids(ids: Sequence[str]) -> list[str]:
    """Fold many ids at once, as `fold_id` does each: one pass over one string, for lists of thousands."""
    joined = "\0".join(ids)
    if joined.count("\0") != len(ids) - 1:
        return [fold_id(text) for text in ids]  # an id holds the separator (or there is no id at all)
    return "".join(joined.casefold().split()).split("\0")


def parse(body: bytes, longest: float = math.inf) -> Any:
    """Decode JSON as JavaScript would: a leading byte-order mark, half surrogate pairs, numbers of any size and
    bytes that are not UTF-8 are accepted; of a repeated key the last value counts.

    Raises ValueError if `body` is not JSON, and RecursionError if it is nested too deep. `LongError` where the
    quick decoder refuses more than `longest` bytes.
    """
    return _parse(body, _quick.decode, longest)


def parse_members(body: bytes) -> Any:
    """Decode JSON as `parse` does, but leave out what stands in arrays: each is an `Array` with its first element only.

    For looking up members: they stand in objects, or in an array's first element. A document of 1 MiB that is mostly
    arrays takes a fortieth of the time. (Where the quick decoder refuses it, the arrays are whole lists.) Below
    `DEEPEST` objects in one another, values are left undecoded.

    Raises `LongError` where the quick decoder refuses more than `LENIENT_AT_ONCE` bytes.
    """
    try:
        return _members.decode(body)  # nearly every body is what the quick decoder takes as it is
    except ValueError:
        return _parse(body, _members.decode, LENIENT_AT_ONCE)


def parse_members_in_steps(body: bytes) -> Generator[None, None, Any]:
    """Decode JSON as `parse_members` does, a long document too; yields after each short step.

    In a long one `NO_CHARACTER` stands for half a surrogate pair. A long one with a number beyond those of a double
    (`1e400`, which JavaScript reads and does not write) is refused.
    """
    if has_many(body):
        with suppress(ValueError):  # the quick decoder is stricter than JavaScript
            return (yield from _many(body.removeprefix(codecs.BOM_UTF8)))
    else:
        with suppress(LongError):
            return parse_members(body)
    yield
    text = yield from as_utf8(body.removeprefix(codecs.BOM_UTF8))
    whole = yield from replace_halves(text)
    yield
    return (yield from _many(whole)) if has_many(whole) else _members.decode(whole)


def free_in_steps(document: object) -> Generator[None, None, None]:
    """Empty what `parse_members_in_steps` gave, which nobody needs any more; yields after each short step.

    To free a hundred thousand objects at once takes 10 ms.
    """
    inner, spent = [document], 0
    while inner:
        holder = inner.pop()
        while holder:
            value: object
            if isinstance(holder, dict):
                value = holder.popitem()[1]
            elif isinstance(holder, list):
                value = holder.pop()
            else:
                value, holder = (holder.first if isinstance(holder, Array) else None), None
            spent += 1
            if spent % _FREED == 0:
                yield
            if isinstance(value, dict | list | Array):
                inner.append(holder)
                holder = value


def _many(document: bytes) -> Generator[None, None, Any]:
    return decode_in_steps(document, _members.decode, Array, DEEPEST)


def _parse(body: bytes, quick: Callable[[bytes], Any], longest: float) -> Any:
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return quick(body)
    except UnicodeDecodeError:  # which msgspec lets through
        if len(body) > longest:
            raise LongError from None
        return _parse(body.decode("utf-8", "replace").encode(), quick, longest)
    except ValueError:
        if len(body) > longest:
            raise LongError from None
    text = body.decode("utf-8", "replace")
    try:
        return _lenient.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than CPython converts (4 300)
        if len(body) > longest / _PATIENT:
            raise LongError from None
        return _patient.decode(text)


def _integer(digits: str) -> int | float:
    """An integer, or beyond what CPython converts what JavaScript reads: a double."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def refuse_constant(name: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python's JSON reader takes and JSON does not have."""
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _members_type() -> Any:
    """The type of any JSON value, with arrays that ignore all elements but the first."""
    value: Any = msgspec.Raw
    for _ in range(DEEPEST):
        array = msgspec.defstruct("Array", [("first", value, MISSING)], bases=(Array,), array_like=True, frozen=True)
        value = dict[str, value] | array | str | int | float | bool | None
    return value


_quick: Final = msgspec.json.Decoder()
_members: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(_members_type())
_lenient: Final = json.JSONDecoder(parse_constant=refuse_constant)
_patient: Final = json.JSONDecoder(parse_int=_integer, parse_constant=refuse_constant)
