"""The spool: whether events are kept, and whether what is kept needs someone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from statusproxy import __version__
from statusproxy.admin.messages import Health, SelfReport
from statusproxy.admin.spool_messages import AwayReceiver, SpoolTotals
from statusproxy.config.load import loads
from statusproxy.doctor.looks.spool import judge, look
from statusproxy.doctor.report import words
from statusproxy.doctor.subject import Subject
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.spool.circuit import PROBES
from tests.doctor.looks.levels import levels

NOW = 100_000.0
TOTALS = SpoolTotals(entries=0, bytes=0, waiting=0, unknown=0, dead=0, max_entries=10, max_bytes=100, max_age=86_400.0)


def subject(text: str) -> Subject:
    return Subject(loads(f"gateway: http://127.0.0.1:3000\n{text}"))


def found(**totals: Any) -> dict[str, str]:
    return levels(list(judge(msgspec.structs.replace(TOTALS, **totals), NOW)))


@pytest.mark.parametrize(
    ("text", "levels_"),
    [
        ("webhooks: [{path: /a}]", {"off": "note"}),
        ("webhooks: [{path: /a, spool: true}]", {"on": "ok"}),
        ("webhooks: [{path: /a, spool: true}]\nstate: {url: 'memory:'}", {"no-place": "warning"}),
        ("webhooks: [{path: /a, spool: true}]\nstate: {url: 'redis://redis.example/0'}", {"on": "ok"}),
    ],
)
async def test_whether_events_are_kept_is_told(text: str, levels_: dict[str, str]) -> None:
    assert levels(await look(subject(text))) == levels_


async def test_where_nothing_is_forwarded_nothing_could_be_kept() -> None:
    settings = loads("gateway: http://127.0.0.1:3000\nwebhooks: [{path: /tap/a, forward: false}]")
    taps = msgspec.structs.replace(settings, webhooks=tuple(one for one in settings.webhooks if not one.forward))
    assert levels(await look(Subject(taps))) == {}


async def test_what_the_running_proxy_keeps_is_told_also_where_it_was_switched_off() -> None:
    asked = subject("webhooks: [{path: /a}]")
    asked.report = SelfReport(
        version=__version__, pid=1, now=NOW, started=1.0, settings="", health=Health("ok", "ok", "ok"),
        webhooks=WebhookStats().report(), spool=msgspec.structs.replace(TOTALS, entries=1, dead=1),
    )  # fmt: skip
    assert levels(await look(asked)) == {"off": "note", "dead": "warning"}


def test_an_empty_spool_needs_nobody() -> None:
    assert found() == {}


def test_events_that_wait_are_a_warning_once_they_wait_for_long() -> None:
    assert found(entries=1, waiting=1, waiting_since="1970-01-02T03:36:40.000Z") == {"waits": "note"}  # 600 s
    assert found(entries=1, waiting=1, waiting_since="1970-01-02T03:36:39.000Z") == {"waits-long": "warning"}


def test_what_waits_for_somebody_is_a_warning() -> None:
    away = [AwayReceiver("gateway", "1970-01-02T03:36:40.000Z")]
    assert found(entries=2, unknown=1, dead=1, away=away) == {
        "away": "warning", "unanswered": "warning", "dead": "warning",
    }  # fmt: skip
    (told,) = judge(msgspec.structs.replace(TOTALS, away=away), NOW)
    assert told.facts == {"receiver": "gateway", "since": "10 min", "first": 1, "second": 5, "last": 30}


def test_a_receiver_that_is_away_is_said_to_be_tried_when_the_spool_tries_it() -> None:
    (told,) = judge(msgspec.structs.replace(TOTALS, away=[AwayReceiver("gateway", "1970-01-02T03:36:40.000Z")]), NOW)
    first, second, last = map(round, PROBES)
    assert f"one of them is tried after {first} s, {second} s, then every {last} s" in words(told, "en")[0]
    assert f"um deles é tentado após {first} s, {second} s e depois a cada {last} s" in words(told, "pt-BR")[0]


@pytest.mark.parametrize(
    ("totals", "full"), [({"entries": 8}, True), ({"entries": 7, "bytes": 79}, False), ({"bytes": 80}, True)]
)
def test_a_spool_that_fills_is_told(totals: dict[str, int], full: bool) -> None:
    assert found(**totals) == ({"nearly-full": "warning"} if full else {})
