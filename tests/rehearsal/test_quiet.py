"""Events that say nothing, told together, and what to do about those that no rule names."""

import pytest

from statusproxy.rehearsal.explanation import NOTHING_TO_END
from statusproxy.rehearsal.messages import EventResult
from statusproxy.rehearsal.quiet import is_quiet, next_steps, run_told, runs


def event(verdict: str = "unmatched", name: str | None = "ack", line: int = 1, **more: object) -> EventResult:
    return EventResult(**{"source": f"f:{line}", "verdict": verdict, "event": name, "why": "so", **more})  # type: ignore[arg-type]


LOST = event("applied", "lost", says="disconnected")


def test_three_quiet_events_in_a_row_are_a_run_and_two_are_not() -> None:
    quiet = event()
    events = [quiet, quiet, LOST, quiet, quiet, quiet, LOST, LOST, LOST, quiet]
    assert [len(run) for run in runs(events)] == [1, 1, 1, 3, 1, 1, 1, 1]
    assert [one for run in runs(events) for one in run] == events


@pytest.mark.parametrize(
    ("one", "quiet"),
    [
        (event("unmatched"), True),
        (event("nothing"), True),
        (event("presence"), True),
        (event("own-message"), True),
        (event("applied", says="alive", why=NOTHING_TO_END), True),
        (event("applied", says="alive", why="no proof"), False),
        (event("applied", says="connected", why=NOTHING_TO_END), False),
        (event("unmatched", missed=True), False),
        (event("no-session"), False),
        (event("late"), False),
        (event("untrusted"), False),
    ],
)
def test_what_is_quiet(one: EventResult, quiet: bool) -> None:
    assert is_quiet(one) is quiet


def test_a_run_tells_where_it_stands_and_what_came() -> None:
    run = [
        event(line=3),
        event("own-message", "message", line=4),
        event(line=5),
        event("nothing", "link", line=6, word="up"),
        event("nothing", None, line=7),
        event("unmatched", "qr", line=8),
    ]
    assert run_told(run) == (
        "f:3 to f:8: 6 events that change nothing: 3 unmatched (ack 2, qr 1), 1 own-message (message 1), "
        "2 nothing (link up 1); --json shows each"
    )
    assert run_told([event("nothing", None)] * 3).endswith("3 events that change nothing: 3 nothing; --json shows each")


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([LOST], []),
        (
            [event(missed=True), event("unmatched", "link", missed=True), event("unmatched", "link", missed=True)],
            [
                (
                    "No rule names link 2, ack 1. For each that is about a session's connection add a rule to "
                    "`events`; the others need none."
                )
            ],
        ),
        (
            [event("unmatched", None, missed=True)],
            ["1 event has no name where `dialect.event` looks for it. Write the member that holds it there."],
        ),
        (
            [event("unmatched", None), event("unmatched", None), event("unmatched", "lost", missed=True)],
            [
                (
                    "No rule names lost 1. For each that is about a session's connection add a rule to `events`; "
                    "the others need none."
                ),
                "2 events have no name where `dialect.event` looks for it. Write the member that holds it there.",
            ],
        ),
        (
            [event("unmatched", f"kind{letter}") for letter in "abcdef"],
            [
                (
                    "No rule names kinda 1, kindb 1, kindc 1, kindd 1, kinde 1, …, and none is needed: such names "
                    "are not about a connection."
                )
            ],
        ),
    ],
)
def test_what_to_do_about_events_that_no_rule_names(events: list[EventResult], says: list[str]) -> None:
    assert list(next_steps(events)) == says
