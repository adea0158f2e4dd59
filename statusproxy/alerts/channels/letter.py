"""What a channel is given to send, and the result of an attempt."""

from typing import Protocol

import msgspec

__all__ = ["SENT", "Channel", "Letter", "Outcome"]


class Letter(msgspec.Struct, frozen=True):
    """One message for one target, in the forms that channels need."""

    id: str
    """The message's id, the same at each attempt."""
    body: bytes
    """JSON, in UTF-8."""
    title: str
    text: str
    good_news: bool = False
    """It tells that something is over; services that have colours and icons show it so."""


class Outcome(msgspec.Struct, frozen=True):
    """The result of one attempt."""

    error: str | None = None
    """Why it failed, in words for log and list: without URL, token or secret. None: the receiver has it."""
    retry_after: float | None = None
    """Seconds for which the receiver asks to be left alone."""


SENT = Outcome()


class Channel(Protocol):
    """A way to one receiver."""

    async def send(self, letter: Letter) -> Outcome:
        """Try once, within a bounded time. Raises nothing but `CancelledError`."""
