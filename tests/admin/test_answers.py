"""What the admin listener answers: each answer's JSON, in every byte but times, addresses and numbers of processes.

Scripts read these answers, so that a key's name, its place and the spaces around it stay.
"""

import json
import re

import pytest

from statusproxy import __version__
from statusproxy.admin import feed as feed_module
from statusproxy.observe.absences import CLIENT
from statusproxy.status.model import Record
from statusproxy.store import StoreError
from tests.admin.conftest import Start
from tests.admin.harness import Admin
from tests.proxy.harness import until

_MOMENT = re.compile(r'"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"')
_EPOCH = re.compile(r"\b1?\d{9}\.\d+")
_FIGURE = re.compile(r'("(?:lost_seconds|uptime)": ?)[0-9.e-]+')

LOST = (
    '{"session":"sales","channel":"sales","shows":"disconnected","reads":"disconnected","shown_at":TIME,"since":TIME,'
    '"reason":"status-find disconnectedMobile","word":"disconnectedMobile","caught_up":null,"caught_up_on":[],'
    '"last_event":"status-find",'
    '"last_event_at":TIME,"last_message_at":null,"known":"disconnected","known_at":TIME,"gateway_said":"connected",'
    '"gateway_said_at":TIME,"transient":null,"transient_word":null,"transient_due":null,"released":null,"released_at":null,'
    '"state":"lost","listed":true,"list_shows":"disconnected","released_by":null,"first_heard":TIME,"lost_seconds":N,'
    f'"losses":1,"uptime":N,"days":"{"-" * 89}1","alerted_at":null}}'
)
GUIDANCE = (
    '"title":"gateway-wrapper","url":"","set_url":[],"states":{"connected":"connected","open":"connected",'
    '"disconnected":"disconnected","qr_required":"scan","qr":"scan","qrcode":"scan","waiting_qr":"scan",'
    '"initializing":"starting","starting":"starting","pairing":"starting","connecting":"connecting"},"bring_back":[]'
)
HEARD = (
    '{"session":"support","channel":null,"shows":"gateway","reads":null,"shown_at":null,"since":null,"reason":null,'
    '"word":null,"caught_up":null,"caught_up_on":[],"last_event":"onmessage","last_event_at":TIME,"last_message_at":TIME,'
    '"known":null,"known_at":null,"gateway_said":null,"gateway_said_at":null,"transient":null,'
    '"transient_word":null,"transient_due":null,"released":null,"released_at":null,'
    '"state":"unknown","listed":false,"list_shows":null,"released_by":null,"first_heard":TIME,"lost_seconds":N,'
    f'"losses":0,"uptime":N,"days":"{"-" * 89}0","alerted_at":null}}'
)
COUNTS = '"counts": {"lost": %d, "reported_down": %d, "needs_qr": %d, "connected": %d, "unknown": %d}'


async def text(admin: Admin, target: str, method: str = "GET") -> str:
    """An answer's body with the word TIME for each time."""
    answer = await admin.ask(target, method=method)
    assert (answer.get("Content-Type") or b"").startswith(b"application/json")
    return _FIGURE.sub(r"\1N", _EPOCH.sub("TIME", _MOMENT.sub("TIME", answer.body.decode("ascii"))))


async def lost_and_heard(admin: Admin) -> None:
    """One session is lost, and shown so; another was heard of."""
    await admin.lose("sales")
    await admin.list_channels(sales="connected")
    await admin.event(event="onmessage", session="support", id="x")


async def test_each_session_is_shown_with_what_is_known_and_what_the_list_reads(admin: Admin) -> None:
    await lost_and_heard(admin)
    assert await text(admin, "/sessions") == (
        '{"now": TIME, "started": TIME, "webhook_last_heard": TIME, '
        '"webhooks": {"came": 2, "trusted": 2, "untrusted": {}}, "disconnected": 1, '
        f'"list_seen_at": TIME, {COUNTS % (1, 0, 0, 0, 1)}, "sessions": [{LOST}, {HEARD}]}}'
    )


async def test_before_any_event_the_list_of_sessions_is_empty(admin: Admin) -> None:
    assert await text(admin, "/sessions") == (
        '{"now": TIME, "started": TIME, "webhook_last_heard": null, '
        '"webhooks": {"came": 0, "trusted": 0, "untrusted": {}}, "disconnected": 0, '
        f'"list_seen_at": null, {COUNTS % (0, 0, 0, 0, 0)}, "sessions": []}}'
    )


async def test_history_has_the_changes_of_all_sessions_or_of_one(admin: Admin) -> None:
    await lost_and_heard(admin)
    line = (
        '{"session": "sales", "change": "started", "reason": "status-find disconnectedMobile", '
        '"at": TIME, "recorded_at": TIME, "gateway_said": null, "by": null}'
    )
    assert await text(admin, "/history") == await text(admin, "/sessions/sales/history") == f'{{"history": [{line}]}}'
    assert await text(admin, "/sessions/support/history") == '{"history": []}'


async def test_a_release_gives_the_change_and_a_second_one_none(admin: Admin) -> None:
    await lost_and_heard(admin)
    change = (
        '{"session": "sales", "change": "released", "reason": "operator", "at": TIME, "recorded_at": TIME, '
        '"gateway_said": "connected", "by": null}'
    )
    assert await text(admin, "/sessions/sales/release", "POST") == (
        f'{{"session": "sales", "released": true, "changes": [{change}]}}'
    )
    assert await text(admin, "/sessions/sales/release", "POST") == (
        '{"session": "sales", "released": false, "changes": []}'
    )


async def test_a_forgotten_session_is_named_with_the_change(admin: Admin) -> None:
    await admin.event(event="onmessage", session="support", id="x")
    change = (
        '{"session": "support", "change": "forgotten", "reason": "operator", "at": TIME, "recorded_at": TIME, '
        '"gateway_said": null, "by": null}'
    )
    assert await text(admin, "/sessions/support/forget", "POST") == (
        f'{{"session": "support", "forgotten": ["support"], "changes": [{change}]}}'
    )


async def test_the_state_tells_whether_it_is_written_and_how_much_damage_was_acknowledged(admin: Admin) -> None:
    assert await text(admin, "/state") == '{"store": "ok", "damage": [], "repairs": {}}'
    assert await text(admin, "/state/acknowledge", "POST") == '{"acknowledged": 0}'


async def test_health_is_that_of_the_process_and_readiness_that_of_store_and_gateway(admin: Admin) -> None:
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
async def test_what_cannot_be_answered_is_an_error_in_words(admin: Admin, target: str, method: str, error: str) -> None:
    assert await text(admin, target, method) == f'{{"error": "{error}"}}'


async def test_the_doctors_report_has_all_that_the_doctor_looks_at(start: Start) -> None:
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
        '{"address": "127.0.0.1", "believed": 1, "doubts": {}, "last": TIME, "by_address": 1}, '
        '{"address": "192.0.2.7", "believed": 0, "doubts": {"secret": 1}, "last": TIME, "by_address": 0}], '
        '"paths": [{"path": "/v1/webhooks/receive", "count": 1, "last": TIME, "gap": 0.0, "statuses": {"200": 1}}], '
        '"events": [{"event": "status-find", "verdict": "applied", "count": 1}], '
        '"clock": {"timed": 0, "lag": null, "ahead": 0}}, '
        '"absences": [{"missing": "client", "peer": "10.0.0.2", "count": 1, "webhooks": 1, "last": TIME}], '
        '"forwarding_strangers": [], "spool": null, '
        '"alerts": {"now": TIME, "configured": false, "sending": false, "written": true, "targets": [], '
        '"heartbeat": null, "told_total": 0, "told": [], "messages": []}}'
    )


async def test_metrics_are_exposed_as_prometheus_text(admin: Admin) -> None:
    await admin.lose("sales")
    answer = await admin.ask("/metrics")
    assert (answer.get("Content-Type") or b"").startswith(b"text/plain; version=")
    assert b"statusproxy_overrides_started_total 1.0" in answer.body
    assert b"statusproxy_overrides 1.0" in answer.body


async def test_where_the_operators_rule_is_off_nothing_is_released_or_forgotten(start: Start) -> None:
    async with start(sessions={"releases": {"operator": False}}) as admin:
        await admin.lose("sales")
        assert await text(admin, "/sessions/sales/release", "POST") == (
            '{"error": "release by hand is turned off (sessions.releases.operator)"}'
        )
        assert await text(admin, "/sessions/sales/forget", "POST") == (
            '{"error": "sales is shown as disconnected, and sessions.releases.operator is off"}'
        )
        assert await text(admin, "/sessions/nobody/forget", "POST") == '{"error": "no session \'nobody\' is known"}'
        assert (await admin.ask("/sessions/sales/forget", method="POST")).status == 409


async def test_what_the_store_refuses_is_an_error_in_words(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> int:
        raise StoreError("disk full")

    registry = admin.proxy.server.registry
    monkeypatch.setattr(registry.saving, "acknowledge_damage", refuse)
    assert (
        await text(admin, "/state/acknowledge", "POST")
        == '{"error": "the damage cannot be acknowledged now: disk full"}'
    )


async def test_the_stream_begins_with_what_is_true_now(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    await lost_and_heard(admin)
    wire = await admin.connect()
    await wire.send(f"GET /events HTTP/1.1\r\nHost: {admin.netloc}\r\n\r\n".encode())
    head = await wire.head()
    assert (head.status, head.get("Content-Type"), head.get("Cache-Control"), head.get("X-Accel-Buffering")) == (
        200, b"text/event-stream", b"no-store", b"no",
    )  # fmt: skip
    heard = '"webhook_last_heard":TIME,"webhooks":{"came":2,"trusted":2,"untrusted":{}},"started":TIME,'
    heard += f'"list_seen_at":TIME,{COUNTS % (1, 0, 0, 0, 1)}'.replace(" ", "") + ',"now":TIME}'
    said: dict[str, str] = {}
    while len(said) < 3:
        line = (await wire.reader.readline()).decode("ascii")
        if line.startswith("event: "):
            said[line[7:-1]] = _FIGURE.sub(r"\1N", _MOMENT.sub("TIME", (await wire.reader.readline()).decode("ascii")))
    wire.reset()
    assert said == {
        "hello": f'data: {{"version":"{__version__}","total":2,"gateway_url":"{admin.gateway.url}",'
        f'"guidance":{{{GUIDANCE}}},"now":TIME}}\n',
        "health": f'data: {{"status":"ok","store":"ok","gateway":"ok",{heard}\n',
        "sessions": f'data: {{"sessions":[{LOST},{HEARD}],{heard}\n',
    }
    monkeypatch.setattr(feed_module, "PAGES", 0)
    refused = await admin.ask("/events")
    assert (refused.status, refused.get("Retry-After")) == (503, b"10")


async def test_a_page_that_leaves_is_no_error(admin: Admin, caplog: pytest.LogCaptureFixture) -> None:
    feed = admin.proxy.server.admin.answers.feed
    wire = await admin.connect()
    await wire.send(f"GET /events HTTP/1.1\r\nHost: {admin.netloc}\r\n\r\n".encode())
    await wire.head()
    wire.reset()
    for _ in range(3):
        await admin.lose("sales")
        await admin.regain("sales")
    await until(lambda: not feed._pages)
    assert caplog.messages == [] or all("sales" in line for line in caplog.messages)


async def test_thousands_of_sessions_are_one_answer_of_known_length(start: Start) -> None:
    async with start() as admin:
        names = [f"s{number:04}" for number in range(600)]
        admin.proxy.server.registry.sessions.load([Record(name) for name in names])
        reply = await admin.ask("/sessions")
        assert [one["session"] for one in json.loads(reply.body)["sessions"]] == names
        assert (reply.status, reply.get("Content-Length")) == (200, b"%d" % len(reply.body))
        assert reply.get("Content-Type") == b"application/json; charset=utf-8"
