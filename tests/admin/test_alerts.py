"""`/alerts`: targets without their addresses, what was told, the last messages, and test messages."""

from __future__ import annotations

import json
from typing import Any

from statusproxy.admin import alerts as module
from statusproxy.admin.alerts import NOT_CONFIGURED, AlertAnswers
from statusproxy.alerts.dispatch import Result
from statusproxy.alerts.service import TargetResult
from statusproxy.alerts.values import Book, DeliveryState, Outage, Target, Told, Topic
from statusproxy.observe.alert_counts import HeartbeatCounts
from tests.admin.conftest import Start
from tests.alerts.fakes import NOW, lost, message, target


class FakeAlerts:
    """What the answers look into (`alerts.service.Alerts`)."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = book or Book()
        self.leading = True
        self.store_fails = False
        self.beats = False
        self.targets = [target("hub"), target("ntfy", sessions=("sales*",))]
        self.names = {each.id: each.name for each in self.targets}
        self.waiting = {"hub": 1}
        self.tested: list[int | None] = []

    def last_result(self, target: Target) -> Result | None:
        return Result(NOW, "it answered 500") if target.id == "hub" else None

    def alerted_at(self, session: str) -> float | None:
        told = self.book.told.get(f"lost:{session}")
        return None if told is None else told.at

    async def test(self, number: int | None = None) -> list[TargetResult]:
        if number == 9:
            raise LookupError(number)
        self.tested.append(number)
        return [
            TargetResult(1, "webhook hub.example", None),
            TargetResult(2, "webhook ntfy.example", "no answer in time"),
        ]


BOOK = Book(
    told={
        "lost:sales": Told(lost("sales"), "m1", NOW + 60, 2),
        "store": Told(Outage(Topic.STORE, NOW, reason="disk full"), "m2", NOW + 90),
    },
    messages=(message("m1", "sales", state=DeliveryState.SENT), message("m2", targets=["hub", "gone"], attempts=3)),
)


def answers(fake: FakeAlerts | None) -> AlertAnswers:
    made = AlertAnswers(HeartbeatCounts())
    made.alerts = fake  # type: ignore[assignment]
    return made


async def asked(start: Start, fake: FakeAlerts | None, target: str, method: str = "GET") -> tuple[int, Any]:
    async with start() as admin:
        admin.proxy.server.admin.alerts_changed(fake)  # type: ignore[arg-type]
        reply = await admin.ask(target, method=method)
        return reply.status, json.loads(reply.body)


async def test_where_none_are_configured_that_is_said_and_nothing_can_be_tested(start: Start) -> None:
    status, said = await asked(start, None, "/alerts")
    assert (status, said["configured"], said["targets"]) == (200, False, [])
    assert await asked(start, None, "/alerts/test", "POST") == (409, {"error": NOT_CONFIGURED})


async def test_targets_told_outages_and_messages_are_listed(start: Start) -> None:
    status, said = await asked(start, FakeAlerts(BOOK), "/alerts")
    assert (status, said["configured"], said["sending"], said["written"]) == (200, True, True, True)
    assert said["targets"][0] == {
        "number": 1,
        "target": "webhook hub.example",
        "on": ["back", "gateway-down", "lost", "spool", "store", "webhooks-silent"],
        "sessions": ["*"],
        "waiting": 1,
        "last_at": "2027-01-15T08:00:00.000Z",
        "last_error": "it answered 500",
    }
    assert (said["targets"][1]["last_at"], said["targets"][1]["waiting"]) == (None, 0)
    assert said["told"] == [
        {
            "topic": "lost",
            "session": "sales",
            "since": "2027-01-15T08:00:00.000Z",
            "reason": "connection.update close",
            "alerted_at": "2027-01-15T08:01:00.000Z",
            "delivered": True,
            "reminders": 2,
            "message": "m1",
        },
        {
            "topic": "store",
            "session": None,
            "since": "2027-01-15T08:00:00.000Z",
            "reason": "disk full",
            "alerted_at": "2027-01-15T08:01:30.000Z",
            "delivered": False,
            "reminders": 0,
            "message": "m2",
        },
    ]
    assert [each["id"] for each in said["messages"]] == ["m2", "m1"]
    assert [each["target"] for each in said["messages"][0]["deliveries"]] == [
        "webhook hub.example",
        "no longer configured",
    ]
    assert (said["heartbeat"], said["told_total"]) == (None, 2)


def test_lists_are_bounded_and_say_how_many_there_are() -> None:
    many = [f"s{number:04}" for number in range(module._TOLD + 50)]
    book = Book(
        told={f"lost:{each}": Told(lost(each), "m1", NOW) for each in many},
        messages=tuple(message(f"m{number}", *many[:30]) for number in range(module._MESSAGES + 5)),
    )
    report = answers(FakeAlerts(book)).report()
    assert (report.told_total, len(report.told), len(report.messages)) == (len(many), module._TOLD, module._MESSAGES)
    assert report.messages[0].id == f"m{module._MESSAGES + 4}"
    assert (report.messages[0].count, len(report.messages[0].sessions)) == (30, module._SESSIONS)


def test_the_heartbeat_is_told_where_there_is_one_and_the_short_report_has_no_lists() -> None:
    fake = FakeAlerts(BOOK)
    fake.beats = True
    fake.store_fails = True
    report = answers(fake).report(short=True)
    assert report.heartbeat is not None
    assert (report.heartbeat.answered, report.heartbeat.last_at, report.written) == (0, None, False)
    assert (report.told, report.messages, report.told_total) == ([], [], 2)


async def test_test_messages_are_sent_to_all_or_to_one(start: Start) -> None:
    fake = FakeAlerts()
    status, said = await asked(start, fake, "/alerts/test", "POST")
    assert status == 200
    assert said["results"] == [
        {"number": 1, "target": "webhook hub.example", "error": None},
        {"number": 2, "target": "webhook ntfy.example", "error": "no answer in time"},
    ]
    assert (await asked(start, fake, "/alerts/test?to=2", "POST"))[0] == 200
    assert fake.tested == [None, 2]


async def test_a_number_that_is_none_is_refused(start: Start) -> None:
    assert await asked(start, FakeAlerts(), "/alerts/test?to=two", "POST") == (
        400,
        {"error": "to is the number of a target, from 1"},
    )
    assert await asked(start, FakeAlerts(), "/alerts/test?to=9", "POST") == (
        404,
        {"error": "there is no target 9; there are 2"},
    )


def test_when_a_session_was_alerted_is_known_by_any_of_its_ids_while_there_are_alerts() -> None:
    made = answers(FakeAlerts(BOOK))
    assert made.alerted_at(("Sales", "sales")) == NOW + 60
    assert made.alerted_at(("support",)) is None
    assert made.version is BOOK.told
    off = answers(None)
    assert (off.alerted_at(("sales",)), off.version) == (None, None)


async def test_sessions_tell_when_their_outage_was_told(start: Start) -> None:
    async with start() as admin:
        admin.proxy.server.admin.alerts_changed(FakeAlerts(BOOK))  # type: ignore[arg-type]
        await admin.lose("sales")
        await admin.lose("support")
        said = {each["session"]: each["alerted_at"] for each in (await admin.json("/sessions"))["sessions"]}
        assert said == {"sales": "2027-01-15T08:01:00.000Z", "support": None}
        await admin.regain("sales")
        assert [each["alerted_at"] for each in (await admin.json("/sessions"))["sessions"]] == [None, None]
