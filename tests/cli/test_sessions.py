"""The commands about single sessions, asked of a running proxy: sessions, history, release, forget."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from statusproxy.demo.events import status_find
from tests.cli.calling import asking
from tests.integration.stage import INBOUND, tell
from tests.ports import free_port
from tests.proxy.harness import Origin, Running, answer, get, running
from tests.registry.known import records_of


async def test_sessions_shows_what_is_known_and_release_ends_a_correction(proxy: Running, tmp_path: Path) -> None:
    result = await asking(tmp_path, "sessions")
    assert result.exit_code == 0
    assert "No session is known yet" in result.stdout
    await tell(proxy.url + INBOUND, status_find("Front Desk", "browserClose"), status_find("sales", "inChat"))
    result = await asking(tmp_path, "sessions")
    assert result.exit_code == 0
    head, first, second = result.stdout.rstrip().splitlines()[:3]
    assert head.split()[:2] == ["SESSION", "STATE"]
    assert re.split("  +", first)[:3] == ["Front Desk", "lost", "will be disconnected"]
    assert result.stdout.rstrip().splitlines()[-1].startswith("2 sessions: 1 lost, 1 connected. No list")
    assert "status-find browserClose" in first
    assert second.startswith("sales")
    document = json.loads((await asking(tmp_path, "sessions", "--json")).stdout)
    assert [one["session"] for one in document["sessions"]] == ["Front Desk", "sales"]

    result = await asking(tmp_path, "release", "Front Desk")
    assert (result.exit_code, result.stdout.startswith("Front Desk: released")) == (0, True)
    assert not proxy.server.registry.has_overrides
    result = await asking(tmp_path, "release", "Front Desk")
    assert (result.exit_code, result.stdout) == (
        0,
        "Front Desk: nothing to release; no correction is active for it\n",
    )
    result = await asking(tmp_path, "release", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "nobody" in result.stderr

    result = await asking(tmp_path, "history")
    assert result.exit_code == 0
    assert [word for line in result.stdout.splitlines() for word in ("lost", "released by hand") if word in line] == [
        "released by hand",
        "lost",
    ]
    one = json.loads((await asking(tmp_path, "history", "Front Desk", "--json")).stdout)
    assert [change["change"] for change in one["history"]] == ["released", "started"]


async def test_the_ids_are_shown_in_the_order_in_which_people_count(proxy: Running, tmp_path: Path) -> None:
    ids = ["unit 10", "unit 9", "Unit 2", "unit 1"]
    await tell(proxy.url + INBOUND, *(status_find(session, "inChat") for session in ids))
    _, *lines = (await asking(tmp_path, "sessions")).stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["unit 1", "Unit 2", "unit 9", "unit 10"]


async def test_an_id_reaches_no_terminal_as_a_command_and_stays_itself_in_json(proxy: Running, tmp_path: Path) -> None:
    session = "a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b"
    await tell(proxy.url + INBOUND, status_find(session, "browserClose"))
    for command in (["sessions"], ["history"], ["history", session], ["release", session]):
        result = await asking(tmp_path, *command)
        assert result.exit_code == 0
        assert all(line.isprintable() for line in result.stdout.split("\n"))
        assert r"a\n12:00:00 error: FORGED \x1b[31m\u202e\x9b" in result.stdout
        if command != ["release", session]:
            result = await asking(tmp_path, *command, "--json")
            assert all(line.isprintable() for line in result.stdout.split("\n"))
            (one,) = next(value for value in json.loads(result.stdout).values() if isinstance(value, list))
            assert one["session"] == session


async def test_webhooks_of_which_none_is_trusted_are_said(tmp_path: Path) -> None:
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    hooks = [{"path": INBOUND, "forward": False, "from": ["192.0.2.0/24"]}]
    async with running(tmp_path, "http://127.0.0.1:9", admin=admin, webhooks=hooks) as proxy:
        await tell(proxy.url + INBOUND, *[status_find("sales", "browserClose")] * 6)
        result = await asking(tmp_path, "sessions")
    assert result.stdout.startswith(
        "No session is known yet: 6 webhooks came since the start, none trusted (network: 6)."
    )


async def test_white_space_at_the_edge_of_an_id_shows_in_what_was_done(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("SALES ", "browserClose"))
    for command, done in (("release", "released"), ("release", "nothing to release"), ("forget", "forgotten")):
        result = await asking(tmp_path, command, "SALES ")
        assert result.stdout.startswith(f'"SALES ": {done}')


@pytest.mark.parametrize(("command", "done"), [("release", "released"), ("forget", "forgotten")])
async def test_what_the_end_of_a_correction_means_for_the_list_is_said_where_it_has_the_session(
    command: str, done: str, tmp_path: Path, origin: Origin
) -> None:
    admin = {"listen": f"127.0.0.1:{free_port()}"}
    listed = json.dumps({"channels": [{"id": "sales", "status": "connected"}]}).encode()
    origin.answer = lambda _request: answer(listed, "Content-Type: application/json")
    async with running(tmp_path, origin.url, admin=admin) as proxy:
        await tell(proxy.url + INBOUND, *(status_find(one, "browserClose") for one in ("sales", "nobody's")))
        await proxy.ask(get("/api/channels"))
        for session, more in (("sales", "; the list shows again what the gateway says"), ("nobody's", "")):
            result = await asking(tmp_path, command, session)
            assert result.stdout == f"{session}: {done}{more}\n"


async def test_forget_removes_sessions_and_ends_their_corrections(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("Front Desk", "browserClose"), status_find("sales", "inChat"))
    result = await asking(tmp_path, "forget", "frontdesk", "sales")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "frontdesk: forgotten (known as Front Desk)",
        "sales: forgotten",
    ]
    assert records_of(proxy.server.registry) == []
    result = await asking(tmp_path, "forget", "sales")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no session 'sales' is known" in result.stderr


async def test_release_and_forget_give_the_admin_listener_s_messages(proxy: Running, tmp_path: Path) -> None:
    await tell(proxy.url + INBOUND, status_find("Front Desk", "browserClose"), status_find("sales", "inChat"))
    answers = [json.loads((await asking(tmp_path, "release", "Front Desk", "--json")).stdout) for _ in range(2)]
    assert [(answer["session"], answer["released"]) for answer in answers] == [
        ("Front Desk", True),
        ("Front Desk", False),
    ]
    result = await asking(tmp_path, "forget", "frontdesk", "sales", "nobody", "--json")
    assert (result.exit_code, "no session 'nobody' is known" in result.stderr) == (1, True)
    documents = [json.loads(text + "}") for text in result.stdout.split("\n}\n") if text]
    assert [document["forgotten"] for document in documents] == [["Front Desk"], ["sales"]]
