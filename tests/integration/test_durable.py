"""No one is answered before a change is on disk, whichever way it came: a power cut would rarely show it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from statusproxy.demo.events import status_find
from tests.integration.stage import INBOUND, OUTBOUND
from tests.pictures import PNG_URL
from tests.proxy.harness import PATIENCE, Origin, Wire, answer, get, running
from tests.registry.disk import Disk

LOST = json.dumps(status_find("sales", "browserClose")).encode()


def post(path: str, body: bytes = LOST) -> bytes:
    return get(path, method="POST", body=body)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(INBOUND), 200),
        (post(OUTBOUND), 200),
        (post("/tap"), 204),
        (post("/down"), 502),
        (get("/api/channels/lost", method="DELETE"), 200),
        (post("/api/channels", b'{"channel": "lost"}'), 200),
        (get("/api/channels/lost/qr"), 200),
    ],
    ids=["inbound", "outbound", "tap", "receiver-down", "deleted", "created", "code-shown"],
)
async def test_nobody_is_answered_before_the_change_is_on_disk(request_: bytes, status: int, tmp_path: Path) -> None:
    origin, gone = Origin(), Origin()
    origin.answer = answer(b'{"qr": "%b"}' % PNG_URL.encode(), "Content-Type: application/json")
    for one in (origin, gone):
        await one.start()
    await gone.stop()
    webhooks = [
        {"path": INBOUND},
        {"path": OUTBOUND, "forward_to": f"{origin.url}/hub"},
        {"path": "/tap", "forward": False},
        {"path": "/down", "forward_to": gone.url},
    ]
    async with running(tmp_path, origin.url, webhooks=webhooks) as proxy:
        await proxy.ask(post(INBOUND, json.dumps(status_find("lost", "browserClose")).encode()))
        proxy.server.registry.saving.store = disk = Disk()
        disk.free.clear()
        wire: Wire = await proxy.connect()
        await wire.send(request_)
        answered = asyncio.ensure_future(wire.message())
        await disk.asked.wait()
        assert (await proxy.ask(get("/later"))).status == 200  # what came later has been to the gateway and back
        assert not answered.done(), "answered before the change was on disk"
        disk.free.set()
        assert (await asyncio.wait_for(answered, PATIENCE)).status == status
        assert disk.saved
    await origin.stop()
