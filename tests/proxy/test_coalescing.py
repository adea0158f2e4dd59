"""Identical lists in flight share one call to the gateway."""

import asyncio
import gc
import weakref

import pytest

from statusproxy.proxy.coalescing import Result, SharedCall, SharedCalls
from statusproxy.proxy.http1.answer_head import ResponseHead
from statusproxy.proxy.upstream.errors import UpstreamError

# ---- one call by itself ----


RESULT = Result(ResponseHead(200, b"OK"), b"[]")


async def following(call: SharedCall, count: int) -> list[asyncio.Task[Result]]:
    """So many followers, all waiting."""
    tasks = [asyncio.create_task(call.follow()) for _ in range(count)]
    await asyncio.sleep(0)
    assert call.followers == count
    return tasks


async def test_every_follower_gets_the_result() -> None:
    call = SharedCall(1.0, 0)
    tasks = await following(call, 3)
    call.finish(RESULT)
    assert await asyncio.gather(*tasks) == [RESULT] * 3
    assert call.followers == 0


async def test_every_follower_gets_the_error() -> None:
    call = SharedCall(1.0, 0)
    tasks = await following(call, 3)
    error = UpstreamError("gateway_timeout")
    call.finish(error)
    assert await asyncio.gather(*tasks, return_exceptions=True) == [error] * 3
    assert call.followers == 0


async def test_an_error_leaves_the_memory_once_its_followers_have_had_it() -> None:
    call = SharedCall(1.0, 0)
    error = UpstreamError("gateway_timeout")
    gone = weakref.ref(error)
    gc.disable()  # a collection would hide objects that keep each other
    try:
        (task,) = await following(call, 1)
        call.finish(error)
        await asyncio.wait([task])
        assert task.exception() is error
        del call, error, task
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("result", [RESULT, UpstreamError("gateway_timeout")], ids=["result", "error"])
@pytest.mark.parametrize("before", [True, False], ids=["long before", "just before"])
async def test_a_follower_that_left_holds_up_nobody(result: Result | UpstreamError, before: bool) -> None:
    call = SharedCall(1.0, 0)
    first, second = await following(call, 2)
    first.cancel()
    if before:
        await asyncio.wait([first])
        assert call.followers == 1
    call.finish(result)
    (got,) = await asyncio.gather(second, return_exceptions=True)
    assert got is result
    assert call.followers == 0


def test_a_call_is_joined_by_who_asks_the_same_and_knows_nothing_newer() -> None:
    calls = SharedCalls()
    call = calls.start(b"key", 1.0, 7)
    assert (call.asked_at, call.version, len(calls)) == (1.0, 7, 1)
    assert calls.find(b"key", 7) is call
    assert calls.find(b"key", 8) is None
    assert calls.find(b"other", 7) is None


async def test_a_call_that_has_ended_is_joined_no_more_and_its_followers_know() -> None:
    calls = SharedCalls()
    call = calls.start(b"key", 1.0, 7)
    (task,) = await following(call, 1)
    calls.end(b"key", call, RESULT)
    assert (calls.find(b"key", 7), len(calls)) == (None, 0)
    assert await task is RESULT


async def test_the_end_of_an_older_call_does_not_end_the_newer_one() -> None:
    calls = SharedCalls()
    older = calls.start(b"key", 1.0, 7)
    (task,) = await following(older, 1)
    newer = calls.start(b"key", 2.0, 8)
    calls.end(b"key", older, RESULT)
    assert await task is RESULT
    assert calls.find(b"key", 8) is newer
