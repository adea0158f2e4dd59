"""What a proxy alone may do: one proxy at a time, until it gives the claim up, or it ends."""

import asyncio
import contextlib
import logging

import pytest

from statusproxy.store.claims import LEASE
from statusproxy.store.holding import Holding, HoldingTiming
from tests.spool.shared_state import SharedState, SharedStore
from tests.store.still_clock import StillClock


class One:
    """A proxy's claims."""

    def __init__(self, state: SharedState, clock: StillClock, pace: float = 1.0) -> None:
        """Its own clock goes `pace` times as fast as the loop's."""
        self.store: SharedStore = state.store()
        self.changes = 0
        self.holding = Holding(
            self.store.claims,
            self._changed,
            HoldingTiming(clock=lambda: clock.now * pace),
            prefix="spool:",
            log=logging.getLogger("statusproxy.spool"),
            waiting="spool: stored events are waiting",
        )

    def _changed(self) -> None:
        self.changes += 1

    def holds(self) -> bool:
        return self.holding.holds("gateway")


class Bench:
    """Two proxies and the server, on one clock that stands still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = StillClock(monkeypatch)
        self.state = SharedState(lambda: self.clock.now)
        self.one, self.two = One(self.state, self.clock), One(self.state, self.clock)

    def answers_later(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        """From now on the server takes the claims of `one`, and answers them once this is set."""
        claim, answer = self.one.store.claims.claim, asyncio.Event()

        async def slow(name: str) -> float | None:
            until = await claim(name)
            await answer.wait()
            return until

        monkeypatch.setattr(self.one.store.claims, "claim", slow)
        return answer

    async def close(self) -> None:
        await self.one.holding.close()
        await self.two.holding.close()


async def test_one_proxy_holds_a_receiver_and_hears_that_it_may_send(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    assert not it.one.holds()
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.two.holding.want({"gateway"})
    await it.clock.move()
    assert (it.one.holds(), it.two.holds(), it.one.changes, it.two.changes) == (True, False, 1, 0)
    assert not it.one.holding.holds("hub")
    await it.close()


async def test_it_is_renewed_while_it_is_wanted_three_times_in_each_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    for _ in range(12):
        await it.clock.move(LEASE / 3)
        assert it.one.holds()
    assert (len(it.one.store.claims.asked), it.one.changes) == (13, 1)
    for _ in range(4 * round(LEASE)):
        await it.clock.move(1.0)
        assert it.one.holds()
    assert len(it.one.store.claims.asked) == 25
    await it.close()


async def test_a_claim_that_ends_soon_is_renewed_before_that(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    claim = it.one.store.claims.claim

    async def short(name: str) -> float | None:
        return None if await claim(name) is None else it.clock.now + 1.8

    monkeypatch.setattr(it.one.store.claims, "claim", short)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    for _ in range(30):
        await it.clock.move(0.1)
        assert it.one.holds()
    assert it.one.changes == 1
    await it.close()


async def test_the_last_second_of_a_claim_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.clock.now += LEASE - 1.0  # it does not run meanwhile
    assert not it.one.holds()
    it.clock.now -= 0.001
    assert it.one.holds()
    await it.close()


async def test_a_holder_that_is_told_nothing_more_gives_up_at_once_and_another_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.two.holding.want({"gateway"})
    await it.clock.move()
    it.one.holding.want(set())
    await it.clock.move()
    assert (it.one.holds(), it.two.holds(), it.two.changes) == (False, True, 1)
    await it.close()


async def test_what_was_given_up_and_is_wanted_again_is_claimed_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    for names in ({"gateway"}, set[str](), {"gateway"}):
        it.one.holding.want(names)
        await it.clock.move()
        assert it.one.holds() == bool(names)
    await it.close()


async def test_at_the_end_only_what_may_be_its_own_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    release, released = it.one.store.claims.release, list[str]()

    async def noting(name: str) -> None:
        released.append(name)
        await release(name)

    monkeypatch.setattr(it.one.store.claims, "release", noting)
    await it.two.store.claims.claim("spool:theirs")
    it.one.holding.want({"gateway", "hub", "theirs"})
    await it.clock.move()
    it.one.holding.want({"gateway", "theirs"})
    await it.clock.move()
    assert released == ["spool:hub"]
    await it.one.holding.close()
    assert released == ["spool:hub", "spool:gateway"]
    await it.close()


async def test_a_holder_that_stops_gives_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.two.holding.want({"gateway"})
    await it.one.holding.close()
    await it.clock.move()
    assert (it.one.holds(), it.two.holds()) == (False, True)
    await it.close()


async def test_a_claim_that_is_won_while_the_holder_stops_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.answers_later(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    assert it.state.claims
    await it.one.holding.close()
    assert not it.state.claims
    await it.close()


@pytest.mark.parametrize("during", ["claim", "release"])
async def test_a_claim_is_given_up_also_where_the_end_comes_while_it_is_asked_for_or_given_up(
    monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    it = Bench(monkeypatch)
    ask, never = getattr(it.two.store.claims, during), asyncio.Event()

    async def cut_off(name: str) -> float | None:
        monkeypatch.setattr(it.two.store.claims, during, ask)
        if during == "claim":
            await ask(name)  # the server has it, and its answer does not arrive
        await never.wait()
        return None

    monkeypatch.setattr(it.two.store.claims, during, cut_off)
    it.two.holding.want({"gateway"})
    await it.clock.move()
    it.two.holding.want(set())
    await it.clock.move()
    await it.two.holding.close()
    assert not it.state.claims
    await it.close()


async def test_a_claim_that_is_cut_off_at_the_end_is_over_before_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    claim = it.one.store.claims.claim

    async def lingering(name: str) -> float | None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            await claim(name)  # the server takes it all the same
        return None

    monkeypatch.setattr(it.one.store.claims, "claim", lingering)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    await it.one.holding.close()
    await it.clock.move()
    assert it.one.store.claims.asked == ["spool:gateway"]
    assert not it.state.claims
    await it.close()


async def test_it_stops_also_where_its_cancellation_gets_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)

    async def slow(name: str) -> float | None:
        with contextlib.suppress(asyncio.CancelledError):  # as `asyncio.wait_for` does before Python 3.12
            await asyncio.Event().wait()
        return None

    monkeypatch.setattr(it.one.store.claims, "claim", slow)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    await it.one.holding.close()
    assert not it.one.holds()
    await it.close()


async def test_when_the_holder_has_died_another_goes_on_within_the_lease_and_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.one.store.fail()
    it.two.holding.want({"gateway"})
    await it.clock.move(LEASE - 0.5)
    assert not it.two.holds()
    await it.clock.move(2.5)
    assert it.two.holds()
    await it.close()


async def test_a_holder_that_loses_the_server_stops_before_its_claim_ends_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.one.store.fail("the server is away")
    await it.clock.move(LEASE - 1.1)
    assert it.one.holds()
    await it.clock.move(0.2)
    assert not it.one.holds()
    await it.clock.move(5.0)
    assert caplog.messages == [
        "spool: stored events are waiting until the server of the state answers: the server is away"
    ]
    it.one.store.heal()
    await it.clock.move(2.0)
    assert (it.one.holds(), it.one.changes) == (True, 2)
    await it.close()


async def test_whether_the_server_answers_is_known_and_each_time_that_it_does_not_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    it = Bench(monkeypatch)
    answered = [it.one.holding.answered]
    it.one.store.fail("it is away")
    it.one.holding.want({"gateway"})
    for told in (1, 2):
        for _ in range(3):
            await it.clock.move(2.0)
            assert len(caplog.messages) == told
        answered.append(it.one.holding.answered)
        it.one.store.heal()
        await it.clock.move(2.0)
        answered.append(it.one.holding.answered)
        it.one.store.fail("it is away again")
        await it.clock.move(LEASE / 3)
    assert answered == [None, False, True, False, True]
    await it.close()


async def test_a_holder_that_was_stopped_past_its_lease_may_send_nothing_when_it_wakes_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.clock.now += 20.0  # it does not run meanwhile
    assert await it.two.store.claims.claim("spool:gateway")
    assert not it.one.holds()
    await it.clock.move()
    assert (it.one.holds(), it.one.changes) == (False, 1)
    await it.close()


async def test_a_holder_whose_claim_ends_while_its_renewal_is_answered_hears_that_it_may_send_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    claim, answer = it.one.store.claims.claim, asyncio.Event()

    async def slow(name: str) -> float | None:
        await answer.wait()
        return await claim(name)

    monkeypatch.setattr(it.one.store.claims, "claim", slow)
    await it.clock.move(LEASE / 3)
    await it.clock.move(LEASE)
    assert (it.one.holds(), it.one.changes) == (False, 1)
    answer.set()
    await it.clock.move()
    assert (it.one.holds(), it.one.changes) == (True, 2)
    await it.close()


async def test_a_claim_that_was_lost_to_another_is_not_held_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.state.claims.clear()
    await it.two.store.claims.claim("spool:gateway")
    await it.clock.move(LEASE / 3)
    assert not it.one.holds()
    await it.close()


async def test_a_receiver_at_which_this_proxy_failed_is_left_to_others_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.rest("gateway")
    assert (it.one.holding.rests("gateway"), it.one.holding.rests("hub")) == (True, False)
    await it.clock.move(3.1)
    assert (it.one.holding.rests("gateway"), it.one.changes) == (False, 1)
    await it.close()


async def test_a_receiver_is_not_left_to_others_any_more_when_that_is_told_by_any_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loop's timers count milliseconds: they may be a part of one early."""
    clock = StillClock(monkeypatch)
    one = One(SharedState(lambda: clock.now), clock, pace=0.9998)
    one.holding.rest("gateway")
    await clock.move(3.0)
    assert (one.holding.rests("gateway"), one.changes) == (False, 1)
    await one.holding.close()


async def test_who_fails_twice_leaves_a_receiver_to_others_from_the_second_time_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.one.holding.rest("gateway")
    await it.clock.move(2.0)
    it.one.holding.rest("gateway")
    await it.clock.move(2.0)
    assert (it.one.holding.rests("gateway"), it.one.changes) == (True, 0)
    await it.clock.move(1.1)
    assert (it.one.holding.rests("gateway"), it.one.changes) == (False, 1)
    await it.close()


async def test_at_the_end_nothing_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.rest("gateway")
    await it.close()
    await it.clock.move(3.1)
    assert it.one.changes == 0
    assert it.one.store.claims.listeners == []


async def test_what_others_give_up_that_is_of_no_use_here_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    (released,) = it.one.store.claims.listeners
    for name in ("spool:hub", "alerts", "gateway"):
        released(name)
    await it.clock.move()
    assert it.one.store.claims.asked == ["spool:gateway"]
    await it.close()


async def test_what_another_gives_up_while_its_refusal_is_on_its_way_is_claimed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench(monkeypatch)
    it.two.holding.want({"gateway"})
    await it.clock.move()
    answer = it.answers_later(monkeypatch)
    it.one.holding.want({"gateway"})
    await it.clock.move()
    it.two.holding.want(set())
    await it.clock.move()
    answer.set()
    await it.clock.move()
    assert (it.one.holds(), it.one.changes, len(it.one.store.claims.asked)) == (True, 1, 2)
    await it.close()


async def test_one_claim_is_given_up_and_others_are_held_on(monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(monkeypatch)
    it.one.holding.want({"gateway", "hub"})
    await it.clock.move()
    assert sorted(it.state.claims) == ["spool:gateway", "spool:hub"]
    it.one.holding.want({"hub"})
    await it.clock.move()
    assert (list(it.state.claims), it.one.holds(), it.one.holding.holds("hub")) == (["spool:hub"], False, True)
    await it.close()


async def test_where_one_process_has_the_store_alone_everything_is_its_own() -> None:
    changes: list[None] = []
    holding = Holding(None, lambda: changes.append(None), log=logging.getLogger(), waiting="")
    holding.want({"gateway"})
    holding.rest("gateway")
    assert (holding.holds("gateway"), holding.rests("gateway")) == (True, False)
    assert len(asyncio.all_tasks()) == 1
    await holding.close()
    assert (len(asyncio.all_tasks()), changes) == (1, [])  # no task but this one
