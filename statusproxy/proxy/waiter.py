"""What one task waits for until bytes come: the task goes on in the call that brings them, not in a later turn.

An exchange waits twice, for its request and for the gateway's answer. A future would have the event loop call the task
in its next turn, which costs more than the rest of the waiting.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any


class Waiter(asyncio.Future[None]):
    """A future for one waiting task; `wake` or `wake_soon` ends the wait. Neither does anything once it has ended."""

    # No `__init__` of our own: it would cost more than all the rest. Both are set once a task waits.
    __slots__ = ("_context", "_go_on")
    _context: Context
    _go_on: Callable[[Any], object]

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Called by the task that waits, which is the only one: it goes on with `fn`, in its own `context`."""
        self._go_on, self._context = fn, copy_context() if context is None else context

    def wake(self) -> None:
        """Have the task go on now, before this returns. For calls from the event loop: inside of another task it goes
        on in the loop's next turn."""
        if self.done():
            return
        self.set_result(None)
        try:
            self._context.run(self._go_on, self)
        except AttributeError:  # no task waits yet
            pass
        except RuntimeError:  # this is inside of a task: nothing was done. What a task raises does not come out here.
            self._call_soon()

    def wake_soon(self) -> None:
        """Have the task go on in the loop's next turn."""
        if not self.done():
            self.set_result(None)
            self._call_soon()

    def cancel(self, msg: Any = None) -> bool:
        """Called when the task is cancelled: it goes on in the loop's next turn, and sees that."""
        if not super().cancel(msg):
            return False
        self._call_soon()
        return True

    def _call_soon(self) -> None:
        if hasattr(self, "_go_on"):
            self.get_loop().call_soon(self._go_on, self, context=self._context)
