"""`/learn`: the proxy learns from the traffic that passes it, for a while, and only when asked."""

import json

import pytest

from tests.admin.conftest import Start
from tests.admin.harness import Admin
from tests.proxy.harness import answer, get

BOXES = json.dumps({"boxes": [{"box": "sales", "phase": "up"}]}).encode()


async def test_nothing_is_learned_until_it_is_started(admin: Admin) -> None:
    await admin.lose("sales")
    refused = await admin.ask("/learn")
    assert (refused.status, json.loads(refused.body)) == (
        404,
        {"error": "nothing was learned: learning was not started, or it was stopped"},
    )


async def test_it_learns_for_an_hour_from_webhooks_lists_and_other_answers(admin: Admin) -> None:
    begun = await admin.json("/learn", method="POST")
    assert (begun["learning"], begun["events"], begun["answers"], begun["draft"]) == (True, 0, 0, None)
    await admin.list_channels(sales="connected")
    await admin.lose("sales")
    admin.gateway.answer = answer(BOXES, "Content-Type: application/json; charset=utf-8")
    passed = await admin.proxy.ask(get("/api/boxes?token=planted-1"))
    assert passed.body == BOXES
    learned = await admin.json("/learn")
    assert (learned["learning"], learned["events"], learned["answers"], learned["skipped"]) == (True, 1, 2, 0)
    assert "  - event: status-find    # 1 event\n" in learned["draft"]
    assert "  - path: /api/channels    # 1 answer, 1 element\n" in learned["draft"]
    assert "boxes" in learned["draft"]
    assert "planted-1" not in learned["draft"]
    assert "sales" not in learned["draft"]


async def test_stopping_forgets_it(admin: Admin) -> None:
    await admin.json("/learn", method="POST")
    await admin.lose("sales")
    stopped = await admin.json("/learn", method="DELETE")
    assert (stopped["learning"], stopped["events"]) == (False, 1)
    assert (await admin.ask("/learn")).status == 404
    assert (await admin.json("/learn", method="DELETE"))["started"] is not None


@pytest.mark.parametrize("minutes", ["0", "1441", "-5", "1.5", "x", "", "999999999", "%D9%A3"])
async def test_the_time_is_bounded(admin: Admin, minutes: str) -> None:
    refused = await admin.ask(f"/learn?minutes={minutes}", method="POST")
    assert (refused.status, json.loads(refused.body)["error"]) == (400, "minutes is a whole number from 1 to 1440")


async def test_events_of_senders_that_are_not_trusted_are_not_learned(start: Start) -> None:
    webhooks = [{"path": "/v1/webhooks/receive", "from": ["10.9.9.9"]}]
    async with start(webhooks=webhooks) as admin:
        await admin.json("/learn?minutes=5", method="POST")
        await admin.lose("sales")
        assert (await admin.json("/learn"))["events"] == 0


async def test_it_is_guarded_as_all_that_is_posted(start: Start) -> None:
    async with start(admin={"token": "planted-token"}) as admin:
        for method in ("GET", "POST", "DELETE"):
            assert (await admin.ask("/learn", method=method, token="wrong")).status == 401
    async with start() as admin:
        assert (await admin.ask("/learn", "Origin: http://elsewhere.example", method="POST")).status == 403
