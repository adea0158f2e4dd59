"""Bodies of many events: all of them, in their order, without holding up anybody, and durable before the answer."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from statusproxy.config.load import loads
from statusproxy.observe.metrics import Metrics
from statusproxy.registry import intake
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status import events as events_module
from statusproxy.status import signals
from statusproxy.status.packing import MOST_EVENTS
from tests.registry.disk import Disk

NOW = 1_768_504_026.0


class Site:
    """A registry on a disk, whose clock stands still."""

    def __init__(self) -> None:
        settings = loads("gateway: http://127.0.0.1:3000\nsessions: {max_sessions: 20000}")
        self.disk, self.metrics = Disk(), Metrics()
        self.registry = SessionRegistry(
            settings.signal_rules(), settings.session_rules(), self.disk, self.metrics, lambda: NOW, lambda: NOW
        )

    def post(self, body: bytes, session: str | None = None) -> Any:
        return self.registry.hear(body, "10.0.0.9", "/in", session)

    def lost(self) -> list[str]:
        return [record.session for record in self.registry.sessions.records() if record.override is not None]

    def stored(self) -> list[str]:
        return [record.session for record in self.disk.saved.values() if record.override is not None]


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    it = Site()
    await it.registry.open()
    yield it
    if not it.disk.closed:
        await it.registry.close()


def find(word: str, *sessions: str) -> list[dict[str, Any]]:
    return [{"event": "status-find", "session": session, "status": word} for session in sessions]


def lines(events: Sequence[object]) -> bytes:
    return "\n".join(map(json.dumps, events)).encode()


def array(events: Sequence[object]) -> bytes:
    return json.dumps(events).encode()


NAMES = [f"s{number:04d}" for number in range(200)]
MANY = array(find("browserClose", *NAMES))


@pytest.mark.parametrize("pack", [array, lines])
async def test_every_event_of_a_body_counts_and_is_stored_before_the_answer(site: Site, pack: Any) -> None:
    await site.post(pack(find("browserClose", "sales", "support")))
    assert site.lost() == site.stored() == ["sales", "support"]
    assert site.metrics.signals == {("disconnected", "applied"): 2}
    assert site.registry.webhooks.report().heard == 1


async def test_a_body_of_many_events_is_one_webhook_as_one_of_a_single_event_is(site: Site) -> None:
    await site.post(array(find("browserClose", "a", "b", "c", "d")))
    assert site.registry.webhooks.report().heard == 1
    await site.post(json.dumps(find("browserClose", "e")[0]).encode())
    assert site.registry.webhooks.report().heard == 2


async def test_each_event_of_a_body_is_a_microsecond_newer_than_the_one_before_it(site: Site) -> None:
    await site.post(array(find("browserClose", "a", "b", "c")))
    times = [record.known_at for record in site.registry.sessions.records()]
    assert [round((at - times[0]) * 1e6) for at in times] == [0, 1, 2]


async def test_what_says_nothing_of_a_session_is_answered_at_once(site: Site) -> None:
    site.disk.free.clear()
    lost = site.post(json.dumps(find("browserClose", "a")[0]).encode())
    assert lost is not None
    assert site.post(b'{"event": "other"}') is None
    site.disk.free.set()
    await lost


async def test_an_event_that_changes_nothing_leads_to_nothing_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = b'{"event": "other", "session": "sales"}'
    site.post(quiet)
    saved: list[object] = []
    monkeypatch.setattr(site.registry.saving, "save", lambda *more: saved.append(more))
    assert (site.post(quiet), saved) == (None, [])
    assert site.metrics.signals == {("none", "unmatched"): 2}
    record = site.registry.sessions.get("sales")
    assert record is not None
    assert (record.event, record.heard_at > NOW) == ("other", True)


async def test_events_of_a_body_count_in_their_order(site: Site) -> None:
    words = find("browserClose", "a", "b") + find("inChat", "b", "c") + find("browserClose", "c")
    await site.post(array(words))
    assert site.lost() == ["a", "c"]


async def test_events_that_name_no_session_are_of_the_session_in_the_path(site: Site) -> None:
    await site.post(array([{"event": "status-find", "status": word} for word in ("inChat", "browserClose")]), "pixel")
    assert site.lost() == ["pixel"]


async def test_others_get_their_turn_between_slices_and_what_was_heard_holds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "time", SimpleNamespace(perf_counter=lambda: 1.0))  # no slice ends by its time
    durable = asyncio.ensure_future(site.post(MANY))
    seen = []
    while not durable.done():
        await asyncio.sleep(0)
        seen.append(len(site.lost()))
    assert site.stored() == NAMES
    assert sorted({*seen, 0}) == [0, 64, 128, 192, 200]
    assert intake.SLICE_SECONDS == 0.005  # a quarter of what may hold the loop


async def test_a_long_event_that_only_the_slow_decoder_reads_counts_and_holds_nobody_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SLICE_SECONDS", 0.0)
    event = json.dumps(find("browserClose", "sales")[0] | {"half": "\ud83d", "long": ["x"] * 200_000}).encode()
    durable, turns = asyncio.ensure_future(site.post(event)), 0
    while not durable.done():
        await asyncio.sleep(0)
        turns += 1
    assert site.lost() == site.stored() == ["sales"]
    assert turns > len(event) // 100_000
    assert site.metrics.signals == {("disconnected", "applied"): 1}


async def test_an_event_of_very_many_members_counts_and_holds_nobody_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SLICE_SECONDS", 0.0)
    event = json.dumps(dict.fromkeys(map(str, range(40_000)), 0) | find("browserClose", "sales")[0]).encode()
    durable, turns = asyncio.ensure_future(site.post(event)), 0
    while not durable.done():
        await asyncio.sleep(0)
        turns += 1
    assert site.lost() == site.stored() == ["sales"]
    assert turns > 6


@pytest.mark.parametrize("collected", [True, False])
@pytest.mark.parametrize("members", [100, 40_000])
async def test_nothing_is_collected_while_an_event_of_very_many_members_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, members: int, collected: bool
) -> None:
    monkeypatch.setattr(intake, "SLICE_SECONDS", 0.0)
    event = json.dumps([dict.fromkeys(map(str, range(members)), 0) | find("browserClose", "sales")[0]]).encode()
    before, seen = gc.isenabled(), set()
    (gc.enable if collected else gc.disable)()
    try:
        durable = asyncio.ensure_future(site.post(event))
        while not site.lost():
            await asyncio.sleep(0)
            seen.add(gc.isenabled())
        await durable
        assert seen == {collected and members == 100}
        assert gc.isenabled() is collected
    finally:
        (gc.enable if before else gc.disable)()


async def test_a_slice_ends_with_its_time_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "SLICE_SECONDS", 0.0)
    durable = asyncio.ensure_future(site.post(array(find("browserClose", "a", "b", "c"))))
    seen = []
    while not durable.done():
        await asyncio.sleep(0)
        seen.append(len(site.lost()))
    assert {1, 2, 3} <= set(seen)


async def test_nothing_is_lost_when_the_sender_leaves(site: Site) -> None:
    waiting = asyncio.ensure_future(site.post(MANY))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert site.lost() != NAMES
    await site.registry.close()
    assert site.lost() == site.stored() == NAMES


async def test_it_is_durable_only_when_all_of_it_is_on_disk(site: Site) -> None:
    site.disk.free.clear()
    durable = asyncio.ensure_future(site.post(MANY))
    for _ in range(10 * len(NAMES)):
        await asyncio.sleep(0)
    assert site.lost() == NAMES
    assert not durable.done()
    site.disk.free.set()
    await durable
    assert site.stored() == NAMES


async def test_what_comes_after_a_body_counts_after_it(site: Site) -> None:
    """Events without a time of their own are as new as their arrival."""
    last = NAMES[-1]
    waits = [
        site.post(MANY),
        site.post(array(find("inChat", last))),
        site.post(array(find("browserClose", "after"))),
        site.post(json.dumps(find("inChat", "after")[0]).encode()),
    ]
    await asyncio.gather(*waits)
    assert site.lost() == site.stored() == NAMES[:-1]
    assert site.metrics.signals == {("disconnected", "applied"): len(NAMES) + 1, ("connected", "applied"): 2}


async def test_bodies_that_wait_are_bounded_and_single_events_are_not_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MOST_WAITING", 2 * len(MANY))
    waits = [
        site.post(MANY),
        site.post(MANY),
        site.post(MANY),
        site.post(json.dumps(find("inChat", "s0000")[0]).encode()),
    ]
    assert [wait is None for wait in waits] == [False, False, True, False]
    assert site.metrics.unread == {("webhook", "too-many"): 1}
    await waits[-1]
    assert site.lost() == NAMES[1:]
    again = [site.post(MANY), site.post(MANY)]
    await asyncio.gather(*again)  # there is room again


@pytest.mark.slow
async def test_what_cannot_be_read_is_counted_event_by_event(site: Site) -> None:
    good = lines(find("browserClose", "sales"))
    await site.post(good + b"\n{\n{\n" + lines(find("browserClose", "support")))
    assert site.metrics.unread == {("webhook", "not-json"): 2}
    assert site.metrics.signals == {("disconnected", "applied"): 2, ("none", "not-json"): 2}
    await site.post(b"\n".join([b'{"event":"x"}'] * (MOST_EVENTS + 7)))
    assert site.metrics.unread == {("webhook", "not-json"): 2, ("webhook", "too-many"): 7}
    assert site.metrics.signals["none", "unmatched"] == MOST_EVENTS


async def test_an_error_of_our_own_costs_one_body_only(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    body = array([*find("browserClose", "sales"), {"event": "odd"}])

    def breaks(document: Any, *more: Any) -> Any:
        if document.get("event") == "odd":
            raise RuntimeError("a fault")
        return signals.read_document(document, *more)

    monkeypatch.setattr(events_module, "read_document", breaks)
    await site.post(body)
    await site.post(array(find("browserClose", "support")))
    assert site.stored() == ["sales", "support"]
    assert site.metrics.unread == {("webhook", "internal"): 1}
    assert "a webhook with several events could not be read" in caplog.messages


async def test_an_error_of_our_own_costs_one_event_of_a_body_only(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hear = site.registry.sessions.hear

    def breaks(reading: signals.Reading, *more: Any) -> Any:
        if reading.session == "odd":
            raise RuntimeError("a fault")
        return hear(reading, *more)

    monkeypatch.setattr(site.registry.sessions, "hear", breaks)
    await site.post(array(find("browserClose", "odd", "sales", "odd", "support")))
    assert site.stored() == ["sales", "support"]
    assert site.metrics.unread == {("webhook", "internal"): 2}
    assert caplog.messages.count("an event of a webhook with several could not be taken in") == 2


async def test_times_of_events_that_say_nothing_tell_of_the_senders_clock(site: Site) -> None:
    quiet = {"event": "other", "session": "sales", "timestamp": NOW - 100.0}
    await site.post(array([quiet, quiet]))
    record = site.registry.sessions.get("sales")
    assert record is not None
    assert [round(lag) for _, lag in record.lags] == [100]
    site.post(json.dumps({**quiet, "session": "support"}).encode())
    record = site.registry.sessions.get("support")
    assert record is not None
    assert [round(lag) for _, lag in record.lags] == [100]


async def test_the_time_of_an_event_is_read_only_where_the_senders_clock_is_to_be_learnt(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    stated, stated_of = signals.stated_time, events_module.Event.stated_time

    def noting(body: bytes, *more: Any) -> float | None:
        read.append(json.loads(body)["event"])
        return stated(body, *more)

    def noting_of(event: events_module.Event, *more: Any) -> float | None:
        read.append(str(event.reading.event))
        return stated_of(event, *more)

    monkeypatch.setattr(signals, "stated_time", noting)
    monkeypatch.setattr(events_module.Event, "stated_time", noting_of)
    quiet = {"event": "other", "session": "sales", "timestamp": NOW - 100.0}
    documents = [*find("browserClose", "sales"), {"event": "of nobody"}, quiet, quiet]
    for document in documents:
        site.post(json.dumps(document).encode())
    assert read == ["other"]
    documents[2]["session"] = documents[3]["session"] = "support"
    await site.post(array(documents))
    assert read == ["other", "other"]


async def test_a_body_that_is_delivered_again_is_answered_when_the_first_is_on_disk(site: Site) -> None:
    event = json.dumps({**find("browserClose", "sales")[0], "event_id": "1"}).encode()
    site.disk.free.clear()
    first, again = (asyncio.ensure_future(site.post(event)) for _ in range(2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert (first.done(), again.done()) == (False, False)
    site.disk.free.set()
    await asyncio.gather(first, again)


@pytest.mark.parametrize(
    ("body", "session", "names"),
    [
        (b'{"event":"status-find","session":"sales","status":"browserClose"}', None, ("sales", "status-find")),
        (b'{"event":"status-find","session":"sales"}', "support", ("sales", "status-find")),
        (b'{"event":"unheard-of"}', "support", ("support", "unheard-of")),
        (b'{"event":"unheard-of"}', None, (None, "unheard-of")),
        (b"no json", "support", ("support", None)),
        (array(find("browserClose", "sales", "support")), "support", (None, None)),
    ],
)
async def test_a_body_is_identified_without_being_taken_in(
    site: Site, body: bytes, session: str | None, names: tuple[str | None, str | None]
) -> None:
    assert site.registry.identify(body, session) == names
    assert (site.lost(), site.metrics.signals, site.registry.webhooks.report().heard) == ([], {}, 0)
