"""The doctor on a state in Redis: package, server, its settings, and the journal; nothing is changed there."""

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import State
from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks.state_server import look, state_server
from statusproxy.doctor.subject import Subject
from tests.ports import free_port
from tests.store.redis_server import RedisServer, running


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code.removeprefix("disk."): finding.level.value for finding in findings}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"STATE_DIRECTORY": str(tmp_path)}


def at(server: RedisServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.mark.parametrize("url", ["memory:", "sqlite:///state.db"])
async def test_a_state_that_is_on_no_server_is_not_its_business(url: str, environ: dict[str, str]) -> None:
    assert await state_server(State(url=url), environ, works=False) == []


async def test_a_server_that_is_well_set_is_reached_and_left_as_it_is(
    server: RedisServer, environ: dict[str, str]
) -> None:
    found = await state_server(State(url=at(server)), environ, works=False)
    assert levels(found) == {"redis-reachable": "ok", "journal-writable": "ok"}
    with server.client() as client:
        assert client.keys("*") == []


async def test_a_running_proxy_that_holds_the_keys_is_not_disturbed(
    server: RedisServer, environ: dict[str, str]
) -> None:
    with server.client() as client:
        client.set("statusproxy:owner", b"another")
        found = await state_server(State(url=at(server)), environ, works=True)
        assert client.get("statusproxy:owner") == b"another"
        client.delete("statusproxy:owner")
    assert levels(found) == {"redis-works": "ok"}


async def test_settings_of_the_server_that_risk_the_state_are_a_warning(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with running(tmp_path / "redis", "--maxmemory-policy", "allkeys-lru") as server:
        found = await state_server(State(url=at(server)), environ, works=False)
    assert levels(found) == {"redis-reachable": "ok", "redis-risk": "warning", "journal-writable": "ok"}


async def test_a_server_that_is_away_is_a_problem_and_no_password_shows(environ: dict[str, str]) -> None:
    state = State(url=f"redis://:hush-hush@127.0.0.1:{free_port()}/0")
    for works, level in ((False, "problem"), (True, "warning")):
        first = (await state_server(state, environ, works=works))[0]
        assert first.level.value == level
        assert "hush" not in str(first.facts)
        assert "no connection" in str(first.facts["why"])


async def test_a_password_that_is_refused_is_a_problem(tmp_path: Path, environ: dict[str, str]) -> None:
    with running(tmp_path / "redis", "--requirepass", "right") as server:
        state = State(url=f"redis://:hush-hush@127.0.0.1:{server.port}/0")
        first = (await state_server(state, environ, works=False))[0]
    assert (first.code, first.level.value) == ("disk.redis-unreachable", "problem")
    assert "login refused" in str(first.facts["why"])
    assert "hush" not in str(first.facts)


async def test_a_server_that_says_nothing_does_not_hold_the_doctor_up(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.doctor.looks.state_server._PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        state = State(url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert levels((await state_server(state, environ, works=False))[:1]) == {"redis-unreachable": "problem"}


async def test_a_missing_package_is_a_problem_with_the_command_that_installs_it(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (finding,) = await state_server(State(url="redis://redis.example/0"), environ, works=False)
    assert (finding.code, finding.level.value) == ("disk.redis-package", "problem")
    assert "-m pip install 'hiredis" in str(finding.facts["why"])


async def test_a_journal_that_cannot_be_written_is_a_warning(
    server: RedisServer, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for journal, code in (
        (None, "journal-off"),
        ("file/in-it", "journal-not-writable"),
        ("new/er", "journal-writable"),
    ):
        found = await state_server(State(url=at(server), journal=journal), environ, works=False)
        assert code in levels(found)
    assert os.listdir(tmp_path) == ["file"]


async def test_a_subject_whose_state_is_in_a_file_has_no_server() -> None:
    assert await look(Subject(loads("gateway: http://127.0.0.1:3000"))) == []
