"""A Redis server's clock beside this machine's: how far apart they are, and when that counts."""

from typing import Any

import pytest
import redis.exceptions

from statusproxy.store.redis_link import Link
from statusproxy.store.redis_time import TOLERANCE, ServerClock

from .redis_server import RedisServer


class Machine:
    """A machine's two clocks."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.even = 50.0

    def clock(self) -> ServerClock:
        return ServerClock(lambda: self.wall, lambda: self.even)


def told(clock: ServerClock, machine: Machine, ahead: float, took: float = 0.0) -> None:
    """The server, `ahead` of the wall clock, tells its time; the answer took so long, half of it each way."""
    machine.wall, machine.even = machine.wall + took, machine.even + took
    clock.learn(machine.wall - took / 2 + ahead, machine.even - took, machine.even)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_before_the_server_was_asked_and_while_the_clocks_agree_nothing_is_added(machine: Machine) -> None:
    clock = machine.clock()
    assert clock.offset == 0.0
    told(clock, machine, 0.09)
    assert clock.offset == 0.0
    told(clock, machine, -0.0999)
    assert clock.offset == 0.0


@pytest.mark.parametrize("ahead", [300.0, -300.0, 0.1011234])
def test_the_difference_is_added_in_whole_microseconds(machine: Machine, ahead: float) -> None:
    clock = machine.clock()
    told(clock, machine, ahead)
    assert clock.offset == pytest.approx(ahead, abs=1e-6)
    assert clock.offset == round(clock.offset, 6)


def test_a_small_change_leaves_it_as_it_is_and_a_greater_one_counts(machine: Machine) -> None:
    clock = machine.clock()
    told(clock, machine, 300.0)
    assert clock.offset == 300.0
    told(clock, machine, 300.05)
    assert clock.offset == 300.0
    told(clock, machine, 300.25)
    assert clock.offset == 300.25
    told(clock, machine, 0.05)
    assert clock.offset == 0.0


def test_the_quickest_answer_counts_until_it_is_a_minute_old(machine: Machine) -> None:
    clock = machine.clock()
    told(clock, machine, 10.0, took=0.01)
    told(clock, machine, 10.3, took=1.0)  # within what so slow an answer may be off by
    assert clock.offset == pytest.approx(10.0, abs=1e-5)
    machine.wall, machine.even = machine.wall + 61, machine.even + 61
    told(clock, machine, 10.3, took=1.0)
    assert clock.offset == pytest.approx(10.3, abs=1e-5)


def test_of_two_answers_that_came_as_quickly_the_later_one_counts(machine: Machine) -> None:
    clock = machine.clock()
    told(clock, machine, 10.0, took=0.0625)
    told(clock, machine, 10.125, took=0.0625)  # no more than such an answer may be off by
    assert clock.offset == pytest.approx(10.125, abs=1e-5)


@pytest.mark.parametrize(("ahead", "counts"), [(10.59, False), (10.61, True), (9.41, False), (9.39, True)])
def test_a_slow_answer_counts_only_where_half_the_time_it_took_does_not_explain_it(
    machine: Machine, ahead: float, counts: bool
) -> None:
    clock = machine.clock()
    told(clock, machine, 10.0)
    told(clock, machine, ahead, took=1.0)
    assert clock.offset == pytest.approx(ahead if counts else 10.0, abs=1e-5)


def test_a_server_whose_clock_was_set_is_believed_at_once(machine: Machine) -> None:
    clock = machine.clock()
    told(clock, machine, 10.0, took=0.01)
    told(clock, machine, 70.0, took=1.0)
    assert clock.offset == pytest.approx(70.0, abs=1e-5)


def test_a_system_clock_that_was_set_is_noticed_without_asking(machine: Machine) -> None:
    clock = machine.clock()
    told(clock, machine, 0.0)
    before = clock.now
    machine.wall += 500
    assert clock.offset == -500.0
    assert clock.now == before


async def test_a_real_server_is_asked_as_often_as_is_said(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await Link.open(redis_server.place, 9)
    clock, learned = ServerClock(), []
    monkeypatch.setattr(clock, "learn", lambda *told: learned.append(told))
    await clock.ask(link)
    await clock.ask(link, 1)
    await link.close()
    assert len(learned) == 4
    assert all(asked <= answered for _, asked, answered in learned)
    assert TOLERANCE == 0.1


class Telling:
    """A server that answers this."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply

    async def ask(self, *_: Any) -> list[Any]:
        return [self._reply]


async def test_a_server_tells_seconds_and_microseconds(machine: Machine) -> None:
    clock = machine.clock()
    link: Any = Telling([b"1000300", b"750000"])
    await clock.ask(link)
    assert clock.offset == 300.75
    assert clock.now == 1_000_300.75


async def test_a_server_that_does_not_tell_its_time_is_an_error(machine: Machine) -> None:
    link: Any = Telling(redis.exceptions.NoPermissionError("no permissions to run 'time'"))
    with pytest.raises(redis.exceptions.NoPermissionError):
        await machine.clock().ask(link)
