"""Answers about one session: asked for by an id that is known, and judged by their members."""

from __future__ import annotations

import json
from typing import Any

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Channels
from statusproxy.doctor.asking import Answer
from statusproxy.doctor.findings import Finding, ok, problem
from statusproxy.doctor.looks.singles import judge, singles
from statusproxy.doctor.report import words

PRESET_ROUTES = {
    name: loads(f"gateway: http://127.0.0.1:3000\npreset: {name}").channels for name in ("waha", "wwebjs-api")
}
WAHA = PRESET_ROUTES["waha"]
WWEBJS = PRESET_ROUTES["wwebjs-api"]


def said(body: object, status: int = 200) -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, [(b"Content-Type", b"text/html; charset=utf-8")], text, 0.01, 0.0)


async def asked(
    routes: tuple[Channels, ...], reply: Answer | Finding, *ids: str
) -> tuple[list[str], list[tuple[str, str, Any]]]:
    """The paths that were asked for, and what was found: code, level, facts."""
    paths: list[str] = []

    async def ask(path: str) -> Answer | Finding:
        paths.append(path)
        return reply

    found = await singles(routes, ask, ids)
    return paths, [(one.code.partition(".")[2], one.level.value, dict(one.facts)) for one in found]


ROUTE = "/api/sessions/{session}"


async def test_the_first_session_that_a_path_can_hold_is_asked_about() -> None:
    paths, found = await asked(WAHA, said({"name": "a/b c", "status": "WORKING"}), ".", "..", "a/b c", "d")
    assert paths == ["/api/sessions/a%2Fb%20c"]
    assert found == [("single-fits", "ok", {"path": ROUTE, "session": "a/b c", "members": "status"})]


async def test_without_a_session_nothing_is_asked() -> None:
    assert await asked(WAHA, said({}), "..") == ([], [("single-no-session", "note", {"path": ROUTE})])


@pytest.mark.parametrize(
    ("reply", "code", "level", "more"),
    [
        (said({}, 404), "not-served", "note", {"status": 404}),
        (said({}, 401), "single-refused", "note", {"status": 401}),
        (said({}, 302), "single-refused", "note", {"status": 302}),
        (said(b"<html>"), "not-json", "warning", {"type": "text/html"}),
        (said(b"[" * 3_000 + b"]" * 3_000), "too-deep", "warning", {}),
        (said([]), "single-no-object", "warning", {"configured": '""', "members": "–"}),
        (said({"phase": "up", "name": "sales"}), "single-no-status", "warning",
         {"configured": "status", "members": "phase, name"}),
        (problem("channels.hangs", path="/api/sessions/sales", seconds="11"), "hangs", "warning", {"seconds": "11"}),
    ],
)  # fmt: skip
async def test_what_comes_instead_is_told_by_the_route_and_never_as_a_problem(
    reply: Answer | Finding, code: str, level: str, more: dict[str, Any]
) -> None:
    assert (await asked(WAHA, reply, "sales"))[1] == [(code, level, {"path": ROUTE, **more})]


async def test_the_members_that_were_not_found_are_named() -> None:
    _, found = await asked(WWEBJS, said({"success": True, "status": "CONNECTED"}), "sales")
    facts = {"path": "/session/status/{session}", "session": "sales", "members": "success", "missing": "state, message"}
    assert found == [("single-fits-in-part", "ok", facts)]
    text = words(ok("channels.single-fits-in-part", **facts), "en")[0]
    assert text == (
        "/session/status/{session}: the answer about sales has its status in success; it has no state, message"
    )


async def test_a_route_with_a_secret_in_its_path_is_asked_without_it_where_there_is_one() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: wppconnect-server\n"
    paths, found = await asked(loads(text).channels, said({"status": "CONNECTED", "message": "Connected"}), "sales")
    assert paths == ["/api/sales/status-session", "/api/sales/check-connection-session"]
    assert [code for code, _, _ in found] == ["single-fits", "single-fits"]
    text += "preset_without: ['/api/{session}/status-session', '/api/{session}/check-connection-session']"
    paths, found = await asked(loads(text).channels, said({}), "sales")
    assert (paths, {code for code, _, _ in found}) == ([], {"single-with-secret"})


def test_an_answer_that_must_name_its_session_says_where_it_does_not() -> None:
    (entry,) = [one for one in loads("gateway: http://127.0.0.1:3000\npreset: wuzapi").channels if one.one]
    found = judge(entry, said({"data": {"connected": True}}), None)
    assert (found.code, found.level, dict(found.facts)) == (
        "channels.single-no-id", "warning", {"path": "/session/status", "members": "connected", "configured": "id"},
    )  # fmt: skip
    found = judge(entry, said({"data": {"id": "7", "connected": True, "loggedIn": True}}), None)
    assert (found.code, found.facts["session"]) == ("channels.single-fits", "7")
    found = judge(entry, said({"success": False, "error": "no"}), None)
    assert (found.code, found.facts["members"]) == ("channels.single-no-object", "success, error")
