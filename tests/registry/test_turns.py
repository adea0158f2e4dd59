"""One at a time for each key."""

import asyncio

from statusproxy.registry.turns import Turns


async def test_those_of_one_key_follow_each_other_in_order_and_others_do_not_wait() -> None:
    turns, told = Turns(), list[str]()
    free = asyncio.Event()

    async def work(name: str, key: str) -> None:
        async with turns.of(key):
            told.append(name)
            if key == "list":
                await free.wait()

    tasks = [asyncio.create_task(work(*one)) for one in (("first", "list"), ("second", "list"), ("other", "x"))]
    await tasks[2]
    assert told == ["first", "other"]
    free.set()
    await asyncio.gather(*tasks)
    assert told == ["first", "other", "second"]
    assert len(turns) == 0


async def test_one_that_is_cancelled_or_fails_holds_nobody_up() -> None:
    turns = Turns()
    holding = asyncio.create_task(_fail(turns))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(_fail(turns))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting, holding])
    assert isinstance(holding.exception(), RuntimeError)
    async with turns.of("list"):
        assert len(turns) == 1
    assert len(turns) == 0


async def _fail(turns: Turns) -> None:
    async with turns.of("list"):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise RuntimeError
