"""The order in which what is for the spool is handed in."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from statusproxy.store.sequencer import Sequencer
from statusproxy.store.spooled import Moved, Removed, SpoolOp

from .samples import an_entry, kept


class Bench:
    """Sequencer, and who had theirs."""

    def __init__(self) -> None:
        self.turns = Sequencer()
        self.had: list[str] = []
        self.go_on: dict[str, asyncio.Event] = {}

    def comes(self, name: str, *ops: SpoolOp) -> asyncio.Task[None]:
        """Someone hands in ops, and is done once its event is set."""
        self.go_on[name] = asyncio.Event()
        return asyncio.ensure_future(self._takes(name, ops))

    async def _takes(self, name: str, ops: Sequence[SpoolOp]) -> None:
        async with self.turns.turn(ops):
            self.had.append(name)
            await self.go_on[name].wait()

    async def settled(self) -> list[str]:
        """Who had a turn, once all who may go on have."""
        for _ in range(10):
            await asyncio.sleep(0)
        return self.had


async def test_only_what_concerns_the_same_lane_or_entry_waits() -> None:
    bench = Bench()
    tasks = [
        bench.comes("first", kept("1")),
        bench.comes("same lane", kept("2")),
        bench.comes("other session", kept("3", queue="other")),
        bench.comes("other receiver", kept("4", receiver="hub")),
        bench.comes("removes it", Removed("5"), Removed("1")),
        bench.comes("changes another", Moved(an_entry("6"))),
    ]
    assert await bench.settled() == ["first", "other session", "other receiver", "changes another"]
    bench.go_on["first"].set()
    assert sorted((await bench.settled())[4:]) == ["removes it", "same lane"]
    for event in bench.go_on.values():
        event.set()
    await asyncio.gather(*tasks)
    assert not bench.turns._last, "nothing is kept of who is done"


async def test_one_that_gave_up_while_it_waited_lets_no_one_overtake_whom_it_waited_for() -> None:
    bench = Bench()
    first, second, third = (bench.comes(id_, kept(id_)) for id_ in "123")
    await bench.settled()
    second.cancel()
    assert await bench.settled() == ["1"]
    bench.go_on["1"].set()
    assert await bench.settled() == ["1", "3"]
    bench.go_on["3"].set()
    await asyncio.gather(first, third)
    with suppress(asyncio.CancelledError):
        await second
    await bench.settled()
    assert not bench.turns._last


async def test_one_that_fails_lets_the_next_go_on() -> None:
    turns = Sequencer()
    with suppress(ValueError):
        async with turns.turn([kept("1")]):
            raise ValueError
    async with turns.turn([kept("1"), kept("2")]):
        pass
    assert not turns._last
