"""Sends letters to targets: each by its channel, one at a time, with a pause after each; and keeps the last result."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from statusproxy.alerts.channels.letter import Channel, Letter, Outcome
from statusproxy.alerts.values import Message, Target
from statusproxy.observe.logs import NOTICE
from statusproxy.pacing import apart

__all__ = ["PAUSE", "Dispatch", "DispatchCounter", "Line", "Result"]

log = logging.getLogger("statusproxy.alerts")

#: Seconds between two messages to one target: services take some 20 to 30 a minute from one sender.
PAUSE: Final = 2.0

#: Processes of Apprise at a time; each takes some 40 MiB for a second or two.
_TOGETHER: Final = 2

#: Lines of a message from which on composing it takes more than some milliseconds: then a thread does it, so that the
#: event loop goes on.
_MANY: Final = 1_000

Compose = Callable[[Message, Target], Letter]
"""Words and JSON of a message, as this target gets it."""


class DispatchCounter(Protocol):
    """Who counts attempts (`observe.alert_counts`)."""

    def attempted(self, target: str, *, sent: bool) -> None:
        """An attempt ended."""


class Line(NamedTuple):
    """A target and the way to it."""

    target: Target
    channel: Channel


class Result(NamedTuple):
    """The result of the last attempt to reach a target."""

    at: float
    """Epoch seconds."""
    error: str | None


class Dispatch:
    """The targets now configured. `configure` before anything else."""

    def __init__(self, compose: Compose, counter: DispatchCounter, wall: Callable[[], float]) -> None:
        """`wall` gives the system's epoch seconds."""
        self.results: dict[str, Result] = {}
        """The last result, by the id of the target; since the start."""
        self._compose = compose
        self._counter = counter
        self._wall = wall
        self._lines: Mapping[str, Line] = {}
        self._together = asyncio.Semaphore(_TOGETHER)

    def configure(self, lines: Mapping[str, Line]) -> None:
        """Send by these lines from now on; by the ids of targets."""
        self._lines = lines
        self.results = {id_: result for id_, result in self.results.items() if id_ in lines}

    @property
    def targets(self) -> list[Target]:
        """In the order of the configuration."""
        return [line.target for line in self._lines.values()]

    def knows(self, target: str) -> bool:
        """Whether a target of this id is configured."""
        return target in self._lines

    async def send(self, message: Message, target_id: str) -> Outcome:
        """Try once to bring a message to a target that is known."""
        target, channel = self._lines[target_id]
        try:
            letter = await apart(partial(self._compose, message, target), many=len(message.lines) > _MANY)
            async with self._together:
                outcome = await channel.send(letter)
        except Exception:
            log.exception("alerts: message %s could not be sent to %s", message.id, target.name)
            outcome = Outcome("an internal error of the proxy")
        self._note(target, outcome, message)
        return outcome

    def _note(self, target: Target, outcome: Outcome, message: Message) -> None:
        before = self.results.get(target.id)
        self.results[target.id] = Result(self._wall(), outcome.error)
        self._counter.attempted(target.name, sent=outcome.error is None)
        facts = {"target": target.name, "id": message.id, "type": message.type}
        if outcome.error is None:
            log.log(NOTICE, "alerts: %s sent to %s", message.type, target.name, extra=facts)
        elif before is None or before.error != outcome.error:  # it is tried again for a day
            log.warning(
                "alerts: %s could not be sent to %s: %s",
                message.type, target.name, outcome.error, extra=facts | {"why": outcome.error},
            )  # fmt: skip
