"""The spool in Redis over real stores: what one keeps all know and any can deliver; nothing acknowledged is lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.exceptions
from msgspec.structs import replace as changed

from statusproxy.config.state_url import Place
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.redis_follow import BEGINNING
from statusproxy.store.redis_keys import Keyspace
from statusproxy.store.redis_link import Link
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_spool import RedisSpool
from statusproxy.store.redis_spool_rows import write_entry
from statusproxy.store.spooled import Content, Entry, EntryState, Moved, Removed, SpoolNews, SpoolOp
from tests.waiting import until

from .redis_server import RedisServer, RedisStore, SameTime, redis_store, running
from .samples import NOW, a_body, a_change, a_record, an_entry, caught_up, kept

DATA = os.urandom(300_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of the test's own, which it may kill."""
    with running(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def place(redis_server: RedisServer, tmp_path: Path) -> Place:
    """Keys of the test's own on the server that all share."""
    return replace(redis_server.place, prefix=f"{tmp_path.name}:")


class Proxy:
    """A store, and the index that a spool makes of its entries and its news."""

    def __init__(self, store: RedisStore) -> None:
        self.store = store
        self.spool: RedisSpool = store.backend.spool
        self.news: list[SpoolNews] = []
        self.known: dict[str, Entry] = {}
        self.lost: list[str] = []
        self._told = asyncio.Event()
        self.spool.on_news = self._take

    def _take(self, news: SpoolNews) -> None:
        self.news.append(news)
        self.known |= {entry.id: entry for entry in news.entries}
        for id_ in [*news.removed, *news.lost]:
            self.known.pop(id_, None)
        self.lost += news.lost
        self._told.set()

    async def begin(self) -> None:
        self.known = {entry.id: entry for entry in await self.spool.entries()}

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for news until that is so."""
        while not condition():
            self._told.clear()
            await self._told.wait()

    async def knows(self, *ids: str) -> None:
        await self.until(lambda: sorted(self.known) == sorted(ids))

    async def save(self, *ops: SpoolOp) -> None:
        await self.store.save([], [], [], ops)


@asynccontextmanager
async def proxies(place: Place, folder: Path, count: int = 1, **options: Any) -> AsyncIterator[list[Proxy]]:
    """Proxies that share the keys, each with a directory of its own."""
    found = [Proxy(redis_store(place, journal=folder / f"proxy{number}", **options)) for number in range(count)]
    try:
        for proxy in found:
            await proxy.store.open()
            await proxy.begin()
        yield found
    finally:
        for proxy in found:
            await proxy.store.close()


def keys_of(proxy: Proxy) -> Keyspace:
    """The keys that an idle proxy is attached to."""
    keys = proxy.store.backend._attachment.keys
    assert keys is not None
    return keys


def losing(monkeypatch: pytest.MonkeyPatch, mark: str) -> list[Any]:
    """The answer to the first script that has an argument like this is lost; the list has it then."""
    ask = Link.ask
    lost: list[Any] = []

    async def asking(self: Link, *commands: Any) -> list[Any]:
        replies = await ask(self, *commands)
        if commands[0][0] == "EVALSHA" and mark in commands[0] and not isinstance(replies[0], Exception) and not lost:
            lost.append(commands)
            raise redis.exceptions.ConnectionError("Connection closed by server.")
        return replies

    monkeypatch.setattr(Link, "ask", asking)
    return lost


# Shared ----------------------------------------------------------------------------------------------------


async def test_what_one_keeps_changes_and_removes_all_others_know(place: Place, tmp_path: Path) -> None:
    async with proxies(place, tmp_path, 3) as (first, second, third):
        await first.save(kept("02"), kept("01", b"small"))
        for other in (second, third):
            await other.knows("01", "02")
            assert other.known == {"01": an_entry("01"), "02": an_entry("02")}
            assert await other.spool.content("01") == Content(b"POST /01 HTTP/1.1\r\n", b"small")
        dead = an_entry("01", state=EntryState.DEAD, status=404)
        await second.save(Moved(dead))
        for other in (first, third):
            await other.until(lambda: other.known.get("01") == dead)  # noqa: B023 - waited for here
        await third.save(Removed("01"), Removed("02"))
        for other in (first, second):
            await other.knows()
            assert await other.spool.content("01") is None
    for proxy in (first, second, third):
        assert proxy.lost == []


async def test_what_a_proxy_did_itself_is_no_news_to_it(place: Place, tmp_path: Path) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        await first.save(kept("01"))
        await first.save(Moved(an_entry("01", attempts=2)))
        await first.save(Removed("01"))
        await second.save(kept("02"))
        await first.knows("02")
        assert [entry.id for news in first.news for entry in news.entries] == ["02"]
        assert [id_ for news in first.news for id_ in news.removed] == []


async def test_the_next_process_finds_all_in_the_order_of_their_ids(place: Place, tmp_path: Path) -> None:
    ids = [f"{number:04}" for number in range(450)]
    async with proxies(place, tmp_path) as (proxy,):
        await asyncio.gather(*(proxy.save(kept(id_)) for id_ in reversed(ids)))
        assert proxy.store.backend.spool.newest > (0, 0)
    async with proxies(place, tmp_path) as (proxy,):
        assert [entry.id for entry in await proxy.spool.entries()] == ids
        assert await proxy.spool.content("0449") == kept("0449").content
        assert await proxy.spool.content("none") is None


class Ahead(SameTime):
    """A server whose clock is ahead of this host's."""

    offset = 300.0


async def test_times_are_each_hosts_own(place: Place, tmp_path: Path, client: Any, names: Names) -> None:
    async with (
        proxies(place, tmp_path / "a", server_clock=Ahead()) as (behind,),
        proxies(place, tmp_path / "b") as (even,),
    ):
        assert (behind.spool.ahead, even.spool.ahead) == (300.0, 0.0)
        await behind.save(kept("01"))
        await even.knows("01")
        there = an_entry("01", received_at=NOW + 300, next_at=NOW + 301)
        assert even.known == {"01": there}
        assert client.hgetall(names.spool) == {b"01": write_entry(there)}
        assert await behind.spool.entries() == [an_entry("01")]
        await even.save(Moved(there), kept("02"))
        await behind.knows("01", "02")
        assert behind.known["02"] == an_entry("02", received_at=NOW - 300, next_at=NOW - 299)
        await even.save(Moved(changed(there, attempts=3)))
        await behind.until(lambda: behind.known["01"] == an_entry("01", attempts=3))


@pytest.mark.slow
async def test_of_two_changes_at_the_same_time_all_have_the_same(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, 3) as (first, second, third):
        await first.save(kept("01"))
        await second.knows("01")
        await third.knows("01")
        first.known["01"] = an_entry("01")
        for number in range(20):
            ours, theirs = an_entry("01", attempts=2 * number), an_entry("01", attempts=2 * number + 1)
            first.known["01"], second.known["01"] = ours, theirs
            await asyncio.gather(first.save(Moved(ours)), second.save(Moved(theirs)))
            stands = client.hget(names.spool, "01")
            for proxy in (first, second, third):
                await proxy.until(lambda: write_entry(proxy.known["01"]) == stands)  # noqa: B023 - waited for here


async def test_members_that_a_newer_version_wrote_stay(place: Place, tmp_path: Path, client: Any, names: Names) -> None:
    def newer(id_: str) -> bytes:
        return write_entry(an_entry(id_), {"priority": 3})

    client.hset(names.spool, "01", newer("01"))
    async with proxies(place, tmp_path) as (proxy,):
        assert sorted(proxy.known) == ["01"]
        client.hset(names.spool, "02", newer("02"))
        client.xadd(names.changes, {"w": "newer", "e": newer("02")})
        await proxy.knows("01", "02")
        await proxy.save(*(Moved(an_entry(id_, attempts=4)) for id_ in ("01", "02")))
        for id_ in ("01", "02"):
            assert client.hget(names.spool, id_) == write_entry(an_entry(id_, attempts=4), {"priority": 3})


async def test_a_listener_that_fails_is_told_and_the_next_news_comes(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        take = second.spool.on_news

        def broken(_: SpoolNews) -> None:
            second.spool.on_news = take
            raise RuntimeError("a defect")

        second.spool.on_news = broken
        await first.save(kept("01"))
        await until(lambda: "a defect" in caplog.text)
        await first.save(kept("02"))
        await second.knows("02")
    told = [record.getMessage() for record in caplog.records]
    assert "state: what other proxies did with the spool could not be applied" in told


async def test_without_a_listener_and_before_all_was_read_nothing_is_told(place: Place, tmp_path: Path) -> None:
    store = redis_store(place)
    await store.open()
    heard: list[SpoolNews] = []
    store.backend.spool.on_news = heard.append
    async with proxies(place, tmp_path) as (other,):
        await other.save(kept("01"))
        await store.save([], [], [], [kept("03")])
        await other.knows("03")
        assert await store.backend.spool.content("none") is None
        assert heard == []
        assert [entry.id for entry in await store.backend.spool.entries()] == ["01", "03"]
        assert heard == []
        store.backend.spool.on_news = None
        await other.save(kept("02"))
        heard.clear()
        store.backend.spool.on_news = heard.append
        await other.save(kept("04"))
        await until(lambda: any(entry.id == "04" for news in heard for entry in news.entries))
    await store.close()


# Contents --------------------------------------------------------------------------------------------------


async def test_a_large_body_goes_by_way_of_files_that_leave_nothing(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        body = a_body(first.spool.folder, DATA)
        await first.save(kept("01", body))
        await second.knows("01")
        content = await second.spool.content("01")
        assert content is not None
        assert isinstance(content.body, Path)
        assert content.body.parent == second.spool.folder
        assert (content.head, content.body.read_bytes()) == (b"POST /01 HTTP/1.1\r\n", DATA)
        second.spool.release(content)
        second.spool.release(Content(b"", b"small"))
        assert client.ttl(names.body("01")) == -1
        await second.save(Removed("01"))
        await until(lambda: not list(first.spool.folder.iterdir()) and not list(second.spool.folder.iterdir()))
        await first.knows()
        assert list(client.scan_iter(f"{place.prefix}spool*")) == []
        assert first.spool.contents.uploaded == {}


async def test_that_another_removed_it_is_told_before_its_content_is_missed(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    client.hset(names.spool, "01", write_entry(an_entry("01")))
    async with proxies(place, tmp_path) as (proxy,):
        client.delete(names.spool)  # and the stream has not told it yet
        assert await proxy.spool.content("01") is None
        assert proxy.news == [SpoolNews(removed=["01"])]
        client.hset(names.spool, "02", write_entry(an_entry("02")))
        assert await proxy.spool.content("02") is None, "its content is gone, it is not"
        assert len(proxy.news) == 1


async def test_where_a_large_body_does_not_get_there_nothing_is_kept(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names
) -> None:
    ask = Link.ask

    async def full(self: Link, *commands: Any) -> list[Any]:
        if commands[0][0] == "APPEND":
            return [redis.exceptions.ResponseError("OOM command not allowed when used memory > 'maxmemory'.")]
        return await ask(self, *commands)

    async with proxies(place, tmp_path) as (proxy,):
        body = a_body(proxy.spool.folder, DATA)
        with monkeypatch.context() as patch:
            patch.setattr(Link, "ask", full)
            with pytest.raises(StoreError, match=r"^memory full: "):
                await proxy.store.save([a_record("sales")], [], [], [kept("01", body)])
        await until(lambda: not body.exists())
        await proxy.save(Removed("01"))
        assert proxy.store.healthy
        assert not client.exists(names.records, names.spool, names.spool_contents)


async def test_an_upload_that_expired_is_brought_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path) as (proxy,):
        stage = proxy.spool.contents.stage

        async def staged(ops: Any) -> None:
            await stage(ops)
            client.delete(names.upload("01"))

        monkeypatch.setattr(proxy.spool.contents, "stage", staged)
        await proxy.save(kept("01", a_body(proxy.spool.folder, DATA)), kept("02", DATA))
        assert client.get(names.body("01")) == client.get(names.body("02")) == DATA


@pytest.mark.parametrize("gone", ["the file", "what was uploaded, each time"])
async def test_a_large_body_that_is_gone_is_told_and_all_else_is_kept(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names, gone: str
) -> None:
    async with proxies(place, tmp_path) as (proxy,):
        contents = proxy.spool.contents
        stage, put = contents.stage, contents.put
        body = a_body(proxy.spool.folder, DATA)

        async def staged(ops: Any) -> None:
            await stage(ops)
            client.delete(names.upload("01"))
            if gone == "the file":
                body.unlink()

        async def forgotten(op: Any) -> None:
            await put(op)
            client.delete(names.upload("01"))

        monkeypatch.setattr(contents, "stage", staged)
        monkeypatch.setattr(contents, "put", forgotten)
        with pytest.raises(StoreError, match=r"^the bodies of 1 event of the spool are gone from .*proxy0"):
            await proxy.store.save([a_record("sales")], [], [], [kept("01", body), kept("02")])
        await until(lambda: caught_up(proxy.store))
        assert client.hkeys(names.spool) == [b"02"]
        assert client.hexists(names.records, "sales")
        await until(lambda: not body.exists())


async def test_what_was_uploaded_for_nothing_expires(place: Place, tmp_path: Path, client: Any, names: Names) -> None:
    """A proxy that dies between the upload and the commit leaves nothing that stays."""
    async with proxies(place, tmp_path) as (proxy,):
        await proxy.store.backend.stage([kept("01", DATA)])
    assert 0 < client.ttl(names.upload("01")) <= 600
    client.pexpire(names.upload("01"), 1)
    while client.exists(names.upload("01")):
        pass
    assert not client.exists(names.spool)


# One commit ------------------------------------------------------------------------------------------------


async def test_an_entry_comes_after_what_it_changed_in_the_map(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path) as (proxy,):
        await proxy.save(kept("00"))
        client.xtrim(names.changes, maxlen=0)
        records = [a_record(f"s{number}") for number in range(70)]
        await proxy.store.save(
            records, ["gone"], [a_change("s0")] * 200, [kept("01"), Removed("00"), Moved(an_entry("01", attempts=1))]
        )
        kinds = [b"".join(sorted(members.keys() - {b"w"})) for _, members in client.xrange(names.changes)]
        assert kinds == [b"x", *[b"rs"] * 70, b"fs", b"e"] or kinds == [b"x", b"fs", *[b"rs"] * 70, b"e"]
        assert client.hgetall(names.spool) == {b"01": write_entry(an_entry("01", attempts=1))}
        assert client.zcard(names.history) == 200
        assert proxy.store.backlog == 0


async def test_a_conflict_over_a_record_costs_no_entry_and_keeps_none_twice(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        for number in range(10):
            await asyncio.gather(*(
                proxy.store.save(
                    [a_record("sales", heard_at=NOW + number)], [], [], [kept(f"{number}-{index}")]
                )
                for index, proxy in enumerate((first, second))
            ))  # fmt: skip
        sharing = [proxy.store.sharing for proxy in (first, second)]
        assert sum(one.conflicts for one in sharing if one is not None) > 0
        assert client.hlen(names.spool) == 20
        await first.until(lambda: len(first.known) == 10)
        await second.until(lambda: len(second.known) == 10)


async def test_a_burst_shares_few_round_trips(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    ask = Link.ask

    async def asking(self: Link, *commands: Any) -> list[Any]:
        asked.extend(command for command in commands if command[0] == "EVALSHA")
        return await ask(self, *commands)

    async with proxies(place, tmp_path) as (proxy,):
        monkeypatch.setattr(Link, "ask", asking)
        await asyncio.gather(*(proxy.save(kept(f"{number:03}")) for number in range(128)))
        assert len(asked) <= 5
        assert await proxy.spool.content("127") is not None


@pytest.mark.parametrize("body", [b"small", DATA])
async def test_an_entry_whose_answer_was_lost_is_kept_once(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names, body: bytes
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        lost = losing(monkeypatch, "put")
        await first.save(kept("01", body))
        assert lost
        assert first.store.healthy
        await second.knows("01")
        assert client.hlen(names.spool) == 1
        content = await second.spool.content("01")
        assert content is not None
        found = content.body if isinstance(content.body, bytes) else content.body.read_bytes()
        assert found == body
        lost.clear()
        await first.save(Removed("01"))
        await second.knows()


@pytest.mark.slow
async def test_a_connection_that_is_killed_in_the_middle_of_a_keep_is_noticed_by_nobody(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        for number in range(10):
            keeping = [asyncio.ensure_future(first.save(kept(f"{number:02}-{part}"))) for part in range(5)]
            keeping.append(asyncio.ensure_future(first.save(kept(f"{number:02}-large", DATA))))
            for connection in client.client_list():
                if connection["name"] == "statusproxy":
                    client.client_kill_filter(_id=connection["id"])
            await asyncio.gather(*keeping, return_exceptions=True)
        kept_ = {id_.decode() for id_ in client.hkeys(names.spool)}
        await second.until(lambda: set(second.known) == kept_)


# A server that goes away -----------------------------------------------------------------------------------


@pytest.mark.slow
async def test_what_was_kept_survives_kill_9_of_the_server(server: RedisServer, tmp_path: Path) -> None:
    acknowledged: set[str] = set()

    async def keep(proxy: Proxy, number: int) -> None:
        id_ = f"{number:03}"
        try:
            await proxy.save(kept(id_, DATA if number % 10 == 0 else b"{}"))
        except StoreError:
            return
        acknowledged.add(id_)

    async with proxies(server.place, tmp_path, 2) as (first, second):
        keeping = [asyncio.ensure_future(keep((first, second)[number % 2], number)) for number in range(100)]
        await until(lambda: len(acknowledged) > 20)
        server.stop(signal.SIGKILL)
        await asyncio.gather(*keeping)
        server.start()
        await until(lambda: caught_up(first.store) and caught_up(second.store))
        with server.client() as client:
            there = {id_.decode() for id_ in client.hkeys("statusproxy:spool")}  # type: ignore[union-attr]
        assert acknowledged <= there
        for id_ in sorted(acknowledged):
            assert await first.spool.content(id_) is not None
        assert first.lost == second.lost == []


async def test_while_the_server_is_away_nothing_is_kept_and_afterwards_all_goes_on(
    server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxies(server.place, tmp_path, 2) as (first, second):
        await first.save(kept("01"))
        await second.knows("01")
        server.stop()
        for body in (b"{}", DATA, a_body(first.spool.folder, DATA)):
            with pytest.raises(StoreError):
                await first.save(kept("02", body))
            with pytest.raises(StoreError, match="tried again"):
                await first.save(Removed("02"))  # its sender was told that it is not kept
        with pytest.raises(StoreError, match="no connection"):
            await second.spool.content("01")
        with pytest.raises(StoreError, match="no connection"):
            await second.store.backend.claims.claim("spool:gateway")
        with pytest.raises(StoreError, match="tried again"):
            await second.save(Moved(an_entry("01", attempts=7)))
        server.start()
        await until(lambda: caught_up(first.store) and caught_up(second.store))
        await first.until(lambda: first.known.get("01") == an_entry("01", attempts=7))
        assert [entry.id for entry in await first.spool.entries()] == ["01"]
        assert await second.spool.content("01") is not None
        assert await second.store.backend.claims.claim("spool:gateway") is not None
        await until(lambda: not list(first.spool.folder.iterdir()))
        assert first.lost == second.lost == []


async def test_the_journal_has_the_state_and_nothing_of_the_spool(server: RedisServer, tmp_path: Path) -> None:
    async with proxies(server.place, tmp_path) as (proxy,):
        await proxy.save(kept("01"))
        server.stop()
        with pytest.raises(StoreError, match="kept in"):
            await proxy.store.save([a_record("sales")], [], [], [kept("02"), Removed("01"), Moved(an_entry("03"))])
    (journal,) = (tmp_path / "proxy0").glob("*.journal")
    assert b"sales" in journal.read_bytes()
    assert journal.read_bytes().count(b"\n") == 2
    server.start()
    async with proxies(server.place, tmp_path) as (proxy,):
        assert sorted(proxy.known) == ["01"], "its removal was lost: it is delivered twice"
        with server.client() as client:
            assert client.hkeys("statusproxy:records") == [b"sales"]


async def test_a_server_that_is_away_at_the_start_is_read_when_it_is_back(server: RedisServer, tmp_path: Path) -> None:
    async with proxies(server.place, tmp_path) as (proxy,):
        await proxy.save(kept("01"))
    server.stop()
    store = redis_store(server.place, journal=tmp_path / "later")
    await store.open()
    proxy = Proxy(store)
    with pytest.raises(NotAttachedError, match=r"is not open yet$"):
        await proxy.begin()
    server.start()
    await until(lambda: caught_up(store))
    await proxy.begin()
    assert sorted(proxy.known) == ["01"]
    await store.close()
    with pytest.raises(StoreError, match=r"closed$"):
        await proxy.spool.content("01")
    with pytest.raises(StoreError, match=r"closed$"):
        await proxy.begin()


async def cut_and_changed(client: Any, names: Names, *commands: Callable[[], Any]) -> None:
    """This happens, the stream of changes forgets it, and all connections of proxies are cut."""
    for command in commands:
        command()
    client.xtrim(names.changes, maxlen=0, approximate=False)
    client.client_kill_filter(_type="normal", skipme=True)


async def test_after_an_absence_that_the_stream_does_not_cover_all_is_compared(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path) as (proxy,):
        await proxy.save(*(kept(f"{number:03}") for number in range(450)))
        proxy.known = {entry.id: entry for entry in await proxy.spool.entries()}
        moved = an_entry("401", attempts=9)
        await cut_and_changed(
            client, names,
            lambda: client.hdel(names.spool, *(f"{number:03}" for number in range(400))),
            lambda: client.hset(names.spool, "500", write_entry(an_entry("500"))),
            lambda: client.hset(names.spool, "401", write_entry(moved)),
            lambda: client.xadd(names.changes, {"w": "other", "x": "000"}),
        )  # fmt: skip
        client.xadd(names.changes, {"w": "other", "x": "001"})
        await proxy.knows(*(f"{number:03}" for number in range(400, 450)), "500")
        assert proxy.known["401"] == moved
        assert proxy.lost == []
        assert max(len(news.removed) for news in proxy.news) == 200, "some at a time"
        assert max(len(news.entries) for news in proxy.news) <= 200


async def test_much_that_is_gone_is_told_in_steps_that_let_others_run(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    client.hset(names.spool, mapping={f"{number:03}": write_entry(an_entry(f"{number:03}")) for number in range(450)})
    async with proxies(place, tmp_path, report_every=3600.0) as (proxy,):
        order: list[str] = []

        def note(_: SpoolNews) -> None:
            order.append("news")
            asyncio.get_running_loop().call_soon(order.append, "a turn of others")

        proxy.spool.on_news = note
        client.delete(names.spool)
        await proxy.spool.read_all(keys_of(proxy))
        assert order == ["news", "a turn of others"] * 3


async def test_a_row_that_cannot_be_read_is_set_aside_and_told(
    place: Place, tmp_path: Path, client: Any, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    client.hset(names.spool, mapping={"01": "{", "02": write_entry(an_entry("02"))})
    async with proxies(place, tmp_path) as (proxy,):
        assert sorted(proxy.known) == ["02"]
        told = f"state: {place}: the row of the spool's event 01 cannot be read; it was moved to the key"
        assert f"{told} {place.prefix}rejected" in caplog.text
        assert client.hvals(names.rejected) == [b"{"]
        client.hset(names.spool, "03", "{")
        await cut_and_changed(client, names)
        await until(lambda: "event 03 cannot be read" in caplog.text)


# A server that lost its data -----------------------------------------------------------------------------


async def test_a_loss_that_was_seen_stays_one_until_all_is_read(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01"))
        client.hdel(names.spool, "01")
        client.xtrim(names.changes, maxlen=0, approximate=False)
        await proxy.spool.judge(keys_of(proxy), BEGINNING)
        client.xadd(names.changes, {"w": "other", "x": "none"})  # others go on, and the connection was lost again
        await proxy.spool.judge(keys_of(proxy), BEGINNING)
        await proxy.spool.read_all(keys_of(proxy))
        assert proxy.lost == ["01"]


async def test_what_was_written_before_all_was_read_again_is_not_missed_later(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    """Its place in the stream is of a memory that is gone: the next one may begin with earlier places."""
    async with proxies(place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01"))
        client.delete(names.changes)
        client.xadd(names.changes, {"w": "other", "x": "none"}, id="1-1")
        await proxy.spool.read_all(keys_of(proxy))
        client.hdel(names.spool, "01")
        await proxy.spool.judge(keys_of(proxy), (1, 1))
        await proxy.spool.read_all(keys_of(proxy))
        assert proxy.news[-1] == SpoolNews(removed=["01"])


@pytest.mark.slow
async def test_what_a_server_lost_with_its_memory_is_told_as_lost(server: RedisServer, tmp_path: Path) -> None:
    async with proxies(server.place, tmp_path, 2, report_every=0.05) as (first, second):
        await first.save(*(kept(f"{number:03}") for number in range(250)))
        first.known = {entry.id: entry for entry in await first.spool.entries()}
        await second.until(lambda: len(second.known) == 250)
        assert await first.store.backend.claims.claim("spool:gateway") is not None
        with server.client() as client:
            client.flushall()
            for proxy in (first, second):
                await proxy.until(lambda: len(proxy.lost) == 250)  # noqa: B023 - waited for here
                assert max(len(news.lost) for news in proxy.news) == 200
                assert proxy.known == {}
                await proxy.save(Removed("none"))  # it is attached again
            assert await second.store.backend.claims.claim("spool:gateway") is None, "for a lease"
            assert await first.store.backend.claims.claim("spool:gateway") is not None
        await second.save(kept("300"))
        await first.knows("300")


async def test_a_memory_that_is_another_is_noticed_by_who_reads_a_content(server: RedisServer, tmp_path: Path) -> None:
    async with proxies(server.place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01"))
        proxy.known["01"] = an_entry("01")
        with server.client() as client:
            client.flushall()
        with pytest.raises(StoreError, match=r"the server lost its data$"):
            await proxy.spool.content("01")
        await proxy.knows()
        assert proxy.lost == ["01"]


@pytest.mark.parametrize("body", [b"small", DATA])
async def test_a_memory_that_was_noticed_meanwhile_is_no_reason_to_connect_anew(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    async with proxies(server.place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01", body))
        find = proxy.spool.contents.find

        async def finding(id_: str) -> Any:
            with server.client() as client:
                client.set("statusproxy:epoch", "another")
            found = await find(id_)
            await proxy.save(Removed("none"))
            return found

        monkeypatch.setattr(proxy.spool.contents, "find", finding)
        with pytest.raises(StoreError, match=r"the server lost its data$"):
            await proxy.spool.content("01")
        assert proxy.store.backend._lost is None
        await until(lambda: not list(proxy.spool.folder.iterdir()))


@pytest.mark.parametrize("noticed_by", ["a save", "a claim"])
async def test_a_memory_that_is_another_is_noticed_by_who_writes(
    server: RedisServer, tmp_path: Path, noticed_by: str
) -> None:
    async with proxies(server.place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01"), kept("02", DATA))
        proxy.known = {entry.id: entry for entry in await proxy.spool.entries()}
        with server.client() as client:
            client.flushall()
            if noticed_by == "a save":
                body = a_body(proxy.spool.folder, DATA)
                await proxy.save(kept("03"), kept("04", body))
                assert sorted(client.hkeys("statusproxy:spool")) == [b"03", b"04"]
            else:
                with pytest.raises(StoreError, match=r"the server lost its data$"):
                    await proxy.store.backend.claims.claim("spool:gateway")
            await proxy.knows()
        assert sorted(proxy.lost) == ["01", "02"]


async def test_a_server_that_went_back_has_lost_what_it_had_later(
    place: Place, tmp_path: Path, client: Any, names: Names
) -> None:
    """A new master that lacks the last changes, or an older snapshot: the same epoch, a shorter stream."""
    async with proxies(place, tmp_path) as (proxy,):
        await proxy.save(kept("01"))
        await proxy.save(kept("02"))
        proxy.known = {entry.id: entry for entry in await proxy.spool.entries()}
        newest = client.xrevrange(names.changes, count=1)[0][0]
        client.hdel(names.spool, "02")
        client.xdel(names.changes, newest)
        client.client_kill_filter(_type="normal", skipme=True)
        await proxy.knows("01")
        assert proxy.lost == ["02"]


# Reading all while others write ----------------------------------------------------------------------------


def between(monkeypatch: pytest.MonkeyPatch, proxy: Proxy, *steps: Callable[[], Any]) -> None:
    """After each part of all entries that is read, the next of these is done."""
    ask, left = proxy.store.backend._side.ask, list(steps)

    async def asking(*commands: Any) -> list[Any]:
        replies = await ask(*commands)
        if commands[0][0] == "HSCAN" and left:
            await left.pop(0)()
        return replies

    monkeypatch.setattr(proxy.store.backend._side, "ask", asking)


async def test_what_happens_while_all_is_read_is_in_what_is_given(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxies(place, tmp_path, 2) as (first, second):
        await first.save(kept("01"), kept("02"), kept("04"))
        await second.knows("01", "02", "04")

        async def others() -> None:
            await first.save(kept("03"), Removed("02"), Moved(an_entry("04", attempts=5)))
            await until(lambda: len(second.spool._meanwhile or ()) == 3)

        between(monkeypatch, second, others)
        second.news.clear()
        assert await second.spool.entries() == [an_entry("01"), an_entry("03"), an_entry("04", attempts=5)]
        assert second.news == []
        await first.save(Removed("03"))
        await second.until(lambda: SpoolNews([], ["03"]) in second.news)


async def test_what_happens_while_all_is_read_for_the_first_time_is_in_what_is_given(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxies(place, tmp_path) as (first,):
        await first.save(kept("01"), kept("02"))
        second = Proxy(redis_store(place, journal=tmp_path / "second"))
        await second.store.open()

        async def others() -> None:
            await first.save(kept("03"), Removed("02"))
            await until(lambda: len(second.spool._meanwhile or ()) == 2)

        between(monkeypatch, second, others)
        assert await second.spool.entries() == [an_entry("01"), an_entry("03")]
        await second.store.close()


async def test_an_error_that_the_server_answers_at_the_end_of_the_reading_is_told(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path, report_every=3600.0) as (proxy,):

        async def spoil() -> None:
            client.delete(names.epoch)
            client.hset(names.epoch, "a", "b")

        between(monkeypatch, proxy, spoil)
        with pytest.raises(StoreError, match="wrong kind"):
            await proxy.begin()


async def test_a_memory_that_is_lost_while_all_is_read_is_told(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with proxies(server.place, tmp_path, report_every=3600.0) as (proxy,):
        await proxy.save(kept("01"))

        async def lose() -> None:
            with server.client() as client:
                client.flushall()

        between(monkeypatch, proxy, lose)
        with pytest.raises(StoreError, match="changed while the spool was read"):
            await proxy.begin()
        await proxy.save()
        await proxy.save(kept("02"))
        await proxy.begin()
        assert sorted(proxy.known) == ["02"]


async def test_a_connection_that_is_made_anew_while_all_is_read_begins_it_anew(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any, names: Names
) -> None:
    async with proxies(place, tmp_path) as (proxy,):
        await proxy.save(kept("01"))

        async def cut() -> None:
            await cut_and_changed(client, names)
            await until(lambda: proxy.spool._meanwhile is None)

        between(monkeypatch, proxy, cut)
        with pytest.raises(StoreError, match="changed while the spool was read"):
            await proxy.begin()
        await proxy.begin()
        assert sorted(proxy.known) == ["01"]
