"""Whether a receiver is tried at all."""

import pytest

from statusproxy.proxy.ports import Attempt
from statusproxy.spool.circuit import CLOSED, Circuit, begun, tried

NOT_SENT, NO_ANSWER, TAKEN = Attempt("not-sent"), Attempt("no-answer"), Attempt("delivered", 200)
BUSY = Attempt("refused", 503)


def after(*attempts: tuple[Attempt, str, float], circuit: Circuit = CLOSED) -> Circuit:
    for attempt, queue, now in attempts:
        circuit = tried(begun(circuit), attempt, queue, now)
    return circuit


def test_a_closed_circuit_lets_everything_pass() -> None:
    assert (CLOSED.closed, CLOSED.lets(0.0), begun(CLOSED)) == (True, True, CLOSED)


@pytest.mark.parametrize("attempt", [NOT_SENT, NO_ANSWER])
def test_one_event_that_is_not_taken_opens_it_and_a_second_later_one_probe_goes(attempt: Attempt) -> None:
    circuit = after((attempt, "a", 10.0))
    assert (circuit.closed, circuit.opened_at, circuit.lets(10.9), circuit.lets(11.0)) == (False, 10.0, False, True)
    assert begun(circuit).lets(99.0) is False


@pytest.mark.parametrize("answer", [TAKEN, Attempt("refused", 404), Attempt("refused", 429), Attempt("refused", 500)])
def test_an_answer_closes_it_whatever_it_says_of_the_event(answer: Attempt) -> None:
    assert after((NOT_SENT, "a", 10.0), (answer, "a", 11.0)) == CLOSED


def test_an_answer_to_an_earlier_attempt_closes_it_too() -> None:
    assert tried(after((NOT_SENT, "a", 10.0)), TAKEN, "b", 10.5) == CLOSED


def test_probes_that_fail_come_after_five_seconds_and_then_every_thirty() -> None:
    circuit, waits = after((NOT_SENT, "a", 0.0)), []
    for _ in range(4):
        now = circuit.probe_at
        circuit = after((NOT_SENT, "a", now), circuit=circuit)
        waits.append(circuit.probe_at - now)
    assert (waits, circuit.opened_at, circuit.probing) == ([5.0, 30.0, 30.0, 30.0], 0.0, False)


def test_what_began_before_it_opened_counts_as_no_probe() -> None:
    circuit = after((NOT_SENT, "a", 10.0))
    assert tried(circuit, NO_ANSWER, "b", 10.2) == circuit


def test_the_refusal_of_one_session_is_not_the_receivers() -> None:
    circuit = after(*[(BUSY, "a", float(now)) for now in range(20)])
    assert (circuit.closed, circuit.refused) == (True, frozenset("a"))


def test_refusals_of_three_sessions_in_a_row_are() -> None:
    two = after((BUSY, "a", 1.0), (BUSY, "b", 2.0))
    assert two.closed
    three = after((BUSY, "c", 3.0), circuit=two)
    assert (three.opened_at, three.probe_at) == (3.0, 4.0)
    assert after((BUSY, "c", 4.0), circuit=three).probe_at == 9.0


def test_another_answer_between_them_begins_the_row_anew() -> None:
    assert after((BUSY, "a", 1.0), (BUSY, "b", 2.0), (TAKEN, "d", 2.5), (BUSY, "c", 3.0)).closed


def test_what_was_not_tried_says_nothing() -> None:
    circuit = after((NOT_SENT, "a", 10.0))
    assert tried(circuit, Attempt("queued"), "a", 11.0) == circuit
