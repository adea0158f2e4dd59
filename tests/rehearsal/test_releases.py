"""What would end a correction, as the configuration has it."""

import json

from statusproxy.rehearsal.messages import OverrideResult, ReleasedBy, Waiting
from statusproxy.rehearsal.releases import SHOWN_BY, overrides, waiting
from statusproxy.rehearsal.site import Site
from statusproxy.status.channels import correct
from statusproxy.status.model import FOR_ALL_ROUTES
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import EventRule, SignalKind, read
from tests.known_dialect import known_rules
from tests.rehearsal.sites import NOW, OWN, a_site

CONNECTED = ReleasedBy("connected-event", "a newer event", ["state (open)", "back"])
RECONNECTED = ReleasedBy(
    "reconnected",
    '"connected" or "open" in an answer, after the gateway has shown that it knows of the loss',
    ['its own answer with "qr"', "GET /list/{session}/qr", "POST /list"],
)
DELETED = ReleasedBy("deleted", "a request that succeeds", ["DELETE /list/{session}"])
ALIVE = ReleasedBy("alive", "a message from someone else after 2026-01-15 19:08:10 UTC", ["message"])
OPERATOR = ReleasedBy("operator", "by hand", ["statusproxy release a"])


def lost(site: Site, event: str = "lost") -> SessionMap:
    sessions = SessionMap(site.settings.session_rules())
    sessions.hear(
        read(json.dumps({"event": event, "session": "a", "word": "close"}).encode(), site.settings.signal_rules(), NOW),
        NOW,
    )
    return sessions


def ways(more: str = "", text: str = OWN) -> list[ReleasedBy]:
    site = a_site(more, text)
    (one,) = overrides(site.settings, lost(site))
    return one.released_by


def test_every_rule_that_is_on_is_told_with_what_does_it() -> None:
    site = a_site()
    assert overrides(site.settings, lost(site, "state")) == [
        OverrideResult(
            session="a",
            since="2026-01-15T19:07:10.000Z",
            reason="state close",
            reads='"disconnected"',
            caught_up=None,
            released_by=[CONNECTED, RECONNECTED, DELETED, ALIVE, OPERATOR],
        )
    ]


def test_the_routes_of_all_evidence_that_counts_for_every_route_are_told() -> None:
    assert SHOWN_BY.keys() == FOR_ALL_ROUTES


def test_a_rule_that_is_off_is_not_told_and_an_age_has_its_moment() -> None:
    assert ways("sessions: {max_age: 1h, releases: {reconnected: false, alive: false}}\n") == [
        CONNECTED,
        DELETED,
        OPERATOR,
        ReleasedBy("expired", "nothing new until 2026-01-15 20:07:10 UTC (sessions.max_age 1h)"),
    ]


def test_what_the_configuration_lacks_is_not_told() -> None:
    bare = "gateway: http://127.0.0.1:3000\npreset: null\n"
    bare += "events: [{event: lost, session: [session], means: disconnected}]\n"
    assert ways(text=bare) == [OPERATOR]
    route = "channels: [{path: /list, list: [''], id: [id], set: {status: disconnected}}]\n"
    assert ways(text=bare + route) == [OPERATOR]


def test_where_the_gateway_was_seen_to_know_its_next_word_counts() -> None:
    site = a_site()
    by_list, by_code = lost(site), lost(site)
    correct(b'{"channels":[{"id":"a","status":"qr"}]}', site.settings.channels[0].rule(), by_list, NOW + 1, NOW + 1)
    by_code.watched.qr_seen("a", NOW + 1, NOW + 1)
    for sessions, caught_up, routes in ((by_list, "list", ["/list"]), (by_code, "qr", ["/list", "/list/{session}"])):
        (one,) = overrides(site.settings, sessions)
        assert one.caught_up == caught_up
        assert ReleasedBy("reconnected", '"connected" or "open" in the next answer', routes) in one.released_by


def test_a_transient_state_waits_until_it_counts() -> None:
    rule = EventRule(event=frozenset({"lost"}), session=(("session",),), means=SignalKind.TRANSIENT, grace=60.0)
    sessions = SessionMap()
    sessions.hear(read(b'{"event":"lost","session":"a"}', known_rules((rule,)), NOW), NOW)
    assert waiting(a_site().settings, sessions) == [
        Waiting(session="a", reason="lost", reads='"disconnected"', due="2026-01-15T19:08:10.000Z")
    ]
    sessions.judge_transient(NOW + 60)
    assert waiting(a_site().settings, sessions) == []


def test_no_code_ends_what_a_transient_state_began() -> None:
    site = a_site()
    sessions = SessionMap(site.settings.session_rules())
    rule = EventRule(event=frozenset({"lost"}), session=(("session",),), means=SignalKind.TRANSIENT, grace=60.0)
    sessions.hear(read(b'{"event":"lost","session":"a"}', known_rules((rule,)), NOW), NOW)
    sessions.judge_transient(NOW + 60)
    (one,) = overrides(site.settings, sessions)
    assert ReleasedBy(RECONNECTED.rule, RECONNECTED.what, ['its own answer with "qr"', "POST /list"]) in one.released_by
    assert one.transient


def test_words_are_those_of_the_routes_and_of_many_the_first() -> None:
    text = OWN.replace("keep: [qr]", "keep: [qr, scan, pairing]").replace(
        "set: {status: disconnected}", "set: {up: false}"
    )
    (way,) = (one for one in ways(text=text) if one.rule == "reconnected")
    assert (
        way.what
        == '"connected", "open" or another such word in an answer, ' + RECONNECTED.what.partition("answer, ")[2]
    )
    assert way.by[0] == 'its own answer with "qr", "scan" or another such word'
    truths = OWN.replace("status: disconnected, up: false", "up: false").replace("keep: [qr]", 'keep: ["false"]')
    truths = truths.replace("set: {status: disconnected}", "set: {up: false}")
    (way,) = (one for one in ways(text=truths) if one.rule == "reconnected")
    assert way.what == "true in an answer, after the gateway has shown that it knows of the loss"
    assert way.by[0] == "its own answer with false"
