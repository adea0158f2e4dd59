"""Access lines in three forms, and warnings that no flood can multiply."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from statusproxy.observe import access_log, logs
from statusproxy.observe.exchange_report import Kind, Report
from statusproxy.observe.metrics import Metrics
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.sessions import SessionRules
from statusproxy.status.signals import SignalRules
from statusproxy.store.memory import memory_store
from tests.proxy.harness import get, running, until


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    names = (None, "statusproxy", "statusproxy.access")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers
    for logger, level in before:
        logger.setLevel(level)


def exchange(
    status: int = 200, sent: int = 512, target: bytes = b"/api/media/5500000000001/x?token=planted", **keys: Any
) -> Report:
    report = Report(
        kind=Kind.PASS, method="GET", status=status, seconds=0.01234, upstream_seconds=0.01, received=0, sent=sent,
        request_id="abc-1", client="10.0.0.7", target=target, problem=None, corrected=0,
    )  # fmt: skip
    return replace(report, **keys)


def said(access: bool | str, form: logs.Format = "text", level: str = "info", **keys: Any) -> str:
    stream = io.StringIO()
    logs.set_up(form, level, stream)
    access_log.tell(exchange(**keys), access)
    return stream.getvalue()


# Forms


def test_true_follows_the_form_of_all_other_lines() -> None:
    assert said(True).endswith(" GET /api/… 200  [abc-1]\n")
    assert json.loads(said(True, "json"))["message"] == "GET /api/… 200"


def test_json_is_json_whatever_the_others_are() -> None:
    line = json.loads(said("json", "text"))
    assert {key: line[key] for key in ("request_id", "client", "method", "path", "status", "ms", "sent")} == {
        "request_id": "abc-1", "client": "10.0.0.7", "method": "GET", "path": "/api/…", "status": 200,
        "ms": 12.34, "sent": 512,
    }  # fmt: skip
    assert "form" not in line


def test_combined_is_apaches_with_the_requests_id() -> None:
    assert re.fullmatch(
        r'10\.0\.0\.7 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /api/… HTTP/1\.1" 200 512 '
        r'"-" "-" abc-1 12\.34ms\n',
        said("combined", "json"),
    )


def test_combined_has_a_number_for_a_client_that_had_gone() -> None:
    assert '" 499 - "-"' in said("combined", status=0, sent=0)


def test_no_form_tells_a_query_or_an_id_in_a_path() -> None:
    forms: tuple[bool | str, ...] = (True, "json", "combined")
    for access in forms:
        for form in ("text", "json"):
            line = said(access, form)
            assert "planted" not in line
            assert "5500000000001" not in line


FORMS: list[tuple[bool | str, logs.Format]] = [(True, "text"), (True, "json"), ("json", "text"), ("combined", "text")]


@pytest.mark.parametrize(("access", "form"), FORMS)
@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/api/abcdefplanted/x", "/api/…"),  # a secret of letters only
        (b"/api/abcdefplanted", "/api/…"),
        (b"/webhook-planted1/x", "/…/…"),
        (b"/health", "/health"),
        (b"/api/", "/api/"),
        (b"/", "/"),
        (b"//planted", "//…"),
        (b"http://planted.example/api/planted", "/api/…"),
        (b"*", "/…"),
    ],
)
def test_of_a_path_without_a_route_only_a_first_word_shows(
    target: bytes, path: str, access: bool | str, form: logs.Format
) -> None:
    line = said(access, form, target=target)
    assert f"GET {path} " in line
    assert "planted" not in line


@pytest.mark.parametrize(("access", "form"), FORMS)
def test_of_a_route_its_template_shows(access: bool | str, form: logs.Format) -> None:
    line = said(access, form, target=b"/api/channels/planted/qr", template="/api/channels/{session}/qr")
    assert "GET /api/channels/{session}/qr " in line
    assert "planted" not in line


@pytest.mark.parametrize(("access", "form"), [*FORMS, ("combined", "json")])
def test_whatever_an_exchange_holds_it_is_one_line_with_its_fields(access: bool | str, form: logs.Format) -> None:
    line = said(access, form, client="a\n\x1b", request_id='x"y', method="GE\u202eT")
    assert line[:-1].isprintable()
    if access == "combined":
        assert r"x\x22y" in line
        assert line.count('"') == 6


def test_access_lines_come_whatever_else_is_to_be_heard() -> None:
    assert said("combined", level="error")


def test_access_lines_carry_the_journals_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "out").open("w+") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        logs.set_up("auto", "info", stream)
        access_log.tell(exchange(), "combined")
        logs.flush()
        stream.seek(0)
        assert stream.read().startswith("<6>10.0.0.7 - - [")


async def test_each_request_has_its_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy.access")
    async with running(tmp_path, "http://127.0.0.1:9", log={"access": "combined"}) as proxy:
        await proxy.ask(get("/health"))
        await until(lambda: "GET /health 502" in caplog.messages)
        await proxy.ask(get("/api/channels/sales/qr"))
        await until(lambda: "GET /api/channels/{session}/qr 502" in caplog.messages)


# Floods


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> SessionRegistry:
    return SessionRegistry(SignalRules(()), SessionRules(), memory_store(history_days=None), Metrics(), clock)


def test_a_flood_of_forged_events_is_one_line_a_minute_with_a_count(
    registry: SessionRegistry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        registry.doubt("203.0.113.9", "network")
    assert caplog.messages == ["event not believed: its sender 203.0.113.9 fails the network check"]
    clock.now += 61
    registry.doubt("203.0.113.9", "network")
    assert caplog.messages[1:] == [
        "event not believed: its sender 203.0.113.9 fails the network check (and 999 times since this was last said)"
    ]


def test_another_sender_and_another_reason_are_other_news(
    registry: SessionRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    for sender in ("203.0.113.9", "203.0.113.10"):
        for why in ("network", "secret"):
            registry.doubt(sender, why)
    assert len(caplog.messages) == 4


def test_a_flood_of_unreadable_bodies_is_one_line_a_minute(
    registry: SessionRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        registry.unreadable("webhook", "too-large")
        registry.unreadable("channels", "not-json")
    assert caplog.messages == ["webhook passed untouched: too-large", "channels passed untouched: not-json"]


def test_made_up_senders_without_end_share_a_line(
    registry: SessionRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(5000):
        registry.doubt(f"2001:db8::{number:x}", "network")
    assert len(caplog.messages) == 257
    assert "(many)" in caplog.messages[-1]


def test_what_a_flood_kept_back_is_told_when_it_is_over() -> None:
    repeats = logs.Repeats()
    assert repeats.more("it", "all", 0.0) == ("it", 0)
    assert repeats.more("once", "all", 0.0) == ("once", 0)
    assert repeats.more("it", "all", 1.0) is None
    assert repeats.overdue(30.0) == []
    assert repeats.overdue(61.0) == [("it", 1)]
    assert repeats.more("it", "all", 62.0) is None  # a line was just written
    assert repeats.overdue(122.0) == [("it", 1)]
    assert repeats.overdue(200.0) == []
    assert repeats.more("once", "all", 201.0) == ("once", 0)


def test_a_clock_set_back_silences_nothing() -> None:
    repeats = logs.Repeats()
    repeats.more("it", "all", 1000.0)
    assert repeats.more("it", "all", 10.0) == ("it", 0)


async def test_the_rest_of_a_flood_is_told_at_leisure(
    registry: SessionRegistry, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("statusproxy.registry.registry.LEISURE", 0.001)
    for _ in range(10):
        registry.doubt("203.0.113.9", "network")
    clock.now += 61
    await registry.open()
    await until(lambda: any("(9 more times in the last minutes)" in line for line in caplog.messages))
    await registry.close()
