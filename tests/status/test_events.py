"""Each event of a body is read as it would be alone."""

import json

import pytest

from statusproxy.status.events import Event, each_emptied, read_each
from statusproxy.status.fields import parse_path
from statusproxy.status.packing import MOST_EVENTS, Unread
from statusproxy.status.signals import EventRule, Reading, SignalKind, Verdict, read
from tests.known_dialect import known, known_rules

NOW = 1_768_504_030.0
RULES = known_rules(
    (
        EventRule(event=frozenset({"closesession"}), session=(parse_path("session"),), means=SignalKind.DISCONNECTED),
        EventRule(event=frozenset({"onmessage"}), session=(parse_path("session"),), means=SignalKind.ALIVE),
    )
)
EVENTS = [
    {"event": "closesession", "session": "sales", "timestamp": NOW - 5},
    {"event": "onmessage", "session": "sales", "fromMe": True},
    {"event": "onmessage"},
    {"event": "other"},
    7,
]


def events(body: bytes, path_session: str | None = None) -> list[Event]:
    return [one for one in read_each(body, RULES, NOW, path_session) if isinstance(one, Event)]


@pytest.mark.parametrize("path_session", [None, "support"])
def test_an_event_among_others_reads_as_alone(path_session: str | None) -> None:
    alone = [read(json.dumps(event).encode(), RULES, NOW, path_session) for event in EVENTS]
    together = events(json.dumps(EVENTS).encode(), path_session)
    assert [one.reading for one in together] == alone
    assert [one.verdict for one in alone][:2] == [Verdict.SIGNAL, Verdict.OWN_MESSAGE]


def test_an_event_that_wraps_others_is_no_event() -> None:
    (one,) = events(b'[{"event":"closesession","session":"sales"},{"events":[{"event":"closesession"}]}]')[1:]
    assert one.reading == Reading(Verdict.UNMATCHED)


def test_a_line_that_is_nested_too_deep_is_told() -> None:
    body = b'{"event":"closesession","session":"sales"}\n{"event":%b%b}' % (b"[" * 3_000, b"]" * 3_000)
    assert [one.reading.verdict for one in events(body)] == [Verdict.SIGNAL, Verdict.TOO_DEEP]


def test_a_broken_line_is_told() -> None:
    body = b'{"event":"closesession","session":"sales"}\n{"event":'
    assert [one.reading.verdict for one in events(body)] == [Verdict.SIGNAL, Verdict.NOT_JSON]


def test_what_is_not_read_and_the_steps_are_passed_on() -> None:
    found = list(read_each(b'{"event":"x"}\n' * (MOST_EVENTS + 7), RULES, NOW))
    assert found[-1] == Unread("too-many", 7)
    assert None in list(read_each(b'[{"event":"x"}]', RULES, NOW))


def test_an_event_tells_its_own_time() -> None:
    first, *_, last = events(json.dumps(EVENTS).encode())
    assert (first.stated_time(RULES, NOW), last.stated_time(RULES, NOW)) == (NOW - 5, None)
    ahead = events(json.dumps([{"event": "x", "timestamp": NOW + 7200}]).encode())[0]
    own = known_rules(RULES.rules, dialect=known(own_clock=True))
    assert (ahead.stated_time(RULES, NOW), ahead.stated_time(own, NOW)) == (None, NOW + 7200)


def test_each_event_is_whole_until_the_next_is_asked_for_and_empty_then() -> None:
    body = json.dumps(EVENTS).encode()
    wanted = iter(events(body))
    before: Event | None = None
    for one in each_emptied(read_each(body, RULES, NOW)):
        if isinstance(one, Event):
            assert one == next(wanted)
            assert before is None or not isinstance(before.document, dict) or before.document == {}
            before = one
    assert list(wanted) == []


def test_the_documents_of_many_members_are_emptied_in_steps() -> None:
    members = {f"m{number}": {"a": {"b": number}} for number in range(5_000)}
    body = json.dumps({"event": "onmessage", "session": "sales", "inner": [members]}).encode()
    steps = list(each_emptied(read_each(body, RULES, NOW)))
    (event,) = (one for one in steps if isinstance(one, Event))
    assert (event.reading.verdict, event.document) == (Verdict.SIGNAL, {})
    assert steps[steps.index(event) :].count(None) > 5
