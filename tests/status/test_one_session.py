"""Several records of one session: what the next corrected list would show decides."""

from msgspec.structs import replace

from statusproxy.status.model import Evidence, Override, Record, SessionRules
from statusproxy.status.one_session import caught_up, deciding, settled, with_evidence_of
from statusproxy.status.signals import SignalKind

RULES = SessionRules()


def lost(session: str, at: float) -> Record:
    override = Override(since=at, at=at, began=at, event="close")
    return Record(session, verdict=SignalKind.DISCONNECTED, known_at=at, heard_at=at, override=override)


def test_a_single_record_decides() -> None:
    record = lost("sales", 5.0)
    assert deciding(settled([record], 50.0, RULES)) is record


def test_the_newest_override_in_force_decides() -> None:
    older, newer = lost("sales", 5.0), lost("Sales", 6.0)
    for kin in ([older, newer], [newer, older]):
        assert deciding(settled(kin, 50.0, RULES)) is newer


def test_an_override_goes_before_what_was_heard_later_and_decides_nothing() -> None:
    assert deciding(settled([Record("Sales", heard_at=9.0), lost("sales", 5.0)], 50.0, RULES)).override is not None


def test_an_override_that_another_spelling_knows_to_be_over_is_none() -> None:
    back = Record("Sales", verdict=SignalKind.CONNECTED, known_at=8.0, heard_at=8.0)
    decided = deciding(settled([lost("sales", 5.0), back], 50.0, RULES))
    assert decided is back


def test_of_records_without_an_override_the_one_heard_of_last_decides() -> None:
    kin = [Record("sales", heard_at=9.0), Record("Sales", heard_at=8.0)]
    assert deciding(settled(kin, 50.0, RULES)).session == "sales"


def knowing(record: Record, at: float) -> Record:
    """A lost session of which the gateway knows since then, as a QR code showed."""
    assert record.override is not None
    known = replace(record.override, caught_up=Evidence.QR, caught_up_at=at)
    return replace(record, override=known)


def test_connected_is_fresh_if_it_is_for_the_newest_loss() -> None:
    older, newer = knowing(lost("sales", 5.0), 10.0), lost("Sales", 20.0)
    assert caught_up([older], "/a", 10.0) is older.override
    assert caught_up([older], "/a", 9.9) is None
    assert caught_up([older, newer], "/a", 50.0) is None
    known = knowing(newer, 30.0)
    assert caught_up([older, known], "/a", 29.9) is None
    assert caught_up([known, lost("SALES", 19.0), Record("x")], "/a", 30.0) is known.override
    assert caught_up([Record("x")], "/a", 30.0) is None


def test_of_the_same_loss_told_twice_the_evidence_of_one_is_enough() -> None:
    known = knowing(lost("sales", 5.0), 10.0)
    for kin in ([known, lost("Sales", 5.0)], [lost("Sales", 5.0), known]):
        assert caught_up(kin, None, 20.0) is known.override


def test_a_transient_state_that_lasted_is_no_loss_beside_one() -> None:
    loss = knowing(lost("sales", 5.0), 40.0)
    state = lost("Sales", 20.0)
    assert state.override is not None
    state = replace(state, override=replace(state.override, transient=True))
    assert caught_up([loss, state], "/a", 50.0) is loss.override
    assert caught_up([state], "/a", 50.0) is None


def test_an_older_loss_takes_the_evidence_of_the_newest_and_nothing_else() -> None:
    older, newest = lost("sales", 5.0), knowing(lost("Sales", 20.0), 30.0).override
    assert newest is not None
    assert with_evidence_of(older, newest) == knowing(older, 30.0)
    assert with_evidence_of(Record("x"), newest) == Record("x")
