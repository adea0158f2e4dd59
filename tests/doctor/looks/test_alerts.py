"""Alerts: whether anyone is told, whether messages arrive, and with `--send`, whether each target takes one."""

from __future__ import annotations

import pytest
from aiohttp import web

from statusproxy import __version__
from statusproxy.admin.alert_messages import AlertsReport, AlertTargetLine, HeartbeatLine
from statusproxy.admin.messages import Health, SelfReport
from statusproxy.config.load import loads
from statusproxy.doctor.looks.alerts import judge, look
from statusproxy.doctor.subject import Subject
from statusproxy.observe.webhook_stats import WebhookStats
from tests.alerts.receiver import receiving
from tests.doctor.looks.levels import levels


def subject(text: str, *, send: bool = False) -> Subject:
    return Subject(loads(f"gateway: http://127.0.0.1:3000\n{text}"), send=send)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"off": "note"}),
        ("alerts: {heartbeat: 'https://kuma.example/k3y'}", {"heartbeat-only": "note"}),
        ("alerts: {to: [{webhook: 'https://hub.example/s3cret'}]}", {"on": "ok"}),
    ],
)
async def test_whether_anyone_is_told_is_said(text: str, found: dict[str, str]) -> None:
    findings = await look(subject(text))
    assert levels(findings) == found
    assert "s3cret" not in str(findings)


def report(**more: object) -> AlertsReport:
    return AlertsReport(now=None, configured=True, sending=True, **more)  # type: ignore[arg-type]


def target(error: str | None) -> AlertTargetLine:
    return AlertTargetLine(number=1, target="webhook hub.example", on=[], sessions=[], waiting=2, last_error=error)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        (report(), {}),
        (report(targets=[target(None)]), {}),
        (report(targets=[target("no answer in time")]), {"failing": "warning"}),
        (report(written=False), {"not-written": "warning"}),
        (report(heartbeat=HeartbeatLine(answered=1, failed=9, withheld=0)), {}),
        (report(heartbeat=HeartbeatLine(answered=0, failed=0, withheld=3)), {}),
        (report(heartbeat=HeartbeatLine(answered=0, failed=2, withheld=3)), {"heartbeat-failing": "warning"}),
    ],
)
def test_what_the_running_proxy_tells_is_judged(told: AlertsReport, found: dict[str, str]) -> None:
    assert levels(list(judge(told))) == found


async def test_the_running_proxys_failures_are_told_beside_the_settings() -> None:
    asked = subject("alerts: {to: [{webhook: 'https://hub.example/a'}]}")
    asked.report = SelfReport(
        version=__version__, pid=1, now=1.0, started=1.0, settings="", health=Health("ok", "ok", "ok"),
        webhooks=WebhookStats().report(), alerts=report(targets=[target("no answer in time")]),
    )  # fmt: skip
    assert levels(await look(asked)) == {"on": "ok", "failing": "warning"}


async def test_nothing_is_sent_unasked_and_each_target_is_tried_where_it_is_asked_for() -> None:
    async with receiving() as receiver:
        targets = ", ".join(f"{{webhook: '{receiver.url}/{each}'}}" for each in "ab")
        text = f"alerts: {{to: [{targets}], heartbeat: '{receiver.url}/k'}}"
        assert levels(await look(subject(text))) == {"on": "ok"}
        assert receiver.came == []
        receiver.answer = lambda: web.Response(status=404 if receiver.came[-1].path == "/b" else 204)
        findings = await look(subject(text, send=True))
        assert levels(findings) == {
            "on": "ok",
            "test-sent": "ok",
            "test-failed": "problem",
            "heartbeat-answered": "ok",
        }
        assert sorted(each.path for each in receiver.came) == ["/a", "/b", "/k"]
        receiver.answer = lambda: web.Response(status=500)
        failed = await look(subject(f"alerts: {{heartbeat: '{receiver.url}/k'}}", send=True))
        assert levels(failed) == {"heartbeat-only": "note", "heartbeat-failed": "problem"}
