"""Which sessions are real: the map is told from the lists that are kept, each once, with turns for others."""

import asyncio
import json

from statusproxy.registry.confirmation import Confirmation
from statusproxy.registry.gateway_view import GatewayView
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.model import Record
from statusproxy.status.sessions import SessionMap
from tests.status.test_channels import LIST, ONE


def known(*names: str) -> SessionMap:
    sessions = SessionMap()
    sessions.load([Record(name) for name in names])
    return sessions


def noted(view: GatewayView, *names: str) -> None:
    channels = [{"id": name, "status": "connected"} for name in names]
    view.note(json.dumps({"channels": channels}).encode(), LIST, None, 1.0)


def confirmed(sessions: SessionMap) -> set[str]:
    return {record.session for record in sessions.records() if record.confirmed}


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_map_is_told_which_sessions_the_list_names() -> None:
    sessions, view = known("sales", "made up"), GatewayView()
    noted(view, "sales", "support")
    view.note(b'{"channel":{"id":"made up","status":"connected"}}', ONE, "made up", 1.0)
    confirmation = Confirmation(sessions, view)
    confirmation.begin()
    assert confirmed(sessions) == set(), "it returns at once"
    await turns()
    assert confirmed(sessions) == {"sales"}, "what one channel's answer says may be what was asked for"


async def test_a_list_is_read_once_and_another_again() -> None:
    sessions, view = known("sales", "support"), GatewayView()
    noted(view, "sales")
    confirmation = Confirmation(sessions, view)
    confirmation.begin()
    await turns()
    sessions.load([Record("sales")])
    confirmation.begin()
    await turns()
    assert confirmed(sessions) == set()
    noted(view, "sales", "support")
    confirmation.begin()
    await turns()
    assert confirmed(sessions) == {"sales", "support"}


async def test_of_what_is_under_way_there_is_one_and_the_next_takes_what_came_meanwhile() -> None:
    sessions, view = known("sales", "support"), GatewayView()
    noted(view, "sales")
    confirmation = Confirmation(sessions, view)
    confirmation.begin()
    noted(view, "support")
    confirmation.begin()
    await turns()
    confirmation.begin()
    await turns()
    assert "support" in confirmed(sessions)


async def test_a_long_list_is_taken_in_with_turns_for_others() -> None:
    names = [f"s{number}" for number in range(1_000)]
    sessions, view = known(*names), GatewayView()
    noted(view, *names)
    (listing,) = view.lists()
    reading = len(list(ChannelList(listing.body, LIST).steps()))
    Confirmation(sessions, view).begin()
    seen = [0]
    while seen[-1] < len(names):
        await asyncio.sleep(0)
        seen.append(len(confirmed(sessions)))
    assert seen == [0] * (1 + reading) + [256, 512, 768, 1_000]


async def test_an_end_stops_what_is_under_way() -> None:
    sessions, view = known(*(f"s{number}" for number in range(1_000))), GatewayView()
    noted(view, *(f"s{number}" for number in range(1_000)))
    confirmation = Confirmation(sessions, view)
    await confirmation.close()
    confirmation.begin()
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    await confirmation.close()
    assert asyncio.all_tasks() == {asyncio.current_task()} < before, "it is waited for"
    count = len(confirmed(sessions))
    await turns()
    assert len(confirmed(sessions)) == count < 1_000
