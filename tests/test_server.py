"""The service's life: it starts or says in one line why not, changes its mind without dropping a request, and ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import importlib.util
import json
import logging
import os
import resource
import signal
import socket
import sqlite3
import ssl
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from statusproxy import __version__
from statusproxy.admin import client
from statusproxy.admin.listener import AdminListener
from statusproxy.clock import boot_time
from statusproxy.config.load import load
from statusproxy.demo.events import status_find
from statusproxy.garbage_collection import YOUNG
from statusproxy.listeners import Listeners
from statusproxy.server import Server, StartError, serve
from statusproxy.status.clocks import Written
from statusproxy.store import file_lock
from statusproxy.store.codec import decode_record
from statusproxy.store.owner import boot_id
from tests.certificates import make_certificate
from tests.hand_clock import HandClock
from tests.peers.processes import run
from tests.ports import free_port
from tests.proxy.harness import OK, PATIENCE, Message, Origin, Wire, answer, get, until
from tests.proxy.held_origin import Held

LIST = {"success": True, "channels": [{"id": "sales", "status": "connected"}]}


class Site:
    """A service, its configuration file and its gateway."""

    def __init__(self, folder: Path, origin: Origin, **keys: Any) -> None:
        self.file = folder / "config.yaml"
        self.origin = origin
        self.keys = {
            "listen": "127.0.0.1:0",
            "gateway": origin.url,
            "state": {"url": "memory:"},
            "admin": {"listen": None},
            "language": "en",
            **keys,
        }
        self.write()
        self.server = Server(self.read(), self.read)
        self.outside: list[str] = []
        """Where the service listens that runs as a process of its own, in place of `server`."""

    def read(self) -> Any:
        return load(self.file, environ={})

    def write(self, **keys: Any) -> None:
        self.keys |= keys
        self.file.write_text(yaml.safe_dump(self.keys))

    async def reload(self, **keys: Any) -> bool:
        self.write(**keys)
        return await self.server.reload()

    async def connect(self, number: int = 0) -> Wire:
        address = [*self.outside, *self.server.addresses][number]
        if address.startswith("unix:"):
            return Wire(*await asyncio.open_unix_connection(address.removeprefix("unix:")))
        host, _, port = address.rpartition(":")
        return Wire(*await asyncio.open_connection(host.strip("[]"), int(port)))

    async def ask(self, data: bytes, number: int = 0) -> Message:
        wire = await self.connect(number)
        await wire.send(data)
        reply = await wire.message()
        await wire.close()
        return reply


@contextmanager
def held_reading(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """A reload's reading of the file: whether it has begun, and what lets it go on."""
    reading, go_on = threading.Event(), threading.Event()

    def read() -> Any:
        reading.set()
        assert go_on.wait(PATIENCE)
        return site.read()

    monkeypatch.setattr(site.server, "_read_settings", read)
    try:
        yield reading, go_on
    finally:
        go_on.set()


@asynccontextmanager
async def serving(folder: Path, origin: Origin, **keys: Any) -> AsyncIterator[Site]:
    site = Site(folder, origin, **keys)
    await site.server.start()
    try:
        yield site
    finally:
        if site.server.serving:
            site.server.ask_to_stop()
            site.server.ask_to_stop()
            await site.server.stop()


@pytest.fixture
async def site(tmp_path: Path, origin: Origin) -> AsyncIterator[Site]:
    async with serving(tmp_path, origin) as site:
        yield site


def held(origin: Origin) -> asyncio.Event:
    """Have the gateway answer only when the event is set."""
    return Held(origin).let_go


# Where it listens


@pytest.mark.parametrize(
    ("listen", "begins"),
    [("127.0.0.1:0", "127.0.0.1:"), ("[::1]:0", "[::1]:"), ("unix:{}/proxy.sock", "unix:")],
)
async def test_it_listens_wherever_it_is_told_to(listen: str, begins: str, tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin, listen=listen.format(tmp_path)) as site:
        (address,) = site.server.addresses
        assert address.startswith(begins)
        assert (await site.ask(get("/health"))).status == 200
        (request,) = origin.requests
        assert request.target == b"/health"


async def test_several_listeners_share_one_map(tmp_path: Path, origin: Origin) -> None:
    origin.answer = answer(json.dumps(LIST).encode(), "Content-Type: application/json")
    listen = ["127.0.0.1:0", "[::1]:0", f"unix:{tmp_path}/proxy.sock"]
    async with serving(tmp_path, origin, listen=listen) as site:
        event = json.dumps(status_find("sales", "browserClose")).encode()
        assert (await site.ask(get("/v1/webhooks/receive", method="POST", body=event), 1)).status == 200
        for number in range(3):
            assert b'"disconnected"' in (await site.ask(get("/api/channels"), number)).body


async def test_a_socket_a_dead_process_left_is_taken_over_and_removed_in_the_end(
    tmp_path: Path, origin: Origin
) -> None:
    path = tmp_path / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(tmp_path, origin, listen=f"unix:{path}") as site:
        assert (await site.ask(get())).status == 200
    assert not path.exists()


@pytest.mark.parametrize(("setting", "mode"), [({}, 0o666), ({"listen_mode": "0660"}, 0o660)])
async def test_a_unix_socket_has_the_mode_that_is_configured(
    setting: dict[str, str], mode: int, tmp_path: Path, origin: Origin
) -> None:
    path = tmp_path / "proxy.sock"
    async with serving(tmp_path, origin, listen=f"unix:{path}", **setting) as site:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert (await site.ask(get())).status == 200


@pytest.mark.parametrize("there", ["a file", "a living socket"])
async def test_what_belongs_to_somebody_else_is_not_taken(there: str, tmp_path: Path, origin: Origin) -> None:
    path = tmp_path / "proxy.sock"
    with socket.socket(socket.AF_UNIX) as living:
        if there == "a file":
            path.write_text("precious")
        else:
            living.bind(str(path))
            living.listen()
        site = Site(tmp_path, origin, listen=f"unix:{path}")
        with pytest.raises(StartError, match=r"^cannot listen on unix:.*\n?$"):
            await site.server.start()
        assert path.is_file() or stat.S_ISSOCK(path.stat().st_mode)
        if there == "a file":
            assert path.read_text() == "precious"


@pytest.mark.parametrize("which", ["listen", "admin"])
async def test_a_port_in_use_is_told_in_one_line_that_names_it(which: str, tmp_path: Path, origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        keys = {"listen": address} if which == "listen" else {"admin": {"listen": address}}
        site = Site(tmp_path, origin, **keys)
        with pytest.raises(StartError) as trouble:
            await site.server.start()
    told = str(trouble.value)
    assert address in told
    assert "\n" not in told
    assert "the address is already in use" in told
    if which == "admin":
        assert "admin.listen" in told


async def test_no_client_is_accepted_where_the_admin_address_is_taken(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    start = AdminListener.start

    async def while_clients_come(admin: AdminListener, *inherited: Any) -> str | None:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        return await start(admin, *inherited)

    monkeypatch.setattr(AdminListener, "start", while_clients_come)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(StartError, match=r"admin\.listen"):
            await Site(tmp_path, origin, listen=f"127.0.0.1:{port}", admin={"listen": address}).server.start()


async def test_the_admin_listener_answers_before_the_first_client_is_accepted(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = free_port()
    open_ = Listeners.open

    async def after_a_look(listeners: Listeners) -> None:
        assert await asyncio.to_thread(client.ask, f"http://127.0.0.1:{admin}", "GET", "/healthz", None)
        await open_(listeners)

    monkeypatch.setattr(Listeners, "open", after_a_look)
    async with serving(tmp_path, origin, admin={"listen": f"127.0.0.1:{admin}"}) as site:
        assert site.server.serving


async def test_an_address_that_another_program_takes_meanwhile_leaves_nothing_open(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, admin = free_port(), free_port()
    open_ = Listeners.open

    async def too_late(listeners: Listeners) -> None:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            await open_(listeners)

    monkeypatch.setattr(Listeners, "open", too_late)
    thresholds = gc.get_threshold()
    keys = {"listen": f"127.0.0.1:{port}", "admin": {"listen": f"127.0.0.1:{admin}"}}
    with pytest.raises(StartError, match=f"127.0.0.1:{port}"):
        await Site(tmp_path, origin, **keys).server.start()
    for each in (port, admin):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", each)
    assert gc.get_threshold() == thresholds


async def test_garbage_is_collected_as_a_service_needs_it_until_it_ends(tmp_path: Path, origin: Origin) -> None:
    before = gc.get_threshold()
    async with serving(tmp_path, origin):
        assert gc.get_threshold()[0] == YOUNG
    assert gc.get_threshold() == before


async def test_a_proof_whose_package_is_missing_is_told_at_the_start_and_refused_by_a_reload(
    tmp_path: Path, origin: Origin, site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    webhooks = [{"path": "/signed", "jwt": {"secret": "planted"}}]
    (tmp_path / "other").mkdir()
    with pytest.raises(StartError, match=r"^webhooks\[0\].jwt: a JSON Web Token needs the package pyjwt, "):
        await Site(tmp_path / "other", origin, webhooks=webhooks).server.start()
    assert not await site.reload(webhooks=webhooks)
    assert "the configuration was not changed: webhooks[0].jwt: a JSON Web Token needs" in caplog.text
    assert "planted" not in caplog.text


@pytest.mark.slow
async def test_the_program_ends_with_one_line_and_exit_code_1_where_its_port_is_taken(
    tmp_path: Path, origin: Origin
) -> None:
    import sys

    with socket.create_server(("127.0.0.1", 0)) as taken:
        site = Site(tmp_path, origin, listen=f"127.0.0.1:{taken.getsockname()[1]}")
        code, output, trouble = await run((sys.executable, "-m", "statusproxy", "run", "-c", str(site.file)))
    assert (code, output) == (1, b"")
    *logged, last = trouble.decode().splitlines()
    assert last.startswith("statusproxy cannot start: cannot listen on 127.0.0.1:")
    assert "Traceback" not in trouble.decode()
    assert all(line.startswith("{") for line in logged)


async def test_a_failed_start_leaves_nothing_behind(tmp_path: Path, origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first, second = free_port(), taken.getsockname()[1]
        site = Site(tmp_path, origin, listen=[f"127.0.0.1:{first}", f"127.0.0.1:{second}"],
                    state={"url": f"sqlite:///{tmp_path}/state.db"})  # fmt: skip
        with pytest.raises(StartError):
            await site.server.start()
        socket.create_server(("127.0.0.1", first)).close()  # no one listens on it
    again = Site(tmp_path, origin, state={"url": f"sqlite:///{tmp_path}/state.db"})
    await again.server.start()  # the lock on the state is free as well
    await again.server.stop()


async def test_stored_sessions_name_the_boot_whose_clock_tells_their_age(tmp_path: Path, origin: Origin) -> None:
    file, loss = tmp_path / "state.db", b'{"event":"status-find","session":"sales","status":"browserClose"}'
    async with serving(tmp_path, origin, state={"url": f"sqlite:///{file}"}) as site:
        await site.ask(
            b"POST /v1/webhooks/receive HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(loss), loss)
        )
    with contextlib.closing(sqlite3.connect(file)) as rows:
        [(row,)] = rows.execute("SELECT payload FROM records").fetchall()
    written = decode_record(row).written
    assert written is not None
    assert written == Written(boot_id() or "", written.base)
    assert written.base == pytest.approx(time.time() - boot_time(), abs=5)


# Reloading


async def test_a_reload_applies_routes_and_rules_from_the_next_request_on(site: Site) -> None:
    site.origin.answer = answer(json.dumps(LIST).encode(), "Content-Type: application/json")
    event = json.dumps({"event": "connection.update", "session": "sales", "state": "gone"}).encode()
    for path in ("/v1/webhooks/receive", "/elsewhere"):
        await site.ask(get(path, method="POST", body=event))
    assert not site.server.registry.has_overrides
    rule = {"event": "connection.update", "session": ["session"], "state": ["state"], "disconnected": ["gone"]}
    assert await site.reload(webhooks=[{"path": "/elsewhere"}], events=[rule], preset_without=["/v1/webhooks/receive"])
    await site.ask(get("/v1/webhooks/receive", method="POST", body=event))
    assert not site.server.registry.has_overrides
    await site.ask(get("/elsewhere", method="POST", body=event))
    assert b'"disconnected"' in (await site.ask(get("/api/channels"))).body
    channels = [{"path": "/v2/list", "list": ["channels"], "id": ["id"], "set": {"status": "down"}}]
    assert await site.reload(channels=channels, preset_without=["/v1/webhooks/receive", "/api/channels"])
    assert b'"disconnected"' not in (await site.ask(get("/api/channels"))).body
    assert b'"down"' in (await site.ask(get("/v2/list"))).body


async def test_a_reload_drops_no_request_in_flight_and_no_connection(site: Site, tmp_path: Path) -> None:
    go = held(site.origin)
    wire = await site.connect()
    await wire.send(get("/slow"))
    await site.origin.received()
    other = Origin()
    await other.start()
    try:
        assert await site.reload(gateway=other.url)
        assert (await site.ask(get("/new"))).status == 200
        assert [request.target for request in other.requests] == [b"/new"]
        go.set()
        assert (await wire.message()).status == 200
        await wire.send(get("/again"))
        assert (await wire.message()).status == 200
        assert [request.target for request in other.requests] == [b"/new", b"/again"]
        await wire.close()
    finally:
        await other.stop()


async def test_a_reload_that_keeps_the_gateway_keeps_its_connections(site: Site) -> None:
    await site.ask(get("/one"))
    assert await site.reload(language="pt-BR")
    await site.ask(get("/two"))
    assert site.origin.connections == 1


@pytest.mark.parametrize(
    "broken", ["gateway: [", "gatway: http://127.0.0.1:1", "gateway: http://127.0.0.1:1\ntls: {certificate: /none}"]
)
async def test_a_broken_configuration_is_refused_and_the_old_one_stays(
    broken: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = site.server.settings
    site.file.write_text(broken)
    assert not await site.server.reload()
    assert site.server.settings is before
    assert (await site.ask(get())).status == 200
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("the configuration was not changed: ")
    assert "\n" not in record.getMessage()


async def test_a_reload_that_fails_by_a_defect_changes_nothing_and_ends(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    monkeypatch.setattr("statusproxy.systemd.notify", lambda *lines: told.extend(lines))
    monkeypatch.setattr(site.server, "_read_settings", lambda: 1 // 0)
    before = site.server.settings
    assert not await site.server.reload()
    assert (site.server.settings, told[-2]) == (before, "READY=1")
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "the configuration was not changed: integer division or modulo by zero"
    assert record.exc_info is not None


async def test_a_defect_without_words_of_its_own_is_named_by_its_kind(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> Any:
        raise MemoryError

    monkeypatch.setattr(site.server, "_read_settings", fail)
    assert not await site.server.reload()
    assert "the configuration was not changed: MemoryError()" in caplog.messages
    assert "the new configuration was rejected: MemoryError()" in site.server._status()


async def test_requests_are_served_while_a_reload_reads_the_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with held_reading(site, monkeypatch) as (reading, go_on):
        reloading = asyncio.create_task(site.reload(language="pt-BR"))
        await asyncio.to_thread(reading.wait, PATIENCE)
        assert (await site.ask(get())).status == 200
        before = site.server.settings
        go_on.set()
        assert await reloading
    assert (before.language, site.server.settings.language) == ("en", "pt-BR")


async def test_a_stop_while_a_reload_reads_the_file_ends_the_reload(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_reading(site, monkeypatch) as (reading, go_on):
        reloading = asyncio.create_task(site.reload(language="pt-BR"))
        await asyncio.to_thread(reading.wait, PATIENCE)
        site.server.ask_to_stop()
        go_on.set()
        assert not await reloading
    assert site.server.settings.language == "en"


async def test_a_file_that_is_gone_is_a_broken_configuration(site: Site) -> None:
    site.file.unlink()
    assert not await site.server.reload()
    assert (await site.ask(get())).status == 200


async def test_a_change_that_needs_a_restart_is_said_to(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert await site.reload(listen=f"127.0.0.1:{free_port()}", state={"url": "sqlite:///other.db"})
    told = [record.getMessage() for record in caplog.records]
    assert "a change of listen takes effect after a restart" in told
    assert "a change of state takes effect after a restart" in told


@pytest.mark.parametrize(
    ("key", "change"),
    [("timeouts.keep_alive", {"timeouts": {"keep_alive": "9s"}}), ("log.format", {"log": {"format": "json"}}),
     ("sessions.history_days", {"sessions": {"history_days": 7}}), ("admin.listen", {"admin": {"listen": "[::1]:1"}}),
     ("tls", {"tls": {"certificate": "{}/certificate.pem", "key": "{}/key.pem"}})],
)  # fmt: skip
async def test_each_setting_is_applied_or_said_to_wait(
    key: str, change: dict[str, Any], site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if key == "tls":
        make_certificate(tmp_path)
        change = {"tls": {name: path.format(tmp_path) for name, path in change["tls"].items()}}
    assert await site.reload(**change)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"a change of {key} takes effect after a restart"
    ]


async def test_what_was_reloaded_once_is_warned_of_each_time_until_the_restart(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    assert await site.reload(state={"url": "sqlite:///other.db"})
    caplog.clear()
    assert await site.reload(language="pt-BR")
    assert any("a change of state" in record.getMessage() for record in caplog.records)


async def test_the_log_level_and_the_access_log_follow_a_reload(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")
    await site.ask(get("/quiet"))
    await until(lambda: site.server.proxy.in_flight == 0)  # the line comes behind the answer
    assert await site.reload(log={"access": True})
    await site.ask(get("/api/media/sales/secret-id?token=abc"))
    await until(lambda: site.server.proxy.in_flight == 0)
    told = [record.getMessage() for record in caplog.records if record.name == "statusproxy.access"]
    assert told == ["GET /api/… 200"]
    caplog.set_level(logging.NOTSET, "statusproxy")  # restored by caplog in the end
    assert await site.reload(log={"level": "warning"})
    assert logging.getLogger("statusproxy").level == logging.WARNING


async def test_a_server_that_cannot_read_its_configuration_again_keeps_what_it_has(
    tmp_path: Path, origin: Origin
) -> None:
    site = Site(tmp_path, origin)
    site.server = Server(site.read())
    await site.server.start()
    assert not await site.server.reload()
    await site.server.stop()


# The end


async def test_what_is_under_way_is_finished_and_nothing_new_is_taken(tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin, listen=f"127.0.0.1:{free_port()}") as site:
        idle = await site.connect()
        await idle.send(get("/quick"))
        assert (await idle.message()).status == 200
        await origin.stop()
        go = held(origin)
        await origin.start()
        wire = await site.connect()
        await wire.send(get("/slow"))
        await origin.received(2)
        stopping = asyncio.create_task(site.server.stop())
        assert await idle.ended()  # so it is no longer listening
        with pytest.raises(OSError, match="Connect call failed"):
            await site.connect()
        assert not stopping.done()
        go.set()
        reply = await wire.message()
        assert reply.status == 200
        assert reply.get("Connection") == b"close"
        await asyncio.wait_for(stopping, PATIENCE)
        await idle.close()
        await wire.close()


async def test_a_stop_gives_notice_before_the_port_is_closed(tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin, admin={"listen": "127.0.0.1:0"}, timeouts={"drain_notice": "1h"}) as site:
        (admin,) = site.server.admin.addresses
        before = await site.connect()
        await before.send(get("/before"))
        assert (await before.message()).get("Connection") is None
        stopping = asyncio.create_task(site.server.stop())
        await until(lambda: site.server.proxy.draining)
        with pytest.raises(client.AdminError) as refused:
            await asyncio.to_thread(client.ask, admin, "GET", "/readyz", None)
        assert refused.value.status == 503
        for wire in (before, await site.connect()):
            await wire.send(get("/during"))
            reply = await wire.message()
            assert (reply.status, reply.get("Connection")) == (200, b"close")
            assert await wire.ended()
            await wire.close()
        assert site.server.serving
        site.server.ask_to_stop()
        site.server.ask_to_stop()
        await asyncio.wait_for(stopping, PATIENCE)
        assert not site.server.serving


async def test_the_notice_has_an_end(tmp_path: Path, origin: Origin) -> None:
    async with serving(tmp_path, origin, timeouts={"drain_notice": "50ms"}) as site:  # only waited for
        await asyncio.wait_for(site.server.stop(), PATIENCE)
        assert not site.server.serving


async def test_the_drain_has_an_end(tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, origin, timeouts={"drain": "50ms"}) as site:  # only waited for
        held(origin)
        wire = await site.connect()
        await wire.send(get("/slow"))
        await origin.received()
        await asyncio.wait_for(site.server.stop(), PATIENCE)
        assert await wire.ended()
        await wire.close()
    assert "1 request was cut off" in caplog.messages


class Program:
    """The real program under signals."""

    def __init__(self, process: asyncio.subprocess.Process, site: Site) -> None:
        self.process = process
        self.site = site
        self.said = b""

    async def until(self, words: bytes) -> None:
        """Read its log up to a line with these words."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while words not in self.said:
                line = await self.process.stderr.readline()
                assert line, self.said.decode()
                self.said += line

    async def ended(self) -> int:
        """Its exit code."""
        async with asyncio.timeout(PATIENCE):
            assert self.process.stderr is not None
            self.said += await self.process.stderr.read()
            return await self.process.wait()


@asynccontextmanager
async def program(folder: Path, origin: Origin, **keys: Any) -> AsyncIterator[Program]:
    import sys

    port = free_port()
    site = Site(folder, origin, listen=f"127.0.0.1:{port}", **keys)
    site.outside.append(f"127.0.0.1:{port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusproxy", "run", "--config", str(site.file), "--log-format", "text",
        stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    running = Program(process, site)
    try:
        await running.until(b"listening on")
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await running.ended()


@pytest.mark.slow
async def test_as_many_files_may_be_open_as_the_system_allows(tmp_path: Path, origin: Origin) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))  # as a shell hands it on
    try:
        async with program(tmp_path, origin) as running:
            now = resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert now == (min(65_536, hard) if hard != resource.RLIM_INFINITY else 65_536, hard)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_program_in_order(number: signal.Signals, tmp_path: Path, origin: Origin) -> None:
    go = held(origin)
    async with program(tmp_path, origin) as running:
        wire = await running.site.connect()
        await wire.send(get("/slow"))
        await origin.received()
        running.process.send_signal(number)
        await running.until(b"stopping: 1 request under way")
        go.set()
        assert (await wire.message()).status == 200
        await wire.close()
        assert await running.ended() == 0
    assert b"stopped" in running.said
    assert b"Traceback" not in running.said


@pytest.mark.slow
async def test_a_second_signal_does_not_wait(tmp_path: Path, origin: Origin) -> None:
    held(origin)
    async with program(tmp_path, origin, timeouts={"drain": "1h"}) as running:
        wire = await running.site.connect()
        await wire.send(get("/slow"))
        await origin.received()
        running.process.send_signal(signal.SIGTERM)
        await running.until(b"stopping: 1 request under way")
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
        assert await wire.ended()
        await wire.close()
    assert b"1 request was cut off" in running.said


@pytest.mark.slow
async def test_a_hangup_reloads(tmp_path: Path, origin: Origin) -> None:
    async with program(tmp_path, origin) as running:
        running.site.write(language="pt-BR", webhooks=[{"path": "/tap", "forward": False}])
        running.process.send_signal(signal.SIGHUP)
        await running.until(b"configuration reloaded")
        assert (await running.site.ask(get("/tap", method="POST", body=b"{}"))).status == 204
        running.site.file.write_text("gateway: [")
        running.process.send_signal(signal.SIGHUP)
        await running.until(b"the configuration was not changed")
        assert (await running.site.ask(get("/tap", method="POST", body=b"{}"))).status == 204


@pytest.mark.slow
async def test_a_hangup_during_the_start_is_held_and_reloads_then(tmp_path: Path, origin: Origin) -> None:
    import sys

    # Who opens a pipe waits for the other side: so the program waits for us, and we for it.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = f"listen: 127.0.0.1:{free_port()}\ngateway: {origin.url}\nadmin: null\nstate: {{url: 'memory:'}}\n"

    async def give() -> None:
        """Wait until the program reads its configuration, and let it."""
        descriptor = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
        if b"listening on" not in running.said:
            process.send_signal(signal.SIGHUP)
        os.write(descriptor, text.encode())
        os.close(descriptor)

    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "statusproxy", "run", "--config", str(pipe), "--log-format", "text",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    running = Program(process, Site(tmp_path, origin))
    try:
        async with asyncio.timeout(PATIENCE):
            await give()
        await running.until(b"listening on")
        async with asyncio.timeout(PATIENCE):
            await give()
        await running.until(b"configuration reloaded")
        process.terminate()
        assert await running.ended() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.slow
async def test_a_hangup_while_it_stops_changes_nothing(tmp_path: Path, origin: Origin) -> None:
    go = held(origin)
    async with program(tmp_path, origin) as running:
        wire = await running.site.connect()
        await wire.send(get("/slow"))
        await origin.received()
        running.process.send_signal(signal.SIGTERM)
        await running.until(b"stopping: 1 request under way")
        running.process.send_signal(signal.SIGHUP)
        go.set()
        assert (await wire.message()).status == 200
        await wire.close()
        assert await running.ended() == 0
    assert b"configuration reloaded" not in running.said


#: Runs the program with one listening socket as systemd hands it in, under the name that the first argument says.
AS_SYSTEMD = """
import os, sys
name, descriptor, *command = sys.argv[1:]
os.dup2(int(descriptor), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=name)
os.execv(sys.executable, [sys.executable, "-m", "statusproxy", *command])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "token", "starts"),
    [("0.0.0.0", None, False), ("0.0.0.0", "right-token-0123", True), ("127.0.0.1", None, True)],
)
async def test_an_admin_socket_of_systemds_that_others_reach_needs_a_token(
    host: str, token: str | None, starts: bool, tmp_path: Path, origin: Origin
) -> None:
    import sys

    site = Site(tmp_path, origin, admin={"listen": "127.0.0.1:8091", **({"token": token} if token else {})})
    with socket.create_server((host, 0)) as handed:
        port = handed.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", AS_SYSTEMD, "admin", str(handed.fileno()), "run", "--config", str(site.file),
            "--log-format", "text", pass_fds=[handed.fileno()], stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        running = Program(process, site)
        if not starts:
            assert await running.ended() == 1
            last = running.said.decode().splitlines()[-1]
            assert last.startswith(f"statusproxy cannot start: systemd hands in http://0.0.0.0:{port}")
            assert "set admin.token" in last
            return
        await running.until(f"admin on http://{host}:{port}".encode())
        if token:
            # Nor does a reload take it away.
            site.write(admin={"listen": "127.0.0.1:8091"})
            process.send_signal(signal.SIGHUP)
            await running.until(b"a change of admin.token takes effect after a restart")
            with pytest.raises(client.AdminError, match="token is missing"):
                await asyncio.to_thread(client.ask, f"127.0.0.1:{port}", "GET", "/sessions")
        process.terminate()
        assert await running.ended() == 0


# In one process


async def test_a_run_tells_systemd_of_its_start_each_reload_and_its_end(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()

    def notify(*states: str) -> bool:
        told.put_nowait(states)
        return True

    monkeypatch.setattr("statusproxy.systemd.notify", notify)
    monkeypatch.setattr("statusproxy.systemd.watchdog_interval", lambda: 3600.0)
    site = Site(tmp_path, origin, admin={"listen": "127.0.0.1:0"})
    running = asyncio.create_task(site.server.run())
    try:
        async with asyncio.timeout(PATIENCE):
            seen = [await told.get(), await told.get()]
            serving = f"STATUS=Serving {origin.url} on {site.server.addresses[0]}"
            assert sorted(seen) == [("READY=1", serving), ("WATCHDOG=1",)]
            os.kill(os.getpid(), signal.SIGHUP)
            assert (await told.get())[0] == "RELOADING=1"
            assert await told.get() == ("READY=1", serving)
            os.kill(os.getpid(), signal.SIGTERM)
            assert (await told.get())[0] == "STOPPING=1"
            await running
        assert not site.server.serving
    finally:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


async def test_the_status_tells_of_a_gateway_that_cannot_be_reached_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, ...]] = []

    def notify(*states: str) -> bool:
        told.append(states)
        return True

    gone = Origin()
    await gone.start()
    await gone.stop()
    monkeypatch.setattr("statusproxy.systemd.notify", notify)
    monkeypatch.setattr("statusproxy.proxy.upstream.watch.PAUSE", 0.01)
    async with serving(tmp_path, gone) as site:
        watch = site.server.gateway_watch
        watch.start()
        await until(lambda: watch.error is not None)
        assert "the gateway cannot be reached: " in told[-1][-1]
        count = len(told)
        site.server.ask_to_stop()
        await gone.start()
        await until(lambda: watch.error is None)
        assert len(told) == count, "the end is what is told from now on"
    await gone.stop()


async def test_a_token_in_the_gateways_base_path_is_in_no_log_and_no_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    monkeypatch.setattr("statusproxy.systemd.notify", lambda *states: told.extend(states))
    caplog.set_level(logging.DEBUG)
    gone = f"http://127.0.0.1:{free_port()}/token/S3cretT0ken"
    async with serving(tmp_path, Origin(), gateway=gone) as site:
        site.server.gateway_watch.start()
        await until(lambda: site.server.gateway_watch.error is not None)
    said = [*told, *(f"{record.getMessage()} {record.__dict__.get('gateway')}" for record in caplog.records)]
    assert any("/token/********" in line for line in told)
    assert any("forwarding to" in line and "/token/********" in line for line in said)
    assert [line for line in said if "S3cret" in line] == []


def keeping(folder: Path, spool: bool = True) -> dict[str, Any]:
    """Settings with which events on `/in` are kept."""
    return {"state": {"url": f"sqlite:///{folder}/state.db"}, "webhooks": [{"path": "/in", "spool": spool}]}


def event(number: int) -> bytes:
    body = json.dumps({"event": "message", "channel": "sales", "number": number}).encode()
    return b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def numbers(origin: Origin) -> list[int]:
    return [json.loads(seen.body)["number"] for seen in origin.requests]


async def test_events_that_the_gateway_did_not_take_are_delivered_in_order_by_the_next_process(
    tmp_path: Path, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    await origin.stop()
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        for number in range(3):
            assert (await site.ask(event(number))).status == 202
        assert "events are kept: 3 wait, 0 unknown, 0 dead" in site.server._status()
    await origin.start()
    caplog.set_level(logging.INFO, "statusproxy")
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        await until(lambda: len(origin.requests) == 3)
        spool = site.server.rooms.spool
        assert spool is not None
        await until(lambda: not spool.control.totals.entries)
        assert "events are kept" not in site.server._status()
        assert b"\nstatusproxy_spool_delivered_total 3.0\n" in site.server.exposition.expose()
    assert numbers(origin) == [0, 1, 2]
    assert "spool: 3 events wait, 0 unknown, 0 dead" in caplog.messages


async def test_the_spool_is_told_when_the_gateway_can_be_reached_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Origin()
    await gone.start()
    await gone.stop()
    monkeypatch.setattr("statusproxy.proxy.upstream.watch.PAUSE", 0.01)
    async with serving(tmp_path, gone, **keeping(tmp_path)) as site:
        told: list[str] = []
        monkeypatch.setattr(site.server.rooms.spool, "reached", told.append)
        watch = site.server.gateway_watch
        watch.start()
        await until(lambda: watch.error is not None)
        assert told == []
        await gone.start()
        await until(lambda: watch.error is None)
        assert told == ["gateway"]
    await gone.stop()


async def test_a_gateway_that_only_a_stored_event_finds_away_is_tried_until_it_can_be_reached(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another proxy has stored the events, no request of a client shows that it is away."""
    monkeypatch.setattr("statusproxy.proxy.upstream.watch.PAUSE", 0.01)
    origin.answer = answer(status="503 Service Unavailable")
    async with serving(tmp_path, origin, **keeping(tmp_path), spool={"schedule": ["100ms"]}) as site:
        watch = site.server.gateway_watch
        watch.start()
        await until(lambda: watch.looked)
        assert watch.error is None
        assert (await site.ask(event(0))).status == 202
        await origin.stop()
        await until(lambda: watch.error is not None)
        origin.answer = OK
        await origin.start()
        await until(lambda: watch.error is None)


async def test_a_delivery_under_way_is_finished_when_the_service_stops(tmp_path: Path, origin: Origin) -> None:
    await origin.stop()
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        for number in range(2):
            assert (await site.ask(event(number))).status == 202
    await origin.start()
    release = held(origin)
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        await until(lambda: len(origin.requests) == 1)
        site.server.ask_to_stop()
        stopping = asyncio.create_task(site.server.stop())
        await until(lambda: not site.server.serving)
        release.set()
        await stopping
    assert numbers(origin) == [0], "nothing new has begun"
    async with serving(tmp_path, origin, **keeping(tmp_path)):
        await until(lambda: len(origin.requests) == 2)
    assert numbers(origin) == [0, 1]


async def test_a_delivery_that_does_not_end_is_given_up_and_repeated_by_the_next_process(
    tmp_path: Path, origin: Origin
) -> None:
    await origin.stop()
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        assert (await site.ask(event(0))).status == 202
    await origin.start()
    release = held(origin)
    async with serving(tmp_path, origin, **keeping(tmp_path)) as site:
        await until(lambda: len(origin.requests) == 1)
    release.set()
    async with serving(tmp_path, origin, **keeping(tmp_path)):
        await until(lambda: len(origin.requests) == 2)
    assert numbers(origin) == [0, 0]


async def test_a_reload_switches_the_spool_on_and_off(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.spool.circuit.PROBES", (0.01,))
    await origin.stop()
    off = keeping(tmp_path, spool=False)
    async with serving(tmp_path, origin, **off) as site:
        assert (await site.ask(event(0))).status == 502
        assert await site.reload(**keeping(tmp_path))
        assert (await site.ask(event(1))).status == 202
        assert await site.reload(**off)
        assert (await site.ask(event(2))).status == 502
        await origin.start()
        await until(lambda: len(origin.requests) == 1)
    assert numbers(origin) == [1], "what was kept is delivered all the same"


async def test_a_certificate_that_went_bad_keeps_the_service_from_starting(tmp_path: Path, origin: Origin) -> None:
    certificate, key = make_certificate(tmp_path)
    site = Site(tmp_path, origin, tls={"certificate": str(certificate), "key": str(key)})
    certificate.unlink()
    with pytest.raises(StartError, match="a certificate cannot be used: "):
        await site.server.start()
    assert site.server.addresses == ()


async def test_a_socket_handed_in_that_is_none_keeps_the_service_from_starting(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(errno.ENOTSOCK, "Socket operation on non-socket")

    monkeypatch.setattr("statusproxy.server.systemd.inherited_sockets", refuse)
    site = Site(tmp_path, origin, state={"url": f"sqlite:///{tmp_path}/state.db"})
    with pytest.raises(StartError, match="Socket operation on non-socket"):
        await site.server.start()
    monkeypatch.undo()
    async with serving(tmp_path, origin, state={"url": f"sqlite:///{tmp_path}/state.db"}):
        pass  # the state was left to others


async def test_a_state_that_another_service_uses_keeps_this_one_from_starting(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "time", HandClock())
    state = {"url": f"sqlite:///{tmp_path}/state.db"}
    async with serving(tmp_path, origin, state=state):
        with pytest.raises(StartError, match="in use"):
            await Site(tmp_path, origin, state=state).server.start()


async def test_a_service_names_its_version_and_runs(
    tmp_path: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[Server] = []

    async def run(server: Server) -> None:
        ran.append(server)

    monkeypatch.setattr(Server, "run", run)
    caplog.set_level(logging.INFO, "statusproxy")
    site = Site(tmp_path, origin)
    await serve(site.read(), site.read, given=["listen"])
    assert [server.settings for server in ran] == [site.read()]
    assert f"statusproxy {__version__}" in caplog.messages


async def test_a_renewed_certificate_is_shown_after_a_reload(tmp_path: Path, origin: Origin) -> None:
    certificate, key = make_certificate(tmp_path)
    async with serving(tmp_path, origin, tls={"certificate": str(certificate), "key": str(key)}) as site:
        host, _, port = site.server.addresses[0].rpartition(":")
        make_certificate(tmp_path)
        assert await site.reload()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"GET /x HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        writer.close()
    assert ssl.DER_cert_to_PEM_cert(shown).strip() == certificate.read_text().strip()
