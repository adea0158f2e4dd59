"""What is kept of traffic: never an id, a number, a token or a text; and never more than the bounds say."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.learning import observation as observation_module
from statusproxy.learning.observation import NAMELESS, Observation
from tests.learning.traffic import chat, draft, kept, link, observed

#: Names of members, of all that known and unknown gateways have.
_NAMES = """
    event type action hook what status state phase connection session instance box ref id name data info payload body
    text pushName from to code token reason zone mode st key message messages
"""
NAMES = st.sampled_from(_NAMES.split())

DIGITS = st.text(string.digits, min_size=8, max_size=15)
PLANTED = st.one_of(
    DIGITS,
    DIGITS.map(lambda digits: f"+{digits}"),
    DIGITS.map(lambda digits: f"{digits}@c.us"),
    st.uuids().map(str),
    st.binary(min_size=8, max_size=24).map(bytes.hex),
    st.text(string.ascii_letters + string.digits + "-_", min_size=12, max_size=40).map(lambda text: f"tok{text}9X7z1"),
    st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=9), min_size=3, max_size=6).map(" ".join),
    st.lists(st.sampled_from(["Está", "não", "ñandú", "чат", "你好", "مرحبا"]), min_size=1, max_size=3).map(" ".join),
)


def documents(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Events with these values anywhere, also as keys."""
    keys = st.one_of(NAMES, values.map(str))
    inner = st.recursive(
        values,
        lambda deeper: st.one_of(st.dictionaries(keys, deeper, max_size=4), st.lists(deeper, max_size=2)),
        max_leaves=6,
    )
    return st.dictionaries(keys, inner, min_size=1, max_size=5)


@pytest.mark.slow
@given(st.data())
def test_no_planted_value_is_kept_or_printed(data: st.DataObject) -> None:
    planted = data.draw(st.lists(PLANTED, min_size=1, max_size=4, unique=True))
    values: st.SearchStrategy[Any] = st.sampled_from([*planted, *(int(each) for each in planted if each.isdecimal())])
    events = data.draw(st.lists(documents(values), min_size=1, max_size=4))
    listed = data.draw(st.lists(documents(values), max_size=3))
    seen = observed(events * 4, answer=None)
    seen.answer(f"/api/sessions/{planted[0]}?key={planted[-1]}", {"data": listed})
    seen.answer(f"/api/sessions/{planted[0]}", events[0])
    seen.event(events[0])
    texts = [*kept(seen), draft(seen)]
    for value in planted:
        assert not [text for text in texts if value in text]


#: Ids that look like words: people give sessions such names.
WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=6).map(lambda text: f"lo{text}ja")


@given(st.lists(WORDS, min_size=1, max_size=4, unique=True), st.booleans())
@pytest.mark.slow
def test_an_id_that_looks_like_a_word_is_kept_nowhere(ids: list[str], list_first: bool) -> None:
    events = [
        event
        for each in ids
        for event in (
            {"event": "status", "session": each, "status": "open"},
            {"event": f"session:{each}:closed", "type": each, "state": each, "data": {each: {"state": "open"}}},
        )
    ] * 4
    answer = {"sessions": [{"id": each, "state": "open", "type": each, each: {"x": 1}} for each in ids]}
    seen = observed([] if list_first else events, answer=None)
    seen.answer("/sessions", answer)
    seen.answer(f"/sessions/{ids[0]}", answer["sessions"][0])
    for event in events:
        seen.event(event)
    texts = [*kept(seen), draft(seen)]
    for each in ids:
        assert not [text for text in texts if each in text]


def test_words_of_a_member_that_turn_out_to_be_ids_are_forgotten() -> None:
    seen = observed([{"event": "pixelated", "type": "x"}, {"event": "pixelated"}, {"event": "pixelated"}], answer=None)
    assert "pixelated" in draft(seen)
    seen.event({"event": "status", "session": "pixelated"})
    assert "pixelated" not in [*kept(seen), draft(seen)]


def test_names_of_members_that_turn_out_to_be_ids_are_forgotten() -> None:
    seen = observed([{"event": "status", "data": {"pixelated": {"state": "open"}}}], answer=None)
    assert "pixelated" in list(kept(seen))
    seen.answer("/api/sessions", [{"id": "pixelated"}])
    assert "pixelated" not in list(kept(seen))
    assert ("data", "*", "state") in seen.all.members


def test_a_contact_s_status_is_not_kept() -> None:
    seen = observed([{"event": "profile", "status": "Ocupado"}] * 9, answer=None)
    assert "Ocupado" not in [*kept(seen), draft(seen)]


def test_a_word_that_nobody_knows_is_kept_among_known_ones_once_it_came_often() -> None:
    twice = observed([link("sales", "up"), link("sales", "zonking"), link("sales", "zonking")])
    assert "zonking" not in list(kept(twice))
    thrice = observed([link("sales", "up"), *[link("sales", "zonking")] * 3])
    assert "zonking" in list(kept(thrice))


def test_a_second_look_counts_nothing_and_keeps_no_id() -> None:
    early = [*[link("sales", "zonking")] * 3, *[link("sales", "sales")] * 3, link("sales", "up"), link("sales", "down")]
    seen = observed([*early, [], {}], answer=None)
    assert "zonking" not in list(kept(seen))
    before = seen.events
    for event in [*early, [], {}]:
        seen.look_again(event)
    assert seen.events == before
    assert "zonking" in list(kept(seen))
    assert "sales" not in list(kept(seen))


def test_only_objects_are_events() -> None:
    seen = observed([[], "x", None, {}, 5], answer=None)
    assert seen.events == 0


def test_events_without_a_name_are_noted_together() -> None:
    seen = observed([{"box": {"ref": "sales"}, "n": 5}])
    assert {by for by, _ in seen.groups} == {NAMELESS}


def test_paths_and_forms_are_counted() -> None:
    seen = Observation()
    for _ in range(2):
        seen.event(link("sales", "up"), "/hook", "jsonData")
    assert (seen.paths, seen.forms) == ({"/hook": 2}, {"jsonData": 2})


def test_kinds_of_events_beyond_the_bound_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation_module, "_GROUPS", 3)
    seen = observed([{"event": name} for name in ("open", "close", "ready", "failed", "lost", "up")], answer=None)
    assert (len(seen.groups), seen.left_out) == (3, 3)


def test_members_of_all_kinds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation_module, "_ALL_MEMBERS", 4)
    seen = observed([{"event": name, "x": 1} for name in ("open", "close", "ready", "failed")], answer=None)
    assert len(seen.groups) == 2


@pytest.mark.slow
def test_the_memory_stays_small_whatever_comes() -> None:
    seen = Observation()
    for number in range(3000):
        seen.event({"event": f"e{number}", f"m{number}": number, "id": f"id-{number}", "data": {f"k{number}x": number}})
    assert sum(len(text) for text in kept(seen)) < 200_000
    assert sum(len(group.members) for group in seen.groups.values()) <= observation_module._ALL_MEMBERS


def test_messages_say_that_something_came_in() -> None:
    assert "means: alive" in draft(observed([chat("sales")]))


def test_json_of_any_kind_can_be_taken_in() -> None:
    seen = Observation()
    seen.event(json.loads('{"event": {"event": ["x", {"type": "open"}]}, "a.b": {"type": "open"}, "": 1}'))
    assert seen.events == 1


def test_so_many_texts_are_looked_at_for_the_name_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation_module, "_TEXTS", 2)
    seen = Observation()
    seen.event({"a": "x y", "b": "x y", "event": "open"})
    seen.event({"a": "x y", "event": "open", "b": "x y"})
    assert [group.by for group in seen.groups.values()] == [NAMELESS, ("event",)]


def test_a_session_s_number_is_an_id() -> None:
    seen = Observation()
    seen.event({"line": 4711, "count": 4712})
    assert seen.answers.template("/api/4711/4712") == "/api/{session}/{_}"


def test_a_form_s_member_that_is_no_name_is_not_kept() -> None:
    seen = Observation()
    seen.event({"event": "x"}, "/hook", "k5511999990000")
    assert seen.forms == {}


def test_a_name_is_looked_for_in_any_depth() -> None:
    seen = observed([{"meta": {"evt": {"kind": "line-status"}}, "d": {"e": {"f": {"word": "down"}}}}], answer=None)
    assert {group.by: group.name for group in seen.groups.values()} == {
        ("meta", "evt", "kind"): "line-status",
        ("d", "e", "f", "word"): "down",
        NAMELESS: None,
    }


def test_beside_a_member_that_is_called_like_an_event_s_name_no_other_is_looked_for_deep() -> None:
    seen = observed([{"event": "status", "d": {"e": {"f": "down"}}}], answer=None)
    assert [group.by for group in seen.groups.values()] == [("event",)]


def test_a_member_that_is_in_few_events_or_never_changes_gives_way() -> None:
    rare = [{"aa": "open", **dict.fromkeys(("bb", "cc", "dd"), "close")} for _ in range(3)]
    events = [{"bb": "close", "cc": "close", "dd": word} for word in ("open", "close", "failed") * 3]
    seen = observed([*events, *rare], answer=None)
    assert [group.count for group in seen.groups.values() if group.by == ("aa",)] == []


def test_an_id_that_no_member_s_name_tells_is_found_whichever_comes_first() -> None:
    answer = {"rows": [{"h": "sales"}, {"h": "sup"}]}
    event = {"kind": "status", "acct": "sales"}
    first = observed([event], answer=answer)
    after = observed([event], answer=None)
    after.answer("/api/rows", answer)
    for seen in (first, after):
        assert seen.ids.listed == {seen.ids.hash("sales"), seen.ids.hash("sup")}


def test_a_name_that_an_event_shows_to_be_an_id_is_not_kept() -> None:
    seen = observed([{"kind": "zonking", "acct": "other"}] * 3, answer={"rows": [{"h": "zonking"}, {"h": "sup"}]})
    assert "zonking" not in set(kept(seen))
    after = observed([{"kind": "zonking", "x": {"zonking": 1}}] * 3, answer=None)
    after.answer("/api/rows", {"rows": [{"h": "zonking"}, {"h": "sup"}]})
    assert "zonking" not in set(kept(after))


def test_texts_and_secrets_of_events_confirm_no_id() -> None:
    seen = observed(
        [{"kind": "status", "text": "sales", "token": "sup"}], answer={"rows": [{"h": "sales"}, {"h": "x1"}]}
    )
    assert seen.ids.listed == set()
