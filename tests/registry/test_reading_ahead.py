"""Long lists are read before someone asks, a step in some turns, and not each of those that differ."""

import asyncio
import json
from unittest import mock

import pytest

from statusproxy.pacing import Pacer
from statusproxy.registry import reading_ahead
from statusproxy.registry.gateway_view import GatewayView, Word
from statusproxy.registry.reading_ahead import PAUSE, ReadingAhead
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.identity import Aliases
from statusproxy.status.list_reader import SMALL

NO_ALIASES = Aliases({})


def a_rule() -> ChannelRule:
    return ChannelRule(list=(("channels",),), id=(("id",),), set={"status": "disconnected"})


def a_list(count: int, word: str = "open") -> bytes:
    """The list of a usual gateway."""
    channels = [{"id": f"Sess-{number:05d}", "status": word, "about": "x" * 60} for number in range(count)]
    return json.dumps({"channels": channels}).encode()


class Ahead:
    """What reads ahead, and what it reads."""

    def __init__(self) -> None:
        self.view = GatewayView()
        self.reading = ReadingAhead(self.view, Pacer())
        self.rule = a_rule()
        self.rule.list_reader  # noqa: B018 - built, as after the first answer

    def note(self, body: bytes, now: float, rule: ChannelRule | None = None) -> ChannelList:
        listing = self.view.note(body, rule or self.rule, None, now)
        self.reading.note(listing, now)
        return listing

    async def done(self) -> None:
        if self.reading._task is not None:
            await self.reading._task


async def test_a_long_list_is_read_in_steps_and_a_look_up_finds_the_word_of_a_session_spelt_otherwise() -> None:
    ahead = Ahead()
    listing = ahead.note(a_list(10_000), 5.0)
    assert not listing.is_read, "it returns at once"
    assert len(listing.body) > 4 * SMALL
    await ahead.done()
    with mock.patch.object(ChannelList, "steps", side_effect=AssertionError("read at once")):
        assert ahead.view.word("sess-00042", NO_ALIASES) == Word("open", 5.0)


async def test_a_short_list_is_not_read_ahead() -> None:
    ahead = Ahead()
    listing = ahead.note(b'{"channels":[{"id":"sales"}]}', 5.0)
    await ahead.done()
    assert len(listing.body) <= SMALL
    assert not listing.is_read


async def test_the_first_answer_of_a_route_is_read_whatever_its_length() -> None:
    ahead = Ahead()
    listing = ahead.note(b'{"channels":[{"id":"sales"}]}', 5.0, a_rule())
    await ahead.done()
    assert listing.is_read


async def test_of_lists_that_differ_with_every_poll_one_is_read_in_a_while() -> None:
    ahead = Ahead()
    read = []
    for number in range(4):
        listing = ahead.note(a_list(10_000, f"word{number}"), 5.0 + number * PAUSE / 2)
        await ahead.done()
        read.append(listing.is_read)
    assert read == [True, False, True, False]
    assert ahead.view.word("Sess-00007", NO_ALIASES) == Word("word2", 5.0 + PAUSE), "that which was read counts"


async def test_a_clock_that_was_set_back_does_not_keep_lists_from_being_read() -> None:
    ahead = Ahead()
    ahead.note(a_list(4_000), 1e9)
    await ahead.done()
    listing = ahead.note(a_list(4_000, "close"), 5.0)
    await ahead.done()
    assert listing.is_read


async def test_each_route_has_its_first_long_list_read() -> None:
    ahead = Ahead()
    other = a_rule()
    other.list_reader  # noqa: B018
    listings = [ahead.note(a_list(4_000), 5.0), ahead.note(a_list(4_000), 5.0, other)]
    await ahead.done()
    assert [listing.is_read for listing in listings] == [True, True]


async def test_what_a_look_up_has_left_is_read_at_once() -> None:
    ahead = Ahead()
    for number in range(2):
        ahead.note(a_list(10_000, f"word{number}"), 5.0 + number)
        await ahead.done()
    assert ahead.view.word("Sess-00007", NO_ALIASES) == Word("word0", 5.0)
    await ahead.done()
    assert ahead.view.word("Sess-00007", NO_ALIASES) == Word("word1", 6.0)


async def test_after_it_is_closed_it_reads_no_further() -> None:
    ahead = Ahead()
    listing = ahead.note(a_list(10_000), 5.0)
    await asyncio.sleep(0)
    await ahead.reading.close()
    assert not listing.is_read


async def test_an_error_of_our_own_is_told_and_the_next_list_is_read(caplog: pytest.LogCaptureFixture) -> None:
    ahead = Ahead()
    with mock.patch.object(GatewayView, "reading", side_effect=KeyError("of our own")):
        ahead.note(a_list(4_000), 5.0)
        await ahead.done()
    assert caplog.messages == ["the gateway's answers could not be read ahead"]
    listing = ahead.note(a_list(4_000, "close"), 5.0 + PAUSE)
    await ahead.done()
    assert listing.is_read


def test_without_an_event_loop_nothing_is_read_ahead_and_nothing_fails() -> None:
    ahead = Ahead()
    assert not ahead.note(a_list(5_000), 5.0).is_read


async def test_two_lists_of_the_same_moment_are_read_once() -> None:
    ahead = Ahead()
    read = []
    for word in ("open", "close"):
        listing = ahead.note(a_list(4_000, word), 5.0)
        await ahead.done()
        read.append(listing.is_read)
    assert read == [True, False]


async def test_when_a_list_of_each_route_was_read_is_known_of_so_many_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "_ROUTES", 2)
    ahead, rules = Ahead(), [a_rule() for _ in range(3)]
    read = []
    for number, at in ((0, 1.0), (1, 1.0), (0, 2.0), (2, 3.0), (0, 4.0), (0, 5.0)):
        rules[number].list_reader  # noqa: B018
        listing = ahead.note(a_list(4_000, f"word{at}"), at, rules[number])
        await ahead.done()
        read.append(listing.is_read)
    assert read == [True, True, False, True, True, False]


async def test_closing_it_ends_what_is_under_way() -> None:
    ahead, before = Ahead(), asyncio.all_tasks()
    ahead.note(a_list(10_000), 5.0)
    assert asyncio.all_tasks() != before
    await ahead.reading.close()
    assert asyncio.all_tasks() == before
