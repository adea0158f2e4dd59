"""An event's arrival: read to its last byte, and durable, before it is answered."""

import asyncio
from typing import Any, cast

import pytest

from statusproxy.proxy.actions.arrival import read_to_end, settle, unsettled

pytestmark = pytest.mark.divisible


class Body:
    """A body that notes what is done to it."""

    def __init__(self, done: list[str], *, held_back: bool = False, unread: bool = True, carried: bool = False) -> None:
        self.done = done
        self.held_back = held_back
        self.unread = unread
        self.carried = object() if carried else None

    def permitted(self) -> None:
        self.done.append("permitted")

    async def finish(self) -> None:
        self.done.append("finished")

    async def carried_out(self) -> None:
        self.done.append("carried out")


class Exchange:
    """An exchange that notes what is done to it."""

    def __init__(self, body: Body | None, done: list[str]) -> None:
        self.body = body
        self.done = done
        self.response = self
        self.durable: object = None

    async def permit(self) -> None:
        self.done.append("permit")

    async def settle(self) -> None:
        self.done.append("settled")


def done(action: Any, *, durable: bool = False, body: bool = True, **state: bool) -> list[str]:
    """What `action` does to an exchange with a body in this state."""
    steps: list[str] = []
    exchange = Exchange(Body(steps, **state) if body else None, steps)
    exchange.durable = object() if durable else None
    asyncio.run(cast(Any, action)(exchange))
    return steps


def test_the_body_is_read_to_its_end() -> None:
    assert done(read_to_end) == ["finished"]
    assert done(read_to_end, body=False) == []


def test_a_client_that_waits_for_a_permission_gets_it() -> None:
    assert done(read_to_end, held_back=True) == ["permit", "permitted", "finished"]
    assert done(read_to_end, held_back=True, unread=False) == ["finished"], "it did not wait"


def test_what_the_event_changed_is_durable_once_its_body_was_read() -> None:
    assert done(settle, carried=True, durable=True) == ["carried out", "settled"]
    assert done(settle, carried=True, durable=True, held_back=True) == ["settled"], "the client may wait for ever"
    assert done(settle) == []
    assert done(settle, body=False, durable=True) == ["settled"]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("body", [False, True])
def test_it_is_unsettled_where_settling_would_wait(body: bool, carried: bool, durable: bool) -> None:
    exchange = Exchange(Body([], carried=carried) if body else None, [])
    exchange.durable = object() if durable else None
    assert unsettled(cast(Any, exchange)) is bool(done(settle, body=body, carried=carried, durable=durable))
