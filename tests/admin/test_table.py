"""The command line's tables."""

import pytest

from statusproxy.admin.table import history_table, local, sessions_table, state_text


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host lives in UTC for the test."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def session(**more: object) -> dict[str, object]:
    """One session of `/sessions`."""
    return {
        "session": "sales", "shows": "gateway", "since": None, "reason": None, "last_event": None,
        "last_event_at": None, "gateway_said": None, **more,
    }  # fmt: skip


def test_each_session_is_a_line_under_its_heads() -> None:
    lost = session(
        shows="disconnected", since="2026-01-15T19:07:06.490Z", reason="status-find browserClose",
        last_event="status-find", last_event_at="2026-01-15T19:07:06.490Z", gateway_said="connected",
    )  # fmt: skip
    head, first, second = sessions_table({"sessions": [lost, session(session="Front Desk")]}).splitlines()
    assert head.split()[:3] == ["SESSION", "SHOWN", "SINCE"]
    assert first.index("disconnected") == second.index("as gateway says") == head.index("SHOWN")
    assert first.index("2026-01-15 19:07:06") == head.index("SINCE")
    assert first.endswith("connected")


def test_without_sessions_it_says_whether_webhooks_pass_at_all() -> None:
    assert "no webhook has come through" in sessions_table({"sessions": [], "webhook_last_heard": None})
    heard = {"sessions": [], "webhook_last_heard": "2026-01-15T19:07:06.490Z"}
    assert "none about a session" in sessions_table(heard)


def test_the_history_is_a_line_a_change() -> None:
    change = {
        "session": "sales", "change": "started", "reason": "closesession", "at": "2026-01-15T19:07:06.490Z",
        "recorded_at": "2026-01-15T19:07:06.490Z", "gateway_said": None,
    }  # fmt: skip
    head, line = history_table({"history": [change]}).splitlines()
    assert head.split() == ["WHEN", "SESSION", "CHANGE", "WHY", "GATEWAY", "SAID"]
    assert line.split("  ")[0] == "2026-01-15 19:07:06"
    assert line.endswith("–")


def test_an_empty_history_is_said_in_words() -> None:
    assert history_table({"history": []}).startswith("No session was lost or regained")


def test_what_a_terminal_would_obey_is_shown_and_not_sent() -> None:
    text = sessions_table({"sessions": [session(session="evil\x1b[2J\x07\n\u202esales", gateway_said="a\rb")]})
    assert len(text.splitlines()) == 2
    assert not any(mark in text for mark in "\x1b\x07\r\u202e")


def test_a_time_that_never_was_is_a_dash() -> None:
    assert local(None) == "–"


def test_the_state_is_told_in_sentences_with_what_to_do() -> None:
    assert state_text({"store": "ok", "damage": []}) == "The state can be written."
    first, second, third = state_text({"store": "disk full", "damage": [{"text": "it\nwas"}]}).splitlines()
    assert first == "The state cannot be written: disk full"
    assert second == r"Damage: it\nwas"
    assert third.endswith("statusproxy state acknowledge")
