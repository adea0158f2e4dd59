"""The presets of gateways whose list and events come from the same variable: what they read, and their stories."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from statusproxy.config.layers import about
from statusproxy.config.load import loads
from statusproxy.detection.catalogue import shipped
from statusproxy.detection.signs import Fit
from statusproxy.status.created import proves_start
from tests.pictures import PNG_URL
from tests.presets.gateways import ALL, Facts, Gateway, Members, What
from tests.presets.stage import Caller, Clock, proxied
from tests.rehearsal.golden import goldens, played, promised
from tests.stand_ins.served import served

HERE = Path(__file__).parent
PRESETS = [*dict.fromkeys(facts.preset for facts in ALL), "gowa"]

each = pytest.mark.parametrize("facts", ALL, ids=str)
each_that_drops = pytest.mark.parametrize("facts", [facts for facts in ALL if facts.dropped is not None], ids=str)
each_that_shows_codes = pytest.mark.parametrize("facts", [facts for facts in ALL if facts.qr is not None], ids=str)


# what `try` makes of their traffic

GOLDENS = [file for preset in PRESETS for file in goldens(HERE / preset)]


@pytest.mark.parametrize("file", GOLDENS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_what_try_makes_of_its_traffic(file: Path) -> None:
    assert played(file) == promised(file)


@pytest.mark.parametrize("file", GOLDENS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_no_secret_and_no_number_of_a_body_is_told(file: Path) -> None:
    assert not any(private in promised(file) for private in ("example-secret", "55000000000", "Example"))


@pytest.mark.parametrize("preset", PRESETS)
def test_it_says_what_it_is_for(preset: str) -> None:
    said = about(preset)
    assert said is not None
    assert all((said.title, said.versions, said.webhook, said.adds, said.cannot))


LISTED = [preset for preset in PRESETS if (HERE / preset / "list.json").exists()]


@pytest.mark.parametrize("preset", LISTED)
def test_its_list_tells_it_from_the_other_gateways(preset: str) -> None:
    document = json.loads((HERE / preset / "list.json").read_bytes())
    fitting = [one.preset for one in shipped() if any(sign.fit(document) is Fit.YES for sign in one.signs)]
    assert fitting == [preset]


# their stories


class Story:
    """One gateway, the proxy in front of it, and a hub; the time is the test's."""

    def __init__(self, facts: Facts, gateway: Gateway, clock: Clock, hub: Caller) -> None:
        self.facts, self.gateway, self.clock, self.hub = facts, gateway, clock, hub

    async def happens(self, *what: What) -> None:
        """Something happens, and ten seconds pass."""
        for one in what:
            await self.hub.tell(self.facts.hook, self.facts.event(one, self.clock.now))
            self.clock.move(10)

    async def reads(self) -> Members:
        """What clients read of `sales`, the same on each route; the other session reads connected."""
        found = [
            self._of(await self.hub.get(route)) for route in (self._route(self.facts.route), self._single) if route
        ]
        assert found[0] == found[-1]
        return found[0]

    @property
    def _single(self) -> str | None:
        return self.facts.single and self._route(self.facts.single)

    def _route(self, route: str) -> str:
        return route.replace("{id}", self.facts.sales)

    def _of(self, answer: Any) -> Members:
        objects = answer.get("data", answer) if isinstance(answer, dict) else answer
        sales, *others = objects if isinstance(objects, list) else [objects]
        assert all(self.facts.up.items() <= other.items() for other in others)
        return {name: sales[name] for name in self.facts.up}


@asynccontextmanager
async def playing(facts: Facts, folder: Path, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Story]:
    """A story's beginning: all is connected. With the same folder and clock: the proxy after a restart."""
    gateway, clock = Gateway(facts), clock or Clock()
    async with (
        served(*gateway.routes()) as url,
        proxied(folder, url, facts.preset, clock, **_filled_in(settings, url)) as hub,
    ):
        yield Story(facts, gateway, clock, hub)


def _filled_in(settings: Any, url: str) -> Any:
    if isinstance(settings, dict):
        return {name: _filled_in(value, url) for name, value in settings.items()}
    if isinstance(settings, list):
        return [_filled_in(value, url) for value in settings]
    return settings.replace("URL", url) if isinstance(settings, str) else settings


@each
async def test_a_lost_session_reads_so_until_it_is_back(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("back")
        assert await story.reads() == facts.up
        await story.happens("lost")
        assert await story.reads() == facts.down
        await story.happens("back")
        assert await story.reads() == facts.up


@each
async def test_a_lost_session_reads_so_after_a_restart(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost")
    async with playing(facts, tmp_path, story.clock) as again:
        assert await again.reads() == facts.down


@each
async def test_messages_of_its_own_do_not_bring_a_session_back_and_others_do(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost")
        story.clock.move(60)
        await story.happens("own")
        assert await story.reads() == facts.down
        await story.happens("message")
        assert await story.reads() == facts.up


@each
async def test_once_the_gateway_knows_its_own_words_count_again(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost")
        story.gateway.says = facts.known
        words = await story.reads()
        assert words == ({**facts.down, **facts.known} if "state" in facts.up or "status" in facts.up else facts.down)
        story.clock.move(10)
        story.gateway.says = facts.up
        assert await story.reads() == facts.up


@each_that_drops
async def test_a_drop_counts_once_it_has_lasted(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("back", "dropped", "back")
        story.clock.move(3_600)
        assert await story.reads() == facts.up
        await story.happens("dropped")
        story.clock.move(78)
        assert await story.reads() == facts.up
        story.clock.move(3)
        assert await story.reads() == facts.dropped
        await story.happens("back")
        assert await story.reads() == facts.up


@each_that_drops
async def test_a_drop_lasts_through_a_restart(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("dropped")
    story.clock.move(90)
    async with playing(facts, tmp_path, story.clock) as again:
        assert await again.reads() == facts.up, "its end may have been sent while the proxy was down"
        story.clock.move(200)
        assert await again.reads() == facts.dropped


@each_that_drops
async def test_a_drop_never_weakens_a_loss(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost", "dropped")
        assert await story.reads() == facts.down


@pytest.mark.parametrize("facts", [facts for facts in ALL if facts.dropped is None], ids=str)
async def test_words_on_the_way_to_a_connection_say_nothing(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("dropped")
        story.clock.move(3_600)
        assert await story.reads() == facts.up


@each_that_shows_codes
async def test_after_a_scan_whose_event_was_lost_the_list_counts_again(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost")
        assert facts.qr is not None
        await story.hub.get(facts.qr[0].replace("{id}", facts.sales))
        story.clock.move(20)
        assert await story.reads() == facts.up


@each
async def test_a_session_that_was_deleted_and_made_anew_reads_as_the_gateway_says(facts: Facts, tmp_path: Path) -> None:
    async with playing(facts, tmp_path) as story:
        await story.happens("lost")
        method, route, _ = facts.delete
        status, _ = await story.hub.ask(method, route.replace("{id}", facts.sales))
        assert status in {200, 204}
        story.clock.move(10)
        assert await story.reads() == facts.up


# their taps


@each
async def test_its_tap_can_send_the_events_on_as_they_came(facts: Facts, tmp_path: Path) -> None:
    onwards = [{"path": "/webhook/**", "forward_to": "URL/hub/**"}]
    async with playing(facts, tmp_path, webhooks=onwards) as story:
        await story.happens("lost")
        (came,) = story.gateway.inbox
        assert came[0] == facts.hook.replace("/webhook", "/hub")
        assert await story.reads() == facts.down


async def test_wuzapis_own_route_below_webhook_stays_its_own(tmp_path: Path) -> None:
    facts = next(facts for facts in ALL if facts.preset == "wuzapi")
    async with playing(facts, tmp_path) as story:
        for method in ("POST", "GET", "PUT", "DELETE"):
            assert (await story.hub.ask(method, "/webhook"))[1] == {"success": True}
        assert story.gateway.own == ["POST", "GET", "PUT", "DELETE"]


def test_gowa_corrects_nothing_since_nothing_tells_of_a_loss() -> None:
    settings = loads("gateway: http://127.0.0.1:3000\npreset: gowa")
    assert (settings.webhooks, settings.events) == ((), ())
    assert [channels.path for channels in settings.channels] == ["/devices", "/devices/{session}"]


# what the answers to their starts and deletions prove


@pytest.mark.parametrize(
    ("preset", "answer", "proves"),
    [
        ("waha", {"name": "sales", "status": "STARTING", "engine": {"engine": "NOWEB"}}, True),
        ("waha", {"name": "sales", "status": "WORKING", "engine": {"engine": "NOWEB"}}, False),
        ("wwebjs-api", {"success": True, "message": "Session initiated successfully"}, True),
        ("wwebjs-api", {"success": True, "message": "Restarted successfully"}, True),
        ("wwebjs-api", {"success": False, "message": "Session already exists for: sales"}, False),
        ("openwa", {"id": "s1", "name": "sales", "status": "initializing"}, True),
        ("openwa", {"id": "s1", "name": "sales", "status": "ready"}, False),
        ("baileys-api", {"qr": PNG_URL}, True),
        ("baileys-api", {"error": "Session already exists"}, False),
    ],
)
def test_a_start_proves_something_unless_its_answer_claims_a_connection(
    preset: str, answer: dict[str, Any], proves: bool
) -> None:
    settings = loads(f"gateway: http://127.0.0.1:3000\npreset: {preset}")
    connected = settings.channels[0].rule().connected
    assert proves_start(json.dumps(answer).encode(), connected, settings.dialect.qr) is proves
