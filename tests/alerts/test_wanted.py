"""Which target wants what."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.alerts.message_types import BACK, BEGUN, SIDES
from statusproxy.alerts.values import Line, Message, Outage, Target, Topic
from statusproxy.alerts.wanted import _parts, asked, fits, lines_for

LOSS = Outage(Topic.LOST, 0.0, "Sales-1")
DOWN = Outage(Topic.GATEWAY_DOWN, 0.0)


def target(*on: Topic, sessions: tuple[str, ...] = ("*",)) -> Target:
    return Target("t", "n", frozenset(on), sessions)


def wants(asking: Target, outage: Outage, *, over: bool) -> bool:
    return fits(asked([asking], outage.topic, over=over), outage.session)


@pytest.mark.parametrize(
    ("outage", "over", "on", "expected"),
    [
        (LOSS, False, [Topic.LOST], True),
        (LOSS, False, [Topic.BACK], False),
        (LOSS, True, [Topic.BACK], True),
        (LOSS, True, [Topic.LOST], False),
        (DOWN, False, [Topic.GATEWAY_DOWN], True),
        (DOWN, False, [Topic.LOST, Topic.BACK], False),
        (DOWN, True, [Topic.GATEWAY_DOWN], False),
        (DOWN, True, [Topic.BACK], False),
        (DOWN, True, [Topic.BACK, Topic.GATEWAY_DOWN], True),
    ],
)
def test_a_target_is_told_of_the_topics_that_it_asks_for(
    outage: Outage, over: bool, on: list[Topic], expected: bool
) -> None:
    assert wants(target(*on), outage, over=over) is expected
    assert bool(asked([target(), target(*on)], outage.topic, over=over)) is expected


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["*"], True),
        (["sales*"], True),
        (["SALES-?"], True),
        (["support", "*-1"], True),
        (["sales"], False),
        (["?"], False),
        (["[S]ales-1"], False),
        (["sales.1"], False),
        (["*" * 50 + "x"], False),
    ],
)
def test_patterns_are_of_whole_ids_without_regard_to_case(patterns: list[str], expected: bool) -> None:
    assert wants(target(Topic.LOST, sessions=tuple(patterns)), LOSS, over=False) is expected


@given(
    st.text("ab?*", max_size=8),
    st.text("abB\n", max_size=8),
)
def test_a_pattern_is_of_the_ids_that_a_search_through_all_places_finds(pattern: str, session: str) -> None:
    written = "".join({"*": ".*", "?": "."}.get(each, each) for each in pattern)
    expected = re.fullmatch(written, session.casefold(), re.DOTALL) is not None
    assert fits(frozenset({pattern}), session) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*-*-*-x", False), ("*-?*-*-", True), ("-" * 200 + "*" + "-" * 313, False), ("-" * 200 + "*" + "-" * 312, True)],
)
def test_parts_of_a_pattern_do_not_overlap(pattern: str, expected: bool) -> None:
    assert fits(frozenset({pattern}), "-" * 512) is expected


def test_no_part_of_a_pattern_can_match_in_several_lengths() -> None:
    parts, last = _parts("*a?*b*c")
    assert last is not None
    assert [part.pattern for part in (*parts, last.text)] == ["", "a.", "b", "c"]


def test_patterns_say_nothing_of_conditions() -> None:
    assert wants(target(Topic.GATEWAY_DOWN, sessions=("sales*",)), DOWN, over=False)


def test_a_target_gets_the_lines_that_it_asks_for_and_all_of_a_test() -> None:
    lines = (Line(LOSS), Line(Outage(Topic.LOST, 0.0, "support")))
    asking = target(Topic.LOST, sessions=("sales*",))
    assert lines_for(Message("m", "session.lost", 0.0, lines, ()), asking) == lines[:1]
    assert lines_for(Message("m", "session.back", 0.0, lines, ()), asking) == ()
    assert lines_for(Message("m", "test", 0.0, lines, ()), asking) == lines


def test_each_type_of_message_is_about_one_side_of_a_topic() -> None:
    assert len(SIDES) == len(BEGUN) + len(BACK) == 2 * (len(Topic) - 1)
