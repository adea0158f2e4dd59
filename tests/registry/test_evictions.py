"""Sessions that were forgotten for lack of room are counted, and said once a minute."""

import logging

import pytest

from statusproxy.registry.evictions import Evictions
from statusproxy.status.model import SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Verdict


class Case:
    """A map with room for one session, and what was counted of it."""

    def __init__(self) -> None:
        self.sessions = SessionMap(SessionRules(max_sessions=1))
        self.counts: list[int] = []
        self.evictions = Evictions(self.sessions, self.counts.append)
        self.heard = 0

    def hear(self, now: float, sessions: int) -> None:
        """So many new sessions are heard of at once, and looked for."""
        for _ in range(sessions):
            self.heard += 1
            self.sessions.hear(Reading(Verdict.NOTHING, "message", f"s{self.heard}"), now)
        self.evictions.look(now)


@pytest.fixture
def case(caplog: pytest.LogCaptureFixture) -> Case:
    caplog.set_level(logging.INFO, "statusproxy")
    return Case()


def test_nothing_is_told_while_there_is_room(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.hear(1_000.0, 1)
    case.evictions.overdue(1_000.0)
    assert (case.counts, caplog.messages) == ([], [])


def test_forgotten_sessions_are_said_once_a_minute_with_their_number(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case.hear(1_000.0, 2)
    for number in range(1, 120):
        case.hear(1_000.0 + number, 2)
    assert case.counts == [1] + [2] * 119
    assert [line.partition(":")[0] for line in caplog.messages] == ["1 session forgotten", "120 sessions forgotten"]
    case.evictions.overdue(1_119.0)
    assert len(caplog.messages) == 2
    case.evictions.overdue(1_120.0)
    assert caplog.messages[2] == (
        "118 sessions forgotten: there is room for 1 (sessions.max_sessions); "
        "those in the gateway's list are forgotten last"
    )
    record = caplog.records[2]
    assert (record.__dict__["forgotten"], record.__dict__["room"], record.levelname) == (118, 1, "WARNING")
    case.evictions.overdue(2_000.0)
    assert len(caplog.messages) == 3


def test_a_clock_that_was_set_back_silences_nothing(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    case.hear(10_000.0, 2)
    case.hear(1_000.0, 1)
    assert len(caplog.messages) == 2
