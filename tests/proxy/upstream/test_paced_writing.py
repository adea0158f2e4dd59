"""Writing at the pace of the other side."""

import asyncio

from statusproxy.proxy.upstream.paced_writing import PacedWriting
from tests.proxy.upstream.fake_transport import FakeTransport


async def draining(writing: PacedWriting) -> "asyncio.Task[None]":
    """Someone who waits for the other side."""
    task = asyncio.create_task(writing.drain())
    await asyncio.sleep(0)
    assert writing.draining
    return task


async def test_nobody_waits_while_the_other_side_takes_more() -> None:
    writing = PacedWriting()
    await writing.drain()
    assert not writing.draining


async def test_who_drains_waits_until_the_other_side_takes_more() -> None:
    writing, told = PacedWriting(), list[str]()
    writing.pause_writing()
    task = await draining(writing)
    writing.writable = lambda: told.append("takes more")
    writing.resume_writing()
    writing.resume_writing()
    await task
    assert (writing.draining, writing.writing_paused, told) == (False, False, ["takes more"] * 2)


async def test_who_drains_goes_on_when_the_connection_is_lost() -> None:
    writing = PacedWriting()
    writing.pause_writing()
    task = await draining(writing)
    writing.resume_writing()
    writing.pause_writing()
    await task
    task = await draining(writing)
    writing.connection_lost(None)
    await task
    await writing.drain()
    assert writing.closed


def test_what_the_other_side_has_not_taken_is_unsent() -> None:
    writing = PacedWriting()
    assert not writing.unsent
    writing.transport = FakeTransport()
    assert not writing.unsent
    writing.transport.buffered = 1
    assert writing.unsent
