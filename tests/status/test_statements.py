"""What is known of a session, as far as it decides."""

from statusproxy.status.clocks import Stamp
from statusproxy.status.doubtful_age import NEVER
from statusproxy.status.model import Evidence, Override, Record, Transient
from statusproxy.status.statements import Details, Known, known, transient_of

ROUTE, OTHER = "/api/channels", "/api/sessions"
OVERRIDE = Override(since=90.0, at=100.0, began=110.0, event="ev")


def states(record: Record) -> list[Known]:
    return [known(record, source) for source in (ROUTE, OTHER, None)]


def with_evidence(evidence: Evidence, seen_on: tuple[tuple[str, float], ...] = ()) -> Record:
    return Record(
        "sales", override=Override(90.0, 100.0, 110.0, "ev", caught_up=evidence, caught_up_at=120.0, seen_on=seen_on)
    )


def test_a_session_without_override_is_clear_whatever_the_source() -> None:
    assert states(Record("sales")) == [Known.CLEAR] * 3


def test_an_override_without_evidence_is_not_known_to_the_gateway() -> None:
    assert states(Record("sales", override=OVERRIDE)) == [Known.OVERRIDDEN] * 3


def test_a_word_of_a_list_is_evidence_for_its_own_route_alone() -> None:
    seen = with_evidence(Evidence.LIST, ((ROUTE, 120.0),))
    assert states(seen) == [Known.CAUGHT_UP, Known.OVERRIDDEN, Known.OVERRIDDEN]


def test_a_qr_code_is_evidence_for_every_route() -> None:
    assert states(with_evidence(Evidence.QR)) == [Known.CAUGHT_UP] * 3


def test_the_transient_state_of_a_record_is_given_as_it_is() -> None:
    state = Transient(140.0, 150.0, 142.0, 232.0, "ev", "connecting")
    assert transient_of(Record("sales", transient=state)) is state


def test_a_statement_has_no_particulars_but_its_moments_unless_it_says_so() -> None:
    assert Details(200.0, Stamp(199.0)) == Details(200.0, Stamp(199.0), None, None, 0.0, None, NEVER)
