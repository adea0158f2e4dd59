"""The second connection: made when it is needed, made anew where it was lost, one question at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
import redis.exceptions

from statusproxy.config.state_url import Place
from statusproxy.store.errors import NotAttachedError
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_side_link import SideLink
from tests.waiting import until

LIMIT = 9.0


@pytest.fixture
async def side(place: Place) -> AsyncIterator[SideLink]:
    side = SideLink(place, LIMIT)
    yield side
    await side.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The connections that are made."""
    links: list[Link] = []
    open_ = Link.open

    async def opening(place: Place, answer_limit: float) -> Link:
        assert answer_limit == LIMIT
        links.append(await open_(place, answer_limit))
        return links[-1]

    monkeypatch.setattr(Link, "open", opening)
    return links


async def test_one_connection_serves_all_questions(side: SideLink, opened: list[Link]) -> None:
    replies = await asyncio.gather(*(side.ask(("ECHO", f"{number}")) for number in range(20)))
    assert replies == [[b"%d" % number] for number in range(20)]
    assert len(opened) == 1


async def test_one_that_was_lost_since_is_made_anew(side: SideLink, opened: list[Link], client: "redis.Redis") -> None:
    (id_,) = await side.ask(("CLIENT", "ID"))
    client.client_kill_filter(_id=id_)
    assert await side.ask(("ECHO", "a"), ("ECHO", "b")) == [b"a", b"b"]
    await side.drop()
    assert await side.ask(("ECHO", "c")) == [b"c"]
    assert len(opened) == 3


async def test_an_error_that_the_server_answers_is_a_value(side: SideLink, opened: list[Link]) -> None:
    (error,) = await side.ask(("NO-SUCH-COMMAND",))
    assert isinstance(error, redis.exceptions.ResponseError)
    await side.ask(("PING",))
    assert len(opened) == 1


async def test_a_server_that_is_the_master_no_longer_is_left(
    side: SideLink, opened: list[Link], monkeypatch: pytest.MonkeyPatch
) -> None:
    await side.ask(("PING",))
    ask = Link.ask

    async def refusing(self: Link, *commands: Any) -> list[Any]:
        replies = await ask(self, *commands)
        return [redis.exceptions.ReadOnlyError("READONLY")] if self is opened[0] else replies

    monkeypatch.setattr(Link, "ask", refusing)
    assert await side.ask(("PING",)) == [b"PONG"]
    assert len(opened) == 2


async def test_what_fails_over_a_new_connection_too_is_told(side: SideLink, monkeypatch: pytest.MonkeyPatch) -> None:
    await side.ask(("PING",))

    async def losing(self: Link, *_: Any) -> list[Any]:
        raise redis.exceptions.ConnectionError("cut")

    with monkeypatch.context() as patch:
        patch.setattr(Link, "ask", losing)
        for _ in range(2):
            with pytest.raises(redis.exceptions.ConnectionError, match="cut"):
                await side.ask(("PING",))
    assert await side.ask(("PING",)) == [b"PONG"]


async def test_a_question_that_is_given_up_leaves_no_answer_to_the_next(side: SideLink, opened: list[Link]) -> None:
    asking = asyncio.ensure_future(side.ask(("BLPOP", "no-such-list", 0)))
    await until(lambda: bool(opened))
    asking.cancel()
    await asyncio.wait([asking])
    assert await side.ask(("ECHO", "mine")) == [b"mine"]
    assert len(opened) == 2


async def test_once_closed_it_asks_nothing(side: SideLink, opened: list[Link], monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Link.ask

    async def closing(self: Link, *commands: Any) -> list[Any]:
        await side.close()
        return await ask(self, *commands)

    monkeypatch.setattr(Link, "ask", closing)
    assert await side.ask(("PING",)) == [b"PONG"], "what was asked before is answered"
    with pytest.raises(NotAttachedError, match=r"closed$"):
        await side.ask(("PING",))
    assert len(opened) == 1
    assert not opened[0]._connection.is_connected
