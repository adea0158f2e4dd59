"""Taking over what other proxies wrote: shown at once, saved only where more is known here, and nothing comes back."""

import pytest
from msgspec.structs import replace

from statusproxy.status import adoption
from statusproxy.status.model import Change, Evidence, Override, Record, Release, SessionRules, Transient
from statusproxy.status.sessions import SessionMap

from .maps import ALIVE, DOWN, UP, down, hear, in_force, override, reading, reasons, record, see

NOW = 1_000.0


def lost(at: float = 900.0, *, session: str = "sales", event_id: str | None = None) -> Record:
    """As another proxy wrote it: a disconnect by the clock of a sender."""
    begun = Override(at + 1, at, at + 1, "close", event_id=event_id, clock="/in a", lag=1.0)
    return Record(session, DOWN, at, heard_at=at + 1, event="close", override=begun, known_clock="/in a", known_lag=1.0,
                  lags=(("/in a", 1.0),))  # fmt: skip


def adopt(sessions: SessionMap, *records: Record, shift: float = 0.0, **forgotten: float) -> tuple[Change, ...]:
    return sessions.adopt(records, forgotten, NOW, shift)


def unsaved(sessions: SessionMap) -> tuple[list[str], list[str], list[str]]:
    """What is to be saved at once, what is to be removed, and what may wait."""
    records, forgotten = sessions.take_unsaved()
    return [one.session for one in records], forgotten, [one.session for one in sessions.take_stale()]


NOTHING: tuple[list[str], list[str], list[str]] = ([], [], [])


def test_what_another_proxy_wrote_is_shown_here_and_not_written_again() -> None:
    sessions = SessionMap()
    watch = sessions.watch()
    assert adopt(sessions, lost()) == ()
    assert record(sessions, "sales") == lost()
    assert (in_force(sessions), sessions.version, sessions.has_unsaved) == ({"sales"}, 1, False)
    assert unsaved(sessions) == NOTHING
    assert watch.take() == (["sales"], [])


def test_it_is_told_by_our_own_clock_and_by_no_clock_that_wrote_it() -> None:
    sessions = SessionMap()
    adopt(sessions, replace(lost(), known_at=900.0, known_clock=None, known_lag=0.0), shift=60.0)
    assert (record(sessions, "sales").known_at, override(sessions, "sales").began) == (840.0, 841.0)
    assert override(sessions, "sales").stamp.here == 841.0


def test_the_same_again_changes_nothing_and_ours_counts_as_saved() -> None:
    sessions = down("sales", at=900.1234567)
    theirs = replace(record(sessions, "sales"), confirmed=True)
    for shift in (0.0, 3_600.0, 0.1):
        written = adoption._in_shared_time(theirs, shift)
        adopt(sessions, written, shift=shift)
        version = sessions.version
        adopt(sessions, written, shift=shift)
        assert sessions.version == version
        assert unsaved(sessions) == NOTHING
    hear(sessions, "sales", UP, at=950.0)
    adopt(sessions, record(sessions, "sales"))
    assert unsaved(sessions) == NOTHING


def test_what_they_know_better_replaces_ours_without_another_line_of_history() -> None:
    sessions = down("sales", at=900.0)
    known = record(sessions, "sales")
    ended = replace(known, verdict=UP, known_at=950.0, heard_at=950.0, override=None, ended_at=950.0,
                    released=Release.CONNECTED_EVENT, released_at=950.0)  # fmt: skip
    assert adopt(sessions, ended) == ()
    assert record(sessions, "sales") == ended
    assert (in_force(sessions), unsaved(sessions)) == (set(), NOTHING)


def test_what_we_know_better_is_written_at_once_and_the_rest_when_it_suits() -> None:
    sessions = down("sales", at=900.0)
    older = record(sessions, "sales")
    hear(sessions, "sales", DOWN, at=950.0)
    sessions.take_unsaved()
    adopt(sessions, older)
    assert override(sessions, "sales").at == 950.0
    assert unsaved(sessions) == (["sales"], [], [])
    adopt(sessions, replace(record(sessions, "sales"), heard_at=940.0))
    assert unsaved(sessions) == ([], [], ["sales"])
    waits = replace(record(sessions, "sales"), override=None, heard_at=940.0)
    adopt(sessions, waits)
    assert unsaved(sessions) == (["sales"], [], [])


def test_a_message_heard_here_ends_a_disconnect_that_was_heard_elsewhere() -> None:
    sessions = SessionMap()
    hear(sessions, "sales", ALIVE, at=990.0)
    unsaved(sessions)
    changes = adopt(sessions, lost(900.0))
    assert reasons(changes) == [("sales", "released", "alive")]
    assert (in_force(sessions), unsaved(sessions)) == (set(), (["sales"], [], []))
    assert record(sessions, "sales").ended == lost(900.0).override.stamp  # type: ignore[union-attr]


def test_evidence_that_another_proxy_saw_counts_here() -> None:
    sessions = SessionMap()
    adopt(sessions, lost())
    seen = replace(override(sessions, "sales"), caught_up=Evidence.QR, caught_up_at=950.0)
    adopt(sessions, replace(lost(), override=seen))
    changes = see(sessions, "sales", connected=True, asked_at=960.0, now=961.0)[1]
    assert reasons(changes) == [("sales", "released", "reconnected")]


def test_what_another_proxy_forgot_is_gone_here() -> None:
    sessions = down("sales", "support", at=900.0)
    watch = sessions.watch()
    adopt(sessions, sales=900.0)
    assert [one.session for one in sessions.records()] == ["support"]
    assert unsaved(sessions) == NOTHING
    assert watch.take() == ([], ["sales"])
    sessions.forget("support", 950.0)
    adopt(sessions, support=950.0)
    assert unsaved(sessions) == NOTHING


def test_what_was_heard_since_stays_and_no_disconnect_of_before_with_it() -> None:
    sessions = down("sales", at=900.0)
    hear(sessions, "sales", ALIVE, at=910.0)
    unsaved(sessions)
    adopt(sessions, shift=60.0, sales=965.0)
    left = record(sessions, "sales")
    assert (left.override, left.ended_at, left.alive_at) == (None, 905.0, 910.0)
    assert unsaved(sessions) == (["sales"], [], [])


def test_the_moment_of_the_latest_forgetting_is_known_by_our_own_clock() -> None:
    sessions = down("sales", "support", at=900.0)
    sessions.forget("sales", 950.0)
    adopt(sessions, sales=900.0, support=970.0, shift=60.0)
    assert [sessions.forgotten_at(one) for one in ("sales", "support", "never")] == [950.0, 910.0, None]


def test_a_record_of_before_the_forgetting_does_not_come_back_and_whoever_wrote_it_is_told() -> None:
    sessions = down("sales", at=900.0)
    older = record(sessions, "sales")
    sessions.forget("sales", 950.0)
    assert unsaved(sessions) == ([], ["sales"], [])
    adopt(sessions, older)
    assert sessions.records() == []
    assert unsaved(sessions) == ([], ["sales"], [])
    hear(sessions, "sales", ALIVE, at=960.0)
    unsaved(sessions)
    adopt(sessions, older)
    assert in_force(sessions) == set()
    assert unsaved(sessions) == (["sales"], [], [])


def test_of_a_record_that_went_on_elsewhere_only_what_was_forgotten_is_over() -> None:
    sessions = down("sales", at=900.0)
    gone_on = replace(record(sessions, "sales"), heard_at=970.0)
    sessions.forget("sales", 950.0)
    adopt(sessions, gone_on)
    assert (record(sessions, "sales").override, record(sessions, "sales").ended_at) == (None, 950.0)
    assert unsaved(sessions) == (["sales"], [], [])


def test_a_session_that_begins_anew_says_what_is_over() -> None:
    sessions = down("sales", at=900.0)
    sessions.forget("sales", 950.0)
    hear(sessions, "sales", ALIVE, at=960.0)
    assert record(sessions, "sales").ended_at == 950.0


def test_of_what_was_forgotten_the_latest_is_remembered_and_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "TOMBSTONES", 2)
    sessions = SessionMap()
    adopt(sessions, a=900.0, b=900.0)
    adopt(sessions, a=800.0, c=900.0)
    adopt(sessions, lost(850.0, session="a"), lost(850.0, session="b"), lost(850.0, session="c"))
    assert in_force(sessions) == {"b"}


def test_an_event_that_another_proxy_heard_is_a_repeat_here() -> None:
    sessions = SessionMap()
    adopt(sessions, lost(900.5, event_id="e-1"))
    assert sessions.hear(reading("sales", DOWN, None, "e-1"), 990.0, "/in b").verdict == "duplicate"
    assert sessions.hear(reading("sales", DOWN, 900.5), 990.0, "/in b").verdict == "late"
    adopt(sessions, lost(900.0, session="whole"), replace(lost(901.5, session="own"), known_clock=None, known_lag=0.0))
    assert sessions.hear(reading("whole", DOWN, 900.0), 990.0, "/in b").verdict == "applied"
    assert sessions.hear(reading("own", DOWN, 901.5), 990.0, "/in b").verdict == "applied"


def test_what_another_proxy_knows_of_a_senders_clock_is_known_here() -> None:
    sessions = SessionMap()
    adopt(sessions, lost(900.0))
    sessions.hear(reading("sales", UP, 990.0), 997.0, "/in a")
    assert record(sessions, "sales").known_lag == 1.0


def test_an_old_override_of_another_proxy_expires_and_too_many_sessions_are_forgotten() -> None:
    sessions = SessionMap(SessionRules(max_age=50.0, max_sessions=2))
    assert sessions.expire(NOW) == ()
    changes = adopt(sessions, lost(940.0), lost(990.0, session="support"), Record("other", heard_at=999.0))
    assert (changes, [one.session for one in sessions.records()]) == ((), ["sales", "support"])
    assert reasons(sessions.expire(NOW)) == [("sales", "released", "expired")]


# Transient states that come late


def connecting(began: float, due: float, **known: object) -> Record:
    return replace(Record("sales", heard_at=began, transient=Transient(began, began, began, due, "ev")), **known)


def started(at: float = NOW - 10) -> SessionMap:
    """A map that found nothing in the store at its start."""
    sessions = SessionMap()
    sessions.load([], now=at)
    return sessions


@pytest.mark.parametrize(
    ("began", "due", "waits_until"),
    [
        (500.0, 590.0, NOW + 30),  # due while the proxy was down
        (985.0, 987.0, NOW + 2),  # a short grace is its own bound
        (980.0, 1_005.0, NOW + 25),  # began before the start, and is not due
        (950.0, 1_040.0, 1_040.0),
        (995.0, 998.0, NOW + 3),  # another proxy received it since, and left
        (995.0, 1_085.0, 1_085.0),  # another proxy received it just now
    ],
)
def test_a_state_that_the_store_gives_after_the_start_waits_as_one_that_it_gave_at_once(
    began: float, due: float, waits_until: float
) -> None:
    sessions = started()
    assert adopt(sessions, connecting(began, due)) == ()
    assert sessions.transient_due == waits_until
    assert sessions.judge_transient(waits_until - 0.1) == ()
    assert len(sessions.judge_transient(waits_until)) == 1


def test_it_goes_on_waiting_though_its_row_comes_again() -> None:
    sessions = started()
    adopt(sessions, Record("sales", heard_at=400.0))  # the session is known, the state is not
    adopt(sessions, connecting(500.0, 590.0))
    again = connecting(500.0, 590.0, heard_at=NOW + 5)
    sessions.adopt([again], {}, NOW + 10, 0.0)
    sessions.adopt([replace(again, transient=Transient(500.0, 501.0, 500.0, 590.0, "ev"))], {}, NOW + 10, 0.0)
    assert sessions.judge_transient(NOW + 29) == ()
    assert len(sessions.judge_transient(NOW + 30)) == 1


def test_what_another_proxy_has_counted_is_in_force_at_once() -> None:
    sessions = started()
    counted = Override(500.0, 500.0, 500.0, "ev", transient=True)
    adopt(sessions, connecting(500.0, 590.0, override=counted))
    assert in_force(sessions) == {"sales"}


def test_its_end_that_comes_while_it_waits_ends_it() -> None:
    sessions = started()
    adopt(sessions, connecting(500.0, 590.0))
    hear(sessions, "sales", UP, at=600.0, arrival=NOW + 20)
    assert sessions.judge_transient(1e6) == ()


def test_what_another_proxy_learned_by_an_alias_that_is_gone_here_is_not_taken_over() -> None:
    sessions = SessionMap()
    adopt(sessions, replace(lost(), channel="support"))
    assert record(sessions, "sales").channel is None
    assert unsaved(sessions) == NOTHING, "the other keeps its own until it is told of the aliases"


def test_what_was_heard_here_since_another_proxy_forgot_it_is_saved_at_once() -> None:
    sessions = down("sales", at=900.0)
    hear(sessions, "sales", UP, at=950.0)
    assert unsaved(sessions)[0] == ["sales"]
    adopt(sessions, sales=920.0)
    assert unsaved(sessions)[0] == ["sales"]


def test_a_record_of_before_the_forgetting_is_so_by_our_own_clock_too() -> None:
    sessions = SessionMap()
    adopt(sessions, shift=60.0, sales=960.0)
    adopt(sessions, replace(lost(959.0), heard_at=960.0), shift=60.0)
    assert sessions.get("sales") is None
    adopt(sessions, replace(lost(961.0), heard_at=962.0), shift=60.0)
    assert sessions.get("sales") is not None


def test_of_a_session_that_another_proxy_forgot_no_senders_clock_is_known_any_more() -> None:
    sessions = SessionMap()
    adopt(sessions, lost())
    adopt(sessions, sales=950.0)
    assert sessions.get("sales") is None
    sessions.hear(reading("sales", UP, 990.0), NOW, "/in a")
    assert record(sessions, "sales").known.lag == 10.0
