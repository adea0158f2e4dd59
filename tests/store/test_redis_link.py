"""One connection to a Redis server: replies in their order, errors as values, nothing without a bound."""

import asyncio
import signal
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis.exceptions
import uvloop
from redis.asyncio import Connection

from statusproxy.config.state_url import Place
from statusproxy.store.redis_link import Link, raise_first
from tests.ports import free_port
from tests.proxy.loop_clock import LoopClock
from tests.waiting import until

from .redis_server import RedisServer, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


async def test_replies_come_in_order_an_error_among_them_as_a_value(redis_server: RedisServer) -> None:
    link = await Link.open(redis_server.place, 2)
    said, refused, again = await link.ask(("ECHO", "a"), ("NO_SUCH_COMMAND",), ("ECHO", b"\xff"))
    assert (said, again) == (b"a", b"\xff")
    assert isinstance(refused, redis.exceptions.ResponseError)
    await link.close()


async def test_the_database_of_the_url_is_the_one_that_is_used(server: RedisServer) -> None:
    link = await Link.open(Place("127.0.0.1", server.port, database=3), 2)
    await link.ask(("SET", "key", "value"))
    await link.close()
    with server.client(db=3) as client:
        assert client.get("key") == b"value"


async def test_user_and_password_are_given_and_a_wrong_one_is_refused(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "proxy", "on", ">hunter2", "~*", "+@all")  # type: ignore[no-untyped-call]
    link = await Link.open(Place("127.0.0.1", server.port, user="proxy", password="hunter2"), 2)
    assert await link.ask(("ACL", "WHOAMI")) == [b"proxy"]
    await link.close()
    with pytest.raises(redis.exceptions.AuthenticationError):
        await Link.open(Place("127.0.0.1", server.port, user="proxy", password="wrong"), 2)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_that_the_server_has_reset_meanwhile_is_an_error_of_the_server(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def asked() -> None:
        link = await Link.open(Place("127.0.0.1", listening.getsockname()[1]), 2)
        accepted, _ = listening.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        for _ in range(10):  # the loop hears of it
            await asyncio.sleep(0)
        with pytest.raises((redis.exceptions.RedisError, OSError)):
            await link.ask(("ECHO", "a"))
        await link.close()

    with socket.create_server(("127.0.0.1", 0)) as listening, asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asked())


async def test_a_server_that_says_nothing_is_not_waited_for(server: RedisServer, loop_clock: LoopClock) -> None:
    link = await Link.open(server.place, 60)
    server.tell(signal.SIGSTOP)
    asking = asyncio.ensure_future(link.ask(("ECHO", "a")))
    while not asking.done():
        await loop_clock.move(30)
    with pytest.raises(redis.exceptions.TimeoutError, match=r" for 60 s while waiting for a reply$"):
        await asking
    server.tell(signal.SIGCONT)
    await link.close()


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancellation_is_not_lost_at_whatever_moment_it_comes(redis_server: RedisServer, turns: int) -> None:
    link = await Link.open(redis_server.place, 60)
    asking = asyncio.ensure_future(link.ask(("BLPOP", "no-such-list", 0)))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    for _ in range(12):
        await asyncio.sleep(0)
    assert asking.cancelled()
    await link.close()


async def test_a_server_that_takes_nothing_is_not_waited_for(server: RedisServer, loop_clock: LoopClock) -> None:
    link = await Link.open(server.place, 60)
    server.tell(signal.SIGSTOP)
    asking = asyncio.ensure_future(link.ask(("ECHO", b"a" * 50_000_000)))
    while not asking.done():
        await loop_clock.move(30)
    with pytest.raises(redis.exceptions.TimeoutError, match=r"^nothing from 127\.0\.0\.1:\d+ for 60 s while sending$"):
        await asking
    server.tell(signal.SIGCONT)
    with server.client() as client:  # the loop closes the socket when all is sent
        await until(lambda: client.info("clients")["connected_clients"] == 1)


async def test_a_server_that_says_nothing_to_who_connects_is_not_waited_for(loop_clock: LoopClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        opening = asyncio.ensure_future(Link.open(Place("127.0.0.1", silent.getsockname()[1], database=3), 60))
        while not opening.done():
            await loop_clock.move(30)
        with pytest.raises(redis.exceptions.TimeoutError, match=r" for 60 s while connecting$"):
            await opening
        for _ in range(3):  # the loop closes the socket
            await asyncio.sleep(0)


async def test_a_server_that_is_not_there_is_no_connection(server: RedisServer) -> None:
    server.stop()
    with pytest.raises(redis.exceptions.ConnectionError):
        await Link.open(server.place, 2)


async def test_closing_twice_is_no_error_and_waits_for_nothing(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    disconnect = Connection.disconnect

    async def noting(connection: Connection, nowait: bool = False, **more: Any) -> None:
        waits.append(not nowait)
        await disconnect(connection, nowait=nowait, **more)

    link = await Link.open(redis_server.place, 2)
    monkeypatch.setattr(Connection, "disconnect", noting)
    await link.close()
    await link.close()
    assert waits == [False, False]


@pytest.mark.parametrize("answer", [b"-ERR DB index is out of range\r\n", None])
async def test_an_old_server_is_asked_nothing_it_does_not_know_and_what_fails_ends_the_connection(
    answer: bytes | None,
) -> None:
    """HELLO and CLIENT SETINFO are newer than some servers."""
    said, asked, ended = bytearray(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said.extend(await reader.readuntil(b"3\r\n"))
        writer.write(answer or b"")
        asked.set()
        assert await reader.read() == b""
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    opening = asyncio.ensure_future(Link.open(Place("127.0.0.1", server.sockets[0].getsockname()[1], database=13), 60))
    await asked.wait()
    if answer is None:
        opening.cancel()
    with pytest.raises((redis.exceptions.RedisError, asyncio.CancelledError)):
        await opening
    await ended.wait()
    assert said == b"*2\r\n$6\r\nSELECT\r\n$2\r\n13\r\n"
    server.close()


def test_the_first_error_among_replies_is_raised() -> None:
    raise_first([b"a", None, 1])
    first, second = redis.exceptions.ResponseError("first"), redis.exceptions.ResponseError("second")
    with pytest.raises(redis.exceptions.ResponseError, match="first"):
        raise_first([b"a", first, second])


# Sentinels ----------------------------------------------------------------------------------------------------


class Answers:
    """A server that gives the same answers to each connection, by the command's first word."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self.asked: list[bytes] = []
        self.serving: list[asyncio.Task[None]] = []
        self._answers = answers

    def begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                count = int((await reader.readuntil(b"\r\n"))[1:])
                words = []
                for _ in range(count):
                    size = int((await reader.readuntil(b"\r\n"))[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                self.asked.append(b" ".join(words))
                writer.write(self._answers.get(words[0], b"+OK\r\n"))
        writer.close()


@asynccontextmanager
async def answering(answers: dict[bytes, bytes]) -> AsyncIterator[tuple[Answers, int]]:
    stand_in = Answers(answers)
    server = await asyncio.start_server(stand_in.begin, "127.0.0.1", 0)
    try:
        yield stand_in, server.sockets[0].getsockname()[1]
        await asyncio.gather(*stand_in.serving)  # all that connected have left
    finally:
        server.close()


def names(port: int) -> dict[bytes, bytes]:
    """A Sentinel's answers."""
    return {b"SENTINEL": b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%d\r\n" % (len(str(port)), port), b"PING": b"+PONG\r\n"}


def told_by(*ports: int, **more: Any) -> Place:
    sentinels = tuple(("127.0.0.1", port) for port in ports)
    return Place(*sentinels[0], sentinels=sentinels, master="site", **more)


MASTER = {b"ROLE": b"*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"}
REPLICA = {b"ROLE": b"*1\r\n$5\r\nslave\r\n"}


async def test_the_first_sentinel_that_names_a_master_counts(redis_server: RedisServer) -> None:
    async with (
        answering(REPLICA) as (_, replica),
        answering(names(replica)) as (_, outdated),
        answering({b"SENTINEL": b"*-1\r\n"}) as (_, without),
        answering(names(redis_server.port)) as (sentinel, right),
    ):
        link = await Link.open(told_by(free_port(), without, outdated, right), 2)
        assert link.place == Place("127.0.0.1", redis_server.port, master="site")
        assert b"SENTINEL GET-MASTER-ADDR-BY-NAME site" in sentinel.asked
        assert await link.ask(("ECHO", "a")) == [b"a"]
        await link.close()


@pytest.mark.parametrize(("answers", "says"), [
    ({b"SENTINEL": b"*-1\r\n"}, "knows no master site"),
    ({b"SENTINEL": b"-ERR unknown command\r\n"}, "unknown command"),
])  # fmt: skip
async def test_where_none_names_one_the_last_says_why(answers: dict[bytes, bytes], says: str) -> None:
    async with answering(answers) as (_, port):
        with pytest.raises(redis.exceptions.RedisError, match=says):
            await Link.open(told_by(port), 2)


async def test_a_server_that_is_no_master_any_more_is_not_used() -> None:
    async with answering(REPLICA) as (_, replica), answering(names(replica)) as (_, port):
        with pytest.raises(redis.exceptions.ConnectionError, match="which is not a master"):
            await Link.open(told_by(port), 2)


async def test_a_sentinel_is_given_the_password_only_if_it_wants_one() -> None:
    async with answering(MASTER) as (master, server):
        async with answering(names(server)) as (open_one, port):
            await (await Link.open(told_by(port, password="hunter2"), 2)).close()
        assert not any(b"hunter2" in asked for asked in open_one.asked)
        with pytest.raises(redis.exceptions.AuthenticationError):
            async with answering({b"PING": b"-NOAUTH Authentication required.\r\n"}) as (without, port):
                await Link.open(told_by(port), 2)
        assert without.asked == [b"PING"]
        closed = names(server) | {b"PING": b"-NOAUTH Authentication required.\r\n"}
        async with answering(closed) as (guarded, port):
            await (await Link.open(told_by(port, password="hunter2"), 2)).close()
        assert b"AUTH hunter2" in guarded.asked
    assert master.asked.count(b"AUTH hunter2") == 2


async def test_a_server_that_does_not_tell_its_role_is_used() -> None:
    refused = {b"ROLE": b"-NOPERM no permissions to run 'role'\r\n"}
    async with answering(refused) as (_, server), answering(names(server)) as (_, port):
        link = await Link.open(told_by(port), 2)
        assert link.place.port == server
        await link.close()


@pytest.mark.parametrize("of", ["a master", "a replica", "nobody", "a guarded one"])
async def test_no_connection_is_left_but_the_one_to_the_server(links: list[Link], of: str) -> None:
    role = REPLICA if of == "a replica" else MASTER
    async with answering(role) as (_, server):
        said = {b"SENTINEL": b"*-1\r\n"} if of == "nobody" else names(server)
        if of == "a guarded one":
            said |= {b"PING": b"-NOAUTH Authentication required.\r\n"}
        async with answering(said) as (_, port):
            link = None
            with suppress(redis.exceptions.ConnectionError):
                link = await Link.open(told_by(port, password="hunter2"), 2)
            assert [one for one in links if one._connection.is_connected] == ([] if link is None else [link])
            if link is not None:
                await link.close()
