"""Alerts as one thing: from the settings to a receiver, changed while they run, and ended."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from statusproxy.alerts.channels.apprise import AppriseChannel
from statusproxy.alerts.dispatch import Result
from statusproxy.alerts.service import Alerts, TargetResult, new_id
from statusproxy.alerts.text import Reader
from statusproxy.alerts.values import Book, Told
from statusproxy.config.alerts import Alerts as AlertSettings
from statusproxy.config.alerts import AlertTarget
from statusproxy.observe.alert_counts import AlertCounts
from statusproxy.status.model import STARTED, Change
from statusproxy.store.claims import Claims
from tests.alerts.fakes import NOW, FakeSite, SharedOutbox, lost, message
from tests.alerts.receiver import Receiver, receiving
from tests.waiting import until


class Surroundings(FakeSite):
    """Implements `service.Surroundings`."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = SharedOutbox()
        self.claims: Claims | None = None

    async def works(self) -> str | None:
        """Both answer."""
        return None

    def wall(self) -> float:
        """All of this happens in one moment."""
        return NOW


class Bench:
    """Alerts with one webhook, and its receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.around = Surroundings()
        self.counts = AlertCounts()
        self.alerts = Alerts(self.around, self.counts)

    def settings(self, *paths: str, heartbeat: str | None = None) -> AlertSettings:
        return AlertSettings(
            after=0.0,
            to=tuple(AlertTarget(webhook=f"{self.receiver.url}{path}") for path in paths),
            heartbeat=None if heartbeat is None else f"{self.receiver.url}{heartbeat}",
        )

    def configure(self, *paths: str, heartbeat: str | None = None) -> None:
        self.alerts.configure(self.settings(*paths, heartbeat=heartbeat), Reader(language="en"))

    @property
    def came(self) -> list[str]:
        return [f"{each.method} {each.path}" for each in self.receiver.came]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with receiving() as receiver:
        bench = Bench(receiver)
        yield bench
        await bench.alerts.close()


async def test_what_waits_in_the_store_is_sent_after_the_start(bench: Bench) -> None:
    from statusproxy.alerts.codec import encode
    from statusproxy.store.outbox import OutboxDocument

    target = bench.settings("/a").to[0].id
    book = Book(told={"lost:sales": Told(lost("sales"), "m1", NOW)}, messages=(message("m1", targets=[target]),))
    bench.around.outbox.document = OutboxDocument(7, encode(book))
    bench.around.registry.lose("sales")
    bench.configure("/a")
    bench.alerts.start()
    await until(lambda: bench.around.outbox.document.version == 8)
    assert bench.came == ["POST /a"]
    assert json.loads(bench.receiver.came[0].body)["id"] == "m1"
    assert (bench.alerts.leading, bench.alerts.store_fails, sum(bench.alerts.waiting.values())) == (True, False, 0)
    assert (bench.alerts.alerted_at("sales"), bench.alerts.alerted_at("support")) == (NOW, None)
    name = bench.alerts.targets[0]
    assert bench.alerts.last_result(name) == Result(NOW, None)
    assert bench.alerts.names == {target: name.name}


async def test_test_messages_go_to_all_or_to_one_and_tell_what_came_of_them(bench: Bench) -> None:
    bench.configure("/a", "/b")
    bench.receiver.answer = lambda: web.Response(status=500 if bench.came[-1] == "POST /b" else 204)
    one, two = (target.name for target in bench.alerts.targets)
    assert await bench.alerts.test(2) == [TargetResult(2, two, "it answered 500 Internal Server Error")]
    assert await bench.alerts.test(1) == [TargetResult(1, one, None)]
    assert len(await bench.alerts.test()) == 2
    assert {json.loads(each.body)["type"] for each in bench.receiver.came} == {"test"}
    with pytest.raises(LookupError):
        await bench.alerts.test(3)
    assert bench.alerts.book == Book()


async def test_each_target_is_counted_from_the_start(bench: Bench) -> None:
    bench.configure("/a")
    name = bench.alerts.targets[0].name
    assert bench.counts.deliveries == {(name, "sent"): 0, (name, "failed"): 0}


async def test_the_heartbeat_begins_with_the_start_and_changes_with_the_settings(bench: Bench) -> None:
    bench.configure(heartbeat="/one")
    beats = [bench.alerts.beats]
    bench.alerts.start()
    await until(lambda: bench.came == ["GET /one"])
    bench.configure(heartbeat="/one")
    bench.configure(heartbeat="/two")
    await until(lambda: bench.came == ["GET /one", "GET /two"])
    beats.append(bench.alerts.beats)
    bench.configure("/a")
    beats.append(bench.alerts.beats)
    assert beats == [False, True, False]


async def test_a_target_of_apprise_has_its_channel(bench: Bench) -> None:
    bench.alerts.configure(AlertSettings(to=(AlertTarget(apprise="ntfy://ntfy.example/topic"),)), Reader())
    assert [target.name for target in bench.alerts.targets] == ["apprise ntfy"]
    from statusproxy.alerts.trial import channel_of

    target = AlertTarget(apprise="ntfy://ntfy.example/topic")
    assert isinstance(channel_of(target, bench.alerts._client, lambda: NOW), AppriseChannel)


async def test_changes_and_what_is_beside_the_sessions_wake_it(bench: Bench) -> None:
    bench.configure("/a")
    bench.alerts.start()
    await until(lambda: bench.alerts.leading)
    registry = bench.around.registry
    registry.lose("sales")
    looks = registry.looks
    bench.alerts.changed([Change("sales", STARTED, "x", NOW, NOW)], NOW)
    await until(lambda: registry.looks > looks)
    more = registry.looks
    bench.alerts.wake()
    await until(lambda: registry.looks > more)


async def test_one_that_never_started_is_closed_without_ado(bench: Bench) -> None:
    await bench.alerts.close()
    assert bench.came == []


def test_ids_differ_and_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(each.startswith("msg_") and len(each) == 32 for each in ids)
