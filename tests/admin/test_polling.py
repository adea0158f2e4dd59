"""What tools that poll are answered: up or down by the status, with the reason; and the badge."""

import base64
import json
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from statusproxy.admin import polling as module
from statusproxy.status.model import Record
from tests.admin.conftest import Start
from tests.admin.harness import Admin
from tests.admin.test_listener import ODD_IDS

MIXED = {
    "shop": "connected", "team": "connected", "sales": "connected", "desk": "qr_required", "bar": "disconnected",
    "odd": "who knows",
}  # fmt: skip


async def mixed(admin: Admin) -> dict[str, str]:
    """Channels in every state; what a client of the corrected list reads."""
    await admin.lose("sales")
    body = await admin.list_channels(**MIXED)
    return {channel["id"]: channel["status"] for channel in body["channels"]}


async def up(admin: Admin, session: str, query: str = "") -> tuple[int, bool, str]:
    """A session's status, whether it is up, and its state."""
    answer = await admin.ask(f"/sessions/{quote(session, safe='')}/up{query}")
    said = json.loads(answer.body)
    return answer.status, said["up"], said["state"]


async def test_the_status_says_whether_a_session_is_up(admin: Admin) -> None:
    await mixed(admin)
    assert await up(admin, "shop") == (200, True, "connected")
    assert await up(admin, "sales") == (503, False, "lost")
    assert await up(admin, "desk") == (503, False, "needs_qr")
    assert await up(admin, "bar") == (503, False, "reported_down")
    assert await up(admin, "odd") == (200, True, "unknown")


async def test_the_answer_says_why(admin: Admin) -> None:
    await mixed(admin)
    said = await admin.json("/sessions/sales/up")
    assert (
        said["reason"]
        == "lost, according to the event status-find disconnectedMobile; the gateway still says connected"
    )
    assert said["since"] is not None
    assert (said["list_shows"], said["listed"]) == ("disconnected", True)
    said = await admin.json("/sessions/desk/up")
    assert (said["since"], said["list_shows"]) == (None, "qr_required")
    assert said["gateway_said_at"] is not None


async def test_a_session_that_nobody_knows_is_not_found(admin: Admin) -> None:
    answer = await admin.ask("/sessions/nobody/up")
    assert answer.status == 404
    assert "nobody" in json.loads(answer.body)["error"]
    assert (await admin.ask("/sessions/nobody/up", method="HEAD")).status == 404


async def test_without_a_list_events_tell_and_silence_is_no_disconnect(admin: Admin) -> None:
    await admin.regain("sales")
    await admin.event(event="onmessage", session="shop", id="x")
    assert await up(admin, "sales") == (200, True, "connected")
    assert await up(admin, "shop") == (200, True, "unknown")
    assert (await admin.json("/sessions/shop/up"))["gateway_said_at"] is None


@pytest.mark.parametrize("session", ODD_IDS)
async def test_any_id_is_found_and_in_another_spelling_too(admin: Admin, session: str) -> None:
    await admin.lose(session)
    assert (await up(admin, session))[0] == 503
    assert (await up(admin, f" {session.upper()} "))[0] == 503


async def test_the_query_chooses_what_counts_as_up(admin: Admin) -> None:
    await mixed(admin)
    assert await up(admin, "odd", "?unknown=down") == (503, False, "unknown")
    assert await up(admin, "desk", "?needs_qr=up") == (200, True, "needs_qr")
    assert await up(admin, "bar", "?reported_down=up&needs_qr=up") == (200, True, "reported_down")


@pytest.mark.parametrize("query", ["lost=up", "connected=down", "unknown=maybe", "token=secret", "unknown=down&x=1"])
@pytest.mark.parametrize("path", ["/up", "/sessions/shop/up"])
async def test_another_query_is_refused_and_not_repeated(admin: Admin, path: str, query: str) -> None:
    answer = await admin.ask(f"{path}?{query}")
    assert answer.status == 400
    said = json.loads(answer.body)["error"]
    assert "unknown=down" in said
    assert "secret" not in said


async def test_all_are_up_where_none_is_down(admin: Admin) -> None:
    assert (await admin.ask("/up")).status == 200, "nothing is known yet"
    await admin.list_channels(shop="connected", odd="who knows")
    answer = await admin.ask("/up")
    said = json.loads(answer.body)
    assert (answer.status, said["up"], said["down"], said["sessions"]) == (200, True, 0, [])
    assert said["list_seen_at"] is not None
    answer = await admin.ask("/up?unknown=down")
    assert (answer.status, json.loads(answer.body)["down"]) == (503, 1)


async def test_those_that_are_down_are_named_and_the_states_add_up_to_what_a_client_reads(admin: Admin) -> None:
    read = await mixed(admin)
    answer = await admin.ask("/up")
    said = json.loads(answer.body)
    assert (answer.status, said["up"], said["down"]) == (503, False, 3)
    assert [one["session"] for one in said["sessions"]] == ["bar", "desk", "sales"]
    assert said["counts"] == {"lost": 1, "reported_down": 1, "needs_qr": 1, "connected": 2, "unknown": 1}
    assert sum(said["counts"].values()) == len(read)
    assert said["counts"]["connected"] == list(read.values()).count("connected")
    assert said["counts"]["lost"] + said["counts"]["reported_down"] == list(read.values()).count("disconnected")
    sessions = await admin.json("/sessions")
    assert {one["session"]: one["list_shows"] for one in sessions["sessions"]} == read
    assert (sessions["counts"], sessions["disconnected"]) == (said["counts"], 1)


async def test_of_many_that_are_down_some_are_named_and_all_are_counted(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NAMED", 2)
    await admin.list_channels(**{f"unit {number}": "disconnected" for number in (10, 9, 1)})
    said = await admin.json("/up")
    assert (said["down"], [one["session"] for one in said["sessions"]]) == (3, ["unit 1", "unit 9"])


async def test_head_is_answered_by_the_same_status_without_a_body(admin: Admin) -> None:
    await mixed(admin)
    for path, status in (("/up", 503), ("/sessions/shop/up", 200), ("/sessions/sales/up", 503)):
        answer = await admin.ask(path, method="HEAD")
        assert (answer.status, answer.body, answer.get("Cache-Control")) == (status, b"", b"no-store")


async def test_the_reason_is_in_the_language_of_the_settings(start: Start) -> None:
    async with start(language="pt-BR") as admin:
        await admin.lose("sales")
        assert "caiu pelo evento" in (await admin.json("/sessions/sales/up"))["reason"]
        assert "caiu" in (await admin.ask("/badge/sales.svg")).body.decode()


async def test_where_there_is_a_token_it_is_asked_for_and_may_be_a_password(start: Start) -> None:
    async with start(admin={"token": "right"}) as admin:
        await admin.lose("sales")
        given = base64.b64encode(b"kuma:right").decode()
        for path, status in (("/up", 503), ("/sessions/sales/up", 503), ("/badge/sales.svg", 200)):
            assert (await admin.ask(path)).status == status
            assert (await admin.ask(path, token="wrong")).status == 401
            basic = await admin.ask(path, f"Authorization: Basic {given}", token="")
            assert basic.status == status, path
        assert (await admin.ask("/sessions", f"Authorization: Basic {given}", token="")).status == 401


async def test_the_badge_says_how_a_session_stands(admin: Admin) -> None:
    await mixed(admin)
    answer = await admin.ask("/badge/sales.svg")
    assert (answer.status, answer.get("Content-Type"), answer.get("Cache-Control")) == (
        200, b"image/svg+xml", b"no-cache",
    )  # fmt: skip
    assert answer.get("Content-Security-Policy") == b"default-src 'none'; sandbox"
    assert answer.get("X-Content-Type-Options") == b"nosniff"
    assert ET.fromstring(answer.body).get("aria-label") == "sales: lost"


@pytest.mark.parametrize("session", ODD_IDS)
async def test_any_id_has_a_badge(admin: Admin, session: str) -> None:
    admin.proxy.server.registry.sessions.load([Record(session)])
    answer = await admin.ask(f"/badge/{quote(session, safe='')}.svg")
    assert answer.status == 200
    assert ET.fromstring(answer.body).get("aria-label") == f"{session}: unknown"


async def test_the_badge_of_a_session_that_nobody_knows_says_so(admin: Admin) -> None:
    answer = await admin.ask("/badge/nobody.svg")
    assert answer.status == 404
    assert ET.fromstring(answer.body).get("aria-label") == "nobody: not known"
