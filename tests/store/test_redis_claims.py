"""Claims: one holder at a time by the server's clock, another one when it gives up or is silent for a lease."""

import asyncio
import logging
from typing import Any

import pytest

from statusproxy.config.state_url import Place
from statusproxy.store import redis_claims as redis_claims_module
from statusproxy.store.claims import LEASE
from statusproxy.store.errors import NotAttachedError, StoreError
from statusproxy.store.redis_claims import RedisClaims
from statusproxy.store.redis_follow import Released, Told
from statusproxy.store.redis_names import Names
from statusproxy.store.redis_side_link import SideLink
from tests.proxy.loop_clock import LoopClock

LOG = logging.getLogger("statusproxy.store")
NAME = "spool:gateway"


class Clock:
    """This host's monotonic clock, which moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def proxy(place: Place, side_link: SideLink, clock: Clock) -> Any:
    """Makes the claims of a proxy that is attached."""

    def made(me: str, **options: Any) -> RedisClaims:
        claims = RedisClaims(side_link, place, me, LOG, clock=clock, **options)
        claims.attached(b"e")
        return claims

    return made


def stands(begun: Any, names: Names) -> tuple[float, float, str]:
    """Until when, for how long, and which proxy."""
    value = begun.hget(names.claims, NAME)
    assert value is not None
    till, seconds, holder = value.decode().split(" ")
    return float(till), float(seconds), holder


def now(begun: Any) -> float:
    seconds, micros = begun.time()
    return float(seconds + micros / 1e6)


async def test_one_proxy_holds_it_and_the_others_are_told_so(proxy: Any, clock: Clock) -> None:
    ours, theirs, third = proxy("a"), proxy("b"), proxy("c")
    assert await ours.claim(NAME) == clock.now + 15.0
    assert await theirs.claim(NAME) is None
    assert await third.claim(NAME) is None
    assert await theirs.claim("alerts") == clock.now + 15.0, "names are independent of each other"
    assert LEASE == 15.0


async def test_of_many_that_claim_at_the_same_time_one_gets_it(place: Place, begun: Any) -> None:
    sides = [SideLink(place, 9) for _ in range(8)]
    proxies = [RedisClaims(side, place, f"p{number}", LOG) for number, side in enumerate(sides)]
    for claims in proxies:
        claims.attached(b"e")
    got = await asyncio.gather(*(claims.claim(NAME) for claims in proxies for _ in range(3)))
    holders = {number // 3 for number, until in enumerate(got) if until is not None}
    assert len(holders) == 1
    assert sum(until is not None for until in got) == 3, "its own claims renew it"
    for side in sides:
        await side.close()


async def test_it_lasts_as_long_as_the_server_says_from_each_renewal(
    proxy: Any, begun: Any, names: Names, clock: Clock
) -> None:
    ours = proxy("a", lease=60.0)
    before = now(begun)
    await ours.claim(NAME)
    till, seconds, holder = stands(begun, names)
    assert before + 60 <= till <= now(begun) + 60
    assert (seconds, holder) == (60.0, "a")
    clock.now += 5
    assert await ours.claim(NAME) == clock.now + 60, "counted from before it was asked for"
    assert stands(begun, names)[0] > till


async def test_another_takes_it_over_when_the_lease_is_over_by_the_servers_clock(
    proxy: Any, begun: Any, names: Names, clock: Clock
) -> None:
    ours, theirs = proxy("a", lease=60.0), proxy("b", lease=60.0)
    await ours.claim(NAME)
    clock.now += 3600  # this host's own clock has no say
    assert await theirs.claim(NAME) is None
    begun.hset(names.claims, NAME, f"{now(begun) - 0.001:.6f} 60.0 a")
    assert await theirs.claim(NAME) == clock.now + 60
    assert await ours.claim(NAME) is None, "too late"
    assert stands(begun, names)[2] == "b"


async def test_a_short_lease_really_ends(proxy: Any) -> None:
    ours, theirs = proxy("a", lease=0.001), proxy("b", lease=60.0)
    assert await ours.claim(NAME) is not None
    while await theirs.claim(NAME) is None:
        pass
    assert await ours.claim(NAME) is None


async def test_what_is_given_up_is_anothers_at_once_and_told_in_the_stream(
    proxy: Any, begun: Any, names: Names
) -> None:
    ours, theirs = proxy("a"), proxy("b")
    await ours.claim(NAME)
    await theirs.release(NAME)  # not its own: nothing happens
    assert stands(begun, names)[2] == "a"
    assert not begun.exists(names.changes)
    await ours.release(NAME)
    await ours.release(NAME)
    assert [members for _, members in begun.xrange(names.changes)] == [{b"w": b"a", b"c": NAME.encode()}]
    assert await theirs.claim(NAME) is not None


async def test_a_server_whose_clock_was_set_back_does_not_lock_it_for_long(
    proxy: Any, begun: Any, names: Names
) -> None:
    begun.hset(names.claims, NAME, f"{now(begun) + 3600:.6f} 30.0 a")
    theirs = proxy("b", lease=60.0)
    assert await theirs.claim(NAME) is None, "its holder may still count on it"
    till, seconds, holder = stands(begun, names)
    assert till <= now(begun) + 30
    assert (seconds, holder) == (30.0, "a")
    assert await theirs.claim(NAME) is None
    assert stands(begun, names)[0] == till


@pytest.mark.parametrize("value", ["", "soon", "soon 15 a", "9999999999 forever a"])
async def test_what_is_no_claim_holds_nothing(proxy: Any, begun: Any, names: Names, value: str) -> None:
    begun.hset(names.claims, NAME, value)
    assert await proxy("b").claim(NAME) is not None


async def test_before_the_server_was_reached_nothing_is_claimed(place: Place, side_link: SideLink) -> None:
    claims = RedisClaims(side_link, place, "a", LOG)
    with pytest.raises(NotAttachedError, match=r"^the state in redis at .* is not open yet$"):
        await claims.claim(NAME)


async def test_a_server_that_is_away_is_told_and_giving_up_is_quiet() -> None:
    away = Place("127.0.0.1", 9)
    claims = RedisClaims(SideLink(away, 9), away, "a", LOG)
    claims.attached(b"e")
    with pytest.raises(StoreError, match=r"^no connection: redis at 127\.0\.0\.1:9/0"):
        await claims.claim(NAME)
    await claims.release(NAME)


async def test_an_error_that_the_server_answers_is_told(proxy: Any, begun: Any, names: Names) -> None:
    begun.set(names.claims, "mine")
    with pytest.raises(StoreError, match=r"^cannot be written: .*wrong kind"):
        await proxy("a").claim(NAME)
    await proxy("a").release(NAME)


class Silent:
    """A server that does not answer."""

    async def ask(self, *_: Any) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_giving_up_takes_two_seconds_at_most(place: Place, loop_clock: LoopClock) -> None:
    loop_clock.stand_still()
    giving_up = asyncio.ensure_future(RedisClaims(Silent(), place, "a", LOG).release(NAME))
    await loop_clock.move(1.9)
    assert not giving_up.done()
    await loop_clock.move(0.1)
    await giving_up


async def test_giving_up_takes_a_bounded_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_claims_module, "_RELEASE_SECONDS", 0.01)
    await RedisClaims(Silent(), place, "a", LOG).release(NAME)


async def test_after_the_server_lost_its_memory_only_who_held_it_has_it_for_a_lease(
    proxy: Any, begun: Any, names: Names, clock: Clock
) -> None:
    lost: list[str] = []
    ours = proxy("a", memory_lost=lambda: lost.append("a"))
    theirs = proxy("b", memory_lost=lambda: lost.append("b"))
    await ours.claim(NAME)
    begun.delete(names.claims)
    begun.set(names.epoch, "another")
    for claims in (ours, theirs):
        with pytest.raises(StoreError, match=r"the server lost its data$"):
            await claims.claim(NAME)
        claims.attached(b"another")
    assert lost == ["a", "b"]
    assert not begun.exists(names.claims)
    assert await theirs.claim(NAME) is None, "the holder may not know yet, and sends on"
    assert not begun.exists(names.claims)
    assert await ours.claim(NAME) == clock.now + 15
    clock.now += 15
    assert await theirs.claim(NAME) is None, "it is held again"
    assert await theirs.claim("alerts") is not None, "the wait is over"


async def test_who_held_it_too_long_ago_waits_like_all(proxy: Any, begun: Any, names: Names, clock: Clock) -> None:
    ours, given_up = proxy("a"), proxy("b")
    await ours.claim(NAME)
    await given_up.claim("alerts")
    await given_up.release("alerts")
    clock.now += 15
    begun.set(names.epoch, "another")
    ours.attached(b"another")
    given_up.attached(b"another")
    assert await ours.claim(NAME) is None
    assert await given_up.claim("alerts") is None
    ours.attached(b"another")  # the connection was lost, and no more than that
    clock.now += 15
    assert await ours.claim(NAME) is not None


@pytest.mark.parametrize("given_up", [True, False])
async def test_who_gave_it_up_or_lost_it_to_another_waits_like_all(
    proxy: Any, begun: Any, names: Names, given_up: bool
) -> None:
    ours = proxy("a")
    await ours.claim(NAME)
    if given_up:
        await ours.release(NAME)
    else:
        begun.hset(names.claims, NAME, f"{now(begun) + 60:.6f} 60.0 b")
        assert await ours.claim(NAME) is None
    begun.delete(names.claims)
    begun.set(names.epoch, "another")
    ours.attached(b"another")
    assert await ours.claim(NAME) is None, "another may hold it"


async def test_that_another_gave_it_up_is_told_to_who_listens(proxy: Any, caplog: pytest.LogCaptureFixture) -> None:
    claims = proxy("a")
    theirs = Released((1, 1), b"b", NAME.encode())
    claims.follow([theirs])
    heard: list[str] = []
    claims.listen(heard.append)
    claims.follow([
        Released((1, 2), b"a", b"its own"), Told((1, 3), b"b", b"sales", b"{}", None), theirs,
        Released((1, 4), b"b", b"\xff"),
    ])  # fmt: skip
    assert heard == [NAME, "\ufffd"]

    def broken(_: str) -> None:
        raise RuntimeError("a defect")

    claims.listen(broken)
    end = claims.listen(heard.append)
    claims.follow([theirs])
    end()
    claims.follow([theirs])
    assert heard == [NAME, "\ufffd", NAME, NAME, NAME]
    assert "state: a claim that another proxy gave up could not be applied\n" in caplog.text
