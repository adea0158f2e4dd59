"""The lines to copy. What ends a stage that is kept up is tested with the stories."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from statusproxy.demo import keeping
from statusproxy.demo.keeping import invited, keep_up, usual_ports
from statusproxy.demo.proxy import Proxy, configuration, free_ports
from tests.demo.programs import program, serving


def test_each_command_stands_below_what_it_does() -> None:
    lines = invited(("", "all is up"), ("look", "curl http://gw.example"))
    assert lines == "all is up\n\n# look\n  curl http://gw.example\n"


def test_the_ports_are_the_programs_own_where_they_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "free_ports", lambda *wanted: [32_000 if port == 8090 else port for port in wanted])
    assert usual_ports() == (3000, 32_000, 8091)


@asynccontextmanager
async def stage(folder: Path, python: str) -> AsyncIterator[tuple[str, Proxy]]:
    at, admin = free_ports(0, 0)
    settings = configuration("http://127.0.0.1:3000", at, admin, folder / "state.db")
    async with Proxy(settings, folder, python=python) as proxy:
        yield "gateway", proxy


@pytest.mark.parametrize("signalled", ["SIGTERM", "SIGINT"])
async def test_a_signal_ends_it_well(signalled: str, tmp_path: Path) -> None:
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        os.kill(os.getpid(), signal.Signals[signalled])

    assert await keep_up(stage(tmp_path, serving(tmp_path)), lambda gateway, _: gateway, say) is True
    assert lines == ["gateway"]


async def test_a_proxy_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    kept = keep_up(stage(tmp_path, serving(tmp_path, answers=1)), lambda gateway, _: gateway, lines.append)
    assert await kept is False
    assert lines == ["gateway", "the proxy ended by itself: see its last lines above"]


async def test_a_proxy_that_does_not_start_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    python = program(tmp_path, "#!/bin/sh\nexit 2\n")
    assert await keep_up(stage(tmp_path, python), lambda gateway, _: gateway, lines.append) is False
    assert lines == ["the proxy ended with exit code 2\n"]
