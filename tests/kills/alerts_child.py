"""The service with alerts, killed at a named step of sending: `tests.kills.alerts` starts it again and again.

What waits for seconds in earnest waits for a moment here, so that hundreds of deaths take minutes. Everything else is
the real thing: the service, its state in SQLite, and its webhooks.

python -m tests.kills.alerts_child CONFIG STEP SESSION [DELAY]
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from statusproxy.alerts import decide, grouping
from statusproxy.alerts.channels.letter import Letter, Outcome
from statusproxy.alerts.channels.webhook import WebhookChannel
from statusproxy.alerts.values import DeliveryState
from statusproxy.config.load import load
from statusproxy.config.settings import Settings
from statusproxy.demo.events import status_find
from statusproxy.server import Server
from statusproxy.store.sqlite_outbox import SqliteOutbox
from tests.registry.known import records_of
from tests.waiting import until

#: The steps at which it dies. `answer` is the receiver's: it kills this process when a message is there, or answered.
STEPS: Final = (
    "before the event",
    "after the event",
    "before the book is written",
    "after the book is written",
    "before the attempt",
    "before the answer",
    "after the answer",
    "before the mark",
    "after the mark",
    "at any time",
)

_QUIET: Final = 0.05


def die() -> None:
    """As a crash of the machine would: nothing runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(step: str) -> None:
    """Have this process die at a step."""
    write, send = SqliteOutbox.write, WebhookChannel.send
    sent = False

    async def dying_write(self: SqliteOutbox, payload: bytes, after: int) -> int | None:
        if step == ("before the mark" if sent else "before the book is written"):
            die()
        version = await write(self, payload, after)
        if step == ("after the mark" if sent else "after the book is written"):
            die()
        return version

    async def dying_send(self: WebhookChannel, letter: Letter) -> Outcome:
        nonlocal sent
        if step == "before the attempt":
            die()
        outcome = await send(self, letter)
        sent = outcome.error is None
        if step == "after the answer":
            die()
        return outcome

    SqliteOutbox.write = dying_write  # type: ignore[method-assign]
    WebhookChannel.send = dying_send  # type: ignore[method-assign]


def settings_of(file: Path) -> Settings:
    """The settings of the file, with a shorter group than a file may ask for."""
    settings = load(file, environ={})
    assert settings.alerts is not None
    return replace(settings, alerts=replace(settings.alerts, group=_QUIET))


async def main(file: Path, step: str, session: str, delay: float) -> None:
    """Serve, lose a session, and end when everything is told; or die before that."""
    for module, name, seconds in ((decide, "QUIET", _QUIET), (grouping, "QUIET", _QUIET)):
        setattr(module, name, seconds)
    arm(step)
    if step == "at any time":
        threading.Timer(delay, die).start()
    server = Server(settings_of(file))
    await server.start()
    if step == "before the event":
        die()
    if session:
        body = msgspec.json.encode(status_find(session, "disconnectedMobile"))
        durable = server.registry.hear(body, "127.0.0.1", "/hook")
        assert durable is not None
        await durable
        sys.stdout.write(f"{session}\n")
        sys.stdout.flush()
    if step == "after the event":
        die()
    await until(lambda: _all_told(server))
    server.ask_to_stop()
    server.ask_to_stop()
    await server.stop()


def _all_told(server: Server) -> bool:
    alerting = server._alerting
    assert alerting is not None
    assert alerting.alerts is not None
    lost = {record.session for record in records_of(server.registry) if record.override is not None}
    book = alerting.alerts.book
    told = {one.outage.session for one in book.told.values()}
    return lost <= told and all(
        delivery.state is DeliveryState.SENT for message in book.messages for delivery in message.deliveries
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])))
