"""A kept answer: read in steps, by a look-up only as far as that is done soon, in the background to its end."""

import json
from collections.abc import Iterator
from itertools import islice
from unittest import mock

import pytest
from msgspec.structs import replace

from statusproxy.registry import kept_answer as module
from statusproxy.registry.kept_answer import Effort, KeptAnswer, go_on
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import ChannelRule
from statusproxy.status.identity import ChannelIds
from statusproxy.status.list_reader import Part
from tests.status.counting import counted

RULE = ChannelRule(list=((),), id=(("id",),), set={"status": "disconnected"})


def an_answer(*ids: str, before: KeptAnswer | None = None, body: bytes | None = None) -> KeptAnswer:
    listed = json.dumps([{"id": one, "status": "open"} for one in ids]).encode() if body is None else body
    return KeptAnswer(ChannelList(listed, replace(RULE)), 1.0, before)


def finished(answer: KeptAnswer) -> KeptAnswer:
    counted(answer.finish())
    return answer


def test_a_list_is_read_folded_and_located_to_its_end() -> None:
    answer = finished(an_answer(*(f"S{number}" for number in range(3_000))))
    assert (answer.is_list, answer.listing.ids.are_folded) == (True, True)
    assert answer.fold(5) == 5
    assert answer.listing.said("S2999").word == "open"


@pytest.mark.parametrize("part", ["read", "fold"])
def test_others_have_their_turn_after_each_step_of_reading_and_of_folding(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[int] = []
    go = getattr(KeptAnswer, part)

    def counted_step(answer: KeptAnswer, steps: int, *until: object) -> int:
        gone.append(steps)
        return int(go(answer, steps, *until))

    monkeypatch.setattr(KeptAnswer, part, counted_step)
    answer = an_answer(*(f"S{number}" for number in range(20_000)))
    for _ in answer.finish():
        assert sum(gone) <= 1
        gone.clear()
    assert answer.listing.ids.are_folded


def test_a_list_that_is_read_to_its_end_has_the_place_of_each_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = finished(an_answer(*(f"S{number}" for number in range(3_000))))
    monkeypatch.setattr(Part, "locate", mock.Mock(side_effect=AssertionError("located at once")))
    assert answer.listing.said("S2999").word == "open"


def test_an_answer_is_of_its_moment_and_counts() -> None:
    answer = an_answer("sales")
    assert (answer.at, answer.is_over, answer.is_passed, answer.failed) == (1.0, False, False, False)


def test_a_list_that_is_read_holds_none_before_it() -> None:
    first = finished(an_answer("s0"))
    second = an_answer("s1", before=first)
    finished(second)
    assert second.last_list is second
    assert behind(second) == []
    third = an_answer("s2", before=first)
    counted(third.listing.steps())  # by another that has the same
    assert behind(an_answer("s3", before=third)) == [third]
    assert behind(third) == []


def test_what_is_no_list_is_read_too_and_is_none() -> None:
    answer = finished(an_answer(body=b'{"error":"busy"}'))
    assert (answer.listing.is_read, answer.is_list) == (True, False)


def test_a_channel_that_is_nested_too_deep_does_not_end_the_reading() -> None:
    body = b'[{"id":"a","deep":%b1%b}]' % (b"[" * 5_000, b"]" * 5_000)
    assert finished(an_answer(body=body)).listing.is_read


@pytest.mark.parametrize(("where", "part"), [(ChannelList, "steps"), (ChannelIds, "fold")])
def test_an_answer_whose_reading_raised_once_is_not_read_for_ever(
    where: type, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_self: object) -> Iterator[None]:
        yield
        raise MemoryError

    monkeypatch.setattr(where, part, failing)
    answer = an_answer("sales", "support")
    with pytest.raises(MemoryError):
        finished(answer)
    assert len(list(islice(answer.finish(), 10))) <= 1


def test_the_last_list_stands_in_for_an_answer_that_is_none() -> None:
    first = finished(an_answer("sales"))
    error = finished(an_answer(before=first, body=b"{}"))
    assert error.last_list is first
    assert finished(an_answer(before=error, body=b"{}")).last_list is first
    assert an_answer(body=b"{}").last_list is None


def behind(answer: KeptAnswer) -> list[KeptAnswer]:
    """Those that are kept behind an answer, the newest first."""
    return [] if answer.before is None else [answer.before, *behind(answer.before)]


@pytest.mark.parametrize("are_begun", [[], [1, 2, 3, 4, 5], [2, 3], [3, 5]])
def test_two_at_most_are_kept_behind_the_newest(are_begun: list[int]) -> None:
    answer = finished(an_answer("s0"))
    for number in range(1, 6):
        answer = an_answer(f"s{number}", before=answer)
        if number in are_begun:
            answer.read(1, lambda done: False)
        assert len(behind(answer)) <= 2


def test_the_newest_that_is_not_read_is_kept_and_the_list_before_may_not_be_the_last() -> None:
    first = finished(an_answer("s0"))
    second = an_answer("s1", before=first)
    third = an_answer("s2", before=second)
    assert (behind(third), first.is_passed) == ([second, first], False)
    fourth = an_answer("s3", before=third)
    assert (behind(fourth), first.is_passed) == ([third, first], True)


def test_one_that_is_being_read_is_kept_instead_of_newer_ones() -> None:
    first = finished(an_answer("s0"))
    second = an_answer("s1", before=first)
    second.read(0, lambda done: False)
    third = an_answer("s2", before=second)
    fourth = an_answer("s3", before=third)
    assert (behind(fourth), second.is_passed, first.is_passed) == ([second, first], True, True)


def test_one_whose_reading_raised_is_not_kept_and_the_list_before_may_not_be_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = finished(an_answer("s0"))
    second = an_answer("s1", before=first)
    with monkeypatch.context() as failing:
        failing.setattr(ChannelList, "steps", lambda _self: map(int, ["none"]))
        with pytest.raises(ValueError, match="none"):
            finished(second)
    assert (second.unread, first.is_passed) == (None, True)
    assert behind(an_answer("s2", before=second)) == [first]


def test_reading_an_answer_that_is_none_to_its_end_reads_the_one_before() -> None:
    before = an_answer("sales", "support")
    error = finished(an_answer(before=before, body=b"{}"))
    assert (error.last_list, before.listing.ids.are_folded) == (before, True)


def test_a_list_has_the_channels_of_another_or_not() -> None:
    both, one, other = (finished(an_answer(*ids)) for ids in (("a", "b"), ("a",), ("c",)))
    assert [both.has_channels_of(one) for _ in range(2)] == [True, True]
    assert both.has_channels_of(finished(an_answer("b", "a")))
    assert [both.has_channels_of(other) for _ in range(2)] == [False, False]


@pytest.mark.parametrize(
    ("heavier", "lighter"), [(b"[1,1,1]", b"[11111]"), (b"[{},{}]", b"[12345]"), (b"[{}]", b"[12]"), (b"[[]]", b"[12]"),
                             (b'["\\n"]', b'["nn"]'), ('["é"]'.encode(), b'["ee"]')],
    ids=["values", "objects", "one object", "lists", "escapes", "not ascii"],
)  # fmt: skip
def test_an_answer_weighs_by_what_it_is_made_of(heavier: bytes, lighter: bytes) -> None:
    assert len(heavier) == len(lighter)
    assert an_answer(body=heavier).weight > an_answer(body=lighter).weight


def test_a_look_up_reads_what_is_light_and_leaves_the_rest() -> None:
    effort = Effort(some=True)
    light, heavy = an_answer("sales"), an_answer(body=b"[" + b"{}," * 60_000 + b"{}]")
    assert effort.read(light)
    assert not effort.read(heavy)
    assert not heavy.listing.is_read


def test_a_look_up_with_no_effort_left_reads_and_folds_nothing() -> None:
    effort = Effort(some=False)
    answer = an_answer("sales")
    assert not effort.read(answer)
    effort.fold(finished(answer))
    assert effort.steps == 0


def test_what_just_fits_a_look_up_is_read_and_what_comes_after_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = an_answer("support"), an_answer("sales")
    monkeypatch.setattr(module, "_WEIGHT", first.weight)
    effort = Effort(some=True)
    assert [effort.read(first), effort.read(second)] == [True, False]


def test_a_look_up_reads_on_while_it_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"[%b]" % b",".join(b'{"id":"\\ud800%d"}' % number for number in range(500))  # half a pair: the slow way
    for seconds, is_read in ((1_000.0, True), (-1_000.0, False)):
        monkeypatch.setattr(module, "_FOR", seconds)
        assert Effort(some=True).read(an_answer(body=body)) is is_read


def test_the_steps_of_a_look_up_are_those_of_lists_and_of_their_folds() -> None:
    effort = Effort(some=True)
    begun_with = effort.steps
    about_one = KeptAnswer(ChannelList(b'{"id":"sales"}', replace(RULE), "sales"), 1.0)
    assert effort.read(about_one)
    assert effort.steps == begun_with
    answer = an_answer("sales", "support")
    effort.read(answer)
    after_reading = effort.steps
    effort.fold(answer)
    assert begun_with > after_reading > effort.steps


def test_a_look_up_builds_two_readers_at_most() -> None:
    effort = Effort(some=True)
    assert [effort.read(an_answer("sales")) for _ in range(3)] == [True, True, False]


def test_some_steps_are_taken_however_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOR", -1.0)
    assert Effort(some=True).read(an_answer(*(f"s{number}" for number in range(1_000))))


def test_steps_end_with_the_work_with_the_number_or_when_told_to() -> None:
    def steps() -> list[None]:
        return [None] * 3

    assert go_on((each for each in steps()), 10) == 6
    assert go_on((each for each in steps()), 2) == 0
    assert go_on((each for each in steps()), 10, lambda done: done == 1) == 9
