"""The commands about the past of sessions, asked of a running proxy: history, uptime."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from pathlib import Path

import click
import pytest

from statusproxy.cli import history as module
from statusproxy.cli.history import history, uptime
from statusproxy.demo.events import status_find
from statusproxy.status.model import Change
from tests.cli.calling import asking, call
from tests.integration.stage import INBOUND, tell
from tests.proxy.harness import Running
from tests.waiting import until

DAY = 86_400.0


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def lived(proxy: Running, *ago: float, session: str = "sales") -> None:
    """An outage of a minute began so many days ago, for each."""
    registry = proxy.server.registry
    now = registry.clock.wall()
    lines = [
        Change(session, what, reason, at, at)
        for days in ago
        for what, reason, at in (
            ("started", "status-find browserClose", now - days * DAY),
            ("released", "connected-event", now - days * DAY + 60),
        )
    ]
    await registry.store.save([], [], lines)


async def test_history_as_records_tells_each_outage_once_with_its_end(proxy: Running, tmp_path: Path) -> None:
    await lived(proxy, 9, 2)
    await lived(proxy, 1, session="Front Desk")
    result = await asking(tmp_path, "history", "--records")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *lines = (re.split("  +", line) for line in result.stdout.splitlines())
    assert head == ["SESSION", "LOST", "BACK", "HOW LONG", "WHY", "GATEWAY SAID", "ENDED"]
    assert [line[0] for line in lines] == ["Front Desk", "sales", "sales"]
    assert lines[0][3:] == ["1m", "status-find browserClose", "–", "back (connected-event)"]
    document = json.loads((await asking(tmp_path, "history", "sales", "--records", "--json")).stdout)
    assert [(one["session"], one["seconds"]) for one in document["outages"]] == [("sales", 60.0)] * 2


async def test_since_bounds_changes_and_records(proxy: Running, tmp_path: Path) -> None:
    await lived(proxy, 9, 2)
    document = json.loads((await asking(tmp_path, "history", "--since", "7d", "--json")).stdout)
    assert [one["change"] for one in document["history"]] == ["released", "started"]
    assert len(read((await asking(tmp_path, "history", "--since", "7d", "--csv")).stdout)) == 1
    assert len(read((await asking(tmp_path, "history", "--since", "0001-01-02", "--csv")).stdout)) == 2
    result = await asking(tmp_path, "history", "sales", "--since", "1d", "--records")
    assert result.stdout == "sales was not lost in that time.\n"


@pytest.mark.parametrize("command", [["history"], ["history", "--csv"]])
def test_a_time_that_cannot_be_read_is_refused_before_anything_is_asked(command: list[str]) -> None:
    result = call(*command, "--since", "yesterday", "--admin", "127.0.0.1:1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "allowed: a duration before now such as 30m, 12h or 7d, or a date" in " ".join(result.stderr.split())


async def test_history_as_csv_is_safe_in_a_spreadsheet(proxy: Running, tmp_path: Path) -> None:
    await lived(proxy, 1, session="=1+1")
    result = await asking(tmp_path, "history", "--csv")
    assert result.stdout.count("\n") == 2, "no empty line at the end"
    (one,) = read(result.stdout)
    assert (one["session"], one["seconds"], one["ended"]) == ("'=1+1", "60.000", "connected-event")


async def test_where_more_outages_are_known_than_are_shown_it_is_said(
    proxy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALL", 2)
    await lived(proxy, 9, 2, 1)
    result = await asking(tmp_path, "history", "--csv")
    assert len(read(result.stdout)) == 2
    assert result.stderr == "only the newest 2 outages are shown\n"


@pytest.mark.parametrize("command", ["release", "forget"])
async def test_who_released_or_forgot_stands_in_the_history(proxy: Running, tmp_path: Path, command: str) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "browserClose"))
    assert (await asking(tmp_path, command, "sales", "--by", "ana maria")).exit_code == 0
    (one,) = read((await asking(tmp_path, "history", "--csv")).stdout)
    assert one["released_by"] == "ana maria"
    assert "(ana maria)" in (await asking(tmp_path, "history", "--records")).stdout
    assert "ana maria" in (await asking(tmp_path, "history")).stdout


async def test_uptime_is_told_by_months_for_all_and_for_each(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "inChat"), status_find("Front Desk", "inChat"))
    await until(lambda: proxy.server.registry.ledger.filled)
    result = await asking(tmp_path, "uptime", "--months", "1")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *lines = (re.split("  +", line) for line in result.stdout.splitlines())
    assert head == ["MONTH", "SESSION", "UPTIME", "LOST", "LOSSES"]
    assert [line[1:] for line in lines] == [
        [who, "100 %", "0s", "0"] for who in ("all sessions", "Front Desk", "sales")
    ]
    rows = read((await asking(tmp_path, "uptime", "sales", "--months", "1", "--csv")).stdout)
    assert [(one["session"], one["uptime"]) for one in rows] == [("sales", "1.000000")]
    document = json.loads((await asking(tmp_path, "uptime", "sales", "--json")).stdout)
    assert (document["complete"], {one["session"] for one in document["months"]}) == (True, {"sales"})


async def test_uptime_says_where_the_history_is_still_being_read(
    proxy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: proxy.server.registry.ledger.filled)
    monkeypatch.setattr(proxy.server.registry.ledger, "filled", False)
    result = await asking(tmp_path, "uptime")
    assert (result.exit_code, result.stdout) == (0, "There are no data for these months yet.\n")
    assert result.stderr == "the proxy has just started and is still reading its history; ask again in a moment\n"


@pytest.mark.parametrize("command", [["uptime", "nobody"], ["history", "nobody", "--csv"]])
async def test_a_session_that_nobody_knows_is_an_error(proxy: Running, tmp_path: Path, command: list[str]) -> None:
    result = await asking(tmp_path, *command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nobody" in result.stderr


async def test_ids_are_completed(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("sales", "inChat"))

    def candidates(command: click.Command) -> list[str]:
        context = click.Context(command)
        context.params = {"config": tmp_path / "config.yaml"}
        (argument,) = (one for one in context.command.params if isinstance(one, click.Argument))
        return [item.value for item in argument.shell_complete(context, "s")]

    for command in (history, uptime):
        assert await asyncio.to_thread(candidates, command) == ["sales"]
