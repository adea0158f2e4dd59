"""The history of a session that has several spellings, as if it were the history of one."""

import heapq
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing

from statusproxy.status.model import Change
from statusproxy.store.base import Store

__all__ = ["changes"]


async def changes(store: Store, sessions: Sequence[str | None], since: float | None) -> AsyncGenerator[Change, None]:
    """The changes of all these sessions from a time on (epoch seconds), newest first; None stands for every session.

    A page of each is held at most. To be closed. Raises `StoreError` where the store cannot be read.
    """
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(aclosing(_of_one(store, session, since))) for session in sessions]
        newest: list[tuple[float, int, Change]] = []
        for number, one in enumerate(found):
            first = await anext(one, None)
            if first is not None:
                heapq.heappush(newest, (-first.recorded_at, number, first))
        while newest:
            _, number, change = newest[0]
            yield change
            following = await anext(found[number], None)
            if following is None:
                heapq.heappop(newest)
            else:
                heapq.heapreplace(newest, (-following.recorded_at, number, following))


async def _of_one(store: Store, session: str | None, since: float | None) -> AsyncGenerator[Change, None]:
    async with aclosing(store.history_pages(session, since)) as pages:
        async for page in pages:
            for change in page:
                yield change
