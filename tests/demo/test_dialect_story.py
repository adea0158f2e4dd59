"""Each gateway's story holds with the proxy, and fails with one that tells no truth."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest

from statusproxy.demo import dialect_story as module
from statusproxy.demo.dialect import Dialect, Watched
from statusproxy.demo.dialect_story import play, serve
from statusproxy.demo.dialects.table import DIALECTS, dialect
from tests.demo.inside import Inside
from tests.demo.programs import program, serving

pytestmark = pytest.mark.usefixtures("own_ports")


async def told(chosen: Dialect) -> tuple[bool, list[str]]:
    """Whether the story held, with a proxy inside the test; and what it said."""
    lines: list[str] = []
    held = await play(chosen, say=lines.append, up=Inside)
    return held, [click.unstyle(line).strip() for line in lines]


@pytest.mark.parametrize("name", DIALECTS)
async def test_each_gateways_story_holds(name: str) -> None:
    held, said = await told(DIALECTS[name])
    assert held, "\n".join(said)
    assert said[0] == f"statusproxy: the story of a lost session at {DIALECTS[name].title}"


async def test_a_stale_answer_is_told_from_the_truth() -> None:
    _, said = await told(dialect("wppconnect-server"))
    assert "✓ the gateway still says CONNECTED" in said
    assert "✓ the proxy says CLOSED" in said
    assert "✓ POST /api/sales/start-session answers CONNECTED" in said
    assert "✓ the history shows the loss: status-find browserClose" in said


async def test_an_endless_reconnect_reads_connecting_once_its_grace_has_passed() -> None:
    _, said = await told(replace(dialect("evolution-v2"), grace="50ms"))  # only waited for
    assert "✓ the gateway still says open" in said
    assert "✓ the proxy says connecting" in said
    assert "✓ the proxy still says open" in said  # an old `close` was sent again


async def test_a_gateway_whose_list_is_right_is_not_said_to_be_stale() -> None:
    _, said = await told(dialect("waha"))
    assert "✓ the gateway says FAILED" in said
    assert "✓ the proxy says FAILED as well" in said
    assert "✓ the history does not count it as a loss" in said


async def test_the_real_program_makes_a_story_hold() -> None:
    lines: list[str] = []
    assert await play(dialect("wppconnect-server"), say=lines.append) is True, "\n".join(map(click.unstyle, lines))
    assert click.unstyle(lines[-1]).startswith("✓ all 14 checks held")


async def test_a_proxy_that_corrects_nothing_fails_the_story(tmp_path: Path) -> None:
    carrier = Path(__file__).with_name("pass_through.py")
    python = program(tmp_path, f'#!/bin/sh\nexec "{sys.executable}" "{carrier}" "$@"\n')
    lines: list[str] = []
    assert await play(dialect("wppconnect-server"), say=lines.append, python=python) is False
    said = [click.unstyle(line).strip() for line in lines]
    assert "✓ the gateway still says CONNECTED" in said
    assert "✗ the proxy says CLOSED" in said


async def test_a_grace_that_never_ends_fails_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACED_WITHIN", 0.0)
    held, said = await told(replace(dialect("evolution-v2"), grace="1h"))
    assert not held
    assert "✗ the proxy says connecting" in said


async def test_an_answer_without_states_fails_the_story() -> None:
    chosen = dialect("waha")
    held, said = await told(replace(chosen, watched=Watched(chosen.watched.route, "state")))
    assert not held
    assert any(line.startswith("✗ no states in b'") for line in said)


async def test_a_proxy_that_does_not_start_fails_the_story(tmp_path: Path) -> None:
    lines: list[str] = []
    python = program(tmp_path, "#!/bin/sh\necho no such file >&2\nexit 2\n")
    assert await play(dialect("waha"), say=lines.append, python=python) is False
    assert "no such file" in "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("wuzapi", "curl -H 'token: token-of-sales' http://127.0.0.1:"),
        (
            "baileys-api",
            "curl -X POST -H 'Content-Type: application/json' -d '{\"sessionId\": \"sales\"}' http://127.0",
        ),
    ],
)
async def test_the_stage_stays_up_until_a_signal_and_tells_what_to_try(name: str, line: str, tmp_path: Path) -> None:
    lines: list[str] = []

    def say(text: str) -> None:
        lines.append(text)
        os.kill(os.getpid(), signal.SIGTERM)

    assert await serve(dialect(name), say=say, python=serving(tmp_path)) is True
    (invitation,) = lines
    assert line in invitation
    assert "curl -X POST http://127.0.0.1:" in invitation
