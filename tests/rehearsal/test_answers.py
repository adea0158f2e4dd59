"""Answers of the gateway before and after, and what they tell."""

import json
from typing import Any

import pytest

from statusproxy.rehearsal.answers import Answer, correct, scan
from statusproxy.rehearsal.messages import ChangedChannel, ChangedValue, ListResult, QrResult, Uncorrected
from statusproxy.status.channels import ChannelRule
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict, read
from tests.pictures import PNG
from tests.rehearsal.sites import NOW, a_site

SITE = a_site()
MEMBERS = ("qr",)
CODE = "2@" + "A" * 40


def lost(*sessions: str) -> SessionMap:
    known = SessionMap()
    for session in sessions:
        event = json.dumps({"event": "lost", "session": session}).encode()
        known.hear(read(event, SITE.settings.signal_rules(), NOW), NOW)
    return known


def listed(answer: Any, sessions: SessionMap, route: str | None = None, later: float = 1.0) -> ListResult:
    found = SITE.answer(route)
    assert found.entry is not None
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return correct(Answer(body, "f", found.template or "", found.entry, found.session), sessions, NOW + later)


def test_only_what_is_set_is_shown_before_and_after() -> None:
    channels = [
        {"id": "a", "status": "connected", "up": True, "token": "example-secret"},
        {"id": "b", "status": "connected"},
        {"id": "c", "status": "disconnected", "up": True},
    ]
    assert listed({"channels": channels}, lost("a", "c")) == ListResult(
        source="f",
        route="/list",
        channels=3,
        corrected=[
            ChangedChannel(
                "a", [ChangedValue("status", '"connected"', '"disconnected"'), ChangedValue("up", "true", "false")]
            ),
            ChangedChannel("c", [ChangedValue("up", "true", "false")]),
        ],
    )


def test_channels_of_one_name_are_counted_each_and_those_without_a_name_are_not() -> None:
    answer = {"channels": [{"id": "a", "status": "up"}, {"id": "a", "status": "up"}, {"status": "up"}]}
    result = listed(answer, lost("a"))
    assert (result.channels, len(result.corrected)) == (2, 2)


def test_a_channel_that_is_listed_twice_is_shown_where_it_changed() -> None:
    answer = {"channels": [{"id": "a", "status": "disconnected"}, {"id": "a", "status": "idle-" * 40}]}
    (channel,) = listed(answer, lost("a")).corrected
    ((name, before, after),) = [(value.name, value.before, value.after) for value in channel.values]
    assert (name, len(before), before[:6], before[-1], after) == ("status", 80, '"idle-', "…", '"disconnected"')


def test_one_channel_s_answer_is_its_path_s() -> None:
    sessions = lost("a", "b")
    result = listed({"channel": {"status": "connected"}}, sessions, "/list/a")
    assert [one.channel for one in result.corrected] == ["a"]
    assert result.uncorrected == []


def test_each_session_that_is_not_corrected_has_its_reason() -> None:
    channels = [{"id": "keeps", "status": "qr"}, {"id": "bare"}]
    assert listed({"channels": channels}, lost("keeps", "bare", "else")).uncorrected == [
        Uncorrected("keeps", "the gateway knows of the loss: what it says stays (qr)"),
        Uncorrected("bare", "nothing to change: its members already say so, or are missing"),
        Uncorrected("else", "the answer has no such channel (for another id use sessions.aliases)"),
    ]


def test_an_answer_that_ends_a_correction_says_so() -> None:
    sessions = lost("a")
    listed({"channels": [{"id": "a", "status": "qr"}]}, sessions)
    result = listed({"channels": [{"id": "a", "status": "connected"}]}, sessions, later=2.0)
    assert result.uncorrected == [Uncorrected("a", "this answer ends the correction (reconnected)")]
    assert result.corrected == []


def test_nobody_lost_leaves_the_list_and_what_cannot_be_read_is_told() -> None:
    assert listed({"channels": [{"id": "a", "status": "connected"}]}, lost()).channels == 1
    assert listed({"items": []}, lost("a")).failure == "no-list"
    assert listed(b"none", lost()).failure == "not-json"


def test_a_word_by_the_event_and_a_dotted_member_are_shown() -> None:
    rule = ChannelRule(list=((),), id=(("id",),), set={"state.now": "gone"}, source="/l")
    body = b'[{"id":"a","state":{"now":"up"}}]'
    (channel,) = correct(Answer(body, "f", "/l", rule), lost("a"), NOW + 1).corrected
    assert channel.values == [ChangedValue("state.now", '"up"', '"gone"')]


@pytest.mark.parametrize(
    ("body", "session", "shows", "why"),
    [
        (json.dumps({"qr": CODE}).encode(), "a", "code", "the gateway knows of the disconnect: its next `connected` …"),
        (PNG, "a", "code", "the gateway knows of the disconnect: its next `connected` …"),
        (json.dumps({"qr": CODE}).encode(), None, "code", "no session is known to be disconnected, …"),
        (b'{"connected":true}', None, "connected", "no session is known to be disconnected, …"),
        (b'{"connected":true}', "a", "connected", "it ends nothing: the gateway has not yet shown that it knows …"),
        (b"{}", "a", "neither", "no code in any member of dialect.qr, and no claim to be connected; …"),
        (b"none", "a", "not-json", "neither an image nor JSON; it proves nothing"),
        (b"[" * 3_000 + b"]" * 3_000, "a", "too-deep", "nested too deep; it proves nothing"),
    ],
)
def test_the_qr_route_s_answer_is_told(body: bytes, session: str | None, shows: str, why: str) -> None:
    result = scan(body, "f", session, MEMBERS, lost("a"), NOW + 1)
    assert (result.source, result.session, result.shows) == ("f", session, shows)
    assert result.why.startswith(why.rstrip("…"))


def test_connected_after_a_code_ends_the_correction() -> None:
    sessions = lost("a")
    scan(json.dumps({"qr": CODE}).encode(), "f", "a", MEMBERS, sessions, NOW + 1)
    assert scan(b'{"connected":true}', "f", "a", MEMBERS, sessions, NOW + 2) == QrResult(
        source="f", shows="connected", session="a", why="the correction ends (reconnected)"
    )
    assert not sessions.has_overrides


def test_a_code_proves_nothing_while_the_gateway_is_connecting() -> None:
    sessions = SessionMap()
    signal = Signal(SignalKind.TRANSIENT, "a", None, "state", "connecting", None, None, 60.0)
    sessions.hear(Reading(Verdict.SIGNAL, "state", "a", signal), NOW)
    sessions.judge_transient(NOW + 60)
    result = scan(json.dumps({"qr": CODE}).encode(), "f", "a", MEMBERS, sessions, NOW + 61)
    assert result.why == "it proves nothing while the gateway is connecting: it may be the code that was scanned last"
    assert scan(b'{"connected":true}', "f", "a", MEMBERS, sessions, NOW + 62).why.startswith("it ends nothing")
