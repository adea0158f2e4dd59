"""The commands about alerts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import Result

from tests.alerts.receiver import Receiver, receiving
from tests.cli.calling import call
from tests.proxy.harness import Running, running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def told(receiver: Receiver, tmp_path: Path) -> AsyncIterator[Running]:
    """A proxy with two targets, both at the receiver, and its admin listener on."""
    targets = [{"webhook": f"{receiver.url}/{path}/s3cret"} for path in "ab"]
    async with running(
        tmp_path, "http://127.0.0.1:1", admin={"listen": "127.0.0.1:0"}, alerts={"to": targets}
    ) as proxy:
        yield proxy


async def asked(proxy: Running, *arguments: str) -> Result:
    return await asyncio.to_thread(call, "alerts", *arguments, "--admin", proxy.server.admin.addresses[0])


async def test_targets_are_listed_without_their_addresses(told: Running) -> None:
    listed = await asked(told, "list")
    assert (listed.exit_code, "webhook 127.0.0.1" in listed.stdout, "s3cret" in listed.stdout) == (0, True, False)
    said = json.loads((await asked(told, "list", "--json")).stdout)
    assert (said["configured"], len(said["targets"]), "s3cret" in json.dumps(said)) == (True, 2, False)


async def test_a_test_message_is_sent_to_each_target_or_to_one(told: Running, receiver: Receiver) -> None:
    sent = await asked(told, "test")
    assert sent.exit_code == 0
    assert [line.rpartition(": ")[2] for line in sent.stdout.splitlines()] == ["sent", "sent"]
    receiver.came.clear()
    assert (await asked(told, "test", "--to", "2")).exit_code == 0
    assert [each.path for each in receiver.came] == ["/b/s3cret"]


async def test_one_that_does_not_arrive_is_a_failure(told: Running, receiver: Receiver) -> None:
    receiver.answer = lambda: web.Response(status=403)
    failed = await asked(told, "test", "--to", "1")
    assert (failed.exit_code, failed.stdout.strip().rpartition(": ")[2]) == (1, "it answered 403 Forbidden")
    as_json = await asked(told, "test", "--to", "1", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["results"][0]["number"]) == (1, 1)


async def test_a_number_that_no_target_has_is_refused(told: Running) -> None:
    refused = await asked(told, "test", "--to", "7")
    assert (refused.exit_code, refused.stderr) == (1, "there is no target 7; there are 2\n")


async def test_without_targets_there_is_nothing_to_test(receiver: Receiver, tmp_path: Path) -> None:
    async with running(
        tmp_path, "http://127.0.0.1:1", admin={"listen": "127.0.0.1:0"}, alerts={"heartbeat": f"{receiver.url}/k3y"}
    ) as proxy:
        done = await asked(proxy, "test")
        assert (done.exit_code, done.stdout) == (0, "no target is configured (alerts.to)\n")
