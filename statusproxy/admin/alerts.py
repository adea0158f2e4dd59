"""What the admin listener answers on `/alerts`: targets, what was told, messages on their way; and test messages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from aiohttp import web

from statusproxy.admin.alert_messages import (
    AlertDeliveryLine,
    AlertMessageLine,
    AlertsReport,
    AlertsTested,
    AlertTargetLine,
    AlertTested,
    HeartbeatLine,
    ToldLine,
)
from statusproxy.admin.json_answers import answer, refuse
from statusproxy.admin.report import moment
from statusproxy.observe.alert_counts import HeartbeatCounts

if TYPE_CHECKING:
    from statusproxy.alerts.service import Alerts
    from statusproxy.alerts.values import Book, Message, Told

#: Outages, messages, and sessions of a message that are listed.
_TOLD: Final = 500
_MESSAGES: Final = 100
_SESSIONS: Final = 20

NOT_CONFIGURED: Final = "no alerts are configured: config.yaml has no block `alerts` (see docs/alerts.md)"


class AlertAnswers:
    """The handlers. `alerts` is None while the settings have none."""

    def __init__(self, heartbeat: HeartbeatCounts) -> None:
        self.alerts: Alerts | None = None
        self._heartbeat = heartbeat
        self._testing = asyncio.Lock()

    def routes(self) -> list[web.AbstractRouteDef]:
        """The paths with their handlers."""
        return [
            web.get("/alerts", self.show, allow_head=False),
            web.post("/alerts/test", self.test),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Everything about alerts."""
        return answer(self.report())

    async def test(self, request: web.Request) -> web.Response:
        """Send a test message to each target, or to the one whose number the query says (`to`)."""
        if self.alerts is None:
            return refuse(409, NOT_CONFIGURED)
        said = request.query.get("to")
        if said is not None and not (said.isascii() and said.isdigit() and len(said) < 5):
            return refuse(400, "to is the number of a target, from 1")
        async with self._testing:  # one after the other: a button that is pressed twice
            try:
                tested = await self.alerts.test(None if said is None else int(said))
            except LookupError:
                return refuse(404, f"there is no target {said}; there are {len(self.alerts.targets)}")
        return answer(
            AlertsTested([AlertTested(number=one.number, target=one.target, error=one.error) for one in tested])
        )

    def report(self, *, short: bool = False) -> AlertsReport:
        """Alerts as they are now; `short`: without outages and messages."""
        alerts = self.alerts
        now = moment(time.time())
        if alerts is None:
            return AlertsReport(now=now, configured=False)
        book, beat = alerts.book, self._heartbeat
        return AlertsReport(
            now=now,
            configured=True,
            sending=alerts.leading,
            written=not alerts.store_fails,
            targets=list(_targets(alerts)),
            heartbeat=HeartbeatLine(
                answered=beat.answered, failed=beat.failed, withheld=beat.withheld, last_at=moment(beat.last_at)
            )
            if alerts.beats
            else None,
            told_total=len(book.told),
            told=[] if short else _lasting(book),
            messages=[] if short else [_message(one, alerts.names) for one in book.messages[: -_MESSAGES - 1 : -1]],
        )

    def alerted_at(self, spellings: Iterable[str]) -> float | None:
        """When the newest message about a session, by any of its ids, was made; None if there was none."""
        if self.alerts is None:
            return None
        times = [at for each in spellings if (at := self.alerts.alerted_at(each)) is not None]
        return max(times, default=None)

    @property
    def version(self) -> object:
        """Another object each time `alerted_at` may give something else."""
        return None if self.alerts is None else self.alerts.book.told


def _targets(alerts: Alerts) -> Iterator[AlertTargetLine]:
    waiting = alerts.waiting
    for number, target in enumerate(alerts.targets, 1):
        last = alerts.last_result(target)
        yield AlertTargetLine(
            number=number,
            target=target.name,
            on=sorted(target.on),
            sessions=list(target.sessions),
            waiting=waiting.get(target.id, 0),
            last_at=None if last is None else moment(last.at),
            last_error=None if last is None else last.error,
        )


def _lasting(book: Book) -> list[ToldLine]:
    unheard = {
        message.id
        for message in book.messages
        if message.deliveries and not any(one.state.value == "sent" for one in message.deliveries)
    }
    return [_told(one, unheard) for _, one in zip(range(_TOLD), book.told.values(), strict=False)]


def _told(told: Told, unheard: Collection[str]) -> ToldLine:
    outage = told.outage
    cause = outage.reason if outage.session is None else " ".join(filter(None, (outage.event, outage.word)))
    return ToldLine(
        topic=outage.topic.value,
        session=outage.session,
        since=moment(outage.since),
        reason=cause or None,
        alerted_at=moment(told.at),
        delivered=told.message not in unheard,
        reminders=told.reminders,
        message=told.message,
    )


def _message(message: Message, names: dict[str, str]) -> AlertMessageLine:
    sessions = [line.outage.session for line in message.lines[:_SESSIONS] if line.outage.session is not None]
    return AlertMessageLine(
        id=message.id,
        type=message.type,
        at=moment(message.at),
        count=len(message.lines),
        sessions=sessions,
        reminder=message.reminder,
        deliveries=[
            AlertDeliveryLine(
                target=names.get(each.target, "no longer configured"),
                state=each.state.value,
                attempts=each.attempts,
                next_at=moment(each.next_at),
                done_at=moment(each.done_at),
                error=each.error,
            )
            for each in message.deliveries
        ],
    )
