"""What a list really looks like: where channels stand in it, and which fields could be id and status."""

from __future__ import annotations

import pytest

from statusproxy.config.load import loads
from statusproxy.doctor.looks import shapes
from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.set_values import ByWord

RULE = loads("gateway: http://127.0.0.1:3000").channels[0].rule()


def test_the_list_that_looks_most_like_channels_comes_first() -> None:
    document = {"logs": [{"at": {}}], "data": {"items": [{"id": "a", "name": "b"}, {"id": "c", "name": "d"}]}}
    assert shapes.lists_in(document) == ["data.items", "logs"]
    assert shapes.lists_in({"a": {"b": {"c": {"d": [{"id": 1}]}}}}) == [], "too deep to be configured by chance"


def test_no_list_is_one_of_channels_unless_it_holds_objects_alone() -> None:
    assert (
        shapes.lists_in({"none": [], "mixed": [{"id": 1}, 2], "texts": ["a"], "one": {"of": 1}, "a.b": [{"c": 1}]})
        == []
    )
    assert shapes.lists_in([{"id": 1}]) == ['""']
    assert shapes.shape(ChannelList(b'{"ok":true}', RULE)) == shapes.Shape(None)


def test_an_id_is_told_by_its_usual_name_first() -> None:
    elements = [{"zone": "x", "name": "a", "id": 1}, {"zone": "y", "name": "b", "id": 2}]
    assert shapes.ids_in(elements) == ["id", "name", "zone"]
    assert shapes.ids_in([{"id": 1}, {"id": 1}]) == [], "an id is never the same twice"
    assert shapes.ids_in([{"id": 1}, {}]) == [], "an id is in each channel"


def test_a_status_is_told_by_its_name_or_by_a_word_that_is_known() -> None:
    elements = [{"x": "open", "state": "s", "id": "a", "deep": {}}]
    assert shapes.statuses_in(elements, RULE) == ["state", "x"]


@pytest.mark.parametrize(("word", "known"), [("Open", True), ("disconnected", True), ("true", True), ("away", False)])
def test_a_word_is_known_where_the_rule_gives_it_a_meaning(word: str, known: bool) -> None:
    assert shapes.knows(RULE, word) is known


def test_the_fields_of_all_channels_are_named_once() -> None:
    assert shapes.members([{"a": 1, "b": 2}, {"b": 3, "c": 4}, "bare"]) == ["a", "b", "c"]


def test_what_a_lost_channel_reads_has_the_kind_of_what_stands_there() -> None:
    assert shapes.disconnected_in([{"on": True}, {"on": False}], "on") is False
    assert shapes.disconnected_in([{"on": True}, {"on": "x"}], "on") == "disconnected"
    assert shapes.disconnected_in([], "on") == "disconnected"


def test_a_channel_has_a_status_where_any_field_is_set() -> None:
    assert shapes.has_status({"status": None}, RULE)
    assert not shapes.has_status({"id": "a"}, RULE)
    assert not shapes.has_status("bare", RULE)


def test_fields_within_objects_and_words_that_go_by_the_event_are_known() -> None:
    rule = ChannelRule(
        list=((),),
        id=(("name",),),
        set={"instance.status": ByWord({"failed": "FAILED", "*": "Gone"}), "on": False},
    )
    body = b'[{"name": "a", "instance": {"status": "open"}}, {"name": "b", "instance": "status"}]'
    found = shapes.shape(ChannelList(body, rule))
    assert (found.members, found.words) == (["instance.status"], ["open"])
    assert [shapes.has_status(element, rule) for element in found.elements or ()] == [True, False]
    assert [shapes.knows(rule, word) for word in ("failed", "gone", "other")] == [True, True, False]
