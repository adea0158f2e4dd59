"""The sentence beside each verdict."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.rehearsal.earlier import Earlier
from statusproxy.rehearsal.elements import Element, Elements
from statusproxy.rehearsal.explanation import Heard, explain, likely_members, shortened, why_not_json, why_nothing
from statusproxy.rehearsal.messages import Member
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import EventRule, SignalKind, Verdict, read
from tests.known_dialect import known_rules
from tests.rehearsal.sites import NOW, a_site

SITE = a_site()
TIED = NOW - 5.25
CONTRADICTED = (
    "an event with the same time says connected. The two contradict each other, and connected wins, so that "
    "nobody deletes a session that works"
)
TIED_END = (
    "the correction ends (connected-event): the list shows again what the gateway says; both events have the "
    "same time, and then connected wins"
)
GOES_ON = 'the correction continues: the list will read "disconnected"'
STEADY = "nothing to end: the list shows what the gateway says"

RULES = known_rules(
    (
        EventRule(
            event=frozenset({"state"}),
            session=(("session",),),
            state=(("word",),),
            disconnected=frozenset({"close"}),
            connected=frozenset({"open"}),
            transient=frozenset({"connecting"}),
        ),
        EventRule(event=frozenset({"message"}), session=(("session",),), means=SignalKind.ALIVE),
    )
)


def told(*events: dict[str, Any], more: str = "") -> str:
    """The sentence on the last of these events, which come in one a second except for what they say in `at`."""
    settings = a_site(more).settings
    sessions, earlier = SessionMap(settings.session_rules()), Earlier()
    why = ""
    for number, event in enumerate(events):
        now = NOW + event.pop("at", number)
        sessions.judge_transient(now)
        reading = read(json.dumps({"session": "a", **event}).encode(), RULES, now)
        assert reading.signal is not None
        before = sessions.get("a")
        repeats, first_of_id = earlier.note(reading.signal)
        outcome = sessions.hear(reading, now)
        heard = Heard(
            signal=reading.signal,
            verdict=outcome.verdict,
            change=outcome.changes[0] if outcome.changes else None,
            before=before,
            after=sessions.get("a"),
            repeats=repeats,
            first_of_id=first_of_id,
        )
        why = explain(heard, settings)
    return why


def state(word: str, **more: Any) -> dict[str, Any]:
    return {"event": "state", "word": word, **more}


ALIVE = {"event": "message"}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ([state("close")], 'the list will read "disconnected" from now on'),
        (
            [state("close"), state("close")],
            'already disconnected; the correction starts again: the list will read "disconnected"',
        ),
        (
            [state("open", event_id="1"), state("close", event_id="1")],
            "an event with the same id came before, and that one meant connected; only it counts",
        ),
        ([state("open", timestamp=TIED), state("close", timestamp=TIED)], CONTRADICTED),
        ([state("open", timestamp=NOW - 5), state("close", timestamp=NOW - 5)], CONTRADICTED),
        (
            [state("close", timestamp=TIED), state("open", timestamp=TIED)],
            TIED_END,
        ),
        (
            [state("open", timestamp=TIED), state("connecting", timestamp=TIED)],
            "an event with the same time says connected, and that one counts",
        ),
        (
            [state("open", timestamp=TIED), state("connecting", timestamp=TIED - 1)],
            "older than what is known: connected since 2026-01-15 19:07:04 UTC",
        ),
        ([state("close", event_id="1")] * 2, "an event with the same id came before"),
        ([state("open")], STEADY),
        (
            [state("close"), state("open")],
            "the correction ends (connected-event): the list shows again what the gateway says",
        ),
        (
            [state("open", timestamp=NOW - 0.5), state("close", timestamp=NOW - 9.5)],
            "older than what is known: connected since 2026-01-15 19:07:09 UTC",
        ),
        ([state("close", timestamp=NOW - 9.5), state("close", timestamp=NOW - 9.5)], "the same event came before"),
        (
            [{**ALIVE, "at": 100.0, "timestamp": NOW + 99.5}, state("close", at=101.0, timestamp=NOW + 1.5)],
            "a message came in more than 1m (sessions.alive_grace) after it, so the session is connected",
        ),
        ([ALIVE], STEADY),
        ([state("close"), ALIVE], "no proof: it came less than 1m (sessions.alive_grace) after the disconnect"),
        (
            [{**ALIVE, "timestamp": NOW - 0.5}, {**ALIVE, "timestamp": NOW - 9.5}],
            "something newer, or equally new, is already known",
        ),
        (
            [state("connecting")],
            'the list will read "disconnected" from 2026-01-15 19:08:40 UTC on, if it lasts until then (grace)',
        ),
        ([state("connecting"), state("open")], "the transient state ends before it counts"),
        ([state("close"), state("connecting")], GOES_ON),
        ([state("connecting"), state("connecting", at=100.0)], GOES_ON),
        (
            [state("close", timestamp=NOW - 0.5), state("connecting", timestamp=NOW - 9.5)],
            "already disconnected, and a transient state does not change that",
        ),
        (
            [
                state("connecting", timestamp=NOW - 0.5),
                state("open", at=100.0, timestamp=NOW - 5.5),
            ],
            "the correction stays: the event is older than the transient state that lasted",
        ),
    ],
)
def test_each_outcome_has_its_reason(events: list[dict[str, Any]], why: str) -> None:
    assert told(*(dict(event) for event in events)) == why


def test_a_rule_that_is_off_is_named() -> None:
    off = "sessions: {releases: {connected-event: false, alive: false}}\n"
    assert told(state("close"), state("open"), more=off) == (
        "the correction stays: sessions.releases.connected-event is off"
    )
    assert told(state("close"), {**ALIVE, "at": 100.0}, more=off) == (
        "the correction stays: sessions.releases.alive is off"
    )


def why(body: object, verdict: Verdict | None = None, path: str = "/events") -> str:
    """The sentence on an event that says nothing."""
    settings = SITE.settings
    rules = settings.signal_rules()
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    (element,) = Elements(rules).read(written, NOW)
    assert isinstance(element, Element)
    entry = SITE.webhook(path).entry
    assert entry is not None
    return why_nothing(element, (verdict or element.reading.verdict).value, settings, entry[0])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("text", "the body is not a JSON object"),
        (
            {"event": "message", "session": "a", "fromMe": True},
            "the session sent it itself, so it proves no connection",
        ),
        ({"type": "LoggedOut"}, "no `event`; this body has `type: LoggedOut`"),
        (
            {"type": "LoggedOut", "state": "close", "why": "closed"},
            "no `event`; this body has `type: LoggedOut`, `state: close` and `why: closed`",
        ),
        ({"text": "closed"}, "no `event`"),
        ({"event": ["secret"], "type": "close"}, "`event` is a list, not a text; this body has `type: close`"),
        ({"event": {"secret": "a"}}, "`event` is an object, not a text"),
        ({"event": True}, "`event` is true or false, not a text"),
        ({"event": None}, "`event` is null, not a text"),
        ({"event": " "}, "`event` is empty, too long or broken"),
        (
            {"event": "state", "session": "a", "word": ["secret"]},
            "rule 1 finds no word under `word`; `word` is a list, not a text",
        ),
        (
            {"event": "lost", "session": {"secret": 1}},
            "no session under `session`; `session` is an object, not a text, and the webhook's path names none",
        ),
        ({"event": "unknown"}, 'no rule names the event "unknown"'),
        ({"event": "state", "session": "a", "word": "else"}, 'rule 1 (state) does not list the word "else"'),
        (
            {"event": "state", "session": "a", "type": "state", "data": {"state": "close"}},
            "rule 1 finds no word under `word`; this body has `data.state: close`",
        ),
        (
            {"event": "state", "session": "a", "word": False},
            (
                '`word` is false, and rule 1 (state) lists neither "true" nor "false": write which of them means '
                "disconnected, and which connected"
            ),
        ),
        ({"event": "unheard", "online": False}, 'no rule names the event "unheard"'),
        ({"online": False}, "no `event`; this body has `online: false`"),
        ({"event": "lost"}, "no session under `session`, and the webhook's path names none"),
        ({"event": "state", "word": "open"}, "no session under `session` or `id`, and the webhook's path names none"),
    ],
)
def test_an_event_that_says_nothing_has_its_reason(body: object, says: str) -> None:
    assert why(body) == says


@pytest.mark.parametrize("word", ["close", "connecting", "open"])
def test_a_loss_that_is_late_by_its_senders_own_clock_is_told_so(word: str) -> None:
    sessions, settings = SessionMap(), a_site().settings
    own = replace(settings, dialect=replace(settings.dialect, clock="own"))
    back, late_one = (
        read(json.dumps({"session": "a", **state(said, timestamp=at)}).encode(), RULES, NOW)
        for said, at in (("open", NOW - 0.5), (word, NOW - 9.5))
    )
    sessions.hear(back, NOW)
    known, signal = sessions.get("a"), late_one.signal
    assert signal is not None
    heard = Heard(
        signal=signal, verdict=sessions.hear(late_one, NOW).verdict, change=None, before=known, after=sessions.get("a")
    )
    late = "older than what is known: connected since 2026-01-15 19:07:09 UTC"
    by_own = "; that is by the sender's own clock (dialect.clock); a clock that was set back looks the same"
    assert explain(heard, settings) == late
    assert explain(heard, own) == late + (by_own if word != "open" else "")


def test_a_path_that_could_name_the_session_is_asked_for() -> None:
    assert why({"event": "lost"}, path="/events/{session}") == (
        "no session under `session`, and none in the path: give it with --path"
    )


def test_presence_is_told() -> None:
    assert why({}, Verdict.PRESENCE) == "it is about a contact or chat, not about the session"


def test_what_a_rule_leaves_out_is_told() -> None:
    rules = a_site("").settings.signal_rules()
    (element,) = Elements(rules).read(b'{"event":"message","session":"a","raw":{"payload":{"event":"note"}}}', NOW)
    assert isinstance(element, Element)
    entry = SITE.webhook("/events").entry
    assert entry is not None
    says = why_nothing(element, Verdict.NOTHING.value, SITE.settings, entry[0])
    assert says == "rule 5 leaves this event out (unless)"


def test_a_rule_with_many_events_or_without_state_is_named_shortly() -> None:
    text = "gateway: http://127.0.0.1:3000\npreset: null\nwebhooks: [{path: /events}]\nevents:\n"
    text += "  - {event: [a, b, c, d], session: [session], state: [word], disconnected: [close]}\n"
    site = a_site(text=text)
    (element,) = Elements(site.settings.signal_rules()).read(b'{"event":"d","session":"s","word":"x"}', NOW)
    assert isinstance(element, Element)
    entry = site.webhook(None).entry
    assert entry is not None
    says = why_nothing(element, "nothing", site.settings, entry[0])
    assert says == 'rule 1 (a, b, c, …) does not list the word "x"'


def test_the_name_that_was_found_is_no_hint() -> None:
    (element,) = Elements(RULES).read(b'{"event":"state","type":"LoggedOut"}', NOW)
    assert isinstance(element, Element)
    assert likely_members(element) == [Member("type", "LoggedOut")]


def test_a_long_name_is_cut() -> None:
    assert shortened("a" * 80) == "a" * 80
    assert shortened("a" * 81) == "a" * 79 + "…"


@pytest.mark.parametrize(
    ("packed", "body", "says"),
    [
        ("json", b"none", "the body is not JSON"),
        (
            "json",
            b"token=example-secret&jsonData=%7B%22type%22%3A%22LoggedOut%22%7D",
            'the body is not JSON; it is a form with JSON in `jsonData`: set `dialect: {body: "form:jsonData"}`',
        ),
        (
            "form:data",
            b"jsonData=+[1]",
            (
                "the body is neither JSON nor a form with JSON in `data`; it is a form with JSON in `jsonData`:"
                ' set `dialect: {body: "form:jsonData"}`'
            ),
        ),
        ("form:data", b"data=%7Bbroken", "the body is a form, and what its member `data` holds is not JSON"),
        ("form:data", b"<xml/>", "the body is neither JSON nor a form with JSON in `data`"),
        (
            "json",
            b"event=LoggedOut&token=example-secret",
            "the body is not JSON; it is a form, of which no member holds JSON: such a form is not read",
        ),
        ("json", b"example secret=%7B%7D", "the body is not JSON"),
        (
            "json",
            b"&".join([b"a=%7B%7D"] * 65),
            "the body is not JSON; it is a form, of which no member holds JSON: such a form is not read",
        ),
    ],
)
def test_a_body_that_is_not_json_is_told_what_would_read_it(packed: str, body: bytes, says: str) -> None:
    assert why_not_json(body, packed) == says
