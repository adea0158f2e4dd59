"""Whether a receiver is tried at all."""

from typing import Literal

import pytest

from statusproxy.proxy.ports import Attempt
from statusproxy.spool.circuit import CLOSED, Circuit, begun, reached, tried

NOT_SENT, NO_ANSWER, TAKEN = Attempt("not-sent"), Attempt("no-answer"), Attempt("delivered", 200)
BUSY = Attempt("refused", 503)


def after(*attempts: tuple[Attempt, str, float], circuit: Circuit = CLOSED) -> Circuit:
    for attempt, queue, now in attempts:
        circuit = tried(begun(circuit, queue, now), attempt, queue, now)
    return circuit


def test_a_closed_circuit_lets_everything_pass() -> None:
    assert (CLOSED.closed, CLOSED.lets(0.0), begun(CLOSED, "a", 1.0)) == (True, True, CLOSED)


@pytest.mark.parametrize("attempt", [NOT_SENT, NO_ANSWER])
def test_one_event_that_is_not_taken_opens_it_and_a_second_later_one_probe_goes(attempt: Attempt) -> None:
    circuit = after((attempt, "a", 10.0))
    assert (circuit.closed, circuit.opened_at, circuit.lets(10.9), circuit.lets(11.0)) == (False, 10.0, False, True)
    assert begun(circuit, "a", 11.0).lets(99.0) is False


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
    assert (waits, circuit.opened_at, circuit.probe) == ([5.0, 30.0, 30.0, 30.0], 0.0, None)


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


def test_a_probe_that_is_refused_for_one_session_is_followed_by_one_of_another_soon() -> None:
    circuit, waits = after((NOT_SENT, "a", 0.0), (NOT_SENT, "a", 1.0)), []
    for queue in ("a", "b", "c", "d"):
        now = circuit.probe_at
        circuit = after((BUSY, queue, now), circuit=circuit)
        waits.append(circuit.probe_at - now)
    assert (waits, circuit.probe, circuit.refused) == ([1.0, 1.0, 30.0, 30.0], None, frozenset("abcd"))


def test_the_same_session_refused_again_is_no_reason_to_try_soon() -> None:
    circuit, waits = after((NOT_SENT, "a", 0.0)), []
    for _ in range(3):
        now = circuit.probe_at
        circuit = after((BUSY, "a", now), circuit=circuit)
        waits.append(circuit.probe_at - now)
    assert waits == [1.0, 5.0, 30.0]


def test_a_receiver_that_is_not_reached_begins_the_row_of_refusals_anew() -> None:
    circuit = after((NOT_SENT, "a", 0.0), (BUSY, "a", 1.0), (BUSY, "b", 2.0), (NOT_SENT, "c", 3.0))
    assert (circuit.refused, circuit.probe_at) == (frozenset(), 8.0)
    assert after((BUSY, "a", 1.0), (BUSY, "b", 2.0), (NOT_SENT, "c", 3.0)).refused == frozenset()


def test_an_attempt_that_began_earlier_does_not_end_the_probe_of_another() -> None:
    probing = begun(after((NOT_SENT, "a", 10.0)), "a", 11.0)
    for attempt in (NO_ANSWER, BUSY, Attempt("queued"), Attempt("failed")):
        assert tried(probing, attempt, "b", 11.5) == probing
    assert tried(probing, TAKEN, "b", 11.5) == CLOSED


def test_a_probe_that_never_ends_holds_others_up_for_five_minutes_only() -> None:
    probing = begun(after((NOT_SENT, "a", 10.0)), "a", 11.0)
    assert (probing.lets(310.9), probing.lets(311.0)) == (False, True)


def test_once_its_receiver_is_reached_by_others_the_next_probe_goes_at_once_but_no_second_one() -> None:
    circuit = after((NOT_SENT, "a", 0.0), (NOT_SENT, "a", 1.0), (NOT_SENT, "a", 6.0))
    assert (circuit.probe_at, reached(circuit, 10.0).probe_at, reached(circuit, 99.0).probe_at) == (36.0, 10.0, 36.0)
    probing = begun(circuit, "a", 36.0)
    assert (reached(probing, 37.0), reached(CLOSED, 37.0)) == (probing, CLOSED)


@pytest.mark.parametrize("reason", ["queued", "failed"])
def test_what_was_not_tried_says_nothing_of_a_receiver(reason: Literal["queued", "failed"]) -> None:
    assert tried(CLOSED, Attempt(reason), "a", 1.0) == CLOSED
    refused = after((BUSY, "a", 1.0))
    assert tried(refused, Attempt(reason), "b", 1.0) == refused


def test_another_event_may_be_the_probe_at_once_where_one_was_given_up() -> None:
    given_up = after((NOT_SENT, "a", 10.0), (Attempt("queued"), "a", 20.0))
    assert (given_up.probe, given_up.probe_at, given_up.probes, given_up.lets(20.0)) == (None, 20.0, 0, True)


def test_a_probe_that_the_proxy_itself_could_not_send_is_followed_by_the_next_after_the_same_pause() -> None:
    failed = after((NOT_SENT, "a", 10.0), (Attempt("failed"), "a", 20.0))
    assert (failed.probe, failed.probe_at, failed.probes) == (None, 21.0, 0)
