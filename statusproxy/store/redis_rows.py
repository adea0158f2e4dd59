"""Rows of the records in Redis: in the server's time, and with what a newer version wrote into them.

A row's members that this version does not know are carried on when it writes the row again, so that two versions can
share one map while a site upgrades.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import fields, replace

from statusproxy.status.model import Override, Record, Transient
from statusproxy.status.stored_times import in_microseconds, moved
from statusproxy.store.codec import FORMAT, RowError, decode_record
from statusproxy.store.redis_names import field_of

__all__ = ["from_server", "read_row", "to_server", "write_row"]

_FORMAT: Final = "format"
#: The members that are known, with the values that are not written.
_RECORD: Final = {field.name: field.default for field in fields(Record)}
_PARTS: Final = {
    "override": {field.name: field.default for field in fields(Override)},
    "transient": {field.name: field.default for field in fields(Transient)},
}
#: What tells one override or transient state from another.
_SAME: Final = ("at", "began", "event")

_to_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode


def to_server(record: Record, offset: float) -> Record:
    """A record in the server's time, from the system's; `offset` is what the server's clock is ahead by.

    By which clock of this machine it was told is left out: on the server it is told by the server's.
    """
    record = in_microseconds(record if record.written is None else replace(record, written=None))
    return in_microseconds(moved(record, offset)) if offset else record


def from_server(record: Record, offset: float) -> Record:
    """A record in the system's time, from the server's."""
    return in_microseconds(moved(record, -offset)) if offset else record


def read_row(field: bytes, payload: bytes) -> Record:
    """The record of a row, as it stands; `RowError` if it is not one of the session that the field names."""
    record = decode_record(payload)
    if field_of(record.session) != field:
        raise RowError("of another session than its key says")
    return record


def write_row(record: Record, before: bytes) -> bytes:
    """The row of a record, which takes the place of the row `before` (empty: of none).

    Raises `TypeError` or `ValueError` where the record cannot be encoded.
    """
    members = {_FORMAT: FORMAT, **_told(to_builtins(record), _RECORD)}
    for name, known in _PARTS.items():
        if name in members:
            members[name] = _told(members[name], known)
    for name, value in _unknown(before).items() if before else ():
        if name not in _PARTS:
            members[name] = value
        elif name in members and all(members[name].get(key) == value.get(key) for key in _SAME):
            members[name] |= {key: one for key, one in value.items() if key not in _PARTS[name]}
    return _to_json(members).encode("ascii")


def _told(members: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The members that do not have their usual values: what is equal is written the same by every proxy."""
    return {name: value for name, value in members.items() if value != known[name]}


def _unknown(row: bytes) -> dict[str, Any]:
    """The members of a row that this version does not know, and the parts that hold some, whole."""
    try:
        members = json.loads(row)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(members, dict):
        return {}
    unknown = {name: value for name, value in members.items() if name not in _RECORD and name != _FORMAT}
    for name, known in _PARTS.items():
        part = members.get(name)
        if isinstance(part, dict) and not part.keys() <= known.keys():
            unknown[name] = part
    return unknown
