"""Lines about sessions: one for each change, until there are too many."""

import logging

import pytest

from statusproxy.observe.logs import NOTICE
from statusproxy.registry import change_log as module
from statusproxy.registry.change_log import SENDERS_AHEAD, ChangeLog
from statusproxy.status.model import Change


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "statusproxy")


def lost(session: str) -> Change:
    return Change(session, "started", "close", 1.0, 1.0)


def test_each_change_has_its_line(caplog: pytest.LogCaptureFixture) -> None:
    later = [Change("sales", what, "alive", 1.0, 1.0) for what in ("repeated", "released")]
    ChangeLog().changed([lost("sales"), *later], 1_000.0)
    assert caplog.messages == [
        "sales: disconnected (close); will be shown as disconnected",
        "sales: reported as disconnected again (alive)",
        "sales: no longer shown as disconnected (alive)",
    ]


def test_a_loss_is_told_with_the_word_that_answers_read_where_it_is_another(caplog: pytest.LogCaptureFixture) -> None:
    words = {"a": "connecting", "b": "Disconnected"}
    log = ChangeLog(lambda session, said: words.get(session))
    log.changed([lost(session) for session in "abc"] + [Change("a", "released", "alive", 1.0, 1.0)], 1_000.0)
    for session in "abc":
        log.first_shown(session, 1_000.0)
    assert caplog.messages == [
        "a: disconnected (close); will be shown as disconnected: answers will read connecting",
        "b: disconnected (close); will be shown as disconnected",
        "c: disconnected (close); will be shown as disconnected",
        "a: no longer shown as disconnected (alive)",
        "a: shown as disconnected from now on: answers read connecting",
        "b: shown as disconnected from now on",
        "c: shown as disconnected from now on",
    ]
    said = [(vars(record)["change"], vars(record).get("reads")) for record in caplog.records]
    assert said == [
        ("started", "connecting"), ("started", None), ("started", None), ("released", None),
        ("shown", "connecting"), ("shown", None), ("shown", None),
    ]  # fmt: skip


def test_a_loss_is_a_warning_a_return_is_a_notice_and_a_repetition_is_news(caplog: pytest.LogCaptureFixture) -> None:
    ChangeLog().changed([Change("sales", what, "", 1.0, 1.0) for what in ("started", "repeated", "released")], 1_000.0)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.INFO, NOTICE]


def test_three_hundred_sessions_that_fall_at_once_have_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    ChangeLog().changed([lost(f"s{number}") for number in range(300)], 1_000.0)
    assert len(caplog.messages) == 300


def test_beyond_a_bound_lines_are_counted_and_the_count_is_said_after_the_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINES", 3)
    log = ChangeLog()
    log.changed([lost(f"s{number}") for number in range(5)], 1_000.0)
    log.ignored("s1", "close", "late", 1_001.0)
    assert len(caplog.messages) == 3
    log.overdue(1_059.0)
    assert len(caplog.messages) == 3
    log.overdue(1_060.0)
    assert caplog.messages[3] == (
        "3 more lines about sessions were left out within a minute; the history has every change"
    )
    log.changed([lost(f"s{number}") for number in (7, 8, 9)], 1_061.0)
    log.overdue(1_120.0)
    assert [line[:4] for line in caplog.messages[4:]] == ["s7: ", "s8: ", "s9: "], "as many again, and none left out"


def test_a_clock_that_was_set_back_silences_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINES", 1)
    log = ChangeLog()
    log.changed([lost("a")], 10_000.0)
    log.changed([lost("b")], 1_000.0)
    assert [line[0] for line in caplog.messages] == ["a", "b"]


def test_the_minute_is_not_begun_anew_while_it_lasts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINES", 1)
    log = ChangeLog()
    log.changed([lost("a")], 1_000.0)
    log.overdue(1_000.0)
    log.changed([lost("b")], 1_000.0)
    assert [line[0] for line in caplog.messages] == ["a"]
    log.changed([lost("c")], 1_060.0)
    assert [line[0] for line in caplog.messages if line[0] != "1"] == ["a", "c"]


def test_no_line_shows_a_whole_phone_number(caplog: pytest.LogCaptureFixture) -> None:
    log = ChangeLog()
    log.changed([lost("5500000001000")], 1_000.0)
    log.ignored("5500000001000", "close", "late", 1_000.0)
    assert "5500000001000" not in caplog.text


def test_a_session_is_said_to_be_shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES", 1)
    log = ChangeLog()
    log.first_shown("5500000001000", 1_000.0)
    log.first_shown("sales", 1_000.0)
    assert caplog.messages == ["…1000: shown as disconnected from now on"]
    assert caplog.records[0].__dict__["change"] == "shown"


def test_white_space_at_the_edge_of_an_id_shows_in_every_line(caplog: pytest.LogCaptureFixture) -> None:
    log = ChangeLog()
    log.changed([lost("SALES ")], 1_000.0)
    log.first_shown("SALES ", 1_000.0)
    log.ignored("SALES ", "close", "late", 1_000.0)
    assert [message.partition(": ")[0] for message in caplog.messages] == ['"SALES "'] * 3
    assert [record.__dict__["session"] for record in caplog.records] == ["SALES "] * 3  # for machines, as it is


def test_an_event_that_is_ignored_is_said_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    ChangeLog().ignored("sales", "close", "late", 1_000.0)
    assert caplog.messages == ["sales: close event ignored: late"]
    (record,) = caplog.records
    assert (record.__dict__["session"], record.__dict__["event"], record.__dict__["verdict"]) == (
        "sales",
        "close",
        "late",
    )


def test_a_change_of_an_unknown_kind_is_said_plainly(caplog: pytest.LogCaptureFixture) -> None:
    ChangeLog().changed(
        [Change("sales", "forgotten", "operator", 1.0, 1.0), Change("a", "new", "x", 5.0, 1.0)], 1_000.0
    )
    assert caplog.messages == ["sales: forgotten (operator)", "a: x"]
    assert (caplog.records[1].__dict__["at"], caplog.records[1].__dict__["reason"]) == (5.0, "x")


def test_a_sender_dated_too_far_ahead_is_told_of_once_and_so_many_at_most(caplog: pytest.LogCaptureFixture) -> None:
    said = ChangeLog()
    for _ in range(2):
        for number in range(2 * SENDERS_AHEAD):
            said.dated_ahead(f"10.0.0.{number}", "/in", 10_800.4)
    assert len(caplog.messages) == SENDERS_AHEAD
    assert caplog.messages[0].startswith(
        "10.0.0.0 sends events on /in with times 10800 s ahead of this machine's clock;"
    )
    assert caplog.records[0].levelno == logging.WARNING
