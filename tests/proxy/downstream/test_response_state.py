"""The table of an answer's states: what may happen in each, and what follows."""

import pytest

from statusproxy.proxy.downstream.response_state import (
    ABORTED,
    ANSWERABLE,
    BREAK_OFF,
    DONE,
    END,
    GONE,
    HEAD,
    HEAD_SENT,
    INTERIM,
    LEAVE,
    NEW,
    PART,
    STOP,
    SWITCH,
    WHOLE,
    ResponseState,
    Step,
)

#: By state: what follows each step that may happen in it.
MAY = {
    NEW: {
        INTERIM: NEW, WHOLE: DONE, HEAD: HEAD_SENT, SWITCH: HEAD_SENT, BREAK_OFF: ABORTED, LEAVE: GONE, STOP: ABORTED,
    },
    HEAD_SENT: {PART: HEAD_SENT, END: DONE, BREAK_OFF: ABORTED, LEAVE: GONE, STOP: ABORTED},
    DONE: {LEAVE: GONE, STOP: ABORTED},
    ABORTED: {STOP: ABORTED},
    GONE: {STOP: ABORTED},
}  # fmt: skip


@pytest.mark.parametrize("state", ResponseState)
def test_in_each_state_only_what_the_table_allows_may_happen(state: ResponseState) -> None:
    steps: tuple[Step, ...] = (INTERIM, WHOLE, HEAD, SWITCH, PART, END, BREAK_OFF, LEAVE, STOP)
    assert {step: step.target for step in steps if state in step.sources} == MAY[state]


def test_an_answer_may_be_given_where_none_was_begun_or_the_client_has_left() -> None:
    assert set(ANSWERABLE) == {NEW, GONE}
