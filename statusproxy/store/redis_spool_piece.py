"""What one commit to Redis writes of a batch's ops on the spool."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from statusproxy.store.redis_bodies import is_large
from statusproxy.store.redis_spool_rows import to_server, write_entry
from statusproxy.store.redis_spool_script import Gone, Put, Row
from statusproxy.store.spooled import Kept, Moved, Removed, SpoolOp

__all__ = ["changes", "encoded", "removals"]

# Of one commit: some milliseconds of encoding, and of the server.
_OPS: Final = 64
_BYTES: Final = 1024 * 1024
_REMOVALS: Final = 500


def removals(ops: Iterable[SpoolOp]) -> list[SpoolOp]:
    """The next entries that go. They go by themselves: a server whose memory is full takes that, and nothing else."""
    found: list[SpoolOp] = []
    for op in ops:
        if isinstance(op, Removed):
            found.append(op)
            if len(found) == _REMOVALS:
                break
    return found


def changes(ops: Iterable[SpoolOp]) -> list[SpoolOp]:
    """The next entries that are new, or of which something changed."""
    found: list[SpoolOp] = []
    size = 0
    for op in ops:
        if isinstance(op, Removed):
            continue
        if isinstance(op, Kept):
            head, body = op.content
            size += len(head) + (0 if is_large(body) else len(body))  # type: ignore[arg-type]
        if found and size > _BYTES:
            break
        found.append(op)
        if len(found) == _OPS:
            break
    return found


def encoded(
    ops: Iterable[SpoolOp],
    offset: float,
    unknown: Callable[[str], Mapping[str, Any] | None],
    uploaded: Mapping[str, int],
) -> list[Put | Row | Gone]:
    """Ops as the script takes them, in the server's time. `uploaded`: the bytes of large bodies that are there.

    Raises `TypeError` or `ValueError` where an entry cannot be encoded.
    """
    rows: list[Put | Row | Gone] = []
    for op in ops:
        match op:
            case Kept(entry, (head, body)):
                row = write_entry(to_server(entry, offset), unknown(entry.id))
                if isinstance(body, bytes) and not is_large(body):
                    rows.append(Put(entry.id, row, head, body))
                else:
                    rows.append(Put(entry.id, row, head, b"", uploaded.get(entry.id, -1)))
            case Moved(entry):
                rows.append(Row(entry.id, write_entry(to_server(entry, offset), unknown(entry.id))))
            case Removed(id_):
                rows.append(Gone(id_))
    return rows
