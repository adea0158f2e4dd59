"""What others did is told to the listener; what it raises is logged, and goes no further."""

import logging

import pytest

from statusproxy.store.listening import tell

LOG = logging.getLogger("statusproxy.store")


def test_the_listener_is_given_all_of_it() -> None:
    heard: list[tuple[str, int]] = []
    tell(lambda word, number: heard.append((word, number)), LOG, "nothing", "a", 1)
    assert heard == [("a", 1)]


def test_without_a_listener_nothing_happens(caplog: pytest.LogCaptureFixture) -> None:
    tell(None, LOG, "nothing", "a")
    assert caplog.text == ""


def test_what_it_raises_is_logged_with_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def broken(word: str) -> None:
        raise RuntimeError(word)

    tell(broken, LOG, "the news could not be applied", "a defect")
    (record,) = caplog.records
    assert record.getMessage() == "state: the news could not be applied"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a defect"
