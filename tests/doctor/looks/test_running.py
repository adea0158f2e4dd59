"""The running proxy: asked where its admin listener is, and what an answer that fails means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from statusproxy import __version__
from statusproxy.admin import client
from statusproxy.admin.client import AdminError
from statusproxy.config.load import dump, loads
from statusproxy.config.settings import Settings
from statusproxy.doctor.looks import running
from statusproxy.doctor.looks.running import look
from statusproxy.doctor.subject import Subject
from statusproxy.observe.webhook_stats import WebhookStats
from tests.doctor.looks.levels import levels
from tests.ports import free_port


def subject(listen: str) -> Subject:
    return Subject(loads(f"gateway: http://127.0.0.1:3000\nadmin: {{listen: {listen}}}"))


@pytest.fixture(autouse=True)
def _nobody_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever else may listen at the default port of this machine."""

    async def serves(_: object) -> bool:
        return False

    monkeypatch.setattr(running, "is_statusproxy", serves)


async def test_where_the_admin_listener_is_off_nobody_is_asked() -> None:
    asked = subject("null")
    assert levels(await look(asked)) == {"cannot-be-asked": "note"}
    assert (asked.report, asked.nothing_runs, asked.serves_unasked) == (None, False, False)


@pytest.mark.parametrize(
    ("listen", "code"),
    [("null", "cannot-be-asked"), ("127.0.0.1:{free}", "admin-elsewhere")],
)
async def test_a_statusproxy_that_serves_without_being_asked_is_known_to_run(
    listen: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serves(_: object) -> bool:
        return True

    monkeypatch.setattr(running, "is_statusproxy", serves)
    asked = subject(listen.format(free=free_port()))
    assert list(levels(await look(asked))) == [code]
    assert asked.serves_unasked


@pytest.mark.parametrize("kind", ["port", "socket"])
async def test_a_listener_where_nothing_answers_means_that_nothing_runs(kind: str, tmp_path: Path) -> None:
    asked = subject(f"127.0.0.1:{free_port()}" if kind == "port" else f"'unix:{tmp_path}/admin.sock'")
    assert levels(await look(asked)) == {"not-running": "warning"}
    assert (asked.report, asked.nothing_runs) == (None, True)


async def test_a_listener_that_was_named_by_hand_tells_nothing_about_the_port_of_the_settings() -> None:
    asked = subject("127.0.0.1:8091")
    asked.admin = f"127.0.0.1:{free_port()}"
    assert levels(await look(asked)) == {"not-running": "warning"}
    assert not asked.nothing_runs


@pytest.mark.parametrize(("status", "code"), [(401, "token-refused"), (404, "does-not-tell")])
async def test_another_answer_is_told_for_what_it_is(status: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> object:
        raise AdminError("no", status)

    monkeypatch.setattr(client, "ask", ask)
    asked = subject("127.0.0.1:8091")
    assert levels(await look(asked)) == {code: "warning"}
    assert not asked.nothing_runs


NOW = 1_000_000.0
SESSIONS: dict[str, Any] = {"sessions": []}


def report(settings: Settings, **said: Any) -> dict[str, Any]:
    """What a proxy that runs with these settings tells of itself."""
    told = {
        "version": __version__, "pid": 7, "now": NOW, "started": NOW - 60, "settings": dump(settings),
        "health": {"status": "ok", "store": "ok", "gateway": "ok"},
        "webhooks": msgspec.to_builtins(WebhookStats().report()),
    }  # fmt: skip
    return told | said


def lacks(missing: str, webhooks: int, age: float = 0.0) -> dict[str, Any]:
    """What is told of a peer that leaves something out."""
    return {"missing": missing, "peer": "10.0.0.1", "count": 9, "webhooks": webhooks, "last": NOW - age}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, {}),
        ({"version": "0"}, {"other-version": "warning"}),
        ({"health": {"status": "error", "store": "full", "gateway": "ok"}}, {"store-error": "problem"}),
        ({"health": {"status": "error", "store": "ok", "gateway": "gone"}}, {"gateway-error": "problem"}),
        (
            {"health": {"status": "degraded", "store": "ok", "gateway": "ok", "damage": ["a page"]}},
            {"state-damaged": "warning"},
        ),
        ({"health": {"status": "ok", "store": "ok", "gateway": "ok", "journal": "ok"}}, {}),
        ({"health": {"status": "ok", "store": "ok", "gateway": "ok", "journal": "off"}}, {}),
        ({"health": {"status": "ok", "store": "ok", "gateway": "ok", "journal": "no"}}, {"no-journal": "warning"}),
        ({"health": {"status": "ok", "store": "ok", "gateway": "ok", "proxies": ["a"]}}, {}),
        ({"health": {"status": "ok", "store": "ok", "gateway": "ok", "proxies": ["a", "b"]}}, {"shares-state": "ok"}),
        ({"absences": [lacks("upgrade", 0)]}, {"no-upgrade": "warning"}),
        ({"absences": [lacks("client", 1)]}, {"unnamed-events": "problem"}),
        ({"absences": [lacks("client", 0)]}, {"unnamed-clients": "warning"}),
        ({"absences": [lacks("client", 0, 3599), lacks("upgrade", 0, 3600)]}, {"unnamed-clients": "warning"}),
    ],
)
async def test_what_a_running_proxy_tells_of_itself_is_judged(
    said: dict[str, Any], found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = subject("127.0.0.1:8091")

    def ask(_: str, __: str, path: str, *___: object) -> dict[str, Any]:
        return {"/doctor": report(asked.settings, **said), "/sessions": SESSIONS}[path]

    monkeypatch.setattr(client, "ask", ask)
    assert levels(await look(asked)) == ({} if "version" in said else {"running": "ok"}) | found
    assert asked.report is not None
    assert asked.sessions is not None
    assert (asked.nothing_runs, asked.serves_unasked) == (False, False)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, {"restart-pending": "state.url", "reload-pending": "language"}),
        ({"waiting": ["language"]}, {"restart-pending": "language, state.url"}),
        ({"given": ["state.url", "language"]}, {}),
    ],
)
async def test_keys_that_differ_from_the_file_wait_for_what_puts_them_in_force(
    said: dict[str, Any], found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = loads("gateway: http://127.0.0.1:3000\nlanguage: en\nstate: {url: 'memory:'}")
    asked = Subject(loads("gateway: http://127.0.0.1:3000\nlanguage: pt-BR\nstate: {url: 'sqlite:///a'}"))

    def ask(_: str, __: str, path: str, *___: object) -> dict[str, Any]:
        return {"/doctor": report(runs, **said), "/sessions": SESSIONS}[path]

    monkeypatch.setattr(client, "ask", ask)
    keys = {finding.code.partition(".")[2]: finding.facts.get("keys") for finding in await look(asked)}
    assert keys.pop("running") is None
    assert keys == found
