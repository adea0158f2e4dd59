"""The pool: connections are kept, shared out in order, never too many, and no place is ever lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from statusproxy.proxy.upstream.connection import UpstreamConnection
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.limits import UpstreamLimits
from statusproxy.proxy.upstream.origin import Origin as Address
from statusproxy.proxy.upstream.pool import Pool
from tests.proxy.harness import OK, PATIENCE, Origin, Wire, get, running, until
from tests.proxy.held_origin import Held
from tests.proxy.loop_clock import LoopClock
from tests.proxy.upstream.fake_transport import FakeTransport


async def silent(wire: Wire) -> None:
    """A gateway that says nothing."""
    await wire.rest()


@pytest.fixture
async def pool(origin: Origin) -> AsyncIterator[Pool]:
    """A pool of two places."""
    made = pool_of(origin, 2)
    yield made
    made.abort()
    await until(lambda: made.in_use == 0)


def pool_of(origin: Origin, places: int, *, reserved: int = 0, per_client: int = 1000, connect: float = 30.0) -> Pool:
    """A pool of `places`."""
    limits = UpstreamLimits(upstream_connections=places, reserved=reserved, per_client=per_client, connect=connect)
    return Pool(Address("127.0.0.1", origin.port), limits)


async def ask(pool: Pool, connection: UpstreamConnection) -> None:
    """One whole exchange on `connection`."""
    connection.begin(head_only=False)
    connection.write(get(), last=True)
    assert (await connection.head()).status == 200
    assert await connection.answer.read() == b"ok"
    assert await connection.answer.read() == b""


async def test_a_connection_given_back_goes_to_the_first_who_waits_and_not_to_a_newcomer(pool: Pool) -> None:
    first, second = await pool.acquire(), await pool.acquire()
    await ask(pool, first)
    waits = asyncio.create_task(pool.acquire())
    await until(lambda: pool.waiting == 1)
    pool.release(first)
    assert pool.take() is None, "a newcomer, before the one who waits has run"
    late = asyncio.create_task(pool.acquire())
    assert await waits is first
    assert not late.done()
    second.abort()
    pool.release(second)
    assert (await late).used == 0
    assert pool.in_use == 2


async def test_those_who_wait_are_served_in_order(origin: Origin) -> None:
    pool = pool_of(origin, 1)
    held, served = await pool.acquire(), list[int]()

    async def come(number: int) -> None:
        connection = await pool.acquire()
        served.append(number)
        await ask(pool, connection)
        pool.release(connection)

    tasks = [asyncio.create_task(come(number)) for number in range(20)]
    await until(lambda: pool.waiting == 20)
    held.abort()
    pool.release(held)
    await asyncio.gather(*tasks)
    assert served == list(range(20))
    pool.abort()


async def test_who_leaves_at_the_moment_it_is_served_hands_its_connection_on(pool: Pool) -> None:
    first, _ = await pool.acquire(), await pool.acquire()
    await ask(pool, first)
    leaves, waits = asyncio.create_task(pool.acquire()), asyncio.create_task(pool.acquire())
    await until(lambda: pool.waiting == 2)
    pool.release(first)
    leaves.cancel()
    assert await asyncio.wait_for(waits, PATIENCE) is first
    assert leaves.cancelled()


async def test_a_place_comes_back_where_connecting_was_given_up(origin: Origin) -> None:
    """A client that leaves while its request is connecting once left the next one waiting for nothing."""
    pool = pool_of(origin, 1)
    leaves = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)  # it has begun to connect
    waits = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    leaves.cancel()
    connection = await asyncio.wait_for(waits, PATIENCE)
    assert pool.in_use == 1
    pool.release(connection)
    pool.abort()


async def test_a_place_comes_back_where_nobody_listens(origin: Origin) -> None:
    await origin.stop()
    pool = pool_of(origin, 1)
    for _ in range(5):
        with pytest.raises(UpstreamError, match="gateway_unreachable"):
            await pool.acquire(client="client")


async def test_an_idle_connection_that_dies_on_its_way_to_who_waits_costs_it_nothing(pool: Pool) -> None:
    first, _ = await pool.acquire(), await pool.acquire()
    await ask(pool, first)
    waits = asyncio.create_task(pool.acquire())
    await until(lambda: pool.waiting == 1)
    pool.release(first)
    first.abort()
    connection = await asyncio.wait_for(waits, PATIENCE)
    assert connection is not first
    assert not connection.closed


async def test_fresh_opens_a_connection_and_closes_the_one_idle_longest_where_there_is_no_room(pool: Pool) -> None:
    first, second = await pool.acquire(), await pool.acquire()
    for connection in (first, second):
        await ask(pool, connection)
        pool.release(connection)
    fresh = await pool.acquire(fresh=True)
    assert fresh not in {first, second}
    assert (first.closed, second.closed) == (True, False)
    assert (pool.in_use, pool.idle) == (1, 1)
    pool.release(fresh)


async def test_a_tunnel_gives_its_place_back_to_its_client_and_to_all(origin: Origin) -> None:
    pool = pool_of(origin, 1, per_client=1)
    tunnel = await pool.acquire(client="a")
    tunnel.begin(head_only=False)
    tunnel.tunnel(lambda _: None)
    other = await asyncio.wait_for(pool.acquire(client="a"), PATIENCE)
    assert pool.in_use == 2
    pool.release(tunnel)
    pool.release(other)
    await until(lambda: pool.in_use == 0)


async def test_a_tunnel_on_a_connection_that_is_lost_already_is_not_counted_for_ever(origin: Origin) -> None:
    pool = pool_of(origin, 1)
    connection = await pool.acquire()
    connection.begin(head_only=False)
    connection.abort()
    await until(lambda: pool.in_use == 0)
    ends: list[bytes | None] = []
    connection.tunnel(ends.append)
    pool.release(connection)
    assert (ends, pool.in_use) == ([None], 0)


async def test_a_connection_on_which_nothing_was_asked_is_not_kept(origin: Origin, pool: Pool) -> None:
    """A look whether the gateway can be reached opens one each time."""
    connection = await pool.acquire(fresh=True)
    pool.release(connection)
    assert (connection.closed, pool.idle) == (True, 0)


async def test_a_connection_taken_and_given_back_unused_is_kept(pool: Pool) -> None:
    first = await pool.acquire()
    await ask(pool, first)
    pool.release(first)
    assert pool.take() is first
    pool.release(first)
    assert await pool.acquire() is first


# ---- one client among many ----


async def test_one_client_cannot_hold_all_places_and_what_it_has_too_many_waits_or_is_told(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    """Slow requests of one address leave room for others', and for its own lists and webhooks."""
    held = Held(origin, b"/slow")
    limits = {"upstream_connections": 8, "reserved": 2, "per_client": 3}
    async with running(tmp_path, origin.url, limits=limits, timeouts={"connect": "5s"}) as proxy:
        slow = [await proxy.connect() for _ in range(5)]
        for wire in slow[:3]:
            await wire.send(get("/slow", "X-Forwarded-For: 203.0.113.1"))
        await origin.received(3)
        await slow[4].send(get("/", "X-Forwarded-For: 203.0.113.1"))
        await until(lambda: proxy.server.proxy.site.pool.waiting == 1)
        await loop_clock.move(6)
        assert (await slow[4].message()).status == 503
        assert (await proxy.ask(get("/", "X-Forwarded-For: 203.0.113.2"))).status == 200
        assert (await proxy.ask(get("/api/channels", "X-Forwarded-For: 203.0.113.1"))).status == 200
        event = get("/v1/webhooks/receive", "X-Forwarded-For: 203.0.113.1", method="POST", body=b"{}")
        assert (await proxy.ask(event)).status == 200
        await slow[3].send(get("/slow", "X-Forwarded-For: 203.0.113.1"))
        await until(lambda: proxy.server.proxy.site.pool.waiting == 1)
        held.let_go.set()
        assert [(await wire.message()).status for wire in slow[:4]] == [200] * 4


async def test_places_are_kept_for_webhooks_and_lists_whoever_holds_the_others(
    origin: Origin, tmp_path: Path, loop_clock: LoopClock
) -> None:
    origin.script = silent
    limits = {"upstream_connections": 4, "reserved": 1}
    async with running(tmp_path, origin.url, limits=limits, timeouts={"connect": "5s"}) as proxy:
        pool = proxy.server.proxy.site.pool
        wires = [await proxy.connect() for _ in range(5)]
        for number, wire in enumerate(wires):
            await wire.send(get("/slow", f"X-Forwarded-For: 203.0.113.{number}"))
            await until(lambda number=number: pool.in_use + pool.waiting == number + 1)
        await until(lambda: origin.connections == 3)
        await loop_clock.move(6)
        assert [(await wires[n].message()).status for n in (3, 4)] == [503, 503]
        origin.script = origin.serve
        assert (await proxy.ask(get("/api/channels"))).status == 200
        assert (await proxy.ask(get("/v1/webhooks/receive", method="POST", body=b"{}"))).status == 200


# ---- a pool whose connections are made up ----


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeTransport]:
    """The transports of the connections that were opened; their pool may be of any origin."""
    transports: list[FakeTransport] = []

    async def connect(self: Address, make: Callable[[], UpstreamConnection], limit: float | None) -> UpstreamConnection:
        connection = make()
        transports.append(FakeTransport())
        connection.connection_made(transports[-1])
        if self.host == "closes at once":
            connection.connection_lost(None)
        return connection

    monkeypatch.setattr(Address, "connect", connect)
    return transports


class Timers:
    """What the loop was asked to call later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.delays: list[float] = []
        self._handles: list[asyncio.TimerHandle] = []
        self._called: set[int] = set()
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def noted(delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
            number = len(self._handles)

            def called() -> None:
                self._called.add(number)
                callback(*arguments)

            self.delays.append(delay)
            self._handles.append(call_later(delay, called))
            return self._handles[-1]

        monkeypatch.setattr(loop, "call_later", noted)

    @property
    def pending(self) -> int:
        """How many are still to be called. Not by the clock: the loop calls what is due but for a rounding."""
        return sum(not handle.cancelled() and i not in self._called for i, handle in enumerate(self._handles))


def exchange(connection: UpstreamConnection) -> None:
    """One whole exchange on a made up connection."""
    connection.begin(head_only=False)
    connection.write(get(), last=True)
    connection.data_received(OK)


async def test_a_connection_that_closed_as_soon_as_it_was_open_takes_no_place(made: list[FakeTransport]) -> None:
    pool = Pool(Address("closes at once"), UpstreamLimits(upstream_connections=1, reserved=0))
    for _ in range(3):
        with pytest.raises(UpstreamError, match="closed as soon as it was open"):
            await pool.acquire()
    assert (pool.in_use, pool.opened) == (0, 0)


async def test_where_all_idle_connections_are_dead_none_is_taken_and_no_place(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0))
    connection = await pool.acquire()
    exchange(connection)
    pool.release(connection)
    assert pool.idle == 1
    connection.idle_limit = 0.0
    assert pool.take() is None
    assert await pool.acquire() is not connection
    assert pool.opened == 2


async def test_who_is_served_just_as_its_time_is_over_is_served(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0, connect=0.0))
    held = await pool.acquire()
    exchange(held)
    waits = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)  # it waits, and its time ends in the next turn
    assert pool.waiting == 1
    pool.release(held)
    assert await waits is held
    pool.abort()


async def test_who_may_have_a_place_that_those_before_it_may_not_have_waits_for_nobody(
    made: list[FakeTransport],
) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=2, reserved=1))
    await pool.acquire()
    waits = asyncio.create_task(pool.acquire())
    await until(lambda: pool.waiting == 1)
    await pool.acquire(reserved=True)
    assert (pool.in_use, pool.waiting) == (2, 1)
    waits.cancel()
    await asyncio.wait([waits])
    pool.abort()


@pytest.mark.parametrize("closed", [False, True])
async def test_what_was_given_to_one_who_left_at_that_moment_goes_to_the_next(
    made: list[FakeTransport], closed: bool
) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0))
    held = await pool.acquire()
    exchange(held)
    leaves = asyncio.create_task(pool.acquire())
    await until(lambda: pool.waiting == 1)
    pool.release(held)
    if closed:
        pool.close()
    leaves.cancel()
    await asyncio.wait([leaves])
    assert leaves.cancelled()
    assert (pool.in_use, pool.idle, held.closed) == (0, int(not closed), closed)
    pool.abort()


async def test_who_was_given_a_place_for_a_new_connection_and_left_gives_it_back(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0))
    held = await pool.acquire()
    leaves = asyncio.create_task(pool.acquire(fresh=True))
    await until(lambda: pool.waiting == 1)
    held.abort()
    held.connection_lost(None)
    leaves.cancel()
    await asyncio.wait([leaves])
    assert (await pool.acquire(), pool.in_use) != (held, 0)
    pool.abort()


@pytest.mark.usefixtures("made")
async def test_the_sweep_ends_what_is_overdue_and_goes_on_while_there_is_anything(
    loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers, pool = Timers(monkeypatch), Pool(Address(), UpstreamLimits(response_head=60.0))
    connection = await pool.acquire()
    connection.begin(head_only=False)
    connection.write(get(), last=True)
    task = asyncio.create_task(connection.head())
    await loop_clock.move(61.0)
    with pytest.raises(UpstreamError, match="gateway_timeout"):
        await task
    pool.release(connection)
    connection.connection_lost(None)
    await loop_clock.move(61.0)
    assert timers.pending == 0
    another = await pool.acquire()
    assert timers.pending == 1
    exchange(another)
    pool.release(another)
    another.idle_limit = -1.0
    await loop_clock.move(61.0)
    assert (pool.idle, another.closed, timers.pending) == (0, True, 0)


async def idle_ones(pool: Pool, count: int) -> list[UpstreamConnection]:
    """So many connections that are idle now, as far as the pool keeps them; the first was given back first."""
    connections = [await pool.acquire() for _ in range(count)]
    for connection in connections:
        exchange(connection)
    for connection in connections:
        pool.release(connection)
    return connections


async def test_who_asks_for_nothing_else_has_an_ordinary_place_without_a_look_at_the_connection(
    made: list[FakeTransport],
) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=2, reserved=1))
    connections = [await pool.acquire(), await pool.acquire(reserved=True)]
    for connection in connections:
        exchange(connection)
        pool.release(connection)
    assert [pool.take(), pool.take()] == [connections[1], None]
    pool.abort()


async def test_no_more_idle_connections_are_kept_than_allowed(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_idle=1))
    await idle_ones(pool, 2)
    assert (pool.idle, [transport.ended for transport in made]) == (1, ["", "aborted"])
    pool.abort()


async def test_an_idle_connection_that_is_lost_is_forgotten(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits())
    for connection in await idle_ones(pool, 2):
        connection.connection_lost(None)
    assert pool.idle == 0
    pool.abort()


@pytest.mark.parametrize("busy", [False, True])
async def test_a_pool_that_is_closed_closes_what_is_idle_and_looks_after_what_is_at_work(
    made: list[FakeTransport], busy: bool, loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_clock.stand_still()
    timers, pool = Timers(monkeypatch), Pool(Address(), UpstreamLimits())
    await idle_ones(pool, 2)
    assert timers.pending == 1
    if busy:
        await pool.acquire()
    pool.close()
    assert (pool.closed, pool.idle, [transport.ended for transport in made]) == (
        True,
        0,
        ["aborted", "" if busy else "aborted"],
    )
    assert timers.pending == busy
    pool.abort()
    assert [transport.ended for transport in made] == ["aborted"] * 2


@pytest.mark.usefixtures("made")
async def test_a_request_that_comes_when_its_pool_is_closed_still_has_its_time_limits(loop_clock: LoopClock) -> None:
    """It was on its way when the pool was replaced."""
    pool = Pool(Address(), UpstreamLimits(response_head=60.0))
    await idle_ones(pool, 1)
    pool.close()
    connection = await pool.acquire()
    connection.begin(head_only=False)
    connection.write(get(), last=True)
    answered = asyncio.create_task(connection.head())
    await loop_clock.move(61.0)
    assert answered.done()
    with pytest.raises(UpstreamError, match="gateway_timeout"):
        await answered
    pool.abort()


async def test_a_pool_that_is_broken_off_is_closed_as_well(made: list[FakeTransport]) -> None:
    pool = Pool(Address(), UpstreamLimits())
    await idle_ones(pool, 2)
    pool.abort()
    assert (pool.closed, pool.idle, [transport.ended for transport in made]) == (True, 0, ["aborted"] * 2)


async def test_an_idle_connection_is_closed_before_another_is_opened_in_its_place(
    made: list[FakeTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0))
    await idle_ones(pool, 1)
    opened: list[int] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(made[0], "abort", lambda: loop.call_soon(lambda: opened.append(len(made))))
    await pool.acquire(fresh=True)
    assert (opened, len(made)) == ([1], 2)
    pool.abort()


@pytest.mark.usefixtures("made")
async def test_a_fresh_connection_in_the_place_of_an_idle_one_waits_for_no_clock(loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    pool = Pool(Address(), UpstreamLimits(upstream_connections=1, reserved=0))
    await idle_ones(pool, 1)
    opening = asyncio.create_task(pool.acquire(fresh=True))
    await turns()
    assert opening.done()
    pool.abort()


@pytest.mark.parametrize(
    ("head", "body", "every"), [(120.0, 300.0, 1.0), (2.0, 300.0, 0.5), (None, 0.4, 0.1), (None, None, 1.0)]
)
@pytest.mark.usefixtures("made")
async def test_the_sweep_comes_often_enough_for_the_shortest_limit(
    head: float | None, body: float | None, every: float, loop_clock: LoopClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop_clock.stand_still()
    timers, pool = Timers(monkeypatch), Pool(Address(), UpstreamLimits(response_head=head, response_body=body))
    connection = await pool.acquire()
    await loop_clock.move(every)
    assert timers.delays == [every, every], "while any connection is at work,"
    exchange(connection)
    pool.release(connection)
    await loop_clock.move(every)
    assert timers.delays == [every, every, every], "and while any is idle"
    pool.abort()
    assert timers.pending == 0


# ---- whatever happens, in whatever order ----


async def turns() -> None:
    """Some turns of the loop, in which both sides see what has ended."""
    for _ in range(10):
        await asyncio.sleep(0)


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.sampled_from(["finish", "drop", "cancel", "hang up", "turn"]), st.integers(0, 20), st.booleans()),
    ),
    max_size=40,
)


class Random:
    """Takes, gives back, cancels and loses connections of a pool as it is told, and watches what must always hold."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.wires: list[Wire] = []
        self.waiting: list[asyncio.Task[UpstreamConnection]] = []
        self.held: list[UpstreamConnection] = []

    async def serve(self, wire: Wire) -> None:
        """The gateway's side."""
        self.wires.append(wire)
        while True:
            await wire.head()
            await wire.send(OK)

    def collect(self) -> None:
        """Who has got its connection by now."""
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.held.append(task.result())

    async def do(self, what: str, which: str | int, flag: bool) -> None:
        """One step."""
        pool = self.pool
        if what == "acquire":
            self.waiting.append(asyncio.create_task(pool.acquire(client=str(which), reserved=flag, fresh=False)))
            await asyncio.sleep(0)
        elif what == "turn":
            await asyncio.sleep(0)
        elif what == "hang up" and self.wires:
            self.wires.pop(int(which) % len(self.wires)).writer.close()
        elif what == "cancel" and self.waiting:
            self.waiting[int(which) % len(self.waiting)].cancel()
        elif what in {"finish", "drop"} and self.held:
            connection = self.held.pop(int(which) % len(self.held))
            if what == "finish":
                try:
                    await ask(pool, connection)
                except UpstreamError:
                    pass  # the gateway hung up
            pool.release(connection)
        self.collect()
        assert pool.in_use + pool.idle <= pool.limits.upstream_connections

    async def end(self) -> None:
        """All who wait are served when those who hold something give it back."""
        async with asyncio.timeout(PATIENCE):
            while self.waiting or self.held:
                for connection in self.held:
                    self.pool.release(connection)
                self.held.clear()
                await asyncio.sleep(0)
                self.collect()
            await until(lambda: self.pool.in_use == 0)
            assert self.pool.waiting == 0
            for client in "abc":  # each may have all places again
                held = [await self.pool.acquire(client=client, reserved=flag) for flag in (False, False, True)]
                for connection in held:
                    connection.abort()
                await until(lambda: self.pool.in_use == 0)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ops=OPS)
def test_no_place_is_lost_and_nobody_waits_for_ever_whatever_happens(ops: list[tuple[str, str | int, bool]]) -> None:
    async def drive() -> None:
        origin = Origin()
        await origin.start()
        driver = Random(pool_of(origin, 3, reserved=1, per_client=2))
        origin.script = driver.serve
        try:
            for op in ops:
                await driver.do(*op)
            await driver.end()
        finally:
            driver.pool.abort()
            await turns()
            await origin.stop()
            await turns()

    asyncio.run(drive())
