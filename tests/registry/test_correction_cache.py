"""Corrections remembered: the same answer means the same, and what is remembered is bounded."""

import pytest
from msgspec.structs import replace

from statusproxy.registry import correction_cache as module
from statusproxy.registry.correction_cache import CorrectionCache
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import Correction, correct_at_once
from tests.status.test_channels import LIST, ONE, down


def remember(
    cache: CorrectionCache, body: bytes, path_id: str | None = None, now: float = 100.0, asked_by: float | None = None
) -> ChannelList:
    answer = ChannelList(body, LIST if path_id is None else ONE, path_id)
    cache.put(answer, Correction(body + b"!", ("sales",)), asked_by, now)
    return answer


def test_the_same_bytes_on_the_same_route_are_corrected_as_they_were() -> None:
    cache = CorrectionCache()
    answer = remember(cache, b"[1]")
    assert cache.find(answer, 50.0, 0.0) == Correction(b"[1]!", ("sales",))
    assert cache.find(ChannelList(bytes(bytearray(b"[1]")), LIST), 50.0, 0.0) is not None
    assert cache.find(ChannelList(b"[2]", LIST), 50.0, 0.0) is None
    assert cache.find(ChannelList(b"[1]", replace(LIST)), 50.0, 0.0) is None
    assert cache.find(ChannelList(b"[1]", LIST, "sales"), 50.0, 0.0) is None


def test_an_answer_is_corrected_like_the_one_before_where_that_is_good_for_any() -> None:
    sessions, cache = down("sales"), CorrectionCache()
    bodies = [b'{"turn":%d,"channels":[{"id":"sales","status":"connected"}]}' % turn for turn in range(2)]

    def found(asked_by: float | None = None, since: float = 100.0, before: bytes = bodies[0]) -> object:
        answer = ChannelList(before, LIST)
        cache.put(answer, correct_at_once(answer, sessions, 50.0, 51.0), asked_by, 100.0)
        return cache.find_alike(ChannelList(bodies[1], LIST), since)

    assert cache.find_alike(ChannelList(bodies[1], LIST), 0.0) is None
    assert found() == (correct_at_once(ChannelList(bodies[1], LIST), sessions, 50.0, 51.0), 100.0)
    assert found(since=100.1) is None
    assert found(asked_by=50.0) is None
    assert found(before=bodies[0].replace(b"sales", b"Sales")) is None, "it was read whole"
    assert found(before=bodies[0].replace(b"connected", b"open")) is None


def test_answers_that_name_their_one_channel_are_remembered_for_each() -> None:
    cache, rule = CorrectionCache(), replace(ONE, one=True)
    answers = [ChannelList(b'{"id":"%b"}' % name, rule) for name in (b"sales", b"support")]
    for answer in answers:
        answer.read()
        cache.put(answer, Correction(answer.body), None, 100.0)
    assert [cache.find(answer, 50.0, 0.0) for answer in answers] == [Correction(answer.body) for answer in answers]


def test_what_was_made_too_long_ago_is_made_anew() -> None:
    cache = CorrectionCache()
    answer = remember(cache, b"[1]", now=100.0)
    assert cache.find(answer, 50.0, 100.0) is not None
    assert cache.find(answer, 50.0, 100.1) is None


def test_what_was_asked_for_before_the_map_changed_serves_none_that_asked_later() -> None:
    cache = CorrectionCache()
    answer = remember(cache, b"[1]", asked_by=50.0)
    assert [cache.find(answer, asked_at, 0.0) is not None for asked_at in (49.0, 50.0, 50.1)] == [True, True, False]


def test_answers_about_one_channel_go_first_the_longest_unasked_before_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    cache = CorrectionCache()
    whole = remember(cache, b"[1]")
    singles = [remember(cache, b"{}", f"s{number}") for number in range(2)]
    cache.find(singles[0], 50.0, 0.0)
    remember(cache, b"{}", "s2")
    assert [cache.find(one, 50.0, 0.0) is not None for one in (whole, *singles)] == [True, True, False]


def test_the_bytes_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL", 50)
    cache, answers = CorrectionCache(), list[ChannelList]()
    for number in range(10):
        answers.append(remember(cache, b"x" * 9, f"s{number}"))
        assert [one for one in answers if cache.find(one, 50.0, 0.0) is not None] == answers[-2:]  # of 19 bytes each
    large = remember(cache, b"x" * 40)
    assert cache.find(large, 50.0, 0.0) is None
    cache.clear()
    assert [cache.find(one, 50.0, 0.0) for one in answers] == [None] * 10
    both = remember(cache, b"x" * 12, "one"), remember(cache, b"x" * 12, "two")
    assert [cache.find(one, 50.0, 0.0) is not None for one in both] == [True, True], "all its room is free"


def test_a_correction_made_anew_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL", 2 * (len(b"[2]") + len(b"[2]!")))
    cache = CorrectionCache()
    remember(cache, b"[0]")
    remember(cache, b"[1]")
    answer = remember(cache, b"[2]")
    assert cache.find(answer, 50.0, 0.0) == Correction(b"[2]!", ("sales",))
    other = remember(cache, b"[3]", "sales")
    assert [cache.find(one, 50.0, 0.0) is not None for one in (answer, other)] == [True, True], "there is room for it"


def test_an_answer_that_just_fits_is_remembered_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOTAL", 21)
    cache = CorrectionCache()
    before = remember(cache, b"{}", "sales")
    large = remember(cache, b"x" * 10)
    assert cache.find(large, 50.0, 0.0) is not None
    assert cache.find(before, 50.0, 0.0) is None
    unchanged = ChannelList(b"x" * 21, LIST)
    cache.put(unchanged, Correction(unchanged.body), None, 100.0)
    assert cache.find(unchanged, 50.0, 0.0) is not None, "what was not changed is kept once"
