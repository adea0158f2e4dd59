"""The command line's tables."""

import re

import pytest
from msgspec.structs import replace

from statusproxy.admin.messages import DamageLine, History, Learned, Session, Sessions, State, read
from statusproxy.admin.table import history_table, learned_text, local, sessions_table, state_text


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host lives in UTC for the test."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def session(**more: object) -> Session:
    """One session of `/sessions`."""
    return read({"session": "sales", "shows": "gateway", **more}, Session)


def sessions(*known: Session, **more: object) -> Sessions:
    """`/sessions` with these."""
    return replace(read({"sessions": [], **more}, Sessions), sessions=list(known))


def history(**line: object) -> History:
    """`/history` with one line."""
    return read({"history": [line]}, History)


def test_each_session_is_a_line_under_its_heads() -> None:
    lost = session(
        shows="disconnected", shown_at="2026-01-15T19:07:07.000Z", since="2026-01-15T19:07:06.490Z",
        reason="status-find browserClose", last_event="status-find", last_event_at="2026-01-15T19:07:06.490Z",
        gateway_said="connected",
    )  # fmt: skip
    head, first, second = sessions_table(sessions(lost, session(session="Front Desk"))).splitlines()
    assert re.split("  +", head)[:4] == ["SESSION", "STATE", "LIST SHOWS", "SINCE"]
    assert first.index("disconnected") == second.index("as gateway says") == head.index("LIST SHOWS")
    assert first.index("2026-01-15 19:07:06") == head.index("SINCE")
    assert first.endswith("connected")


def test_white_space_at_the_edge_of_an_id_shows() -> None:
    assert '\n"sales "  ' in sessions_table(sessions(session(session="sales ")))
    line = {"at": "2026-01-15T19:07:06.490Z", "session": " sales", "change": "started", "reason": "close"}
    assert '  " sales"  ' in history_table(history(**line))
    assert history_table(History([]), "sales ") == '"sales " was not lost in the period that the history covers.'


def test_a_channel_that_the_list_spells_in_another_way_stands_behind_the_id() -> None:
    desk = session(session="frontdesk", channel="Front Desk")
    _, first, second = sessions_table(sessions(desk, session(channel="sales"))).splitlines()
    assert (first.split("  ")[0], second.split("  ")[0]) == ("frontdesk (Front Desk)", "sales")
    assert '\nfrontdesk ("Front Desk ")  ' in sessions_table(sessions(replace(desk, channel="Front Desk ")))


def test_what_no_answer_has_shown_yet_only_will_be() -> None:
    lost = session(shows="disconnected", shown_at=None, since="2026-01-15T19:07:06.490Z", reason="closesession")
    _, line = sessions_table(sessions(lost)).splitlines()
    assert re.split("  +", line)[2] == "will be disconnected"


@pytest.mark.parametrize(
    ("reads", "shown", "will_be"),
    [
        ("connecting", "connecting", "will read connecting"),
        ("CLOSED", "CLOSED", "will read CLOSED"),
        ("connected: false", "connected: false", "will read connected: false"),
        ("Disconnected", "disconnected", "will be disconnected"),
        (None, "disconnected", "will be disconnected"),
    ],
)
def test_a_lost_session_is_shown_by_the_word_that_answers_read(reads: str | None, shown: str, will_be: str) -> None:
    since = "2026-01-15T19:07:06.490Z"
    for shown_at, said in ((since, shown), (None, will_be)):
        lost = session(shows="disconnected", reads=reads, shown_at=shown_at, since=since)
        _, line = sessions_table(sessions(lost)).splitlines()
        assert re.split("  +", line)[2:4] == [said, "2026-01-15 19:07:06"]


def test_without_sessions_it_says_whether_webhooks_pass_at_all() -> None:
    assert "no webhook has come through" in sessions_table(sessions())
    heard = sessions(webhook_last_heard="2026-01-15T19:07:06.490Z")
    assert "none about a session" in sessions_table(heard)


COUNTS = {"lost": 1, "reported_down": 0, "needs_qr": 2, "connected": 0, "unknown": 0, "of a later version": 1}


def test_how_a_session_stands_is_told_in_words_and_counted() -> None:
    known = [
        session(state="lost", shows="disconnected", shown_at="2026-01-15T19:07:06.490Z", listed=True),
        session(state="needs_qr", list_shows="qr_required", listed=True),
        session(state="needs_qr", list_shows="starting"),
        session(state="of a later version"),
    ]
    seen = sessions(*known, counts=COUNTS, list_seen_at="2026-01-15T19:07:06.490Z")
    _, *lines, empty, totals = sessions_table(seen).splitlines()
    assert [re.split("  +", line)[1:3] for line in lines] == [
        ["lost", "disconnected"],
        ["needs QR", "qr_required"],
        ["needs QR", "starting"],
        ["of a later version", "not listed"],
    ]
    assert empty == ""
    assert totals.startswith("4 sessions: 1 lost, 2 needs QR, 1 of a later version.")
    assert totals.endswith(" The gateway's list was last seen at 2026-01-15 19:07:06.")


def test_that_no_list_has_passed_is_said() -> None:
    assert sessions_table(sessions(session(), counts={"unknown": 1})).endswith(
        "\n\n1 session: 1 unknown. No list has passed since the start, so only sessions with events are shown."
    )


UNTRUSTED = {"came": 6, "trusted": 0, "untrusted": {"network": 5, "secret": 1}}


def test_webhooks_that_came_and_are_not_trusted_are_not_passed_over() -> None:
    said = "6 webhooks came since the start, none trusted (network: 5, secret: 1)."
    assert said in sessions_table(sessions(webhooks=UNTRUSTED))
    assert f"\n\nWarning: {said}" in sessions_table(sessions(session(), webhooks=UNTRUSTED))
    for some in ({"came": 6, "trusted": 1, "untrusted": {"network": 5}}, {"came": 0, "trusted": 0, "untrusted": {}}):
        assert "none trusted" not in sessions_table(sessions(session(), webhooks=some))


def test_a_single_untrusted_webhook_is_one() -> None:
    one = {"came": 1, "trusted": 0, "untrusted": {"network": 1}}
    assert "1 webhook came since" in sessions_table(sessions(webhooks=one))


def test_the_history_is_a_line_a_change() -> None:
    lost = history(session="sales", change="started", reason="closesession", at="2026-01-15T19:07:06.490Z")
    head, line = history_table(lost).splitlines()
    assert head.split() == ["WHEN", "SESSION", "CHANGE", "WHY", "GATEWAY", "SAID"]
    assert line.split("  ")[0] == "2026-01-15 19:07:06"
    assert re.split("  +", line)[2] == "lost"
    assert line.endswith("–")


@pytest.mark.parametrize(
    ("change", "reason", "word"),
    [
        ("started", "status-find browserClose", "lost"),
        ("repeated", "status-find browserClose", "still lost"),
        ("released", "connected-event", "back"),
        ("released", "reconnected", "back"),
        ("released", "alive", "back"),
        ("released", "deleted", "deleted"),
        ("released", "operator", "released by hand"),
        ("released", "expired", "expired"),
        ("released", "evicted", "forgotten"),
    ],
)
def test_a_session_is_lost_and_back_and_back_only_where_something_showed_it(
    change: str, reason: str, word: str
) -> None:
    told = history(session="a", change=change, reason=reason, at="2026-01-15T19:07:06.490Z")
    assert re.split("  +", history_table(told).splitlines()[1])[2] == word


def test_an_empty_history_is_said_in_words() -> None:
    assert history_table(History([])) == "No session was lost in the period that the history covers."
    assert history_table(History([]), "sa\nles") == r"sa\nles was not lost in the period that the history covers."


def test_what_a_terminal_would_obey_is_shown_and_not_sent() -> None:
    text = sessions_table(sessions(session(session="evil\x1b[2J\x07\n\u202esales", gateway_said="a\rb")))
    assert len(text.splitlines()) == 2
    assert not any(mark in text for mark in "\x1b\x07\r\u202e")


def test_a_time_that_never_was_is_a_dash() -> None:
    assert local(None) == "–"


def test_the_state_is_told_in_sentences_with_what_to_do() -> None:
    assert state_text(State(store="ok", damage=[])) == "The state can be written."
    first, second, third = state_text(State(store="disk full", damage=[DamageLine(text="it\nwas")])).splitlines()
    assert first == "The state cannot be written: disk full"
    assert second == r"Damage: it\nwas"
    assert third.endswith("statusproxy state acknowledge")


def test_learning_that_begins_says_until_when_and_what_to_do() -> None:
    until = "2026-01-15T20:07:06.000Z"
    assert learned_text(Learned(learning=True, until=until), begun=True).splitlines() == [
        "The proxy learns from the traffic until 2026-01-15 20:07:06, or until it is restarted.",
        "Unlink and link a phone meanwhile, send a message, and ask for the list of sessions through the proxy.",
        "Then: statusproxy learn --show > mine.yaml",
    ]


def test_learning_says_what_it_has_seen_and_what_not() -> None:
    going = Learned(learning=True, until="2026-01-15T20:07:06.000Z", events=5, answers=2)
    assert learned_text(going) == (
        "Learning until 2026-01-15 20:07:06; so far 5 events and 2 answers with a list or a session."
    )
    ended = Learned(learning=False, events=5, answers=2, skipped=3, failure="KeyError")
    assert learned_text(ended).splitlines() == [
        "Learning is off; 5 events and 2 answers with a list or a session.",
        "Not read: 3 (too many in a second, too large, or not readable).",
        "An internal error of the proxy ended it (KeyError); please report it.",
    ]
