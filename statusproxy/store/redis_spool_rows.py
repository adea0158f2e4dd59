"""Rows of the spool's entries in Redis: in the server's time, and with what a newer version wrote into them."""

import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import fields, replace

from statusproxy.store.codec import encode
from statusproxy.store.spooled import Entry

__all__ = ["from_server", "to_server", "unknown_members", "write_entry"]

_KNOWN: Final = {"format"} | {field.name for field in fields(Entry)}

_to_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, check_circular=False).encode


def to_server(entry: Entry, offset: float) -> Entry:
    """An entry in the server's time, from the system's; `offset` is what the server's clock is ahead by."""
    if not offset:
        return entry
    # To the microsecond, so that the way back gives the same again.
    return replace(entry, received_at=round(entry.received_at + offset, 6), next_at=round(entry.next_at + offset, 6))


def from_server(entry: Entry, offset: float) -> Entry:
    """An entry in the system's time, from the server's."""
    return to_server(entry, -offset)


def unknown_members(row: bytes) -> dict[str, Any]:
    """The members of an entry's row that this version does not know."""
    members: dict[str, Any] = json.loads(row)
    return {name: value for name, value in members.items() if name not in _KNOWN}


def write_entry(entry: Entry, unknown: Mapping[str, Any] | None = None) -> bytes:
    """The row of an entry, with the members that a newer version wrote.

    Raises `TypeError` or `ValueError` where the entry cannot be encoded.
    """
    text = encode(entry)
    if unknown:
        text = _to_json({**json.loads(text), **unknown})
    return text.encode("ascii")
