"""The whole program with its state in a real Redis: what was answered while the server was away survives everything."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from statusproxy.demo.events import status_find
from tests.admin.process import Process, running_process
from tests.store.redis_server import RedisServer, running
from tests.waiting import until

pytestmark = pytest.mark.divisible


LIST = {"success": True, "channels": [{"id": name, "status": "connected"} for name in ("sales", "support")]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with running(tmp_path / "redis") as server:
        yield server


def ask(url: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:  # /readyz says 503 and why
        return json.loads(error.read())


def shown(process: Process) -> dict[str, str]:
    return {channel["id"]: channel["status"] for channel in ask(f"{process.url}/api/channels")["channels"]}


def lose(process: Process, session: str) -> None:
    event = json.dumps(status_find(session, "browserClose")).encode()
    assert ask(f"{process.url}/v1/webhooks/receive", event) == {"success": True, "received": True}


def kill(process: Process) -> None:
    assert process.popen is not None
    process.popen.kill()
    process.popen.wait()


async def test_a_loss_heard_while_redis_is_away_is_shown_after_kill_9_of_both(
    tmp_path: Path, server: RedisServer
) -> None:
    state = {"url": f"redis://127.0.0.1:{server.port}/0", "journal": str(tmp_path / "state")}
    with running_process(tmp_path, LIST, state=state) as process:
        assert ask(f"{process.admin_url}/readyz")["journal"] == "ok"
        lose(process, "sales")
        server.stop()
        lose(process, "support")
        kill(process)
        process.start()  # Redis is still away: only the journal knows
        assert shown(process)["support"] == "disconnected"
        health = ask(f"{process.admin_url}/readyz")
        assert f"changes are kept in {tmp_path / 'state'}" in health["store"]
        assert health["journal"] == "ok"
        kill(process)
        server.start()
        process.start()
        assert shown(process) == {"sales": "disconnected", "support": "disconnected"}
        await until(lambda: not list((tmp_path / "state").glob("*.journal")))
        kill(process)
        process.start()  # Redis alone knows
        assert shown(process) == {"sales": "disconnected", "support": "disconnected"}


async def test_a_return_heard_while_redis_is_away_is_not_undone_by_what_redis_still_holds(
    tmp_path: Path, server: RedisServer
) -> None:
    state = {"url": f"redis://127.0.0.1:{server.port}/0", "journal": str(tmp_path / "state")}
    with running_process(tmp_path, LIST, state=state) as process:
        lose(process, "sales")
        server.stop()
        event = json.dumps(status_find("sales", "inChat")).encode()
        ask(f"{process.url}/v1/webhooks/receive", event)
        kill(process)
        server.start()
        process.start()
        assert shown(process)["sales"] == "connected"


def test_without_a_place_for_the_journal_health_and_doctor_say_so_and_it_is_ready(
    tmp_path: Path, server: RedisServer
) -> None:
    (tmp_path / "file").touch()
    state = {"url": f"redis://127.0.0.1:{server.port}/0", "journal": str(tmp_path / "file")}
    with running_process(tmp_path, LIST, state=state) as process:
        health = ask(f"{process.admin_url}/readyz")
        assert health["journal"].startswith("cannot be opened: ")
        assert (health["status"], health["store"]) == ("ok", "ok")
        findings = json.loads(process.command("doctor", "--json").stdout)["findings"]
        assert "proxy.no-journal" in {finding["code"] for finding in findings}


#: What a proxy asks of the server every few seconds, and to follow the others' changes.
UPKEEP = {"TIME", "GET", "HLEN", "SET", "HSET", "HGETALL", "HDEL", "XREAD"}


def test_no_request_waits_for_redis_but_an_event_that_must_be_durable(tmp_path: Path, server: RedisServer) -> None:
    state = {"url": f"redis://127.0.0.1:{server.port}/0"}
    with running_process(tmp_path, LIST, state=state) as process, server.client() as client:
        lose(process, "sales")
        with client.monitor() as monitor:  # type: ignore[no-untyped-call]

            def seen(do: Callable[[], object]) -> set[str]:
                do()
                client.echo("done")
                commands: set[str] = set()
                for entry in monitor.listen():
                    command = str(entry["command"]).split()[0].upper()
                    if command == "ECHO":
                        return commands - UPKEEP
                    if entry["client_type"] != "lua":
                        commands.add(command)
                raise AssertionError("the server ended")

            def requests() -> None:
                for _ in range(20):
                    assert shown(process)["sales"] == "disconnected"
                    ask(f"{process.url}/anything/else")

            seen(lambda: None)  # the operator's own connection has been greeted
            assert seen(requests) == set()
            assert seen(lambda: lose(process, "support")) == {"EVALSHA"}
