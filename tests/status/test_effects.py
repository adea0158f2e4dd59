"""What a row notes in the record, and the line of history that it writes."""

import pytest
from msgspec.structs import replace

from statusproxy.status import effects
from statusproxy.status.clocks import Stamp
from statusproxy.status.model import Change, Evidence, Override, Record, Release, Transient
from statusproxy.status.signals import Signal, SignalKind
from statusproxy.status.statements import Details

ROUTE = "/api/channels"
CLEAR = Record("sales", SignalKind.CONNECTED, 100.0, alive_at=50.0, heard_at=110.0, event="ev", gateway_said="open")
OVERRIDE = Override(90.0, 100.0, 110.0, "ev", "close", caught_up=Evidence.QR, caught_up_at=120.0, clock="/old", lag=7.0)
LOST = replace(CLEAR, verdict=SignalKind.DISCONNECTED, shown_at=115.0, override=OVERRIDE)
STATE = Transient(140.0, 150.0, 142.0, 232.0, "ev", "connecting", "/in", 2.0)
WAITING = replace(CLEAR, transient=STATE)
LASTING = replace(WAITING, shown_at=240.0, override=Override(140.0, 150.0, 232.0, "ev", "connecting", transient=True))


def told(kind: SignalKind = SignalKind.DISCONNECTED, at: float = 200.0, word: str | None = "lost") -> Details:
    """An event of `at` that came in five seconds later, of a sender whose clock is 3 s (judged: 2 s) behind."""
    signal = Signal(kind, "sales", at, "update", word, "id-1", grace=90.0)
    return Details(at + 5.0, Stamp(at, "/in", 2.0), Stamp(at, "/in", 3.0), signal)


NOW = Details(300.0, Stamp(300.0), source=ROUTE)


def test_an_event_is_noted_as_the_newest_knowledge_with_its_sender_s_clock() -> None:
    known = {"known_at": 200.0, "known_clock": "/in", "known_lag": 3.0}
    assert effects.newest_state(LOST, told(SignalKind.CONNECTED)) == replace(
        LOST, verdict=SignalKind.CONNECTED, **known
    )


def test_an_event_from_before_what_lasts_is_noted_with_the_difference_it_was_judged_by() -> None:
    known = {"known_at": 140.0, "known_clock": "/in", "known_lag": 2.0}
    assert effects.earlier_state(LASTING, told(SignalKind.CONNECTED, 140.0)) == replace(LASTING, **known)


def test_a_message_is_noted_with_the_difference_it_was_judged_by() -> None:
    noted = effects.newest_message(LOST, told(SignalKind.ALIVE))
    assert noted == replace(LOST, alive_at=200.0, alive_clock="/in", alive_lag=2.0)


def test_an_override_begins_at_the_event_on_our_own_clock() -> None:
    begun = Override(202.0, 200.0, 205.0, "update", "lost", "id-1", clock="/in", lag=3.0)
    before = replace(CLEAR, shown_at=1.0)
    expected = replace(effects.newest_state(before, told()), override=begun, shown_at=None)
    assert effects.override(before, told()) == expected


def test_an_override_that_begins_anew_keeps_since_when_and_whether_it_was_shown_but_no_evidence() -> None:
    begun = Override(90.0, 200.0, 205.0, "update", "lost", "id-1", clock="/in", lag=3.0)
    assert effects.override(LOST, told()) == replace(effects.newest_state(LOST, told()), override=begun)


def test_a_transient_state_begins_with_its_own_grace() -> None:
    begun = Transient(202.0, 200.0, 205.0, 295.0, "update", "opening", "/in", 3.0)
    assert effects.transient_state(CLEAR, told(SignalKind.TRANSIENT, word="opening")) == replace(CLEAR, transient=begun)


def test_a_transient_state_that_goes_on_is_as_new_as_its_newest_signal_and_is_put_off_by_none() -> None:
    newer = replace(STATE, at=200.0, event="update", word="opening", lag=3.0)
    assert effects.transient_state(WAITING, told(SignalKind.TRANSIENT, word="opening")) == replace(
        WAITING, transient=newer
    )


@pytest.mark.parametrize(("at", "since"), [(130.0, 132.0), (145.0, 140.0), (150.0, 140.0)])
def test_an_older_signal_of_a_transient_state_can_only_set_its_beginning_back(at: float, since: float) -> None:
    noted = effects.transient_state(WAITING, told(SignalKind.TRANSIENT, at))
    assert noted == replace(WAITING, transient=replace(STATE, since=since))


def test_an_override_goes_on_with_the_transient_state_that_lasts() -> None:
    up_to = {"at": 200.0, "clock": "/in", "lag": 3.0, "event": "update", "word": "opening"}
    assert LASTING.override is not None
    assert effects.goes_on(LASTING, told(SignalKind.TRANSIENT, word="opening")) == replace(
        LASTING, transient=replace(STATE, **up_to), override=replace(LASTING.override, **up_to)
    )


def test_an_override_begins_with_the_transient_state_that_lasted_and_leaves_what_is_settled() -> None:
    begun = Override(140.0, 150.0, 300.0, "ev", "connecting", clock="/in", lag=2.0, transient=True)
    assert effects.lasting_override(replace(WAITING, shown_at=1.0), NOW) == replace(WAITING, override=begun)


def test_a_transient_state_that_ended_leaves_nothing_else_changed() -> None:
    assert effects.transient_over(WAITING, NOW) == CLEAR


@pytest.mark.parametrize(("at", "left"), [(149.9, STATE), (150.0, None)])
def test_what_another_spelling_knows_ends_a_transient_state_that_is_not_newer(
    at: float, left: Transient | None
) -> None:
    told_by_kin = Details(300.0, Stamp(at, "/in", 2.0))
    assert effects.older_state_over(WAITING, told_by_kin) == replace(WAITING, transient=left)
    assert effects.older_state_over(CLEAR, told_by_kin) is CLEAR


def test_what_lasted_until_it_was_too_old_is_the_newest_that_was_known() -> None:
    assert effects.lost_until_now(CLEAR, NOW) == replace(CLEAR, verdict=SignalKind.DISCONNECTED, known_at=300.0)


def test_evidence_of_a_route_is_kept_beside_that_of_the_latest_others() -> None:
    others = tuple((f"/{number}", 200.0) for number in range(effects.SOURCES))
    for before, kept in ((others[:3], others[:3]), (others, others[1:])):
        noted = effects.evidence_route(replace(LOST, override=replace(OVERRIDE, seen_on=before)), NOW)
        caught_up = replace(OVERRIDE, caught_up=Evidence.LIST, caught_up_at=300.0, seen_on=(*kept, (ROUTE, 300.0)))
        assert noted == replace(LOST, override=caught_up)


def test_evidence_for_all_routes_is_noted_with_its_kind_and_time() -> None:
    for effect, evidence in ((effects.evidence_qr, Evidence.QR), (effects.evidence_create, Evidence.CREATED)):
        assert effect(LOST, NOW) == replace(LOST, override=replace(OVERRIDE, caught_up=evidence, caught_up_at=300.0))


def test_what_is_settled_is_settled_on_our_own_clock_and_never_earlier_than_before() -> None:
    record = replace(LOST, known_clock="/in", known_lag=20.0)
    assert effects.settled(record, NOW) == replace(LOST, known_at=300.0)
    assert effects.settled(replace(record, known_at=290.0), NOW) == replace(LOST, known_at=310.0)
    assert effects.connected_now(record, NOW) == replace(LOST, verdict=SignalKind.CONNECTED, known_at=300.0)


def test_of_a_deleted_session_only_what_keeps_older_events_out_is_left() -> None:
    kept = Record(
        "sales", known_at=320.0, heard_at=110.0, event="ev", released=Release.EXPIRED, released_at=60.0,
        confirmed=True, lags=(("/in", 20.0),),
    )  # fmt: skip
    record = replace(
        WAITING, known_at=300.0, known_lag=20.0, released=Release.EXPIRED, released_at=60.0, confirmed=True,
        lags=(("/in", 20.0),), channel="Sales", gateway_said_at=99.0, shown_at=5.0, override=OVERRIDE,
    )  # fmt: skip
    assert effects.nothing_known(record, NOW) == kept
    assert effects.nothing_known(replace(record, known_at=100.0), NOW) == replace(kept, known_at=300.0)


def test_an_ending_by_another_spelling_notes_nothing_else() -> None:
    assert effects.nothing_else(LOST, NOW) is LOST


@pytest.mark.parametrize(
    ("ended", "known", "expected"),
    [
        (Stamp(0.0), Stamp(200.0, "/in", 3.0), Stamp(100.0, "/old", 7.0)),  # by the clock of the override
        (Stamp(0.0), Stamp(106.0), Stamp(100.0, "/old", 7.0)),
        (Stamp(0.0), Stamp(108.0), Stamp(108.0)),  # all up to now is settled
        (Stamp(0.0), Stamp(107.5), Stamp(107.5)),  # by half a second
        (Stamp(99.5, "/old", 7.0), Stamp(200.0, "/in"), Stamp(100.0, "/old", 7.0)),
        (Stamp(150.0), Stamp(140.0), Stamp(150.0)),  # never turned back
        (Stamp(101.0, "/old", 5.0), Stamp(200.0, "/in"), Stamp(101.0, "/old", 5.0)),
    ],
)
def test_what_is_over_goes_by_the_override_that_ended_or_by_what_is_settled(
    ended: Stamp, known: Stamp, expected: Stamp
) -> None:
    before = replace(LOST, ended_at=ended.at, ended_clock=ended.clock, ended_lag=ended.lag)
    record = replace(before, override=None, known_at=known.at, known_clock=known.clock, known_lag=known.lag)
    assert effects.with_end(record, before).ended == expected
    assert effects.with_end(record, replace(before, override=None, known_at=known.at, known_clock=known.clock,
                                            known_lag=known.lag)).ended == ended  # fmt: skip


def test_history_tells_an_override_s_begin_with_its_event_and_word() -> None:
    assert effects.started(CLEAR, told(), None) == Change("sales", "started", "update lost", 202.0, 205.0, "open")
    assert effects.repeated(LOST, told(word=None), None) == Change("sales", "repeated", "update", 202.0, 205.0, "open")


def test_history_tells_a_state_that_lasted_from_its_first_signal_on() -> None:
    assert effects.lasted(WAITING, NOW, None) == Change("sales", "started", "ev connecting", 140.0, 300.0, "open")


def test_history_tells_an_end_with_its_rule_at_the_moment_that_ended_it() -> None:
    ended = Change("sales", "released", "connected-event", 202.0, 205.0, "open")
    assert effects.released(LOST, told(SignalKind.CONNECTED), Release.CONNECTED_EVENT) == ended
    outlived = effects.outlived(replace(LOST, alive_at=400.0, alive_lag=5.0), told(), Release.ALIVE)
    assert outlived == Change("sales", "released", "alive", 405.0, 205.0, "open")
