"""The order in which what is for the spool is handed in, also where some of it takes longer on its way."""

import asyncio
from collections.abc import AsyncIterator, Hashable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from statusproxy.store.spooled import Kept, SpoolOp

__all__ = ["Sequencer"]


class Sequencer:
    """Who comes later waits for who came earlier, where both concern the same entry or the same lane."""

    def __init__(self) -> None:
        self._last: dict[Hashable, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def turn(self, ops: Sequence[SpoolOp]) -> AsyncIterator[None]:
        """Wait until all that came earlier is done; done is this one at the end of the block."""
        about = set(_about(ops))
        earlier = {self._last[each] for each in about if each in self._last}
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last |= dict.fromkeys(about, done)
        try:
            if earlier:
                await asyncio.wait(earlier)
            yield
        finally:
            if all(each.done() for each in earlier):
                self._end(about, done)
            else:  # given up while it waited: who comes later must not overtake those whom it waited for
                asyncio.gather(*earlier).add_done_callback(lambda _: self._end(about, done))

    def _end(self, about: Iterable[Hashable], done: asyncio.Future[None]) -> None:
        done.set_result(None)
        for each in about:
            if self._last[each] is done:
                del self._last[each]


def _about(ops: Iterable[SpoolOp]) -> Iterator[Hashable]:
    """What ops concern: their entries, and of new ones the lanes, in which a later one may not overtake."""
    for op in ops:
        yield op.id
        if isinstance(op, Kept):
            yield op.entry.receiver, op.entry.queue
