"""Events played through the map: what each comes to, and which may be a disconnect that is missed."""

import json
from typing import Any

import pytest

from statusproxy.captures import Delivery
from statusproxy.rehearsal.hearing import Given, Hearing
from statusproxy.rehearsal.messages import EventResult, Member
from statusproxy.status.sessions import SessionMap
from tests.rehearsal.sites import NOW, OWN, a_site


def hear(
    *bodies: object, given: Given | None = None, more: str = "", sessions: SessionMap | None = None, **delivery: Any
) -> list[EventResult]:
    site = a_site(more)
    hearing = Hearing(site, sessions or SessionMap(site.settings.session_rules()), NOW)
    deliveries = [
        Delivery(source="f", body=body if isinstance(body, bytes) else json.dumps(body).encode(), **delivery)
        for body in bodies
    ]
    return list(hearing.hear(deliveries, given or Given()))


LOST = {"event": "lost", "session": "a"}


def test_an_event_that_takes_effect_is_told_with_all_that_was_read() -> None:
    (one,) = hear({"event": "State", "id": "a", "word": "Close", "timestamp": "2026-01-15T19:07:00Z"})
    assert one == EventResult(
        source="f",
        webhook="/events",
        sender="none asked",
        event="State",
        rule=1,
        rule_events=["state"],
        session="a",
        says="disconnected",
        word="Close",
        time="own",
        at="2026-01-15T19:07:00.000Z",
        skew=-10.0,
        arrival="2026-01-15T19:07:10.000Z",
        verdict="applied",
        change="started",
        why='the list will read "disconnected" from now on',
    )


def test_events_come_in_one_after_the_other_and_never_back_in_time() -> None:
    site = a_site()
    hearing = Hearing(site, SessionMap(), NOW)
    body = json.dumps(LOST).encode()
    arrivals = [
        one.arrival
        for one in hearing.hear(
            [
                Delivery(source="f", body=body),
                Delivery(source="f", body=body),
                Delivery(source="f", body=body, at=NOW + 5),
                Delivery(source="f", body=body, at=NOW + 1),
            ],
            Given(),
        )
    ]
    assert arrivals == [f"2026-01-15T19:07:{second}Z" for second in ("10.000", "10.001", "15.000", "15.001")]
    assert hearing.now == NOW + 5.001


def test_the_first_event_that_says_when_it_came_in_sets_the_time_also_back() -> None:
    (one,) = hear(LOST, at=NOW - 3600)
    assert one.arrival == "2026-01-15T18:07:10.000Z"


def test_the_path_may_name_the_session() -> None:
    (given,) = hear({"event": "lost"}, given=Given("/events/sales"))
    (own,) = hear({"event": "lost"}, given=Given("/events"), path="/events/desk")
    assert [(one.session, one.verdict, one.webhook) for one in (given, own)] == [
        ("sales", "applied", "/events/{session}"),
        ("desk", "applied", "/events/{session}"),
    ]


def test_a_path_that_no_webhook_has_is_not_watched() -> None:
    (one,) = hear(LOST, path="/instance/example-secret")
    assert (one.verdict, one.missed, one.why) == (
        "unwatched",
        True,
        "no webhook of the configuration has this path",
    )


def test_an_event_of_a_sender_that_is_not_trusted_changes_nothing() -> None:
    sessions = SessionMap()
    given = Given("/secret", [("X-Secret", "another")])
    lost, back = hear(LOST, {"event": "back", "session": "a"}, given=given, sessions=sessions)
    assert [(one.verdict, one.missed, one.why) for one in (lost, back)] == [
        ("untrusted", True, "the sender's proof is not valid: wrong secret"),
        ("untrusted", False, "the sender's proof is not valid: wrong secret"),
    ]
    assert sessions.records() == []


def test_each_event_of_a_body_comes_in_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    back = {"event": "back", "session": "a"}
    results = hear([LOST, back, LOST])
    assert [(one.source, one.arrival[17:-1] if one.arrival else "", one.change) for one in results] == [
        ("f, element 1", "10.000", "started"),
        ("f, element 2", "10.001", "released"),
        ("f, element 3", "10.002", "started"),
    ]
    monkeypatch.setattr("statusproxy.status.packing.MOST_EVENTS", 1)
    *_, last = hear([LOST, back, LOST])
    assert (last.verdict, last.missed) == ("too-many", True)
    assert last.why == "more events than are read of one body; the last 2 are not"


def test_a_body_is_read_without_its_long_strings_and_not_at_all_beyond_the_limit() -> None:
    more = "limits: {tap: 8k}\n"
    (media,) = hear({**LOST, "media": "x" * 20_000}, more=more)
    assert media.verdict == "applied"
    (long,) = hear({**LOST, "numbers": [1] * 9_000}, more=more)
    assert (long.verdict, long.missed) == ("too-large", True)


@pytest.mark.parametrize(
    ("body", "verdict", "missed"),
    [
        ({"event": "state", "session": "a", "word": "else"}, "nothing", False),
        ({"event": "state", "session": "a", "word": "else", "data": {"reason": "LOGOUT"}}, "nothing", True),
        ({"event": "state", "session": "a", "status": "closed"}, "nothing", True),
        ({"event": "unknown", "session": "a"}, "unmatched", True),
        ({"event": "messages.upsert", "session": "a"}, "unmatched", False),
        ({"type": "LoggedOut"}, "unmatched", True),
        ({"event": "onpresencechanged", "session": "a"}, "presence", False),
        ({"event": "state", "session": "a", "word": "unavailable", "isOnline": False}, "presence", False),
        ({"event": "message", "session": "a", "fromMe": True}, "own-message", False),
        ({"event": "lost"}, "nameless", True),
        ({"event": "back"}, "nameless", False),
        ({"event": "message"}, "no-session", False),
        (b"none", "not-json", True),
        (b"[" * 3_000 + b"]" * 3_000, "too-deep", True),
        ("text", "nothing", True),
    ],
)
def test_what_may_be_a_missed_disconnect_is_told_apart_from_what_is_explained(
    body: object, verdict: str, missed: bool
) -> None:
    (one,) = hear(body)
    assert (one.verdict, one.missed) == (verdict, missed)


BOOLEANS = """
  - {event: link, session: [session], state: [online, words], disconnected: [gone]}
  - {event: line, session: [session], state: [online], disconnected: [false]}
"""


@pytest.mark.parametrize(
    ("body", "verdict", "word", "missed"),
    [
        ({"event": "link", "online": False}, "nothing", None, True),
        ({"event": "link", "online": True}, "nothing", None, False),
        ({"event": "link", "online": False, "words": "gone"}, "applied", "gone", False),
        ({"event": "link", "online": False, "words": "else"}, "nothing", "else", False),
        ({"event": "line", "online": False}, "applied", "false", False),
        ({"event": "line", "online": True}, "nothing", "true", False),
    ],
)
def test_a_boolean_that_no_rule_lists_may_be_a_disconnect(
    body: dict[str, Any], verdict: str, word: str | None, missed: bool
) -> None:
    site = a_site(text=OWN.replace("\ndialect:", BOOLEANS + "dialect:", 1))
    hearing = Hearing(site, SessionMap(), NOW)
    (one,) = hearing.hear([Delivery(source="f", body=json.dumps({"session": "a", **body}).encode())], Given())
    assert (one.verdict, one.word, one.missed) == (verdict, word, missed)


def test_late_repeated_and_already_so_are_explained() -> None:
    first = {**LOST, "event_id": "1", "timestamp": "2026-01-15T19:07:05.500Z"}
    results = hear(first, first, LOST, {**LOST, "timestamp": "2026-01-15T19:00:00.500Z"})
    assert [(one.verdict, one.change, one.missed) for one in results] == [
        ("applied", "started", False),
        ("duplicate", None, False),
        ("applied", "repeated", False),
        ("late", None, False),
    ]


def test_where_no_rule_fits_the_members_that_may_hold_the_name_are_told() -> None:
    (one,) = hear({"type": "LoggedOut", "token": "closed"})
    assert (one.members, one.rule_events) == ([Member("type", "LoggedOut")], [])


def test_a_name_or_word_that_no_rule_knows_is_shown_only_where_it_is_one() -> None:
    (event,) = hear({"event": "5511999990000", "session": "a"})
    (word,) = hear({"event": "state", "session": "a", "word": "phone 5511999990000"})
    assert (event.event, word.word) == ("…", "…")
    assert "5511" not in event.why + word.why


def test_an_event_that_says_nothing_tells_of_its_sender_s_clock() -> None:
    sessions = SessionMap()
    state = {"event": "unknown", "session": "a", "timestamp": "2026-01-15T19:00:00Z"}
    hear(state, state, sessions=sessions)
    record = sessions.get("a")
    assert record is not None
    assert record.lags == (("/events 127.0.0.1", 430.0),)


def test_a_transient_state_counts_when_it_has_lasted() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: /events}]\n"
    text += "events: [{event: lost, session: [session], means: transient, grace: 1ms}]\n"  # of no clock
    site = a_site(text=text)
    body = json.dumps(LOST).encode()
    events = [Delivery(source="f", body=body), Delivery(source="f", body=body)]
    first, second = Hearing(site, SessionMap(), NOW).hear(events, Given())
    assert [(one.says, one.missed) for one in (first, second)] == [("transient", False)] * 2
    nothing = "no answer is corrected (no channels are configured), but it counts as disconnected"
    assert first.why == f"{nothing} from 2026-01-15 19:07:10 UTC on, if it lasts until then (grace)"
    assert second.why == f"the correction continues: {nothing}"


AT_ONCE = "2026-01-15T19:07:00.250Z"
OPEN = {"event": "state", "id": "a", "word": "open", "timestamp": AT_ONCE}
CLOSE = {"event": "state", "id": "a", "word": "close", "timestamp": AT_ONCE}


def test_a_loss_of_the_very_time_of_a_connected_event_is_late_and_missed() -> None:
    told = [(one.verdict, one.missed) for one in hear(OPEN, CLOSE, CLOSE)]
    assert told == [("applied", False), ("late", True), ("late", False)]


def test_a_loss_that_took_effect_is_not_missed_where_an_event_of_its_time_ends_it() -> None:
    assert [(one.change, one.missed) for one in hear(CLOSE, OPEN)] == [("started", False), ("released", False)]


def test_a_loss_with_the_id_of_another_event_is_missed() -> None:
    first, second = hear({**OPEN, "event_id": "1"}, {**CLOSE, "event_id": "1", "timestamp": "2026-01-15T19:07:05Z"})
    assert (first.missed, second.verdict, second.missed) == (False, "duplicate", True)


def test_an_override_ends_when_it_is_old() -> None:
    first, second = hear(LOST, LOST, more="sessions: {max_age: 1ms}\n")  # of no clock
    assert (first.change, second.change) == ("started", "started")
