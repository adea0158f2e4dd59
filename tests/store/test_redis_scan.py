"""A hash of rows is read whole and some at a time, and what cannot be read is moved to the key for such rows."""

import pytest
import redis
import redis.exceptions

from statusproxy.store.codec import RowError
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_scan import scan

#: 2024-01-01 in epoch seconds.
MOMENT = 1_704_067_200.0


def read(field: bytes, payload: bytes) -> tuple[str, int]:
    try:
        return field.decode(), int(payload)
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise RowError("not a number") from error


async def test_all_rows_are_read_some_at_a_time(link: Link, names: Names, client: "redis.Redis") -> None:
    client.hset(names.spool, mapping={f"{number:04}": number for number in range(1500)})
    parts = [some async for some in scan(link, names, names.spool, read, "", MOMENT, [])]
    together = {name: row for some in parts for name, row in some.items()}
    assert together == {f"{number:04}": (str(number).encode(), number) for number in range(1500)}
    assert max(map(len, parts)) < 1000


async def test_rows_that_cannot_be_read_are_moved_with_a_date_and_told(
    link: Link, names: Names, client: "redis.Redis"
) -> None:
    client.hset(names.spool, mapping={"good": "1", "bad": "one", b"\xff": "2"})
    rejected: list[bytes] = []
    found = [some async for some in scan(link, names, names.spool, read, "kind ", MOMENT, rejected)]
    assert found == [{"good": (b"1", 1)}]
    assert sorted(rejected) == [b"bad", b"\xff"]
    assert client.hgetall(names.spool) == {b"good": b"1"}
    assert client.hgetall(names.rejected) == {
        b"20240101T000000Z kind bad": b"one",
        b"20240101T000000Z kind \xff": b"2",
    }


async def test_a_row_that_changes_before_it_is_moved_stays(link: Link, names: Names, client: "redis.Redis") -> None:
    client.hset(names.spool, "bad", "one")
    rejected: list[bytes] = []
    async for some in scan(link, names, names.spool, read, "", MOMENT, rejected):
        assert some == {}
        client.hset(names.spool, "bad", "2")
    assert rejected == []
    assert (client.hgetall(names.spool), client.exists(names.rejected)) == ({b"bad": b"2"}, 0)


async def test_an_empty_hash_has_no_rows(link: Link, names: Names) -> None:
    assert [some async for some in scan(link, names, names.spool, read, "", MOMENT, [])] == [{}]


async def test_a_key_of_another_kind_is_told(link: Link, names: Names, client: "redis.Redis") -> None:
    client.set(names.spool, "mine")
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGTYPE"):
        await anext(scan(link, names, names.spool, read, "", MOMENT, []))
