"""The one write to the keys in Redis: a script that writes all of a commit, or nothing and returns the current rows.

Compare and set: a row is written only if the current row is what the writer last saw, and if the session was not
forgotten after the last event that the writer knows of. What is written goes into the stream of changes at the same
instant.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from redis.exceptions import NoScriptError

from statusproxy.store.redis_link import Asks, Command, Link, Reply, raise_first
from statusproxy.store.redis_names import Names

__all__ = [
    "STREAM_LENGTH", "Commit", "Conflict", "Done", "EpochError", "Proposal", "evaluate", "run", "set_aside",
]  # fmt: skip

#: Changes that the stream keeps, roughly: a proxy that was away for longer reads all records again.
STREAM_LENGTH: Final = 10_000

# ARGV: epoch, writer, length of the stream, changes kept in the history, time before which they go ("": none goes),
# time before which forgotten sessions are not remembered, number of rows; for each row: session, the row that is
# expected ("": none), the new row ("": forget the session), when its last event came or when it was forgotten; then the
# history: time and member, each in turn.
# All is read before the first write, so that a key of another kind fails before anything is written.
_COMMIT: Final = """
local records, forgotten, history, changes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('GET', KEYS[5]) ~= ARGV[1] then return {'epoch'} end
local rows = tonumber(ARGV[7])
local found = {'conflict'}
for i = 8, 4 + 4 * rows, 4 do
  local row = redis.call('HGET', records, ARGV[i]) or ''
  local gone = redis.call('ZSCORE', forgotten, ARGV[i]) or ''
  if row ~= ARGV[i + 1] or (ARGV[i + 2] ~= '' and gone ~= '' and tonumber(gone) >= tonumber(ARGV[i + 3])) then
    found[#found + 1] = ARGV[i]
    found[#found + 1] = row
    found[#found + 1] = gone
  end
end
if #found > 1 then return found end
redis.call('ZCARD', history)
redis.call('XLEN', changes)
local last = ''
for i = 8, 4 + 4 * rows, 4 do
  if ARGV[i + 2] == '' then
    redis.call('ZADD', forgotten, 'GT', ARGV[i + 3], ARGV[i])
    redis.call('HDEL', records, ARGV[i])
    last = redis.call('XADD', changes, 'MAXLEN', '~', ARGV[3], '*', 'w', ARGV[2], 's', ARGV[i], 'f', ARGV[i + 3])
  else
    redis.call('HSET', records, ARGV[i], ARGV[i + 2])
    last = redis.call('XADD', changes, 'MAXLEN', '~', ARGV[3], '*', 'w', ARGV[2], 's', ARGV[i], 'r', ARGV[i + 2])
  end
end
for i = 8 + 4 * rows, #ARGV, 2 do redis.call('ZADD', history, ARGV[i], ARGV[i + 1]) end
redis.call('ZREMRANGEBYRANK', history, 0, -1 - tonumber(ARGV[4]))
if ARGV[5] ~= '' then redis.call('ZREMRANGEBYSCORE', history, '-inf', '(' .. ARGV[5]) end
redis.call('ZREMRANGEBYSCORE', forgotten, '-inf', ARGV[6])
redis.call('ZREMRANGEBYRANK', forgotten, 0, -10001)
return {'done', last}
"""

# A row that cannot be read goes to another key, if it still stands there.
_SET_ASIDE: Final = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""


class Proposal(NamedTuple):
    """What shall stand in place of what stands there."""

    session: bytes
    expected: bytes
    """What the writer last saw there; empty for nothing."""
    row: bytes
    """What shall stand there; empty: the session is forgotten."""
    at: float
    """When the last event of the session came, or when it was forgotten; in the server's time."""


@dataclass(slots=True)
class Commit:
    """All that is written at one instant."""

    epoch: bytes
    writer: bytes
    rows: Sequence[Proposal] = ()
    history: Sequence[tuple[float, bytes]] = ()
    """The time and the member of each line of the history."""
    keep: int = 0
    """Lines of the history that stay."""
    before: float | None = None
    """Lines from before this time go."""
    forgotten_before: float = 0.0
    """Sessions that were forgotten before this time are remembered no longer."""
    stream_length: int = field(default=STREAM_LENGTH)


class Done(NamedTuple):
    """All of it was written."""

    last: bytes
    """The place of the last row in the stream of changes; empty if no row was written."""


class Conflict(NamedTuple):
    """Nothing was written: others wrote meanwhile. What stands there: session, row (may be empty), forgotten when."""

    found: Sequence[tuple[bytes, bytes, float | None]]


class EpochError(Exception):
    """Nothing was written: the server has lost its memory since it was last read."""


async def run(link: Link, names: Names, commit: Commit, *after: Command) -> tuple[Done | Conflict, list[Reply]]:
    """Write a commit in one round trip; also the replies to the commands that are sent `after` it.

    Raises `EpochError` with nothing written, and redis-py's errors, after which it may be written or not.
    """
    arguments: list[str | bytes | int | float] = [
        commit.epoch, commit.writer, commit.stream_length, commit.keep,
        "" if commit.before is None else repr(commit.before), repr(commit.forgotten_before), len(commit.rows),
    ]  # fmt: skip
    for proposal in commit.rows:
        at = proposal.at if math.isfinite(proposal.at) else 0.0
        arguments += (proposal.session, proposal.expected, proposal.row, repr(at))
    for moment, member in commit.history:
        arguments += (_score(moment), member)
    keys = (names.records, names.forgotten, names.history, names.changes, names.epoch)
    reply, *rest = await evaluate(link, _COMMIT, keys, arguments, after)
    raise_first([reply, *rest])
    kind = reply[0]
    if kind == b"epoch":
        raise EpochError
    if kind == b"done":
        return Done(reply[1]), rest
    flat = reply[1:]
    found = [
        (session, row, float(gone) if gone else None)
        for session, row, gone in zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    ]
    return Conflict(found), rest


async def set_aside(link: Asks, names: Names, source: str, field: bytes, row: bytes, target: bytes) -> bool:
    """Move a row of the key `source`, if it still stands there, to the key for rows that cannot be read."""
    (moved,) = await evaluate(link, _SET_ASIDE, (source, names.rejected), (field, row, target), ())
    raise_first([moved])
    return bool(moved)


async def evaluate(
    link: Asks,
    script: str,
    keys: Sequence[str],
    arguments: Sequence[str | bytes | int | float],
    after: Sequence[Command] = (),
) -> list[Reply]:
    """Run a script in one round trip, and send the commands `after` it; all replies, errors among them as values."""
    digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
    replies = await link.ask(("EVALSHA", digest, len(keys), *keys, *arguments), *after)
    if isinstance(replies[0], NoScriptError):  # a server that was started again, or fails over, does not know it yet
        replies = await link.ask(("EVAL", script, len(keys), *keys, *arguments), *after)
    return replies


def _score(moment: float) -> str:
    """A time as the score of a line: the server refuses NaN, and all with it."""
    return repr(moment if moment == moment else 0.0)
