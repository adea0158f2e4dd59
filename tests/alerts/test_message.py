"""A message as webhooks get it."""

import json
from collections.abc import Mapping
from typing import Any

from statusproxy.alerts.message import document_bytes
from statusproxy.alerts.text import Reader
from statusproxy.alerts.values import Line, Message, Outage, Target, Topic

AT = 1_768_504_026.49
EVERYTHING = Target("t", "n", frozenset(Topic))
SALES = Line(Outage(Topic.LOST, AT - 65, "sales", "status-find", "browserClose", "CONNECTED"))
SUPPORT = Line(Outage(Topic.LOST, AT - 70, "support", "onStateChanged"))


def sent(message: Message, target: Target = EVERYTHING) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(document_bytes(message, target, Reader()))
    return found


def test_a_lost_session_is_told_with_since_event_word_and_claim() -> None:
    assert sent(Message("m1", "session.lost", AT, (SALES,), ())) == {
        "id": "m1",
        "type": "session.lost",
        "at": "2026-01-15T19:07:06.490Z",
        "sessions": [
            {
                "session": "sales",
                "since": "2026-01-15T19:06:01.490Z",
                "event": "status-find",
                "word": "browserClose",
                "gateway_said": "CONNECTED",
                "duration_seconds": 65.0,
            }
        ],
        "text": (
            "sales is disconnected, since 19:06 UTC (1 min 5 s before this message): the engine’s browser closed. "
            "The gateway claims: CONNECTED.\nReconnect it at the hub."
        ),
    }


def test_what_is_not_known_of_a_session_is_null() -> None:
    (session,) = sent(Message("m1", "session.lost", AT, (SUPPORT,), ()))["sessions"]
    assert (session["event"], session["word"], session["gateway_said"]) == ("onStateChanged", None, None)


def test_a_target_gets_only_the_sessions_that_it_asks_for_in_members_and_text() -> None:
    target = Target("t", "n", frozenset({Topic.LOST}), ("sup*",))
    found = sent(Message("m1", "session.lost", AT, (SALES, SUPPORT), ()), target)
    assert [each["session"] for each in found["sessions"]] == ["support"]
    assert "sales" not in found["text"]


def test_back_says_until_when_it_lasted_and_how_it_ended() -> None:
    line = Line(SALES.outage, ended_at=AT - 5, released="alive")
    (session,) = sent(Message("m2", "session.back", AT, (line,), ()))["sessions"]
    assert (session["until"], session["duration_seconds"]) == ("2026-01-15T19:07:01.490Z", 60.0)
    assert session["released"] == "alive"


def test_a_reminder_says_which_it_is() -> None:
    found = sent(Message("m3", "session.lost", AT, (SALES,), (), reminder=2))
    assert found["reminder"] == 2
    assert found["text"].startswith("sales is still disconnected")


def test_a_condition_has_its_reason_and_no_session() -> None:
    line = Line(Outage(Topic.GATEWAY_DOWN, AT - 90, reason="connection refused"), ended_at=AT - 10)
    found = sent(Message("m4", "gateway.back", AT, (line,), ()))
    assert (found["sessions"], found["reason"], found["duration_seconds"]) == ([], "connection refused", 80.0)
    assert (found["since"], found["until"]) == ("2026-01-15T19:05:36.490Z", "2026-01-15T19:06:56.490Z")


def test_a_test_message_says_that_nothing_is_wrong() -> None:
    found = sent(Message("m5", "test", AT, (), ()))
    assert list(found) == ["id", "type", "at", "sessions", "text"]
    assert "Nothing is wrong" in found["text"]


def test_an_outage_that_begins_after_its_message_by_a_clock_set_back_lasted_no_time() -> None:
    (session,) = sent(Message("m6", "session.lost", AT - 100, (SALES,), ()))["sessions"]
    assert session["duration_seconds"] == 0


def test_half_a_surrogate_pair_in_an_id_is_sent_as_its_escape() -> None:
    line = Line(Outage(Topic.LOST, AT - 65, "a\ud83d", "close"))
    assert sent(Message("m7", "session.lost", AT, (line,), ()))["sessions"][0]["session"] == "a\ud83d"
