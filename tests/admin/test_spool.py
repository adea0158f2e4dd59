"""The spool on the admin listener: listed, shown, replayed and dropped, in slices and without a secret."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient

from statusproxy.admin import spool as spool_module
from statusproxy.admin.spool import NO_PATH, NO_PLACE, SpoolAnswers
from statusproxy.admin.spool_messages import SpoolTotals
from statusproxy.admin.spool_reports import totals_report
from statusproxy.config.load import loads
from statusproxy.config.settings import Settings
from statusproxy.pacing import TURNS, Pacer
from statusproxy.spool.spool import Spool
from statusproxy.store.spooled import Content, Entry, EntryState, Moved, Removed
from tests.admin.shelf import HEAD, NOW, Shelf, entry, spool_of

Client = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Client]]

#: Entries of all states, of two sessions.
MIXED = (
    entry(1),
    entry(2, state=EntryState.UNKNOWN),
    entry(3, state=EntryState.DEAD, session="Support Team", queue="supportteam"),
    entry(4, session="Support Team", queue="supportteam"),
)


def configured(*, spool: bool = True, state: str = "sqlite:///state.db") -> Settings:
    return loads(
        f"{{gateway: 'http://127.0.0.1:1', state: {{url: '{state}'}}, webhooks: [{{path: /hook, spool: {spool}}}]}}"
    )


async def names(session: str) -> list[str]:
    """The ids of a session: `Team Two` is the alias of `Support Team`, every other has one."""
    return [session, "Support Team"] if session == "Team Two" else [session]


@pytest.fixture
def serve(aiohttp_client: AiohttpClient) -> Serve:
    """A way to serve the answers about a spool."""

    async def serve(spool: Spool | None, settings: Settings | None = None) -> Client:
        settings = settings or configured()
        application = web.Application()
        application.add_routes(SpoolAnswers(spool, lambda: settings, Pacer(), names).routes())
        return await aiohttp_client(application)

    return serve


async def asked(client: Client, target: str, method: str = "GET") -> tuple[int, Any]:
    async with client.request(method, target) as answer:
        return answer.status, json.loads(await answer.read())


async def ids(client: Client, query: str = "") -> list[str]:
    status, said = await asked(client, f"/spool{query}")
    assert status == 200, said
    return [each["id"][-1] for each in said["entries"]]


# ---- the list ----


async def test_the_oldest_are_listed_first_without_any_content(serve: Serve) -> None:
    spool = await spool_of(Shelf(*MIXED))
    client = await serve(spool)
    status, said = await asked(client, "/spool")
    assert status == 200
    assert said["now"].endswith("Z")
    assert msgspec.convert(said["totals"], SpoolTotals) == totals_report(spool)
    assert said["entries"][0] == {
        "id": "000001",
        "session": "sales",
        "event": None,
        "state": "waiting",
        "reason": "not-sent",
        "status": None,
        "attempts": 0,
        "received_at": "1970-01-01T00:00:01.000Z",
        "next_at": "1970-01-01T00:00:01.000Z",
        "bytes": 100,
        "path": "/hook",
        "receiver": "gateway",
    }
    assert [each["id"] for each in said["entries"]] == ["000001", "000002", "000003", "000004"]


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("", "1234"),
        ("?order=newest", "4321"),
        ("?limit=2", "12"),
        ("?order=newest&limit=2", "43"),
        ("?state=waiting", "14"),
        ("?state=dead&session=sales", ""),
        ("?session=support%20team", "34"),  # as the map folds it
        ("?session=Team%20Two", "34"),  # by any id of the session
    ],
)
async def test_a_query_chooses(serve: Serve, query: str, listed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_LOOKED_AT", 1)
    monkeypatch.setattr(spool_module, "_WRITTEN", 1)
    assert await ids(await serve(await spool_of(Shelf(*reversed(MIXED)))), query) == list(listed)


async def test_only_what_is_the_next_of_its_session_has_a_time(serve: Serve) -> None:
    client = await serve(await spool_of(Shelf(*MIXED, entry(5))))
    said = (await asked(client, "/spool"))[1]
    assert [each["id"][-1] for each in said["entries"] if each["next_at"] is not None] == ["1", "4"]
    assert (await asked(client, "/spool/000005"))[1]["entry"]["next_at"] is None


async def test_an_empty_spool_is_an_empty_list(serve: Serve) -> None:
    assert await ids(await serve(await spool_of(Shelf()))) == []


async def test_many_entries_are_listed_in_slices(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal turns
        turns += 1
        await sleep(seconds)

    client = await serve(await spool_of(Shelf(*map(entry, range(1, 5001)))))
    monkeypatch.setattr(asyncio, "sleep", counted)
    _, said = await asked(client, "/spool?limit=250&order=newest")
    assert [each["id"] for each in said["entries"]] == [f"{number:06}" for number in range(5000, 4750, -1)]
    assert turns == (5 + 7) * TURNS


@pytest.mark.parametrize(
    ("target", "method", "says"),
    [
        ("/spool?limit=0", "GET", "limit is a whole number from 1 to 10000"),
        ("/spool?limit=10001", "GET", "limit is a whole number"),
        ("/spool?limit=%C2%B2", "GET", "limit is a whole number"),
        ("/spool?limit=123456", "GET", "limit is a whole number"),
        ("/spool?order=up", "GET", "order is oldest or newest"),
        ("/spool?state=lost", "GET", "state is one of waiting, unknown, dead"),
        ("/spool?session=%20", "GET", "a session's id cannot be empty"),
        ("/spool?stat=dead", "GET", "'stat' is not known; allowed: limit, order, state, session"),
        ("/spool?state=dead&state=unknown", "GET", "given twice"),
        ("/spool/000001?body=yes", "GET", "body is 0 or 1"),
        ("/spool/000001?all=1", "DELETE", "'all' is not known; none is allowed here"),
        ("/spool", "DELETE", "name the events: by a state, a session, or both, such as ?state=dead"),
        ("/spool/replay", "POST", "name the events"),
        ("/spool?state=dead&sesion=sales", "DELETE", "'sesion' is not known; allowed: state, session"),
    ],
)
async def test_what_is_not_understood_is_refused_and_changes_nothing(
    serve: Serve, target: str, method: str, says: str
) -> None:
    shelf = Shelf(*MIXED)
    spool = await spool_of(shelf)
    status, said = await asked(await serve(spool), target, method)
    assert (status, says in said["error"], shelf.saved, spool.control.totals.entries) == (400, True, [], 4), said


# ---- one entry ----


async def test_one_is_shown_with_the_names_of_its_fields(serve: Serve) -> None:
    shelf = Shelf(*MIXED)
    client = await serve(await spool_of(shelf))
    status, said = await asked(client, "/spool/000002")
    assert (status, said["entry"]["id"], said["entry"]["state"]) == (200, "000002", "unknown")
    assert shelf.released == [shelf.contents["000002"]]
    assert {"name": "Content-Type", "value": "application/json"} in said["fields"]
    assert {"name": "apikey", "value": None} in said["fields"]
    assert "planted" not in json.dumps(said)


async def test_a_body_is_given_as_it_came_when_it_is_asked_for(serve: Serve) -> None:
    client = await serve(await spool_of(Shelf(*MIXED)))
    async with client.get("/spool/000001?body=1") as answer:
        assert await answer.read() == b'{"a":1}'
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="000001"'
    assert (await asked(client, "/spool/000001?body=0"))[1]["entry"]["id"] == "000001"


async def test_a_large_body_comes_from_its_file(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_PIECE", 7)
    shelf = Shelf(entry(1))
    file = tmp_path / "body"
    file.write_bytes(bytes(range(256)))
    shelf.contents["000001"] = Content(HEAD, file)
    client = await serve(await spool_of(shelf))
    async with client.get("/spool/000001?body=1") as answer:
        assert (await answer.read(), answer.content_length) == (bytes(range(256)), 256)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="000001"'
    file.unlink()
    assert (await asked(client, "/spool/000001?body=1"))[0] == 404
    shelf.contents["000001"] = Content(HEAD, tmp_path)
    status, said = await asked(client, "/spool/000001?body=1")
    assert (status, said["error"].startswith("the event's body cannot be read: "), str(tmp_path) in said["error"]) == (
        503, True, False,
    )  # fmt: skip
    assert shelf.released == [Content(HEAD, file), Content(HEAD, file), Content(HEAD, tmp_path)]


class Broken:
    """A file whose disk fails after its first piece."""

    def __init__(self, error: OSError) -> None:
        self.pieces: list[bytes | OSError] = [b"half", error]
        self.closed = False

    def read(self, _: int) -> bytes:
        piece = self.pieces.pop(0)
        if isinstance(piece, OSError):
            raise piece
        return piece

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("error", "logged"),
    [(OSError(5, "Input/output error"), ["the body of event 000001 could not be read to its end: input/output error"]),
     (ConnectionResetError(), [])],
)  # fmt: skip
async def test_half_a_body_does_not_pass_for_a_whole_one(
    serve: Serve, error: OSError, logged: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Broken(error)
    monkeypatch.setattr(spool_module, "_open", lambda _: (broken, 8))
    shelf = Shelf(entry(1))
    shelf.contents["000001"] = Content(HEAD, Path("body"))
    client = await serve(await spool_of(shelf))
    with pytest.raises(ClientError):
        async with client.get("/spool/000001?body=1") as answer:
            await answer.read()
    assert broken.closed
    assert [each.message for each in caplog.records if each.name == "statusproxy.admin"] == logged


async def test_what_is_gone_or_cannot_be_read_is_said(serve: Serve) -> None:
    shelf = Shelf(entry(1))
    client = await serve(await spool_of(shelf))
    gone = (404, {"error": "no event '000009' is kept; it may have been delivered"})
    assert await asked(client, "/spool/000009") == gone
    assert await asked(client, "/spool/000009", "DELETE") == gone
    assert await asked(client, "/spool/000009/replay", "POST") == gone
    shelf.fails = True
    assert await asked(client, "/spool/000001") == (503, {"error": "the event cannot be read: disk full"})
    shelf.fails = False
    shelf.contents.clear()
    assert (await asked(client, "/spool/000001"))[0] == 404


# ---- changes ----


def due(entry: Entry) -> Moved:
    """What is written of an entry that is replayed."""
    return Moved(msgspec.structs.replace(entry, state=EntryState.WAITING, next_at=pytest.approx(NOW, abs=1.0)))


async def test_one_is_replayed_or_dropped(serve: Serve) -> None:
    shelf = Shelf(*MIXED)
    spool = await spool_of(shelf)
    client = await serve(spool)
    assert await asked(client, "/spool/000003/replay", "POST") == (200, {"changed": 1})
    assert shelf.saved.pop() == [due(MIXED[2])]
    assert await asked(client, "/spool/000002", "DELETE") == (200, {"changed": 1})
    assert shelf.saved.pop() == [Removed("000002")]
    assert await ids(client) == ["1", "3", "4"]


@pytest.mark.parametrize(
    ("query", "changed"),
    [("state=dead", [3]), ("session=Support%20Team", [3, 4]), ("state=waiting&session=sales", [1])],
)
async def test_those_of_a_state_or_session_are_replayed_or_dropped(
    serve: Serve, query: str, changed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_CHANGED", 1)
    shelf = Shelf(*MIXED)
    client = await serve(await spool_of(shelf))
    done = (200, {"changed": len(changed)})
    assert await asked(client, f"/spool/replay?{query}", "POST") == done
    assert shelf.saved == [[due(MIXED[number - 1])] for number in changed]
    shelf = Shelf(*MIXED)
    client = await serve(await spool_of(shelf))
    assert await asked(client, f"/spool?{query}", "DELETE") == done
    assert shelf.saved == [[Removed(f"{number:06}")] for number in changed]


@pytest.mark.parametrize("change", ["POST /spool/replay?session=sales", "DELETE /spool?session=sales"])
async def test_a_hundred_thousand_entries_of_one_session_are_replayed_in_short_steps(serve: Serve, change: str) -> None:
    """Some hundreds stand for them."""
    method, path = change.split()
    shelf = Shelf(*(entry(number) for number in range(220)))
    client = await serve(await spool_of(shelf))
    assert await asked(client, path, method) == (200, {"changed": 220})
    assert [len(ops) for ops in shelf.saved] == [50, 50, 50, 50, 20]


async def test_what_changed_meanwhile_is_judged_as_it_is_then(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "_CHANGED", 1)
    shelf = Shelf(*(entry(number, state=EntryState.DEAD) for number in (1, 2, 3)))
    spool = await spool_of(shelf)
    save, first = shelf.save, True

    async def save_and_change(*written: Any) -> None:
        nonlocal first
        await save(*written)
        if first:
            first = False
            await spool.control.replay(["000002"])
            await spool.control.drop(["000003"])

    monkeypatch.setattr(shelf, "save", save_and_change)
    assert await asked(await serve(spool), "/spool?state=dead", "DELETE") == (200, {"changed": 1})
    assert [each.id for each in spool.control.entries()] == ["000002"]


async def test_what_is_not_on_disk_is_said(serve: Serve) -> None:
    shelf = Shelf(*MIXED)
    client = await serve(await spool_of(shelf))
    shelf.fails = True
    said = (503, {"error": "the change is in force, but not on disk yet: disk full"})
    assert await asked(client, "/spool/000003/replay", "POST") == said
    assert await asked(client, "/spool?state=unknown", "DELETE") == said


@pytest.mark.parametrize("change", ["DELETE /spool?session=sales", "POST /spool/replay?session=sales"])
async def test_all_are_changed_where_nothing_can_be_written_and_only_then_it_says_so(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(spool_module, "_CHANGED", 1)
    shelf = Shelf(*(entry(number, state=EntryState.DEAD) for number in range(1, 6)))
    spool = await spool_of(shelf)
    client = await serve(spool)
    shelf.fails = True
    method, target = change.split()
    said = (503, {"error": "the change is in force, but not on disk yet: disk full"})
    assert await asked(client, target, method) == said
    assert spool.control.totals.dead == 0


async def test_it_says_how_many_were_changed_before_other_proxies_could_not_be_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_CHANGED", 1)
    shelf = Shelf(*(entry(number, state=EntryState.DEAD) for number in range(1, 6)))
    spool = await spool_of(shelf)
    client = await serve(spool)
    shelf.claims, save = object(), shelf.save

    async def then_away(*arguments: Any) -> None:
        await save(*arguments)
        shelf.healthy, shelf.error = len(shelf.saved) < 2, "no connection"

    monkeypatch.setattr(shelf, "save", then_away)
    status, said = await asked(client, "/spool?state=dead", "DELETE")
    assert status == 503
    assert said["error"].startswith("after 2 events were changed: not changed: other proxies share the spool")
    assert spool.control.totals.dead == 3


async def test_what_other_proxies_cannot_be_told_is_refused(serve: Serve) -> None:
    shelf = Shelf(*MIXED)
    spool = await spool_of(shelf)
    client = await serve(spool)
    shelf.claims, shelf.healthy, shelf.error = object(), False, "no connection"
    said = "not changed: other proxies share the spool and cannot be reached now: no connection"
    assert await asked(client, "/spool/000001", "DELETE") == (503, {"error": said})
    assert await asked(client, "/spool/replay?state=dead", "POST") == (503, {"error": said})
    assert (spool.control.totals.entries, shelf.saved) == (4, [])


# ---- where nothing is kept ----


@pytest.mark.parametrize(
    "method_and_target", ["GET /spool", "GET /spool/1", "DELETE /spool/1", "DELETE /spool?state=dead"]
)
async def test_where_no_event_is_ever_kept_it_says_why(serve: Serve, method_and_target: str) -> None:
    method, _, target = method_and_target.partition(" ")
    client = await serve(None, configured(state="memory:"))
    assert await asked(client, target, method) == (409, {"error": NO_PLACE})
    for settings, spool in ((configured(), None), (configured(spool=False), await spool_of(Shelf()))):
        assert await asked(await serve(spool, settings), target, method) == (409, {"error": NO_PATH})


async def test_what_is_left_of_a_spool_that_was_switched_off_is_listed(serve: Serve) -> None:
    spool = await spool_of(Shelf(entry(1)))
    client = await serve(spool, configured(spool=False))
    assert await ids(client) == ["1"]
    assert await asked(client, "/spool/000001", "DELETE") == (200, {"changed": 1})
    assert (await asked(client, "/spool"))[0] == 409


@pytest.mark.parametrize(
    "method_and_target",
    [
        "GET /spool",
        "GET /spool/000001",
        "DELETE /spool/000001",
        "POST /spool/000001/replay",
        "DELETE /spool?state=dead",
    ],
)
async def test_while_it_is_not_known_what_is_kept_it_says_why(serve: Serve, method_and_target: str) -> None:
    method, _, target = method_and_target.partition(" ")
    shelf = Shelf(entry(1))
    shelf.unreadable = "no connection"
    spool = await spool_of(shelf)
    client = await serve(spool)
    said = "it is not known which events are stored: no connection"
    assert await asked(client, target, method) == (503, {"error": said})
    assert SpoolAnswers(spool, configured, Pacer(), names).totals() is None
    shelf.unreadable = None
    assert await spool.open()
    assert await ids(client) == ["1"]


async def test_the_totals_are_there_where_events_are_kept() -> None:
    spool = await spool_of(Shelf(entry(1)))
    assert SpoolAnswers(spool, configured, Pacer(), names).totals() == totals_report(spool)
    assert SpoolAnswers(None, configured, Pacer(), names).totals() is None
    assert SpoolAnswers(await spool_of(Shelf()), lambda: configured(spool=False), Pacer(), names).totals() is None
