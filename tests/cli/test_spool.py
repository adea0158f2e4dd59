"""The commands about events that are kept."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner, Result, _NamedTextIOWrapper

from statusproxy.admin import client as admin_client
from statusproxy.admin.listener import AdminListener
from statusproxy.cli.commands import main
from statusproxy.config.load import load
from statusproxy.spool.spool import Spool
from statusproxy.store.spooled import EntryState
from tests.admin.shelf import Shelf, entry, spool_of
from tests.cli.calling import call
from tests.proxy.harness import Running


@pytest.fixture
async def kept(proxy: Running) -> AsyncIterator[tuple[Spool, str]]:
    """A spool with entries, and the admin listener that serves it."""
    spool = await spool_of(Shelf(entry(1), entry(2, state=EntryState.UNKNOWN), entry(3, state=EntryState.DEAD)))
    server = proxy.server
    settings = load(os.devnull, {"admin.listen": "127.0.0.1:0"}, {}, gateway="http://127.0.0.1:1")
    listener = AdminListener(server.registry, server.exposition, server.proxy, settings, spool)
    await listener.start()
    yield spool, listener.addresses[0]
    await listener.stop()


async def spooled(where: str, *arguments: str) -> Result:
    return await asyncio.to_thread(call, "spool", *arguments, "--admin", where)


async def test_kept_events_are_listed_and_shown_and_bodies_only_on_demand(kept: tuple[Spool, str]) -> None:
    _, where = kept
    listed = await spooled(where, "list")
    assert (listed.exit_code, listed.stdout.splitlines()[0].partition(" since")[0]) == (0, "1 waiting")
    chosen = json.loads((await spooled(where, "list", "--json", "--state", "dead", "--newest")).stdout)
    assert [each["id"] for each in chosen["entries"]] == ["000003"]
    assert "body" not in json.dumps(chosen)
    shown = await spooled(where, "show", "000002")
    assert (shown.exit_code, "state     unknown" in shown.stdout, "planted" in shown.stdout) == (0, True, False)
    assert json.loads((await spooled(where, "show", "000002", "--json")).stdout)["entry"]["id"] == "000002"
    assert (await spooled(where, "show", "000002", "--body")).stdout_bytes == b'{"a":1}'
    gone = await spooled(where, "show", "9", "--body")
    assert (gone.exit_code, gone.stdout, gone.stderr) == (1, "", "no event '9' is kept; it may have been delivered\n")


async def test_kept_events_are_replayed_and_dropped(kept: tuple[Spool, str]) -> None:
    spool, where = kept
    assert (await spooled(where, "replay", "000002")).stdout == "000002: to be delivered now\n"
    assert (await spooled(where, "replay", "--state", "dead")).stdout == "1 event: to be delivered now\n"
    assert (await spooled(where, "drop", "000002")).stdout == "000002: dropped\n"
    assert (await spooled(where, "drop", "--state", "unknown")).stdout == "none\n"
    assert (await spooled(where, "drop", "--session", "sales", "--yes")).stdout == "2 events: dropped\n"
    assert spool.control.totals.entries == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["drop"], "name the events: by ids, --state or --session"), (["replay", "1", "--state", "dead"], "either ids")],
)
def test_events_must_be_chosen_in_one_way(arguments: list[str], says: str) -> None:
    done = call("spool", *arguments)
    assert (done.exit_code, says in done.stderr) == (2, True)


def test_on_a_terminal_dropping_is_asked_for_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)
    asked: list[str] = []

    def ask(*said: str) -> dict[str, int]:
        asked.append(said[2])
        return {"changed": 2}

    monkeypatch.setattr(admin_client, "ask", ask)
    arguments = ["spool", "drop", "--state", "dead", "--session", "sales", "--admin", "127.0.0.1:1"]
    refused = CliRunner().invoke(main, arguments, input="n\n")
    assert (refused.exit_code, asked) == (1, [])
    assert "Drop permanently: state dead and session sales." in refused.stderr
    agreed = CliRunner().invoke(main, arguments, input="y\n")
    assert (agreed.exit_code, asked) == (0, ["/spool?state=dead&session=sales"])


def test_what_steers_a_terminal_reaches_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)
    monkeypatch.setattr(admin_client, "download", lambda *_: iter([b"a\x1b[2J"]))
    done = CliRunner().invoke(main, ["spool", "show", "1", "--body", "--admin", "127.0.0.1:1"])
    assert done.stdout == "a\\x1b[2J\n"


async def test_as_json_each_event_is_a_document_and_many_are_one(kept: tuple[Spool, str]) -> None:
    _, where = kept
    assert json.loads((await spooled(where, "replay", "000002", "--json")).stdout) == {"id": "000002", "changed": 1}
    assert json.loads((await spooled(where, "drop", "--state", "unknown", "--json")).stdout) == {"changed": 0}
    gone = await spooled(where, "drop", "9", "--json")
    assert (gone.exit_code, gone.stdout, gone.stderr.count("\n")) == (1, "", 1)
