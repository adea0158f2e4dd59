"""Subscribers of changes: each batch goes to every subscriber, in the order of subscription."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from statusproxy.status.model import Change

log = logging.getLogger("statusproxy.sessions")


class Subscriber(Protocol):
    """Something that follows the changes of sessions: the log, the metrics, the status page."""

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """Take in one batch of changes, oldest first; never empty.

        `now` and the times in them are of the proxy's own clock, epoch seconds. Returns at once and does not raise:
        the webhook or answer that caused the changes waits for it.
        """


class Changes:
    """The list of subscribers."""

    __slots__ = ("_subscribers",)

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = subscribers

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Tell `subscriber` of every batch from now on; call what is returned to end that."""
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(one for one in self._subscribers if one is not subscriber)

        return unsubscribe

    def publish(self, changes: Sequence[Change], now: float) -> None:
        """Tell every subscriber of these changes. An error in one costs neither the others nor the save."""
        for subscriber in self._subscribers:
            try:
                subscriber.changed(changes, now)
            except Exception:
                log.exception("%s could not take in a change", type(subscriber).__name__)

    def __len__(self) -> int:
        return len(self._subscribers)
