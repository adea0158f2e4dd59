"""Access lines in three forms."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.observe import access_log, logs
from statusproxy.observe.exchange_report import Report, RouteKind
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
        kind=RouteKind.PASS, method="GET", status=status, seconds=0.01234, upstream_seconds=0.01, received=0, sent=sent,
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
