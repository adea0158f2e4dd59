"""What the gateway said of sessions that nothing corrects: found when asked for, bounded, never decisive."""

import gc
import itertools
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from statusproxy.registry import gateway_view as gateway_view_module
from statusproxy.registry import kept_answer as kept_answer_module
from statusproxy.registry.gateway_view import ALONE, QUERIES, TOGETHER, GatewayView, Word
from statusproxy.status import identity
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import ChannelRule, correct
from statusproxy.status.identity import Aliases
from statusproxy.status.list_reader import ListReader, Part
from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.sessions import SessionMap

RULE, ONE, FLAT = (
    ChannelRule(list=paths, id=(("id",),), set={"status": "disconnected"}, keep=frozenset({"qr_required"}))
    for paths in ((("channels",),), (("channel",),), ((),))
)


def a_list(**words: str) -> bytes:
    """A channel list's body."""
    return json.dumps({"channels": [{"id": session, "status": word} for session, word in words.items()]}).encode()


def words(gateway_view: GatewayView, *sessions: str, **aliases: str) -> dict[str, Word]:
    """What is found of these sessions."""
    known = Aliases(aliases)
    return {session: word for session in sessions if (word := gateway_view.word(session, known)) is not None}


def test_the_gateways_word_is_found_with_its_time() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected", support="qr_required"), RULE, None, 5.0)
    assert words(gateway_view, "sales", "support", "nobody") == {
        "sales": Word("connected", 5.0),
        "support": Word("qr_required", 5.0),
    }


def test_an_error_of_our_own_in_reading_an_answer_costs_the_word_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What changed is saved with the word or without it."""
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected"), RULE, None, 5.0)
    monkeypatch.setattr(gateway_view_module, "claim_of", mock.Mock(side_effect=KeyError("of our own")))
    assert words(gateway_view, "sales") == {}
    assert caplog.messages == ["what the gateway said of a session could not be read"]


def test_ids_match_as_they_do_for_corrections() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(SalesTeam="connected", desk="open"), RULE, None, 5.0)
    assert words(gateway_view, "Sales Team", "Front Desk", **{"Front Desk": "desk"}) == {
        "Sales Team": Word("connected", 5.0),
        "Front Desk": Word("open", 5.0),
    }


NAMED = replace(FLAT, one=True)


def test_answers_that_name_their_one_session_are_kept_for_each_session() -> None:
    gateway_view = GatewayView()
    for session, word, at in (("sales", "open", 5.0), ("support", "close", 6.0), ("sales", "close", 7.0)):
        gateway_view.note(b'{"id":"%b","status":"%b"}' % (session.encode(), word.encode()), NAMED, None, at)
    gateway_view.note(b'{"status":"open"}', NAMED, None, 8.0)
    assert words(gateway_view, "sales", "support") == {"sales": Word("close", 7.0), "support": Word("close", 6.0)}
    assert gateway_view.lists() == []


def test_the_same_answer_about_one_session_is_kept_once() -> None:
    gateway_view = GatewayView()
    first, again = (gateway_view.note(b'{"id":"sales","status":"open"}', NAMED, None, at) for at in (5.0, 6.0))
    assert first is again
    assert words(gateway_view, "sales") == {"sales": Word("open", 6.0)}


def test_a_long_answer_that_may_name_one_session_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"id":"sales","status":"open"}'
    monkeypatch.setattr(gateway_view_module, "LARGEST_SINGLE", len(body))
    assert GatewayView().note(body, NAMED, None, 5.0).is_read
    monkeypatch.setattr(gateway_view_module, "LARGEST_SINGLE", len(body) - 1)
    gateway_view = GatewayView()
    assert not gateway_view.note(body, NAMED, None, 5.0).is_read
    assert words(gateway_view, "sales") == {}


def test_the_newest_answer_counts_whichever_route_gave_it() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected"), RULE, None, 5.0)
    gateway_view.note(b'{"channel":{"id":"sales","status":"close"}}', ONE, "sales", 6.0)
    assert words(gateway_view, "sales") == {"sales": Word("close", 6.0)}
    gateway_view.note(a_list(sales="connected"), RULE, None, 7.0)
    assert words(gateway_view, "sales") == {"sales": Word("connected", 7.0)}, "the same as before, yet newer"
    gateway_view.note(a_list(sales="open"), RULE, None, 8.0)
    assert words(gateway_view, "sales") == {"sales": Word("open", 8.0)}


def test_of_two_lists_the_newest_counts_by_its_own_spelling() -> None:
    gateway_view = GatewayView()
    gateway_view.note(b'[{"id":"SALESTEAM","status":"open"}]', FLAT, None, 5.0)
    gateway_view.note(a_list(SalesTeam="connected"), RULE, None, 6.0)
    assert words(gateway_view, "Sales Team") == {"Sales Team": Word("connected", 6.0)}


def test_a_session_missing_from_the_newest_list_is_not_told_of_by_an_older_one() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected"), RULE, None, 5.0)
    gateway_view.note(a_list(support="connected"), RULE, None, 6.0)
    assert words(gateway_view, "sales") == {}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"channels":7}', b'{"channels":[{"id":"sales"}]}'])
def test_an_answer_that_says_nothing_gives_nothing(body: bytes) -> None:
    gateway_view = GatewayView()
    gateway_view.note(body, RULE, None, 5.0)
    assert words(gateway_view, "sales") == {}


def test_what_is_kept_is_bounded_and_the_lists_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "KEPT", 3)
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected"), RULE, None, 1.0)
    for number in range(10):
        gateway_view.note(b'{"channel":{"status":"open"}}', ONE, f"one-{number}", 2.0)
    assert set(words(gateway_view, "sales", *(f"one-{number}" for number in range(10)))) == {"sales", "one-8", "one-9"}


def test_a_huge_answer_is_not_kept_and_what_was_before_it_is_no_longer_true() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="connected"), RULE, None, 1.0)
    gateway_view.note(a_list(sales="open") + b" " * gateway_view_module.LARGEST, RULE, None, 2.0)
    assert words(gateway_view, "sales") == {}


def test_many_lists_of_reloaded_rules_push_out_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "KEPT", 2)
    gateway_view = GatewayView()
    for number in range(4):
        rule = ChannelRule(list=(("channels",),), id=(("id",),), set={"status": "disconnected"}, keep=frozenset())
        gateway_view.note(a_list(**{f"s{number}": "connected"}), rule, None, float(number))
    assert set(words(gateway_view, "s0", "s1", "s2", "s3")) == {"s2", "s3"}


def test_each_answer_is_a_new_version() -> None:
    gateway_view = GatewayView()
    assert (gateway_view.version, gateway_view.news) == (0, 0)
    before = gateway_view.version
    gateway_view.note(a_list(sales="connected"), RULE, None, 1.0)
    gateway_view.note(a_list(sales="connected"), RULE, None, 2.0)
    assert gateway_view.version == before + 2


spellings = st.sampled_from(["sales", "Sales", "sales team", "SalesTeam", "wpp-01", "desk"])
said = st.dictionaries(spellings, st.sampled_from(["connected", "open", "qr_required", None]), max_size=4)
notes = st.lists(
    said | st.tuples(spellings, spellings | st.none(), st.sampled_from(["connected", "close", None])), max_size=6
)


@given(notes, st.lists(spellings, min_size=1, unique=True))
def test_what_is_found_is_what_a_map_would_have_noted_of_sessions_that_nothing_releases(
    answers: list[Any], sessions: list[str]
) -> None:
    aliases = {"wpp-01": "desk"}
    override = Override(since=1e3, at=1e3, began=1e3, event="")
    listening = SessionMap(SessionRules(aliases=aliases, releases=frozenset()))
    listening.load([Record(session, override=override) for session in sessions])
    gateway_view = GatewayView()
    kept: dict[object, tuple[bytes, ChannelRule, str | None, float]] = {}
    for at, answer in enumerate(answers, start=1):
        if isinstance(answer, dict):
            note = json.dumps({"channels": [{"id": one, "status": word} for one, word in answer.items()]}), RULE, None
        else:
            path, session, word = answer
            note = json.dumps({"channel": {"id": session, "status": word}}), ONE, path
        kept.pop(note[2], None)
        kept[note[2]] = (note[0].encode(), *note[1:], float(at))
        gateway_view.note(*kept[note[2]])
    for number, (body, rule, path, _) in enumerate(kept.values()):
        correct(body, rule, listening, 0.0, 1e4 + 100.0 * number, path)  # as the map notes the same word once a minute
    expected = {one.session: one.gateway_said for one in listening.records() if one.gateway_said is not None}
    assert {session: word.said for session, word in words(gateway_view, *sessions, **aliases).items()} == expected


def test_the_same_answer_again_is_not_read_again() -> None:
    gateway_view = GatewayView()
    first = gateway_view.note(a_list(sales="connected"), RULE, None, 5.0)
    words(gateway_view, "sales")
    news = gateway_view.news
    assert gateway_view.note(a_list(sales="connected"), RULE, None, 9.0) is first
    assert gateway_view.news == news
    assert words(gateway_view, "sales") == {"sales": Word("connected", 9.0)}
    assert gateway_view.note(a_list(sales="open"), RULE, None, 10.0) is not first
    assert gateway_view.news == news + 1


def test_an_answer_is_read_once_however_many_sessions_change(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    find = ListReader.find

    def counted(reader: ListReader, body: bytes, *, one: bool) -> Any:
        decoded.append(body)
        return find(reader, body, one=one)

    monkeypatch.setattr(ListReader, "find", counted)
    gateway_view = GatewayView()
    gateway_view.note(a_list(**{f"s{number}": "connected" for number in range(300)}), RULE, None, 5.0)
    assert decoded == []
    assert len(words(gateway_view, *(f"s{number}" for number in range(300)))) == 300
    assert len(decoded) == 1


@pytest.mark.parametrize("body", [a_list(), a_list(sales="connected"), b"<html>"])
def test_a_session_that_no_answer_names_has_no_word(body: bytes) -> None:
    gateway_view = GatewayView()
    gateway_view.note(body, RULE, None, 5.0)
    assert words(gateway_view, "nobody") == {}


def test_a_list_tells_which_of_two_spellings_an_answer_about_one_channel_is_about() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(Sales="connected", SALES="open"), RULE, None, 5.0)
    gateway_view.note(b'{"channel":{"status":"close"}}', ONE, "Sales", 6.0)
    assert words(gateway_view, "sales", "Sales") == {"Sales": Word("close", 6.0)}


def test_which_channel_a_spelling_means_is_learned_from_a_list_alone() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(SalesTeam="connected"), RULE, None, 5.0)
    for at, channel in ((6.0, "SALESTEAM"), (7.0, "SalesTeam")):
        gateway_view.note(b'{"channel":{"status":"close"}}', ONE, channel, at)
    assert words(gateway_view, "sales team") == {"sales team": Word("close", 7.0)}


def test_what_just_fits_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, single = a_list(sales="connected"), b'{"channel":{"status":"open"}}'
    for name, size in (("LARGEST", len(whole)), ("LARGEST_SINGLE", len(single)), ("TOTAL", len(whole) + len(single))):
        monkeypatch.setattr(gateway_view_module, name, size)
    gateway_view = GatewayView()
    gateway_view.note(whole, RULE, None, 1.0)
    gateway_view.note(single, ONE, "support", 2.0)
    assert set(words(gateway_view, "sales", "support")) == {"sales", "support"}


def test_all_that_is_kept_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "TOTAL", 1_000)
    gateway_view, bodies = GatewayView(), {"sales": a_list(sales="connected")}
    gateway_view.note(bodies["sales"], RULE, None, 1.0)
    for number in range(10):
        body = bodies[f"one-{number}"] = json.dumps({"channel": {"status": "open", "about": "x" * 200}}).encode()
        gateway_view.note(body, ONE, f"one-{number}", 2.0)
        size = sum(len(bodies[session]) for session in words(gateway_view, *bodies))
        assert min(len(bodies["sales"]) + (number + 1) * len(body), 1_001 - len(body)) <= size <= 1_000
    assert words(gateway_view, "sales") == {"sales": Word("connected", 1.0)}
    gateway_view.note(b"{}" + b" " * gateway_view_module.LARGEST_SINGLE, ONE, "one-9", 3.0)
    assert words(gateway_view, "one-9") == {}


def test_a_list_of_next_to_nothing_but_ids_is_not_kept_as_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "LONGEST", 3)
    gateway_view = GatewayView()
    gateway_view.note(a_list(**{f"s{number}": "open" for number in range(4)}), RULE, None, 1.0)
    words(gateway_view, "s0")
    assert gateway_view.lists() == []
    kept = gateway_view.note(a_list(s0="open", s1="open", s2="open"), RULE, None, 1.0)
    words(gateway_view, "s0")
    assert gateway_view.lists() == [kept]


def test_several_short_lists_are_read_in_one_look_up() -> None:
    gateway_view = GatewayView()
    gateway_view.note(b'[{"id":"sales","status":"open"}]', FLAT, None, 1.0)
    gateway_view.note(a_list(support="close"), RULE, None, 2.0)
    assert words(gateway_view, "sales") == {"sales": Word("open", 1.0)}


def test_a_session_spelt_otherwise_has_its_word_in_one_look_up_of_ten_thousand_channels() -> None:
    body = a_list(**{f"Sess-{number:05d}": "open" for number in range(10_000)})
    for rule in [replace(RULE)] * 2:  # with its first list, what reads it is built too
        gateway_view = GatewayView()
        gateway_view.note(body, rule, None, 5.0)
        assert words(gateway_view, "sess-00007") == {"sess-00007": Word("open", 5.0)}


def read_in_steps(gateway_view: GatewayView) -> int:
    """Read all; how many steps that took."""
    return sum(1 for _ in gateway_view.reading())


HARD = {
    "slow": "".join(f'{{"id":"\\ud800{number}"}},' for number in range(5_000)),  # half a surrogate pair: the slow way
    "long": "".join(f'{{"id":"s{number}"}},' for number in range(49_000)),
    "empty": "{}," * 600_000,
    "numbers": "0," * 1_000_000,
    "short": "{}," * 80_000,
}


@pytest.mark.parametrize("name", HARD)
def test_a_look_up_leaves_a_list_that_takes_long_to_read_to_steps_and_the_next_spends_nothing_on_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_answer_module, "_FOR", 0.0)
    taken: list[int] = []
    go_on = kept_answer_module.go_on

    def counted(steps: Any, most: int, *until: Any) -> int:
        left = go_on(steps, most, *until)
        taken.append(most - left)
        return left

    monkeypatch.setattr(kept_answer_module, "go_on", counted)
    gateway_view = GatewayView()
    left = gateway_view.on_left = mock.Mock()
    gateway_view.note(f'[{HARD[name]}{{"id":"sales","status":"open"}}]'.encode(), replace(FLAT), None, 5.0)
    assert words(gateway_view, "sales", "support", "desk") == {}
    assert sum(taken) == (2 if name == "slow" else 0)
    assert left.call_count == 1
    if name in ("slow", "long"):
        read_in_steps(gateway_view)
        taken.clear()
        assert words(gateway_view, "sales", "nobody") == {"sales": Word("open", 5.0)}
        assert sum(taken) == 0


def test_a_look_up_folds_so_many_ids_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_FOLDED", 100)
    gateway_view = GatewayView()
    left = gateway_view.on_left = mock.Mock()
    gateway_view.note(a_list(**{f"S{number}": "open" for number in range(2_000)}), RULE, None, 5.0)
    assert words(gateway_view, "s999") == {}
    assert left.call_count == 1
    read_in_steps(gateway_view)
    assert words(gateway_view, "s999", "S1", "nobody") == {"s999": Word("open", 5.0), "S1": Word("open", 5.0)}


def test_one_look_up_builds_few_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[ListReader] = []
    init = ListReader.__init__

    def counted(self: ListReader, *given: Any) -> None:
        built.append(self)
        init(self, *given)

    monkeypatch.setattr(ListReader, "__init__", counted)
    gateway_view = GatewayView()
    for number in range(5):
        gateway_view.note(b'[{"id":"s%d"}]' % number, replace(FLAT), None, 5.0)
    words(gateway_view, "nobody")
    assert len(built) == 2
    read_in_steps(gateway_view)
    assert len(built) == 5


def test_as_long_as_a_list_is_not_read_the_one_before_counts() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}
    long = a_list(sales="close", **{f"s{number}": "open" for number in range(40_000)})
    gateway_view.note(long, RULE, None, 6.0)
    assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}
    read_in_steps(gateway_view)
    assert words(gateway_view, "sales") == {"sales": Word("close", 6.0)}


def test_a_list_that_is_not_read_lets_no_old_one_speak() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}
    gateway_view.note(a_list(**{f"s{number}": "open" for number in range(40_000)}), RULE, None, 6.0 + TOGETHER)
    assert words(gateway_view, "sales") == {}


def test_where_another_list_comes_before_one_is_read_that_is_read_to_its_end_and_counts() -> None:
    gateway_view = GatewayView()
    for at in range(3):
        reading = gateway_view.reading()
        gateway_view.note(a_list(**{f"s{number}": f"word{at}" for number in range(40_000)}), RULE, None, float(at))
        next(reading)
        next(reading)
        gateway_view.note(a_list(**{f"s{number}": f"other{at}" for number in range(40_000)}), RULE, None, at + 0.5)
        for _ in reading:
            pass
        assert words(gateway_view, "s7") == {"s7": Word(f"word{at}", float(at))}


def test_a_look_up_after_all_is_read_finds_no_place_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(**{f"s{number}": "open" for number in range(5_000)}), RULE, None, 5.0)
    read_in_steps(gateway_view)
    monkeypatch.setattr(Part, "locate", mock.Mock(side_effect=AssertionError("located at once")))
    assert len(words(gateway_view, *(f"s{number}" for number in range(20)))) == 20


def test_of_an_answer_that_names_its_session_behind_thousands_of_values_the_session_is_not_known() -> None:
    gateway_view = GatewayView()
    rule = replace(RULE, one=True)
    gateway_view.note(b'{"channels":[%b{"id":"sales","status":"open"}]}' % (b"{}," * 15_000), rule, None, 5.0)
    assert words(gateway_view, "sales") == {}


def test_a_long_list_of_a_route_whose_answers_name_themselves_is_not_read_when_it_comes() -> None:
    body = b"[%b{}]" % (b"{}," * 15_000)
    assert not GatewayView().note(body, NAMED, None, 5.0).is_read


def test_a_channel_that_takes_long_to_read_has_no_word_until_a_correction_has_read_it() -> None:
    gateway_view = GatewayView()
    body = b'[{"id":"sales",%b"status":"open"},{"id":"support","status":"open"}]' % (b'"x":1,' * 20_000)
    listing = gateway_view.note(body, FLAT, None, 5.0)
    assert words(gateway_view, "sales", "support") == {"support": Word("open", 5.0)}
    for _ in listing.read_objects(["sales"], FLAT.object_reader):
        pass
    assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}


# The channels of the last lists


def read(gateway_view: GatewayView) -> set[str]:
    """The channels listed, once all is read."""
    for _ in gateway_view.reading():
        pass
    return set(gateway_view.channels().exact)


def test_the_channels_of_the_last_list_are_known_once_it_is_read() -> None:
    gateway_view = GatewayView()
    assert (read(gateway_view), gateway_view.seen_at) == (set(), None)
    gateway_view.note(a_list(sales="connected", shop="open"), RULE, None, 5.0)
    assert (set(gateway_view.channels().exact), gateway_view.seen_at) == (set(), None)
    assert (read(gateway_view), gateway_view.seen_at) == ({"sales", "shop"}, 5.0)
    known = gateway_view.channels()
    gateway_view.note(a_list(sales="connected", shop="open"), RULE, None, 6.0)
    assert gateway_view.channels() is known, "the same list needs no reading"
    assert gateway_view.seen_at == 6.0
    gateway_view.note(a_list(desk="open"), RULE, None, 7.0)
    assert read(gateway_view) == {"desk"}


def test_an_answer_about_one_channel_is_no_list() -> None:
    gateway_view = GatewayView()
    gateway_view.note(b'{"channel":{"status":"open"}}', ONE, "sales", 5.0)
    assert (read(gateway_view), gateway_view.seen_at) == (set(), None)


def test_lists_of_several_routes_count_together_while_none_is_much_older() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    gateway_view.note(b'[{"id":"shop"}]', FLAT, None, 5.0 + TOGETHER)
    assert read(gateway_view) == {"sales", "shop"}
    gateway_view.note(b'[{"id":"shop"}]', FLAT, None, 6.0 + TOGETHER)
    assert read(gateway_view) == {"shop"}


def test_an_answer_that_is_no_list_leaves_the_last_that_was_read_and_its_words() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    assert read(gateway_view) == {"sales"}
    for number, body in enumerate((b"<html>", b'{"error":"x"}', b"[")):
        gateway_view.note(body, RULE, None, 6.0 + number)
        assert read(gateway_view) == {"sales"}
        assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}
    gateway_view.note(a_list(shop="open"), RULE, None, 9.0)
    assert read(gateway_view) == {"shop"}
    assert words(gateway_view, "sales") == {}


def test_a_list_that_nobody_read_stands_in_for_an_answer_that_is_none() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    gateway_view.note(b"<html>", RULE, None, 6.0)
    assert read(gateway_view) == {"sales"}


def after_hours_of_polls(*errors: bytes, polls: int = 239, **others: str) -> GatewayView:
    """Someone has looked once, then at none of the lists that came for hours; `others` are channels of these."""
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="qr_required", gone="open"), RULE, None, 0.0)
    assert words(gateway_view, "sales") == {"sales": Word("qr_required", 0.0)}
    for minute in range(240 - polls, 240):
        gateway_view.note(a_list(sales="open", **others, **{f"at{minute}": "open"}), RULE, None, 60.0 * minute)
    for number, error in enumerate(errors):
        gateway_view.note(error, RULE, None, 14_400.0 + number)
    return gateway_view


def test_an_error_after_lists_nobody_looked_at_brings_back_no_old_word() -> None:
    gateway_view = after_hours_of_polls(b'{"error":"busy"}')
    assert words(gateway_view, "sales", "gone") == {"sales": Word("open", 14_340.0)}
    assert set(gateway_view.channels().exact) == {"sales", "at239"}
    assert (gateway_view.seen_at, gateway_view.whole_at) == (14_340.0, 14_340.0)


def test_several_errors_after_lists_nobody_looked_at_bring_back_no_old_word_either() -> None:
    gateway_view = after_hours_of_polls(b'{"error":1}', b'{"error":2}')
    assert words(gateway_view, "sales", "gone") == {}
    assert read(gateway_view) == set()
    assert gateway_view.seen_at is None


def test_a_long_list_nobody_looked_at_is_left_to_steps_when_the_answer_after_it_is_none() -> None:
    gateway_view = after_hours_of_polls(b'{"error":1}', polls=2, **{f"s{number}": "open" for number in range(20_000)})
    assert words(gateway_view, "sales", "gone") == {}
    assert len(read(gateway_view)) == 20_002
    assert words(gateway_view, "sales", "gone") == {"sales": Word("open", 14_340.0)}


def test_errors_for_hours_leave_the_last_list_that_was_read_in_force() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open"), RULE, None, 5.0)
    for hour in range(1, 4):
        assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}
        gateway_view.note(b'{"error":%d}' % hour, RULE, None, 3_600.0 * hour)
    assert words(gateway_view, "sales") == {"sales": Word("open", 5.0)}


def test_a_list_nobody_looked_at_that_is_too_long_is_dropped_once_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "LONGEST", 1)
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open", shop="open"), RULE, None, 5.0)
    gateway_view.note(b"<html>", RULE, None, 6.0)
    assert read(gateway_view) == set()


def test_reading_a_list_that_is_too_long_drops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_view_module, "LONGEST", 1)
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open", shop="open"), RULE, None, 5.0)
    assert read(gateway_view) == set()


@pytest.mark.parametrize("kept", [True, False])
def test_a_list_that_is_too_long_drops_no_other_that_came_while_it_was_read(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_view_module, "LONGEST", 2)
    gateway_view = GatewayView()
    gateway_view.note(a_list(**{f"s{number}": "open" for number in range(5_000)}), RULE, None, 5.0)
    reading = gateway_view.reading()
    next(reading)
    if not kept:
        monkeypatch.setattr(gateway_view_module, "LARGEST", 10)
    gateway_view.note(a_list(sales="open"), RULE, None, 6.0)
    for _ in reading:
        pass
    assert words(gateway_view, "sales") == ({"sales": Word("open", 6.0)} if kept else {})


def test_two_that_read_the_same_list_at_once_both_finish() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(**{f"s{number}": "open" for number in range(5_000)}), RULE, None, 5.0)
    first, second = gateway_view.reading(), gateway_view.reading()
    for _ in itertools.zip_longest(first, second):
        pass
    assert len(read(gateway_view)) == 5_000


def test_lists_that_were_replaced_are_not_held() -> None:
    gateway_view = GatewayView()
    for at in range(50):
        gateway_view.note(a_list(sales=f"word{at}"), RULE, None, float(at)).read()
    gc.collect()
    held = [one for one in gc.get_objects() if isinstance(one, ChannelList) and b'"status": "word' in one.body]
    assert len(held) <= 2, "the newest, and the one before it in case the next is no list"


# Lists that were asked for with a query


def asked(gateway_view: GatewayView, at: float, query: str, *channels: str) -> None:
    gateway_view.note(a_list(**dict.fromkeys(channels, "open")), RULE, None, at, query)


def test_a_list_asked_for_with_a_query_takes_no_channel_away() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    asked(gateway_view, 6.0 + TOGETHER, "name=sales", "sales")
    assert read(gateway_view) == {"sales", "support"}
    assert gateway_view.whole_at == 5.0, "it does not tell that a channel is gone"
    assert gateway_view.seen_at == 6.0 + TOGETHER
    assert words(gateway_view, "support") == {"support": Word("open", 5.0)}


def test_a_list_whose_answers_name_themselves_takes_no_channel_away_either() -> None:
    gateway_view = GatewayView()
    for at, query, names in ((1.0, "", ("sales", "support")), (2.0 + TOGETHER, "name=sales", ("sales",))):
        gateway_view.note(
            json.dumps([{"id": name, "status": "open"} for name in names]).encode(), NAMED, None, at, query
        )
    assert (read(gateway_view), gateway_view.whole_at) == ({"sales", "support"}, 1.0)


@pytest.mark.parametrize("query", ["", "page=1"])
def test_the_same_answer_again_is_read_by_what_read_it_before(query: str) -> None:
    gateway_view, body = GatewayView(), a_list(sales="open")
    first = gateway_view.note(body, RULE, None, 1.0, query)
    with mock.patch.object(gateway_view_module, "ChannelList", side_effect=AssertionError("made again")):
        assert gateway_view.note(body, RULE, None, 2.0, query) is first


def test_a_list_without_a_query_replaces_the_routes_others() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "name=shop", "shop")
    asked(gateway_view, 6.0, "", "sales")
    assert read(gateway_view) == {"sales"}
    asked(gateway_view, 7.0, "name=desk", "desk")
    assert read(gateway_view) == {"sales", "desk"}, "one that was created since"


def test_a_list_always_asked_for_with_the_same_query_shows_what_there_is() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "all=true", "sales", "support")
    asked(gateway_view, 6.0, "all=true", "sales")
    assert read(gateway_view) == {"sales"}


def test_the_pages_of_a_list_count_together() -> None:
    gateway_view = GatewayView()
    for at in (5.0, 6.0):
        asked(gateway_view, at, "page=1", "sales")
        asked(gateway_view, at, "page=2", "support")
    assert read(gateway_view) == {"sales", "support"}


def test_a_channel_that_is_gone_is_listed_no_longer_where_each_query_is_another() -> None:
    """A query may hold a number that is never the same, so that nothing on the way remembers the answer."""
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "_=1", "sales", "support")
    for number in range(2, 9):
        asked(gateway_view, number * 100.0, f"_={number}", "sales")
    assert read(gateway_view) == {"sales"}


def test_one_list_without_a_query_does_not_keep_what_a_query_that_filters_nothing_lacks_later() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    asked(gateway_view, 6.0, "all=true", "sales", "support", "stopped")
    assert read(gateway_view) == {"sales", "support", "stopped"}
    asked(gateway_view, 7.0, "all=true", "sales", "stopped")
    assert read(gateway_view) == {"sales", "stopped"}
    assert words(gateway_view, "support") == {}
    asked(gateway_view, 8.0, "", "sales", "support")
    assert read(gateway_view) == {"sales", "support"}, "asked for again, it counts again"


def test_a_list_without_a_query_counts_for_a_day_beside_others() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    asked(gateway_view, 5.0 + ALONE, "name=sales", "sales")
    assert read(gateway_view) == {"sales", "support"}
    asked(gateway_view, 6.0 + ALONE, "name=sales", "sales")
    assert read(gateway_view) == {"sales"}


def test_the_same_answer_to_another_query_is_kept_once() -> None:
    gateway_view = GatewayView()
    for number in range(5):
        asked(gateway_view, float(number), f"_={number}", "sales")
    assert len(gateway_view.lists()) == 1
    assert gateway_view.news == 1
    assert words(gateway_view, "sales") == {"sales": Word("open", 4.0)}


def test_any_number_of_queries_pushes_nothing_else_out() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 1.0, "", "sales", "support")
    gateway_view.note(b'{"channel":{"id":"desk","status":"close"}}', ONE, "desk", 2.0)
    for number in range(3 * QUERIES):
        asked(gateway_view, 3.0 + number, f"name=s{number}", f"s{number}")
    assert len(gateway_view.lists()) == 1 + QUERIES
    assert {"sales", "support", f"s{3 * QUERIES - 1}"} < read(gateway_view)
    assert words(gateway_view, "desk") == {"desk": Word("close", 2.0)}


def test_the_bytes_of_lists_with_queries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(a_list(s0="open"))
    monkeypatch.setattr(gateway_view_module, "QUERIED", 2 * size)
    gateway_view = GatewayView()
    asked(gateway_view, 1.0, "", "sales")
    for number in range(5):
        asked(gateway_view, 2.0 + number, f"name=s{number}", f"s{number}")
    assert read(gateway_view) == {"sales", "s3", "s4"}
    monkeypatch.setattr(gateway_view_module, "TOTAL", 2 * size)
    asked(gateway_view, 9.0, "", "front")
    assert read(gateway_view) == {"front"}, "those go before others"


def test_a_short_list_by_whose_fold_a_session_is_another_channel_says_nothing_of_it() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "page=1", "front", "Front")
    asked(gateway_view, 6.0, "name=Front", "Front")
    words(gateway_view, "front")
    assert words(gateway_view, "front") == {"front": Word("open", 5.0)}


def test_whether_a_list_with_a_query_has_all_channels_is_found_once() -> None:
    class Counted(frozenset[str]):
        compared = 0

        def __ge__(self, other: object) -> bool:
            Counted.compared += 1
            return False

    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    gateway_view.note(a_list(sales="open"), RULE, None, 6.0, "name=sales")
    read(gateway_view)
    gateway_view.lists()[0].ids.exact = Counted({"sales"})
    for _ in range(5):
        assert gateway_view.seen_at == 6.0
    assert Counted.compared <= 1


# Lists of several routes together


def test_thousands_of_channels_of_several_lists_are_put_together_and_folded_in_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway_view = GatewayView()
    for rule, letter in ((RULE, "S"), (replace(RULE), "T")):
        gateway_view.note(a_list(**{f"{letter}{number}": "open" for number in range(5_000)}), rule, None, 5.0)
    monkeypatch.setattr(gateway_view_module, "_UNITED_AT_ONCE", 1_000)
    for listing in gateway_view.lists():
        listing.read()
    assert len(gateway_view.channels().exact) == 0, "not at once"
    assert read_in_steps(gateway_view) > 30
    channels = gateway_view.channels()
    assert channels.are_folded
    assert channels.match("s4999", Aliases({})).channel == "S4999"
    assert len(channels.exact) == 10_000


def test_where_one_list_has_the_channels_of_all_its_folds_serve() -> None:
    gateway_view = GatewayView()
    gateway_view.note(a_list(sales="open", desk="open"), RULE, None, 5.0)
    whole = gateway_view.lists()[0]
    gateway_view.note(a_list(sales="open"), replace(RULE), None, 5.0)
    read_in_steps(gateway_view)
    assert gateway_view.channels() is whole.ids


# Whether the lists are all that there is


def test_the_channels_are_all_where_each_route_has_a_list_without_a_query() -> None:
    gateway_view, other = GatewayView(), replace(RULE)
    told = []
    for rule, at, query, names in (
        (RULE, 5.0, "", ("sales", "support")),
        (RULE, 6.0, "name=desk", ("desk",)),
        (other, 7.0, "name=front", ("front",)),
        (other, 8.0, "", ("front", "shop")),
    ):
        gateway_view.note(a_list(**dict.fromkeys(names, "open")), rule, None, at, query)
        read(gateway_view)
        told.append(gateway_view.is_whole)
    assert told == [True, True, False, True]


def test_before_a_list_has_passed_nothing_is_known_to_be_left_out() -> None:
    gateway_view = GatewayView()
    assert (read(gateway_view), gateway_view.is_whole, gateway_view.whole_at) == (set(), True, None)


def test_with_lists_of_queries_alone_a_channel_is_gone_that_none_has_had_for_a_while() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5_000.0, "name=sales", "sales")
    read(gateway_view)
    assert gateway_view.whole_at == 5_000.0 - TOGETHER


def test_a_list_with_a_query_counts_beside_one_without_of_the_same_moment() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales")
    asked(gateway_view, 5.0, "name=desk", "desk")
    assert read(gateway_view) == {"sales", "desk"}


# What a look-up does at once


def test_channels_that_are_not_folded_are_put_together_at_once_where_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    gateway_view.lists()[0].read()
    monkeypatch.setattr(gateway_view_module, "_FEW", 1)
    assert set(gateway_view.channels().exact) == set(), "it is left to the reading"
    monkeypatch.setattr(gateway_view_module, "_FEW", 2)
    assert set(gateway_view.channels().exact) == {"sales", "support"}


def test_the_channels_of_one_list_that_is_folded_serve_at_once_however_many_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "sales", "support")
    words(gateway_view, "SALES")
    monkeypatch.setattr(gateway_view_module, "_FEW", 1)
    assert gateway_view.lists()[0].ids.are_folded
    assert set(gateway_view.channels().exact) == {"sales", "support"}


def test_after_all_is_read_a_look_up_reads_the_next_list() -> None:
    gateway_view = GatewayView()
    gateway_view.note(b"[" + b"{}," * 60_000 + b"{}]", FLAT, None, 5.0)
    assert words(gateway_view, "sales") == {}, "too heavy for a look-up"
    read_in_steps(gateway_view)
    asked(gateway_view, 6.0, "", "sales")
    assert words(gateway_view, "sales") == {"sales": Word("open", 6.0)}


# Which channel a session is, by the lists before


def test_a_list_without_a_query_tells_that_a_session_is_another_channel_than_its_fold() -> None:
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "Sales Team")
    asked(gateway_view, 6.0, "name=SALESTEAM", "SALESTEAM")
    assert words(gateway_view, "sales team") == {"sales team": Word("open", 5.0)}


def test_a_list_with_a_query_does_not_tell_that_a_session_is_another_channel() -> None:
    """The one that it is may be left out of it, as the list before shows."""
    gateway_view = GatewayView()
    asked(gateway_view, 5.0, "", "Sales Team")
    asked(gateway_view, 6.0, "name=SALESTEAM", "SALESTEAM")
    asked(gateway_view, 7.0, "name=Sales Team", "Sales Team")
    assert words(gateway_view, "sales team") == {"sales team": Word("open", 7.0)}
