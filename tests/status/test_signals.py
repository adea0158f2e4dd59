"""What a webhook says about its session, and above all what it does not say."""

import json
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.config.layers import preset_names
from statusproxy.config.load import loads
from statusproxy.status.fields import LENIENT_AT_ONCE, Path, parse_path
from statusproxy.status.packing import FORM_AT_ONCE
from statusproxy.status.session_cut import Cut
from statusproxy.status.signals import (
    GRACE,
    EventRule,
    Reading,
    Signal,
    SignalKind,
    SignalRules,
    Verdict,
    read,
    stated_time,
)
from tests.known_dialect import KNOWN, known, known_rules
from tests.presets.recorded import recorded

NOW = 1_768_504_030.0
"""2026-01-15 19:07:10 UTC."""

SESSION_PATHS = tuple(map(parse_path, ("session.id", "session", "sessionId", "channel")))
UNLESS = frozenset({"onselfmessage", "onack", "onreactionmessage", "onupdatelabel", "onpresencechanged"})


def paths(*texts: str) -> tuple[Path, ...]:
    return tuple(map(parse_path, texts))


UPDATE = EventRule(
    event=frozenset({"connection.update"}),
    session=SESSION_PATHS,
    state=paths("connection.status", "raw.payload.state", "state", "status"),
    disconnected=frozenset({"close", "closed", "disconnected", "unavailable"}),
    connected=frozenset({"available", "open", "connected"}),
)
STATUS_FIND = EventRule(
    event=frozenset({"status-find"}),
    session=paths("session"),
    state=paths("status"),
    disconnected=frozenset({"disconnectedMobile", "browserClose"}),
    connected=frozenset({"inChat"}),
)
CLOSED = EventRule(
    event=frozenset({"closesession", "logoutsession"}), session=paths("session"), means=SignalKind.DISCONNECTED
)
ALIVE = EventRule(
    event=frozenset({"onmessage", "incomingcall", "message"}),
    session=SESSION_PATHS,
    means=SignalKind.ALIVE,
    unless=UNLESS,
)
RULES = known_rules((UPDATE, STATUS_FIND, CLOSED, ALIVE))
TRUSTING = known_rules(RULES.rules, presence_trusted=True)


def reading(document: object, rules: SignalRules = RULES) -> Reading:
    return read(json.dumps(document).encode(), rules, NOW)


def kind(document: object, rules: SignalRules = RULES) -> SignalKind | None:
    signal = reading(document, rules).signal
    return signal.kind if signal is not None else None


def update(word: object, **more: object) -> dict[str, Any]:
    return {"event": "connection.update", "session": {"id": "sales"}, "connection": {"status": word}, **more}


def presence(status: str = "unavailable", **payload: object) -> dict[str, Any]:
    raw = {"event": "onpresencechanged", "session": "sales", "isOnline": False, "state": status, **payload}
    return update(status, spec_version="1.0", raw={"provider": "wppconnect", "payload": raw})


def message(**more: object) -> dict[str, Any]:
    return {"event": "onmessage", "session": "sales", **more}


# Words and names


@pytest.mark.parametrize("word", ["close", "closed", "disconnected", " CLOSE\n", "unavailable"])
def test_a_word_of_the_rule_says_disconnected(word: str) -> None:
    assert kind(update(word)) is SignalKind.DISCONNECTED


@pytest.mark.parametrize("word", ["available", "open", "Connected"])
def test_a_word_of_the_rule_says_connected(word: str) -> None:
    assert kind(update(word)) is SignalKind.CONNECTED


@pytest.mark.parametrize("word", ["notconnected", "disconnectedx", "connected!", "reopen", "con nected"])
def test_a_state_word_matches_exactly_and_never_by_substring(word: str) -> None:
    assert reading(update(word)) == Reading(Verdict.NOTHING, "connection.update", "sales")


@pytest.mark.parametrize("word", ["connecting", "qr", "composing", "isLogged"])
def test_an_unlisted_word_says_nothing(word: str) -> None:
    assert reading(update(word)).verdict is Verdict.NOTHING


@pytest.mark.parametrize("event", ["status-find", " Status-Find ", "STATUS-FIND"])
def test_an_event_is_named_whatever_its_case_and_the_space_around_it(event: str) -> None:
    found = reading({"event": event, "session": "sales", "status": "BrowserClose"})
    assert found.signal is not None
    assert (found.signal.kind, found.signal.word, found.event) == (SignalKind.DISCONNECTED, "BrowserClose", event)


def test_a_state_that_is_no_text_falls_through_to_the_next_path() -> None:
    assert kind(update(True, raw={"payload": {"state": {}}}, state="", status="close")) is SignalKind.DISCONNECTED


def test_an_event_without_any_state_says_nothing() -> None:
    assert reading({"event": "connection.update", "session": "sales"}).verdict is Verdict.NOTHING


@pytest.mark.parametrize("event", ["closesession", "LogoutSession"])
def test_an_event_that_means_something_needs_no_word(event: str) -> None:
    signal = reading({"event": event, "session": "sales", "status": "inChat"}).signal
    assert signal is not None
    assert (signal.kind, signal.word) == (SignalKind.DISCONNECTED, None)


# Rules


def test_of_several_rules_the_first_that_yields_a_signal_decides() -> None:
    second = EventRule(
        event=frozenset({"status-find"}),
        session=paths("session"),
        state=paths("state"),
        connected=frozenset({"up"}),
    )
    third = EventRule(event=frozenset({"status-find"}), session=paths("session"), means=SignalKind.DISCONNECTED)
    rules = known_rules((STATUS_FIND, second, third))
    assert (
        kind({"event": "status-find", "session": "sales", "status": "x", "state": "up"}, rules) is SignalKind.CONNECTED
    )


def test_where_no_rule_yields_a_signal_the_first_says_why() -> None:
    elsewhere = EventRule(event=frozenset({"status-find"}), session=paths("elsewhere"), means=SignalKind.CONNECTED)
    rules = known_rules((STATUS_FIND, elsewhere))
    found = reading({"event": "status-find", "session": "sales", "status": "isLogged"}, rules)
    assert found.verdict is Verdict.NOTHING


@pytest.mark.parametrize("event", [None, "", "onparticipantschanged", {"name": "x"}, 7])
def test_an_event_no_rule_names_is_unmatched(event: object) -> None:
    assert reading({"event": event, "session": "sales"}).verdict is Verdict.UNMATCHED


def test_an_unmatched_event_still_tells_which_session_was_heard() -> None:
    assert reading({"event": "qrcode", "sessionId": "sales"}) == Reading(Verdict.UNMATCHED, "qrcode", "sales")
    assert reading({"session": {"id": 7}}) == Reading(Verdict.UNMATCHED, None, "7")


# Sessions


@pytest.mark.parametrize(
    "where",
    [{"session": {"id": "sales"}}, {"session": "sales"}, {"session": {}, "sessionId": "sales"}, {"channel": "sales"}],
)
def test_the_session_is_found_under_each_of_its_paths(where: dict[str, object]) -> None:
    assert reading({"event": "connection.update", "state": "close", **where}).session == "sales"


@pytest.mark.parametrize("session", [None, "", "  ", True, {}, {"id": ""}, ["sales"], "s" * 10_000, "\ud800"])
def test_an_event_without_a_usable_session_says_nothing(session: object) -> None:
    found = reading({"event": "closesession", "session": session})
    assert found == Reading(Verdict.NAMELESS, "closesession")


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        ({"event": "status-find", "status": "inChat"}, Verdict.NAMELESS),
        ({"event": "status-find", "status": "browserClose"}, Verdict.NAMELESS),
        ({"event": "status-find", "status": "qrReadSuccess"}, Verdict.NO_SESSION),
        ({"event": "onmessage", "fromMe": False}, Verdict.NO_SESSION),
        ({"event": "connection.update", "state": "unavailable", "isOnline": False}, Verdict.NO_SESSION),
    ],
)
def test_an_event_without_a_session_is_told_apart_by_whether_its_state_matters(
    document: dict[str, object], verdict: Verdict
) -> None:
    assert reading(document) == Reading(verdict, str(document["event"]))


# The session in the webhook's own path


def test_the_path_names_the_session_where_the_event_names_none() -> None:
    document = {"event": "status-find", "status": "inChat"}
    found = read(json.dumps(document).encode(), RULES, NOW, "Sales Team")
    assert found.signal is not None
    assert (found.session, found.signal.session, found.signal.kind) == (
        "Sales Team",
        "Sales Team",
        SignalKind.CONNECTED,
    )


def test_the_events_own_session_counts_more_than_the_paths() -> None:
    found = read(b'{"event":"closesession","session":"sales"}', RULES, NOW, "support")
    assert found.session == "sales"


@pytest.mark.parametrize("named", ["  ", "5500000000000@c.us", "\udcff", "s" * 10_000])
def test_what_cannot_be_a_session_is_none_in_a_path_either(named: str) -> None:
    assert read(b'{"event":"closesession"}', RULES, NOW, named) == Reading(Verdict.NAMELESS, "closesession")


def test_an_event_that_no_rule_names_is_heard_of_the_paths_session() -> None:
    assert read(b'{"event":"qrcode"}', RULES, NOW, "sales") == Reading(Verdict.UNMATCHED, "qrcode", "sales")


def test_a_real_start_is_read_from_its_path_alone() -> None:
    """wppconnect-server 2.10.4, start-session after close-session in one process: no body names the session."""
    rules = loads("gateway: http://127.0.0.1:3000").signal_rules()
    bodies = [json.dumps(body).encode() for body in recorded("wppconnect-server", "start-qr-scan-inchat")]
    assert [read(body, rules, NOW).session for body in bodies] == [None] * 4
    readings = [read(body, rules, NOW, "pixel") for body in bodies]
    assert [one.session for one in readings] == ["pixel"] * 4
    kinds = [one.signal.kind for one in readings if one.signal is not None]
    assert kinds == [SignalKind.DISCONNECTED, SignalKind.CONNECTED]


@pytest.mark.parametrize("jid", ["5500000000000@c.us", "550000-1600000000@G.US", " 12@lid ", "99@newsletter"])
def test_the_address_of_a_contact_or_chat_is_no_session(jid: str) -> None:
    assert reading({"event": "connection.update", "channel": jid, "state": "close"}) == Reading(
        Verdict.NAMELESS, "connection.update"
    )
    assert reading({"event": "newsletter", "channel": jid}) == Reading(Verdict.UNMATCHED, "newsletter")
    named = reading({"event": "message", "session": {"id": jid}, "sessionId": "sales"})
    assert named.session == "sales"


@pytest.mark.parametrize("session", ["sales@example.com", "@sales", "1@c.us.example"])
def test_an_id_with_an_at_sign_is_a_session_unless_it_is_an_address(session: str) -> None:
    found = reading(update("close", session={"id": session}))
    assert (found.verdict, found.session) == (Verdict.SIGNAL, session)


def test_the_session_is_never_rewritten() -> None:
    assert reading({"event": "closesession", "session": " Sales  Team "}).session == " Sales  Team "


# The presence trap


def test_a_contact_going_offline_says_nothing() -> None:
    assert reading(presence()) == Reading(Verdict.PRESENCE, "connection.update", "sales")


@pytest.mark.parametrize(
    "word", ["available", "unavailable", "composing", "recording", "Recording audio", "paused", " UNAVAILABLE "]
)
def test_every_presence_word_says_nothing_in_a_presence_event(word: str) -> None:
    assert reading(presence(word)).verdict is Verdict.PRESENCE


@pytest.mark.parametrize("mark", ["isOnline", "isUser", "isGroup", "isContact", "shortName", "participants"])
@pytest.mark.parametrize("raw", [False, True])
def test_one_mark_of_presence_is_enough(mark: str, raw: bool) -> None:
    marks = {"raw": {"payload": {mark: None}}} if raw else {mark: None}
    assert reading(update("unavailable", **marks)).verdict is Verdict.PRESENCE


@pytest.mark.parametrize(
    "jid",
    [
        "5500000000000@c.us",
        "1@g.us",
        "2@lid",
        "3@s.whatsapp.net ",
        "status@broadcast",
        "4@NEWSLETTER",
        {"_serialized": "5@c.us"},
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_the_id_of_a_contact_is_a_mark_of_presence(jid: object, raw: bool) -> None:
    ids = {"raw": {"payload": {"id": jid}}} if raw else {"id": jid}
    assert reading(update("available", **ids)).verdict is Verdict.PRESENCE


@pytest.mark.parametrize(
    "document",
    [
        update("unavailable", raw={"payload": {"event": "OnPresenceChanged"}}),
        {"event": "onpresencechanged", "session": "sales", "status": "unavailable"},
    ],
)
def test_the_raw_name_is_a_mark_of_presence(document: object) -> None:
    flat = EventRule(
        event=frozenset({"onpresencechanged"}),
        session=paths("session"),
        state=paths("status"),
        disconnected=frozenset({"unavailable"}),
    )
    assert reading(document, known_rules((UPDATE, flat))).verdict is Verdict.PRESENCE


@pytest.mark.parametrize(("word", "said"), [("close", SignalKind.DISCONNECTED), ("open", SignalKind.CONNECTED)])
def test_a_real_word_counts_in_a_presence_event_too(word: str, said: SignalKind) -> None:
    assert kind(presence(word)) is said


@pytest.mark.parametrize("more", [{}, {"id": "msg-1"}, {"id": 5}, {"raw": {"payload": "isOnline"}}, {"raw": []}])
def test_unavailable_counts_where_nothing_marks_presence(more: dict[str, object]) -> None:
    assert kind(update("unavailable", **more)) is SignalKind.DISCONNECTED


def test_trusted_presence_is_read_literally() -> None:
    assert kind(presence(), TRUSTING) is SignalKind.DISCONNECTED
    assert kind(presence("available"), TRUSTING) is SignalKind.CONNECTED


# Alive, and one's own messages


@pytest.mark.parametrize(
    "document",
    [
        message(),
        message(fromMe=False, id="false_5500000000000@c.us_ABC"),
        message(fromMe="yes"),
        {"event": "incomingcall", "session": "sales"},
        {"event": "message", "spec_version": "1.0", "session": {"id": "sales"}, "message": {"id": "x"}, "ack": None},
        {"event": "message", "spec_version": "1.0", "session": {"id": "sales"}, "message": {"id": "x"}, "ack": 3},
        {"event": "message", "session": "sales", "ack": 3},
    ],
)
def test_what_came_in_says_alive(document: object) -> None:
    assert kind(document) is SignalKind.ALIVE


@pytest.mark.parametrize("name", ["fromMe", "from_me"])
@pytest.mark.parametrize("holder", ["", "id", "message", "message.id", "raw.payload", "raw.payload.id"])
def test_a_message_of_ones_own_says_nothing(name: str, holder: str) -> None:
    mark: dict[str, Any] = {name: True}
    for key in reversed(parse_path(holder)):
        mark = {key: mark}
    assert reading(message(**mark)) == Reading(Verdict.OWN_MESSAGE, "onmessage", "sales")


@pytest.mark.parametrize("holder", ["id", "message.id", "raw.payload.id"])
@pytest.mark.parametrize("serialised", ["true_5500000000000@c.us_ABC", {"_serialized": "True_1@g.us_ABC"}])
def test_the_id_of_a_sent_message_says_nothing(holder: str, serialised: object) -> None:
    document: Any = serialised
    for key in reversed(parse_path(holder)):
        document = {key: document}
    assert reading(message(**document)).verdict is Verdict.OWN_MESSAGE


@pytest.mark.parametrize(
    "document",
    [
        {"data": {"key": {"remoteJid": "5500000000000@s.whatsapp.net", "fromMe": True, "id": "AA"}}},
        {"payload": {"id": "true_5500000000000@c.us_AA", "fromMe": True}},
        {"payload": {"id": "true_5500000000000@c.us_AA"}},
        {"message": {"key": {"fromMe": True}}},
        {"data": {"messages": [{"key": {"fromMe": True}}, {"key": {"fromMe": False}}]}},
        {"data": [{"key": {"fromMe": True}}]},
        {"data": {"message": {"id": {"fromMe": True, "_serialized": "true_x"}}}},
        {"data": {"Info": {"IsFromMe": True}}},
        {"Info": {"IsFromMe": True}},
        {"fromMe": "true"},
        {"data": {"key": {"fromMe": " True "}}},
        {"fromMe": 1},
    ],
)
def test_a_message_of_ones_own_says_nothing_in_any_gateways_shape(document: dict[str, Any]) -> None:
    assert reading(message(**document)).verdict is Verdict.OWN_MESSAGE


@pytest.mark.parametrize(
    "document",
    [
        {"data": {"key": {"fromMe": False}}},
        {"payload": {"id": "false_5500000000000@c.us_AA", "fromMe": False}},
        {"data": {"messages": [{"key": {"fromMe": False}}]}},
        {"data": {"messages": []}},
        {"fromMe": "false"},
        {"fromMe": 0},
        {"Info": {"IsFromMe": None}},
    ],
)
def test_a_message_from_a_contact_says_alive_in_any_gateways_shape(document: dict[str, Any]) -> None:
    assert kind(message(**document)) is SignalKind.ALIVE


@pytest.mark.parametrize(
    "body",
    [
        b'[{"event":"closesession","session":"sales"}]',
        b'[{"event":"closesession","session":"sales"},{"event":"\\ud800"}]',
        b'{"events":[{"event":"closesession","session":"sales"}]}',
        b'{"batch":[{"event":"x"},1]}',
        b'{"event":"closesession","session":"sales"}\n{"event":"x"}\n',
    ],
)
def test_several_events_in_one_body_are_known_for_what_they_are(body: bytes) -> None:
    assert read(body, RULES, NOW) == Reading(Verdict.BATCH)


def test_of_two_rules_the_one_that_knows_the_word_says_why_there_is_no_signal() -> None:
    quiet = msgspec.structs.replace(STATUS_FIND, disconnected=frozenset(), connected=frozenset())
    for rules in ((quiet, STATUS_FIND), (STATUS_FIND, quiet)):
        found = reading({"event": "status-find", "status": "inChat"}, known_rules(rules))
        assert found == Reading(Verdict.NAMELESS, "status-find")


def test_long_json_that_only_the_slow_decoder_reads_is_to_be_read_in_steps() -> None:
    body = b'{"event":"closesession","session":"sales","text":"\\ud83d"}'
    assert read(body.ljust(LENIENT_AT_ONCE), RULES, NOW).verdict is Verdict.SIGNAL
    assert read(body.ljust(LENIENT_AT_ONCE + 1), RULES, NOW) == Reading(Verdict.BATCH)


@pytest.mark.parametrize("body", [b'{"event":"x"}\n', b'{"event":\n"x"', b"a\nb", b"{}\n", b'"x"\n"y"'])
def test_a_body_that_is_broken_is_no_batch(body: bytes) -> None:
    assert read(body, RULES, NOW).verdict is not Verdict.BATCH


@pytest.mark.parametrize("raw", sorted(UNLESS))
def test_raw_events_that_need_no_connection_say_nothing(raw: str) -> None:
    assert reading(message(raw={"payload": {"event": raw.upper()}})).verdict is Verdict.OWN_MESSAGE


def test_an_excepted_event_says_nothing_by_its_own_name_either() -> None:
    rule = EventRule(
        event=frozenset({"onAny"}), session=paths("session"), means=SignalKind.ALIVE, unless=frozenset({"ONANY"})
    )
    assert reading({"event": "onany", "session": "x"}, known_rules((rule,))).verdict is Verdict.OWN_MESSAGE


def test_an_exception_holds_for_rules_of_any_kind() -> None:
    rule = EventRule(
        event=frozenset({"gone"}), session=paths("session"), means=SignalKind.DISCONNECTED, unless=frozenset({"test"})
    )
    document = {"event": "gone", "session": "x", "raw": {"payload": {"event": "test"}}}
    assert reading(document, known_rules((rule,))).verdict is Verdict.NOTHING


@pytest.mark.parametrize("absent", [{}, {"message": None}])
def test_a_receipt_under_the_name_of_a_message_says_nothing(absent: dict[str, object]) -> None:
    document = {"event": "message", "spec_version": "1.0", "session": "sales", "ack": {"status": "read"}, **absent}
    assert reading(document).verdict is Verdict.OWN_MESSAGE


def test_kinds_and_verdicts_have_the_words_that_are_stored_and_counted() -> None:
    assert [*SignalKind] == ["disconnected", "connected", "alive", "transient"]
    assert [*Verdict] == [
        "signal", "nothing", "presence", "own-message", "no-session", "nameless", "unmatched", "not-json", "too-deep",
        "batch",
    ]  # fmt: skip


# Times and ids of events


def own_time(**more: object) -> float | None:
    signal = reading(update("close", **more)).signal
    assert signal is not None
    return signal.at


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("2026-01-15T19:07:06.497Z", 1_768_504_026.497),
        ("2026-01-15T16:07:06.497-03:00", 1_768_504_026.497),
        ("2026-01-15 19:07:06+00:00", 1_768_504_026.0),
        (" 2026-01-15t19:07:06Z ", 1_768_504_026.0),
        (1_768_504_026, 1_768_504_026.0),
        (1_768_504_026_490, 1_768_504_026.49),
        (1_768_504_026.5, 1_768_504_026.5),
        ("1768504026490", 1_768_504_026.49),
        ("1768504026.25", 1_768_504_026.25),
        (99_999_999_999 / 100, 999_999_999.99),
        (100_000_000_000, 100_000_000.0),  # from here on in milliseconds
        (100_000_000_000_000, 100_000_000.0),  # in microseconds
        (1_768_504_026_490_125, 1_768_504_026.490125),
        (100_000_000_000_000_000, 100_000_000.0),  # in nanoseconds
        (1_768_504_026_490_125_999, 1_768_504_026.490126),
        ("1768504026490125999", 1_768_504_026.490126),
        (NOW + 300, NOW + 300),
    ],
)
def test_an_events_own_time_is_read(timestamp: object, at: float) -> None:
    assert own_time(timestamp=timestamp) == pytest.approx(at, abs=1e-6)


@pytest.mark.parametrize("naive", ["2026-01-15T19:07:06", "2026-01-15 19:07:06.497"])
def test_a_time_without_zone_is_unusable(naive: str) -> None:
    assert own_time(timestamp=naive) is None
    assert own_time(timestamp=naive, raw={"payload": {"t": NOW - 5}}) == NOW - 5


@pytest.mark.parametrize(
    "timestamp",
    [
        None,
        True,
        {},
        "",
        "now",
        "2026-01-15",
        "20260115T99",
        "nan",
        "inf",
        "-5",
        "1_768_504_026",
        "٣",
        0,
        -5,
        10**400,
        "9" * 400,
        NOW + 301,
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59-23:59",
    ],
)
def test_a_time_that_cannot_be_used_is_none(timestamp: object) -> None:
    assert own_time(timestamp=timestamp) is None


@pytest.mark.parametrize("timestamp", [None, "soon", NOW + 9_999])
def test_the_raw_time_serves_where_the_events_own_cannot_be_used(timestamp: object) -> None:
    assert own_time(timestamp=timestamp, raw={"payload": {"t": 1_768_504_026_490}}) == 1_768_504_026.49


@pytest.mark.parametrize(
    ("stated", "at", "ahead"),
    [(NOW, NOW, None), (NOW + 301, None, NOW + 301), (NOW + 1e9, None, NOW + 1e9), (NOW + 1e9 + 301, None, None)],
)
def test_a_time_too_far_ahead_is_told_apart(stated: float, at: float | None, ahead: float | None) -> None:
    body = json.dumps({"event": "status-find", "session": "s", "status": "browserClose", "timestamp": stated}).encode()
    signal = read(body, RULES, NOW).signal
    assert signal is not None
    assert (signal.at, signal.ahead) == (at, ahead)


def test_a_time_that_is_no_finite_number_is_none() -> None:
    body = b'{"event":"closesession","session":"x","timestamp":1e400}'
    signal = read(body, RULES, NOW).signal
    assert signal is not None
    assert signal.at is None


@pytest.mark.parametrize(("given_id", "event_id"), [("a-1", "a-1"), (17, "17"), (None, None), ("", None), ({}, None)])
def test_the_events_id_is_text_or_number(given_id: object, event_id: str | None) -> None:
    signal = reading(update("close", event_id=given_id)).signal
    assert signal is not None
    assert signal.event_id == event_id


# Whatever the bytes


@pytest.mark.parametrize("body", [b"", b"{", b"event=closesession", b"<html>", b"\x00\xff"])
def test_what_is_no_json_says_so(body: bytes) -> None:
    assert read(body, RULES, NOW) == Reading(Verdict.NOT_JSON)


@pytest.mark.parametrize("inner", [b"[" * 3_000 + b"]" * 3_000, b"[" * 1_000_000])
def test_a_body_that_is_nested_too_deep_is_named_so(inner: bytes) -> None:
    body = b'{"event":"closesession","session":"sales","more":%b}' % inner
    assert read(body, RULES, NOW) == Reading(Verdict.TOO_DEEP)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"closesession"', b"5", b'["closesession"]', b"[{}]"])
def test_json_that_is_no_object_says_nothing(body: bytes) -> None:
    assert read(body, RULES, NOW) == Reading(Verdict.NOTHING)


@pytest.mark.parametrize("extra", [b'"\\ud800"', b"1e400", b"9" * 5000, b'"\xff"'])
def test_what_only_javascript_accepts_is_read_all_the_same(extra: bytes) -> None:
    found = read(b'{"event":"closesession","session":"sales","x":' + extra + b"}", RULES, NOW)
    assert found.verdict is Verdict.SIGNAL


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["true_1", "a@c.us"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "session", "raw", "payload", "message", "fromMe", "t", "event", "_serialized"]),
            inner,
        )
    ),
    max_leaves=8,
)


@given(
    event=st.sampled_from(["connection.update", "status-find", "closesession", "message", "other"]) | json_values,
    members=st.dictionaries(
        st.sampled_from(["session", "state", "status", "id", "timestamp", "raw", "message", "ack", "spec_version"]),
        json_values,
    ),
    word=st.sampled_from(["close", "open", "unavailable", "inChat"]) | json_values,
)
@pytest.mark.slow
def test_no_json_makes_it_raise(event: object, members: dict[str, object], word: object) -> None:
    found = read(json.dumps({"status": word, **members, "event": event}).encode(), RULES, NOW)
    assert (found.signal is not None) == (found.verdict is Verdict.SIGNAL)


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert read(body, RULES, NOW).signal is None


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"timestamp":"2999-01-01T00:00:00Z"}', 32472144000.0),  # too far ahead to be used, but stated
        (b'{"event":"status-find"}', None),
        (b"not JSON", None),
        (b"[" * 100_000, None),
    ],
)
def test_the_time_an_event_states_is_told_whatever_it_is_worth(body: bytes, at: float | None) -> None:
    assert stated_time(body, KNOWN) == at


def test_another_gateways_events_are_read_where_its_dialect_says() -> None:
    dialect = known(
        event=(("type",), ("kind",)), time=(("data", "at"),), event_id=(("uid",),), raw_event=(("origin",),),
        own=(("data", "mine"),), own_ids=(), presence=("lastSeen",),
    )  # fmt: skip
    rules = known_rules(
        (
            EventRule(event=frozenset({"state"}), session=(("sid",),), state=(("data", "s"),),
                      disconnected=frozenset({"gone", "unavailable"})),
            EventRule(event=frozenset({"msg"}), session=(("sid",),), means=SignalKind.ALIVE, unless=frozenset({"ack"})),
        ),
        dialect=dialect,
    )  # fmt: skip

    def told(**document: Any) -> tuple[Verdict, Signal | None]:
        reading = read(json.dumps(document).encode(), rules, 1_800_000_000.0)
        return reading.verdict, reading.signal

    lost = Signal(SignalKind.DISCONNECTED, "sales", 1_700_000_000.0, "STATE", "gone", "7")
    event = {"kind": "STATE", "sid": "sales", "uid": 7, "data": {"s": "gone", "at": 1_700_000_000}}
    assert told(**event) == (Verdict.SIGNAL, lost)
    assert told(**event, event="x", timestamp=1_600_000_000, event_id="8") == (Verdict.SIGNAL, lost)
    assert told(event="state", sid="sales", data={"s": "gone"})[0] is Verdict.UNMATCHED
    assert told(type="state", sid="sales", data={"s": "unavailable"}, lastSeen=1)[0] is Verdict.PRESENCE
    assert told(type="state", sid="sales", data={"s": "unavailable"}, isOnline=True)[0] is Verdict.SIGNAL
    assert told(type="msg", sid="sales", data={"mine": True})[0] is Verdict.OWN_MESSAGE
    assert told(type="msg", sid="sales", data={"fromMe": True})[0] is Verdict.SIGNAL
    assert told(type="msg", sid="sales", origin="Ack")[0] is Verdict.OWN_MESSAGE
    assert told(items=[{"type": "msg"}])[0] is Verdict.BATCH
    assert told(items=[{"event": "msg"}])[0] is Verdict.UNMATCHED
    assert stated_time(json.dumps(event).encode(), dialect) == 1_700_000_000.0
    assert stated_time(json.dumps(event).encode(), KNOWN) is None


# Transient states


RECONNECTING = msgspec.structs.replace(UPDATE, transient=frozenset({"connecting", "Refused"}), grace=120.0)


@pytest.mark.parametrize("word", ["connecting", " Connecting\n", "refused"])
def test_a_transient_word_says_so_and_with_which_grace(word: str) -> None:
    signal = reading(update(word), known_rules((RECONNECTING,))).signal
    assert signal is not None
    assert (signal.kind, signal.word, signal.grace) == (SignalKind.TRANSIENT, word, 120.0)


def test_a_rule_that_names_no_grace_has_the_usual_one() -> None:
    rule = msgspec.structs.replace(UPDATE, transient=frozenset({"connecting"}))
    signal = reading(update("connecting"), known_rules((rule,))).signal
    assert signal is not None
    assert signal.grace == GRACE == 90.0


@pytest.mark.parametrize("word", ["close", "open"])
def test_what_is_settled_has_no_grace(word: str) -> None:
    signal = reading(update(word), known_rules((RECONNECTING,))).signal
    assert signal is not None
    assert signal.grace == 0.0


def test_an_event_may_be_transient_by_its_name() -> None:
    rule = EventRule(
        event=frozenset({"Disconnected"}), session=paths("instanceName"), means=SignalKind.TRANSIENT, grace=60.0
    )
    signal = reading({"event": "disconnected", "instanceName": "sales"}, known_rules((rule,))).signal
    assert signal is not None
    assert (signal.kind, signal.word, signal.grace) == (SignalKind.TRANSIENT, None, 60.0)


def test_a_transient_word_beside_a_settled_one_is_the_settled_one() -> None:
    both = msgspec.structs.replace(RECONNECTING, transient=frozenset({"close", "open"}))
    assert [kind(update(word), known_rules((both,))) for word in ("close", "open")] == [
        SignalKind.DISCONNECTED, SignalKind.CONNECTED,
    ]  # fmt: skip


def test_a_contact_that_is_doing_something_is_in_no_transient_state() -> None:
    rule = msgspec.structs.replace(RECONNECTING, transient=frozenset({"composing"}))
    assert reading(presence("composing"), known_rules((rule,))).verdict is Verdict.PRESENCE


def test_a_transient_state_without_a_session_says_nothing() -> None:
    found = reading({"event": "connection.update", "state": "connecting"}, known_rules((RECONNECTING,)))
    assert found == Reading(Verdict.NO_SESSION, "connection.update")


# A sender's own clock


OWN = known_rules(RULES.rules, dialect=known(own_clock=True))


@pytest.mark.parametrize("hours", [-12, -3, 0, 5.5, 14, 14 + 1 / 12])
def test_a_clock_of_its_own_may_show_the_time_of_any_zone(hours: float) -> None:
    moment = NOW + hours * 3600
    signal = reading(update("close", timestamp=moment), OWN).signal
    assert signal is not None
    assert (signal.at, signal.ahead) == (moment, None)
    assert stated_time(json.dumps({"timestamp": moment}).encode(), OWN.dialect, NOW) == moment


@pytest.mark.parametrize("ahead", [14 * 3600 + 301, 15 * 3600])
def test_a_clock_of_its_own_that_is_in_no_zone_orders_what_it_dates_and_nothing_else(ahead: float) -> None:
    signal = reading(update("close", timestamp=NOW + ahead), OWN).signal
    assert signal is not None
    assert (signal.at, signal.ahead) == (None, NOW + ahead)


@pytest.mark.parametrize(("stated", "at"), [(0, None), (0.5, 0.5), (1, 1.0)])
def test_zero_is_no_time_and_all_after_it_is(stated: float, at: float | None) -> None:
    assert stated_time(json.dumps({"timestamp": stated}).encode(), OWN.dialect) == at


# Forms


FORM = known_rules(
    (EventRule(event=frozenset({"LoggedOut"}), session=paths("instanceName"), means=SignalKind.DISCONNECTED),),
    dialect=known(event=paths("type"), time=paths("at"), body_member="jsonData"),
)


def test_a_form_holds_its_event_in_one_member() -> None:
    document = {"type": "LoggedOut", "instanceName": "São Paulo & sons", "at": NOW}
    body = urlencode({"token": "s3cret", "jsonData": json.dumps(document)}).encode()
    found = read(body, FORM, NOW)
    assert found.signal is not None
    assert (found.signal.kind, found.session, found.signal.at) == (SignalKind.DISCONNECTED, "São Paulo & sons", NOW)
    assert stated_time(body, FORM.dialect) == NOW


def test_a_body_that_is_json_all_the_same_is_read_as_that() -> None:
    assert kind({"type": "LoggedOut", "instanceName": "sales"}, FORM) is SignalKind.DISCONNECTED


@pytest.mark.parametrize("body", [b"", b"token=s3cret", b"jsonData=", b"jsonData=%7B", b"jsondata=%7B%7D", b"&&=&"])
def test_a_form_without_an_event_is_not_json(body: bytes) -> None:
    assert read(body, FORM, NOW) == Reading(Verdict.NOT_JSON)


def test_a_form_is_read_only_where_the_dialect_says_so() -> None:
    assert read(b"jsonData=%7B%22event%22%3A%22closesession%22%7D", RULES, NOW).verdict is Verdict.NOT_JSON


def test_a_long_form_is_to_be_read_in_steps() -> None:
    body = b"jsonData=" + b"%20" * FORM_AT_ONCE + b"%7B%7D"
    assert read(body, FORM, NOW).verdict is Verdict.BATCH
    assert stated_time(body, FORM.dialect) is None


def test_a_form_may_hold_several_events() -> None:
    body = urlencode({"jsonData": '[{"type":"LoggedOut","instanceName":"sales"}]'}).encode()
    assert read(body, FORM, NOW).verdict is Verdict.BATCH


# Booleans as words

ONLINE = EventRule(
    event=frozenset({"link"}),
    session=paths("session"),
    state=paths("info.online", "status"),
    disconnected=frozenset({"False", "close"}),
    connected=frozenset({"true"}),
)


@pytest.mark.parametrize(
    ("says", "kind", "word"),
    [
        ({"info": {"online": False}}, SignalKind.DISCONNECTED, "false"),
        ({"info": {"online": True}}, SignalKind.CONNECTED, "true"),
        ({"info": {"online": "FALSE"}}, SignalKind.DISCONNECTED, "FALSE"),
        ({"info": {"online": True}, "status": "close"}, SignalKind.CONNECTED, "true"),
        ({"info": {"online": None}, "status": "close"}, SignalKind.DISCONNECTED, "close"),
        ({"info": {"online": 0}}, None, None),
        ({"info": {"online": [False]}}, None, None),
    ],
)
def test_a_boolean_is_a_word_where_a_rule_lists_it(
    says: dict[str, Any], kind: SignalKind | None, word: str | None
) -> None:
    body = json.dumps({"event": "link", "session": "a", **says}).encode()
    signal = read(body, known_rules((ONLINE,)), NOW).signal
    assert (signal and signal.kind, signal and signal.word) == (kind, word)


def test_a_boolean_may_be_a_transient_state() -> None:
    rule = EventRule(
        event=frozenset({"link"}), session=paths("session"), state=paths("up"), transient=frozenset({"false"})
    )
    signal = read(b'{"event":"link","session":"a","up":false}', known_rules((rule,)), NOW).signal
    assert signal is not None
    assert (signal.kind, signal.word) == (SignalKind.TRANSIENT, "false")


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_passed_over_where_no_rule_lists_one(value: bool) -> None:
    body = json.dumps({"event": "connection.update", "session": "a", "state": value, "status": "close"}).encode()
    signal = read(body, known_rules((UPDATE,)), NOW).signal
    assert signal is not None
    assert (signal.kind, signal.word) == (SignalKind.DISCONNECTED, "close")


def test_a_boolean_names_the_event_where_a_rule_is_called_so() -> None:
    rule = EventRule(event=frozenset({"false"}), session=paths("session"), means=SignalKind.DISCONNECTED)
    body = b'{"online":false,"session":"a","event":"link"}'
    named = known(event=paths("online", "event"), boolean_names=True)
    found = read(body, known_rules((rule,), dialect=named), NOW)
    assert (found.event, found.signal and found.signal.kind) == ("false", SignalKind.DISCONNECTED)
    unnamed = known(event=paths("online", "event"))
    assert read(body, known_rules((rule,), dialect=unnamed), NOW) == Reading(Verdict.UNMATCHED, "link", "a")


@pytest.mark.parametrize("preset", preset_names())
def test_a_boolean_is_a_word_in_no_preset(preset: str) -> None:
    """So that the bodies that presets match are read as ever, `isLogged: true` among them."""
    rules = loads(f"gateway: http://127.0.0.1\npreset: {preset}\n").signal_rules()
    assert not any(rule.booleans for rule in rules.rules)
    assert not rules.dialect.boolean_names


@pytest.mark.parametrize(
    ("event", "session"),
    [
        ({"event": "closesession", "session": "sales:s3cret"}, "sales"),
        ({"event": "closesession", "session": "sales"}, "sales"),
        ({"event": "closesession", "session": ":s3cret"}, "path"),
        ({"event": "else", "session": "sales:s3cret"}, "sales"),
    ],
)
def test_a_token_beside_the_session_is_cut_off(event: dict[str, str], session: str) -> None:
    rules = known_rules(RULES.rules, cut=Cut(":", session_first=True))
    found = read(json.dumps(event).encode(), rules, NOW, "path")
    assert found.session == session
    assert found.signal is None or found.signal.session == session
    assert reading({"event": "closesession", "session": "a:b"}).session == "a:b"
