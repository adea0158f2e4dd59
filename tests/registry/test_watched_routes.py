"""What watched routes show: a code or a create is evidence, "connected" counts only after it, a deletion forgets."""

import json
from collections.abc import Awaitable, Sequence

import pytest

from statusproxy.clock import OwnClock
from statusproxy.config.load import loads
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.webhook_stats import WebhookStats
from statusproxy.registry.change_log import ChangeLog
from statusproxy.registry.intake import Intake
from statusproxy.registry.watched_routes import WatchedRoutes
from statusproxy.registry.webhook_outcomes import WebhookOutcomes
from statusproxy.status.model import Change, Evidence
from tests.pictures import PNG, PNG_URL
from tests.status.maps import down, in_force, override

CODE, CONNECTED = {"qr": PNG_URL}, {"success": True, "qr": None, "status": "CONNECTED"}


class Stage:
    """A map in which `sales` is lost, with what was followed and what could not be read; the time stands still."""

    def __init__(self) -> None:
        self.sessions = down("sales")
        self.time = 150.0
        self.followed: list[Change] = []
        self.unread: list[tuple[str, str]] = []
        self.rules = loads("gateway: http://127.0.0.1:3000").signal_rules()
        outcomes = WebhookOutcomes(Metrics(), WebhookStats(), ChangeLog(lambda session, said: None))
        self.intake = Intake(self.sessions, self.rules, outcomes, self.follow, self.written, lambda *_: None)
        clock = OwnClock(lambda: self.time, lambda: self.time)
        self.watched = WatchedRoutes(
            self.sessions, clock, self.intake, self.follow, lambda *what: self.unread.append(what)
        )

    def follow(self, changes: Sequence[Change]) -> Awaitable[None]:
        self.followed += changes
        return self.written()

    async def written(self) -> None:
        """Durable at once."""

    async def qr(self, answer: object, *, image: bool = False, asked_at: float | None = None) -> bool:
        """The QR route answers; whether there is something to await."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.time += 1
        durable = self.watched.qr_answered("sales", body, image, self.time if asked_at is None else asked_at)
        if durable is not None:
            await durable
        return durable is not None


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(("answer", "image"), [(CODE, False), (PNG, True)])
async def test_a_code_shows_that_the_gateway_knows_and_ends_nothing(stage: Stage, answer: object, image: bool) -> None:
    assert await stage.qr(answer, image=image)
    assert override(stage.sessions, "sales").caught_up is Evidence.QR
    assert stage.followed == []


async def test_the_qr_routes_own_connected_ends_a_correction_only_after_a_code(stage: Stage) -> None:
    await stage.qr(CONNECTED)
    assert in_force(stage.sessions) == {"sales"}
    await stage.qr(CODE)
    await stage.qr(CONNECTED, asked_at=100.0)
    assert in_force(stage.sessions) == {"sales"}, "asked for before the code"
    await stage.qr(CONNECTED)
    assert in_force(stage.sessions) == set()
    assert [change.session for change in stage.followed] == ["sales"]


async def test_an_answer_without_code_or_connected_says_nothing(stage: Stage) -> None:
    assert not await stage.qr({"status": "INITIALIZING"})
    assert (stage.unread, override(stage.sessions, "sales").caught_up) == ([], None)


@pytest.mark.parametrize(("answer", "image"), [(b"<html>", False), (PNG, False), (b"<html>", True)])
async def test_a_qr_answer_that_cannot_be_read_is_told_and_changes_nothing(
    stage: Stage, answer: bytes, image: bool
) -> None:
    assert not await stage.qr(answer, image=image)
    assert stage.unread == [("qr", "not-json")]
    assert override(stage.sessions, "sales").caught_up is None


async def test_a_code_is_looked_for_by_the_rules_in_force(stage: Stage) -> None:
    assert not await stage.qr({"our_code": PNG_URL})
    stage.intake.rules = loads("gateway: http://127.0.0.1:3000\ndialect: {qr: [our_code]}").signal_rules()
    assert await stage.qr({"our_code": PNG_URL})


async def test_a_session_that_is_created_was_seen_to_be_gone(stage: Stage) -> None:
    durable = stage.watched.created("sales", 150.0)
    assert durable is not None
    await durable
    assert override(stage.sessions, "sales").caught_up is Evidence.CREATED


async def test_a_deleted_session_is_forgotten(stage: Stage) -> None:
    durable = stage.watched.deleted("sales", 150.0)
    assert durable is not None
    await durable
    assert in_force(stage.sessions) == set()
    assert [change.reason for change in stage.followed] == ["deleted"]
