"""The write to the spool in Redis: a script that writes entries with their contents, or nothing where it cannot.

A large body is on the server before, under a key that expires: the script takes it from there, so that a proxy that
dies in between leaves nothing that stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from statusproxy.store.redis_link import Asks, Command, Reply, raise_first
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_script import STREAM_LENGTH, EpochError, evaluate

__all__ = ["Gone", "Missing", "Put", "Row", "SpoolCommit", "run_spool"]

# KEYS: epoch, entries, contents, stream of changes; for each op the key of its upload and that of its large body.
# ARGV: epoch, writer, length of the stream; for each op: its kind (put, row, gone), id, row, head, body, and the bytes
# of a large body ("": it is small, and here).
# What keeps it from writing is looked for first. Writing again does no harm: what is there stays as it is.
_WRITE: Final = """
local entries, contents, changes = KEYS[2], KEYS[3], KEYS[4]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'epoch'} end
local missing = {'missing'}
for i = 4, #ARGV, 6 do
  local key = 5 + (i - 4) / 3
  if ARGV[i] == 'put' and ARGV[i + 5] ~= '' and redis.call('HEXISTS', entries, ARGV[i + 1]) == 0
    and redis.call('STRLEN', KEYS[key]) ~= tonumber(ARGV[i + 5]) then
    missing[#missing + 1] = ARGV[i + 1]
  end
end
if #missing > 1 then return missing end
redis.call('HLEN', entries)
redis.call('HLEN', contents)
redis.call('XLEN', changes)
local last = ''
for i = 4, #ARGV, 6 do
  local key = 5 + (i - 4) / 3
  local kind, id, row = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local there = redis.call('HEXISTS', entries, id) == 1
  if kind == 'put' and not there then
    redis.call('HSET', contents, id .. ':h', ARGV[i + 3])
    if ARGV[i + 5] == '' then
      redis.call('HSET', contents, id .. ':b', ARGV[i + 4])
    else
      redis.call('RENAME', KEYS[key], KEYS[key + 1])
      redis.call('PERSIST', KEYS[key + 1])
    end
  end
  if kind == 'gone' then
    redis.call('HDEL', entries, id)
    redis.call('HDEL', contents, id .. ':h', id .. ':b')
    redis.call('UNLINK', KEYS[key], KEYS[key + 1])
    if there then last = redis.call('XADD', changes, 'MAXLEN', '~', ARGV[3], '*', 'w', ARGV[2], 'x', id) end
  elseif kind == 'put' or there then
    redis.call('HSET', entries, id, row)
    last = redis.call('XADD', changes, 'MAXLEN', '~', ARGV[3], '*', 'w', ARGV[2], 'e', row)
  end
end
return {'done', last}
"""


class Put(NamedTuple):
    """A new entry."""

    id: str
    row: bytes
    head: bytes
    body: bytes
    """Empty where it was uploaded before …"""
    uploaded: int | None = None
    """… and then its bytes."""


class Row(NamedTuple):
    """What is known of an entry changed; of one that is not there nothing is written."""

    id: str
    row: bytes


class Gone(NamedTuple):
    """An entry goes, with its content."""

    id: str


@dataclass(slots=True)
class SpoolCommit:
    """All that is written of the spool at one instant."""

    epoch: bytes
    writer: bytes
    ops: Sequence[Put | Row | Gone]
    """At most one of an entry."""
    stream_length: int = field(default=STREAM_LENGTH)


class Missing(NamedTuple):
    """Nothing was written: the large bodies of these entries are not there, or not whole."""

    ids: Sequence[str]


async def run_spool(
    link: Asks, names: Names, commit: SpoolCommit, *after: Command
) -> tuple[bytes | Missing, list[Reply]]:
    """Write a commit in one round trip: the place of its last entry in the stream of changes (empty where nothing had
    to be written), and the replies to the commands that are sent `after` it.

    Raises `EpochError` with nothing written, and redis-py's errors, after which it may be written or not.
    """
    keys = [names.epoch, names.spool, names.spool_contents, names.changes]
    arguments: list[str | bytes | int | float] = [commit.epoch, commit.writer, commit.stream_length]
    for op in commit.ops:
        keys += (names.upload(op.id), names.body(op.id))
        match op:
            case Put(id_, row, head, body, uploaded):
                arguments += ("put", id_, row, head, body, "" if uploaded is None else uploaded)
            case Row(id_, row):
                arguments += ("row", id_, row, b"", b"", "")
            case Gone(id_):
                arguments += ("gone", id_, b"", b"", b"", "")
    reply, *rest = await evaluate(link, _WRITE, keys, arguments, after)
    raise_first([reply, *rest])
    kind, *found = reply
    if kind == b"epoch":
        raise EpochError
    if kind == b"missing":
        return Missing([id_.decode("ascii") for id_ in found]), rest
    last: bytes = found[0]
    return last, rest
