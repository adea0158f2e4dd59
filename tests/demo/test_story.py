"""The story judges: it must not be happy with a proxy that tells no truth."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click
import pytest

from statusproxy.demo.story import play, serve
from tests.demo.programs import program, serving
from tests.illustrations import recording

pytestmark = pytest.mark.usefixtures("own_ports")


async def test_a_proxy_that_corrects_nothing_fails_the_story(tmp_path: Path) -> None:
    carrier = Path(__file__).with_name("pass_through.py")
    python = program(tmp_path, f'#!/bin/sh\nexec "{sys.executable}" "{carrier}" "$@"\n')
    lines: list[str] = []
    assert await play(say=lines.append, python=python) is False
    said = [click.unstyle(line).strip() for line in lines]
    assert "✓ the gateway still says connected" in said
    assert "✗ the proxy says disconnected" in said
    assert "✗ a client with the old ETag gets the new list (200, not 304)" in said
    assert said[-1].startswith("✗ 5 of ")


async def test_a_proxy_that_does_not_start_fails_the_story(tmp_path: Path) -> None:
    lines: list[str] = []
    assert await play(say=lines.append, python=program(tmp_path, "#!/bin/sh\necho no such file >&2\nexit 2\n")) is False
    assert "no such file" in "\n".join(lines)


async def test_the_proxy_itself_makes_the_story_hold_as_its_recording_shows() -> None:
    lines: list[str] = []
    assert await play(say=lines.append) is True, "\n".join(map(click.unstyle, lines))
    assert click.unstyle(lines[-1]).startswith("✓ all 22 checks held")
    assert recording.FILE.read_text() == recording.recording(lines), "record it again: make pictures"


async def test_the_stage_stays_up_until_a_signal_and_tells_what_to_try(tmp_path: Path) -> None:
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        os.kill(os.getpid(), signal.SIGTERM)

    assert await serve(say=say, python=serving(tmp_path)) is True
    (invitation,) = lines
    assert "# unlink a phone\n  curl -X POST http://127.0.0.1:" in invitation


async def test_a_proxy_that_ends_by_itself_ends_the_stage(tmp_path: Path) -> None:
    lines: list[str] = []
    assert await serve(say=lines.append, python=serving(tmp_path, answers=1)) is False
    assert lines[1:] == ["the proxy ended by itself: see its last lines above"]


async def test_a_stage_whose_proxy_does_not_start_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    assert await serve(say=lines.append, python=program(tmp_path, "#!/bin/sh\nexit 2\n")) is False
    assert lines == ["the proxy ended with exit code 2\n"]
