"""Reading the gateway's answer where an action looks into it."""

import gzip
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.observe.exchange_report import RouteKind
from statusproxy.proxy.actions.answers import collect, decode
from statusproxy.proxy.steps import StepRunner

LIMIT = 1000


class Stage:
    """An exchange with an answer of this body, as far as reading it goes."""

    def __init__(self, body: bytes = b"") -> None:
        self.unreadable: list[tuple[str, str]] = []
        self.exchange: Any = SimpleNamespace(
            call=SimpleNamespace(body=SimpleNamespace(collect=self.collect)),
            match=SimpleNamespace(kind=RouteKind.CHANNELS),
            registry=SimpleNamespace(unreadable=lambda what, why: self.unreadable.append((what, why))),
            shared=SimpleNamespace(runner=StepRunner()),
            request_id="id-1",
        )
        self.body = body

    async def collect(self, limit: int) -> bytes | None:
        return self.body if len(self.body) <= limit else None

    async def decode(self, body: bytes, coding: bytes = b"", status: int = 200) -> tuple[bytes | None, str | None]:
        well_known = {b"content-encoding": [coding]} if coding else {}
        return await decode(self.exchange, status, well_known, body, LIMIT)


async def test_a_body_within_the_limit_is_collected() -> None:
    stage = Stage(b"x" * LIMIT)
    assert await collect(stage.exchange, LIMIT) == b"x" * LIMIT
    assert stage.unreadable == []


async def test_a_body_beyond_the_limit_is_not_and_is_counted() -> None:
    stage = Stage(b"x" * (LIMIT + 1))
    assert await collect(stage.exchange, LIMIT) is None
    assert stage.unreadable == [("channels", "too-large")]


@pytest.mark.parametrize("status", [200, 201, 299])
async def test_a_body_without_a_coding_is_its_text(status: int) -> None:
    body = b"[]"
    text, failure = await Stage().decode(body, status=status)
    assert text is body
    assert failure is None


async def test_a_coded_body_is_decoded() -> None:
    assert await Stage().decode(gzip.compress(b"[]"), b"gzip") == (b"[]", None)


async def test_codings_in_several_fields_are_undone_in_turn() -> None:
    twice = {b"content-encoding": [b"gzip", b"gzip"]}
    assert await decode(Stage().exchange, 200, twice, gzip.compress(gzip.compress(b"[]")), LIMIT) == (b"[]", None)


@pytest.mark.parametrize("status", [100, 199, 204, 300, 304, 404, 500])
async def test_an_answer_that_is_no_success_has_no_text_and_nothing_is_wrong(status: int) -> None:
    assert await Stage().decode(b"[]", status=status) == (None, None)


@pytest.mark.parametrize(
    ("body", "coding", "status", "failure"),
    [
        (b"[", b"", 206, "partial"),
        (b"", b"", 200, "empty"),
        (b"", b"gzip", 200, "empty"),
        (b"[]", b"gzip", 200, "broken-coding"),
        (b"[]", b"compress", 200, "unknown-coding"),
        (gzip.compress(b"x" * (LIMIT + 1), mtime=0), b"gzip", 200, "too-large"),
    ],
)
async def test_what_is_wrong_with_an_answer_is_told(body: bytes, coding: bytes, status: int, failure: str) -> None:
    assert await Stage().decode(body, coding, status) == (None, failure)


async def test_an_error_of_our_own_is_told_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("of our own")

    monkeypatch.setattr("statusproxy.proxy.decoders.Decoder.step", fail)
    assert await Stage().decode(gzip.compress(b"[]"), b"gzip") == (None, "internal")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "an answer could not be decoded")
    assert record.__dict__["request_id"] == "id-1"
