"""A backup of a proxy under load, restored elsewhere: the same map, the same history, the same events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from statusproxy.demo.events import status_find
from statusproxy.store.backup import back_up
from statusproxy.store.restore import restore
from tests.integration.stage import INBOUND
from tests.proxy.harness import Origin, Running, get, running

pytestmark = pytest.mark.divisible

#: Above what a row of the spool holds itself.
LARGE = 300_000


def settings(state: Path) -> dict[str, Any]:
    """Those of a proxy that keeps events, with its state in this file."""
    return {
        "state": {"url": f"sqlite:///{state}"}, "admin": {"listen": "127.0.0.1:0"},
        "webhooks": [{"path": INBOUND, "spool": True}],
    }  # fmt: skip


async def post(proxy: Running, session: str, word: str, number: int = 0, media: int = 0) -> str:
    """Post an event that cannot be delivered now; the id under which it is kept."""
    body = json.dumps({**status_find(session, word), "number": number, "media": "A" * media}).encode()
    answer = await proxy.ask(get(INBOUND, "Content-Type: application/json", method="POST", body=body))
    assert answer.status == 202, answer.body
    return str(json.loads(answer.body)["id"])


#: Figures of a session that grow while it is lost, or come once the history was read.
_BY_TIME: Final = frozenset({"first_heard", "lost_seconds", "losses", "uptime", "days"})


async def answers(proxy: Running) -> list[Any]:
    """What the admin listener tells of map, history and spool, except for what depends on the time of the question."""
    told: list[Any] = []
    async with aiohttp.ClientSession(proxy.server.admin.addresses[0]) as client:
        for path in ("/sessions", "/history", "/spool?limit=10000"):
            async with client.get(path) as answer:
                told.append(await answer.json())
    sessions, history, spool = told
    rows = [{key: row[key] for key in ("id", "session", "state", "bytes", "received_at")} for row in spool["entries"]]
    known = [{key: value for key, value in row.items() if key not in _BY_TIME} for row in sessions["sessions"]]
    return [known, history, rows]


async def test_a_backup_made_under_load_starts_elsewhere_with_the_same_answers_and_delivers(tmp_path: Path) -> None:
    gateway = Origin()
    await gateway.start()
    await gateway.stop()
    first, second = tmp_path / "first" / "state.db", tmp_path / "second" / "state.db"
    busy, quiet = tmp_path / "busy.db", tmp_path / "quiet.db"
    told: list[list[Any]] = []
    async with running(tmp_path, gateway.url, **settings(first)) as proxy:
        before = [await post(proxy, "sales", "browserClose", 1), await post(proxy, "support", "inChat", 2, LARGE)]
        done = asyncio.Event()

        async def load(session: str) -> list[str]:
            """Events without a pause while the backup is made."""
            ids: list[str] = []
            while not done.is_set():
                ids.append(await post(proxy, session, "browserClose", len(ids), LARGE if len(ids) % 3 == 1 else 0))
            return ids

        loads = [asyncio.create_task(load(f"busy-{number}")) for number in range(4)]
        await asyncio.to_thread(back_up, first, busy)
        done.set()
        meanwhile = [await each for each in loads]
        await asyncio.to_thread(back_up, first, quiet)
        known = await answers(proxy)
    for copy, force in ((busy, False), (quiet, True)):
        await asyncio.to_thread(restore, copy, second, force=force)
        async with running(tmp_path, gateway.url, **settings(second)) as proxy:
            told.append(await answers(proxy))
    of_busy, of_quiet = told
    ids = {row["id"] for row in of_busy[2]}
    assert ids >= set(before)
    for sent in meanwhile:  # of each session the first so many
        there = [id_ in ids for id_ in sent]
        assert there == sorted(there, reverse=True)
    assert of_quiet == known
    ids = {row["id"] for row in of_quiet[2]}
    assert len(ids) == len(before) + sum(map(len, meanwhile))
    await gateway.start()
    async with running(tmp_path, gateway.url, **settings(second)):
        await gateway.received(len(ids))
    await gateway.stop()
    events = [json.loads(request.body) for request in gateway.requests if request.target == INBOUND.encode()]
    assert [event["number"] for event in events if event["session"] == "busy-0"] == list(range(len(meanwhile[0])))
    assert {len(event["media"]) for event in events} == {0, LARGE}
