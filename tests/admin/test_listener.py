"""The admin listener over real sockets: who may ask, what is answered, what a release does."""

import asyncio
import json
import os
import socket
import stat
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from statusproxy import __version__, stream_server
from statusproxy.admin import answers as answers_module
from statusproxy.admin import health as health_module
from statusproxy.admin import history as history_module
from statusproxy.admin import ids
from statusproxy.admin.listener import AdminListener
from statusproxy.config.load import loads
from statusproxy.observe import session_losses
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.registry import session_rows
from statusproxy.registry.outage_ledger import OutageLedger
from statusproxy.registry.session_rows import SessionRows
from statusproxy.status.model import Change, Override, Record
from statusproxy.store import StoreError
from tests.admin.conftest import Start
from tests.admin.harness import Admin
from tests.ports import free_port
from tests.proxy.harness import Wire, until
from tests.store.damaged import damage_page, filled, noise

ODD_IDS = ["Sales Team", "a/b", "São Paulo", "50%", "salão 😀", "a?b#c", "<img src=x onerror=alert(1)>", "a+b", "a;b=c"]


# ---- what is answered ----


async def test_health_says_that_the_process_lives(admin: Admin) -> None:
    answer = await admin.ask("/healthz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok", "version": __version__})


async def test_ready_means_that_the_store_takes_writes_and_the_gateway_connections(admin: Admin) -> None:
    answer = await admin.ask("/readyz")
    assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok", "store": "ok", "gateway": "ok"})


async def test_without_a_gateway_it_says_so_and_a_load_balancer_leaves_it_in(admin: Admin) -> None:
    await admin.gateway.stop()
    for target, status in (("/readyz", 200), ("/readyz?strict", 503)):
        answer = await admin.ask(target)
        body = json.loads(answer.body)
        assert (answer.status, body["status"], body["store"]) == (status, "error", "ok")
        assert body["gateway"].startswith("gateway_unreachable")


@pytest.mark.slow
async def test_a_damaged_state_is_told_by_every_answer_until_it_is_acknowledged(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_module, "FRESH", 0.0)
    path = tmp_path / "state.db"
    filled(path)
    damage_page(path, 1, noise)
    async with start(state={"url": f"sqlite:///{path}"}) as admin:
        ready = await admin.ask("/readyz")
        body = json.loads(ready.body)
        # Not 503: all works, and an orchestrator that takes it out or restarts it would fix nothing.
        assert (ready.status, body["status"], body["store"], body["gateway"]) == (200, "degraded", "ok", "ok")
        assert "120 sessions" in body["damage"][0]
        registry = admin.proxy.server.registry
        await until(lambda: not any(each.pending for each in registry.saving.damage))  # history is saved bit by bit
        (damage,) = (await admin.json("/state"))["damage"]
        assert (damage["sessions"], damage["text"]) == (120, (await admin.json("/readyz"))["damage"][0])
        assert "unreadable" in damage["set_aside"]
        assert (await admin.json("/doctor"))["health"]["status"] == "degraded"
        assert b"statusproxy_state_damage 1.0" in (await admin.ask("/metrics")).body
        await admin.gateway.stop()
        assert (await admin.ask("/readyz?strict")).status == 503
        assert await admin.json("/state/acknowledge", method="POST") == {"acknowledged": 1}
        assert "damage" not in await admin.json("/readyz")
        assert await admin.json("/state/acknowledge", method="POST") == {"acknowledged": 0}
        assert (await admin.json("/state"))["damage"] == []


async def test_a_store_that_cannot_be_damaged_has_nothing_to_acknowledge(start: Start) -> None:
    async with start(state={"url": "memory:"}) as admin:
        assert await admin.json("/state") == {"store": "ok", "damage": [], "repairs": {}}
        assert await admin.json("/state/acknowledge", method="POST") == {"acknowledged": 0}


async def test_what_cannot_be_noted_is_said(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> int:
        raise StoreError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.saving, "acknowledge_damage", refuse)
    answer = await admin.ask("/state/acknowledge", method="POST")
    assert (answer.status, b"disk full" in answer.body) == (503, True)


async def test_with_a_store_that_takes_no_writes_it_says_so_and_a_load_balancer_leaves_it_in(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(admin.proxy.server.registry.store, "save", refuse)
    for target, status in (("/readyz", 200), ("/readyz?strict", 503)):
        answer = await admin.ask(target)
        body = json.loads(answer.body)
        assert (answer.status, body["status"], body["store"]) == (status, "error", "does not accept writes")


async def test_the_sessions_are_told_with_what_is_shown_and_why(admin: Admin) -> None:
    await admin.event(event="onmessage", session="support", id="x")
    await admin.lose("sales")
    body = await admin.json("/sessions")
    sales, support = body["sessions"]
    assert body["disconnected"] == 1
    assert body["webhook_last_heard"] is not None
    assert (sales["session"], sales["shows"]) == ("sales", "disconnected")
    assert sales["reason"] == "status-find disconnectedMobile"
    assert sales["since"] is not None
    assert (support["session"], support["shows"], support["since"]) == ("support", "gateway", None)
    assert support["last_event"] == "onmessage"
    assert support["last_message_at"] is not None


async def test_what_the_gateway_claims_is_told_also_of_sessions_that_nothing_corrects(admin: Admin) -> None:
    await admin.event(event="onmessage", session="sales", id="x")
    await admin.list_channels(sales="connected")
    (sales,) = (await admin.json("/sessions"))["sessions"]
    assert sales["gateway_said"] == "connected"
    assert sales["gateway_said_at"] is not None


async def test_the_history_tells_what_the_gateway_claimed_when_a_session_was_lost_and_regained(admin: Admin) -> None:
    await admin.list_channels(sales="connected")
    await admin.lose("sales")
    await admin.list_channels(sales="qr_required")
    await admin.regain("sales")
    end, start = (await admin.json("/sessions/sales/history"))["history"]
    assert (start["change"], start["reason"]) == ("started", "status-find disconnectedMobile")
    assert start["gateway_said"] == "connected"
    assert (end["change"], end["reason"], end["gateway_said"]) == ("released", "connected-event", "qr_required")


async def test_the_history_of_all_is_told_newest_first(admin: Admin) -> None:
    await admin.lose("sales")
    await admin.lose("support")
    assert [one["session"] for one in (await admin.json("/history"))["history"]] == ["support", "sales"]


async def test_the_history_survives_in_sqlite(start: Start, tmp_path: Path) -> None:
    state = {"url": f"sqlite:///{tmp_path / 'state.db'}"}
    async with start(state=state) as admin:
        await admin.list_channels(sales="connected")
        await admin.lose("sales")
        await admin.list_channels(sales="connected")
    async with start(state=state) as admin:
        await admin.ask("/sessions/sales/release", method="POST")
        history = (await admin.json("/sessions/sales/history"))["history"]
    assert [(one["change"], one["gateway_said"]) for one in history] == [
        ("released", "connected"),
        ("started", "connected"),
    ]


async def test_a_history_that_cannot_be_read_is_said_and_not_a_crash(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [StoreError("malformed")]

    async def refuse(*_: object) -> AsyncGenerator[Sequence[Change], None]:
        for failure in failures:
            raise failure
        yield []

    monkeypatch.setattr(admin.proxy.server.registry.store, "history_pages", refuse)
    answer = await admin.ask("/history")
    assert (answer.status, json.loads(answer.body)) == (503, {"error": "the history cannot be read: malformed"})


async def test_the_metrics_are_prometheus_text(admin: Admin) -> None:
    await admin.lose("sales")
    answer = await admin.ask("/metrics")
    assert (answer.get("Content-Type") or b"").startswith(b"text/plain; version=")
    assert b'statusproxy_override_since_timestamp_seconds{session="sales"}' in answer.body


# ---- releasing ----


@pytest.mark.parametrize("session", ODD_IDS)
async def test_a_session_is_released_whatever_its_id_holds(admin: Admin, session: str) -> None:
    await admin.lose(session)
    answer = await admin.ask(f"/sessions/{quote(session, safe='')}/release", method="POST")
    body = json.loads(answer.body)
    assert answer.status == 200
    assert (body["session"], body["released"]) == (session, True)
    assert [change["reason"] for change in body["changes"]] == ["operator"]
    (record,) = (await admin.json("/sessions"))["sessions"]
    assert (record["session"], record["shows"], record["released"]) == (session, "gateway", "operator")


@pytest.mark.parametrize("session", ODD_IDS)
async def test_a_sessions_history_is_found_whatever_its_id_holds(admin: Admin, session: str) -> None:
    await admin.lose(session)
    (change,) = (await admin.json(f"/sessions/{quote(session, safe='')}/history"))["history"]
    assert change["session"] == session


async def test_after_a_release_the_list_says_again_what_the_gateway_says(admin: Admin) -> None:
    await admin.lose("sales")
    assert (await admin.list_channels(sales="connected"))["channels"][0]["status"] == "disconnected"
    await admin.ask("/sessions/sales/release", method="POST")
    assert (await admin.list_channels(sales="connected"))["channels"][0]["status"] == "connected"


async def test_releasing_what_nobody_knows_is_404_and_says_which(admin: Admin) -> None:
    answer = await admin.ask("/sessions/nobody/release", method="POST")
    assert (answer.status, json.loads(answer.body)) == (404, {"error": "no session 'nobody' is known"})


async def test_where_releasing_by_hand_is_off_a_release_says_so(start: Start) -> None:
    async with start(sessions={"releases": {"operator": False}}) as admin:
        await admin.lose("sales")
        answer = await admin.ask("/sessions/sales/release", method="POST")
        assert answer.status == 409
        assert "sessions.releases.operator" in json.loads(answer.body)["error"]


async def test_releasing_twice_changes_nothing_the_second_time(admin: Admin) -> None:
    await admin.lose("sales")
    await admin.ask("/sessions/sales/release", method="POST")
    assert (await admin.json("/sessions/sales/release", method="POST"))["released"] is False


# ---- forgetting ----


@pytest.mark.parametrize("session", ODD_IDS)
async def test_a_session_is_forgotten_whatever_its_id_holds_and_its_history_stays(admin: Admin, session: str) -> None:
    await admin.lose(session)
    assert (await admin.list_channels(channel="connected"))["channels"]
    answer = await admin.ask(f"/sessions/{quote(session, safe='')}/forget", method="POST")
    assert (answer.status, json.loads(answer.body)["forgotten"]) == (200, [session])
    assert [one["session"] for one in (await admin.json("/sessions"))["sessions"]] == ["channel"], "it is listed"
    history = (await admin.json("/history"))["history"]
    assert [(one["change"], one["reason"]) for one in history[:2]] == [
        ("forgotten", "operator"),
        ("released", "operator"),
    ]
    metrics = (await admin.ask("/metrics")).body
    assert b"statusproxy_sessions_forgotten_total 1.0" in metrics
    assert b'statusproxy_releases_total{reason="operator"} 1.0' in metrics
    assert b"statusproxy_overrides_repeated_total 0.0" in metrics


async def test_forgetting_what_nobody_knows_is_404_and_what_may_not_be_released_409(start: Start) -> None:
    async with start(sessions={"releases": {"operator": False}}) as admin:
        assert (await admin.ask("/sessions/nobody/forget", method="POST")).status == 404
        await admin.lose("sales")
        answer = await admin.ask("/sessions/sales/forget", method="POST")
        assert answer.status == 409
        assert "sessions.releases.operator" in json.loads(answer.body)["error"]
        (record,) = (await admin.json("/sessions"))["sessions"]
        assert record["shows"] == "disconnected"


async def test_with_a_token_set_no_session_is_forgotten_without_it(start: Start) -> None:
    async with start(admin={"token": "let-me-in"}) as admin:
        await admin.lose("sales")
        assert (await admin.ask("/sessions/sales/forget", method="POST", token="wrong")).status == 401
        assert len((await admin.json("/sessions"))["sessions"]) == 1


async def test_a_path_that_is_not_there_is_said_in_json(admin: Admin) -> None:
    answer = await admin.ask("/nowhere")
    assert (answer.status, json.loads(answer.body)) == (404, {"error": "Not Found"})


async def test_looking_releases_nothing(admin: Admin) -> None:
    await admin.lose("sales")
    assert (await admin.ask("/sessions/sales/release")).status == 405


# ---- who may ask ----

PRIVATE = ["/sessions", "/history", "/sessions/sales/history", "/metrics", "/readyz", "/events", "/state"]


@pytest.mark.parametrize("path", PRIVATE)
async def test_with_a_token_set_nothing_of_the_site_is_told_without_it(start: Start, path: str) -> None:
    async with start(admin={"token": "let-me-in"}) as admin:
        for token in ("", "wrong", "let-me-i", "let-me-in2", "ä"):
            answer = await admin.ask(path, token=token)
            assert answer.status == 401
            assert answer.get("WWW-Authenticate") == b"Bearer"


async def test_a_token_that_is_no_text_is_a_wrong_one(start: Start) -> None:
    async with start(admin={"token": "let-me-in"}) as admin:
        wire = await admin.connect()
        await wire.send(f"GET /state HTTP/1.1\r\nHost: {admin.netloc}\r\n".encode())
        await wire.send(b"Authorization: Bearer \xff\r\nConnection: close\r\n\r\n")
        assert (await wire.message()).status == 401
        await wire.close()


async def test_with_a_token_set_no_session_is_released_without_it(start: Start) -> None:
    async with start(admin={"token": "let-me-in"}) as admin:
        await admin.lose("sales")
        assert (await admin.ask("/sessions/sales/release", method="POST", token="wrong")).status == 401
        assert (await admin.json("/sessions"))["disconnected"] == 1


async def test_with_the_token_it_answers_by_any_name(start: Start) -> None:
    async with start(admin={"token": "ünlock"}) as admin:
        assert (await admin.ask("/sessions", host="status.example")).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/", "/page.js"])
async def test_a_supervisor_and_the_page_that_asks_for_the_token_need_none(start: Start, path: str) -> None:
    async with start(admin={"token": "let-me-in"}) as admin:
        assert (await admin.ask(path, token="")).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8091", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "@evil.example"],
)
async def test_a_host_that_is_a_name_is_refused_so_that_no_site_rebinds_its_own_to_us(admin: Admin, host: str) -> None:
    for path in ("/", "/sessions", "/events"):
        assert (await admin.ask(path, host=host)).status == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8091", "127.0.0.1", "[::1]:8091", "10.0.0.7:8091"])
async def test_an_address_and_localhost_are_answered(admin: Admin, host: str) -> None:
    assert (await admin.ask("/sessions", host=host)).status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:1", "http://localhost"]
)
async def test_another_sites_page_can_release_nothing(admin: Admin, origin: str) -> None:
    await admin.lose("sales")
    answer = await admin.ask("/sessions/sales/release", f"Origin: {origin}", method="POST")
    assert answer.status == 403
    assert (await admin.json("/sessions"))["disconnected"] == 1


async def test_our_own_page_can_release(admin: Admin) -> None:
    await admin.lose("sales")
    answer = await admin.ask("/sessions/sales/release", f"Origin: http://{admin.netloc}", method="POST")
    assert answer.status == 200


async def test_what_is_told_is_kept_by_no_cache_and_guessed_to_be_nothing_else(admin: Admin) -> None:
    for path in ("/sessions", "/healthz", "/metrics", "/nowhere"):
        answer = await admin.ask(path)
        assert (answer.get("Cache-Control"), answer.get("X-Content-Type-Options")) == (b"no-store", b"nosniff")


# ---- where it listens ----


async def test_it_listens_on_a_unix_socket(start: Start, tmp_path: Path) -> None:
    async with start(admin={"listen": f"unix:{tmp_path / 'admin.sock'}"}) as admin:
        assert admin.proxy.server.admin.addresses == [f"unix:{tmp_path / 'admin.sock'}"]


async def test_a_port_that_is_taken_is_named_with_what_to_do(start: Start, admin: Admin) -> None:
    from statusproxy.server import StartError

    with pytest.raises(
        StartError, match=r"cannot listen on 127\.0\.0\.1:\d+ \(admin\.listen\).*give admin\.listen another"
    ):
        async with start(admin={"listen": admin.netloc}):
            pass


async def test_a_port_that_another_program_takes_meanwhile_is_named_and_left_to_it(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        listen = stream_server.listen

        def too_late(server: asyncio.Server, backlog: int) -> None:
            other.listen()
            listen(server, backlog)

        monkeypatch.setattr(stream_server, "listen", too_late)
        ours = listener(admin, f"admin: {{listen: '127.0.0.1:{port}'}}")
        with pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1:{port} \(admin\.listen\)"):
            await ours.start()
        assert (ours.addresses, ours.exposed) == ([], False)
        await ours.stop()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
async def test_its_unix_socket_is_private_whatever_the_umask_and_is_removed_in_the_end(
    start: Start, tmp_path: Path, umask: int
) -> None:
    path = tmp_path / "admin.sock"
    before = os.umask(umask)
    try:
        async with start(admin={"listen": f"unix:{path}"}, listen_mode="0666") as admin:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            wire = Wire(*await asyncio.open_unix_connection(path))
            await wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await wire.message()).status == 200
            await wire.close()
            assert admin.proxy.server.admin.addresses == [f"unix:{path}"]
    finally:
        os.umask(before)
    assert not path.exists()


async def test_a_unix_socket_that_somebody_else_serves_is_not_taken(start: Start, tmp_path: Path) -> None:
    from statusproxy.server import StartError

    path = tmp_path / "admin.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(StartError, match=r"admin\.sock \(admin\.listen\).*in use"):
            async with start(admin={"listen": f"unix:{path}"}):
                pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


async def test_thousands_of_sessions_are_told_in_order(admin: Admin) -> None:
    names = [f"session-{number:04d}" for number in range(1_000)]
    admin.proxy.server.registry.sessions.load([Record(name, heard_at=1.0) for name in names])
    await admin.lose("sales")
    told = await admin.json("/sessions")
    assert [one["session"] for one in told["sessions"]] == ["sales", *names]
    assert told["disconnected"] == 1


#: What is done for each session, and for how many at most before others have their turn.
STEPS: Final[dict[str, tuple[object, str, int]]] = {
    "found": (SessionRows, "row", session_rows.AT_ONCE),
    "written": (answers_module, "row_report", answers_module.AT_ONCE),
    "sorted": (ids, "natural_key", ids._KEYS_AT_ONCE),
    "counted": (SessionLosses, "_take_in", session_losses._LOOKED_AT),
    "standing": (history_module, "standing", history_module._AT_ONCE),
    "months": (OutageLedger, "monthly", history_module._SESSIONS_AT_ONCE),
}


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("/metrics", {"found", "counted"}),
        ("/sessions", {"found", "sorted", "written"}),
        ("/up", {"found", "sorted"}),
        ("/uptime", {"found", "sorted", "months"}),
        ("/outages", {"standing"}),
    ],
)
async def test_of_thousands_of_sessions_some_are_looked_at_in_a_turn_however_many_ask(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, path: str, steps: set[str]
) -> None:
    lost = Override(since=1.0, at=1.0, began=1.0, event="close")
    admin.proxy.server.registry.sessions.load(
        [Record(f"s{number}", heard_at=1.0, override=lost) for number in range(999)]
    )
    done, most = Counter[str](), Counter[str]()

    def count(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **more: Any) -> Any:
            done[step] += 1
            return function(*given, **more)

        return counting

    async def somebody_else() -> None:
        while True:
            await asyncio.sleep(0)
            most.update({step: max(0, count - most[step]) for step, count in done.items()})
            done.clear()

    for step, (owner, name, _) in STEPS.items():
        monkeypatch.setattr(owner, name, count(step, getattr(owner, name)))
    other = asyncio.create_task(somebody_else())
    await asyncio.gather(*(admin.ask(path) for _ in range(3)))
    other.cancel()
    assert most == {step: STEPS[step][2] for step in steps}


# ---- sockets that systemd opened, and no listener at all ----


def listener(admin: Admin, text: str) -> AdminListener:
    """Another listener for the same proxy, with these settings."""
    server = admin.proxy.server
    return AdminListener(
        server.registry, server.exposition, server.proxy, loads(f"gateway: http://127.0.0.1:1\n{text}")
    )


async def test_turned_off_it_listens_nowhere(admin: Admin) -> None:
    off = listener(admin, "admin: {listen: null}")
    assert await off.start() is None
    assert (off.addresses, off.exposed) == ([], False)
    await off.stop()


async def test_a_socket_of_systemds_is_served_wherever_the_settings_would_listen(admin: Admin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        inherited = listener(admin, "admin: {listen: null}")
        address = f"http://127.0.0.1:{sock.getsockname()[1]}"
        assert await inherited.start([sock]) == address
        assert (inherited.addresses, inherited.exposed) == ([address], False)
        wire = Wire(*await asyncio.open_connection(*sock.getsockname()))
        await wire.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await wire.message()).status == 200
        await wire.close()
        await inherited.stop()


async def test_a_socket_that_other_machines_reach_is_served_with_a_token_only(admin: Admin) -> None:
    with socket.create_server(("0.0.0.0", 0)) as sock:
        with pytest.raises(OSError, match=r"other machines may reach, and there is no admin\.token"):
            await listener(admin, "").start([sock])
        exposed = listener(admin, "admin: {token: let-me-in-please}")
        await exposed.start([sock])
        assert exposed.exposed
        changed = loads("gateway: http://127.0.0.1:1\nadmin: {token: another-token-1}")
        exposed.configure(changed, ["listen"])
        assert (exposed.answers.settings, exposed.answers.waiting) == (changed, ["listen"])
        await exposed.stop()
