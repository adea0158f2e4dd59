"""The preset `evolution-v1`: where it differs from `evolution-v2`, on which it builds."""

from __future__ import annotations

from pathlib import Path

import pytest

from statusproxy.config.load import loads
from tests.presets.evolution import Evolution
from tests.presets.stage import Caller, Clock, assert_told, proxied
from tests.rehearsal.golden import goldens
from tests.stand_ins.served import served

PRESET = "evolution-v1"
HOOK = "/webhook"


@pytest.mark.parametrize("file", goldens(Path(__file__).parent / PRESET), ids=lambda file: file.stem)
def test_what_try_makes_of_its_traffic(file: Path) -> None:
    assert_told(file)


def test_what_it_leaves_out_is_that_of_version_2() -> None:
    first, second = (loads(f"gateway: http://x\npreset: evolution-v{version}") for version in (1, 2))
    assert (first.webhooks, first.dialect, first.reconnect) == (second.webhooks, second.dialect, second.reconnect)
    assert (first.channels[1].list, first.channels[1].keep) == (second.channels[1].list, second.channels[1].keep)


async def shown(hub: Caller, query: str = "") -> dict[str, str]:
    """The words of the list, which is one object where one session is asked for."""
    answer = await hub.get(f"/instance/fetchInstances{query}")
    instances = [one["instance"] for one in (answer if isinstance(answer, list) else [answer])]
    return {one["instanceName"]: one["status"] for one in instances}


async def test_a_drop_changes_nothing_at_once_and_reads_connecting_once_it_lasts(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock(), version=1)
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.drop("sales"))
        clock.move(5)
        assert await shown(hub) == {"sales": "open", "support": "open"}
        await hub.tell(HOOK, *gateway.reopen("sales"))
        clock.move(1_000)
        assert await shown(hub) == {"sales": "open", "support": "open"}

        for _ in range(4):
            await hub.tell(HOOK, *gateway.drop("sales"))
            clock.move(30)
        assert await shown(hub) == {"sales": "connecting", "support": "open"}
        await hub.tell(HOOK, *gateway.reopen("sales"))
        assert await shown(hub) == {"sales": "open", "support": "open"}


async def test_a_logout_reads_close_at_once_in_the_list_and_in_one_object(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock(), version=1)
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        lost = gateway.log_out("sales")
        await hub.tell(HOOK, lost[-1])
        gateway.instances["sales"].row = gateway.instances["sales"].memory = "open"
        assert await shown(hub) == {"sales": "close", "support": "open"}
        assert await shown(hub, "?instanceName=sales") == {"sales": "close"}
        assert (await hub.get("/instance/connectionState/sales"))["instance"]["state"] == "close"


async def test_a_logout_is_kept_over_a_restart_until_the_session_is_deleted(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock(), version=1)
    async with served(*gateway.routes()) as url:
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            await hub.tell(HOOK, *gateway.log_out("sales"))
            gateway.instances["sales"].row = "open"
        clock.move(60)
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            assert await shown(hub) == {"sales": "close", "support": "open"}
            assert (await hub.ask("DELETE", "/instance/delete/sales"))[0] == 200
            assert (await hub.ask("POST", "/instance/create", {"instanceName": "sales"}))[0] == 201
            gateway.reopen("sales")
            assert await shown(hub) == {"sales": "open", "support": "open"}
