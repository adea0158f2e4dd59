"""The records of the map: who is forgotten first, what is noted of the gateway's words, when answers are outdated."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.identity import ChannelIds
from statusproxy.status.model import EVICTED, Change, Override, Record, Release, SessionRules, Transient
from statusproxy.status.records import SPELLINGS, Records
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, SignalKind, Verdict
from statusproxy.status.statements import Statement
from statusproxy.status.transitions import Step
from tests.status.maps import (
    ALIVE,
    DOWN,
    UP,
    confirm,
    down,
    hear,
    in_force,
    reading,
    record,
    see,
)

NAMES = [f"real-{number}" for number in range(6)]


# Bounds


def test_the_map_forgets_those_without_override_first_and_longest_unheard_first() -> None:
    sessions = SessionMap(SessionRules(max_sessions=4))
    hear(sessions, "down", DOWN, at=1.0)
    hear(sessions, "was-down", DOWN, at=2.0)
    hear(sessions, "was-down", UP, at=3.0)
    hear(sessions, "idle", UP, at=4.0)
    hear(sessions, "busy", UP, at=5.0)
    hear(sessions, "idle", UP, at=6.0)
    gone = []
    for number in range(4):
        hear(sessions, f"new-{number}", DOWN, at=10.0 + number)
        gone += sessions.take_unsaved()[1]
    assert gone == ["busy", "idle", "was-down", "down"]


def test_a_deleted_session_is_forgotten_before_one_that_was_down() -> None:
    sessions = down("deleted", "released", rules=SessionRules(max_sessions=2))
    sessions.release("released", 150.0)
    sessions.watched.deleted("deleted", 150.0, 151.0)
    hear(sessions, "new", DOWN, at=160.0)
    assert sessions.get("deleted") is None


def test_an_override_forgotten_for_want_of_room_is_told() -> None:
    sessions = down("a", "b", rules=SessionRules(max_sessions=2))
    see(sessions, "a", says="connected", whole=False)
    outcome = sessions.hear(reading("c", DOWN, 200.0), 201.0)
    assert outcome.changes[1:] == (Change("a", "released", EVICTED, 201.0, 201.0, "connected"),)
    assert in_force(sessions) == {"b", "c"}


def test_a_forgotten_session_heard_again_is_no_longer_to_be_forgotten() -> None:
    sessions = SessionMap(SessionRules(max_sessions=1))
    for session in ("a", "A", "a"):
        hear(sessions, session, UP, at=100.0)
    records, forgotten = sessions.take_unsaved()
    assert ([one.session for one in records], forgotten) == (["a"], ["A"])


def test_sessions_that_the_gateways_list_names_are_forgotten_last_then_those_shown_as_disconnected() -> None:
    sessions = SessionMap(SessionRules(max_sessions=4))
    hear(sessions, "real-0", UP, at=1.0)
    hear(sessions, "real-1", DOWN, at=2.0)
    hear(sessions, "lost", DOWN, at=3.0)
    hear(sessions, "idle", UP, at=4.0)
    confirm(sessions)
    gone = []
    for number in range(4):
        hear(sessions, f"made-up-{number}", UP, at=10.0 + number)
        gone += sessions.take_unsaved()[1]
    assert gone == ["idle", "made-up-0", "made-up-1", "made-up-2"]
    assert in_force(sessions) == {"real-1", "lost"}
    for number in range(4):
        hear(sessions, f"made-up-{number}", DOWN, at=20.0 + number)
    assert [one.session for one in sessions.records()] == ["real-0", "real-1", "made-up-2", "made-up-3"]


events_of_a_flood = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from([DOWN, UP, ALIVE, None]), st.integers(1, 500).map(float)), max_size=80
)


@given(events_of_a_flood, st.lists(st.sampled_from([DOWN, UP, ALIVE]), min_size=4, max_size=4), st.booleans())
def test_no_flood_of_made_up_sessions_changes_what_is_known_of_real_ones(
    flood: list[tuple[int, SignalKind | None, float]], known: list[SignalKind], restarted: bool
) -> None:
    sessions = SessionMap(SessionRules(max_sessions=6))
    for number, (name, real) in enumerate(zip(NAMES, known, strict=False)):
        hear(sessions, name, real, at=100.0 + number)
    confirm(sessions)
    before = {name: sessions.get(name) for name in NAMES[:4]}
    if restarted:
        loaded = SessionMap(SessionRules(max_sessions=6))
        loaded.load(sessions.records())
        sessions = loaded
    for number, kind, at in flood:
        session = f"made-up-{number}"
        if kind is None:
            sessions.hear(Reading(Verdict.UNMATCHED, "ev", session), 1_000.0)
        else:
            hear(sessions, session, kind, at=at, arrival=1_000.0 + number, event_id=str(number))
    assert {name: sessions.get(name) for name in NAMES[:4]} == before
    assert len(sessions.records()) <= 6
    assert sessions.overrides == len(in_force(sessions))


def test_a_deleted_session_keeps_that_it_was_real_and_an_older_disconnect_stays_late() -> None:
    sessions = SessionMap(SessionRules(max_sessions=2))
    hear(sessions, "real-0", DOWN, at=100.0)
    confirm(sessions)
    sessions.watched.deleted("real-0", 150.0, 151.0)
    for number in range(20):
        hear(sessions, f"made-up-{number}", DOWN, at=200.0 + number)
    assert hear(sessions, "real-0", DOWN, at=149.0, arrival=300.0) == "late"


def test_the_map_asks_to_be_told_which_sessions_are_real_before_it_is_full() -> None:
    sessions = SessionMap(SessionRules(max_sessions=4))
    asked = []
    for number in range(4):
        asked.append((sessions.has_room, sessions.is_full))
        hear(sessions, f"s{number}", UP, at=1.0)
    assert [*asked, (sessions.has_room, sessions.is_full)] == [
        (True, False), (True, False), (True, False), (False, False), (False, True),
    ]  # fmt: skip


def test_spellings_of_one_session_push_out_only_each_other() -> None:
    sessions = down("sales", "support")
    confirm(sessions, ChannelIds({"sales", "support"}))
    for number in range(200):
        hear(sessions, "sales" + " " * (number + 1), DOWN, at=200.0 + number)
    left = [one.session for one in sessions.records()]
    assert len(left) == SPELLINGS + 1
    assert left[:2] == ["sales", "support"]
    assert sessions.evicted == 200 + 1 - SPELLINGS
    assert sessions.overrides == len(in_force(sessions)) == SPELLINGS + 1


def test_forgotten_sessions_are_counted() -> None:
    sessions = SessionMap(SessionRules(max_sessions=1))
    for number in range(5):
        hear(sessions, f"s{number}", UP, at=1.0)
    assert sessions.evicted == 4


# What the gateway said


def test_the_same_word_is_noted_once_a_minute_and_another_at_once() -> None:
    sessions = down("sales")
    see(sessions, "sales", says="connected", now=201.0)
    see(sessions, "sales", says="connected", now=260.75)
    assert record(sessions, "sales").gateway_said_at == 201.0
    see(sessions, "sales", says="unknown", now=260.75)
    assert (record(sessions, "sales").gateway_said, record(sessions, "sales").gateway_said_at) == ("unknown", 260.75)
    see(sessions, "sales", says="unknown", now=320.75)
    assert record(sessions, "sales").gateway_said_at == 320.75


def test_a_word_that_is_noted_is_to_be_saved_and_one_that_is_not_is_not() -> None:
    records = kept("sales")
    records.unsaved.saved()
    told = []
    for word, now in (("open", 100.0), ("open", 159.0), ("open", 160.0), (None, 300.0), ("qr", 300.0)):
        records.note_word("sales", word, now)
        told.append((records.unsaved.take_rest(), records["sales"].gateway_said_at))
    assert told == [(["sales"], 100.0), ([], 100.0), (["sales"], 160.0), ([], 160.0), (["sales"], 300.0)]


def test_a_word_noted_before_the_clock_was_set_back_is_noted_anew() -> None:
    sessions = down("sales")
    see(sessions, "sales", says="connected", now=10_000.0)
    see(sessions, "sales", says="connected", now=201.0)
    assert record(sessions, "sales").gateway_said_at == 201.0


# The version


def test_the_version_moves_with_whatever_could_alter_an_answer() -> None:
    sessions = SessionMap()
    seen = [sessions.version]

    def moved() -> bool:
        seen.append(sessions.version)
        return seen[-1] > seen[-2]

    sessions.hear(Reading(Verdict.UNMATCHED, "qrcode", "sales team"), 99.0)
    assert not moved()
    hear(sessions, "sales team", ALIVE, at=100.0)
    assert not moved()
    hear(sessions, "sales team", DOWN, at=101.0)
    assert moved()
    hear(sessions, "sales team", ALIVE, at=102.0)
    assert moved()
    see(sessions, "SalesTeam", says="connected")
    assert moved()
    see(sessions, "SalesTeam", says="unknown")
    assert not moved()
    sessions.watched.qr_seen("SalesTeam", 103.0, 104.0)
    assert moved()
    hear(sessions, "sales team", UP, at=105.0)
    assert moved()
    sessions.configure(SessionRules())
    assert moved()


def test_messages_leave_remembered_answers_good_where_they_can_end_nothing() -> None:
    nothing, sessions = SessionMap(), down("sales")
    for held in (nothing, sessions):
        before = held.version
        hear(held, "support", SignalKind.ALIVE, at=101.0)
        assert held.version == before


def test_a_message_on_another_spelling_makes_remembered_answers_outdated() -> None:
    sessions = down("Sales Team")
    before = sessions.version
    hear(sessions, "salesteam", SignalKind.ALIVE, at=500.0)
    assert sessions.version > before


# By itself


def kept(*ids: str, rules: SessionRules | None = None) -> Records:
    records = Records(rules or SessionRules())
    for one in ids:
        records.put(Record(one), heard=True)
    return records


def test_a_record_is_found_by_its_exact_id() -> None:
    records = kept("sales", "Sales")
    records.put(Record("sales", event="ev"))
    assert records.get("sales") == records["sales"] == Record("sales", event="ev")
    assert (records.get("SALES"), "SALES" in records, "sales" in records, len(records)) == (None, False, True, 2)
    assert [record.session for record in records] == ["sales", "Sales"]


def test_a_transient_state_must_be_saved_before_it_alters_an_answer() -> None:
    records = kept("a")
    records.unsaved.saved()
    before = records.version
    records.put(Record("a", transient=Transient(1.0, 1.0, 1.0, 91.0, "ev")))
    assert (records.unsaved.take_decisive(), records.version) == ((["a"], []), before)
    records.put(Record("a", verdict=SignalKind.CONNECTED))
    assert (records.unsaved.take_decisive(), records.version) == ((["a"], []), before + 1)


def test_what_is_overridden_and_what_is_to_count_is_known_in_its_order() -> None:
    records, override = kept("a", "b", "c"), Override(1.0, 1.0, 1.0, "ev")
    assert (list(records.overridden), list(records.transient), records.transient_due) == ([], [], math.inf)
    for session, due in (("b", 91.0), ("a", 50.0), ("c", 60.0)):
        records.put(Record(session, transient=Transient(1.0, 1.0, 1.0, due, "ev")))
    assert (list(records.transient), records.transient_due) == (["b", "a", "c"], 50.0)
    records.put(replace(records["a"], override=override))
    records.put(Record("b", override=override))
    records.drop("c")
    assert (list(records.overridden), list(records.transient)) == (["a", "b"], [])
    records.put(Record("a"))
    records.drop("b")
    assert list(records.overridden) == []


def test_the_same_word_at_the_same_moment_is_not_noted_again() -> None:
    records = kept("a")
    records.note_word("a", "open", 5.0)
    records.unsaved.saved()
    records.note_word("a", "open", 5.0)
    assert records.unsaved.take_rest() == []
    records.note_word("a", "open", 4.9)  # the clock was set back
    assert (records.unsaved.take_rest(), records["a"].gateway_said_at) == (["a"], 4.9)


def test_an_equal_record_changes_nothing_unless_an_event_came() -> None:
    records = kept("a", "b", rules=SessionRules(max_sessions=2))
    records.unsaved.saved()
    records.put(Record("a"))
    assert records.unsaved.take_rest() == []
    records.put(Record("a"), heard=True)
    assert records.unsaved.take_rest() == ["a"]
    records.put(Record("c"))
    assert records.evict(5.0, 0) == []
    assert records.evict(5.0, 9) == [("b", None)]


@pytest.mark.parametrize("event", ["onack", None])
@pytest.mark.parametrize(
    "record",
    [
        Record("a", UP, 3.0, heard_at=3.0, event="ev", first_heard=1.0),
        Record("a", UP, 3.0, heard_at=9.0, first_heard=1.0, confirmed=True, channel="A", lags=(("/in", 3.0),)),
        Record("a", DOWN, 3.0, first_heard=1.0, override=Override(1.0, 1.0, 1.0, "ev")),
        Record("a", first_heard=1.0, transient=Transient(1.0, 1.0, 1.0, 91.0, "ev")),
        Record("a", UP, first_heard=1.0, released=Release.ALIVE, released_at=2.0),
    ],
)
def test_noting_that_an_event_came_does_what_putting_the_record_would(record: Record, event: str | None) -> None:
    other = replace(record, session="b")
    noted, put = Records(SessionRules(max_sessions=1)), Records(SessionRules(max_sessions=1))
    for records in (noted, put):
        records.put(record)
        records.put(other)
        records.unsaved.saved()
    noted.note_heard(record, event, 5.0)
    put.put(replace(record, heard_at=max(record.heard_at, 5.0), event=event or record.event), heard=True)
    assert list(noted) == list(put)
    assert noted.unsaved.take_rest() == put.unsaved.take_rest() == ["a"]
    for name in ("version", "overridden", "transient", "transient_due"):
        assert getattr(noted, name) == getattr(put, name)
    assert not noted.unsaved
    assert [session for session, _ in noted.evict(6.0)] == [session for session, _ in put.evict(6.0)] == ["b"]


def test_a_map_is_at_rest_while_it_has_room_and_nothing_of_it_must_be_durable() -> None:
    records = kept("a", rules=SessionRules(max_sessions=4))
    records.unsaved.saved()
    found = [records.at_rest]
    records.unsaved.changed("a", decisive=True)
    found.append(records.at_rest)
    records.unsaved.saved()
    found.append(records.at_rest)
    records.configure(SessionRules(max_sessions=1))
    assert [*found, records.at_rest] == [True, False, True, False]


def test_a_name_means_the_session_its_spellings_and_its_aliases() -> None:
    rules = SessionRules(aliases={"wpp-01": "desk"})
    records = kept("Sales Team", "salesteam", "WPP-01", "x", rules=rules)
    records.put(Record("x", channel="X 1"))
    assert records.sessions_of("salesteam") == records.named("SALESTEAM") == ["Sales Team", "salesteam"]
    assert records.named("Desk") == ["WPP-01"]
    assert (records.sessions_of("X"), records.named("X")) == ([], ["x"])
    assert records.named("x") == ["x"]
    assert (records.spelt_alike, kept("a", "b").spelt_alike, kept("a", "A").spelt_alike) == (True, False, True)


def test_a_name_that_means_nobody_or_several_says_so() -> None:
    records = kept("desk", "DESK")
    records.put(Record("desk", channel="Desk 1"))
    records.put(Record("DESK", channel="Desk 2"))
    with pytest.raises(LookupError, match=r"^no session 'nobody' is known$"):
        records.named("nobody")
    with pytest.raises(LookupError, match=r"^'Desk' could be any of: Desk 1, Desk 2$"):
        records.named("Desk")


def test_what_senders_clocks_were_is_forgotten_without_a_write() -> None:
    records = kept("a", "b")
    records.put(Record("a", lags=(("/in", 3.0),)))
    records.unsaved.saved()
    records.forget_lags()
    assert ([record.lags for record in records], records.unsaved.take_rest()) == ([(), ()], [])


def test_new_rules_bound_the_map_and_make_answers_outdated() -> None:
    records = kept("a", "b")
    version = records.version
    records.configure(SessionRules(max_sessions=2, aliases={"a": "x"}))
    assert (records.version, records.is_full, records.has_room) == (version + 1, True, False)
    assert records.kin("x") == ["a"]
    records.configure(SessionRules(max_sessions=3))
    assert (records.is_full, records.has_room, records.kin("x")) == (False, True, [])


def test_a_dropped_session_leaves_nothing_behind() -> None:
    records = kept("a", "A")
    records.put(Record("a", SignalKind.DISCONNECTED, override=Override(1.0, 1.0, 1.0, "ev")))
    version = records.version
    records.drop("a")
    records.drop("A")
    assert (len(records), list(records.overridden), records.kin("a")) == (0, [], [])
    assert records.version == version + 1
    assert records.unsaved.take_decisive() == ([], ["a", "A"])


def test_statements_that_applied_are_put_and_what_they_changed_is_given() -> None:
    records = Records(SessionRules())
    change = Change("sales", "released", "operator", 1.0, 1.0)
    lost, kept = Record("sales", heard_at=1.0), Record("support", heard_at=1.0)
    assert records.take([Step(lost, change, applied=True), Step(kept, None, applied=False)]) == (change,)
    assert [one.session for one in records] == ["sales"]


def test_with_an_alias_goes_the_channel_that_it_alone_taught() -> None:
    records = kept("wa1", "sales team", rules=SessionRules(aliases={"wa1": "Front Desk"}))
    records.put(Record("wa1", channel="Front Desk"))
    records.put(Record("sales team", channel="SalesTeam"))
    records.configure(SessionRules())
    assert (records["wa1"].channel, records["sales team"].channel) == (None, "SalesTeam")


def test_the_kin_of_sessions_are_those_that_may_be_what_they_were_last_found_to_be() -> None:
    records = kept("sales team", "SALES TEAM", "desk", "DESK", "wa1", "x", rules=SessionRules(aliases={"wa1": "Desk"}))
    records.put(Record("sales team", channel="SalesTeam"))
    records.put(Record("DESK", channel="DESK"))
    assert records.with_kin(["sales team"]) == ["sales team", "SALES TEAM"]
    assert set(records.with_kin(["wa1"])) == {"wa1", "desk"}, "another session is known to be another channel"
    assert records.with_kin(["desk", "x"]) == ["desk", "x"], "of these nothing was found"
    plain = kept("a", "b")
    plain.put(Record("a", channel="b"))
    assert plain.with_kin(["a"]) == ["a"], "no id is spelt as another"


def test_a_map_has_room_while_less_than_three_quarters_of_it_are_taken() -> None:
    records = kept(*(f"s{number}" for number in range(74)), rules=SessionRules(max_sessions=100))
    records.unsaved.saved()
    assert (records.has_room, records.at_rest) == (True, True)
    records.put(Record("s74"))
    records.unsaved.saved()
    assert (records.has_room, records.at_rest) == (False, False)


def test_a_statement_about_no_session_changes_nothing() -> None:
    assert kept("a").own((), Statement.KEEPS, 5.0) == ()
