"""The outbox in Redis: replaced only by who saw its newest version, of this memory of the server."""

import asyncio
from typing import Any

import pytest

from statusproxy.config.state_url import Place
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_outbox import RedisOutbox, document_of
from statusproxy.store.redis_side_link import SideLink


@pytest.fixture
def outbox(place: Place, side_link: SideLink) -> RedisOutbox:
    outbox = RedisOutbox(side_link, place)
    outbox.attached(b"e")
    return outbox


async def test_what_was_written_is_read_with_its_version(outbox: RedisOutbox) -> None:
    assert await outbox.read() == OutboxDocument(0, b"")
    assert await outbox.write(b"\xffone", 0) == 1
    assert await outbox.write(b"two", 1) == 2
    assert await outbox.read() == OutboxDocument(2, b"two")


async def test_who_saw_an_older_version_writes_nothing(outbox: RedisOutbox) -> None:
    await outbox.write(b"one", 0)
    assert [await outbox.write(b"other", after) for after in (0, 2, 7)] == [None, None, None]
    assert await outbox.read() == OutboxDocument(1, b"one")


async def test_of_many_at_once_one_wins(outbox: RedisOutbox) -> None:
    got = await asyncio.gather(*(outbox.write(f"{number}".encode(), 0) for number in range(9)))
    assert sorted(got, key=str) == [1] + [None] * 8


async def test_a_write_whose_reply_was_lost_can_be_asked_for_again(outbox: RedisOutbox) -> None:
    assert [await outbox.write(b"one", 0), await outbox.write(b"one", 0)] == [1, 1]
    await outbox.write(b"two", 1)
    assert await outbox.write(b"one", 0) is None


async def test_a_server_that_lost_its_memory_is_told_and_begins_anew(
    place: Place, side_link: SideLink, begun: Any, names: Names
) -> None:
    lost: list[str] = []
    outbox = RedisOutbox(side_link, place, lambda: lost.append("lost"))
    outbox.attached(b"e")
    await outbox.write(b"one", 0)
    begun.delete(names.outbox)
    begun.set(names.epoch, "another")
    with pytest.raises(StoreError, match=r"the server lost its data$"):
        await outbox.write(b"two", 1)
    assert (lost, begun.exists(names.outbox)) == (["lost"], 0)
    outbox.attached(b"another")
    assert await outbox.write(b"two", 0) == 1


async def test_before_the_server_was_reached_nothing_is_written(place: Place, side_link: SideLink) -> None:
    with pytest.raises(NotAttachedError, match=r"^the state in redis at .* is not open yet$"):
        await RedisOutbox(side_link, place).write(b"one", 0)


async def test_a_server_that_is_away_is_told() -> None:
    away = Place("127.0.0.1", 9)
    outbox = RedisOutbox(SideLink(away, 9), away)
    outbox.attached(b"e")
    with pytest.raises(StoreError, match=r"^no connection: redis at 127\.0\.0\.1:9/0"):
        await outbox.read()
    with pytest.raises(StoreError, match=r"^no connection: redis at 127\.0\.0\.1:9/0"):
        await outbox.write(b"one", 0)


async def test_an_error_that_the_server_answers_is_told(outbox: RedisOutbox, begun: Any, names: Names) -> None:
    begun.set(names.outbox, "mine")
    with pytest.raises(StoreError, match=r"wrong kind"):
        await outbox.read()
    with pytest.raises(StoreError, match=r"wrong kind"):
        await outbox.write(b"one", 0)


@pytest.mark.parametrize(("version", "payload"), [(None, None), (b"1", None), (None, b"x"), (b"-1", b"x"), (b"", b"x")])
def test_what_is_no_document_is_read_as_none(version: bytes | None, payload: bytes | None) -> None:
    assert document_of(version, payload) == OutboxDocument(0, b"")
