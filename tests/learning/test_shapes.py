"""The members of documents: counts and words, bounded."""

from typing import Any

import pytest

from statusproxy.learning import shapes
from statusproxy.learning.shapes import ANY, Ids, Shape, may_keep, walk
from statusproxy.status.fields import Array


def shape(*documents: Any, limit: int = 100, ids: Ids | None = None) -> Shape:
    made = Shape(ids or Ids(), limit)
    for document in documents:
        made.add(document, None)
    return made


def test_kinds_of_values_are_counted() -> None:
    member = shape({"a": True}, {"a": False}, {"a": None}, {"a": "open"}, {"a": {}}).members[("a",)]
    assert (member.count, member.true, member.false, member.others, member.texts) == (5, 1, 1, 2, 1)


def test_words_come_with_their_counts_the_most_frequent_first() -> None:
    assert shape({"a": "open"}, {"a": "close"}, {"a": "close"}).members[("a",)].words == {"close": 2, "open": 1}


def test_a_number_is_never_a_word() -> None:
    member = shape({"status": 401}, {"status": 401}).members[("status",)]
    assert (member.words, member.hidden) == ({}, 1)


def test_too_many_values_are_no_words() -> None:
    texts = ["open", "close", "ready", "failed", "lost", "up", "down", "dead", "gone", "start", "stop", "wait", "sync"]
    member = shape(*({"a": text} for text in texts)).members[("a",)]
    assert (member.words, member.many) == ({}, False)
    many = shape(*({"a": text} for text in [*texts, "pair", "scan", "read", "sent", "typing"])).members[("a",)]
    assert many.many
    assert not [word for word in many.hashes.values() if word.text is not None]


def test_times_are_no_words() -> None:
    member = shape({"at": 1_768_504_026}).members[("at",)]
    assert member.times is not None
    assert (member.words, member.hashes) == ({}, {})


def test_ids_of_a_list_are_found_again_also_among_many() -> None:
    ids = Ids()
    for number in range(40):
        ids.add(f"box-{number}", listed=True)
    member = shape(*({"ref": f"BOX-{number}"} for number in range(40)), ids=ids).members[("ref",)]
    assert member.many
    assert member.share_of(ids.listed) == 1.0


def test_a_list_that_comes_later_is_found_too() -> None:
    ids = Ids()
    made = shape({"ref": "sales"}, {"ref": "other"}, ids=ids)
    assert made.members[("ref",)].share_of(ids.listed) == 0.0
    ids.add("sales", listed=True)
    assert made.members[("ref",)].share_of(ids.listed) == 0.5


def test_a_member_without_texts_has_no_share() -> None:
    assert shape({"a": {}}).members[("a",)].share_of({1}) == 0.0


def test_members_beyond_the_limit_are_left_out() -> None:
    made = shape({"a": 1, "b": 2, "c": 3}, limit=2)
    assert (len(made.members), made.left_out) == (2, 1)


def test_the_walk_goes_into_objects_and_first_elements() -> None:
    document = {"a": {"b": [{"c": 1}, {"d": 1}]}, "e": [[1]], "f": []}
    assert [path for path, _ in walk(document, Ids())] == [("a",), ("e",), ("f",), ("a", "b"), ("a", "b", "0", "c")]


def test_the_walk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    deep: Any = 1
    for _ in range(30):
        deep = {"a": deep}
    assert len(list(walk(deep, Ids()))) == 6
    assert list(walk("text", Ids())) == []
    monkeypatch.setattr(shapes, "_MEMBERS", 5)
    assert len(list(walk({f"{letter}x": 1 for letter in "abcdefgh"}, Ids()))) == 5


def test_keys_of_a_large_map_are_no_names() -> None:
    assert {path for path, _ in walk({f"key{letter}": 1 for letter in map(chr, range(0x61, 0x61 + 80))}, Ids())} == {
        (ANY,)
    }


@pytest.mark.parametrize(
    ("text", "name", "count", "among_words", "kept"),
    [
        ("open", "anything", 1, False, True),
        ("open", "body", 1, True, False),
        ("zonking", "status", 3, True, True),
        ("zonking", "status", 2, True, False),
        ("zonking", "status", 3, False, False),
        ("zonking", "event", 3, False, True),
        ("zonking", "zone", 9, True, False),
        ("sales", "status", 9, True, False),
        ("sales.gone", "event", 9, True, False),
        ("two words", "event", 9, True, False),
    ],
)
def test_what_may_be_kept_in_the_clear(text: str, name: str, count: int, among_words: bool, kept: bool) -> None:
    ids = Ids()
    ids.add("sales")
    assert may_keep(text, name, count, ids, among_words=among_words) is kept


def test_the_number_of_ids_and_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_IDS", 3)
    monkeypatch.setattr(shapes, "_NAMES", 2)
    ids = Ids()
    for letter in "abcdef":
        ids.add(f"id{letter}", listed=True)
    assert (len(ids.seen), len(ids.listed)) == (6, 3)
    assert [ids.is_name(name) for name in ("zonkA", "zonkB", "zonkC", "zonkA", "status")] == [
        True,
        True,
        False,
        True,
        True,
    ]


def test_an_id_tells_whether_it_reveals_something_that_is_kept() -> None:
    ids = Ids()
    assert ids.add("quiet") is None
    ids.keep("box:pixel")
    assert ids.add("PIXEL") == ids.hash("pixel")
    assert ids.add("pixel") is None


def test_words_and_names_that_turn_out_to_be_ids_are_forgotten_and_members_joined() -> None:
    ids = Ids()
    events = [{"event": "zonking"}, {"event": "pixel:closed", "pixel": {"x": "open"}, "brush": {"x": "open"}}]
    made = shape(*events * 3, ids=ids)
    assert made.members[("event",)].words == {"pixel:closed": 3, "zonking": 3}
    made.forget(ids.reveal({ids.hash("pixel"), ids.hash("brush")}))
    assert made.members[("event",)].words == {"zonking": 3}
    assert set(made.members) == {("event",), (ANY,), (ANY, "x")}


def test_ids_that_are_numbers_are_found_however_they_are_written() -> None:
    ids = Ids()
    ids.add("4711", listed=True)
    found = shape({"line": 4711}, {"line": 4711.0}, {"line": "4711"}, {"line": 4712}, ids=ids)
    assert found.members["line",].share_of(ids.listed) == 0.75
    assert found.members["line",].words == {}


def test_an_id_that_could_be_a_time_is_none() -> None:
    ids = Ids()
    ids.add("1700004711", listed=True)
    found = shape({"line": 1_700_004_712, "x": 1_700_004_711, "at": 1_768_504_026}, ids=ids)
    assert [path for path, member in found.members.items() if member.times is not None] == [("at",)]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("4711:key", "{session}:{_}"),
        ("4711:a:b", "{session}:{_}"),
        ("a:b:4711", "{_}:{session}"),
        ("wa_4711", "{_}_{session}"),
        ("4711", None),
        ("4711:", None),
        ("47112:x", None),
        ("a:4711:b", None),
        ("4711:" + "k" * 200, None),
    ],
)
def test_an_id_within_a_longer_text_is_cut_out(text: str, cut: str | None) -> None:
    ids = Ids()
    assert ids.cut(text) is None
    ids.add("4711", listed=True)
    found = shape({"line": text}, ids=ids).members["line",]
    assert [each.segment for each in found.cuts] == ([] if cut is None else [cut])
    assert found.share_of(ids.listed) == (text == "4711")


def test_a_number_that_nobody_writes_is_passed_over() -> None:
    member = shape({"n": 10**600}, {"n": "open"}).members["n",]
    assert (member.texts, member.words) == (2, {})


def test_arrays_that_were_left_out_are_walked_by_their_first() -> None:
    assert [path for path, _ in walk({"a": Array({"b": 1}), "c": Array()}, Ids())] == [("a",), ("c",), ("a", "0", "b")]


def test_values_of_a_list_s_member_are_ids_once_an_event_holds_one() -> None:
    ids = Ids()
    ids.suppose(["sales", "sup"])
    assert ids.confirm([ids.hash("other")]) == set()
    assert not ids.holds("sup")
    ids.keep("sup")
    assert ids.confirm([ids.hash("sales")]) == {ids.hash("sup")}
    assert (ids.holds("sup"), ids.listed, ids.possible) == (True, {ids.hash("sales"), ids.hash("sup")}, {})


def test_possible_ids_are_bounded() -> None:
    ids = Ids()
    for start in range(0, 8_000, 1_000):
        ids.suppose([f"n{n}" for n in range(start, start + 1_000)])
    assert len(ids.possible) == 5_000


def test_the_share_of_many_values_is_that_of_the_first() -> None:
    ids = Ids()
    shape = Shape(ids, 9)
    for n in range(40):
        shape.add({"acct": f"shop{n}"}, None)
    assert shape.members["acct",].share_of({ids.hash(f"shop{n}") for n in range(40)}) == 1.0
