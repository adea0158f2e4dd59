"""When an entry is tried again, and what an attempt makes of it."""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from statusproxy.proxy.ports import Attempt
from statusproxy.spool.schedule import MOST_ASKED, SpoolRules, after, at_first, delay
from statusproxy.store.spooled import Entry, EntryState, Reason
from tests.spool.entries import entry

RULES = SpoolRules()
#: A chance by which nothing is added to a delay and nothing taken off.
EVEN = 0.5


def again(kept: Entry, attempt: Attempt, now: float = 100.0, rules: SpoolRules = RULES) -> Entry:
    moved = after(kept, attempt, rules, now, EVEN)
    assert moved is not None
    return moved


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 1.0), (1, 1.0), (2, 5.0), (3, 30.0), (4, 120.0), (5, 600.0), (6, 600.0), (900, 600.0)]
)
def test_each_failed_attempt_is_followed_by_the_next_step_and_the_last_repeats(attempts: int, seconds: float) -> None:
    assert delay(attempts, RULES.schedule, EVEN) == seconds


def test_a_delay_varies_by_a_tenth() -> None:
    assert delay(5, RULES.schedule, 0.0) == pytest.approx(540.0)
    assert delay(5, RULES.schedule, 1.0) == pytest.approx(660.0)


@pytest.mark.parametrize(("asked", "seconds"), [(0.2, 1.0), (7.0, 7.0), (1e9, MOST_ASKED)])
def test_a_receiver_may_ask_for_a_longer_pause_up_to_an_hour(asked: float, seconds: float) -> None:
    assert delay(1, RULES.schedule, EVEN, asked) == seconds


@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (Attempt("queued"), entry(reason=Reason.QUEUED, next_at=1.0)),
        (Attempt("not-sent"), entry(reason=Reason.NOT_SENT, next_at=1.0)),
        (
            Attempt("refused", 503, 20.0),
            entry(reason=Reason.REFUSED, status=503, attempts=1, next_at=120.0),
        ),
        (
            Attempt("no-answer"),
            entry(state=EntryState.UNKNOWN, reason=Reason.NO_ANSWER, attempts=1, next_at=101.0),
        ),
    ],
)
def test_what_the_direct_attempt_makes_of_a_new_entry(attempt: Attempt, expected: Entry) -> None:
    assert at_first(entry(), attempt, RULES, 100.0, EVEN) == expected


def test_an_event_without_an_answer_waits_where_it_is_to_be_sent_again() -> None:
    rules = SpoolRules(resend=True)
    assert at_first(entry(), Attempt("no-answer"), rules, 100.0, EVEN).state is EntryState.WAITING


def test_what_was_delivered_is_no_entry_any_more() -> None:
    assert after(entry(), Attempt("delivered", 200), RULES, 100.0, EVEN) is None


@pytest.mark.parametrize("reason", ["not-sent", "queued"])
def test_a_receiver_that_was_not_reached_costs_no_attempt(reason: str) -> None:
    kept = entry(attempts=3, status=500)
    assert again(kept, msgspec.convert((reason,), Attempt)) == kept


def test_an_attempt_that_failed_inside_the_proxy_is_repeated_and_says_nothing_of_the_receiver() -> None:
    kept = entry(reason=Reason.REFUSED, attempts=2, status=404, rejected=2)
    assert again(kept, Attempt("failed")) == entry(
        reason=Reason.REFUSED, attempts=3, status=404, rejected=2, next_at=130.0
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_what_may_go_well_later_is_tried_for_ever(status: int) -> None:
    kept = entry()
    for _ in range(40):
        kept = again(kept, Attempt("refused", status))
    assert (kept.state, kept.attempts, kept.rejected, kept.status, kept.next_at) == (
        EntryState.WAITING, 40, 0, status, 700.0,
    )  # fmt: skip


def test_silence_is_tried_for_ever_too() -> None:
    kept = again(entry(attempts=1, status=500), Attempt("no-answer"))
    assert kept == entry(attempts=2, reason=Reason.NO_ANSWER, next_at=105.0)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410, 413, 422])
def test_what_the_receiver_refuses_for_good_goes_once_through_the_schedule_and_is_dead(status: int) -> None:
    kept, waits = entry(), []
    while kept.state is EntryState.WAITING:
        kept = again(kept, Attempt("refused", status))
        waits.append(kept.next_at - 100.0)
    assert waits[:-1] == list(RULES.schedule)
    assert (kept.state, kept.reason, kept.attempts, kept.status) == (EntryState.DEAD, Reason.REFUSED, 6, status)


def test_refusals_count_from_the_first_one_in_a_row() -> None:
    kept = entry(attempts=4, rejected=4, status=404)
    kept = again(kept, Attempt("refused", 500))
    assert (kept.rejected, kept.attempts) == (0, 5)
    kept = again(kept, Attempt("refused", 404))
    assert (kept.state, kept.rejected, kept.next_at) == (EntryState.WAITING, 1, 101.0)


@given(
    answers=st.lists(st.sampled_from([200, 302, 404, 408, 429, 500, 503, None]), max_size=40),
    chance=st.floats(0, 1),
    asked=st.none() | st.floats(0, 1e6),
)
def test_an_entry_waits_until_it_is_delivered_or_refused_for_good_and_never_for_longer_than_asked(
    answers: list[int | None], chance: float, asked: float | None
) -> None:
    kept: Entry | None = entry()
    for status in answers:
        assert kept is not None
        attempt = Attempt("no-answer") if status is None else Attempt("refused", status, asked)
        if status == 200:
            attempt = Attempt("delivered", 200)
        kept = after(kept, attempt, RULES, 100.0, chance)
        if kept is None:
            assert status == 200
            break
        assert 100.0 < kept.next_at <= 100.0 + max(660.0, min(asked or 0.0, MOST_ASKED))
        if kept.state is EntryState.DEAD:
            assert status in (302, 404)
            break
