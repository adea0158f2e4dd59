"""What is looked at on its way passes as it came, whatever goes wrong in looking at it."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from statusproxy.proxy.actions.observe import observe
from tests.proxy.harness import Origin, Running, answer, get

JSON = "Content-Type: application/json"
LOST = b'{"event":"status-find","session":"sales","status":"browserClose"}'


@pytest.mark.parametrize(
    ("method", "target", "body", "looks", "what"),
    [
        ("GET", "/api/channels/sales/qr", b'{"qr":"data:image/png;base64,AAAA"}', "qr_answered", "qr"),
        ("POST", "/api/channels/sales/start-session", b'{"success":true}', "created", "create"),
        ("DELETE", "/api/channels/sales", b'{"success":true}', "deleted", "delete"),
    ],
)
async def test_an_error_of_our_own_costs_no_answer(
    method: str, target: str, body: bytes, looks: str, what: str, origin: Origin, proxy: Running,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The gateway has done what it was asked for: a client that is told otherwise would ask for it again."""
    fail = mock.Mock(side_effect=KeyError("of our own"))
    await proxy.ask(get("/v1/webhooks/receive", method="POST", body=LOST))
    monkeypatch.setattr(proxy.server.registry.watched, looks, fail)
    origin.answer = answer(body, JSON)
    got = await proxy.ask(get(target, method=method))
    assert (got.status, got.body, fail.call_count) == (200, body, 1)
    assert f"an answer could not be looked at: {what}" in caplog.messages
    assert f"{what} passed untouched: internal" in caplog.messages


async def test_an_error_of_our_own_in_learning_costs_no_answer(
    origin: Origin, proxy: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    learning = proxy.server.registry.learning
    learning.start(60.0)
    monkeypatch.setattr(learning, "answer", mock.Mock(side_effect=KeyError("of our own")))
    origin.answer = answer(b'[{"id": 1}]', JSON)
    got = await proxy.ask(get("/api/boxes"))
    assert (got.status, got.body) == (200, b'[{"id": 1}]')
    assert "an answer could not be looked at: learning" in caplog.messages


async def test_what_an_answer_changed_is_waited_for_until_it_is_durable() -> None:
    settled: list[object] = []

    async def settle(durable: object) -> None:
        settled.append(durable)

    exchange: Any = SimpleNamespace(settle=settle)
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await observe(exchange, "qr", lambda: None)
    await observe(exchange, "qr", lambda: durable)
    assert settled == [durable]
