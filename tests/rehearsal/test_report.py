"""The report for people, line by line."""

import pytest

from statusproxy.rehearsal.messages import (
    ChangedChannel,
    ChangedValue,
    EventResult,
    ListResult,
    OverrideResult,
    QrResult,
    ReleasedBy,
    Results,
    Uncorrected,
    Waiting,
)
from statusproxy.rehearsal.report import as_text

AT = "2026-01-15T19:07:10.000Z"


def event(**more: object) -> EventResult:
    return EventResult(**{"source": "f", "verdict": "applied", "why": "so", **more})  # type: ignore[arg-type]


def told(*, colours: bool = False, **parts: object) -> list[str]:
    return as_text(Results(now=AT, **parts), colours=colours).splitlines()  # type: ignore[arg-type]


def test_an_event_is_told_as_far_as_it_was_read() -> None:
    one = event(
        event="status",
        rule=2,
        rule_events=["status", "s"],
        session=" a",
        word="close",
        says="disconnected",
        missed=True,
    )
    assert told(events=[one, event(verdict="not-json")]) == [
        "f",
        "  event   status",
        "  rule    2 (status, s)",
        '  session " a"',
        '  word    "close"',
        "  means   disconnected",
        "  time    none in the event; its arrival counts",
        "  verdict applied: so",
        "",
        "f",
        "  verdict not-json: so",
        "",
        "2 events: 1 applied, 1 not-json",
        "1 of them may mean a disconnect that is missed",
    ]


@pytest.mark.parametrize(
    ("dated", "says"),
    [
        ({"time": "own", "at": AT, "skew": 0.04}, "2026-01-15 19:07:10 UTC"),
        ({"time": "own", "at": AT, "skew": -3.9}, "2026-01-15 19:07:10 UTC, 3.9 s before its arrival"),
        (
            {"time": "ahead", "at": AT, "skew": 7200.0},
            "2026-01-15 19:07:10 UTC, 2 h ahead of its arrival; too far to be used for more than this sender's order",
        ),
        (
            {"time": "orders", "at": AT, "skew": -7200.0},
            "2026-01-15 19:07:10 UTC, 2 h before its arrival; it only orders this sender's events",
        ),
        ({"time": "too-far"}, "not usable: it is too far ahead; its arrival counts"),
        ({"time": "unusable"}, "not usable: it has no time zone, or is not a time; its arrival counts"),
    ],
)
def test_its_time_is_told_beside_its_arrival(dated: dict[str, object], says: str) -> None:
    assert f"  time    {says}" in told(events=[event(event="e", **dated)])


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        ("none asked", None),
        ("not checked", "assumed to be trusted; with --header its proof is checked"),
        ("holds", "its proof is valid"),
        ("wrong secret", "wrong secret"),
    ],
)
def test_the_sender_s_proof_is_told_where_one_is_asked_for(proof: str, says: str | None) -> None:
    lines = [line for line in told(events=[event(sender=proof)]) if line.startswith("  sender")]
    assert lines == ([] if says is None else [f"  sender  {says}"])


def test_an_answer_is_a_diff_of_what_was_changed() -> None:
    one = ListResult(
        source="list",
        route="/list",
        channels=2,
        corrected=[ChangedChannel("a", [ChangedValue("up", "true", "false")])],
        uncorrected=[Uncorrected("b", "so")],
    )
    assert told(lists=[one])[:-2] == [
        "--- list: as the gateway answers /list",
        "+++ as it is passed on",
        "@@ a @@",
        "-up: true",
        "+up: false",
        "1 of 2 channels corrected",
        "not b: so",
    ]


def test_an_answer_that_cannot_be_read_says_why() -> None:
    assert told(lists=[ListResult(source="list", route="/list", failure="no-list")]) == [
        "list",
        "  route   /list",
        "  failed  no-list: none of the members of `list` has the channels",
        "",
        "An answer cannot be corrected",
    ]


def test_a_code_a_correction_and_a_state_that_waits_are_told() -> None:
    long = ["GET /a/{session}/qr", "POST /a/{session}/start-session", "POST /a/{session}/restart", "POST /a"]
    lines = told(
        qr=QrResult(source="qr", shows="code", session="a", why="so"),
        overrides=[
            OverrideResult(
                session="a",
                since=AT,
                reason="lost",
                caught_up="qr",
                released_by=[ReleasedBy("deleted", "a request", long), ReleasedBy("expired", "nothing new")],
            ),
            OverrideResult(session="b", since=AT, reason="lost", transient=True, reads='"close"', released_by=[]),
        ],
        waiting=[
            Waiting(session="c", reason="state connecting", due=AT),
            Waiting(session="d", reason="state connecting", reads='"connecting"', due=AT),
        ],
    )
    assert lines == [
        "qr",
        "  session a",
        "  shows   code: so",
        "",
        "a: disconnected since 2026-01-15 19:07:10 UTC by lost; the gateway knows (qr)",
        "  This would end the correction:",
        "  deleted  a request: GET /a/{session}/qr, POST /a/{session}/start-session,",
        "           POST /a/{session}/restart, POST /a",
        "  expired  nothing new",
        "",
        "b: not connected since 2026-01-15 19:07:10 UTC by lost",
        '  Answers read "close".',
        "  This would end the correction:",
        "",
        "c: state connecting",
        "  shown as the gateway shows it; counts as disconnected from 2026-01-15 19:07:10 UTC, if it lasts until then",
        "",
        "d: state connecting",
        '  shown as the gateway shows it; as "connecting" from 2026-01-15 19:07:10 UTC, if it lasts until then',
        "",
        "No event was given",
    ]


def test_a_code_of_no_session_is_told() -> None:
    assert told(qr=QrResult(source="qr", shows="code", why="so"))[:2] == ["qr", "  shows   code: so"]


def test_a_terminal_gets_colours_and_no_others_escapes() -> None:
    text = as_text(Results(now=AT, events=[event(event="\x1b[31mred", session="\u202ea")]), colours=True)
    assert "\x1b[32mapplied\x1b[0m" in text
    assert "\\x1b[31mred" in text
    assert "\\u202ea" in text
    for missed, colour in ((True, 31), (False, 33)):
        assert f"\x1b[{colour}mlate\x1b[0m" in as_text(
            Results(now=AT, events=[event(verdict="late", missed=missed)]), colours=True
        )


def test_quiet_events_in_a_row_are_one_line_and_the_next_step_ends_the_report() -> None:
    quiet = [event(source=f"f:{line}", event="ack", verdict="unmatched") for line in (1, 2, 3)]
    assert told(events=[*quiet, event(source="f:4")]) == [
        "f:1 to f:3: 3 events that change nothing: 3 unmatched (ack 3); --json shows each",
        "",
        "f:4",
        "  verdict applied: so",
        "",
        "4 events: 3 unmatched, 1 applied",
        "No rule names ack 3, and none is needed: such names are not about a connection.",
    ]
