"""What time alone brings about: the first that is due is looked for only then, and some at a time."""

from msgspec.structs import replace

from statusproxy.status.doubtful_age import SETTLING
from statusproxy.status.model import Override, Record, Release, SessionRules, Transient
from statusproxy.status.overdue import AFTER_A_START, Overdue, counted_again
from statusproxy.status.records import Records


def lost(session: str, began: float) -> Record:
    return Record(session, override=Override(began, began, began, "close"))


def connecting(session: str, due: float) -> Record:
    return Record(session, transient=Transient(due - 90, due - 90, due - 90, due, "ev"))


def holding(*held: Record, rules: SessionRules | None = None) -> tuple[Records, Overdue]:
    records = Records(rules or SessionRules(max_age=50.0))
    for record in held:
        records.put(record)
    return records, Overdue(records)


def test_overrides_are_too_old_at_their_age_some_at_a_time() -> None:
    records, overdue = holding(lost("a", 100.0), lost("b", 110.0), lost("c", 101.0))
    assert overdue.expired(149.9, None) == []
    assert overdue.expired(151.0, 1) == ["a"]
    assert overdue.expired(151.0, 2) == ["a", "c"]
    for session in ("a", "c"):
        records.put(replace(records[session], override=None))
    assert overdue.expired(159.9, None) == []
    assert overdue.expired(160.0, None) == ["b"]


def test_nothing_is_looked_for_before_the_first_is_due_unless_it_came_from_elsewhere() -> None:
    records, overdue = holding()
    assert overdue.expired(100.0, None) == []
    records.put(lost("a", 60.0))
    assert overdue.expired(120.0, None) == []
    overdue.taken_over(Record("b"))
    overdue.taken_over(lost("a", 130.0))
    assert overdue.expired(120.0, None) == []
    overdue.taken_over(lost("a", 60.0))
    assert overdue.expired(109.9, None) == []
    assert overdue.expired(110.0, None) == ["a"]
    assert overdue.expired(100.0, None) == []
    records.put(lost("c", 20.0))
    overdue.look_again()
    assert overdue.expired(100.0, None) == ["c"]


def test_without_an_age_or_its_rule_nothing_is_too_old() -> None:
    for rules in (SessionRules(), SessionRules(max_age=50.0, releases=frozenset(Release) - {Release.EXPIRED})):
        _, overdue = holding(lost("a", 100.0), rules=rules)
        overdue.taken_over(lost("a", 100.0))
        assert overdue.expired(1e9, None) == []


def test_an_age_in_doubt_is_waited_for() -> None:
    records, overdue = holding(lost("a", 100.0))
    records.doubted_at = 120.0
    assert overdue.expired(119.0 + SETTLING, None) == []
    assert overdue.expired(120.0 + SETTLING, None) == ["a"]


def test_transient_states_count_when_they_are_due_some_at_a_time() -> None:
    records, overdue = holding(connecting("a", 200.0), connecting("b", 190.0), connecting("c", 210.0))
    assert overdue.lasted(189.9, None) == []
    assert overdue.lasted(200.0, 1) == ["a"]
    assert records.transient_due == 190.0
    assert overdue.lasted(200.0, None) == ["a", "b"]
    assert records.transient_due == 210.0
    assert overdue.lasted(209.9, None) == []
    assert overdue.lasted(210.0, 9) == ["a", "b", "c"]


def test_a_stored_transient_state_counts_again_no_sooner_than_some_time_from_now() -> None:
    assert counted_again(lost("a", 1.0), 100.0) == lost("a", 1.0)
    for now, in_doubt, due in ((10.0, False, 90.0), (500.0, False, 500 + AFTER_A_START), (500.0, True, 590.0)):
        state = counted_again(connecting("a", 90.0), now, in_doubt=in_doubt).transient
        assert state is not None
        assert state.due == due


def test_a_stored_transient_state_is_in_no_doubt_unless_it_is_said_to_be() -> None:
    state = counted_again(connecting("a", 190.0), 1_000.0).transient
    assert state is not None
    assert state.due == 1_000.0 + AFTER_A_START


def test_a_stored_transient_state_in_doubt_lasts_as_long_again_as_it_has_to() -> None:
    """As long as from its first signal on."""
    stored = Record("a", transient=Transient(150.0, 150.0, 140.0, 240.0, "ev"))
    state = counted_again(stored, 1_000.0, in_doubt=True).transient
    assert state is not None
    assert state.due == 1_100.0
