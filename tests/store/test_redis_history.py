"""The history in Redis, read a page at a time: what is said to the server, and what comes of it."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest
import redis

from statusproxy.config.state_url import Place
from statusproxy.status.model import Change
from statusproxy.store import redis_history as module
from statusproxy.store.backlog import Entry
from statusproxy.store.redis_history import history_pages, linked_pages
from statusproxy.store.redis_keys import member
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names

from .redis_server import SameTime
from .samples import NOW, a_change


class Server:
    """A sorted set, and the commands that it was asked."""

    def __init__(self, *entries: Entry) -> None:
        self.rows = [member(one) for one in entries]
        self.asked: list[Any] = []

    async def ask(self, *commands: Any) -> list[Any]:
        self.asked += commands
        ((_, _, start, stop),) = commands
        return [self.rows[::-1][start : stop + 1]]


async def read(
    server: Any, session: str | None = None, since: float = -1.0, known: Sequence[Entry] = (), offset: float = 0.0
) -> list[list[Change]]:
    async with aclosing(history_pages(server, "p:", session, since, known, offset)) as pages:
        return [list(page) async for page in pages]


def entries(count: int) -> list[Entry]:
    return [Entry(a_change("a" if n % 2 else "b", at=NOW + n), n) for n in range(count)]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)


async def test_pages_are_asked_for_one_after_the_other_until_one_is_not_full() -> None:
    server = Server(*entries(4))
    assert [[change.at - NOW for change in page] for page in await read(server)] == [[], [3, 2], [1, 0], []]
    assert server.asked == [("ZREVRANGE", "p:history", start, start + 1) for start in (0, 2, 4)]


async def test_only_one_session_and_only_from_a_time_on() -> None:
    server = Server(*entries(6))
    assert [[change.at - NOW for change in page] for page in await read(server, "a", NOW + 3)] == [[], [5], [3]]
    assert len(server.asked) == 2


async def test_a_change_at_the_very_time_is_told_whether_it_waits_or_is_there() -> None:
    at_once = [Entry(a_change("a"), n) for n in range(3)]
    there = Server(*at_once, Entry(a_change("a", at=NOW + 1), 3))
    waiting = Entry(a_change("b"), 9)
    pages = await read(there, since=NOW, known=[waiting, Entry(a_change("b", at=NOW - 1), 8)])
    assert [[change.at - NOW for change in page] for page in pages] == [[0], [1, 0], [0, 0], []]


async def test_what_waits_comes_first_and_once() -> None:
    there, waiting = Entry(a_change("a"), 1), Entry(a_change("a", at=NOW + 5), 2)
    bad = Entry(Change("a", "started", "x", NOW, float("nan"), gateway_said=object()), 3)  # type: ignore[arg-type]
    pages = await read(Server(there), "a", NOW - 9, [there, waiting, Entry(a_change("b"), 9), bad])
    assert pages == [[waiting.change, there.change], []]


async def test_what_others_write_meanwhile_moves_rows_which_are_told_once() -> None:
    server = Server(*entries(4))
    async with aclosing(history_pages(server, "p:", None, -1.0, [])) as pages:  # type: ignore[arg-type]
        await anext(pages)
        first = await anext(pages)
        server.rows.append(member(Entry(a_change("new", at=NOW + 9), 9)))
        rest = [change for page in [page async for page in pages] for change in page]
    assert [change.at - NOW for change in [*first, *rest]] == [3, 2, 1, 0]


async def test_moments_are_told_in_the_systems_time() -> None:
    (_, page) = await read(Server(Entry(a_change("a", at=NOW), 1)), since=NOW - 300, offset=300.0)
    assert page == [a_change("a", at=NOW - 300)]
    ours = Entry(a_change("a", at=NOW - 300), 1)
    assert await read(Server(Entry(a_change("a", at=NOW), 1)), known=[ours], offset=300.0) == [[ours.change], []]


async def test_a_row_that_cannot_be_read_is_left_out_and_an_error_is_raised() -> None:
    server = Server(*entries(1))
    server.rows.append(b"1 " + json.dumps({"format": 99}).encode())
    assert [len(page) for page in await read(server)] == [0, 1, 0]

    class Broken:
        async def ask(self, *commands: Any) -> list[Any]:
            return [OSError("gone")]

    with pytest.raises(OSError, match="gone"):
        await read(Broken())


@pytest.mark.parametrize("whole", [True, False])
async def test_a_connection_of_its_own_is_closed_wherever_the_reading_ends(
    place: Place, names: Names, client: "redis.Redis", links: list[Link], whole: bool
) -> None:
    client.zadd(names.history, {member(one): one.change.recorded_at for one in entries(3)})
    found: list[Change] = []
    async with aclosing(linked_pages(place, 9, None, NOW, [], SameTime())) as pages:
        async for page in pages:
            found += page
            if found and not whole:
                break
    assert [change.at - NOW for change in found] == ([2, 1, 0] if whole else [2, 1])
    assert [link._connection.is_connected for link in links] == [False]
