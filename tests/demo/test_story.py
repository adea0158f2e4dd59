"""The story judges: it must not be happy with a proxy that tells no truth."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from statusproxy.demo.story import play


def program(folder: Path, text: str) -> str:
    """An executable that stands in the place of the Python interpreter which starts the proxy."""
    path = folder / "python"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return str(path)


async def test_a_proxy_that_corrects_nothing_fails_the_story(tmp_path: Path) -> None:
    carrier = Path(__file__).with_name("pass_through.py")
    python = program(tmp_path, f'#!/bin/sh\nexec "{sys.executable}" "{carrier}" "$@"\n')
    lines: list[str] = []
    assert await play(say=lines.append, python=python) is False
    said = [click.unstyle(line).strip() for line in lines]
    assert "✓ the gateway still says connected" in said
    assert "✗ the proxy says disconnected" in said
    assert "✗ a client with the old ETag is told too (200, not 304)" in said
    assert said[-1].startswith("✗ 5 of ")


async def test_a_proxy_that_does_not_start_fails_the_story(tmp_path: Path) -> None:
    lines: list[str] = []
    assert await play(say=lines.append, python=program(tmp_path, "#!/bin/sh\necho no such file >&2\nexit 2\n")) is False
    assert "no such file" in "\n".join(lines)
