"""Rows of the durable state: a `Record`, a `Change` or an `Entry` as one line of JSON with a format number, and back.

The promise to rows of the past: a field that is missing takes its default, a field that is unknown is
ignored, so adding a field to `Record`, `Override`, `Change` or `Entry` needs a default and nothing here. Anything
else (renaming, changing a meaning) raises `FORMAT` and adds a step to `_UPGRADES`.

JSON by the standard library, because a row must take whatever the domain holds: `-Infinity` for a time
that never was, and a lone surrogate in an id, both of which stricter encoders refuse. Text, not a binary
form, so that an operator can read the table with the `sqlite3` shell.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from statusproxy.status.model import Change, Record
from statusproxy.store.spooled import Entry

__all__ = ["FORMAT", "RowError", "decode_change", "decode_entry", "decode_record", "encode"]

FORMAT: Final = 1
"""The format number that rows are written with."""

_FORMAT_KEY: Final = "format"

# From the format number of an old row to the step that lifts its fields to the next one.
_UPGRADES: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}

_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode

_Row = TypeVar("_Row", Record, Change, Entry)


class RowError(ValueError):
    """A row that cannot be read; the message may quote the row, so it belongs in no log."""


def encode(row: Record | Change | Entry) -> str:
    """A row as JSON text of ASCII characters only."""
    fields: dict[str, Any] = msgspec.to_builtins(row)
    return _to_json({_FORMAT_KEY: FORMAT, **fields})


def decode_record(payload: bytes | str) -> Record:
    """The record of a row; `RowError` if it is not one."""
    return _decode(payload, Record)


def decode_change(payload: bytes | str) -> Change:
    """The change of a history row; `RowError` if it is not one."""
    return _decode(payload, Change)


def decode_entry(payload: bytes | str) -> Entry:
    """The spool's entry of a row; `RowError` if it is not one."""
    return _decode(payload, Entry)


def _decode(payload: bytes | str, kind: type[_Row]) -> _Row:
    try:
        fields = json.loads(payload)
    except (ValueError, TypeError, RecursionError) as error:
        raise RowError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RowError("not a JSON object")
    number = fields.pop(_FORMAT_KEY, None)
    if type(number) is not int or number > FORMAT:
        raise RowError(f"format {number!r}, expected at most {FORMAT}")
    while number < FORMAT:
        if number not in _UPGRADES:
            raise RowError(f"format {number}, which is unknown")
        fields, number = _UPGRADES[number](fields), number + 1
    try:
        return msgspec.convert(fields, kind)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise RowError(str(error)) from error
