"""Every target and the heartbeat tried once, without a running proxy."""

from aiohttp import web

from statusproxy.alerts.service import new_id
from statusproxy.alerts.text import Reader
from statusproxy.alerts.trial import Trial, try_all
from statusproxy.config.alerts import Alerts, AlertTarget
from tests.alerts.receiver import receiving


async def test_each_target_is_tried_and_so_is_the_heartbeat() -> None:
    async with receiving() as receiver:
        targets = tuple(AlertTarget(webhook=f"{receiver.url}{path}") for path in ("/a", "/b"))
        receiver.answer = lambda: web.Response(status=204 if receiver.came[-1].path == "/a" else 404)
        trial = await try_all(Alerts(to=targets, heartbeat=f"{receiver.url}/k3y"), Reader(), new_id)
        one, two = (f"{targets[0].name} ({number})" for number in (1, 2))
        assert trial == Trial([(one, None), (two, "it answered 404 Not Found")], "it answered 404")
        assert sorted(each.path for each in receiver.came) == ["/a", "/b", "/k3y"]


async def test_without_a_heartbeat_none_is_asked() -> None:
    assert await try_all(Alerts(), Reader(), new_id) == Trial([], None)
