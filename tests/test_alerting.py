"""Alerts begin and end as the settings say, and see how things stand; without them nothing of them is loaded."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from statusproxy.alerting import Alerting, Site
from statusproxy.alerts.sightings import SpoolVitals
from statusproxy.alerts.values import Book, Delivery, DeliveryState, Message, Topic
from statusproxy.observe.silence import LONGEST
from statusproxy.spool.spool import Spool
from statusproxy.status.model import Record
from statusproxy.store.spooled import EntryState
from tests.admin.shelf import Shelf, entry, spool_of
from tests.alerts.receiver import Receiver, receiving
from tests.hand_clock import HandClock
from tests.proxy.harness import Origin, Running, running
from tests.test_server import serving
from tests.waiting import until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def alerts(receiver: Receiver, *paths: str, **more: Any) -> dict[str, Any]:
    return {"after": "0s", "group": "5s", "to": [{"webhook": f"{receiver.url}/{each}"} for each in paths], **more}


def alerting(server: Any) -> Alerting:
    found: Alerting = server._alerting
    return found


# On and off


@pytest.mark.slow
async def test_a_reload_switches_them_on_changes_them_and_switches_them_off(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin) as site:
        subscribers = len(site.server.registry.changes)
        states = [alerting(site.server).alerts]
        assert await site.reload(alerts=alerts(receiver, "a"))
        found = alerting(site.server).alerts
        assert found is not None
        assert site.server.admin.answers.alerts.alerts is found
        assert len(site.server.registry.changes) == subscribers + 1
        assert await site.reload(alerts=alerts(receiver, "a", "b"))
        assert alerting(site.server).alerts is found
        assert len(found.targets) == 2
        assert await site.reload(alerts=None)
        states.append(alerting(site.server).alerts)
        assert states == [None] * 2
        assert not site.server.admin.answers.alerts.report().configured
        assert len(site.server.registry.changes) == subscribers


@pytest.mark.slow
async def test_off_and_on_again_sends_nothing_twice(tmp_path: Path, origin: Origin, receiver: Receiver) -> None:
    answering = asyncio.Event()

    async def arrived() -> None:
        await answering.wait()

    receiver.arrived = arrived
    async with serving(tmp_path, origin, alerts=alerts(receiver, "a")) as site:
        before = alerting(site.server).alerts
        assert before is not None
        await until(lambda: before.leading)
        (target,) = before.targets
        before._books.put(Book(messages=(Message("m1", "test", time.time(), (), (Delivery(target.id),)),)))
        before.wake()
        await until(lambda: bool(receiver.came))
        for on in (None, alerts(receiver, "a"), None, alerts(receiver, "a")):
            assert await site.reload(alerts=on)
        after = alerting(site.server).alerts
        assert after is not None
        assert site.server.admin.answers.alerts.alerts is after
        answering.set()
        await until(lambda: bool(after.book.messages))
        assert [each.deliveries[0].state for each in after.book.messages] == [DeliveryState.SENT]
    assert len(receiver.came) == 1


@pytest.mark.slow
async def test_off_again_before_those_before_have_ended_starts_nothing(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin, alerts=alerts(receiver, "a")) as site:
        found = alerting(site.server)
        for on in (None, alerts(receiver, "a")):
            site.write(alerts=on)
            found.follow(site.read())
        second = found.alerts
        assert second is not None
        site.write(alerts=None)
        found.follow(site.read())
        await found.close()
    assert not second.leading


async def test_the_gateways_change_wakes_them_and_a_stop_ends_them(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin, alerts=alerts(receiver, "a")) as site:
        alerting(site.server).wake()
        found = alerting(site.server).alerts
        assert found is not None
        await until(lambda: found.leading)
    ended = alerting(site.server)
    assert ended.alerts is None
    ended.wake()


async def test_the_words_are_in_the_language_of_the_settings(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin, alerts=alerts(receiver, "a"), language="pt-BR") as site:
        found = alerting(site.server).alerts
        assert found is not None
        await found.test()
        assert await site.reload(language="en")
        await found.test()
    texts = [json.loads(each.body)["text"] for each in receiver.came]
    assert texts[0] != texts[1]
    assert "teste" in texts[0]


_UNLOADED = """
import asyncio, pathlib, sys
from statusproxy.config.load import load
from statusproxy.server import Server

async def main():
    file = pathlib.Path(sys.argv[1])
    server = Server(load(file, environ={}), lambda: load(file, environ={}))
    await server.start()
    await server.reload()
    await server.stop()
    print(*sorted(name for name in sys.modules if name.startswith(("statusproxy.alerts", "apprise"))))

asyncio.run(main())
"""


@pytest.mark.slow
def test_where_none_are_configured_nothing_of_them_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "listen: 127.0.0.1:0\ngateway: http://127.0.0.1:1\nstate: {url: 'memory:'}\nadmin: {listen: 127.0.0.1:0}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", _UNLOADED, str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""


# How things stand


class Gateway:
    """The watch of a gateway (`proxy.upstream.watch.GatewayWatch`), as a test sets it."""

    def __init__(self) -> None:
        self.error: str | None = None
        self.looked = True
        self.asked = 0

    def look_soon(self) -> None:
        self.asked += 1


class Seen:
    """A site whose parts a test sets."""

    def __init__(self, proxy: Running) -> None:
        self.server = proxy.server
        self.clock = HandClock()
        self.gateway = Gateway()
        self.site = self.with_spool(None)
        rhythm = self.server.registry.webhooks.rhythm
        rhythm.came(self.site.wall())

    def with_spool(self, spool: Spool | None) -> Site:
        return Site(self.server.registry, self.server.proxy, spool, self.gateway, self.clock)  # type: ignore[arg-type]


@pytest.fixture
async def seen(tmp_path: Path, origin: Origin) -> AsyncIterator[Seen]:
    async with running(tmp_path, origin.url) as proxy:
        yield Seen(proxy)


async def test_where_all_works_nothing_is_wrong_and_nothing_unsure(seen: Seen) -> None:
    vitals = seen.site.vitals()
    assert vitals == (None, None, None, None, frozenset())


async def test_a_gateway_that_is_away_is_seen_and_one_not_looked_at_is_unsure(seen: Seen) -> None:
    seen.gateway.error = "connection refused"
    assert seen.site.vitals().gateway == "connection refused"
    seen.gateway.error, seen.gateway.looked = None, False
    assert seen.site.vitals().unsure == {Topic.GATEWAY_DOWN}


async def test_a_quiet_gateway_is_looked_at_every_half_minute(seen: Seen) -> None:
    seen.site.vitals()
    seen.clock.now += 29
    seen.site.vitals()
    assert seen.gateway.asked == 0
    seen.clock.now += 1
    seen.site.vitals()
    seen.site.vitals()
    assert seen.gateway.asked == 1


@pytest.mark.parametrize(("error", "told"), [("the disk is full", "the disk is full"), (None, "no reason given")])
async def test_a_store_that_takes_no_writes_is_seen(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, error: str | None, told: str
) -> None:
    store = type(seen.server.registry.store)
    seen.site.vitals()
    monkeypatch.setattr(store, "healthy", False)
    monkeypatch.setattr(store, "error", error)
    assert seen.site.vitals().store == told
    assert Topic.LOST not in seen.site.vitals().unsure


async def test_before_the_map_was_read_nothing_is_said_of_sessions(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(seen.server.registry.store), "healthy", False)
    assert Topic.LOST in seen.site.vitals().unsure


async def test_before_the_first_webhook_nothing_is_said_of_their_silence(seen: Seen) -> None:
    seen.server.registry.webhooks.rhythm.count = 0
    vitals = seen.site.vitals()
    assert vitals.silent_since is None
    assert vitals.unsure == {Topic.WEBHOOKS_SILENT}


async def test_a_long_silence_is_seen_unless_other_proxies_heard_something(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = seen.server.registry
    last = registry.webhooks.rhythm.last = seen.site.wall() - LONGEST - 1
    assert seen.site.vitals().silent_since == last
    monkeypatch.setattr(type(registry.store), "sharing", object())
    assert seen.site.vitals().silent_since == last
    heard = Record("sales", heard_at=registry.clock.now() - 5)
    monkeypatch.setattr(registry.sessions, "records", lambda: [heard])
    assert seen.site.vitals().silent_since is None


@pytest.mark.parametrize(("by", "silent"), [(2 * LONGEST, 0.0), (-2 * LONGEST, LONGEST + 1)])
async def test_only_a_silence_that_lasts_is_seen_however_the_clock_is_set(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, by: float, silent: float
) -> None:
    registry = seen.server.registry
    registry.webhooks.rhythm.last = registry.now() - silent
    monkeypatch.setattr(registry.clock, "wall", lambda: time.time() + by)
    since = seen.site.vitals().silent_since
    assert since == (pytest.approx(time.time() + by - silent, abs=1) if silent else None)


async def test_the_spool_is_seen_in_the_systems_time(seen: Seen) -> None:
    spool = await spool_of(Shelf(entry(1), entry(2, state=EntryState.UNKNOWN), entry(3, state=EntryState.DEAD)))
    vitals = seen.with_spool(spool).vitals()
    assert vitals.spool is not None
    assert vitals.spool == SpoolVitals(unknown=1, dead=1, waiting=1, waiting_since=vitals.spool.waiting_since)
    assert vitals.spool.waiting_since is not None


async def test_a_spool_that_was_not_read_is_unsure(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = await spool_of(Shelf())
    monkeypatch.setattr(type(spool), "unread", "it has not been read yet")
    vitals = seen.with_spool(spool).vitals()
    assert vitals.spool is None
    assert vitals.unsure == {Topic.SPOOL}


async def test_whether_store_and_gateway_answer_is_asked_of_both(
    seen: Seen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert await seen.site.works() is None

    async def refused() -> str | None:
        return "connection refused"

    async def hangs() -> str | None:
        raise TimeoutError

    monkeypatch.setattr(seen.server.proxy, "gateway_error", refused)
    assert await seen.site.works() == "gateway"
    monkeypatch.setattr(seen.server.proxy, "gateway_error", hangs)
    assert await seen.site.works() == "gateway"

    async def broken() -> bool:
        return False

    monkeypatch.setattr(seen.server.registry, "works", broken)
    assert await seen.site.works() == "store"


async def test_where_they_are_kept_is_the_stores_own(seen: Seen) -> None:
    store = seen.server.registry.store
    assert (seen.site.outbox, seen.site.claims) == (store.outbox, store.claims)
