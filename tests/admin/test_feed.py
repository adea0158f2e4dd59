"""The stream to the status page: whole at first, then what changes, for as long as the page is open."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

import pytest

from statusproxy.admin import feed as feed_module
from statusproxy.admin import session_reports as reports_module
from statusproxy.admin.listener import AdminListener
from statusproxy.admin.messages import Session
from statusproxy.admin.report import row_report
from statusproxy.config.load import loads
from statusproxy.registry.session_rows import Row
from statusproxy.status.model import Override, Record
from statusproxy.status.unsaved import Watch
from tests.admin.harness import Admin
from tests.admin.shelf import Shelf, entry, spool_of
from tests.proxy.harness import PATIENCE, Wire, until

Event = tuple[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and pieces follow each other quickly: no test is about the seconds between them."""
    monkeypatch.setattr(feed_module, "TICK", 0.05)
    monkeypatch.setattr(feed_module, "REST", 0.01)


class Page:
    """One open page, reading its events."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.seen: list[Event] = []

    async def next(self, name: str) -> dict[str, Any]:
        """The next event of this name; those before it are passed over."""
        async with asyncio.timeout(PATIENCE):
            while True:
                line = await self.wire.reader.readline()
                if line in {b"", b"0\r\n"}:  # the connection's end, or the last chunk
                    raise EOFError
                if line.startswith(b"event: "):
                    event = line[7:].decode().strip()
                    data = json.loads((await self.wire.reader.readline()).removeprefix(b"data: "))
                    self.seen.append((event, data))
                    if event == name:
                        return dict(data)

    async def session(self, session: str, **wanted: Any) -> dict[str, Any]:
        """Wait until a session is told with these values."""
        while True:
            for report in (await self.next("sessions"))["sessions"]:
                if report["session"] == session and wanted.items() <= report.items():
                    return dict(report)


@asynccontextmanager
async def open_page(admin: Admin) -> AsyncIterator[Page]:
    """A page that follows the stream."""
    wire = await admin.connect()
    await wire.send(f"GET /events HTTP/1.1\r\nHost: {admin.netloc}\r\n\r\n".encode())
    head = await wire.head()
    assert head.status == 200, head
    assert head.get("Content-Type") == b"text/event-stream"
    try:
        yield Page(wire)
    finally:
        wire.reset()


async def test_a_page_is_told_everything_first(admin: Admin) -> None:
    await admin.lose("sales")
    await admin.event(event="onmessage", session="support", id="x")
    async with open_page(admin) as page:
        hello = await page.next("hello")
        health = await page.next("health")
        sessions = await page.next("sessions")
    assert hello["total"] == 2
    assert hello["gateway_url"] == admin.gateway.url
    assert (health["gateway"], health["store"]) == ("ok", "ok")
    assert health["webhook_last_heard"] is not None
    assert [one["session"] for one in sessions["sessions"]] == ["sales", "support"]


async def test_a_loss_and_its_end_are_told_at_once(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "TICK", 3600.0)
    async with open_page(admin) as page:
        await page.next("health")
        await admin.lose("sales")
        await page.session("sales", shows="disconnected", reason="status-find disconnectedMobile")
        await admin.ask("/sessions/sales/release", method="POST")
        await page.session("sales", shows="gateway", released="operator")


async def test_what_changes_no_correction_is_told_within_a_tick(admin: Admin) -> None:
    async with open_page(admin) as page:
        await page.next("health")
        await admin.event(event="onmessage", session="sales", id="x")
        await page.session("sales", shows="gateway", last_event="onmessage")


async def test_what_the_gateway_claims_is_told_as_it_passes(admin: Admin) -> None:
    await admin.event(event="onmessage", session="sales", id="x")
    async with open_page(admin) as page:
        await page.session("sales", gateway_said=None)
        await admin.list_channels(sales="qr_required")
        await page.session("sales", gateway_said="qr_required")


async def test_the_gateway_saying_the_same_again_is_no_news(admin: Admin) -> None:
    await admin.event(event="onmessage", session="sales", id="x")
    await admin.list_channels(sales="connected")
    async with open_page(admin) as page:
        await page.session("sales", gateway_said="connected")
        await admin.list_channels(sales="connected")
        await admin.event(event="onmessage", session="support", id="x")
        await page.session("support")
    assert [report["session"] for name, data in page.seen if name == "sessions" for report in data["sessions"]] == [
        "sales",
        "support",
    ]


async def test_a_forgotten_session_is_told_as_gone(admin: Admin) -> None:
    await admin.event(event="onmessage", session="sales", id="x")
    async with open_page(admin) as page:
        await page.session("sales")
        sessions = admin.proxy.server.registry.sessions
        sessions.configure(type(sessions.rules)(max_sessions=1))
        await admin.lose("support")
        assert (await page.next("gone"))["sessions"] == ["sales"]


async def test_an_error_of_the_gateway_is_told(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEALTH_EVERY", 0.0)
    async with open_page(admin) as page:
        assert (await page.next("health"))["gateway"] == "ok"
        await admin.gateway.stop()
        while (health := await page.next("health"))["gateway"] == "ok":
            pass
    assert health["gateway"].startswith("gateway_unreachable")


async def test_a_quiet_site_shows_that_the_stream_lives(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "CLOCK_EVERY", 0.05)
    async with open_page(admin) as page:
        assert (await page.next("clock"))["started"] is not None


async def test_thousands_of_sessions_come_in_pieces_the_lost_ones_first(admin: Admin) -> None:
    names = [f"session-{number}" for number in range(600)]
    lost = Override(since=1.0, at=1.0, began=1.0, event="closesession")
    admin.proxy.server.registry.sessions.load(
        [Record(name, heard_at=1.0, override=lost if name == "session-599" else None) for name in names]
    )
    async with open_page(admin) as page:
        pieces = [(await page.next("sessions"))["sessions"] for _ in range(3)]
    assert [len(piece) for piece in pieces] == [250, 250, 100]
    assert pieces[0][0]["session"] == "session-599"
    assert sorted(one["session"] for piece in pieces for one in piece) == sorted(names)


async def test_ids_that_no_utf8_can_hold_are_told_all_the_same(admin: Admin) -> None:
    admin.proxy.server.registry.sessions.load([Record("lone \ud800 line\n\nbreak", heard_at=1.0)])
    async with open_page(admin) as page:
        assert (await page.next("sessions"))["sessions"][0]["session"] == "lone \ud800 line\n\nbreak"


async def test_pages_beyond_the_limit_are_told_to_come_later(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "PAGES", 1)
    async with open_page(admin) as page:
        await page.next("health")
        answer = await admin.ask("/events")
    assert (answer.status, answer.get("Retry-After")) == (503, b"10")


def looks() -> bool:
    """Whether anything is looked at for pages."""
    return any(task.get_name() == "feed of the status page" for task in asyncio.all_tasks())


async def test_nobody_looking_costs_nothing(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "CLOCK_EVERY", 0.02)
    changes = admin.proxy.server.registry.changes
    subscribers = len(changes)
    async with open_page(admin) as page:
        await page.next("health")
        assert (looks(), len(changes)) == (True, subscribers + 1)
    await until(lambda: (looks(), len(changes)) == (False, subscribers))  # shows at the next piece


async def test_stopping_ends_every_stream(admin: Admin) -> None:
    async with open_page(admin) as page:
        await page.next("health")
        admin.proxy.server.admin.answers.feed.close()
        with pytest.raises(EOFError):
            await page.next("never")


async def test_an_error_in_one_look_does_not_end_the_looking(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_page(admin) as page:
        await page.next("health")
        registry = admin.proxy.server.registry
        with monkeypatch.context() as patch:

            def fail(session: str) -> None:
                raise RuntimeError("made up")

            patch.setattr(registry.rows, "row", fail)
            await admin.lose("sales")
            await until(lambda: "could not be refreshed" in caplog.text)
        await page.session("sales", shows="disconnected")


# Many sessions, many pages


async def test_a_report_is_written_once_for_all_pages(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def counted(row: Row, *more: Any) -> Session:
        written.append(row.session)
        return row_report(row, *more)

    monkeypatch.setattr(reports_module, "row_report", counted)
    names = [f"session-{number}" for number in range(600)]
    admin.proxy.server.registry.sessions.load([Record(name, heard_at=1.0) for name in names])
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(open_page(admin)) for _ in range(5)]
        for page in pages:
            told = [one["session"] for _ in range(3) for one in (await page.next("sessions"))["sessions"]]
            assert sorted(told) == sorted(names)
    assert sorted(written) == sorted(names)


async def test_a_look_costs_what_changed_and_not_what_is_known(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = admin.proxy.server.registry
    registry.sessions.load([Record(f"session-{number}", heard_at=1.0) for number in range(600)])
    async with open_page(admin) as page:
        for _ in range(3):
            await page.next("sessions")
        looked_at: list[str] = []
        find = registry.rows.row

        def counted(session: str) -> Row | None:
            looked_at.append(session)
            return find(session)

        monkeypatch.setattr(registry.rows, "row", counted)
        await admin.lose("sales")
        await page.session("sales", shows="disconnected")
    assert set(looked_at) == {"sales"}


@pytest.mark.slow
async def test_no_turn_looks_at_or_writes_more_than_a_batch(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the number of sessions and pages: counted between two turns that someone else has."""
    done, most = Counter[str](), Counter[str]()
    registry = admin.proxy.server.registry
    find = registry.rows.row

    def text(row: Row, *more: Any) -> Session:
        done["written"] += 1
        return row_report(row, *more)

    def counted(session: str) -> Row | None:
        done["looked at"] += 1
        return find(session)

    async def somebody_else() -> None:
        while True:
            await asyncio.sleep(0)
            most.update({name: max(0, count - most[name]) for name, count in done.items()})
            done.clear()

    monkeypatch.setattr(reports_module, "row_report", text)
    monkeypatch.setattr(registry.rows, "row", counted)
    registry.sessions.load([Record(f"session-{number}", heard_at=1.0) for number in range(1_000)])
    other = asyncio.create_task(somebody_else())
    async with AsyncExitStack() as stack:
        for page in [await stack.enter_async_context(open_page(admin)) for _ in range(5)]:
            for _ in range(4):
                await page.next("sessions")
    other.cancel()
    assert most == {"written": feed_module.WRITTEN, "looked at": reports_module.LOOKED_AT}


async def test_channels_that_leave_a_long_list_are_told_to_many_pages_in_short_steps(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted between two turns that someone else has."""
    names = [f"shop-{number}" for number in range(100)]
    await admin.list_channels(**dict.fromkeys(names, "connected"))
    done, most, forget = 0, 0, feed_module._Page.forget

    def counted(page: feed_module._Page, sessions: Sequence[str]) -> None:
        nonlocal done
        done += len(sessions)
        forget(page, sessions)

    async def somebody_else() -> None:
        nonlocal done, most
        while True:
            most, done = max(most, done), 0
            await asyncio.sleep(0)

    monkeypatch.setattr(feed_module._Page, "forget", counted)
    async with AsyncExitStack() as stack:
        pages = [await stack.enter_async_context(open_page(admin)) for _ in range(5)]
        for page in pages:
            await page.next("sessions")
        other = asyncio.create_task(somebody_else())
        await admin.list_channels(**dict.fromkeys(names[:1], "connected"))
        for page in pages:
            gone: set[str] = set()
            while len(gone) < 99:
                gone.update((await page.next("gone"))["sessions"])
            assert gone == set(names[1:])
        other.cancel()
    assert 0 < most <= 5 * reports_module.LOOKED_AT


async def test_a_page_that_leaves_while_all_are_looked_at_leaves_nothing_behind(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = admin.proxy.server.registry
    registry.sessions.load([Record(f"session-{number}", heard_at=1.0) for number in range(1_000)])
    watches, watch, unwatch = list[Watch](), registry.sessions.watch, registry.sessions.unwatch

    def watched() -> Watch:
        watches.append(watch())
        return watches[-1]

    def unwatched(watch: Watch) -> None:
        watches.remove(watch)
        unwatch(watch)

    monkeypatch.setattr(registry.sessions, "watch", watched)
    monkeypatch.setattr(registry.sessions, "unwatch", unwatched)
    follow = admin.proxy.server.admin.answers.feed.follow()
    first = asyncio.ensure_future(anext(follow))
    await asyncio.sleep(0)
    assert len(watches) == 1, "it has begun to look"
    first.cancel()
    await asyncio.wait([first])
    await follow.aclose()
    await until(lambda: not looks())
    assert watches == []
    async with open_page(admin) as page:
        assert (await page.next("hello"))["total"] == 1_000


async def test_what_is_kept_of_events_is_told_at_first_and_when_it_changes(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "TICK", 0.01)
    server = admin.proxy.server
    spool = await spool_of(Shelf(entry(1), entry(2)))
    settings = loads("{gateway: 'http://127.0.0.1:1', admin: {listen: '127.0.0.1:0'}}")
    listener = AdminListener(server.registry, server.exposition, server.proxy, settings, spool)

    async def told() -> dict[str, Any] | None:
        async for piece in pieces:
            if piece.startswith(b"event: spool\n"):
                return dict(kept) if (kept := json.loads(piece.partition(b"data: ")[2])["spool"]) else None
        raise EOFError

    async with asyncio.timeout(PATIENCE), aclosing(listener.answers.feed.follow()) as pieces:
        assert (await told() or {})["waiting"] == 2
        await spool.control.drop(["000001"])
        assert (await told() or {})["waiting"] == 1
        await spool.control.drop(["000002"])
        assert await told() is None  # nothing is left, and no path keeps any


# Channels of the gateway's list


async def test_channels_without_an_event_are_told_live_with_the_counts(admin: Admin) -> None:
    async with open_page(admin) as page:
        assert (await page.next("health"))["counts"]["connected"] == 0
        await admin.list_channels(shop="connected", desk="qr_required")
        desk = await page.session("desk", state="needs_qr")
        assert (desk["listed"], desk["list_shows"], desk["last_event"]) == (True, "qr_required", None)
        told = page.seen[-1][1]
        assert told["counts"] == {"lost": 0, "reported_down": 0, "needs_qr": 1, "connected": 1, "unknown": 0}
        assert told["list_seen_at"] is not None
        await admin.lose("shop")
        await page.session("shop", state="lost", list_shows="disconnected")
        await admin.list_channels(shop="connected")
        gone = await page.next("gone")
        assert gone["sessions"] == ["desk"]
        assert gone["counts"] == {"lost": 1, "reported_down": 0, "needs_qr": 0, "connected": 0, "unknown": 0}


async def test_a_list_that_changes_in_one_place_sends_one_session(admin: Admin) -> None:
    words = {f"s{number}": "connected" for number in range(300)}
    await admin.list_channels(**words)
    async with open_page(admin) as page:
        assert (await page.next("hello"))["total"] == 300
        for _ in range(2):
            await page.next("sessions")
        await admin.list_channels(**words | {"s7": "disconnected"})
        sent = await page.next("sessions")
    assert [(one["session"], one["state"]) for one in sent["sessions"]] == [("s7", "reported_down")]
    assert (sent["counts"]["connected"], sent["counts"]["reported_down"]) == (299, 1)
