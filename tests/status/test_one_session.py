"""Several records of one session: what the next corrected list would show decides."""

from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.one_session import deciding
from statusproxy.status.signals import SignalKind

RULES = SessionRules()


def lost(session: str, at: float) -> Record:
    override = Override(since=at, at=at, began=at, event="close")
    return Record(session, verdict=SignalKind.DISCONNECTED, known_at=at, heard_at=at, override=override)


def test_a_single_record_decides() -> None:
    record = lost("sales", 5.0)
    assert deciding([record], 50.0, RULES) is record


def test_the_newest_override_in_force_decides() -> None:
    older, newer = lost("sales", 5.0), lost("Sales", 6.0)
    for kin in ([older, newer], [newer, older]):
        assert deciding(kin, 50.0, RULES) is newer


def test_an_override_goes_before_what_was_heard_later_and_decides_nothing() -> None:
    assert deciding([Record("Sales", heard_at=9.0), lost("sales", 5.0)], 50.0, RULES).override is not None


def test_an_override_that_another_spelling_knows_to_be_over_is_none() -> None:
    back = Record("Sales", verdict=SignalKind.CONNECTED, known_at=8.0, heard_at=8.0)
    decided = deciding([lost("sales", 5.0), back], 50.0, RULES)
    assert decided is back


def test_of_records_without_an_override_the_one_heard_of_last_decides() -> None:
    assert deciding([Record("sales", heard_at=9.0), Record("Sales", heard_at=8.0)], 50.0, RULES).session == "sales"
