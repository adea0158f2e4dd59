"""Corrected answers and their memory: made once, never told twice, never good for longer than the map they are of."""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statusproxy.registry import corrections as module
from statusproxy.registry.corrections import Corrections, learn_own
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import Correction, correct_at_once, correct_in_steps
from statusproxy.status.model import Change, Record
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind
from statusproxy.status.splice import COPIED
from tests.status.maps import DOWN, UP, hear
from tests.status.test_channels import LIST, ONE, down, very_long

NOW = 200.0


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The answers that were corrected again."""
    bodies: list[bytes] = []

    def counted(listing: ChannelList, *given: Any) -> Correction:
        bodies.append(listing.body)
        return correct_at_once(listing, *given)

    monkeypatch.setattr(module, "correct_at_once", counted)
    return bodies


def listing(**words: str) -> ChannelList:
    channels = [{"id": session, "status": word} for session, word in words.items()]
    return ChannelList(json.dumps({"channels": channels}).encode(), LIST)


SALES = {"sales": "connected"}


def warm(sessions: SessionMap) -> Corrections:
    """With the map's present version noted, and what the first answers teach it learnt."""
    corrections = Corrections(sessions)
    for _ in range(2):
        corrections.correct(listing(**SALES), NOW, NOW)
    return corrections


def test_the_same_answer_is_corrected_once(made: list[bytes]) -> None:
    corrections = warm(down("sales"))
    first = corrections.correct(listing(**SALES), NOW + 1, NOW + 1)
    made.clear()
    again = corrections.correct(listing(**SALES), NOW + 2, NOW + 2)
    assert again == first
    assert again.corrected == ("sales",)
    assert made == []
    corrections.correct(listing(sales="open"), NOW + 2, NOW + 2)
    assert len(made) == 1, "another answer"


@pytest.mark.parametrize("query", ["", "page=1"])
async def test_a_short_list_after_a_very_long_one_is_corrected_as_well(query: str) -> None:
    corrections = warm(down("sales"))
    others = [{"id": f"other-{i}", "text": "x" * (COPIED // 64), "status": "connected"} for i in range(64)]
    sales = {"id": "sales", "status": "connected"}
    long, short = (json.dumps({"channels": [*first, sales]}).encode() for first in (others, []))
    for turn in range(1, 4):
        for body in (long, short):
            asked, at = ChannelList(body, LIST, None, query), NOW + turn
            if body is long:
                got = await corrections.correct_in_steps(asked, at, at, partial(float, at), lambda _changes: None)
            else:
                got = corrections.correct(asked, at, at)
            assert (got.corrected, json.loads(got.body)["channels"][-1]["status"]) == (("sales",), "disconnected")


def test_an_answer_in_which_the_lost_sessions_say_the_same_is_not_made_anew(made: list[bytes]) -> None:
    sessions = down("sales")
    corrections = warm(sessions)
    corrections.correct(listing(**SALES), NOW + 1, NOW + 1)
    made.clear()
    for turn in range(59):
        got = corrections.correct(listing(other=f"{turn}", **SALES), NOW + turn, NOW + turn)
        assert (got.corrected, got.changes) == (("sales",), ())
        assert got.body == listing(other=f"{turn}", sales="disconnected").body
    assert made == []
    corrections.correct(listing(other="x", **SALES), NOW + 61.1, NOW + 61.1)
    assert len(made) == 1, "after a minute"
    sessions.watched.qr_seen("sales", NOW + 62, NOW + 62)
    got = corrections.correct(listing(other="y", **SALES), NOW + 63, NOW + 63)
    assert ([change.what for change in got.changes], got.corrected) == (["released"], ()), "the map has changed"


def test_after_a_minute_it_is_made_anew_for_the_map_notes_what_the_gateway_says(made: list[bytes]) -> None:
    sessions = down("sales")
    corrections = warm(sessions)
    corrections.correct(listing(**SALES), NOW + 1, NOW + 1)
    made.clear()
    corrections.correct(listing(**SALES), NOW + 61, NOW + 61)
    assert made == []
    corrections.correct(listing(**SALES), NOW + 61.1, NOW + 61.1)
    assert len(made) == 1
    record = sessions.get("sales")
    assert record is not None
    assert record.gateway_said_at == NOW + 61.1


@pytest.mark.parametrize("told", [True, False])
def test_a_change_of_the_map_makes_it_anew(made: list[bytes], told: bool) -> None:
    sessions = down("sales")
    corrections = warm(sessions)
    assert corrections.correct(listing(**SALES), NOW + 1, NOW + 1).corrected == ("sales",)
    sessions.release("sales", NOW + 2)
    if told:
        corrections.notice_version(NOW + 2)
    made.clear()
    assert corrections.correct(listing(**SALES), NOW + 3, NOW + 3).corrected == ()
    assert len(made) == 1


def test_an_answer_asked_for_before_a_change_serves_nobody_who_asked_later(made: list[bytes]) -> None:
    sessions = down("sales", "support")
    corrections = warm(sessions)
    sessions.release("support", NOW + 5)
    corrections.notice_version(NOW + 5)
    corrections.correct(listing(**SALES), NOW + 4, NOW + 6)
    made.clear()
    for asked_at in (NOW + 3, NOW + 4):
        corrections.correct(listing(**SALES), asked_at, NOW + 7)
    assert made == [], "they share one call to the gateway"
    corrections.correct(listing(**SALES), NOW + 4.5, NOW + 7)
    assert len(made) == 1
    made.clear()
    corrections.correct(listing(**SALES), NOW + 5, NOW + 8)
    corrections.correct(listing(**SALES), NOW + 9, NOW + 9)
    assert len(made) == 1, "asked for after the change: good for all"


def test_what_cannot_be_read_is_not_remembered(made: list[bytes]) -> None:
    corrections = warm(down("sales"))
    made.clear()
    for _ in range(2):
        broken = ChannelList(b"{", LIST)
        assert corrections.correct(broken, NOW, NOW) == Correction(b"{", failure="not-json")
    assert made == [b"{", b"{"]


def test_what_a_correction_changed_is_given_once(made: list[bytes]) -> None:
    sessions = down("sales", "support")
    sessions.watched.created("sales", NOW, NOW)
    corrections = Corrections(sessions)
    both = {"sales": "connected", "support": "connected"}
    first = corrections.correct(listing(**both), NOW + 1, NOW + 1)
    assert [change.reason for change in first.changes] == ["reconnected"]
    shared = corrections.correct(listing(**both), NOW + 1, NOW + 1.5)
    assert (shared.body, shared.changes, len(made)) == (first.body, (), 1), "who asked no later has the first one's"
    second = corrections.correct(listing(**both), NOW + 2, NOW + 2)
    assert (second.corrected, second.changes) == (("support",), ())
    third = corrections.correct(listing(**both), NOW + 3, NOW + 3)
    assert third == second


async def in_steps(
    corrections: Corrections, answer: ChannelList, told: list[Change] | None = None, at: float = NOW + 1
) -> Correction:
    def changed(changes: Sequence[Change]) -> None:
        (told if told is not None else []).extend(changes)

    return await corrections.correct_in_steps(answer, at, at, lambda: at, changed)


def many(count: int) -> tuple[SessionMap, dict[str, str]]:
    names = [f"s{number}" for number in range(count)]
    return down(*names), dict.fromkeys(names, "connected")


async def test_a_long_answer_is_corrected_as_at_once_with_turns_for_others_each_millisecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count(0.0, 0.0004)  # what a step takes
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    sessions, words = many(500)
    steps = sum(1 for _ in correct_in_steps(listing(**words), many(500)[0], NOW + 1, NOW + 1))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    correction = await in_steps(Corrections(sessions), listing(**words))
    other.cancel()
    assert turns == steps // 3 * module._TURNS > 1
    assert correction == correct_at_once(listing(**words), many(500)[0], NOW + 1, NOW + 1)


async def test_who_waits_for_the_same_long_answer_gets_the_first_ones_correction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "SLICE", 0.0)
    sessions, words = many(300)
    corrections = Corrections(sessions)
    await in_steps(corrections, listing(**words))  # channels are learnt
    first, second = await asyncio.gather(*(in_steps(corrections, listing(**words), at=NOW + 2) for _ in range(2)))
    assert second is first
    assert corrections.correct(listing(**words), NOW + 3, NOW + 3) is first


async def test_what_each_step_changes_is_told_at_once() -> None:
    sessions, words = many(300)
    for session in words:
        sessions.watched.created(session, NOW, NOW)
    told: list[Change] = []
    correction = await in_steps(Corrections(sessions), listing(**words), told)
    assert (correction.corrected, correction.changes) == ((), ())
    assert sorted(change.session for change in told) == sorted(words)


# One channel at a time


def asked(sessions: SessionMap, session: str, status: str = "connected", named: str | None = None) -> bool:
    """Whether this channel reads disconnected."""
    channel = {"status": status} if named is None else {"id": named, "status": status}
    answer = ChannelList(json.dumps({"channel": channel}).encode(), ONE, session)
    learn_own(answer, sessions.answers)
    return bool(correct_at_once(answer, sessions, NOW, NOW).corrected)


def heard(*records: Record) -> SessionMap:
    sessions = SessionMap()
    sessions.load(records)
    return sessions


@pytest.mark.parametrize("both", [False, True])
def test_a_session_is_not_marked_for_another_that_is_spelt_alike_and_was_asked_for_too(both: bool) -> None:
    sessions = heard(Record("sales"), *[Record("Sales")] * both)
    for session in ("Sales", "sales"):
        asked(sessions, session)
    hear(sessions, "sales", SignalKind.DISCONNECTED, at=150.0)
    assert asked(sessions, "sales")
    assert not asked(sessions, "Sales")


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ("closed", None),  # some gateways answer so to an id that they do not know
        ("connected", "Sales"),  # it finds the session by any spelling, and tells its own
    ],
)
def test_a_gateway_that_spells_a_session_otherwise_is_corrected_all_the_same(status: str, named: str | None) -> None:
    sessions = heard(Record("sales"))
    asked(sessions, "Sales")
    asked(sessions, "sales", status, named)
    hear(sessions, "sales", SignalKind.DISCONNECTED, at=150.0)
    assert asked(sessions, "Sales")


def test_what_a_list_taught_is_not_replaced_by_one_channels_answer() -> None:
    sessions = heard(Record("sales", channel="Sales"))
    asked(sessions, "sales")
    hear(sessions, "sales", SignalKind.DISCONNECTED, at=150.0)
    assert asked(sessions, "Sales")


NAMES = tuple(f"s{number}" for number in range(5))
polls = st.tuples(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
    st.sampled_from(["", "page=1", "page=2"]),
    st.sampled_from(["at once", "in steps", "very long"]),
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(NAMES), st.sampled_from([DOWN, UP])), max_size=2),
)


@given(st.lists(polls, min_size=1, max_size=6))
@example(
    [
        (["s0", "s2"], "page=1", "very long", []),
        (["s0", "s2"], "page=1", "very long", []),
        (["s2", "s0", "s1"], "page=2", "at once", []),
    ]
)
@example([(["s0", "s1"], "", "very long", [(4, "s1", DOWN)])])
def test_whatever_lists_come_and_are_lost_meanwhile_each_shows_what_is_in_force_then(
    asked: list[tuple[list[str], str, str, list[tuple[int, str, SignalKind]]]],
) -> None:
    sessions = down("s0", "s2")
    corrections, at = Corrections(sessions), NOW
    for listed, query, how, events in asked:
        at += 1
        channels = [{"id": name, "text": name * 10, "status": "connected"} for name in listed]
        answer = ChannelList(json.dumps({"channels": channels}).encode(), LIST, None, query)
        if how == "at once":
            for _, session, kind in events:
                hear(sessions, session, kind, at=at - 0.5)
            result = corrections.correct(answer, at, at)
        else:
            with very_long() if how == "very long" else nullcontext():
                result = stepped(corrections, answer, at, sessions, events)
        in_force = {one.session for one in sessions.records() if one.override is not None}
        assert [one["status"] for one in json.loads(result.body)["channels"]] == [
            "disconnected" if name in in_force else "connected" for name in listed
        ]
        assert set(result.corrected) == in_force & set(listed)


def stepped(
    corrections: Corrections,
    answer: ChannelList,
    at: float,
    sessions: SessionMap,
    events: list[tuple[int, str, SignalKind]],
) -> Correction:
    """Correct in steps; each event comes after so many turns of the loop, if it takes as many."""
    work = corrections.correct_in_steps(answer, at, at, partial(float, at), lambda _changes: None)
    steps = work.__await__()
    turn = 0
    with mock.patch.object(module, "SLICE", 0.0), mock.patch.object(module, "_TURNS", 1):
        while True:
            for when, session, kind in events:
                if when == turn:
                    hear(sessions, session, kind, at=at + 0.001)
            turn += 1
            try:
                next(steps)
            except StopIteration as stop:
                result: Correction = stop.value
                return result
