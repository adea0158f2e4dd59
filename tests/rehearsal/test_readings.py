"""What an answer reads for a session that is lost, in words."""

import pytest

from statusproxy.config.load import loads
from statusproxy.config.settings import Channels
from statusproxy.rehearsal.readings import answer, connected_words, first_list, reading, to_read

HEAD = "gateway: http://127.0.0.1:3000\npreset: null\nchannels:\n"


def channels(*routes: str) -> tuple[Channels, ...]:
    return loads(HEAD + "".join(f"  - {{list: [''], id: [id], {route}}}\n" for route in routes)).channels


LIST = "path: /list, set: {status: {busy: BUSY, '*': LOST}, text: {gone: GONE}}"
ONE = "path: '/one/{session}', set: {status: CLOSED}"
TRUTHS = "path: /truths, set: {up: false, at: null}"
SPECIAL = "path: /special, set: {status: {busy: BUSY}}"


@pytest.mark.parametrize(
    ("routes", "word", "says"),
    [
        ((ONE, LIST), "Busy", 'the list will read "BUSY"'),
        ((ONE, LIST), None, 'the list will read "LOST"'),
        ((LIST,), "gone", 'the list will read "LOST" and "GONE"'),
        ((ONE,), "busy", 'the answer about it will read "CLOSED"'),
        ((TRUTHS,), None, "the list will read up: false, at: null"),
        (
            (SPECIAL,),
            "close",
            "the list stays as it is (set has no value for this word), but it counts as disconnected",
        ),
        ((), "close", "no answer is corrected (no channels are configured), but it counts as disconnected"),
    ],
)
def test_the_word_that_will_be_read_is_named(routes: tuple[str, ...], word: str | None, says: str) -> None:
    assert to_read(channels(*routes) if routes else (), word) == says


def test_nothing_is_read_where_nothing_is_written() -> None:
    assert reading((), "close") is None
    assert reading(channels(SPECIAL), "close") is None
    assert reading(channels(SPECIAL), "busy") == '"BUSY"'


def test_a_route_that_may_be_a_list_is_one_where_no_other_is() -> None:
    either, plain = "path: /either, one: true, set: {status: lost}", "path: /plain, set: {status: lost}"
    both = channels(either, plain)
    assert first_list(both) == both[1]
    assert first_list(both[:1]) == both[0]
    assert first_list(channels(ONE)) is None
    assert (answer(both), answer(channels(ONE))) == ("the list", "the answer about it")


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (f"{TRUTHS}, connected: [open]", ("true",)),
        (f"{LIST}, connected: [open]", ("open",)),
        ("path: /none, set: {status: null}, connected: [open]", ("open",)),
        ("path: /both, set: {status: lost, up: false}, connected: [open]", ("open",)),
    ],
)
def test_connected_is_true_where_nothing_but_truth_is_set(route: str, words: tuple[str, ...]) -> None:
    assert tuple(connected_words(channels(route)[0])) == words
