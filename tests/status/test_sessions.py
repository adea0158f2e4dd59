"""The session-state map: when an override starts, when it ends, and that order of delivery does not matter."""

import json
import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.status.clocks import sender_of
from statusproxy.status.doubtful_age import SETTLING
from statusproxy.status.effects import SOURCES
from statusproxy.status.event_ids import EACH, REMEMBERED_EVENTS
from statusproxy.status.identity import ChannelIds
from statusproxy.status.model import Change, Evidence, Override, Record, Release, SessionRules, Transient
from statusproxy.status.one_session import deciding
from statusproxy.status.sessions import EVICTED_AT_ONCE, NOTHING, SessionMap
from statusproxy.status.signals import EventRule, Reading, Signal, SignalKind, Verdict, read
from tests.known_dialect import known, known_rules
from tests.status.maps import (
    ALIVE,
    DOWN,
    UP,
    confirm,
    down,
    hear,
    in_force,
    override,
    reading,
    reasons,
    record,
    see,
    without,
)

# Starting


def test_a_map_knows_nothing_at_first() -> None:
    sessions = SessionMap()
    assert (sessions.has_overrides, sessions.overrides, sessions.lost(), sessions.records()) == (False, 0, [], [])


def test_a_disconnect_starts_an_override() -> None:
    sessions = SessionMap()
    outcome = sessions.hear(reading("sales", DOWN, 100.0, "id-1"), 103.0)
    assert outcome.verdict == "applied"
    assert outcome.changes == (Change("sales", "started", "ev disc", 103.0, 103.0),)
    assert override(sessions, "sales") == Override(103.0, 100.0, 103.0, "ev", "disc", "id-1", clock="", lag=3.0)
    assert (sessions.has_overrides, sessions.overrides, sessions.lost()) == (True, 1, ["sales"])


def test_a_disconnect_without_a_word_names_its_event_alone() -> None:
    signal = Signal(DOWN, "sales", 100.0, "closesession", None, None)
    outcome = SessionMap().hear(Reading(Verdict.SIGNAL, "closesession", "sales", signal), 100.0)
    assert outcome.changes[0].reason == "closesession"


def test_a_newer_disconnect_repeats_the_override_and_the_gateway_must_catch_up_anew() -> None:
    sessions = down("sales")
    sessions.watched.qr_seen("sales", 150.0, 151.0)
    outcome = sessions.hear(reading("sales", DOWN, 160.0), 162.0)
    assert reasons(outcome.changes) == [("sales", "repeated", "ev disc")]
    standing = override(sessions, "sales")
    assert (standing.since, standing.at, standing.began, standing.caught_up) == (100.0, 160.0, 162.0, None)


def test_an_event_about_no_session_changes_nothing() -> None:
    sessions = SessionMap()
    assert sessions.hear(Reading(Verdict.NO_SESSION, "ev"), 100.0).verdict == "unchanged"
    assert sessions.records() == []


def test_an_event_that_says_nothing_is_noted_as_heard() -> None:
    sessions = SessionMap()
    assert sessions.hear(Reading(Verdict.PRESENCE, "connection.update", "sales"), 100.0).verdict == "unchanged"
    sessions.hear(Reading(Verdict.UNMATCHED, None, "sales"), 101.0)
    assert record(sessions, "sales") == Record("sales", heard_at=101.0, event="connection.update", first_heard=100.0)


def test_an_event_that_changes_nothing_is_told_from_one_after_which_something_is_to_be_done() -> None:
    quiet = Reading(Verdict.UNMATCHED, "ev", "sales")
    sessions = SessionMap()
    assert sessions.hear(quiet, 100.0) is not NOTHING, "the session is new"
    assert sessions.hear(quiet, 101.0) is NOTHING
    assert sessions.hear(quiet, 102.0, "sender", at=90.0) is not NOTHING, "the sender's clock is noted"
    hear(sessions, "support", DOWN, at=103.0)
    assert sessions.hear(quiet, 104.0) is not NOTHING, "a change must be durable"
    sessions.take_unsaved()
    assert sessions.hear(quiet, 105.0) is NOTHING
    sessions.configure(SessionRules(max_sessions=1))
    assert [change.session for change in sessions.hear(quiet, 106.0).changes] == []
    assert [one.session for one in sessions.records()] == ["support"], "the new bound holds from the next event on"


# Order


def test_a_timed_event_older_than_what_is_known_is_late() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=100.0)
    assert hear(sessions, "sales", DOWN, at=99.0, arrival=101.0) == "late"
    assert not sessions.has_overrides


@pytest.mark.parametrize("order", [(DOWN, UP), (UP, DOWN)])
def test_at_the_same_moment_connected_wins(order: tuple[SignalKind, SignalKind]) -> None:
    sessions = SessionMap()
    for kind in order:
        hear(sessions, "sales", kind, at=100.0)
    assert not sessions.has_overrides
    assert record(sessions, "sales").verdict is UP


@pytest.mark.parametrize("kind", [DOWN, UP, ALIVE])
def test_the_same_event_again_without_an_id_is_late(kind: SignalKind) -> None:
    sessions = SessionMap()
    assert hear(sessions, "sales", kind, at=100.0) == "applied"
    assert hear(sessions, "sales", kind, at=100.0) == "late"


def test_a_signal_without_a_time_is_never_late() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=300.0, arrival=100.0)  # a sender whose clock is ahead
    assert hear(sessions, "sales", DOWN, arrival=101.0) == "applied"
    assert override(sessions, "sales").stamp.here == 101.0


def test_a_disconnect_without_a_time_is_newer_than_a_message_from_a_clock_ahead() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", ALIVE, at=390.0, arrival=100.0)
    hear(sessions, "sales", DOWN, arrival=101.0)
    assert in_force(sessions) == {"sales"}


def test_the_same_event_id_counts_once() -> None:
    sessions = SessionMap()
    assert hear(sessions, "sales", DOWN, arrival=100.0, event_id="a") == "applied"
    assert hear(sessions, "sales", UP, arrival=101.0) == "applied"
    assert hear(sessions, "sales", DOWN, arrival=102.0, event_id="a") == "duplicate"
    assert not sessions.has_overrides
    assert record(sessions, "sales").heard_at == 102.0


def test_the_same_event_id_of_another_session_is_another_event() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", DOWN, arrival=100.0, event_id="a")
    assert hear(sessions, "support", DOWN, arrival=100.0, event_id="a") == "applied"


def test_event_ids_are_forgotten_oldest_first() -> None:
    sessions = SessionMap()
    for number in range(EACH + 1):
        hear(sessions, "sales", ALIVE, arrival=100.0 + number, event_id=str(number))
    assert hear(sessions, "sales", ALIVE, arrival=1e5, event_id="1") == "duplicate"
    assert hear(sessions, "sales", ALIVE, arrival=1e5, event_id="0") == "applied"


timed_events = st.lists(
    st.tuples(
        st.sampled_from(["sales", "Sales", "support"]),
        st.sampled_from([DOWN, UP, ALIVE]),
        st.integers(1, 9).map(lambda step: step * 25.0),
    ),
    max_size=14,
)


@given(timed_events, st.data())
def test_any_order_of_delivery_ends_in_the_same_map(
    events: list[tuple[str, SignalKind, float]], data: st.DataObject
) -> None:
    def end(order: list[tuple[str, SignalKind, float]]) -> dict[str, tuple[object, ...]]:
        sessions = SessionMap()
        for arrival, (session, kind, at) in enumerate(order, start=1000):
            hear(sessions, session, kind, at=at, arrival=float(arrival))
        assert sessions.overrides == len(in_force(sessions))
        assert set(sessions.lost()) == in_force(sessions)
        return {
            one.session: (one.override and one.override.at, one.verdict, one.known_at, one.alive_at)
            for one in sessions.records()
        }

    shuffled = data.draw(st.permutations([*events, *events[:3]]))
    assert end(events) == end(shuffled)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sales", "Sales"]),
            st.sampled_from([DOWN, UP, ALIVE, SignalKind.TRANSIENT]),
            st.integers(1, 9).map(lambda step: step * 25.0),
        ),
        max_size=14,
    ),
    st.data(),
)
def test_with_transient_states_any_order_of_delivery_ends_in_the_same_map_too(
    events: list[tuple[str, SignalKind, float]], data: st.DataObject
) -> None:
    looks = data.draw(st.lists(st.integers(0, 20), max_size=4))

    def end(order: list[tuple[str, SignalKind, float]]) -> dict[str, tuple[object, ...]]:
        sessions = SessionMap()
        for arrival, (session, kind, at) in enumerate(order, start=1000):
            hear(sessions, session, kind, at=at, arrival=float(arrival))
            if arrival - 1000 in looks:
                sessions.judge_transient(arrival + 90.0)
        sessions.judge_transient(1e6)
        return {
            one.session: (
                one.override and (one.override.at, one.override.word),
                one.verdict,
                one.known_at,
                one.alive_at,
            )
            for one in sessions.records()
        }

    shuffled = data.draw(st.permutations([*events, *events[:3]]))
    assert end(events) == end(shuffled)


# Transient states


def transient(sessions: SessionMap, session: str, at: float, grace: float = 90.0) -> str:
    signal = Signal(SignalKind.TRANSIENT, session, at, "ev", "connecting", None, None, grace)
    return sessions.hear(Reading(Verdict.SIGNAL, "ev", session, signal), at).verdict


delivered = st.tuples(
    st.sampled_from([UP, UP, DOWN, ALIVE, SignalKind.TRANSIENT, SignalKind.TRANSIENT]),
    st.sampled_from(["sales", "sales", "other"]),
    st.sampled_from(["/in 10.0.0.8", "/in 10.0.0.9"]),
    st.sampled_from([0.2, 0.2, 5.0, 103.0]),  # how late it comes
    st.sampled_from([1.0, 30.0, 100.0]),  # how long after the one before
)


@given(st.lists(delivered, max_size=12), st.booleans())
def test_however_late_and_from_wherever_it_is_told_no_event_fails_and_a_return_ends_what_lasted(
    events: list[tuple[SignalKind, str, str, float, float]], rule_off: bool
) -> None:
    sessions = SessionMap(without(Release.CONNECTED_EVENT) if rule_off else None)
    now = 1_000.0
    for number, (kind, session, sender, late, after) in enumerate(events):
        now += after
        at = now - late + number / 1_000
        signal = Signal(kind, session, at, "ev", str(kind), f"id-{number}", None, 90.0)
        sessions.hear(Reading(Verdict.SIGNAL, "ev", session, signal), now, sender)
        sessions.judge_transient(now)
        known = sessions.get(session)
        if known is not None and known.override is not None and not rule_off:
            assert known.verdict is not UP or known.known.here < known.override.stamp.here
    sessions.configure(SessionRules())
    for sender in ("/in 10.0.0.8", "/in 10.0.0.9"):
        now += 1_000.0
        back = Signal(UP, "sales", now - 0.2, "ev", "open", None)
        sessions.hear(Reading(Verdict.SIGNAL, "ev", "sales", back), now, sender)
        assert "sales" not in in_force(sessions)


def test_a_return_from_before_a_lasting_state_that_a_new_address_tells_late_leaves_the_next_one_to_end_it() -> None:
    sessions = SessionMap()

    def post(kind: SignalKind, session: str, at: float, arrival: float, address: str) -> str:
        signal = Signal(kind, session, at, "session.status", str(kind), None, None, 90.0)
        return sessions.hear(Reading(Verdict.SIGNAL, "ev", session, signal), arrival, f"/waha {address}").verdict

    post(UP, "other", 100.0, 100.2, "10.0.0.9")
    post(UP, "sales", 101.0, 101.2, "10.0.0.8")
    post(SignalKind.TRANSIENT, "sales", 102.0, 102.2, "10.0.0.8")
    sessions.judge_transient(200.0)
    assert post(UP, "sales", 101.5, 204.0, "10.0.0.9") == "applied"
    assert override(sessions, "sales").transient
    assert record(sessions, "sales").known.here < override(sessions, "sales").stamp.here
    assert post(UP, "sales", 264.0, 264.2, "10.0.0.9") == "applied"
    assert not sessions.has_overrides


def test_a_return_while_its_rule_is_off_leaves_the_next_one_to_end_a_lasting_state() -> None:
    sessions = SessionMap(without(Release.CONNECTED_EVENT))
    transient(sessions, "sales", 100.0)
    sessions.judge_transient(200.0)
    for at in (300.0, 400.0):
        assert hear(sessions, "sales", UP, at=at) == "applied"
        assert sessions.has_overrides
    sessions.configure(SessionRules())
    assert hear(sessions, "sales", UP, at=500.0) == "applied"
    assert not sessions.has_overrides


def test_a_transient_state_counts_once_it_has_lasted() -> None:
    sessions = SessionMap()
    assert transient(sessions, "sales", 100.0) == "applied"
    assert (sessions.has_overrides, sessions.transient_due) == (False, 190.0)
    assert sessions.judge_transient(189.9) == ()
    [change] = sessions.judge_transient(190.0)
    assert (change.what, change.reason, change.at, change.recorded_at) == ("started", "ev connecting", 100.0, 190.0)
    assert (override(sessions, "sales").word, sessions.transient_due) == ("connecting", math.inf)
    assert transient(sessions, "sales", 200.0) == "applied"
    assert sessions.judge_transient(1e6) == ()


def test_one_that_ends_in_time_changes_nothing() -> None:
    sessions = SessionMap()
    transient(sessions, "sales", 100.0)
    hear(sessions, "sales", UP, at=150.0)
    assert sessions.judge_transient(1e6) == ()
    assert record(sessions, "sales").transient is None


def test_each_transient_state_has_its_own_moment_and_its_own_grace() -> None:
    sessions = SessionMap()
    for session, at, grace in (("a", 100.0, 90.0), ("b", 110.0, 10.0), ("c", 120.0, 90.0)):
        transient(sessions, session, at, grace)
    assert [change.session for change in sessions.judge_transient(190.0)] == ["a", "b"]
    assert (in_force(sessions), sessions.transient_due) == ({"a", "b"}, 210.0)


def test_so_many_at_once_the_others_stay_due() -> None:
    sessions = SessionMap()
    for number in range(5):
        transient(sessions, f"s{number}", 100.0 + number)
    assert len(sessions.judge_transient(500.0, 3)) == 3
    assert sessions.transient_due == 193.0
    assert len(sessions.judge_transient(500.0, 3)) == 2


def test_a_transient_state_is_saved_before_it_counts_and_makes_no_answer_outdated() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=50.0)
    sessions.take_unsaved()
    version = sessions.version
    transient(sessions, "sales", 100.0)
    assert ([one.session for one in sessions.take_unsaved()[0]], sessions.version) == (["sales"], version)
    sessions.judge_transient(190.0)
    assert sessions.version > version


def test_a_session_forgotten_takes_its_transient_state_with_it() -> None:
    sessions = SessionMap()
    transient(sessions, "sales", 100.0)
    sessions.forget("sales", 110.0)
    assert sessions.judge_transient(1e6) == ()


@pytest.mark.parametrize(
    ("grace", "doubted_at", "now", "due"),
    [
        (90.0, None, 120.0, 190.0),
        (90.0, None, 170.0, 200.0),
        (90.0, 170.0, 170.0, 260.0),
        (2.0, None, 101.0, 103.0),
        (2.0, None, 500.0, 502.0),
    ],
)
def test_after_a_start_its_end_has_time_to_come_in(
    grace: float, doubted_at: float | None, now: float, due: float
) -> None:
    sessions = SessionMap()
    transient(sessions, "sales", 100.0, grace)
    hear(sessions, "support", DOWN, at=100.0)
    loaded = SessionMap()
    loaded.load(sessions.records(), doubted_at, now)
    assert record(loaded, "support") == record(sessions, "support")
    assert loaded.transient_due == due
    assert loaded.judge_transient(due - 0.1) == ()
    assert len(loaded.judge_transient(due)) == 1


# Ending: connected-event


def test_a_newer_connected_event_ends_it() -> None:
    sessions = down("sales")
    outcome = sessions.hear(reading("sales", UP, 110.0), 112.0)
    assert outcome.changes == (Change("sales", "released", "connected-event", 110.0, 112.0),)
    assert (record(sessions, "sales").released, record(sessions, "sales").released_at) == ("connected-event", 112.0)
    assert not sessions.has_overrides


def test_an_older_connected_event_does_not() -> None:
    sessions = down("sales")
    assert hear(sessions, "sales", UP, at=99.0, arrival=120.0) == "late"
    assert sessions.has_overrides


def test_with_connected_event_off_it_stands_but_an_older_disconnect_is_late() -> None:
    sessions = down("sales", rules=without(Release.CONNECTED_EVENT))
    assert hear(sessions, "sales", UP, at=110.0) == "applied"
    assert hear(sessions, "sales", DOWN, at=105.0, arrival=111.0) == "late"
    assert override(sessions, "sales").at == 100.0


# Ending: reconnected


def test_a_stale_connected_ends_nothing() -> None:
    sessions = down("sales")
    assert see(sessions, "sales", connected=True) == (frozenset({"sales"}), ())


def test_once_the_gateway_has_caught_up_its_connected_ends_it() -> None:
    sessions = down("sales")
    see(sessions, "sales", says="qr_required", keeps=True, asked_at=200.0, now=201.0)
    assert (override(sessions, "sales").caught_up, override(sessions, "sales").caught_up_at) == ("list", 201.0)
    overridden, changes = see(sessions, "sales", says="connected", connected=True, asked_at=205.0, now=206.0)
    assert overridden == frozenset()
    assert changes == (Change("sales", "released", "reconnected", 206.0, 206.0, "connected"),)


def test_connected_on_the_qr_route_ends_no_newer_loss_under_another_spelling() -> None:
    sessions = down("wa1", rules=SessionRules(aliases={"wa1": "Sales Team"}))
    sessions.watched.qr_seen("Sales Team", 110.0, 111.0)
    hear(sessions, "salesteam", DOWN, at=120.0)
    for channel in ("Sales Team", "wa1"):
        assert sessions.watched.said_connected(channel, 130.0, 131.0) == ()
    see(sessions, "Sales Team", connected=True, asked_at=140.0, now=141.0)
    assert in_force(sessions) == {"wa1", "salesteam"}
    sessions.watched.qr_seen("Sales Team", 150.0, 151.0)
    assert {change.session for change in sessions.watched.said_connected("Sales Team", 160.0, 161.0)} == {
        "wa1",
        "salesteam",
    }


def test_evidence_asked_for_before_the_override_began_shows_nothing() -> None:
    sessions = down("sales", at=100.0)
    see(sessions, "sales", keeps=True, asked_at=99.0, now=105.0)
    sessions.watched.qr_seen("sales", 99.0, 105.0)
    assert override(sessions, "sales").caught_up is None


def test_a_slow_connected_asked_for_before_the_gateway_caught_up_ends_nothing() -> None:
    sessions = down("sales")
    sessions.watched.qr_seen("sales", 200.0, 202.0)
    assert see(sessions, "sales", connected=True, asked_at=201.0, now=230.0)[1] == ()
    assert sessions.watched.said_connected("sales", 201.0, 230.0) == ()
    assert see(sessions, "sales", connected=True, asked_at=202.0, now=231.0)[1] != ()


def test_the_first_evidence_stays() -> None:
    sessions = down("sales")
    sessions.watched.qr_seen("sales", 200.0, 201.0)
    see(sessions, "sales", keeps=True, asked_at=210.0, now=211.0)
    assert override(sessions, "sales").caught_up == "qr"


# Evidence is bound to its source


def test_a_word_seen_on_one_route_makes_only_that_routes_connected_fresh() -> None:
    sessions = down("sales")
    see(sessions, "sales", keeps=True, asked_at=200.0, now=201.0, source="/live")
    assert see(sessions, "sales", connected=True, asked_at=205.0, now=206.0, source="/cached")[1] == ()
    assert sessions.watched.said_connected("sales", 207.0, 208.0) == ()
    assert in_force(sessions) == {"sales"}
    assert reasons(see(sessions, "sales", connected=True, asked_at=209.0, now=210.0, source="/live")[1]) == [
        ("sales", "released", "reconnected")
    ]


@pytest.mark.parametrize("evidence", ["qr_seen", "created"])
@pytest.mark.parametrize("before", [False, True])
def test_a_qr_code_and_a_new_session_count_for_all_routes(evidence: str, before: bool) -> None:
    sessions = down("sales")
    if before:
        see(sessions, "sales", keeps=True, asked_at=150.0, now=151.0, source="/live")
    getattr(sessions.watched, evidence)("sales", 200.0, 201.0)
    assert see(sessions, "sales", connected=True, asked_at=202.0, now=203.0, source="/cached")[1] != ()


def test_each_route_has_its_own_evidence_and_a_newer_disconnect_voids_it() -> None:
    sessions = down("sales")
    see(sessions, "sales", keeps=True, asked_at=150.0, now=151.0, source="/live")
    see(sessions, "sales", keeps=True, asked_at=160.0, now=161.0, source="/cached")
    see(sessions, "sales", keeps=True, asked_at=170.0, now=171.0, source="/cached")
    assert override(sessions, "sales").seen_on == (("/live", 151.0), ("/cached", 161.0))
    hear(sessions, "sales", DOWN, at=180.0)
    assert override(sessions, "sales").seen_on == ()


def test_routes_that_come_and_go_with_reloads_are_bounded() -> None:
    sessions = down("sales")
    for number in range(3 * SOURCES):
        see(sessions, "sales", keeps=True, asked_at=150.0, now=151.0, source=f"/{number}")
    assert len(override(sessions, "sales").seen_on) == SOURCES


def test_evidence_stored_without_its_source_counts_for_no_route_and_a_stored_qr_code_for_all() -> None:
    """As 0.1 stored it. A stale "connected" would end the correction of a dead session for good."""
    stored = Override(100.0, 100.0, 100.0, "ev", caught_up=Evidence.LIST, caught_up_at=150.0)
    for evidence, ends in ((Evidence.LIST, False), (Evidence.QR, True), (Evidence.CREATED, True)):
        sessions = SessionMap()
        sessions.load([Record("sales", DOWN, 100.0, override=replace(stored, caught_up=evidence))])
        see(sessions, "sales", connected=True, asked_at=200.0, now=201.0, source="/api/channels")
        assert (not sessions.has_overrides) is ends
        see(sessions, "sales", keeps=True, asked_at=202.0, now=203.0, source="/api/channels")
        see(sessions, "sales", connected=True, asked_at=204.0, now=205.0, source="/api/channels")
        assert not sessions.has_overrides


answers = st.lists(st.tuples(st.sampled_from(["/a", "/b", "/c"]), st.sampled_from(["keep", "connected"])), max_size=12)


@given(answers)
def test_no_evidence_crosses_from_one_source_to_another(answers: list[tuple[str, str]]) -> None:
    sessions = down("sales")
    knows: set[str] = set()
    for number, (source, word) in enumerate(answers):
        asked_at = 200.0 + 10 * number
        see(sessions, "sales", keeps=word == "keep", connected=word == "connected", asked_at=asked_at,
            now=asked_at + 1, source=source)  # fmt: skip
        if word == "keep":
            knows.add(source)
        ended = word == "connected" and source in knows
        assert sessions.has_overrides is not ended
        if ended:
            return


# Senders whose clocks are off


BEHIND_AND_AHEAD = [-10_800.0, -90.0, 240.0]
T = 1_768_504_026.0


def settled(error: float, how: str) -> SessionMap:
    """A sender whose clock is off said connected, then disconnected at T + 10; we learned the rest at T + 100."""
    sessions = SessionMap(SessionRules(max_age=90.0))
    hear(sessions, "sales", UP, at=T + error, arrival=T)
    hear(sessions, "sales", DOWN, at=T + 10 + error, arrival=T + 10)
    if how == "reconnected":
        sessions.watched.qr_seen("sales", T + 50, T + 51)
        sessions.watched.said_connected("sales", T + 99, T + 100)
    elif how == "deleted":
        sessions.watched.deleted("sales", T + 99, T + 100)
    elif how == "operator":
        sessions.release("sales", T + 100)
    else:
        sessions.expire(T + 100)
    assert not sessions.has_overrides
    return sessions


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("how", ["reconnected", "deleted", "operator", "expired"])
@pytest.mark.parametrize("error", BEHIND_AND_AHEAD)
def test_what_we_learned_ourselves_neither_hides_a_later_disconnect_nor_lets_an_older_one_pass(
    error: float, how: str, restarted: bool
) -> None:
    for happened, came, verdict in ((40, 103, "late"), (101, 102, "applied")):
        sessions = settled(error, how)
        if restarted:
            loaded = SessionMap()
            loaded.load(sessions.records())
            sessions = loaded
        assert hear(sessions, "sales", DOWN, at=T + happened + error, arrival=T + came) == verdict
        assert sessions.has_overrides == (verdict == "applied")


@pytest.mark.parametrize("error", BEHIND_AND_AHEAD)
def test_a_message_ends_an_override_by_when_it_came_in_whatever_its_senders_clock(error: float) -> None:
    for happened, ends in ((95.0, False), (130.0, False), (161.0, True)):
        sessions = SessionMap()
        hear(sessions, "sales", ALIVE, at=T + error, arrival=T)
        hear(sessions, "sales", DOWN, arrival=T + 100)  # without a time
        hear(sessions, "sales", ALIVE, at=T + happened + error, arrival=T + max(happened, 101.0))
        assert sessions.has_overrides is not ends


@pytest.mark.parametrize("error", BEHIND_AND_AHEAD)
def test_another_senders_event_is_compared_on_our_clock(error: float) -> None:
    sessions = SessionMap()
    sessions.hear(reading("sales", UP, T + error), T, "/out")
    sessions.hear(reading("sales", DOWN, T + 10), T + 10, "/in")
    assert sessions.hear(reading("sales", UP, T + 5 + error), T + 12, "/out").verdict == "late"
    assert sessions.hear(reading("sales", UP, T + 13 + error), T + 13, "/out").verdict == "applied"


ERRORS = [-10_800.0, -90.0, -10.0, 0.0, 240.0, 10_800.0]
turns = st.tuples(
    st.integers(0, 3),
    st.sampled_from([UP, DOWN]),
    st.floats(0.2, 900.0).map(lambda gap: gap + 0.000_137),
    st.floats(0.0, 0.1),
    st.none() | st.tuples(st.integers(0, 40), st.integers(0, 3)),
)


@given(st.lists(st.sampled_from(ERRORS), min_size=4, max_size=4), st.lists(turns, min_size=1, max_size=25))
@pytest.mark.slow
def test_senders_with_clocks_of_their_own_about_one_session_leave_the_map_true(
    errors: list[float], turns: list[tuple[int, SignalKind, float, float, tuple[int, int] | None]]
) -> None:
    """Each event comes in before the next one happens. Then someone may bring an old one again, with another id."""
    sessions, at, told = SessionMap(), 1_768_504_026.0, list[tuple[SignalKind, float]]()

    def tell(kind: SignalKind, stated: float, sender: int, arrival: float) -> None:
        ahead = stated > arrival + 300
        signal = Signal(kind, "sales", None if ahead else stated, "e", None, None, stated if ahead else None)
        sessions.hear(Reading(Verdict.SIGNAL, "e", "sales", signal), arrival, f"/in {sender}")

    for sender, kind, gap, way, repeat in turns:
        at += gap
        told.append((kind, at + errors[sender]))
        tell(*told[-1], sender, at + way)
        assert sessions.has_overrides == (kind is DOWN)
        if repeat is not None and repeat[0] < len(told):
            tell(*told[repeat[0]], repeat[1], at + way + 0.05)
            assert sessions.has_overrides == (kind is DOWN)


def test_when_it_was_lost_is_told_on_our_clock() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=T - 10_800, arrival=T)
    outcome = sessions.hear(reading("sales", DOWN, T + 10 - 10_800), T + 10.5)
    assert (outcome.changes[0].at, override(sessions, "sales").since) == (T + 10, T + 10)


def test_a_moved_clock_makes_what_was_learned_of_senders_void() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=T + 10_800, arrival=T)  # the system's clock was three hours ahead, and theirs too
    hear(sessions, "support", DOWN, arrival=T)
    without_a_time = record(sessions, "support")
    sessions.clock_was_moved()
    assert record(sessions, "sales").lags == ()
    assert record(sessions, "support") == without_a_time
    assert hear(sessions, "sales", DOWN, at=T + 10, arrival=T + 10) == "applied"


timed_deliveries = st.lists(
    st.tuples(
        st.sampled_from([DOWN, UP, ALIVE]),
        st.integers(1, 60).map(lambda step: step * 25.0),
        st.sampled_from([0.1, 5, 400]),
    ),
    min_size=1,
    max_size=10,
)  # fmt: skip


@given(timed_deliveries, st.sampled_from([0.0, *BEHIND_AND_AHEAD]))
def test_a_clock_that_is_off_changes_nothing_once_it_is_known(
    deliveries: list[tuple[SignalKind, float, float]], error: float
) -> None:
    def end(error: float) -> list[tuple[object, ...]]:
        sessions = SessionMap()
        for number in range(3):  # known by its presence
            sessions.hear(Reading(Verdict.PRESENCE, "ev", "sales"), T + number, "/out", T + number + error)
        told = []
        for kind, sent, way in sorted(deliveries, key=lambda one: (one[1] + one[2], one[1])):
            came = T + 10 + sent + way
            told.append(sessions.hear(reading("sales", kind, T + 10 + sent + error), came, "/out").verdict)
            sessions.hear(reading("sales", DOWN if way == 5 else ALIVE), came + 0.5, "/in")
            told.append(str(sessions.has_overrides))
        return [tuple(told)]

    assert end(error) == end(0.0)


# Ending: alive


def test_a_message_after_the_grace_ends_it() -> None:
    sessions = down("sales")
    hear(sessions, "sales", ALIVE, at=160.0)
    assert sessions.has_overrides
    outcome = sessions.hear(reading("sales", ALIVE, 160.1), 170.0)
    assert outcome.changes == (Change("sales", "released", "alive", 160.1, 170.0),)


def test_a_message_does_not_move_what_is_known() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", ALIVE, at=150.0)
    assert hear(sessions, "sales", DOWN, at=100.0, arrival=151.0) == "applied"
    assert in_force(sessions) == {"sales"}


def test_a_disconnect_behind_a_message_that_outlives_it_starts_nothing() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", ALIVE, at=161.0)
    outcome = sessions.hear(reading("sales", DOWN, 100.0), 162.0)
    assert (outcome.verdict, outcome.changes) == ("applied", ())
    assert not sessions.has_overrides
    assert record(sessions, "sales").known_at == 100.0


def test_a_repeated_disconnect_that_a_known_message_outlives_ends_the_override() -> None:
    sessions = down("sales", rules=without(Release.ALIVE))
    hear(sessions, "sales", ALIVE, at=300.0)
    sessions.configure(SessionRules())
    outcome = sessions.hear(reading("sales", DOWN, 200.0), 301.0)
    assert reasons(outcome.changes) == [("sales", "released", "alive")]


# Ending: operator


def test_an_operator_ends_it_by_the_sessions_id() -> None:
    sessions = down("sales")
    assert reasons(sessions.release("sales", 150.0)) == [("sales", "released", "operator")]
    assert hear(sessions, "sales", DOWN, at=149.0, arrival=160.0) == "late"


@pytest.mark.parametrize("name", ["Sales Team", "SALESTEAM", " sales team "])
def test_an_operator_may_spell_it_differently(name: str) -> None:
    sessions = down("salesteam")
    see(sessions, "Sales Team")
    assert reasons(sessions.release(name, 150.0)) == [("salesteam", "released", "operator")]


def test_an_operator_ends_it_in_every_spelling_of_the_session() -> None:
    sessions = down("salesteam", "Sales Team")
    see(sessions, "Sales Team")
    assert len(sessions.release("Sales Team", 150.0)) == 2


def test_a_session_without_override_is_released_without_change() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=100.0)
    assert sessions.release("sales", 150.0) == ()


def test_an_unknown_session_cannot_be_released() -> None:
    with pytest.raises(LookupError, match="no session 'nobody' is known"):
        down("sales").release("nobody", 150.0)


def test_a_name_that_fits_several_sessions_releases_none() -> None:
    sessions = down("salesteam", "SALESTEAM")
    see(sessions, "salesteam", "SALESTEAM")
    with pytest.raises(LookupError, match="could be any of: SALESTEAM, salesteam"):
        sessions.release("Sales Team", 150.0)
    assert sessions.overrides == 2


# Forgetting


@pytest.mark.parametrize("name", ["sales", "SALES"])
def test_an_operator_forgets_a_session_and_a_correction_ends_with_it(name: str) -> None:
    sessions = down("sales", "support")
    see(sessions, "sales", says="connected")
    watch, version = sessions.watch(), sessions.version
    changes = sessions.forget(name, 250.0)
    assert changes == tuple(
        Change("sales", what, "operator", 250.0, 250.0, "connected") for what in ("released", "forgotten")
    )
    assert [record.session for record in sessions.records()] == ["support"]
    assert (sessions.forgotten_at("sales"), sessions.forgotten_at("support")) == (250.0, None)
    assert (sessions.overrides, sessions.evicted) == (1, 0)
    assert sessions.version > version
    assert watch.take()[1] == ["sales"]
    assert "sales" in sessions.take_unsaved()[1]


def test_a_session_without_a_correction_is_forgotten_too() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", UP, at=100.0)
    assert reasons(sessions.forget("sales", 150.0)) == [("sales", "forgotten", "operator")]
    assert sessions.records() == []


def test_a_forgotten_session_is_made_known_by_its_next_event() -> None:
    sessions = down("sales")
    sessions.forget("sales", 150.0)
    assert hear(sessions, "sales", DOWN, at=160.0) == "applied"
    assert sessions.overrides == 1
    assert "sales" not in sessions.take_unsaved()[1]


def test_every_spelling_of_a_session_is_forgotten() -> None:
    sessions = down("salesteam", "Sales Team")
    see(sessions, "Sales Team")
    assert {change.session for change in sessions.forget("Sales Team", 150.0)} == {"salesteam", "Sales Team"}


def test_where_releasing_by_hand_is_off_a_correction_cannot_be_forgotten() -> None:
    sessions = down("sales", rules=SessionRules(releases=frozenset(Release) - {Release.OPERATOR}))
    hear(sessions, "idle", UP, at=100.0)
    assert sessions.forget("sales", 150.0) == ()
    assert sessions.overrides == 1
    assert reasons(sessions.forget("idle", 150.0)) == [("idle", "forgotten", "operator")]


def test_what_nobody_knows_or_fits_several_is_not_forgotten() -> None:
    sessions = down("salesteam", "SALESTEAM")
    see(sessions, "salesteam", "SALESTEAM")
    for name in ("nobody", "Sales Team"):
        with pytest.raises(LookupError):
            sessions.forget(name, 150.0)
    assert sessions.overrides == 2


def test_of_a_session_that_an_operator_forgot_the_senders_clock_is_learned_anew() -> None:
    sessions = SessionMap()
    sessions.hear(Reading(Verdict.UNMATCHED, "ev", "sales"), 100.0, "/in", 90.0)
    sessions.forget("sales", 101.0)
    sessions.hear(Reading(Verdict.UNMATCHED, "ev", "sales"), 200.0, "/in", 150.0)
    assert [record.lags for record in sessions.records()] == [(("/in", 50.0),)]


# Ending: expired


def test_an_override_expires_when_nothing_new_was_heard_for_its_age() -> None:
    sessions = down("sales", rules=SessionRules(max_age=50.0))
    assert sessions.expire(149.9) == ()
    assert reasons(sessions.expire(150.0)) == [("sales", "released", "expired")]
    assert hear(sessions, "sales", DOWN, at=149.0, arrival=160.0) == "late"
    assert record(sessions, "sales").verdict is DOWN


def test_what_may_be_younger_than_the_clock_says_is_given_an_hour() -> None:
    sessions = SessionMap(SessionRules(max_age=50.0))
    sessions.load(down("sales").records(), 1_000.0)
    hear(sessions, "support", DOWN, at=1_001.0)
    assert [change.session for change in sessions.expire(1_051.0)] == ["support"]
    assert sessions.expire(1_000.0 + SETTLING - 0.1) == ()
    assert [change.session for change in sessions.expire(1_000.0 + SETTLING)] == ["sales"]


def test_what_may_be_younger_outlives_a_message_until_the_grace_has_passed_since() -> None:
    sessions = SessionMap()
    sessions.load(down("sales", "support").records(), 1_000.0)
    hear(sessions, "sales", ALIVE, arrival=1_060.0)
    assert in_force(sessions) == {"sales", "support"}
    hear(sessions, "sales", ALIVE, arrival=1_060.1)
    assert in_force(sessions) == {"support"}


def test_records_that_are_put_anew_are_saved() -> None:
    sessions = down("sales", rules=SessionRules(max_age=50.0))
    assert sessions.expire(149.0) == ()
    sessions.restate(lambda record: replace(record, override=replace(override(sessions, "sales"), began=10.0)))
    assert [one.session for one in sessions.take_unsaved()[0]] == ["sales"]
    assert len(sessions.expire(149.0)) == 1


def test_many_expire_some_at_a_time_and_none_is_forgotten() -> None:
    names = [f"s{number}" for number in range(5)]
    sessions = down(*names, rules=SessionRules(max_age=50.0))
    hear(sessions, "later", DOWN, at=120.0)
    expired = [[change.session for change in sessions.expire(150.0, at_most=2)] for _ in range(4)]
    assert expired == [names[:2], names[2:4], names[4:], []]
    assert sessions.expire(169.9, at_most=2) == ()
    assert [change.session for change in sessions.expire(170.0, at_most=2)] == ["later"]


@pytest.mark.parametrize("what", ["configure", "load"])
def test_what_could_make_an_override_older_makes_it_looked_at_again(what: str) -> None:
    sessions = down("sales", rules=SessionRules(max_age=1_000.0))
    assert sessions.expire(200.0) == ()
    standing = record(sessions, "sales").override
    assert standing is not None
    older = Record("support", override=replace(standing, began=1.0))
    if what == "configure":
        sessions.configure(SessionRules(max_age=50.0))
    else:
        sessions.load([replace(older, override=replace(standing, began=-900.0))])
    assert len(sessions.expire(201.0)) == 1


def test_without_an_age_nothing_expires() -> None:
    assert down("sales").expire(1e12) == ()


# Every rule can be off


@pytest.mark.parametrize("rule", list(Release))
def test_a_rule_that_is_off_ends_nothing(rule: Release) -> None:
    sessions = down("sales", rules=replace(without(rule), max_age=1.0))
    sessions.watched.qr_seen("sales", 101.0, 102.0)
    acts: dict[Release, Callable[[], object]] = {
        Release.CONNECTED_EVENT: lambda: hear(sessions, "sales", UP, at=110.0),
        Release.RECONNECTED: lambda: sessions.watched.said_connected("sales", 110.0, 111.0),
        Release.DELETED: lambda: sessions.watched.deleted("sales", 110.0, 111.0),
        Release.ALIVE: lambda: hear(sessions, "sales", ALIVE, at=1000.0),
        Release.OPERATOR: lambda: sessions.release("sales", 110.0),
        Release.EXPIRED: lambda: sessions.expire(1000.0),
    }
    acts[rule]()
    assert in_force(sessions) == {"sales"}


# What changed


def test_a_watch_names_what_changed_and_what_is_gone_once() -> None:
    sessions = down("sales", rules=SessionRules(max_sessions=3))
    hear(sessions, "support", UP, at=150.0)
    watch = sessions.watch()
    assert watch.take() == ([], [])
    see(sessions, "sales", says="connected")
    hear(sessions, "new", UP, at=201.0)
    hear(sessions, "newer", UP, at=202.0)
    assert watch.take() == (["sales", "new", "newer"], ["support"])
    assert watch.take() == ([], [])
    see(sessions, "sales", says="connected")
    assert watch.take() == ([], [])
    see(sessions, "sales", says="unknown")
    assert watch.take() == (["sales"], [])
    sessions.unwatch(watch)
    hear(sessions, "new", UP, at=203.0)
    assert watch.take() == ([], [])


def test_a_session_that_came_and_went_is_only_gone() -> None:
    sessions = SessionMap(SessionRules(max_sessions=1))
    watch = sessions.watch()
    hear(sessions, "a", UP, at=1.0)
    hear(sessions, "b", UP, at=2.0)
    assert watch.take() == (["b"], ["a"])


# Saving and loading


def test_what_decides_is_to_be_saved_at_once_and_the_rest_later() -> None:
    sessions = SessionMap()
    sessions.hear(Reading(Verdict.UNMATCHED, "qrcode", "sales"), 100.0)
    assert sessions.take_unsaved() == ([], [])
    assert sessions.take_stale() == [record(sessions, "sales")]
    hear(sessions, "sales", DOWN, at=101.0)
    see(sessions, "sales", says="connected")
    assert sessions.take_unsaved() == ([record(sessions, "sales")], [])
    assert sessions.take_stale() == []
    see(sessions, "sales", says="unknown")
    assert sessions.take_stale() == [record(sessions, "sales")]


def test_what_decides_is_unsaved_until_it_is_taken() -> None:
    sessions = SessionMap(SessionRules(max_sessions=1))
    told = [sessions.has_unsaved]
    for session in ("old", "new"):
        hear(sessions, session, DOWN, at=100.0)
        told.append(sessions.has_unsaved)
        sessions.take_unsaved()
        told.append(sessions.has_unsaved)
    sessions.hear(Reading(Verdict.UNMATCHED, "qrcode", "new"), 101.0)
    assert [*told, sessions.has_unsaved] == [False, True, False, True, False, False]


def test_other_changes_are_saved_with_those_that_decide() -> None:
    sessions = SessionMap()
    sessions.hear(Reading(Verdict.UNMATCHED, "qrcode", "sales"), 100.0)
    hear(sessions, "sales", DOWN, at=101.0)
    assert len(sessions.take_unsaved()[0]) == 1
    assert sessions.take_stale() == []


def test_a_loaded_map_goes_on_where_the_saved_one_stopped() -> None:
    saved = down("sales", "support", "third")
    hear(saved, "support", UP, at=120.0)
    loaded = SessionMap()
    loaded.load(saved.records())
    assert {one.session: one for one in loaded.records()} == {one.session: one for one in saved.records()}
    assert in_force(loaded) == {"sales", "third"}
    assert (loaded.take_unsaved(), loaded.take_stale()) == (([], []), [])
    assert hear(loaded, "support", DOWN, at=119.0, arrival=130.0) == "late"


def test_a_map_loaded_into_smaller_bounds_forgets_at_once() -> None:
    loaded = SessionMap(SessionRules(max_sessions=1))
    loaded.load([Record("new", heard_at=2.0), Record("old", heard_at=1.0)])
    assert loaded.take_unsaved() == ([], ["old"])
    assert loaded.forgotten_at("old") == 0.0, "what others received of it counts"


# By itself


def test_a_map_that_is_made_smaller_forgets_some_with_each_event_until_it_is_within_its_bound() -> None:
    over = 3 * EVICTED_AT_ONCE - 5
    sessions = SessionMap()
    for number in range(over + 2):
        hear(sessions, f"s{number}", UP if number else DOWN, at=100.0 + number)
    sessions.configure(SessionRules(max_sessions=2))
    left = [over + 2, over + 2 - EVICTED_AT_ONCE]
    hear(sessions, "s0", ALIVE, at=101.0, arrival=1_000.0)
    assert len(sessions.records()) == left[1]
    sessions.hear(Reading(Verdict.NOTHING, "message", f"s{over + 1}"), 1_001.0)
    assert len(sessions.records()) == left[1] - EVICTED_AT_ONCE
    hear(sessions, "new", UP, at=1_002.0)
    assert (in_force(sessions), len(sessions.records())) == ({"s0"}, 2)
    assert sessions.evicted == over + 1


def test_what_other_proxies_write_makes_no_map_longer_that_is_over_its_bound() -> None:
    sessions = SessionMap()
    for number in range(3 * EVICTED_AT_ONCE):
        hear(sessions, f"s{number}", UP, at=100.0)
    sessions.configure(SessionRules(max_sessions=2))
    others = [record(down(f"o{number}"), f"o{number}") for number in range(2 * EVICTED_AT_ONCE)]
    sessions.adopt(others, {}, 200.0)
    assert len(sessions.records()) == 2 * EVICTED_AT_ONCE


def test_a_map_tells_its_rules_and_how_full_it_is() -> None:
    rules = SessionRules(max_sessions=4)
    sessions = SessionMap(rules)
    told = [(sessions.rules, sessions.has_room, sessions.is_full, sessions.evicted)]
    for number in range(5):
        hear(sessions, f"s{number}", UP, at=float(number + 1))
        told.append((sessions.rules, sessions.has_room, sessions.is_full, sessions.evicted))
    assert [row[1:] for row in told] == [
        (True, False, 0), (True, False, 0), (True, False, 0), (False, False, 0), (False, True, 0), (False, True, 1),
    ]  # fmt: skip
    assert {row[0].max_sessions for row in told} == {4}


def test_the_version_moves_when_rules_come() -> None:
    sessions = SessionMap()
    version = sessions.version
    sessions.configure(SessionRules(alive_grace=1.0))
    assert (sessions.version, sessions.rules.alive_grace) == (version + 1, 1.0)


def test_a_channel_of_an_answer_is_shown_as_disconnected_if_any_of_its_sessions_is() -> None:
    sessions = down("sales")
    hear(sessions, "SALES", UP, at=50.0)
    assert sessions.override_of(["SALES", "sales"]) is override(sessions, "sales")
    assert sessions.override_of(["SALES", "nobody"]) is None
    hear(sessions, "Sales", DOWN, at=150.0)
    hear(sessions, "SALES", DOWN, at=140.0)
    assert sessions.override_of(["sales", "Sales", "SALES"]) is override(sessions, "Sales")


def test_of_overrides_of_the_same_moment_the_one_named_first_is_shown() -> None:
    sessions = down("sales", "Sales")
    for names in (["sales", "Sales"], ["Sales", "sales"]):
        assert sessions.override_of(names) is override(sessions, names[0])


def test_no_flood_of_messages_makes_a_repeated_disconnect_look_new() -> None:
    """Of sessions that the gateway names, ids of messages are forgotten before those of what changes a state."""
    sessions = SessionMap()
    names = [f"s{number}" for number in range(REMEMBERED_EVENTS // EACH + 2)]
    for name in names:
        hear(sessions, name, UP, at=1.0)
    confirm(sessions, ChannelIds(set(names)))
    hear(sessions, names[0], DOWN, arrival=2.0, event_id="lost")
    for number in range(EACH):
        for name in names:
            hear(sessions, name, ALIVE, arrival=3.0, event_id=str(number))
    assert hear(sessions, names[0], DOWN, arrival=4.0, event_id="lost") == "duplicate"
    assert hear(sessions, names[0], ALIVE, arrival=4.0, event_id="0") == "applied"


def test_the_same_word_with_the_same_time_is_late_whoever_brings_it_and_however_many_messages_come_between() -> None:
    sessions = SessionMap()
    sessions.hear(reading("sales", DOWN, 100.5), 100.5, "/in a")
    sessions.hear(reading("sales", UP, 101.5), 101.5, "/in a")
    for number in range(EACH):
        hear(sessions, "sales", ALIVE, arrival=102.0, event_id=str(number))
    assert sessions.hear(reading("sales", DOWN, 100.5), 103.0, "/in b").verdict == "late"
    assert not sessions.has_overrides
    # Whole seconds are too coarse for that.
    sessions.hear(reading("support", DOWN, 100.0), 100.0, "/in a")
    assert sessions.hear(reading("support", DOWN, 100.0), 101.0, "/in b").verdict == "applied"


def test_a_session_pushed_out_is_told_and_its_clock_forgotten_and_the_one_heard_last_stays() -> None:
    sessions = down("a", "b", rules=SessionRules(max_sessions=2))
    sessions.hear(Reading(Verdict.PRESENCE, "ev", "a"), 101.0)
    outcome = sessions.hear(reading("c", DOWN, 103.0), 103.0)
    assert reasons(outcome.changes) == [("c", "started", "ev disc"), ("b", "released", "evicted")]
    assert in_force(sessions) == {"a", "c"}
    assert [sessions.clocks.due(session, "", 105.0) for session in ("a", "b", "c")] == [False, True, False]


def test_a_session_of_which_a_signal_came_is_the_last_to_be_pushed_out() -> None:
    sessions = SessionMap(SessionRules(max_sessions=2))
    for number, name in enumerate("abac"):
        hear(sessions, name, UP, at=100.0 + number)
    assert [one.session for one in sessions.records()] == ["a", "c"]


def test_events_dated_too_far_ahead_are_put_in_order_among_themselves() -> None:
    sessions = SessionMap()

    def tell(kind: SignalKind, ahead: float, arrival: float) -> str:
        signal = Signal(kind, "sales", None, "e", None, None, ahead)
        return sessions.hear(Reading(Verdict.SIGNAL, "e", "sales", signal), arrival, "/in").verdict

    assert tell(DOWN, 10_900.5, 100.0) == "applied"
    assert tell(UP, 10_901.5, 101.0) == "applied"
    assert tell(DOWN, 10_900.75, 102.0) == "late"
    assert not sessions.has_overrides


# A sender with a clock of its own: Evolution API writes local time with a Z, and sends again what was not taken


EVOLUTION = known_rules(
    (
        EventRule(
            event=frozenset({"connection.update"}),
            session=(("instance",),),
            state=(("data", "state"),),
            disconnected=frozenset({"close"}),
            connected=frozenset({"open"}),
            transient=frozenset({"connecting"}),
        ),
    ),
    dialect=known(time=(("date_time",),), own_clock=True),
)
MIDNIGHT = 1_792_800_000.0
"""2026-10-24."""

ZONES = pytest.mark.parametrize("offset", [-3.0, 0.0, 5.5, 13.75], ids=lambda hours: f"UTC{hours:+}")


class Evolution:
    """Posts events to a map as that gateway does: `offset` is what its zone is ahead of UTC, in hours."""

    def __init__(self, offset: float) -> None:
        self.offset = offset
        self.sessions = SessionMap()

    def body(self, instance: str, state: str, moment: float) -> bytes:
        local = datetime.fromtimestamp(moment + self.offset * 3600, UTC)
        date_time = local.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        data = {"instance": instance, "state": state}
        return json.dumps(
            {"event": "connection.update", "instance": instance, "data": data, "date_time": date_time}
        ).encode()

    def deliver(self, body: bytes, arrival: float) -> str:
        found = read(body, EVOLUTION, arrival)
        self.sessions.judge_transient(arrival)
        return self.sessions.hear(found, arrival, sender_of("/hook", "10.0.0.8", own=True)).verdict

    def post(self, state: str, moment: float, *, late: float = 0.2, instance: str = "sales") -> str:
        return self.deliver(self.body(instance, state, moment), moment + late)

    def end(self) -> dict[str, object]:
        """What is known, except for what tells of the deliveries."""
        return {
            one.session: (
                one.verdict,
                one.known_at,
                one.override and (one.override.at, one.override.word),
                one.transient and (one.transient.at, one.transient.word),
            )
            for one in self.sessions.records()
        }


def a_day(chance: random.Random) -> list[tuple[str, str, float]]:
    """A day of two instances, some moments of it only milliseconds apart."""
    events = []
    for instance in ("sales", "support"):
        moment = MIDNIGHT
        for _ in range(15):
            for state in chance.choice([("connecting", "open"), ("close",), ("connecting",), ("connecting", "close")]):
                moment += chance.choice([0.015, 1.25, 40.0, 1_800.5, 3_600.0])
                events.append((instance, state, round(moment, 3)))
    return events


def deliver(evolution: Evolution, deliveries: Iterable[tuple[float, tuple[str, str, float]]]) -> dict[str, object]:
    for arrival, event in deliveries:
        evolution.deliver(evolution.body(*event), arrival)
    evolution.sessions.judge_transient(MIDNIGHT + 3 * 86_400)
    return evolution.end()


@ZONES
@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_shuffled_and_repeated_deliveries_of_a_day_end_in_the_same_map(offset: float, seed: int) -> None:
    chance = random.Random(seed)
    events = a_day(chance)
    in_order = sorted(events, key=lambda event: event[2])
    wanted = deliver(Evolution(offset), ((event[2] + 0.2, event) for event in in_order))

    sent_again = [(event[2] + chance.choice([0.1, 0.3, 20.0, 130.0, 600.0]), event) for event in events * 20]
    assert len(sent_again) > 700
    assert deliver(Evolution(offset), sorted(sent_again)) == wanted

    at_once = chance.sample(events * 20, len(events) * 20)
    assert deliver(Evolution(offset), ((MIDNIGHT + 86_400 + n, event) for n, event in enumerate(at_once))) == wanted


@ZONES
def test_a_close_that_is_sent_again_minutes_after_an_open_changes_nothing(offset: float) -> None:
    evolution = Evolution(offset)
    evolution.post("open", MIDNIGHT)
    evolution.post("open", MIDNIGHT + 300.0)
    assert evolution.post("close", MIDNIGHT + 280.0, late=420.0) == "late"
    assert evolution.post("connecting", MIDNIGHT + 290.0, late=500.0) == "late"
    assert not evolution.sessions.has_overrides
    assert evolution.post("close", MIDNIGHT + 900.0) == "applied"
    assert evolution.sessions.has_overrides


@ZONES
def test_a_close_counts_right_after_the_local_time_was_set_back(offset: float) -> None:
    evolution = Evolution(offset)
    evolution.post("open", MIDNIGHT)
    for tick in range(5):
        evolution.post("open", MIDNIGHT + 60.0 * tick, instance="support")
    evolution.post("open", MIDNIGHT + 300.0)
    evolution.offset -= 1
    for tick in range(5):
        evolution.post("open", MIDNIGHT + 310.0 + 10 * tick, instance="support")
    assert evolution.post("close", MIDNIGHT + 400.0) == "applied"
    assert evolution.post("open", MIDNIGHT + 460.0) == "applied"
    evolution.offset += 1
    assert evolution.post("close", MIDNIGHT + 290.0, late=200.0) == "late"
    assert not evolution.sessions.has_overrides


@ZONES
def test_a_time_that_was_set_forward_drops_no_event(offset: float) -> None:
    evolution = Evolution(offset - 1)
    evolution.post("open", MIDNIGHT)
    evolution.offset += 1
    assert evolution.post("close", MIDNIGHT + 60.0) == "applied"
    assert evolution.post("open", MIDNIGHT + 120.0) == "applied"
    assert not evolution.sessions.has_overrides


@ZONES
def test_what_we_learn_ourselves_is_compared_with_such_a_time_on_our_clock(offset: float) -> None:
    evolution = Evolution(offset)
    evolution.post("open", MIDNIGHT)
    evolution.post("close", MIDNIGHT + 60.0)
    evolution.sessions.release("sales", MIDNIGHT + 100.0)
    assert evolution.post("close", MIDNIGHT + 90.0, late=120.0) == "late"
    assert evolution.post("close", MIDNIGHT + 110.0) == "applied"


# What other proxies wrote


def test_what_another_proxy_wrote_is_in_force_expires_by_its_own_beginning_and_keeps_to_the_bounds() -> None:
    sessions = SessionMap(SessionRules(max_age=100.0, max_sessions=2))
    hear(sessions, "here", DOWN, at=1_000.0)
    assert sessions.expire(1_050.0) == ()
    other = down("there", at=990.0)
    assert sessions.adopt([record(other, "there")], {}, 1_050.0) == ()
    assert in_force(sessions) == {"here", "there"}
    assert [change.session for change in sessions.expire(1_095.0)] == ["there"]
    sessions.adopt([record(down("third", at=1_090.0), "third")], {}, 1_095.0)
    assert (len(sessions.records()), sessions.evicted, in_force(sessions)) == (2, 1, {"here", "third"})
    sessions.adopt([], {"here": 1_096.0}, 1_096.0)
    sessions.adopt([record(down("here", at=1_000.0), "here")], {}, 1_097.0)
    assert in_force(sessions) == {"third"}, "what was forgotten does not come back"


@pytest.mark.parametrize(("started_at", "due"), [(990.0, 1_025.0), (970.0, 1_005.0), (None, 1_005.0)])
def test_a_transient_state_of_before_the_start_waits_again_when_another_proxy_tells_it(
    started_at: float | None, due: float
) -> None:
    sessions = SessionMap()
    sessions.load([], now=started_at)
    state = Transient(980.0, 980.0, 980.0, 1_005.0, "ev")
    assert sessions.adopt([Record("sales", heard_at=980.0, transient=state)], {}, 1_000.0) == ()
    assert (record(sessions, "sales").transient, sessions.transient_due) == (replace(state, due=due), due)


def test_a_session_was_first_heard_of_when_its_first_event_came() -> None:
    sessions = down("sales")
    first = record(sessions, "sales").first_heard
    hear(sessions, "sales", UP, at=500.0)
    assert record(sessions, "sales").first_heard == first == 100.0


def test_an_older_record_was_first_heard_of_at_the_earliest_moment_that_it_holds() -> None:
    sessions = SessionMap()
    sessions.load([Record("sales", heard_at=90.0, known_at=70.0, released_at=80.0), Record("new", heard_at=0.0)])
    hear(sessions, "sales", UP, at=500.0)
    hear(sessions, "new", UP, at=500.0)
    assert record(sessions, "sales").first_heard == 70.0
    assert record(sessions, "new").first_heard == 500.0


def test_who_released_a_session_is_kept_until_another_correction_ends() -> None:
    sessions = down("sales")
    (change,) = sessions.release("sales", 200.0, "ana")
    assert (change.by, record(sessions, "sales").released_by) == ("ana", "ana")
    hear(sessions, "sales", DOWN, at=300.0)
    hear(sessions, "sales", UP, at=400.0)
    assert (record(sessions, "sales").released, record(sessions, "sales").released_by) == ("connected-event", None)


def test_a_release_of_a_session_that_is_not_lost_names_nobody() -> None:
    sessions = down("sales")
    sessions.release("sales", 200.0)
    assert sessions.release("sales", 201.0, "ana") == ()
    assert record(sessions, "sales").released_by is None


def test_who_had_a_session_forgotten_stands_in_its_lines_of_history() -> None:
    changes = down("sales").forget("sales", 200.0, "ana")
    assert [(change.what, change.by) for change in changes] == [("released", "ana"), ("forgotten", "ana")]


def test_the_record_that_decides_among_spellings_is_the_one_whose_override_the_list_will_show() -> None:
    sessions = SessionMap(SessionRules(aliases={"Front": "desk"}))
    override = Override(since=5.0, at=5.0, began=5.0, event="close")
    sessions.load([Record("sales"), Record("SALES", override=override), Record("Front")])
    assert sessions.kin("Sales") == ["sales", "SALES"]
    assert sessions.kin("desk") == ["Front"]
    assert sessions.aliases.of("Front") == "desk"
    assert deciding(sessions.settled(["sales", "SALES"], 50.0)).session == "SALES"


def test_the_kin_of_a_channel_are_its_sessions_in_every_spelling() -> None:
    sessions = down("Sales Team", "wa1", "desk", rules=SessionRules(aliases={"wa1": "Sales Team"}))
    assert set(sessions.kin("salesteam")) >= {"Sales Team", "wa1"}
    assert "desk" not in sessions.kin("salesteam")


@pytest.mark.parametrize(("other", "alike"), [("SALES", True), ("desk", False)])
def test_a_map_knows_whether_several_sessions_may_be_one_channel(other: str, alike: bool) -> None:
    assert down("sales", other).spelt_alike is alike
