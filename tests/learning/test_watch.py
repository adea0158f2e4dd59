"""Learning from a running proxy's traffic: on for a while, bounded, and never an error for the traffic."""

import json
import logging

import pytest

from statusproxy.learning.observation import Observation
from statusproxy.learning.watch import LARGEST_ANSWER, LARGEST_EVENT, PER_SECOND, Watch
from tests.hand_clock import HandClock
from tests.learning.traffic import LIST, link

EVENT = json.dumps(link("sales", "up")).encode()
ANSWER = json.dumps(LIST).encode()


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_768_504_026.0)


@pytest.fixture
def watch(clock: HandClock) -> Watch:
    watch = Watch(clock)
    watch.start(3600.0)
    return watch


def drafted(watch: Watch) -> str:
    pieces = watch.draft(())
    assert pieces is not None
    return "".join(pieces)


def test_it_is_off_until_it_is_started(clock: HandClock) -> None:
    watch = Watch(clock)
    watch.event(EVENT, "/hook")
    watch.answer(ANSWER, "/api/boxes")
    assert (watch.on, watch.running, watch.counts, watch.draft(()), watch.stop()) == (False, False, (0, 0), None, False)


def test_events_and_answers_become_a_draft(watch: Watch) -> None:
    watch.answer(ANSWER, "/api/boxes")
    watch.answer(ANSWER, "/api/{session}/boxes", configured=True)
    watch.event(EVENT, "/hook")
    assert watch.counts == (1, 2)
    text = drafted(watch)
    assert "  - path: /hook    # 1 event\n" in text
    assert "within 5 s of our clock" in text
    assert "/api/{session}/boxes" in text


def test_it_ends_by_itself_and_keeps_what_it_learned(watch: Watch, clock: HandClock) -> None:
    watch.event(EVENT, "/hook")
    clock.now += 3600
    watch.event(EVENT, "/hook")
    assert (watch.on, watch.counts, watch.until) == (False, (1, 0), clock.now)
    assert "linkState" in drafted(watch)


def test_stopping_forgets_what_was_learned(watch: Watch, clock: HandClock) -> None:
    watch.event(EVENT, "/hook")
    clock.now += 5
    assert watch.stop()
    assert (watch.on, watch.draft(()), watch.until) == (False, None, clock.now)


def test_starting_again_forgets_what_was_learned(watch: Watch) -> None:
    watch.event(EVENT, "/hook")
    watch.start(60.0)
    assert watch.counts == (0, 0)


def test_of_many_events_in_a_second_some_are_skipped(watch: Watch, clock: HandClock) -> None:
    for _ in range(PER_SECOND + 5):
        watch.event(EVENT, "/hook")
    assert (watch.counts, watch.skipped) == ((PER_SECOND, 0), 5)
    clock.now += 1
    watch.event(EVENT, "/hook")
    assert watch.counts == (PER_SECOND + 1, 0)


@pytest.mark.parametrize("body", [b"", b"no json", b" " * (LARGEST_EVENT + 1)])
def test_events_that_cannot_be_read_or_are_too_large_are_counted(watch: Watch, body: bytes) -> None:
    watch.event(body, "/hook")
    assert (watch.counts, watch.skipped, watch.on) == ((0, 0), 1, True)


@pytest.mark.parametrize("body", [b"no json", b"[" * 10_000, b"1" * (LARGEST_ANSWER + 1)])
def test_answers_that_cannot_be_read_or_are_too_large_are_counted(watch: Watch, body: bytes) -> None:
    watch.answer(body, "/api/boxes")
    assert (watch.counts, watch.skipped, watch.on) == ((0, 0), 1, True)


@pytest.mark.parametrize("what", ["event", "answer"])
def test_an_error_ends_learning_and_its_text_is_not_told(
    watch: Watch, what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("planted-1")

    monkeypatch.setattr(Observation, what, fail)
    with caplog.at_level(logging.ERROR):
        getattr(watch, what)(EVENT, "/hook")
    assert (watch.on, watch.failure) == (False, "KeyError")
    assert "planted-1" not in caplog.text
    assert "learning ended with an error: KeyError" in caplog.text


def test_of_a_large_body_fewer_documents_are_looked_at(watch: Watch) -> None:
    small, large = [{"event": "open"}] * 9, [{"event": "open", "text": "x" * 2000}] * 9
    watch.event(json.dumps(small).encode(), "/hook")
    watch.event(json.dumps(large).encode(), "/hook")
    assert watch.counts == (5 + 2, 0)
