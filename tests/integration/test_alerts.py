"""A lost session reaches people: in real receivers, once, however many fall, restart or share the work."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiosmtpd.controller import Controller

from statusproxy.demo.events import status_find
from statusproxy.server import Server
from tests.alerts.channels.test_apprise import Mails
from tests.alerts.receiver import Receiver, receiving
from tests.ports import free_port
from tests.proxy.harness import Origin
from tests.store.redis_server import RedisServer, running
from tests.test_server import Site, serving
from tests.waiting import until

pytestmark = [pytest.mark.divisible]

#: As short as a configuration allows.
AFTER, GROUP = 1.0, 5.0


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.answer = lambda: web.json_response({"id": "x"})
        yield receiver


@pytest.fixture
def mails() -> Iterator[tuple[Mails, int]]:
    kept, port = Mails(), free_port()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


@asynccontextmanager
async def alerting(
    folder: Path, origin: Origin, *to: dict[str, Any], state: str | None = None, **more: Any
) -> AsyncIterator[Site]:
    """A service that tells `to`; its state is in `folder` unless it is elsewhere."""
    alerts = {"after": f"{AFTER:g}s", "group": f"{GROUP:g}s", "on": ["lost", "back"], "to": list(to), **more}
    kept = {"url": f"sqlite:///{folder / 'state.db'}"} if state is None else {"url": state, "journal": str(folder)}
    async with serving(folder, origin, state=kept, alerts=alerts, preset="gateway-wrapper") as site:
        yield site


async def say(server: Server, *sessions: str, word: str = "disconnectedMobile") -> None:
    """The engine says this of sessions; it is durable."""
    waits = [
        server.registry.hear(msgspec.json.encode(status_find(each, word)), "127.0.0.1", "/v1/webhooks/receive")
        for each in sessions
    ]
    for wait in waits:
        assert wait is not None
        await wait


def messages(receiver: Receiver, path: str = "/alerts") -> list[dict[str, Any]]:
    """What came at a path, as JSON."""
    return [json.loads(each.body) for each in receiver.came if each.path == path]


def told(receiver: Receiver) -> list[tuple[str, list[str]]]:
    """The type and sessions of each message."""
    return [(each["type"], [line["session"] for line in each["sessions"]]) for each in messages(receiver)]


async def test_a_lost_session_reaches_a_webhook_a_mailbox_and_a_topic(
    tmp_path: Path, origin: Origin, receiver: Receiver, mails: tuple[Mails, int]
) -> None:
    kept, port = mails
    mailto = f"mailto://127.0.0.1:{port}/?from=proxy@proxy.example&to=ops@hub.example&mode=insecure"
    ntfy = f"{receiver.url.replace('http://', 'ntfy://')}/operators"
    targets = [{"webhook": f"{receiver.url}/alerts", "secret": "s3cret"}, {"apprise": mailto}, {"apprise": ntfy}]
    async with alerting(tmp_path, origin, *targets) as site:
        await say(site.server, "sales")
        await until(lambda: len(receiver.came) == 2 and bool(kept.came))
    (message,) = messages(receiver)
    assert (message["type"], message["sessions"][0]["session"]) == ("session.lost", "sales")
    (topic,) = messages(receiver, "/")
    assert topic["topic"] == "operators"
    content = kept.came[0].content
    assert isinstance(content, bytes)
    assert b"sales" in content


async def test_it_is_told_within_its_time(tmp_path: Path, origin: Origin, receiver: Receiver) -> None:
    came: list[float] = []

    async def arrived() -> None:
        came.append(datetime.now().timestamp())  # noqa: DTZ005

    receiver.arrived = arrived
    async with alerting(tmp_path, origin, {"webhook": f"{receiver.url}/alerts"}) as site:
        await say(site.server, "sales")
        await until(lambda: bool(came))
    since = datetime.fromisoformat(messages(receiver)[0]["sessions"][0]["since"]).timestamp()
    assert AFTER < came[0] - since < AFTER + GROUP + 5


async def test_three_hundred_that_fall_at_once_are_one_message(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    sessions = [f"session-{number:03}" for number in range(300)]
    async with alerting(tmp_path, origin, {"webhook": f"{receiver.url}/alerts"}) as site:
        await say(site.server, *sessions)
        await until(lambda: bool(receiver.came))
        await say(site.server, "one-more")
        await until(lambda: len(receiver.came) == 2)
    assert told(receiver) == [("session.lost", sessions), ("session.lost", ["one-more"])]


async def test_a_flap_is_not_told_and_a_loss_that_stays_is_and_so_is_its_end(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    async with alerting(tmp_path, origin, {"webhook": f"{receiver.url}/alerts"}) as site:
        await say(site.server, "flaps", "stays")
        await say(site.server, "flaps", word="inChat")
        await until(lambda: bool(receiver.came))
        await say(site.server, "stays", word="inChat")
        await until(lambda: len(receiver.came) == 2)
    assert told(receiver) == [("session.lost", ["stays"]), ("session.back", ["stays"])]


async def test_outages_at_the_start_are_one_message_and_a_restart_tells_nothing_again(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    target = {"webhook": f"{receiver.url}/alerts"}
    async with serving(tmp_path, origin, state={"url": f"sqlite:///{tmp_path / 'state.db'}"}) as before:
        await say(before.server, "sales", "support", "billing")
    async with alerting(tmp_path, origin, target):
        await until(lambda: bool(receiver.came))
    async with alerting(tmp_path, origin, target) as again:
        await say(again.server, "another")
        await until(lambda: len(receiver.came) == 2)
    assert told(receiver) == [("session.lost", ["billing", "sales", "support"]), ("session.lost", ["another"])]


async def test_of_two_proxies_on_one_redis_one_tells_and_what_it_told_the_other_does_not_tell_again(
    tmp_path: Path, origin: Origin, receiver: Receiver
) -> None:
    target = {"webhook": f"{receiver.url}/alerts"}
    with running(tmp_path / "redis") as redis:
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        async with alerting(tmp_path / "two", origin, target, state=_url(redis)) as two:
            async with alerting(tmp_path / "one", origin, target, state=_url(redis)) as one:
                await say(one.server, "sales")
                await until(lambda: two.server.registry.has_overrides)
                await until(lambda: bool(receiver.came))
            await say(two.server, "support")
            await until(lambda: len(receiver.came) == 2)
    assert told(receiver) == [("session.lost", ["sales"]), ("session.lost", ["support"])]


def _url(redis: RedisServer) -> str:
    return f"redis://127.0.0.1:{redis.port}/0"
