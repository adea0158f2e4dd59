"""What the admin listener answers: each answer's JSON, in every byte but for times, addresses and numbers of processes.

Scripts read these answers, so that a key's name, its place and the spaces around it stay.
"""

import json
import re

import pytest

from statusproxy import __version__
from statusproxy.observe.absences import CLIENT
from tests.admin.conftest import Start
from tests.admin.harness import Admin

_MOMENT = re.compile(r'"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')
_EPOCH = re.compile(r"\b1?\d{9}\.\d+")

LOST = (
    '{"session":"sales","channel":"sales","shows":"disconnected","shown_at":TIME,"since":TIME,'
    '"reason":"status-find disconnectedMobile","caught_up":null,"caught_up_on":[],"last_event":"status-find",'
    '"last_event_at":TIME,"last_message_at":null,"known":"disconnected","known_at":TIME,"gateway_said":"connected",'
    '"gateway_said_at":TIME,"released":null,"released_at":null}'
)
HEARD = (
    '{"session":"support","channel":null,"shows":"gateway","shown_at":null,"since":null,"reason":null,'
    '"caught_up":null,"caught_up_on":[],"last_event":"onmessage","last_event_at":TIME,"last_message_at":TIME,'
    '"known":null,"known_at":null,"gateway_said":null,"gateway_said_at":null,"released":null,"released_at":null}'
)


async def text(admin: Admin, target: str, method: str = "GET") -> str:
    """An answer's body with the word TIME for each time."""
    answer = await admin.ask(target, method=method)
    assert (answer.get("Content-Type") or b"").startswith(b"application/json")
    return _EPOCH.sub("TIME", _MOMENT.sub("TIME", answer.body.decode("ascii")))


async def lost_and_heard(admin: Admin) -> None:
    """One session is lost, and shown so; another was heard of."""
    await admin.lose("sales")
    await admin.list_channels(sales="connected")
    await admin.event(event="onmessage", session="support", id="x")


async def test_sessions(admin: Admin) -> None:
    await lost_and_heard(admin)
    assert await text(admin, "/sessions") == (
        '{"now": TIME, "started": TIME, "webhook_last_heard": TIME, '
        '"webhooks": {"came": 2, "trusted": 2, "untrusted": {}}, "disconnected": 1, '
        f'"sessions": [{LOST}, {HEARD}]}}'
    )


async def test_no_sessions(admin: Admin) -> None:
    assert await text(admin, "/sessions") == (
        '{"now": TIME, "started": TIME, "webhook_last_heard": null, '
        '"webhooks": {"came": 0, "trusted": 0, "untrusted": {}}, "disconnected": 0, "sessions": []}'
    )


async def test_history(admin: Admin) -> None:
    await lost_and_heard(admin)
    line = (
        '{"session": "sales", "change": "started", "reason": "status-find disconnectedMobile", '
        '"at": TIME, "recorded_at": TIME, "gateway_said": null}'
    )
    assert await text(admin, "/history") == await text(admin, "/sessions/sales/history") == f'{{"history": [{line}]}}'
    assert await text(admin, "/sessions/support/history") == '{"history": []}'


async def test_release(admin: Admin) -> None:
    await lost_and_heard(admin)
    change = (
        '{"session": "sales", "change": "released", "reason": "operator", "at": TIME, "recorded_at": TIME, '
        '"gateway_said": "connected"}'
    )
    assert await text(admin, "/sessions/sales/release", "POST") == (
        f'{{"session": "sales", "released": true, "changes": [{change}]}}'
    )
    assert await text(admin, "/sessions/sales/release", "POST") == (
        '{"session": "sales", "released": false, "changes": []}'
    )


async def test_forget(admin: Admin) -> None:
    await admin.event(event="onmessage", session="support", id="x")
    change = (
        '{"session": "support", "change": "forgotten", "reason": "operator", "at": TIME, "recorded_at": TIME, '
        '"gateway_said": null}'
    )
    assert await text(admin, "/sessions/support/forget", "POST") == (
        f'{{"session": "support", "forgotten": ["support"], "changes": [{change}]}}'
    )


async def test_state(admin: Admin) -> None:
    assert await text(admin, "/state") == '{"store": "ok", "damage": [], "repairs": {}}'
    assert await text(admin, "/state/acknowledge", "POST") == '{"acknowledged": 0}'


async def test_health(admin: Admin) -> None:
    assert await text(admin, "/healthz") == f'{{"status": "ok", "version": "{__version__}"}}'
    assert await text(admin, "/readyz") == '{"status": "ok", "store": "ok", "gateway": "ok"}'
    registry = admin.proxy.server.registry
    registry.absences.note(CLIENT, "10.0.0.2", registry.clock.wall(), webhook=False)
    assert await text(admin, "/readyz") == '{"status": "ok", "store": "ok", "gateway": "ok", "missing": ["client"]}'


@pytest.mark.parametrize(
    ("target", "method", "error"),
    [
        ("/nowhere", "GET", "Not Found"),
        ("/sessions", "POST", "Method Not Allowed"),
        ("/sessions/nobody/release", "POST", "no session 'nobody' is known"),
        ("/sessions/nobody/history", "GET", "no session 'nobody' is known, and the history has none of that name"),
    ],
)
async def test_errors(admin: Admin, target: str, method: str, error: str) -> None:
    assert await text(admin, target, method) == f'{{"error": "{error}"}}'


async def test_the_doctors_report(start: Start) -> None:
    webhooks = [{"path": "/v1/webhooks/receive"}, {"path": "/closed", "from": ["192.0.2.0/24"], "forward": False}]
    async with start(webhooks=webhooks) as admin:
        await admin.lose("sales")
        registry = admin.proxy.server.registry
        registry.absences.note(CLIENT, "10.0.0.2", registry.clock.wall(), webhook=True)
        registry.doubt("192.0.2.7", "secret")
        said = await text(admin, "/doctor")
        settings = json.dumps((await admin.json("/doctor"))["settings"])
        server = admin.proxy.server
        pid = re.search(r'"pid": \d+', said)
    assert pid is not None
    assert said.replace(settings, '"SETTINGS"') == (
        f'{{"version": "{__version__}", {pid[0]}, "now": TIME, "started": TIME, '
        f'"listening": {json.dumps(server.admin.answers.listening)}, "settings": "SETTINGS", '
        '"waiting": [], "given": [], '
        '"health": {"status": "ok", "store": "ok", "gateway": "ok", "missing": ["client"]}, '
        '"webhooks": {"last_heard": TIME, "heard": 1, "gap": 0.0, "senders": ['
        '{"address": "127.0.0.1", "believed": 1, "doubts": {}, "last": TIME}, '
        '{"address": "192.0.2.7", "believed": 0, "doubts": {"secret": 1}, "last": TIME}], '
        '"paths": [{"path": "/v1/webhooks/receive", "count": 1, "last": TIME, "gap": 0.0, "statuses": {"200": 1}}], '
        '"events": [{"event": "status-find", "verdict": "applied", "count": 1}], '
        '"clock": {"timed": 0, "lag": null, "ahead": 0}}, '
        '"absences": [{"missing": "client", "peer": "10.0.0.2", "count": 1, "webhooks": 1, "last": TIME}], '
        '"forwarding_strangers": []}'
    )
