"""A disk that refuses costs no request: what is heard holds, is told to be at risk, and is written when it can be."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from statusproxy.demo.events import status_find
from tests.integration.stage import SESSIONS, StandIn, Town, gateway, town, town_with
from tests.waiting import until

pytestmark = pytest.mark.divisible


LOST = {**dict.fromkeys(SESSIONS, "connected"), "sales": "disconnected"}


async def ready(place: Town) -> tuple[int, Any]:
    return await place.admin("/readyz?strict")


async def until_ready(place: Town) -> None:
    async def is_ready() -> bool:
        return (await ready(place))[0] == 200

    await until(is_ready)


def contents(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir() if file.is_file() and file.name != "state.db"]


@asynccontextmanager
async def place_at(folder: Path, url: str) -> AsyncIterator[Town]:
    async with town("stand-in", folder, state={"url": url}) as place:
        yield place


async def metric(place: Town, name: str) -> float:
    async with aiohttp.ClientSession() as client, client.get(place.process.admin_url + "/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.parametrize("where", ["beneath a file", "where no one may write"])
async def test_a_state_that_cannot_be_written_costs_no_request(where: str, tmp_path: Path) -> None:
    if where == "beneath a file":
        (tmp_path / "file").write_text("in the way")
        path = tmp_path / "file" / "state.db"
    else:
        path = Path("/proc/statusproxy/state.db")  # refused to root, too
    async with place_at(tmp_path, f"sqlite:///{path}") as place:
        assert await place.hub.channels() == dict.fromkeys(SESSIONS, "connected")
        await place.phones.unlink("sales")
        assert await place.hub.channels() == LOST
        assert (await place.hub.send("support")).ok
        status, told = await ready(place)
        assert status == 503
        assert told["store"] != "ok"
        assert str(path) in str(told) or str(path.parent) in str(told)
        assert (await place.admin("/healthz"))[0] == 200, "the process is well; a restart would lose what it knows"
        assert await metric(place, "statusproxy_store_failures_total") >= 1
        await place.logged("not on disk", "error")


async def test_a_disk_that_fills_up_and_is_freed_again_loses_nothing(tmp_path: Path) -> None:
    async with gateway("stand-in") as phones, town_with(phones, tmp_path) as place:
        pid = place.process.pid
        assert (await ready(place))[0] == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        await place.phones.unlink("sales")
        assert await place.hub.channels() == LOST
        assert (await place.hub.send("support")).ok
        status, told = await ready(place)
        assert status == 503, told
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until_ready(place)
        await place.process.kill()
        await place.process.start()
        assert await place.hub.channels() == LOST, "written as soon as there was room"


async def until_deleted(place: Town) -> None:
    async def is_told() -> bool:
        return await metric(place, 'statusproxy_state_repairs_total{cause="deleted"}') > 0

    await until(is_told)


@pytest.mark.parametrize("endings", [["-wal"], ["-shm"], [""], ["", "-wal", "-shm", ".lock"]])
async def test_files_deleted_under_a_running_proxy_lose_nothing(endings: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    async with gateway("stand-in") as phones, town_with(phones, tmp_path) as place:
        await place.phones.unlink("sales")
        for ending in endings:
            os.unlink(f"{state}{ending}")
        await until_deleted(place)
        await place.process.kill()
        await place.process.start()
        assert await place.hub.channels() == LOST


@pytest.mark.parametrize("damage", ["not a database", "torn in the middle", "empty"])
async def test_a_damaged_database_is_set_aside_and_the_proxy_starts(damage: str, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    async with gateway("stand-in") as phones:
        async with town_with(phones, tmp_path, inside=True) as place:
            await place.engine_says(*(status_find(f"session {number}", "browserClose") for number in range(200)))
        whole = state.read_bytes()
        if damage == "not a database":
            state.write_bytes(b"these are not the bytes of a database " * 500)
        elif damage == "torn in the middle":
            state.write_bytes(whole[: len(whole) // 2] + b"\xa5" * (len(whole) // 2))
        else:
            state.write_bytes(b"")
        spoilt = state.read_bytes()
        async with town_with(phones, tmp_path) as place:
            assert (await place.hub.channels()) == dict.fromkeys(SESSIONS, "connected")
            status, told = await ready(place)
            assert (status, told["status"]) == (200, "ok" if damage == "empty" else "degraded")
            known = (await place.admin("/sessions"))[1]["sessions"]
            saved = sum(one["last_event"] is not None for one in known)  # the others are channels of the list
            assert 0 < saved < 200 if damage == "torn in the middle" else saved == 0
            if damage != "empty":
                assert spoilt in contents(tmp_path), "nothing is thrown away"
                await place.logged("it is kept as")
            assert isinstance(place.phones, StandIn)
            await place.phones.unlink("sales")
            await place.process.kill()
            await place.process.start()
            assert await place.hub.channels() == LOST
