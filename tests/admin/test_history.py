"""The answers about the past: lines of history, outages as records, uptime by months."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web

from statusproxy.admin import history as module
from statusproxy.admin import ordering
from statusproxy.demo.events import status_find
from statusproxy.status.model import Change
from statusproxy.status.outages import Outage, newest_first
from statusproxy.store import StoreError
from tests.admin.harness import Admin
from tests.waiting import until

DAY = 86_400.0


async def outages(admin: Admin, query: str = "") -> list[dict[str, Any]]:
    answer = await admin.json(f"/outages{query}")
    found: list[dict[str, Any]] = answer["outages"]
    return found


async def written(admin: Admin, *changes: Change) -> None:
    await admin.proxy.server.registry.store.save([], [], changes)


def lines(now: float, count: int, session: str = "sales") -> list[Change]:
    """So many outages of a session, one a day, the last a day ago; each took a minute."""
    return [
        Change(session, what, reason, at, at)
        for n in range(count, 0, -1)
        for what, reason, at in (
            ("started", "close gone", now - n * DAY), ("released", "connected-event", now - n * DAY + 60)
        )
    ]  # fmt: skip


async def test_a_loss_is_a_record_until_it_ends_and_then_stands_beside_its_end(admin: Admin) -> None:
    await admin.list_channels(sales="connected")
    await admin.lose("sales")
    (one,) = await outages(admin)
    assert one == {
        "session": "sales", "since": one["since"], "until": None, "seconds": one["seconds"], "reason": "status-find",
        "word": "disconnectedMobile", "gateway_said": "connected", "released": None, "released_by": None,
        "began_before": False,
    }  # fmt: skip
    await admin.ask(f"/sessions/sales/release?by={quote('ana  maria')}%1b", method="POST")
    (one,) = await outages(admin, "?session=sales")
    assert (one["until"] is not None, one["released"], one["released_by"]) == (True, "operator", "ana maria")
    (session,) = (await admin.json("/sessions"))["sessions"]
    assert session["released_by"] == "ana maria"
    first, _ = (await admin.json("/history"))["history"]
    assert first["by"] == "ana maria"


async def test_who_does_something_by_hand_is_bounded_and_may_stay_unsaid(admin: Admin) -> None:
    await admin.lose("sales")
    await admin.ask(f"/sessions/sales/forget?by={'x' * 500}", method="POST")
    assert [one["by"] for one in (await admin.json("/history"))["history"][:2]] == ["x" * 64] * 2
    await admin.lose("sales")
    await admin.ask("/sessions/sales/release?by=%20", method="POST")
    assert (await outages(admin))[0]["released_by"] is None


async def test_outages_are_given_from_a_time_on_the_newest_first_up_to_a_limit(admin: Admin) -> None:
    now = admin.proxy.server.registry.clock.wall()
    await written(admin, *lines(now, 5), *lines(now - 10, 2, "support"))
    assert [one["session"] for one in await outages(admin)] == ["sales", "support", "sales", "support", *["sales"] * 3]
    assert len(await outages(admin, "?since=49h")) == 4
    assert len(await outages(admin, "?since=2d&session=sales")) == 2, "one that lasted at that time is among them"
    answer = await admin.json("/outages?limit=2")
    assert (len(answer["outages"]), answer["more"]) == (2, True)
    assert (await admin.json("/outages?limit=7"))["more"] is False


async def test_what_began_before_the_time_asked_for_is_told_from_its_beginning(admin: Admin) -> None:
    now = admin.proxy.server.registry.clock.wall()
    long, short = Change("sales", "started", "close", now - 9 * DAY, now - 9 * DAY), now - DAY
    other = lines(now - 3 * DAY, 3, "support")
    await written(admin, long, *other, Change("sales", "released", "alive", short, short))
    (one,) = await outages(admin, "?since=2d")
    assert (one["session"], one["seconds"], one["began_before"]) == ("sales", 8 * DAY, False)


async def test_history_is_given_from_a_time_on_up_to_a_limit(admin: Admin) -> None:
    now = admin.proxy.server.registry.clock.wall()
    await written(admin, *lines(now, 5))
    assert len((await admin.json("/history"))["history"]) == 10
    assert len((await admin.json("/history?since=49h"))["history"]) == 4
    assert len((await admin.json("/sessions/sales/history?limit=3"))["history"]) == 3
    assert (await admin.json("/history?since=2100-01-01"))["history"] == []


@pytest.mark.slow
async def test_a_long_answer_is_written_in_pieces(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    now = admin.proxy.server.registry.clock.wall()
    await written(admin, *lines(now, 400))
    answer = await admin.ask("/history")
    assert answer.get("Transfer-Encoding") == b"chunked"
    assert answer.get("Content-Type") == b"application/json; charset=utf-8"
    assert len((await admin.json("/history"))["history"]) == 800
    assert len((await admin.json("/history?limit=501"))["history"]) == 501
    assert len(await outages(admin)) == 400


async def test_uptime_is_given_by_months_of_each_session_and_of_all_together(admin: Admin) -> None:
    for session in ("unit 10", "unit 9"):
        await admin.event(**status_find(session, "inChat"))
    await admin.lose("unit 9")
    registry = admin.proxy.server.registry
    await until(lambda: registry.ledger.filled)
    answer = await admin.json("/uptime")
    assert answer["complete"] is True
    assert [(one["session"], one["losses"]) for one in answer["months"]] == [(None, 1), ("unit 9", 1), ("unit 10", 0)]
    (one,) = (await admin.json("/uptime?session=unit%2010&months=3"))["months"]
    assert (one["session"], one["uptime"], one["lost_seconds"]) == ("unit 10", 1.0, 0.0)


async def test_a_channel_of_which_nothing_was_heard_has_no_months_and_no_outages(admin: Admin) -> None:
    await admin.list_channels(shop="connected")
    assert (await admin.json("/uptime?session=shop"))["months"] == []
    assert await outages(admin, "?session=shop") == []


async def test_a_session_of_which_only_the_history_tells_has_answers_that_may_be_empty(admin: Admin) -> None:
    now = admin.proxy.server.registry.clock.wall()
    await written(admin, *lines(now - 5 * DAY, 1))
    assert await outages(admin, "?session=sales&since=2d") == []
    assert (await admin.json("/sessions/sales/history?since=2d"))["history"] == []
    assert (await admin.json("/uptime?session=sales"))["months"] == []


async def test_all_outages_that_last_are_given(admin: Admin) -> None:
    for session in ("sales", "support"):
        await admin.lose(session)
    assert {(one["session"], one["until"]) for one in await outages(admin)} == {("sales", None), ("support", None)}


async def test_a_session_spelt_in_several_ways_has_the_outages_of_all_spellings(admin: Admin) -> None:
    await admin.list_channels(sales="connected")
    for session in ("sales", "SALES"):
        await admin.lose(session)
        await admin.regain(session)
    assert sorted(one["session"] for one in await outages(admin, "?session=sales")) == ["SALES", "sales"]


@pytest.mark.parametrize("asked", ["Front%20Desk", "frontdesk", "FRONTDESK"])
async def test_a_session_is_found_by_every_spelling_in_its_history(admin: Admin, asked: str) -> None:
    await admin.list_channels(**{"Front Desk": "connected"})
    await admin.lose("frontdesk")
    for target in (f"/sessions/{asked}/history", f"/history?session={asked}"):
        (one,) = (await admin.json(target))["history"]
        assert (one["session"], one["change"]) == ("frontdesk", "started")
    assert len(await outages(admin, f"?session={asked}")) == 1


async def test_the_history_of_a_session_begins_with_the_newest_line_of_all_its_spellings(admin: Admin) -> None:
    await admin.list_channels(**{"Front Desk": "connected"})
    await admin.lose("frontdesk")
    await admin.ask("/sessions/frontdesk/release", method="POST")
    await admin.lose("FrontDesk")
    found = (await admin.json("/sessions/frontdesk/history"))["history"]
    assert [(one["session"], one["change"]) for one in found] == [
        ("FrontDesk", "started"), ("frontdesk", "released"), ("frontdesk", "started"),
    ]  # fmt: skip
    assert (await admin.json("/sessions/frontdesk/history?limit=2"))["history"] == found[:2]


@pytest.mark.parametrize(
    ("target", "status", "error"),
    [
        ("/outages?session=nobody", 404, "no session 'nobody' is known, and the history has none of that name"),
        ("/uptime?session=nobody", 404, "no session 'nobody' is known, and the history has none of that name"),
        ("/history?session=nobody", 404, "no session 'nobody' is known, and the history has none of that name"),
        ("/outages?limit=0", 400, "limit is a whole number from 1 to 100000"),
        ("/history?limit=x", 400, "limit is a whole number from 1 to 100000"),
        ("/uptime?months=121", 400, "months is a whole number from 1 to 120"),
        ("/history?since=soon", 400, ("since: allowed: a duration before now such as 30m, 12h or 7d, or a date such as "
         "2026-01-31 or 2026-01-31T18:00")),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_is_an_error_in_words(admin: Admin, target: str, status: int, error: str) -> None:
    answer = await admin.ask(target)
    assert (answer.status, await admin.json(target)) == (status, {"error": error})


async def test_a_history_that_cannot_be_read_is_an_error_in_words(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, pages: Sequence[list[Change]] = ()) -> AsyncIterator[list[Change]]:
        for page in pages:
            yield page
        raise StoreError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.store, "history_pages", refuse)
    for target in ("/history", "/outages", "/uptime?session=sales"):
        assert (await admin.ask(target)).status == 503
        assert await admin.json(target) == {"error": "the history cannot be read: disk full"}


async def test_an_answer_that_cannot_be_finished_is_broken_off(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    now = admin.proxy.server.registry.clock.wall()

    async def half(*_: object) -> AsyncIterator[list[Change]]:
        yield lines(now, 5)
        raise StoreError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.store, "history_pages", half)
    with pytest.raises(Exception, match=r"(?i)payload|disconnected|closed|reset|complete"):
        await admin.ask("/history")


async def test_a_history_that_breaks_off_before_anything_was_written_is_an_error(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = admin.proxy.server.registry.clock.wall()

    async def half(*_: object) -> AsyncIterator[list[Change]]:
        yield lines(now, 1)
        raise StoreError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.store, "history_pages", half)
    assert (await admin.ask("/history")).status == 503


@pytest.mark.parametrize("ends", ["whole", "unreadable"])
async def test_a_client_that_goes_meanwhile_costs_no_error(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ends: str
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    now = admin.proxy.server.registry.clock.wall()
    wire = await admin.connect()
    asked: list[web.BaseRequest] = []
    prepare = web.StreamResponse.prepare

    async def noted(response: web.StreamResponse, request: web.BaseRequest) -> Any:
        asked.append(request)
        return await prepare(response, request)

    closed: list[bool] = []

    async def pages(*_: object) -> AsyncIterator[list[Change]]:
        try:
            yield lines(now, 5)
            await wire.close()
            await until(lambda: asked[0].transport is None)
            if ends == "unreadable":
                raise StoreError("disk full")
            yield lines(now, 5)
        finally:
            closed.append(True)

    monkeypatch.setattr(web.StreamResponse, "prepare", noted)
    monkeypatch.setattr(admin.proxy.server.registry.store, "history_pages", pages)
    await wire.send(f"GET /history HTTP/1.1\r\nHost: {admin.netloc}\r\n\r\n".encode())
    await until(lambda: bool(closed))
    told = [record.getMessage() for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    assert told == (["the history could not be read to its end: disk full"] if ends == "unreadable" else [])


async def test_a_hundred_thousand_outages_are_sorted_in_short_steps(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted between two turns that someone else has."""
    monkeypatch.setattr(ordering, "_AT_ONCE", 10)
    now = admin.proxy.server.registry.clock.wall()
    await written(admin, *lines(now, 80))
    done, most = 0, 0

    def counted(outage: Outage) -> tuple[float, str]:
        nonlocal done
        done += 1
        return newest_first(outage)

    async def somebody_else() -> None:
        nonlocal done, most
        while True:
            most, done = max(most, done), 0
            await asyncio.sleep(0)

    monkeypatch.setattr(module, "newest_first", counted)
    other = asyncio.create_task(somebody_else())
    found = await outages(admin)
    other.cancel()
    assert [one["since"] for one in found] == sorted((one["since"] for one in found), reverse=True)
    assert (len(found), 0 < most <= 20) == (80, True), "some at a time, and the first of each piece"
