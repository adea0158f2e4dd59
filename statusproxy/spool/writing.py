"""Writes the results of entries, and keeps the lanes of finished entries closed until that is on disk.

A later event of a session that was delivered before that would come before the earlier one again, if the proxy died in
between: the earlier one is still on disk, and is delivered again after the start.
"""

from collections.abc import Callable, Sequence
from typing import Final

from statusproxy.spool.order import Lane
from statusproxy.store.base import Store
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import SpoolOp

__all__ = ["Writing"]

#: Results that are written again, and lanes that go on, in one turn of the event loop.
_AT_ONCE: Final = 200


class Writing:
    """The spool's way to the store for what no one waits for."""

    def __init__(self, store: Store, let_go: Callable[[Lane], None]) -> None:
        """`let_go` lets a lane go on that was held."""
        self._store = store
        self._let_go = let_go
        self._refused: dict[str, tuple[Lane, SpoolOp]] = {}

    @property
    def holds(self) -> bool:
        """Whether lanes are held. While they are, `settle` must be called from time to time."""
        return bool(self._refused)

    async def write(self, ops: Sequence[SpoolOp]) -> bool:
        """Write what changed; whether it is on disk. Where the store refuses, it tells so, and writes it later."""
        try:
            await self._store.save((), (), (), ops)
        except StoreError:
            return False
        return True

    async def end(self, lane: Lane, op: SpoolOp) -> bool:
        """Write the last of an entry; where the store refuses (False is given), its lane is held."""
        if await self.write([op]):
            return True
        self._refused[op.id] = lane, op
        return False

    async def settle(self) -> None:
        """Once the store can be written, write again what it refused, and let the lanes go on."""
        refused = list(self._refused.items())
        for start in range(0, len(refused), _AT_ONCE):
            some = refused[start : start + _AT_ONCE]
            if not self._store.healthy or not await self.write([op for _, (_, op) in some]):
                return
            for id_, (lane, _) in some:
                del self._refused[id_]
                self._let_go(lane)
