"""Tries every target and the heartbeat once, beside a running proxy or without one: for the doctor."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import ClientSession

from statusproxy.alerts.channels.apprise import AppriseChannel
from statusproxy.alerts.channels.letter import Channel
from statusproxy.alerts.channels.webhook import WebhookChannel
from statusproxy.alerts.compose import composer
from statusproxy.alerts.heartbeat import ask
from statusproxy.alerts.http_client import open_session
from statusproxy.alerts.rules import alert_rules
from statusproxy.alerts.text import Reader
from statusproxy.alerts.values import Message
from statusproxy.config.alerts import Alerts, AlertTarget

__all__ = ["TEST", "Trial", "channel_of", "try_all"]

#: The type of a message that only shows that a target is reached.
TEST = "test"


class Trial(NamedTuple):
    """What came of it."""

    targets: list[tuple[str, str | None]]
    """The name of each target, and why it was not reached; None where it was."""
    heartbeat: str | None
    """Why the heartbeat was not answered; None where it was, or there is none."""


def channel_of(target: AlertTarget, session: Callable[[], ClientSession], wall: Callable[[], float]) -> Channel:
    """The way to a target; `session` is for webhooks, `wall` gives epoch seconds."""
    if target.webhook is not None:
        return WebhookChannel(target.webhook, target.key, session, wall)
    return AppriseChannel(target.url)


async def try_all(alerts: Alerts, reader: Reader, new_id: Callable[[], str]) -> Trial:
    """Send each target a test message, and ask the heartbeat. Takes half a minute at most for each two targets."""
    compose = composer(lambda: reader)
    together = asyncio.Semaphore(2)  # Apprise's processes take some memory
    session = open_session()

    async def send(place: int, written: AlertTarget) -> tuple[str, str | None]:
        message = Message(new_id(), TEST, time.time(), (), ())
        target = targets[place]
        async with together:
            outcome = await channel_of(written, lambda: session, time.time).send(compose(message, target))
        return target.name, outcome.error

    targets = alert_rules(alerts).targets
    try:
        results = await asyncio.gather(*(send(place, written) for place, written in enumerate(alerts.to)))
        heartbeat = None if alerts.heartbeat is None else await ask(alerts.heartbeat, session)
    finally:
        await session.close()
    return Trial(list(results), heartbeat)
