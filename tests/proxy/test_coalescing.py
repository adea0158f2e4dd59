"""Identical lists in flight share one call to the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from statusproxy.proxy.coalescing import Result, SharedCall, SharedCalls
from statusproxy.proxy.http1.response_parser import ResponseHead
from statusproxy.proxy.upstream.connection import UpstreamError
from tests.proxy.harness import Message, Origin, Running, Wire, answer, get, running, until

LIST = b'{"success":true,"channels":[{"id":"sales","status":"connected"}],"total":1}'
LOST = json.dumps({"event": "status-find", "session": "sales", "status": "browserClose"}).encode()


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
    assert await asyncio.gather(second, return_exceptions=True) == [result]
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


# ---- polls through the proxy ----


class SlowOrigin(Origin):
    """A gateway whose list waits until the test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.script = self.slowly
        self.go = asyncio.Event()
        self.lists = 0
        self.list_answer = answer(LIST)

    async def slowly(self, wire: Wire) -> None:
        while True:
            request = await self.take(wire)
            if request.target.startswith(b"/api/channels"):
                self.lists += 1
                await self.go.wait()
                await wire.send(self.list_answer)
            else:
                await wire.send(answer(b"{}"))


@pytest.fixture
async def slow() -> AsyncIterator[SlowOrigin]:
    origin = SlowOrigin()
    await origin.start()
    yield origin
    await origin.stop()


async def ask_all(proxy: Running, requests: list[bytes]) -> list[Wire]:
    """Send every request on a connection of its own; wait until the proxy has them all."""
    wires = []
    for request in requests:
        wire = await proxy.connect()
        await wire.send(request)
        wires.append(wire)
    async with asyncio.timeout(10):
        while proxy.server.proxy.in_flight < len(requests):  # noqa: ASYNC110 - the loop must turn, no time pass
            await asyncio.sleep(0)
    return wires


async def test_fifty_polls_of_a_slow_list_cost_the_gateway_one_call(slow: SlowOrigin, tmp_path: Path) -> None:
    async with running(tmp_path, slow.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels", f"X-Request-Id: poll-{n}") for n in range(50)])
        slow.go.set()
        answers = [await wire.message() for wire in wires]
        assert slow.lists == 1
        assert [one.body for one in answers] == [LIST] * 50


async def test_each_poll_gets_its_own_request_id_back(slow: SlowOrigin, tmp_path: Path) -> None:
    slow.list_answer = answer(LIST, "X-Request-Id: poll-0")
    async with running(tmp_path, slow.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels", f"X-Request-Id: poll-{n}") for n in range(3)])
        slow.go.set()
        assert [(await wire.message()).get("X-Request-Id") for wire in wires] == [b"poll-0", b"poll-1", b"poll-2"]


async def test_each_answer_is_corrected_with_the_map_as_it_is_when_it_goes_out(
    slow: SlowOrigin, tmp_path: Path
) -> None:
    async with running(tmp_path, slow.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
        slow.go.set()
        answers: list[Message] = [await wire.message() for wire in wires]
        assert [json.loads(one.body)["channels"][0]["status"] for one in answers] == ["disconnected"] * 2


async def test_other_credentials_make_a_call_of_their_own(slow: SlowOrigin, tmp_path: Path) -> None:
    async with running(tmp_path, slow.url) as proxy:
        secrets = ["X-Gateway-Secret: one", "X-Gateway-Secret: two"]
        wires = await ask_all(proxy, [get("/api/channels", secret) for secret in secrets])
        slow.go.set()
        for wire in wires:
            await wire.message()
        assert slow.lists == 2


async def test_a_client_that_leaves_does_not_cancel_the_others(slow: SlowOrigin, tmp_path: Path) -> None:
    async with running(tmp_path, slow.url) as proxy:
        leader, follower = await ask_all(proxy, [get("/api/channels")] * 2)
        await slow.received()
        leader.reset()
        slow.go.set()
        assert (await follower.message()).body == LIST
        assert slow.lists == 1


async def test_an_error_is_shared(slow: SlowOrigin, tmp_path: Path) -> None:
    slow.list_answer = b"not HTTP at all\r\n\r\n"
    async with running(tmp_path, slow.url) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        slow.go.set()
        assert [(await wire.message()).status for wire in wires] == [502, 502]
        assert slow.lists == 1


@pytest.mark.parametrize("code", ["gateway_closed", "gateway_timeout", "gateway_bad_answer"])
async def test_what_the_gateway_did_wrong_is_answered_to_all_who_waited_and_not_tried_again(
    slow: SlowOrigin, tmp_path: Path, code: str
) -> None:
    async with running(tmp_path, slow.url) as proxy:
        await ask_all(proxy, [get("/api/channels")])
        await slow.received()
        (call,) = proxy.server.proxy.shared_calls._calls.values()
        followers = [await proxy.connect() for _ in range(2)]
        for follower in followers:
            await follower.send(get("/api/channels"))
        await until(lambda: call.followers == 2)
        call.finish(UpstreamError(code))
        answers = [await follower.message() for follower in followers]
        assert [json.loads(one.body)["error_code"] for one in answers] == [code] * 2
        assert slow.lists == 1


async def test_nothing_is_kept_after_the_call(slow: SlowOrigin, tmp_path: Path) -> None:
    slow.go.set()
    async with running(tmp_path, slow.url) as proxy:
        await proxy.ask(get("/api/channels"))
        await proxy.ask(get("/api/channels"))
        assert slow.lists == 2


async def test_a_list_too_large_to_hold_is_streamed_to_each(slow: SlowOrigin, tmp_path: Path) -> None:
    slow.list_answer = answer(b"[" + b" " * 4000 + b"]")
    async with running(tmp_path, slow.url, limits={"corrected": 2048}) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 2)
        slow.go.set()
        assert [len((await wire.message()).body) for wire in wires] == [4002, 4002]


async def test_without_share_every_poll_asks_the_gateway(slow: SlowOrigin, tmp_path: Path) -> None:
    channels = [{"path": "/api/channels", "share": False}]
    async with running(tmp_path, slow.url, channels=channels) as proxy:
        wires = await ask_all(proxy, [get("/api/channels")] * 3)
        slow.go.set()
        for wire in wires:
            await wire.message()
        assert slow.lists == 3


async def test_a_poll_after_a_session_changed_does_not_join_a_call_from_before(
    slow: SlowOrigin, tmp_path: Path
) -> None:
    async with running(tmp_path, slow.url) as proxy:
        (early,) = await ask_all(proxy, [get("/api/channels")])
        await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
        (late,) = await ask_all(proxy, [get("/api/channels")])
        await slow.received(3)
        slow.go.set()
        await early.message()
        await late.message()
        assert slow.lists == 2


async def test_a_leader_that_leaves_just_as_another_joins_takes_nobody_along(slow: SlowOrigin, tmp_path: Path) -> None:
    """Its call is given up in the moment it leaves, and can be joined until its task has ended it."""
    async with running(tmp_path, slow.url) as proxy:
        calls = proxy.server.proxy.shared_calls
        await ask_all(proxy, [get("/api/channels")])
        await slow.received()
        ((key, call),) = calls._calls.items()
        followers = await ask_all(proxy, [get("/api/channels")] * 2)
        await until(lambda: call.followers == 2)
        calls.end(key, call, UpstreamError("client_gone"))
        await slow.received(2)
        slow.go.set()
        assert [(await follower.message()).body for follower in followers] == [LIST] * 2
        assert slow.lists == 2  # the first of them leads, the other follows


@pytest.mark.parametrize("code", ["overloaded", "internal"])
async def test_what_failed_on_our_side_for_one_poll_is_tried_again_by_the_others(
    slow: SlowOrigin, tmp_path: Path, code: str
) -> None:
    """The leader's client may have used up its share of the places; the others have theirs."""
    async with running(tmp_path, slow.url) as proxy:
        (leader,) = await ask_all(proxy, [get("/api/channels")])
        await slow.received()
        follower = await proxy.connect()
        await follower.send(get("/api/channels"))
        (call,) = proxy.server.proxy.shared_calls._calls.values()
        await until(lambda: call.followers == 1)
        call.finish(UpstreamError(code, sent=False))
        await slow.received(2)
        slow.go.set()
        assert (await follower.message()).body == LIST
        assert (await leader.message()).body == LIST


async def test_a_leader_that_reads_slowly_does_not_make_the_others_wait(slow: SlowOrigin, tmp_path: Path) -> None:
    """A list too large to be held is streamed to its leader, at the leader's pace."""
    size = 32 * 1024 * 1024
    slow.list_answer = answer(b"[" + b" " * (size - 2) + b"]")
    async with running(tmp_path, slow.url, limits={"corrected": 2048}) as proxy:
        leader, follower = await ask_all(proxy, [get("/api/channels")] * 2)
        leader.writer.transport.pause_reading()  # type: ignore[attr-defined]
        slow.go.set()
        assert len((await follower.message()).body) == size
