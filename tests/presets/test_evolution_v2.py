"""The preset `evolution-v2`: what it reads, what it corrects, and its story before a gateway that lies its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statusproxy.config.load import loads
from statusproxy.status.clocks import sender_of
from statusproxy.status.created import proves_deletion, proves_start
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, read
from tests.presets.evolution import Evolution
from tests.presets.evolution_day import day
from tests.presets.stage import NOON, Caller, Clock, assert_told, proxied
from tests.rehearsal.golden import goldens
from tests.stand_ins.served import served

PRESET = "evolution-v2"
SETTINGS = loads(f"gateway: http://127.0.0.1:3000\npreset: {PRESET}")
RULES = SETTINGS.signal_rules()
HOUR, DAY = 3_600.0, 86_400.0
HOOK = "/webhook"


@pytest.mark.parametrize("file", goldens(Path(__file__).parent / PRESET), ids=lambda file: file.stem)
def test_what_try_makes_of_its_traffic(file: Path) -> None:
    assert_told(file)


def test_one_key_of_its_rule_can_be_changed_alone() -> None:
    changed = loads(f"gateway: http://x\npreset: {PRESET}\nevents: [{{event: connection.update, grace: 2m}}]")
    (mine,) = [event for event in changed.events if event.event == ("connection.update",)]
    assert (mine.grace, mine.connected, mine.disconnected) == (120.0, ("open",), ("close", "refused"))


def test_its_tap_can_pass_the_events_on() -> None:
    forwarding = "webhooks: [{path: /webhook/**, forward_to: http://hub.example/hook/**}]"
    (webhook,) = loads(f"gateway: http://x\npreset: {PRESET}\n{forwarding}").webhooks
    assert (webhook.forward_to, webhook.except_[0]) == ("http://hub.example/hook/**", "/webhook/set/{session}")


@pytest.mark.parametrize(("answer", "proves"), [("create", True), ("create-refused", False), ("connect-open", False)])
def test_which_answers_to_a_create_prove_that_it_began(answer: str, proves: bool) -> None:
    assert proves_start(body(answer), frozenset({"open"}), SETTINGS.dialect.qr) is proves


@pytest.mark.parametrize(("answer", "proves"), [("delete", True), ("create-refused", False)])
def test_which_answers_to_a_delete_prove_it(answer: str, proves: bool) -> None:
    assert proves_deletion(body(answer)) is proves


def body(name: str) -> bytes:
    """An answer of Evolution."""
    return (Path(__file__).parent / PRESET / f"{name}.json").read_bytes()


# its story


async def shown(hub: Caller) -> dict[str, str]:
    """The words of the list."""
    return {one["name"]: one["connectionStatus"] for one in await hub.get("/instance/fetchInstances")}


async def state(hub: Caller, name: str = "sales") -> str | None:
    """The word of the single state."""
    word: str | None = (await hub.get(f"/instance/connectionState/{name}"))["instance"].get("state")
    return word


async def test_a_session_that_was_logged_out_reads_close_until_it_is_scanned(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.log_out("sales"))
        gateway.instances["sales"].row = "open"  # as it is read while the row is being written
        assert await shown(hub) == {"sales": "close", "support": "open"}
        gateway.instances["sales"].row = "close"
        clock.move(60)
        await hub.get("/instance/connect/sales")
        assert await shown(hub) == {"sales": "connecting", "support": "open"}
        clock.move(20)
        await hub.tell(HOOK, *gateway.reopen("sales"))
        assert (await shown(hub), await state(hub)) == ({"sales": "open", "support": "open"}, "open")


async def test_after_a_scan_whose_event_was_lost_the_list_counts_again(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.log_out("sales"))
        clock.move(60)
        _, code = await hub.ask("GET", "/instance/connect/sales")
        assert code["code"].startswith("2@")
        clock.move(20)
        gateway.reopen("sales")
        assert await shown(hub) == {"sales": "open", "support": "open"}


async def test_reconnecting_without_end_reads_connecting_after_the_grace_and_a_drop_does_not(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.drop("sales"))
        clock.move(89)
        assert await shown(hub) == {"sales": "open", "support": "open"}
        await hub.tell(HOOK, *gateway.reopen("sales"))
        clock.move(3_600)
        assert await shown(hub) == {"sales": "open", "support": "open"}

        for _ in range(3):
            await hub.tell(HOOK, *gateway.drop("sales"))
            clock.move(30)
        clock.move(1)
        assert await shown(hub) == {"sales": "connecting", "support": "open"}
        gateway.instances["sales"].memory = "open"  # it believes so itself
        assert await state(hub) == "connecting"
        await hub.tell(HOOK, *gateway.reopen("sales"))
        assert (await shown(hub), await state(hub)) == ({"sales": "open", "support": "open"}, "open")


async def test_the_code_that_was_scanned_last_proves_nothing_while_it_connects(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.drop("sales"))
        clock.move(100)
        assert (await hub.get("/instance/connect/sales"))["code"].startswith("2@")
        clock.move(1)
        assert await shown(hub) == {"sales": "connecting", "support": "open"}


@pytest.mark.parametrize("zone", [-3.0, 0.0, 5.5])
async def test_an_old_close_that_is_sent_again_changes_nothing(tmp_path: Path, zone: float) -> None:
    gateway = Evolution(clock := Clock(), zone=zone)
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.reopen("sales"))
        clock.move(600)
        lost = gateway.log_out("sales")
        await hub.tell(HOOK, lost[0])
        clock.move(30)
        await hub.tell(HOOK, *gateway.reopen("sales"))
        for pause in (10, 60, 240):
            clock.move(pause)
            await hub.tell(HOOK, *lost)
            assert await shown(hub) == {"sales": "open", "support": "open"}


async def test_a_deleted_session_is_forgotten_and_may_be_created_anew(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        lost = gateway.log_out("sales")
        await hub.tell(HOOK, *lost)
        clock.move(10)
        assert (await hub.ask("DELETE", "/instance/delete/sales"))[0] == 200
        clock.move(10)
        assert (await hub.ask("POST", "/instance/create", {"instanceName": "sales"}))[0] == 201
        await hub.tell(HOOK, *lost)  # late
        gateway.reopen("sales")
        clock.move(10)
        assert await shown(hub) == {"sales": "open", "support": "open"}


async def test_a_restart_of_the_proxy_keeps_what_counts_and_what_is_yet_to_count(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url:
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            await hub.tell(HOOK, *gateway.log_out("support"), *gateway.drop("sales"))
            gateway.instances["support"].row = "open"
        clock.move(100)
        async with proxied(tmp_path, url, PRESET, clock) as hub:
            assert await shown(hub) == {"sales": "open", "support": "close"}
            clock.move(31)  # what was missed meanwhile had time to come in
            assert await shown(hub) == {"sales": "connecting", "support": "close"}


async def test_messages_of_others_end_the_correction_and_own_ones_do_not(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(HOOK, *gateway.drop("sales"))
        clock.move(200)
        await hub.tell(HOOK, gateway.message("sales", own=True))
        assert (await shown(hub))["sales"] == "connecting"
        await hub.tell(HOOK, gateway.message("sales", own=False))
        assert (await shown(hub))["sales"] == "open"


async def test_events_by_url_are_heard_and_the_gateways_own_routes_are_left_to_it(tmp_path: Path) -> None:
    gateway = Evolution(clock := Clock())
    async with served(*gateway.routes()) as url, proxied(tmp_path, url, PRESET, clock) as hub:
        await hub.tell(f"{HOOK}/connection-update", gateway.log_out("sales")[-1])
        gateway.instances["sales"].row = "open"
        assert (await shown(hub))["sales"] == "close"
        wanted = {"webhook": {"enabled": True, "url": "http://proxy.example/webhook", "events": []}}
        assert await hub.ask("POST", "/webhook/set/sales", wanted) == (201, wanted)
        assert await hub.get("/webhook/find/sales") == wanted


# any order of delivery


def ending(sessions: SessionMap) -> Mapping[str, Any]:
    """What a map shows and knows in the end, as far as it may not depend on the order of delivery."""
    return {
        record.session: (
            record.override and (record.override.at, record.override.transient),
            record.known_at,
            record.verdict,
            record.alive_at,
        )
        for record in sessions.records()
    }


def heard(deliveries: list[tuple[float, Reading]]) -> SessionMap:
    """The map after these deliveries: when each came in, on our clock, and what is read in it."""
    sessions = SessionMap(SETTINGS.session_rules())
    for now, reading in deliveries:
        sessions.judge_transient(now)
        sessions.hear(reading, now, sender_of(HOOK, "10.0.0.2", own=True))
    sessions.judge_transient(NOON + 2 * DAY)
    return sessions


def in_order(readings: list[Reading]) -> list[tuple[float, Reading]]:
    """Each event once, when it was made."""
    return [(made(reading), reading) for reading in readings]


def at_once(readings: list[Reading], random: Random) -> list[tuple[float, Reading]]:
    """When the day is over, in any order, some more than once: the receiver was away all day."""
    shuffled = readings + random.choices(readings, k=len(readings))
    random.shuffle(shuffled)
    return [(NOON + DAY + number / 10, reading) for number, reading in enumerate(shuffled)]


def sent_again(readings: list[Reading], random: Random) -> list[tuple[float, Reading]]:
    """Each event up to ten minutes late, some more than once: as Evolution sends what was not taken."""
    repeated = readings + random.choices(readings, k=len(readings))
    return sorted(((made(one) + random.uniform(0, 600), one) for one in repeated), key=lambda delivery: delivery[0])


def made(reading: Reading) -> float:
    """When an event was made, on our clock: Evolution's lies 3 h behind."""
    assert reading.signal is not None
    assert reading.signal.at is not None
    return reading.signal.at + 3 * HOUR


#: What is read in the events of a few days, in the order in which they were made.
DAYS = [[one for body in day(seed) if (one := read(body, RULES, NOON + DAY)).signal] for seed in range(8)]


@pytest.mark.slow
@settings(max_examples=1_000)
@given(st.sampled_from(DAYS), st.integers(0, 2**32), st.sampled_from([at_once, sent_again]))
def test_a_days_events_end_alike_in_whatever_order_and_however_often_they_come(
    events: list[Reading], seed: int, delivered: Callable[[list[Reading], Random], list[tuple[float, Reading]]]
) -> None:
    assert ending(heard(delivered(events, Random(seed)))) == ending(heard(in_order(events)))
