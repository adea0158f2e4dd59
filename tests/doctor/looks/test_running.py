"""The running proxy: asked where its admin listener is, and what an answer that fails means."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusproxy.admin import client
from statusproxy.admin.client import AdminError
from statusproxy.config.load import loads
from statusproxy.doctor.looks import running
from statusproxy.doctor.looks.running import look
from statusproxy.doctor.subject import Subject
from tests.doctor.looks.levels import levels
from tests.ports import free_port


def subject(listen: str) -> Subject:
    return Subject(loads(f"gateway: http://127.0.0.1:3000\nadmin: {{listen: {listen}}}"))


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
