"""Which receivers are tried at all."""

import pytest

from statusproxy.spool.receivers import Receivers
from tests.spool.fakes import FAILED, NO_ANSWER, NOT_SENT, TAKEN, Clock, refused


def test_a_receiver_of_which_nothing_is_known_takes_everything() -> None:
    receivers = Receivers(Clock().own)
    receivers.begin("gateway", "a")
    assert (receivers.takes("gateway"), receivers.lets("gateway"), receivers.away) == (True, True, {})
    assert receivers.ended("gateway", "a", TAKEN) is False


def test_one_that_is_away_gets_a_probe_at_a_time_until_it_answers() -> None:
    clock = Clock(1000.0)
    receivers = Receivers(clock.own)
    assert receivers.ended("gateway", "a", NOT_SENT) is False
    assert (receivers.takes("gateway"), receivers.takes("hub"), receivers.lets("gateway")) == (False, True, False)
    assert {name: int(since) for name, since in receivers.away.items()} == {"gateway": 1000}
    assert int(receivers.probe_at("gateway")) == 1001
    clock.wait(1.1)
    assert receivers.lets("gateway")
    receivers.begin("gateway", "a")
    assert not receivers.lets("gateway")
    assert receivers.ended("gateway", "a", refused(404)) is True
    assert (receivers.takes("gateway"), receivers.away) == (True, {})


def test_one_that_is_reached_again_is_tried_at_once() -> None:
    receivers = Receivers(Clock().own)
    receivers.reached("gateway")
    receivers.ended("gateway", "a", NOT_SENT)
    receivers.reached("hub")
    assert not receivers.lets("gateway")
    receivers.reached("gateway")
    assert (receivers.lets("gateway"), receivers.takes("gateway")) == (True, False)


def test_refusals_are_counted_until_another_answer() -> None:
    receivers = Receivers(Clock().own)
    for queue in ("a", "b"):
        receivers.ended("gateway", queue, refused(503))
    assert receivers.takes("gateway")
    assert receivers.ended("gateway", "c", TAKEN) is False  # it was not away
    receivers.ended("gateway", "c", refused(503))
    receivers.ended("gateway", "d", FAILED)
    assert receivers.takes("gateway")


def test_the_log_says_once_when_it_went_away_and_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    receivers = Receivers(Clock().own)
    with caplog.at_level("INFO"):
        for attempt in (NO_ANSWER, NO_ANSWER, TAKEN, TAKEN):
            receivers.ended("gateway", "a", attempt)
        for queue in ("a", "b", "c"):
            receivers.ended("gateway", queue, refused(502))
    assert [record.getMessage() for record in caplog.records] == [
        "spool: gateway does not accept events (no-answer): they are kept",
        "spool: gateway accepts events again",
        "spool: gateway does not accept events (502): they are kept",
    ]
