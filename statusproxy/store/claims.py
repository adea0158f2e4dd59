"""Claims: what only one of the proxies that share a state does, until it gives it up or dies."""

from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["LEASE", "Claims"]

#: Seconds for which a claim is held. Its holder renews it well before; another may have it after that.
LEASE: Final = 15.0


class Claims(Protocol):
    """A proxy's claims in a state that it shares. A claim is a name that one proxy holds at a time."""

    def listen(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Have `listener` called in the event loop with each claim that another proxy gives up: it may be claimed.

        Call what is returned to end that.
        """

    async def claim(self, name: str) -> float | None:
        """Claim a name, or renew the claim on it; None where another proxy holds it.

        Gives the moment of `time.monotonic` until which it is held. Raises `StoreError` where the store does not
        answer; a claim that was held before is held until the moment that was given then.
        """

    async def release(self, name: str) -> None:
        """Give a claim up, so that another proxy can have it at once. Raises nothing, and takes a bounded time."""
