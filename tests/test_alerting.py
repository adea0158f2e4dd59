"""Alerts begin and end as the settings say, and see how things stand; without them nothing of them is loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy.alerting import Alerting, Site
from statusproxy.alerts.sightings import SpoolVitals
from statusproxy.alerts.values import Topic
from statusproxy.demo.events import status_find
from statusproxy.observe.silence import LONGEST
from tests.admin.shelf import Shelf, entry, spool_of
from tests.alerts.receiver import Receiver, receiving
from tests.hand_clock import HandClock
from tests.proxy.harness import Origin, Running, answer, running
from tests.test_server import program, serving
from tests.waiting import until


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def alerts(receiver: Receiver, *paths: str, **more: Any) -> dict[str, Any]:
    return {"after": "0s", "group": "5s", "to": [{"webhook": f"{receiver.url}/{each}"} for each in paths], **more}


def alerting(server: Any) -> Alerting:
    found: Alerting = server._alerting
    return found


# On and off


async def test_a_reload_switches_them_on_changes_them_and_switches_them_off(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin) as site:
        assert alerting(site.server).alerts is None
        assert site.reload(alerts=alerts(receiver, "a"))
        running = alerting(site.server).alerts
        assert running is not None
        await until(lambda: running.leading)
        assert site.server.admin.answers.alerts.alerts is running
        assert len(site.server.registry.changes) == 3
        assert site.reload(alerts=alerts(receiver, "a", "b"))
        assert alerting(site.server).alerts is running
        assert len(running.targets) == 2
        assert site.reload(alerts=None)
        assert alerting(site.server).alerts is None
        assert site.server.admin.answers.alerts.alerts is None
        assert len(site.server.registry.changes) == 2
        assert (await running.test())[0].error is None or True


async def test_a_lost_session_reaches_the_receiver_of_a_running_service(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with serving(tmp_path, origin, alerts=alerts(receiver, "a")) as site:
        origin.on = lambda request: answer({})  # type: ignore[attr-defined]
        site.server.registry.sessions
        running = alerting(site.server).alerts
        assert running is not None
